"""Developing by hand and stage by stage, white stays white, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.sensor.bayer import PATTERNS
from photosite.sensor.demosaic import METHODS, demosaic
from photosite.sensor.develop import (
    CAMERA_TO_SRGB,
    DAYLIGHT_GAINS,
    balance_white,
    correct_color,
    develop,
    normalize_counts,
)
from photosite.sensor.sensor import FULL_FRAME, Sensor

TEN_BITS = Sensor(full_well_electrons=1800, gain_electrons_per_count=2, black_level_counts=100, bit_depth=10)
"""Black 100, white 1000."""
IDENTITY = np.eye(3)


def test_develop_by_hand() -> None:
    # red 280 → 0.2 → 0.4, green 550 → 0.5, blue 370 → 0.3 → 0.9
    raw = np.array([[280, 550], [550, 370]])
    picture = develop(raw, TEN_BITS, (2, 1, 3), IDENTITY, method="bilinear")
    np.testing.assert_allclose(picture, np.broadcast_to([0.4, 0.5, 0.9], (2, 2, 3)), atol=1e-15)
    exchanged = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    swapped = develop(raw, TEN_BITS, (2, 1, 3), exchanged, method="bilinear", curve=np.square)
    np.testing.assert_allclose(swapped, np.broadcast_to([0.81, 0.25, 0.16], (2, 2, 3)), atol=1e-15)


def test_noise_below_black_is_kept_until_the_end() -> None:
    assert normalize_counts([[100, 1000], [10, 1023]], TEN_BITS).tolist() == [[0, 1], [-0.1, 923 / 900]]
    # around black, the mean of what is interpolated stays 0; the picture itself has no negative light
    dark = np.full((4, 4), 100)
    dark[::2, 1::2] = 91  # greens above, as far below black …
    dark[1::2, ::2] = 109  # … as greens below are above it
    picture = develop(dark, TEN_BITS, (1, 1, 1), IDENTITY, method="bilinear")
    assert picture.min() == 0
    assert picture[2, 2, 1] == 0  # the mean of two of each


@given(
    st.sampled_from(PATTERNS),
    st.sampled_from(sorted(METHODS)),
    st.tuples(st.floats(1, 3), st.just(1.0), st.floats(1, 3)),
    st.integers(513, 16137),
)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_neutral_gray_stays_neutral(pattern: str, method: str, gains: tuple[float, float, float], white: int) -> None:
    # what a gray wall leaves in the photosites: the light divided by the gains
    sensor = replace(FULL_FRAME, pattern=pattern)
    light = (white - 512) / 15625
    raw = 512 + 15625 * balance_white(np.full((6, 7), light), 1 / np.array(gains), pattern)
    np.testing.assert_allclose(develop(raw, sensor, gains, method=method), light, rtol=0, atol=1e-12)


def test_full_photosites_become_white() -> None:
    # all full: gains alone would make them magenta, (2.15, 1, 1.7)
    assert (develop(np.full((4, 4), 16383)) == 1).all()


def test_the_typical_matrix() -> None:
    np.testing.assert_allclose(np.sum(CAMERA_TO_SRGB, axis=1), 1, rtol=0, atol=1e-15)
    inverse = np.linalg.inv(CAMERA_TO_SRGB)
    assert inverse.min() > 0  # so that no color of sRGB is outside of the camera's
    # The mean of the four cameras' matrices of Brooks et al., XYZ to camera, times linear sRGB to XYZ, rows scaled.
    mean_xyz_to_camera = [
        [0.753075, -0.205475, -0.091725],
        [-0.485475, 1.339525, 0.171625],
        [-0.0966, 0.183675, 0.6052],
    ]
    srgb_to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    srgb_to_camera = np.array(mean_xyz_to_camera) @ srgb_to_xyz
    srgb_to_camera /= srgb_to_camera.sum(axis=1, keepdims=True)
    # rounded to two decimals, and one entry by one more so that its row sums to 1
    np.testing.assert_allclose(np.linalg.inv(srgb_to_camera), CAMERA_TO_SRGB, rtol=0, atol=0.0075)


def test_balancing_comes_first_because_gray_edges_then_stay_gray() -> None:
    # a gray edge, steep but for the lens' blur, behind filters that pass less red and blue
    edge = np.interp(np.arange(24) + 0.4 * np.arange(24)[:, None], [14, 18], [0.1, 0.9])
    gains = np.array(DAYLIGHT_GAINS)
    seen = balance_white(edge, 1 / gains, "RGGB")
    first = demosaic(balance_white(seen, gains, "RGGB"), method="menon")
    last = demosaic(seen, method="menon") * gains

    def color(rgb: Any) -> float:
        return float((rgb.max(axis=2) - rgb.min(axis=2))[6:-6, 6:-6].mean())

    assert color(first) < color(last) / 3  # 0.0044 and 0.0170


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.zeros((4, 4, 3)),), ShapeError, r"normalize_counts: wants a mosaic \(H, W\) .*, got \(4, 4, 3\)"),
        (
            (np.full((4, 4), 16384),),
            RangeError,
            "wants counts of 14 bits, 0 … 16383, got 16384 … 16384; give the sensor",
        ),
        ((np.full((4, 4), -1),), RangeError, "got -1 … -1"),
        ((np.full((4, 4), np.nan),), RangeError, "wants finite numbers, 16 of 16 are not"),
        ((np.zeros((4, 4)), FULL_FRAME, (1, 0, 1)), RangeError, r"white_balance_gains: wants 3 .*, got \(1, 0, 1\)"),
        ((np.zeros((4, 4)), FULL_FRAME, (1, float("inf"), 1)), RangeError, "wants 3 finite numbers above 0"),
        ((np.zeros((4, 4)), FULL_FRAME, 1.0), RangeError, "for R, G and B, got 1.0"),
        ((np.zeros((4, 4)), FULL_FRAME, (1, 1, 1), np.eye(4)), ShapeError, r"wants \(3, 3\), got \(4, 4\)"),
        (
            (np.zeros((4, 4)), FULL_FRAME, (1, 1, 1), 2 * IDENTITY),
            RangeError,
            r"got sums \[2.0, 2.0, 2.0\]; divide each",
        ),
        ((np.zeros((4, 4)), FULL_FRAME, (1, 1, 1), IDENTITY * np.nan), RangeError, "wants rows that sum to 1"),
    ],
)
def test_what_is_refused(arguments: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        develop(*arguments)


def test_a_method_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="no demosaicing method named 'cubic'"):
        develop(np.zeros((4, 4)), method="cubic")


def test_stages_make_up_develop() -> None:
    raw = np.random.default_rng(0).integers(0, 2**14, (9, 8), np.uint16)
    light = balance_white(normalize_counts(raw), DAYLIGHT_GAINS, "RGGB")
    by_stages = np.clip(correct_color(demosaic(light), CAMERA_TO_SRGB), 0, 1)
    np.testing.assert_array_equal(develop(raw), by_stages)
    np.testing.assert_array_equal(develop(raw, curve=np.sqrt), np.sqrt(by_stages))
