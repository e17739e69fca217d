"""What a sensor says of itself, and sensors that cannot be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from photosite.errors import RangeError, UnknownNameError
from photosite.sensor.sensor import FULL_FRAME, Sensor


def test_white_level_by_hand() -> None:
    # 50,000 electrons at 3.2 a count are 15,625 counts above black
    assert (FULL_FRAME.max_counts, FULL_FRAME.white_level_counts) == (16383, 512 + 15625)
    assert FULL_FRAME.range_electrons == 50_000
    # a higher ISO: the converter ends before the well is full
    iso800 = replace(FULL_FRAME, gain_electrons_per_count=0.4)
    assert iso800.white_level_counts == 16383
    assert iso800.range_electrons == pytest.approx((16383 - 512) * 0.4)


def test_sensors_are_frozen_and_plain() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL_FRAME.bit_depth = 12  # type: ignore[misc]
    sensor = Sensor(quantum_efficiency_rgb=np.array([0.4, 0.52, 0.45]), bit_depth=np.int64(14))  # type: ignore[arg-type]
    assert sensor == FULL_FRAME
    assert hash(sensor) == hash(FULL_FRAME)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            {"quantum_efficiency_rgb": (0.4, 0, 0.4)},
            RangeError,
            r"wants 3 numbers above 0 and at most 1, got \(0.4, 0, ",
        ),
        ({"quantum_efficiency_rgb": (0.4, 1.1, 0.4)}, RangeError, "sensor: quantum_efficiency_rgb wants 3 numbers"),
        ({"quantum_efficiency_rgb": 0.5}, RangeError, "at most 1, got 0.5"),
        ({"quantum_efficiency_rgb": (0.4, float("nan"), 0.4)}, RangeError, "wants 3 numbers"),
        ({"full_well_electrons": 0}, RangeError, "full_well_electrons wants a number from 1 to 1e9, got 0"),
        ({"full_well_electrons": float("inf")}, RangeError, "got inf"),
        ({"read_noise_electrons": -1}, RangeError, "read_noise_electrons wants a number from 0 to 1e6, got -1"),
        ({"dark_current_electrons_per_second": float("nan")}, RangeError, "dark_current_.* wants .*, got nan"),
        ({"gain_electrons_per_count": 0}, RangeError, "gain_electrons_per_count wants a number from 1e-6 to 1e6"),
        ({"bit_depth": 17}, RangeError, "bit_depth wants a whole number from 1 to 16, got 17"),
        ({"bit_depth": 14.0}, RangeError, "bit_depth wants a whole number"),
        ({"bit_depth": True}, RangeError, "bit_depth wants a whole number"),
        ({"black_level_counts": -1}, RangeError, "black_level_counts wants a whole number from 0 to 65535, got -1"),
        ({"black_level_counts": 16383}, RangeError, "wants white above black, got black 16383 and white 16383 counts"),
        ({"full_well_electrons": 3}, RangeError, "got black 512 and white 512 counts: the lower of 16383, .* 14 bits"),
        ({"pattern": "RGBG"}, UnknownNameError, "no Bayer pattern named 'RGBG'; did you mean"),
    ],
)
def test_sensors_that_cannot_be_are_refused(change: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        replace(FULL_FRAME, **change)
    assert "\n" not in str(caught.value)
