"""Why a number has the value that it has: the terms that it is the sum of, each with where it came from.

Most operations are sums of products in one of their operands, the others held fixed: a convolution of inputs times
weights, attention of values times shares, a norm of inputs times a scale. Their terms are exact. A function of a single
value has that value as its only source, and a softmax has the shares' exponents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.analysis.replay import node_gradients, run_node, thawed
from photosite.errors import RangeError, UnsupportedOpError
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.table import TABLE
from photosite.ops.arrays import Array
from photosite.ops.sliding import sliding

Index = tuple[int, ...]

SUMS: dict[str, tuple[int, ...]] = {
    "linear": (0, 2), "matmul": (0,), "mm": (0,), "bmm": (0,), "mv": (0,), "dot": (0,), "addmm": (0, 1),
    "baddbmm": (0, 1), "einsum": (1,), "add": (0, 1), "sub": (0, 1), "rsub": (0, 1), "mul": (0,), "div": (0,),
    "neg": (0,), "mean": (0,), "sum": (0,), "cumsum": (0,), "relu": (0,), "leaky_relu": (0,), "prelu": (0,),
    "dropout": (0,), "max_pool1d": (0,), "max_pool2d": (0,), "max_pool3d": (0,), "amax": (0,), "amin": (0,),
    "avg_pool1d": (0,), "avg_pool2d": (0,), "avg_pool3d": (0,), "adaptive_avg_pool1d": (0,),
    "adaptive_avg_pool2d": (0,), "adaptive_avg_pool3d": (0,), "upsample_nearest2d": (0,), "upsample_bilinear2d": (0,),
    "upsample_bicubic2d": (0,), "_upsample_bicubic2d_aa": (0,), "_upsample_bilinear2d_aa": (0,),
    "scaled_dot_product_attention": (2,), "conv_transpose1d": (0, 2), "conv_transpose2d": (0, 2),
    "conv_transpose3d": (0, 2), "cat": (0,), "stack": (0,), "pad": (0,), "roll": (0,), "flip": (0,), "where": (1, 2),
    "masked_fill": (0,), "abs": (0,), "linalg_vector_norm": (0,), "col2im": (0,), "im2col": (0,),
}  # fmt: skip
"""Operations by kind, and the operands in which they are sums of terms, the other operands held fixed."""
SAID = {
    "relu": "what is above 0 passes",
    "dropout": "passes as it is",
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "amax"), "the largest passes"),
    "scaled_dot_product_attention": "values times shares",
    "linear": "inputs times weights, and a bias",
}
"""What an operation does, in words."""
MOVES = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "permute",
        "transpose",
        "unsqueeze",
        "squeeze",
        "expand",
        "slice",
        "select",
        "contiguous",
        "clone",
        "alias",
        "unflatten",
        "swapaxes",
        "movedim",
        "unbind",
        "split",
        "split_with_sizes",
        "chunk",
        "index",
        "to",
        "type_as",
        "repeat",
        "repeat_interleave",
        "reshape_as",
        "expand_as",
        "pixel_shuffle",
        "pixel_unshuffle",
    ]
)
"""Operations that take each number from one place and compute nothing."""
NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")


@dataclass(frozen=True)
class Term:
    """One summand.

    Attributes:
        source: the name of a node, input, parameter or constant; "" for a number that stands in the operation.
        index: where in it.
        value: the number that stands there.
        factor: what it is multiplied by.
    """

    source: str
    index: Index
    value: float
    factor: float

    @property
    def product(self) -> float:
        """What it contributes."""
        return self.value * self.factor


@dataclass(frozen=True)
class Explanation:
    """Why a value is what it is.

    Attributes:
        node: whose value.
        op: its operation.
        index: which number of it.
        value: the number, as the network has it.
        terms: what it is the sum of, the largest first; of a function, the values that it was made from (factor 1).
        is_sum: whether the terms sum up to the value.
        residual: value minus the sum of all terms, in double precision; NaN where they do not sum up to it.
        said: the operation in words.
    """

    node: str
    op: str
    index: Index
    value: float
    terms: tuple[Term, ...]
    is_sum: bool
    residual: float
    said: str


def explain_value(graph: Graph, values: Mapping[str, Any], name: str, index: Index) -> Explanation:
    """Take one number apart.

    Args:
        graph: functional.
        values: of everything in it, by name: what `leaves` gave and each node's.
        name: of a node, or the path of a module, whose last value is taken.
        index: which number of its value.
    Returns:
        The terms, the largest first; each can be explained in turn, down to the input's pixels.
    Raises:
        RangeError: there is no such number.
        UnsupportedOpError: the operation has no row.
    """
    node = graph.node(name)
    if node.op not in TABLE and node.op != "getitem":
        raise UnsupportedOpError(f"explain: {node.op} has no row in the op table", {node.op: 1})
    value = values[node.name]
    if isinstance(value, list):
        raise RangeError(f"explain: {node.name} has several values; ask for those that were taken from it")
    if len(index) != value.ndim or any(not -side <= i < side for i, side in zip(index, value.shape, strict=True)):
        raise RangeError(f"explain: {node.name} has {value.shape} numbers, none at {index}")
    index = tuple(i % side for i, side in zip(index, value.shape, strict=True))
    number = float(value[index])
    terms, said = _terms(node, values, index)
    if terms is None:
        found = _sources(node, values, index)
        return Explanation(node.name, node.op, index, number, found, False, math.nan, said)
    total = math.fsum(term.product for term in terms)
    ordered = tuple(sorted(terms, key=lambda term: -abs(term.product)))
    return Explanation(node.name, node.op, index, number, ordered, True, number - total, said)


def _terms(node: Node, values: Mapping[str, Any], index: Index) -> tuple[list[Term] | None, str]:
    """The summands of one number, and what the operation does; None where it is no sum."""
    if node.kind in ("conv1d", "conv2d", "conv3d"):
        return _convolution(node, values, index), "inputs under the kernel times weights, and a bias"
    if node.kind in NORMS:
        return _norm(node, values, index), "input less mean, times scale, plus shift"
    if node.op == "getitem" or node.kind in MOVES:
        return _by_gradient(node, values, index, range(1)), "moved, nothing computed"
    operands = SUMS.get(node.kind)
    if operands is None:
        return None, "a function of what it reads"
    return _by_gradient(node, values, index, operands), SAID.get(node.kind, "a sum of what it reads times factors")


def _by_gradient(node: Node, values: Mapping[str, Any], index: Index, operands: Sequence[int]) -> list[Term]:
    """Terms of an operation that is linear in some operands: the factor of each is the slope of the number."""
    grad = np.zeros(values[node.name].shape, np.float64)
    grad[index] = 1
    wide = {name: _wide(values[name]) for name in (*node.inputs, node.name)}
    wanted = {name for number in operands for name in _names(node, number)}
    if node.op == "getitem":
        several, which = node.args
        assert isinstance(several, Ref)
        assert isinstance(which, int)
        return [Term(several.name, (which, *index), float(values[node.name][index]), 1.0)]
    terms: dict[tuple[str, Index], Term] = {}
    for name, slope in node_gradients(node, grad, wide):
        if name not in wanted or isinstance(slope, list):
            continue
        for place in zip(*np.nonzero(slope), strict=True):
            at = tuple(int(i) for i in place)
            before = terms.get((name, at))
            factor = float(slope[at]) + (before.factor if before else 0)
            terms[name, at] = Term(name, at, float(values[name][at]), factor)
    return [*terms.values(), *_number(node, operands)]


def _number(node: Node, operands: Sequence[int]) -> list[Term]:
    """A number that stands among the operands of a sum: the 1 in x + 1."""
    if node.kind not in ("add", "sub", "rsub"):
        return []
    alpha = float(node.kwargs.get("alpha", 1) if len(node.args) < 3 else node.args[2])  # type: ignore[arg-type]
    sign = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[node.kind]
    return [
        Term("", (), float(node.args[number]), sign[number])  # type: ignore[arg-type]
        for number in operands
        if number < len(node.args) and not isinstance(node.args[number], Ref)
    ]


def _convolution(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """What lies under the kernel at one place, times the weights; looks at nothing else."""
    args, kwargs = thawed(node, values)
    x, weight, bias = args[0], args[1], args[2] if len(args) > 2 else kwargs.get("bias")
    rest = dict(zip(("stride", "padding", "dilation", "groups"), args[3:], strict=False)) | kwargs
    rest.pop("bias", None)
    options = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | rest
    plan = sliding(x, weight, bias, **options)
    *front, filters, _ = (*index[: len(index) - len(plan.sides)], 0)
    place = index[len(index) - len(plan.sides) :]
    channels = weight.shape[1]
    first = filters // (weight.shape[0] // plan.groups) * channels
    source, names = _names(node, 0)[0], _names(node, 2)
    terms = []
    for position in np.ndindex(*plan.kernel):
        at = tuple(
            i * s - b + d * k
            for i, s, b, d, k in zip(place, plan.stride, plan.before, plan.dilation, position, strict=True)
        )
        if all(0 <= i < side for i, side in zip(at, plan.sides, strict=True)):
            for channel in range(channels):
                where = (*front, first + channel, *at)
                terms.append(Term(source, where, float(x[where]), float(weight[(filters, channel, *position)])))
    if bias is not None:
        terms.append(Term(names[0], (filters,), float(bias[filters]), 1.0))
    return terms


def _norm(node: Node, values: Mapping[str, Any], index: Index) -> list[Term] | None:
    """A norm as a scale and a shift of its own input: value = x scale + shift."""
    args, _ = thawed(node, values)
    x, source = np.asarray(args[0], np.float64), _names(node, 0)[0]
    if node.kind == "batch_norm" and args[5] is False and args[3] is not None:
        channel = index[1]
        weight, bias, mean, variance = (None if part is None else float(part[channel]) for part in args[1:5])
        scale = (1.0 if weight is None else weight) / math.sqrt((variance or 0.0) + args[7])
        center, centered_by = mean or 0.0, Term(_names(node, 3)[0], (channel,), mean or 0.0, -scale)
        where: Index = (channel,)
    elif node.kind in ("layer_norm", "rms_norm"):
        inner = len(args[1])
        line = x[index[: x.ndim - inner]]
        eps = args[4] if node.kind == "layer_norm" and len(args) > 4 else (args[3] if len(args) > 3 else 1e-5)
        center = float(line.mean()) if node.kind == "layer_norm" else 0.0
        spread = float(np.square(line - center).mean())
        where = index[x.ndim - inner :]
        weight = None if len(args) < 3 or args[2] is None else float(args[2][where])
        has_bias = node.kind == "layer_norm" and len(args) > 3 and args[3] is not None
        bias = float(args[3][where]) if has_bias else None
        scale = (1.0 if weight is None else weight) / math.sqrt(spread + (eps if eps is not None else 1e-5))
        centered_by = Term("", (), center, -scale)  # the mean of its own line
    else:
        return None
    terms = [Term(source, index, float(x[index]), scale)]
    if node.kind != "rms_norm":
        terms.append(centered_by)
    if bias is not None:
        named = _names(node, 2 if node.kind == "batch_norm" else 3)
        terms.append(Term(named[0], where, bias, 1.0))
    return terms


def _sources(node: Node, values: Mapping[str, Any], index: Index) -> tuple[Term, ...]:
    """The numbers that a number was made from, where it is no sum of them: those whose change would change it."""
    wide = {name: _wide(values[name]) for name in node.inputs}
    wide[node.name] = run_node(node, wide)
    grad = np.zeros(values[node.name].shape, np.float64)
    grad[index] = 1
    terms = []
    for name, slope in node_gradients(node, grad, wide):
        if isinstance(slope, list):
            continue
        for place in zip(*np.nonzero(slope), strict=True):
            at = tuple(int(i) for i in place)
            terms.append(Term(name, at, float(values[name][at]), 1.0))
    return tuple(terms)


def _names(node: Node, number: int) -> list[str]:
    """The values that stand at a place of the arguments."""
    return _refs(node.args[number]) if number < len(node.args) else []


def _refs(argument: Argument) -> list[str]:
    if isinstance(argument, Ref):
        return [argument.name]
    return [name for part in argument for name in _refs(part)] if isinstance(argument, tuple) else []


def _wide(value: Any) -> Any:
    """Real numbers in double precision."""
    if isinstance(value, list):
        return [_wide(part) for part in value]
    array: Array = value
    return array.astype(np.float64) if array.dtype.kind == "f" else array
