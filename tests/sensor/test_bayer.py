"""The four phases by hand, against colour-demosaicing, in OpenCV's words, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.sensor.bayer import OPENCV_NAMES, PATTERNS, as_mosaic, bayer_masks, mosaic, photosite_color
from tests.peers import import_peer

laws = settings(deadline=None, derandomize=True, max_examples=40)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def test_a_mosaic_by_hand() -> None:
    # red 1 … 6, green 11 … 16, blue 21 … 26 in reading order
    rgb = np.arange(1, 7).reshape(2, 3, 1) + np.array([0, 10, 20])
    assert mosaic(rgb, "RGGB").tolist() == [[1, 12, 3], [14, 25, 16]]
    assert mosaic(rgb, "BGGR").tolist() == [[21, 12, 23], [14, 5, 16]]
    assert mosaic(rgb, "GRBG").tolist() == [[11, 2, 13], [24, 15, 26]]
    assert mosaic(rgb, "GBRG").tolist() == [[11, 22, 13], [4, 15, 6]]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 5), (2, 2), (5, 4), (6, 7)])
def test_equals_colour_demosaicing(pattern: str, size_hw: tuple[int, int]) -> None:
    peer = import_peer("colour_demosaicing.bayer")
    theirs = np.stack(peer.masks_CFA_Bayer(size_hw, pattern), axis=-1)
    np.testing.assert_array_equal(bayer_masks(size_hw, pattern), theirs)
    rgb = np.random.default_rng(5).random((*size_hw, 3))
    np.testing.assert_array_equal(mosaic(rgb, pattern), peer.mosaicing_CFA_Bayer(rgb, pattern))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_opencv_s_names(pattern: str) -> None:
    cv2 = import_peer("cv2")
    code = getattr(cv2, f"COLOR_Bayer{OPENCV_NAMES[pattern]}2RGB")
    assert code == getattr(cv2, f"COLOR_Bayer{pattern}2RGB")
    color = np.array([200, 100, 50], np.uint8)
    raw = mosaic(np.broadcast_to(color, (8, 8, 3)), pattern)
    # By the right name an even color comes back; by any other, red and blue or greens are exchanged.
    for name in OPENCV_NAMES.values():
        inside = cv2.cvtColor(raw, getattr(cv2, f"COLOR_Bayer{name}2RGB"))[2:-2, 2:-2]
        assert (inside == color).all() == (name == OPENCV_NAMES[pattern])


@given(sizes, st.sampled_from(PATTERNS))
@laws
def test_masks_mosaic_and_color_agree(size_hw: tuple[int, int], pattern: str) -> None:
    masks = bayer_masks(size_hw, pattern)
    assert (masks.sum(axis=2) == 1).all()
    channels = mosaic(np.broadcast_to([0, 1, 2], (*size_hw, 3)), pattern)
    np.testing.assert_array_equal(channels, masks.argmax(axis=2))
    for (y, x), channel in np.ndenumerate(channels):
        assert photosite_color(y, x, pattern) == "RGB"[channel]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_a_mosaic_keeps_the_dtype(dtype: type) -> None:
    assert mosaic(np.ones((2, 3, 3), dtype)).dtype == dtype


def test_as_mosaic_keeps_or_widens() -> None:
    assert as_mosaic(np.ones((2, 2), np.float32), "x").dtype == np.float32
    for dtype in (np.uint8, np.int64, np.float16):
        assert as_mosaic(np.ones((2, 2), dtype), "x").dtype == np.float64


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        (np.zeros((3, 4, 5)), r"\(H, W, 3\), got \(3, 4, 5\) float64; channels go last: rgb.transpose\(1, 2, 0\)"),
        (np.zeros((4, 5), np.uint8), r"mosaic: wants a picture \(H, W, 3\), got \(4, 5\) uint8$"),
        (np.zeros((0, 5, 3)), r"got \(0, 5, 3\) float64$"),
    ],
)
def test_what_is_no_picture_is_refused(rgb: Any, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        mosaic(rgb)


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (
            np.zeros((4, 4, 3)),
            ShapeError,
            r"x: wants a mosaic \(H, W\) .*, got \(4, 4, 3\) float64; mosaic\(rgb\) makes",
        ),
        (np.zeros((1, 9)), ShapeError, r"of at least 2 × 2 photosites, got \(1, 9\) float64"),
        (np.zeros((9, 1)), ShapeError, r"got \(9, 1\)"),
        (np.zeros((2, 2), bool), RangeError, r"wants whole or floating-point numbers, got bool \(2, 2\)"),
        (np.zeros((2, 2), complex), RangeError, "got complex128"),
        (np.array([[1, np.nan], [np.inf, 1]]), RangeError, "wants finite numbers, 2 of 4 are not"),
    ],
)
def test_what_is_no_mosaic_is_refused(raw: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        as_mosaic(raw, "x")


def test_names_and_places_that_do_not_exist() -> None:
    for call in (bayer_masks, lambda hw, p: mosaic(np.zeros((*hw, 3)), p), lambda hw, p: photosite_color(*hw, p)):
        with pytest.raises(UnknownNameError, match="no Bayer pattern named 'rggb'; did you mean RGGB"):
            call((2, 2), "rggb")
    with pytest.raises(RangeError, match=r"wants a row and a column from 0, got \(-1, 3\)"):
        photosite_color(-1, 3)
    with pytest.raises(RangeError, match="at least 1, got 0 x 4"):
        bayer_masks((0, 4))
