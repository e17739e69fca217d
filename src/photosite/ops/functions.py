"""Functions of one number, each value for itself: powers, logarithms, trigonometry, rounding, bounds."""

from __future__ import annotations

import math

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, Operand, as_float, category, flows, unbroadcast
from photosite.ops.operands import matched, no_slope
from photosite.ops.reals import as_real_or_whole

Gradient = tuple[Array | None]
Pair = tuple[Array | None, Array | None]
Triple = tuple[Array | None, Array | None, Array | None]

_LOG_2, _LOG_10 = math.log(2), math.log(10)


def negative(x: Array) -> Array:
    """The number with the other sign: -x.

    Args:
        x: any shape; numbers.
    Raises:
        RangeError: truth values.
    Matches: torch `neg`, exactly.

    >>> negative(np.array([1, -2])).tolist()
    [-1, 2]
    """
    return np.negative(_numbers("neg", x))


def negative_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The gradient with the other sign."""
    return (unbroadcast(-grad, x),)


def absolute(x: Array) -> Array:
    """The number without its sign: |x|.

    Args:
        x: any shape; real or whole numbers.
    Raises:
        RangeError: truth values.
    Matches: torch `abs`, exactly.

    >>> absolute(np.array([1, -2])).tolist()
    [1, 2]
    """
    return np.abs(_numbers("abs", x))


def absolute_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is the sign; 0 at 0."""
    return (unbroadcast(grad * np.sign(x), x),)


@np.errstate(all="ignore")
def exp(x: Array) -> Array:
    """The exponential: e to the power of x.

    Args:
        x: any shape; whole numbers become float32.
    Matches: torch `exp` to float32's rounding.

    >>> exp(np.array([0.0, 1.0])).round(4).tolist()
    [1.0, 2.7183]
    """
    return np.exp(as_float(x))


@np.errstate(all="ignore")
def exp_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """It is its own slope."""
    return (unbroadcast(grad * result, x),)


@np.errstate(all="ignore")
def exp2(x: Array) -> Array:
    """2 to the power of x.

    >>> exp2(np.array([0.0, 3.0])).tolist()
    [1.0, 8.0]
    """
    return np.exp2(as_real_or_whole(x, "exp2"))


@np.errstate(all="ignore")
def exp2_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """Its slope is log(2) times it."""
    return (unbroadcast(grad * result * _LOG_2, x),)


@np.errstate(all="ignore")
def expm1(x: Array) -> Array:
    """The exponential less 1, exact also near 0.

    >>> expm1(np.array([1e-20])).tolist()
    [1e-20]
    """
    return np.expm1(as_real_or_whole(x, "expm1"))


@np.errstate(all="ignore")
def expm1_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """Its slope is the exponential, it and 1."""
    return (unbroadcast(grad * (result + 1), x),)


@np.errstate(all="ignore")
def log(x: Array) -> Array:
    """The natural logarithm.

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        -inf at 0, NaN below.
    Matches: torch `log` to float32's rounding.

    >>> log(np.array([1.0, 0.0])).tolist()
    [0.0, -inf]
    """
    return np.log(as_real_or_whole(x, "log"))


@np.errstate(all="ignore")
def log_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / x."""
    return (unbroadcast(grad / x, x),)


@np.errstate(all="ignore")
def log2(x: Array) -> Array:
    """The logarithm to base 2.

    >>> log2(np.array([8.0])).tolist()
    [3.0]
    """
    return np.log2(as_real_or_whole(x, "log2"))


@np.errstate(all="ignore")
def log2_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / (x log(2))."""
    return (unbroadcast(grad / (x * _LOG_2), x),)


@np.errstate(all="ignore")
def log10(x: Array) -> Array:
    """The logarithm to base 10.

    >>> log10(np.array([1000.0])).tolist()
    [3.0]
    """
    return np.log10(as_real_or_whole(x, "log10"))


