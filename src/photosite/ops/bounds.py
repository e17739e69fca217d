"""Bounds: numbers kept from falling below one number or rising above another."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, Operand, result_dtype, unbroadcast
from photosite.ops.operands import matched

Pair = tuple[Array | None, Array | None]
Triple = tuple[Array | None, Array | None, Array | None]


def clamp(x: Array, min: Operand | None = None, max: Operand | None = None) -> Array:
    """Keep between bounds: what is below one becomes it, what is above the other becomes that.

    Args:
        x: any shape; numbers.
        min: the lower bound: a number, or an array whose shape fits; none for None.
        max: the upper bound, likewise; where the bounds cross, it wins.
    Returns:
        The broadcast shape.
    Raises:
        RangeError: no bound at all, or truth values.
        ShapeError: the shapes do not fit.
    Matches: torch `clamp`, exactly.

    >>> clamp(np.array([-2.0, 0.5, 3.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    if min is None and max is None:
        raise RangeError("clamp: wants at least one bound")
    if result_dtype(x, *(bound for bound in (min, max) if bound is not None)).kind == "b":
        raise RangeError("clamp: wants numbers, got truth values")
    x, *bounds = matched("clamp", x, *(bound for bound in (min, max) if bound is not None))
    if min is not None:
        x = np.maximum(x, bounds[0])
    return x if max is None else np.minimum(x, bounds[-1])


def clamp_vjp(grad: Array, result: Array, x: Array, min: Operand | None = None, max: Operand | None = None) -> Triple:
    """To x where it is within the bounds, which counts for x at a bound; else to the bound that it was moved to."""
    low = np.zeros(grad.shape, bool) if min is None else np.broadcast_to(np.asarray(x < min), grad.shape)
    high = np.zeros(grad.shape, bool) if max is None else np.broadcast_to(np.asarray(x > max), grad.shape)
    if min is not None and max is not None:
        crossed = np.asarray(min) > np.asarray(max)
        low, high = low & ~crossed, high | crossed
    zero = np.zeros((), grad.dtype)
    return (
        unbroadcast(np.where(low | high, zero, grad), x),
        None if min is None else unbroadcast(np.where(low, grad, zero), min),
        None if max is None else unbroadcast(np.where(high, grad, zero), max),
    )


def clamp_min(x: Array, min: Operand) -> Array:
    """Keep from falling below a bound.

    >>> clamp_min(np.array([-2.0, 3.0]), 0).tolist()
    [0.0, 3.0]
    """
    return clamp(x, min)


def clamp_min_vjp(grad: Array, result: Array, x: Array, min: Operand) -> Pair:
    """As of `clamp`."""
    return clamp_vjp(grad, result, x, min)[:2]


def clamp_max(x: Array, max: Operand) -> Array:
    """Keep from rising above a bound.

    >>> clamp_max(np.array([-2.0, 3.0]), 0).tolist()
    [-2.0, 0.0]
    """
    return clamp(x, None, max)


def clamp_max_vjp(grad: Array, result: Array, x: Array, max: Operand) -> Pair:
    """As of `clamp`."""
    to_x, _, to_bound = clamp_vjp(grad, result, x, None, max)
    return to_x, to_bound
