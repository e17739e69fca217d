"""Which operations of a graph are rectifiers, and the rules by which a signal can go back through them.

A rectifier gives 0 for what is below 0 and, up to a bound that it may have, everything else as it is. It is known by
its operation and its numbers: whether a module, a function or an operation in place stands in the model's code, and
how often one module is used, makes no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from photosite.errors import UnsupportedOpError
from photosite.graph.execute import run
from photosite.graph.functional import RESHAPING, SAME_MEMORY, SPLITTING, SWAPPING
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.table import TABLE

Rule = Literal["gradient", "guided backpropagation", "deconvnet"]
Smooth = Literal["refuse", "gradient"]

IN_A_RECTIFIERS_PLACE = frozenset(
    [
        *("gelu", "silu", "mish", "hardswish", "elu", "selu", "celu", "softplus", "leaky_relu", "prelu", "rrelu"),
        *("_prelu_kernel", "tanh", "hardtanh", "threshold", "hardshrink", "softshrink", "log_sigmoid", "glu"),
    ]
)
"""Activations that stand where a rectifier could; what the rules would do at them nobody has defined."""
LINEAR = frozenset(
    [
        *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution"),
        *("linear", "addmm", "baddbmm", "bmm", "mm", "mv", "matmul", "dot", "einsum", "outer"),
        *("mul", "multiply", "div", "true_divide", "add", "sub", "subtract", "rsub", "neg", "negative", "lerp"),
        *("batch_norm", "_native_batch_norm_legit_no_training", "mean", "sum", "cumsum", "copy", "clone", "_to_copy"),
        *("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"),
        *("adaptive_avg_pool3d", "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d"),
        *("replication_pad1d", "replication_pad2d", "replication_pad3d", "upsample_nearest1d", "upsample_nearest2d"),
        *(
            "upsample_nearest3d",
            "upsample_linear1d",
            "upsample_bilinear2d",
            "upsample_bicubic2d",
            "upsample_trilinear3d",
        ),
        *("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d"),
        *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "native_dropout", "getitem", "where", "masked_fill"),
        *("cat", "concat", "stack", "repeat", "repeat_interleave", "tile", "expand", "expand_as", "broadcast_to"),
        *("select", "slice", "narrow", "index", "index_select", "gather", "take_along_dim", "diagonal", "tensor_split"),
        *("select_scatter", "slice_scatter", "index_put", "index_add", "scatter", "scatter_add", "zero", "fill"),
        *("flip", "roll", "rot90", "unfold", "im2col", "col2im", "pixel_shuffle", "pixel_unshuffle"),
        *("channel_shuffle", "tril", "triu", *RESHAPING, *SWAPPING, *SPLITTING, *SAME_MEMORY),
    ]
)
"""Kinds of operation whose result is linear in what the picture has a say in, if that is one operand."""
ADDING = frozenset(
    ["add", "sub", "subtract", "rsub", "cat", "concat", "stack", "select_scatter", "slice_scatter", "index_add", "copy"]
)
"""Those that stay linear with several such operands."""
SWITCHING = frozenset(
    [
        *("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d"),
        *("adaptive_max_pool3d", "amax", "max", "max_pool1d_with_indices", "max_pool2d_with_indices"),
        "max_pool3d_with_indices",
    ]
)
"""Those that pick the largest: a signal goes back to where it stood, which the forward pass has kept (the switch)."""


def rectified_by(node: Node, graph: Graph) -> str | None:
    """What an operation rectifies, by its kind and its numbers: the name of its operand; None if it is no rectifier.

    >>> from photosite.graph.ir import Node, Ref
    >>> nothing = Graph((), (), ())
    >>> for low in (0.0, -1.0):
    ...     print(rectified_by(Node("a", "aten.hardtanh.default", args=(Ref("x"), low, 6.0)), nothing))
    x
    None
    """
    operands = [argument.name for argument in node.args if isinstance(argument, Ref)]
    if node.kind == "maximum":  # of something and 0
        zeros = [_number(argument, graph) == 0 for argument in node.args]
        return operands[zeros.index(False)] if len(operands) == 2 and zeros.count(True) == 1 else None
    if node.kind == "threshold":  # x above the first number, else the second
        least, instead = (_number(_given(node, n, name), graph) for n, name in ((1, "threshold"), (2, "value")))
        found = least is not None and least >= 0 and instead == 0
    elif node.kind in ("hardtanh", "clamp", "clip", "clamp_min"):
        name = "min_val" if node.kind == "hardtanh" else "min"
        found = _number(_given(node, 1, name, -1.0 if node.kind == "hardtanh" else None), graph) == 0
    else:
        found = node.kind in ("relu", "relu6")
    return operands[0] if found and operands else None


def rectified(node: Node, operand: str, values: Mapping[str, Any], rule: Rule) -> Tensor:
    """The value of a rectifier, made so that a signal goes back by a rule.

    Args:
        node: a rectifier.
        operand: what it rectifies.
        values: of what it reads.
        rule: "gradient" lets through where the forward pass did. "deconvnet" lets through what is positive of the
            signal itself. "guided backpropagation" lets through where both do.
    """
    if rule == "deconvnet":
        with torch.no_grad():
            value = run(node, values)
        through: Tensor = _PositiveSignal.apply(values[operand], value)  # type: ignore[no-untyped-call]
        return through
    made: Tensor = run(node, values)
    if rule == "guided backpropagation" and made.requires_grad:
        made.register_hook(_positive)  # type: ignore[no-untyped-call]
    return made


def check_rules(graph: Graph, nodes: Sequence[Node], rule: Rule, smooth: Smooth) -> list[str]:
    """Say what a rule meets on its way that it was not made for.

    Args:
        graph: functional.
        nodes: those that the value is made of, in order.
        rule: how the signal is to go back.
        smooth: what to do about activations that are no rectifiers.
    Returns:
        Lines for people: through what the plain gradient goes, and that there is no rectifier if there is none.
    Raises:
        UnsupportedOpError: an activation is no rectifier and `smooth` is "refuse".
    """
    if rule == "gradient":
        return []
    strange, bent = [], []
    rectifiers = 0
    for node, operands in _on_the_way(graph, nodes):
        if rectified_by(node, graph) is not None:
            rectifiers += 1
        elif node.kind in IN_A_RECTIFIERS_PLACE:
            strange.append(node)
        elif not (node.kind in ADDING or (node.kind in LINEAR | SWITCHING and operands == 1)):
            bent.append(node)
    if strange and smooth == "refuse":
        first, more = strange[0], f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        counts = dict(Counter(node.op for node in strange))
        raise UnsupportedOpError(
            f"{rule}: {first.kind} at {first.module or first.name}{more} is no rectifier (0 below 0, straight above), "
            "and the rule says nothing about it; smooth='gradient' lets the plain gradient through",
            counts,
        )
    kinds = Counter(node.kind for node in [*strange, *bent])
    notes = [f"plain gradient through {', '.join(f'{kind} ({n})' for kind, n in kinds.items())}"] if kinds else []
    if not rectifiers:
        notes.append(f"no rectifier on the way: {rule} is the plain gradient here")
    return notes


def _on_the_way(graph: Graph, nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """The nodes that a signal from the last one passes, each with how many operands the picture has a say in."""
    told, carrying = set(graph.inputs), set(graph.inputs)
    operands = {}
    for node in nodes:
        operands[node.name] = sum(name in told for name in _names((*node.args, *node.kwargs.values())))
        if operands[node.name]:
            told.add(node.name)
        row = TABLE.get(node.op)
        if any(name in carrying for name in node.inputs) and (row is None or row.vjp is not None):
            carrying.add(node.name)
    reached, found = {nodes[-1].name}, []
    for node in reversed(nodes):
        if node.name in reached & carrying:
            reached |= set(node.inputs)
            found.append((node, operands[node.name]))
    return found[::-1]


def _names(arguments: Collection[Argument]) -> Iterator[str]:
    """What arguments name, as often as they do."""
    for argument in arguments:
        if isinstance(argument, Ref):
            yield argument.name
        elif isinstance(argument, tuple):
            yield from _names(argument)


def _given(node: Node, number: int, name: str, default: Argument = None) -> Argument:
    return node.args[number] if len(node.args) > number else node.kwargs.get(name, default)


def _number(argument: Argument, graph: Graph) -> float | None:
    """A bound as a number; None where there is none, it differs from place to place, or it is computed."""
    if isinstance(argument, int | float):
        return float(argument)
    if not isinstance(argument, Ref):
        return None
    if argument.name in graph.constants:
        array = graph.constants[argument.name].array
        return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else None
    if argument.name in graph:
        node = graph.node(argument.name)
        if node.kind in ("zeros", "zeros_like", "new_zeros"):
            return 0.0
        if node.kind in SAME_MEMORY | {"clone", "lift_fresh_copy", "expand", "expand_as", "_to_copy"}:
            return _number(node.args[0], graph)
    return None


def _positive(signal: Tensor) -> Tensor:
    return signal.clamp_min(0)


class _PositiveSignal(torch.autograd.Function):
    """A value that is there already; of a signal only what is positive goes back to its operand, wherever that was."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor, None]:
        return _positive(signals[0]), None
