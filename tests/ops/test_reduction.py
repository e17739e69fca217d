"""Reductions, order, norms: against torch over drawn shapes and axes, with equal numbers among them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.ops.extremes import vector_norm
from photosite.ops.ordering import ordered, topk
from photosite.ops.reduction import product
from photosite.ops.spread import variance
from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
REAL = st.sampled_from(["float32", "float64"])
ANY = st.sampled_from(["float32", "float64", "int64", "uint8"])


@st.composite
def axes_of(draw: Any, *, several: bool = True) -> tuple[tuple[int, ...], Any, bool]:
    """A shape, some of its axes (counted from either end), and whether they stay."""
    shape = draw(SHAPES)
    ndim = max(len(shape), 1)
    count = draw(st.integers(1, ndim)) if several else 1
    dims = draw(st.permutations(range(ndim)))[:count]
    dims = [dim - ndim if draw(st.booleans()) else dim for dim in dims]
    return shape, dims if several else dims[0], draw(st.booleans())


@settings(max_examples=40, deadline=None)
@given(case=axes_of(), dtype=REAL, seed=st.integers(0, 99))
@pytest.mark.parametrize("op", ["sum.dim_IntList", "mean.dim", "amax.default", "amin.default", "logsumexp.default"])
def test_along_axes(op: str, case: Any, dtype: str, seed: int) -> None:
    shape, dims, keepdim = case
    check_row(f"aten.{op}", noise(*shape, seed=seed, dtype=dtype), dims, keepdim)


@settings(max_examples=30, deadline=None)
@given(case=axes_of(), correction=st.sampled_from([None, 0, 1]), seed=st.integers(0, 99))
def test_spread(case: Any, correction: int | None, seed: int) -> None:
    shape, dims, keepdim = case
    x = noise(*shape, seed=seed)
    count = math.prod(shape[dim] for dim in dims) if shape else 1
    if count - (1 if correction is None else correction) <= 0:
        return  # a variance of one number against its own mean is NaN in both; its gradient has no meaning
    for op in ("var", "std", "var_mean"):
        check_row(f"aten.{op}.correction", x, dims, correction=correction, keepdim=keepdim, gradients=count > 1)
    if correction is not None:
        check_row("aten.var.dim", x, dims, bool(correction), keepdim, gradients=count > 1)
        check_row("aten.std.dim", x, dims, bool(correction), keepdim, gradients=count > 1)


@settings(max_examples=30, deadline=None)
@given(case=axes_of(), p=st.sampled_from([2, 1, 3, 2.5, 0, math.inf, -math.inf]), dtype=REAL, seed=st.integers(0, 99))
def test_lengths_of_vectors(case: Any, p: float, dtype: str, seed: int) -> None:
    shape, dims, keepdim = case
    x = noise(*shape, seed=seed, dtype=dtype)
    check_row("aten.linalg_vector_norm.default", x, p, dims, keepdim)
    check_row("aten.norm.ScalarOpt_dim", x, 2 if math.isinf(p) or p == 0 else p, dims, keepdim)


def test_equal_numbers_share_and_a_vector_of_zeros_has_no_slope() -> None:
    x = np.array([[1.0, 3.0, 3.0], [-3.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    for p in (2, 1, 3, 0, math.inf, -math.inf):
        check_row("aten.linalg_vector_norm.default", x, p, [1])
    for op in ("amax", "amin"):
        check_row(f"aten.{op}.default", x, [1])
        check_row(f"aten.{op}.default", x, [0, 1])
    for op in ("max", "min"):
        check_row(f"aten.{op}.default", x)
        check_row(f"aten.{op}.dim", x, 1)


@settings(max_examples=30, deadline=None)
@given(case=axes_of(several=False), dtype=ANY, seed=st.integers(0, 99))
def test_along_one_axis(case: Any, dtype: str, seed: int) -> None:
    shape, dim, keepdim = case
    x = noise(*shape, seed=seed, dtype=dtype)
    for op in ("max.dim", "min.dim", "prod.dim_int"):
        check_row(f"aten.{op}", x, dim, keepdim)
    for op in ("argmax", "argmin"):
        check_row(f"aten.{op}.default", x, dim, keepdim)
        check_row(f"aten.{op}.default", x)
    check_row("aten.cumsum.default", x, dim)
    check_row("aten.any.dim", x, dim, keepdim)
    check_row("aten.all.dim", x, dim, keepdim)
    for descending in (False, True):
        check_row("aten.sort.stable", x, stable=True, dim=dim, descending=descending)


@settings(max_examples=30, deadline=None)
@given(case=axes_of(several=False), dtype=REAL, seed=st.integers(0, 99), largest=st.booleans(), data=st.data())
def test_the_first_few(case: Any, dtype: str, seed: int, largest: bool, data: Any) -> None:
    shape, dim, _ = case
    x = noise(*shape, seed=seed, dtype=dtype)
    check_row("aten.sort.default", x, dim, largest)
    check_row("aten.argsort.default", x, dim, largest)
    k = data.draw(st.integers(0, shape[dim] if shape else 1))
    check_row("aten.topk.default", x, k, dim, largest)


@settings(max_examples=20, deadline=None)
@given(shape=SHAPES, dtype=ANY)
def test_of_everything(shape: tuple[int, ...], dtype: str) -> None:
    x = noise(*shape, dtype=dtype)
    for op in ("sum", "max", "min", "any", "all"):
        check_row(f"aten.{op}.default", x)
    check_row("aten.prod.default", x.reshape(-1)[:12])
    check_row("aten.sum.default", x, dtype=np.dtype("float64"))
    check_row("aten.mean.default", x, dtype=np.dtype("float64"))
    check_row("aten.cumsum.default", x, 0, dtype=np.dtype("float32"), tolerance=2e-5)


def test_zeros_in_a_product() -> None:
    for zeros in (0, 1, 2):
        x = noise(3, 4)
        x[1, :zeros] = 0
        check_row("aten.prod.default", x)
        check_row("aten.prod.dim_int", x, 1)


def test_half_precision_is_summed_in_single() -> None:
    x = noise(4, 3000, dtype="float16")
    check_row("aten.sum.dim_IntList", x, [1], tolerance=1e-3)
    check_row("aten.mean.dim", x, [1], tolerance=1e-3)


def test_nan_wins() -> None:
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 1.0]])
    for op in ("max.dim", "min.dim", "sort.default"):
        check_row(f"aten.{op}", x, 1, gradients=False)
    check_row("aten.argmax.default", x, 1)
    check_row("aten.amax.default", x, [1], gradients=False)
    check_row("aten.logsumexp.default", np.array([[-np.inf, -np.inf], [0.0, -np.inf], [1e300, 1e300]]), [1])


def test_by_hand() -> None:
    assert product(np.array([[1, 2], [3, 4]]), 0).tolist() == [3, 8]
    assert variance(np.array([2.0, 4.0, 6.0])).tolist() == 4.0
    assert vector_norm(np.array([3.0, 0.0, -4.0]), 0).tolist() == 2.0
    assert [part.tolist() for part in ordered(np.array([2, 1, 2, 1]), descending=True)] == [[2, 2, 1, 1], [0, 2, 1, 3]]
    assert [part.tolist() for part in topk(np.array([5, 9, 7]), 1, largest=False)] == [[5], [0]]


def test_what_is_refused() -> None:
    check_refusal("aten.sum.dim_IntList", noise(2, 3), [2], match="dim wants -2 … 1, got 2")
    check_refusal("aten.sum.dim_IntList", noise(2, 3), [0, 0], match="twice")
    check_refusal("aten.mean.dim", noise(2, 3, dtype="int64"), [0], match="wants real numbers, got int64")
    check_refusal("aten.amax.default", noise(0, 3), [0], match="largest or smallest")
    check_refusal("aten.max.dim", noise(0, 3), 0, match="is empty")
    check_refusal("aten.argmax.default", noise(0), match="no number to find")
    check_refusal("aten.topk.default", noise(3), 4, match="up to 3")
    check_refusal("aten.linalg_vector_norm.default", noise(3, dtype="int64"), match="wants real")
    assert torch.ops.aten.var.correction(torch.ones(1)).isnan()
    assert np.isnan(variance(np.ones(1)))
