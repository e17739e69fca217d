"""Convolution: a small kernel slides over an array, and each place becomes a weighted sum of what lies under it.

What networks call convolution is cross-correlation: the kernel is not turned around. Any number of spatial axes;
strided, padded with zeros, dilated, grouped, transposed. Three linear maps do all the work, and each is another's
gradient: `correlate` (kernel over input), `spread` (kernel times output, put back under it), `correlate_weight`
(input times output, summed over all places).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from photosite.ops.arrays import Array, flows
from photosite.ops.blocks import pieces
from photosite.ops.sliding import Numbers, Sliding, sliding, sliding_transposed

COLUMN_NUMBERS, TAP_NUMBERS = 1 << 19, 1 << 16
"""Numbers that are written out below the kernel at once (2 MB), and those of a result that is summed up tap by tap."""


def conv2d_loop(x: Array, weight: Array, bias: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
    """The definition, as slow as it reads: for every filter and place, multiply what lies under the kernel and add up.

    y[o, i, j] = bias[o] + sum over c, u, v of x[c, i S + u - P, j S + v - P] weight[o, c, u, v]

    Args:
        x: one picture, (C, H, W).
        weight: (O, C, K, L).
        bias: (O,) or None.
        stride: S, by how many pixels the kernel moves.
        padding: P, how many zeros stand around the picture.
    Returns:
        (O, (H + 2 P - K) // S + 1, (W + 2 P - L) // S + 1), float64 of float64, else float32.
    Matches: torch `conv2d` to the rounding of sums.
    Source: what LeCun et al. 1989 call a convolution.

    >>> conv2d_loop(np.arange(9.0).reshape(1, 3, 3), np.array([[[[-1.0, 1.0]]]])).tolist()  # right minus left
    [[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]]
    """
    filters, _, height, width = weight.shape
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    rows = (padded.shape[1] - height) // stride + 1
    columns = (padded.shape[2] - width) // stride + 1
    y = np.zeros((filters, rows, columns), x.dtype)
    for o in range(filters):
        for i in range(rows):
            for j in range(columns):
                under = padded[:, i * stride : i * stride + height, j * stride : j * stride + width]
                y[o, i, j] = np.sum(under * weight[o]) + (0 if bias is None else bias[o])
    return y


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """Slide filters over an array with any number of spatial axes; `conv2d_loop` is the definition.

    Along an axis of length H the kernel's K weights lie D apart, move by S, and P zeros stand at both ends, so there
    are floor((H + 2 P - D (K - 1) - 1) / S) + 1 places. With G groups, a filter sees only the channels of its group.

    Args:
        x: (B, C, *spatial), or without B.
        weight: (O, C / G, *kernel); with as many spatial axes.
        bias: (O,) or None.
        stride: one number, or one for each spatial axis.
        padding: likewise, in zeros at both ends; "valid" for none, "same" for as many as keep the size at stride 1 (an
            odd number of them has the larger half at the end).
        dilation: likewise.
        groups: a divisor of C and O.
    Returns:
        (B, O, *places), in memory with the channels last.
    Raises:
        ShapeError: the shapes do not fit each other, or the kernel does not fit into the padded input.
        RangeError: a stride, dilation or number of groups below 1, a padding below 0, operands of different dtypes.
        UnknownNameError: another word for the padding.
    Matches: torch `conv1d`, `conv2d`, `conv3d` to the rounding of sums.

    >>> x = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    >>> (
    ...     conv(x, np.array([[[1.0, 10.0]]]), stride=2).tolist(),
    ...     conv(x, np.array([[[1.0, 10.0, 0.0]]]), padding=1).tolist(),
    ... )
    ([[[21.0, 43.0]]], [[[10.0, 21.0, 32.0, 43.0]]])
    """
    plan = sliding(x, weight, bias, stride, padding, dilation, groups)
    y = correlate(plan.padded(plan.batched(x)), weight, plan)
    if bias is not None:
        y += bias
    return plan.unbatched(np.moveaxis(y, -1, 1))


def conv_vjp(
    grad: Array,
    result: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array | None]:
    """To the input goes the kernel, put back under every place; to the weight, what lay under it there."""
    plan = sliding(x, weight, bias, stride, padding, dilation, groups)
    last = np.moveaxis(plan.batched(grad), 1, -1)
    back = plan.cropped(spread(last, weight, plan))
    to_weight = correlate_weight(plan.padded(plan.batched(x)), last, plan)
    return plan.unbatched(np.moveaxis(back, -1, 1)), to_weight, _bias_gradient(grad, bias, plan)


def conv_macs(result: Array, x: Array, weight: Array, *_: Any, **__: Any) -> int:
    """Each value of the result takes a weight for every kernel position and channel of its group."""
    return result.size * math.prod(weight.shape[1:])


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """The transpose of a convolution: every value puts a copy of the kernel, times itself, into the output.

    It goes the way back that a gradient takes through `conv`, so stride 2 doubles a side instead of halving it.

    Args:
        x: (B, C, *spatial), or without B.
        weight: (C, O / G, *kernel): the weight of the convolution that would lead from the output to x.
        bias: (O,) or None.
        stride: one number, or one for each spatial axis.
        padding: likewise; cut off both ends of the output.
        output_padding: likewise; rows more at the end, since several sizes lead to the same one under a stride.
        groups: a divisor of C and O.
        dilation: one number, or one for each spatial axis.
    Returns:
        (B, O, *sides), a side being (H - 1) S - 2 P + D (K - 1) + 1 + output padding.
    Raises:
        ShapeError, RangeError: as for `conv`; also an output padding not below stride or dilation.
    Matches: torch `conv_transpose1d`, `2d`, `3d` to the rounding of sums.

    >>> conv_transpose(np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0, 100.0]]]), stride=2).tolist()
    [[[1.0, 10.0, 102.0, 20.0, 200.0]]]
    """
    plan = sliding_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    y = plan.cropped(spread(np.moveaxis(plan.batched(x), 1, -1), weight, plan))
    if bias is not None:
        y = y + bias
    return plan.unbatched(np.moveaxis(y, -1, 1))


def conv_transpose_vjp(
    grad: Array,
    result: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> tuple[Array, Array, Array | None]:
    """The transpose of a transpose: the convolution itself."""
    plan = sliding_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    padded = plan.padded(plan.batched(grad))
    back = np.moveaxis(correlate(padded, weight, plan), -1, 1)
    to_weight = correlate_weight(padded, np.moveaxis(plan.batched(x), 1, -1), plan)
    return plan.unbatched(back), to_weight, _bias_gradient(grad, bias, plan)


def conv_transpose_macs(result: Array, x: Array, weight: Array, *_: Any, **__: Any) -> int:
    """Each value of the input is multiplied by a kernel for every filter of its group."""
    return x.size * math.prod(weight.shape[1:])


def convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    transposed: bool,
    output_padding: Numbers,
    groups: int,
) -> Array:
    """`conv` or `conv_transpose`, as torch has both in one.

    >>> convolution(np.ones((1, 1, 3)), np.ones((1, 1, 2)), None, 1, 0, 1, False, 0, 1).tolist()
    [[[2.0, 2.0]]]
    """
    if transposed:
        return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(x, weight, bias, stride, padding, dilation, groups)


def convolution_vjp(
    grad: Array,
    result: Array,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    transposed: bool,
    output_padding: Numbers,
    groups: int,
) -> tuple[Array, Array, Array | None]:
    """As of the one that it is."""
    if transposed:
        return conv_transpose_vjp(grad, result, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv_vjp(grad, result, x, weight, bias, stride, padding, dilation, groups)


def convolution_macs(result: Array, x: Array, weight: Array, *rest: Any, **options: Any) -> int:
    """As of the one that it is."""
    transposed = options["transposed"] if "transposed" in options else rest[4]
    return conv_transpose_macs(result, x, weight) if transposed else conv_macs(result, x, weight)


# --- the three linear maps --------------------------------------------------------------------------------------------


def correlate(padded: Array, weight: Array, plan: Sliding) -> Array:
    """The kernel over the input: (B, *padded sides, C) and (O, C / G, *kernel) to (B, *places, O)."""
    batch, channels, filters = padded.shape[0], padded.shape[-1], weight.shape[0]
    y = np.empty((batch, *plan.places, filters), padded.dtype)
    if plan.groups == channels == filters:
        taps = _taps(weight, plan)
        for image, out in zip(padded, y, strict=True):
            for band in _bands(plan, channels, TAP_NUMBERS):
                _correlate_each(image, taps, plan, band, out[band])
        return y
    matrix = _matrix(weight, plan.groups)
    numbers = math.prod(plan.kernel) * channels
    for images in pieces(slice(0, batch), max(COLUMN_NUMBERS // (math.prod(plan.places) * numbers), 1)):
        for band in _bands(plan, numbers, COLUMN_NUMBERS):
            columns, out = _columns(padded[images], plan, band), y[images, band]
            if plan.groups == 1 and out.flags.c_contiguous:
                np.matmul(columns[0], matrix[0], out=out.reshape(-1, filters))
            else:
                sums = columns @ matrix  # (G, places, O / G)
                out[...] = sums.transpose(1, 0, 2).reshape(out.shape)
    return y


def _bands(plan: Sliding, numbers: int, limit: int) -> Iterator[slice]:
    """The first axis of the places in pieces, so that with so many numbers a place no piece is beyond the limit."""
    rows = max(limit // max(math.prod(plan.places[1:]) * numbers, 1), 1)
    return pieces(slice(0, plan.places[0]), rows)


def _taps(weight: Array, plan: Sliding) -> Array:
    """Kernels of one channel each by position, repeated along the last axis: (kernel, W', C).

    An elementwise product of arrays without repetition inside runs over whole rows, three times as fast.
    """
    by_position = weight.reshape(len(weight), -1).T[:, None]
    return np.repeat(by_position, plan.places[-1], 1)


def _correlate_each(image: Array, taps: Array, plan: Sliding, band: slice, out: Array) -> None:
    """Each channel with a kernel of its own, tap by tap: there is nothing to sum up but the kernel's positions."""
    product = np.empty_like(out)
    for number, under in enumerate(plan.under()):
        np.multiply(image[under][band], taps[number], out=product if number else out)
        if number:
            out += product


def spread(y: Array, weight: Array, plan: Sliding) -> Array:
    """The transpose, the kernel put back under every place: (B, *places, O) to (B, *padded sides, C)."""
    filters, channels = y.shape[-1], weight.shape[1] * plan.groups
    x = np.zeros((y.shape[0], *plan.padded_sides, channels), y.dtype)
    if plan.groups == channels == filters:
        taps = _taps(weight, plan)
        for image, out in zip(x, y, strict=True):
            for band in _bands(plan, channels, TAP_NUMBERS):
                product = np.empty_like(out[band])
                for tap, under in zip(taps, plan.under(), strict=True):
                    image[under][band] += np.multiply(out[band], tap, out=product)
        return x
    matrix = _matrix(weight, plan.groups).transpose(0, 2, 1)
    for image, out in zip(x, y, strict=True):
        grouped = out.reshape(-1, plan.groups, filters // plan.groups).transpose(1, 0, 2)
        columns = (grouped @ matrix).reshape(plan.groups, len(grouped[0]), -1, weight.shape[1])
        columns = columns.transpose(2, 1, 0, 3)  # (kernel, places, G, C / G)
        for part, under in zip(columns, plan.under(), strict=True):
            image[under] += part.reshape(*plan.places, channels)
    return x


def correlate_weight(padded: Array, y: Array, plan: Sliding) -> Array:
    """What lay under the kernel, times what came out, over all places: to (O, C / G, *kernel)."""
    channels, filters, groups = padded.shape[-1], y.shape[-1], plan.groups
    if groups == channels == filters:
        taps = [(padded[under] * y).reshape(-1, channels).sum(0) for under in plan.under()]
        return np.stack(taps, 1).reshape(filters, 1, *plan.kernel)
    total = np.zeros((groups, math.prod(plan.kernel) * channels // groups, filters // groups), y.dtype)
    for number, out in enumerate(y):
        grouped = out.reshape(-1, groups, filters // groups).transpose(1, 0, 2)
        columns = _columns(padded[number : number + 1], plan, slice(0, plan.places[0]))
        total += columns.transpose(0, 2, 1) @ grouped
    total = total.reshape(groups, -1, channels // groups, filters // groups).transpose(0, 3, 2, 1)
    return total.reshape(filters, channels // groups, *plan.kernel)


def _columns(padded: Array, plan: Sliding, band: slice) -> Array:
    """What lies under the kernel at each place, a row each (known as im2col): (G, places, kernel * C / G).

    Places of all these pictures, of some rows along the first axis.
    """
    groups, channels = plan.groups, padded.shape[-1]
    if math.prod(plan.kernel) == 1 and set(plan.stride) == {1} and groups == 1:
        return padded[:, band].reshape(1, -1, channels)
    places = (len(padded), band.stop - band.start, *plan.places[1:])
    inner = padded.strides[1:-1]
    strides = (
        *(padded.strides[0], *(step * side for step, side in zip(inner, plan.stride, strict=True))),
        *(step * side for step, side in zip(inner, plan.dilation, strict=True)),
        *(padded.strides[-1] * (channels // groups), padded.strides[-1]),
    )
    first = padded[:, band.start * plan.stride[0] :]
    windows = as_strided(first, (*places, *plan.kernel, groups, channels // groups), strides, writeable=False)
    columns = np.empty((*places, groups, *plan.kernel, channels // groups), padded.dtype)
    axes = len(plan.kernel)
    columns[...] = np.moveaxis(windows, -2, 1 + axes)
    return columns.reshape(math.prod(places), groups, -1).transpose(1, 0, 2)


def _matrix(weight: Array, groups: int) -> Array:
    """The weight as a matrix for each group, in the order of `_columns`: (G, kernel * C / G, O / G)."""
    grouped = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    return grouped.transpose(0, 3, 2, 1).reshape(groups, -1, weight.shape[0] // groups)


def _bias_gradient(grad: Array, bias: Array | None, plan: Sliding) -> Array | None:
    if bias is None or not flows(bias):
        return None
    total: Array = plan.batched(grad).sum((0, *range(2, 2 + len(plan.sides))))
    return total.astype(bias.dtype, copy=False)
