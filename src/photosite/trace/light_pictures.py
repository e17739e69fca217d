"""Everything that a page about one pixel shows of its photo: neighborhood, mosaic, planes, losses, histogram, input.

Arrays, tiles and numbers; no HTML and no file. What a large photo is too large for is done to its center, at full
resolution, and `sample_box` says to which part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.color import linear_to_srgb, rgb_to_levels, srgb_to_linear
from photosite.prep.recipe import Picture, Recipe
from photosite.sensor import RawPhoto, Sensor, bayer_masks, undevelop
from photosite.trace import pictures
from photosite.trace.canvas import block_means
from photosite.trace.color_planes import Space, color_planes, said_size
from photosite.trace.light import thumbnail
from photosite.trace.light_losses import Box, Comparison, demosaicing, subsampling
from photosite.trace.notation import count
from photosite.trace.values import Tile

SAMPLE_PIXELS = 1_000_000
"""A photo of more pixels is demosaiced and subsampled only in its center."""
PHOTO_SIDE = 800
"""The longest side of the photo as it is drawn."""
PLANE_SIDE = 320
"""The longest side of a plane of a color space."""
INPUT_SIDE = 256
"""The longest side of a plane of the model's input; a larger one is averaged over blocks."""
MOSAIC_SIDE = 400
"""The longest side of the mosaic seen whole."""
NEAR_SIDE = 16
"""Side of the neighborhood that is magnified."""


@dataclass(frozen=True)
class LightPictures:
    """What is shown of one photo around one of its pixels.

    Args:
        photo: the photo, at most `PHOTO_SIDE` px a side.
        near_box: the neighborhood, at most `NEAR_SIDE` px a side, with the pixel in its middle where the photo allows.
        near_rgb: its levels, (h, w, 3) uint8.
        near_counts: its raw counts, (h, w) uint16, without noise.
        near: the neighborhood in its own colors.
        near_mosaic: what the sensor has of it, each photosite in its filter's color.
        sample_box: the part of the photo that mosaic, demosaicing and subsampling are of.
        mosaic: the sample's mosaic, averaged over blocks.
        demosaicing: its losses; None where a side is below 2 px.
        spaces: the photo's planes in five color spaces.
        planes_of: which pixels the planes show, in words.
        histogram: how many pixels of the whole photo have each level: (3, 256), channels R, G, B.
        subsampling: the losses of keeping less chroma, or less luma.
        input_picture: what the recipe gives a model, as a picture.
        input_channels: the same as three planes of normalized values, in the recipe's order, with the same limits.
        input_means: of the input's channels, in the same order.
        input_stds: standard deviations (of the population), likewise.
        crop_box: the part of the photo that the model sees, as shares (top, left, bottom, right).
    """

    photo: Picture
    near_box: Box
    near_rgb: Picture
    near_counts: npt.NDArray[np.uint16]
    near: Tile
    near_mosaic: Tile
    sample_box: Box
    mosaic: Tile
    demosaicing: Comparison | None
    spaces: tuple[Space, ...]
    planes_of: str
    histogram: npt.NDArray[np.int64]
    subsampling: Comparison
    input_picture: Tile
    input_channels: tuple[Tile, ...]
    input_means: tuple[float, ...]
    input_stds: tuple[float, ...]
    crop_box: tuple[float, float, float, float]


def light_pictures(
    picture: Picture, at_xy: tuple[int, int], recipe: Recipe, model_input: npt.NDArray[np.float32], sensor: Sensor
) -> LightPictures:
    """Draw and measure what the page shows.

    Args:
        picture: (H, W, 3) uint8, upright.
        at_xy: column and row of the pixel, inside of the picture.
        recipe: how the picture became the input.
        model_input: `recipe(picture)`.
        sensor: what looks at the picture, without noise.
    """
    size_hw = (picture.shape[0], picture.shape[1])
    near_box, sample_box = neighborhood(at_xy, size_hw), center_sample(size_hw, SAMPLE_PIXELS)
    near_rgb, near_counts = _cut(picture, near_box), counts_of(picture, near_box, sensor)
    near_name = f"rows {near_box[0]} … {near_box[2] - 1}, columns {near_box[1]} … {near_box[3] - 1}"
    sample = _cut(picture, sample_box)
    raw = _raw(sample, sensor)
    small = thumbnail(picture, PLANE_SIDE)
    planes = np.moveaxis(model_input[0], recipe.layout.index("C") - 1, 0)  # (3, h, w)
    return LightPictures(
        photo=thumbnail(picture, PHOTO_SIDE),
        near_box=near_box,
        near_rgb=near_rgb,
        near_counts=near_counts,
        near=pictures.plain(near_name, near_rgb),
        near_mosaic=Tile(
            pictures.caption("raw counts", near_counts),
            tinted(near_counts, (near_box[0], near_box[1]), sensor),
            _counts_scale(sensor),
        ),
        sample_box=sample_box,
        mosaic=mosaic_tile(raw.raw_counts, sensor),
        demosaicing=demosaicing(sample, raw),
        spaces=color_planes(small),
        planes_of=said_size(small, picture),
        histogram=histogram(picture),
        subsampling=subsampling(sample),
        input_picture=pictures.plain("the model's input, undone", recipe.undo(model_input)[0]),
        input_channels=pictures.channels("normalized", planes, tuple(recipe.channel_order), side=INPUT_SIDE),
        input_means=tuple(float(plane.mean(dtype=np.float64)) for plane in planes),
        input_stds=tuple(float(plane.std(dtype=np.float64)) for plane in planes),
        crop_box=recipe.geometry(size_hw).crop_shares,
    )


