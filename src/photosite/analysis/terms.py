"""The terms of a number: which operands an operation is a sum of, and what each of them contributes.

Most operations are sums of products in some of their operands, the others held fixed: a convolution of inputs times
weights, attention of values times shares, a norm of inputs times a scale. Their terms are exact. Others are functions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.analysis.crops import Crop, Index, crop
from photosite.analysis.replay import node_gradients, run_node, thawed
from photosite.graph.ir import Argument, Node, Ref
from photosite.graph.reach import moving, rearranging, slicing, turning
from photosite.graph.table import TABLE
from photosite.ops.arrays import Array
from photosite.ops.sliding import sliding

_POOLS = [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)]
_RESIZED = [f"upsample_{kind}" for kind in ("linear1d", "bilinear2d", "trilinear3d", "bicubic2d")]
_RESIZED += [f"{kind}{n}d" for kind in ("upsample_nearest", "_upsample_nearest_exact") for n in (1, 2, 3)]
_RESIZED += [f"_upsample_{kind}2d_aa" for kind in ("bilinear", "bicubic")]
_GATES = ["relu", "relu6", "hardtanh", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "threshold", "hardshrink"]
_BOUNDS = ["clamp", "clamp_min", "clamp_max", "clip"]
_DROPOUTS = ["dropout", "native_dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"]

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
}
"""By kind: the operands in which an operation is a sum, the others held fixed; and what it does, in words."""
TAKEN = frozenset(
    [
        "gather",
        "take_along_dim",
        "index_select",
        "embedding",
        "sort",
        "topk",
        "clone",
        "alias",
        "contiguous",
        "detach",
        "lift_fresh",
        "lift_fresh_copy",
        "to",
        "_to_copy",
        "type_as",
        "zero",
        "constant_pad_nd",
        "pad",
        "reflection_pad1d",
        "reflection_pad2d",
        "reflection_pad3d",
        "replication_pad1d",
        "replication_pad2d",
        "replication_pad3d",
    ]
)
"""Operations that take numbers from elsewhere as they are, beside those that the column `reach` knows as moving."""
CONVOLUTIONS = frozenset(("conv1d", "conv2d", "conv3d"))


@dataclass(frozen=True)
class Term:
    """One summand.

    Attributes:
        source: the name of a node, input, parameter or constant; "" for a number that stands in the operation.
        index: where in it.
        value: the number that stands there.
        factor: what it is multiplied by; of a function its slope, NaN where it has none.
    """

    source: str
    index: Index
    value: float
    factor: float

    @property
    def product(self) -> float:
        """What it contributes."""
        return self.value * self.factor


def terms_of(node: Node, values: Mapping[str, Any], index: Index, number: float) -> tuple[list[Term] | None, str]:
    """The summands of one number, and what the operation does; None where it is no sum.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        number: the number.
    """
    if node.op == "getitem":
        several, which = node.args
        assert isinstance(several, Ref)
        assert isinstance(which, int)
        return [Term(several.name, (which, *index), number, 1.0)], "one of several values"
    if node.kind in CONVOLUTIONS:
        return _convolution(node, values, index), "inputs under the kernel times weights, and a bias"
    if node.kind in _ROLES and (not isinstance(values[node.name], list) or index[0] == 0):
        inner = index[1:] if isinstance(values[node.name], list) else index
        return _norm(node, values, inner), "input less mean, times scale, plus shift"
    if _moves(node):
        return _moved(node, values, index, number), "moved, nothing computed"
    if node.kind in TAKEN:
        return _linear(node, values, index, range(len(node.args)), number), "taken over"
    if node.kind in SUMS:
        operands, said = SUMS[node.kind]
        return _linear(node, values, index, operands, number), said
    return None, "a function of what it reads" if node.inputs else "a constant"


def _moves(node: Node) -> bool:
    rule = TABLE[node.op].reach
    home = (moving, rearranging, slicing, turning)
    return (
        rule is not None
        and any(rule.__module__ == one.__name__ for one in home)
        and not (node.kind in SUMS or node.kind in TAKEN or node.kind in _COMPUTING or node.kind.endswith("pad"))
    )


_COMPUTING = frozenset(("glu", "argsort", "one_hot"))
"""Operations that `reach` follows as moving, and that compute something."""


def _moved(node: Node, values: Mapping[str, Any], index: Index, number: float) -> list[Term]:
    """Where a number was before it was moved: the operation moves numbers that say their own place."""
    places, count = dict(values), 1  # 0 is what lies around
    for name in dict.fromkeys(_names(node, 0)):
        shape = values[name].shape
        places[name] = np.arange(count, count + math.prod(shape)).reshape(shape)
        count += math.prod(shape)
    moved = run_node(node, places)
    found = int(moved[index[0]][index[1:]] if isinstance(moved, list) else moved[index])
    for name in dict.fromkeys(_names(node, 0) if found else []):
        if found <= values[name].size:
            at = np.unravel_index(found - 1, values[name].shape)
            return [Term(name, tuple(int(i) for i in at), number, 1.0)]
        found -= values[name].size
    return []


def _linear(
    node: Node, values: Mapping[str, Any], index: Index, operands: Sequence[int], number: float
) -> list[Term] | None:
    """Terms of an operation that is a sum in some operands: the factor of each is the slope of the number."""
    if np.result_type(*_flat(values[node.name])).kind != "f" and node.kind not in _ARITHMETIC:
        return None
    wanted = {name for operand in operands for name in _names(node, operand)}
    if node.kind == "einsum":
        wanted = {_names(node, 1)[0]}
    terms: dict[tuple[str, Index], Term] = {}
    for name, at, slope in _slopes(node, values, index, wanted):
        if slope:
            before = terms.get((name, at))
            terms[name, at] = Term(name, at, float(values[name][at]), slope + (before.factor if before else 0))
    found = [*terms.values(), *_numbers(node, operands)]
    if not found and number:  # a bound, what fills in, what stands around
        found = [Term("", (), number, 1.0)]
    return found


_ARITHMETIC = frozenset(
    ("add", "sub", "subtract", "rsub", "mul", "multiply", "div", "true_divide", "neg", "negative", "sum", "cumsum")
)
"""Operations whose whole numbers are no positions: they are terms as real numbers are."""


def _slopes(
    node: Node, values: Mapping[str, Any], index: Index, wanted: Collection[str]
) -> list[tuple[str, Index, float]]:
    """Every number of some operands that this one moves with, and how fast: name, place and slope."""
    whole = values[node.name]
    several = isinstance(whole, list)
    piece = Crop(index) if several else crop(node, values, index)
    near = {name: _wide(piece.of(name, values[name]), whole=node.kind in _ARITHMETIC) for name in node.inputs}
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
        if name not in wanted or isinstance(slope, list) or slope.dtype.kind != "f":
            continue
        for at in map(tuple, np.argwhere(slope).tolist()):
            found.append((name, piece.place(name, at), float(slope[at])))
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


def _convolution(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """What lies under the kernel at one place, times the weights; looks at nothing else."""
    args, kwargs = thawed(node, values)
    x, weight, bias = args[0], args[1], args[2] if len(args) > 2 else kwargs.get("bias")
    options = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    options |= dict(zip(("stride", "padding", "dilation", "groups"), args[3:], strict=False))
    options |= {key: value for key, value in kwargs.items() if key in options}
    plan = sliding(x, weight, bias, **options)
    axes = len(plan.sides)
    place, (*front, out) = index[len(index) - axes :], index[: len(index) - axes]
    channels = weight.shape[1]
    first = out // (weight.shape[0] // plan.groups) * channels
    taps = []  # for each spatial axis: kernel positions inside the picture, and where they lie
    for i, s, b, d, k, side in zip(
        place, plan.stride, plan.before, plan.dilation, plan.kernel, plan.sides, strict=True
    ):
        inside = [(tap, i * s - b + d * tap) for tap in range(k) if 0 <= i * s - b + d * tap < side]
        taps.append(([tap for tap, _ in inside], [at for _, at in inside]))
    rows = np.ix_(range(first, first + channels), *(at for _, at in taps))
    read = x[tuple(front)][rows] if front else x[rows]
    factors = weight[out][np.ix_(range(channels), *(tap for tap, _ in taps))]
    where = np.stack(np.broadcast_arrays(*rows), -1).reshape(-1, axes + 1).tolist()
    name, numbers, weights = _names(node, 0)[0], read.ravel().tolist(), factors.ravel().tolist()
    terms = [Term(name, (*front, *at), x, w) for at, x, w in zip(where, numbers, weights, strict=True)]
    if bias is not None:
        bias_name = _refs(node.args[2] if len(node.args) > 2 else node.kwargs["bias"])[0]
        terms.append(Term(bias_name, (out,), float(bias[out]), 1.0))
    return terms


def _norm(node: Node, values: Mapping[str, Any], index: Index) -> list[Term] | None:
    """A norm as a scale and a shift of its own input: value = x scale - mean scale + bias."""
    args, kwargs = thawed(node, values)
    given = {**dict(zip(_ROLES[node.kind], args, strict=False)), **kwargs}
    x = given["x"]
    channel: Index = index[1:2] if "shape" not in given else index[x.ndim - len(given["shape"]) :]
    fixed = given.get("mean") is not None and not given.get("batch_statistics", False)
    if fixed:
        mean, variance = float(given["mean"][channel]), float(given["variance"][channel])
    else:
        line = np.asarray(x[_line_of(node.kind, given, index)], np.float64)
        mean, variance = float(line.mean()), float(line.var())
        if node.kind == "rms_norm":
            mean, variance = 0.0, float(np.square(line).mean())
    eps = given.get("eps")
    if eps is None:
        eps = float(np.finfo(x.dtype).eps) if node.kind == "rms_norm" else 1e-5
    scale = 1 / math.sqrt(variance + eps)
    if given.get("weight") is not None:
        scale *= float(given["weight"][channel])
    terms = [Term(_names(node, 0)[0], index, float(x[index]), scale)]
    if fixed:
        terms.append(Term(_named(node, "mean"), channel, mean, -scale))
    elif node.kind != "rms_norm":
        terms.append(Term("", (), mean, -scale))  # the mean of its own line
    if given.get("bias") is not None:
        terms.append(Term(_named(node, "bias"), channel, float(given["bias"][channel]), 1.0))
    return terms


_BATCH_NORM = ("x", "weight", "bias", "mean", "variance", "batch_statistics", "momentum", "eps")
_ROLES: dict[str, tuple[str, ...]] = {
    "batch_norm": _BATCH_NORM,
    "instance_norm": _BATCH_NORM,
    "layer_norm": ("x", "shape", "weight", "bias", "eps"),
    "rms_norm": ("x", "shape", "weight", "eps"),
    "group_norm": ("x", "groups", "weight", "bias", "eps"),
    "native_layer_norm": ("x", "shape", "weight", "bias", "eps"),
    "native_group_norm": ("x", "weight", "bias", "batch", "channels", "places", "groups", "eps"),
    "_native_batch_norm_legit_no_training": ("x", "weight", "bias", "mean", "variance", "momentum", "eps"),
    "_native_batch_norm_legit_functional": _BATCH_NORM,
}
"""What stands at each place of the arguments."""


def _line_of(kind: str, given: Mapping[str, Any], index: Index) -> tuple[Any, ...]:
    """The numbers whose mean and variance count for one of them."""
    if kind == "instance_norm":
        return index[:2]
    if "groups" in given:
        width = given["x"].shape[1] // given["groups"]
        first = index[1] // width * width
        return (index[0], slice(first, first + width))
    return (slice(None), index[1]) if "shape" not in given else index[: given["x"].ndim - len(given["shape"])]


def sources_of(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """The numbers that a number was made from, where it is no sum of them, each with its slope."""
    slopes: dict[tuple[str, Index], float] = {}
    if TABLE[node.op].vjp is not None:
        for name, at, slope in _slopes(node, values, index, node.inputs):
            slopes[name, at] = slopes.get((name, at), 0.0) + slope
    piece = Crop(index) if isinstance(values[node.name], list) else crop(node, values, index)
    for name, box in piece.boxes.items():  # what it reads without moving with it: the flat side of a gate
        shape = values[name][box].shape
        for at in np.ndindex(*shape):
            slopes.setdefault((name, piece.place(name, at)), math.nan if TABLE[node.op].vjp is None else 0.0)
    return [Term(name, at, _number(values[name][at]), slope) for (name, at), slope in slopes.items()]


def _flat(value: Any) -> list[Array]:
    return value if isinstance(value, list) else [value]


def _number(value: Any) -> float:
    return float(value.real) if np.iscomplexobj(value) else float(value)


def _names(node: Node, number: int) -> list[str]:
    """The values that stand at a place of the arguments."""
    return _refs(node.args[number]) if number < len(node.args) else []


def _named(node: Node, role: str) -> str:
    place = _ROLES[node.kind].index(role)
    return _refs(node.args[place] if place < len(node.args) else node.kwargs[role])[0]


def _refs(argument: Argument) -> list[str]:
    if isinstance(argument, Ref):
        return [argument.name]
    return [name for part in argument for name in _refs(part)] if isinstance(argument, tuple) else []


def _wide(value: Any, *, whole: bool = False) -> Any:
    """Real numbers in double precision; whole ones too, if they are to be."""
    if isinstance(value, list):
        return [_wide(part) for part in value]
    array: Array = value
    return array.astype(np.float64) if array.dtype.kind in ("fiub" if whole else "f") else array
