"""One number taken apart, and how the numbers of a graph are opened one after the other, down to a photo's pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from photosite.analysis.arithmetic import explain_value
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.terms.closed import NORMS, line_mean
from photosite.analysis.terms.term import Index, Term
from photosite.errors import PhotositeError, RangeError, UnsupportedOpError
from photosite.graph.ir import Graph

Box = tuple[float, float, float, float]
"""Top, left, bottom, right in the photo."""
PHOTO, SMALL = "photo", "small photo"
COLORS = ("red", "green", "blue")
MEAN = " mean"
"""Behind the name of a norm: the mean that it takes away."""
PASSED_ON = ("taken over", "moved", "one of several values", "passes as it is")
"""How sentences begin of operations that compute nothing: who opens such a number gets the one that it is a copy of."""
STEPS_AT_MOST = 1000
"""No chain is followed further."""


@dataclass(frozen=True)
class Number:
    """A number and its terms.

    Attributes:
        node: what it is a number of.
        index: where in it.
        value: the number.
        op: what made it, in a word.
        said: the same in words.
        terms: the largest first.
        is_sum: whether they sum up to the value.
        residual: what the sum of all of them leaves.
        why_not: why it cannot be taken apart; "" where it can.
        through: operations that only passed it on, on the way from what was asked for.
    """

    node: str
    index: Index
    value: float
    op: str
    said: str
    terms: tuple[Term, ...] = ()
    is_sum: bool = False
    residual: float = math.nan
    why_not: str = ""
    through: tuple[str, ...] = ()


def name_of(source: str, index: Index) -> str:
    """A number's name, as a person reads it.

    >>> name_of("linear", (0, 2)), name_of("photo", (3, 4, 2)), name_of("", ())
    ('linear[0, 2]', 'photo y 3, x 4, blue', 'a number of the operation itself')
    """
    if source in (PHOTO, SMALL) and len(index) == 3:
        return f"{source} y {index[0]}, x {index[1]}, {COLORS[index[2]]}"
    return f"{source}[{', '.join(map(str, index))}]" if index else source or "a number of the operation itself"


def as_sum(node: str, index: Index, value: float, op: str, said: str, terms: Sequence[Term]) -> Number:
    """A number that is the sum of terms."""
    ordered = tuple(sorted(terms, key=lambda term: -abs(term.product)))
    left = value - math.fsum(term.product for term in ordered)
    return Number(node, index, value, op, said, ordered, True, left)


class Below(Protocol):
    """What a graph's input is made of."""

    @property
    def names(self) -> tuple[str, ...]:
        """What can be opened by name; the photo first."""

    def of_input(self, name: str, index: Index, value: float) -> Number:
        """A number of the input, taken apart."""

    def open(self, name: str, index: Index) -> Number:
        """A number of one of `names`, taken apart."""

    def cell(self, top: float, left: float, bottom: float, right: float) -> Box:
        """The part of the photo that a box of the input stands for."""

    def box(self, name: str, index: Index) -> Box:
        """The part of the photo that a number of one of `names` stands for."""


