"""Why a number has the value that it has: the terms that it is the sum of, each with where it came from.

Terms can be explained in turn, down to the input's pixels. A function of what it reads has that as its sources, each
with the slope of the number there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photosite.analysis.terms.reading import read
from photosite.analysis.terms.sources import sources
from photosite.analysis.terms.term import Index, Term
from photosite.errors import RangeError, UnsupportedOpError
from photosite.graph.ir import Graph
from photosite.graph.table import TABLE


@dataclass(frozen=True)
class Explanation:
    """Why a value is what it is.

    Attributes:
        node: whose value.
        op: its operation.
        index: which number of it.
        value: the number, as the network has it.
        terms: what it is the sum of, the largest first; of a function, the values that it was made from, those that
            move it most first.
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
        values: of everything in it, by name, as `photosite.analysis.replay.evaluate` gives them.
        name: of a node, or the path of a module, whose last value is taken.
        index: which number of its value; of a node with several values, the number of the value first.
    Returns:
        The terms, the largest first; each can be explained in turn, down to the input's pixels.
    Raises:
        UnknownNameError: there is no such node.
        RangeError: there is no such number.
        UnsupportedOpError: the operation has no row.
    """
    node = graph.find(name)
    if node.op not in TABLE and node.op != "getitem":
        raise UnsupportedOpError(f"explain: {node.op} has no row in the op table", {node.op: 1})
    value, place = values[node.name], index
    if isinstance(value, list):
        if not index or not 0 <= index[0] < len(value):
            raise RangeError(f"explain: {node.name} has {len(value)} values; begin with the number of one")
        value, place = value[index[0]], index[1:]
    if len(place) != value.ndim or any(not -side <= i < side for i, side in zip(place, value.shape, strict=True)):
        raise RangeError(f"explain: {node.name} has {value.shape} numbers, none at {index}")
    place = tuple(i % side for i, side in zip(place, value.shape, strict=True))
    index = (*index[: len(index) - len(place)], *place)
    number = float(value[place].real)
    terms, said = read(node, values, index, number)
    if terms is None:
        found = sorted(sources(node, values, index), key=lambda term: -_weight(term))
        return Explanation(node.name, node.op, index, number, tuple(found), False, math.nan, said)
    ordered = tuple(sorted(terms, key=lambda term: -abs(term.product)))
    total = math.fsum(term.product for term in ordered)
    return Explanation(node.name, node.op, index, number, ordered, True, number - total, said)


def follow(graph: Graph, values: Mapping[str, Any], name: str, index: Index, depth: int) -> list[Explanation]:
    """Take a number apart, then the largest of its terms that a node computed, and so on down to the pixels.

    Args:
        graph: functional.
        values: of everything in it, by name.
        name: of a node, or the path of a module.
        index: which number of its value.
        depth: how many numbers to take apart at most.
    Returns:
        One explanation for each step; the last one's terms are the input's where the chain got there.
    Raises:
        UnknownNameError: there is no such node.
        RangeError: there is no such number.
        UnsupportedOpError: an operation has no row.
    """
    steps: list[Explanation] = []
    while len(steps) < depth:
        steps.append(explain_value(graph, values, name, index))
        inner = next((term for term in steps[-1].terms if term.source in graph), None)
        if inner is None:
            break
        name, index = inner.source, inner.index
    return steps


def _weight(term: Term) -> float:
    return abs(term.product) if math.isfinite(term.product) else 0.0
