"""Losses of distances: by hand, against torch, at their joints, what they have to do with each other, and refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.graph.table import TABLE
from photosite.ops.arrays import unbroadcast
from photosite.ops.distance import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from tests.ops.rows import check_refusal, check_row, noise

LOSSES: dict[str, list[tuple[Any, ...]]] = {
    "aten.huber_loss.default": [(), (0.5,), (2.0,)],
    "aten.l1_loss.default": [()],
    "aten.mse_loss.default": [()],
    "aten.smooth_l1_loss.default": [(), (0.5,), (0.0,), (2.0,)],
}
FLOATS = st.sampled_from(["float32", "float64"])
SHAPES = st.sampled_from([((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 4)), ((4, 1, 2), (3, 2)), ((), (2,))])


@settings(max_examples=30, deadline=None)
@given(shapes=SHAPES, dtype=FLOATS, reduction=st.integers(0, 2), seed=st.integers(100, 199))
@pytest.mark.parametrize("op", LOSSES)
def test_values_and_slopes(op: str, shapes: tuple[Any, Any], dtype: str, reduction: int, seed: int) -> None:
    x, target = (np.asarray(2 * noise(*shape, seed=seed + n, dtype=dtype)) for n, shape in enumerate(shapes))
    # of shapes that differ torch divides the gradient by the smaller count; its Python front repeats them beforehand
    wide, far = (np.array(part) for part in np.broadcast_arrays(x, target))
    for options in LOSSES[op]:
        check_row(op, x, target, reduction, *options, gradients=False)
        value = check_row(op, wide, far, reduction, *options)
        vjp = TABLE[op].vjp
        assert vjp is not None
        grad = noise(*value.shape, seed=1, dtype=dtype)
        for own, repeated, part in zip(
            vjp(grad, value, x, target, reduction, *options),
            vjp(grad, value, wide, far, reduction, *options),
            (x, target),
            strict=True,
        ):
            np.testing.assert_array_equal(own, unbroadcast(repeated, np.asarray(part)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", LOSSES)
def test_at_the_joints_and_the_ends(op: str, dtype: str) -> None:
    joints = np.array([-4, -2, -1, -0.5, -0.0, 0, 0.25, 0.5, 1, 2, 4], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in LOSSES[op]:
            check_row(op, joints, np.zeros(11, dtype), 0, *options)
            check_row(op, np.zeros(11, dtype), joints, 0, *options)
            check_row(op, np.array([-np.inf, -1e18, 1e18, np.inf], dtype), np.zeros(4, dtype), 0, *options)


@pytest.mark.parametrize("op", LOSSES)
def test_kinds_of_numbers(op: str) -> None:
    check_row(op, noise(4, dtype="float32"), noise(4, seed=2), gradients=False)
    going_back = op != "aten.huber_loss.default"  # torch cannot go back through it to whole numbers
    check_row(op, noise(4), noise(4, seed=2, dtype="int64"), gradients=going_back)
    check_row(op, noise(6)[::-2], noise(3, seed=2))
    check_row(op, noise(8, dtype="float16"), noise(8, seed=2, dtype="float16"), tolerance=5e-3)  # torch rounds steps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for reduction in (0, 1, 2):
            check_row(op, noise(0, 2), noise(0, 2), reduction)
    for dtype in ("int64", "bool"):
        check_refusal(op, noise(3, dtype=dtype), noise(3, dtype=dtype), match=dtype)
    check_refusal(op, noise(3), noise(4), match="shapes do not fit: 3, 4")
    with pytest.raises(RangeError, match="got 3"):
        TABLE[op].value(noise(2), noise(2), 3)


def test_by_hand() -> None:
    x, target = np.array([1.0, 2, 9]), np.array([1.0, 4, 3])  # distances 0 2 6
    assert [mse_loss(x, target, r).tolist() for r in (0, 1, 2)] == [[0, 4, 36], 40 / 3, 40]
    assert [l1_loss(x, target, r).tolist() for r in (0, 1, 2)] == [[0, 2, 6], 8 / 3, 8]
    assert smooth_l1_loss(x, target, 0, 4.0).tolist() == [0, 0.5, 4]
    assert huber_loss(x, target, 0, 4.0).tolist() == [0, 2, 16]


def test_relatives() -> None:
    x, target = 3 * noise(50), noise(50, seed=1)
    np.testing.assert_allclose(huber_loss(x, target, 0, 0.5), 0.5 * smooth_l1_loss(x, target, 0, 0.5), rtol=1e-14)
    np.testing.assert_allclose(huber_loss(x, target, 0, 1e9), mse_loss(x, target, 0) / 2, rtol=1e-14)
    np.testing.assert_array_equal(smooth_l1_loss(x, target, 0, 0.0), l1_loss(x, target, 0))


def test_ends_of_parabolas() -> None:
    check_refusal("aten.smooth_l1_loss.default", noise(2), noise(2), 1, -1.0, match="must not be negative, got -1")
    check_refusal("aten.huber_loss.default", noise(2), noise(2), 1, 0.0, match="must be above 0, got 0")
