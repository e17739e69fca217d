"""What may stand in each field of a recipe, and the words for what may not.

Knows the type and the limits of every field by itself, and which fields contradict each other; not what a recipe does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError, UnknownNameError
from photosite.prep.geometry import FILTER_SUPPORT, RESIZE_RULES
from photosite.shapes import is_number

MAX_SIZE = 16_384
"""The largest side that a recipe may ask for."""

NAMES: dict[str, tuple[str, ...]] = {
    "resize": RESIZE_RULES,
    "interpolation": tuple(FILTER_SUPPORT),
    "crop_rounding": ("round", "floor"),
    "pad_first": ("smaller", "larger"),
    "channel_order": ("RGB", "BGR"),
    "layout": ("BCHW", "BHWC"),
}
"""What may stand in each field that holds a name."""

TINY, HUGE = 1e-30, 1e30  # beyond these float32 has no room left
NUMBERS: dict[str, tuple[bool, int, float, float, str]] = {
    "size_hw": (True, 2, 1, MAX_SIZE, f"(height, width), whole numbers from 1 to {MAX_SIZE}"),
    "crop_hw": (True, 2, 1, MAX_SIZE, f"(height, width), whole numbers from 1 to {MAX_SIZE}"),
    "pad_color": (True, 3, 0, 255, "(R, G, B), whole numbers from 0 to 255"),
    "mean": (False, 3, -HUGE, HUGE, "3 finite numbers"),
    "std": (False, 3, TINY, HUGE, "3 finite numbers above 0"),
}
"""What may stand in each field that holds several numbers: whole or not, how many, lowest, highest, in words."""


def checked_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe in plain types: lists, as JSON has them, become tuples, NumPy's numbers Python's.

    Args:
        values: every field of a recipe by name.
    Returns:
        The fields that hold numbers.
    Raises:
        RangeError: a number is out of range, not finite or of the wrong type, or fields contradict each other.
        UnknownNameError: a field that holds a name has one that does not exist.
    """
    for text in ("name", "source"):
        if not isinstance(values[text], str):
            raise _wrong(values, text, "text")
    for field, known in NAMES.items():
        if values[field] not in known:
            raise UnknownNameError(field.replace("_", " "), str(values[field]), known)
    plain = _plain_numbers(values)
    if values["antialias"] is not True:
        wanted = "True (Pillow always antialiases; resizing without it is not supported)"
        raise _wrong(values, "antialias", wanted)
    rule, size_hw = values["resize"], plain["size_hw"]
    if (size_hw is None) != (rule == "none"):
        raise _wrong(values, "size_hw", "None with resize='none' and a size with any other rule")
    if rule in ("shortest", "longest") and size_hw[0] != size_hw[1]:
        raise _wrong(values, "size_hw", f"two equal sides with resize={rule!r}")
    return plain


def _plain_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field, (whole, count, low, high, wanted) in NUMBERS.items():
        value = values[field]
        if value is None and field in ("size_hw", "crop_hw"):
            plain[field] = None
            continue
        if not isinstance(value, Sequence | np.ndarray) or len(value) != count:
            raise _wrong(values, field, wanted)
        if not all(is_number(number, whole, low, high) for number in value):
            raise _wrong(values, field, wanted)
        plain[field] = tuple(int(number) if whole else float(number) for number in value)
    if not is_number(values["scale"], False, TINY, HUGE):
        raise _wrong(values, "scale", "a finite number above 0")
    plain["scale"] = float(values["scale"])
    return plain


def _wrong(values: Mapping[str, Any], field: str, wanted: str) -> RangeError:
    return RangeError(f"recipe {values['name']!r}: {field} wants {wanted}, got {values[field]!r}")
