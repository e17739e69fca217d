"""Activations with a kink, most of them straight on both sides of it; the slope at the kink is torch's."""

from __future__ import annotations

import math

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, category, unbroadcast
from photosite.ops.reals import as_real, rounded, widened
from photosite.shapes import shape_text

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Mean 0 and variance 1 come through SELU as they are (Klambauer et al. 2017, equation 14)."""


def hardtanh(x: Array, min_val: float = -1, max_val: float = 1) -> Array:
    """Cut off on both sides: min_val below, max_val above, x itself in between.

    Args:
        x: any shape; real or whole numbers.
        min_val: lower bound; of whole numbers its whole part counts.
        max_val: upper bound; it wins where the bounds are crossed.
    Returns:
        Same shape and dtype; NaN stays NaN.
    Raises:
        RangeError: truth values or complex numbers, or a negative bound for numbers without sign.
    Matches: torch `hardtanh`, exactly.

    >>> hardtanh(np.array([-2.0, 0.5, 7.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    return _clipped(x, min_val, max_val, "hardtanh")


def hardtanh_vjp(grad: Array, result: Array, x: Array, min_val: float = -1, max_val: float = 1) -> tuple[Array | None]:
    """Passes between the bounds; at the bounds nothing does."""
    return (_where(x, (x <= min_val) | (x >= max_val), 0, grad),)


def relu6(x: Array) -> Array:
    """What is positive, up to 6: min(max(x, 0), 6).

    Args:
        x: any shape; real or whole numbers.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: truth values or complex numbers.
    Matches: torch `relu6`, exactly.
    Source: Krizhevsky 2010; the bound keeps digits in low precision (Howard et al. 2017, MobileNets).

    >>> relu6(np.array([-2.0, 0.5, 7.0])).tolist()
    [0.0, 0.5, 6.0]
    """
    return _clipped(x, 0, 6, "relu6")


def relu6_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """Passes between 0 and 6; at 0 and 6 nothing does."""
    return hardtanh_vjp(grad, result, x, 0, 6)


def hardsigmoid(x: Array) -> Array:
    """A sigmoid of three straight pieces: relu6(x + 3) / 6.

    Args:
        x: any shape.
    Returns:
        Same shape and dtype, in [0, 1].
    Raises:
        RangeError: no real numbers.
    Matches: torch `hardsigmoid` to float32's rounding.
    Source: Howard et al. 2019, MobileNetV3.

    >>> hardsigmoid(np.array([-3.0, 0.0, 1.5, 9.0])).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    wide = widened(as_real(x, "hardsigmoid"))
    return rounded(np.minimum(np.maximum(wide + 3, 0), 6) / 6, x)


def hardsigmoid_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """A sixth passes between -3 and 3; at -3 and 3 nothing does."""
    return (_where(x, (x > -3) & (x < 3), grad / 6, 0),)


def hardswish(x: Array) -> Array:
    """Weigh by the own hard sigmoid: x relu6(x + 3) / 6.

    Args:
        x: any shape.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `hardswish` to float32's rounding; -inf gives NaN in both.
    Source: Howard et al. 2019, MobileNetV3.

    >>> hardswish(np.array([-1.5, 1.5, 3.0, 9.0])).tolist()
    [-0.375, 1.125, 3.0, 9.0]
    """
    wide = widened(as_real(x, "hardswish"))
    with np.errstate(invalid="ignore"):
        open_part = np.minimum(np.maximum(wide + 3, 0), 6) / 6
        return rounded(wide * open_part, x)


def hardswish_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """The slope of the parabola between -3 and 3 is x / 3 + 1/2; it is 0 at -3 and below, 1 at 3 and above."""
    with np.errstate(over="ignore", invalid="ignore"):
        parabola = grad * (widened(x) / 3 + 0.5)
    return (_where(x, x <= -3, 0, np.where(x < 3, parabola, grad)),)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """What is positive, and a small part of what is negative: x, or negative_slope x.

    Args:
        x: any shape.
        negative_slope: how much of a negative value gets through.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `leaky_relu`, exactly.
    Source: Maas, Hannun and Ng 2013.

    >>> leaky_relu(np.array([-2.0, 3.0]), 0.5).tolist()
    [-1.0, 3.0]
    """
    as_real(x, "leaky_relu")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_vjp(grad: Array, result: Array, x: Array, negative_slope: float = 0.01) -> tuple[Array | None]:
    """The slope is 1 above 0, and negative_slope at 0 and below."""
    return (_where(x, x > 0, grad, grad * negative_slope),)


def rrelu(
    x: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: object = None
) -> Array:
    """A leaky relu whose slope is drawn at random in training; afterwards it is the middle of the range.

    Args:
        x: any shape.
        lower: the smallest slope.
        upper: the largest slope.
        training: only False has a value that does not depend on chance.
        generator: not used.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: in training; lower is above upper; no real numbers.
    Matches: torch `rrelu` in evaluation, exactly.
    Source: Xu et al. 2015.

    >>> rrelu(np.array([-2.0, 3.0]), 0.25, 0.75).tolist()
    [-1.0, 3.0]
    """
    if lower > upper:
        raise RangeError(f"rrelu: lower must not be above upper, got {lower} and {upper}")
    if training:
        raise RangeError("rrelu: a slope drawn at random cannot be compared; capture the model in evaluation")
    return leaky_relu(x, (lower + upper) / 2)


def rrelu_vjp(
    grad: Array,
    result: Array,
    x: Array,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: object = None,
) -> tuple[Array | None]:
    """As leaky_relu, with the middle slope."""
    return leaky_relu_vjp(grad, result, x, (lower + upper) / 2)


def prelu(x: Array, weight: Array) -> Array:
    """A leaky relu that learns its slope: x where positive, weight x elsewhere; a weight for each channel, or one.

    Args:
        x: any shape; channels are axis 1.
        weight: (C,), or one value.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the weight is neither one value nor one for each channel.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `prelu`, exactly.
    Source: He et al. 2015.

    >>> prelu(np.array([[-2.0, -2.0]]), np.array([0.5, 0.25])).tolist()
    [[-1.0, -0.5]]
    """
    as_real(x, "prelu")
    if x.dtype != weight.dtype:
        raise RangeError(f"prelu: x and weight want one dtype, got {x.dtype} and {weight.dtype}")
    if weight.ndim > 1 or (weight.size != 1 and weight.size != (x.shape[1] if x.ndim > 1 else 1)):
        raise ShapeError(
            f"prelu: weight wants 1 value or one for each channel (axis 1 of x), "
            f"has {shape_text(weight.shape)}; x {shape_text(x.shape)}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(x > 0, x, x * _by_channel(weight, x))


def prelu_vjp(grad: Array, result: Array, x: Array, weight: Array) -> tuple[Array | None, Array | None]:
    """The slope is 1 above 0 and the weight elsewhere; a weight collects x from all negative values of its channel."""
    shaped = _by_channel(weight, x)
    slopes = unbroadcast(np.where(x > 0, np.zeros((), grad.dtype), grad * x), shaped)
    return _where(x, x > 0, grad, grad * shaped), None if slopes is None else slopes.reshape(weight.shape)


def _by_channel(weight: Array, x: Array) -> Array:
    """A weight for each channel in a shape that fits x; one value as a scalar."""
    return weight.reshape(()) if weight.size == 1 else weight.reshape(-1, *(1,) * (x.ndim - 2))


def prelu_inner(x: Array, weight: Array) -> Array:
    """The prelu that torch has inside: x where positive, weight x elsewhere, the weight already in a shape that fits.

    >>> prelu_inner(np.array([[-2.0], [3.0]]), np.array([[0.5]])).tolist()
    [[-1.0], [3.0]]
    """
    return np.where(x > 0, x, x * weight)


def prelu_inner_vjp(grad: Array, result: Array, x: Array, weight: Array) -> tuple[Array | None, Array | None]:
    """As prelu."""
    slopes = np.where(x > 0, np.zeros((), grad.dtype), grad * x)
    return _where(x, x > 0, grad, grad * weight), unbroadcast(slopes, weight)


def elu(x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    """Straight above 0, and a curve that flattens at -alpha below it: alpha (exp(x) - 1).

    Args:
        x: any shape.
        alpha: how deep the curve goes.
        scale: a factor of the result.
        input_scale: a factor of x below 0.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `elu` to float32's rounding.
    Source: Clevert, Unterthiner and Hochreiter 2015.

    >>> elu(np.array([-1000.0, -1.0, 2.0])).round(4).tolist()
    [-1.0, -0.6321, 2.0]
    """
    wide = widened(as_real(x, "elu"))
    with np.errstate(over="ignore"):
        curve = np.expm1(np.minimum(wide, 0) * input_scale) * (alpha * scale)  # above 0 it is not used
        return rounded(np.where(wide <= 0, curve, wide * scale), x)


def elu_vjp(
    grad: Array, result: Array, x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> tuple[Array | None]:
    """The slope of the curve, alpha exp(x), at 0 and below; 1 above; both times the factors."""
    with np.errstate(over="ignore", under="ignore"):
        curve = np.exp(np.minimum(widened(x), 0) * input_scale) * (alpha * scale * input_scale)
    return (_where(x, x <= 0, grad * curve, grad * scale),)


def selu(x: Array) -> Array:
    """The ELU that keeps mean 0 and variance 1 from layer to layer: elu with alpha 1.6733 and scale 1.0507.

    Args:
        x: any shape.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `selu` to float32's rounding.
    Source: Klambauer et al. 2017.

    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    return elu(as_real(x, "selu"), SELU_ALPHA, SELU_SCALE)


def selu_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """As elu, with its two numbers."""
    return elu_vjp(grad, result, x, SELU_ALPHA, SELU_SCALE)


def celu(x: Array, alpha: float = 1.0) -> Array:
    """An ELU without a kink: alpha (exp(x / alpha) - 1) below 0.

    Args:
        x: any shape.
        alpha: how deep the curve goes, and how slowly.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: alpha is 0; no real numbers.
    Matches: torch `celu` to float32's rounding.
    Source: Barron 2017.

    >>> celu(np.array([-1000.0, -2.0, 2.0]), 2.0).round(4).tolist()
    [-2.0, -1.2642, 2.0]
    """
    if alpha == 0:
        raise RangeError("celu: alpha must not be 0")
    return elu(as_real(x, "celu"), alpha, 1, 1 / alpha)


def celu_vjp(grad: Array, result: Array, x: Array, alpha: float = 1.0) -> tuple[Array | None]:
    """As elu, with 1 / alpha as the factor of x."""
    return elu_vjp(grad, result, x, alpha, 1, 1 / alpha)


def threshold(x: Array, threshold: float, value: float) -> Array:
    """What is above a threshold, and a fixed value in place of the rest.

    Args:
        x: any shape; real or whole numbers.
        threshold: x must be above it; of whole numbers its whole part counts, as for the value.
        value: what stands for the rest.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: truth values or complex numbers.
    Matches: torch `threshold`, exactly.

    >>> threshold(np.array([0.5, 1.0, 2.0]), 1.0, -7.0).tolist()
    [-7.0, -7.0, 2.0]
    """
    _check_ordered(x, "threshold")
    return np.where(x <= x.dtype.type(threshold), x.dtype.type(value), x)


def threshold_vjp(grad: Array, result: Array, x: Array, threshold: float, value: float) -> tuple[Array | None]:
    """Passes above the threshold; at it nothing does."""
    return (_where(x, x <= x.dtype.type(threshold), 0, grad),)


def softshrink(x: Array, lambd: float = 0.5) -> Array:
    """Move toward 0 by lambd, and stop there.

    Args:
        x: any shape.
        lambd: how far, not below 0.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: lambd is negative; no real numbers.
    Matches: torch `softshrink`, exactly.
    Source: Donoho 1995, soft thresholding.

    >>> softshrink(np.array([-3.0, 0.25, 0.75])).tolist()
    [-2.5, 0.0, 0.25]
    """
    as_real(x, "softshrink")
    if not 0 <= lambd < math.inf:
        raise RangeError(f"softshrink: lambd must be a number not below 0, got {lambd}")
    step = x.dtype.type(lambd)
    return np.asarray(np.where(_near(x, lambd), x.dtype.type(0), x - np.copysign(step, x)))


def softshrink_vjp(grad: Array, result: Array, x: Array, lambd: float = 0.5) -> tuple[Array | None]:
    """Passes outside of [-lambd, lambd]; at both ends nothing does."""
    return hardshrink_vjp(grad, result, x, lambd)


def hardshrink(x: Array, lambd: float = 0.5) -> Array:
    """Set what is near 0 to 0: x outside of [-lambd, lambd].

    Args:
        x: any shape.
        lambd: how near.
    Returns:
        Same shape and dtype.
    Raises:
        RangeError: no real numbers.
    Matches: torch `hardshrink`, exactly.
    Source: Donoho and Johnstone 1994, hard thresholding.

    >>> hardshrink(np.array([-3.0, 0.25, 0.75])).tolist()
    [-3.0, 0.0, 0.75]
    """
    as_real(x, "hardshrink")
    return np.where(_near(x, lambd), x.dtype.type(0), x)


def hardshrink_vjp(grad: Array, result: Array, x: Array, lambd: float = 0.5) -> tuple[Array | None]:
    """Passes outside of [-lambd, lambd]; at both ends nothing does."""
    return (_where(x, _near(x, lambd), 0, grad),)


def _near(x: Array, lambd: float) -> Array:
    """Where x lies in [-lambd, lambd]."""
    step = x.dtype.type(lambd)
    return np.asarray((x >= -step) & (x <= step))


def _clipped(x: Array, low: float, high: float, who: str) -> Array:
    """Cut off at both bounds, in the dtype of x."""
    _check_ordered(x, who)
    if x.dtype.kind == "u" and min(low, high) < 0:
        raise RangeError(f"{who}: bounds of numbers without sign must not be negative, got {low} and {high}")
    bounds = [int(bound) if x.dtype.kind in "iu" else bound for bound in (low, high)]
    return np.asarray(np.minimum(np.maximum(x, x.dtype.type(bounds[0])), x.dtype.type(bounds[1])))


def _check_ordered(x: Array, who: str) -> None:
    if category(x.dtype) not in (1, 2):
        raise RangeError(f"{who}: wants real or whole numbers, got {x.dtype}")


def _where(x: Array, condition: Array, here: Array | int, elsewhere: Array | int) -> Array | None:
    """The gradient of x: one of two, by a condition."""
    return unbroadcast(np.where(condition, here, elsewhere), x)
