"""Comparing and choosing: truth values from numbers, numbers by truth values, the larger and the smaller of two."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, Operand, as_common, broadcast, category, flows, unbroadcast
from photosite.ops.operands import held, matched

Pair = tuple[Array | None, Array | None]


def equal(x: Array, other: Operand) -> Array:
    """Where two arrays have the same number. NaN is equal to nothing.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
    Returns:
        Truth values of the broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
    Matches: torch `eq`, exactly.

    >>> equal(np.array([1, 2]), 2).tolist()
    [False, True]
    """
    return np.equal(*matched("eq", x, other))


def not_equal(x: Array, other: Operand) -> Array:
    """Where two arrays have different numbers.

    >>> not_equal(np.array([1, 2]), 2).tolist()
    [True, False]
    """
    return np.not_equal(*matched("ne", x, other))


def less(x: Array, other: Operand) -> Array:
    """Where the first is smaller; nowhere that one is NaN.

    >>> less(np.array([1, 2]), 2).tolist()
    [True, False]
    """
    return np.less(*_ordered("lt", x, other))


def less_equal(x: Array, other: Operand) -> Array:
    """Where the first is not larger; nowhere that one is NaN.

    >>> less_equal(np.array([2, 3]), 2).tolist()
    [True, False]
    """
    return np.less_equal(*_ordered("le", x, other))


def greater(x: Array, other: Operand) -> Array:
    """Where the first is larger; nowhere that one is NaN.

    >>> greater(np.array([2, 3]), 2).tolist()
    [False, True]
    """
    return np.greater(*_ordered("gt", x, other))


def greater_equal(x: Array, other: Operand) -> Array:
    """Where the first is not smaller; nowhere that one is NaN.

    >>> greater_equal(np.array([1, 2]), 2).tolist()
    [False, True]
    """
    return np.greater_equal(*_ordered("ge", x, other))


def logical_not(x: Array) -> Array:
    """Where a number is 0.

    >>> logical_not(np.array([0, 3])).tolist()
    [True, False]
    """
    return np.logical_not(x)


def logical_and(x: Array, other: Array) -> Array:
    """Where neither is 0.

    >>> logical_and(np.array([0, 3]), np.array([1, 1])).tolist()
    [False, True]
    """
    return np.logical_and(*matched("logical_and", x, other))


def logical_or(x: Array, other: Array) -> Array:
    """Where not both are 0.

    >>> logical_or(np.array([0, 3]), np.array([0, 0])).tolist()
    [False, True]
    """
    return np.logical_or(*matched("logical_or", x, other))


def logical_xor(x: Array, other: Array) -> Array:
    """Where one of both is 0.

    >>> logical_xor(np.array([0, 3]), np.array([0, 1])).tolist()
    [False, False]
    """
    return np.logical_xor(*matched("logical_xor", x, other))


def bitwise_not(x: Array) -> Array:
    """Every bit turned over; of truth values, the other one.

    Raises:
        RangeError: real numbers, whose bits have no such meaning.
    Matches: torch `bitwise_not`, exactly.

    >>> bitwise_not(np.array([True, False])).tolist(), bitwise_not(np.array([0, 5])).tolist()
    ([False, True], [-1, -6])
    """
    (x,) = _bits("bitwise_not", x)
    return np.invert(x)


def bitwise_and(x: Array, other: Operand) -> Array:
    """The bits that both have.

    >>> bitwise_and(np.array([6]), 3).tolist()
    [2]
    """
    return np.bitwise_and(*_bits("bitwise_and", x, other))


def bitwise_or(x: Array, other: Operand) -> Array:
    """The bits that one has.

    >>> bitwise_or(np.array([6]), 3).tolist()
    [7]
    """
    return np.bitwise_or(*_bits("bitwise_or", x, other))


def bitwise_xor(x: Array, other: Operand) -> Array:
    """The bits that one has and the other has not.

    >>> bitwise_xor(np.array([6]), 3).tolist()
    [5]
    """
    return np.bitwise_xor(*_bits("bitwise_xor", x, other))


def is_nan(x: Array) -> Array:
    """Where there is no number.

    >>> is_nan(np.array([np.nan, np.inf])).tolist()
    [True, False]
    """
    return np.isnan(x)


def is_infinite(x: Array) -> Array:
    """Where a number is infinite.

    >>> is_infinite(np.array([np.nan, -np.inf])).tolist()
    [False, True]
    """
    return np.isinf(x)


def is_finite(x: Array) -> Array:
    """Where there is a number, and a finite one.

    >>> is_finite(np.array([np.nan, np.inf, 0.0])).tolist()
    [False, False, True]
    """
    return np.isfinite(x)


def where(condition: Array, x: Operand, other: Operand) -> Array:
    """The first array's number where a condition holds, the second's elsewhere.

    Args:
        condition: truth values.
        x: what stands where it holds: an array whose shape fits, or a number.
        other: what stands elsewhere, likewise.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: the condition is made of numbers.
    Matches: torch `where`, exactly.

    >>> where(np.array([True, False]), np.array([1, 2]), 0).tolist()
    [1, 0]
    """
    if condition.dtype not in (np.bool_, np.uint8):
        raise RangeError(f"where: the condition wants truth values, got {condition.dtype}")
    broadcast("where", condition.shape, np.shape(x), np.shape(other))
    a, b = as_common(x, other)
    return np.where(condition != 0, a, b)


def where_vjp(
    grad: Array, result: Array, condition: Array, x: Operand, other: Operand
) -> tuple[None, Array | None, Array | None]:
    """To each where it was chosen."""
    zero = np.zeros((), grad.dtype)
    holds = condition != 0
    return None, unbroadcast(np.where(holds, grad, zero), x), unbroadcast(np.where(holds, zero, grad), other)


def masked_fill(x: Array, mask: Array, value: Operand) -> Array:
    """A copy in which one number stands wherever a mask is true.

    Args:
        x: any shape.
        mask: truth values whose shape fits.
        value: a number, or an array without axes.
    Returns:
        The broadcast shape, x's dtype.
    Raises:
        ShapeError: the shapes do not fit, or the value has axes.
        RangeError: the mask is made of numbers, or x's dtype cannot hold a number so large.
    Matches: torch `masked_fill`, exactly.

    >>> masked_fill(np.array([1.0, 2.0]), np.array([True, False]), -np.inf).tolist()
    [-inf, 2.0]
    """
    if mask.dtype != np.bool_:
        raise RangeError(f"masked_fill: the mask wants truth values, got {mask.dtype}")
    if np.ndim(value):
        raise RangeError(f"masked_fill: wants one number, got an array with {np.ndim(value)} axes")
    broadcast("masked_fill", x.shape, mask.shape)
    number = value.item() if isinstance(value, np.ndarray) else value
    return np.where(mask, held(number, x.dtype, "masked_fill"), x)


def masked_fill_vjp(
    grad: Array, result: Array, x: Array, mask: Array, value: Operand
) -> tuple[Array | None, None, Array | None]:
    """To x where the mask is false; to the value the sum where it is true."""
    zero = np.zeros((), grad.dtype)
    to_value = unbroadcast(np.where(mask, grad, zero).sum(), value) if flows(value) else None
    return unbroadcast(np.where(mask, zero, grad), x), None, to_value


def maximum(x: Array, other: Array) -> Array:
    """The larger of two numbers; NaN if one is.

    Args:
        x: any shape.
        other: a shape that fits.
    Raises:
        ShapeError: the shapes do not fit.
    Matches: torch `maximum`, exactly.

    >>> maximum(np.array([1, 5]), np.array([3, 2])).tolist()
    [3, 5]
    """
    return np.maximum(*_ordered("maximum", x, other))


def maximum_vjp(grad: Array, result: Array, x: Array, other: Array) -> Pair:
    """To the larger one; half to each where they are equal."""
    return _shared(grad, x, other, np.asarray(x > other), np.asarray(x == other))


def minimum(x: Array, other: Array) -> Array:
    """The smaller of two numbers; NaN if one is.

    >>> minimum(np.array([1, 5]), np.array([3, 2])).tolist()
    [1, 2]
    """
    return np.minimum(*_ordered("minimum", x, other))


def minimum_vjp(grad: Array, result: Array, x: Array, other: Array) -> Pair:
    """To the smaller one; half to each where they are equal."""
    return _shared(grad, x, other, np.asarray(x < other), np.asarray(x == other))


def _shared(grad: Array, x: Array, other: Array, first: Array, equal: Array) -> Pair:
    share = np.where(equal, 0.5, first).astype(grad.dtype)
    return unbroadcast(grad * share, x), unbroadcast(grad * (1 - share), other)


def _ordered(who: str, x: Array, other: Operand) -> tuple[Array, ...]:
    """Operands of one dtype that has an order."""
    pair = matched(who, x, other)
    if pair[0].dtype.kind == "c":
        raise RangeError(f"{who}: complex numbers have no order")
    return pair


def _bits(who: str, *operands: Operand) -> tuple[Array, ...]:
    """Operands of one dtype that has bits."""
    found = matched(who, *operands)
    if category(found[0].dtype) > 1:
        raise RangeError(f"{who}: wants whole numbers or truth values, got {found[0].dtype}")
    return found