class Numbers:
    """The numbers of a graph and of what lies below it; each can be opened.

    Args:
        graph: functional.
        values: of everything in it.
        fields: how far each of its values sees.
        below: its input.
        first: the number that is shown where none is named.
        weights: what its parameters are.
    """

    def __init__(
        self,
        graph: Graph,
        values: Mapping[str, Any],
        fields: ReceptiveFields,
        below: Below,
        first: tuple[str, Index],
        weights: str = "a weight: training found it",
    ) -> None:
        self.graph, self.values, self.fields, self.below, self.first = graph, values, fields, below, first
        self.weights = weights
        self._tiles: dict[tuple[str, tuple[int, int]], Box | None] = {}
        self._next: dict[tuple[str, Index], tuple[str, Index] | None] = {}

    def open(self, name: str, index: Index) -> Number:
        """Take a number apart.

        Args:
            name: of a node, input, parameter or constant, the path of a module, or of what lies below.
            index: where in it.
        Returns:
            The number; of one that was only passed on, the one that it is a copy of.
        Raises:
            UnknownNameError: there is nothing of that name.
            RangeError: there is no such number.
        """
        through: list[str] = []
        for _ in range(STEPS_AT_MOST):
            found = self._one(name, index)
            first = found.terms[0] if len(found.terms) == 1 else None
            passed = first is not None and first.factor == 1 and found.said.startswith(PASSED_ON)
            if first is None or not passed or not self.opens(first):
                break
            through.append(found.node)
            name, index = first.source, first.index
        return replace(found, through=tuple(through))

    def opens(self, term: Term) -> bool:
        """Whether a term's own number can be looked at."""
        return bool(term.source)

    def largest(self, name: str, index: Index) -> tuple[str, Index] | None:
        """The largest term of a number that is no weight and no mean, as far as the photo; None at the end."""
        key = (name, index)
        if key not in self._next:
            self._next[key] = next(
                (
                    (term.source, term.index)
                    for term in self.open(name, index).terms
                    if term.source in self.graph or term.source in self.graph.inputs or term.source in self.below.names
                ),
                None,
            )
        return self._next[key]

    def box(self, name: str, index: Index) -> Box | None:
        """What a number sees of the photo; None where it has no place, or that is not known."""
        if name in self.below.names:
            return self.below.box(name, index)
        if name in self.graph.inputs:
            shape = self.graph.input_shapes[self.graph.inputs.index(name)]
            y, x = index[1:3] if shape[-1] == 3 and shape[1] != 3 else index[-2:]
            return self.below.cell(y, x, y + 1, x + 1)
        node = self.graph.node(name) if name in self.graph else None
        if node is None or len(node.shapes) != 1 or len(index) != len(node.shape):
            return None
        field = self.fields[name]
        try:
            unit = field.unit_of(index)
            found = None if unit is None else field.unit_box(unit)
        except PhotositeError:
            return None
        return None if found is None else self.below.cell(*found)

    def tile(self, name: str, index: Index) -> Box | None:
        """Where a number lies in the photo: around the middle of what it sees, as large as the next one is away."""
        node = self.graph.node(name) if name in self.graph and name not in self.below.names else None
        if node is None:
            return self.box(name, index)
        field = self.fields[name] if len(node.shapes) == 1 and len(index) == len(node.shape) else None
        unit = field.unit_of(index) if field is not None and field.known else None
        if field is None or unit is None:
            return None
        if (name, unit) not in self._tiles:
            down, across = (float(step) / 2 for step in field.jump)
            y, x = (float(middle) for middle in field.center(unit))
            box = self.below.cell(y - down, x - across, y + down, x + across) if down and across else None
            self._tiles[name, unit] = box
        return self._tiles[name, unit]

    def sees_all_by(self, name: str) -> tuple[str, ...]:
        """Through what a node's numbers see everything."""
        node = self.graph.node(name) if name in self.graph else None
        return self.fields[name].global_by if node is not None and len(node.shapes) == 1 else ()

    def module(self, name: str) -> str:
        """The module that a node belongs to."""
        return self.graph.node(name).module if name in self.graph else ""

    def _one(self, name: str, index: Index) -> Number:
        if name in self.below.names:
            return self.below.open(name, index)
        if name.endswith(MEAN) and name.removesuffix(MEAN) in self.graph:
            node = self.graph.node(name.removesuffix(MEAN))
            shared = line_mean(node, self.values, index)
            value = math.fsum(term.product for term in shared)
            return as_sum(name, index, value, "mean", "the mean of all numbers that share it", shared)
        if name in self.graph.inputs:
            return self.below.of_input(name, index, _entry(name, self.values[name], index))
        if name in self.graph.parameters or name in self.graph.constants:
            return self._held(name, index)
        node = self.graph.find(name)
        try:
            found = explain_value(self.graph, self.values, node.name, index)
        except UnsupportedOpError as error:
            return Number(
                node.name, index, _entry(name, self.values[node.name], index), node.kind, "", why_not=str(error)
            )
        terms = found.terms
        if node.kind in NORMS:  # the mean that it finds itself can be opened too
            terms = tuple(
                term if term.source else replace(term, source=node.name + MEAN, index=found.index) for term in terms
            )
        why_not = (
            "" if terms else "nothing of what it reads comes through here: " + (found.said or "it computes nothing")
        )
        return Number(
            node.name, found.index, found.value, node.kind, found.said, terms, found.is_sum, found.residual, why_not
        )

    def _held(self, name: str, index: Index) -> Number:
        if name in self.graph.constants:
            what, value = "a constant of the model", self.graph.constants[name].array
        else:
            is_buffer = self.graph.parameters[name].is_buffer
            what, value = (
                ("a number that training kept" if is_buffer else self.weights),
                self.values[name],
            )
        return Number(name, index, _entry(name, value, index), "", what, why_not=f"{what}; nothing lies below it")


