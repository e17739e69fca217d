"""Operations that are a sum in some of their operands, the others held fixed: the factor of each is the slope there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from photosite.analysis.replay import node_gradients, run_node
from photosite.analysis.terms.crops import Crop, crop
from photosite.analysis.terms.term import Index, Reading, Term, names_at
from photosite.graph.ir import Node, Ref
from photosite.ops.arrays import Array

_POOLS = [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)]
_RESIZED = [f"upsample_{kind}" for kind in ("linear1d", "bilinear2d", "trilinear3d", "bicubic2d")]
_RESIZED += [f"{kind}{n}d" for kind in ("upsample_nearest", "_upsample_nearest_exact") for n in (1, 2, 3)]
_RESIZED += [f"_upsample_{kind}2d_aa" for kind in ("bilinear", "bicubic")]
_GATES = ["relu", "relu6", "hardtanh", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "threshold", "hardshrink"]
_BOUNDS = ["clamp", "clamp_min", "clamp_max", "clip"]
_DROPOUTS = ["dropout", "native_dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"]

_PADS = ["pad", "constant_pad_nd", *(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3))]

SUMS: dict[str, tuple[tuple[int, ...], str]] = {
    "linear": ((0, 2), "inputs times weights, and a bias"),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "outer"), ((0,), "a row times a column")),
    **dict.fromkeys(("addmm", "baddbmm"), ((0, 1), "a row times a column, and what is added")),
    "einsum": ((1,), "a sum of products"),
    "scaled_dot_product_attention": ((2,), "values times shares"),
    **dict.fromkeys(("add", "sub", "subtract", "rsub", "lerp"), ((0, 1), "a sum")),
    **dict.fromkeys(("addcmul", "addcdiv"), ((0, 1), "a sum")),
    **dict.fromkeys(("mul", "multiply", "div", "true_divide"), ((0,), "a value times a factor")),
    **dict.fromkeys(("neg", "negative"), ((0,), "a value times a factor")),
    **dict.fromkeys(("mean", "sum", "cumsum"), ((0,), "a sum of what it reads times factors")),
    **dict.fromkeys(_GATES, ((0,), "what passes a gate")),
    **dict.fromkeys(_BOUNDS, ((0, 1, 2), "what lies within bounds passes, else the bound")),
    **dict.fromkeys(("abs", "absolute"), ((0,), "without its sign")),
    **dict.fromkeys(_DROPOUTS, ((0,), "passes as it is")),
    **dict.fromkeys((name for name in _POOLS if "max" in name), ((0,), "the largest passes")),
    **dict.fromkeys((f"max_pool{n}d_with_indices" for n in (1, 2, 3)), ((0,), "the largest passes")),
    **dict.fromkeys((name for name in _POOLS if "avg" in name), ((0,), "a mean")),
    **dict.fromkeys(("amax", "max"), ((0, 1), "the largest passes")),
    **dict.fromkeys(("amin", "min"), ((0, 1), "the smallest passes")),
    **dict.fromkeys(("maximum", "minimum"), ((0, 1), "one of the two passes")),
    **dict.fromkeys(_RESIZED, ((0,), "neighbors times weights")),
    **dict.fromkeys((f"conv_transpose{n}d" for n in (1, 2, 3)), ((0, 2), "inputs times weights, and a bias")),
    "convolution": ((0, 2), "inputs times weights, and a bias"),
    "col2im": ((0,), "windows laid over one another"),
    "where": ((1, 2), "one of the two passes"),
    "masked_fill": ((0, 2), "passes where nothing is filled in"),
    **dict.fromkeys(("tril", "triu"), ((0,), "passes on its side of the diagonal")),
    **dict.fromkeys(("scatter", "scatter_add", "index_add"), ((0, 3), "what was there, and what is put there")),
    "index_put": ((0, 2), "what was there, and what is put there"),
    **dict.fromkeys(("slice_scatter", "select_scatter"), ((0, 1), "what was there, or what is put there")),
    **dict.fromkeys(("copy", "fill"), ((1,), "taken over")),
    **dict.fromkeys(("to", "_to_copy", "type_as", "zero"), ((0,), "taken over")),
    **dict.fromkeys(_PADS, ((0,), "taken over, or what stands around")),
}
"""By kind: the operands in which an operation is a sum, the others held fixed; and what it does, in words."""


def summed(node: Node, values: Mapping[str, Any], index: Index, number: float) -> Reading | None:
    """The terms of a number that is a sum of products.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        number: the number.
    Returns:
        The terms and what the operation does, in words; None if it is no such sum, or rounds what it reads.
    """
    if node.kind not in SUMS:
        return None
    operands, said = SUMS[node.kind]
    wanted = {name for operand in operands for name in names_at(node, operand)}
    if node.kind == "einsum":
        wanted = {names_at(node, 1)[0]}
    result = np.result_type(*_flat(values[node.name])).kind
    if result != "f" and not (result in "iu" and all(values[name].dtype.kind in "iu" for name in wanted)):
        return None
    terms: dict[tuple[str, Index], Term] = {}
    for name, at, slope in slopes(node, values, index, wanted, whole=True):
        before = terms.get((name, at))
        terms[name, at] = Term(name, at, float(values[name][at]), slope + (before.factor if before else 0))
    found = [*terms.values(), *_numbers(node, operands)]
    if not found and number:  # a bound, what fills in, what stands around
        found = [Term("", (), number, 1.0)]
    return found, said


def slopes(
    node: Node, values: Mapping[str, Any], index: Index, names: Collection[str], *, whole: bool = False
) -> list[tuple[str, Index, float]]:
    """Every number of some operands that a number moves with, and how fast.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        names: of the operands.
        whole: whether their whole numbers are numbers too, and no positions.
    Returns:
        Name, place and slope of each; a name and a place can come twice.
    """
    several = isinstance(values[node.name], list)
    piece = Crop(index) if several else crop(node, values, index)
    near = {name: _wide(piece.of(name, values[name]), whole=whole and name in names) for name in node.inputs}
    near[node.name] = run_node(node, near)
    grad: Any
    if several:
        shapes = [part.shape for part in near[node.name]]
        grad = [None] * len(shapes)
        grad[index[0]] = np.zeros(shapes[index[0]])
        grad[index[0]][index[1:]] = 1
    else:
        grad = np.zeros(near[node.name].shape)
        grad[piece.index] = 1
    found = []
    for name, slope in node_gradients(node, grad, near):
        if name in names and not isinstance(slope, list) and slope.dtype.kind == "f":
            places = (np.argwhere(slope) + np.array(piece.start(name) or (0,) * slope.ndim, int)).tolist()
            steep = slope[slope != 0].tolist()
            found += [(name, tuple(at), each) for at, each in zip(places, steep, strict=True)]
    return found


def _numbers(node: Node, operands: Sequence[int]) -> list[Term]:
    """A number that stands among the operands of a sum: the 1 in x + 1."""
    if node.kind not in ("add", "sub", "rsub", "subtract"):
        return []
    alpha = float(node.kwargs.get("alpha", 1) if len(node.args) < 3 else node.args[2])  # type: ignore[arg-type]
    sign = {"add": (1.0, alpha), "rsub": (-alpha, 1.0)}.get(node.kind, (1.0, -alpha))
    return [
        Term("", (), float(node.args[number]), sign[number])  # type: ignore[arg-type]
        for number in operands
        if number < len(node.args) and not isinstance(node.args[number], Ref)
    ]


def _flat(value: Any) -> list[Array]:
    return value if isinstance(value, list) else [value]


def _wide(value: Any, *, whole: bool = False) -> Any:
    """Real numbers in double precision; whole ones too, if they are to be."""
    if isinstance(value, list):
        return [_wide(part) for part in value]
    array: Array = value
    return array.astype(np.float64) if array.dtype.kind in ("fiub" if whole else "f") else array
