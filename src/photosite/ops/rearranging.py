"""Rearranging pictures: pixels into channels and back, windows into columns and back, sliding windows of any axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, as_dim, flows
from photosite.ops.sliding import Sliding, sliding
from photosite.shapes import shape_text


def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """Channels become pixels: R x R channels of a place are laid out as a square of pixels.

    Args:
        x: (…, C R², H, W).
        upscale_factor: R.
    Returns:
        (…, C, H R, W R).
    Raises:
        ShapeError: fewer than three axes, or channels that cannot be laid out so.
        RangeError: a factor below 1.
    Matches: torch `pixel_shuffle`, exactly.
    Source: Shi et al. 2016.

    >>> pixel_shuffle(np.arange(4).reshape(4, 1, 1), 2).tolist()
    [[[0, 1], [2, 3]]]
    """
    factor = _factor("pixel_shuffle", x, upscale_factor)
    *front, channels, height, width = x.shape
    if channels % factor**2:
        raise ShapeError(f"pixel_shuffle: {channels} channels are no multiple of {factor} × {factor}")
    parts = x.reshape(*front, channels // factor**2, factor, factor, height, width)
    n = len(front)
    parts = parts.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return parts.reshape(*front, channels // factor**2, height * factor, width * factor)


def pixel_shuffle_vjp(grad: Array, result: Array, x: Array, upscale_factor: int) -> tuple[Array | None]:
    """Shuffled back."""
    return (pixel_unshuffle(grad, upscale_factor) if flows(x) else None,)


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Pixels become channels: a square of R x R pixels is one place with R² as many channels.

    Args:
        x: (…, C, H R, W R).
        downscale_factor: R.
    Returns:
        (…, C R², H, W).
    Raises:
        ShapeError: fewer than three axes, or sides that R does not divide.
        RangeError: a factor below 1.
    Matches: torch `pixel_unshuffle`, exactly.

    >>> pixel_unshuffle(np.arange(4).reshape(1, 2, 2), 2).ravel().tolist()
    [0, 1, 2, 3]
    """
    factor = _factor("pixel_unshuffle", x, downscale_factor)
    *front, channels, height, width = x.shape
    if height % factor or width % factor:
        raise ShapeError(f"pixel_unshuffle: {height} × {width} pixels are no multiple of {factor} × {factor}")
    parts = x.reshape(*front, channels, height // factor, factor, width // factor, factor)
    n = len(front)
    parts = parts.transpose(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return parts.reshape(*front, channels * factor**2, height // factor, width // factor)


def pixel_unshuffle_vjp(grad: Array, result: Array, x: Array, downscale_factor: int) -> tuple[Array | None]:
    """Shuffled back."""
    return (pixel_shuffle(grad, downscale_factor) if flows(x) else None,)


def channel_shuffle(x: Array, groups: int) -> Array:
    """Channels of several groups are dealt out in turns, so that the next grouped convolution mixes groups.

    Args:
        x: (B, C, …).
        groups: a divisor of C.
    Returns:
        Same shape.
    Raises:
        ShapeError: fewer than three axes, or groups that do not divide the channels.
        RangeError: fewer than one group.
    Matches: torch `channel_shuffle`, exactly.
    Source: Zhang et al. 2018.

    >>> channel_shuffle(np.arange(6).reshape(1, 6, 1), 2).ravel().tolist()
    [0, 3, 1, 4, 2, 5]
    """
    if groups < 1:
        raise RangeError(f"channel_shuffle: wants at least 1 group, got {groups}")
    if x.ndim < 3 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: {groups} groups do not fit {shape_text(x.shape)}")
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def channel_shuffle_vjp(grad: Array, result: Array, x: Array, groups: int) -> tuple[Array | None]:
    """Dealt out the other way around."""
    return (channel_shuffle(grad, x.shape[1] // groups) if flows(x) else None,)


def im2col(
    x: Array, kernel_size: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> Array:
    """What lies under a sliding window, a column for each place (torch's `unfold` of pictures).

    Args:
        x: (B, C, H, W), or without B.
        kernel_size: (K, L).
        dilation: how far apart its positions lie.
        padding: zeros at both ends.
        stride: by how much it moves.
    Returns:
        (B, C K L, places).
    Raises:
        ShapeError, RangeError: as for a convolution.
    Matches: torch `im2col`, exactly.

    >>> im2col(np.arange(6.0).reshape(1, 1, 2, 3), (2, 2), (1, 1), (0, 0), (1, 1))[0].tolist()
    [[0.0, 1.0], [1.0, 2.0], [3.0, 4.0], [4.0, 5.0]]
    """
    way = _way(x, kernel_size, dilation, padding, stride)
    padded = way.padded(way.batched(x))
    columns = np.stack([padded[under] for under in way.under()], -1)  # (B, *places, C, K L)
    batch, channels = padded.shape[0], padded.shape[-1]
    return way.unbatched(columns.reshape(batch, -1, channels * columns.shape[-1]).swapaxes(1, 2))


def im2col_vjp(
    grad: Array,
    result: Array,
    x: Array,
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> tuple[Array | None]:
    """The columns put back, overlaps added up."""
    return (col2im(grad, x.shape[-2:], kernel_size, dilation, padding, stride) if flows(x) else None,)


def col2im(
    x: Array,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Array:
    """Columns put back to where a sliding window took them, overlaps added up (torch's `fold`).

    Args:
        x: (B, C K L, places), or without B.
        output_size: (H, W).
        kernel_size: (K, L).
        dilation: how far apart its positions lie.
        padding: zeros at both ends, which are cut off.
        stride: by how much it moves.
    Returns:
        (B, C, H, W).
    Raises:
        ShapeError, RangeError: as for a convolution; or another number of columns than there are places.
    Matches: torch `col2im`, to the rounding of sums.

    >>> col2im(np.ones((1, 4, 2)), (2, 3), (2, 2), (1, 1), (0, 0), (1, 1))[0, 0].tolist()
    [[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]
    """
    window = int(np.prod(kernel_size))
    if x.ndim not in (2, 3) or x.shape[-2] % max(window, 1):
        raise ShapeError(f"col2im: wants columns of a multiple of {window} numbers, got {shape_text(x.shape)}")
    channels = x.shape[-2] // window
    front = x.shape[:-2]
    way = _way(
        np.broadcast_to(x.dtype.type(0), (*front, channels, *output_size)), kernel_size, dilation, padding, stride
    )
    if x.shape[-1] != np.prod(way.places):
        raise ShapeError(f"col2im: wants {shape_text(way.places)} columns, got {x.shape[-1]}")
    batched = x if front else x[None]
    columns = batched.swapaxes(1, 2).reshape(len(batched), *way.places, channels, window)
    out = np.zeros((len(batched), *way.padded_sides, channels), x.dtype)
    for number, under in enumerate(way.under()):
        out[under] += columns[..., number]
    return way.unbatched(np.moveaxis(way.cropped(out), -1, 1))


def col2im_vjp(
    grad: Array,
    result: Array,
    x: Array,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> tuple[Array | None]:
    """What lies under the window at each place."""
    return (im2col(grad, kernel_size, dilation, padding, stride) if flows(x) else None,)


def unfold(x: Array, dimension: int, size: int, step: int) -> Array:
    """All windows of an axis, each on a last axis of its own.

    Args:
        x: any shape.
        dimension: the axis.
        size: how long a window is.
        step: by how much it moves.
    Returns:
        (…, windows, …, size), a view.
    Raises:
        RangeError: there is no such axis; a window longer than it; a step below 1.
    Matches: torch `Tensor.unfold`, exactly.

    >>> unfold(np.arange(5), 0, 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    axis = as_dim(dimension, x.ndim, "unfold")
    side = x.shape[axis] if x.ndim else 1
    if step < 1 or not 0 <= size <= side:
        raise RangeError(f"unfold: wants a window of at most {side} and a step of at least 1, got {size} and {step}")
    x = x.reshape(1) if x.ndim == 0 else x
    if size == 0:
        shape = (*x.shape[:axis], side // step + 1, *x.shape[axis + 1 :], 0)
        return np.empty(shape, x.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    return windows[(*(slice(None),) * axis, slice(None, None, step))]


def unfold_vjp(grad: Array, result: Array, x: Array, dimension: int, size: int, step: int) -> tuple[Array | None]:
    """The windows put back, overlaps added up."""
    if not flows(x):
        return (None,)
    axis = as_dim(dimension, x.ndim, "unfold")
    gradient = np.zeros(x.shape or (1,), x.dtype)
    moved = np.moveaxis(gradient, axis, 0)
    windows = np.moveaxis(grad, axis, 0)
    for offset in range(size):
        moved[offset : offset + (len(windows) - 1) * step + 1 : step] += windows[..., offset]
    return (gradient.reshape(x.shape),)


def _factor(who: str, x: Array, factor: int) -> int:
    if factor < 1:
        raise RangeError(f"{who}: wants a factor of at least 1, got {factor}")
    if x.ndim < 3:
        raise ShapeError(f"{who}: wants at least three axes, got {shape_text(x.shape)}")
    return factor


def _way(
    x: Array, kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> Sliding:
    """The geometry of a window with a kernel of its own for each channel."""
    if x.ndim not in (3, 4):
        raise ShapeError(f"im2col: wants pictures (B, C, H, W), got {shape_text(x.shape)}")
    channels = x.shape[-3]
    stand_in = np.broadcast_to(x.dtype.type(0), (channels, 1, *kernel))
    return sliding(x, stand_in, None, stride, padding, dilation, channels)
