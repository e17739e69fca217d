"""Norms that can use statistics collected over a whole training: batch norm and instance norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.errors import ShapeError
from photosite.ops.arrays import Array, unbroadcast
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.standardize import (
    channel_shape,
    check_parameter,
    inverse_root,
    scaled,
    scaled_vjp,
    standardize,
    standardize_vjp,
    statistics_like,
)
from photosite.shapes import shape_text

Five = tuple[Array, Array, Array, Array, Array]


def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Array:
    """Standardize each channel: (x - mean) / sqrt(variance + eps) weight + bias.

    In training mean and variance are those of the batch: of (B, C, H, W) it averages over B, H and W. In evaluation
    they are the running ones, which were collected in training; then it is a scale and a shift for each channel.

    Args:
        x: (B, C, ...).
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        running_mean: collected mean, (C,); in training it is not read.
        running_var: collected variance, (C,); in training it is not read.
        training: which of the two.
        momentum: not used, see `batch_norm_functional`.
        eps: added to the variance.
        cudnn_enabled: not used.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the shapes do not fit, or running statistics are missing.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `batch_norm` to float32's rounding.
    Source: Ioffe and Szegedy 2015.

    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> batch_norm(x, None, None, None, None, True, 0.1, 0.0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> batch_norm(x, None, None, np.array([1.0, 10.0]), np.array([4.0, 100.0]), False, 0.1, 0.0).tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    _check(x, weight, bias, running_mean, running_var, training)
    if training:
        standard = standardize(widened(x), _batch_axes(x), eps)[0]
    else:
        standard = _by_running(x, running_mean, running_var, eps)[0]
    return scaled(standard, weight, bias, channel_shape(x), x)


def batch_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> tuple[Array | None, Array | None, Array | None, None, None]:
    """Back through scale and shift; in training also through mean and deviation, which all of a channel share."""
    if training:
        standard, _, variance = standardize(widened(x), _batch_axes(x), eps)
        inverse = inverse_root(variance, eps).astype(standard.dtype)
    else:
        standard, inverse = _by_running(x, running_mean, running_var, eps)
    below, of_weight, of_bias = scaled_vjp(widened(grad), standard, weight, bias, channel_shape(x))
    of_x = standardize_vjp(below, standard, inverse, _batch_axes(x)) if training else below * inverse
    return unbroadcast(of_x, x), of_weight, of_bias, None, None


def batch_norm_functional(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
) -> Five:
    """Batch norm that gives its new running statistics back instead of writing them: batch_norm and four more.

    A new running value is (1 - momentum) old + momentum batch. The running variance takes the batch's unbiased one,
    n / (n - 1) times what x was divided by, n being how many values a channel has in the batch; NaN where that is one.

    Args:
        x: (B, C, ...).
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        running_mean: collected mean, (C,).
        running_var: collected variance, (C,).
        training: whether the batch's own statistics are used.
        momentum: how much the batch counts.
        eps: added to the variance.
    Returns:
        As `batch_norm`; the batch's mean and 1 / sqrt(variance + eps), (C,), both empty in evaluation; the new running
        mean and variance.
    Raises:
        ShapeError, RangeError: as `batch_norm`.
    Matches: torch `_native_batch_norm_legit_functional` to float32's rounding.

    >>> x, running = np.array([[1.0], [3.0]]), np.array([0.0])
    >>> [part.ravel().tolist() for part in batch_norm_functional(x, None, None, running, running, True, 0.5, 0.0)]
    [[-1.0, 1.0], [2.0], [1.0], [1.0], [1.0]]
    """
    y = batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps)
    like = statistics_like(x, weight, bias, running_mean)
    if not training:
        nothing = np.zeros(0, like.dtype)
        return y, nothing, nothing.copy(), running_mean.copy(), running_var.copy()
    axes = _batch_axes(x)
    _, mean, variance = standardize(widened(x), axes, eps)
    count = math.prod(x.shape[axis] for axis in axes)
    mean, variance = mean.reshape(-1), variance.reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        unbiased = variance * count / np.float64(count - 1)
    return (
        y,
        rounded(mean, like),
        rounded(inverse_root(variance, eps), like),
        rounded((1 - momentum) * running_mean + momentum * mean, running_mean),
        rounded((1 - momentum) * running_var + momentum * unbiased, running_var),
    )


def batch_norm_functional_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Array | None, Array | None, Array | None, None, None]:
    """As batch_norm; like torch, nothing flows back through the statistics."""
    if grad[0] is None:
        return None, None, None, None, None
    return batch_norm_vjp(grad[0], result[0], x, weight, bias, running_mean, running_var, training, momentum, eps)


