"""One pixel of a photo, as plain data: in every color space, as its photosite's counts, and in a model's input.

Every number comes from `photosite.color`, `photosite.sensor` or `photosite.prep`; here they are only put together.
Knows no torch, no file and no page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.color import linear_to_srgb, rgb_to_hsv, rgb_to_lab, rgb_to_levels, rgb_to_ycbcr, srgb_to_linear
from photosite.errors import RangeError
from photosite.prep.recipe import Picture, Recipe
from photosite.sensor import (
    FULL_FRAME,
    METHODS,
    Sensor,
    balance_white,
    correct_color,
    dark_electrons,
    demosaic,
    held_electrons,
    light_electrons,
    normalize_counts,
    photosite_color,
    undevelop,
)

Triple = tuple[float, float, float]

REACH = 24
"""Pixels on each side that are looked at for one pixel's estimates; no method reads farther, and a test says so."""
EXPOSURE_SECONDS = 0.01
"""For the dark current, as `undevelop` has it."""

UNITS: dict[str, str] = {
    "at": "x to the right and y down, both from 0, in pixels of the upright photo",
    "rgb": "R, G, B: sRGB-encoded levels, 0 … 255",
    "linear": "R, G, B: linear light with sRGB's primaries, black 0, white 1",
    "hsv": "hue in degrees [0, 360), written 0 for gray, which has none; saturation and value 0 … 1; of the levels",
    "ycbcr": "Y, Cb, Cr: full range 0 … 1, weights of BT.601, gray has Cb = Cr = 0.5",
    "lab": "L*, a*, b*: CIE 1976, white is D65, L* 0 … 100",
    "bayer": (
        "raw_counts with the black level and without noise, as `sensor` would have measured this photo's scene; "
        "photons and electrons: expected numbers; camera_rgb: linear light in the camera's primaries, white-balanced, "
        "0 … 1; developed_rgb: sRGB levels 0 … 255; photo is what the photo has, the others what demosaicing estimates"
    ),
    "normalized": (
        "(level · scale − mean) / std, channels in the order of `channels`; of_this_pixel_alone: its own levels; "
        "input_values: those of input_pixel, the pixel of the model's input under this pixel's center, null outside "
        "the crop; read_from: the half-open box of photo pixels that this input pixel was computed from"
    ),
}
"""What the numbers of each group are, for `pixel_json`; said once a group."""


@dataclass(frozen=True)
class Photosite:
    """What one photosite of a sensor would have measured, and what demosaicing makes of it.

    Args:
        color: 'R', 'G' or 'B', of the filter over it.
        sensor: whose photosite it is, pattern included.
        raw_counts: what the raw file holds, black level included, without noise.
        photons: how many reach it, on average.
        electrons: how many its well holds of those that light and warmth free, on average.
        white_balance_gains: for red, green and blue.
        camera_rgb: linear light in the camera's primaries, white-balanced: 'photo' has the photo's own, and each
            demosaicing method its estimate; only 'photo' where there are fewer than 2 × 2 photosites.
        developed_rgb: the same as sRGB levels.
    """

    color: str
    sensor: Sensor
    raw_counts: int
    photons: float
    electrons: float
    white_balance_gains: Triple
    camera_rgb: dict[str, Triple]
    developed_rgb: dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Normalized:
    """What a model's input makes of one pixel.

    Args:
        channels: 'RGB' or 'BGR', the order of all values here.
        of_this_pixel_alone: the pixel's own levels, normalized.
        input_hw: (height, width) of the input.
        row_column: of the input pixel under the pixel's center; None outside the crop.
        input_values: its values, None likewise.
        read_from: (top, left, bottom, right), half-open, the photo pixels that it was computed from; None likewise.
    """

    channels: str
    of_this_pixel_alone: Triple
    input_hw: tuple[int, int]
    row_column: tuple[int, int] | None
    input_values: Triple | None
    read_from: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Pixel:
    """One pixel in every space; `UNITS` says what the numbers are.

    Args:
        x: column of the upright photo, from 0.
        y: row, from 0.
        rgb: levels 0 … 255.
        linear: linear light in [0, 1].
        hsv: hue in degrees in [0, 360), 0 for gray; saturation and value in [0, 1].
        ycbcr: full range in [0, 1].
        lab: L*, a*, b* with D65.
        photosite: the same place on the sensor.
        normalized: the same place in a model's input.
        notes: what these numbers do not say for themselves, a line each.
    """

    x: int
    y: int
    rgb: tuple[int, int, int]
    linear: Triple
    hsv: Triple
    ycbcr: Triple
    lab: Triple
    photosite: Photosite
    normalized: Normalized
    notes: tuple[str, ...]

    @property
    def is_gray(self) -> bool:
        """Whether the three levels are equal; then there is no hue."""
        return len(set(self.rgb)) == 1


