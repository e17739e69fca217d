"""Special functions that NumPy lacks: the error function and what is left of 1, logit, the normal density."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial import Chebyshev

from photosite.ops.arrays import Array, unbroadcast
from photosite.ops.reals import as_real_or_whole, rounded, widened

SQRT_HALF = 0.7071067811865476
INVERSE_SQRT_TWO_PI = 0.3989422804014327
TWO_OVER_SQRT_PI = 1.1283791670955126
NEAR = 0.5  # up to here the power series of erf, beyond it erfc
BLOCK = 4096  # numbers at once: eight arrays of them fit the nearest cache but one


def erf(x: Array) -> Array:
    """The error function: the share of a normal distribution of variance 1/2 that lies within x of its middle.

    erf(x) = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape, in [-1, 1].
    Raises:
        RangeError: complex numbers.
    Accuracy: 1e-15 in float64, float32's rounding in float32; relative, so small x keep their digits.
    Matches: `math.erf`, torch `erf`.
    Source: for |x| below 1/2 the power series, above erfc(x) = exp(-x^2) t P(t) with t = 2 / (2 + x), P a Chebyshev
        interpolation that is made here from the continued fraction of erfc.

    >>> erf(np.array([0.0, 1.0, -np.inf])).round(6).tolist()
    [0.0, 0.842701, -1.0]
    """
    return _in_blocks(_erf, as_real_or_whole(x, "erf"))


def erf_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope is 2 / sqrt(pi) exp(-x^2)."""
    return (unbroadcast(grad * _bell(x), x),)


def erfc(x: Array) -> Array:
    """What the error function leaves of 1, with all its digits where that is tiny.

    erfc(x) = 1 - erf(x).

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape, in [0, 2].
    Raises:
        RangeError: complex numbers.
    Accuracy: relative, 4e-15 in float64 while the result is a normal number, float32's rounding in float32.
    Matches: `math.erfc`, torch `erfc`.
    Source: as `erf`; the square in the exponent is taken in two pieces, so that its rounding does not grow.

    >>> erfc(np.array([0.0, 1.0, -np.inf])).round(6).tolist()
    [1.0, 0.157299, 2.0]
    >>> f"{erfc(np.array(10.0)):.9g}, {1 - erf(np.array(10.0)):.9g}"
    '2.08848758e-45, 0'
    """
    return _in_blocks(_erfc, as_real_or_whole(x, "erfc"))


def erfc_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope is that of erf, down instead of up."""
    return (unbroadcast(-grad * _bell(x), x),)


def _in_blocks(function: Callable[..., Array], x: Array) -> Array:
    """A function of one number, computed in float64 in blocks that fit the nearest cache."""
    found = np.empty(x.shape, x.dtype)
    flat, into = x.reshape(-1), found.reshape(-1)
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):  # each way fails where the other one is used
        for start in range(0, x.size, BLOCK):
            block = slice(start, start + BLOCK)
            into[block] = function(flat[block].astype(np.float64), exact=x.dtype.itemsize > 4)
    return found


def _erf(x: Array, *, exact: bool) -> Array:
    """The error function of a block; float64."""
    size = np.abs(x)
    far = 1 - np.exp(-x * x) * _scaled_erfc(size, exact)
    return np.where(size < NEAR, _series(x, exact), np.copysign(far, x))


def _erfc(x: Array, *, exact: bool) -> Array:
    """What is left of 1, of a block; float64."""
    size = np.minimum(np.abs(x), 30)  # where it is 0 in any dtype
    high = size.astype(np.float32).astype(np.float64) if exact else size  # its square has no rounding
    rest = np.exp((high - size) * (high + size)) if exact else 1.0
    far = np.exp(-high * high) * rest * _scaled_erfc(size, exact)
    return np.where(size < NEAR, 1 - _series(x, exact), np.where(x > 0, far, 2 - far))


def _series(x: Array, exact: bool) -> Array:
    """The power series of erf around 0."""
    square, series = x * x, np.zeros_like(x)
    for n in reversed(range(14 if exact else 6)):  # (-1)^n x^(2n) / (n! (2n + 1)), from the smallest term on
        series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
    return TWO_OVER_SQRT_PI * x * series


def _scaled_erfc(x: Array, exact: bool) -> Array:
    """The product erfc(x) exp(x^2), which falls slowly, for x not below 0."""
    t = 2 / (2 + x)
    return t * _clenshaw(_scaled_tail(32 if exact else 14), 2 * t - 1)


@cache
def _scaled_tail(terms: int) -> tuple[float, ...]:
    """Chebyshev coefficients of erfc(x) exp(x^2) / t in t = 2 / (2 + x), which goes from 1 (x = 0) to 0."""
    fitted = Chebyshev.interpolate(np.vectorize(_scaled_tail_at), terms, domain=[0, 1])
    return tuple(float(c) for c in fitted.coef)


def _scaled_tail_at(t: float) -> float:
    """One value of erfc(x) exp(x^2) / t, at x = 2 / t - 2."""
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


def _bell(x: Array) -> Array:
    """The slope of erf, 2 / sqrt(pi) exp(-x^2)."""
    wide = widened(as_real_or_whole(x, "erf"))
    with np.errstate(over="ignore", under="ignore"):
        slope: Array = TWO_OVER_SQRT_PI * np.exp(-wide * wide)
    return slope


def normal_density(x: Array) -> Array:
    """The density of the normal distribution with mean 0 and variance 1: exp(-x^2 / 2) / sqrt(2 pi)."""
    with np.errstate(over="ignore", under="ignore"):
        density: Array = INVERSE_SQRT_TWO_PI * np.exp(-0.5 * x * x)
    return density


def logit(x: Array, eps: float | None = None) -> Array:
    """The number whose sigmoid is x: log(x / (1 - x)), the logarithm of the odds.

    Args:
        x: shares, any shape; whole numbers become float32.
        eps: x is first brought into [eps, 1 - eps]; as it is for None and below 0.
    Returns:
        Same shape; -inf at 0, inf at 1, NaN outside of [0, 1].
    Raises:
        RangeError: complex numbers.
    Matches: torch `logit` to float32's rounding.

    >>> logit(np.array([0.0, 0.5, 0.75])).round(4).tolist(), logit(np.array([0.0]), eps=0.25).round(4).tolist()
    ([-inf, 0.0, 1.0986], [-1.0986])
    """
    x = as_real_or_whole(x, "logit")
    wide = widened(x)
    if eps is not None and eps >= 0:
        low, high = wide.dtype.type(eps), 1 - wide.dtype.type(eps)
        wide = np.where(wide < low, low, np.where(wide > high, high, wide))  # above eps = 1/2 the lower one counts
    with np.errstate(divide="ignore", invalid="ignore"):
        return rounded(np.log(wide / (1 - wide)), x)


def logit_vjp(grad: Array, result: Array, x: Array, eps: float | None = None) -> tuple[Array | None]:
    """The slope is 1 / (x (1 - x)); 0 where x was brought in, and NaN where there is no value."""
    wide = widened(as_real_or_whole(x, "logit"))
    clamps = eps is not None and eps >= 0
    low = wide.dtype.type(eps if clamps else 0)
    outside = (wide < low) | (wide > 1 - low)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slope = grad / (wide * (1 - wide))
    return (unbroadcast(np.where(outside, 0 if clamps else np.nan, slope).astype(slope.dtype), x),)
