"""What a number was made from where it is no sum: those numbers of the operands that can change it, and their slopes.

Slopes alone do not tell: a shut gate has none, nor has the place of the largest, and weights of classes get none. So
an operation without a rule here is asked at other numbers, at which nothing is shut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from photosite.analysis.replay import run_node
from photosite.analysis.terms.crops import Box, crop
from photosite.analysis.terms.sums import slopes
from photosite.analysis.terms.term import Call, Index, Term, call_of
from photosite.errors import PhotositeError
from photosite.graph.ir import Node
from photosite.graph.reach import mixing
from photosite.graph.table import TABLE

Place = tuple[str, Index]


def is_function(node: Node, values: Mapping[str, Any], index: Index) -> bool:
    """Whether a number is no sum in any reading: one rounded, complex, or the position of one that was picked.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
    """
    positions = isinstance(values[node.name], list) and index[0] > 0 and node.kind in _LINES
    parts = _is_complex(node, values) and (node.kind in _LINES or bool(crop(node, values, index).boxes))
    return positions or parts or node.kwargs.get("rounding_mode") is not None


def sources(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """The numbers that a number was made from.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
    Returns:
        Each once, its slope as the factor: 0 where the number stands still for now, NaN where there is none.
    """
    if TABLE[node.op].reach is mixing.nothing:
        return []
    several, steep = isinstance(values[node.name], list), not _is_complex(node, values)
    known = {(term.source, term.index): term for term in _steep(node, values, index)} if steep else {}
    value = values[node.name][index[0]] if several else values[node.name]
    slope = 0.0 if TABLE[node.op].vjp is not None and steep and value.dtype.kind == "f" else math.nan
    for name, at in _read(node, values, index):
        if (name, at) not in known:
            known[name, at] = Term(name, at, float(values[name][at].real), slope)
    return list(known.values())


def _steep(node: Node, values: Mapping[str, Any], index: Index) -> list[Term]:
    """The numbers that one moves with, each once."""
    found: dict[Place, float] = {}
    for name, at, slope in slopes(node, values, index, node.inputs) if TABLE[node.op].vjp is not None else ():
        found[name, at] = found.get((name, at), 0.0) + slope
    return [Term(name, at, float(values[name][at].real), slope) for (name, at), slope in found.items()]


def _is_complex(node: Node, values: Mapping[str, Any]) -> bool:
    arrays = [values[name] for name in (*node.inputs, node.name)]
    return any(not isinstance(array, list) and array.dtype.kind == "c" for array in arrays)


def said_of(node: Node) -> str:
    """What a function does, in words.

    Args:
        node: its operation.
    """
    if TABLE[node.op].reach is mixing.nothing or not node.inputs:
        return "a constant"
    return WORDS.get(node.kind, "a function of what it reads")


def _read(node: Node, values: Mapping[str, Any], index: Index) -> Iterator[Place]:
    several = isinstance(values[node.name], list)
    rule = _LINES.get(node.kind)
    box: Box | None = rule(node, call_of(node, values), values[node.name], index) if rule is not None else None
    if box is not None:
        yield from _places(node.inputs[0], values, box)
    elif not several and (piece := crop(node, values, index)).boxes:
        for name, own in piece.boxes.items():
            yield from _places(name, values, own)
    elif TABLE[node.op].vjp is None:
        for name in node.inputs:
            yield from _places(name, values, (slice(None),) * values[name].ndim)
    else:
        yield from _elsewhere(node, values, index)


def _places(name: str, values: Mapping[str, Any], box: Box) -> Iterator[Place]:
    ranges = [range(*one.indices(side)) for one, side in zip(box, values[name].shape, strict=True)]
    for at in np.ndindex(*map(len, ranges)):
        yield name, tuple(line[i] for line, i in zip(ranges, at, strict=True))


def _elsewhere(node: Node, values: Mapping[str, Any], index: Index) -> Iterator[Place]:
    """What moves the number when all operands are small and positive, so that no gate is shut and nothing saturates."""
    rng = np.random.default_rng(0)
    other = dict(values)
    for name in node.inputs:
        if values[name].dtype.kind == "f":
            shape = values[name].shape
            width = shape[-1] if shape else 1  # so that what sums up a row stays small too
            other[name] = np.asarray(rng.uniform(0.2, 0.8, shape) / max(width, 1))
    steep = [(term.source, term.index) for term in _steep(node, other, index)]
    yield from steep
    for name in node.inputs:
        if name not in {source for source, _ in steep}:
            yield from _tried(node, other, index, name)


def _tried(node: Node, values: Mapping[str, Any], index: Index, name: str) -> Iterator[Place]:
    """The numbers of one operand that change the result: halves that change nothing are not looked into."""
    array = values[name]
    changed = _changed(array)
    before = _number(node, values, index)
    blocks = [(0, array.size)]
    while blocks:
        start, stop = blocks.pop()
        flat = array.copy().reshape(-1)
        flat[start:stop] = changed.reshape(-1)[start:stop]
        now = _number(node, {**values, name: flat.reshape(array.shape)}, index)
        if start == stop or now == before or (math.isnan(now) and math.isnan(before)):
            continue
        if stop - start == 1:
            yield name, tuple(int(i) for i in np.unravel_index(start, array.shape))
        else:
            middle = (start + stop) // 2
            blocks += [(start, middle), (middle, stop)]


def _changed(array: Any) -> Any:
    """Other numbers of the same kind; whole ones stay among those that are there, for they name classes."""
    if array.dtype.kind == "f":
        return array * np.random.default_rng(1).uniform(1.1, 2, array.shape)
    if array.dtype.kind == "b" or not array.size:
        return ~array
    high, low = array.max(), array.min()
    return np.where(array == high, low if low < high else (0 if high else 1), high).astype(array.dtype)


def _number(node: Node, values: Mapping[str, Any], index: Index) -> float:
    try:
        result = run_node(node, values)
    except PhotositeError:  # a class that there is not: what is refused was read
        return math.inf
    return float((result[index[0]][index[1:]] if isinstance(result, list) else result[index]).real)


def _line(node: Node, call: Call, result: Any, index: Index) -> Box | None:
    """All numbers along the axis that is put in order, or of which one was picked."""
    at = index[1:] if isinstance(result, list) else index
    ndim: int = call["x"].ndim
    dim: int = call["dim"] % max(ndim, 1)
    if not ndim:
        return ()
    own = at if len(at) == ndim else (*at[:dim], 0, *at[dim:])
    return tuple(slice(None) if axis == dim else slice(i, i + 1) for axis, i in enumerate(own))


def _picked(node: Node, call: Call, result: Any, index: Index) -> Box | None:
    """As `_line`, of the positions that `max` and `min` along an axis give."""
    return _line(node, call, result, index) if isinstance(result, list) else None


def _window(node: Node, call: Call, result: Any, index: Index) -> Box:
    """What lies under a window, told by the first and the last row, column ... that the pool itself finds there."""
    x, at = call["x"], index[1:]
    front = x.ndim - next(int(letter) for letter in node.kind if letter.isdigit())
    box = [slice(i, i + 1) for i in at[:front]]
    place, options = ((0,) * front + at[front:]), {key: value for key, value in call.items() if key != "x"}
    apart = options.get("dilation", 1)
    for axis in range(front, x.ndim):
        ramp = np.arange(x.shape[axis], dtype=np.float64).reshape(-1, *(1,) * (x.ndim - 1 - axis))
        plane = np.broadcast_to(ramp, (*(1,) * front, *x.shape[front:]))
        first, last = (int(abs(TABLE[node.op].value(way * plane, **options)[0][place])) for way in (-1, 1))
        box.append(slice(first, last + 1, apart if isinstance(apart, int) else apart[(axis - front) % len(apart)]))
    return tuple(box)


def _statistics(node: Node, call: Call, result: Any, index: Index) -> Box | None:
    """The numbers whose mean and spread a norm gives beside its result: those that it has one mean for."""
    shape, at = call["x"].shape, index[1:]
    if index[0] not in (1, 2):  # the result itself, and averages of the past, which it moves a little
        return None
    if "normalized_shape" in call:
        front = len(shape) - len(call["normalized_shape"])
        return tuple(slice(i, i + 1) if axis < front else slice(None) for axis, i in enumerate(at))
    if "group" in call:
        width = shape[1] // call["group"]
        group = slice(at[1] * width, (at[1] + 1) * width)
        return (slice(at[0], at[0] + 1), group, *(slice(None),) * (len(shape) - 2))
    return (slice(None), slice(at[0], at[0] + 1), *(slice(None),) * (len(shape) - 2))


def _class(node: Node, call: Call, result: Any, index: Index) -> Box:
    return tuple(slice(i, i + 1) for i in index[:-1])


def _pair(node: Node, call: Call, result: Any, index: Index) -> Box:
    return (*(slice(i, i + 1) for i in index), slice(None))


_POOLS = [f"max_pool{n}d_with_indices" for n in (1, 2, 3)] + [f"adaptive_max_pool{n}d" for n in (1, 2, 3)]
_LINES: dict[str, Callable[[Node, Call, Any, Index], Box | None]] = {
    **dict.fromkeys(("argsort", "sort", "topk"), _line),
    **dict.fromkeys(("max", "min"), _picked),
    **dict.fromkeys(_POOLS, _window),
    **dict.fromkeys(("native_layer_norm", "native_group_norm", "_native_batch_norm_legit_functional"), _statistics),
    **dict.fromkeys(("one_hot", "view_as_real"), _class),
    "view_as_complex": _pair,
}
"""By kind: the piece of the first operand that a number was made from, where slopes cannot tell."""

WORDS = {
    **dict.fromkeys(
        ("softmax", "_softmax", "special_softmax"), "exp of its own number, over the sum of exp of the line"
    ),
    **dict.fromkeys(
        ("log_softmax", "_log_softmax", "special_log_softmax"),
        "its own number less the log of the sum of exp of the line",
    ),
    "logsumexp": "the log of the sum of exp",
    **dict.fromkeys(("linalg_vector_norm", "norm"), "a length: the root of a sum of powers"),
    **dict.fromkeys(("var", "std", "var_mean"), "how far numbers spread around their mean"),
    "prod": "a product",
    "one_hot": "1 at the place that a number names",
    "view_as_real": "the real part of a number, or the imaginary one",
    "view_as_complex": "a complex number of two real ones",
    **dict.fromkeys(("argmax", "argmin", "argsort", "sort", "topk", "max", "min", *_POOLS), "a position, not a size"),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite"), "a comparison, true or not"),
    **dict.fromkeys(("any", "all", "logical_and", "logical_or", "logical_xor", "logical_not"), "true or not"),
    **dict.fromkeys(("div", "floor_divide", "floor", "ceil", "trunc", "round"), "rounded"),
    **dict.fromkeys(("remainder", "fmod"), "what a division leaves"),
    **dict.fromkeys(("lstm", "lstm_cell", "gru", "gru_cell", "rnn_tanh", "rnn_relu"), "a state: all steps before it"),
}
"""By kind: what a function does; all others are said to be functions of what they read."""
