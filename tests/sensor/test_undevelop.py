"""There and back: pictures become raw photos and pictures again, up to demosaicing and less than half a level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.sensor.bayer import PATTERNS, mosaic
from photosite.sensor.demosaic import METHODS, demosaic
from photosite.sensor.develop import CAMERA_TO_SRGB, DAYLIGHT_GAINS
from photosite.sensor.sensor import FULL_FRAME, Sensor
from photosite.sensor.undevelop import undevelop

Floats = npt.NDArray[np.float64]

TEN_BITS = Sensor(
    quantum_efficiency_rgb=(0.5, 0.5, 0.25),
    full_well_electrons=1800,
    dark_current_electrons_per_second=0,
    gain_electrons_per_count=2,
    black_level_counts=100,
    bit_depth=10,
)
"""Black 100, white 1000, 1800 electrons from one to the other."""
IDENTITY = np.eye(3)


def to_linear(encoded: Floats) -> Floats:
    """IEC 61966-2-1, written here a second time so that it does not depend on what it tests."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Floats) -> Floats:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def levels(picture: Floats) -> npt.NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def even(color: tuple[int, int, int], size_hw: tuple[int, int] = (4, 4)) -> npt.NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8), (*size_hw, 3))


# ------------------------------------------------------------------------------------------------------------ by hand


def test_undevelop_by_hand() -> None:
    # green 0.5 fills half of 900 counts; red 0.4 / 2 a fifth; blue 0.9 / 3 three tenths
    picture = np.broadcast_to([0.4, 0.5, 0.9], (2, 2, 3))
    raw = undevelop(picture, inverse_curve=None, sensor=TEN_BITS, white_balance_gains=(2, 1, 3), color_matrix=IDENTITY)
    assert raw.raw_counts.tolist() == [[280, 550], [550, 370]]
    assert raw.raw_counts.dtype == np.uint16
    # electrons over quantum efficiency: 360 / 0.5, 900 / 0.5, 540 / 0.25
    np.testing.assert_allclose(raw.photons, [[720, 1800], [1800, 2160]], rtol=1e-12)
    assert raw.white_balance_gains == (2, 1, 3)
    np.testing.assert_allclose(raw.develop("bilinear"), picture, atol=1e-12)


def test_less_light_by_hand() -> None:
    # 900 photons at half efficiency are 450 of 1800 electrons where the picture is white: a quarter, so gains of 4
    raw = undevelop(
        np.ones((2, 2, 3)), inverse_curve=None, sensor=TEN_BITS, white_balance_gains=(2, 1, 3),
        color_matrix=IDENTITY, white_photons=900,
    )  # fmt: skip
    assert raw.raw_counts.tolist() == [[212, 325], [325, 175]]  # 112.5 and 75 are the reds' and blues' shares of 225
    assert raw.white_balance_gains == (8, 4, 12)


def test_highlights_by_hand() -> None:
    # From light 0.9 to 1 the factor goes from 1/2 for red and 1/3 for blue to 1, with the square of the way: at 0.96 by
    # 0.36, to 0.68 and 0.5733, so that 864 counts become 587.5 and 495.4.
    for light, red, green, blue in ((1.0, 1000, 1000, 1000), (0.96, 688, 964, 595), (0.9, 505, 910, 370)):
        raw = undevelop(
            np.full((2, 2, 3), light), inverse_curve=None, sensor=TEN_BITS, white_balance_gains=(2, 1, 3),
            color_matrix=IDENTITY, highlights="saturated",
        )  # fmt: skip
        assert raw.raw_counts.tolist() == [[red, green], [green, blue]]


# --------------------------------------------------------------------------------------------------------------- laws


@given(st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from(PATTERNS), st.sampled_from(sorted(METHODS)))
@settings(deadline=None, derandomize=True, max_examples=80)
def test_even_pictures_come_back(color: tuple[int, int, int], pattern: str, method: str) -> None:
    # Rounding to counts costs at most 1/2 of 15,625. Red has the largest gains: 1.62 * 2.15 + 0.57 + 0.05 * 1.7 = 4.14
    # and sRGB at most 255 * 12.92 levels a unit of light: 0.44 levels, so that the level itself is the same.
    raw = undevelop(even(color), inverse_curve=to_linear, sensor=replace(FULL_FRAME, pattern=pattern))
    picture = raw.develop(method, to_srgb) * 255
    np.testing.assert_allclose(picture, even(color), rtol=0, atol=0.45)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_grays_come_back(method: str) -> None:
    for level in range(0, 256, 3):
        gray = even((level, level, level), (2, 2))
        np.testing.assert_array_equal(levels(undevelop(gray, inverse_curve=to_linear).develop(method, to_srgb)), gray)


@pytest.mark.parametrize("method", ["bilinear", "malvar"])
def test_photos_come_back_up_to_demosaicing(method: str, photos: list[Path]) -> None:
    # Demosaicing alone, of the same light that was never quantized, makes the same picture to one level. (Menon's
    # choice between two directions can turn on a rounding, so it has no such bound; see the next test.)
    for path in photos[::40]:
        with Image.open(path) as image:
            photo = np.asarray(image.convert("RGB"))[:200, :200]
        raw = undevelop(photo, inverse_curve=to_linear)
        light = to_linear(photo / 255)
        camera_rgb = demosaic(mosaic(light @ np.linalg.inv(CAMERA_TO_SRGB).T), "RGGB", method)
        demosaiced = to_srgb(np.clip(camera_rgb @ np.transpose(CAMERA_TO_SRGB), 0, 1))
        difference = np.abs(raw.develop(method, to_srgb) - demosaiced) * 255
        assert difference.max() < 1, path.name


