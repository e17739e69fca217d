"""How far numbers lie from their mean: variance and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.ops.arrays import Array, as_dims
from photosite.ops.operands import put_back
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.reduction import Dims, Gradient, count, mean_vjp


def variance(x: Array, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False) -> Array:
    """The variance: the mean square of the distance from the mean.

    Args:
        x: any shape; real numbers.
        dim: the axes; all for None.
        correction: what the count is less by; 1 for None (the mean is estimated from the same numbers).
        keepdim: whether the axes stay, with side 1.
    Returns:
        NaN where nothing is left of the count and the distances are 0.
    Raises:
        RangeError: no real numbers, or no such axis.
    Matches: torch `var` to the rounding of sums.

    >>> variance(np.array([1.0, 3.0])).tolist(), variance(np.array([1.0, 3.0]), correction=0).tolist()
    (2.0, 1.0)
    """
    return variance_and_mean(x, dim, correction=correction, keepdim=keepdim)[0]


def variance_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> Gradient:
    """To each twice its distance from the mean, over the count."""
    axes = as_dims(dim, x.ndim, "var")
    wide = widened(x)
    with np.errstate(all="ignore"):
        share = wide.dtype.type(2 / _freedom(x, axes, correction)) * put_back(grad, axes, keepdim)
        return (rounded(share * (wide - wide.mean(axes, keepdims=True)), x),)


def variance_and_mean(
    x: Array, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Array, Array]:
    """The variance and the mean, as of `variance` and `mean`.

    >>> [part.tolist() for part in variance_and_mean(np.array([1.0, 3.0]))]
    [2.0, 2.0]
    """
    axes = as_dims(dim, x.ndim, "var")
    wide = widened(as_real(x, "var"))
    with np.errstate(all="ignore"):
        center = wide.sum(axes, keepdims=True) / wide.dtype.type(count(x, axes))
        squares = np.square(wide - center).sum(axes, keepdims=True)
        spread = squares / wide.dtype.type(_freedom(x, axes, correction))
    both = (rounded(spread, x), rounded(center, x))
    return both if keepdim else (both[0].squeeze(axes), both[1].squeeze(axes))


def variance_and_mean_vjp(
    grad: list[Array | None],
    result: Sequence[Array],
    x: Array,
    dim: Dims = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Gradient:
    """That of the variance and that of the mean together."""
    parts = []
    if grad[0] is not None:
        parts.append(variance_vjp(grad[0], result[0], x, dim, correction=correction, keepdim=keepdim)[0])
    if grad[1] is not None:
        parts.append(mean_vjp(grad[1], result[1], x, dim, keepdim)[0])
    known = [part for part in parts if part is not None]
    return (sum(known[1:], known[0]) if known else None,)


def deviation(x: Array, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False) -> Array:
    """The standard deviation: the root of the variance.

    >>> deviation(np.array([1.0, 3.0]), correction=0).tolist()
    1.0
    """
    return np.sqrt(variance(x, dim, correction=correction, keepdim=keepdim))


def deviation_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> Gradient:
    """That of the variance, over twice the root; 0 where the root is 0."""
    with np.errstate(all="ignore"):
        slope = np.where(result == 0, 0, grad / (2 * result)).astype(grad.dtype)
    return variance_vjp(slope, result, x, dim, correction=correction, keepdim=keepdim)


def variance_unbiased(x: Array, dim: Dims = None, unbiased: bool = True, keepdim: bool = False) -> Array:
    """As `variance`, with the correction as a truth value.

    >>> variance_unbiased(np.array([1.0, 3.0]), 0, False).tolist()
    1.0
    """
    return variance(x, dim, correction=int(unbiased), keepdim=keepdim)


def variance_unbiased_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> Gradient:
    """As of `variance`."""
    return variance_vjp(grad, result, x, dim, correction=int(unbiased), keepdim=keepdim)


def deviation_unbiased(x: Array, dim: Dims = None, unbiased: bool = True, keepdim: bool = False) -> Array:
    """As `deviation`, with the correction as a truth value.

    >>> deviation_unbiased(np.array([1.0, 3.0]), 0, False).tolist()
    1.0
    """
    return deviation(x, dim, correction=int(unbiased), keepdim=keepdim)


def deviation_unbiased_vjp(
    grad: Array, result: Array, x: Array, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> Gradient:
    """As of `deviation`."""
    return deviation_vjp(grad, result, x, dim, correction=int(unbiased), keepdim=keepdim)


def _freedom(x: Array, axes: Sequence[int], correction: float | None) -> float:
    """What a sum of squares is divided by."""
    return max(count(x, axes) - (1 if correction is None else correction), 0) or math.nan
