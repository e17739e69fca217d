"""Operations that move numbers and compute nothing: views, slices, joins, rolls, pads, shuffles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    line_of,
    named,
    plain,
    side_of,
    tidy,
    ways_of,
)
from photosite.graph.reach.places import NOTHING, Interval
from photosite.graph.reach.summing import partner
from photosite.graph.reach.together import combined


def reshape(call: Call) -> Field:
    """The same numbers on other axes."""
    return reshaped(call.x, call.shape, call.name)


def reshaped(x: Field, shape: Sequence[int], who: str) -> Field:
    """Axes cut and put together again, exactly."""
    if not x.depends:
        return constant(shape)
    if 0 in shape:
        return replace(x, axes=tuple(plain(side) for side in shape))
    old, new, done = [*x.axes], list(shape), list[Axis]()
    while old or new:
        group = [old.pop(0)] if old else []
        wanted = [new.pop(0)] if new else []
        while (have := math.prod(map(side_of, group))) != (want := math.prod(wanted)):
            if have < want or (have == want and not wanted):
                group.append(old.pop(0))
            else:
                wanted.append(new.pop(0))
        if wanted:
            done += _regrouped(group, wanted, who)
        else:  # axes of one index went away
            x = replace(x, base=_with_places(x, group))
    return replace(x, axes=tuple(done))


def _with_places(x: Field, axes: Sequence[Axis]) -> dict[str, Interval]:
    """What is around all numbers, and the first place of some axes."""
    base = dict(x.base)
    for axis in axes:
        for part in axis[0]:
            if part.way:
                low, high = part.line.at(0)
                base[part.way] = (base[part.way][0] + low, base[part.way][1] + high)
    return base


def _regrouped(axes: Sequence[Axis], shape: Sequence[int], who: str) -> list[Axis]:
    """Some axes whose sides multiply to those of a shape."""
    if len(axes) == len(shape) == 1:
        return [axes[0]]
    if not any(ways_of(axis) for axis in axes):
        return [plain(side) for side in shape]
    if any(len(axis) > 1 for axis in axes):
        real = [axis for axis in axes if side_of(axis) > 1]
        sides = [side for side in shape if side > 1]
        if len(real) == len(sides) == 1:  # only axes of one index came or went
            return [real[0] if side > 1 else plain(1) for side in shape]
        raise ReachError(f"{who} cuts an axis that joins tokens of several kinds")
    parts = [part for axis in axes for part in axis[0]]
    done: list[Axis] = []
    for side in shape:
        mine: list[Part] = []
        need = side
        while need > 1 or (not mine and parts and parts[0].side == 1):
            if not parts:
                break
            part = parts.pop(0)
            if need % part.side == 0:
                mine.append(part)
                need //= part.side
            elif part.side % need == 0:
                outer, inner = _halves(part, need, who)
                mine.append(outer)
                parts.insert(0, inner)
                need = 1
            else:
                raise ReachError(f"{who} cuts rows or columns unevenly: {part.side} into {need}")
        done.append((tidy(mine) or (Part(1),),))
    rest = [part for part in parts if part.way]
    if rest:
        done[-1] = (tidy([*done[-1][0], *rest]),)
    return done


def _halves(part: Part, count: int, who: str) -> tuple[Part, Part]:
    """A part as an outer one of `count` indices and an inner one."""
    inner = part.side // count
    if not part.way:
        return Part(count), Part(inner)
    if inner % part.line.period == 0:
        outer, within = part.line.cut(inner)
        return Part(count, part.way, outer), Part(inner, part.way, within)
    raise ReachError(f"{who} cuts rows or columns between places that see different windows")


def permute(call: Call) -> Field:
    """Axes in another order."""
    order = [dim % len(call.x.axes) for dim in call.get(1, "dims")]
    return replace(call.x, axes=tuple(call.x.axes[dim] for dim in order))


def transpose(call: Call) -> Field:
    """Two axes change places."""
    axes = list(call.x.axes)
    one, other = call.get(1, "dim0"), call.get(2, "dim1")
    axes[one], axes[other] = axes[other], axes[one]
    return replace(call.x, axes=tuple(axes))


def turned(call: Call) -> Field:
    """All axes in reverse order."""
    return replace(call.x, axes=call.x.axes[::-1])


def matrix_turned(call: Call) -> Field:
    """The last two axes change places."""
    return replace(call.x, axes=(*call.x.axes[:-2], call.x.axes[-1], call.x.axes[-2]))


def movedim(call: Call) -> Field:
    """Some axes move to other places."""
    source, goal = (
        [dim % len(call.x.axes) for dim in ((given,) if isinstance(given, int) else given)]
        for given in (call.get(1, "source"), call.get(2, "destination"))
    )
    rest = [dim for dim in range(len(call.x.axes)) if dim not in source]
    for place, dim in sorted(zip(goal, source, strict=True)):
        rest.insert(place, dim)
    return replace(call.x, axes=tuple(call.x.axes[dim] for dim in rest))


def squeeze(call: Call) -> Field:
    """Axes of one index go away; what they said of their place goes into all numbers."""
    dims = call.get(1, "dim")
    chosen = range(len(call.x.axes)) if dims is None else (dims,) if isinstance(dims, int) else dims
    gone = {dim % len(call.x.axes) for dim in chosen if side_of(call.x.axes[dim]) == 1}
    base = _with_places(call.x, [call.x.axes[dim] for dim in gone])
    return replace(call.x, base=base, axes=tuple(axis for dim, axis in enumerate(call.x.axes) if dim not in gone))


def unsqueeze(call: Call) -> Field:
    """An axis of one index more."""
    axes = list(call.x.axes)
    axes.insert(call.get(1, "dim") % (len(axes) + 1), plain(1))
    return replace(call.x, axes=tuple(axes))


def expand(call: Call) -> Field:
    """Repeated along axes of one index."""
    return combined(call.shape, call.name, [call.x])


def sliced(call: Call) -> Field:
    """A range of an axis."""
    dim, start, step = call.get(1, "dim", 0), call.get(2, "start") or 0, call.get(4, "step", 1)
    side = side_of(call.x.axes[dim])
    first = max(start + side, 0) if start < 0 else min(start, side)
    return _cut(call.x, dim, _cut_out(call.x.axes[dim], first, call.shape[dim], step, call.name))


def narrow(call: Call) -> Field:
    """So many in a row of an axis."""
    dim, start = call.get(1, "dim"), call.get(2, "start")
    first = start % side_of(call.x.axes[dim])
    return _cut(call.x, dim, _cut_out(call.x.axes[dim], first, call.shape[dim], 1, call.name))


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
        left = _cut(replace(call.x, base=_with_places(call.x, [one])), dim, plain(1))
    return replace(left, axes=tuple(axis for number, axis in enumerate(left.axes) if number != dim % len(left.axes)))


def split(call: Call) -> list[Field]:
    """Pieces of an axis."""
    dim = call.get(2, "dim", 0) if len(call.shapes) else 0
    pieces, start = [], 0
    for shape in call.shapes:
        side = shape[dim]
        pieces.append(_cut(call.x, dim, _cut_out(call.x.axes[dim], start, side, 1, call.name)))
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
    return with_axis(found, dim, _in_a_row([one.axes[dim] for one in fields], call.shape[dim]))


def stack(call: Call) -> Field:
    """Side by side along a new axis."""
    dim = call.get(1, "dim", 0) % len(call.shape)
    fields = [replace(one, axes=(*one.axes[:dim], plain(1), *one.axes[dim:])) for one in call.args[0]]
    return cat(Call(call.name, call.shapes, (fields, dim), {}))


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


def roll(call: Call) -> Field:
    """Numbers moved along axes, what falls off comes in at the other end; rolled back they are where they were."""
    shifts, dims = call.get(1, "shifts"), call.get(2, "dims", ())
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    x = call.x
    if not dims:
        if any(ways_of(axis) for axis in x.axes):
            raise ReachError(f"{call.name} rolls all numbers in one row")
        return x
    for shift, dim in zip(shifts, dims, strict=True):
        axis = x.axes[dim]
        if not ways_of(axis):
            continue
        way, line = line_of(axis, call.name)
        side = side_of(axis)
        x = with_axis(x, dim, ((Part(side, way, line.rolled(shift, side)),),))
    return x


def flip(call: Call) -> Field:
    """Axes in reverse."""
    x, dims = call.x, call.get(1, "dims")
    for dim in (dims,) if isinstance(dims, int) else dims:
        if ways_of(x.axes[dim]):
            way, line = line_of(x.axes[dim], call.name)
            last = side_of(x.axes[dim]) - 1
            x = with_axis(x, dim, ((Part(last + 1, way, line.reading(lambda i, n=last: [n - i], 1, -1)),),))  # type: ignore[misc]
    return x


def pad(call: Call) -> Field:
    """More around, or less."""
    return _padded(call, call.get(1, "pad"), call.get(2, "mode", "constant"))


def reflection_pad(call: Call) -> Field:
    """More around, mirrored."""
    return _padded(call, call.get(1, "padding"), "reflect")


def replication_pad(call: Call) -> Field:
    """More around, the border again and again."""
    return _padded(call, call.get(1, "padding"), "replicate")


def _padded(call: Call, given: Sequence[int], mode: str) -> Field:
    x = call.x
    for number in range(len(given) // 2):
        dim = len(x.axes) - 1 - number
        if not ways_of(x.axes[dim]):
            x = with_axis(x, dim, plain(call.shape[dim]))
            continue
        way, line = line_of(x.axes[dim], call.name)
        before, side = given[2 * number], side_of(x.axes[dim])
        moved = line.reading(lambda i, b=before: (i - b,), 1, 1, _source_of(mode, before, side))  # type: ignore[misc]
        x = with_axis(x, dim, ((Part(call.shape[dim], way, moved),),))
    return x


def _source_of(mode: str, before: int, side: int) -> Callable[[int], tuple[int, ...]]:
    """From an index behind a pad to the one before it, in a real picture."""
    if mode == "circular":
        return lambda i: ((i - before) % side,)
    if mode == "replicate":
        return lambda i: (min(max(i - before, 0), side - 1),)
    if mode == "reflect":
        return lambda i: (side - 1 - abs(side - 1 - abs(i - before)),)
    return lambda i: (i - before,)


def repeat(call: Call) -> Field:
    """The whole again and again."""
    times = call.get(1, "repeats")
    axes = [plain(1)] * (len(times) - len(call.x.axes)) + list(call.x.axes)
    done = []
    for axis, count, side in zip(axes, times, call.shape, strict=True):
        if ways_of(axis) and count != 1 and len(axis) > 1:
            raise ReachError(f"{call.name} repeats an axis that joins tokens of several kinds")
        done.append(plain(side) if not ways_of(axis) else axis if count == 1 else (tidy((Part(count), *axis[0])),))
    return replace(call.x, axes=tuple(done))


def tile(call: Call) -> Field:
    """As `repeat`, with 1 for axes that are left out in front."""
    times = call.get(1, "dims")
    every = [*[1] * (len(call.x.axes) - len(times)), *times]
    return repeat(Call(call.name, call.shapes, (call.x, every), {}))


def copy(call: Call) -> Field:
    """Another array's numbers, repeated to the first one's shape."""
    return combined(call.shape, call.name, [call.args[1]])


def repeat_interleave(call: Call) -> Field:
    """Each index again and again, right behind itself."""
    count, dim = call.get(1, "repeats"), call.get(2, "dim")
    if not isinstance(count, int) or dim is None:
        if any(ways_of(axis) for axis in call.x.axes):
            raise ReachError(f"{call.name} repeats places by numbers that only the picture or the weights know")
        return replace(call.x, axes=tuple(plain(side) for side in call.shape))
    axis = call.x.axes[dim]
    if not ways_of(axis):
        return with_axis(call.x, dim, plain(call.shape[dim]))
    way, line = line_of(axis, call.name)
    return with_axis(call.x, dim, ((Part(call.shape[dim], way, line.reading(lambda i: [i // count], count, 1)),),))


def index(call: Call) -> Field:
    """Numbers by position; whole axes stay, positions along rows or columns would have to be looked up."""
    keys = list(call.args[1])
    if not call.x.depends:
        return constant(call.shape)
    chosen = [dim for dim, key in enumerate(keys) if key is not None]
    if any(ways_of(call.x.axes[dim]) for dim in chosen):
        raise ReachError(f"{call.name} takes places of the picture by number")
    rest = [axis for dim, axis in enumerate(call.x.axes) if dim not in chosen]
    new = len(call.shape) - len(rest)
    at = chosen[0] if chosen and chosen == list(range(chosen[0], chosen[-1] + 1)) else 0
    axes = [*rest[:at], *(plain(1) for _ in range(new)), *rest[at:]]
    fits = [axis if ways_of(axis) else plain(side) for axis, side in zip(axes, call.shape, strict=True)]
    return replace(call.x, axes=tuple(fits))


def halved(call: Call) -> Field:
    """One half of an axis weighed by the other."""
    dim = call.get(1, "dim", -1)
    if ways_of(call.x.axes[dim]):
        raise ReachError(f"{call.name} weighs one half of the picture by the other")
    return with_axis(call.x, dim, plain(call.shape[dim]))


def by_number(call: Call) -> Field:
    """What moves places of the picture by numbers that only a run knows."""
    if call.x.depends and any(ways_of(axis) for axis in call.x.axes):
        raise ReachError(f"{call.name} moves places of the picture by numbers that only a run knows")
    if not any(one.depends for one in call.fields):
        return constant(call.shape)
    moving = [one for one in call.fields if one.depends]
    found = replace(moving[0], axes=tuple(plain(side) for side in call.shape))
    return named(found, *(by for one in moving for by in one.global_by))


def with_axis(x: Field, dim: int, axis: Axis) -> Field:
    """With another axis in the place of one."""
    axes = list(x.axes)
    axes[dim] = axis
    return replace(x, axes=tuple(axes))


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
