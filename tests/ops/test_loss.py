"""Cross entropy and negative log likelihood: by hand, against torch, with classes ignored and weighed, and refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.graph.table import TABLE
from photosite.ops.activation import log_softmax, softmax
from photosite.ops.loss import cross_entropy_loss, nll_loss
from tests.ops.partial import check_row_for
from tests.ops.rows import check_refusal, check_row, noise

CE, NLL = "aten.cross_entropy_loss.default", "aten.nll_loss_nd.default"
FLOATS = st.sampled_from(["float32", "float64"])
SIDES = st.lists(st.integers(1, 4), max_size=3)
REDUCTIONS = st.integers(0, 2)


def classes(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """A class for each pixel."""
    return np.asarray(np.random.default_rng(seed).integers(0, count, shape))


def class_weights(count: int, dtype: str) -> np.ndarray:
    """A weight above 0 for each class."""
    return np.abs(noise(count, seed=5, dtype=dtype)) + np.asarray(0.5, dtype)


def shape_of(batch: int | None, count: int, sides: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of logits and of a class for each pixel."""
    return ((count,), ()) if batch is None else ((batch, count, *sides), (batch, *sides))


@settings(max_examples=80, deadline=None)
@given(
    batch=st.one_of(st.none(), st.integers(1, 3)), count=st.integers(1, 5), sides=SIDES, dtype=FLOATS,
    reduction=REDUCTIONS, weighs=st.booleans(), ignore=st.sampled_from([-100, 0, 1]), seed=st.integers(0, 99),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
)  # fmt: skip
def test_class_numbers(
    batch: int | None, count: int, sides: list[int], dtype: str, reduction: int, weighs: bool, ignore: int, seed: int,
    smoothing: float,
) -> None:  # fmt: skip
    shape, pixels = shape_of(batch, count, sides)
    x, target = noise(*shape, seed=seed + 100, dtype=dtype), classes(pixels, count, seed)
    weight = class_weights(count, dtype) if weighs else None
    check_row_for(NLL, {0}, x, target, weight, reduction, ignore)
    check_row_for(CE, {0}, x, target, weight, reduction, ignore, smoothing)
    if len(shape) == 4:
        check_row_for("aten.nll_loss2d.default", {0}, x, target, weight, reduction, ignore)
    if len(shape) < 3:
        check_row_for("aten.nll_loss.default", {0}, x, target, weight, reduction, ignore)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.one_of(st.none(), st.integers(1, 3)), count=st.integers(1, 5), sides=SIDES, dtype=FLOATS,
    reduction=REDUCTIONS, weighs=st.booleans(), smoothing=st.sampled_from([0.0, 0.1]), seed=st.integers(0, 99),
)  # fmt: skip
def test_probabilities(
    batch: int | None, count: int, sides: list[int], dtype: str, reduction: int, weighs: bool, smoothing: float,
    seed: int,
) -> None:  # fmt: skip
    shape, _ = shape_of(batch, count, sides)
    x = noise(*shape, seed=seed + 100, dtype=dtype)
    target = softmax(noise(*shape, seed=seed + 200, dtype=dtype), 0 if batch is None else 1)
    weight = class_weights(count, dtype) if weighs else None
    check_row(CE, x, target, weight, reduction, -100, smoothing)


def test_by_hand() -> None:
    # of two classes with logits 0 and log 3, softmax gives 1/4 and 3/4
    x = np.log([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]])
    target, weight = np.array([0, 1, 1]), np.array([1.0, 3.0])
    each = np.log([4, 4 / 3, 4 / 3])
    np.testing.assert_allclose(cross_entropy_loss(x, target, None, 0), each, rtol=1e-15)
    np.testing.assert_allclose(cross_entropy_loss(x, target), each.mean(), rtol=1e-15)
    np.testing.assert_allclose(cross_entropy_loss(x, target, weight), (each * [1, 3, 3]).sum() / 7, rtol=1e-15)
    np.testing.assert_allclose(cross_entropy_loss(x, target, None, 2, ignore_index=0), each[1:].sum(), rtol=1e-15)
    even = (np.log(4) + np.log(4 / 3)) / 2
    smooth = cross_entropy_loss(x, target, None, 0, label_smoothing=0.5)
    np.testing.assert_allclose(smooth, (each + even) / 2, rtol=1e-15)
    assert nll_loss(x, target, None, 2).tolist() == pytest.approx(-2 * np.log(3))


