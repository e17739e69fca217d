"""Numbers with their units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.report import numbers
from photosite.report.numbers import THIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.octets(1), "1 byte"),
        (numbers.octets(9999), f"9{THIN}999 bytes"),
        (numbers.octets(221_318), f"221{THIN}318 bytes (221 kB)"),
        (numbers.milliseconds(0.0), "0 ms"),
        (numbers.milliseconds(None), "not timed"),
        (numbers.percent(0.0), "0 %"),
        (numbers.percent(1e-9), "< 0.1 %"),
        (numbers.percent(0.999), "99.9 %"),
        (numbers.size((64, 64)), "64 × 64 px"),
        (numbers.plain({"mean": [0.5, -0.5]}), "mean 0.5, −0.5"),
        (numbers.plain(1_000_000), f"1{THIN}000{THIN}000"),
        (numbers.plain([]), ""),
    ],
)
def test_by_hand(text: str, expected: str) -> None:
    assert text == expected


@given(st.floats(0, 1))
def test_a_share_that_is_not_zero_is_not_written_as_zero(share: float) -> None:
    assert (numbers.percent(share) == "0 %") == (share == 0)


@given(st.lists(st.integers(0, 50), max_size=4))
def test_values_multiply(shape: list[int]) -> None:
    product = 1
    for side in shape:
        product *= side
    assert numbers.values(shape) == product
