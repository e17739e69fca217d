"""Binary cross entropy and Kullback-Leibler divergence: by hand, against torch, at sure mistakes, and refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.graph.table import TABLE
from photosite.ops.activation import log_softmax, sigmoid, softmax
from photosite.ops.binary_loss import binary_cross_entropy, binary_cross_entropy_with_logits, kl_div
from photosite.ops.loss import cross_entropy_loss
from tests.ops.partial import check_row_for
from tests.ops.rows import check_refusal, check_row, noise

BCE, LOGITS, KL = (
    f"aten.{op}.default" for op in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div")
)
FLOATS = st.sampled_from(["float32", "float64"])
SHAPES = st.lists(st.integers(1, 4), max_size=3).map(tuple)
REDUCTIONS = st.integers(0, 2)


def shares(*shape: int, seed: int, dtype: str = "float64") -> np.ndarray:
    """Probabilities, none of them 0 or 1."""
    return sigmoid(noise(*shape, seed=seed, dtype=dtype))


def _slopes(op: str, grad: np.ndarray, *args: Any) -> tuple[Any, ...]:
    """The gradients of a row."""
    row = TABLE[op]
    assert row.vjp is not None
    found: tuple[Any, ...] = row.vjp(grad, row.value(*args), *args)
    return found


@settings(max_examples=60, deadline=None)
@given(
    shape=SHAPES, dtype=FLOATS, reduction=REDUCTIONS, weighs=st.booleans(), counts_yes=st.booleans(),
    seed=st.integers(100, 199),
)  # fmt: skip
def test_binary_cross_entropy(
    shape: tuple[int, ...], dtype: str, reduction: int, weighs: bool, counts_yes: bool, seed: int
) -> None:
    target = shares(*shape, seed=seed, dtype=dtype)
    weight = np.abs(noise(*shape[-1:], seed=2, dtype=dtype)) if weighs else None
    x = noise(*shape, seed=seed + 100, dtype=dtype)
    check_row_for(BCE, {0, 1}, sigmoid(x), target, weight, reduction)
    of_yes = np.abs(noise(*shape[-1:], seed=3, dtype=dtype)) if counts_yes else None
    check_row_for(LOGITS, {0, 1}, x, target, weight, of_yes, reduction)


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, dtype=FLOATS, reduction=REDUCTIONS, log_target=st.booleans(), seed=st.integers(100, 199))
def test_divergence(shape: tuple[int, ...], dtype: str, reduction: int, log_target: bool, seed: int) -> None:
    x, target = noise(*shape, seed=seed, dtype=dtype), shares(*shape, seed=seed + 100, dtype=dtype)
    check_row(KL, x, np.log(target) if log_target else target, reduction, log_target=log_target)


def test_shapes_that_fit() -> None:
    check_row(LOGITS, noise(4), shares(2, 4, seed=1), gradients=False)  # torch cannot go back
    x, target, grad = noise(4), shares(2, 4, seed=1), np.array(2.0)
    alone, beside = (_slopes(LOGITS, grad, part, target) for part in (x, np.broadcast_to(x, (2, 4))))
    np.testing.assert_allclose(alone[0], beside[0].sum(0), rtol=1e-14)
    np.testing.assert_array_equal(alone[1], beside[1])
    check_row_for(LOGITS, {0, 1}, noise(2, 4), shares(2, 4, seed=1), noise(2, 1), noise(4))
    check_row(KL, noise(2, 4), shares(4, seed=1))
    check_row(KL, noise(2, 1), shares(3, seed=1), 0)
    check_row(BCE, shares(6, 4, seed=2)[::-2].T, shares(4, 3, seed=1))


def test_by_hand() -> None:
    x, target = np.array([0.5, 0.25, 0.25]), np.array([1.0, 1.0, 0.0])
    each = np.log([2, 4, 4 / 3])
    np.testing.assert_allclose(binary_cross_entropy(x, target, None, 0), each, rtol=1e-15)
    np.testing.assert_allclose(binary_cross_entropy(x, target), each.mean(), rtol=1e-15)
    logits = np.log(x / (1 - x))
    found = binary_cross_entropy_with_logits(logits, target, None, np.array([3.0]), 0)
    np.testing.assert_allclose(found, each * [3, 3, 1], rtol=1e-15)
    # a divergence of two bits less one, in bits
    found = kl_div(np.log([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5]), 2) / np.log(2)
    np.testing.assert_allclose(found, 0.25 * -1 + 0 + 0.5 * 1, rtol=1e-15)


def test_laws() -> None:
    x = noise(20) * 3
    target = shares(20, seed=1)
    two = np.stack([np.zeros(20), x], 1)  # a sigmoid is a softmax of two classes, of which one has the logit 0
    with_logits = binary_cross_entropy_with_logits(x, target, None, None, 0)
    np.testing.assert_allclose(with_logits, cross_entropy_loss(two, np.stack([1 - target, target], 1), None, 0))
    np.testing.assert_allclose(with_logits, binary_cross_entropy(sigmoid(x), target, None, 0), rtol=1e-12)
    a, b = noise(4, 5), noise(4, 5, seed=1)
    divergence = kl_div(log_softmax(a, 1), softmax(b, 1), 0).sum(1)
    assert (divergence > 0).all()
    np.testing.assert_allclose(kl_div(log_softmax(a, 1), softmax(a, 1), 0), 0, atol=1e-15)
    np.testing.assert_allclose(kl_div(log_softmax(a, 1), log_softmax(b, 1), 0, True).sum(1), divergence, rtol=1e-13)


def test_sure_mistakes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sure = np.array([0.0, 1.0, 0.0, 1.0, 0.3])
        # torch has the least variance in float32
        check_row(BCE, sure, np.array([1.0, 0.0, 0.0, 1.0, 0.5]), None, 0, tolerance=1e-8)
        far = np.array([-np.inf, -1e30, -1000, 1000, 1e30, np.inf])
        check_row_for(LOGITS, {0, 1}, far, np.array([1.0, 1, 1, 0, 0, 0]), None, None, 0)
        check_row_for(LOGITS, {0, 1}, far[1:-1], np.array([0.0, 0, 1, 1]), None, None, 0)
        check_row(KL, noise(3), np.array([0.0, 0.5, -0.5]), 0)
        check_row(KL, np.array([-np.inf, 0.0]), np.array([0.0, 1.0]), 0)
        check_row(KL, np.array([-np.inf, 0.0]), np.array([-np.inf, 1.0]), 0, log_target=True)


@pytest.mark.parametrize("op", [BCE, LOGITS, KL])
def test_nothing_and_half(op: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_row(op, shares(0, seed=1), shares(0, seed=2), gradients=False)
    # torch rounds each step in half precision
    check_row(op, shares(3, seed=1, dtype="float16"), shares(3, seed=2, dtype="float16"), tolerance=5e-3)
    if op != BCE:
        # torch takes the logarithm before it widens
        check_row(op, shares(3, seed=1, dtype="float32"), shares(3, seed=2), gradients=False, tolerance=1e-7)


def test_refusals() -> None:
    x, target = shares(2, 4, seed=1), shares(2, 4, seed=2)
    check_refusal(BCE, x + 1, target, match=r"x wants values in \[0, 1\]")
    check_refusal(BCE, x, target * 9, match="target wants values")
    check_refusal(BCE, x * np.nan, target, match="x wants values")
    check_refusal(BCE, x, target.astype(np.float32), match="dtype of x, float64")
    check_refusal(BCE, x, shares(3, seed=1), match="2 × 4, 3")
    check_refusal(LOGITS, x, target[0], match="x wants to fit target 4, has 2 × 4")
    check_refusal(LOGITS, x, target.astype(np.int64), match="target: wants real")
    for op in (BCE, LOGITS):
        check_refusal(op, x[0], target[0], noise(2, 4), match="weight wants to fit 4, has 2 × 4")
        check_refusal(op, noise(2, dtype="int64"), noise(2, dtype="int64"), match="int64")
    check_refusal(LOGITS, x[0], target[0], None, noise(2, 4), match="pos_weight wants to fit 4")
    check_refusal(KL, x, shares(3, seed=1), match="2 × 4, 3")
    check_refusal(KL, x, noise(4, dtype="int64"), match="int64")
    for function in (binary_cross_entropy, kl_div):
        with pytest.raises(RangeError, match=r"0 \(none\), 1 \(mean\) or 2 \(sum\), got 3"):
            function(x, target, reduction=3)
