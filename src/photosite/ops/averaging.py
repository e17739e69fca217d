"""Average pooling: the mean under a sliding window, or of as many equal parts as are wanted; whole channels at most.

A mean over a box is a sum of rows, then of columns, over how many values lie in it. `axes` is how many spatial axes
there are, as in `photosite.ops.pooling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, flows
from photosite.ops.pooling import Numbers, Pool, along, checked, largest, scattered
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.windows import as_sides
from photosite.shapes import shape_text


def avg_pool(
    axes: int,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers = (),
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window: y[i] = (sum over k of x[i S + k - P]) / count.

    Args:
        axes: how many spatial axes; `avg_pool1d`, `avg_pool2d` and `avg_pool3d` have it built in.
        x: (B, C, *sides), or without B; real numbers.
        kernel_size: K, one number, or one for each spatial axis.
        stride: S, likewise; none at all for as large as the kernel.
        padding: P, likewise; at most half of the kernel; zeros.
        ceil_mode: whether a last window may reach beyond the end; see `windows.output_side`.
        count_include_pad: whether the zeros of the padding count; what a window has beyond them never does.
        divisor_override: the count, if it is to be another.
    Returns:
        (B, C, *places), x's dtype.
    Raises:
        ShapeError: the axes do not fit, or no window fits.
        RangeError: no real numbers; a kernel or stride below 1; a padding beyond half the kernel; a divisor of 0.
    Matches: torch `avg_pool1d`, `avg_pool2d`, `avg_pool3d` to the rounding of sums.

    >>> x = np.array([[1.0, 5.0, 3.0]])
    >>> avg_pool1d(x, 2).tolist(), avg_pool1d(x, 2, 2, 1).tolist(), avg_pool1d(x, 2, ceil_mode=True).tolist()
    ([[3.0]], [[0.5, 4.0]], [[3.0, 3.0]])
    """
    pool = _averaged(axes, x, kernel_size, stride, padding, ceil_mode, divisor_override)
    total = widened(x)
    for axis, places in enumerate(pool.places, -axes):
        shape = list(total.shape)
        shape[axis] = places
        part = np.zeros_like(total, shape=tuple(shape))  # axes in memory as those of x
        for into, of in pool.taps(axis):
            part[along(axis, into)] += total[along(axis, of)]
        total = part
    return rounded(total / _counts(pool, count_include_pad, divisor_override, total), x)


