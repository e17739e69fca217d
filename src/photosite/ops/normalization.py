"""Norms within each picture: layer, group and RMS norm, and AlexNet's norm over neighboring channels.

Each subtracts a mean and divides by a standard deviation; they differ in the axes of (B, C, H, W) over which those are
taken. A picture's result never depends on the other pictures of its batch; for the norm where it does, see
`batch_normalization`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, unbroadcast
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.standardize import (
    Axes,
    average,
    channel_shape,
    check_parameter,
    check_shape,
    inverse_root,
    scaled,
    scaled_vjp,
    standardize,
    standardize_vjp,
    statistics_like,
)
from photosite.shapes import shape_text

# --- layer norm -------------------------------------------------------------------------------------------------------


def layer_norm(
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Array:
    """Standardize over the last axes, each token by itself: (x - mean) / sqrt(variance + eps) weight + bias.

    Of tokens (B, N, D) it averages over D. Of a picture (B, C, H, W) with normalized_shape (C, H, W) it averages over
    those three; with (W,) over W alone.

    Args:
        x: any shape that ends with normalized_shape.
        normalized_shape: the sides of the last axes.
        weight: scale, of normalized_shape.
        bias: shift, of normalized_shape.
        eps: added to the biased variance.
        cudnn_enable: not used.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `layer_norm` to float32's rounding.
    Source: Ba, Kiros and Hinton 2016.

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    return native_layer_norm(x, normalized_shape, weight, bias, eps)[0]


def layer_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> tuple[Array | None, None, Array | None, Array | None]:
    """Back through scale and shift, then through mean and deviation, of each token."""
    axes = _last_axes("layer_norm", x, normalized_shape)
    standard, _, variance = standardize(widened(x), axes, eps)
    below, of_weight, of_bias = scaled_vjp(widened(grad), standard, weight, bias, tuple(normalized_shape))
    inverse = inverse_root(variance, eps).astype(standard.dtype)
    return unbroadcast(standardize_vjp(below, standard, inverse, axes), x), None, of_weight, of_bias


def native_layer_norm(
    x: Array, normalized_shape: Sequence[int], weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Layer norm, with the mean and one over the deviation of each token.

    Args:
        x: any shape that ends with normalized_shape.
        normalized_shape: the sides of the last axes.
        weight: scale, of normalized_shape.
        bias: shift, of normalized_shape.
        eps: added to the biased variance.
    Returns:
        As `layer_norm`; mean and 1 / sqrt(variance + eps), with axes of length 1 for those averaged over.
    Raises:
        ShapeError, RangeError: as `layer_norm`.
    Matches: torch `native_layer_norm` to float32's rounding.

    >>> [part.tolist() for part in native_layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), (2,), None, None, 0.0)]
    [[[-1.0, 1.0], [-1.0, 1.0]], [[2.0], [20.0]], [[1.0], [0.1]]]
    """
    axes = _last_axes("layer_norm", as_real(x, "layer_norm"), normalized_shape)
    check_parameter("layer_norm", "weight", weight, normalized_shape, x)
    check_parameter("layer_norm", "bias", bias, normalized_shape, x)
    standard, mean, variance = standardize(widened(x), axes, eps)
    like = statistics_like(x, weight, bias)
    statistics = rounded(mean, like), rounded(inverse_root(variance, eps), like)
    return scaled(standard, weight, bias, tuple(normalized_shape), x), *statistics


def native_layer_norm_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
) -> tuple[Array | None, None, Array | None, Array | None]:
    """As layer_norm; like torch, nothing flows back through the statistics."""
    if grad[0] is None:
        return None, None, None, None
    return layer_norm_vjp(grad[0], result[0], x, normalized_shape, weight, bias, eps)


def _last_axes(who: str, x: Array, normalized_shape: Sequence[int]) -> Axes:
    """The axes that normalized_shape names by their sides."""
    wanted = tuple(normalized_shape)
    if not wanted or x.shape[-len(wanted) :] != wanted:
        raise ShapeError(
            f"{who}: x wants to end with normalized_shape {shape_text(wanted) if wanted else '(empty)'}, "
            f"has {shape_text(x.shape)}"
        )
    return tuple(range(x.ndim - len(wanted), x.ndim))


# --- RMS norm ---------------------------------------------------------------------------------------------------------


def rms_norm(x: Array, normalized_shape: Sequence[int], weight: Array | None = None, eps: float | None = None) -> Array:
    """Divide by the root of the mean square over the last axes: x / sqrt(mean(x^2) + eps) weight.

    A layer norm that leaves the mean where it is. Of tokens (B, N, D) it averages over D.

    Args:
        x: any shape that ends with normalized_shape.
        normalized_shape: the sides of the last axes.
        weight: scale, of normalized_shape.
        eps: added to the mean square; for None the distance from 1 to the next number of the dtype.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers.
    Matches: torch `rms_norm` to float32's rounding.
    Source: Zhang and Sennrich 2019.

    >>> rms_norm(np.array([[1.0, 7.0]]), (2,), eps=0.0).round(6).tolist()
    [[0.2, 1.4]]
    """
    axes = _last_axes("rms_norm", as_real(x, "rms_norm"), normalized_shape)
    check_shape("rms_norm", "weight", weight, normalized_shape, x)
    wide = widened(x)
    standard = wide * _inverse_size(wide, axes, eps)
    return scaled(standard, weight, None, tuple(normalized_shape), x)


def rms_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    eps: float | None = None,
) -> tuple[Array | None, None, Array | None]:
    """Back through the scale; then, of what a token gains along itself, its size takes that part away again."""
    axes = _last_axes("rms_norm", x, normalized_shape)
    wide = widened(x)
    inverse = _inverse_size(wide, axes, eps)
    standard = wide * inverse
    below, of_weight, _ = scaled_vjp(widened(grad), standard, weight, None, tuple(normalized_shape))
    along = average(below * standard, axes).astype(standard.dtype)
    return unbroadcast(inverse * (below - standard * along), x), None, of_weight


def _inverse_size(x: Array, axes: Axes, eps: float | None) -> Array:
    """One over the root of the mean square."""
    small = float(np.finfo(x.dtype).eps) if eps is None else eps
    return inverse_root(average(np.square(x), axes), small).astype(x.dtype)


# --- group norm -------------------------------------------------------------------------------------------------------


def group_norm(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Array:
    """Standardize groups of channels: of (B, C, H, W), over C / num_groups channels together with H and W.

    With one group it averages over C, H, W; with as many groups as channels over H, W, which is instance norm.

    Args:
        x: (B, C, ...).
        num_groups: divides C.
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        eps: added to the biased variance.
        cudnn_enabled: not used.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: num_groups does not divide C; no real numbers, or two dtypes.
    Matches: torch `group_norm` to float32's rounding.
    Source: Wu and He 2018.

    >>> group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    return _group_norm(x, num_groups, weight, bias, eps)[0]


