"""Losses between numbers and what they should be: squared, absolute, and two that are one near 0 and the other far."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, as_common, broadcast, unbroadcast
from photosite.ops.loss_reduction import MEAN, reduced, spread
from photosite.ops.reals import as_real, rounded, widened

Pair = tuple[Array | None, Array | None]


def mse_loss(x: Array, target: Array, reduction: int = MEAN) -> Array:
    """Squared distances: (x - target)^2, the mean squared error.

    Args:
        x: any shape.
        target: a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
    Returns:
        One value; with reduction 0 of the shape that both have together.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or no such reduction.
    Matches: torch `mse_loss` to float32's rounding.

    >>> mse_loss(np.array([1.0, 5.0]), np.array([0.0, 2.0])).tolist()
    5.0
    """
    difference, dtype = _difference(x, target, "mse_loss")
    return reduced(np.square(difference), reduction, "mse_loss").astype(dtype, copy=False)


def mse_loss_vjp(grad: Array, result: Array, x: Array, target: Array, reduction: int = MEAN) -> Pair:
    """The slope is twice the difference; the target has the opposite."""
    difference, _ = _difference(x, target, "mse_loss")
    return _to_both(2 * difference, grad, x, target, reduction)


def l1_loss(x: Array, target: Array, reduction: int = MEAN) -> Array:
    """Absolute distances: |x - target|.

    Args:
        x: any shape.
        target: a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
    Returns:
        One value; with reduction 0 of the shape that both have together.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or no such reduction.
    Matches: torch `l1_loss` to float32's rounding.

    >>> l1_loss(np.array([1.0, 5.0]), np.array([0.0, 8.0])).tolist()
    2.0
    """
    difference, dtype = _difference(x, target, "l1_loss")
    return reduced(np.abs(difference), reduction, "l1_loss").astype(dtype, copy=False)


def l1_loss_vjp(grad: Array, result: Array, x: Array, target: Array, reduction: int = MEAN) -> Pair:
    """The slope is the sign of the difference, 0 at 0; the target has the opposite."""
    difference, _ = _difference(x, target, "l1_loss")
    return _to_both(np.sign(difference), grad, x, target, reduction)


def smooth_l1_loss(x: Array, target: Array, reduction: int = MEAN, beta: float = 1.0) -> Array:
    """Absolute distances with a round bottom: d^2 / (2 beta) up to beta, d - beta / 2 beyond it.

    Args:
        x: any shape.
        target: a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
        beta: where the parabola ends, not below 0; with 0 it is `l1_loss`.
    Returns:
        One value; with reduction 0 of the shape that both have together.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: beta is negative, no real numbers, or no such reduction.
    Matches: torch `smooth_l1_loss` to float32's rounding.
    Source: Girshick 2015, Fast R-CNN, equation 3.

    >>> smooth_l1_loss(np.array([1.0, 5.0]), np.array([0.0, 0.0]), 0, beta=2.0).tolist()
    [0.25, 4.0]
    """
    if beta < 0:
        raise RangeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    difference, dtype = _difference(x, target, "smooth_l1_loss")
    size = np.abs(difference)
    loss = np.where(size < beta, np.square(size) * (0.5 / (beta or 1)), size - 0.5 * beta)
    return reduced(loss, reduction, "smooth_l1_loss").astype(dtype, copy=False)


def smooth_l1_loss_vjp(
    grad: Array, result: Array, x: Array, target: Array, reduction: int = MEAN, beta: float = 1.0
) -> Pair:
    """The slope is d / beta, but no less than -1 and no more than 1; the target has the opposite."""
    difference, _ = _difference(x, target, "smooth_l1_loss")
    own = spread(widened(grad), difference.shape, reduction)
    return unbroadcast(own * _steps(difference, beta), x), unbroadcast(own * _steps(-difference, beta), target)


def _steps(difference: Array, beta: float) -> Array:
    """The slope d / beta between -1 and 1; where beta is 0, -1 at 0, on both sides, as torch has it."""
    return np.where(difference <= -beta, -1, np.where(difference >= beta, 1, difference / (beta or 1)))


def huber_loss(x: Array, target: Array, reduction: int = MEAN, delta: float = 1.0) -> Array:
    """Squared distances whose slope stops growing: d^2 / 2 up to delta, delta (d - delta / 2) beyond it.

    Args:
        x: any shape.
        target: a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
        delta: where the parabola ends, above 0.
    Returns:
        One value; with reduction 0 of the shape that both have together; in the dtype of x, also beside a wider target.
        It is delta times `smooth_l1_loss`.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: delta is not above 0, no real numbers, or no such reduction.
    Matches: torch `huber_loss` to float32's rounding.
    Source: Huber 1964.

    >>> huber_loss(np.array([1.0, 5.0]), np.array([0.0, 0.0]), 0, delta=2.0).tolist()
    [0.5, 8.0]
    """
    if delta <= 0:
        raise RangeError(f"huber_loss: delta must be above 0, got {delta}")
    difference, _ = _difference(as_real(x, "huber_loss"), target, "huber_loss")
    size = np.abs(difference)
    loss = np.where(size <= delta, 0.5 * np.square(size), delta * (size - 0.5 * delta))
    return rounded(reduced(loss, reduction, "huber_loss"), x)


def huber_loss_vjp(
    grad: Array, result: Array, x: Array, target: Array, reduction: int = MEAN, delta: float = 1.0
) -> Pair:
    """The slope is d, but no less than -delta and no more than delta; the target has the opposite."""
    difference, _ = _difference(x, target, "huber_loss")
    return _to_both(np.clip(difference, -delta, delta), grad, x, target, reduction)


def _difference(x: Array, target: Array, who: str) -> tuple[Array, np.dtype[np.generic]]:
    """The difference in the precision to compute in, and the dtype of the result."""
    broadcast(who, x.shape, target.shape)
    a, b = as_common(x, target)
    as_real(a, who)
    with np.errstate(invalid="ignore"):
        return np.asarray(widened(a) - widened(b)), a.dtype


def _to_both(slope: Array, grad: Array, x: Array, target: Array, reduction: int) -> Pair:
    """Each distance's slope times its share of the gradient, to x; and its opposite, to the target."""
    own = spread(widened(grad), slope.shape, reduction) * slope
    return unbroadcast(own, x), unbroadcast(-own, target)
