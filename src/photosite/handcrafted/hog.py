"""HOG: histograms of the directions of edges, cell by cell, normalized in overlapping blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.shapes import shape_text

Array = npt.NDArray[np.float64]

EPSILON = 1e-5
"""Added to the length of a block's histogram, so that an empty block is not divided by 0."""
CLIP = 0.2
"""No share of a block's length is more than this in L2-Hys: one strong edge does not hide the others."""


def gradients(picture: npt.NDArray[np.generic]) -> tuple[Array, Array]:
    """Differences of the neighbors on both sides, down and across; 0 at the borders.

    Of several channels, each place takes that whose gradient is largest (the first of equals).

    Args:
        picture: (H, W) or (H, W, C), any real dtype.
    Returns:
        Two of (H, W) float64.
    Raises:
        ShapeError: not a picture, or a side below 3.
    """
    if picture.ndim not in (2, 3) or min(picture.shape[:2]) < 3:
        raise ShapeError(f"hog: wants (H, W) or (H, W, C) with sides of at least 3, got {shape_text(picture.shape)}")
    values = picture.astype(np.float64).reshape(*picture.shape[:2], -1)
    down, across = np.zeros_like(values), np.zeros_like(values)
    down[1:-1] = values[2:] - values[:-2]
    across[:, 1:-1] = values[:, 2:] - values[:, :-2]
    strongest = np.hypot(down, across).argmax(-1)[..., None]
    return np.take_along_axis(down, strongest, -1)[..., 0], np.take_along_axis(across, strongest, -1)[..., 0]


def cell_histograms(down: Array, across: Array, orientations: int, cell_hw: tuple[int, int]) -> Array:
    """How strong the edges of each direction are in each cell, per pixel.

    Directions are those of lines, 0 … 180 degrees, cut into bins of one width; an edge counts for its bin alone.

    Args:
        down: (H, W).
        across: (H, W).
        orientations: how many bins.
        cell_hw: rows and columns of a cell; what is left over at the right and below does not count.
    Returns:
        (rows of cells, columns of cells, orientations).
    """
    height, width = cell_hw
    rows, columns = down.shape[0] // height, down.shape[1] // width
    strength = np.hypot(across, down)
    degrees = np.rad2deg(np.arctan2(down, across)) % 180
    edges = 180 / orientations * np.arange(1, orientations)
    bins = np.searchsorted(edges, degrees, side="right")
    histograms = np.zeros((rows, columns, orientations))
    for number in range(orientations):
        part = np.where(bins == number, strength, 0)[: rows * height, : columns * width]
        histograms[..., number] = part.reshape(rows, height, columns, width).sum((1, 3))
    histograms /= height * width
    return histograms


def _l1(block: Array) -> Array:
    found: Array = block / (np.abs(block).sum(-1, keepdims=True) + EPSILON)
    return found


def _l2(block: Array) -> Array:
    found: Array = block / np.sqrt(np.square(block).sum(-1, keepdims=True) + EPSILON**2)
    return found


def _l2_hys(block: Array) -> Array:
    return _l2(np.minimum(_l2(block), CLIP))


NORMS: dict[str, Callable[[Array], Array]] = {
    "L1": _l1,
    "L1-sqrt": lambda block: np.sqrt(_l1(block)),
    "L2": _l2,
    "L2-Hys": _l2_hys,
}
"""How a block's histograms are made comparable."""


def hog(
    picture: npt.NDArray[np.generic],
    *,
    orientations: int = 9,
    cell_hw: tuple[int, int] = (8, 8),
    block_hw: tuple[int, int] = (3, 3),
    norm: str = "L2-Hys",
    square_root: bool = False,
) -> Array:
    """Describe a picture by the directions of its edges.

    Args:
        picture: (H, W) or (H, W, C), any real dtype, in any range (the blocks are normalized).
        orientations: bins of directions.
        cell_hw: rows and columns of a cell in pixels.
        block_hw: rows and columns of a block in cells; blocks overlap, each begins a cell after the last.
        norm: one of `NORMS`.
        square_root: take the square root of the picture first, which evens out shadows.
    Returns:
        (rows of blocks, columns of blocks, *block_hw, orientations) float64.
    Raises:
        ShapeError: not a picture, or smaller than a block.
        RangeError: fewer than 1 orientation, or negative values under the square root.
        UnknownNameError: no such norm.
    Matches: scikit-image's `hog(..., feature_vector=False)`.
    Source: Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection.
    """
    if orientations < 1 or min(*cell_hw, *block_hw) < 1:
        raise RangeError(f"hog: wants at least 1 of everything, got {orientations}, {cell_hw}, {block_hw}")
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    if square_root:
        if picture.size and picture.min() < 0:
            raise RangeError("hog: the square root wants values of at least 0")
        picture = np.sqrt(picture)
    cells = cell_histograms(*gradients(picture), orientations, cell_hw)
    if cells.shape[0] < block_hw[0] or cells.shape[1] < block_hw[1]:
        raise ShapeError(
            f"hog: {shape_text(picture.shape)} has {shape_text(cells.shape[:2])} cells, a block {block_hw}"
        )
    blocks = np.lib.stride_tricks.sliding_window_view(cells, block_hw, (0, 1))
    blocks = np.moveaxis(blocks, 2, -1)  # (rows, columns, *block, orientations)
    flat = blocks.reshape(*blocks.shape[:2], -1)
    described: Array = NORMS[norm](flat).reshape(blocks.shape)
    return described
