"""The largest and the smallest number along axes, and the lengths of vectors, of which the largest number is one."""

from __future__ import annotations

import math

import numpy as np

from photosite.errors import ShapeError
from photosite.ops.arrays import Array, as_dims, flows
from photosite.ops.operands import put_back
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.reduction import Dims, Dtype, Gradient
from photosite.shapes import shape_text


def amax(x: Array, dim: Dims = (), keepdim: bool = False) -> Array:
    """The largest number; NaN if one is.

    Args:
        x: any shape; real or whole numbers.
        dim: the axes along which it is sought; all for none.
        keepdim: whether they stay, with side 1.
    Raises:
        RangeError: there is no such axis; the largest of nothing.
    Matches: torch `amax`, exactly.

    >>> amax(np.array([[1, 5], [3, 2]]), 1).tolist()
    [5, 3]
    """
    axes = _of_something("amax", x, dim)
    return np.asarray(x.max(axes, keepdims=keepdim))


def amin(x: Array, dim: Dims = (), keepdim: bool = False) -> Array:
    """The smallest number; NaN if one is.

    >>> amin(np.array([[1, 5], [3, 2]]), 1).tolist()
    [1, 2]
    """
    axes = _of_something("amin", x, dim)
    return np.asarray(x.min(axes, keepdims=keepdim))


def extreme_vjp(grad: Array, result: Array, x: Array, dim: Dims = (), keepdim: bool = False) -> Gradient:
    """To the number that was found; equal ones share alike."""
    if not flows(x):
        return (None,)
    axes = as_dims(dim, x.ndim, "amax")
    chosen = x == put_back(result, axes, keepdim)
    share = put_back(grad, axes, keepdim) / np.maximum(chosen.sum(axes, keepdims=True), 1).astype(x.dtype)
    return (np.where(chosen, share, 0).astype(x.dtype, copy=False),)


def vector_norm(x: Array, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype = None) -> Array:
    """The length of vectors: (sum of |x|^p)^(1/p).

    Args:
        x: any shape; real numbers.
        ord: p; inf for the largest |x|, -inf for the smallest, 0 for how many are not 0.
        dim: the axes of a vector; all for None.
        keepdim: whether they stay, with side 1.
        dtype: to compute in.
    Raises:
        RangeError: no real numbers, no such axis, or the largest of nothing.
    Matches: torch `linalg_vector_norm` to the rounding of sums.

    >>> vector_norm(np.array([3.0, -4.0])).tolist(), vector_norm(np.array([3.0, -4.0]), math.inf).tolist()
    (5.0, 4.0)
    """
    x = as_real(x if dtype is None else x.astype(dtype, copy=False), "linalg_vector_norm")
    axes = as_dims(dim, x.ndim, "linalg_vector_norm")
    size = np.abs(widened(x))
    if math.isinf(ord) or ord < 0:
        _of_something("linalg_vector_norm", x, dim)
    with np.errstate(all="ignore"):
        if math.isinf(ord):
            length = (size.max if ord > 0 else size.min)(axes, keepdims=keepdim)
        elif ord == 0:
            length = (size != 0).sum(axes, keepdims=keepdim)
        elif ord == 1:
            length = size.sum(axes, keepdims=keepdim)
        elif ord == 2:
            length = np.sqrt((size * size).sum(axes, keepdims=keepdim))
        else:
            length = np.power(np.power(size, ord).sum(axes, keepdims=keepdim), 1 / ord)
    return rounded(length, x)


def vector_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: Dtype = None,
) -> Gradient:
    """The slope is sign(x) (|x| / norm)^(p - 1), and 0 where the norm is 0; equal largest ones share alike."""
    if not flows(x):
        return (None,)
    axes = as_dims(dim, x.ndim, "linalg_vector_norm")
    wide, length, slope = widened(x), put_back(widened(result), axes, keepdim), put_back(grad, axes, keepdim)
    size = np.abs(wide)
    with np.errstate(all="ignore"):
        if ord == 0:
            share = np.zeros_like(wide)
        elif math.isinf(ord):
            chosen = size == length
            share = np.sign(wide) * chosen / np.maximum(chosen.sum(axes, keepdims=True), 1).astype(wide.dtype)
        elif ord == 1:
            share = np.sign(wide)
        elif ord == 2:
            share = np.where(length == 0, 0, wide / length)
        else:
            ratio = np.power(size / length, ord - 1)
            share = np.sign(wide) * np.where((length == 0) | (size == 0), 0, ratio)
    return (rounded(share * slope, x),)


def norm(x: Array, p: float | None = 2, dim: Dims = None, keepdim: bool = False) -> Array:
    """As `vector_norm`, under its older name; p is 2 for None.

    >>> norm(np.array([3.0, -4.0])).tolist()
    5.0
    """
    return vector_norm(x, 2 if p is None else p, dim, keepdim)


def norm_vjp(
    grad: Array, result: Array, x: Array, p: float | None = 2, dim: Dims = None, keepdim: bool = False
) -> Gradient:
    """As of `vector_norm`."""
    return vector_norm_vjp(grad, result, x, 2 if p is None else p, dim, keepdim)


def _of_something(who: str, x: Array, dim: Dims) -> tuple[int, ...]:
    """The axes, none of which is empty."""
    axes = as_dims(dim, x.ndim, who)
    if any(x.shape[axis] == 0 for axis in axes):
        raise ShapeError(f"{who}: nothing has no largest or smallest number, got {shape_text(x.shape)}")
    return axes
