"""Operations that lay a picture out anew as a whole: rolled, mirrored, turned, repeated, with more around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import (
    Field,
    Part,
    ReachError,
    line_of,
    plain,
    side_of,
    tidy,
    ways_of,
)
from photosite.graph.reach.moving import transpose, with_axis


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


def rot90(call: Call) -> Field:
    """Quarter turns."""
    turns, (one, other) = call.get(1, "k", 1) % 4, call.get(2, "dims", (0, 1))
    x = call.x
    for _ in range(turns):  # a quarter turn is the second axis in reverse, and both exchanged
        turned = flip(Call(call.name, [x.shape], (x, [other]), {}))
        x = transpose(Call(call.name, [call.shape], (turned, one, other), {}))
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
        around = given[2 * number : 2 * number + 2]
        in_pieces = len(x.axes[dim]) > 1 or len(tidy(x.axes[dim][0])) > 1
        if mode == "constant" and in_pieces and min(around) >= 0:  # tokens that stand for no place
            first, last = (plain(count) if count else () for count in around)
            x = with_axis(x, dim, (*first, *x.axes[dim], *last))
            continue
        way, line = line_of(x.axes[dim], call.name)
        before, side = around[0], side_of(x.axes[dim])
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
