"""Pictures of a page: lossless, placed right, and only as many as fit."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from photosite.report import figures
from photosite.trace.pictures import plain


def decoded(uri: str) -> Image.Image:
    head, data = uri.split(",", 1)
    assert head.startswith("data:image/")
    assert head.endswith(";base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


@settings(deadline=None)  # the first call imports Pillow's PNG writer
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_png_is_lossless(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(np.asarray(decoded(figures.png_uri(pixels)).convert("RGB")), pixels)


@pytest.mark.parametrize(("colors", "mode"), [(1, "P"), (256, "P"), (257, "RGB")])
def test_few_colors_become_a_palette(colors: int, mode: str) -> None:
    pixels = np.stack([np.arange(colors) // 256, np.arange(colors) % 256, np.zeros(colors)], -1).astype(np.uint8)[None]
    image = decoded(figures.png_uri(pixels))
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), pixels)


def test_a_large_photo_is_a_jpeg_and_near_what_it_was() -> None:
    ramp = np.linspace(0, 255, 600)[None, :, None].repeat(500, 0).repeat(3, 2).astype(np.uint8)
    image = decoded(figures.photo_uri(ramp))
    assert image.format == "JPEG"
    assert np.abs(np.asarray(image).astype(int) - ramp).mean() < 2  # quality 88 on a smooth ramp


def test_a_crop_inside() -> None:
    crop = figures.crop_drawing(np.zeros((100, 200, 3), np.uint8), (0.0, 0.25, 1.0, 0.75))
    assert crop.view == (0, 0, 200, 100)
    assert crop.box == (50, 0, 100, 100)
    assert crop.outside == "M0 0H200V100H0ZM50 0H150V100H50Z"
    assert (crop.padding, crop.whole) == ("", False)


def test_a_crop_that_reaches_outside_is_padding() -> None:
    crop = figures.crop_drawing(np.zeros((100, 200, 3), np.uint8), (-0.5, 0.0, 1.5, 1.0))
    assert crop.view == (0, -50, 200, 200)
    assert crop.padding == "M0 -50H200V150H0ZM0 0H200V100H0Z"


def test_the_whole_picture_is_said_to_be_whole() -> None:
    assert figures.crop_drawing(np.zeros((9, 9, 3), np.uint8), (0.0, 0.0, 1.0, 1.001)).whole


def test_channels_and_histograms() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[..., 0] = [[10, 10], [10, 200]]
    (red, histogram), (green, _), (blue, _) = figures.channel_figures(plain("crop", pixels), (2, 2, 3), "uint8")
    assert red.caption == "R · 2 × 2 uint8 · 10 … 200"
    assert green.caption == "G · 2 × 2 uint8 · 0 … 0"
    assert blue.scale == "black 0, blue, white 255"
    assert histogram.note == "R: mean 57.5, std 82.27"
    assert np.asarray(decoded(green.uri).convert("RGB")).max() == 0


def test_a_smaller_picture_says_that_it_was_measured_as_drawn() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    (red, _), _, _ = figures.channel_figures(plain("crop", pixels), (400, 400, 3), "uint8")
    assert red.caption == "R · 2 × 2 uint8 (as drawn) · 0 … 0"


def test_bars_end_at_the_top() -> None:
    assert figures.histogram_path(np.array([0, 5, 10]), 5) == "M0 24V24H1V0H2V0H3V24Z"


def test_an_album_stops_when_its_bytes_are_spent() -> None:
    tile = plain("x", np.zeros((4, 4, 3), np.uint8))
    album = figures.Album(len(figures.figure(tile).uri) + 1)
    assert album.figure(tile) is not None
    assert album.figure(tile) is None
    assert (album.left, album.refused) == (1, 1)


def test_a_veil_is_clear_at_zero_and_goes_with_the_square_root() -> None:
    values = np.zeros((20, 20))
    values[4, 5:9] = 1.0
    values[4, 9] = 0.25
    veil = np.asarray(decoded(figures.veil_uri(values)))[..., 3]
    assert veil[4, 5:10].tolist() == [225, 225, 225, 225, 112]
    assert int((veil > 0).sum()) == 5
    # A few values that hold nearly all of it do not make the faint rest dense, however many they are.
    faint = np.full((100, 100), 1e-6)
    faint[3:5, 3:5] = 1.0
    veil = np.asarray(decoded(figures.veil_uri(faint)))[..., 3]
    assert veil[3, 3] == 225
    assert veil[50, 50] == 0
    assert not np.asarray(decoded(figures.veil_uri(np.zeros((3, 3)))))[..., 3].any()
