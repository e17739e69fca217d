"""How different two colors look: the distance in Lab of 1976, and CIEDE2000, which corrects it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_colors
from photosite.errors import ShapeError


def delta_e76(lab1: npt.ArrayLike, lab2: npt.ArrayLike) -> Colors:
    """Distance between two colors in Lab; about 2 can just be seen.

    Args:
        lab1: (..., 3) float, as `rgb_to_lab` gives it.
        lab2: the same; the shapes broadcast.
    Returns:
        (...), 0 where the colors are the same.
    Raises:
        ShapeError: the last axis is not 3, or the shapes do not broadcast.
        RangeError: as for all colors, see `values.py`.
    Matches: scikit-image `deltaE_cie76` and colour-science to 1e-13.
    Source: CIE 15:2004.

    >>> delta_e76([50.0, 3.0, 4.0], [50.0, 0.0, 0.0]).tolist()
    5.0
    """
    first, second = _pair(lab1, lab2, "delta_e76")
    squared: Colors = ((first - second) ** 2).sum(axis=-1)
    return np.sqrt(squared)


def ciede2000(lab1: npt.ArrayLike, lab2: npt.ArrayLike) -> Colors:
    """How different two colors look, with the corrections of CIEDE2000; about 1 can just be seen.

    Args:
        lab1: (..., 3) float, as `rgb_to_lab` gives it.
        lab2: the same; the shapes broadcast. The formula was fitted to pairs of at most about 5.
    Returns:
        (...), 0 where the colors are the same.
    Raises:
        ShapeError: the last axis is not 3, or the shapes do not broadcast.
        RangeError: as for all colors, see `values.py`.
    Convention: the weights kL, kC, kH are 1. It jumps where two hues lie exactly opposite, since the mean hue has two
        values there, and it is no distance: the triangle inequality does not hold.
    Matches: the 34 published pairs to their four decimals; scikit-image and colour-science to 1e-10.
    Source: G. Sharma, W. Wu, E. N. Dalal, The CIEDE2000 color-difference formula: implementation notes, supplementary
        test data, and mathematical observations, Color Research and Application 30 (2005), equations 2 to 22.

    >>> ciede2000([50.0, 2.5, 0.0], [61.0, -5.0, 29.0]).round(4).tolist()
    22.8977
    """
    first, second = _pair(lab1, lab2, "ciede2000")
    (L1, a1, b1), (L2, a2, b2) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)

    # a' stretches the red-green axis for colors near gray; chroma C' and hue h' follow from it
    stretch = 1.5 - 0.5 * _share_of_high_chroma((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    C1, h1 = np.hypot(stretch * a1, b1), np.rad2deg(np.arctan2(b1, stretch * a1)) % 360
    C2, h2 = np.hypot(stretch * a2, b2), np.rad2deg(np.arctan2(b2, stretch * a2)) % 360

    # Hue differences the short way round. A gray has no hue, and needs no case of its own: dH is 0 whatever h' is.
    dL, dC, dh = L2 - L1, C2 - C1, h2 - h1
    far = np.abs(dh) > 180
    dh = np.where(far, dh - np.copysign(360, dh), dh)
    dH = 2 * np.sqrt(C1 * C2) * _sin(dh / 2)

    L, C, h = (L1 + L2) / 2, (C1 + C2) / 2, (h1 + h2) / 2
    h = np.where(far, np.where(h < 180, h + 180, h - 180), h)
    T = 1 - 0.17 * _cos(h - 30) + 0.24 * _cos(2 * h) + 0.32 * _cos(3 * h + 6) - 0.20 * _cos(4 * h - 63)
    S_L = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    S_C = 1 + 0.045 * C
    S_H = 1 + 0.015 * C * T
    R_T = -2 * _share_of_high_chroma(C) * _sin(60 * np.exp(-(((h - 275) / 25) ** 2)))  # turns the ellipses of blue
    squared: Colors = (dL / S_L) ** 2 + (dC / S_C) ** 2 + (dH / S_H) ** 2 + R_T * (dC / S_C) * (dH / S_H)
    return np.sqrt(squared)


def _share_of_high_chroma(chroma: Colors) -> Colors:
    """0 for gray, 1 for vivid colors, with the step at a chroma of 25."""
    share: Colors = np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    return share


def _sin(degrees: Colors) -> Colors:
    return np.sin(np.deg2rad(degrees))


def _cos(degrees: Colors) -> Colors:
    return np.cos(np.deg2rad(degrees))


def _pair(lab1: npt.ArrayLike, lab2: npt.ArrayLike, who: str) -> tuple[Colors, Colors]:
    first, second = as_colors(lab1, who, "lab"), as_colors(lab2, who, "lab")
    try:
        np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        raise ShapeError(f"{who}: wants shapes that broadcast, got {first.shape} and {second.shape}") from None
    return first, second
