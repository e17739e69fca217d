"""What two steps between light and file throw away, in numbers and maps: the Bayer mosaic, and chroma subsampling.

Each step is done to a photo and undone as well as it can be; the photo itself is what the result is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.color import (
    ciede2000,
    linear_to_srgb,
    rgb_through_subsampling,
    rgb_to_lab,
    rgb_to_levels,
    rgb_to_ycbcr,
    subsample_chroma,
    upsample_chroma,
    ycbcr_to_rgb,
)
from photosite.prep.recipe import Picture
from photosite.sensor import METHODS, RawPhoto
from photosite.trace import pictures
from photosite.trace.canvas import block_means
from photosite.trace.values import Tile

Errors = Mapping[str, npt.NDArray[Any]]
"""(H, W) by name, each uint8 or floating point."""
Box = tuple[int, int, int, int]
"""Top, left, bottom, right; half-open, in pixels."""

MAP_SIDE = 384
"""The longest side of an error map; a larger one is averaged over blocks, and its scale says so."""
CLOSE_SIDE = 32
"""Side of the part that is looked at closely."""

SUBSAMPLINGS: tuple[tuple[str, str, str, float], ...] = (
    ("4:4:4", "chroma", "4:4:4", 3),
    ("4:2:2", "chroma", "4:2:2", 2),
    ("4:2:0", "chroma", "4:2:0", 1.5),
    ("Y halved across", "luma", "4:2:2", 2.5),
    ("Y halved both ways", "luma", "4:2:0", 2.25),
)
"""A name, what is subsampled, by which scheme, and how many numbers are left for a pixel."""


@dataclass(frozen=True)
class Loss:
    """One way to throw something away, and how far the picture that comes back is from the photo.

    Args:
        name: of the way.
        mean: error over the whole sample: |difference| over all pixels and channels, or ΔE over all pixels.
        highest: the largest error of any pixel.
        share_above_one: of the pixels, how many are off by more than 1.
        numbers_per_pixel: how many numbers were kept for each pixel, with even sides.
        error: a map of the error, with limits shared by all losses of a comparison.
        close_up: what comes back, at the comparison's `close_box`.
    """

    name: str
    mean: float
    highest: float
    share_above_one: float
    numbers_per_pixel: float
    error: Tile
    close_up: Tile


@dataclass(frozen=True)
class Comparison:
    """Several losses of the same photo; `unit` is that of all errors, `close_box` where the close-ups lie in it."""

    unit: str
    close_box: Box
    photo: Tile
    losses: tuple[Loss, ...]


def demosaicing(photo: Picture, raw: RawPhoto) -> Comparison | None:
    """Develop a photo's mosaic again by each method, and compare with the photo.

    Args:
        photo: (H, W, 3) uint8.
        raw: the photo undeveloped, without noise.
    Returns:
        Errors in levels: a pixel's is the largest of its three channels' differences. The close-up is where bilinear
        errs most. None for less than 2 × 2 photosites, which cannot be demosaiced.
    """
    if min(photo.shape[:2]) < 2:
        return None
    developed = {method: rgb_to_levels(raw.develop(method, linear_to_srgb)) for method in METHODS}
    off = {method: np.abs(levels.astype(np.int16) - photo) for method, levels in developed.items()}
    errors = {method: values.max(axis=-1).astype(np.uint8) for method, values in off.items()}
    means = {method: float(values.mean()) for method, values in off.items()}
    return _compare("levels", photo, developed, errors, means, dict.fromkeys(METHODS, 1.0), worst="bilinear")


def subsampling(photo: Picture) -> Comparison:
    """Keep less of chroma, and for comparison less of luma, by the same means and the same filter.

    Args:
        photo: (H, W, 3) uint8.
    Returns:
        Errors in CIEDE2000, nothing rounded to levels before. The close-up is where 4:2:0 differs most.
    """
    lab = rgb_to_lab(photo)
    after = {
        name: rgb_through_subsampling(photo, scheme) if what == "chroma" else rgb_through_halved_luma(photo, scheme)
        for name, what, scheme, _ in SUBSAMPLINGS
    }
    errors = {name: ciede2000(lab, rgb_to_lab(rgb)) for name, rgb in after.items()}
    means = {name: float(error.mean()) for name, error in errors.items()}
    left = {name: numbers for name, _, _, numbers in SUBSAMPLINGS}
    levels = {name: rgb_to_levels(rgb) for name, rgb in after.items()}
    return _compare("ΔE (CIEDE2000)", photo, levels, errors, means, left, worst="4:2:0")


def rgb_through_halved_luma(rgb: Picture, scheme: str) -> npt.NDArray[np.floating]:
    """A picture after its luma was treated as `rgb_through_subsampling` treats chroma, and its chroma left alone.

    Args:
        rgb: (H, W, 3) uint8.
        scheme: '4:4:4', '4:2:2' or '4:2:0', of which only the numbers of rows and columns matter here.
    Returns:
        (H, W, 3) in [0, 1], clipped.
    """
    ycbcr = rgb_to_ycbcr(rgb)
    small = subsample_chroma(ycbcr[..., [0, 0]], scheme)  # twice the same plane, where chroma has two
    ycbcr[..., 0] = upsample_chroma(small, (rgb.shape[0], rgb.shape[1]), scheme)[..., 0]
    return np.clip(ycbcr_to_rgb(ycbcr), 0, 1)


def _compare(
    unit: str,
    photo: Picture,
    after: dict[str, Picture],
    errors: Errors,
    means: dict[str, float],
    left: dict[str, float],
    worst: str,
) -> Comparison:
    box = worst_box(errors[worst])
    top, left_side, bottom, right = box
    return Comparison(
        unit=unit,
        close_box=box,
        photo=pictures.plain("photo", photo[top:bottom, left_side:right]),
        losses=tuple(
            Loss(
                name=name,
                mean=means[name],
                highest=float(error.max()),
                share_above_one=float((error > 1).mean()),
                numbers_per_pixel=left[name],
                error=tile,
                close_up=pictures.plain(name, after[name][top:bottom, left_side:right]),
            )
            for (name, error), tile in zip(errors.items(), error_tiles(errors, unit), strict=True)
        ),
    )


def worst_box(error: npt.NDArray[Any]) -> Box:
    """The cell of `CLOSE_SIDE` × `CLOSE_SIDE` with the largest mean error, the first of several.

    >>> error = np.zeros((70, 100))
    >>> error[40, 99] = 1
    >>> worst_box(error)
    (32, 68, 64, 100)
    """
    height, width = error.shape
    means = block_means(error[None], (CLOSE_SIDE, CLOSE_SIDE))[0]
    row, column = divmod(int(means.argmax()), means.shape[1])
    bottom, right = min((row + 1) * CLOSE_SIDE, height), min((column + 1) * CLOSE_SIDE, width)
    return max(bottom - CLOSE_SIDE, 0), max(right - CLOSE_SIDE, 0), bottom, right  # full cells at the border too


def error_tiles(errors: Errors, unit: str) -> list[Tile]:
    """Draw errors in viridis from 0 to one limit for all, which at most `pictures.CLIPPED_SHARE` of each exceeds."""
    block = max(math.ceil(max(error.shape) / MAP_SIDE) for error in errors.values())
    drawn = [block_means(error[None], (block, block))[0] for error in errors.values()]
    high = max(float(np.quantile(one, 1 - pictures.CLIPPED_SHARE, method="higher")) for one in drawn)
    averaged = [] if block == 1 else [f"averaged {block} × {block}"]
    tiles = []
    for (name, error), one in zip(errors.items(), drawn, strict=True):
        tile = pictures.magnitude(name, one, 0, high)
        colors, *beyond = tile.scale.split(", ")
        scale = ", ".join([f"{colors} {unit}", *beyond, *averaged])
        tiles.append(Tile(pictures.caption(f"error of {name}", error), tile.pixels, scale, 0, high))
    return tiles
