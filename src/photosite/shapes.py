"""Axis letters, pairs and the checks that arrays and numbers pass at our borders.

Axis letters are the same everywhere: B batch, C channels, H rows, W columns, O filters,
K kernel, N tokens, D width. Sizes are always (height, width) and say so: `size_hw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError


def as_pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Give one number to both axes; keep a pair as it is.

    Raises:
        ShapeError: neither one whole number nor two.

    >>> as_pair(3), as_pair((1, 2))
    ((3, 3), (1, 2))
    """
    if isinstance(value, int):
        return value, value
    pair = tuple(value)
    if len(pair) != 2:
        raise ShapeError(f"as_pair: wants one number or two, got {value!r}")
    return int(pair[0]), int(pair[1])


def as_size_hw(value: int | Sequence[int]) -> tuple[int, int]:
    """Read a picture size as (height, width), both at least 1.

    Raises:
        RangeError: a side is below 1.

    >>> as_size_hw(64)
    (64, 64)
    """
    height, width = as_pair(value)
    if height < 1 or width < 1:
        raise RangeError(f"size_hw: both sides must be at least 1, got {height} x {width}")
    return height, width


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape the way we show it to people.

    >>> shape_text((64, 112, 112))
    '64 × 112 × 112'
    """
    return " × ".join(str(side) for side in shape) if shape else "scalar"


def is_number(value: Any, whole: bool, low: float, high: float) -> bool:
    """Whether this is a number within limits; neither NaN nor infinity nor True is.

    >>> is_number(3, True, 1, 5), is_number(3.5, True, 1, 5), is_number(float("nan"), False, 1, 5)
    (True, False, False)
    """
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(low <= value <= high)