@np.errstate(all="ignore")
def log10_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / (x log(10))."""
    return (unbroadcast(grad / (x * _LOG_10), x),)


@np.errstate(all="ignore")
def log1p(x: Array) -> Array:
    """The logarithm of 1 + x, exact also near 0.

    >>> log1p(np.array([1e-20])).tolist()
    [1e-20]
    """
    return np.log1p(as_real_or_whole(x, "log1p"))


@np.errstate(all="ignore")
def log1p_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / (1 + x)."""
    return (unbroadcast(grad / (1 + x), x),)


@np.errstate(all="ignore")
def sqrt(x: Array) -> Array:
    """The square root.

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        NaN below 0.
    Matches: torch `sqrt` to float32's rounding.

    >>> sqrt(np.array([4.0])).tolist()
    [2.0]
    """
    return np.sqrt(as_real_or_whole(x, "sqrt"))


@np.errstate(all="ignore")
def sqrt_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / (2 sqrt(x))."""
    return (unbroadcast(grad / (2 * result), x),)


@np.errstate(all="ignore")
def rsqrt(x: Array) -> Array:
    """1 over the square root; what norms multiply by.

    >>> rsqrt(np.array([4.0])).tolist()
    [0.5]
    """
    return np.reciprocal(sqrt(x))


@np.errstate(all="ignore")
def rsqrt_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is -1/2 r^3."""
    return (unbroadcast(grad * -0.5 * result * result * result, x),)


@np.errstate(all="ignore")
def reciprocal(x: Array) -> Array:
    """1 / x.

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Infinite at 0.
    Matches: torch `reciprocal`, exactly.

    >>> reciprocal(np.array([4.0])).tolist()
    [0.25]
    """
    return np.reciprocal(as_float(x))


@np.errstate(all="ignore")
def reciprocal_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is -1 / x^2."""
    return (unbroadcast(-grad * result * result, x),)


@np.errstate(all="ignore")
def square(x: Array) -> Array:
    """The number times itself.

    >>> square(np.array([3.0])).tolist()
    [9.0]
    """
    return power(x, 2)


@np.errstate(all="ignore")
def square_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 2 x."""
    return (unbroadcast(2 * grad * x, x),)


@np.errstate(all="ignore")
def power(x: Operand, exponent: Operand) -> Array:
    """A number to the power of another: x^exponent.

    Args:
        x: the base: an array, or a number.
        exponent: a number, or an array whose shape fits.
    Returns:
        The broadcast shape; whole numbers stay whole if both are.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: a negative whole exponent of whole numbers, which would give fractions.
    Matches: torch `pow` to float32's rounding.

    >>> power(np.array([2.0, 9.0]), np.array([3.0, 0.5])).tolist()
    [8.0, 3.0]
    """
    a, b = matched("pow", x, exponent)
    if category(a.dtype) < 2 and np.any(np.asarray(exponent) < 0):
        raise RangeError("pow: whole numbers want an exponent of at least 0; make them real first")
    if a.dtype.kind == "f" and isinstance(exponent, int | float) and exponent == 2:
        return np.multiply(a, a)
    if a.dtype.kind == "b":
        return np.logical_or(a, ~b)
    return np.power(a, b)


@np.errstate(all="ignore")
def power_vjp(grad: Array, result: Array, x: Operand, exponent: Operand) -> Pair:
    """The base's slope is e x^(e - 1), 0 for exponent 0; the exponent's log(x) x^e, 0 for base 0."""
    base, own = np.asarray(x), np.asarray(exponent)
    to_base = to_exponent = None
    if flows(x):
        slope = np.asarray(own * np.power(base, (own - 1).astype(base.dtype)))
        to_base = unbroadcast(grad * np.where(own == 0, 0, slope), x)
    if flows(exponent):
        logarithm = np.where((base == 0) & (own >= 0), 0, np.log(base.astype(result.dtype)))
        to_exponent = unbroadcast(grad * result * logarithm, exponent)
    return to_base, to_exponent


