"""Photons to counts: each stage by hand, the statistics of its noise, and the photon-transfer curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError
from photosite.sensor.bayer import PATTERNS
from photosite.sensor.exposure import (
    dark_electrons,
    digitize,
    expose,
    held_electrons,
    light_electrons,
    photon_transfer,
    read_electrons,
)
from photosite.sensor.sensor import FULL_FRAME, Sensor

ROUND = Sensor(
    quantum_efficiency_rgb=(0.5, 1.0, 0.25),
    full_well_electrons=1000,
    read_noise_electrons=0,
    dark_current_electrons_per_second=10,
    gain_electrons_per_count=2,
    black_level_counts=100,
    bit_depth=10,
)
"""A sensor with numbers that can be followed by hand."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ------------------------------------------------------------------------------------------------------------ by hand


def test_stages_by_hand() -> None:
    light = light_electrons([[400, 400], [400, 4000]], ROUND, None)
    assert light.tolist() == [[200, 400], [400, 1000]]  # red, green; green, blue
    dark = dark_electrons((2, 2), ROUND, 3, None)
    assert dark.tolist() == [[30, 30], [30, 30]]
    held = held_electrons(light + dark, ROUND)
    assert held.tolist() == [[230, 430], [430, 1000]]  # 1030 do not fit
    assert read_electrons(held, ROUND, None).tolist() == held.tolist()
    assert digitize(held, ROUND).tolist() == [[215, 315], [315, 600]]
    assert expose([[400, 400], [400, 4000]], ROUND, exposure_seconds=3).tolist() == [[215, 315], [315, 600]]


def test_digitize_rounds_and_cuts() -> None:
    # 3 electrons are 1.5 counts and 101.5 goes to 102, 5 are 2.5 and 102.5 goes to 102 as well: half to even
    counts = digitize(np.array([[-300.0, -4, 0, 3, 5, 2000]]), ROUND)
    assert counts.tolist() == [[0, 98, 100, 102, 102, 1023]]
    assert counts.dtype == np.uint16
    assert digitize(np.array([[1e9]]), replace(ROUND, bit_depth=16)).tolist() == [[65535]]


# --------------------------------------------------------------------------------------------------------------- laws


@given(st.sampled_from(PATTERNS), st.integers(1, 16), st.integers(0, 999), st.booleans())
@settings(deadline=None, derandomize=True, max_examples=30)
def test_expose_is_the_composition_of_its_stages(pattern: str, bit_depth: int, seed: int, noisy: bool) -> None:
    sensor = replace(FULL_FRAME, pattern=pattern, bit_depth=bit_depth, black_level_counts=0)
    photons = rng(seed).random((5, 7)) * 150_000
    draw, again = (rng(seed) if noisy else None for _ in range(2))
    raw = expose(photons, sensor, exposure_seconds=2, rng=draw)
    light = light_electrons(photons, sensor, again)
    dark = dark_electrons((5, 7), sensor, 2, again)
    np.testing.assert_array_equal(
        raw, digitize(read_electrons(held_electrons(light + dark, sensor), sensor, again), sensor)
    )
    assert raw.max() <= 2**bit_depth - 1


def test_noise_has_the_variance_of_its_kind() -> None:
    # 65,536 samples: a standard deviation of the mean of sqrt(variance / n), of the variance of variance * sqrt(2 / n)
    even = np.full((256, 256), 500.0)
    green = replace(FULL_FRAME, quantum_efficiency_rgb=(0.5, 0.5, 0.5))
    for electrons, mean, variance in (
        (light_electrons(even, green, rng()), 250, 250),
        (dark_electrons((256, 256), FULL_FRAME, 1000, rng()), 100, 100),
        (read_electrons(even, FULL_FRAME, rng()), 500, 9),
    ):
        assert abs(electrons.mean() - mean) < 5 * np.sqrt(variance / even.size)
        assert abs(electrons.var() / variance - 1) < 5 * np.sqrt(2 / even.size)


