"""Numbers with their units, as the report writes them: bytes, milliseconds, shares, shapes.

The digits themselves come from `photosite.trace.notation`. Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photosite.shapes import shape_text
from photosite.trace.notation import THIN, UNKNOWN, count, limits, number

__all__ = [
    "THIN",
    "UNKNOWN",
    "count",
    "limits",
    "milliseconds",
    "number",
    "octets",
    "percent",
    "plain",
    "size",
    "values",
]


def octets(value: int | None) -> str:
    """Write a number of bytes, exactly; with a rounded larger unit from 10 000 on.

    >>> octets(512), octets(2_500_000).replace(THIN, " "), octets(None)
    ('512 bytes', '2 500 000 bytes (2.5 MB)', 'not known')
    """
    if value is None:
        return UNKNOWN
    exact = f"{count(value)} byte{'' if value == 1 else 's'}"
    if value < 10_000:
        return exact
    for power, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= power:
            return f"{exact} ({value / power:.3g} {unit})"
    return exact


def milliseconds(value: float | None) -> str:
    """Write a time in milliseconds.

    >>> milliseconds(0.25), milliseconds(None)
    ('0.25 ms', 'not timed')
    """
    return "not timed" if value is None else f"{number(value)} ms"


def percent(share: float | None) -> str:
    """Write a share of one in percent, with one digit after the point; a tiny share is not written as zero.

    >>> percent(0.4781), percent(1.0), percent(0.0002), percent(0.0), percent(None)
    ('47.8 %', '100 %', '< 0.1 %', '0 %', 'not known')
    """
    if share is None:
        return UNKNOWN
    if 0 < share < 0.0005:
        return "< 0.1 %"
    text = f"{100 * share:.1f}".removesuffix(".0").replace("-", "−")
    return f"{text} %"


def size(size_hw: Sequence[int] | None) -> str:
    """Write a picture's size, height first as everywhere.

    >>> size((300, 451)), size(None)
    ('300 × 451 px', 'not known')
    """
    return UNKNOWN if size_hw is None else f"{shape_text(size_hw)} px"


def values(shape: Sequence[int]) -> int:
    """Count the values of an array of that shape.

    >>> values((64, 16, 16)), values(())
    (16384, 1)
    """
    product = 1
    for side in shape:
        product *= int(side)
    return product


def plain(value: Any) -> str:
    """Write a field of a recipe or a model: numbers as numbers, pairs and lists joined, None as not known.

    >>> plain([0.485, -1]), plain((224, 224)), plain(None), plain(True), plain("bicubic")
    ('0.485, −1', '224, 224', 'not known', 'yes', 'bicubic')
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    return str(value)
