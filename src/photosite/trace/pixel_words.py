"""A pixel's numbers as lines for people: what they are of, the numbers, their units; terminal and page share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from photosite.color import ycbcr_to_levels
from photosite.trace.notation import count, number
from photosite.trace.pixel import Pixel


class Line(NamedTuple):
    """One line of a table: `name` of a space, its `values`, and their `unit` or what else there is to say."""

    name: str
    values: str
    unit: str


def color_lines(pixel: Pixel) -> list[Line]:
    """The pixel in every color space; what is only rounding of floats in Lab is written as 0."""
    hue, saturation, value = pixel.hsv
    degrees = "no hue" if pixel.is_gray else f"{number(hue)}°"
    return [
        Line("sRGB", ", ".join(str(level) for level in pixel.rgb), "R, G, B: levels 0 … 255"),
        Line("linear light", joined(pixel.linear), "R, G, B: black 0, white 1"),
        Line("HSV", f"{degrees}, {number(saturation)}, {number(value)}", "hue 0 … 360°, S and V 0 … 1"),
        Line("YCbCr", joined(pixel.ycbcr), "0 … 1, gray has Cb = Cr = 0.5"),
        Line(
            "YCbCr in JPEG",
            ", ".join(str(level) for level in ycbcr_to_levels(pixel.ycbcr).tolist()),
            "levels 0 … 255, gray 128",
        ),
        Line("Lab", joined([round(value, 9) for value in pixel.lab]), "L* 0 … 100, a*, b*; D65"),
    ]


def sensor_lines(pixel: Pixel) -> list[Line]:
    """What its photosite measured, without noise, and what demosaicing makes of it."""
    site = pixel.photosite
    sensor = site.sensor
    word = {"R": "red", "G": "green", "B": "blue"}[site.color]
    lines = [
        Line("photosite", site.color, f"under a {word} filter, pattern {sensor.pattern}"),
        Line("raw counts", count(site.raw_counts), f"{sensor.bit_depth} bits, black {sensor.black_level_counts}"),
        Line("electrons", number(site.electrons), f"of {number(site.photons)} photons"),
    ]
    for name, values in site.camera_rgb.items():
        unit = "R, G, B: the photo's own" if name == "photo" else f"measured {site.color}, the others by {name}"
        lines.append(Line("camera RGB" if name == "photo" else "estimated", joined(values), unit))
    return lines


def input_lines(pixel: Pixel) -> list[Line]:
    """What a model's input makes of it."""
    normalized = pixel.normalized
    order = ", ".join(normalized.channels)
    lines = [Line("normalized", joined(normalized.of_this_pixel_alone), f"{order}: this pixel alone")]
    if normalized.row_column is None or normalized.input_values is None:
        height, width = normalized.input_hw
        return [*lines, Line("in the input", "none", f"outside the crop of {height} × {width}")]
    row, column = normalized.row_column
    return [*lines, Line("in the input", joined(normalized.input_values), f"{order}: row {row}, column {column}")]


def joined(values: Sequence[float]) -> str:
    """Several numbers in a line, each with four digits.

    >>> joined((0.5, -1.23456))
    '0.5, −1.235'
    """
    return ", ".join(number(value) for value in values)
