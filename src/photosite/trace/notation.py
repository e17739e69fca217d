"""How a number and its limits are written for people: four digits, a real minus sign, thin spaces.

Stands in `trace` because captions are made there; report and terminal write the same way.
Knows nothing of HTML. Units are added in `photosite.report.numbers`.
"""

from __future__ import annotations

import math
from decimal import Decimal

MINUS = "−"
"""U+2212, as wide as a plus sign; the hyphen is for words."""
THIN = "\u202f"
"""U+202F, a thin space at which no line breaks, between thousands."""
UNKNOWN = "not known"
"""What stands where a value is missing; never a zero."""

_DIGITS = 4
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | int | None) -> str:
    """Write a measured number with four significant digits.

    Args:
        value: any number; None where it is not known.

    Returns:
        Plain digits for sizes from 0.0001 up to 999 999, else a power of ten; no trailing zeros.

    >>> number(-1.98765), number(0.25), number(0), number(None)
    ('−1.988', '0.25', '0', 'not known')
    >>> number(3.2e-7), number(float("inf"))
    ('3.2 × 10⁻⁷', '∞')
    """
    if value is None:
        return UNKNOWN
    value = float(value)
    if math.isnan(value):
        return "NaN"
    sign = MINUS if value < 0 else ""
    if math.isinf(value):
        return f"{sign}∞"
    if value == 0:
        return "0"
    rounded = Decimal(f"{abs(value):.{_DIGITS - 1}e}")
    power = rounded.adjusted()
    if -5 < power < 6:
        whole, _, rest = f"{rounded:f}".partition(".")
        rest = rest.rstrip("0")
        return sign + _thousands(whole) + (f".{rest}" if rest else "")
    mantissa = f"{rounded.scaleb(-power):f}".rstrip("0").rstrip(".")
    return f"{sign}{mantissa} × 10{str(power).translate(_SUPERSCRIPTS)}"


def count(value: int | None) -> str:
    """Write a counted number exactly, with thin spaces between thousands.

    >>> count(25557032).replace(THIN, " "), count(-3), count(None)
    ('25 557 032', '−3', 'not known')
    """
    if value is None:
        return UNKNOWN
    return (MINUS if value < 0 else "") + _thousands(str(abs(int(value))))


def limits(low: float | None, high: float | None) -> str:
    """Write a range from its smallest to its largest value.

    >>> limits(-1.5, 2), limits(None, None)
    ('−1.5 … 2', 'not known')
    """
    if low is None and high is None:
        return UNKNOWN
    return f"{number(low)} … {number(high)}"


def _thousands(digits: str) -> str:
    return f"{int(digits):,}".replace(",", THIN)


def short(value: int) -> str:
    """Write a count with three digits and a letter; nothing for 0.

    >>> short(25_557_032), short(928), short(0)
    ('25.6M', '928', '')
    """
    if not value:
        return ""
    for letter, unit in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= unit:
            return f"{value / unit:.3g}{letter}"
    return str(value)
