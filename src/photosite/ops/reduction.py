"""Reductions: many numbers become one, along some axes or all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, as_dim, as_dims, category, flows
from photosite.ops.operands import put_back, repeated
from photosite.ops.reals import as_real, rounded, widened

Dims = int | Sequence[int] | None
Dtype = np.dtype[Any] | None
Gradient = tuple[Array | None]


def total(x: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype = None) -> Array:
    """The sum.

    Args:
        x: any shape.
        dim: the axes that are summed; all for None.
        keepdim: whether they stay, with side 1.
        dtype: of the sum; int64 for whole numbers and truth values, x's otherwise.
    Raises:
        RangeError: there is no such axis, or one is named twice.
    Matches: torch `sum` to the rounding of sums.

    >>> total(np.array([[1, 2], [3, 4]]), 0).tolist()
    [4, 6]
    """
    axes = as_dims(dim, x.ndim, "sum")
    goal = np.dtype(dtype or (np.int64 if category(x.dtype) < 2 else x.dtype))
    with np.errstate(all="ignore"):
        summed = widened(x.astype(goal, copy=False)).sum(axes, keepdims=keepdim)
        return np.asarray(summed).astype(goal, copy=False)


def total_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype = None
) -> Gradient:
    """Each summand has the sum's gradient."""
    return (repeated(grad, as_dims(dim, x.ndim, "sum"), keepdim, x) if flows(x) else None,)


def total_all(x: Array, *, dtype: Dtype = None) -> Array:
    """The sum of all numbers.

    >>> total_all(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    10.0
    """
    return total(x, dtype=dtype)


def total_all_vjp(grad: Array, result: Array, x: Array, *, dtype: Dtype = None) -> Gradient:
    """Each summand has the sum's gradient."""
    return total_vjp(grad, result, x)


def mean(x: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype = None) -> Array:
    """The mean: the sum over the count.

    Args:
        x: any shape; real numbers.
        dim: the axes that are averaged; all for None.
        keepdim: whether they stay, with side 1.
        dtype: to compute in.
    Returns:
        NaN for the mean of nothing.
    Raises:
        RangeError: whole numbers, or no such axis.
    Matches: torch `mean` to the rounding of sums.

    >>> mean(np.array([[1.0, 2.0], [3.0, 6.0]]), 1).tolist()
    [1.5, 4.5]
    """
    x = x if dtype is None else x.astype(dtype, copy=False)
    if category(x.dtype) < 2:
        raise RangeError(f"mean: wants real numbers, got {x.dtype}; make it real first or name a dtype")
    axes = as_dims(dim, x.ndim, "mean")
    with np.errstate(all="ignore"):
        return rounded(widened(x).sum(axes, keepdims=keepdim) / widened(x).dtype.type(count(x, axes)), x)


def mean_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype = None
) -> Gradient:
    """Each number has its share of the mean's gradient."""
    if not flows(x):
        return (None,)
    axes = as_dims(dim, x.ndim, "mean")
    with np.errstate(all="ignore"):
        return (repeated(grad / grad.dtype.type(count(x, axes)), axes, keepdim, x),)


def mean_all(x: Array, *, dtype: Dtype = None) -> Array:
    """The mean of all numbers.

    >>> mean_all(np.array([[1.0, 2.0], [3.0, 6.0]])).tolist()
    3.0
    """
    return mean(x, dtype=dtype)


def mean_all_vjp(grad: Array, result: Array, x: Array, *, dtype: Dtype = None) -> Gradient:
    """Each number has its share of the mean's gradient."""
    return mean_vjp(grad, result, x)


def product(x: Array, dim: int | None = None, keepdim: bool = False, *, dtype: Dtype = None) -> Array:
    """The product.

    Args:
        x: any shape.
        dim: the axis along which is multiplied; all of them for None.
        keepdim: whether it stays, with side 1.
        dtype: of the product; int64 for whole numbers and truth values, x's otherwise.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `prod` to the rounding of products.

    >>> product(np.array([[1, 2], [3, 4]]), 1).tolist()
    [2, 12]
    """
    axes = as_dims(dim, x.ndim, "prod")
    goal = np.dtype(dtype or (np.int64 if category(x.dtype) < 2 else x.dtype))
    with np.errstate(all="ignore"):
        return np.asarray(widened(x.astype(goal, copy=False)).prod(axes, keepdims=keepdim)).astype(goal, copy=False)


