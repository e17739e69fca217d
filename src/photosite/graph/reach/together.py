"""Several operands in one value: sums and products place by place, and sums of products over shared axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from photosite.graph.reach.field import (
    DIRECTIONS,
    Axis,
    Field,
    Part,
    ReachError,
    constant,
    named,
    plain,
    side_of,
    unknown,
    ways_of,
)
from photosite.graph.reach.places import Interval, hull
from photosite.graph.reach.summing import as_one, collapsed, folded, seeing, summed


def combined(shape: Sequence[int], name: str, fields: Sequence[Field]) -> Field:
    """Operands repeated to one shape and put together place by place.

    What sees everything and has no place of its own (a gate behind a mean over the picture) does not widen the local
    field of the others: it is named.

    Args:
        shape: of the result.
        name: of the operation, for `unaligned`.
        fields: of the operands.
    """
    moving = [folded(one) for one in fields if one.depends]
    if not moving:
        return constant(shape)
    whole = frozenset.intersection(*(one.whole for one in moving))
    local = [one for one in moving if any(one.runs(way) for way in DIRECTIONS)] or moving
    local, gates = _of_windows(local)
    aligned = True
    axes: list[Axis] = []
    for dim in range(-len(shape), 0):
        candidates = [one.axes[dim] for one in local if len(one.axes) >= -dim and side_of(one.axes[dim]) == shape[dim]]
        running = [axis for axis in candidates if ways_of(axis)]
        axis = running[0] if running else plain(shape[dim])
        for other in running[1:]:
            axis, fits = _joined(axis, other, name)
            aligned = aligned and fits
        axes.append(axis)
    found = Field(tuple(axes), _base(tuple(axes), local), True, whole)
    for gate in gates:
        found = _with(found, gate, name)
    found = named(found, *(by for one in moving for by in one.global_by))
    unaligned = dict.fromkeys([by for one in moving for by in one.unaligned] + ([] if aligned else [name]))
    return replace(found, unaligned=tuple(unaligned))


def _of_windows(fields: Sequence[Field]) -> tuple[list[Field], list[Field]]:
    """Those that have a place for each of the places, and those that have one for each window of them."""
    most = {way: max(len(one.parts(way)) for one in fields) for way in DIRECTIONS}
    gates = [one for one in fields if any(0 < len(one.parts(way)) < most[way] for way in DIRECTIONS)]
    return [one for one in fields if not any(one is gate for gate in gates)], gates


def _with(found: Field, other: Field, name: str) -> Field:
    for way in DIRECTIONS:
        if other.runs(way):
            wider = seeing(found, other, way)
            if wider is None:
                raise ReachError(f"{name} combines values whose axes are cut differently")
            found = wider
    return found


def _base(axes: tuple[Axis, ...], local: Sequence[Field]) -> dict[str, Interval]:
    """What is around all numbers: nothing where an axis runs, since `folded` put it there."""
    running = {way for axis in axes for way in ways_of(axis)}
    return {way: (0, 0) if way in running else hull(one.base[way] for one in local) for way in DIRECTIONS}


def _joined(a: Axis, b: Axis, name: str) -> tuple[Axis, bool]:
    """Two axes of one side as one, with the smallest intervals that hold both; and whether their centers agree."""
    if _cuts(a) != _cuts(b):
        a, b = _in_one(a), _in_one(b)
    if _cuts(a) != _cuts(b):
        raise ReachError(f"{name} combines values whose axes are cut differently")
    fits, segments = True, []
    for one, other in zip(a, b, strict=True):
        parts = []
        for p, q in zip(one, other, strict=True):
            line = p.line.joined(q.line) if p.way else p.line
            if line is None:
                line = p.line.one_by_one(q.line, p.side)
            fits = fits and (not p.way or p.line.centered_as(q.line))
            parts.append(Part(p.side, p.way, line))
        segments.append(tuple(parts))
    return tuple(segments), fits


def _cuts(axis: Axis) -> list[list[tuple[int, str]]]:
    return [[(part.side, part.way) for part in segment] for segment in axis]


def _in_one(axis: Axis) -> Axis:
    """Places that each stand for several indices in a row, as one line of those."""
    if len(axis) > 1 or len(axis[0]) != 2 or not axis[0][0].way or axis[0][1].way:
        return axis
    part, count = axis[0][0], axis[0][1].side
    return ((Part(part.side * count, part.way, replace(part.line, half=None).repeated(count)),),)


def product(shape: Sequence[int], name: str, terms: Sequence[str], out: str, fields: Sequence[Field]) -> Field:
    """A sum of products over named axes, as in "ij,jk->ik".

    Where one operand alone depends on the input, axes that are summed widen its field. Where both do, the weights
    depend on the picture (attention): what is summed is named, and the field is that of the places which stay.

    Args:
        shape: of the result.
        name: of the operation.
        terms: a letter for each axis of each operand.
        out: those of the result.
        fields: of the operands.
    """
    moving = [(term, folded(one)) for term, one in zip(terms, fields, strict=True) if one.depends]
    if not moving:
        return constant(shape)
    known = [(term, one) for term, one in moving if not one.unknown]
    if not known:
        return unknown(shape, moving[0][1].unknown)
    if len(known) < len(moving):  # where the other one's places lie is not known, but it weighs or is weighed
        return named(product(shape, name, [term for term, _ in known], out, [one for _, one in known]), name)
    if len(moving) == 1:
        term, one = moving[0]
        one = summed(one, [dim for dim, letter in enumerate(term) if letter not in out], name, keep=True)
        found = [one.axes[term.index(letter)] if letter in term else plain(1) for letter in out]
        sides = zip(found, shape, strict=True)
        return replace(one, axes=tuple(axis if side_of(axis) == side else plain(side) for axis, side in sides))
    names = [by for _, one in moving for by in one.global_by]
    owners: dict[str, int] = {}  # whose own axis runs in a direction
    axes: list[Axis] = []
    mixed: list[tuple[int, int]] = []  # operand and axis: what is summed up, or runs beside another's axis
    for letter, side in zip(out, shape, strict=True):
        having = [number for number, (term, _) in enumerate(moving) if letter in term]
        found = [moving[number][1].axes[moving[number][0].index(letter)] for number in having]
        running = [axis for axis in found if side_of(axis) == side and ways_of(axis)]
        axis = running[0] if running else plain(side)
        if len(having) == 1 and any(owners.setdefault(way, having[0]) != having[0] for way in ways_of(axis)):
            axis = plain(side)  # both operands run in this direction, along axes of their own
            mixed.append((having[0], moving[having[0]][0].index(letter)))
        axes.append(axis)
    for number, (term, one) in enumerate(moving):
        mixed += [(number, dim) for dim, letter in enumerate(term) if letter not in out and ways_of(one.axes[dim])]
    local = [one for _, one in moving if any(one.runs(way) for way in DIRECTIONS)] or [one for _, one in moving]
    result, strange = _of_one_grid(Field(tuple(axes), _base(tuple(axes), local)), shape)
    lost = frozenset(way for way in DIRECTIONS if any(one.runs(way) for one in local) and not result.runs(way))
    whole = lost | frozenset.intersection(*(one.whole for _, one in moving))
    result = replace(result, whole=whole, unaligned=tuple(dict.fromkeys(u for _, one in moving for u in one.unaligned)))
    result = named(result, *names, *([name] if lost or strange else []))
    for number, (_, one) in enumerate(moving):
        result = weighed(result, one, [dim for which, dim in mixed if which == number], name, strange)
    return result


def _of_one_grid(x: Field, shape: Sequence[int]) -> tuple[Field, list[str]]:
    """Where windows are asked by places of another grid (one of the whole picture), the windows are the place."""
    strange = [way for way in DIRECTIONS if len(x.parts(way)) > 1 and as_one(x, way) is None]
    axes = list(x.axes)
    for dim, axis in enumerate(axes):
        parts = [part for segment in axis for part in segment if part.way in strange]
        if any(part.line.half is None for part in parts):
            axes[dim] = plain(shape[dim])
    return replace(x, axes=tuple(axes)), strange


def weighed(x: Field, other: Field, dims: Sequence[int], name: str, strange: Sequence[str] = ()) -> Field:
    """With another value summed up along some axes, by weights that the picture itself gives.

    Windows that are summed up from end to end are what each of their places sees then. What is summed up over all of
    the picture is named, and the field is that of the places which stay.

    Args:
        x: the places which stay.
        other: what is summed up.
        dims: along which axes.
        name: of the operation.
        strange: directions in which it has a grid of its own, which is not compared.
    """
    gone = [part for dim in dims for segment in other.axes[dim] for part in segment if part.way]
    left, _ = collapsed(other, dims, keep=True)
    for way in DIRECTIONS:
        if not other.runs(way) or not x.runs(way):
            continue
        here = [part for part in gone if part.way == way]
        inside = all(part.line.half is not None and not part.line.half.outer for part in here)
        wider = seeing(x, left, way) if inside and left.runs(way) else None
        if wider is None and not here and way not in strange:
            raise ReachError(f"{name} multiplies values whose axes are cut differently")
        x = named(x, name) if wider is None else wider
    return x
