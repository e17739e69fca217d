"""The sRGB curve: by hand, against colour-science, there and back, and outside of [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.color.srgb import ENCODED_KNEE, LINEAR_KNEE, linear_to_srgb, srgb_to_linear
from photosite.errors import RangeError
from tests.color.cases import GRAYS, largest
from tests.peers import import_peer

UNIT = np.linspace(0, 1, 100_001)


def test_by_hand() -> None:
    # straight piece: 12.92 * 0.001; the power at 0.5 with the standard's constants: ((0.5 + 0.055) / 1.055)^2.4
    np.testing.assert_allclose(linear_to_srgb([0.0, 0.001]), [0, 0.01292], rtol=1e-15)
    np.testing.assert_allclose(srgb_to_linear([0.0, 0.01292, 0.5]), [0, 0.001, (0.555 / 1.055) ** 2.4], rtol=1e-15)


def test_levels_come_from_a_table_of_the_same_numbers() -> None:
    np.testing.assert_array_equal(srgb_to_linear(GRAYS), srgb_to_linear(GRAYS / 255))
    assert srgb_to_linear(GRAYS).dtype == np.float64


def test_matches_colour_from_0_up() -> None:
    models = import_peer("colour").models
    x = np.linspace(0, 4, 100_001)
    # the same formula in the same precision: a few units in the last place
    np.testing.assert_allclose(srgb_to_linear(x), models.eotf_sRGB(x), rtol=1e-15)
    np.testing.assert_allclose(linear_to_srgb(x), models.eotf_inverse_sRGB(x), rtol=1e-15)


def test_below_0_it_is_odd_where_colour_goes_on_straight() -> None:
    x = np.linspace(-4, 4, 8001)
    np.testing.assert_array_equal(srgb_to_linear(-x), -srgb_to_linear(x))
    np.testing.assert_array_equal(linear_to_srgb(-x), -linear_to_srgb(x))
    np.testing.assert_allclose(import_peer("colour").models.eotf_sRGB([-0.5]), [-0.5 / 12.92])
    assert srgb_to_linear([-0.5]) == -((0.555 / 1.055) ** 2.4)


def test_there_and_back() -> None:
    x = np.concatenate([UNIT, np.linspace(0.0404, 0.0405, 10_001)])
    back = linear_to_srgb(srgb_to_linear(x))
    assert 2e-8 < largest(back - x) < 3e-8  # the standard's rounded constants, where the pieces meet
    meeting = (x > 12.92 * LINEAR_KNEE) & (x < ENCODED_KNEE + 1e-7)
    assert largest((back - x)[~meeting]) < 1e-15
    assert largest(srgb_to_linear(linear_to_srgb(UNIT)) - UNIT) < 1e-15
    x32 = UNIT.astype(np.float32)
    assert largest(linear_to_srgb(srgb_to_linear(x32)) - x32) < 2e-7  # 1.5 units in the last place at 1


def test_both_rise_everywhere() -> None:
    fine = np.linspace(-0.1, 1.1, 1_000_001)
    assert (np.diff(srgb_to_linear(fine)) > 0).all()
    assert (np.diff(linear_to_srgb(fine)) > 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_white_stays_white_to_the_last_bit(dtype: type) -> None:
    for function in (srgb_to_linear, linear_to_srgb):
        assert function(np.array([0, 1, -1], dtype)).tolist() == [0, 1, -1]


def test_any_shape() -> None:
    assert srgb_to_linear(np.full((2, 5), 0.5)).shape == (2, 5)
    assert float(linear_to_srgb(np.float64(1.0))) == 1


def test_a_picture_is_not_linear() -> None:
    with pytest.raises(
        RangeError, match=r"^linear_to_srgb: wants float32 or float64, got uint8 \(256, 3\); a uint8 pict"
    ):
        linear_to_srgb(GRAYS)
