"""What all norms share: less the mean, over the standard deviation, then a learned scale and shift."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, unbroadcast
from photosite.ops.reals import rounded
from photosite.shapes import shape_text

Axes = tuple[int, ...]


def average(x: Array, axes: Axes) -> Array:
    """The mean over axes, which stay as axes of length 1; added in float64, and NaN where there is nothing to add."""
    count = math.prod(x.shape[axis] for axis in axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(x.sum(axes, keepdims=True, dtype=np.float64) / count)


def standardize(x: Array, axes: Axes, eps: float) -> tuple[Array, Array, Array]:
    """Values less their mean, over their standard deviation.

    The mean is subtracted before the squares are taken: mean(x^2) - mean(x)^2 would lose every digit that the two have
    in common, which is all of them for bright pictures with little contrast.

    Args:
        x: real numbers, float16 already as float32.
        axes: over which mean and variance are taken.
        eps: added to the variance, so that nothing is divided by 0.
    Returns:
        The standardized values; their mean and biased variance (both float64), with axes of length 1.
    """
    mean = average(x, axes)
    centered = x - mean.astype(x.dtype)
    variance = average(np.square(centered), axes)
    with np.errstate(invalid="ignore"):  # no contrast and no eps: 0 times infinity
        centered *= inverse_root(variance, eps).astype(x.dtype)
    return centered, mean, variance


def standardize_vjp(grad: Array, standard: Array, inverse: Array, axes: Axes) -> Array:
    """What all values gain together, and what they gain along themselves, mean and deviation take away again."""
    own = average(grad, axes).astype(grad.dtype)
    along = average(grad * standard, axes).astype(grad.dtype)
    return np.asarray(inverse * (grad - own - standard * along))


def inverse_root(variance: Array, eps: float) -> Array:
    """One over the standard deviation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 / np.sqrt(variance + eps))


def scaled(standard: Array, weight: Array | None, bias: Array | None, shape: Sequence[int], x: Array) -> Array:
    """The learned scale and shift, brought into `shape`; the result has the dtype of x."""
    if weight is not None:
        standard = standard * weight.reshape(shape).astype(standard.dtype, copy=False)
    if bias is not None:
        standard = standard + bias.reshape(shape).astype(standard.dtype, copy=False)
    return rounded(standard, x)


def scaled_vjp(
    grad: Array, standard: Array, weight: Array | None, bias: Array | None, shape: Sequence[int]
) -> tuple[Array, Array | None, Array | None]:
    """Back through scale and shift: the shift collects the gradient, the scale the gradient times what it scaled."""
    below = grad if weight is None else grad * weight.reshape(shape).astype(grad.dtype, copy=False)
    return below, _collected(grad * standard, weight, shape), _collected(grad, bias, shape)


def _collected(grad: Array, parameter: Array | None, shape: Sequence[int]) -> Array | None:
    if parameter is None:
        return None
    found = unbroadcast(grad, parameter.reshape(shape))
    return None if found is None else found.reshape(parameter.shape)


def check_parameter(who: str, name: str, parameter: Array | None, shape: Sequence[int], x: Array) -> None:
    """A learned or collected array has the shape and the dtype that go with x.

    Raises:
        ShapeError: it has another shape.
        RangeError: it has another dtype; float32 beside float16 is allowed.
    """
    check_shape(who, name, parameter, shape, x)
    if parameter is None:
        return
    single_beside_half = x.dtype == np.float16 and parameter.dtype == np.float32
    if parameter.dtype != x.dtype and not single_beside_half:
        raise RangeError(f"{who}: {name} wants the dtype of x, {x.dtype}, has {parameter.dtype}")


def check_shape(who: str, name: str, parameter: Array | None, shape: Sequence[int], x: Array) -> None:
    """A learned or collected array has the shape that goes with x.

    Raises:
        ShapeError: it has another shape.
    """
    if parameter is not None and parameter.shape != tuple(shape):
        raise ShapeError(
            f"{who}: {name} wants {shape_text(shape)}, has {shape_text(parameter.shape)}; x {shape_text(x.shape)}"
        )


def statistics_like(x: Array, *parameters: Array | None) -> Array:
    """The array whose dtype mean and deviation have: the first parameter's that there is, or x."""
    return next((parameter for parameter in parameters if parameter is not None), x)


def channel_shape(x: Array) -> tuple[int, ...]:
    """The shape in which a value for each channel fits x: (C, 1, 1) for a picture."""
    return (x.shape[1], *(1,) * (x.ndim - 2))
