"""Planes of color spaces: the right numbers in the caption, the right color in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.trace.canvas import PAPER
from photosite.trace.color_planes import HUES, UNDEFINED, Space, color_planes, said_size

ROW = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]]], np.uint8)


def spaces(picture: np.ndarray = ROW) -> dict[str, Space]:
    return {space.name: space for space in color_planes(picture)}


def test_five_spaces_of_three_planes() -> None:
    found = spaces()
    assert list(found) == ["sRGB", "Linear light", "HSV", "YCbCr", "Lab"]
    for space in found.values():
        assert [tile.pixels.shape for tile in space.planes] == [(1, 4, 3)] * 3
        assert space.said
        assert space.formula
        for tile in space.planes:
            assert tile.low is not None
            assert tile.high is not None
            assert tile.low < tile.high


def test_captions_have_each_planes_own_range() -> None:
    found = spaces()
    assert found["sRGB"].planes[0].caption == "R · 1 × 4 uint8 · 0 … 255"
    assert found["Linear light"].planes[2].caption == "B · 1 × 4 float64 · 0 … 1"
    assert found["HSV"].planes[0].caption == "H in degrees · 1 × 4 float64 · 0 … 240"
    assert found["YCbCr"].planes[0].caption == "Y · 1 × 4 float64 · 0.114 … 0.587"
    assert found["Lab"].planes[0].caption == "L* · 1 × 4 float64 · 32.3 … 87.74"


def test_hue_goes_round_and_gray_has_none() -> None:
    tile = spaces()["HSV"].planes[0]
    np.testing.assert_array_equal(tile.pixels[0, 0], [255, 0, 0])
    np.testing.assert_array_equal(tile.pixels[0, 3], UNDEFINED)
    assert "cyclic" in tile.scale
    assert tile.scale.replace("\u202f", " ").endswith("gray where undefined: 25 %")
    steps = np.abs(np.diff(HUES.astype(int), axis=0, append=HUES[:1])).max(axis=1)
    assert steps.max() <= 6  # 6 * 255 / 256 a step, also from the last hue to the first
    assert not (HUES == UNDEFINED).all(axis=-1).any()
    assert spaces(ROW[:, :3])["HSV"].planes[0].scale.endswith("defined everywhere")


def test_a_hue_just_below_the_full_circle_is_red_again() -> None:
    near = spaces(np.array([[[255, 0, 1], [255, 1, 0]]], np.uint8))["HSV"].planes[0].pixels[0].astype(int)
    assert np.abs(near[0] - near[1]).max() <= 12


@pytest.mark.parametrize(
    ("space", "plane", "above", "below"),
    [("YCbCr", 1, "blue", "red"), ("YCbCr", 2, "red", "blue"), ("Lab", 1, "red", "green"), ("Lab", 2, "red", "blue")],
)
def test_opponent_planes_are_centered_on_gray(space: str, plane: int, above: str, below: str) -> None:
    colors = {"red": 0, "green": 1, "blue": 2}
    tile = spaces()[space].planes[plane]
    gray = 0.5 if space == "YCbCr" else 0.0
    assert tile.low is not None
    assert tile.high is not None
    assert tile.high - gray == pytest.approx(gray - tile.low)
    np.testing.assert_allclose(
        tile.pixels[0, 3].astype(int), PAPER, atol=2
    )  # the middle of 256 colors lies between two
    for name, side in ((above, 1), (below, -1)):
        pixels = tile.pixels[0, colors[name]].astype(int)
        assert np.abs(pixels - PAPER.astype(int)).max() > 20, (name, side)
    other = spaces()[space].planes[3 - plane]
    assert (other.low, other.high) == (tile.low, tile.high)


def test_blue_is_drawn_blue_in_cb_and_green_green_in_a() -> None:
    found = spaces()
    blue = found["YCbCr"].planes[1].pixels[0, 2].astype(int)
    green = found["Lab"].planes[1].pixels[0, 1].astype(int)
    red = found["YCbCr"].planes[2].pixels[0, 0].astype(int)
    assert blue.argmax() == 2
    assert green.argmax() == 1
    assert red.argmax() == 0


def test_rounding_is_not_drawn_as_color() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, -1)
    for space in ("YCbCr", "Lab"):
        for tile in spaces(ramp)[space].planes[1:]:
            np.testing.assert_allclose(tile.pixels.astype(int), np.broadcast_to(PAPER, tile.pixels.shape), atol=2)


def test_a_gray_picture_has_no_hue_at_all() -> None:
    tile = spaces(ROW[:, 3:])["HSV"].planes[0]
    assert tile.caption == "H in degrees · 1 × 1 float64 · not known"
    assert tile.scale.replace("\u202f", " ").endswith("undefined: 100 %")


def test_what_is_drawn_smaller_is_said() -> None:
    words = said_size(np.zeros((2, 3, 3), np.uint8), np.zeros((20, 30, 3), np.uint8))
    assert words == "the photo of 20 × 30 made smaller to 2 × 3 (means of levels)"
