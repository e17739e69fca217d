"""How far each value of a network sees: exact receptive fields, node by node, from the column `reach` of the op table.

A field is local: the pixels that reach a value through convolutions, pools, sums and all that moves numbers. What
weighs by the picture itself (attention, a gate behind a mean, a norm over space) sees everything; it is named beside
the local field, never in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.ir import Graph
from photosite.graph.reach.field import DIRECTIONS, Field, Part
from photosite.graph.reach.line import Line
from photosite.graph.reach.places import NOTHING, Interval, runs
from photosite.graph.reach.summing import as_one
from photosite.graph.reach.walk import fields_of


@dataclass(frozen=True)
class ReceptiveField:
    """How far the values of one node see.

    Attributes:
        node: its name.
        field: what is known of its axes.
    """

    node: str
    field: Field

    @property
    def known(self) -> bool:
        """Whether the field is known."""
        return not self.field.unknown

    @property
    def depends(self) -> bool:
        """Whether the value depends on the picture at all."""
        return self.field.depends

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels, as if the picture had no borders."""
        if not self.known or not self.depends:
            return None
        height, width = (self._size(way) for way in DIRECTIONS)
        return (height, width) if height and width else None

    @property
    def jump(self) -> tuple[Fraction, Fraction]:
        """Pixels from one place to the next."""
        down, across = (self.field.jump(way) for way in DIRECTIONS)
        return down, across

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of places; None where the value has none, in one direction or both."""
        lines = [self._line(way) for way in DIRECTIONS]
        return None if None in lines else (self._side("y"), self._side("x"))

    def interval(self, way: str, place: int) -> Interval:
        """First and last pixel that a place sees in a direction, beyond the borders if it reaches there.

        Args:
            way: "y" or "x".
            place: the index of a row or a column of places.
        Raises:
            UnknownNameError: the value has no places in that direction, or in pieces.
        """
        (low, high), base = self._only(way).at(place), self.field.base[way]
        return (low + base[0], high + base[1]) if (low, high) != NOTHING else NOTHING

    def pixels(self, way: str, place: int) -> list[Interval] | None:
        """The pixels that a place really sees in a direction, in intervals: padding, of any layer, is nothing.

        Behind dilated kernels or strides wider than a kernel there are gaps; behind windows that were shifted around
        a border, pieces at both ends.

        Args:
            way: "y" or "x".
            place: the index of a row or a column of places.
        Returns:
            None where that is not known.
        Raises:
            UnknownNameError: the value has no places in that direction, or in pieces.
        """
        line = self._only(way)
        return None if line.seen is None or self.field.base[way] != (0, 0) else runs(line.really(place))

    def box(self, way: str, place: int) -> Interval | None:
        """First and last of `pixels`; None where the place sees none, or that is not known."""
        found = self.pixels(way, place)
        return (found[0][0], found[-1][1]) if found else None

    def unit_box(self, unit: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """The box of the input that a unit really sees, clipped at the borders.

        Args:
            unit: row and column of its place.
        Returns:
            (top, left, bottom, right), half open, as `Geometry.clipped_box` takes it for the box in the photo; None
            where the unit sees nothing, or that is not known.
        Raises:
            RangeError: there is no such place.
            ShapeError: the value has no map of places.
        """
        self._check(unit)
        rows, columns = (self.box(way, place) for way, place in zip(DIRECTIONS, unit, strict=True))
        return None if rows is None or columns is None else (rows[0], columns[0], rows[1] + 1, columns[1] + 1)

    def index(self, unit: tuple[int, int]) -> tuple[int | slice, ...]:
        """Where a unit stands in the value: a number for each axis that holds places, all of the others.

        Args:
            unit: row and column of its place; of what is cut into windows, those of the whole map.
        Raises:
            RangeError: there is no such place.
            ShapeError: the value has no map of places.
        """
        self._check(unit)
        where = dict(zip(DIRECTIONS, unit, strict=True))
        found: list[int | slice] = []
        for axis in self.field.axes:
            start = 0
            for segment in axis:
                if any(part.way for part in segment):
                    position = 0
                    for part in segment:
                        position = position * part.side + (_place_in(part, where[part.way]) if part.way else 0)
                    found.append(start + position)
                    break
                start += math.prod(part.side for part in segment)
            else:
                found.append(slice(None))
        return tuple(found)

    def unit_of(self, index: Sequence[int]) -> tuple[int, int] | None:
        """The unit that a number of the value belongs to: the reverse of `index`.

        Args:
            index: of the number, one for each axis.
        Returns:
            Row and column; None for what has no place (a class token, a value without a map).
        """
        found: dict[str, int] = {}
        for axis, place in zip(self.field.axes, index, strict=True):
            for segment in axis:
                count = math.prod(part.side for part in segment)
                if place < count:
                    for part in reversed(segment):
                        place, here = divmod(place, part.side)
                        if part.way:
                            found[part.way] = found.get(part.way, 0) + _share_of(part, here)
                    break
                place -= count
        return (found["y"], found["x"]) if self.grid is not None and len(found) == 2 else None

    def center(self, unit: tuple[int, int]) -> tuple[Fraction, Fraction]:
        """The center of a unit's field without borders, down and across, in pixels from the input's top left corner.

        Raises:
            UnknownNameError: the value has no places, or in pieces.
        """
        down, across = (sum(self.interval(way, place)) for way, place in zip(DIRECTIONS, unit, strict=True))
        return Fraction(down + 1, 2), Fraction(across + 1, 2)

    def padding_share(self, unit: tuple[int, int]) -> float | None:
        """The share of a unit's field, as a box, that lies beyond the input's borders.

        Returns:
            0 … 1; None where the field is not known, or lies in pieces around a border.
        """
        box = self.unit_box(unit)
        if box is None:
            return None
        inside = (box[2] - box[0]) * (box[3] - box[1])
        rows, columns = (self.interval(way, place) for way, place in zip(DIRECTIONS, unit, strict=True))
        if box[0] < rows[0] or box[1] < columns[0] or box[2] > rows[1] + 1 or box[3] > columns[1] + 1:
            return None  # rolled around a border: it sees pieces at both ends
        return 1 - inside / ((rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1))

    def places_seeing(self, way: str, pixel: int) -> list[Interval] | None:
        """Which places see a pixel: the reverse of `pixels`, in intervals of places.

        Args:
            way: "y" or "x".
            pixel: row or column of the input.
        Returns:
            None where that is not known.
        Raises:
            UnknownNameError: the value has no places in that direction, or in pieces.
        """
        seen = self._only(way).seen
        if seen is None or self.field.base[way] != (0, 0):
            return None
        return runs(sum(1 << place for place, places in enumerate(seen) if places >> pixel & 1))

    def phases(self, way: str) -> list[int]:
        """The sizes of the fields of neighboring places: more than one behind an upsampling, or of windows."""
        base = self.field.base[way]
        return [high - low + 1 + base[1] - base[0] for low, high in self._only(way).intervals]

    def _size(self, way: str) -> int:
        line, (low, high) = self._line(way), self.field.base[way]
        return self.field.size(way) if line is None or high < low else line.size + high - low

    def _only(self, way: str) -> Line:
        line = self._line(way)
        if line is None:
            raise UnknownNameError("axis of places", way, ("y", "x") if self.field.runs(way) else ())
        return line

    def _line(self, way: str) -> Line | None:
        return as_one(self.field, way)

    def _side(self, way: str) -> int:
        return math.prod(part.side for part in self.field.parts(way))

    def _check(self, unit: tuple[int, int]) -> None:
        grid = self.grid
        if grid is None:
            why = self.unknown or ("it sees everything" if self.field.whole else "its axes hold none")
            raise ShapeError(f"{self.node} has no map of places: {why}")
        if not all(0 <= place < side for place, side in zip(unit, grid, strict=True)):
            raise RangeError(f"{self.node} has {grid[0]} × {grid[1]} places, none at {unit[0]},{unit[1]}")

    @property
    def global_by(self) -> tuple[str, ...]:
        """Operations that make it see everything."""
        return self.field.global_by

    @property
    def at_most(self) -> tuple[str, ...]:
        """Operations behind which the field is an upper bound."""
        return self.field.at_most

    @property
    def unknown(self) -> str:
        """Why nothing is known."""
        return self.field.unknown


class ReceptiveFields:
    """The receptive fields of all values of a graph.

    Args:
        graph: functional. Each input of four axes is a picture: (B, C, H, W), or (B, H, W, C) where only the last axis
            is short enough for color.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._fields = fields_of(graph)

    def __getitem__(self, node: str) -> ReceptiveField:
        """The field of a node; by a module's path, that of the last value that the module made."""
        name = self.graph.find(node).name
        found = self._fields[name]
        return ReceptiveField(name, found[0] if isinstance(found, list) else found)

    @cached_property
    def unknown(self) -> dict[str, str]:
        """Nodes of which nothing is known, and why."""
        found = {name: one for name, one in self._fields.items() if isinstance(one, Field)}
        return {name: one.unknown for name, one in found.items() if one.unknown}


def plain_stack(layers: Iterable[tuple[int, int, int, int]]) -> tuple[int, int, Interval]:
    """The receptive field behind convolutions and pools in a row, in closed form, without looking at any network.

    Args:
        layers: kernel, stride, padding and dilation of each.
    Returns:
        Size, jump, and the interval of the first place: of layer l, r = r + (K - 1) D j, the start moves by P j to the
        left, and j = j S, with the j of the layer before.
    Source: Araujo, Norris and Sim 2019.

    >>> plain_stack([(7, 2, 3, 1), (3, 2, 1, 1)])  # a ResNet's stem
    (11, 4, (-5, 5))
    """
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += (kernel - 1) * dilation * jump
        start -= padding * jump
        jump *= stride
    return size, jump, (start, start + size - 1)


def _place_in(part: Part, place: int) -> int:
    """The index of a place along a part: that of its window, or that in it, where the map is cut into windows."""
    half = part.line.half
    if half is None:
        return place
    return place // half.kernel if half.outer else place % half.kernel


def _share_of(part: Part, index: int) -> int:
    """What an index along a part adds to the place: all of it, or so many windows."""
    half = part.line.half
    return index * half.kernel if half is not None and half.outer else index
