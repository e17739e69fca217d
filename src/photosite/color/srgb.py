"""The sRGB curve: from the numbers in a picture to amounts of light, and back.

Both functions treat each number on its own, so they take any shape: a picture, one color, a curve to plot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_floats, check_values

# IEC 61966-2-1: a straight piece near black, a power above. The standard's constants are rounded, so the pieces miss
# each other by 3e-8 where they meet; that is kept, because everybody's sRGB has it.
SLOPE = 12.92
POWER = 2.4
OFFSET = 0.055
ENCODED_KNEE = 0.04045
LINEAR_KNEE = 0.0031308


def srgb_to_linear(rgb: npt.ArrayLike) -> Colors:
    """Undo the curve that pictures are stored with: twice the result is twice the light.

    Args:
        rgb: sRGB-encoded, any shape; uint8 levels, or float with black 0 and white 1.
    Returns:
        Linear light, black 0 and white 1; same shape.
    Raises:
        RangeError: another dtype, NaN or infinity, or beyond ±100.
    Convention: odd around 0 as in CSS Color 4, f(-x) = -f(x), and the power goes on above 1; nothing is clipped.
    Matches: colour-science from 0 up to 1e-15; below 0 it goes on straight, x / 12.92.
    Source: IEC 61966-2-1:1999.

    >>> srgb_to_linear(np.array([0, 128, 255], np.uint8)).round(4).tolist()
    [0.0, 0.2159, 1.0]
    """
    encoded = check_values(rgb, "srgb_to_linear", "rgb")
    if encoded.dtype == np.uint8:
        linear: Colors = _LINEAR_OF_LEVEL[encoded]
        return linear
    return _linear(as_floats(encoded))


def linear_to_srgb(linear_rgb: npt.ArrayLike) -> Colors:
    """Encode linear light the way that pictures are stored: more numbers for the dark.

    Args:
        linear_rgb: linear light, any shape; float with black 0 and white 1.
    Returns:
        sRGB-encoded, black 0 and white 1; same shape. `rgb_to_levels` makes it a picture.
    Raises:
        RangeError: another dtype (a uint8 picture is encoded already), NaN or infinity, or beyond ±1e9.
    Convention: odd around 0, and the power goes on above 1, as in `srgb_to_linear`.
    Matches: `srgb_to_linear` undone, to 3e-8 where the two pieces meet and to 1e-15 elsewhere.
    Source: IEC 61966-2-1:1999.

    >>> linear_to_srgb([0.0, 0.18, 1.0]).round(4).tolist()
    [0.0, 0.4614, 1.0]
    """
    linear = as_floats(check_values(linear_rgb, "linear_to_srgb", "linear_rgb"))
    size = np.abs(linear)
    root = size ** (1 / POWER)
    # the standard's 1.055 root - 0.055, written so that white comes out as 1 to the last bit
    curve = np.where(size <= LINEAR_KNEE, SLOPE * size, root + OFFSET * (root - 1))
    encoded: Colors = np.copysign(curve, linear)
    return encoded


def _linear(encoded: Colors) -> Colors:
    size = np.abs(encoded)
    curve = np.where(size <= ENCODED_KNEE, size / SLOPE, ((size + OFFSET) / (1 + OFFSET)) ** POWER)
    linear: Colors = np.copysign(curve, encoded)
    return linear


_LINEAR_OF_LEVEL = _linear(np.arange(256) / 255)
