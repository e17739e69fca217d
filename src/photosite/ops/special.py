"""Special functions that NumPy lacks: the error function, and the normal distribution's density."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.polynomial import Chebyshev

from photosite.ops.arrays import Array, as_float

SQRT_HALF = 0.7071067811865476
INVERSE_SQRT_TWO_PI = 0.3989422804014327
TWO_OVER_SQRT_PI = 1.1283791670955126
NEAR = 0.5  # up to here the power series of erf, beyond it 1 - erfc
BLOCK = 4096  # numbers at once: eight arrays of them fit the nearest cache but one


def erf(x: Array) -> Array:
    """The error function: the share of a normal distribution of variance 1/2 that lies within x of its middle.

    erf(x) = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape, in [-1, 1].
    Accuracy: 1e-15 in float64, float32's rounding in float32; relative, so small x keep their digits.
    Matches: `math.erf`, torch `erf`.
    Source: for |x| below 1/2 the power series, above erfc(x) = exp(-x^2) t P(t) with t = 2 / (2 + x), P a Chebyshev
        interpolation that is made here from the continued fraction of erfc.

    >>> erf(np.array([0.0, 1.0, -np.inf])).round(6).tolist()
    [0.0, 0.842701, -1.0]
    """
    x = as_float(x)
    found = np.empty(x.shape, x.dtype)
    flat, into = x.reshape(-1), found.reshape(-1)
    for start in range(0, x.size, BLOCK):
        block = slice(start, start + BLOCK)
        into[block] = _erf(flat[block].astype(np.float64), exact=x.dtype.itemsize > 4)
    return found


def _erf(x: Array, *, exact: bool) -> Array:
    """The error function of a block that fits the nearest cache; float64."""
    square, size = x * x, np.abs(x)
    with np.errstate(
        under="ignore", over="ignore", invalid="ignore"
    ):  # each of the two ways fails where it is not used
        series = np.zeros_like(x)
        for n in reversed(range(14 if exact else 6)):  # (-1)^n x^(2n) / (n! (2n + 1)), from the smallest term on
            series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
        t = 2 / (2 + size)
        far = 1 - np.exp(-square) * t * _clenshaw(_scaled_tail(32 if exact else 14), 2 * t - 1)
    return np.where(size < NEAR, TWO_OVER_SQRT_PI * x * series, np.copysign(far, x))


def erf_vjp(grad: Array, result: Array, x: Array) -> tuple[Array]:
    """The slope is 2 / sqrt(pi) exp(-x^2)."""
    return (grad * (TWO_OVER_SQRT_PI * np.exp(-(as_float(x) ** 2))).astype(grad.dtype),)


def normal_density(x: Array) -> Array:
    """The density of the normal distribution with mean 0 and variance 1: exp(-x^2 / 2) / sqrt(2 pi)."""
    density: Array = INVERSE_SQRT_TWO_PI * np.exp(-0.5 * x * x)
    return density


@cache
def _scaled_tail(terms: int) -> tuple[float, ...]:
    """Chebyshev coefficients of erfc(x) exp(x^2) / t in t = 2 / (2 + x), which goes from 1 (x = 0) to 0."""
    fitted = Chebyshev.interpolate(np.vectorize(_scaled_tail_at), terms, domain=[0, 1])
    return tuple(float(c) for c in fitted.coef)


def _scaled_tail_at(t: float) -> float:
    """erfc(x) exp(x^2) / t at x = 2 / t - 2."""
    x = 2 / t - 2
    if x < 2:
        return math.erfc(x) * math.exp(x * x) / t
    rest = 0.0
    for n in range(200, 0, -1):  # 1 / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...)))), Laplace
        rest = n / 2 / (x + rest)
    return 1 / (math.sqrt(math.pi) * (x + rest)) / t


def _clenshaw(coefficients: tuple[float, ...], x: Array) -> Array:
    """A Chebyshev series at x in [-1, 1]."""
    after, last = np.zeros_like(x), np.zeros_like(x)
    for c in coefficients[:0:-1]:
        after, last = 2 * x * after - last + c, after
    return x * after - last + coefficients[0]
