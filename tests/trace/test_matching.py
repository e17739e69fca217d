"""The picture of two matched photos, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from photosite.errors import RangeError, ShapeError
from photosite.trace import matching
from photosite.trace.canvas import PAPER
from photosite.trace.matching import GAP, LINE, UNDER, matching_picture


def photo(height: int, width: int, level: int = 128) -> Any:
    return np.full((height, width, 3), level, np.uint8)


def test_photos_stand_side_by_side_on_paper() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in ((30, 20), (18, 40)))
    picture = matching_picture(a, b, [], [])
    assert picture.shape == (30, 20 + GAP + 40, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[:, :20], a)
    np.testing.assert_array_equal(picture[:18, 20 + GAP :], b)
    assert (picture[18:, 20:] == PAPER).all()
    assert (picture[:, 20 : 20 + GAP] == PAPER).all()


def test_a_line_has_a_dark_seam_and_a_dot_at_both_ends() -> None:
    picture = matching_picture(photo(41, 60), photo(41, 60), [[10, 20]], [[50, 20]])
    end = 60 + GAP + 50
    np.testing.assert_array_equal(picture[20, 30], LINE)
    for side in (18, 22):  # the line itself is a pixel and a half wide
        assert picture[side, 30].mean() == 128
        assert (picture[side, [10, end]] != 128).any(1).all()  # a dot is wider
    for beside in (19, 21):
        assert picture[beside, 30].mean() < 120  # darker than the photo, and than the line
    touched = np.flatnonzero((picture[20] != 128).any(1) & (picture[20] != PAPER).any(1))
    assert touched.min() >= 10 - 4
    assert touched.max() <= end + 4
    np.testing.assert_array_equal(picture[20, [10, end]], [LINE, LINE])
    assert np.mean(UNDER) < np.mean(LINE)


def test_the_best_are_drawn_and_the_best_of_them_on_top() -> None:
    blank = photo(60, 60)
    places = [[5, 10], [5, 30], [5, 50]]
    rows = matching_picture(blank, blank, places, places, most=2)[[10, 30, 50], 40]
    np.testing.assert_array_equal(rows, [LINE, LINE, (128, 128, 128)])
    best, other = ([20, 30], [50, 30]), ([40, 20], [40, 40])  # they cross
    line = (matching_picture(blank, blank, [best[0]], [best[1]]) == LINE).all(2)
    for first, second, on_top in ((best, other, True), (other, best, False)):
        both = matching_picture(blank, blank, *zip(first, second, strict=True))
        assert (both[line] == LINE).all() == on_top


def test_large_pictures_get_wide_lines_and_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = photo(80, 1794)
    picture = matching_picture(wide, wide, [[20, 40]], [[1700, 40]])
    narrow = matching_picture(photo(80, 60), photo(80, 60), [[20, 40]], [[40, 40]])
    strokes = [(one[:, 50] != 128).any(1).sum() for one in (picture, narrow)]
    assert strokes[0] > 2 * strokes[1]
    monkeypatch.setattr(matching, "LARGE", 1)
    coarse = matching_picture(photo(80, 60), photo(80, 60), [[20, 40]], [[40, 40]])
    assert coarse.shape == narrow.shape
    colors = np.unique(coarse.reshape(-1, 3), axis=0).tolist()
    assert all(tuple(one) in {LINE, UNDER, tuple(PAPER), (128, 128, 128)} for one in colors)  # none in between


@pytest.mark.parametrize(
    ("a", "places", "others", "error", "said"),
    [
        (np.zeros((9, 9), np.uint8), [], [], ShapeError, r"wants \(H, W, 3\) uint8"),
        (np.zeros((9, 9, 3)), [], [], ShapeError, r"wants \(H, W, 3\) uint8"),
        (photo(9, 9), [[1, 1]], [], ShapeError, "1 places on the left, 0 on the right"),
        (photo(9, 9), [1, 2, 3], [1, 2, 3], ShapeError, r"wants places \(K, 2\), got 3"),
        (photo(9, 9), [[1, 2, 3]], [[1, 2, 3]], ShapeError, r"got 1 × 3"),
        (photo(9, 9), [[np.nan, 1]], [[1, 1]], RangeError, "not finite"),
    ],
)
def test_what_is_refused(a: Any, places: Any, others: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        matching_picture(a, photo(9, 9), places, others)
