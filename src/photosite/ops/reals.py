"""Real numbers: what activations, norms and losses take, and half precision computed in single."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, as_float, category

_REAL = 2  # the category of real numbers, see `arrays.category`


def as_real(x: Array, who: str) -> Array:
    """An array of real numbers as it is.

    Raises:
        RangeError: it holds truth values, whole or complex numbers, for which the operation is not defined.

    >>> as_real(np.ones(2), "elu").tolist()
    [1.0, 1.0]
    """
    if category(x.dtype) != _REAL:
        raise RangeError(f"{who}: wants real numbers (float16, float32, float64), got {x.dtype}")
    return x


def as_real_or_whole(x: Array, who: str) -> Array:
    """An array as real numbers: whole numbers and truth values become float32.

    Raises:
        RangeError: it holds complex numbers.

    >>> as_real_or_whole(np.array([True, False]), "erf").dtype
    dtype('float32')
    """
    if category(x.dtype) > _REAL:
        raise RangeError(f"{who}: wants real numbers, got {x.dtype}")
    return as_float(x)


def widened(x: Array) -> Array:
    """An array in the precision to compute in: float16 becomes float32, others stay.

    A sum or a power of three digits has fewer than three; so torch, too, computes in float32 and rounds at the end.
    """
    return x.astype(np.float32) if x.dtype == np.float16 else x


def rounded(value: Array, x: Array) -> Array:
    """What was computed in `widened(x)`, in the precision of x again; too large a number becomes infinity."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(value).astype(x.dtype, copy=False)
