"""One pixel of a photo as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from photosite.report.figures import CHANNELS, crop_drawing, figure, histogram_path
from photosite.report.numbers import count, number, size
from photosite.report.page import fill, last_part
from photosite.sensor import photosite_color
from photosite.trace.light_losses import Box, Comparison
from photosite.trace.light_pictures import LightPictures
from photosite.trace.pixel_words import color_lines, joined, sensor_lines
from photosite.trace.record_pixel import PixelTrace

STATIONS = ("pixel", "sensor", "color", "chroma", "tensor")
"""The stations of this page, in the order of the light, and the pixel itself before them."""
TABLE_SIDE = 5
"""Side of the neighborhood that is written out in numbers."""
NOTHING = 1e-9
"""An error below this is rounding of floating point; it is written as smaller than this."""


def render(trace: PixelTrace) -> str:
    """Write what was recorded of a pixel as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    pixel, pictures = trace.pixel, trace.pictures
    crop = crop_drawing(pictures.photo, pictures.crop_box)
    return fill(
        "pixels.html.j2",
        {
            "trace": trace,
            "pixel": pixel,
            "site": pixel.photosite,
            "stations": STATIONS,
            "name": last_part(trace.picture.get("path")),
            "crop": crop,
            "place": _mark_on_photo(trace, (crop.height, crop.width)),
            "color_lines": color_lines(pixel),
            "sensor_lines": sensor_lines(pixel),
            "near": figure(pictures.near),
            "near_mosaic": figure(pictures.near_mosaic),
            "chosen": (pixel.y - pictures.near_box[0], pixel.x - pictures.near_box[1]),
            "cells": _cells(trace),
            "five": _five(trace),
            "mosaic": figure(pictures.mosaic),
            "sampled": _sampled(pictures, trace.picture["size_hw"]),
            "demosaicing": _comparison(pictures.demosaicing, pictures.sample_box),
            "spaces": [(space, [figure(tile) for tile in space.planes]) for space in pictures.spaces],
            "planes_of": pictures.planes_of,
            "histogram": _histogram(trace),
            "subsampling": _comparison(pictures.subsampling, pictures.sample_box),
            "input": figure(pictures.input_picture),
            "input_channels": [figure(tile) for tile in pictures.input_channels],
            "input_rows": _input_rows(trace),
            "joined": joined,
        },
    )


def _mark_on_photo(trace: PixelTrace, drawn_hw: tuple[int, int]) -> dict[str, float]:
    """Where the pixel lies on the photo as it is drawn, and how large a ring around it is."""
    height, width = trace.picture["size_hw"]
    return {
        "x": round((trace.pixel.x + 0.5) * drawn_hw[1] / width, 2),
        "y": round((trace.pixel.y + 0.5) * drawn_hw[0] / height, 2),
        "radius": round(max(drawn_hw) / 40, 2),
    }


def _cells(trace: PixelTrace) -> dict[str, Any]:
    """What page.js says about each pixel of the neighborhood."""
    near, counts = trace.pictures.near_rgb, trace.pictures.near_counts
    top, left = trace.pictures.near_box[:2]
    rows, columns = counts.shape
    texts = [
        f"x {left + column}, y {top + row}\n"
        f"R {near[row, column, 0]}, G {near[row, column, 1]}, B {near[row, column, 2]}\n"
        f"photosite {_filter(trace, top + row, left + column)}: {count(int(counts[row, column]))} counts"
        for row in range(rows)
        for column in range(columns)
    ]
    return {
        "rows": rows,
        "columns": columns,
        "start": [trace.pixel.y - top, trace.pixel.x - left],
        "texts": texts,
    }


def _filter(trace: PixelTrace, y: int, x: int) -> str:
    return photosite_color(y, x, trace.pixel.photosite.sensor.pattern)


