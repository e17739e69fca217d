"""Antialiased resizing by its definition, in whole numbers, so that every bit is Pillow's.

A resized pixel is a weighted mean of the pixels under a filter that is stretched by the scale where a picture shrinks.
Pillow 13.0.0 computes it in fixed point, and so does this file: weights are whole multiples of 2**-22, sums are 32-bit,
each of the two passes (rows, then columns) rounds to a level of 0 … 255.
Knows no speed: `resize.py` chooses the fast way to the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.prep.geometry import FILTER_SUPPORT

PRECISION_BITS = 22
"""Bits behind the point of a weight: 32 of the sum, less 8 of a level, less 2 for filters that overshoot."""

HAMMING = (float(np.float32(0.54)), float(np.float32(0.46)))
"""Hamming's two constants in single precision, as Pillow has them: it shows in the last bit of some weights."""


@dataclass(frozen=True)
class Taps:
    """Which pixels of a side make each pixel of the resized side, and with what weights.

    Attributes:
        start: (out,) int32, the leading pixel of each window.
        count: (out,) int32, how many pixels the window has.
        weights: (out, K) int32, in units of 2**-22, 0 behind `count`; a row sums to about 2**22.
    """

    start: npt.NDArray[np.int32]
    count: npt.NDArray[np.int32]
    weights: npt.NDArray[np.int32]


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _bilinear(x: float) -> float:
    return max(1.0 - abs(x), 0.0)


def _hamming(x: float) -> float:
    x = abs(x)
    if x == 0.0:
        return 1.0
    if x >= 1.0:
        return 0.0
    x *= math.pi
    return math.sin(x) / x * (HAMMING[0] + HAMMING[1] * math.cos(x))


def _bicubic(x: float) -> float:
    a = -0.5  # Keys 1981; OpenCV and torch without antialiasing take -0.75
    x = abs(x)
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    if x < 2.0:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _sinc(x: float) -> float:
    x *= math.pi
    return math.sin(x) / x if x else 1.0


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3.0 <= x < 3.0 else 0.0


FILTERS: dict[str, Callable[[float], float]] = {
    "box": _box,
    "bilinear": _bilinear,
    "hamming": _hamming,
    "bicubic": _bicubic,
    "lanczos": _lanczos,
}
"""Every filter as a function of the distance in pixels of the coarser grid; 'nearest' has none, it takes one pixel."""


