"""How far each value of a network sees: exact receptive fields, node by node, from the column `reach` of the op table.

A field is local: the pixels that reach a value through convolutions, pools, sums and all that moves numbers. What
weighs by the picture itself (attention, a gate behind a mean, a norm over space) sees everything; it is named beside
the local field, never in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from photosite.errors import UnknownNameError
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.reach.call import Call
from photosite.graph.reach.field import DIRECTIONS, Field, Part, ReachError, constant, picture, unknown
from photosite.graph.reach.line import NOTHING, Interval
from photosite.graph.table import TABLE


@dataclass(frozen=True)
class ReceptiveField:
    """How far the values of one node see.

    Attributes:
        node: its name.
        size: height and width in pixels of the largest field, as if the picture had no borders; None if unknown.
        jump: pixels from one place to the next, down and across; 0 where the value has no places in that direction.
        start: the interval of the first place, down and across.
        global_by: operations that make it see everything, beside the local field.
        unaligned: sums on the way whose terms are centered elsewhere.
        unknown: why nothing is known; "" where it is.
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
        height, width = (self.field.size(way) for way in DIRECTIONS)
        return (height, width) if height and width else None

    @property
    def jump(self) -> tuple[Fraction, Fraction]:
        """Pixels from one place to the next."""
        down, across = (self.field.jump(way) for way in DIRECTIONS)
        return down, across

    def interval(self, way: str, place: int) -> Interval:
        """First and last pixel that a place sees in a direction, beyond the borders if it reaches there.

        Args:
            way: "y" or "x".
            place: the index of a row or a column of places.
        Raises:
            UnknownNameError: the value has no places in that direction, or in pieces.
        """
        part = self._only(way)
        low, high = part.line.at(place)
        base = self.field.base[way]
        return (low + base[0], high + base[1]) if (low, high) != NOTHING else NOTHING

    def box(self, way: str, place: int) -> Interval | None:
        """First and last pixel that a place really sees: padding, of the picture or of any layer, is nothing.

        Args:
            way: "y" or "x".
            place: the index of a row or a column of places.
        Returns:
            The interval; None where it sees no pixel, or where that is not known (axes cut and not put together).
        Raises:
            UnknownNameError: the value has no places in that direction, or in pieces.
        """
        line = self._only(way).line
        if line.seen is None or self.field.base[way] != (0, 0):
            return None
        found = line.really(place)
        return found if found[0] <= found[1] else None

    def phases(self, way: str) -> list[int]:
        """The sizes of the fields of neighboring places: more than one behind an upsampling."""
        base = self.field.base[way]
        return [high - low + 1 + base[1] - base[0] for low, high in self._only(way).line.intervals]

    def _only(self, way: str) -> Part:
        parts = self.field.parts(way)
        if len(parts) != 1:
            raise UnknownNameError("axis of places", way, ("y", "x") if parts else ())
        return parts[0]

    @property
    def global_by(self) -> tuple[str, ...]:
        """Operations that make it see everything."""
        return self.field.global_by

    @property
    def unknown(self) -> str:
        """Why nothing is known."""
        return self.field.unknown


class ReceptiveFields:
    """The receptive fields of all values of a graph.

    Args:
        graph: functional.
        rows: the input's axis that runs down the picture.
        columns: the input's axis that runs across it.
    """

    def __init__(self, graph: Graph, rows: int = 2, columns: int = 3) -> None:
        self.graph = graph
        self._fields = _walk(graph, rows, columns)

    def __getitem__(self, node: str) -> ReceptiveField:
        """The field of a node; by a module's path, that of the last value that the module made."""
        name = self._last_of.get(node) or self.graph.node(node).name
        found = self._fields[name]
        return ReceptiveField(name, found[0] if isinstance(found, list) else found)

    @cached_property
    def _last_of(self) -> dict[str, str]:
        names = {node.name for node in self.graph}
        return {node.module: node.name for node in self.graph if node.module and node.module not in names}

    @cached_property
    def unknown(self) -> dict[str, str]:
        """Nodes of which nothing is known, and why."""
        found = {name: one for name, one in self._fields.items() if isinstance(one, Field)}
        return {name: one.unknown for name, one in found.items() if one.unknown}


def _walk(graph: Graph, rows: int, columns: int) -> dict[str, Field | list[Field]]:
    fields: dict[str, Any] = {
        name: picture(shape, rows, columns) if len(shape) == 4 else constant(shape)
        for name, shape in zip(graph.inputs, graph.input_shapes, strict=True)
    }
    fields |= {name: constant(info.shape) for name, info in graph.parameters.items()}
    fields |= {name: constant(held.array.shape) for name, held in graph.constants.items()}
    for node in graph:
        fields[node.name] = _of(node, fields)
    return fields


def _of(node: Node, fields: Mapping[str, Any]) -> Field | list[Field]:
    if node.op == "getitem":
        several, index = node.args
        assert isinstance(several, Ref)
        piece: Field = fields[several.name][index]
        return piece
    read = [one for name in node.inputs for one in _flat(fields[name])]
    lost = next((one for one in read if one.unknown), None)
    if lost is not None:
        return _alike(node, lost.unknown)
    row = TABLE.get(node.op)
    if row is None or row.reach is None:
        if not any(one.depends for one in read):
            made = [constant(shape) for shape in node.shapes]
            return made if len(made) > 1 else made[0]
        return _alike(node, f"{node.name}: what {node.op} depends on is not written down")
    call = Call(
        node.name,
        node.shapes,
        [_thawed(argument, fields) for argument in node.args],
        {key: _thawed(argument, fields) for key, argument in node.kwargs.items()},
    )
    try:
        found: Field | list[Field] = row.reach(call)
    except ReachError as error:
        return _alike(node, str(error))
    for one, shape in zip(_flat(found), node.shapes, strict=False):
        if one.shape != shape:
            return _alike(node, f"{node.name}: {node.op} was followed to {one.shape}, and has {shape}")
    return found


def _alike(node: Node, why: str) -> Field | list[Field]:
    several = [unknown(shape, why) for shape in node.shapes]
    return several if len(several) > 1 else several[0]


def _flat(found: Any) -> list[Field]:
    return list(found) if isinstance(found, list) else [found]


def _thawed(argument: Argument, fields: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        return fields[argument.name]
    return [_thawed(part, fields) for part in argument] if isinstance(argument, tuple) else argument
