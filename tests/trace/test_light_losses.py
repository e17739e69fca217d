"""What mosaic and subsampling lose: nothing where nothing can be lost, by hand where it can, and drawn on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.color import (
    ciede2000,
    linear_to_srgb,
    rgb_through_subsampling,
    rgb_to_lab,
    rgb_to_levels,
    rgb_to_ycbcr,
    srgb_to_linear,
)
from photosite.sensor import METHODS, undevelop
from photosite.trace.light_losses import CLOSE_SIDE, demosaicing, error_tiles, rgb_through_halved_luma, subsampling

NAMES = ("4:4:4", "4:2:2", "4:2:0", "Y halved across", "Y halved both ways")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def raw_of(photo: np.ndarray) -> object:
    return undevelop(photo, inverse_curve=srgb_to_linear)


def test_one_color_loses_nothing() -> None:
    photo = np.full((40, 50, 3), (200, 90, 30), np.uint8)
    found = demosaicing(photo, raw_of(photo))
    assert found is not None
    assert [(loss.mean, loss.highest, loss.share_above_one) for loss in found.losses] == [(0, 0, 0)] * 3
    for loss in subsampling(photo).losses:
        assert loss.highest < 1e-9  # floating point, far below what 8 bits hold


def test_demosaicing_is_measured_against_the_photo() -> None:
    photo = noise(37, 52)
    found = demosaicing(photo, raw_of(photo))
    assert found is not None
    assert found.unit == "levels"
    assert [loss.name for loss in found.losses] == list(METHODS)
    for loss in found.losses:
        levels = rgb_to_levels(raw_of(photo).develop(loss.name, linear_to_srgb)).astype(int)
        off = np.abs(levels - photo)
        assert loss.mean == off.mean()
        assert loss.highest == off.max()
        assert loss.share_above_one == (off.max(axis=-1) > 1).mean()
        top, left, bottom, right = found.close_box
        np.testing.assert_array_equal(loss.close_up.pixels, levels[top:bottom, left:right])
        assert loss.error.caption.startswith(f"error of {loss.name} · 37 × 52 uint8 · ")


def test_a_single_line_cannot_be_demosaiced() -> None:
    assert demosaicing(noise(1, 30), raw_of(noise(1, 30))) is None


def test_subsampling_is_measured_against_the_photo() -> None:
    photo = noise(30, 41, 1)
    found = subsampling(photo)
    assert tuple(loss.name for loss in found.losses) == NAMES
    assert [loss.numbers_per_pixel for loss in found.losses] == [3, 2, 1.5, 2.5, 2.25]
    for loss in found.losses[:3]:
        error = ciede2000(rgb_to_lab(photo), rgb_to_lab(rgb_through_subsampling(photo, loss.name)))
        assert (loss.mean, loss.highest) == (error.mean(), error.max())
    means = [loss.mean for loss in found.losses]
    assert means[0] < 1e-9 < means[1] < means[2]  # the fewer numbers, the more is lost
    assert means[3] < means[4]


def test_luma_is_halved_by_hand() -> None:
    # Two grays of a pair: luma's mean stands in both, by the triangle filter of one sample that has no neighbor.
    pair = np.array([[[100, 100, 100], [200, 200, 200]]], np.uint8)
    np.testing.assert_allclose(rgb_through_halved_luma(pair, "4:2:2") * 255, np.full((1, 2, 3), 150), atol=1e-9)
    np.testing.assert_allclose(rgb_through_halved_luma(pair, "4:4:4") * 255, pair, atol=1e-9)


def test_halving_luma_leaves_chroma_alone() -> None:
    # far from black and white, where nothing is clipped
    photo = np.random.default_rng(2).integers(118, 138, (8, 10, 3), dtype=np.uint8)
    before, after = rgb_to_ycbcr(photo), rgb_to_ycbcr(rgb_through_halved_luma(photo, "4:2:0"))
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=1e-14)
    assert np.abs(after[..., 0] - before[..., 0]).max() > 0.005


def test_the_close_up_is_where_most_is_lost() -> None:
    photo = np.full((100, 140, 3), 120, np.uint8)
    photo[70:90, 100:120] = noise(20, 20)
    found = demosaicing(photo, raw_of(photo))
    assert found is not None
    assert found.close_box == (64, 96, 64 + CLOSE_SIDE, 96 + CLOSE_SIDE)
    np.testing.assert_array_equal(found.photo.pixels, photo[64:96, 96:128])


def test_the_close_up_of_chroma_is_where_color_changes() -> None:
    photo = np.full((100, 140, 3), 120, np.uint8)
    photo[40:50, 40:50] = np.random.default_rng(0).integers(0, 256, (10, 10, 1))  # gray: chroma loses nothing
    photo[70:90:2, 100:120] = 200, 20, 60
    assert subsampling(photo).close_box == (64, 96, 96, 128)


def test_errors_share_their_limits() -> None:
    errors = {"a": np.array([[0.0, 3.0]]), "b": np.array([[0.0, 9.0]])}
    first, second = error_tiles(errors, "levels")
    assert (first.low, first.high) == (second.low, second.high) == (0, 9)
    assert first.scale == "viridis 0 … 9 levels"
    np.testing.assert_array_equal(first.pixels[0, 0], second.pixels[0, 0])
    assert (first.pixels[0, 1] != second.pixels[0, 1]).any()


def test_a_large_map_is_averaged_and_says_so() -> None:
    error = np.zeros((2, 800))
    error[0, 0] = 12
    (tile,) = error_tiles({"a": error}, "ΔE")
    assert tile.pixels.shape == (1, 267, 3)  # 800 / 3, rounded up
    assert tile.caption == "error of a · 2 × 800 float64 · 0 … 12"
    assert tile.scale == "viridis 0 … 2 ΔE, averaged 3 × 3"  # 12 / 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 33)])
def test_small_photos(shape: tuple[int, int]) -> None:
    photo = noise(*shape)
    for comparison in (subsampling(photo), demosaicing(photo, raw_of(photo))):
        for loss in comparison.losses if comparison else ():
            assert np.isfinite([loss.mean, loss.highest]).all()
            assert loss.close_up.pixels.shape == comparison.photo.pixels.shape
