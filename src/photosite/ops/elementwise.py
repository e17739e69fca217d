"""Arithmetic of numbers that stand at the same place: sums, products, quotients, remainders, and mixes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from photosite.errors import RangeError, UnknownNameError
from photosite.ops.arrays import Array, Operand, Scalar, as_float, category, unbroadcast
from photosite.ops.operands import held, matched, no_slope

Pair = tuple[Array | None, Array | None]
Triple = tuple[Array | None, Array | None, Array | None]


@np.errstate(all="ignore")
def add(x: Array, other: Operand, alpha: Scalar = 1) -> Array:
    """The sum of two arrays, place by place: x + alpha other.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits: sides are equal, or one of them is 1.
        alpha: what `other` is multiplied by.
    Returns:
        The broadcast shape; of the dtype that `result_dtype` tells. The sum of truth values is "or".
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: alpha is no whole number though the operands are.
    Matches: torch `add`, exactly; whole numbers that grow too large wrap around.

    >>> add(np.array([[1], [2]]), np.array([10, 20]), alpha=2).tolist()
    [[21, 41], [22, 42]]
    """
    a, b = matched("add", x, other)
    return np.add(a, _times(b, alpha, "add"))


def add_vjp(grad: Array, result: Array, x: Array, other: Operand, alpha: Scalar = 1) -> Pair:
    """Each term has the sum's gradient, `other` alpha times it."""
    return unbroadcast(grad, x), unbroadcast(grad * alpha, other)


@np.errstate(all="ignore")
def subtract(x: Array, other: Operand, alpha: Scalar = 1) -> Array:
    """The difference of two arrays, place by place: x - alpha other.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
        alpha: what `other` is multiplied by.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: an operand has truth values, or alpha is no whole number though the operands are.
    Matches: torch `sub`, exactly.

    >>> subtract(np.array([5, 7]), 1, alpha=3).tolist()
    [2, 4]
    """
    for operand in (x, other):
        if np.asarray(operand).dtype.kind == "b":
            raise RangeError("sub: truth values cannot be subtracted; logical_xor and logical_not tell them apart")
    a, b = matched("sub", x, other)
    return np.subtract(a, _times(b, alpha, "sub"))


def subtract_vjp(grad: Array, result: Array, x: Array, other: Operand, alpha: Scalar = 1) -> Pair:
    """The first has the difference's gradient, the second it times -alpha."""
    return unbroadcast(grad, x), unbroadcast(grad * -alpha, other)


def subtract_from(x: Array, other: Operand, alpha: Scalar = 1) -> Array:
    """The difference the other way round: other - alpha x.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
        alpha: what `x` is multiplied by.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError, RangeError: as `subtract` does.
    Matches: torch `rsub`, exactly.

    >>> subtract_from(np.array([1, 2]), 10).tolist()
    [9, 8]
    """
    return subtract(np.asarray(other), x, alpha) if isinstance(other, np.ndarray) else _from_number(x, other, alpha)


def subtract_from_vjp(grad: Array, result: Array, x: Array, other: Operand, alpha: Scalar = 1) -> Pair:
    """As of a difference, with the roles exchanged."""
    return unbroadcast(grad * -alpha, x), unbroadcast(grad, other)


@np.errstate(all="ignore")
def multiply(x: Array, other: Operand) -> Array:
    """The product of two arrays, place by place: x other.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
    Returns:
        The broadcast shape. The product of truth values is "and".
    Raises:
        ShapeError: the shapes do not fit.
    Matches: torch `mul`, exactly.

    >>> multiply(np.array([[1], [2]]), np.array([10, 20])).tolist()
    [[10, 20], [20, 40]]
    """
    return np.multiply(*matched("mul", x, other))


@np.errstate(all="ignore")
def multiply_vjp(grad: Array, result: Array, x: Array, other: Operand) -> Pair:
    """Each factor has the gradient times the other one."""
    return unbroadcast(grad * other, x), unbroadcast(grad * x, other)


