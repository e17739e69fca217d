"""Chroma subsampling: color at half the resolution of luma, as nearly every JPEG stores it, and what that loses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.color.values import Colors, as_colors, check_values
from photosite.color.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb
from photosite.errors import ShapeError, UnknownNameError
from photosite.shapes import as_size_hw

FACTORS: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
"""Rows and columns of luma that share one sample of chroma."""
UPSAMPLINGS = ("triangle", "nearest")


def subsample_chroma(chroma: npt.ArrayLike, scheme: str = "4:2:0") -> Colors:
    """Keep one chroma sample for two or four pixels: their mean.

    Args:
        chroma: Cb and Cr, (..., H, W, 2) float, for instance `ycbcr[..., 1:]`.
        scheme: '4:4:4' (nothing is lost), '4:2:2' (half the columns) or '4:2:0' (half the columns and rows).
    Returns:
        (..., ceil(H / rows), ceil(W / columns), 2); at an odd side the last sample is that of the last pixels alone.
    Raises:
        ShapeError: other axes.
        RangeError: not float, NaN or infinity.
        UnknownNameError: another scheme.
    Convention: samples sit in the middle of their pixels, as in JPEG (MPEG-2 has them on the left ones).
    Matches: libjpeg, but for its rounding to levels.

    >>> subsample_chroma(np.array([[[0.0, 1.0], [0.5, 1.0], [0.75, 1.0]]]), "4:2:2").tolist()
    [[[0.25, 1.0], [0.75, 1.0]]]
    """
    planes = _as_planes(chroma, "subsample_chroma")
    rows, columns = _factors(scheme)
    if rows == 2:
        planes = _halve(planes, -3)
    return _halve(planes, -2) if columns == 2 else planes.copy()


def upsample_chroma(
    chroma: npt.ArrayLike, size_hw: tuple[int, int], scheme: str = "4:2:0", upsampling: str = "triangle"
) -> Colors:
    """A chroma sample for every pixel again.

    Args:
        chroma: Cb and Cr as `subsample_chroma` gives them, (..., h, w, 2) float.
        size_hw: height and width of the picture.
        scheme: '4:4:4', '4:2:2' or '4:2:0'.
        upsampling: 'nearest', each pixel takes its block's sample; or 'triangle', as decoders do, 3/4 of it and 1/4 of
            the neighbor's on the pixel's own side, down and across; at the border a sample is its own neighbor.
    Returns:
        (..., H, W, 2).
    Raises:
        ShapeError: other axes, or a size that does not belong to `size_hw`.
        RangeError: not float, NaN or infinity.
        UnknownNameError: another scheme or upsampling.
    Convention: for planes up to two samples wide libjpeg takes 'nearest' whatever was asked for; this does not.
    Matches: libjpeg's "fancy upsampling" to half a level, which is its rounding.
    Source: a triangle filter at the samples' positions, as described in libjpeg's jdsample.c.

    >>> upsample_chroma(np.array([[[0.0, 1.0], [1.0, 1.0]]]), (1, 4), "4:2:2")[0, :, 0].tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    planes = _as_planes(chroma, "upsample_chroma")
    rows, columns = _factors(scheme)
    if upsampling not in UPSAMPLINGS:
        raise UnknownNameError("chroma upsampling", str(upsampling), UPSAMPLINGS)
    height, width = as_size_hw(size_hw)
    wanted = (-(-height // rows), -(-width // columns))
    if planes.shape[-3:-1] != wanted:
        raise ShapeError(
            f"upsample_chroma: wants {wanted[0]} × {wanted[1]} samples for {height} × {width} pixels in {scheme}, "
            f"got {planes.shape}"
        )
    if rows == 2:
        planes = _double(planes, -3, height, upsampling)
    return _double(planes, -2, width, upsampling) if columns == 2 else planes.copy()


def rgb_through_subsampling(rgb: npt.ArrayLike, scheme: str = "4:2:0", upsampling: str = "triangle") -> Colors:
    """A picture after its chroma was subsampled and filled up again: what that step of JPEG loses, and nothing else.

    Args:
        rgb: sRGB-encoded picture, (..., H, W, 3); uint8, or float in [0, 1].
        scheme: '4:4:4', '4:2:2' or '4:2:0'.
        upsampling: 'triangle' or 'nearest'.
    Returns:
        sRGB-encoded, (..., H, W, 3) in [0, 1]: clipped, since the luma of one pixel with the color of its neighbors
        need not be an sRGB color, and decoders clip too.
    Raises:
        ShapeError: other axes.
        RangeError: another dtype, NaN or infinity, outside of [0, 1].
        UnknownNameError: another scheme or upsampling.
    Convention: no rounding to levels and no cosine transform in between.

    >>> red_and_gray = np.array([[[255, 0, 0], [128, 128, 128]]], np.uint8)
    >>> (rgb_through_subsampling(red_and_gray, "4:2:2", "nearest") * 255).round().tolist()
    [[[166.0, 38.0, 38.0], [217.0, 90.0, 90.0]]]
    """
    colors = as_colors(rgb, "rgb_through_subsampling", "rgb", 0, 1)
    if colors.ndim < 3:
        raise ShapeError(f"rgb_through_subsampling: wants a picture, (..., H, W, 3), got {colors.shape}")
    ycbcr = rgb_to_ycbcr(colors)
    size_hw = (colors.shape[-3], colors.shape[-2])
    small = subsample_chroma(ycbcr[..., 1:], scheme)
    ycbcr[..., 1:] = upsample_chroma(small, size_hw, scheme, upsampling)
    return np.clip(ycbcr_to_rgb(ycbcr), 0, 1)


def _as_planes(chroma: npt.ArrayLike, who: str) -> Colors:
    planes = np.asarray(chroma)
    if planes.ndim < 3 or planes.shape[-1] != 2:
        raise ShapeError(f"{who}: wants Cb and Cr, (..., H, W, 2), as in ycbcr[..., 1:], got {planes.shape}")
    return check_values(planes, who, "chroma")


def _factors(scheme: str) -> tuple[int, int]:
    if scheme not in FACTORS:
        raise UnknownNameError("chroma subsampling", str(scheme), FACTORS)
    return FACTORS[scheme]


def _halve(planes: Colors, axis: int) -> Colors:
    """The mean of each pair along an axis; a last one without partner is paired with itself."""
    planes = np.moveaxis(planes, axis, 0)
    first, second = planes[0::2], planes[1::2]
    second = np.concatenate([second, first[len(second) :]])
    return np.moveaxis((first + second) / 2, 0, axis)


def _double(planes: Colors, axis: int, side: int, upsampling: str) -> Colors:
    """Two samples for each along an axis, cut to a side."""
    planes = np.moveaxis(planes, axis, 0)
    if upsampling == "nearest":
        doubled = np.repeat(planes, 2, axis=0)
    else:
        before = np.concatenate([planes[:1], planes[:-1]])
        after = np.concatenate([planes[1:], planes[-1:]])
        doubled = np.empty((2 * len(planes), *planes.shape[1:]), planes.dtype)
        doubled[0::2] = (3 * planes + before) / 4
        doubled[1::2] = (3 * planes + after) / 4
    return np.moveaxis(doubled[:side], 0, axis)
