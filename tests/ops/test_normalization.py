"""Norms within each picture: by hand, against torch, far from 0, their laws, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError
from photosite.graph.table import TABLE
from photosite.ops.normalization import (
    group_norm,
    layer_norm,
    local_response_norm,
    local_response_norm_vjp,
    native_group_norm,
    rms_norm,
)
from tests.ops.partial import check_row_for
from tests.ops.rows import assert_near, check_refusal, check_row, noise

FLOATS = st.sampled_from(["float32", "float64"])
EPS = st.sampled_from([1e-5, 1e-2])
# Mean and deviation take two directions out of a gradient. Of three values almost nothing may be left, with few digits.
SIDES = st.integers(6, 8)
FAR = 100.0  # mean 100, deviation 1: float32 keeps x to 4e-6, so a result to that much
# Seeds from 100 on: with the seed of the gradient, 1, x would be the gradient, and nothing but rounding would be left.
SEEDS = st.integers(100, 199)


def parameters(shape: tuple[int, ...], kinds: str, dtype: str) -> list[np.ndarray | None]:
    """Weight and bias, those named in `kinds`."""
    return [noise(*shape, seed=n, dtype=dtype) if kind in kinds else None for n, kind in enumerate("wb", 1)]


KINDS = st.sampled_from(["", "w", "b", "wb"])


@settings(max_examples=40, deadline=None)
@given(
    before=st.lists(st.integers(1, 4), max_size=3), sides=st.lists(SIDES, min_size=1, max_size=2),
    kinds=KINDS, dtype=FLOATS, eps=EPS, seed=SEEDS,
)  # fmt: skip
def test_layer_norm(before: list[int], sides: list[int], kinds: str, dtype: str, eps: float, seed: int) -> None:
    shape = tuple(sides)
    x = noise(*before, *sides, seed=seed, dtype=dtype)
    weight, bias = parameters(shape, kinds, dtype)
    if kinds == "b":  # torch cannot go back through a bias without a weight
        check_row("aten.layer_norm.default", x, shape, weight, bias, eps, False, gradients=False)
        check_row("aten.native_layer_norm.default", x, list(shape), weight, bias, eps, gradients=False)
        return
    wanted = {0, *(number for number, parameter in ((2, weight), (3, bias)) if parameter is not None)}
    check_row_for("aten.layer_norm.default", wanted, x, shape, weight, bias, eps, False)
    check_row_for("aten.native_layer_norm.default", wanted, x, list(shape), weight, bias, eps)
    check_row_for("aten.rms_norm.default", wanted - {3}, x, shape, weight, eps)
    check_row_for("aten.rms_norm.default", wanted - {3}, x, shape, weight)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 3), groups=st.integers(1, 3), each=st.integers(1, 3), sides=st.lists(SIDES, max_size=2),
    kinds=KINDS, dtype=FLOATS, eps=EPS, seed=SEEDS,
)  # fmt: skip
def test_group_norm(
    batch: int, groups: int, each: int, sides: list[int], kinds: str, dtype: str, eps: float, seed: int
) -> None:
    channels = groups * (each if sides else each + 5)
    x = noise(batch, channels, *sides, seed=seed, dtype=dtype)
    weight, bias = parameters((channels,), kinds, dtype)
    gradients = kinds != "b"  # as in test_layer_norm
    check_row("aten.group_norm.default", x, groups, weight, bias, eps, False, gradients=gradients)
    area = int(np.prod(sides))
    check_row(
        "aten.native_group_norm.default", x, weight, bias, batch, channels, area, groups, eps, gradients=gradients
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_from_zero(dtype: str) -> None:
    for shape in ((64, 48), (4, 6, 9, 9)):
        x = (noise(*shape) + FAR).astype(dtype)
        channels = noise(shape[1], seed=1, dtype=dtype)
        check_row("aten.layer_norm.default", x, shape[-1:], noise(shape[-1], seed=2, dtype=dtype), None)
        check_row("aten.native_layer_norm.default", x, shape[1:], None, None, 1e-5)
        check_row("aten.group_norm.default", x, 3, channels, channels)
        check_row("aten.rms_norm.default", x, shape[-1:], noise(shape[-1], seed=2, dtype=dtype))
    # a mean of squares less a square of the mean would keep 100² + 1 - 100² to 1e-3 in float32: here it is exact
    x = np.array([[FAR - 1, FAR + 1]] * 2, np.float32)
    np.testing.assert_array_equal(layer_norm(x, (2,), eps=0.0), [[-1, 1]] * 2)


def test_by_hand() -> None:
    x = np.array([[[1.0, 3], [5, 7]], [[2, 2], [2, 6]]])  # (B, C, W) = (2, 2, 2)
    assert layer_norm(x, (2,), eps=0.0)[0].tolist() == [[-1, 1], [-1, 1]]
    assert layer_norm(x, (2,), np.array([2.0, 3]), np.array([10.0, 20]), 0.0)[0].tolist() == [[8, 23], [8, 23]]
    # over all four values of the first picture: mean 4, deviations -3 -1 1 3, variance 5
    np.testing.assert_allclose(group_norm(x, 1, eps=0.0)[0] * np.sqrt(5), [[-3, -1], [1, 3]], rtol=1e-15)
    # of the second: mean 3, deviations -1 -1 -1 3, variance 3; each channel has its own scale
    found = group_norm(x, 1, np.array([1.0, 2]), np.array([0.0, 1]), 0.0)[1]
    np.testing.assert_allclose(found, np.array([[-1, -1], [-2, 6]]) / np.sqrt(3) + [[0], [1]], rtol=1e-15)
    found = rms_norm(np.array([1.0, 7, 5, 5]), (4,), np.array([5.0, 5, 1, 2]), 0.0)  # squares 1 49 25 25, mean 25
    np.testing.assert_allclose(found, [1, 7, 1, 2], rtol=1e-15)


def test_groups_between_layer_and_instance() -> None:
    x = noise(2, 6, 4, 5)
    np.testing.assert_allclose(group_norm(x, 1), layer_norm(x, (6, 4, 5)), rtol=1e-12)
    np.testing.assert_allclose(group_norm(x, 6), layer_norm(x, (4, 5)), rtol=1e-12)
    centered = x - x.mean(-1, keepdims=True)
    np.testing.assert_allclose(rms_norm(centered, (5,), eps=1e-5), layer_norm(x, (5,)), rtol=1e-12)


def test_brightness_and_contrast_do_not_matter() -> None:
    x = noise(3, 7)
    np.testing.assert_allclose(layer_norm(3 * x + 5, (7,), eps=0.0), layer_norm(x, (7,), eps=0.0), rtol=1e-12)
    np.testing.assert_allclose(rms_norm(3 * x, (7,), eps=0.0), rms_norm(x, (7,), eps=0.0), rtol=1e-12)
    # so nothing flows back along brightness, and (but for eps) along contrast
    vjp = TABLE["aten.layer_norm.default"].vjp
    assert vjp is not None
    of_x = vjp(noise(3, 7, seed=1), layer_norm(x, (7,), eps=0.0), x, (7,), None, None, 0.0)[0]
    np.testing.assert_allclose(of_x.sum(-1), 0, atol=1e-13)
    np.testing.assert_allclose((of_x * x).sum(-1), 0, atol=1e-13)


def test_a_bias_needs_no_weight() -> None:
    x, bias, grad = noise(2, 4, 3), noise(3), noise(2, 4, 3, seed=1)
    for op, first in (("aten.layer_norm.default", (3,)), ("aten.group_norm.default", 2)):
        sides = 3 if op == "aten.layer_norm.default" else 4
        bias, vjp = noise(sides), TABLE[op].vjp
        assert vjp is not None
        alone = vjp(grad, TABLE[op].value(x, first, None, bias), x, first, None, bias)
        beside = vjp(grad, TABLE[op].value(x, first, np.ones(sides), bias), x, first, np.ones(sides), bias)
        assert alone[2] is None
        for number in (0, 3):
            np.testing.assert_array_equal(alone[number], beside[number])


def test_half_precision() -> None:
    half, single = noise(3, 4, 6, dtype="float16"), noise(6, dtype="float32")
    channels = noise(4, dtype="float32")
    # torch sums the gradients of half precision in half precision
    for weight in (single, single.astype(np.float16), None):
        check_row("aten.layer_norm.default", half, (6,), weight, weight, tolerance=1e-2)
        check_row("aten.native_layer_norm.default", half, (6,), weight, None, 1e-5, tolerance=1e-2)
    check_row("aten.rms_norm.default", half, (6,), single.astype(np.float16), tolerance=1e-2)
    check_row("aten.rms_norm.default", half, (6,), single, gradients=False)
    check_row("aten.rms_norm.default", noise(3, 6, dtype="float32"), (6,), noise(6), gradients=False)
    for weight in (channels, channels.astype(np.float16)):
        check_row("aten.group_norm.default", half, 2, weight, weight, tolerance=1e-2)
        check_row("aten.native_group_norm.default", half, weight, None, 3, 4, 6, 2, 1e-5, gradients=False)
    check_row("aten.rms_norm.default", np.full((1, 4), 0.01, np.float16), (4,), gradients=False)  # whose eps?


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_to_average_and_no_contrast(dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_row("aten.layer_norm.default", noise(0, 4, dtype=dtype), (4,))
        check_row("aten.layer_norm.default", noise(2, 0, dtype=dtype), (0,), gradients=False)
        check_row("aten.rms_norm.default", noise(0, 4, dtype=dtype), (4,))
        check_row("aten.rms_norm.default", noise(2, 0, dtype=dtype), (0,), gradients=False)
        check_row("aten.group_norm.default", noise(0, 4, 3, dtype=dtype), 2)
        check_row("aten.group_norm.default", noise(2, 4, 0, dtype=dtype), 2, gradients=False)
        check_row("aten.layer_norm.default", np.full((2, 4), 3, dtype), (4,))
        check_row("aten.rms_norm.default", np.zeros((2, 4), dtype), (4,))
        check_row("aten.layer_norm.default", noise(3, 1, dtype=dtype), (1,))
        check_row("aten.layer_norm.default", noise(5, 6, dtype=dtype)[::-1, ::2], (3,))
        check_row("aten.group_norm.default", noise(5, 4, 2, dtype=dtype).T, 1)


def test_statistics_get_gradients_in_group_norm_alone() -> None:
    vjp = TABLE["aten.native_group_norm.default"].vjp
    assert vjp is not None
    x, options = noise(2, 4, 3), (None, None, 2, 4, 3, 2, 1e-5)
    _, mean, inverse = native_group_norm(x, *options)
    peer = torch.from_numpy(x).requires_grad_()
    theirs = torch.ops.aten.native_group_norm(peer, *options)
    grad: list[Any] = [np.zeros_like(x), noise(2, 2, seed=1), noise(2, 2, seed=2)]
    (wanted,) = torch.autograd.grad(theirs, peer, [torch.from_numpy(part) for part in grad])  # torch wants all three
    assert_near(vjp([None, *grad[1:]], (None, mean, inverse), x, *options)[0], wanted, None, "x")
    layer = TABLE["aten.native_layer_norm.default"].vjp
    assert layer is not None
    assert layer([None, x, x], (x, x, x), x, (3,), None, None, 1e-5) == (None,) * 4


def test_refusals() -> None:
    x = noise(2, 4, 3)
    for op in ("aten.layer_norm.default", "aten.rms_norm.default"):
        check_refusal(op, x, (4,), match="end with normalized_shape 4, has 2 × 4 × 3")
        check_refusal(op, x, (), match="empty")
        check_refusal(op, noise(3), (4, 3), match="4 × 3, has 3")
        check_refusal(op, x, (3,), noise(1), match="weight wants 3, has 1; x 2 × 4 × 3")
        check_refusal(op, noise(2, 3, dtype="int64"), (3,), match="int64")
    check_refusal("aten.layer_norm.default", x, (3,), noise(3), noise(4), match="bias wants 3")
    check_refusal("aten.layer_norm.default", x, (3,), noise(3, dtype="float32"), match="dtype of x, float64")
    check_refusal("aten.group_norm.default", x, 3, match="divisor of the 4 channels, got 3")
    check_refusal("aten.group_norm.default", x, 0, match="got 0")
    check_refusal("aten.group_norm.default", x, 2, noise(3), match="weight wants 4, has 3")
    check_refusal("aten.group_norm.default", noise(4), 2, match=r"\(B, C, ...\), has 4")
    check_refusal("aten.native_group_norm.default", x, None, None, 2, 4, 2, 2, 1e-5, match=r"2 \* 4 \* 2 values")


# --- local response norm ----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=3, max_size=5), size=st.integers(1, 9), dtype=FLOATS,
    options=st.sampled_from([(), (0.5, 0.75, 2.0), (1.0, 0.5, 1.0)]), seed=SEEDS,
)  # fmt: skip
def test_local_response_norm(shape: list[int], size: int, dtype: str, options: tuple[float, ...], seed: int) -> None:
    x = noise(*shape, seed=seed, dtype=dtype)
    peer = torch.from_numpy(x.copy()).requires_grad_()
    theirs = torch.nn.functional.local_response_norm(peer, size, *options)
    ours = local_response_norm(x, size, *options)
    assert_near(ours, theirs, None, "value")
    grad = noise(*shape, seed=seed + 1, dtype=dtype)
    (wanted,) = torch.autograd.grad(theirs, peer, torch.from_numpy(grad))
    assert_near(local_response_norm_vjp(grad, ours, x, size, *options)[0], wanted, None, "gradient")


def test_local_response_norm_by_hand() -> None:
    # squares 1 4 9 16; windows of two, the own channel and the one below: 1 5 13 25, of which the mean is a half
    x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    wanted = x.ravel() / np.array([1, 5, 13, 25])
    np.testing.assert_allclose(local_response_norm(x, 2, 2.0, 1.0, 0.0).ravel(), wanted, rtol=1e-15)


def test_local_response_norm_refuses() -> None:
    with pytest.raises(ShapeError, match="three axes or more, has 2 × 3"):
        local_response_norm(noise(2, 3), 2)
    with pytest.raises(RangeError, match="at least 1, got 0"):
        local_response_norm(noise(2, 3, 4), 0)
