"""Batch and instance norm: by hand, against torch in training and evaluation, far from 0, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.graph.table import TABLE
from photosite.ops.batch_normalization import batch_norm, batch_norm_functional, instance_norm
from photosite.ops.normalization import group_norm
from tests.ops.partial import check_row_for
from tests.ops.rows import check_refusal, check_row, noise

BATCH, INSTANCE = "aten.batch_norm.default", "aten.instance_norm.default"
FUNCTIONAL = "aten._native_batch_norm_legit_functional.default"
NO_TRAINING = "aten._native_batch_norm_legit_no_training.default"
FLOATS = st.sampled_from(["float32", "float64"])
KINDS = st.sampled_from(["", "w", "b", "wb"])
FAR = 100.0
# Seeds from 100 on: with the seed of the gradient, 1, x would be the gradient, and nothing but rounding would be left.
SEEDS = st.integers(100, 199)


def pieces(channels: int, kinds: str, dtype: str, running: bool = True) -> list[np.ndarray | None]:
    """Weight, bias, running mean and running variance."""
    found = [noise(channels, seed=n, dtype=dtype) if kind in kinds else None for n, kind in enumerate("wb", 1)]
    collected = [noise(channels, seed=3, dtype=dtype), np.abs(noise(channels, seed=4, dtype=dtype)) + 1]
    return [*found, *(collected if running else (None, None))]


def there(args: list[Any]) -> set[int]:
    """The positions of x, weight and bias, those that are there."""
    return {number for number in range(3) if args[number] is not None}


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(6, 8), channels=st.integers(1, 4), sides=st.lists(st.integers(1, 4), max_size=3),
    kinds=KINDS, dtype=FLOATS, eps=st.sampled_from([1e-5, 1e-2]), seed=SEEDS, training=st.booleans(),
)  # fmt: skip
def test_batch_norm(
    batch: int, channels: int, sides: list[int], kinds: str, dtype: str, eps: float, seed: int, training: bool
) -> None:
    x = noise(batch, channels, *sides, seed=seed, dtype=dtype)
    args: list[Any] = [x, *pieces(channels, kinds, dtype)]
    check_row_for(BATCH, there(args), *args, training, 0.1, eps, False)
    check_row_for(FUNCTIONAL, there(args), *args, training, 0.3, eps)
    if training:
        alone = [x, *pieces(channels, kinds, dtype, running=False)]
        check_row_for(BATCH, there(alone), *alone, True, 0.1, eps, False)
    else:
        check_row_for(NO_TRAINING, there(args), *args, 0.1, eps)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3), channels=st.integers(1, 4), sides=st.lists(st.integers(5, 7), min_size=1, max_size=2),
    kinds=KINDS, dtype=FLOATS, running=st.booleans(), own=st.booleans(), seed=SEEDS,
)  # fmt: skip
def test_instance_norm(
    batch: int, channels: int, sides: list[int], kinds: str, dtype: str, running: bool, own: bool, seed: int
) -> None:
    args: list[Any] = [noise(batch, channels, *sides, seed=seed, dtype=dtype)]
    args += pieces(channels, kinds, dtype, running=running or not own)
    check_row_for(INSTANCE, there(args), *args, own, 0.1, 1e-5, False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(512, 3), (4, 6, 16, 16)])
def test_far_from_zero(shape: tuple[int, ...], dtype: str, training: bool) -> None:
    x = (noise(*shape) + FAR).astype(dtype)
    args: list[Any] = [x, *pieces(shape[1], "wb", dtype)]
    args[3] = args[3] + np.asarray(FAR, dtype)
    # torch takes scale * 100 and mean * scale apart in float32 before it subtracts them
    tolerance = 2e-5 if dtype == "float32" else None
    check_row_for(BATCH, {0, 1, 2}, *args, training, 0.1, 1e-5, False, tolerance=tolerance)
    check_row_for(FUNCTIONAL, {0, 1, 2}, *args, training, 0.1, 1e-5, tolerance=tolerance)
    if len(shape) > 2:
        check_row_for(INSTANCE, {0, 1, 2}, *args, training, 0.1, 1e-5, False, tolerance=tolerance)


def test_by_hand() -> None:
    x = np.array([[[1.0, 3], [10, 10]], [[5, 7], [10, 50]]])  # (B, C, W) = (2, 2, 2)
    # channel 0 has 1 3 5 7: mean 4, variance 5; channel 1 has 10 10 10 50: mean 20, variance 300
    weight, bias = np.array([np.sqrt(5), np.sqrt(3)]), np.array([100.0, 0])
    y = batch_norm(x, weight, bias, None, None, True, 0.1, 0.0)
    np.testing.assert_allclose(y, [[[97, 99], [-1, -1]], [[101, 103], [-1, 3]]], rtol=1e-14)
    # with momentum 1/2 from 0 and 1; unbiased variances are 5 * 4/3 and 300 * 4/3
    _, mean, inverse, new_mean, new_variance = batch_norm_functional(
        x, None, None, np.zeros(2), np.ones(2), True, 0.5, 0.0
    )
    assert (mean.tolist(), new_mean.tolist()) == ([4, 20], [2, 10])
    np.testing.assert_allclose(inverse**-2, [5, 300], rtol=1e-14)
    np.testing.assert_allclose(new_variance, [0.5 + 10 / 3, 0.5 + 200], rtol=1e-14)
    # each channel of each picture by itself: 10 10 has no contrast at all
    y = instance_norm(x, None, None, None, None, True, 0.1, 1e-30)
    np.testing.assert_allclose(y, [[[-1, 1], [0, 0]], [[-1, 1], [-1, 1]]], rtol=1e-14)


def test_laws() -> None:
    x = noise(4, 3, 5, 6)
    y = batch_norm(x, None, None, None, None, True, 0.1, 0.0)
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, rtol=1e-13)
    np.testing.assert_allclose(instance_norm(x, None, None, None, None, True, 0.1, 1e-5), group_norm(x, 3), rtol=1e-12)
    # evaluation with the batch's own statistics is training
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    np.testing.assert_allclose(batch_norm(x, None, None, mean, variance, False, 0.1, 0.0), y, rtol=1e-10, atol=1e-13)


def test_running_statistics_are_those_of_torch_after_many_steps() -> None:
    module = torch.nn.BatchNorm2d(3).double()
    mean, variance = np.zeros(3), np.ones(3)
    for step in range(5):
        x = noise(4, 3, 5, 5, seed=step) * (step + 1) + step
        module(torch.from_numpy(x))
        *_, mean, variance = batch_norm_functional(x, None, None, mean, variance, True, 0.1, 1e-5)
    np.testing.assert_allclose(mean, module.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(variance, module.running_var.numpy(), rtol=1e-12)


def test_half_precision() -> None:
    half = noise(4, 3, 5, dtype="float16")
    for dtype in ("float32", "float16"):
        args = pieces(3, "wb", dtype)
        for training in (True, False):
            check_row(BATCH, half, *args, training, 0.1, 1e-5, False, gradients=False)
            check_row(FUNCTIONAL, half, *args, training, 0.1, 1e-5, gradients=False)
            check_row(INSTANCE, half, *args, training, 0.1, 1e-5, False, gradients=False)
        check_row(NO_TRAINING, half, *args, 0.1, 1e-5, gradients=False)


def test_one_value_none_and_no_deviation() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = noise(1, 3)
        check_row(BATCH, one, *pieces(3, "wb", "float64"), True, 0.1, 1e-5, False, gradients=False)
        check_row(FUNCTIONAL, one, *pieces(3, "wb", "float64"), True, 0.1, 1e-5, gradients=False)
        check_row(INSTANCE, one, *pieces(3, "wb", "float64"), True, 0.1, 1e-5, False, gradients=False)
        none = noise(0, 3)
        for training in (True, False):
            check_row(BATCH, none, *pieces(3, "wb", "float64"), training, 0.1, 1e-5, False, gradients=False)
        args = pieces(3, "", "float64")
        args[3] = np.zeros(3)
        check_row(BATCH, noise(2, 3), *args, False, 0.1, 1e-5, False, gradients=False)
        assert np.isnan(batch_norm(np.ones((2, 1)), None, None, None, None, True, 0.1, 0.0)).all()
        check_row(BATCH, noise(4, 3, 6)[::-1, :, ::2], *args, True, 0.1, 1e-5, False, gradients=False)


def test_statistics_have_no_slope() -> None:
    x, args = noise(4, 3), pieces(3, "wb", "float64")
    for op, options in ((FUNCTIONAL, (True, 0.1, 1e-5)), (NO_TRAINING, (0.1, 1e-5))):
        row = TABLE[op]
        assert row.vjp is not None
        result = row.value(x, *args, *options)
        assert row.vjp([None, *result[1:]], result, x, *args, *options) == (None,) * 5


def test_refusals() -> None:
    x, end = noise(2, 3, 4), (0.1, 1e-5, False)
    w, b, m, v = pieces(3, "wb", "float64")
    for op in (BATCH, INSTANCE):
        check_refusal(op, x, w, b, None, None, False, *end, match="wants running_mean and running_var, one is None")
        check_refusal(op, x, w, b, m, None, False, *end, match="one is None")
        check_refusal(op, x, noise(4), b, m, v, True, *end, match="weight wants 3, has 4; x 2 × 3 × 4")
        check_refusal(op, x, w, b, noise(2), v, False, *end, match="running_mean wants 3, has 2")
        check_refusal(op, noise(3), w, b, m, v, False, *end, match=r"\(B, C, ...\), has 3")
    check_refusal(BATCH, x, w, b, m, None, True, *end, match="both of running_mean and running_var or none, got one")
    check_refusal(BATCH, x, w, noise(3, dtype="float32"), m, v, False, *end, match="bias wants the dtype of x, float64")
    check_refusal(BATCH, noise(2, 3, dtype="int64"), w, b, m, v, False, *end, match="int64")


def test_torch_is_wrong_about_the_gradient_of_one_picture_in_an_unusual_layout() -> None:
    # with mean 0, variance 1 and scale 1 the norm is the identity, and so is its gradient
    x, mean, variance = noise(1, 8, 3, 3, seed=100), np.zeros(8), np.ones(8)
    arguments = (x, np.ones(8), np.zeros(8), mean, variance, False, 0.1, 0.0, False)
    # the strides of (1, C, H, W) that was (1, H W, C): so LeViT's stem gets its gradient
    grad = torch.from_numpy(noise(1, 9, 8)).transpose(1, 2).reshape(1, 8, 3, 3)
    ours = TABLE[BATCH].vjp(grad.numpy(), x, *arguments)  # type: ignore[misc]
    np.testing.assert_allclose(ours[0], grad)
    np.testing.assert_allclose(ours[2], grad.sum((0, 2, 3)))
    tensor = torch.from_numpy(x).requires_grad_()
    result = torch.batch_norm(tensor, *map(torch.from_numpy, arguments[1:5]), *arguments[5:])
    for layout, wrong in ((grad, True), (grad.contiguous(), False)):
        (theirs,) = torch.autograd.grad(result, [tensor], layout, retain_graph=True)
        # torch 2.13 on the CPU; once this fails, take the remark out of docs/numpy.md
        assert ((theirs - grad).abs().max() > 0.1) == wrong
