"""Pooling: a window slides over each channel, and each place keeps the largest value under it, or the mean.

A window is a box, so the work is done one axis after the other: a 3 x 3 maximum is a maximum of three rows, then of
three columns. `axes` in the names below is how many spatial axes there are, known from the operation's name alone:
(2, 4, 4) is two channels of a picture to `max_pool2d`, and two sequences of four channels to `max_pool1d`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, flows
from photosite.ops.windows import as_sides, output_side, taps
from photosite.shapes import shape_text

Numbers = int | Sequence[int]
"""One number for all spatial axes, or one for each."""
Taps = Iterable[tuple[Any, Any]]
"""For each position in a window along an axis: an index of the places where it is within the axis, and of what lies
there."""


@dataclass(frozen=True)
class Pool:
    """A window's way over an array's last axes, checked."""

    sides: tuple[int, ...]
    places: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def taps(self, axis: int) -> Taps:
        """For each position in the window along one of the spatial axes, see `windows.taps`."""
        numbers = (self.sides, self.places, self.kernel, self.stride, self.padding, self.dilation)
        return taps(*(of[axis] for of in numbers))

    def counts(self, axis: int, count_padding: bool) -> Array:
        """How many values a window has along an axis at each place; what lies beyond the padding never counts."""
        side, padding = self.sides[axis], self.padding[axis]
        start = np.arange(self.places[axis]) * self.stride[axis] - padding
        stop = np.minimum(start + self.kernel[axis], side + padding)
        return stop - start if count_padding else np.minimum(stop, side) - np.maximum(start, 0)


# --- the largest ------------------------------------------------------------------------------------------------------


def max_pool(
    axes: int,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers = (),
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> Array:
    """The largest value of each window.

    y[i] = max over k of x[i S + k D - P], and likewise along each other axis; what lies in the padding is smaller than
    any number.

    Args:
        axes: how many spatial axes; `max_pool1d`, `max_pool2d` and `max_pool3d` have it built in.
        x: (B, C, *sides), or without B; real or whole numbers.
        kernel_size: K, one number, or one for each spatial axis.
        stride: S, likewise; none at all for as large as the kernel.
        padding: P, likewise; at most half of the kernel.
        dilation: D, likewise.
        ceil_mode: whether a last window may reach beyond the end; see `windows.output_side`.
    Returns:
        (B, C, *places), x's dtype; NaN where a window holds one.
    Raises:
        ShapeError: the axes do not fit, or no window fits.
        RangeError: no real or whole numbers; a kernel, stride or dilation below 1; a padding beyond half the kernel.
    Matches: torch `max_pool1d`, `max_pool2d`, `max_pool3d`, exactly.

    >>> x = np.array([[1, 5, 2, 0, 3]])
    >>> max_pool1d(x, 2).tolist(), max_pool1d(x, 3, 2, 1).tolist(), max_pool1d(x, 2, ceil_mode=True).tolist()
    ([[5, 2]], [[5, 5, 3]], [[5, 2, 3]])
    """
    pool = checked(f"max_pool{axes}d", axes, x, kernel_size, stride, padding, dilation, ceil_mode)
    for axis, places in enumerate(pool.places, -axes):
        shape = list(x.shape)
        shape[axis] = places
        best = np.full_like(x, lowest(x.dtype), shape=tuple(shape))  # axes in memory as those of x
        for into, of in pool.taps(axis):
            part = best[along(axis, into)]
            np.maximum(part, x[along(axis, of)], out=part)
        x = best
    return x


def max_pool_vjp(axes: int, grad: Array, result: Array, x: Array, *args: Any, **kwargs: Any) -> tuple[Array | None]:
    """A window's gradient goes to its largest value; to the first of equal ones in reading order."""
    if not flows(x):
        return (None,)
    _, index = max_pool_with_indices(axes, x, *args, **kwargs)
    return (scattered(axes, grad, index, x),)


