"""Arithmetic place by place: against torch, over shapes that repeat, dtypes that mix, and numbers beside arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.ops.elementwise import divide, remainder
from tests.ops.rows import check_refusal, check_row, noise

SIDES = st.lists(st.integers(1, 4), min_size=0, max_size=4)
DTYPES = st.sampled_from(["float32", "float64", "int64", "int32", "uint8"])
REAL = st.sampled_from(["float32", "float64"])


@st.composite
def pairs(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that fit: each side can be 1 in one of them, and the second can lack axes in front."""
    sides = draw(SIDES)
    one = tuple(1 if draw(st.integers(0, 3)) == 0 else side for side in sides)
    other = tuple(1 if draw(st.integers(0, 3)) == 0 else side for side in sides)
    return one, other[draw(st.integers(0, len(sides))) :]


@settings(max_examples=40, deadline=None)
@given(shapes=pairs(), dtypes=st.tuples(DTYPES, DTYPES), seed=st.integers(0, 99))
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
def test_arithmetic(op: str, shapes: Any, dtypes: Any, seed: int) -> None:
    x, other = (noise(*shape, seed=seed + n, dtype=dtypes[n]) for n, shape in enumerate(shapes))
    if op == "div":
        other = np.where(other == 0, np.ones((), other.dtype), other)
    # an operand of lower precision makes the sums of its gradient in that precision
    check_row(f"aten.{op}.Tensor", x, other, tolerance=2e-5 if "float32" in dtypes else None)
    for number in (3, 0.5):
        check_row(f"aten.{op}.Tensor", x, number)
        check_row(f"aten.{op}.Scalar", x, number)


def test_whole_numbers_become_real_before_they_are_divided() -> None:
    """Of a uint8 and an int64 without axes the common dtype is uint8, which has no -2; a quotient never takes it."""
    check_row("aten.div.Tensor", np.array([1], np.uint8), np.array(-2))
    assert divide(np.array([1], np.uint8), np.array(-2)).tolist() == [-0.5]


@settings(max_examples=25, deadline=None)
@given(shapes=pairs(), dtype=DTYPES, alpha=st.sampled_from([1, 2, -3]))
def test_a_multiple_is_added(shapes: Any, dtype: str, alpha: int) -> None:
    x, other = (noise(*shape, seed=n, dtype=dtype) for n, shape in enumerate(shapes))
    for op in ("aten.add.Tensor", "aten.sub.Tensor", "aten.rsub.Tensor"):
        check_row(op, x, other, alpha=alpha)
    for op in ("aten.add.Scalar", "aten.sub.Scalar", "aten.rsub.Scalar"):
        check_row(op, x, 2, alpha)
    check_row("aten.rsub.Scalar", x, 0.5)


@settings(max_examples=25, deadline=None)
@given(shapes=pairs(), dtype=st.sampled_from(["float32", "float64", "int64", "int32"]), seed=st.integers(0, 99))
def test_quotients_rounded_and_what_is_left(shapes: Any, dtype: str, seed: int) -> None:
    x = noise(*shapes[0], seed=seed, dtype=dtype)
    other = noise(*shapes[1], seed=seed + 1, dtype=dtype)
    other = np.where(np.abs(other) < 0.3, np.ones((), other.dtype), other)
    for mode in ("floor", "trunc"):
        check_row("aten.div.Tensor_mode", x, other, rounding_mode=mode)
        check_row("aten.div.Scalar_mode", x, 2, rounding_mode=mode)
    check_row("aten.floor_divide.default", x, other, gradients=False)
    check_row("aten.remainder.Tensor", x, other)
    check_row("aten.fmod.Tensor", x, other)
    check_row("aten.remainder.Scalar", x, 3)
    check_row("aten.fmod.Scalar", x, -3)


@settings(max_examples=25, deadline=None)
@given(shapes=pairs(), dtype=REAL, value=st.sampled_from([1, 0.5, -2]))
def test_products_and_quotients_added(shapes: Any, dtype: str, value: float) -> None:
    x = noise(*np.broadcast_shapes(*shapes), seed=3, dtype=dtype)
    first, second = (noise(*shape, seed=n, dtype=dtype) for n, shape in enumerate(shapes))
    check_row("aten.addcmul.default", x, first, second, value=value)
    away = np.where(np.abs(second) < 0.3, np.ones((), second.dtype), second)
    check_row("aten.addcdiv.default", x, first, away, value=value)
    check_row("aten.lerp.Tensor", x, first, second)
    check_row("aten.lerp.Scalar", x, first, 0.7)


def test_by_hand() -> None:
    assert divide(np.array([-7]), 2, rounding_mode="floor").tolist() == [-4]
    assert divide(np.array([-7]), 2, rounding_mode="trunc").tolist() == [-3]
    assert remainder(np.array([-7, 7]), np.array([3, -3])).tolist() == [2, -2]
    with np.errstate(all="raise"):
        assert divide(np.array([1.0, -1.0, 0.0]), 0).tolist()[:2] == [np.inf, -np.inf]


def test_what_does_not_fit_is_refused() -> None:
    for op in ("add", "sub", "mul", "div", "remainder", "fmod"):
        check_refusal(f"aten.{op}.Tensor", noise(2, 3), noise(2), match="2 × 3, 2")
    check_refusal("aten.sub.Tensor", noise(3, dtype="bool"), noise(3, dtype="bool"), match="truth values")
    check_refusal("aten.add.Tensor", noise(3, dtype="int64"), noise(3, dtype="int64"), alpha=0.5, match="whole number")
    check_refusal("aten.remainder.Tensor", noise(3, dtype="int64"), np.zeros(3, np.int64), match="divided by 0")
    check_refusal("aten.div.Tensor_mode", noise(3), noise(3), rounding_mode="up", match="floor, trunc")