@np.errstate(all="ignore")
def divide(x: Array, other: Operand, rounding_mode: str | None = None) -> Array:
    """The quotient of two arrays, place by place: x / other.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
        rounding_mode: None for the quotient itself; "floor" rounds down, "trunc" towards 0.
    Returns:
        The broadcast shape. The quotient itself is real, float32 if both are whole; a rounded one stays whole.
    Raises:
        ShapeError: the shapes do not fit.
        UnknownNameError: another way of rounding.
        RangeError: a whole number is divided by 0 and rounded, or truth values are.
    Matches: torch `div`, exactly; real numbers over 0 are infinite, 0 over 0 is NaN.

    >>> divide(np.array([7, -7]), 2).tolist(), divide(np.array([7, -7]), 2, rounding_mode="trunc").tolist()
    ([3.5, -3.5], [3, -3])
    """
    if rounding_mode is None and all(category(np.asarray(one).dtype) < 2 for one in (x, other)):
        x, other = as_float(x), as_float(other)  # before they are matched: -2 is no uint8
    a, b = matched("div", x, other)
    if rounding_mode is None:
        return np.divide(a, b)
    if rounding_mode not in ("floor", "trunc"):
        raise UnknownNameError("rounding mode of div", rounding_mode, ("floor", "trunc"))
    _check_divisor(a, b, "div")
    if rounding_mode == "floor":
        return np.floor_divide(a, b)
    if category(a.dtype) >= 2:
        return np.trunc(a / b)
    down = np.floor_divide(a, b)
    return np.asarray(down + ((down < 0) & (down * b != a)).astype(a.dtype))  # below 0 the two ways differ by 1


@np.errstate(all="ignore")
def divide_vjp(grad: Array, result: Array, x: Array, other: Operand, rounding_mode: str | None = None) -> Pair:
    """1 / other for x, -x / other^2 for `other`; a rounded quotient is flat."""
    if rounding_mode is not None:
        return no_slope(x), no_slope(other)
    own = grad / other
    return unbroadcast(own, x), unbroadcast(-own * result, other)


def floor_divide(x: Operand, other: Operand) -> Array:
    """The quotient rounded down: floor(x / other).

    Args:
        x: an array of any shape, or a number.
        other: a number, or an array whose shape fits.
    Returns:
        The broadcast shape; whole numbers stay whole.
    Raises:
        ShapeError, RangeError: as `divide` does.
    Matches: torch `floor_divide`, exactly.

    >>> floor_divide(np.array([7, -7]), 2).tolist()
    [3, -4]
    """
    return divide(np.asarray(x), other, rounding_mode="floor")


def floor_divide_vjp(grad: Array, result: Array, x: Operand, other: Operand) -> Pair:
    """Flat between its steps; torch has no gradient here."""
    return no_slope(x), no_slope(other)


@np.errstate(all="ignore")
def remainder(x: Operand, other: Operand) -> Array:
    """What is left of a division that is rounded down: x - other floor(x / other); has the sign of `other`.

    Args:
        x: an array of any shape, or a number.
        other: a number, or an array whose shape fits.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: whole numbers are divided by 0, or truth values are.
    Matches: torch `remainder`, exactly.

    >>> remainder(np.array([7, -7]), 3).tolist()
    [1, 2]
    """
    a, b = matched("remainder", x, other)
    _check_divisor(a, b, "remainder")
    return np.remainder(a, b)


@np.errstate(all="ignore")
def remainder_vjp(grad: Array, result: Array, x: Operand, other: Operand) -> Pair:
    """1 for x; `other` is taken away floor(x / other) times."""
    return unbroadcast(grad, x), unbroadcast(-grad * np.floor_divide(x, other), other)


@np.errstate(all="ignore")
def fmod(x: Array, other: Operand) -> Array:
    """What is left of a division that is rounded towards 0: x - other trunc(x / other); has the sign of `x`.

    Args:
        x: any shape.
        other: a number, or an array whose shape fits.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: whole numbers are divided by 0, or truth values are.
    Matches: torch `fmod`, exactly.

    >>> fmod(np.array([7, -7]), 3).tolist()
    [1, -1]
    """
    a, b = matched("fmod", x, other)
    _check_divisor(a, b, "fmod")
    return np.fmod(a, b)


@np.errstate(all="ignore")
def fmod_vjp(grad: Array, result: Array, x: Array, other: Operand) -> Pair:
    """1 for x; `other` is taken away trunc(x / other) times."""
    return unbroadcast(grad, x), unbroadcast(-grad * np.trunc(np.divide(x, other)), other)