def batch_norm_no_training(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Batch norm in evaluation, with two empty arrays where training would give the batch's statistics.

    Args:
        x: (B, C, ...).
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        running_mean: collected mean, (C,).
        running_var: collected variance, (C,).
        momentum: not used.
        eps: added to the variance.
    Returns:
        As `batch_norm`; two empty arrays.
    Raises:
        ShapeError, RangeError: as `batch_norm`.
    Matches: torch `_native_batch_norm_legit_no_training` to float32's rounding.

    >>> one = np.ones(1)
    >>> [part.ravel().tolist() for part in batch_norm_no_training(np.array([[3.0]]), None, None, one, one, 0.1, 0.0)]
    [[2.0], [], []]
    """
    return batch_norm_functional(x, weight, bias, running_mean, running_var, False, momentum, eps)[:3]


def batch_norm_no_training_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    momentum: float,
    eps: float,
) -> tuple[Array | None, Array | None, Array | None, None, None]:
    """As batch_norm in evaluation: a scale for each channel."""
    return batch_norm_functional_vjp(grad, result, x, weight, bias, running_mean, running_var, False, momentum, eps)


def instance_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Array:
    """Standardize each channel of each picture by itself: of (B, C, H, W) it averages over H and W.

    It takes away contrast and brightness of a picture, which is why it serves style transfer. Where statistics were
    collected in training, it can be told to use them; then it is batch norm in evaluation.

    Args:
        x: (B, C, ...).
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        running_mean: collected mean, (C,); read without use_input_stats.
        running_var: collected variance, (C,); read without use_input_stats.
        use_input_stats: whether each picture's own statistics are used.
        momentum: not used.
        eps: added to the biased variance.
        cudnn_enabled: not used.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the shapes do not fit, or running statistics are missing.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `instance_norm` to float32's rounding.
    Source: Ulyanov, Vedaldi and Lempitsky 2016.

    >>> x = np.array([[[1.0, 3.0], [10.0, 30.0]]])
    >>> instance_norm(x, None, None, None, None, True, 0.1, 0.0).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    _check(x, weight, bias, running_mean, running_var, use_input_stats, "instance_norm")
    if not use_input_stats:
        return batch_norm(x, weight, bias, running_mean, running_var, False, momentum, eps)
    standard = standardize(widened(x), _picture_axes(x), eps)[0]
    return scaled(standard, weight, bias, channel_shape(x), x)


def instance_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> tuple[Array | None, Array | None, Array | None, None, None]:
    """Back through scale and shift, then through mean and deviation, which a channel of one picture shares."""
    if not use_input_stats:
        return batch_norm_vjp(grad, result, x, weight, bias, running_mean, running_var, False, momentum, eps)
    axes = _picture_axes(x)
    standard, _, variance = standardize(widened(x), axes, eps)
    below, of_weight, of_bias = scaled_vjp(widened(grad), standard, weight, bias, channel_shape(x))
    inverse = inverse_root(variance, eps).astype(standard.dtype)
    return unbroadcast(standardize_vjp(below, standard, inverse, axes), x), of_weight, of_bias, None, None


def _batch_axes(x: Array) -> tuple[int, ...]:
    """All axes but the channels."""
    return (0, *range(2, x.ndim))


def _picture_axes(x: Array) -> tuple[int, ...]:
    """The axes within one channel of one picture."""
    return tuple(range(2, x.ndim))


def _by_running(x: Array, mean: Array | None, variance: Array | None, eps: float) -> tuple[Array, Array]:
    """Values less the collected mean, over the collected deviation; and one over that deviation."""
    assert mean is not None, "checked"
    assert variance is not None, "checked"
    wide = widened(x)
    shape = channel_shape(x)
    inverse = inverse_root(variance.astype(np.float64), eps).astype(wide.dtype).reshape(shape)
    with np.errstate(invalid="ignore"):
        return (wide - mean.reshape(shape).astype(wide.dtype)) * inverse, inverse


def _check(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    own_statistics: bool,
    who: str = "batch_norm",
) -> None:
    """Shapes and dtypes fit, and there are statistics.

    Raises:
        ShapeError, RangeError: one of them does not.
    """
    as_real(x, who)
    if x.ndim < 2:
        raise ShapeError(f"{who}: x wants (B, C, ...), has {shape_text(x.shape)}")
    if not own_statistics and (running_mean is None or running_var is None):
        raise ShapeError(f"{who}: evaluation wants running_mean and running_var, one is None")
    if (running_mean is None) != (running_var is None):
        raise ShapeError(f"{who}: wants both of running_mean and running_var or none, got one")
    parameters = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    for name, parameter in parameters.items():
        check_parameter(who, name, parameter, x.shape[1:2], x)
