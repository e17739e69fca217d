"""Which colors an 8-bit sRGB picture can hold, and rounding colors to one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import as_colors, as_floats, check_values

HALF_A_LEVEL = 0.5 / 255


def in_gamut(rgb: npt.ArrayLike, tolerance: float = HALF_A_LEVEL) -> npt.NDArray[np.bool_]:
    """Whether an sRGB screen can show a color: no channel darker than off, none brighter than full.

    Args:
        rgb: sRGB-encoded, (..., 3); uint8, or float with black 0 and white 1.
        tolerance: how far a channel may lie outside of [0, 1]. With the default, half a level, exactly those colors
            are in gamut that `rgb_to_levels` rounds and does not clip.
    Returns:
        (...) bool.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.

    >>> in_gamut([[1.0, 1.0, 1.0], [1.0, 0.0, -0.1]]).tolist()
    [True, False]
    """
    colors = as_colors(rgb, "in_gamut", "rgb")
    return np.asarray(((colors >= -tolerance) & (colors <= 1 + tolerance)).all(axis=-1))


def rgb_to_levels(rgb: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Round colors to the levels of a picture.

    Args:
        rgb: sRGB-encoded, any shape; float with black 0 and white 1.
    Returns:
        uint8 levels 0 … 255, same shape; uint8 comes back as it is.
    Raises:
        RangeError: another dtype, NaN or infinity, or beyond ±100.
    Convention: to the nearest level (halves to the even one), not down; beyond black and white it clips, and
        `in_gamut` tells which colors that changes.

    >>> rgb_to_levels([0.0, 0.9999, 1.2]).tolist()
    [0, 255, 255]
    """
    colors = as_floats(check_values(rgb, "rgb_to_levels", "rgb"))
    return np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)
