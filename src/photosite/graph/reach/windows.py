"""Operations whose kernel slides over rows and columns: convolutions, pools, resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from photosite.graph.reach.call import Call
from photosite.graph.reach.field import Field, Part, exchanged, line_of, named, plain, side_of, ways_of
from photosite.graph.reach.line import PIXELS, Line, pixels
from photosite.graph.reach.moving import with_axis
from photosite.graph.reach.places import runs
from photosite.graph.reach.summing import partner, summed

Rule = Callable[[int, Line], Line]
"""From the number of a spatial axis and its line to the line behind the operation."""


def slid(x: Field, axes: int, sides: Sequence[int], rule: Rule, who: str) -> Field:
    """The last axes read through a rule; all others as they are."""
    first = len(x.axes) - axes
    for number, side in enumerate(sides):
        axis = x.axes[first + number]
        if not ways_of(axis):
            x = with_axis(x, first + number, plain(side))
        elif rule(number, PIXELS) == PIXELS and side == side_of(axis):
            continue  # a kernel of one place moves nothing
        else:
            way, line = line_of(axis, who)
            part = axis[0][0]
            other = partner(x, part) if len(axis[0]) == 1 else None
            if other is not None and line.half is not None and line.half.is_cut and not line.half.outer:
                x = _inside(x, part, other, lambda line, n=number: rule(n, line), side)  # type: ignore[misc]
            else:
                x = with_axis(x, first + number, ((Part(side, way, rule(number, line)),),))
    return x


def _inside(x: Field, inner: Part, outer: Part, rule: Callable[[Line], Line], side: int) -> Field:
    """What slides inside of each window, as if it were a picture of its own: nothing comes in from beside it."""
    assert inner.line.half is not None
    reads = [runs(places) for places in rule(pixels(inner.side)).limited(side).seen or ()]
    taps = [[place for low, high in found for place in range(low, high + 1)] for found in reads]
    line = inner.line.half.whole.reading(
        lambda i: (i // side * inner.side + tap for tap in taps[i % side]), side, inner.side
    )
    halves = line.limited(outer.side * side).cut(side)
    x = exchanged(x, outer, halves[0])
    axes = (
        tuple(
            tuple(Part(side, inner.way, halves[1]) if part is inner else part for part in segment) for segment in axis
        )
        for axis in x.axes
    )
    return replace(x, axes=tuple(axes))


def convolution(call: Call) -> Field:
    """A convolution: a window over space, and all channels of a group summed up."""
    weight: Field = call.args[1]
    return _convolved(call, weight, 3)


def convolution_any(call: Call) -> Field:
    """`aten.convolution`, which is either kind."""
    if not call.get(6, "transposed", False):
        return _convolved(call, call.args[1], 3)
    return _transposed(call, call.args[1], 3, 4, 5)


def _convolved(call: Call, weight: Field, at: int) -> Field:
    axes = len(weight.shape) - 2
    kernel = weight.shape[2:]
    stride, dilation = call.numbers(at, "stride", axes, 1), call.numbers(at + 2, "dilation", axes, 1)
    padding = call.get(at + 1, "padding", 0)
    if isinstance(padding, str):
        reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        before = tuple(r // 2 if padding == "same" else 0 for r in reach)
    else:
        before = call.numbers(at + 1, "padding", axes, 0)

    def rule(number: int, line: Line) -> Line:
        return line.windows(kernel[number], stride[number], before[number], dilation[number])

    return _filtered(call, weight, rule, axes)


def convolution_transposed(call: Call) -> Field:
    """A transposed convolution: each input put back under the kernel."""
    return _transposed(call, call.args[1], 3, 4, 7)


def _transposed(call: Call, weight: Field, stride_at: int, padding_at: int, dilation_at: int) -> Field:
    axes = len(weight.shape) - 2
    stride, before = call.numbers(stride_at, "stride", axes, 1), call.numbers(padding_at, "padding", axes, 0)
    dilation = call.numbers(dilation_at, "dilation", axes, 1)

    def rule(number: int, line: Line) -> Line:
        return line.spread(weight.shape[2 + number], stride[number], before[number], dilation[number])

    return _filtered(call, weight, rule, axes)


def _filtered(call: Call, weight: Field, rule: Rule, axes: int) -> Field:
    x = summed(call.x, [len(call.x.axes) - axes - 1], call.name, keep=True)
    found = slid(x, axes, call.shape[-axes:], rule, call.name)
    done = list(found.axes)
    done[-axes - 1] = plain(call.shape[-axes - 1])
    found = replace(found, axes=tuple(done))
    if not weight.depends:
        return found
    return named(found, *weight.global_by, call.name)  # a kernel that is computed from the picture


def pool(axes: int, *, dilated: bool) -> Callable[[Call], Field | list[Field]]:
    """A pool: a window over each channel."""

    def reach(call: Call) -> Field | list[Field]:
        kernel = call.numbers(1, "kernel_size", axes)
        given = call.get(2, "stride", ())
        stride = (
            kernel if given is None or (not isinstance(given, int) and not len(given)) else call.numbers(2, "", axes)
        )
        before = call.numbers(3, "padding", axes, 0)
        dilation = call.numbers(4, "dilation", axes, 1) if dilated else (1,) * axes

        def rule(number: int, line: Line) -> Line:
            return line.windows(kernel[number], stride[number], before[number], dilation[number])

        found = slid(call.x, axes, call.shape[-axes:], rule, call.name)
        return [found] * len(call.shapes) if len(call.shapes) > 1 else found

    return reach


def adaptive_pool(axes: int) -> Callable[[Call], Field | list[Field]]:
    """A pool to a given size; of one part, the whole picture."""

    def reach(call: Call) -> Field | list[Field]:
        sides, goal = call.x.shape[-axes:], call.shape[-axes:]

        def rule(number: int, line: Line) -> Line:
            n, m = sides[number], goal[number]
            shared = math.gcd(n, m)
            return line.reading(lambda i: range(i * n // m, -(-(i + 1) * n // m)), m // shared, n // shared)

        ones = [len(call.x.axes) - axes + number for number in range(axes) if goal[number] == 1 < sides[number]]
        x = summed(call.x, ones, call.name, keep=True)
        sides = x.shape[-axes:]
        found = slid(x, axes, goal, rule, call.name)
        return [found] * len(call.shapes) if len(call.shapes) > 1 else found

    return reach


def upsampling(kind: str) -> Callable[[Call], Field]:
    """A picture brought to another size; `kind` as for `photosite.ops.resampling.upsample`, or "nearest"."""

    def reach(call: Call) -> Field:
        axes = len(call.shape) - 2
        sides, goal = call.x.shape[2:], call.shape[2:]
        nearest = kind in ("nearest", "exact")
        corners = bool(call.get(2, "align_corners", False)) and not nearest
        factors = call.get(2 if nearest else 3, "scale_factors") if call.get(1, "output_size") is None else None

        def rule(number: int, line: Line) -> Line:
            n, m = sides[number], goal[number]
            if corners:
                step = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
            else:
                step = Fraction(n, m) if factors is None else 1 / Fraction(factors[number]).limit_denominator(10**6)
            period = step.denominator if step else 1
            return line.reading(lambda i: _taps(kind, i, step, corners), period, step.numerator)

        return slid(call.x, axes, goal, rule, call.name)

    return reach


def _taps(kind: str, output: int, step: Fraction, corners: bool) -> list[int]:
    """The inputs that count for an output, in a picture without borders."""
    if kind == "nearest":
        return [math.floor(output * step)]
    if kind == "exact":
        return [math.floor((output + Fraction(1, 2)) * step)]
    if kind.endswith("_aa"):
        wide = max(step, Fraction(1)) * (1 if kind == "linear_aa" else 2)
        center = step * (output + Fraction(1, 2))
        start, stop = math.floor(center - wide + Fraction(1, 2)), math.floor(center + wide + Fraction(1, 2))
        return [i for i in range(start, stop) if abs(i + Fraction(1, 2) - center) < wide]
    place = output * step if corners else (output + Fraction(1, 2)) * step - Fraction(1, 2)
    first = math.floor(place)
    if place == first:
        return [first]
    return [first, first + 1] if kind == "linear" else [first - 1, first, first + 1, first + 2]
