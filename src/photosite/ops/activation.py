"""Smooth activations, functions of one value that stand between linear layers; softmax; and relu, the plainest."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.ops.arrays import Array, as_dim, as_float, category, unbroadcast
from photosite.ops.reals import as_real, as_real_or_whole, rounded, widened
from photosite.ops.special import SQRT_HALF, erf, normal_density
from photosite.shapes import shape_text

SQRT_TWO_OVER_PI = 0.7978845608028654
CUBIC = 0.044715
"""The tanh form of GELU: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), Hendrycks and Gimpel 2016."""


def relu(x: Array) -> Array:
    """What is positive, and 0 in place of the rest: max(x, 0).

    Args:
        x: any shape; real or whole numbers.
    Returns:
        Same shape and dtype; NaN stays NaN.
    Raises:
        RangeError: truth values or complex numbers.
    Matches: torch `relu`, exactly.
    Source: Nair and Hinton 2010.

    >>> relu(np.array([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    if category(x.dtype) not in (1, 2):
        raise RangeError(f"relu: wants real or whole numbers, got {x.dtype}")
    return np.maximum(x, np.zeros((), x.dtype))


def relu_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """Passes where the result is not 0; at 0 nothing does."""
    return (unbroadcast(np.where(result <= 0, np.zeros((), grad.dtype), grad), x),)


def sigmoid(x: Array) -> Array:
    """Squeeze into (0, 1): 1 / (1 + exp(-x)).

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape.
    Raises:
        RangeError: complex numbers.
    Matches: torch `sigmoid` to float32's rounding.

    >>> sigmoid(np.array([0.0, 100.0, -1000.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    x = as_real_or_whole(x, "sigmoid")
    return rounded(share(widened(x)), x)


def sigmoid_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope of s is s (1 - s)."""
    return (unbroadcast(grad * result * (1 - result), x),)


def share(x: Array) -> Array:
    """The sigmoid of real numbers in their own precision; where exp(-x) is more than any number, the share is 0."""
    with np.errstate(over="ignore", under="ignore"):
        odds = np.exp(-x)
        odds += 1
        return np.reciprocal(odds)


def tanh(x: Array) -> Array:
    """Squeeze into (-1, 1): (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Args:
        x: any shape; whole numbers become float32.
    Returns:
        Same shape; complex numbers stay complex.
    Matches: torch `tanh` to float32's rounding.

    >>> tanh(np.array([0.0, 0.5, -1000.0])).round(4).tolist()
    [0.0, 0.4621, -1.0]
    """
    return np.tanh(as_float(x))


def tanh_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope of t is 1 - t^2."""
    return (unbroadcast(grad * np.conj(1 - result * result), x),)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Weigh by the share of a normal distribution that lies below: x Phi(x).

    Args:
        x: any shape.
        approximate: "none", or "tanh" for 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Returns:
        Same shape and dtype.
    Raises:
        UnknownNameError: another approximation.
        RangeError: no real numbers.
    Matches: torch `gelu` to float32's rounding; -inf gives NaN in both.
    Source: Hendrycks and Gimpel 2016.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.1587, 0.0, 0.8413]
    """
    wide = widened(as_real(x, "gelu"))
    with np.errstate(over="ignore", invalid="ignore"):
        return rounded(0.5 * wide * (1 + _gelu_inner(wide, approximate)), x)


def gelu_vjp(grad: Array, result: Array, x: Array, approximate: str = "none") -> tuple[Array | None]:
    """The slope is Phi(x) + x phi(x), phi being the normal density; with tanh, the product rule."""
    wide = widened(x)
    with np.errstate(over="ignore", invalid="ignore"):
        inner = _gelu_inner(wide, approximate)
        if approximate == "tanh":
            inner_slope = (1 - inner * inner) * SQRT_TWO_OVER_PI * (1 + 3 * CUBIC * wide * wide)
            slope = 0.5 * (1 + inner) + 0.5 * wide * inner_slope
        else:
            slope = 0.5 * (1 + inner) + wide * normal_density(wide)
        return (unbroadcast(grad * slope, x),)


def _gelu_inner(x: Array, approximate: str) -> Array:
    """What goes from -1 to 1 in GELU: erf(x / sqrt(2)), or the tanh near it."""
    if approximate == "tanh":
        return np.tanh(SQRT_TWO_OVER_PI * (x + CUBIC * x * x * x))
    if approximate != "none":
        raise UnknownNameError("approximation of gelu", approximate, ("none", "tanh"))
    return erf(x * SQRT_HALF)


def silu(x: Array) -> Array:
    """Weigh by the own sigmoid: x / (1 + exp(-x)); also called swish.

    Args:
        x: any shape.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `silu` to float32's rounding; -inf gives NaN in both.
    Source: Elfwing, Uchibe and Doya 2017; Ramachandran, Zoph and Le 2017.

    >>> silu(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.2689, 0.0, 0.7311]
    """
    wide = widened(as_real(x, "silu"))
    with np.errstate(invalid="ignore"):
        return rounded(wide * share(wide), x)


def silu_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope is s + x s (1 - s), s being the sigmoid."""
    wide = widened(x)
    own = share(wide)
    with np.errstate(invalid="ignore"):
        return (unbroadcast(grad * (own + wide * own * (1 - own)), x),)


def mish(x: Array) -> Array:
    """Weigh by a soft step: x tanh(log(1 + exp(x))).

    Args:
        x: any shape.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `mish` to float32's rounding; -inf gives NaN in both.
    Source: Misra 2019.

    >>> mish(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.3034, 0.0, 0.8651]
    """
    wide = widened(as_real(x, "mish"))
    with np.errstate(invalid="ignore"):
        return rounded(wide * np.tanh(_log_one_plus_exp(wide)), x)


def mish_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope is t + x (1 - t^2) s: t the soft step, s the sigmoid, which is the slope of softplus."""
    wide = widened(x)
    step = np.tanh(_log_one_plus_exp(wide))
    with np.errstate(invalid="ignore"):
        return (unbroadcast(grad * (step + wide * (1 - step * step) * share(wide)), x),)


def softplus(x: Array, beta: float = 1, threshold: float = 20) -> Array:
    """A relu with a round corner: log(1 + exp(beta x)) / beta.

    Args:
        x: any shape.
        beta: how sharp the corner is.
        threshold: where beta x is above it, x itself is returned.
    Returns:
        Same shape and dtype, at least 0.
    Raises:
        RangeError: no real numbers.
    Matches: torch `softplus` to float32's rounding.
    Source: Dugas et al. 2001.

    >>> softplus(np.array([-1.0, 0.0, 30.0])).round(4).tolist()
    [0.3133, 0.6931, 30.0]
    """
    wide = widened(as_real(x, "softplus"))
    with np.errstate(over="ignore", divide="ignore"):
        scaled = wide * beta
        curve = np.divide(_log_one_plus_exp(scaled), beta)
    return rounded(np.where(scaled > threshold, wide, curve), x)


def softplus_vjp(grad: Array, result: Array, x: Array, beta: float = 1, threshold: float = 20) -> tuple[Array | None]:
    """The slope is the sigmoid of beta x; 1 above the threshold."""
    with np.errstate(over="ignore"):
        scaled = widened(x) * beta
    return (unbroadcast(np.where(scaled > threshold, grad, grad * share(scaled)), x),)


def log_sigmoid(x: Array) -> Array:
    """The logarithm of the sigmoid, -log(1 + exp(-x)), exact also where the sigmoid itself would be 0.

    Args:
        x: any shape.
    Returns:
        Same shape and dtype, at most 0.
    Raises:
        RangeError: no real numbers.
    Matches: torch `log_sigmoid` to float32's rounding.

    >>> log_sigmoid(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [-1000.0, -0.6931, -0.0]
    """
    return rounded(-_log_one_plus_exp(-widened(as_real(x, "log_sigmoid"))), x)


def log_sigmoid_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope is what the sigmoid leaves of 1, the sigmoid of -x."""
    return (unbroadcast(grad * share(-widened(x)), x),)


def _log_one_plus_exp(x: Array) -> Array:
    """The logarithm of 1 + exp(x), as max(x, 0) + log(1 + exp(-|x|)), in which nothing overflows."""
    with np.errstate(under="ignore"):
        return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def glu(x: Array, dim: int = -1) -> Array:
    """One half of the channels opens or shuts the other: a sigmoid(b), a and b being the halves along an axis.

    Args:
        x: any shape with an even side along the axis.
        dim: the axis.
    Returns:
        Half as long along the axis.
    Raises:
        ShapeError: an odd side, or no axis at all.
        RangeError: there is no such axis; no real numbers.
    Matches: torch `glu` to float32's rounding.
    Source: Dauphin et al. 2016.

    >>> glu(np.array([3.0, 5.0, 0.0, 100.0])).tolist()
    [1.5, 5.0]
    """
    value, gate = _halves(widened(as_real(x, "glu")), dim)
    return rounded(value * share(gate), x)


def glu_vjp(grad: Array, result: Array, x: Array, dim: int = -1) -> tuple[Array | None]:
    """The product rule: the value's slope is the open share s, the gate's is a s (1 - s)."""
    value, gate = _halves(widened(x), dim)
    own = share(gate)
    both = np.concatenate([grad * own, grad * value * own * (1 - own)], as_dim(dim, x.ndim, "glu"))
    return (unbroadcast(both, x),)


def _halves(x: Array, dim: int) -> tuple[Array, Array]:
    """The two halves along an axis."""
    axis = as_dim(dim, x.ndim, "glu")
    if x.ndim == 0 or x.shape[axis] % 2:
        raise ShapeError(f"glu: wants an even side along dim {dim}, got {shape_text(x.shape)}")
    value, gate = np.split(x, 2, axis)
    return value, gate


def softmax(x: Array, dim: int, dtype: np.dtype[np.generic] | None = None) -> Array:
    """Shares that sum to 1 along an axis: exp(x) / sum(exp(x)).

    Args:
        x: any shape.
        dim: the axis.
        dtype: compute in this dtype; the operand's for None.
    Returns:
        Same shape, each in [0, 1].
    Raises:
        RangeError: there is no such axis; no real numbers.
    Convention: the largest value is subtracted first, so nothing overflows; a line of -inf alone is NaN.
    Matches: torch `softmax` to float32's rounding.

    >>> softmax(np.log(np.array([1.0, 3.0])), 0).round(6).tolist()
    [0.25, 0.75]
    """
    x = as_real(x if dtype is None else x.astype(dtype, copy=False), "softmax")
    axis = as_dim(dim, x.ndim, "softmax")
    powers = _less_largest(widened(x), axis)
    with np.errstate(under="ignore"):
        powers = np.exp(powers)
        return rounded(powers / powers.sum(axis, keepdims=True), x)


def softmax_vjp(
    grad: Array, result: Array, x: Array, dim: int, dtype: np.dtype[np.generic] | None = None
) -> tuple[Array | None]:
    """The slope is s (g - sum(g s)): what all shares lose or gain together does not count."""
    shares = widened(result)
    own = grad * shares
    return (unbroadcast(own - shares * own.sum(as_dim(dim, x.ndim, "softmax"), keepdims=True), x),)


def log_softmax(x: Array, dim: int, dtype: np.dtype[np.generic] | None = None) -> Array:
    """The logarithms of softmax, x - log(sum(exp(x))), exact also for shares that are all but 0.

    Args:
        x: any shape.
        dim: the axis along which the shares sum to 1.
        dtype: compute in this dtype; the operand's for None.
    Returns:
        Same shape, at most 0.
    Raises:
        RangeError: there is no such axis; no real numbers.
    Matches: torch `log_softmax` to float32's rounding.

    >>> log_softmax(np.array([0.0, 1000.0]), 0).tolist()
    [-1000.0, 0.0]
    """
    x = as_real(x if dtype is None else x.astype(dtype, copy=False), "log_softmax")
    axis = as_dim(dim, x.ndim, "log_softmax")
    rest = _less_largest(widened(x), axis)
    with np.errstate(under="ignore", divide="ignore"):
        return rounded(rest - np.log(np.exp(rest).sum(axis, keepdims=True)), x)


def log_softmax_vjp(
    grad: Array, result: Array, x: Array, dim: int, dtype: np.dtype[np.generic] | None = None
) -> tuple[Array | None]:
    """The slope is g - s sum(g): s, the shares, is what the sum's logarithm gives back."""
    wide = widened(grad)
    shares = np.exp(widened(result))
    return (unbroadcast(wide - shares * wide.sum(as_dim(dim, x.ndim, "log_softmax"), keepdims=True), x),)


def _less_largest(x: Array, axis: int) -> Array:
    """Values less the largest along an axis; the largest of none is -inf."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(x - x.max(axis, keepdims=True, initial=-np.inf))


def inner_softmax(x: Array, dim: int, half_to_float: bool) -> Array:
    """The softmax that torch has inside: as `softmax`, whose dtype can only be float32 for float16 operands.

    >>> inner_softmax(np.zeros(4, np.float16), 0, True)
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    return softmax(x, dim, _inner_dtype(x, half_to_float, "_softmax"))


def inner_softmax_vjp(grad: Array, result: Array, x: Array, dim: int, half_to_float: bool) -> tuple[Array | None]:
    """As softmax."""
    return softmax_vjp(grad, result, x, dim)


def inner_log_softmax(x: Array, dim: int, half_to_float: bool) -> Array:
    """The log_softmax that torch has inside: as `log_softmax`, whose dtype can only be float32 for float16 operands.

    >>> inner_log_softmax(np.array([0.0, 1000.0]), 0, False).tolist()
    [-1000.0, 0.0]
    """
    return log_softmax(x, dim, _inner_dtype(x, half_to_float, "_log_softmax"))


def inner_log_softmax_vjp(grad: Array, result: Array, x: Array, dim: int, half_to_float: bool) -> tuple[Array | None]:
    """As log_softmax."""
    return log_softmax_vjp(grad, result, x, dim)


def _inner_dtype(x: Array, half_to_float: bool, who: str) -> np.dtype[np.generic] | None:
    """Float32 when half precision is to become it."""
    if half_to_float and x.dtype != np.float16:
        raise RangeError(f"{who}: half_to_float wants float16, got {x.dtype}")
    return np.dtype(np.float32) if half_to_float else None