def pixel_at(
    picture: Picture,
    at_xy: tuple[int, int],
    recipe: Recipe,
    *,
    pattern: str = "RGGB",
    model_input: npt.NDArray[np.float32] | None = None,
) -> Pixel:
    """Everything about one pixel of a photo.

    Args:
        picture: (H, W, 3) uint8, upright.
        at_xy: column and row, from 0.
        recipe: how the photo becomes a model's input.
        pattern: one of `photosite.sensor.PATTERNS`; the rest of the sensor is `FULL_FRAME`.
        model_input: `recipe(picture)` where that is known already.
    Raises:
        RangeError: the photo has no such pixel, or is one that the recipe refuses.
        UnknownNameError: there is no such pattern.

    >>> from photosite.prep.recipes import get_recipe
    >>> pixel = pixel_at(np.full((4, 6, 3), (255, 0, 0), np.uint8), (2, 1), get_recipe("cifar10"))
    >>> pixel.hsv, pixel.photosite.color, pixel.normalized.row_column
    ((0.0, 1.0, 1.0), 'G', (12, 12))
    """
    height, width = picture.shape[:2]
    x, y = checked_xy(at_xy, (height, width))
    sensor = replace(FULL_FRAME, pattern=pattern)
    rgb = picture[y, x]
    photosite = photosite_at(picture, (x, y), sensor)
    normalized = normalized_at(picture, (x, y), recipe, recipe(picture) if model_input is None else model_input)
    notes = []
    if rgb.max() == rgb.min():
        notes.append("this pixel is gray: it has no hue, and 0 stands in its place")
    if len(photosite.camera_rgb) == 1:
        notes.append(f"a photo of {height} × {width} has fewer than 2 × 2 photosites: it cannot be demosaiced")
    if normalized.row_column is None:
        notes.append(f"this pixel lies outside of what the recipe {recipe.name} crops: no input pixel stands for it")
    return Pixel(
        x=x,
        y=y,
        rgb=_levels(rgb),
        linear=_triple(srgb_to_linear(rgb)),
        hsv=_triple(rgb_to_hsv(rgb)),
        ycbcr=_triple(rgb_to_ycbcr(rgb)),
        lab=_triple(rgb_to_lab(rgb)),
        photosite=photosite,
        normalized=normalized,
        notes=tuple(notes),
    )


