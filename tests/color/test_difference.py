"""ΔE: by hand, the 34 published pairs of CIEDE2000, two peers, and the laws of a difference."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from photosite.color.difference import ciede2000, delta_e76
from photosite.color.lab import rgb_to_lab
from photosite.errors import RangeError, ShapeError
from tests.color.cases import LATTICE, largest
from tests.peers import import_peer

# Table 1 of G. Sharma, W. Wu, E. N. Dalal, Color Research and Application 30 (2005), 21-30: L*, a*, b* of both, ΔE00.
PUBLISHED = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)
colors = arrays.arrays(np.float64, (4, 3), elements=st.floats(-1000, 1000))
laws = settings(deadline=None, derandomize=True, max_examples=30)


def random_pairs(count: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    lab = rgb_to_lab(LATTICE)
    first, second = np.random.default_rng(4).integers(0, len(lab), (2, count))
    return lab[first], lab[second]


def test_delta_e76_by_hand() -> None:
    assert delta_e76([[50.0, 3, 4], [10, 1, 1]], [50.0, 0, 0]).round(12).tolist() == [5, round(1602**0.5, 12)]


def test_ciede2000_of_grays_by_hand() -> None:
    # without chroma only S_L is left: from L* 50 to 60 the mean is 55, S_L = 1 + 0.015 * 25 / sqrt(45)
    expected = 10 / (1 + 0.375 / 45**0.5)
    np.testing.assert_allclose(ciede2000([50.0, 0, 0], [60.0, 0, 0]), expected, rtol=1e-15)


@pytest.mark.parametrize("pair", range(34))
def test_the_published_pairs(pair: int) -> None:
    first, second, expected = PUBLISHED[pair, :3], PUBLISHED[pair, 3:6], PUBLISHED[pair, 6]
    assert ciede2000(first, second).round(4) == expected
    assert ciede2000(second, first).round(4) == expected


def test_matches_scikit_image_and_colour() -> None:
    skimage_color, colour = import_peer("skimage.color"), import_peer("colour")
    first, second = random_pairs()
    # the same formula in another order; the largest is 119
    np.testing.assert_allclose(ciede2000(first, second), skimage_color.deltaE_ciede2000(first, second), atol=1e-10)
    np.testing.assert_allclose(ciede2000(first, second), colour.delta_E(first, second, method="CIE 2000"), atol=1e-10)
    np.testing.assert_allclose(delta_e76(first, second), skimage_color.deltaE_cie76(first, second), atol=1e-13)
    np.testing.assert_allclose(delta_e76(first, second), colour.delta_E(first, second, method="CIE 1976"), atol=1e-13)


def test_float32_keeps_four_digits() -> None:
    first, second = random_pairs()
    single = ciede2000(first.astype(np.float32), second.astype(np.float32))
    assert single.dtype == np.float32
    assert largest(single - ciede2000(first, second)) < 2e-4  # of up to 119


@given(colors, colors)
@laws
def test_both_are_symmetric_not_negative_and_0_for_the_same(first: np.ndarray, second: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for difference in (delta_e76, ciede2000):
            there = difference(first, second)
            assert (there >= 0).all()
            np.testing.assert_allclose(difference(second, first), there, rtol=1e-12)
            np.testing.assert_array_equal(difference(first, first), 0)


def test_small_differences_of_gray_are_near_delta_e76() -> None:
    # at L* 50 and no chroma all corrections are 1 except the stretch of a* by 1.5
    center = np.array([50.0, 0, 0])
    for step, expected in [([1e-4, 0, 0], 1e-4), ([0, 0, 1e-4], 1e-4), ([0, 1e-4, 0], 1.5e-4)]:
        np.testing.assert_allclose(ciede2000(center, center + step), expected, rtol=1e-5)  # S_C = 1 + 0.045 C


def test_shapes_broadcast() -> None:
    first, second = random_pairs(6)
    table = ciede2000(first[:, None], second[None])
    assert table.shape == (6, 6)
    np.testing.assert_allclose(np.diagonal(table), ciede2000(first, second), rtol=1e-13)
    assert delta_e76(first[0], second).shape == (6,)
    assert ciede2000(np.zeros((0, 3)), first[0]).shape == (0,)


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"^ciede2000: wants shapes that broadcast, got \(4, 3\) and \(5, 3\)$"):
        ciede2000(np.zeros((4, 3)), np.zeros((5, 3)))
    with pytest.raises(ShapeError, match=r"^delta_e76: wants channels last, \(\.\.\., 3\), got \(4, 2\)"):
        delta_e76(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(RangeError, match=r"^ciede2000: wants finite numbers, 1 of 3 are not"):
        ciede2000([0.0, 0, 0], [0.0, np.nan, 0])
    with pytest.raises(
        RangeError, match=r"^delta_e76: wants float32 or float64, got uint8 \(4096, 3\); lab has no custom"
    ):
        delta_e76(LATTICE, LATTICE)
