"""Operations that put numbers into places of another value: scatters of slices, and patches laid over one another."""

from __future__ import annotations

from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import Axis, Field, Part, ReachError, constant, line_of, plain, side_of, ways_of
from photosite.graph.reach.line import Line
from photosite.graph.reach.moving import reshaped, with_axis
from photosite.graph.reach.together import combined


def slice_scatter(call: Call) -> Field:
    """A range of an axis overwritten."""
    x, source, dim = call.x, call.args[1], call.get(2, "dim", 0) % len(call.shape)
    start, step, side = call.get(3, "start") or 0, call.get(5, "step", 1), call.shape[dim]
    first = max(start + side, 0) if start < 0 else min(start, side)
    return _overwritten(call, x, source, dim, range(first, first + source.shape[dim] * step, step))


def select_scatter(call: Call) -> Field:
    """One index of an axis overwritten."""
    dim, index = call.get(2, "dim") % len(call.shape), call.get(3, "index") % call.shape[call.get(2, "dim")]
    source: Field = call.args[1]
    axes = (*source.axes[:dim], plain(1), *source.axes[dim:])
    return _overwritten(call, call.x, replace(source, axes=axes), dim, range(index, index + 1))


def _overwritten(call: Call, x: Field, source: Field, dim: int, where: range) -> Field:
    """With places `where` of an axis from another value, and all others as they were."""
    if not x.depends and not source.depends:
        return constant(call.shape)
    side = call.shape[dim]
    theirs = source.axes[dim]
    if not ways_of(theirs):
        if ways_of(x.axes[dim]) and source.depends and len(where) != side:
            raise ReachError(f"{call.name} puts what has no place into rows or columns")
        return combined(call.shape, call.name, [x, with_axis(source, dim, plain(side))])
    way, line = line_of(theirs, call.name)
    spread = line.spread(1, where.step, -where.start, 1).limited(side)
    found = combined(call.shape, call.name, [x, with_axis(source, dim, ((Part(side, way, spread),),))])
    mine = line_of(x.axes[dim], call.name)[1] if x.depends and ways_of(x.axes[dim]) else None
    return with_axis(found, dim, _really(found.axes[dim], mine, spread, where))


def _really(axis: Axis, mine: Line | None, spread: Line, where: range) -> Axis:
    """An axis of which some places are overwritten: those see what the new numbers see, the others what they saw."""
    ((part,),) = axis
    if spread.seen is None or (mine is not None and mine.seen is None):
        return ((Part(part.side, part.way, replace(part.line, seen=None, rule=None)),),)
    kept = mine.seen if mine is not None and mine.seen is not None else (0,) * part.side
    seen = tuple(new if place in where else old for place, (new, old) in enumerate(zip(spread.seen, kept, strict=True)))
    return ((Part(part.side, part.way, replace(part.line, seen=seen, rule=None)),),)


def col2im(call: Call) -> Field:
    """Windows laid where they came from, one over the other, and added up."""
    size, kernel, dilation, padding, stride = (call.get(n, "") for n in (1, 2, 3, 4, 5))
    x = call.x if len(call.x.axes) == 3 else replace(call.x, axes=(plain(1), *call.x.axes))
    count = [(size[n] + 2 * padding[n] - dilation[n] * (kernel[n] - 1) - 1) // stride[n] + 1 for n in range(2)]
    batch, channels = side_of(x.axes[0]), side_of(x.axes[1]) // (kernel[0] * kernel[1])
    cut = reshaped(x, (batch, channels, *kernel, *count), call.name)
    axes = [cut.axes[0], plain(channels)]
    if ways_of(cut.axes[1]):
        raise ReachError(f"{call.name} lays channels that hold places of the picture")
    for n in range(2):
        inner, outer = cut.axes[2 + n], cut.axes[4 + n]
        way, line = line_of(outer, call.name)
        if ways_of(inner):
            half, other = line.half, line_of(inner, call.name)[1].half
            as_read = half is not None and other is not None and half.fits(other)
            if (
                half is None
                or not as_read
                or (half.stride, half.before, half.dilation)
                != (
                    stride[n],
                    padding[n],
                    dilation[n],
                )
            ):
                raise ReachError(f"{call.name} lays windows elsewhere than where they were taken from")
            axes.append(((Part(size[n], way, half.whole),),))
        elif way:
            axes.append(((Part(size[n], way, line.spread(kernel[n], stride[n], padding[n], dilation[n])),),))
        else:
            axes.append(plain(size[n]))
    return replace(call.x, axes=tuple(axes)[-len(call.shape) :])