def group_norm_vjp(
    grad: Array,
    result: Array,
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> tuple[Array | None, None, Array | None, Array | None]:
    """Back through scale and shift of each channel, then through mean and deviation of each group."""
    standard, _, variance = standardize(_grouped(widened(x), num_groups), (2,), eps)
    below, of_weight, of_bias = scaled_vjp(widened(grad), standard.reshape(x.shape), weight, bias, channel_shape(x))
    inverse = inverse_root(variance, eps).astype(standard.dtype)
    of_x = standardize_vjp(below.reshape(standard.shape), standard, inverse, (2,))
    return unbroadcast(of_x.reshape(x.shape), x), None, of_weight, of_bias


def native_group_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Group norm, with the mean and one over the deviation of each group.

    Args:
        x: (N, C, ...).
        weight: scale of each channel, (C,).
        bias: shift of each channel, (C,).
        N: pictures.
        C: channels.
        HxW: the product of the other sides.
        group: how many groups.
        eps: added to the biased variance.
    Returns:
        As `group_norm`; mean and 1 / sqrt(variance + eps), both (N, group).
    Raises:
        ShapeError, RangeError: as `group_norm`; x has not N * C * HxW values.
    Matches: torch `native_group_norm` to float32's rounding.

    >>> [part.tolist() for part in native_group_norm(np.array([[1.0, 3.0]]), None, None, 1, 2, 1, 1, 0.0)]
    [[[-1.0, 1.0]], [[2.0]], [[1.0]]]
    """
    if x.size != N * C * HxW:
        raise ShapeError(f"group_norm: x wants N * C * HxW = {N} * {C} * {HxW} values, has {shape_text(x.shape)}")
    y, mean, inverse = _group_norm(x, group, weight, bias, eps)
    like = statistics_like(x, weight, bias)
    return y, rounded(mean, like).reshape(N, group), rounded(inverse, like).reshape(N, group)


def native_group_norm_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    weight: Array | None,
    bias: Array | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Array | None, Array | None, Array | None]:
    """As group_norm; a mean hands each value its part, a deviation each value's distance from the mean."""
    of_x: Array | None = None
    of_weight: Array | None = None
    of_bias: Array | None = None
    if grad[0] is not None:
        of_x, _, of_weight, of_bias = group_norm_vjp(grad[0], result[0], x, group, weight, bias, eps)
    total = np.zeros_like(x) if of_x is None else of_x
    standard, _, variance = standardize(_grouped(widened(x), group), (2,), eps)
    count = max(standard.shape[2], 1)
    inverse = inverse_root(variance, eps).astype(standard.dtype)
    if grad[1] is not None:
        of_mean = np.broadcast_to(widened(grad[1]).reshape(inverse.shape) / count, standard.shape)
        total = total + of_mean.reshape(x.shape)
    if grad[2] is not None:
        of_deviation = -widened(grad[2]).reshape(inverse.shape) * inverse**2 * standard / count
        total = total + of_deviation.reshape(x.shape)
    return unbroadcast(total, x), of_weight, of_bias


def _group_norm(
    x: Array, num_groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """The result, with mean and one over the deviation as (B, groups, 1)."""
    as_real(x, "group_norm")
    if x.ndim < 2:
        raise ShapeError(f"group_norm: x wants (B, C, ...), has {shape_text(x.shape)}")
    if num_groups < 1 or x.shape[1] % num_groups:
        raise RangeError(f"group_norm: num_groups wants a divisor of the {x.shape[1]} channels, got {num_groups}")
    check_parameter("group_norm", "weight", weight, x.shape[1:2], x)
    check_parameter("group_norm", "bias", bias, x.shape[1:2], x)
    standard, mean, variance = standardize(_grouped(widened(x), num_groups), (2,), eps)
    y = scaled(standard.reshape(x.shape), weight, bias, channel_shape(x), x)
    return y, mean, inverse_root(variance, eps)


def _grouped(x: Array, groups: int) -> Array:
    """Pictures as (B, groups, values of a group)."""
    return x.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)


# --- local response norm ----------------------------------------------------------------------------------------------


def local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """Divide each value by the strength of its neighbors in other channels: x / (k + alpha mean(x^2))^beta.

    Of (B, C, H, W) the mean runs over `size` channels around the value's own, at one place; channels beyond the first
    and the last count as 0. Of an even size one more lies below than above.

    Args:
        x: (B, C, ...) with at least one more axis.
        size: how many channels.
        alpha: weight of the mean square.
        beta: the exponent.
        k: what is added.
    Returns:
        Same shape and dtype.
    Raises:
        ShapeError: x has fewer than three axes.
        RangeError: size is below 1; no real numbers.
    Matches: torch.nn.functional `local_response_norm` to float32's rounding; the paper has the sum, not the mean.
    Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3.

    >>> local_response_norm(np.array([[[2.0], [4.0], [0.0]]]), 3, alpha=3.0, beta=1.0, k=0.0).ravel().tolist()
    [0.1, 0.2, 0.0]
    """
    wide, strength = _strength(x, size, alpha, k)
    return rounded(wide * strength**-beta, x)


def local_response_norm_vjp(
    grad: Array, result: Array, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Array | None]:
    """The own value's part, less what it takes from each channel in whose window it lies: the window turned around."""
    wide, strength = _strength(x, size, alpha, k)
    taken = widened(grad) * wide * strength ** (-beta - 1)
    of_x = widened(grad) * strength**-beta - 2 * alpha * beta / size * wide * _window_sum(taken, (size - 1) // 2, size)
    return (unbroadcast(of_x, x),)


def _strength(x: Array, size: int, alpha: float, k: float) -> tuple[Array, Array]:
    """The values in the precision to compute in, and what their power divides them."""
    as_real(x, "local_response_norm")
    if x.ndim < 3:
        raise ShapeError(f"local_response_norm: x wants (B, C, ...) with three axes or more, has {shape_text(x.shape)}")
    if size < 1:
        raise RangeError(f"local_response_norm: size must be at least 1, got {size}")
    wide = widened(x)
    return wide, k + alpha / size * _window_sum(np.square(wide), size // 2, size)


def _window_sum(x: Array, below: int, size: int) -> Array:
    """Sums of `size` channels, the first of them `below` channels before the own one."""
    channels = x.shape[1]
    total = np.zeros_like(x)
    for shift in range(max(-below, -channels), min(size - below, channels)):
        total[:, max(-shift, 0) : channels - max(shift, 0)] += x[:, max(shift, 0) : channels + min(shift, 0)]
    return total
