"""Demosaicing that first chooses, at each photosite, whether to interpolate along the row or along the column.

Source: D. Menon, S. Andriani, G. Calvagno, "Demosaicing with directional filtering and a posteriori decision"
(DDFAPD), IEEE Transactions on Image Processing 16(1), 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.sensor.bayer import as_mosaic, bayer_masks
from photosite.sensor.neighbors import Plane, correlate

Mask = npt.NDArray[np.bool_]

ROW, COLUMN = 1, 0
"""The two directions, as the array axis that a line of photosites runs along."""

NEXT_PAIR = (0.5, 0.0, 0.5)
"""The mean of the two neighbors on a line."""
SECOND_PAIR = (0.5, 0.0, 0.0, 0.0, 0.5)
"""The mean of those two steps away, which have the photosite's own color."""
CHANGE = (0.0, 0.0, 1.0, 0.0, -1.0)
"""How a value differs from the one two steps ahead."""
SMOOTH = (1 / 3, 1 / 3, 1 / 3)
"""The low-pass filter of the refining step."""
COST_WEIGHTS = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [3, 0, 3, 0, 0], [0, 1, 0, 0, 0], [1, 0, 1, 0, 0]])
"""How the changes around a photosite add up to the cost of the row's direction; turned for the column's.

A change compares a photosite with the one two to its right, so the window stands to the left to be centered. The
weights 3 and 1 are colour-demosaicing's.
"""


def demosaic_menon(raw: npt.ArrayLike, pattern: str = "RGGB", *, refine: bool = True) -> npt.NDArray[np.floating[Any]]:
    """Fill in the two missing colors along edges, not across them.

    Green is interpolated twice, along the row and along the column. Where the color differences then change less
    along the row, the row's is taken. Red and blue follow from color differences, and a last step smooths these.

    Args:
        raw: (H, W), at least 2 × 2, whole or floating-point numbers of any range; neutral gray should have three
            equal values, so balance white first.
        pattern: one of `PATTERNS`.
        refine: whether the refining step follows.
    Returns:
        (H, W, 3), channels R, G, B; float32 for float32, else float64; not clipped, it can overshoot the input's range.
    Raises:
        ShapeError, RangeError, UnknownNameError: as `demosaic`.
    Convention: mirror borders in interpolating, zeros around the costs; on equal costs the row wins.
    Matches: colour-demosaicing `demosaicing_CFA_Bayer_Menon2007` to 1e-6, with and without the refining step.

    >>> demosaic_menon(np.full((4, 4), 7))[1, 2].tolist()
    [7.0, 7.0, 7.0]
    """
    raw = as_mosaic(raw, "demosaic_menon")
    is_red, is_green, is_blue = masks = np.moveaxis(bayer_masks((raw.shape[0], raw.shape[1]), pattern), -1, 0)

    green_by_row, row_cost = _green_and_cost(raw, is_green, ROW)
    green_by_column, column_cost = _green_and_cost(raw, is_green, COLUMN)
    by_row = column_cost >= row_cost
    green = np.where(by_row, green_by_row, green_by_column)

    red, blue = (
        _filled_at_green(np.where(is_color, raw, 0), green, is_color, is_green) for is_color in (is_red, is_blue)
    )
    red, blue = _exchanged(red, blue, is_red, is_blue, by_row, NEXT_PAIR)
    if refine:
        red, green, blue = _refined(red, green, blue, masks, by_row)
    return np.stack([red, green, blue], axis=-1)  # (H, W, 3)


def _green_and_cost(raw: Plane, is_green: Mask, axis: int) -> tuple[Plane, Plane]:
    """Green interpolated along one direction, and how much the color differences then change in that direction.

    Green is the mean of its two neighbors plus half of what the photosite lies above the mean of its own color.
    The order of the sums is SciPy's. Costs of both directions are often equal but for rounding, as in flat parts, and
    then rounding decides: in another order one pixel in 30 of real photos differs from colour-demosaicing's.
    """
    between = _line_sum(raw, NEXT_PAIR, axis) + (raw - _line_sum(raw, SECOND_PAIR, axis)) / 2
    green = np.where(is_green, raw, between)
    change = np.abs(_line_sum(raw - green, CHANGE, axis))  # 0 at green photosites, which need no decision
    cost = correlate(change, COST_WEIGHTS if axis == ROW else COST_WEIGHTS.T, "zero")
    return green, cost


def _filled_at_green(color: Plane, green: Plane, is_color: Mask, is_green: Mask) -> Plane:
    """Red (or blue) at green photosites: green plus the mean difference of the two measured neighbors.

    They stand left and right in rows that have the color, above and below in the others.
    """
    difference = color - green  # of use only where the color is measured
    in_its_rows = is_color.any(axis=1, keepdims=True)  # (H, 1)
    mean_difference = np.where(
        in_its_rows, _line_sum(difference, NEXT_PAIR, ROW), _line_sum(difference, NEXT_PAIR, COLUMN)
    )
    return np.where(is_green, green + mean_difference, color)


def _exchanged(
    red: Plane, blue: Plane, is_red: Mask, is_blue: Mask, by_row: Mask, taps: tuple[float, ...]
) -> tuple[Plane, Plane]:
    """Red at blue photosites and blue at red ones: what is measured there, plus or minus the difference around."""
    red_minus_blue = _chosen_sum(red - blue, taps, by_row)
    return np.where(is_blue, blue + red_minus_blue, red), np.where(is_red, red - red_minus_blue, blue)


def _refined(
    red: Plane, green: Plane, blue: Plane, masks: npt.NDArray[np.bool_], by_row: Mask
) -> tuple[Plane, Plane, Plane]:
    """The refining step: interpolated values again, from color differences smoothed in the chosen direction."""
    is_red, is_green, is_blue = masks
    green_at_red = red - _chosen_sum(red - green, SMOOTH, by_row)
    green_at_blue = blue - _chosen_sum(blue - green, SMOOTH, by_row)
    green = np.where(is_red, green_at_red, np.where(is_blue, green_at_blue, green))
    red = _filled_at_green(red, green, is_red, is_green)
    blue = _filled_at_green(blue, green, is_blue, is_green)
    red, blue = _exchanged(red, blue, is_red, is_blue, by_row, SMOOTH)
    return red, green, blue


def _line_sum(plane: Plane, taps: tuple[float, ...], axis: int) -> Plane:
    """The weighted sum of a photosite's neighbors along its row or its column."""
    return correlate(plane, [taps] if axis == ROW else [[tap] for tap in taps])


def _chosen_sum(plane: Plane, taps: tuple[float, ...], by_row: Mask) -> Plane:
    """The same in the direction that was chosen for each photosite."""
    return np.where(by_row, _line_sum(plane, taps, ROW), _line_sum(plane, taps, COLUMN))