def shares(
    size: int, resized: int, interpolation: str, only: range | None = None, *, antialias: bool = True
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """The windows and weights of one side, before anything is rounded.

    Args:
        size: pixels of the side.
        resized: pixels that it shall have.
        interpolation: a name of `FILTERS`.
        only: of these pixels of the resized side; of all if not given.
        antialias: whether the filter widens where the side shrinks; Pillow's always does.
    Returns:
        As `Taps` has them, the weights as they are: a row sums to 1.
    """
    weigh = FILTERS[interpolation]
    scale = size / resized
    # enlarging keeps the filter at one pixel: no antialiasing is needed
    stretch = max(scale, 1.0) if antialias else 1.0
    support = float(FILTER_SUPPORT[interpolation]) * stretch
    width = 2 * math.ceil(support) + 1
    wanted = range(resized) if only is None else only
    start = np.zeros(len(wanted), np.int32)
    count = np.zeros(len(wanted), np.int32)
    weights = np.zeros((len(wanted), width))
    inverse = 1.0 / stretch
    for row, index in enumerate(wanted):
        center = (index + 0.5) * scale
        low = max(int(center - support + 0.5), 0)
        high = min(int(center + support + 0.5), size)
        window = [weigh((x - center + 0.5) * inverse) for x in range(low, high)]
        total = 0.0
        for value in window:  # in this order, as the last bit depends on it; sum() compensates
            total += value
        start[row], count[row] = low, high - low
        weights[row, : high - low] = [value / total if total else value for value in window]
    return start, count, weights


def taps(size: int, resized: int, interpolation: str, only: range | None = None) -> Taps:
    """The windows and weights of one side, rounded as Pillow rounds them.

    Args:
        size: pixels of the side.
        resized: pixels that it shall have.
        interpolation: a name of `FILTERS`.
        only: of these pixels of the resized side; of all if not given.
    Matches: Pillow's tables, to the last bit.
    Source: Pillow's documentation of filters; Turkowski 1990, "Filters for common resampling tasks".

    >>> halves = taps(4, 2, "box")
    >>> halves.start.tolist(), (halves.weights / 2**22).tolist()
    ([0, 2], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    """
    start, count, weights = shares(size, resized, interpolation, only)
    parts = weights * (1 << PRECISION_BITS)
    return Taps(start, count, np.trunc(parts + np.where(parts < 0, -0.5, 0.5)).astype(np.int32))


def resample(
    picture: npt.NDArray[np.uint8], size_hw: tuple[int, int], interpolation: str = "bilinear"
) -> npt.NDArray[np.uint8]:
    """Resize a picture by the definition: the readable reference, some hundred times slower than `resize`.

    Args:
        picture: (H, W, C) uint8.
        size_hw: (height, width) of the result, each at least 1.
        interpolation: 'nearest', 'box', 'bilinear', 'hamming', 'bicubic' or 'lanczos'.
    Returns:
        (*size_hw, C) uint8.
    Matches: Pillow 13.0.0 `Image.resize((width, height), filter)`, bit for bit; `Image.resize(box=…)` takes other ways.

    >>> resample(np.array([[[0], [100], [200], [100]]], np.uint8), (1, 2), "box").ravel().tolist()
    [50, 150]
    """
    if interpolation == "nearest":
        rows, columns = (nearest(side, out) for side, out in zip(picture.shape[:2], size_hw, strict=True))
        return picture[rows[:, None], columns]  # (h, w, C)
    axes = (0, 1) if rows_first((picture.shape[0], picture.shape[1]), size_hw) else (1, 0)
    for axis in axes:
        if picture.shape[axis] != size_hw[axis]:
            picture = _along(picture, axis, taps(picture.shape[axis], size_hw[axis], interpolation))
    return picture.copy()


def rows_first(picture_hw: tuple[int, int], size_hw: tuple[int, int]) -> bool:
    """Whether rows are mixed before columns: only where height shrinks much more than width.

    The order shows in the last bit, since the passes round. Versions of Pillow before 13 never mix rows first.

    >>> rows_first((500, 375), (341, 256)), rows_first((4000, 100), (40, 100))
    (False, True)
    """
    fewer_rows, fewer_columns = picture_hw[0] - size_hw[0], picture_hw[1] - size_hw[1]
    return fewer_rows > 0 and fewer_rows > 2 * fewer_columns


def nearest(size: int, resized: int) -> npt.NDArray[np.intp]:
    """For each pixel of the resized side the one pixel that it takes.

    >>> nearest(6, 3).tolist(), nearest(2, 4).tolist()
    ([1, 3, 5], [0, 0, 1, 1])
    """
    step = size / resized
    at = np.full(resized, step)
    at[0] = step * 0.5
    # Pillow adds the step up instead of multiplying, and so must we
    return np.minimum(np.add.accumulate(at).astype(np.intp), size - 1)


def _along(picture: npt.NDArray[np.uint8], axis: int, side: Taps) -> npt.NDArray[np.uint8]:
    """Resize one axis: the sum over taps of weight times pixel, rounded to a level."""
    last = picture.shape[axis] - 1
    shape = [1, 1, 1]
    shape[axis] = -1
    sides = tuple(len(side.start) if at == axis else count for at, count in enumerate(picture.shape))
    total = np.full(sides, 1 << (PRECISION_BITS - 1), np.int32)  # one half, so that cutting off rounds
    for tap in range(int(side.count.max())):
        pixels = np.take(picture, np.minimum(side.start + tap, last), axis)
        total += pixels.astype(np.int32) * side.weights[:, tap].reshape(shape)
    levels: npt.NDArray[np.int32] = np.clip(total >> PRECISION_BITS, 0, 255)
    return levels.astype(np.uint8)
