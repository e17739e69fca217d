"""Whose fault a difference is: an operation run by itself on PyTorch's operands, and once more in double precision.

Single precision alone can't tell. A gradient that is 0 by nature, such as that of a number which softmax forgets, comes
out as the rounding of terms that cancel; two right answers then have no digit in common. In double precision they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from photosite.analysis.replay import node_gradients, run_node
from photosite.graph.execute import run
from photosite.graph.ir import Graph, Node
from photosite.ops.arrays import Array, flows


def gradient_by_readers(
    graph: Graph, name: str, gradient: Array, grads: Mapping[str, Any], values: Mapping[str, Any], start: Array | None
) -> tuple[Array, float]:
    """A value's gradient as the operations that read it give it, from PyTorch's gradients of their results.

    Args:
        graph: functional.
        name: of the value.
        gradient: PyTorch's, for shape and dtype.
        grads: PyTorch's gradients of all values.
        values: PyTorch's values.
        start: what the gradient starts from, at an output.
    Returns:
        The gradient, and the largest number among all that went into it.
    """
    total = np.zeros_like(gradient) if start is None else start
    size = largest(total)
    for reader in graph.consumers(name):
        of = result_gradient(graph, reader, grads)
        if of is None:
            continue
        size = max(size, largest(of))
        for read, part in node_gradients(reader, of, values):
            if read == name:
                total, size = total + part, max(size, largest(part))
    return total, size


def gradient_difference_in_double(
    graph: Graph, name: str, grads: Mapping[str, Any], values: Mapping[str, Any]
) -> float:
    """How far the gradients that the readers of a value give are from PyTorch's, all of it in double precision."""
    apart = 0.0
    for reader in graph.consumers(name):
        of = result_gradient(graph, reader, grads)
        if of is None or reader.op == "getitem":
            continue
        wide = {read: _wide(values[read]) for read in {*reader.inputs}}
        of = _wide(of)
        leaves = {read: _tensor(value) for read, value in wide.items()}
        result = run(reader, leaves)
        several = isinstance(result, list | tuple)
        pairs = [(r, g) for r, g in zip(result, of, strict=True) if g is not None] if several else [(result, of)]
        tensors = [torch.from_numpy(np.array(g)).to(r.dtype) for r, g in pairs]
        found: tuple[Any, ...] = torch.autograd.grad([r for r, _ in pairs], [leaves[name]], tensors, allow_unused=True)
        wide[reader.name] = [_array(part) for part in result] if several else _array(result)
        mine = [part for read, part in node_gradients(reader, of, wide) if read == name]
        total = sum(mine[1:], mine[0]) if mine else np.zeros(leaves[name].shape)
        apart = max(apart, difference(total, np.zeros(total.shape) if found[0] is None else _array(found[0])))
    return apart


def value_difference_in_double(node: Node, operands: Mapping[str, Any]) -> float:
    """How far an operation's value is from PyTorch's, on the same operands, all of it in double precision."""
    wide = {name: _wide(value) for name, value in operands.items()}
    leaves = {name: _tensor(value) for name, value in wide.items()}
    with torch.no_grad():
        result = run(node, leaves)
    return difference(run_node(node, wide), _array(result))


def result_gradient(graph: Graph, node: Node, grads: Mapping[str, Any]) -> Any:
    """PyTorch's gradient of a node's value; a list for several results; None where none flows."""
    if len(node.shapes) == 1:
        found = grads.get(node.name)
        return None if found is None else _array(found)
    parts: list[Any] = [None] * len(node.shapes)
    for taker in graph.consumers(node.name):
        found = grads.get(taker.name)
        if taker.op == "getitem" and found is not None:
            index = taker.args[1]
            assert isinstance(index, int)
            parts[index] = _array(found)
    return parts if any(part is not None for part in parts) else None


def difference(found: Any, wanted: Any) -> float:
    """The largest absolute difference; infinite where one is not a number and the other is, or shapes differ."""
    if isinstance(wanted, list):
        return max((difference(a, b) for a, b in zip(found, wanted, strict=True)), default=0.0)
    if found.shape != wanted.shape:
        return float("inf")
    if not wanted.size:
        return 0.0
    with np.errstate(all="ignore"):
        apart = np.abs(found.astype(_widest(found)) - wanted.astype(_widest(wanted)))
        alike = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return float(np.where(alike, 0, np.where(np.isnan(apart), np.inf, apart)).max())


def largest(value: Any) -> float:
    """The largest absolute value that is a number."""
    if value is None:
        return 0.0
    if isinstance(value, list):
        return max((largest(part) for part in value), default=0.0)
    sizes = np.abs(value.astype(_widest(value)))
    return float(sizes[np.isfinite(sizes)].max(initial=0))


def _array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().resolve_conj().resolve_neg().numpy()
    return [_array(part) for part in value]


def _wide(value: Any) -> Any:
    """Real numbers in double precision; all else as it is."""
    if isinstance(value, list):
        return [_wide(part) for part in value]
    return value.astype(_widest(value)) if isinstance(value, np.ndarray) and flows(value) else value


def _tensor(value: Any) -> Any:
    if isinstance(value, list):
        return [_tensor(part) for part in value]
    tensor = torch.from_numpy(np.array(value))
    return tensor.requires_grad_() if flows(value) else tensor


def _widest(value: Array) -> type:
    return np.complex128 if value.dtype.kind == "c" else np.float64
