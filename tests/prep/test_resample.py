"""Resizing by the definition, against Pillow, whose every bit it promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from photosite.prep.geometry import FILTER_SUPPORT
from photosite.prep.resample import FILTERS, nearest, resample, rows_first, taps

Picture = npt.NDArray[np.uint8]


def pillow(picture: Picture, size_hw: tuple[int, int], interpolation: str) -> Picture:
    """The peer."""
    height, width = size_hw
    image = Image.fromarray(picture).resize((width, height), Image.Resampling[interpolation.upper()])
    return np.asarray(image)


def noise(height: int, width: int, seed: int, contrast: str = "gray") -> Picture:
    """Uniform noise, or only black and white, which makes bicubic and Lanczos overshoot most."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return picture if contrast == "gray" else (picture > 127).astype(np.uint8) * 255


def test_box_by_hand() -> None:
    picture = np.array([[[0], [10], [20], [31]], [[40], [50], [60], [71]]], np.uint8)
    # columns first: 5, 25.5 -> 26 and 45, 65.5 -> 66; then rows: 25 and 46
    assert resample(picture, (1, 2), "box").tolist() == [[[25], [46]]]


def test_bilinear_by_hand_when_enlarging() -> None:
    row = np.array([[[0], [100]]], np.uint8)
    # centers at -1/4 (only the left pixel is there), 1/4, 3/4, 5/4
    assert resample(row, (1, 4), "bilinear").ravel().tolist() == [0, 25, 75, 100]


def test_the_order_of_the_passes_is_pillow_13s() -> None:
    assert features.version("pil") is None or int(Image.__version__.split(".")[0]) >= 13
    picture = noise(400, 40, 0)
    assert rows_first((400, 40), (100, 30))
    columns_first = resample(resample(picture, (400, 30)), (100, 30))
    peer = pillow(picture, (100, 30), "bilinear")
    np.testing.assert_array_equal(resample(picture, (100, 30)), peer)
    assert (columns_first != peer).any()  # so the order shows


@settings(max_examples=150, deadline=None)
@given(
    interpolation=st.sampled_from(sorted(FILTER_SUPPORT)),
    sides=st.tuples(*[st.integers(1, 40)] * 4),
    seed=st.integers(0, 2**32 - 1),
    contrast=st.sampled_from(["gray", "hard"]),
)
def test_it_is_pillow_bit_for_bit(interpolation: str, sides: tuple[int, ...], seed: int, contrast: str) -> None:
    height, width, *size_hw = sides
    picture = noise(height, width, seed, contrast)
    size = (size_hw[0], size_hw[1])
    np.testing.assert_array_equal(resample(picture, size, interpolation), pillow(picture, size, interpolation))


@pytest.mark.parametrize("interpolation", sorted(FILTERS))
@pytest.mark.parametrize("size_hw", [(1, 1), (203, 49), (7, 900)])
def test_many_taps_too(interpolation: str, size_hw: tuple[int, int]) -> None:
    picture = noise(553, 539, 1, "hard")
    np.testing.assert_array_equal(resample(picture, size_hw, interpolation), pillow(picture, size_hw, interpolation))


@pytest.mark.parametrize("interpolation", sorted(FILTERS))
@given(size=st.integers(1, 3000), resized=st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_weights_sum_to_one_and_windows_lie_inside(interpolation: str, size: int, resized: int) -> None:
    side = taps(size, resized, interpolation)
    # every weight is rounded to a whole number of 2**-22, by half of it at most
    assert (np.abs(side.weights.sum(1) - 2**22) <= side.count / 2).all()
    assert (side.start >= 0).all()
    assert (side.count >= 1).all()
    assert (side.start + side.count <= size).all()


def test_nearest_takes_the_pixel_under_the_center() -> None:
    assert nearest(5, 2).tolist() == [1, 3]
    assert nearest(3, 7).tolist() == [0, 0, 1, 1, 1, 2, 2]
