"""Operations that lay pixels out anew: channels as pixels and back, windows as axes of their own."""

from __future__ import annotations

from dataclasses import replace

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import Axis, Field, Part, line_of, plain, side_of, tidy, ways_of
from photosite.graph.reach.moving import reshaped, with_axis


def pixel_shuffle(call: Call) -> Field:
    """Channels become pixels."""
    r, shape = call.get(1, "upscale_factor"), call.x.shape
    *front, channels, height, width = shape
    cut = reshaped(call.x, (*front, channels // r**2, r, r, height, width), call.name)
    n = len(front)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return reshaped(replace(cut, axes=tuple(cut.axes[dim] for dim in order)), call.shape, call.name)


def pixel_unshuffle(call: Call) -> Field:
    """Pixels become channels."""
    r = call.get(1, "downscale_factor")
    *front, channels, height, width = call.x.shape
    cut = reshaped(call.x, (*front, channels, height // r, r, width // r, r), call.name)
    n = len(front)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return reshaped(replace(cut, axes=tuple(cut.axes[dim] for dim in order)), call.shape, call.name)


def unfold(call: Call) -> Field:
    """All windows of an axis, each on an axis of its own."""
    dim, size, step = call.get(1, "dimension"), call.get(2, "size"), call.get(3, "step")
    axis = call.x.axes[dim]
    inner: Axis = plain(size)
    if ways_of(axis):
        way, line = line_of(axis, call.name)
        windows, places = line.windowed(size, step, 0, 1)
        inner = ((Part(size, way, places),),)
        axis = ((Part(call.shape[dim], way, windows),),)
    moved = with_axis(call.x, dim, axis if ways_of(axis) else plain(call.shape[dim]))
    return replace(moved, axes=(*moved.axes, inner))


def im2col(call: Call) -> Field:
    """What lies under a window, a column for each place."""
    kernel, dilation, padding, stride = (call.get(n, "") for n in (1, 2, 3, 4))
    x = call.x if len(call.x.axes) == 4 else replace(call.x, axes=(plain(1), *call.x.axes))
    inner, outer = [Part(side_of(x.axes[1]))], []
    for number in range(2):
        way, line = line_of(x.axes[2 + number], call.name)
        reach = dilation[number] * (kernel[number] - 1)
        count = (x.shape[2 + number] + 2 * padding[number] - reach - 1) // stride[number] + 1
        windows, places = line.windowed(kernel[number], stride[number], padding[number], dilation[number])
        inner.append(Part(kernel[number], way, places))
        outer.append(Part(count, way, windows))
    axes = (x.axes[0], (tidy(inner),), (tidy(outer),))
    return replace(call.x, axes=axes[-len(call.shape) :])
