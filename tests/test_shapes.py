"""What counts as a number within limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from photosite.shapes import is_number


@pytest.mark.parametrize("value", [True, False, "1", None, [1], 1.5, 0, 6, float("nan")])
def test_what_is_no_whole_number_from_1_to_5(value: Any) -> None:
    assert not is_number(value, True, 1, 5)


@pytest.mark.parametrize("value", [1, 5, np.int8(3), np.uint64(5)])
def test_whole_numbers_of_numpy_count_too(value: Any) -> None:
    assert is_number(value, True, 1, 5)


@pytest.mark.parametrize("value", [np.True_, np.float64("inf"), float("nan"), 5.0001, "3", 3j])
def test_what_is_no_number_from_1_to_5(value: Any) -> None:
    assert not is_number(value, False, 1, 5)
