"""Rounding to levels, and the colors that it clips."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from photosite.color.gamut import HALF_A_LEVEL, in_gamut, rgb_to_levels
from tests.color.cases import LATTICE


def test_by_hand() -> None:
    # to the nearest, halves to the even level: 127.5 -> 128, 126.5 -> 126; a truncating cast would give 254 for 0.9999
    levels = rgb_to_levels(np.array([-0.5, 126.5 / 255, 0.5, 0.9999, 1.0, 1.5]))
    assert levels.tolist() == [0, 126, 128, 255, 255, 255]
    assert levels.dtype == np.uint8


def test_levels_come_back() -> None:
    np.testing.assert_array_equal(rgb_to_levels(LATTICE), LATTICE)
    np.testing.assert_array_equal(rgb_to_levels(LATTICE / 255), LATTICE)
    np.testing.assert_array_equal(rgb_to_levels((LATTICE / 255).astype(np.float32)), LATTICE)
    assert in_gamut(LATTICE).all()


@given(arrays.arrays(np.float64, (3,), elements=st.floats(-0.01, 1.01)))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_in_gamut_is_where_rounding_moves_no_channel_by_more_than_half_a_level(color: np.ndarray) -> None:
    moved = np.abs(rgb_to_levels(color) / 255 - color).max()
    if abs(moved - HALF_A_LEVEL) > 1e-12:  # at the half itself the last bit decides
        assert in_gamut(color) == (moved < HALF_A_LEVEL)


def test_the_tolerance_is_a_choice() -> None:
    assert in_gamut([1.001, 0.0, 0.0])
    assert not in_gamut([1.001, 0.0, 0.0], tolerance=0)
    assert not in_gamut([0.0, -0.003, 0.0])
    assert in_gamut([0.0, -0.003, 0.0], tolerance=0.01)
