"""Activations with a kink: values and slopes against torch, at the kinks above all, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.ops.gates import SELU_ALPHA, SELU_SCALE, hardsigmoid, hardswish, prelu, relu6, rrelu, selu, softshrink
from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
FLOATS = st.sampled_from(["float32", "float64", "float16"])
KINKS = np.array([-7.0, -6, -4, -3, -2, -1, -0.5, -0.25, -0.0, 0, 0.25, 0.5, 1, 2, 3, 4, 6, 7])
ENDS = np.array([-np.inf, -1e30, -200.0, 200.0, 1e30, np.inf, np.nan])

GATES: dict[str, list[tuple[Any, ...]]] = {
    "aten.celu.default": [(), (2.0,), (-1.5,)],
    "aten.elu.default": [(), (1.5, 2.0, 0.5), (-0.5,)],
    "aten.hardshrink.default": [(), (2.0,), (0.0,), (-0.5,)],
    "aten.hardsigmoid.default": [()],
    "aten.hardswish.default": [()],
    "aten.hardtanh.default": [(), (-2.0, 3.0), (0.5, 0.5), (1, -1)],
    "aten.leaky_relu.default": [(), (0.25,), (-1.0,), (0,)],
    "aten.relu6.default": [()],
    "aten.rrelu.default": [(), (0.25, 0.75), (0.1, 0.2, False, None)],
    "aten.selu.default": [()],
    "aten.softshrink.default": [(), (2.0,), (0.0,)],
    "aten.threshold.default": [(0.5, -7.0), (2, 20)],
}
TOLERANCE = {"aten.hardsigmoid.default": 1e-7}
"""Torch's slope is a sixth in float32 also for float64."""
ALSO_WHOLE = ("aten.hardtanh.default", "aten.relu6.default", "aten.threshold.default")


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), dtype=FLOATS)
@pytest.mark.parametrize("op", GATES)
def test_values_and_slopes(op: str, shape: tuple[int, ...], seed: int, dtype: str) -> None:
    for options in GATES[op]:
        check_row(op, 3 * noise(*shape, seed=seed, dtype=dtype), *options, tolerance=TOLERANCE.get(op))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", GATES)
def test_at_the_kinks_and_the_ends(op: str, dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in GATES[op]:
            for x in KINKS.astype(dtype):  # torch has a way for one value and another for many
                check_row(op, np.array(x), *options, tolerance=TOLERANCE.get(op))
            check_row(op, KINKS.astype(dtype), *options, tolerance=TOLERANCE.get(op))
            check_row(op, ENDS.astype(dtype), *options, tolerance=TOLERANCE.get(op))


@pytest.mark.parametrize("op", GATES)
def test_arrays_without_values_or_order(op: str) -> None:
    options = GATES[op][0]
    check_row(op, noise(0, 3), *options)
    check_row(op, noise(4, 6)[::-1, ::2].T, *options, tolerance=TOLERANCE.get(op))


@pytest.mark.parametrize("op", GATES)
def test_other_kinds_of_numbers(op: str) -> None:
    options = GATES[op][0]
    if op in ALSO_WHOLE:
        check_row(op, noise(20, dtype="int64"), *options)
        check_row(op, noise(20, dtype="int8"), *options)
    else:
        check_refusal(op, noise(2, dtype="int64"), *options, match="int64")
    check_refusal(op, noise(2, dtype="bool"), *options, match="bool")
    check_refusal(op, noise(2).astype(np.complex64), *options, match="complex64")


def test_whole_numbers_and_bounds() -> None:
    check_row("aten.hardtanh.default", noise(20, dtype="int64"), -1.5, 2.5)
    check_row("aten.hardtanh.default", noise(20, dtype="uint8"), 1, 3)
    check_row("aten.threshold.default", noise(20, dtype="int64"), 1.5, 7.5)
    check_refusal("aten.hardtanh.default", noise(20, dtype="uint8"), match="without sign")


def test_by_hand() -> None:
    x = np.array([-9.0, -3, -1, 0, 1, 3, 9])
    assert (6 * hardsigmoid(x)).tolist() == relu6(x + 3).tolist() == [0, 0, 2, 3, 4, 6, 6]
    assert (3 * hardswish(x)).tolist() == [0, 0, -1, 0, 2, 9, 27]
    assert softshrink(x, 2.0).tolist() == [-7, -1, 0, 0, 0, 1, 7]


def test_selu_keeps_mean_and_variance() -> None:
    # the integral over the normal distribution by Gauss and Hermite, on each side of the kink
    at, weight = np.polynomial.legendre.leggauss(200)
    total = np.zeros(2)
    for low, high in ((-12, 0), (0, 12)):
        x = (at + 1) / 2 * (high - low) + low
        density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * weight * (high - low) / 2
        total += [(density * selu(x)).sum(), (density * selu(x) ** 2).sum()]
    np.testing.assert_allclose(total, [0, 1], atol=1e-12)
    assert SELU_SCALE * SELU_ALPHA == pytest.approx(1.7580993408473766, abs=1e-15)


def test_random_slopes_are_refused_in_words() -> None:
    with pytest.raises(RangeError, match="random cannot be compared; capture the model in evaluation"):
        rrelu(noise(3), training=True)
    check_refusal("aten.rrelu.default", noise(3), 0.5, 0.25, match="lower must not be above upper")


def test_what_has_no_meaning() -> None:
    check_refusal("aten.celu.default", noise(3), 0.0, match="alpha must not be 0")
    check_refusal("aten.softshrink.default", noise(3), -0.5, match="not below 0, got -0.5")


# --- prelu ------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, one=st.booleans(), dtype=FLOATS, seed=st.integers(0, 99))
def test_prelu(shape: tuple[int, ...], one: bool, dtype: str, seed: int) -> None:
    channels = 1 if one or len(shape) < 2 else shape[1]
    x = noise(*shape, seed=seed, dtype=dtype)
    # torch sums a weight's gradient in half precision
    tolerance = 1e-2 if dtype == "float16" else None
    check_row("aten.prelu.default", x, noise(channels, seed=7, dtype=dtype), tolerance=tolerance)
    check_row("aten.prelu.default", x, noise(seed=7, dtype=dtype), tolerance=tolerance)


def test_prelu_at_zero_and_without_values() -> None:
    check_row("aten.prelu.default", np.array([[-1.0, 0.0, -0.0, 2.0, np.nan]]).T, np.array([0.25]))
    check_row("aten.prelu.default", noise(0, 3), noise(3))
    check_row("aten._prelu_kernel.default", noise(2, 3, 4), noise(1, 3, 1))
    assert prelu(np.array([[-8.0, -8.0], [3.0, -4.0]]), np.array([0.5, 0.25])).tolist() == [[-4, -2], [3, -1]]


def test_prelu_refuses() -> None:
    check_refusal("aten.prelu.default", noise(2, 3), noise(2), match=r"each channel .* has 2; x 2 × 3")
    check_refusal("aten.prelu.default", noise(3), noise(3), match="1 value")
    check_refusal("aten.prelu.default", noise(2, 3), noise(1, 3), match="has 1 × 3")
    check_refusal("aten.prelu.default", noise(2, 3), noise(3, dtype="float32"), match="one dtype")
    check_refusal("aten.prelu.default", noise(2, 3, dtype="int64"), noise(3, dtype="int64"), match="int64")
