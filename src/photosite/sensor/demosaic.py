"""Demosaicing by name: three colors for each photosite from the one that it measured.

Every method keeps the measured samples as they are: `mosaic(demosaic(raw))` is `raw`, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from photosite.errors import UnknownNameError
from photosite.sensor.bayer import as_mosaic, bayer_masks
from photosite.sensor.menon import demosaic_menon
from photosite.sensor.neighbors import correlate

FloatPicture = npt.NDArray[np.floating[Any]]
"""(H, W, 3), floating point, channels R, G, B."""

BILINEAR_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
BILINEAR_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4

# Malvar, He and Cutler 2004, figure 2, in eighths. The weights of the wanted color sum to 1, all others to 0.
MALVAR_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
"""Green at a red or blue photosite."""
MALVAR_BESIDE = (
    np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
)
"""Red or blue at a green photosite that has the color to its left and right; turned where it is above and below."""
MALVAR_OPPOSITE = (
    np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8
)
"""Red at a blue photosite, blue at a red one."""


def demosaic(raw: npt.ArrayLike, pattern: str = "RGGB", method: str = "menon") -> FloatPicture:
    """Give each photosite the two colors that it did not measure, guessed from its neighbors.

    Args:
        raw: (H, W), at least 2 × 2; whole or floating-point numbers of any range, linear light.
        pattern: one of `PATTERNS`, the color of the top left photosite first.
        method: 'bilinear', 'malvar' or 'menon', from the quickest to the best.
    Returns:
        (H, W, 3), channels R, G, B; float32 for float32, else float64; not clipped: 'malvar' and 'menon' overshoot.
    Raises:
        ShapeError: not (H, W), or fewer than 2 × 2 photosites, where a color would not be measured anywhere.
        RangeError: not numbers, or NaN or infinity among them.
        UnknownNameError: there is no such pattern or method.
    Convention: mirror borders, 32|1234|32, which keep the mosaic's phase.
    Matches: colour-demosaicing to 1e-6: 'menon' everywhere, 'bilinear' and 'malvar' farther than 1 and 2 photosites
        from the border, where that package repeats the border's photosites (see `demosaic_bilinear`).

    >>> demosaic(np.array([[8, 4], [4, 2]]), method="bilinear")[0, 1].tolist()
    [8.0, 4.0, 2.0]
    """
    if method not in METHODS:
        raise UnknownNameError("demosaicing method", str(method), METHODS)
    return METHODS[method](raw, pattern)


def demosaic_bilinear(
    raw: npt.ArrayLike, pattern: str = "RGGB", *, border: Literal["mirror", "symmetric"] = "mirror"
) -> FloatPicture:
    """Fill in each missing color with the mean of the two or four nearest photosites that measured it.

    Args:
        raw: (H, W), at least 2 × 2, whole or floating-point numbers of any range.
        pattern: one of `PATTERNS`.
        border: 'mirror' keeps the mosaic's phase. 'symmetric' repeats the border's photosites, as colour-demosaicing
            does for this method; beyond a red one then stands another red one, and the corner of an even red
            of 1 becomes 2.25.
    Returns:
        (H, W, 3), channels R, G, B; float32 for float32, else float64.
    Raises:
        ShapeError, RangeError, UnknownNameError: as `demosaic`.
    Matches: colour-demosaicing `demosaicing_CFA_Bayer_bilinear` to 1e-6 with border='symmetric'.

    >>> demosaic_bilinear(np.array([[8, 4], [4, 2]])).tolist()[0]
    [[8.0, 4.0, 2.0], [8.0, 4.0, 2.0]]
    >>> demosaic_bilinear(np.array([[8, 4], [4, 2]]), border="symmetric").tolist()[0]
    [[18.0, 2.0, 0.5], [6.0, 6.0, 1.5]]
    """
    raw = as_mosaic(raw, "demosaic_bilinear")
    masks = bayer_masks((raw.shape[0], raw.shape[1]), pattern)
    weights = (BILINEAR_RED_BLUE, BILINEAR_GREEN, BILINEAR_RED_BLUE)
    planes = [correlate(np.where(masks[..., c], raw, 0), weights[c], border) for c in range(3)]
    return np.stack(planes, axis=-1)  # (H, W, 3)


def demosaic_malvar(
    raw: npt.ArrayLike, pattern: str = "RGGB", *, border: Literal["mirror", "symmetric"] = "mirror"
) -> FloatPicture:
    """Bilinear means, corrected by how much the photosite's own color differs from its surroundings.

    Args:
        raw: (H, W), at least 2 × 2, whole or floating-point numbers of any range; neutral gray should have three
            equal values, so balance white first.
        pattern: one of `PATTERNS`.
        border: as in `demosaic_bilinear`.
    Returns:
        (H, W, 3), channels R, G, B; float32 for float32, else float64; not clipped, it can overshoot the input's range.
    Raises:
        ShapeError, RangeError, UnknownNameError: as `demosaic`.
    Matches: colour-demosaicing `demosaicing_CFA_Bayer_Malvar2004` to 1e-6 with border='symmetric'.
    Source: H. S. Malvar, L. He, R. Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned
        color images", ICASSP 2004.

    >>> demosaic_malvar(np.array([[8, 4], [4, 2]]))[1, 0].tolist()
    [8.0, 4.0, 2.0]
    """
    raw = as_mosaic(raw, "demosaic_malvar")
    is_red, is_green, is_blue = np.moveaxis(bayer_masks((raw.shape[0], raw.shape[1]), pattern), -1, 0)
    beside = correlate(raw, MALVAR_BESIDE, border)
    above_and_below = correlate(raw, MALVAR_BESIDE.T, border)
    opposite = correlate(raw, MALVAR_OPPOSITE, border)
    red, blue = (
        np.where(
            is_green,
            np.where(is_color.any(axis=1, keepdims=True), beside, above_and_below),
            np.where(is_color, raw, opposite),
        )
        for is_color in (is_red, is_blue)
    )
    green = np.where(is_green, raw, correlate(raw, MALVAR_GREEN, border))
    return np.stack([red, green, blue], axis=-1)  # (H, W, 3)


METHODS: dict[str, Callable[[npt.ArrayLike, str], FloatPicture]] = {
    "bilinear": demosaic_bilinear,
    "malvar": demosaic_malvar,
    "menon": demosaic_menon,
}
"""The demosaicing methods by name."""