def max_pool_with_indices(
    axes: int,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers = (),
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """The largest value of each window, and where it stands.

    Args:
        axes: how many spatial axes; `max_pool1d_with_indices`, `2d` and `3d` have it built in.
        x: (B, C, *sides), or without B; real or whole numbers.
        kernel_size: as for `max_pool`, like all that follow.
        stride: likewise.
        padding: likewise.
        dilation: likewise.
        ceil_mode: likewise.
    Returns:
        The values, (B, C, *places), and their positions, int64: row * columns + column in a picture. Of equal values
        the first counts, of several NaN the last. A dilated window all of which lies in the padding has position -1.
    Raises:
        ShapeError, RangeError: as for `max_pool`.
    Matches: torch `max_pool2d_with_indices` and its siblings, exactly; at position -1 torch has a number without
        meaning.

    >>> max_pool2d_with_indices(np.array([[[1, 5, 2, 0], [4, 5, 3, 3]]]), 2)
    (array([[[5, 3]]]), array([[[1, 6]]]))
    """
    who = f"max_pool{axes}d_with_indices"
    pool = checked(who, axes, x, kernel_size, stride, padding, dilation, ceil_mode)
    return largest(x, pool.places, [pool.taps(axis) for axis in range(axes)])


def max_pool_with_indices_vjp(
    axes: int, grad: list[Array | None], result: Sequence[Array], x: Array, *_: Any, **__: Any
) -> tuple[Array | None]:
    """As for `max_pool`; positions have no gradient."""
    if grad[0] is None or not flows(x):
        return (None,)
    return (scattered(axes, grad[0], result[1], x),)


def largest(x: Array, places: Sequence[int], windows: Sequence[Taps]) -> tuple[Array, Array]:
    """The largest value of each window, and its position among the values of the spatial axes.

    The first row that holds the largest value, and there the first column: so the axes can be taken one by one, the
    last one first.

    Args:
        x: (..., *sides).
        places: how many windows there are along each of the last axes.
        windows: for each of these axes, what lies at each position in a window.
    Returns:
        Values and positions, (..., *places).

    >>> largest(np.array([3.0, 7.0, 7.0]), [1], [[(slice(0, 1), slice(k, k + 1)) for k in range(3)]])
    (array([7.]), array([1]))
    """
    sides = x.shape[x.ndim - len(places) :]
    index = np.broadcast_to(np.arange(math.prod(sides)).reshape(sides), x.shape)
    for axis in range(-1, -len(places) - 1, -1):
        shape = list(x.shape)
        shape[axis] = places[axis]
        best, at = np.full(shape, lowest(x.dtype)), np.full(shape, -1)
        for into, of in windows[axis]:
            here, there = along(axis, into), along(axis, of)
            value, held, known = x[there], best[here], at[here]
            better = (value > held) | (value != value) | (known < 0)  # NaN differs from itself
            best[here] = np.where(better, value, held)
            at[here] = np.where(better, index[there], known)
        x, index = best, at
    return x, index


def scattered(axes: int, grad: Array, index: Array, x: Array) -> Array:
    """The gradient of x from that of values that were picked from it: each is added where it came from."""
    count, size = math.prod(x.shape[: x.ndim - axes]), math.prod(x.shape[x.ndim - axes :])
    total = np.zeros(x.size, x.dtype)
    flat = (index.reshape(count, -1) + size * np.arange(count)[:, None]).ravel()
    known = index.ravel() >= 0
    np.add.at(total, flat[known], grad.astype(x.dtype, copy=False).ravel()[known])
    return total.reshape(x.shape)


def lowest(dtype: np.dtype[Any]) -> Any:
    """What is smaller than any other value of a dtype: -inf, or its least whole number."""
    return dtype.type(-np.inf) if dtype.kind == "f" else np.iinfo(dtype).min


def along(axis: int, of: Any) -> tuple[Any, ...]:
    """An index along one axis, counted from the end."""
    return (..., of, *[slice(None)] * (-1 - axis))


def checked(
    who: str,
    axes: int,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    ceil_mode: bool,
) -> Pool:
    """A window's way, refused where torch refuses it."""
    if x.dtype.kind not in "iuf":
        raise RangeError(f"{who}: wants real or whole numbers, got {x.dtype}")
    if x.ndim not in (axes + 1, axes + 2):
        names = ("W", "H, W", "D, H, W")[axes - 1]
        raise ShapeError(f"{who}: wants (B, C, {names}) or (C, {names}), got {shape_text(x.shape)}")
    kernel = as_sides(kernel_size, axes, who, "kernel_size")
    steps = kernel if not isinstance(stride, int) and len(stride) == 0 else as_sides(stride, axes, who, "stride")
    around, apart = as_sides(padding, axes, who, "padding"), as_sides(dilation, axes, who, "dilation")
    for what, numbers in (("kernel_size", kernel), ("stride", steps), ("dilation", apart)):
        if min(numbers) < 1:
            raise RangeError(f"{who}: {what} wants at least 1, got {numbers}")
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, apart, strict=True)]
    if any(p < 0 or 2 * p > r for p, r in zip(around, reach, strict=True)):
        raise RangeError(f"{who}: padding wants 0 up to half of the kernel's reach {reach}, got {around}")
    sides = x.shape[x.ndim - axes :]
    places = tuple(
        output_side(n, k, s, p, d, ceil_mode) for n, k, s, p, d in zip(sides, kernel, steps, around, apart, strict=True)
    )
    if min(places) < 1 or 0 in x.shape[x.ndim - axes - 1 :]:
        raise ShapeError(
            f"{who}: a window of {kernel}, {apart} apart, does not fit {shape_text(x.shape)} with {around}"
        )
    return Pool(sides, places, kernel, steps, around, apart)


max_pool1d = partial(max_pool, 1)
max_pool1d_vjp = partial(max_pool_vjp, 1)
max_pool2d = partial(max_pool, 2)
max_pool2d_vjp = partial(max_pool_vjp, 2)
max_pool3d = partial(max_pool, 3)
max_pool3d_vjp = partial(max_pool_vjp, 3)
max_pool1d_with_indices = partial(max_pool_with_indices, 1)
max_pool1d_with_indices_vjp = partial(max_pool_with_indices_vjp, 1)
max_pool2d_with_indices = partial(max_pool_with_indices, 2)
max_pool2d_with_indices_vjp = partial(max_pool_with_indices_vjp, 2)
max_pool3d_with_indices = partial(max_pool_with_indices, 3)
max_pool3d_with_indices_vjp = partial(max_pool_with_indices_vjp, 3)
