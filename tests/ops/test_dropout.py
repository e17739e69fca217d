"""Dropout: in evaluation the operand itself, in training a refusal that says what to do."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.errors import RangeError
from photosite.graph.table import TABLE
from tests.ops.rows import check_refusal, check_row, noise

KINDS = [f"aten.{kind}.default" for kind in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")]
ALL = [*KINDS, "aten.native_dropout.default"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("op", ALL)
def test_evaluation_and_nothing_to_drop(op: str, dtype: str) -> None:
    for p, train in ((0.5, False), (1.0, False), (0.0, True), (0, True)):
        if train is False or op in KINDS or dtype != "int64":
            check_row(op, noise(2, 3, 4, dtype=dtype), p, train)
    if op in KINDS:  # torch's mask of no values is of numbers
        check_row(op, noise(0, 3, dtype=dtype), 0.5, False)
    check_row(op, noise(dtype=dtype), 0.5, False)


@pytest.mark.parametrize("op", KINDS)
def test_it_is_the_operand_itself(op: str) -> None:
    x = noise(2, 3)
    assert TABLE[op].value(x, 0.5, False) is x


@pytest.mark.parametrize("op", ALL)
def test_training_is_refused(op: str) -> None:
    with pytest.raises(RangeError, match=r"p is 0\.5 in training, .* random draw cannot be compared; capture .* eval"):
        TABLE[op].value(noise(2, 3), 0.5, True)


def test_no_flag_is_training() -> None:
    with pytest.raises(RangeError, match="in training"):
        TABLE["aten.native_dropout.default"].value(noise(2, 3), 0.5, None)


@pytest.mark.parametrize("p", [-0.1, 1.5])
@pytest.mark.parametrize("op", KINDS)
def test_shares_that_are_none(op: str, p: float) -> None:
    for train in (False, True):
        check_refusal(op, noise(2, 3), p, train, match=f"between 0 and 1, got {p}")


def test_a_mask_has_no_slope() -> None:
    row, x = TABLE["aten.native_dropout.default"], noise(2, 3)
    assert row.vjp is not None
    assert row.vjp([None, None], row.value(x, 0.5, False), x, 0.5, False) == (None,)
    np.testing.assert_array_equal(row.vjp([x, None], row.value(x, 0.5, False), x, 0.5, False)[0], x)
