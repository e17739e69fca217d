"""Smooth activations and softmax: by hand, against torch in values and slopes, at the ends of the number line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.ops.activation import glu, inner_softmax, log_sigmoid, log_softmax, sigmoid, silu, softmax, softplus
from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
FLOATS = st.sampled_from(["float32", "float64", "float16"])
ENDS = np.array([-np.inf, -1e30, -200.0, -3.0, -0.0, 0.0, 1e-30, 0.5, 3.0, 6.0, 200.0, 1e30, np.inf, np.nan])

SMOOTH = {
    "aten.gelu.default": [{}, {"approximate": "tanh"}],
    "aten.log_sigmoid.default": [{}],
    "aten.mish.default": [{}],
    "aten.relu.default": [{}],
    "aten.sigmoid.default": [{}],
    "aten.silu.default": [{}],
    "aten.softplus.default": [{}, {"beta": 2.5, "threshold": 3.0}],
    "aten.special_expit.default": [{}],
    "aten.tanh.default": [{}],
}
ALONG_AN_AXIS = {
    "aten._log_softmax.default": (False,),
    "aten._softmax.default": (False,),
    "aten.log_softmax.int": (),
    "aten.softmax.int": (),
    "aten.special_log_softmax.default": (),
    "aten.special_softmax.default": (),
}
WHOLE_BECOME_REAL = ("aten.sigmoid.default", "aten.special_expit.default", "aten.tanh.default")


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), dtype=FLOATS)
@pytest.mark.parametrize("op", SMOOTH)
def test_values_and_slopes(op: str, shape: tuple[int, ...], seed: int, dtype: str) -> None:
    # torch rounds to half precision between the steps of some gradients, we only at the end
    tolerance = 5e-3 if dtype == "float16" else None
    for options in SMOOTH[op]:
        # beyond 3, what a sigmoid or tanh leaves of 1 has too few digits in float32 to compare its slope alone
        x = (3 * noise(*shape, seed=seed)).clip(-3, 3).astype(dtype)
        check_row(op, x, tolerance=tolerance, **options)


@pytest.mark.parametrize("op", SMOOTH)
def test_at_the_ends_of_the_number_line(op: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in SMOOTH[op]:
            check_row(op, ENDS, gradients=False, **options)
            check_row(op, np.array([-1e38, -100, 0, 100, 1e38], np.float32), **options)
            check_row(op, ENDS[1:-2], **options)


@pytest.mark.parametrize("op", SMOOTH)
def test_arrays_without_values_or_order(op: str) -> None:
    check_row(op, noise(0, 3))
    check_row(op, noise(4, 6)[::-1, ::2].T)


@pytest.mark.parametrize("op", SMOOTH)
def test_other_kinds_of_numbers(op: str) -> None:
    for dtype in ("int64", "uint8", "bool"):
        whole = noise(2, 3, dtype=dtype)
        if op in WHOLE_BECOME_REAL or (op == "aten.relu.default" and dtype != "bool"):
            check_row(op, whole)
        else:
            check_refusal(op, whole, match=f"wants real.*{dtype}")
    if op not in WHOLE_BECOME_REAL:
        with pytest.raises(RangeError, match="complex64"):  # torch has a complex silu, and nothing captures it
            check_row(op, noise(3).astype(np.complex64))


def test_sums_that_come_out() -> None:
    x = noise(50) * 4
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=1e-15)
    np.testing.assert_allclose(silu(x) - silu(-x), x, rtol=1e-13)  # x s(x) + x s(-x) = x
    np.testing.assert_allclose(softplus(x) - softplus(-x), x, rtol=1e-13)
    np.testing.assert_allclose(log_sigmoid(x), -softplus(-x), rtol=1e-13)


def test_gelu_knows_two_forms() -> None:
    check_refusal("aten.gelu.default", noise(3), approximate="sigmoid", match="tanh")


# --- along an axis ----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, axis=st.integers(-4, 3), seed=st.integers(0, 99), dtype=FLOATS)
@pytest.mark.parametrize("op", ALONG_AN_AXIS)
def test_softmax_along_an_axis(op: str, shape: tuple[int, ...], axis: int, seed: int, dtype: str) -> None:
    axes = max(len(shape), 1)
    dim = (axis + 4) % axes - (axes if axis < 0 else 0)
    tolerance = 5e-3 if dtype == "float16" else None  # torch rounds products in the gradient
    check_row(op, noise(*shape, seed=seed, dtype=dtype), dim, *ALONG_AN_AXIS[op], tolerance=tolerance)


@pytest.mark.parametrize("op", ["aten.softmax.int", "aten.log_softmax.int"])
def test_softmax_in_another_dtype(op: str) -> None:
    check_row(op, noise(2, 3, dtype="float16"), 1, np.dtype("float32"))
    check_row(op, noise(2, 3, dtype="float32"), 1, np.dtype("float64"))
    check_row(op, noise(2, 3, dtype="int64"), 0, np.dtype("float64"))
    check_refusal(op, noise(2, 3), 0, np.dtype("int64"), match="int64")
    check_refusal(op, noise(2, 3, dtype="int64"), 0, match="int64")
    check_refusal(op, noise(2, 3), 2, match="dim wants -2 … 1, got 2")


@pytest.mark.parametrize("op", ["aten.softmax.int", "aten.log_softmax.int"])
def test_softmax_of_extremes(op: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_row(op, np.array([-np.inf, 0.0, 3.0]), 0)
        check_row(op, np.array([[-1e30, 1e30], [1000.0, 1000.0]]), 1)
        check_row(op, np.array([[-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]]), 1, gradients=False)
        check_row(op, np.array([[-3e38, 3e38], [-200.0, 0.0]], np.float32), 1)
    check_row(op, noise(0, 3), 0)
    check_row(op, noise(3, 0), 1)


def test_shares_sum_to_one_and_forget_what_all_have_in_common() -> None:
    x = noise(4, 7)
    np.testing.assert_allclose(softmax(x, 1).sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(x + 1000, 1), softmax(x, 1), rtol=1e-12)  # x + 1000 keeps 13 digits of x
    np.testing.assert_allclose(np.exp(log_softmax(x, 0)), softmax(x, 0), rtol=1e-14)


def test_half_precision_inside_torch_becomes_float32() -> None:
    # torch does this on a GPU alone; the same shares come from softmax with a dtype
    x = noise(3, 4, dtype="float16")
    np.testing.assert_array_equal(inner_softmax(x, 1, True), softmax(x, 1, np.dtype(np.float32)))
    check_refusal("aten._softmax.default", noise(3), 0, True, match="float16")
    check_refusal("aten._log_softmax.default", noise(3), 0, True, match="float16")


@settings(max_examples=25, deadline=None)
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4), axis=st.integers(-4, 3), dtype=FLOATS)
def test_glu(shape: list[int], axis: int, dtype: str) -> None:
    dim = axis % len(shape)
    shape[dim] *= 2
    tolerance = 5e-3 if dtype == "float16" else None  # torch rounds products in the gradient
    check_row("aten.glu.default", noise(*shape, dtype=dtype), dim - len(shape) * (axis < 0), tolerance=tolerance)


def test_glu_by_hand_and_what_it_refuses() -> None:
    assert glu(np.array([[8.0, 0.0], [4.0, -1000.0]]), 1).tolist() == [[4.0], [0.0]]
    check_refusal("aten.glu.default", noise(3), match="even side along dim -1, got 3")
    check_refusal("aten.glu.default", noise(), match="scalar")
    check_refusal("aten.glu.default", noise(2, dtype="int64"), match="int64")
