"""One pixel of a photo through everything: `record_pixel` gives a `PixelTrace`, and `to_json` what `--json` prints."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from photosite import __version__
from photosite.prep.load import PictureInfo
from photosite.prep.recipe import Picture, Recipe
from photosite.sensor import FULL_FRAME
from photosite.trace.light_losses import Comparison
from photosite.trace.light_pictures import LightPictures, light_pictures
from photosite.trace.pixel import UNITS, Pixel, checked_xy, pixel_at, pixel_json

PHOTO_UNITS = (
    "sampled: the half-open box of photo pixels that demosaicing and subsampling were measured on; errors are "
    "distances to the photo in `unit`: mean over all (of demosaicing over all channels too), max of any pixel, "
    "share_above_one of the pixels; input: mean and standard deviation of each channel of the normalized input"
)
"""What the numbers of the group `photo` are, for `to_json`."""


@dataclass(frozen=True)
class PixelTrace:
    """What is known of a photo and of one of its pixels; `picture` and `recipe` are plain data."""

    picture: dict[str, Any]
    recipe: dict[str, Any]
    pixel: Pixel
    pictures: LightPictures
    notes: tuple[str, ...]
    version: str


def record_pixel(
    picture: Picture, info: PictureInfo, at_xy: tuple[int, int] | None, recipe: Recipe, *, pattern: str = "RGGB"
) -> PixelTrace:
    """Follow one pixel of an opened photo.

    Args:
        picture: (H, W, 3) uint8, upright.
        info: what is known of it.
        at_xy: column and row, from 0; None for the center.
        recipe: how the photo becomes a model's input.
        pattern: one of `photosite.sensor.PATTERNS`.
    Raises:
        RangeError: the photo has no such pixel, or is one that the recipe refuses.
        UnknownNameError: there is no such pattern.
    """
    at_xy = checked_xy(at_xy, (picture.shape[0], picture.shape[1]))
    sensor = replace(FULL_FRAME, pattern=pattern)
    model_input = recipe(picture)
    pixel = pixel_at(picture, at_xy, recipe, pattern=pattern, model_input=model_input)
    return PixelTrace(
        picture=asdict(info),
        recipe=recipe.to_dict(),
        pixel=pixel,
        pictures=light_pictures(picture, at_xy, recipe, model_input, sensor),
        notes=(*info.notes, *pixel.notes),
        version=__version__,
    )


def to_json(trace: PixelTrace, out: Path | None) -> dict[str, Any]:
    """Everything of a trace but its pictures, as plain JSON.

    Args:
        trace: only read.
        out: the folder that it was written to, or None.
    Returns:
        The object of `pixel_json`, and `picture`, `recipe`, `photo` (numbers of the whole photo or of its sampled
        center: `sampled`, `demosaicing`, `subsampling`, `input`), `notes`, `out`, `version`.
    """
    pictures = trace.pictures
    box = pictures.sample_box
    height, width = trace.picture["size_hw"]
    return {
        "picture": trace.picture,
        **pixel_json(trace.pixel),
        "photo": {
            "sampled": {
                **dict(zip(("top", "left", "bottom", "right"), box, strict=True)),
                "whole": box == (0, 0, height, width),
            },
            "demosaicing": None if pictures.demosaicing is None else _losses_json(pictures.demosaicing),
            "subsampling": _losses_json(pictures.subsampling),
            "input": {
                "channels": trace.pixel.normalized.channels,
                "mean": list(pictures.input_means),
                "std": list(pictures.input_stds),
            },
        },
        "recipe": trace.recipe,
        "units": {**UNITS, "photo": PHOTO_UNITS},
        "notes": list(trace.notes),
        "out": None if out is None else str(out),
        "version": trace.version,
    }


def dumps(value: dict[str, Any]) -> str:
    """Write JSON in ASCII, so that no name from a file can act on a terminal; NaN is refused, not written."""
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def _losses_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "unit": comparison.unit,
        **{
            loss.name: {
                "mean": loss.mean,
                "max": loss.highest,
                "share_above_one": loss.share_above_one,
                "numbers_per_pixel": loss.numbers_per_pixel,
            }
            for loss in comparison.losses
        },
    }
