"""Stripes that were made are found again; blobs, rings, crosses and noise are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from photosite.analysis.gabor import EXPLAINED, VALUES_SURE, chance, fit_gabors
from photosite.errors import ShapeError
from tests.analysis.patterns import Array, colored, noisy, patch, stripes, turn
from tests.peers import import_peer

TURNED = {3: 10.0, 4: 10.0, 5: 4.0, 6: 4.0, 7: 3.0, 8: 3.0, 9: 2.0, 10: 2.0, 11: 2.0}
"""Degrees that 2% of noise may turn stripes by, for a side; without noise it is 0.01 from 5 on."""


def answered(kernel: Array, degrees: float) -> tuple[float, float]:
    """The frequency of stripes of a direction that a pattern (side, side) answers to most, tried one by one.

    And its power for a plain surface, as a share of that for those stripes.
    """
    tried = np.linspace(0, 0.5, 501)
    sides = np.arange(len(kernel)) - (len(kernel) - 1) / 2
    angle = np.radians(degrees)
    across = -sides[:, None] * np.cos(angle) - sides * np.sin(angle)
    power = np.array([abs((kernel * np.exp(2j * np.pi * f * across)).sum()) ** 2 for f in tried])
    return float(tried[power.argmax()]), float(power[0] / power.max())


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    side=st.integers(5, 11),
    degrees=st.floats(0, 180),
    share=st.floats(0.0, 1.0),
    phase=st.floats(0, 6.28),
    color=st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda one: np.linalg.norm(one) > 0.1),
    seed=st.integers(0, 999),
)
def test_stripes_under_noise_are_found_again(
    side: int, degrees: float, share: float, phase: float, color: list[float], seed: int
) -> None:
    least = max(1.5 / side, 0.15)
    frequency = least + share * (0.36 - least)  # at most 0.36: nearer to 1/2 two directions look alike
    spread = max(0.32 / frequency, 0.2 * side)
    kernel = colored(stripes(side, degrees, frequency, phase, spread, (0.08 * side, -0.05 * side)), np.array(color))
    most, plain = answered(kernel[np.argmax(np.abs(color))], degrees)
    assume(plain < 0.4)  # else it is a blob, nearly, and may be called one
    (found,) = fit_gabors(noisy(kernel, 0.02, seed)[None])
    assert found.kind == "oriented"
    assert found.orientation is not None
    assert found.frequency is not None
    assert turn(found.orientation, degrees) < TURNED[side]
    # The window cuts stripes off, so that few of them answer to others most: those are meant. The peak is broad.
    assert found.frequency == pytest.approx(most, abs=0.04 if side < 7 else 0.02)
    if side >= 7:
        assert found.frequency == pytest.approx(frequency, rel=0.12)
    assert found.explained > 0.93
    direction = np.array(color) / np.linalg.norm(color)
    assert abs(direction @ found.color) > 0.95


@settings(deadline=None, max_examples=30, derandomize=True)
@given(side=st.integers(3, 4), degrees=st.floats(0, 180), edge=st.booleans(), seed=st.integers(0, 999))
def test_small_edges_and_bars_are_found_in_color(side: int, degrees: float, edge: bool, seed: int) -> None:
    kernel = colored(stripes(side, degrees, 0.3, np.pi / 2 if edge else 0.0, 1.2), np.array([1, 1, 0.8]))
    (found,) = fit_gabors(noisy(kernel, 0.02, seed)[None])
    assert found.kind == "oriented"
    assert found.orientation is not None
    assert turn(found.orientation, degrees) < TURNED[side]


@pytest.mark.parametrize("side", [5, 7, 9, 11])
def test_without_noise_stripes_are_exact(side: int) -> None:
    made = [(degrees, phase) for degrees in range(0, 180, 15) for phase in (0.0, 0.7, np.pi / 2)]
    patterns = np.stack([stripes(side, degrees, 0.25, phase, 0.25 * side)[None] for degrees, phase in made])
    for (degrees, phase), found in zip(made, fit_gabors(patterns), strict=True):
        assert found.kind == "oriented", (degrees, phase)
        assert found.explained > 0.9999
        assert turn(found.orientation or 0.0, degrees) < 0.1
        if side > 5:  # five values across do not tell how wide the Gaussian is
            assert found.spread == pytest.approx((0.25 * side,) * 2, rel=0.02)


@pytest.mark.parametrize("theta", np.radians([0, 20, 45, 70, 90, 110, 160]))
@pytest.mark.parametrize("frequency", [0.15, 0.25, 0.33])
def test_fit_gabors_matches_skimage(theta: float, frequency: float) -> None:
    peer = import_peer("skimage.filters").gabor_kernel
    kernel = peer(frequency, theta=theta, sigma_x=2.2, sigma_y=2.2, n_stds=2)
    fits = fit_gabors(np.stack([kernel.real, kernel.imag])[:, None])
    for found in fits:
        # skimage turns the wave, from right towards down; the stripes stand across it
        assert turn(found.orientation or 0.0, 90 - np.degrees(theta)) < 0.1
        assert found.frequency == pytest.approx(frequency, abs=0.025)  # low ones are cut off at 2 deviations
    assert [round(found.phase) % 180 for found in fits] == [0, 90]  # a ridge and an edge


def test_numbers_by_hand() -> None:
    edge = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    stand, lie = fit_gabors(np.stack([edge[None].repeat(3, 0), edge.T[None].repeat(3, 0)]))
    assert (stand.kind, lie.kind) == ("oriented", "oriented")
    assert turn(stand.orientation or 0, 90) < 1e-3
    assert turn(lie.orientation or 0, 0) < 1e-3
    assert stand.frequency == pytest.approx(0.25, abs=0.003)  # −1 0 1 answers with 2 sin(2 π f)
    assert stand.color == pytest.approx([1 / np.sqrt(3)] * 3)


def test_stripes_that_rise_to_the_right_are_below_90() -> None:
    (found,) = fit_gabors(np.eye(7)[::-1][None, None] * 2 - np.ones((1, 1, 7, 7)) * 0.3)
    assert turn(found.orientation or 0, 45) < 2


@pytest.mark.parametrize("side", [3, 4, 5, 6, 7, 9, 11])
@pytest.mark.parametrize("color", [[1.0, 1, 1], [1, -1, 0]])
def test_patches_have_no_direction(side: int, color: list[float]) -> None:
    places = [(0.0, 0.0)] if side < 5 else [(0.0, 0.0), (0.1 * side, -0.15 * side)]
    kernels = [colored(patch(side, spread * side, at), np.array(color)) for spread in (0.17, 0.28) for at in places]
    for seed, kernel in enumerate(kernels):
        for one in (kernel, noisy(kernel, 0.02, seed)):
            (found,) = fit_gabors(one[None])
            assert (found.kind, found.orientation, found.frequency) == ("blob", None, None)


@pytest.mark.parametrize("side", [3, 5, 7, 9, 11])
def test_rings_crosses_and_bars_have_no_one_direction(side: int) -> None:
    rings = [patch(side, a * side) * b**2 - patch(side, a * b * side) for a, b in ((0.1, 1.5), (0.12, 2), (0.15, 2))]
    board = np.cos(np.pi * np.add.outer(np.arange(side), np.arange(side)))  # both diagonals alike
    bar = np.exp(-((np.arange(side) - side // 2) ** 2) / (0.02 * side**2)) * np.ones((side, 1))  # answers to plain gray
    cross = stripes(side, 20, 0.25, 0.4, 0.3 * side) + stripes(side, 110, 0.25, 1.0, 0.3 * side)
    for pattern in (*rings, board, board * patch(side, 0.2 * side), bar, *([cross] if side > 5 else [])):
        (found,) = fit_gabors(colored(pattern, np.ones(3))[None])
        assert found.orientation is None
    if side <= 5:  # there stripes explain nearly all of a ring: it is the margin that tells
        (found,) = fit_gabors(colored(rings[0], np.ones(3))[None])
        assert found.explained > 0.9
        assert found.margin < 0.01


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [3, 4, 5, 7, 11])
def test_noise_is_refused(side: int, channels: int) -> None:
    noise = np.random.default_rng(side * 10 + channels).normal(size=(200, channels, side, side))
    named = [found.kind for found in fit_gabors(noise) if found.kind != "none"]
    # Each limit lets 1 in 100 pass, where it is that of chance: of 200 two, and six are three deviations more.
    assert named.count("oriented") <= 6
    assert named.count("blob") <= 6
    if channels * side * side >= VALUES_SURE:
        assert named == []


def test_where_chance_is_not_measured_it_would_not_matter() -> None:
    for shape in ((5, 5, 5), (1, 11, 11)):
        assert shape[0] * shape[1] * shape[2] >= VALUES_SURE
        noise = np.random.default_rng(0).normal(size=(300, *shape))
        assert max(found.explained for found in fit_gabors(noise)) < EXPLAINED
    assert chance((1, 3, 3), False)[0] > 0.9  # nearly any nine numbers are stripes
    assert chance((3, 7, 7), True) == (EXPLAINED, EXPLAINED)


def test_a_size_does_not_count_and_spacing_does() -> None:
    pattern = stripes(7, 30, 0.25, 0.3, 2.0)[None, None]
    plain, tiny, apart = (
        fit_gabors(one, step)[0] for one, step in ((pattern, (1, 1)), (pattern * 1e-200, (1, 1)), (pattern, (2, 2)))
    )
    assert plain.orientation == pytest.approx(tiny.orientation, abs=1e-6)
    assert plain.frequency == tiny.frequency
    assert apart.frequency == pytest.approx((plain.frequency or 0) / 2, abs=0.003)
    assert turn(apart.orientation or 0, 30) < 0.1


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (2, 3, 2, 2), (2, 3, 1, 7)])
def test_what_is_too_small_has_no_direction(shape: tuple[int, ...]) -> None:
    made = np.random.default_rng(0).normal(size=shape) * 0.01 + np.array([1.0, -1, 0, 1, -1, 0, 1])[: shape[3]]
    for patterns in (made, np.ones(shape)):
        assert [found.kind for found in fit_gabors(patterns)] == ["none", "none"]


def test_nothing_and_no_numbers() -> None:
    kernels = np.zeros((3, 1, 7, 7))
    kernels[1, 0, 3, 3] = np.nan
    kernels[2, 0] = stripes(7, 90, 0.25, 0, 2)
    with np.errstate(all="raise", under="ignore"):
        assert [found.kind for found in fit_gabors(kernels)] == ["none", "none", "oriented"]
    with pytest.raises(ShapeError, match=r"wants patterns \(O, C, K, K\), none of them empty, got \(3, 7, 7\)"):
        fit_gabors(kernels[:, 0])
