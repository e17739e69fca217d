"""Numbers that pass a gate: how far it stands open is a function of the number itself, and is held fixed.

    silu(x) = x · sigmoid(x), gelu(x) = x · Φ(x), relu(x) = x · (1 or 0)

A gate that is shut has its number all the same, times 0: it is what the zero was made from. That the gate would move
too is what a slope tells and this reading does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from photosite.analysis.terms.crops import crop
from photosite.analysis.terms.sums import summed
from photosite.analysis.terms.term import Call, Index, Reading, Term, call_of
from photosite.graph.ir import Node, Ref
from photosite.ops.activation import sigmoid, softplus
from photosite.ops.arrays import Array
from photosite.ops.gates import hardsigmoid
from photosite.ops.special import erf


def gated(node: Node, values: Mapping[str, Any], index: Index, number: float) -> Reading | None:
    """The terms of a number that passed a gate, or was stopped by one.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number.
        number: the number.
    Returns:
        The terms and what the operation does, in words; None if it is no gate.
    """
    name = node.args[0].name if node.args and isinstance(node.args[0], Ref) else ""
    if node.kind in _OPENINGS:
        x = np.asarray(values[name][index], np.float64)
        factor = float(_OPENINGS[node.kind](x, call_of(node, values)))
        return [Term(name, index, float(x), factor)], "a value times its own gate, held fixed"
    if node.kind == "glu":
        return [_half(name, call_of(node, values), index)], "one half times the sigmoid of the other"
    if node.kind == "softshrink":
        return _shrunk(name, call_of(node, values), index, number), "moved toward 0, and stopped there"
    if node.kind in _SHUT or node.op in ("aten.max.other", "aten.min.other"):
        return _with_stopped(node, values, index, number)
    return None


def _half(name: str, call: Call, index: Index) -> Term:
    x, dim = call["x"], call["dim"] % len(index)
    other = (*index[:dim], index[dim] + x.shape[dim] // 2, *index[dim + 1 :])
    return Term(name, index, float(x[index]), float(sigmoid(np.asarray(x[other], np.float64))))


def _shrunk(name: str, call: Call, index: Index, number: float) -> list[Term]:
    x = float(call["x"][index])
    if not number:
        return [Term(name, index, x, 0.0)]
    return [Term(name, index, x, 1.0), Term("", (), math.copysign(call["lambd"], x), -1.0)]


def _with_stopped(node: Node, values: Mapping[str, Any], index: Index, number: float) -> Reading | None:
    """The terms that there are, and what was looked at beside them, times 0."""
    found = summed(node, values, index, number)
    if found is None:
        return None
    terms, said = found
    there = {(term.source, term.index) for term in terms}
    piece = crop(node, values, index)
    for name in node.inputs if piece.boxes else node.inputs[:1]:
        at = piece.place(name, (0,) * values[name].ndim) if piece.boxes else index
        if (name, at) not in there:
            terms.append(Term(name, at, float(values[name][at]), 0.0))
    return terms, said


def _phi(x: Array, call: Call) -> Array:
    if call["approximate"] == "tanh":
        return np.asarray(0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(0.5 * (1 + erf(x / math.sqrt(2))))


_OPENINGS: dict[str, Callable[[Array, Call], Array]] = {
    "silu": lambda x, call: sigmoid(x),
    "gelu": _phi,
    "hardswish": lambda x, call: hardsigmoid(x),
    "mish": lambda x, call: np.asarray(np.tanh(softplus(x))),
}
"""By kind: how far the gate stands open."""
_SHUT = frozenset(
    [
        *("relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "hardtanh", "threshold", "hardshrink"),
        *("clamp", "clamp_min", "clamp_max", "clip", "maximum", "minimum", "abs", "absolute"),
    ]
)
"""Operations that can stop a number."""
