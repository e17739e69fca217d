"""Convolution in blocks: what lies under the kernel is written out row by row, as much at once as a cache holds.

The same sums as `convolution.conv`, for arrays with the channels last, with what follows the convolution done while a
block is in the cache, and each block a piece of work of its own that any thread can take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from photosite.ops.arrays import Array
from photosite.ops.blocks import Finish, Workspace, pieces

BLOCK_NUMBERS = 1 << 20
"""Numbers that are written out at once, 4 MB."""


@dataclass(frozen=True)
class Window:
    """A kernel's way over pictures: (height, width) of kernel, stride, padding at the top left, dilation, result."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    out_hw: tuple[int, int]

    @property
    def is_pointwise(self) -> bool:
        """Whether each place has exactly one number of the input under it, its own."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0)


def units(window: Window, channels: int, images: slice, band: slice | None = None) -> list[tuple[slice, slice]]:
    """Pieces of work for some pictures: which pictures and which rows of the result, as large as a block may be.

    Rows of one picture, or several whole pictures where they are small: a matrix product of few rows wastes time.
    """
    band = band or slice(0, window.out_hw[0])
    high, row = band.stop - band.start, window.out_hw[1] * window.kernel[0] * window.kernel[1] * channels
    if not high:
        return []
    if row * high <= BLOCK_NUMBERS:
        return [(some, band) for some in pieces(images, max(BLOCK_NUMBERS // (row * high), 1))]
    one_by_one = pieces(images, 1)
    return [(image, rows) for image in one_by_one for rows in pieces(band, max(BLOCK_NUMBERS // row, 1))]


def convolve(
    x: Array,
    matrix: Array,
    out: Array,
    window: Window,
    finish: Finish,
    workspace: Workspace,
    images: slice,
    residual: Array | None = None,
    band: slice | None = None,
) -> None:
    """Convolve some pictures.

    Args:
        x: (B, H, W, C), contiguous.
        matrix: the kernel, (K L C, O).
        out: (B, H', W', O), contiguous; written for these pictures.
        window: how the kernel moves.
        finish: what is done to the result.
        workspace: scratch memory of this thread.
        images: which pictures.
        residual: (B, H', W', O), added before the activation; None for nothing.
        band: which rows of the result; all for None.
    """
    filters = out.shape[3]
    for pictures, rows in units(window, x.shape[3], images, band):
        block = out[pictures, rows].reshape(-1, filters)
        np.matmul(written_out(x, window, workspace, pictures, rows), matrix, out=block)
        finish(block, None if residual is None else residual[pictures, rows].reshape(-1, filters))


def written_out(x: Array, window: Window, workspace: Workspace, pictures: slice, rows: slice) -> Array:
    """What lies under the kernel, a row for each place: (places, K L C), in scratch memory."""
    count, high = pictures.stop - pictures.start, rows.stop - rows.start
    (tall, wide), width, channels = window.kernel, window.out_hw[1], x.shape[3]
    padded = padded_rows(x, window, workspace, pictures, rows)
    step = padded.strides
    columns = workspace.array("columns", (count, high, width, tall, wide, channels), x.dtype)
    strides = (
        *(step[0], window.stride[0] * step[1], window.stride[1] * step[2]),
        *(window.dilation[0] * step[1], window.dilation[1] * step[2], step[3]),
    )
    np.copyto(columns, as_strided(padded, columns.shape, strides))
    return columns.reshape(count * high * width, -1)


def padded_rows(x: Array, window: Window, workspace: Workspace, pictures: slice, rows: slice) -> Array:
    """The part of pictures that some rows of the result look at, with zeros where it reaches beyond the border."""
    (_, height, width, channels), count = x.shape, pictures.stop - pictures.start
    sides = padded_sides(window, rows)
    padded = workspace.array("padded", (count, *sides, channels), x.dtype)
    top, left = rows.start * window.stride[0] - window.padding[0], -window.padding[1]
    inside, of = inner(sides, (height, width), (top, left))
    padded[:, : inside[0].start] = 0
    padded[:, inside[0].stop :] = 0
    padded[:, :, : inside[1].start] = 0
    padded[:, :, inside[1].stop :] = 0
    padded[:, inside[0], inside[1]] = x[pictures, of[0], of[1]]
    return padded


def padded_sides(window: Window, rows: slice) -> tuple[int, int]:
    """How many rows and columns some rows of the result look at."""
    places = (rows.stop - rows.start, window.out_hw[1])
    tall, wide = (
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(places, window.stride, window.dilation, window.kernel, strict=True)
    )
    return tall, wide


def inner(
    sides: tuple[int, int], picture: tuple[int, int], corner: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a picture lies in a padded piece that begins at `corner` of it, and which part of the picture that is."""
    inside, of = [], []
    for side, whole, start in zip(sides, picture, corner, strict=True):
        first, last = max(start, 0), max(min(start + side, whole), max(start, 0))
        inside.append(slice(first - start, last - start))
        of.append(slice(first, last))
    return (inside[0], inside[1]), (of[0], of[1])


def weight_gradient(x: Array, grad: Array, window: Window, workspace: Workspace, images: slice, total: Array) -> None:
    """Add to `total`, (K L C, O), what some pictures say about the kernel: what lay under it, times the gradient."""
    filters = grad.shape[3]
    for pictures, rows in units(window, x.shape[3], images):
        columns = written_out(x, window, workspace, pictures, rows)
        product = workspace.array("weight", total.shape, total.dtype)
        np.matmul(columns.T, grad[pictures, rows].reshape(-1, filters), out=product)
        total += product


def input_gradient(grad: Array, matrix: Array, out: Array, window: Window, workspace: Workspace, images: slice) -> None:
    """Put the kernel back under every place of some pictures; `out` (B, H, W, C) is overwritten for them."""
    out[images] = 0
    (tall, wide), width, channels = window.kernel, window.out_hw[1], out.shape[3]
    for pictures, rows in units(window, channels, images):
        count, high = pictures.stop - pictures.start, rows.stop - rows.start
        block = grad[pictures, rows].reshape(-1, grad.shape[3])
        columns = workspace.array("columns", (len(block), tall * wide * channels), out.dtype)
        np.matmul(block, matrix.T, out=columns)
        parts = columns.reshape(count, high, width, tall, wide, channels)
        sides = padded_sides(window, rows)
        padded = workspace.array("padded", (count, *sides, channels), out.dtype)
        padded[...] = 0
        for u in range(tall):
            for v in range(wide):
                down, right = u * window.dilation[0], v * window.dilation[1]
                padded[
                    :,
                    down : down + (high - 1) * window.stride[0] + 1 : window.stride[0],
                    right : right + (width - 1) * window.stride[1] + 1 : window.stride[1],
                ] += parts[:, :, :, u, v]
        corner = (rows.start * window.stride[0] - window.padding[0], -window.padding[1])
        inside, of = inner(sides, (out.shape[1], out.shape[2]), corner)
        out[pictures, of[0], of[1]] += padded[:, inside[0], inside[1]]
