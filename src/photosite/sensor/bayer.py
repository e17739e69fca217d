"""The Bayer mosaic: which color each photosite measures, in the four ways that the pattern can begin.

A pattern is named by the letters of its top left 2 × 2 photosites in reading order: "RGGB" is R G over G B.
Knows no counts, no noise and no interpolation.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.shapes import as_size_hw

PATTERNS: tuple[str, ...] = ("RGGB", "BGGR", "GRBG", "GBRG")
"""The four phases of the Bayer pattern (B. E. Bayer, US patent 3,971,065, 1976)."""

OPENCV_NAMES: dict[str, str] = {"RGGB": "BG", "BGGR": "RG", "GRBG": "GB", "GBRG": "GR"}
"""Each pattern as OpenCV's `COLOR_Bayer…` codes and kornia's `CFA` call it.

They name the second and third photosite of the second row, so their "BG" has red at the top left. OpenCV's longer
names, as in `COLOR_BayerRGGB2RGB`, are ours.
"""

Scalar = TypeVar("Scalar", bound=np.generic)


def channel_at(pattern: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The channels (0 red, 1 green, 2 blue) of the top left 2 × 2 photosites.

    Raises:
        UnknownNameError: there is no such pattern.

    >>> channel_at("GRBG")
    ((1, 0), (2, 1))
    """
    if pattern not in PATTERNS:
        raise UnknownNameError("Bayer pattern", str(pattern), PATTERNS)
    top_left, top_right, bottom_left, bottom_right = ("RGB".index(letter) for letter in pattern)
    return (top_left, top_right), (bottom_left, bottom_right)


def photosite_color(y: int, x: int, pattern: str = "RGGB") -> str:
    """The color of the filter over one photosite.

    Args:
        y: row, 0 at the top.
        x: column, 0 at the left.
        pattern: one of `PATTERNS`.
    Returns:
        "R", "G" or "B".
    Raises:
        RangeError: a row or column below 0.
        UnknownNameError: there is no such pattern.

    >>> photosite_color(0, 0), photosite_color(5, 3), photosite_color(5, 3, "BGGR")
    ('R', 'B', 'R')
    """
    if y < 0 or x < 0:
        raise RangeError(f"photosite_color: wants a row and a column from 0, got ({y}, {x})")
    return "RGB"[channel_at(pattern)[y % 2][x % 2]]


def bayer_masks(size_hw: tuple[int, int], pattern: str = "RGGB") -> npt.NDArray[np.bool_]:
    """Where each color is measured.

    Args:
        size_hw: (height, width) of the mosaic in photosites; odd sizes end in the middle of a 2 × 2 block.
        pattern: one of `PATTERNS`.
    Returns:
        (H, W, 3) bool, channels R, G, B; exactly one of the three is true at each photosite.
    Raises:
        RangeError: a side is below 1.
        UnknownNameError: there is no such pattern.
    Matches: colour-demosaicing `masks_CFA_Bayer`, exactly.

    >>> bayer_masks((2, 3))[..., 0].astype(int).tolist()
    [[1, 0, 1], [0, 0, 0]]
    """
    masks = np.zeros((*as_size_hw(size_hw), 3), np.bool_)
    for top, row in enumerate(channel_at(pattern)):
        for left, channel in enumerate(row):
            masks[top::2, left::2, channel] = True
    return masks


def mosaic(rgb: npt.NDArray[Scalar], pattern: str = "RGGB") -> npt.NDArray[Scalar]:
    """What is left of a picture behind the filters: of each pixel the one channel that its photosite measures.

    Args:
        rgb: (H, W, 3), channels R, G, B, any dtype and range; light should be linear, the sensor's is.
        pattern: one of `PATTERNS`.
    Returns:
        (H, W), the same dtype and range.
    Raises:
        ShapeError: not (H, W, 3), or without a pixel.
        UnknownNameError: there is no such pattern.
    Matches: colour-demosaicing `mosaicing_CFA_Bayer`, exactly.

    >>> mosaic(np.array([[[10, 20, 30]] * 3] * 2)).tolist()
    [[10, 20, 10], [20, 30, 20]]
    """
    rgb = np.asarray(rgb)
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        hint = "; channels go last: rgb.transpose(1, 2, 0)" if rgb.ndim == 3 and rgb.shape[0] == 3 else ""
        raise ShapeError(f"mosaic: wants a picture (H, W, 3), got {rgb.shape} {rgb.dtype}{hint}")
    raw = np.empty(rgb.shape[:2], rgb.dtype)
    for top, row in enumerate(channel_at(pattern)):
        for left, channel in enumerate(row):
            raw[top::2, left::2] = rgb[top::2, left::2, channel]
    return raw


def as_mosaic(raw: npt.ArrayLike, who: str) -> npt.NDArray[np.floating[Any]]:
    """A mosaic as floating point, fit to be demosaiced: float32 and float64 stay, whole numbers become float64.

    Args:
        raw: (H, W), whole or floating-point numbers, any range.
        who: the function that asks, for the message.
    Raises:
        ShapeError: not (H, W), or fewer than 2 × 2 photosites: then a color is not measured anywhere.
        RangeError: not numbers, or NaN or infinity among them.
    """
    raw = np.asarray(raw)
    if raw.ndim != 2 or min(raw.shape) < 2:
        hint = "; mosaic(rgb) makes one" if raw.ndim == 3 else ""
        raise ShapeError(
            f"{who}: wants a mosaic (H, W) of at least 2 × 2 photosites, got {raw.shape} {raw.dtype}{hint}"
        )
    if raw.dtype.kind not in "iuf":
        raise RangeError(f"{who}: wants whole or floating-point numbers, got {raw.dtype} {raw.shape}")
    if not np.isfinite(raw).all():
        raise RangeError(f"{who}: wants finite numbers, {np.sum(~np.isfinite(raw))} of {raw.size} are not")
    return raw if raw.dtype in (np.float32, np.float64) else raw.astype(np.float64)
