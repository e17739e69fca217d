"""Functions of one number, comparisons and choices: against torch, at the ends of the number line too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.ops.bounds import clamp
from photosite.ops.functions import log, power, rsqrt
from tests.ops.rows import check_refusal, check_row, noise
from tests.ops.test_elementwise import pairs

SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)
REAL = st.sampled_from(["float32", "float64"])
EVERYWHERE = ("neg", "abs", "exp", "exp2", "expm1", "reciprocal", "square", "sin", "cos", "atan", "arctan")
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "rsqrt")
STEPS = ("sign", "sgn", "floor", "ceil", "trunc", "round")
ENDS = np.array([-np.inf, -1e30, -3.5, -0.5, -0.0, 0.0, 1e-30, 0.5, 1.5, 2.5, 1e30, np.inf, np.nan])
RESULTS = ("eq", "ne", "lt", "le", "gt", "ge")


@settings(max_examples=20, deadline=None)
@given(shape=SHAPES, dtype=REAL, seed=st.integers(0, 99))
@pytest.mark.parametrize("op", [*EVERYWHERE, *POSITIVE, *STEPS])
def test_values_and_slopes(op: str, shape: tuple[int, ...], dtype: str, seed: int) -> None:
    x = noise(*shape, seed=seed, dtype=dtype)
    check_row(f"aten.{op}.default", np.abs(x) + x.dtype.type(0.1) if op in POSITIVE else x)


@pytest.mark.parametrize("op", [*EVERYWHERE, *POSITIVE, *STEPS])
def test_ends_and_other_kinds_of_numbers(op: str) -> None:
    check_row(f"aten.{op}.default", ENDS, gradients=False)
    for dtype in ("int64", "uint8"):
        check_row(f"aten.{op}.default", noise(3, 4, dtype=dtype), gradients=False)


@settings(max_examples=30, deadline=None)
@given(shapes=pairs(), dtype=REAL, seed=st.integers(0, 99))
def test_powers(shapes: Any, dtype: str, seed: int) -> None:
    x, exponent = (noise(*shape, seed=seed + n, dtype=dtype) for n, shape in enumerate(shapes))
    check_row("aten.pow.Tensor_Tensor", np.abs(x), exponent)
    for number in (0, 1, 2, 3, -1, 0.5, -0.5):
        check_row("aten.pow.Tensor_Scalar", x if isinstance(number, int) else np.abs(x), number)
    check_row("aten.pow.Scalar", 2.5, exponent)
    check_row("aten.pow.Tensor_Scalar", noise(*shapes[0], dtype="int64"), 3)


@settings(max_examples=30, deadline=None)
@given(shapes=pairs(), dtype=st.sampled_from(["float32", "float64", "int64"]), seed=st.integers(0, 99))
def test_bounds(shapes: Any, dtype: str, seed: int) -> None:
    x, bound = (noise(*shape, seed=seed + n, dtype=dtype) for n, shape in enumerate(shapes))
    check_row("aten.clamp.default", x, -1, 2)
    check_row("aten.clamp.default", x, None, 0.5)
    check_row("aten.clamp.default", x, 1, -1)
    check_row("aten.clamp_min.default", x, 0)
    check_row("aten.clamp_max.default", x, 0)
    check_row("aten.clamp.Tensor", x, bound, bound + bound.dtype.type(1))
    check_row("aten.clamp.Tensor", x, bound, bound - bound.dtype.type(1))
    check_row("aten.clamp_min.Tensor", x, bound)
    check_row("aten.clamp_max.Tensor", x, bound)
    check_row("aten.maximum.default", x, bound)
    check_row("aten.minimum.default", x, bound)


def test_slopes_at_a_bound() -> None:
    x = np.array([-1.0, 0.0, 1.0, 2.0])
    check_row("aten.clamp.default", x, 0, 1)
    check_row("aten.maximum.default", x, np.zeros(4))
    check_row("aten.minimum.default", x, np.zeros(4))


@settings(max_examples=30, deadline=None)
@given(shapes=pairs(), dtypes=st.tuples(*[st.sampled_from(["float32", "int64", "uint8", "bool"])] * 2))
def test_comparisons(shapes: Any, dtypes: Any) -> None:
    x, other = (noise(*shape, seed=n, dtype=dtypes[n]) for n, shape in enumerate(shapes))
    for op in RESULTS:
        check_row(f"aten.{op}.Tensor", x, other)
        check_row(f"aten.{op}.Scalar", x, 1)
    for op in ("and", "or", "xor"):
        check_row(f"aten.logical_{op}.default", x, other)
    check_row("aten.logical_not.default", x)
    if "float32" not in dtypes:
        for op in ("and", "or", "xor"):
            check_row(f"aten.bitwise_{op}.Tensor", x, other)
        check_row("aten.bitwise_not.default", x)


@settings(max_examples=30, deadline=None)
@given(
    shapes=pairs(), dtypes=st.tuples(*[st.sampled_from(["float32", "float64", "int64"])] * 2), seed=st.integers(0, 9)
)
def test_choices(shapes: Any, dtypes: Any, seed: int) -> None:
    x, other = (noise(*shape, seed=seed + n, dtype=dtypes[n]) for n, shape in enumerate(shapes))
    condition = noise(*shapes[0], seed=seed + 7, dtype="bool")
    check_row("aten.where.self", condition, x, other)
    check_row("aten.where.ScalarOther", condition, x, 2)
    check_row("aten.where.ScalarSelf", condition, 2.5, other)
    check_row("aten.masked_fill.Scalar", other, condition, -3)
    check_row("aten.masked_fill.Tensor", other, condition, np.asarray(2, other.dtype))


def test_what_is_no_number() -> None:
    for op in ("isnan", "isinf", "isfinite"):
        check_row(f"aten.{op}.default", ENDS)
    for op in RESULTS:
        check_row(f"aten.{op}.Tensor", ENDS, ENDS[::-1])
    check_row("aten.maximum.default", ENDS, ENDS[::-1], gradients=False)
    check_row("aten.masked_fill.Scalar", noise(3, dtype="float32"), noise(3, dtype="bool"), -np.inf)
    check_row("aten.masked_fill.Scalar", noise(3, dtype="int64"), noise(3, dtype="bool"), 1.5)
    check_row("aten.round.decimals", noise(40, dtype="float32"), decimals=2)


def test_by_hand() -> None:
    assert power(2, np.array([10])).tolist() == [1024]
    assert rsqrt(np.array([0.25, 0.0])).tolist() == [2.0, np.inf]
    assert np.isnan(log(np.array([-1.0]))).all()
    assert clamp(np.array([5]), 3, 2).tolist() == [2]


def test_what_is_refused() -> None:
    check_refusal("aten.neg.default", noise(3, dtype="bool"), match="truth values")
    check_refusal("aten.clamp.default", noise(3), match="at least one bound")
    check_refusal("aten.pow.Tensor_Scalar", noise(3, dtype="int64"), -1, match="exponent of at least 0")
    check_refusal("aten.bitwise_not.default", noise(3), match="whole numbers or truth values")
    check_refusal("aten.masked_fill.Scalar", noise(3), noise(3), 1, match="mask wants truth values")
    check_refusal("aten.masked_fill.Scalar", noise(3, dtype="int32"), noise(3, dtype="bool"), 1 << 40, match="can hold")
    check_refusal("aten.where.self", noise(3, dtype="bool"), noise(2), noise(3), match="do not fit")
    check_refusal("aten.where.self", noise(3), noise(3), noise(3), match="condition wants truth values")