def _entry(name: str, array: Any, index: Index) -> float:
    if isinstance(array, list) or len(index) != array.ndim:
        raise RangeError(f"why: {name} has other axes than {index}")
    if any(not 0 <= i < side for i, side in zip(index, array.shape, strict=True)):
        raise RangeError(f"why: {name} has {array.shape} numbers, none at {index}")
    return float(array[index].real)


Part = int | tuple[str, str, tuple[int, ...]]
"""Of a path: how often to take the largest term, or a name, what its numbers are, and these."""


def parts_of(path: str) -> list[Part]:
    """What an address says, part by part.

    A part is `name:index`; `name@channel,row,column` for the number of a place, whatever the layout; `name#n` for the
    n-th number as they lie in memory; or `>k`, k times the largest term.

    >>> parts_of("linear:0,281;>2;conv@5,0,3")
    [('linear', ':', (0, 281)), 2, ('conv', '@', (5, 0, 3))]
    """
    found: list[Part] = []
    for part in path.split(";"):
        read = re.fullmatch(r"(.+)([:@#])((?:\d{1,9}(?:,\d{1,9})*)?)|>(\d{1,9})", part)
        if read is None:
            raise RangeError(f"why: a path wants parts such as linear:0,281 or >3, got {part[:40]!r}")
        name, kind, index, steps = read.groups()
        if steps is not None:
            found.append(min(int(steps), STEPS_AT_MOST))
        else:
            found.append((name, kind, tuple(int(one) for one in index.split(",")) if index else ()))
    return found


Chain = list[tuple[str, tuple[str, Index]]]
"""A path that ends at a number, and the number, one for each number on the way."""


def chain_of(numbers: Numbers, path: str) -> Chain:
    """The numbers on the way that an address says; each is a term of the one before, or begins anew.

    Args:
        numbers: that are opened.
        path: as of `parts_of`; where it is empty or begins with `>`, before it the number that is shown first.
    """
    parts = parts_of(path) if path else []
    chain: Chain = [(">0", numbers.first)] if not parts or isinstance(parts[0], int) else []
    for part in parts:
        way = f"{chain[-1][0]};" if chain else ""
        if not isinstance(part, int):
            number = _meant(numbers, *part)
            chain.append((f"{way}{number[0]}:{','.join(map(str, number[1]))}", number))
            continue
        for step in range(part):
            then = numbers.largest(*chain[-1][1])
            if then is None:
                break
            chain.append((f"{way}>{step + 1}", then))
    if len(chain) > STEPS_AT_MOST:
        raise RangeError(f"why: a path has at most {STEPS_AT_MOST} numbers")
    return chain


def _meant(numbers: Numbers, name: str, kind: str, index: tuple[int, ...]) -> tuple[str, Index]:
    """The number that a part of a path names."""
    if kind == ":":
        return name, index
    node = numbers.graph.find(name)
    if kind == "#":
        if len(index) != 1 or not 0 <= index[0] < math.prod(node.shape):
            raise RangeError(f"why: {name} has {node.shape} numbers, none is number {index}")
        return node.name, tuple(int(i) for i in np.unravel_index(index[0], node.shape))
    if len(index) != 3:
        raise RangeError(f"why: {name}@ wants channel, row and column, got {index}")
    places = numbers.fields[node.name].index((index[1], index[2]))
    rest = [axis for axis, one in enumerate(places) if isinstance(one, slice)]
    at = dict.fromkeys(rest, 0) | ({rest[-1]: index[0]} if rest else {})  # of the batch the first
    return node.name, tuple(at[axis] if isinstance(one, slice) else one for axis, one in enumerate(places))
