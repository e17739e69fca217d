"""The truth about receptive fields: a twin with positive weights, whose gradient is not 0 wherever the network sees.

Weights are constant, activations, norms and gates the identity, maxima means, all in double precision. The nonzero part
of the gradient of one value with respect to the input is its receptive field. Knows nothing of `reach`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from photosite.graph.execute import operation, thaw, thaw_map
from photosite.graph.ir import Graph, Node

IDENTITY = [
    "batch_norm",
    "relu",
    "silu",
    "hardswish",
    "hardsigmoid",
    "sigmoid",
    "hardtanh",
    "gelu",
    "dropout",
    "layer_norm",
    "clone",
    "contiguous",
    "alias",
    "to",
    "leaky_relu",
    "relu6",
    "elu",
    "mish",
    "tanh",
    "instance_norm",
    "rms_norm",
    "detach",
]


def values(graph: Graph, x: torch.Tensor) -> dict[str, Any]:
    """All values of the twin, ready for gradients."""
    found: dict[str, Any] = {graph.inputs[0]: x}
    for name, info in graph.parameters.items():
        whole = not info.dtype.startswith("float")  # numbers by position
        found[name] = torch.full(info.shape, 0 if whole else 1, dtype=torch.int64 if whole else torch.float64)
    for name, held in graph.constants.items():
        array = torch.as_tensor(np.array(held.array))
        found[name] = array.double() if array.is_floating_point() else array
    for node in graph:
        value = _value(node, found)
        real = isinstance(value, torch.Tensor) and value.is_floating_point()
        found[node.name] = value.double() if real else value
    return found


def _value(node: Node, found: dict[str, Any]) -> Any:
    args, kwargs = thaw(node.args, found), thaw_map(node.kwargs, found)
    special: dict[str, Callable[..., Any]] = {
        "conv2d": _conv,
        "conv_transpose2d": _conv_transposed,
        "linear": lambda x, w, b=None: F.linear(x, w / w.shape[1]),
        "max_pool2d": _mean_pool,
        "mul": lambda a, b: _gate(a, b),
        "div": lambda a, b: a,
        "view": torch.reshape,
        "sub": lambda a, b: a,
        "softmax": lambda x, dim, *rest: torch.full_like(x, 1 / x.shape[dim]),
        "scaled_dot_product_attention": lambda q, k, v, *rest, **more: v.mean(-2, keepdim=True).expand_as(q),
        "group_norm": lambda x, *rest: x,
    }
    if node.kind in IDENTITY:
        return args[0]
    return special.get(node.kind, operation(node.op))(*args, **kwargs)


def _conv(x: Any, w: Any, b: Any = None, *rest: Any) -> Any:
    return F.conv2d(x, w / w[0].numel(), None, *rest)


def _conv_transposed(x: Any, w: Any, b: Any = None, *rest: Any) -> Any:
    return F.conv_transpose2d(x, w / w[:, 0].numel(), None, *rest)


def _mean_pool(
    x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    assert dilation in (1, [1, 1])
    return F.avg_pool2d(x, kernel, stride or None, padding, ceil_mode)


def _gate(a: Any, b: Any) -> Any:
    """The factor with more numbers, without its gate or scale."""
    if not isinstance(b, torch.Tensor) or a.numel() > b.numel():
        return a
    return b if b.numel() > a.numel() else a


def seen(value: torch.Tensor, x: torch.Tensor, axis: int, place: int, *, down: bool) -> list[tuple[int, int]]:
    """The input columns that a place along an axis of a value sees, in intervals; rows, if `down`.

    All the other places along the other axes count together: one alone could lie in the padding.
    """
    (gradient,) = torch.autograd.grad(value.select(axis, place).sum(), x, retain_graph=True, allow_unused=True)
    if gradient is None:
        return []
    found = gradient[0].abs().sum((0, 2) if down else (0, 1)).nonzero().flatten().tolist()
    starts = [p for p in found if p - 1 not in set(found)]
    stops = [p for p in found if p + 1 not in set(found)]
    return list(zip(starts, stops, strict=True))
