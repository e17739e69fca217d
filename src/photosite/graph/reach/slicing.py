"""Operations that take pieces of an axis, or put pieces one behind the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import (
    DIRECTIONS,
    Axis,
    Field,
    Part,
    ReachError,
    constant,
    exchanged,
    plain,
    side_of,
    tidy,
    ways_of,
)
from photosite.graph.reach.moving import with_axis, with_places
from photosite.graph.reach.places import NOTHING
from photosite.graph.reach.summing import partner
from photosite.graph.reach.together import combined


def sliced(call: Call) -> Field:
    """A range of an axis."""
    dim, start, step = call.get(1, "dim", 0), call.get(2, "start") or 0, call.get(4, "step", 1)
    side = side_of(call.x.axes[dim])
    first = max(start + side, 0) if start < 0 else min(start, side)
    return _piece(call.x, dim % len(call.x.axes), first, call.shape[dim], step, call.name)


def narrow(call: Call) -> Field:
    """So many in a row of an axis."""
    dim, start = call.get(1, "dim"), call.get(2, "start")
    first = start % side_of(call.x.axes[dim])
    return _piece(call.x, dim % len(call.x.axes), first, call.shape[dim], 1, call.name)


def select(call: Call) -> Field:
    """One slice of an axis, without the axis."""
    dim, index = call.get(1, "dim"), call.get(2, "index")
    axis = call.x.axes[dim]
    index %= side_of(axis)
    only = axis[0][0] if len(axis) == 1 and len(axis[0]) == 1 else None
    other = None if only is None else partner(call.x, only)
    if other is not None and other.line.half is not None:  # which window, or where in it
        left = with_axis(exchanged(call.x, other, other.line.half.chosen(index)), dim, plain(1))
    else:
        one = _cut_out(axis, index, 1, 1, call.name)
        left = _cut(replace(call.x, base=with_places(call.x, [one])), dim, plain(1))
    return replace(left, axes=tuple(axis for number, axis in enumerate(left.axes) if number != dim % len(left.axes)))


def split(call: Call) -> list[Field]:
    """Pieces of an axis."""
    dim = call.get(2, "dim", 0) if len(call.shapes) else 0
    pieces, start = [], 0
    for shape in call.shapes:
        side = shape[dim]
        pieces.append(_piece(call.x, dim % len(call.x.axes), start, side, 1, call.name))
        start += side
    return pieces


def unbind(call: Call) -> list[Field]:
    """All slices of an axis, without it."""
    dim = call.get(1, "dim", 0)
    count = side_of(call.x.axes[dim])
    return [
        select(Call(call.name, [shape], (call.x, dim, number), {}))
        for number, shape in zip(range(count), call.shapes, strict=True)
    ]


def cat(call: Call) -> Field:
    """One behind the other along an axis."""
    fields = [one for one in call.args[0] if one.shape != (0,)]
    dim = call.get(1, "dim", 0) % len(call.shape)
    if not any(one.depends for one in fields):
        return constant(call.shape)
    stand_in = [replace(one, axes=(*one.axes[:dim], plain(1), *one.axes[dim + 1 :])) for one in fields]
    shape = (*call.shape[:dim], 1, *call.shape[dim + 1 :])
    found = combined(shape, call.name, stand_in)
    row = _in_a_row([one.axes[dim] for one in fields], call.shape[dim])
    return replace(with_axis(found, dim, row), pieces=() if ways_of(row) else tuple(fields), pieces_dim=dim)


def stack(call: Call) -> Field:
    """Side by side along a new axis."""
    dim = call.get(1, "dim", 0) % len(call.shape)
    fields = [replace(one, axes=(*one.axes[:dim], plain(1), *one.axes[dim:])) for one in call.args[0]]
    return cat(Call(call.name, call.shapes, (fields, dim), {}))


def _piece(x: Field, dim: int, first: int, side: int, step: int, name: str) -> Field:
    """A range of an axis; of channels that were put one behind the other, those alone that it holds."""
    if x.pieces and x.pieces_dim == dim and step == 1:
        inside, place = [], 0
        for one in x.pieces:
            count = one.shape[dim]
            low, high = max(first, place), min(first + side, place + count)
            if low < high:
                inside.append(_piece(one, dim, low - place, high - low, 1, name))
            place += count
        shape = (*x.shape[:dim], side, *x.shape[dim + 1 :])
        return inside[0] if len(inside) == 1 else cat(Call(name, [shape], (inside, dim), {}))
    pieces = tuple(_piece(one, dim, first, side, step, name) for one in x.pieces if x.pieces_dim != dim)
    return replace(_cut(x, dim, _cut_out(x.axes[dim], first, side, step, name)), pieces=pieces)


def _in_a_row(axes: Sequence[Axis], side: int) -> Axis:
    if not any(ways_of(axis) for axis in axes):
        return plain(side)
    pieces = [segment for axis in axes for segment in axis]
    if len(pieces) > 1 and all(len(piece) == 1 and piece[0].way for piece in pieces):
        joined = _continued([piece[0] for piece in pieces])  # rows that were cut and put together again, as in a roll
        if joined:
            return ((joined,),)
    return tuple(pieces)


def _continued(parts: Sequence[Part]) -> Part | None:
    """Pieces of one line as one: each begins where the last one ended, or, in a rolled picture, all over again."""
    first, place, side = parts[0], parts[0].side, sum(part.side for part in parts)
    for part in parts[1:]:
        ahead = (place, place - side)
        if part.way != first.way or not any(
            all(part.line.at(i) == first.line.at(start + i) for i in range(part.side)) for start in ahead
        ):
            return None
        place += part.side
    seen = [part.line.seen for part in parts]
    really = None if any(one is None for one in seen) else tuple(places for one in seen for places in one or ())
    return Part(side, first.way, replace(first.line, seen=really, rule=None, half=None))


def _cut(x: Field, dim: int, axis: Axis) -> Field:
    """With a part of an axis in its place. A class token alone has no place: it sees through attention alone."""
    found = with_axis(x, dim, axis)
    lost = frozenset(way for way in DIRECTIONS if x.runs(way) and not found.runs(way))
    if not lost or len(x.axes[dim]) == 1:
        return found
    return replace(found, whole=found.whole | lost, base={**found.base, **dict.fromkeys(lost, NOTHING)})


def _cut_out(axis: Axis, first: int, side: int, step: int, who: str) -> Axis:
    """A range of an axis: `side` indices from `first` on, `step` apart."""
    if not ways_of(axis):
        return plain(side)
    if (first, step, side) == (0, 1, side_of(axis)):
        return axis
    start = 0
    for segment in axis:
        count = math.prod(part.side for part in segment)
        if (first, side, step) == (start, count, 1):
            return (segment,)  # all tokens of one kind
        if len(axis) > 1 and start <= first and first + (side - 1) * step < start + count:
            return _cut_out((segment,), first - start, side, step, who)
        start += count
    if len(axis) > 1:
        bounds = [0]
        for segment in axis:
            bounds.append(bounds[-1] + math.prod(part.side for part in segment))
        if step == 1 and first in bounds and first + side in bounds:
            return axis[bounds.index(first) : bounds.index(first + side)]
        raise ReachError(f"{who} takes a part of an axis that joins tokens of several kinds")
    parts = tidy(axis[0])
    if len(parts) == 1 and parts[0].way:
        line = parts[0].line.windows(1, step, -first, 1)
        return ((Part(side, parts[0].way, line),),)
    inner = math.prod(part.side for part in parts[1:])
    if parts and step == 1 and first % inner == 0 and side % inner == 0:
        outer = _cut_out(((parts[0],),), first // inner, side // inner, 1, who)
        return (tidy((*outer[0], *parts[1:])),)
    raise ReachError(f"{who} takes a part of an axis that holds rows and columns in pieces")
