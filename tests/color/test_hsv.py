"""HSV: corners by hand, four peers, there and back, and the laws that a hue keeps."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from photosite.color.gamut import rgb_to_levels
from photosite.color.hsv import hsv_to_rgb, rgb_to_hsv
from photosite.errors import RangeError
from tests.color.cases import GRAYS, LATTICE, largest, photo, slices_of_all_colors
from tests.peers import import_peer

HSV = rgb_to_hsv(LATTICE)
SHARES = [360, 1, 1]  # peers have hue as a share of the circle


@pytest.mark.parametrize(
    ("rgb", "hsv"),
    [
        ([1, 0, 0], [0, 1, 1]),
        ([1, 1, 0], [60, 1, 1]),
        ([0, 1, 0], [120, 1, 1]),
        ([0, 1, 1], [180, 1, 1]),
        ([0, 0, 1], [240, 1, 1]),
        ([1, 0, 1], [300, 1, 1]),
        ([1, 0.5, 0], [30, 1, 1]),
        ([0.5, 0, 1], [270, 1, 1]),
        ([1, 0, 0.5], [330, 1, 1]),
        ([0.75, 0.5, 0.25], [30, 2 / 3, 0.75]),
        ([0.5, 0.5, 0.5], [0, 0, 0.5]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_by_hand(rgb: list[float], hsv: list[float]) -> None:
    np.testing.assert_allclose(rgb_to_hsv(np.array(rgb, float)), hsv, rtol=1e-15)
    np.testing.assert_allclose(hsv_to_rgb(np.array(hsv, float)), rgb, atol=1e-15)


def test_gray_has_hue_0_and_no_saturation() -> None:
    hsv = rgb_to_hsv(GRAYS)
    np.testing.assert_array_equal(hsv[:, :2], 0)
    np.testing.assert_array_equal(hsv[:, 2], GRAYS[:, 0] / 255)


def test_a_red_a_hair_before_the_full_circle_stays_below_360() -> None:
    for hair in (1e-300, 1e-17, 1e-16, 1e-9):
        hue = rgb_to_hsv([1.0, 0.0, hair])[0]
        assert 0 <= hue < 360, hair
    assert rgb_to_hsv(np.array([1, 0, 1e-8], np.float32))[0] < 360


def test_matches_scikit_image_colour_and_colorsys() -> None:
    # hues are equal up to units in the last place of 360
    np.testing.assert_allclose(HSV, import_peer("skimage.color").rgb2hsv(LATTICE) * SHARES, atol=1e-12)
    np.testing.assert_allclose(HSV, import_peer("colour").RGB_to_HSV(LATTICE / 255) * SHARES, atol=1e-12)
    by_colorsys = np.array([colorsys.rgb_to_hsv(*color) for color in LATTICE / 255])
    np.testing.assert_allclose(HSV, by_colorsys * SHARES, atol=1e-12)
    back = np.array([colorsys.hsv_to_rgb(*color) for color in by_colorsys])
    np.testing.assert_allclose(hsv_to_rgb(HSV), back, atol=1e-14)


def test_matches_opencv_in_float32() -> None:
    cv2 = import_peer("cv2")
    peer = cv2.cvtColor((LATTICE / 255).astype(np.float32)[None], cv2.COLOR_RGB2HSV)[0]
    assert largest(HSV[:, 0] - peer[:, 0]) < 1e-3  # float32 has steps of 3e-5 at 360, and OpenCV adds 1e-7 to divisors
    assert largest(HSV[:, 1:] - peer[:, 1:]) < 1e-5


def test_matches_pillow_to_a_level() -> None:
    peer = np.asarray(Image.fromarray(LATTICE[None]).convert("HSV"))[0]
    levels = HSV / SHARES * 255
    assert largest(levels - peer) < 1.001  # it cuts decimals off, in float32
    np.testing.assert_array_equal(levels[:, 2].round(), peer[:, 2])


@given(arrays.arrays(np.float64, (3, 3), elements=st.floats(0, 1)))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_there_and_back(colors: np.ndarray) -> None:
    hsv = rgb_to_hsv(colors)
    assert (hsv >= 0).all()
    assert (hsv[:, 0] < 360).all()
    assert (hsv[:, 1:] <= 1).all()
    np.testing.assert_allclose(hsv_to_rgb(hsv), colors, atol=1e-14)


def test_there_and_back_in_float32() -> None:
    colors = (LATTICE / 255).astype(np.float32)
    assert largest(hsv_to_rgb(rgb_to_hsv(colors)) - colors) < 1e-6


def test_photos_come_back_to_the_level(photos: list[Path]) -> None:
    for path in photos[::60]:
        picture = photo(path)[::2, ::2]
        np.testing.assert_array_equal(rgb_to_levels(hsv_to_rgb(rgb_to_hsv(picture))), picture, err_msg=path.name)


@given(st.floats(0.01, 1))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_less_light_changes_only_the_value(share: float) -> None:
    dimmed = rgb_to_hsv(LATTICE / 255 * share)
    np.testing.assert_allclose(dimmed, HSV * [1, 1, share], atol=1e-10)


def test_hue_goes_round() -> None:
    colors = np.stack([np.linspace(0, 359, 60), np.full(60, 0.5), np.full(60, 0.75)], axis=-1)
    for turns in (-720, -360, 360):
        turned = colors + np.array([turns, 0, 0])
        np.testing.assert_allclose(hsv_to_rgb(turned), hsv_to_rgb(colors), atol=1e-13)


def test_what_has_no_saturation_is_refused() -> None:
    with pytest.raises(RangeError, match=r"^rgb_to_hsv: wants rgb in 0 … 1, got -0.5 … 1 \(3,\); np.clip"):
        rgb_to_hsv([-0.5, 1.0, 0.0])
    with pytest.raises(RangeError, match=r"^hsv_to_rgb: wants saturation and value in 0 … 1, got 0.5 … 50 \(2,\)"):
        hsv_to_rgb([20.0, 0.5, 50.0])


@pytest.mark.slow
def test_all_colors_come_back_to_the_level() -> None:
    for colors in slices_of_all_colors():
        np.testing.assert_array_equal(rgb_to_levels(hsv_to_rgb(rgb_to_hsv(colors))), colors)
