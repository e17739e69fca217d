"""YCbCr: luma and two color differences, as JPEG and video store pictures; in full range and in studio range."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_colors, check_colors
from photosite.errors import RangeError

LUMA_RED, LUMA_GREEN, LUMA_BLUE = 0.299, 0.587, 0.114
"""How much red, green and blue count for luma (ITU-R BT.601); they sum to 1, so white has luma 1.

Added in floats they make 0.9999999999999999. So luma is computed from differences, which gray does not have:
g + 0.299 (r - g) + 0.114 (b - g) is exactly g for gray, in any precision.
"""
CB_SCALE = 2 * (1 - LUMA_BLUE)  # 1.772: the largest b - luma is 0.886, and Cb is to end half a unit from gray
CR_SCALE = 2 * (1 - LUMA_RED)  # 1.402


def rgb_to_ycbcr(rgb: npt.ArrayLike) -> Colors:
    """Split an sRGB picture into luma and two color differences.

    Args:
        rgb: sRGB-encoded, not linear; (..., 3); uint8, or float with black 0 and white 1.
    Returns:
        Y in [0, 1]; Cb (blue less luma) and Cr (red less luma) in [0, 1], gray at 0.5 exactly; (..., 3).
        `ycbcr_to_levels` gives them in 0 … 255 as JPEG has them.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`. The map is linear, so colors outside of [0, 1] are
            allowed and go outside of [0, 1].
    Convention: full range; channel order Y, Cb, Cr (OpenCV has Y, Cr, Cb); the weights of BT.601, not those of BT.709.
    Matches: colour-science to 1e-15; Pillow `convert("YCbCr")` to 1 level, since it cuts decimals off; OpenCV in
        float32 to 3e-4, since its factors have three digits.
    Source: ITU-R BT.601-7 luma weights, JFIF 1.02 (ITU-T T.871).

    >>> rgb_to_ycbcr(np.array([[255, 255, 255], [0, 0, 255]], np.uint8)).round(4).tolist()
    [[1.0, 0.5, 0.5], [0.114, 1.0, 0.4187]]
    """
    colors = as_colors(rgb, "rgb_to_ycbcr", "rgb")
    r, g, b = colors[..., 0], colors[..., 1], colors[..., 2]
    luma = g + LUMA_RED * (r - g) + LUMA_BLUE * (b - g)
    return np.stack([luma, (b - luma) / CB_SCALE + 0.5, (r - luma) / CR_SCALE + 0.5], axis=-1)


def ycbcr_to_rgb(ycbcr: npt.ArrayLike) -> Colors:
    """The sRGB color of luma and two color differences.

    Args:
        ycbcr: (..., 3); float as `rgb_to_ycbcr` gives it, or uint8 levels as JPEG has them (gray at 128).
    Returns:
        sRGB-encoded, (..., 3). Three of four triples in [0, 1] are no sRGB color and come out outside of [0, 1]:
        `in_gamut` tells which, and `rgb_to_levels` clips them.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Matches: `rgb_to_ycbcr` undone to 1e-15, or to 1 level if it was rounded to levels; Pillow `convert("RGB")` to 1
        level.

    >>> ycbcr_to_rgb(np.array([150, 100, 160], np.uint8)).round(2).tolist()
    [0.76, 0.54, 0.39]
    """
    colors = check_colors(ycbcr, "ycbcr_to_rgb", "ycbcr")
    floats = levels_to_ycbcr(colors) if colors.dtype == np.uint8 else colors
    luma = floats[..., 0]
    b_less_luma = CB_SCALE * (floats[..., 1] - 0.5)
    r_less_luma = CR_SCALE * (floats[..., 2] - 0.5)
    g = luma - (LUMA_RED * r_less_luma + LUMA_BLUE * b_less_luma) / LUMA_GREEN
    return np.stack([luma + r_less_luma, g, luma + b_less_luma], axis=-1)


def ycbcr_to_levels(ycbcr: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Full-range YCbCr in JPEG's levels: Y 0 … 255, Cb and Cr with gray at 128.

    Args:
        ycbcr: (..., 3) float as `rgb_to_ycbcr` gives it.
    Returns:
        (..., 3) uint8, rounded to the nearest level, clipped to 0 … 255: pure blue and pure red would have 255.5.
        uint8 comes back as it is.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Source: JFIF 1.02: Cb = 128 + 255 (Cb' - 0.5), so the middle of 0 … 255 is a level, at the cost of half a level.

    >>> ycbcr_to_levels([[0.3, 0.5, 0.5], [0.114, 1.0, 0.4187]]).tolist()
    [[76, 128, 128], [29, 255, 107]]
    """
    colors = check_colors(ycbcr, "ycbcr_to_levels", "ycbcr")
    if colors.dtype == np.uint8:
        return colors
    levels: Colors = colors * 255 + np.array([0, 0.5, 0.5])
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)


def levels_to_ycbcr(levels: npt.ArrayLike) -> Colors:
    """JPEG's levels as full-range YCbCr: level 128 of Cb and Cr becomes 0.5.

    Args:
        levels: (..., 3) uint8, Y, Cb, Cr, for instance Pillow's `image.convert("YCbCr")`.
    Returns:
        (..., 3) float64.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`; floats are no levels.

    >>> levels_to_ycbcr(np.array([255, 128, 128], np.uint8)).tolist()
    [1.0, 0.5, 0.5]
    """
    array = check_colors(levels, "levels_to_ycbcr", "ycbcr")
    if array.dtype != np.uint8:
        raise RangeError(f"levels_to_ycbcr: wants uint8, got {array.dtype} {array.shape}; floats are YCbCr already")
    floats: Colors = (array - np.array([0, 0.5, 0.5])) / 255
    return floats


STUDIO_SCALE, STUDIO_OFFSET = (219, 224, 224), (16, 128, 128)
"""Studio range in 8-bit levels: black 16, white 235; Cb and Cr 16 … 240, gray at 128 (ITU-R BT.601)."""


def rgb_to_studio_ycbcr(rgb: npt.ArrayLike) -> Colors:
    """YCbCr as video has it: with room below black and above white.

    Args:
        rgb: sRGB-encoded, (..., 3); uint8, or float with black 0 and white 1.
    Returns:
        In 8-bit levels, not rounded: Y 16 … 235, Cb and Cr 16 … 240, gray at 128; (..., 3).
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Convention: as `rgb_to_ycbcr`, but for the range.
    Matches: colour-science (`out_legal=True`, times 255) to 1e-12, scikit-image `rgb2ycbcr` to 2e-4 of a level (its
        matrix has three digits).
    Source: ITU-R BT.601-7.

    >>> rgb_to_studio_ycbcr(np.array([[255, 255, 255], [0, 0, 0]], np.uint8)).tolist()
    [[235.0, 128.0, 128.0], [16.0, 128.0, 128.0]]
    """
    ycbcr = rgb_to_ycbcr(as_colors(rgb, "rgb_to_studio_ycbcr", "rgb"))
    scale, offset = np.array([STUDIO_SCALE, STUDIO_OFFSET], ycbcr.dtype)
    levels: Colors = (ycbcr - np.array([0, 0.5, 0.5], ycbcr.dtype)) * scale + offset
    return levels


def studio_ycbcr_to_rgb(ycbcr: npt.ArrayLike) -> Colors:
    """The sRGB color of studio-range YCbCr.

    Args:
        ycbcr: (..., 3) in 8-bit levels: Y 16 … 235, Cb and Cr 16 … 240; uint8, or float between the levels.
    Returns:
        sRGB-encoded, (..., 3); outside of [0, 1] where no sRGB color has these levels, below 16 and above 235 too.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Matches: `rgb_to_studio_ycbcr` undone to 1e-14, or to 2 levels if it was rounded to levels.

    >>> studio_ycbcr_to_rgb(np.array([235, 128, 128], np.uint8)).tolist()
    [1.0, 1.0, 1.0]
    """
    array = check_colors(ycbcr, "studio_ycbcr_to_rgb", "studio_ycbcr")
    levels = array.astype(np.float64) if array.dtype == np.uint8 else array
    scale, offset = np.array([STUDIO_SCALE, STUDIO_OFFSET], levels.dtype)
    return ycbcr_to_rgb((levels - offset) / scale + np.array([0, 0.5, 0.5], levels.dtype))
