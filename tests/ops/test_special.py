"""Special functions: against Python's own math to the last digits, for tiny and for huge numbers, and their slopes."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.ops.activation import sigmoid
from photosite.ops.special import BLOCK, NEAR, erf, erfc, logit, normal_density
from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
FLOATS = st.sampled_from(["float32", "float64", "float16"])
ENDS = np.array([-np.inf, -1e300, -1e30, -40.0, -6.0, -0.0, 0.0, 1e-300, 0.5, 6.0, 27.0, 40.0, 1e300, np.inf, np.nan])
LINE = np.concatenate([np.linspace(-6, 26, 4001), [NEAR, np.nextafter(NEAR, 0), -NEAR], 10.0 ** np.arange(-300, 1)])
PEERS = {"erf": (erf, math.erf, 2e-15), "erfc": (erfc, math.erfc, 4e-15)}


@pytest.mark.parametrize("name", PEERS)
def test_matches_math_to_the_last_digits(name: str) -> None:
    ours, theirs, share = PEERS[name]
    wanted = np.array([theirs(x) for x in LINE])
    np.testing.assert_allclose(ours(LINE), wanted, rtol=share)  # relative: also where erf(x) is 1e-300
    single = LINE[np.abs(LINE) < 9].astype(np.float32)  # beyond, erfc is no normal float32
    single = single[np.abs(single) > 1e-37]
    wanted = np.array([theirs(float(x)) for x in single])
    np.testing.assert_allclose(ours(single), wanted, rtol=1.5e-7)  # float32 has 1.2e-7 between two numbers
    assert ours(single).dtype == np.float32


def test_by_hand() -> None:
    assert erf(np.array([0.0, np.inf, -np.inf])).tolist() == [0, 1, -1]
    assert erfc(np.array([0.0, np.inf, -np.inf])).tolist() == [1, 0, 2]
    x = noise(100)
    np.testing.assert_allclose(erf(x) + erfc(x), 1, rtol=1e-15)
    np.testing.assert_array_equal(erf(-x), -erf(x))
    # two thirds of a normal distribution lie within one standard deviation
    assert float(erf(np.array(math.sqrt(0.5)))) == pytest.approx(0.6826894921370859, rel=1e-15)


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), dtype=FLOATS)
@pytest.mark.parametrize("op", ["erf", "erfc", "special_erf", "special_erfc"])
def test_values_and_slopes(op: str, shape: tuple[int, ...], seed: int, dtype: str) -> None:
    # farther out the slope alone is so small that half precision has no digits for it
    check_row(f"aten.{op}.default", noise(*shape, seed=seed).clip(-1.5, 1.5).astype(dtype))


@pytest.mark.parametrize("op", ["erf", "erfc"])
def test_ends_and_kinds_of_numbers(op: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_row(f"aten.{op}.default", ENDS)
        check_row(f"aten.{op}.default", np.array([-3e38, -20, 20, 3e38, np.inf, np.nan], np.float32))
    for dtype in ("int64", "uint8", "bool"):
        check_row(f"aten.{op}.default", noise(2, 3, dtype=dtype))
    check_refusal(f"aten.{op}.default", noise(2).astype(np.complex64), match="complex64")


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_more_numbers_than_a_block(size: int) -> None:
    check_row("aten.erf.default", noise(size))
    check_row("aten.erfc.default", noise(size, 2)[:, 0])


def test_the_density_is_the_slope_of_the_share() -> None:
    x, step = np.linspace(-3, 3, 41), 1e-5
    rise = (erf((x + step) / math.sqrt(2)) - erf((x - step) / math.sqrt(2))) / 2 / (2 * step)
    np.testing.assert_allclose(normal_density(x), rise, atol=1e-10)  # the step squared


# --- logit ------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    shape=SHAPES,
    seed=st.integers(0, 99),
    dtype=st.sampled_from(["float32", "float64"]),
    eps=st.sampled_from([None, 0.0, 1e-6, 0.25, 0.6, -1.0]),
)
@pytest.mark.parametrize("op", ["aten.logit.default", "aten.special_logit.default"])
def test_logit(op: str, shape: tuple[int, ...], seed: int, dtype: str, eps: float | None) -> None:
    check_row(op, sigmoid(np.asarray(noise(*shape, seed=seed)).astype(dtype)), eps)


@pytest.mark.parametrize("eps", [None, 0.0, 0.25, 0.5, 0.6])
def test_logit_at_and_beyond_its_ends(eps: float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_row("aten.logit.default", np.array([-np.inf, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, np.inf, np.nan]), eps)
    check_row("aten.logit.default", noise(5, dtype="bool"), eps)
    # torch rounds the odds to half precision before it takes their logarithm
    check_row("aten.logit.default", np.array([0.03125, 0.25, 0.375, 0.75, 0.96875], np.float16), eps, tolerance=1e-2)
    check_row("aten.logit.default", noise(0, 2), eps)


def test_logit_undoes_sigmoid() -> None:
    x = noise(50) * 3
    np.testing.assert_allclose(logit(sigmoid(x)), x, rtol=1e-11)  # 1 - s loses three digits at s = 0.999
    check_refusal("aten.logit.default", noise(2).astype(np.complex64), match="complex64")