def checked_xy(at_xy: tuple[int, int] | None, size_hw: tuple[int, int]) -> tuple[int, int]:
    """The column and row that were asked for; those of the center for None.

    Raises:
        RangeError: the photo has no such pixel.

    >>> checked_xy(None, (4, 7))
    (3, 2)
    """
    height, width = size_hw
    x, y = (width // 2, height // 2) if at_xy is None else at_xy
    if not (0 <= x < width and 0 <= y < height):
        raise RangeError(
            f"pixels: wants X from 0 to {width - 1} and Y from 0 to {height - 1}, the photo is {width} px wide and "
            f"{height} px high, got {x},{y}"
        )
    return x, y


def photosite_at(picture: Picture, at_xy: tuple[int, int], sensor: Sensor) -> Photosite:
    """What a photosite would have measured of this scene, and what demosaicing makes of it and its neighbors.

    Args:
        picture: (H, W, 3) uint8, taken for the scene.
        at_xy: column and row, inside of it.
        sensor: what looks at it, without noise.
    Matches: undeveloping, demosaicing and developing the whole photo; only `REACH` pixels around are used here.
    """
    x, y = at_xy
    (top, bottom), (left, right) = _around(y, picture.shape[0]), _around(x, picture.shape[1])
    near, here = picture[top:bottom, left:right], (y - top, x - left)
    linear = srgb_to_linear(near)
    raw = undevelop(near, inverse_curve=srgb_to_linear, sensor=sensor, exposure_seconds=EXPOSURE_SECONDS)
    warmth = dark_electrons((1, 1), sensor, EXPOSURE_SECONDS, None)
    electrons = held_electrons(light_electrons(raw.photons, sensor, None) + warmth, sensor)
    camera_rgb = {"photo": _triple(correct_color(linear, np.linalg.inv(raw.color_matrix))[here])}
    developed = {"photo": _levels(near[here])}
    if min(near.shape[:2]) >= 2:
        light = balance_white(normalize_counts(raw.raw_counts, sensor), raw.white_balance_gains, sensor.pattern)
        for method in METHODS:
            camera_rgb[method] = _triple(demosaic(light, sensor.pattern, method)[here])
            developed[method] = _levels(rgb_to_levels(raw.develop(method, linear_to_srgb)[here]))
    return Photosite(
        color=photosite_color(y, x, sensor.pattern),
        sensor=sensor,
        raw_counts=int(raw.raw_counts[here]),
        photons=float(raw.photons[here]),
        electrons=float(electrons[here]),
        white_balance_gains=raw.white_balance_gains,
        camera_rgb=camera_rgb,
        developed_rgb=developed,
    )


def normalized_at(
    picture: Picture, at_xy: tuple[int, int], recipe: Recipe, model_input: npt.NDArray[np.float32]
) -> Normalized:
    """Where a pixel lands in a model's input, and what stands there.

    Args:
        picture: (H, W, 3) uint8.
        at_xy: column and row, inside of it.
        recipe: how the picture became the input.
        model_input: `recipe(picture)`, (1, 3, h, w) or (1, h, w, 3).
    """
    x, y = at_xy
    planes = np.moveaxis(model_input[0], recipe.layout.index("C") - 1, 0)  # (3, h, w)
    alone = recipe.normalized(picture[y : y + 1, x : x + 1])
    geometry = recipe.geometry((picture.shape[0], picture.shape[1]))
    row, column = (floor(place) for place in geometry.input_point(y + 0.5, x + 0.5))
    inside = 0 <= row < geometry.input_hw[0] and 0 <= column < geometry.input_hw[1]
    return Normalized(
        channels=recipe.channel_order,
        of_this_pixel_alone=_triple(alone.ravel()),
        input_hw=geometry.input_hw,
        row_column=(row, column) if inside else None,
        input_values=_triple(planes[:, row, column]) if inside else None,
        read_from=geometry.reads(row, column) if inside else None,
    )


def pixel_json(pixel: Pixel) -> dict[str, Any]:
    """The pixel as plain JSON, with `units` saying what each group of numbers is.

    Returns:
        An object with `at`, `rgb`, `linear`, `hsv`, `ycbcr`, `lab` (lists of three numbers), `bayer`, `normalized`,
        `notes` and `units`; null where there is no such number.
    """
    site, normalized = pixel.photosite, pixel.normalized
    box = normalized.read_from
    place = normalized.row_column
    return {
        "at": {"x": pixel.x, "y": pixel.y},
        "rgb": list(pixel.rgb),
        "linear": list(pixel.linear),
        "hsv": list(pixel.hsv),
        "ycbcr": list(pixel.ycbcr),
        "lab": list(pixel.lab),
        "bayer": {
            "pattern": site.sensor.pattern,
            "color": site.color,
            "not_measured": ["RGB"[c] for c in range(3) if "RGB"[c] != site.color],
            "raw_counts": site.raw_counts,
            "photons": site.photons,
            "electrons": site.electrons,
            "camera_rgb": {name: list(values) for name, values in site.camera_rgb.items()},
            "developed_rgb": {name: list(levels) for name, levels in site.developed_rgb.items()},
            "white_balance_gains": list(site.white_balance_gains),
            "sensor": {
                key: list(value) if isinstance(value, tuple) else value for key, value in asdict(site.sensor).items()
            }
            | {"white_level_counts": site.sensor.white_level_counts},
        },
        "normalized": {
            "channels": normalized.channels,
            "of_this_pixel_alone": list(normalized.of_this_pixel_alone),
            "input_size_hw": list(normalized.input_hw),
            "input_pixel": None if place is None else {"row": place[0], "column": place[1]},
            "input_values": None if normalized.input_values is None else list(normalized.input_values),
            "read_from": None if box is None else dict(zip(("top", "left", "bottom", "right"), box, strict=True)),
        },
        "notes": list(pixel.notes),
        "units": UNITS,
    }


def _around(center: int, side: int) -> tuple[int, int]:
    """The part of a side that is looked at; it begins at an even place, so that the mosaic keeps its phase."""
    start = max(center - REACH, 0)
    return start - start % 2, min(center + REACH + 1, side)


def _triple(values: npt.NDArray[Any]) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _levels(values: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
