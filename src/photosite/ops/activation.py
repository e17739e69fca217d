"""Activations: functions of one value that stand between linear layers, softmax among them, and their slopes."""

from __future__ import annotations

import numpy as np

from photosite.errors import UnknownNameError
from photosite.ops.arrays import Array, as_dim, as_float, unbroadcast
from photosite.ops.special import SQRT_HALF, erf, normal_density

SQRT_TWO_OVER_PI = 0.7978845608028654
CUBIC = 0.044715
"""The tanh form of GELU: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), Hendrycks and Gimpel 2016."""


def relu(x: Array) -> Array:
    """What is positive, and 0 in place of the rest: max(x, 0).

    Args:
        x: any shape.
    Returns:
        Same shape and dtype; NaN stays NaN.
    Matches: torch `relu`, exactly.
    Source: Nair and Hinton 2010.

    >>> relu(np.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return np.maximum(x, np.zeros((), x.dtype))


def relu_vjp(grad: Array, result: Array, x: Array) -> tuple[Array]:
    """Passes where the result is positive; at 0 nothing does."""
    return (np.where(result > 0, grad, np.zeros((), grad.dtype)),)


def sigmoid(x: Array) -> Array:
    """Squeeze into (0, 1): 1 / (1 + exp(-x)).

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape.
    Matches: torch `sigmoid` to float32's rounding.

    >>> sigmoid(np.array([0.0, 100.0, -1000.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    x = as_float(x)
    small = np.exp(-np.abs(x))  # at most 1, so nothing overflows
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype, copy=False)


def sigmoid_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope of s is s (1 - s)."""
    return (unbroadcast(grad * result * (1 - result), x),)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Weigh by the share of a normal distribution that lies below: x Phi(x).

    Args:
        x: any shape.
        approximate: "none", or "tanh" for 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Returns:
        Same shape and dtype.
    Raises:
        UnknownNameError: another approximation.
    Matches: torch `gelu` to float32's rounding.
    Source: Hendrycks and Gimpel 2016.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.1587, 0.0, 0.8413]
    """
    if approximate == "tanh":
        return as_float(0.5 * x * (1 + np.tanh(SQRT_TWO_OVER_PI * (x + CUBIC * x**3))))
    if approximate != "none":
        raise UnknownNameError("approximation of gelu", approximate, ("none", "tanh"))
    return as_float(0.5 * x * (1 + erf(x * SQRT_HALF)))


def gelu_vjp(grad: Array, result: Array, x: Array, approximate: str = "none") -> tuple[Array]:
    """The slope is Phi(x) + x phi(x), phi being the normal density."""
    if approximate == "tanh":
        t = np.tanh(SQRT_TWO_OVER_PI * (x + CUBIC * x**3))
        inner = SQRT_TWO_OVER_PI * (1 + 3 * CUBIC * x**2)
        return (grad * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner),)
    return (grad * (0.5 * (1 + erf(x * SQRT_HALF)) + x * normal_density(x)),)


def softmax(x: Array, dim: int, dtype: np.dtype[np.generic] | None = None) -> Array:
    """Shares that sum to 1 along an axis: exp(x) / sum(exp(x)).

    Args:
        x: any shape.
        dim: the axis.
        dtype: compute in this dtype; the operand's for None.
    Returns:
        Same shape, each in [0, 1].
    Raises:
        RangeError: there is no such axis.
    Convention: the largest value is subtracted first, so nothing overflows; a line of -inf alone is NaN.
    Matches: torch `softmax` to float32's rounding.

    >>> softmax(np.log(np.array([1.0, 3.0])), 0).round(6).tolist()
    [0.25, 0.75]
    """
    x = as_float(x) if dtype is None else x.astype(dtype)
    axis = as_dim(dim, x.ndim, "softmax")
    if x.ndim == 0:
        return np.ones_like(x)
    with np.errstate(invalid="ignore"):
        powers = np.exp(x - x.max(axis, keepdims=True))
    return as_float(powers / powers.sum(axis, keepdims=True))


def softmax_vjp(
    grad: Array, result: Array, x: Array, dim: int, dtype: np.dtype[np.generic] | None = None
) -> tuple[Array | None]:
    """The slope is s (g - sum(g s)): what all shares lose or gain together does not count."""
    axis = as_dim(dim, x.ndim, "softmax")
    own = grad * result
    total = own.sum(axis, keepdims=True) if x.ndim else own
    return (unbroadcast(own - result * total, x),)
