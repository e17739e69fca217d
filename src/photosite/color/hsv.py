"""HSV: hue, saturation and value, the hexagonal cone that color pickers show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_colors, check_values


def rgb_to_hsv(rgb: npt.ArrayLike) -> Colors:
    """Which color, how pure, how bright.

    Args:
        rgb: sRGB-encoded, (..., 3); uint8, or float in [0, 1].
    Returns:
        Hue in degrees in [0, 360), red at 0, green at 120, blue at 240; saturation and value in [0, 1]; (..., 3).
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`; here also outside of [0, 1], where saturation would
            leave its own range.
    Convention: gray has hue 0, black also has saturation 0. The encoded numbers are used as they are, not linear light.
    Matches: colorsys, scikit-image `rgb2hsv` and colour-science to 1e-12 (their hue is a share of the circle); OpenCV
        in float32 to 1e-3 degrees and 1e-5; Pillow `convert("HSV")` to 1 of its levels.
    Source: A. R. Smith, Color gamut transform pairs, SIGGRAPH 1978.

    >>> rgb_to_hsv(np.array([255, 128, 0], np.uint8)).round(2).tolist()
    [30.12, 1.0, 1.0]
    """
    colors = as_colors(rgb, "rgb_to_hsv", "rgb", 0, 1)
    r, g, b = colors[..., 0], colors[..., 1], colors[..., 2]
    value = colors.max(axis=-1)
    spread = value - colors.min(axis=-1)
    nonzero = np.where(spread == 0, 1, spread)  # gray: 0 / 1, which is hue 0
    red = (g - b) / nonzero % 6  # in sixths of the circle, where red is the largest
    green = (b - r) / nonzero + 2
    blue = (r - g) / nonzero + 4
    sixths = np.select([value == r, value == g], [red, green], blue)
    hue = 60 * sixths % 360  # once more: a red a hair before the full circle has been rounded up to 6
    saturation = spread / np.where(value == 0, 1, value)
    return np.stack([hue, saturation, value], axis=-1)


def hsv_to_rgb(hsv: npt.ArrayLike) -> Colors:
    """The sRGB color of a hue, saturation and value.

    Args:
        hsv: (..., 3) float; hue in degrees, 360 and more or below 0 goes round; saturation and value in [0, 1].
    Returns:
        sRGB-encoded in [0, 1], (..., 3).
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`; here also saturation or value outside of [0, 1].
    Matches: `rgb_to_hsv` undone to 1e-14, 1e-6 in float32; so levels come back exactly.

    >>> hsv_to_rgb([210.0, 0.5, 0.8]).round(2).tolist()
    [0.4, 0.6, 0.8]
    """
    colors = as_colors(hsv, "hsv_to_rgb", "hsv")
    check_values(colors[..., 1:], "hsv_to_rgb", "saturation and value", 0, 1)
    hue, saturation, value = colors[..., :1], colors[..., 1:2], colors[..., 2:]
    # A channel is full for 120 degrees around its own hue, absent for 120 around the opposite, and a ramp between.
    sixths = (hue / 60 + np.array([5, 3, 1], colors.dtype)) % 6
    absent: Colors = np.clip(np.minimum(sixths, 4 - sixths), 0, 1)
    return value - value * saturation * absent
