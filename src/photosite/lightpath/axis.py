"""One axis of one step, followed backwards and forwards: whole numbers and the resize kernel's own weights.

Nothing is approximated: weights are the multiples of 2**-22 that Pillow computes with, and a pixel whose weight rounds
to 0 has no say; where numbers and not levels are resized, weights are those of single precision. Knows no front end
and no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.prep.geometry import FILTER_SUPPORT
from photosite.prep.resample import PRECISION_BITS, shares, taps
from photosite.tokens.tile import Resized, Step, Window

UNIT = float(1 << PRECISION_BITS)


@dataclass(frozen=True)
class Share:
    """How much each of some neighboring pixels counts.

    Attributes:
        start: the first of them.
        weights: of each, signed; they sum to 1 where nothing is padding.
        seen: whether it counts at all: weights of several outputs can cancel, and still each of them depends on it.
    """

    start: int
    weights: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]

    @property
    def stop(self) -> int:
        """Behind the last of them."""
        return self.start + len(self.weights)

    @property
    def empty(self) -> bool:
        """Whether nothing is left: all was padding."""
        return not len(self.weights)


def whole(start: int, stop: int) -> Share:
    """Some pixels, each as much as the others."""
    count = stop - start
    return Share(start, np.full(count, 1 / count), np.ones(count, bool))


def before(share: Share, step: Step, axis: int, size: int) -> Share:
    """What the pixels of a step's result were made of.

    Args:
        share: of pixels of the result.
        step: what was done.
        axis: 0 for rows, 1 for columns.
        size: of the side before the step.
    """
    if share.empty:
        return share
    if isinstance(step, Window):
        start = share.start + step.start_hw[axis]
        low, high = max(start, 0), min(start + len(share.weights), size)
        if low >= high:
            return Share(0, np.zeros(0), np.zeros(0, bool))
        cut = slice(low - start, high - start)
        return _trimmed(Share(low, share.weights[cut], share.seen[cut]))
    resized = step.size_hw[axis]
    if resized == size:
        return share
    starts, counts, kernels = _kernels(step, size, resized, range(share.start, share.stop))
    first, last = int(starts.min()), int((starts + counts).max())
    weights, seen = np.zeros(last - first), np.zeros(last - first, bool)
    for row in range(len(starts)):
        count, at = int(counts[row]), int(starts[row]) - first
        kernel = kernels[row, :count]
        weights[at : at + count] += share.weights[row] * kernel
        if share.seen[row]:
            seen[at : at + count] |= kernel != 0
    return _trimmed(Share(first, weights, seen))


def back(share: Share, steps: Sequence[Step], axis: int, size: int) -> Share:
    """What the pixels of the last step's result were made of, before the first.

    Args:
        share: of pixels of the last result.
        steps: in the order in which they are done.
        axis: 0 for rows, 1 for columns.
        size: of the side before the first step.
    """
    sizes = [size, *(step.size_hw[axis] for step in steps)]
    for step, before_it in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        share = before(share, step, axis, before_it)
    return share


def after(pixels: range, step: Step, axis: int, size: int) -> range:
    """Which pixels of a step's result are made of some neighboring pixels: from the first to the last that is.

    Args:
        pixels: before the step.
        step: what is done.
        axis: 0 for rows, 1 for columns.
        size: of the side before the step.
    """
    if not len(pixels):
        return pixels
    side = step.size_hw[axis]
    if isinstance(step, Window):
        shift = step.start_hw[axis]
        return range(max(pixels.start - shift, 0), max(min(pixels.stop - shift, side), 0))
    if side == size:
        return pixels
    scale = size / side
    support = float(FILTER_SUPPORT[step.interpolation]) * (max(scale, 1.0) if step.antialias else 1.0)
    low = max(int((pixels.start - support) / scale) - 2, 0)
    high = min(int((pixels.stop + support) / scale) + 2, side)
    start, _, kernels = _kernels(step, size, side, range(low, high))
    places = start[:, None] + np.arange(kernels.shape[1])
    reached = ((kernels != 0) & (places >= pixels.start) & (places < pixels.stop)).any(1)
    found = np.flatnonzero(reached)
    return range(low + int(found[0]), low + int(found[-1]) + 1) if len(found) else range(0)


def _kernels(
    step: Resized, size: int, resized: int, only: range
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Windows and weights of some pixels, as the step computes with them: rounded to 2**-22, or single precision."""
    if step.rounded:
        made = taps(size, resized, step.interpolation, only)
        return made.start, made.count, made.weights / UNIT
    start, count, weights = shares(size, resized, step.interpolation, only, antialias=step.antialias)
    return start, count, weights.astype(np.float32).astype(np.float64)


def _trimmed(share: Share) -> Share:
    """Without the pixels at both ends that have no say."""
    found = np.flatnonzero(share.seen)
    if not len(found):
        return Share(0, np.zeros(0), np.zeros(0, bool))
    cut = slice(int(found[0]), int(found[-1]) + 1)
    return Share(share.start + cut.start, share.weights[cut], share.seen[cut])
