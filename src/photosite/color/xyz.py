"""Linear sRGB and CIE XYZ: a matrix that follows from the three primaries and the white point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_colors

PRIMARIES_XY = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""Chromaticity of sRGB's red, green and blue (IEC 61966-2-1, the same as ITU-R BT.709)."""
D65_XY = (0.3127, 0.3290)
"""Chromaticity of sRGB's white, D65, in the four digits of the same standard."""


def _xyz_of(xy: tuple[float, float]) -> npt.NDArray[np.float64]:
    """XYZ of a chromaticity with Y = 1."""
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


WHITE_XYZ = _xyz_of(D65_XY)
"""The white that (1, 1, 1) becomes: (0.950456, 1, 1.089058)."""

_directions = np.stack([_xyz_of(xy) for xy in PRIMARIES_XY], axis=1)
RGB_TO_XYZ = _directions * np.linalg.solve(_directions, WHITE_XYZ)
"""XYZ = RGB_TO_XYZ · RGB. Each column points where its primary's chromaticity says; the lengths make the sum white."""
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)


def linear_rgb_to_xyz(linear_rgb: npt.ArrayLike) -> Colors:
    """What a standard eye makes of linear sRGB: CIE 1931 XYZ, with Y the luminance.

    Args:
        linear_rgb: linear light, (..., 3) float; [0, 1] inside the gamut, any finite number beyond.
    Returns:
        X, Y, Z, (..., 3); white is (0.950456, 1, 1.089058).
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`; uint8 is refused, it is encoded.
    Convention: white has Y = 1 (not 100) and is D65 (not the D50 of ICC profiles); no chromatic adaptation.
    Matches: colour-science with its derived matrix to 1e-15, and to 7e-5 with the one that IEC 61966-2-1 publishes,
        which is this one rounded to four digits; scikit-image and OpenCV, whose white has a Z of 1.088754, to 3.1e-4.
    Source: IEC 61966-2-1:1999 for primaries and white; SMPTE RP 177-1993 for the way from them to the matrix.

    >>> linear_rgb_to_xyz([1.0, 1.0, 1.0]).round(6).tolist()
    [0.950456, 1.0, 1.089058]
    """
    colors = as_colors(linear_rgb, "linear_rgb_to_xyz", "linear_rgb")
    return colors @ RGB_TO_XYZ.T.astype(colors.dtype)


def xyz_to_linear_rgb(xyz: npt.ArrayLike) -> Colors:
    """The amounts of sRGB's red, green and blue light that look like an XYZ color.

    Args:
        xyz: (..., 3) float; white has Y = 1.
    Returns:
        Linear light, (..., 3); below 0 or above 1 where the color lies outside of sRGB's gamut, nothing is clipped.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Matches: `linear_rgb_to_xyz` undone to 1e-14; the published inverse of four digits is off by 3.7e-4 an entry.

    >>> xyz_to_linear_rgb([0.0, 1.0, 0.0]).round(3).tolist()
    [-1.537, 1.876, -0.204]
    """
    colors = as_colors(xyz, "xyz_to_linear_rgb", "xyz")
    return colors @ XYZ_TO_RGB.T.astype(colors.dtype)
