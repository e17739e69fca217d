"""Which pixels are mixed into which, by which weights, in the form that `kernels` takes: compiled by Numba.

This is all that is the same for pictures of one size, so it is worked out once for them. `resample.taps` is the
definition; the weights here are the same bits. This file needs Numba, as `kernels` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.core.registry import cpu_target

from photosite.prep.resample import HAMMING
from photosite.prep.resample import PRECISION_BITS as BITS

BLOCK = 64  # bytes of a row that are mixed at once
GROUP = 4  # taps of a pixel that are weighed at once: 4 taps x (R, G, B, unused) fill 16 lanes
QUAD = 4  # pixels whose sums are rounded together
LANES = 16  # levels that are mixed at once by bytes, a third of a pixel each

HAS_BYTE_DOTS = {"+avx512vbmi", "+avx512vnni"} <= set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))
"""Whether the processor that is compiled for can permute 64 bytes, and add up products of bytes four by four."""


def compiled(function: Callable[..., Any]) -> Any:
    """Numba's compiled form of a function, kept on disk where some folder can be written."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        return njit(nogil=True)(function)


@compiled
def _weigh(kind: int, x: float) -> float:
    """The filters of resample.py in the order of `fast.KINDS`, operation for operation."""
    if kind == 0:
        return 1.0 if -0.5 < x <= 0.5 else 0.0
    if kind == 4:
        if not -3.0 <= x < 3.0:
            return 0.0
        wide, narrow = x * math.pi, x / 3 * math.pi
        return (math.sin(wide) / wide if wide else 1.0) * (math.sin(narrow) / narrow if narrow else 1.0)
    x = abs(x)
    if kind == 1:
        return max(1.0 - x, 0.0)
    if kind == 2:
        if x == 0.0:
            return 1.0
        if x >= 1.0:
            return 0.0
        x *= math.pi
        return math.sin(x) / x * (HAMMING[0] + HAMMING[1] * math.cos(x))
    if x < 1.0:
        return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2.0 else 0.0


@compiled
def _taps(size: int, resized: int, first: int, kept: int, kind: int, support: float) -> Any:
    """`resample.taps` for the `kept` pixels from `first` on: start, count (kept,) and weights (kept, K) int32.

    Where the size stays, each pixel is its own and only tap.
    """
    scale = size / resized
    stretch = max(scale, 1.0)
    reach = support * stretch
    inverse = 1.0 / stretch
    start = np.empty(kept, np.int64)
    count = np.empty(kept, np.int64)
    weights = np.zeros((kept, 2 * math.ceil(reach) + 1), np.int32)
    if size == resized:
        start[:], count[:], weights[:, 0] = np.arange(first, first + kept), 1, 1 << BITS
        return start, count, weights
    window = np.empty(weights.shape[1])
    for index in range(kept):
        center = (first + index + 0.5) * scale
        low = max(int(center - reach + 0.5), 0)
        high = min(int(center + reach + 0.5), size)
        total = 0.0
        for x in range(low, high):
            window[x - low] = _weigh(kind, (x - center + 0.5) * inverse)
            total += window[x - low]
        start[index], count[index] = low, high - low
        for tap in range(high - low):
            share = window[tap] / total if total != 0.0 else window[tap]
            share *= 1 << BITS
            weights[index, tap] = int(share - 0.5 if share < 0 else share + 0.5)
    return start, count, weights


@compiled
def _spread(start: Any, count: Any, weights: Any, base: int) -> Any:
    """Columns' taps as `mix_columns` wants them: offsets from pixel `base` in bytes, and weights four lanes wide."""
    quads = (len(start) + QUAD - 1) // QUAD
    groups = max((count.max() + GROUP - 1) // GROUP, 1)
    offsets = np.zeros(quads * QUAD, np.int32)
    wide = np.zeros((quads, groups, QUAD, GROUP, 4), np.int32)
    for x in range(len(start)):
        offsets[x] = 3 * (start[x] - base)
        for tap in range(count[x]):
            for channel in range(3):
                wide[x // QUAD, tap // GROUP, x % QUAD, tap % GROUP, channel] = weights[x, tap]
    return offsets, wide, offsets.max() + groups * 3 * GROUP + 4


@compiled
def _spread_bytes(start: Any, count: Any, weights: Any, base: int) -> Any:
    """Columns' taps as `mix_columns_by_bytes` wants them; no block where 64 bytes do not reach across 16 levels."""
    columns = len(start)
    blocks = (3 * columns + LANES - 1) // LANES if HAS_BYTE_DOTS else 0
    groups = max((count.max() + GROUP - 1) // GROUP, 1)
    offsets = np.zeros(blocks, np.int32)
    order = np.zeros((blocks, LANES, GROUP), np.uint8)
    parts = np.zeros((blocks, groups, 3, LANES, GROUP), np.int8)
    if blocks == 0:
        return offsets, order, parts, 0
    for block in range(blocks):
        x, channel = LANES * block // 3, LANES * block % 3
        first = start[x]
        offsets[block] = 3 * (first - base)
        for lane in range(min(LANES, 3 * columns - LANES * block)):
            place = 3 * (start[x] - first) + channel
            if place + 3 * (GROUP - 1) >= 64:
                return offsets[:0], order, parts, 0
            for tap in range(GROUP):
                order[block, lane, tap] = place + 3 * tap
            for tap in range(count[x]):
                group, within = tap >> 2, tap & 3
                weight = weights[x, tap]
                for part in range(2, -1, -1):  # signed bytes, from the lowest up; what is left goes into the next
                    byte = ((weight + 128) & 255) - 128
                    parts[block, group, part, lane, within] = byte
                    weight = (weight - byte) >> 8
            channel += 1
            if channel == 3:
                x, channel = x + 1, 0
    return offsets, order, parts, offsets.max() + (groups - 1) * 3 * GROUP + 64


@compiled
def planned(picture_hw: Any, size_hw: Any, top_left: Any, window_hw: Any, kind: int, support: float) -> Any:
    """What is the same for all pictures of a size: which pixels are mixed, by which weights.

    Args:
        picture_hw: the picture's size.
        size_hw: the resized picture's size.
        top_left: where in it the window begins; the window lies inside it.
        window_hw: the window's size.
        kind: which filter, an index into `fast.KINDS`.
        support: half the filter's width in pixels, before it is stretched.
    """
    rows = _taps(picture_hw[0], size_hw[0], top_left[0], window_hw[0], kind, support)
    start, count, weights = _taps(picture_hw[1], size_hw[1], top_left[1], window_hw[1], kind, support)
    left = start.min()
    span = (start + count).max() - left
    offsets, order, parts, reach = _spread_bytes(start, count, weights, left)
    by_bytes = len(offsets) > 0
    wide = np.zeros((0, 0, QUAD, GROUP, 4), np.int32)
    if not by_bytes:
        offsets, wide, reach = _spread(start, count, weights, left)
    return rows, (left, span), by_bytes, (offsets, order, parts, wide), reach
