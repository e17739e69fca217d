"""A pixel's numbers in words: units beside them, a missing one named."""

from __future__ import annotations

import numpy as np

from photosite.prep.recipes import get_recipe
from photosite.trace.pixel import Pixel, pixel_at
from photosite.trace.pixel_words import color_lines, input_lines, sensor_lines


def at(color: tuple[int, int, int], at_xy: tuple[int, int] = (4, 4), size: tuple[int, int] = (9, 9)) -> Pixel:
    return pixel_at(np.full((*size, 3), color, np.uint8), at_xy, get_recipe("cifar10"))


def test_red_in_words() -> None:
    assert [tuple(line[:2]) for line in color_lines(at((255, 0, 0)))] == [
        ("sRGB", "255, 0, 0"),
        ("linear light", "1, 0, 0"),
        ("HSV", "0°, 1, 1"),
        ("YCbCr", "0.299, 0.3313, 1"),
        ("YCbCr in JPEG", "76, 85, 255"),
        ("Lab", "53.24, 80.09, 67.2"),
    ]


def test_gray_has_no_hue_and_no_rounding() -> None:
    lines = {line.name: line.values for line in color_lines(at((128, 128, 128)))}
    assert lines["HSV"] == "no hue, 0, 0.502"
    assert lines["Lab"] == "53.59, 0, 0"


def test_every_line_has_its_unit() -> None:
    pixel = at((10, 200, 30))
    for line in (*color_lines(pixel), *sensor_lines(pixel), *input_lines(pixel)):
        assert all(line)


def test_the_photosite_in_words() -> None:
    lines = [(line.name, line.values, line.unit) for line in sensor_lines(at((255, 255, 255), (5, 4)))]
    assert lines[0] == ("photosite", "G", "under a green filter, pattern RGGB")
    assert lines[1] == ("raw counts", "16\u202f137", "14 bits, black 512")
    assert lines[3] == ("camera RGB", "1, 1, 1", "R, G, B: the photo's own")
    assert [line[2] for line in lines[4:]] == [
        f"measured G, the others by {m}" for m in ("bilinear", "malvar", "menon")
    ]


def test_outside_the_crop_in_words() -> None:
    inside, outside = at((1, 2, 3)), at((1, 2, 3), (0, 0), (9, 99))
    assert input_lines(inside)[1].unit == "R, G, B: row 16, column 16"
    assert tuple(input_lines(outside)[1]) == ("in the input", "none", "outside the crop of 32 × 32")
