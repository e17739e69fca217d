"""XYZ: the matrix against the published ones, white and primaries by hand, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from photosite.color.srgb import srgb_to_linear
from photosite.color.xyz import (
    D65_XY,
    PRIMARIES_XY,
    RGB_TO_XYZ,
    WHITE_XYZ,
    XYZ_TO_RGB,
    linear_rgb_to_xyz,
    xyz_to_linear_rgb,
)
from tests.color.cases import LATTICE, largest
from tests.peers import import_peer

LINEAR = srgb_to_linear(LATTICE)
# IEC 61966-2-1:1999, section 5.2
PUBLISHED = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
PUBLISHED_INVERSE = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]


def test_white_and_primaries_by_hand() -> None:
    x, y = D65_XY
    np.testing.assert_allclose(linear_rgb_to_xyz(np.ones(3)), [x / y, 1, (1 - x - y) / y], rtol=1e-15)
    for color, xy in zip(np.eye(3), PRIMARIES_XY, strict=True):
        xyz = linear_rgb_to_xyz(color)
        np.testing.assert_allclose(xyz[:2] / xyz.sum(), xy, rtol=1e-14)


def test_the_published_matrix_is_this_one_rounded() -> None:
    np.testing.assert_array_equal(RGB_TO_XYZ.round(4), PUBLISHED)
    assert 6e-5 < largest(LINEAR @ np.transpose(PUBLISHED) - linear_rgb_to_xyz(LINEAR)) < 7e-5
    # the published inverse was rounded on its own, after inverting the rounded matrix
    assert 3.6e-4 < largest(PUBLISHED_INVERSE - XYZ_TO_RGB) < 3.7e-4


def test_matches_colour_with_its_derived_matrix() -> None:
    space = import_peer("colour").RGB_COLOURSPACES["sRGB"].copy()
    np.testing.assert_array_equal(space.matrix_RGB_to_XYZ, PUBLISHED)
    space.use_derived_matrix_RGB_to_XYZ = space.use_derived_matrix_XYZ_to_RGB = True
    np.testing.assert_allclose(RGB_TO_XYZ, space.matrix_RGB_to_XYZ, atol=1e-15)
    np.testing.assert_allclose(XYZ_TO_RGB, space.matrix_XYZ_to_RGB, atol=5e-15)  # entries up to 3.2, condition 4


def test_scikit_image_and_opencv_have_another_white() -> None:
    skimage_color, cv2 = import_peer("skimage.color"), import_peer("cv2")
    xyz = linear_rgb_to_xyz(LINEAR)
    by_skimage = skimage_color.rgb2xyz(LATTICE)
    by_cv2 = cv2.cvtColor(LINEAR.astype(np.float32)[None], cv2.COLOR_RGB2XYZ)[0]
    assert by_skimage[-1].round(6).tolist() == [0.950456, 1, 1.088754]  # D65 from other digits: Z 3.0e-4 lower
    assert 3e-4 < largest(by_skimage - xyz) < 3.1e-4
    assert largest(by_cv2 - by_skimage) < 1e-6  # the same matrix in float32


@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(-100, 100)))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_there_and_back(colors: np.ndarray) -> None:
    # rounding of sums of three: a few units in the last place of the largest number, times the matrix' condition of 4
    np.testing.assert_allclose(xyz_to_linear_rgb(linear_rgb_to_xyz(colors)), colors, atol=1e-14 * np.abs(colors).max())


def test_there_and_back_in_float32() -> None:
    colors = LINEAR.astype(np.float32)
    back = xyz_to_linear_rgb(linear_rgb_to_xyz(colors))
    assert back.dtype == np.float32
    assert largest(back - colors) < 1e-6


def test_light_adds_up() -> None:
    a, b = LINEAR[:-1], LINEAR[1:]
    total = linear_rgb_to_xyz(2 * a + b)
    np.testing.assert_allclose(total, 2 * linear_rgb_to_xyz(a) + linear_rgb_to_xyz(b), atol=1e-15, rtol=1e-14)


@pytest.mark.parametrize("lightness", [0.0, 0.18, 1.0])
def test_gray_has_the_chromaticity_of_white(lightness: float) -> None:
    np.testing.assert_allclose(linear_rgb_to_xyz(np.full(3, lightness)), lightness * WHITE_XYZ, rtol=1e-15)
