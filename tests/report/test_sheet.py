"""The sheet: boxes of the input where they lie in the photo, what is dimmed, what is hatched, what is shown closer."""

from __future__ import annotations

import numpy as np

from photosite.prep.geometry import Geometry
from photosite.report.sheet import sheet

PHOTO = np.zeros((80, 120, 3), np.uint8)


def of(geometry: Geometry | None) -> tuple[float, ...] | None:
    return None if geometry is None else tuple(float(part) for part in (*geometry.scale, *geometry.offset))


def test_without_a_photo_it_is_the_input() -> None:
    empty = sheet(None, None, (32, 48), None)
    assert (empty.uri, empty.width, empty.height, empty.view) == ("", 48, 32, (0, 0, 48, 32))
    assert empty.view == empty.input
    assert empty.dim == empty.padding == ""
    assert empty.box((1, 2, 4, 8)) == (2, 1, 6, 3)


def test_a_crop_is_dimmed_around() -> None:
    # The photo is twice as large as its resized form, of which 32 × 32 begin at row 4, column 14.
    cropped = sheet(PHOTO, (80, 120), (32, 32), of(Geometry((80, 120), (40, 60), (32, 32), (4, 14), "bilinear")))
    assert cropped.view == (0, 0, 120, 80)
    assert cropped.input == (28, 8, 64, 64)
    assert cropped.dim == "M0 0h120v80h-120ZM28 8h64v64h-64Z"
    assert cropped.padding == ""
    assert cropped.box((0, 0, 1, 2)) == (28, 8, 4, 2)


def test_padding_widens_the_view() -> None:
    padded = sheet(PHOTO, (80, 120), (60, 60), of(Geometry((80, 120), (40, 60), (60, 60), (-10, 0), "bilinear")))
    assert padded.view == padded.input == (0, -20, 120, 120)
    assert padded.dim == ""
    assert padded.padding == "M0 -20h120v120h-120ZM0 0h120v80h-120Z"


def test_what_is_small_is_shown_closer_and_within_the_input() -> None:
    empty = sheet(None, None, (300, 300), None)
    assert empty.near((0, 0, 90, 10)) == empty.input  # wide enough
    assert empty.near((100, 100, 45, 45)) == (47.5, 47.5, 150, 150)
    assert empty.near((0, 290, 1, 1)) == (0, 276, 24, 24)  # at a corner, and no fewer than 24 pixels
    cropped = sheet(PHOTO, (80, 120), (32, 32), of(Geometry((80, 120), (40, 60), (32, 32), (4, 14), "bilinear")))
    assert cropped.near((1, 1, 1, 1))[:2] == (0, 0)  # cropped away: a part of the whole photo


def test_gaps_lie_between_intervals() -> None:
    empty = sheet(None, None, (10, 10), None)
    assert empty.gaps((0, 0, 10, 10), [(0, 2), (5, 9)], [(0, 9)]) == "M0 3h10v2h-10Z"
    assert empty.gaps((2, 2, 5, 5), [(2, 2), (4, 4)], [(2, 2), (4, 4)]) == "M2 3h3v1h-3ZM3 2h1v3h-1Z"
    assert empty.gaps((0, 0, 3, 3), [(0, 2)], [(0, 2)]) == ""