@np.errstate(all="ignore")
def sin(x: Array) -> Array:
    """The sine; x in radians.

    Args:
        x: any shape; whole numbers become float32.
    Matches: torch `sin` to float32's rounding.

    >>> sin(np.array([0.0, np.pi / 2])).tolist()
    [0.0, 1.0]
    """
    return np.sin(as_float(x))


@np.errstate(all="ignore")
def sin_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is the cosine."""
    return (unbroadcast(grad * np.cos(x), x),)


@np.errstate(all="ignore")
def cos(x: Array) -> Array:
    """The cosine; x in radians.

    Args:
        x: any shape; whole numbers become float32.
    Matches: torch `cos` to float32's rounding.

    >>> cos(np.array([0.0, np.pi])).tolist()
    [1.0, -1.0]
    """
    return np.cos(as_float(x))


@np.errstate(all="ignore")
def cos_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is the sine with the other sign."""
    return (unbroadcast(-grad * np.sin(x), x),)


@np.errstate(all="ignore")
def atan(x: Array) -> Array:
    """The angle whose tangent is x, in radians, -pi/2 … pi/2.

    >>> atan(np.array([0.0, np.inf])).round(4).tolist()
    [0.0, 1.5708]
    """
    return np.arctan(as_real_or_whole(x, "atan"))


@np.errstate(all="ignore")
def atan_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """The slope is 1 / (1 + x^2)."""
    return (unbroadcast(grad / (1 + x * x), x),)


def sign(x: Array) -> Array:
    """-1, 0 or 1; 0 for NaN, as in torch, where NumPy has NaN.

    >>> sign(np.array([-3.0, 0.0, 2.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    if x.dtype.kind != "f":
        return x if x.dtype.kind == "b" else np.sign(x)
    return np.subtract(x > 0, x < 0, dtype=x.dtype)


def floor(x: Array) -> Array:
    """The largest whole number that is not above x.

    >>> floor(np.array([-1.5, 1.5])).tolist()
    [-2.0, 1.0]
    """
    return _whole("floor", x, np.floor)


def ceil(x: Array) -> Array:
    """The smallest whole number that is not below x.

    >>> ceil(np.array([-1.5, 1.5])).tolist()
    [-1.0, 2.0]
    """
    return _whole("ceil", x, np.ceil)


def trunc(x: Array) -> Array:
    """X without what stands behind the point.

    >>> trunc(np.array([-1.5, 1.5])).tolist()
    [-1.0, 1.0]
    """
    return _whole("trunc", x, np.trunc)


def nearest(x: Array, *, decimals: int = 0) -> Array:
    """The nearest number with so many decimals; of two equally near ones the even one.

    Matches: torch `round`; with decimals to float32's rounding.

    >>> nearest(np.array([0.5, 1.5, -1.2])).tolist(), nearest(np.array([1.25]), decimals=1).tolist()
    ([0.0, 2.0, -1.0], [1.2])
    """
    if category(x.dtype) < 2:
        return _whole("round", x, np.rint)
    scale = 10.0**decimals
    return np.rint(x) if decimals == 0 else np.rint(x * x.dtype.type(scale)) / x.dtype.type(scale)


def flat_vjp(grad: Array, result: Array, x: Array, *, decimals: int = 0) -> Gradient:
    """Signs and rounded numbers do not change with small changes of x."""
    return (no_slope(x),)


def _numbers(who: str, x: Array) -> Array:
    if x.dtype.kind == "b":
        raise RangeError(f"{who}: wants numbers, got truth values")
    return x


def _whole(who: str, x: Array, function: np.ufunc) -> Array:
    """What rounds real numbers; whole ones are what they are."""
    if category(_numbers(who, x).dtype) > 2:
        raise RangeError(f"{who}: wants real numbers, got {x.dtype}")
    found: Array = x if category(x.dtype) < 2 else function(x)
    return found
