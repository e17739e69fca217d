"""YCbCr in both ranges: by hand, four peers, white stays white, there and back, and JPEG's levels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.color.gamut import in_gamut, rgb_to_levels
from photosite.color.ycbcr import (
    CB_SCALE,
    CR_SCALE,
    LUMA_BLUE,
    LUMA_GREEN,
    LUMA_RED,
    levels_to_ycbcr,
    rgb_to_studio_ycbcr,
    rgb_to_ycbcr,
    studio_ycbcr_to_rgb,
    ycbcr_to_levels,
    ycbcr_to_rgb,
)
from photosite.errors import RangeError
from tests.color.cases import GRAYS, LATTICE, largest, photo, slices_of_all_colors
from tests.peers import import_peer

YCBCR = rgb_to_ycbcr(LATTICE)


def test_by_hand() -> None:
    # red: Y 0.299, Cb = 0.5 - 0.299 / 1.772, Cr = 0.5 + 0.701 / 1.402
    red, white = rgb_to_ycbcr(np.array([[255, 0, 0], [255, 255, 255]], np.uint8))
    np.testing.assert_allclose(red, [0.299, 0.5 - 0.299 / 1.772, 1], rtol=1e-15)
    assert white.tolist() == [1, 0.5, 0.5]


def test_luma_weights_sum_to_1_and_scales_fill_the_range() -> None:
    assert math.fsum([LUMA_RED, LUMA_GREEN, LUMA_BLUE]) == 1  # rounded once, at the end
    assert (round(CB_SCALE, 12), round(CR_SCALE, 12)) == (1.772, 1.402)
    np.testing.assert_allclose(YCBCR.min(axis=0), [0, 0, 0], atol=1e-15)
    np.testing.assert_allclose(YCBCR.max(axis=0), [1, 1, 1], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gray_stays_gray_to_the_last_bit(dtype: type) -> None:
    gray = (GRAYS / 255).astype(dtype)
    ycbcr = rgb_to_ycbcr(gray)
    np.testing.assert_array_equal(ycbcr[:, 0], gray[:, 0])
    np.testing.assert_array_equal(ycbcr[:, 1:], 0.5)
    np.testing.assert_array_equal(ycbcr_to_rgb(ycbcr), gray)
    assert rgb_to_studio_ycbcr(np.ones(3, dtype)).tolist() == [235, 128, 128]


def test_matches_colour() -> None:
    colour = import_peer("colour")
    weights = colour.WEIGHTS_YCBCR["ITU-R BT.601"]
    full = colour.RGB_to_YCbCr(LATTICE / 255, K=weights, out_legal=False)  # gray at 0
    np.testing.assert_allclose(YCBCR, full + np.array([0, 0.5, 0.5]), atol=1e-15)
    studio = colour.RGB_to_YCbCr(LATTICE / 255, K=weights, out_legal=True, out_bits=8) * 255
    np.testing.assert_allclose(rgb_to_studio_ycbcr(LATTICE), studio, atol=1e-12)


def test_matches_opencv_but_for_its_order_and_digits() -> None:
    cv2 = import_peer("cv2")
    peer = cv2.cvtColor((LATTICE / 255).astype(np.float32)[None], cv2.COLOR_RGB2YCrCb)[0][:, [0, 2, 1]]
    assert largest(YCBCR[:, 0] - peer[:, 0]) < 1e-6
    # it multiplies b - luma by 0.564 and r - luma by 0.713
    assert 2e-4 < largest(YCBCR - peer) < 3e-4
    levels = cv2.cvtColor(LATTICE[None], cv2.COLOR_RGB2YCrCb)[0][:, [0, 2, 1]]
    assert largest(ycbcr_to_levels(YCBCR) - levels.astype(int)) <= 1  # the same digits, in fixed point


def test_matches_scikit_image_in_studio_range() -> None:
    peer = import_peer("skimage.color").rgb2ycbcr(LATTICE)
    assert 1e-4 < largest(rgb_to_studio_ycbcr(LATTICE) - peer) < 2e-4  # levels; its matrix has three digits
    assert largest(studio_ycbcr_to_rgb(peer) - LATTICE / 255) < 2e-6


def test_matches_pillow_to_a_level() -> None:
    ours = ycbcr_to_levels(YCBCR).astype(int)
    peer = np.asarray(Image.fromarray(LATTICE[None]).convert("YCbCr"))[0]
    assert largest(ours - peer) <= 1  # it cuts decimals off, we round: about half of all levels differ by one
    assert (ours >= peer).all()
    triples = Image.merge("YCbCr", [Image.fromarray(np.ascontiguousarray(LATTICE[None, :, k])) for k in range(3)])
    back = np.asarray(triples.convert("RGB"))[0]
    assert largest(rgb_to_levels(ycbcr_to_rgb(LATTICE)).astype(int) - back) <= 1


def test_matches_pillow_on_photos(photos: list[Path]) -> None:
    for path in photos[::60]:
        picture = photo(path)
        peer = np.asarray(Image.fromarray(picture).convert("YCbCr"))
        assert largest(ycbcr_to_levels(rgb_to_ycbcr(picture)) - peer.astype(int)) <= 1, path.name
        np.testing.assert_array_equal(rgb_to_levels(ycbcr_to_rgb(rgb_to_ycbcr(picture))), picture, err_msg=path.name)


def test_there_and_back() -> None:
    assert largest(ycbcr_to_rgb(YCBCR) - LATTICE / 255) < 1e-15
    assert largest(studio_ycbcr_to_rgb(rgb_to_studio_ycbcr(LATTICE)) - LATTICE / 255) < 1e-14
    single = (LATTICE / 255).astype(np.float32)
    assert largest(ycbcr_to_rgb(rgb_to_ycbcr(single)) - single) < 3e-7  # two units in the last place at 1
    beyond = np.random.default_rng(5).uniform(-2, 3, (1000, 3))
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(beyond)), beyond, atol=1e-14)


def worst_level(colors: np.ndarray) -> tuple[int, int]:
    """How many levels a channel is off after being rounded to YCbCr levels, in full and in studio range."""
    full = ycbcr_to_rgb(ycbcr_to_levels(rgb_to_ycbcr(colors)))
    studio = studio_ycbcr_to_rgb(np.rint(rgb_to_studio_ycbcr(colors)).astype(np.uint8))
    return tuple(int(largest(rgb_to_levels(back).astype(int) - colors)) for back in (full, studio))  # type: ignore[return-value]


def test_rounding_to_levels_costs_one_level_or_two() -> None:
    # full: (1 + 1.772) / 2 = 1.386 levels of blue at most; studio: 0.5 * 255 / 219 + 0.886 * 255 / 224 = 1.59
    assert worst_level(LATTICE) == (1, 2)


def test_levels_have_gray_at_128() -> None:
    assert ycbcr_to_levels(rgb_to_ycbcr(GRAYS)).tolist() == [[level, 128, 128] for level in range(256)]
    gray_levels = np.array([[level, 128, 128] for level in range(256)], np.uint8)
    np.testing.assert_allclose(ycbcr_to_rgb(gray_levels), GRAYS / 255, atol=1e-15)
    np.testing.assert_array_equal(levels_to_ycbcr(gray_levels)[:, 1:], 0.5)
    np.testing.assert_array_equal(ycbcr_to_levels(levels_to_ycbcr(LATTICE)), LATTICE)
    np.testing.assert_array_equal(ycbcr_to_levels(LATTICE), LATTICE)
    # pure blue has a Cb of 1, which is level 255.5 and is clipped
    assert ycbcr_to_levels(rgb_to_ycbcr([0.0, 0.0, 1.0])).tolist() == [29, 255, 107]
    with pytest.raises(RangeError, match=r"^levels_to_ycbcr: wants uint8, got float64 \(3,\)"):
        levels_to_ycbcr([0.5, 0.5, 0.5])


def test_most_triples_are_no_color() -> None:
    # the RGB cube fills the determinant's share of the YCbCr cube: 0.587 / (1.772 * 1.402)
    triples = np.random.default_rng(9).random((100_000, 3))
    share = in_gamut(ycbcr_to_rgb(triples), tolerance=0).mean()
    assert abs(share - LUMA_GREEN / (CB_SCALE * CR_SCALE)) < 0.005  # 3.7 standard deviations of 100 000 draws


@pytest.mark.slow
def test_all_colors_come_back() -> None:
    worst = (0, 0)
    for colors in slices_of_all_colors():
        np.testing.assert_array_equal(rgb_to_levels(ycbcr_to_rgb(rgb_to_ycbcr(colors))), colors)
        worst = max(worst[0], worst_level(colors)[0]), max(worst[1], worst_level(colors)[1])
    assert worst == (1, 2)
