"""What pictures are made of: tables of colors, averages over blocks, grids with separators.

Knows nothing of names, captions or tiles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rgb = npt.NDArray[np.uint8]

# Every 17th of the 256 colors of viridis (N. J. Smith, S. van der Walt; CC0).
_VIRIDIS = (
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)
# Seven colors of equal lightness left and right of paper.
_DIVERGING = "123f7d 3a76bb a5c4e2 fbfaf7 eebd85 c8741f 7a3c05"

PAPER: Rgb = np.array([251, 250, 247], np.uint8)
"""Between kernels and the maps of a grid."""
GRAY: Rgb = np.array([95, 100, 108], np.uint8)
"""Between signed maps, whose zero is paper."""
NONFINITE: Rgb = np.array([179, 38, 30], np.uint8)
"""Red, for values that are no numbers; no map has this color."""


def colors_between(colors: str) -> Rgb:
    """Interpolate anchors in hexadecimal, such as "000000 ffffff", to 256 colors. Returns (256, 3) uint8."""
    anchors = np.array([list(bytes.fromhex(color)) for color in colors.split()], np.float64)
    places = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(places, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


VIRIDIS: Rgb = colors_between(_VIRIDIS)
"""256 colors from dark violet to yellow. Matches: matplotlib's `viridis` to 3/255."""
DIVERGING: Rgb = colors_between(_DIVERGING)
"""256 colors from blue over paper to orange; zero falls between the two middle ones, both paper."""


def pick(values: npt.NDArray[np.float64], low: float, high: float, table: Rgb) -> Rgb:
    """Give each value its color of `table`; a value beyond the limits gets the color at the end.

    Where both limits are zero, zero keeps its own color: the first of a magnitude, the middle of a signed table.
    """
    share = (values - low) / (high - low) if high > low else np.full(values.shape, 0.5 if table is DIVERGING else 0.0)
    return table[np.minimum(np.clip(np.nan_to_num(share), 0, 1) * 256, 255).astype(np.intp)]


def block_means(values: Array, block: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Average blocks of values; blocks at the right and lower edge may be smaller.

    Args:
        values: (C, H, W).
        block: rows and columns of a block, at least 1; with (1, 1) the values come back as they are.

    >>> block_means(np.arange(6.0).reshape(1, 2, 3), (2, 2)).tolist()
    [[[2.0, 3.5]]]
    """
    values = values.astype(np.float64)
    for axis, length in zip((1, 2), block, strict=True):
        if length > 1:
            starts = np.arange(0, values.shape[axis], length)
            sizes = np.diff(np.append(starts, values.shape[axis]))
            values = np.add.reduceat(values, starts, axis) / np.expand_dims(sizes, (0, 3 - axis))
    return values


def grid_of(colors: Rgb, separator: Rgb, gap: int = 1, aspect: float = 2.0) -> Rgb:
    """Lay pictures (M, h, w, 3) out in lines, with `gap` pixels of the color `separator` between them.

    The sheet is about `aspect` times as wide as high.
    """
    maps, height, width, _ = colors.shape
    columns = columns_of(maps, height, width, aspect)
    rows = math.ceil(maps / columns)
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    sheet[:] = separator
    for k, picture in enumerate(colors):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def columns_of(maps: int, height: int, width: int, aspect: float = 2.0) -> int:
    """Choose how many maps stand in a line, so that the grid is about `aspect` times as wide as high."""
    if maps <= 4:
        return maps
    best = math.sqrt(maps * aspect * height / width)
    exact = [n for n in range(1, maps + 1) if maps % n == 0 and best / 1.6 <= n <= best * 1.6]
    return min(exact, key=lambda n: abs(n - best)) if exact else max(1, round(best))
