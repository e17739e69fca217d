"""What the page of a pixel shows: the right part of the photo, the right counts, colors that mean what they say."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.color import linear_to_srgb, srgb_to_linear
from photosite.prep.recipes import get_recipe
from photosite.sensor import FULL_FRAME, PATTERNS, mosaic, photosite_color, undevelop
from photosite.trace.light_pictures import (
    NEAR_SIDE,
    SAMPLE_PIXELS,
    LightPictures,
    center_sample,
    counts_of,
    histogram,
    light_pictures,
    mosaic_tile,
    neighborhood,
    tinted,
)

CIFAR10 = get_recipe("cifar10")
SIDES = st.integers(1, 5000)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@cache
def found() -> LightPictures:
    photo = noise(70, 90)
    return light_pictures(photo, (80, 30), CIFAR10, CIFAR10(photo), FULL_FRAME)


# ------------------------------------------------------------------------------------------------------ which part


@given(SIDES, SIDES, st.integers(1, 2_000_000))
def test_a_sample_is_in_the_photo_and_no_larger_than_allowed(height: int, width: int, at_most: int) -> None:
    top, left, bottom, right = center_sample((height, width), at_most)
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    assert (bottom - top) * (right - left) <= at_most
    assert top % 2 == left % 2 == 0
    if height * width <= at_most:
        assert (top, left, bottom, right) == (0, 0, height, width)
    for before, after in ((top, height - bottom), (left, width - right)):
        assert abs(before - after) <= 3  # the middle, but for even numbers


def test_a_large_photo_is_sampled_in_its_center() -> None:
    top, left, bottom, right = center_sample((3648, 5472), SAMPLE_PIXELS)
    assert 0.99 * SAMPLE_PIXELS < (bottom - top) * (right - left) <= SAMPLE_PIXELS
    assert (right - left) / (bottom - top) == pytest.approx(1.5, rel=0.01)


@given(SIDES, SIDES, st.data())
def test_the_neighborhood_holds_the_pixel(height: int, width: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    top, left, bottom, right = neighborhood((x, y), (height, width))
    assert 0 <= top <= y < bottom <= height
    assert 0 <= left <= x < right <= width
    assert (bottom - top, right - left) == (min(NEAR_SIDE, height), min(NEAR_SIDE, width))


# ---------------------------------------------------------------------------------------------------------- sensor


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("box", [(0, 0, 5, 6), (3, 4, 9, 20), (3, 5, 4, 6), (2, 1, 20, 30)])
def test_counts_of_a_part_are_those_of_the_whole(pattern: str, box: tuple[int, int, int, int]) -> None:
    photo, sensor = noise(20, 30), replace(FULL_FRAME, pattern=pattern)
    whole = undevelop(photo, inverse_curve=srgb_to_linear, sensor=sensor).raw_counts
    top, left, bottom, right = box
    np.testing.assert_array_equal(counts_of(photo, box, sensor), whole[top:bottom, left:right])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_photosites_have_the_color_of_their_filter(pattern: str) -> None:
    sensor = replace(FULL_FRAME, pattern=pattern)
    pixels = tinted(np.full((4, 5), sensor.white_level_counts, np.uint16), (7, 12), sensor)
    for row in range(4):
        for column in range(5):
            color = photosite_color(7 + row, 12 + column, pattern)
            assert pixels[row, column].tolist() == [255 * (letter == color) for letter in "RGB"]


def test_brightness_is_counts_through_the_curve() -> None:
    counts = np.array([[512, 512], [300, 16383]], np.uint16)
    counts[0, 1] += 3125  # a fifth of 15625
    pixels = tinted(counts, (0, 0), FULL_FRAME)
    assert pixels[0, 0].tolist() == pixels[1, 0].tolist() == [0, 0, 0]  # black, and below
    assert pixels[0, 1].tolist() == [0, round(255 * float(linear_to_srgb(0.2))), 0]
    assert pixels[1, 1].tolist() == [0, 0, 255]  # above the white level


def test_a_mosaic_seen_whole_is_the_mean_of_its_light() -> None:
    # full photosites everywhere: a quad has a quarter of red, half of green, a quarter of blue
    tile = mosaic_tile(np.full((4, 6), 16137, np.uint16), FULL_FRAME)
    quarter, half = (round(255 * float(linear_to_srgb(share))) for share in (0.25, 0.5))
    assert tile.pixels.shape == (2, 3, 3)
    assert (tile.pixels == [quarter, half, quarter]).all()
    assert tile.caption.replace("\u202f", " ") == "raw counts · 4 × 6 uint16 · 16 140 … 16 140"
    assert "light averaged 2 × 2" in tile.scale
    assert "RGGB" in tile.scale
    assert "counts" in tile.scale


def test_a_large_mosaic_keeps_whole_quads() -> None:
    tile = mosaic_tile(np.zeros((10, 1300), np.uint16), FULL_FRAME)
    assert tile.pixels.shape == (3, 325, 3)
    assert "averaged 4 × 4" in tile.scale


# ------------------------------------------------------------------------------------------------------------ whole


def test_histograms_count_every_pixel() -> None:
    photo = np.array([[[3, 3, 3], [3, 200, 255]]], np.uint8)
    counts = histogram(photo)
    assert counts.shape == (3, 256)
    assert counts.sum(axis=1).tolist() == [2, 2, 2]
    assert (counts[0, 3], counts[1, 3], counts[1, 200], counts[2, 255]) == (2, 1, 1, 1)


def test_all_of_it_belongs_to_the_pixel_and_its_photo() -> None:
    photo, pictures = noise(70, 90), found()
    assert pictures.near_box == (22, 72, 38, 88)
    np.testing.assert_array_equal(pictures.near.pixels, photo[22:38, 72:88])
    np.testing.assert_array_equal(pictures.near_rgb, photo[22:38, 72:88])
    raw = undevelop(photo, inverse_curve=srgb_to_linear).raw_counts
    np.testing.assert_array_equal(pictures.near_counts, raw[22:38, 72:88])
    assert pictures.sample_box == (0, 0, 70, 90)
    assert pictures.planes_of == "every pixel"
    np.testing.assert_array_equal(pictures.photo, photo)
    # mosaic(photo) has the same filter at each place
    shown = pictures.near_mosaic.pixels.astype(bool)
    np.testing.assert_array_equal(shown.any(-1) & (mosaic(shown) == 0), np.zeros((16, 16), bool))


def test_input_statistics_are_those_of_the_input() -> None:
    pictures, x = found(), CIFAR10(noise(70, 90)).astype(np.float64)
    np.testing.assert_allclose(pictures.input_means, x[0].mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(pictures.input_stds, x[0].std(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(pictures.input_picture.pixels, CIFAR10.undo(CIFAR10(noise(70, 90)))[0])
    assert pictures.crop_box == CIFAR10.geometry((70, 90)).crop_shares
    assert len({tile.scale for tile in pictures.input_channels}) == 1  # one scale for all three


def test_channels_stand_in_the_recipes_order() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[..., 2] = 255
    recipe = replace(CIFAR10, channel_order="BGR", layout="BHWC")
    pictures = light_pictures(photo, (0, 0), recipe, recipe(photo), FULL_FRAME)
    assert pictures.input_means[0] > 0 > pictures.input_means[2]
    assert [tile.caption.split(" ·")[0] for tile in pictures.input_channels] == [f"normalized {c}" for c in "BGR"]