def avg_pool_vjp(
    axes: int,
    grad: Array,
    result: Array,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers = (),
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[Array | None]:
    """Each value has its share of the gradient of every window that it lies in."""
    if not flows(x):
        return (None,)
    pool = _averaged(axes, x, kernel_size, stride, padding, ceil_mode, divisor_override)
    share = widened(grad) / _counts(pool, count_include_pad, divisor_override, widened(grad))
    for axis, side in enumerate(pool.sides, -axes):
        shape = list(share.shape)
        shape[axis] = side
        total = np.zeros_like(share, shape=tuple(shape))
        for into, of in pool.taps(axis):
            total[along(axis, of)] += share[along(axis, into)]
        share = total
    return (rounded(share, x),)


def adaptive_avg_pool(axes: int, x: Array, output_size: Numbers) -> Array:
    """The means of so many parts along each axis as are wanted; one part is the mean of the whole channel.

    Part i of n in an axis of N values reaches from floor(i N / n) to ceil((i + 1) N / n); parts overlap where n does
    not divide N.

    Args:
        axes: how many spatial axes; `adaptive_avg_pool1d`, `2d` and `3d` have it built in.
        x: (B, C, *sides), or without B; real numbers.
        output_size: n, one number, or one for each spatial axis.
    Returns:
        (B, C, *output_size), x's dtype.
    Raises:
        ShapeError: the axes do not fit.
        RangeError: no real numbers, or fewer than no part.
    Matches: torch `adaptive_avg_pool2d` and its siblings to the rounding of sums.

    >>> adaptive_avg_pool1d(np.array([[1.0, 2.0, 3.0]]), 2).tolist()  # 12 and 23
    [[1.5, 2.5]]
    """
    as_real(x, f"adaptive_avg_pool{axes}d")
    mean = widened(x)
    for axis, parts in zip(range(-axes, 0), _parts(f"adaptive_avg_pool{axes}d", axes, x, output_size), strict=True):
        mean = (
            np.stack([mean[along(axis, slice(a, b))].sum(axis) / mean.dtype.type(b - a) for a, b in parts], axis)
            if parts
            else mean[along(axis, slice(0))]
        )
    return rounded(mean, x)


def adaptive_avg_pool_vjp(axes: int, grad: Array, result: Array, x: Array, output_size: Numbers) -> tuple[Array | None]:
    """Each value has its share of the gradient of every part that it lies in."""
    if not flows(x):
        return (None,)
    share = widened(grad)
    for axis, parts in zip(range(-axes, 0), _parts("adaptive_avg_pool", axes, x, output_size), strict=True):
        shape = list(share.shape)
        shape[axis] = x.shape[axis]
        total = np.zeros(shape, share.dtype)
        for number, (a, b) in enumerate(parts):
            total[along(axis, slice(a, b))] += share[along(axis, slice(number, number + 1))] / share.dtype.type(b - a)
        share = total
    return (rounded(share, x),)


def adaptive_max_pool(axes: int, x: Array, output_size: Numbers) -> tuple[Array, Array]:
    """The largest values of so many parts along each axis as are wanted, and where they stand.

    Args:
        axes: how many spatial axes; `adaptive_max_pool1d`, `2d` and `3d` have it built in.
        x: (B, C, *sides), or without B; real numbers.
        output_size: as for `adaptive_avg_pool`.
    Returns:
        The values, (B, C, *output_size), and their positions among the values of a channel, int64.
    Raises:
        ShapeError, RangeError: as for `adaptive_avg_pool`.
    Matches: torch `adaptive_max_pool2d` and its siblings, exactly.

    >>> adaptive_max_pool1d(np.array([[1.0, 3.0, 2.0]]), 2)
    (array([[3., 3.]]), array([[1, 1]]))
    """
    who = f"adaptive_max_pool{axes}d"
    as_real(x, who)
    parts = _parts(who, axes, x, output_size)
    taps = [
        [
            ([n for n, (a, b) in enumerate(part) if a + k < b], [a + k for a, b in part if a + k < b])
            for k in range(max((b - a for a, b in part), default=0))
        ]
        for part in parts
    ]
    return largest(x, [len(part) for part in parts], taps)


def adaptive_max_pool_vjp(
    axes: int, grad: list[Array | None], result: Sequence[Array], x: Array, output_size: Numbers
) -> tuple[Array | None]:
    """To the largest value of each part."""
    if grad[0] is None or not flows(x):
        return (None,)
    return (scattered(axes, grad[0], result[1], x),)


def global_avg_pool(x: Array) -> Array:
    """The mean of each whole channel: (B, C, *sides) to (B, C).

    Source: Lin, Chen and Yan 2013.

    >>> global_avg_pool(np.array([[[[1.0, 2.0], [3.0, 6.0]]]])).tolist()
    [[3.0]]
    """
    return adaptive_avg_pool(x.ndim - 2, x, 1).reshape(x.shape[:2])


def _averaged(
    axes: int,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers,
    padding: Numbers,
    ceil_mode: bool,
    divisor_override: int | None,
) -> Pool:
    who = f"avg_pool{axes}d"
    if divisor_override == 0:
        raise RangeError(f"{who}: divisor_override wants another number than 0")
    return checked(who, axes, as_real(x, who), kernel_size, stride, padding, 1, ceil_mode)


def _counts(pool: Pool, count_include_pad: bool, divisor_override: int | None, of: Array) -> Array:
    """What the sum at each place is divided by."""
    if divisor_override is not None:
        return np.asarray(divisor_override, of.dtype)
    along_axes = [pool.counts(axis, count_include_pad) for axis in range(len(pool.sides))]
    return reduce(np.multiply.outer, along_axes).astype(of.dtype)


def _parts(who: str, axes: int, x: Array, output_size: Numbers) -> list[list[tuple[int, int]]]:
    """Where each part begins and ends, for each spatial axis."""
    if x.ndim not in (axes + 1, axes + 2):
        raise ShapeError(f"{who}: wants {axes + 1} or {axes + 2} axes, got {shape_text(x.shape)}")
    sides, goal = x.shape[x.ndim - axes :], as_sides(output_size, axes, who, "output_size")
    if min(goal) < 0:
        raise RangeError(f"{who}: output_size wants at least 0, got {goal}")
    if 0 in x.shape[x.ndim - axes - 1 :]:
        raise ShapeError(f"{who}: nothing has no mean and no largest value, got {shape_text(x.shape)}")
    return [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in zip(sides, goal, strict=True)]


avg_pool1d = partial(avg_pool, 1)
avg_pool1d_vjp = partial(avg_pool_vjp, 1)
avg_pool2d = partial(avg_pool, 2)
avg_pool2d_vjp = partial(avg_pool_vjp, 2)
avg_pool3d = partial(avg_pool, 3)
avg_pool3d_vjp = partial(avg_pool_vjp, 3)
adaptive_avg_pool1d = partial(adaptive_avg_pool, 1)
adaptive_avg_pool1d_vjp = partial(adaptive_avg_pool_vjp, 1)
adaptive_avg_pool2d = partial(adaptive_avg_pool, 2)
adaptive_avg_pool2d_vjp = partial(adaptive_avg_pool_vjp, 2)
adaptive_avg_pool3d = partial(adaptive_avg_pool, 3)
adaptive_avg_pool3d_vjp = partial(adaptive_avg_pool_vjp, 3)
adaptive_max_pool1d = partial(adaptive_max_pool, 1)
adaptive_max_pool1d_vjp = partial(adaptive_max_pool_vjp, 1)
adaptive_max_pool2d = partial(adaptive_max_pool, 2)
adaptive_max_pool2d_vjp = partial(adaptive_max_pool_vjp, 2)
adaptive_max_pool3d = partial(adaptive_max_pool, 3)
adaptive_max_pool3d_vjp = partial(adaptive_max_pool_vjp, 3)
