"""Axes summed up, also where rows and columns were cut into windows: what is left sees all that was summed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from photosite.graph.reach.field import (
    DIRECTIONS,
    Field,
    Part,
    Segment,
    exchanged,
    named,
    plain,
    side_of,
    tidy,
    ways_of,
)
from photosite.graph.reach.line import Half, Line
from photosite.graph.reach.places import NOTHING, Interval, hull


def summed(x: Field, dims: Iterable[int], name: str, *, keep: bool) -> Field:
    """Axes summed up: what they stood for is around every number that is left.

    Args:
        x: of the operand.
        dims: the axes.
        name: of the operation, for `global_by`.
        keep: whether they stay, with side 1.
    """
    found, lost = collapsed(x, dims, keep=keep)
    return named(replace(found, whole=found.whole | lost), name) if lost and x.depends else found


def collapsed(x: Field, dims: Iterable[int], *, keep: bool) -> tuple[Field, frozenset[str]]:
    """Axes summed up, as in `summed`, and the directions in which no place is left."""
    chosen = set(dims)
    gone = [part for dim in chosen for segment in x.axes[dim] for part in segment if part.way]
    x, settled = _without_halves(x, gone)
    base = dict(x.base)
    for way in DIRECTIONS:
        low, high = base[way]
        for dim in chosen:
            segments = (tuple(p for p in segment if not any(p is part for part in settled)) for segment in x.axes[dim])
            inner = hull(_extent(segment, way) for segment in segments if any(p.way == way for p in segment))
            if inner != NOTHING:
                low, high = low + inner[0], high + inner[1]
        base[way] = (low, high)
    axes = tuple(plain(1) if dim in chosen else axis for dim, axis in enumerate(x.axes) if keep or dim not in chosen)
    found = folded(replace(x, axes=axes, base=base))
    return found, frozenset(way for way in DIRECTIONS if x.runs(way) and not found.runs(way))


def smeared(x: Field) -> list[Field]:
    """With an axis that holds rows and columns in pieces as one of no place: each index counts for all of them.

    Returns:
        A field for each such axis, and one for all of them together; none that would have no place left at all.
    """
    dims = [dim for dim, axis in enumerate(x.axes) if ways_of(axis) and (len(axis) > 1 or len(axis[0]) > 1)]
    made = []
    for chosen in [[dim] for dim in dims] + ([dims] if len(dims) > 1 else []):
        found, lost = collapsed(x, chosen, keep=True)
        if len(lost) < len(DIRECTIONS):
            axes = (plain(side_of(x.axes[dim])) if dim in chosen else axis for dim, axis in enumerate(found.axes))
            made.append(replace(found, axes=tuple(axes), whole=found.whole | lost, pieces=()))
    return made


def _extent(segment: Segment, way: str) -> Interval:
    low = high = 0
    for part in segment:
        if part.way == way:
            inner = part.line.whole(part.side)
            low, high = low + inner[0], high + inner[1]
    return low, high


def _without_halves(x: Field, gone: Iterable[Part]) -> tuple[Field, list[Part]]:
    """Windows whose inside is summed up see what all of it saw: the halves that are left say so themselves then."""
    settled = []
    for part in gone:
        left = partner(x, part)
        if left is not None and left.line.half is not None and not any(left is other for other in gone):
            x = exchanged(x, left, left.line.half.summed(part.side if not left.line.half.outer else left.side))
            settled.append(part)
    return x, settled


def partner(x: Field, part: Part) -> Part | None:
    """The other half of a line that was cut into windows."""
    half = part.line.half
    if half is None:
        return None
    others = (other for other in x.parts(part.way) if other.line.half is not None)
    return next((other for other in others if other.line.half is not None and half.fits(other.line.half)), None)


def seeing(x: Field, other: Field, way: str) -> Field | None:
    """With what another value sees at the same places, where those are x's own, or windows of them.

    Args:
        x: whose places stay.
        other: what it is joined with.
        way: the direction.
    Returns:
        None where the places do not belong together.
    """
    mine, theirs = x.parts(way), other.parts(way)
    if not theirs or other.base[way] != (0, 0):
        return None
    if len(mine) == len(theirs) == 1 and mine[0].side == theirs[0].side:
        joined = mine[0].line.joined(theirs[0].line)
        return None if joined is None else exchanged(x, mine[0], joined)
    halves = _halves(x, way)
    if halves is None:
        return None
    outer, inner, half = halves
    side = outer.side * inner.side
    line = as_one(other, way)
    if len(theirs) == 1 and outer.side == theirs[0].side:
        line = replace(theirs[0].line, half=None).repeated(half.kernel).limited(side)
    whole = None if line is None else half.whole.joined(line)
    return None if whole is None else _exchanged_halves(x, outer, inner, half, whole.limited(side))


def _halves(x: Field, way: str) -> tuple[Part, Part, Half] | None:
    """The two parts of a direction, where they are the halves of one line that can be put together."""
    for outer in x.parts(way):
        half, inner = outer.line.half, partner(x, outer)
        if half is not None and inner is not None and half.outer and half.is_cut and len(x.parts(way)) == 2:
            return outer, inner, half
    return None


def as_one(x: Field, way: str) -> Line | None:
    """The line of a direction that one part runs in, or the halves of one line; None for none and for several."""
    parts = x.parts(way)
    if len(parts) == 1:
        return parts[0].line
    halves = _halves(x, way)
    return halves[2].whole if halves else None


def folded(x: Field) -> Field:
    """What is around all numbers put into the first line of its direction: then fields are compared part by part."""
    for way in DIRECTIONS:
        parts = x.parts(way)
        if x.base[way] == (0, 0) or not parts:
            continue
        first = parts[0]
        other = partner(x, first)
        half = first.line.half
        if half is None or other is None:
            x = exchanged(x, first, first.line.moved(x.base[way]))
        else:
            whole = half.whole.moved(x.base[way])
            if half.whole.seen is not None:
                whole = whole.limited(len(half.whole.seen))
            x = _exchanged_halves(x, first, other, half, whole)
        x = replace(x, base={**x.base, way: (0, 0)})
    return replace(x, axes=tuple(tuple(tidy(segment) for segment in axis) for axis in x.axes))


def _exchanged_halves(x: Field, one: Part, other: Part, half: Half, whole: Line) -> Field:
    outer, inner = whole.windowed(half.kernel, half.stride, half.before, half.dilation)
    first, second = (outer, inner) if half.outer else (inner, outer)
    return exchanged(exchanged(x, one, first), other, second)