def center_sample(size_hw: tuple[int, int], at_most: int) -> Box:
    """The center of a photo, of its proportions and of at most so many pixels; the whole of a smaller one.

    It begins at an even row and column, so that the mosaic and the blocks of chroma stay where they are.

    >>> center_sample((375, 500), 10**6), center_sample((4000, 5000), 10**6)
    ((0, 0, 375, 500), (1552, 1940, 2446, 3058))
    """
    height, width = size_hw
    shrink = min(1.0, math.sqrt(at_most / (height * width)))
    kept_w = min(max(1, math.floor(width * shrink)), at_most)
    kept_h = min(max(1, math.floor(height * shrink)), at_most // kept_w)
    top, left = (((side - kept) // 4) * 2 for side, kept in ((height, kept_h), (width, kept_w)))
    return top, left, top + kept_h, left + kept_w


def neighborhood(at_xy: tuple[int, int], size_hw: tuple[int, int], side: int = NEAR_SIDE) -> Box:
    """The square of pixels around one, moved inward where the photo ends; smaller only where the photo is.

    >>> neighborhood((20, 9), (100, 100)), neighborhood((0, 99), (100, 10))
    ((1, 12, 17, 28), (84, 0, 100, 10))
    """
    x, y = at_xy
    starts = [min(max(0, at - side // 2), max(0, of - side)) for at, of in zip((y, x), size_hw, strict=True)]
    top, left = starts
    return top, left, min(top + side, size_hw[0]), min(left + side, size_hw[1])


def counts_of(picture: Picture, box: Box, sensor: Sensor) -> npt.NDArray[np.uint16]:
    """The raw counts of a part of the photo, as undeveloping all of it gives them; (h, w), without noise."""
    top, left, bottom, right = box
    up, aside = top % 2, left % 2  # from an even row and column on, the pattern is that of the whole
    raw = _raw(picture[top - up : bottom, left - aside : right], sensor)
    return raw.raw_counts[up:, aside:]


def tinted(raw_counts: npt.NDArray[np.uint16], top_left: tuple[int, int], sensor: Sensor) -> Picture:
    """Each photosite in the color of its filter, brighter for more counts.

    Args:
        raw_counts: (h, w).
        top_left: row and column of the sensor at which the counts begin.
        sensor: its pattern, and its black and white level, which are drawn black and full.
    Returns:
        (h, w, 3) uint8.
    """
    return rgb_to_levels(linear_to_srgb(_light_by_filter(raw_counts, top_left, sensor)))


def mosaic_tile(raw_counts: npt.NDArray[np.uint16], sensor: Sensor) -> Tile:
    """The whole mosaic, small: blocks of whole 2 × 2 quads, each the mean of its photosites' tinted light.

    Args:
        raw_counts: (H, W), from an even row and column of the sensor on.
        sensor: as in `tinted`.
    """
    block = 2 * math.ceil(max(raw_counts.shape) / (2 * MOSAIC_SIDE))
    light = _light_by_filter(raw_counts, (0, 0), sensor)
    means = np.moveaxis(block_means(np.moveaxis(light, -1, 0), (block, block)), 0, -1)
    return Tile(
        pictures.caption("raw counts", raw_counts),
        rgb_to_levels(linear_to_srgb(np.clip(means, 0, 1))),
        f"{_counts_scale(sensor)}, light averaged {block} × {block}",
    )


def histogram(picture: Picture) -> npt.NDArray[np.int64]:
    """How many pixels have each level: (3, 256), channels R, G, B.

    >>> histogram(np.array([[[0, 7, 7], [0, 7, 255]]], np.uint8))[:, [0, 7, 255]].tolist()
    [[2, 0, 0], [0, 2, 0], [0, 1, 1]]
    """
    return np.stack([np.bincount(picture[..., c].ravel(), minlength=256) for c in range(3)])


def _raw(picture: Picture, sensor: Sensor) -> RawPhoto:
    return undevelop(picture, inverse_curve=srgb_to_linear, sensor=sensor)


def _cut(picture: Picture, box: Box) -> Picture:
    top, left, bottom, right = box
    return picture[top:bottom, left:right]


def _light_by_filter(
    raw_counts: npt.NDArray[np.uint16], top_left: tuple[int, int], sensor: Sensor
) -> npt.NDArray[np.float64]:
    """Shares of the sensor's range, each in the channel that measured it; (h, w, 3) in [0, 1]."""
    up, aside = top_left[0] % 2, top_left[1] % 2
    height, width = raw_counts.shape
    masks = bayer_masks((height + up, width + aside), sensor.pattern)[up:, aside:]
    white, black = sensor.white_level_counts, sensor.black_level_counts
    shares = (raw_counts.astype(np.float64) - black) / (white - black)
    return masks * np.clip(shares, 0, 1)[..., None]


def _counts_scale(sensor: Sensor) -> str:
    levels = f"black {count(sensor.black_level_counts)}, full {count(sensor.white_level_counts)} counts"
    return f"{sensor.pattern} from the photo's top left, {levels}, drawn through the sRGB curve"
