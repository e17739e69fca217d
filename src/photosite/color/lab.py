"""CIE Lab: lightness and two opponent axes, in which equal steps look roughly equal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.srgb import linear_to_srgb, srgb_to_linear
from photosite.color.values import Colors, as_colors, check_colors
from photosite.color.xyz import WHITE_XYZ, linear_rgb_to_xyz, xyz_to_linear_rgb

KNEE = 6 / 29
"""Below the cube of this a straight line, its tangent, replaces the cube root (CIE 15:2004; an exact fraction)."""


def xyz_to_lab(xyz: npt.ArrayLike) -> Colors:
    """Lightness L*, green to red a*, blue to yellow b*, all seen against white.

    Args:
        xyz: (..., 3) float; white has Y = 1.
    Returns:
        L* 0 for black and 100 for white; a* and b* 0 for gray; (..., 3).
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Convention: the white is D65, the one that `linear_rgb_to_xyz` gives, so that gray is gray; ICC profiles, and so
        Pillow's ImageCms, have Lab against D50. Below black the straight line goes on.
    Matches: colour-science `XYZ_to_Lab` to 1e-12.
    Source: CIE 15:2004.

    >>> xyz_to_lab(WHITE_XYZ).tolist()
    [100.0, 0.0, 0.0]
    """
    colors = as_colors(xyz, "xyz_to_lab", "xyz")
    ratio = colors / WHITE_XYZ.astype(colors.dtype)
    root = np.where(ratio > KNEE**3, np.cbrt(ratio), ratio / (3 * KNEE**2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_xyz(lab: npt.ArrayLike) -> Colors:
    """XYZ of a Lab color.

    Args:
        lab: (..., 3) float; L* 0 … 100 between black and white, others, to ±10000, are allowed.
    Returns:
        X, Y, Z, (..., 3); white has Y = 1. Can be negative: many Lab triples are the color of nothing.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Convention: D65.
    Matches: `xyz_to_lab` undone to 1e-14; colour-science `Lab_to_XYZ` to 1e-14.

    >>> lab_to_xyz([100.0, 0.0, 0.0]).round(6).tolist()
    [0.950456, 1.0, 1.089058]
    """
    colors = as_colors(lab, "lab_to_xyz", "lab")
    y = (colors[..., 0] + 16) / 116
    root = np.stack([y + colors[..., 1] / 500, y, y - colors[..., 2] / 200], axis=-1)
    ratio = np.where(root > KNEE, root**3, 3 * KNEE**2 * (root - 4 / 29))
    return ratio * WHITE_XYZ.astype(colors.dtype)


def rgb_to_lab(rgb: npt.ArrayLike) -> Colors:
    """Lab of a picture: the curve undone, the matrix, the cube root.

    Args:
        rgb: sRGB-encoded, (..., 3); uint8, or float with black 0 and white 1; colors outside of the gamut are allowed.
    Returns:
        L*, a*, b*, (..., 3); an sRGB picture has L* in [0, 100], a* in [-86.2, 98.3], b* in [-107.9, 94.5].
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Convention: D65; see `xyz_to_lab`.
    Matches: scikit-image to a ΔE of 0.016 (its Lab has another white than its matrix, so its white has a b* of 0.005);
        colour-science with the published matrix of four digits to 0.03; OpenCV in float32 to 0.6 (it interpolates in a
        table; to 0.03 from linear light, without the table); itself in float32 to 2e-4.

    >>> rgb_to_lab(np.array([255, 0, 0], np.uint8)).round(2).tolist()
    [53.24, 80.09, 67.2]
    """
    encoded = check_colors(rgb, "rgb_to_lab", "rgb")
    return xyz_to_lab(linear_rgb_to_xyz(srgb_to_linear(encoded)))


def lab_to_rgb(lab: npt.ArrayLike) -> Colors:
    """The sRGB color of a Lab color, whether a screen can show it or not.

    Args:
        lab: (..., 3) float.
    Returns:
        sRGB-encoded, (..., 3), black 0 and white 1. Outside of [0, 1] where the color lies outside of sRGB's gamut:
        `in_gamut` tells which those are, and `rgb_to_levels` clips them.
    Raises:
        ShapeError, RangeError: as for all colors, see `values.py`.
    Matches: `rgb_to_lab` undone to 3e-8 (see `linear_to_srgb`), 2e-5 in float32; so levels come back exactly.

    >>> lab_to_rgb([50.0, 0.0, -100.0]).round(2).tolist()
    [-0.65, 0.52, 1.15]
    """
    colors = as_colors(lab, "lab_to_rgb", "lab")
    return linear_to_srgb(xyz_to_linear_rgb(lab_to_xyz(colors)))