def _five(trace: PixelTrace) -> dict[str, Any]:
    """The numbers right around the pixel, moved inward where the photo ends."""
    pictures = trace.pictures
    top, left = pictures.near_box[:2]
    rows, columns = (
        _window(at - start, side)
        for at, start, side in zip((trace.pixel.y, trace.pixel.x), (top, left), pictures.near_counts.shape, strict=True)
    )
    return {
        "columns": [left + column for column in columns],
        "rows": [
            {
                "y": top + row,
                "cells": [
                    {
                        "levels": [int(level) for level in pictures.near_rgb[row, column]],
                        "hex": "#" + bytes(pictures.near_rgb[row, column].tolist()).hex(),
                        "counts": int(pictures.near_counts[row, column]),
                        "filter": _filter(trace, top + row, left + column),
                        "chosen": (top + row, left + column) == (trace.pixel.y, trace.pixel.x),
                    }
                    for column in columns
                ],
            }
            for row in rows
        ],
    }


def _window(center: int, side: int) -> range:
    start = min(max(0, center - TABLE_SIDE // 2), max(0, side - TABLE_SIDE))
    return range(start, min(start + TABLE_SIDE, side))


def _sampled(pictures: LightPictures, size_hw: tuple[int, int]) -> str:
    """Which part of the photo was computed with, in words."""
    top, left, bottom, right = pictures.sample_box
    if (top, left, bottom, right) == (0, 0, *size_hw):
        return f"every pixel of the photo, {size(size_hw)}"
    return (
        f"the photo's center at full resolution, rows {top} … {bottom - 1} and columns {left} … {right - 1} "
        f"of {size(size_hw)}"
    )


def _comparison(comparison: Comparison | None, sample_box: Box) -> dict[str, Any] | None:
    """Losses with their figures, and their numbers as text."""
    if comparison is None:
        return None
    top, left, bottom, right = comparison.close_box
    up, aside = sample_box[:2]
    return {
        "unit": comparison.unit,
        "where": f"rows {top + up} … {bottom + up - 1}, columns {left + aside} … {right + aside - 1} of the photo",
        "photo": figure(comparison.photo),
        "losses": [
            {
                "name": loss.name,
                "mean": _error(loss.mean),
                "highest": _error(loss.highest),
                "share": loss.share_above_one,
                "numbers": number(loss.numbers_per_pixel),
                "error": figure(loss.error),
                "close_up": figure(loss.close_up),
            }
            for loss in comparison.losses
        ],
    }


def _error(value: float) -> str:
    return "< 10⁻⁹" if 0 < value < NOTHING else number(value)


def _histogram(trace: PixelTrace) -> dict[str, Any]:
    """The three channels' counts in one drawing of 256 × 24, all with the same height."""
    counts = trace.pictures.histogram
    inner = counts[:, 1:-1]
    top = max(int(inner.max()), 1)
    cut = [
        f"{letter} {level} has {count(int(counts[c, level]))}"
        for c, (letter, _, _) in enumerate(CHANNELS)
        for level in (0, 255)
        if counts[c, level] > top
    ]
    channel, level = np.unravel_index(int(inner.argmax()), inner.shape)
    return {
        "paths": [(word, histogram_path(counts[c], top)) for c, (_, word, _) in enumerate(CHANNELS)],
        "top": count(top),
        "at": f"{CHANNELS[int(channel)][0]} {int(level) + 1}",
        "cut": cut,
        "means": [f"{letter} {number(_mean(counts[c]))}" for c, (letter, _, _) in enumerate(CHANNELS)],
        "marks": [(word, trace.pixel.rgb[c] + 0.5) for c, (_, word, _) in enumerate(CHANNELS)],
    }


def _mean(counts: np.ndarray[Any, Any]) -> float:
    return float((counts * np.arange(256)).sum() / counts.sum())


def _input_rows(trace: PixelTrace) -> list[dict[str, str]]:
    """For each channel of the input: this pixel alone, the input pixel, and the input's own statistics."""
    normalized, pictures = trace.pixel.normalized, trace.pictures
    return [
        {
            "channel": channel,
            "alone": number(normalized.of_this_pixel_alone[c]),
            "there": "none" if normalized.input_values is None else number(normalized.input_values[c]),
            "mean": number(pictures.input_means[c]),
            "std": number(pictures.input_stds[c]),
        }
        for c, channel in enumerate(normalized.channels)
    ]
