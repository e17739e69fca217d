"""Operands brought together: one dtype, shapes that fit, numbers that a dtype can hold, axes put back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, Operand, Scalar, as_common, broadcast, flows


def matched(who: str, *operands: Operand) -> tuple[Array, ...]:
    """Operands as arrays of the dtype in which torch combines them, once their shapes are seen to fit.

    Raises:
        ShapeError: the shapes do not fit.

    >>> [a.dtype.name for a in matched("add", np.zeros((2, 1), np.int64), np.zeros(3, np.float32))]
    ['float32', 'float32']
    """
    broadcast(who, *(np.shape(operand) for operand in operands))
    return as_common(*operands)


def held(number: Scalar, dtype: np.dtype[Any], who: str) -> Array:
    """A number as an array without axes, if the dtype can hold it.

    Whole numbers lose what stands behind the point. Negative ones wrap around in an unsigned dtype, where a number that
    is too large does not: so torch has it.

    Raises:
        RangeError: it is too large for the dtype.

    >>> held(-1.5, np.dtype("int64"), "fill").tolist(), held(-1, np.dtype("uint8"), "fill").tolist()
    (-1, 255)
    """
    if dtype.kind not in "iuf" or isinstance(number, complex):
        return np.asarray(number).astype(dtype)
    if dtype.kind == "f":
        largest: float = float(np.finfo(dtype).max)
        least, endless = -largest, not math.isfinite(number)
    else:
        limits = np.iinfo(dtype)
        largest, endless = int(limits.max), False
        least = -largest if dtype.kind == "u" else int(limits.min)
    if not (least <= number <= largest or endless):
        raise RangeError(f"{who}: wants a number that {dtype} can hold, got {number}")
    return np.asarray(number if dtype.kind == "f" else int(number)).astype(dtype)


def no_slope(x: Any) -> Array | None:
    """The gradient of an operand whose small changes change nothing: zeros; None for what has no gradient."""
    return np.zeros_like(x) if flows(x) else None


def put_back(reduced: Array, axes: Sequence[int], keepdim: bool) -> Array:
    """A reduced array with the axes that it lost, of length 1, so that it lines up with its operand.

    >>> put_back(np.zeros((2, 4)), (1,), False).shape
    (2, 1, 4)
    """
    return reduced if keepdim else np.expand_dims(reduced, tuple(axes))


def repeated(reduced: Array, axes: Sequence[int], keepdim: bool, operand: Array) -> Array:
    """What a reduction gave, or its gradient, repeated to the operand's shape, in its dtype; a view."""
    return np.broadcast_to(put_back(reduced, axes, keepdim), operand.shape).astype(operand.dtype, copy=False)