def product_vjp(
    grad: Array, result: Array, x: Array, dim: int | None = None, keepdim: bool = False, *, dtype: Dtype = None
) -> Gradient:
    """To each the product of all others: what stands before it times what stands behind, so that 0 is no trouble."""
    if not flows(x):
        return (None,)
    axes = as_dims(dim, x.ndim, "prod")
    line = np.moveaxis(x, axes[0], -1) if dim is not None and x.ndim else x.reshape(1, -1)
    ones = np.ones((*line.shape[:-1], 1), x.dtype)
    before = np.concatenate([ones, np.cumprod(line[..., :-1], -1)], -1) if line.size else line
    behind = np.concatenate([ones, np.cumprod(line[..., :0:-1], -1)], -1)[..., ::-1] if line.size else line
    others = before * behind
    others = np.moveaxis(others, -1, axes[0]) if dim is not None and x.ndim else others.reshape(x.shape)
    return ((put_back(grad, axes, keepdim) * others).astype(x.dtype, copy=False),)


def product_all(x: Array, *, dtype: Dtype = None) -> Array:
    """The product of all numbers.

    >>> product_all(np.array([2.0, 3.0])).tolist()
    6.0
    """
    return product(x, dtype=dtype)


def product_all_vjp(grad: Array, result: Array, x: Array, *, dtype: Dtype = None) -> Gradient:
    """To each the product of all others."""
    return product_vjp(grad, result, x)


# --- truth ------------------------------------------------------------------------------------------------------------


def any_true(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """Whether a number is not 0.

    >>> any_true(np.array([[0, 0], [0, 2]]), 1).tolist()
    [False, True]
    """
    return _truth(np.any(x, as_dims(dim, x.ndim, "any"), keepdims=keepdim), x)


def all_true(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """Whether no number is 0.

    >>> all_true(np.array([[0, 1], [1, 2]]), 1).tolist()
    [False, True]
    """
    return _truth(np.all(x, as_dims(dim, x.ndim, "all"), keepdims=keepdim), x)


def logsumexp(x: Array, dim: Dims, keepdim: bool = False) -> Array:
    """The logarithm of the sum of exponentials; the largest number is subtracted first, so nothing overflows.

    Args:
        x: any shape; real numbers.
        dim: the axes.
        keepdim: whether they stay, with side 1.
    Raises:
        RangeError: no real numbers, or no such axis.
    Matches: torch `logsumexp` to the rounding of sums.

    >>> logsumexp(np.array([1000.0, 1000.0]), 0).round(4).tolist()
    1000.6931
    """
    axes = as_dims(dim, x.ndim, "logsumexp")
    wide = widened(as_real(x, "logsumexp"))
    largest = wide.max(axes, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0).astype(wide.dtype)
    with np.errstate(all="ignore"):
        found = np.log(np.exp(wide - largest).sum(axes, keepdims=True)) + largest
    return rounded(found if keepdim else found.squeeze(axes), x)


def logsumexp_vjp(grad: Array, result: Array, x: Array, dim: Dims, keepdim: bool = False) -> Gradient:
    """To each its share, as of softmax."""
    axes = as_dims(dim, x.ndim, "logsumexp")
    with np.errstate(all="ignore"):
        share = np.exp(widened(x) - put_back(widened(result), axes, keepdim))
    return (rounded(share * put_back(grad, axes, keepdim), x),)


# --- running ----------------------------------------------------------------------------------------------------------


def cumsum(x: Array, dim: int, *, dtype: Dtype = None) -> Array:
    """The sum of all numbers up to each along an axis.

    Args:
        x: any shape.
        dim: the axis.
        dtype: of the sums; int64 for whole numbers and truth values, x's otherwise.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `cumsum` to the rounding of sums.

    >>> cumsum(np.array([1, 2, 3]), 0).tolist()
    [1, 3, 6]
    """
    axis = as_dim(dim, x.ndim, "cumsum")
    goal = np.dtype(dtype or (np.int64 if category(x.dtype) < 2 else x.dtype))
    x = x.astype(goal, copy=False)
    return x if x.ndim == 0 else np.cumsum(widened(x), axis, dtype=widened(x).dtype).astype(goal, copy=False)


def cumsum_vjp(grad: Array, result: Array, x: Array, dim: int, *, dtype: Dtype = None) -> Gradient:
    """To each the sum of the gradients from it to the end."""
    if not flows(x):
        return (None,)
    if x.ndim == 0:
        return (grad.astype(x.dtype, copy=False),)
    axis = as_dim(dim, x.ndim, "cumsum")
    return (np.flip(np.cumsum(np.flip(grad, axis), axis), axis).astype(x.dtype, copy=False),)


def count(x: Array, axes: Sequence[int]) -> int:
    """How many numbers lie along some axes."""
    return math.prod(x.shape[axis] for axis in axes)


def _truth(found: Any, x: Array) -> Array:
    """Truth values; bytes of 0 and 1 where bytes were asked, as torch has it."""
    return np.asarray(found).astype(np.uint8 if x.dtype == np.uint8 else bool)