@np.errstate(all="ignore")
def add_product(x: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """An array and a product: x + value tensor1 tensor2.

    Args:
        x: any shape.
        tensor1: a factor, of a shape that fits.
        tensor2: the other one.
        value: what the product is multiplied by; loses its fraction where all three are whole.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: all three have truth values.
    Matches: torch `addcmul` to float32's rounding.

    >>> add_product(np.array([1, 2]), np.array([3, 4]), np.array([5, 6]), value=10).tolist()
    [151, 242]
    """
    a, b, c = matched("addcmul", x, tensor1, tensor2)
    if a.dtype.kind == "b":
        raise RangeError("addcmul: wants numbers, got truth values")
    return np.asarray(a + held(value, a.dtype, "addcmul") * b * c)


@np.errstate(all="ignore")
def add_product_vjp(
    grad: Array, result: Array, x: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1
) -> Triple:
    """1 for x; each factor has value times the other one."""
    scaled = grad * value
    return unbroadcast(grad, x), unbroadcast(scaled * tensor2, tensor1), unbroadcast(scaled * tensor1, tensor2)


@np.errstate(all="ignore")
def add_quotient(x: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """An array and a quotient: x + value tensor1 / tensor2; the step of most optimizers.

    Args:
        x: any shape.
        tensor1: the numerator, of a shape that fits.
        tensor2: the denominator; not whole as well.
        value: what the quotient is multiplied by.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: a whole number is divided by a whole number.
    Matches: torch `addcdiv` to float32's rounding.

    >>> add_quotient(np.array([1.0]), np.array([6.0]), np.array([3.0]), value=10).tolist()
    [21.0]
    """
    if category(tensor1.dtype) < 2 and category(tensor2.dtype) < 2:
        raise RangeError(f"addcdiv: wants a real numerator or denominator, got {tensor1.dtype} and {tensor2.dtype}")
    a, b, c = matched("addcdiv", x, tensor1, tensor2)
    return np.asarray(a + held(value, a.dtype, "addcdiv") * b / c)


@np.errstate(all="ignore")
def add_quotient_vjp(
    grad: Array, result: Array, x: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1
) -> Triple:
    """1 for x, value / tensor2 for tensor1, -value tensor1 / tensor2^2 for tensor2."""
    own = grad * value / tensor2
    return unbroadcast(grad, x), unbroadcast(own, tensor1), unbroadcast(-own * tensor1 / tensor2, tensor2)


@np.errstate(all="ignore")
def lerp(x: Array, end: Array, weight: Operand) -> Array:
    """A place on the straight line from one value to another: x + weight (end - x).

    Args:
        x: where weight 0 is; real.
        end: where weight 1 is; a shape that fits, the same dtype.
        weight: a number, or an array whose shape fits; of the same dtype, if it has axes.
    Returns:
        The broadcast shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: whole numbers, or different dtypes.
    Convention: from weight 1/2 on it starts from the far end, so that weight 1 gives exactly `end`.
    Matches: torch `lerp` to float32's rounding.

    >>> lerp(np.array([0.0, 10.0]), np.array([4.0, 20.0]), 0.25).tolist()
    [1.0, 12.5]
    """
    dtypes = [x.dtype, end.dtype, *([weight.dtype] if isinstance(weight, np.ndarray) and weight.ndim else [])]
    if len(set(dtypes)) > 1 or category(x.dtype) < 2:
        raise RangeError(f"lerp: wants real numbers of one dtype, got {', '.join(map(str, dtypes))}")
    matched("lerp", x, end, weight)
    share = np.asarray(weight).astype(x.dtype, copy=False)
    way = end - x
    return np.asarray(np.where(np.abs(share) < 0.5, x + share * way, end - way * (1 - share)))


def lerp_vjp(grad: Array, result: Array, x: Array, end: Array, weight: Operand) -> Triple:
    """1 - weight for x, weight for `end`, the way between them for the weight."""
    share = np.asarray(weight).astype(x.dtype, copy=False)
    return unbroadcast(grad * (1 - share), x), unbroadcast(grad * share, end), unbroadcast(grad * (end - x), weight)


def _from_number(x: Array, number: Operand, alpha: Scalar) -> Array:
    """A number minus alpha x, in the dtype that torch gives an array and a number."""
    number, same = matched("sub", number, x)
    if x.dtype.kind == "b":
        subtract(x, x)  # says why not
    return subtract(number, same, alpha)


def _times(x: Array, alpha: Scalar, who: str) -> Array:
    """The operand alpha times, alpha being a number of its kind."""
    if type(alpha) is int and alpha == 1:
        return x
    if isinstance(alpha, bool) and x.dtype.kind != "b":
        raise RangeError(f"{who}: alpha wants a number, got {alpha}")
    if isinstance(alpha, float | complex) and category(x.dtype) < 2:
        raise RangeError(f"{who}: alpha wants a whole number, as the operands are whole; got {alpha}")
    scaled: Array = x * np.asarray(alpha).astype(x.dtype)
    return scaled


def _check_divisor(x: Array, other: Any, who: str) -> None:
    if x.dtype.kind == "b":
        raise RangeError(f"{who}: wants numbers, got truth values")
    if category(x.dtype) < 2 and not np.all(other):
        raise RangeError(f"{who}: a whole number is divided by 0")
