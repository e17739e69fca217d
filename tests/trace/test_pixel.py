"""One pixel: known values by hand, every number that of the library's own functions, places that are off by none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.color import linear_to_srgb, rgb_to_hsv, rgb_to_lab, rgb_to_levels, rgb_to_ycbcr, srgb_to_linear
from photosite.errors import RangeError, UnknownNameError
from photosite.prep.recipes import get_recipe
from photosite.sensor import (
    FULL_FRAME,
    METHODS,
    PATTERNS,
    balance_white,
    correct_color,
    demosaic,
    digitize,
    normalize_counts,
    undevelop,
)
from photosite.trace.pixel import UNITS, checked_xy, photosite_at, pixel_at, pixel_json

IMAGENET, CIFAR10 = get_recipe("imagenet"), get_recipe("cifar10")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def solid(color: tuple[int, int, int], height: int = 6, width: int = 8) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


# --------------------------------------------------------------------------------------------------------- by hand


def test_red_by_hand() -> None:
    pixel = pixel_at(solid((255, 0, 0)), (3, 2), CIFAR10)
    assert (pixel.x, pixel.y, pixel.rgb) == (3, 2, (255, 0, 0))
    assert pixel.linear == (1, 0, 0)
    assert pixel.hsv == (0, 1, 1)
    # BT.601: Y = 0.299; Cb = -0.299 / 1.772 + 0.5; Cr = 0.701 / 1.402 + 0.5. Six digits: of the hand, not of the code.
    np.testing.assert_allclose(pixel.ycbcr, (0.299, 0.331264, 1.0), atol=1e-6)
    np.testing.assert_allclose(pixel.lab, (53.24, 80.09, 67.20), atol=0.005)  # published to two digits
    assert not pixel.is_gray
    assert pixel.notes == ()


def test_white_fills_each_photosite_as_far_as_its_gain_lets_it() -> None:
    # 50000 electrons / 3.2 = 15625 counts above 512; white balance divides by 2.15, 1 and 1.7
    white = solid((255, 255, 255))
    counts = {pixel_at(white, at, CIFAR10).photosite.color: at for at in ((0, 0), (1, 0), (1, 1))}
    assert counts == {"R": (0, 0), "G": (1, 0), "B": (1, 1)}
    sites = {color: pixel_at(white, at, CIFAR10).photosite for color, at in counts.items()}
    assert {color: site.raw_counts for color, site in sites.items()} == {"R": 7779, "G": 16137, "B": 9703}
    assert sites["G"].electrons == 50_000  # full, so the dark current's 0.001 find no room
    assert sites["R"].electrons == pytest.approx(50_000 / 2.15 + 0.001)
    assert sites["R"].photons == pytest.approx(50_000 / 2.15 / 0.40)


def test_black_is_the_black_level() -> None:
    site = pixel_at(solid((0, 0, 0)), (0, 0), CIFAR10).photosite
    assert (site.raw_counts, site.photons) == (512, 0)
    assert site.camera_rgb == dict.fromkeys(("photo", *METHODS), (0, 0, 0))


def test_gray_has_no_hue_and_says_so() -> None:
    pixel = pixel_at(solid((90, 90, 90)), (3, 3), CIFAR10)
    assert pixel.is_gray
    assert pixel.hsv == (0, 0, 90 / 255)
    assert pixel.notes == ("this pixel is gray: it has no hue, and 0 stands in its place",)


def test_x_goes_right_and_y_down() -> None:
    picture = np.zeros((5, 7, 3), np.uint8)
    picture[4, 1] = 1, 2, 3
    assert pixel_at(picture, (1, 4), CIFAR10).rgb == (1, 2, 3)


@pytest.mark.parametrize(
    ("at_xy", "place"),
    [((15, 100), None), ((16, 16), (0, 0)), ((239, 239), (223, 223)), ((240, 239), None), ((100, 30), (14, 84))],
)
def test_where_a_pixel_lands_by_hand(at_xy: tuple[int, int], place: tuple[int, int] | None) -> None:
    # 256 x 256 stays as it is, and the crop of 224 begins at (256 - 224) / 2 = 16
    picture = noise(256, 256)
    normalized = pixel_at(picture, at_xy, IMAGENET).normalized
    assert normalized.row_column == place
    if place is None:
        assert normalized.input_values is None
        assert normalized.read_from is None
        assert "outside of what the recipe imagenet crops" in pixel_at(picture, at_xy, IMAGENET).notes[0]
    else:
        x, y = at_xy
        assert normalized.input_values == normalized.of_this_pixel_alone  # nothing was resized
        assert normalized.read_from == (y, x, y + 1, x + 1)


def test_normalized_by_hand() -> None:
    normalized = pixel_at(solid((255, 0, 51)), (0, 0), IMAGENET).normalized
    expected = (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225
    np.testing.assert_allclose(normalized.of_this_pixel_alone, expected, rtol=1e-6)  # float32
    assert normalized.channels == "RGB"


def test_a_recipe_in_another_order_is_followed() -> None:
    recipe = replace(IMAGENET, channel_order="BGR", layout="BHWC")
    picture = noise(300, 280)
    normalized = pixel_at(picture, (140, 150), recipe).normalized
    assert normalized.channels == "BGR"
    assert normalized.row_column is not None
    x = recipe(picture)
    assert list(normalized.input_values or ()) == x[0][normalized.row_column].tolist()
    np.testing.assert_allclose(
        normalized.of_this_pixel_alone,
        (picture[150, 140, ::-1] / 255 - recipe.mean) / recipe.std,
        rtol=1e-5,  # float32 beside float64
        atol=1e-6,
    )


# --------------------------------------------------------------------------------------- against the library, whole


@pytest.mark.parametrize("pattern", PATTERNS)
def test_matches_the_whole_photo(pattern: str) -> None:
    picture = noise(131, 118)
    sensor = replace(FULL_FRAME, pattern=pattern)
    raw = undevelop(picture, inverse_curve=srgb_to_linear, sensor=sensor)
    light = balance_white(normalize_counts(raw.raw_counts, sensor), raw.white_balance_gains, pattern)
    camera = {method: demosaic(light, pattern, method) for method in METHODS}
    camera["photo"] = correct_color(srgb_to_linear(picture), np.linalg.inv(raw.color_matrix))
    developed = {method: rgb_to_levels(raw.develop(method, linear_to_srgb)) for method in METHODS} | {"photo": picture}
    for x, y in ((0, 0), (117, 130), (59, 65), (60, 65), (59, 64), (24, 25), (117, 3), (1, 129)):
        site = photosite_at(picture, (x, y), sensor)
        assert site.raw_counts == raw.raw_counts[y, x]
        assert site.photons == raw.photons[y, x]
        assert digitize(np.array([[site.electrons]]), sensor)[0, 0] == site.raw_counts
        for name in ("photo", *METHODS):
            # What lies farther than REACH has no say; sums over other array sizes may differ in the last bit.
            np.testing.assert_allclose(site.camera_rgb[name], camera[name][y, x], rtol=0, atol=1e-14)
            assert list(site.developed_rgb[name]) == developed[name][y, x].tolist()


@pytest.mark.parametrize("at_xy", [(10, 10), (11, 10), (11, 11)])
def test_the_measured_color_is_kept_by_every_method(at_xy: tuple[int, int]) -> None:
    site = pixel_at(noise(60, 60), at_xy, CIFAR10).photosite
    channel = "RGB".index(site.color)
    measured = {values[channel] for name, values in site.camera_rgb.items() if name != "photo"}
    assert len(measured) == 1
    # half a count of 15625, times the gain of the channel
    assert abs(measured.pop() - site.camera_rgb["photo"][channel]) <= 0.51 / 15625 * site.white_balance_gains[channel]


def test_json_is_what_the_library_says() -> None:
    picture = noise(90, 110, 3)
    found = pixel_json(pixel_at(picture, (51, 40), IMAGENET, pattern="GBRG"))
    rgb = picture[40, 51]
    assert found["at"] == {"x": 51, "y": 40}
    assert found["rgb"] == rgb.tolist()
    assert found["linear"] == srgb_to_linear(rgb).tolist()
    assert found["hsv"] == rgb_to_hsv(rgb).tolist()
    assert found["ycbcr"] == rgb_to_ycbcr(rgb).tolist()
    assert found["lab"] == rgb_to_lab(rgb).tolist()
    bayer = found["bayer"]
    assert (bayer["pattern"], bayer["color"], bayer["not_measured"]) == ("GBRG", "B", ["R", "G"])
    raw = undevelop(picture, inverse_curve=srgb_to_linear, sensor=replace(FULL_FRAME, pattern="GBRG"))
    assert bayer["raw_counts"] == raw.raw_counts[40, 51]
    assert bayer["sensor"]["black_level_counts"] == 512
    assert bayer["sensor"]["bit_depth"] == 14
    assert bayer["sensor"]["white_level_counts"] == 16137
    normalized = found["normalized"]
    row, column = IMAGENET.geometry((90, 110)).input_point(40.5, 51.5)
    assert normalized["input_pixel"] == {"row": int(row), "column": int(column)}
    assert normalized["input_values"] == IMAGENET(picture)[0, :, int(row), int(column)].tolist()
    assert normalized["of_this_pixel_alone"] == IMAGENET.normalized(picture[40:41, 51:52]).ravel().tolist()
    assert tuple(normalized["read_from"].values()) == IMAGENET.geometry((90, 110)).reads(int(row), int(column))
    assert set(UNITS) <= set(found)
    assert found["units"] == UNITS


# ------------------------------------------------------------------------------------------------------------- laws


@given(st.integers(1, 30), st.integers(1, 30), st.data())
@settings(max_examples=40, deadline=None)  # the first call compiles nothing, but opens modules
def test_every_pixel_of_every_photo_has_its_numbers(height: int, width: int, data: Any) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    found = pixel_json(pixel_at(noise(height, width, height), (x, y), CIFAR10))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["bayer"]["camera_rgb"]) == ({"photo", *METHODS} if min(height, width) >= 2 else {"photo"})
    assert bool(found["notes"]) == (min(height, width) < 2 or found["normalized"]["input_pixel"] is None)


def test_one_pixel_cannot_be_demosaiced_and_says_so() -> None:
    pixel = pixel_at(solid((1, 2, 3), 1, 1), (0, 0), CIFAR10)
    assert list(pixel.photosite.camera_rgb) == ["photo"]
    assert pixel.notes == ("a photo of 1 × 1 has fewer than 2 × 2 photosites: it cannot be demosaiced",)


# ----------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("at_xy", [(8, 0), (0, 6), (-1, 0), (0, -1)])
def test_a_pixel_that_is_not_there(at_xy: tuple[int, int]) -> None:
    words = f"wants X from 0 to 7 and Y from 0 to 5, the photo is 8 px wide and 6 px high, got {at_xy[0]},{at_xy[1]}"
    with pytest.raises(RangeError, match=words):
        pixel_at(solid((0, 0, 0)), at_xy, CIFAR10)


def test_the_center_is_where_nothing_else_was_asked_for() -> None:
    assert checked_xy(None, (5, 8)) == (4, 2)
    assert checked_xy(None, (1, 1)) == (0, 0)


def test_an_unknown_pattern() -> None:
    with pytest.raises(UnknownNameError, match="no Bayer pattern named 'RGBG'"):
        pixel_at(solid((0, 0, 0)), (0, 0), CIFAR10, pattern="RGBG")