def test_photos_come_back_by_menon(photos: list[Path]) -> None:
    # Mean error over every tenth photo, cut to 500 x 500: 3.41 levels, with quantization or without (3.4080, 3.4076);
    # from 1 on smooth photos to 14 on one of fine texture, where neighbors tell little of a missing color.
    for path in photos[::40]:
        with Image.open(path) as image:
            photo = np.asarray(image.convert("RGB"))[:200, :200]
        back = levels(undevelop(photo, inverse_curve=to_linear).develop(curve=to_srgb))
        wrong = np.abs(back.astype(int) - photo)
        assert wrong.mean() < 14, path.name
        assert np.median(wrong) <= 6, path.name


def test_noise_grows_as_the_light_fails() -> None:
    gray = even((118, 118, 118), (64, 64))
    spread = []
    for white_photons in (None, 10_000, 1_000, 100):
        raw = undevelop(gray, inverse_curve=to_linear, white_photons=white_photons, rng=np.random.default_rng(0))
        picture = raw.develop("bilinear", to_srgb) * 255
        spread.append(float(picture.std()))
        if white_photons != 100:  # there noise is cut at black, which brightens
            assert abs(picture.mean() - 118) < 3
    assert spread == sorted(spread)
    assert spread[0] < 2 < 20 < spread[-1]


def test_reversible_and_saturated_differ_from_nine_tenths_on() -> None:
    for level, same in ((243, True), (244, False), (250, False)):  # light of 0.896, 0.905 and 0.956
        gray = even((level, level, level), (2, 2))
        plain = undevelop(gray, inverse_curve=to_linear)
        saturated = undevelop(gray, inverse_curve=to_linear, highlights="saturated")
        assert (plain.raw_counts == saturated.raw_counts).all() == same
    white = undevelop(even((255, 255, 255)), inverse_curve=to_linear, highlights="saturated")
    assert (white.raw_counts == FULL_FRAME.white_level_counts).all()
    assert (levels(white.develop(curve=to_srgb)) == 255).all()


def test_gains_below_one_are_divided_by_also_in_highlights() -> None:
    # 0.96 / 0.95 is more than white, which the full well cuts; a factor on its way to 1 would leave 993 counts
    raw = undevelop(
        np.full((2, 2, 3), 0.96), inverse_curve=None, sensor=TEN_BITS, white_balance_gains=(0.95, 1, 1),
        color_matrix=IDENTITY, highlights="saturated",
    )  # fmt: skip
    assert raw.raw_counts.tolist() == [[1000, 964], [964, 964]]


def test_uint8_and_float_are_the_same_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    from_levels, from_float = (undevelop(p, inverse_curve=to_linear) for p in (picture, picture / 255))
    np.testing.assert_array_equal(from_levels.raw_counts, from_float.raw_counts)
    assert from_levels.white_balance_gains == DAYLIGHT_GAINS


def test_one_row_of_pixels_has_a_raw_photo() -> None:
    assert undevelop(np.ones((1, 3, 3)), inverse_curve=None).raw_counts.shape == (1, 3)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("picture", "change", "error", "words"),
    [
        (np.zeros((4, 4)), {}, ShapeError, r"undevelop: wants a picture \(H, W, 3\), got \(4, 4\) float64"),
        (np.zeros((0, 4, 3)), {}, ShapeError, r"got \(0, 4, 3\)"),
        (
            np.full((2, 2, 3), 255.0),
            {},
            RangeError,
            r"wants uint8, or floating point in \[0, 1\], got float64 from 255.0",
        ),
        (np.full((2, 2, 3), np.nan), {}, RangeError, "got float64 from nan to nan"),
        (np.zeros((2, 2, 3), np.int64), {}, RangeError, "got int64 from 0 to 0"),
        (
            np.ones((2, 2, 3)),
            {"inverse_curve": lambda x: 2 * x},
            RangeError,
            r"gives \(2, 2, 3\) in \[0, 1\], got .* to 2",
        ),
        (np.ones((2, 2, 3)), {"inverse_curve": lambda x: x[0]}, RangeError, r"got \(2, 3\) from 1 to 1"),
        (np.ones((2, 2, 3)), {"white_photons": 0}, RangeError, "wants white_photons above 0, at most 1e12, got 0"),
        (np.ones((2, 2, 3)), {"white_photons": float("nan")}, RangeError, "got nan"),
        (
            np.ones((2, 2, 3)),
            {"white_balance_gains": (1, 1)},
            RangeError,
            "white_balance_gains: wants 3 finite numbers",
        ),
        (np.ones((2, 2, 3)), {"color_matrix": np.ones((3, 3))}, RangeError, "wants rows that sum to 1"),
        (
            np.ones((2, 2, 3)),
            {"color_matrix": np.full((3, 3), 1 / 3)},
            RangeError,
            "a color_matrix that has an inverse",
        ),
        (np.ones((2, 2, 3)), {"highlights": "saturate"}, UnknownNameError, "'saturate'; did you mean saturated"),
    ],
)
def test_what_is_refused(picture: Any, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        undevelop(picture, **({"inverse_curve": None} | change))
    assert "\n" not in str(caught.value)
