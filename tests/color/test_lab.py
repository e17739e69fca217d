"""Lab: by hand, against four peers with the reason of each difference, there and back, outside of the gamut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from photosite.color.difference import delta_e76
from photosite.color.gamut import in_gamut, rgb_to_levels
from photosite.color.lab import KNEE, lab_to_rgb, lab_to_xyz, rgb_to_lab, xyz_to_lab
from photosite.color.srgb import srgb_to_linear
from photosite.color.xyz import WHITE_XYZ, linear_rgb_to_xyz
from tests.color.cases import GRAYS, LATTICE, largest, photo, slices_of_all_colors
from tests.peers import import_peer

LAB = rgb_to_lab(LATTICE)
XYZ = linear_rgb_to_xyz(srgb_to_linear(LATTICE))


def test_by_hand() -> None:
    # cube roots that come out: X, Y, Z = white times 1, 1/8, 1/27 give f = 1, 1/2, 1/3
    lab = xyz_to_lab(WHITE_XYZ * [1, 1 / 8, 1 / 27])
    np.testing.assert_allclose(lab, [116 / 2 - 16, 500 / 2, 200 / 6], rtol=1e-14)
    np.testing.assert_allclose(lab_to_xyz(lab), WHITE_XYZ * [1, 1 / 8, 1 / 27], rtol=1e-14)
    # the straight line through (0, 4/29): Y = 0.001 gives L* = 116 (0.001 * 841 / 108) = 903.3 * 0.001
    np.testing.assert_allclose(xyz_to_lab(WHITE_XYZ * 0.001), [24389 / 27 * 0.001, 0, 0], atol=1e-13)


def test_white_black_and_gray() -> None:
    np.testing.assert_allclose(rgb_to_lab([[1.0, 1.0, 1.0], [0, 0, 0]]), [[100, 0, 0], [0, 0, 0]], atol=1e-12)
    lab = rgb_to_lab(GRAYS)
    assert largest(lab[:, 1:]) < 1e-12
    assert (np.diff(lab[:, 0]) > 0).all()


def test_line_and_cube_root_meet_with_one_slope() -> None:
    near = WHITE_XYZ * (KNEE**3 + np.array([[-1e-6], [0], [1e-6]]))
    lightness = xyz_to_lab(near)[:, 0]
    np.testing.assert_allclose(np.diff(lightness), 116 / (3 * KNEE**2) * 1e-6, rtol=1e-4)  # second order: 1e-6 / KNEE³


def test_matches_colour() -> None:
    colour = import_peer("colour")
    white_xy = colour.RGB_COLOURSPACES["sRGB"].whitepoint
    np.testing.assert_allclose(xyz_to_lab(XYZ), colour.XYZ_to_Lab(XYZ, white_xy), atol=1e-12)
    np.testing.assert_allclose(lab_to_xyz(LAB), colour.Lab_to_XYZ(LAB, white_xy), atol=1e-14)
    below = lab_to_xyz([[-20.0, 3.0, 4.0], [5.0, -90.0, 90.0]])
    np.testing.assert_allclose(below, colour.Lab_to_XYZ([[-20.0, 3, 4], [5, -90, 90]], white_xy), atol=1e-14)
    # its sRGB_to_XYZ has the published matrix of four digits
    rounded = colour.XYZ_to_Lab(colour.sRGB_to_XYZ(LATTICE / 255), white_xy)
    assert 0.02 < delta_e76(LAB, rounded).max() < 0.03


def test_matches_scikit_image_but_for_its_white() -> None:
    peer = import_peer("skimage.color").rgb2lab(LATTICE)
    # its matrix sums to a white with Z 1.088754, its Lab divides by one with 1.08883
    np.testing.assert_allclose(peer[-1], [100, -0.00245, 0.00465], atol=1e-5)
    assert 0.01 < delta_e76(LAB, peer).max() < 0.016


def test_matches_opencv_but_for_its_table() -> None:
    cv2 = import_peer("cv2")
    by_table = cv2.cvtColor((LATTICE / 255).astype(np.float32)[None], cv2.COLOR_RGB2Lab)[0]
    by_formula = cv2.cvtColor(srgb_to_linear(LATTICE).astype(np.float32)[None], cv2.COLOR_LRGB2Lab)[0]
    assert 0.1 < delta_e76(LAB, by_table.astype(float)).max() < 0.6
    assert delta_e76(LAB, by_formula.astype(float)).max() < 0.03  # what remains is the other matrix


def test_matches_scikit_image_on_photos(photos: list[Path]) -> None:
    rgb2lab = import_peer("skimage.color").rgb2lab
    for path in photos[::60]:
        picture = photo(path)[::3, ::3]
        assert delta_e76(rgb_to_lab(picture), rgb2lab(picture)).max() < 0.016, path.name


def test_photos_come_back_to_the_level(photos: list[Path]) -> None:
    for path in photos[::60]:
        picture = photo(path)[::2, ::2]
        np.testing.assert_array_equal(rgb_to_levels(lab_to_rgb(rgb_to_lab(picture))), picture, err_msg=path.name)


def test_there_and_back() -> None:
    assert largest(lab_to_xyz(xyz_to_lab(XYZ)) - XYZ) < 1e-14
    assert largest(lab_to_rgb(LAB) - LATTICE / 255) < 1e-13
    assert in_gamut(lab_to_rgb(LAB)).all()
    beyond = np.random.default_rng(2).uniform(-1, 2, (1000, 3))
    # one color in a thousand falls where the pieces of the sRGB curve miss each other by 3e-8
    np.testing.assert_allclose(lab_to_rgb(rgb_to_lab(beyond)), beyond, atol=3e-8)


def test_float32_keeps_a_thousandth_of_a_step() -> None:
    rgb = (LATTICE / 255).astype(np.float32)
    lab = rgb_to_lab(rgb)
    # a* is 500 times a difference of two numbers near 1, each known to 6e-8 after several steps
    assert largest(lab - LAB) < 2e-4
    assert largest(lab_to_rgb(lab) - rgb) < 2e-5


def test_outside_of_the_gamut_is_said_not_clipped() -> None:
    lab = np.array([[50.0, 0.0, -100.0], [50.0, 20.0, 20.0]])
    rgb = lab_to_rgb(lab)
    assert rgb[0].min() < 0 < 1 < rgb[0].max()
    assert in_gamut(rgb).tolist() == [False, True]
    np.testing.assert_allclose(rgb_to_lab(rgb), lab, atol=1e-11)


@pytest.mark.slow
def test_all_colors_come_back_to_the_level() -> None:
    for colors in slices_of_all_colors():
        lab = rgb_to_lab(colors)
        np.testing.assert_array_equal(rgb_to_levels(lab_to_rgb(lab)), colors)
        in_float32 = rgb_to_lab((colors / 255).astype(np.float32))
        assert largest(in_float32 - lab) < 2e-4
        np.testing.assert_array_equal(rgb_to_levels(lab_to_rgb(in_float32)), colors)
