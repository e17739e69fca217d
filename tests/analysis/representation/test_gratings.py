"""Gratings: levels by hand, directions, phases, frequencies, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.analysis.representation.gratings import even_orientations, frequencies_for, grating
from photosite.errors import RangeError


def test_lying_and_standing_stripes_by_hand() -> None:
    lying = grating((5, 5), 0, 0.25)[0]
    assert lying == pytest.approx(np.repeat([[0.0], [0.5], [1], [0.5], [0]], 5, axis=1), abs=1e-6)
    # of 8 columns none is in the middle: the fifth is half a pixel, 45 degrees, to its right
    standing = grating((4, 8), 90, 0.25, (45.0,))[0]
    assert standing == pytest.approx(np.tile([1, 0.5, 0, 0.5], (4, 2)), abs=1e-6)


def test_stripes_turn_counterclockwise() -> None:
    slanted = grating((5, 5), 45, 0.2)[0]  # as a slash: right and up is along the stripes
    assert np.diagonal(slanted[:, ::-1]) == pytest.approx(np.ones(5), abs=1e-6)
    assert np.diagonal(slanted).min() < 0.5


@given(st.floats(0, 180), st.floats(0.01, 0.5), st.floats(0, 360), st.floats(0.1, 1))
def test_half_a_turn_of_phase_is_the_negative(
    direction: float, frequency: float, phase: float, contrast: float
) -> None:
    one, other = grating((6, 9), direction, frequency, (phase, phase + 180), contrast)
    assert one + other == pytest.approx(np.ones((6, 9)), abs=1e-6)
    assert np.abs(one - 0.5).max() <= contrast / 2 + 1e-6


@given(st.floats(0, 90), st.floats(0.01, 0.5))
def test_a_quarter_turn_of_the_picture_is_one_of_the_stripes(direction: float, frequency: float) -> None:
    turned = np.rot90(grating((8, 8), direction, frequency)[0])
    assert turned == pytest.approx(grating((8, 8), direction + 90, frequency)[0], abs=1e-6)


@pytest.mark.parametrize("size_hw", [(4, 4), (8, 30), (32, 32), (224, 224), (518, 300)])
def test_frequencies_are_no_more_than_three_quarters_of_an_octave_apart(size_hw: tuple[int, int]) -> None:
    found = frequencies_for(size_hw)
    assert found[0] * min(size_hw) == pytest.approx(min(2, 0.2 * min(size_hw)))
    assert found[-1] == pytest.approx(0.4)
    steps = np.log2(found[1:] / found[:-1])
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert 0 < steps[0] <= 0.75


def test_orientations() -> None:
    assert even_orientations(3).tolist() == [0, 60, 120]
    with pytest.raises(RangeError, match="at least 3 orientations, got 2"):
        even_orientations(2)


def test_what_is_refused() -> None:
    with pytest.raises(RangeError, match=r"at least 4 × 4, got \(3, 9\)"):
        grating((3, 9), 0, 0.2)
    with pytest.raises(RangeError, match=r"at least 4 × 4, got \(9, 3\)"):
        frequencies_for((9, 3))
    for contrast in (0.0, 1.1, float("nan")):
        with pytest.raises(RangeError, match="a contrast above 0 and up to 1"):
            grating((8, 8), 0, 0.2, contrast=contrast)
    for frequency in (0.0, 0.51, float("nan")):
        with pytest.raises(RangeError, match=r"frequencies above 0 and up to 0\.5"):
            grating((8, 8), 0, frequency)
