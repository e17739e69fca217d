"""Convolution by Winograd's way: 36 products make 16 sums for which the definition takes 144.

A 3 x 3 kernel over a tile of 6 x 6 numbers gives 4 x 4 sums. Seen as polynomials, both are evaluated at six points
(0, 1, -1, 2, -2 and infinity) on each axis, multiplied point by point, and the result is interpolated. Evaluating is
one matrix for all tiles, (36, 36); interpolating another, (16, 36); and the products of one point for all tiles,
channels and filters are one matrix product, so nearly all of it is BLAS. Sums of larger numbers cost a digit or two.

Source: Winograd 1980; Lavin and Gray 2016, who name it F(4 x 4, 3 x 3).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from photosite.ops.arrays import Array
from photosite.ops.blocks import Finish, Workspace

TILE, READS = 4, 6
_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
)
_KERNEL = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float64,
)
_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    np.float64,
)


def transformed(weight: Array) -> Array:
    """A kernel evaluated at all points: (O, C, 3, 3) to (36, C, O), computed in float64.

    >>> transformed(np.ones((1, 1, 3, 3))).ravel()[:2].round(4).tolist()  # 1/4 · 1/4, and 1/4 · -1/2
    [0.0625, -0.125]
    """
    points = np.einsum("iu,ocuv,jv->ijco", _KERNEL, weight.astype(np.float64), _KERNEL)
    filters, channels = weight.shape[:2]
    return np.ascontiguousarray(points.reshape(READS * READS, channels, filters), weight.dtype)


def convolve(
    x: Array,
    points: Array,
    out: Array,
    padding: tuple[int, int],
    finish: Finish,
    workspace: Workspace,
    images: slice,
    rows: slice,
    residual: Array | None = None,
) -> None:
    """Convolve some pictures, or some rows of tiles of one, at stride 1.

    Args:
        x: (B, H, W, C), contiguous.
        points: the kernel, (36, C, O), from `transformed`.
        out: (B, H', W', O), contiguous; written where the tiles lie.
        padding: zeros above and on the left; as many or fewer lie at the other ends.
        finish: what is done to the result.
        workspace: scratch memory of this thread.
        images: which pictures.
        rows: which rows of tiles.
        residual: (B, H', W', O), added before the activation; None for nothing.
    """
    count, (tall, wide, channels), filters = images.stop - images.start, x.shape[1:], points.shape[2]
    high, across = rows.stop - rows.start, -(-out.shape[2] // TILE)
    dtype = x.dtype
    padded = workspace.array("padded", (count, TILE * high + 2, TILE * across + 2, channels), dtype)
    _fill(padded, x[images], TILE * rows.start - padding[0], padding[1], tall, wide)
    tiles = count * high * across
    step = padded.strides
    read = workspace.array("read", (READS, READS, count, high, across, channels), dtype)
    strides = (step[1], step[2], step[0], TILE * step[1], TILE * step[2], step[3])
    np.copyto(read, as_strided(padded, read.shape, strides))
    evaluated = workspace.array("evaluated", (READS * READS, tiles * channels), dtype)
    np.matmul(_INPUT_2D.astype(dtype), read.reshape(READS * READS, -1), out=evaluated)
    products = workspace.array("read", (READS * READS, tiles, filters), dtype)
    np.matmul(evaluated.reshape(READS * READS, tiles, channels), points, out=products)
    sums = workspace.array("evaluated", (TILE * TILE, tiles * filters), dtype)
    np.matmul(_OUTPUT_2D.astype(dtype), products.reshape(READS * READS, -1), out=sums)
    _deliver(sums.reshape(TILE, TILE, count, high, across, filters), out[images], TILE * rows.start)
    ends = slice(TILE * rows.start, min(TILE * rows.stop, out.shape[1]))
    whole = ends == slice(0, out.shape[1])
    for some in [images] if whole else [slice(image, image + 1) for image in range(images.start, images.stop)]:
        finish(
            out[some, ends].reshape(-1, filters),
            None if residual is None else residual[some, ends].reshape(-1, filters),
        )


def _fill(padded: Array, x: Array, top: int, left: int, tall: int, wide: int) -> None:
    """Put pictures, from row `top` and column -`left` on, into an array with zeros around them."""
    above = max(-top, 0)
    first, last = max(top, 0), min(top + padded.shape[1], tall)
    right = min(wide, padded.shape[2] - left)
    padded[:, :above] = 0
    padded[:, above + last - first :] = 0
    padded[:, :, :left] = 0
    padded[:, :, left + right :] = 0
    padded[:, above : above + last - first, left : left + right] = x[:, first:last, :right]


def _deliver(sums: Array, out: Array, top: int) -> None:
    """Put tiles side by side: (4, 4, B, tiles down, tiles across, O) into rows from `top` on of (B, H', W', O)."""
    count, high, across, filters = sums.shape[2:]
    below, beside = out.shape[1] - top, out.shape[2]
    if below >= TILE * high and beside == TILE * across:
        rows = out[:, top : top + TILE * high]
        rows.reshape(count, high, TILE, across, TILE, filters).transpose(2, 4, 0, 1, 3, 5)[...] = sums
        return
    for down in range(TILE):  # the last tiles reach beyond the border
        tiles_down = -(-(min(below, TILE * high) - down) // TILE)
        for right in range(TILE):
            tiles_across = -(-(beside - right) // TILE)
            if tiles_down > 0 and tiles_across > 0:
                of = out[:, top + down : top + TILE * high : TILE, right::TILE]
                of[...] = sums[down, right, :, :tiles_down, :tiles_across]


_INPUT_2D, _OUTPUT_2D = np.kron(_INPUT, _INPUT), np.kron(_OUTPUT, _OUTPUT)
"""Both axes at once, as one matrix."""
