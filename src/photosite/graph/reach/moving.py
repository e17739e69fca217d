"""Operations that lay the same numbers on other axes: reshapes, permutations, axes that come and go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import (
    Axis,
    Field,
    Part,
    ReachError,
    constant,
    named,
    plain,
    side_of,
    tidy,
    ways_of,
)
from photosite.graph.reach.places import Interval
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
            x = replace(x, base=with_places(x, group))
    return replace(x, axes=tuple(done))


def with_places(x: Field, axes: Sequence[Axis]) -> dict[str, Interval]:
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
                outer, inner = _halves(part, need)
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


def _halves(part: Part, count: int) -> tuple[Part, Part]:
    """A part as an outer one of `count` indices and an inner one."""
    inner = part.side // count
    if not part.way:
        return Part(count), Part(inner)
    outer, within = part.line.cut(inner)
    return Part(count, part.way, outer), Part(inner, part.way, within)


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
    base = with_places(call.x, [call.x.axes[dim] for dim in gone])
    return replace(call.x, base=base, axes=tuple(axis for dim, axis in enumerate(call.x.axes) if dim not in gone))


def unsqueeze(call: Call) -> Field:
    """An axis of one index more."""
    axes = list(call.x.axes)
    axes.insert(call.get(1, "dim") % (len(axes) + 1), plain(1))
    return replace(call.x, axes=tuple(axes))


def expand(call: Call) -> Field:
    """Repeated along axes of one index."""
    return combined(call.shape, call.name, [call.x])


def diagonal(call: Call) -> Field:
    """The diagonal of two axes, as the last one."""
    dims = [dim % len(call.x.axes) for dim in (call.get(2, "dim1", 0), call.get(3, "dim2", 1))]
    if any(ways_of(call.x.axes[dim]) for dim in dims):
        raise ReachError(f"{call.name} takes a diagonal of the picture")
    rest = [axis for dim, axis in enumerate(call.x.axes) if dim not in dims]
    return replace(call.x, axes=(*rest, plain(call.shape[-1])))


def meshgrid(call: Call) -> list[Field]:
    """Lines repeated across one another."""
    fields, order = call.args[0], list(range(len(call.shape)))
    if call.get(1, "indexing", "ij") == "xy":
        order[:2] = order[1::-1]
    made = []
    for number, one in enumerate(fields):
        axes = [plain(side) for side in call.shape]
        axes[order[number]] = one.axes[0] if one.axes else plain(1)
        made.append(replace(one, axes=tuple(axes)))
    return made


def as_complex(call: Call) -> Field:
    """Pairs as complex numbers."""
    if ways_of(call.x.axes[-1]):
        raise ReachError(f"{call.name} pairs places of the picture")
    return replace(call.x, axes=call.x.axes[:-1])


def as_pairs(call: Call) -> Field:
    """Complex numbers as pairs."""
    return replace(call.x, axes=(*call.x.axes, plain(2)))


def copy(call: Call) -> Field:
    """Another array's numbers, repeated to the first one's shape."""
    return combined(call.shape, call.name, [call.args[1]])


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