def test_the_slope_is_softmax_less_the_target() -> None:
    x, target = noise(4, 3), classes((4,), 3, 0)
    wanted = np.eye(3)[target]
    vjp = TABLE[CE].vjp
    assert vjp is not None
    found = vjp(np.array(1.0), cross_entropy_loss(x, target, None, 2), x, target, None, 2)[0]
    np.testing.assert_allclose(found, softmax(x, 1) - wanted, rtol=1e-12, atol=1e-15)
    found = vjp(np.array(1.0), cross_entropy_loss(x, wanted, None, 2), x, wanted, None, 2)[0]
    np.testing.assert_allclose(found, softmax(x, 1) - wanted, rtol=1e-12, atol=1e-15)


def test_forms_agree() -> None:
    x, target = noise(4, 3, 5), classes((4, 5), 3, 0)
    as_shares = np.moveaxis(np.eye(3)[target], -1, 1)
    for reduction in (0, 1, 2):
        by_number = cross_entropy_loss(x, target, None, reduction, label_smoothing=0.2)
        np.testing.assert_allclose(by_number, nll_loss(log_softmax(x, 1), target, None, reduction) * 0.8 + (
            -0.2 / 3 * (lambda each: (each, each.mean(), each.sum())[reduction])(log_softmax(x, 1).sum(1))
        ), rtol=1e-13)  # fmt: skip
        by_share = cross_entropy_loss(x, as_shares, None, reduction, label_smoothing=0.2)
        np.testing.assert_allclose(by_number, by_share, rtol=1e-13)


@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_nothing_that_counts(reduction: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ones = np.ones(3, np.int64)
        for smoothing in (0.0, 0.1):
            check_row_for(CE, {0}, noise(3, 4), ones, None, reduction, 1, smoothing)
            check_row_for(CE, {0}, noise(3, 4), ones, noise(4), reduction, 1, smoothing)
        check_row(CE, noise(0, 4), np.zeros(0, np.int64), None, reduction)
        check_row(CE, noise(0, 4), noise(0, 4), None, reduction)
        check_row_for(NLL, {0}, noise(3, 4), ones, np.zeros(4), reduction)
        check_row(NLL, noise(0, 4), np.zeros(0, np.int64), None, reduction, gradients=False)


def test_dtypes() -> None:
    target = classes((3,), 4, 0)
    check_row(CE, noise(3, 4), target.astype(np.uint8))
    half, tolerance = noise(3, 4, dtype="float16"), 5e-3  # torch rounds between log_softmax and the mean
    check_row(CE, half, target, tolerance=tolerance)
    check_row(CE, half, softmax(noise(3, 4, seed=1, dtype="float16"), 1), tolerance=tolerance)
    check_row(CE, noise(3, 4, dtype="float32"), softmax(noise(3, 4), 1), gradients=False)
    check_row(CE, noise(6, 4)[::-2], classes((6,), 4, 1)[::-2])
    check_row(CE, np.array([[-1e30, 0.0, 1000.0], [-np.inf, 0.0, 1.0]]), np.array([1, 2]))


def test_one_target_in_a_list() -> None:
    check_row("aten.nll_loss.default", noise(4), np.array([2]), gradients=False)  # torch cannot go back


def test_refusals() -> None:
    x, target = noise(3, 4), classes((3,), 4, 0)
    refusals: list[tuple[tuple[Any, ...], str]] = [
        ((x, np.array([0, 1, 4])), "classes 0 … 3, got 4"),
        ((x, np.array([0, 1, -1])), "got -1"),
        ((x, target[:2]), r"target wants 3 \(x without its classes\), has 2; x 3 × 4"),
        ((noise(2, 3, 4, 5), np.zeros((2, 5, 5), np.int64)), "wants 2 × 4 × 5"),
        ((x, target.astype(np.int32)), "int64 or uint8.*int32"),
        ((x, target.astype(np.float64)), "float64"),
        ((x, target, noise(3)), "each of 4 classes, has 3"),
        ((x, target, noise(4, dtype="float32")), "dtype of x, float64"),
        ((noise(3, 4, dtype="int64"), target), "int64"),
    ]
    for op in (CE, NLL):
        for args, words in refusals:
            check_refusal(op, *args, match=words)
    check_refusal("aten.nll_loss.default", noise(), np.zeros((), np.int64), match="has scalar")
    check_refusal(CE, x, target, None, 1, -100, 1.5, match="between 0 and 1, got 1.5")
    check_refusal(CE, x, softmax(x, 1), None, 1, 2, match="no class to ignore")
    check_refusal(CE, x, np.zeros((3, 4), np.int64), match="target of x's shape.*int64")
    check_refusal(CE, x, softmax(x, 1), noise(3), match="each of 4 classes")
