"""Chroma subsampling: by hand, against libjpeg's own planes on real JPEGs, constants and shapes, and what it loses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.color.chroma import FACTORS, UPSAMPLINGS, rgb_through_subsampling, subsample_chroma, upsample_chroma
from photosite.color.gamut import rgb_to_levels
from photosite.color.ycbcr import rgb_to_ycbcr
from photosite.errors import RangeError, ShapeError, UnknownNameError
from tests.color.cases import GRAYS, largest, photo
from tests.peers import import_peer

sides = st.integers(1, 9)
laws = settings(deadline=None, derandomize=True, max_examples=40)


def noise(height: int, width: int, channels: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(11).integers(0, 256, (height, width, channels), np.uint8)


def twice(rows: list[list[float]]) -> npt.NDArray[np.float64]:
    """One plane as Cb, and ten times it as Cr."""
    plane = np.array(rows, float)
    return np.stack([plane, 10 * plane], axis=-1)


def decoded(data: bytes, halved: bool = False) -> npt.NDArray[np.int64]:
    """Y, Cb, Cr as libjpeg has them; at half size it gives the chroma planes of a 4:2:0 file as they are stored."""
    with Image.open(io.BytesIO(data)) as image:
        size = (max(image.width // 2, 1), max(image.height // 2, 1)) if halved else image.size
        image.draft("YCbCr", size)
        assert image.mode == "YCbCr"
        return np.asarray(image).astype(np.int64)


# ------------------------------------------------------------------------------------------------------------ by hand


def test_means_by_hand() -> None:
    planes = twice([[0, 4, 8], [8, 4, 0], [1, 3, 7]])
    np.testing.assert_array_equal(subsample_chroma(planes, "4:2:0"), twice([[4, 4], [2, 7]]))
    np.testing.assert_array_equal(subsample_chroma(planes, "4:2:2"), twice([[2, 8], [6, 0], [2, 7]]))
    np.testing.assert_array_equal(subsample_chroma(planes, "4:4:4"), planes)


def test_upsampling_by_hand() -> None:
    planes = twice([[0, 16], [32, 16]])
    nearest = twice([[0, 0, 16], [0, 0, 16], [32, 32, 16]])
    np.testing.assert_array_equal(upsample_chroma(planes, (3, 3), "4:2:0", "nearest"), nearest)
    np.testing.assert_array_equal(upsample_chroma(planes, (2, 3), "4:2:2"), twice([[0, 4, 12], [32, 28, 20]]))
    # down: rows 0, 1/4 of the way, 3/4 of the way; then across the same
    triangle = twice([[0, 4, 12], [8, 10, 14], [24, 22, 18]])
    np.testing.assert_array_equal(upsample_chroma(planes, (3, 3), "4:2:0"), triangle)


# -------------------------------------------------------------------------------------------------------------- peers


def test_triangle_matches_libjpeg_on_photos(photos: list[Path]) -> None:
    seen = 0
    for path in photos:
        with Image.open(path) as image:
            subsampled = image.mode == "RGB" and image.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]
        if not subsampled or path.stat().st_size > 300_000:
            continue
        data = path.read_bytes()
        full, stored = decoded(data), decoded(data, halved=True)
        size_hw = (full.shape[0], full.shape[1])
        ours = upsample_chroma(stored[..., 1:].astype(float), size_hw)
        assert largest(ours - full[..., 1:]) == 0.5, path.name  # libjpeg rounds, we do not
        assert largest(upsample_chroma(stored[..., 1:].astype(float), size_hw, "4:2:0", "nearest") - full[..., 1:]) > 5
        seen += 1
        if seen == 6:
            break
    assert seen == 6


@pytest.mark.parametrize("size_hw", [(64, 64), (63, 47), (17, 9), (7, 6)])
def test_means_match_libjpeg(size_hw: tuple[int, int]) -> None:
    picture = noise(*size_hw)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100, subsampling=2)
    stored = decoded(file.getvalue(), halved=True)[..., 1:]
    ours = subsample_chroma(rgb_to_ycbcr(picture)[..., 1:]) * 255 + 0.5  # gray at level 128
    # half a level from rounding chroma, the mean and the decoded sample each, and a little from the transform
    assert largest(ours - stored) < 2
    assert np.abs(ours - stored).mean() < 0.5


@pytest.mark.parametrize("size_hw", [(16, 40), (17, 39), (8, 7), (31, 17)])
@pytest.mark.parametrize("scheme", ["4:2:2", "4:2:0"])
def test_triangle_matches_libjpeg_at_any_size(scheme: str, size_hw: tuple[int, int]) -> None:
    # chroma that is constant in each block of 8 x 8 passes the cosine transform unchanged: both start from one plane
    simplejpeg = import_peer("simplejpeg")
    rows, columns = FACTORS[scheme]
    small_hw = (-(-size_hw[0] // rows), -(-size_hw[1] // columns))
    blocks = noise(-(-small_hw[0] // 8), -(-small_hw[1] // 8), 2)
    planes = np.kron(blocks, np.ones((8, 8, 1), np.uint8))[: small_hw[0], : small_hw[1]]
    luma = np.full(size_hw, 128, np.uint8)
    cb, cr = (np.ascontiguousarray(planes[..., k]) for k in (0, 1))
    full = decoded(simplejpeg.encode_jpeg_yuv_planes(luma, cb, cr, quality=100))
    ours = upsample_chroma(planes.astype(float), size_hw, scheme)
    assert largest(ours - full[..., 1:]) <= 0.5


def test_libjpeg_takes_nearest_for_planes_two_samples_wide() -> None:
    simplejpeg = import_peer("simplejpeg")
    plane = np.repeat(np.array([[0], [160]], np.uint8), 8, axis=0).repeat(2, axis=1)  # (16, 2)
    full = decoded(simplejpeg.encode_jpeg_yuv_planes(np.full((32, 4), 128, np.uint8), plane, plane, quality=100))
    chroma = np.stack([plane, plane], axis=-1).astype(float)
    np.testing.assert_array_equal(upsample_chroma(chroma, (32, 4), "4:2:0", "nearest"), full[..., 1:])
    assert largest(upsample_chroma(chroma, (32, 4)) - full[..., 1:]) == 40


def test_matches_a_whole_jpeg_on_a_photo(photos: list[Path]) -> None:
    picture = photo(photos[0])
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=100, subsampling=2)
    with Image.open(file) as image:
        peer = np.asarray(image).astype(float)
    ours = rgb_to_levels(rgb_through_subsampling(picture))
    lost, left = np.abs(picture - peer).mean(), np.abs(ours - peer).mean()
    assert left < 0.6  # rounding to levels in YCbCr, in the transform and in RGB
    assert lost > 1.5 * left  # what was to be explained


# --------------------------------------------------------------------------------------------------------------- laws


@given(sides, sides, st.sampled_from(sorted(FACTORS)), st.sampled_from(UPSAMPLINGS), st.sampled_from([1, 2]))
@laws
def test_shapes_constants_and_limits(height: int, width: int, scheme: str, upsampling: str, batch: int) -> None:
    planes = noise(height, width, 2 * batch).reshape(height, width, batch, 2).transpose(2, 0, 1, 3) / 255
    small = subsample_chroma(planes, scheme)
    rows, columns = FACTORS[scheme]
    assert small.shape == (batch, -(-height // rows), -(-width // columns), 2)
    full = upsample_chroma(small, (height, width), scheme, upsampling)
    assert full.shape == planes.shape
    assert planes.min() <= full.min() <= full.max() <= planes.max()
    one = np.full_like(planes, 1 / 3)
    np.testing.assert_array_equal(
        upsample_chroma(subsample_chroma(one, scheme), (height, width), scheme, upsampling), one
    )


@given(sides, sides, st.sampled_from(sorted(FACTORS)))
@laws
def test_nearest_is_kept_by_another_round(height: int, width: int, scheme: str) -> None:
    once = subsample_chroma(noise(height, width, 2) / 255, scheme)
    again = subsample_chroma(upsample_chroma(once, (height, width), scheme, "nearest"), scheme)
    np.testing.assert_allclose(again, once, atol=1e-15)


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("scheme", FACTORS)
def test_luma_gray_and_444_are_kept(scheme: str, upsampling: str) -> None:
    gray = GRAYS.reshape(16, 16, 3)
    np.testing.assert_array_equal(rgb_through_subsampling(gray, scheme, upsampling), gray / 255)
    # pale enough that nothing is clipped: then luma passes
    picture = 0.4 + 0.2 * noise(7, 9) / 255
    through = rgb_through_subsampling(picture, scheme, upsampling)
    np.testing.assert_allclose(rgb_to_ycbcr(through)[..., 0], rgb_to_ycbcr(picture)[..., 0], atol=1e-15)
    assert (largest(through - picture) < 1e-15) == (scheme == "4:4:4")
    assert rgb_through_subsampling(picture.astype(np.float32), scheme, upsampling).dtype == np.float32


def test_more_is_lost_with_fewer_samples(photos: list[Path]) -> None:
    picture = photo(photos[7])
    losses = [np.abs(rgb_through_subsampling(picture, scheme) - picture / 255).mean() for scheme in FACTORS]
    assert losses == sorted(losses)
    assert losses[0] < 1e-15 < losses[1]


def test_a_clipped_color_by_hand() -> None:
    # blue beside black: their mean chroma has no color at luma 0
    picture = np.array([[[0, 0, 255], [0, 0, 0]]], np.uint8)
    through = rgb_through_subsampling(picture, "4:2:2", "nearest")
    assert through.min() == 0
    # Cb - 0.5 = 0.25 and Cr - 0.5 = -0.114 / 1.402 / 2 for both; black's red = 1.402 Cr < 0 is cut, its blue is 0.443
    np.testing.assert_allclose(through[0, 1], [0, 0, 0.443], atol=1e-12)


# ------------------------------------------------------------------------------------------------------------- errors


def test_what_is_refused() -> None:
    planes = np.zeros((4, 6, 2))
    with pytest.raises(
        ShapeError, match=r"^subsample_chroma: wants Cb and Cr, \(\.\.\., H, W, 2\), as in ycbcr.*\(4, 6, 3\)"
    ):
        subsample_chroma(np.zeros((4, 6, 3)))
    with pytest.raises(
        ShapeError, match=r"^upsample_chroma: wants 3 × 3 samples for 5 × 6 pixels in 4:2:0, got \(4, 6, 2\)"
    ):
        upsample_chroma(planes, (5, 6))
    with pytest.raises(
        ShapeError, match=r"^rgb_through_subsampling: wants a picture, \(\.\.\., H, W, 3\), got \(6, 3\)"
    ):
        rgb_through_subsampling(np.zeros((6, 3)))
    with pytest.raises(UnknownNameError, match=r"^no chroma subsampling named '420'; did you mean 4:2:0"):
        subsample_chroma(planes, "420")
    with pytest.raises(UnknownNameError, match=r"^no chroma upsampling named 'bilinear'"):
        upsample_chroma(planes, (8, 12), upsampling="bilinear")
    with pytest.raises(
        RangeError, match=r"^subsample_chroma: wants float32 or float64, got uint8 .*levels_to_ycbcr comes"
    ):
        subsample_chroma(planes.astype(np.uint8))
    with pytest.raises(RangeError, match=r"^rgb_through_subsampling: wants rgb in 0 … 1, got 0 … 1.5"):
        rgb_through_subsampling(np.array([[[0, 1.5, 1]]]))
    with pytest.raises(RangeError, match=r"^upsample_chroma: wants finite numbers, 48 of 48 are not"):
        upsample_chroma(planes * np.nan, (8, 12))