def test_without_noise_is_the_mean_of_many() -> None:
    photons = np.full((2, 2), 300.0)
    frames = np.stack([expose(photons, rng=rng(seed)) for seed in range(1000)]).astype(float)
    # Each count has a variance of about (150 + 9) / 3.2² + 1/12 = 16; five standard deviations of 1000 frames' mean,
    # and half a count that the noiseless frame is rounded by.
    np.testing.assert_allclose(frames.mean(axis=0), expose(photons), rtol=0, atol=5 * np.sqrt(16 / 1000) + 0.5)


@pytest.mark.parametrize("gain_electrons_per_count", [0.8, 3.2])
@pytest.mark.parametrize("color", ["R", "G", "B"])
def test_photon_transfer_has_slope_one_over_gain(gain_electrons_per_count: float, color: str) -> None:
    sensor = replace(FULL_FRAME, gain_electrons_per_count=gain_electrons_per_count, read_noise_electrons=12)
    photons = np.linspace(0, 10_000, 21)
    means, variances = photon_transfer(photons, sensor, rng=rng(3), color=color, size_hw=(200, 200))
    efficiency = sensor.quantum_efficiency_rgb["RGB".index(color)]
    np.testing.assert_allclose(means, photons * efficiency / gain_electrons_per_count, rtol=0.01, atol=0.5)
    floor = (12 / gain_electrons_per_count) ** 2 + 1 / 12
    # A variance of n samples is known to sqrt(2 / n), so each point weighs as much as it is certain.
    slope, intercept = np.polyfit(means, variances, 1, w=1 / (means / gain_electrons_per_count + floor))
    assert slope == pytest.approx(1 / gain_electrons_per_count, rel=0.02)  # 21 points of 10,000: 0.4% expected
    assert intercept == pytest.approx(floor, rel=0.05)  # mostly the first points: 1.4% each


def test_photon_transfer_ends_at_the_full_well() -> None:
    means, variances = photon_transfer([90_000, 200_000], rng=rng(1))
    assert variances[0] > 3000  # still shot noise: 46,800 electrons
    # read noise of a count, averaged over 32,768 green photosites, is 0.005 counts
    assert means[1] == pytest.approx(FULL_FRAME.white_level_counts - FULL_FRAME.black_level_counts, abs=0.03)
    assert variances[1] < 2  # all wells full: only read noise is left


def test_the_same_seed_gives_the_same_photo() -> None:
    photons = np.full((4, 4), 1000)
    np.testing.assert_array_equal(expose(photons, rng=rng(5)), expose(photons, rng=rng(5)))
    assert (expose(photons, rng=rng(5)) != expose(photons, rng=rng(6))).any()


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("photons", "error", "words"),
    [
        (np.zeros((4, 4, 3)), ShapeError, r"photons: wants one number a photosite, \(H, W\), got \(4, 4, 3\) float64"),
        (5.0, ShapeError, r"got \(\) float64"),
        (np.zeros((0, 4)), ShapeError, r"got \(0, 4\)"),
        ([[1.0, -1.0]], RangeError, r"photons: wants numbers from 0 to 1e\+15, got float64 from -1.0 to 1.0"),
        ([[1.0, np.nan]], RangeError, "got float64 from nan to nan"),
        ([[np.inf]], RangeError, "from inf to inf"),
        ([[True]], RangeError, "got bool"),
    ],
)
def test_photons_that_cannot_be_are_refused(photons: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        expose(photons)


def test_what_else_is_refused() -> None:
    with pytest.raises(RangeError, match=r"expose: wants rng=numpy.random.default_rng\(seed\) or None, got 0"):
        expose([[1.0]], rng=0)  # type: ignore[arg-type]
    for seconds in (-1, float("nan"), 1e9):
        with pytest.raises(RangeError, match="wants exposure_seconds from 0 to 1e6, got"):
            expose([[1.0]], exposure_seconds=seconds)
    with pytest.raises(RangeError, match="wants color 'R', 'G' or 'B', got 'g'"):
        photon_transfer([1.0], rng=rng(), color="g")
    with pytest.raises(ShapeError, match=r"frames with two photosites of color R or more, .* size_hw \(2, 2\)"):
        photon_transfer([1.0], rng=rng(), color="R", size_hw=(2, 2))
    with pytest.raises(ShapeError, match=r"got photons \(1, 1\)"):
        photon_transfer([[1.0]], rng=rng())
