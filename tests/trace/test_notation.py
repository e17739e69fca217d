"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.trace.notation import MINUS, THIN, count, limits, number

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def read(text: str) -> float:
    """Read a written number back."""
    text = text.replace(MINUS, "-").replace(THIN, "").replace("∞", "inf")
    mantissa, _, power = text.partition(" × 10")
    return float(mantissa) * 10.0 ** int(power.translate(SUPERSCRIPTS) or 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (2.48, "2.48"),
        (-1.62345, "−1.623"),
        (9.9996, "10"),
        (0.00012345, "0.0001234"),
        (0.0000123456, "1.235 × 10⁻⁵"),
        (255, "255"),
        (12345.6, f"12{THIN}350"),
        (999_960.0, "1 × 10⁶"),
        (-2.5e30, "−2.5 × 10³⁰"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (None, "not known"),
    ],
)
def test_numbers_done_by_hand(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e308, 1e308))
def test_a_number_reads_back_to_four_digits(value: float) -> None:
    # Half a unit of the fourth digit is 5e-4 of the first; a hair more for rounding the mantissa in binary.
    assert read(number(value)) == pytest.approx(value, rel=5.001e-4, abs=5e-324)


@given(st.floats(allow_nan=False, min_value=5e-324))
def test_the_sign_is_a_real_minus_and_nothing_else_changes(value: float) -> None:
    assert number(-value) == MINUS + number(value)
    assert "-" not in number(-value)


@given(st.integers(-(10**18), 10**18))
def test_a_count_is_exact(value: int) -> None:
    text = count(value)
    assert int(text.replace(MINUS, "-").replace(THIN, "")) == value
    assert all(len(part) <= 3 for part in text.removeprefix(MINUS).split(THIN))


def test_thousands_are_set_apart_by_a_thin_space_that_does_not_break() -> None:
    assert count(25_557_032) == "25\u202f557\u202f032"


def test_limits() -> None:
    assert limits(-1.5, 2.0) == "−1.5 … 2"
    assert limits(None, None) == "not known"
    assert limits(0, None) == "0 … not known"
