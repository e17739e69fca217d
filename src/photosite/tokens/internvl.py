"""InternVL 1.5 and 2: tiles of 448 pixels in the arrangement nearest to the photo's shape, and a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from photosite.prep.recipes import IMAGENET_MEAN, IMAGENET_STD
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Tile, Window


@dataclass(frozen=True)
class InternVL(FrontEnd):
    """Tiles row by row, then the whole photo if there is more than one tile.

    Attributes:
        side: of a tile in pixels.
        most: tiles at most.
        transposed: whether tokens of a tile run down its columns: what the first pixel shuffle did by mistake.
    """

    side: int = 448
    most: int = 12
    transposed: bool = False

    def arrangement(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        """Rows and columns of tiles for arrays of sizes.

        The shape nearest to the photo's; of equally near ones the one with more tiles, as long as the photo has more
        than half of their pixels.

        Source: dynamic_preprocess of OpenGVLab/InternVL; get_optimal_tiled_canvas of transformers 5.23, got_ocr2.
        """
        aspect, area = width / height, height * width
        best = np.full(len(height), np.inf)
        rows, columns = np.ones(len(height), np.int64), np.ones(len(height), np.int64)
        for across, down in arrangements(self.most):
            far = np.abs(aspect - across / down)
            enough = area > 0.5 * self.side * self.side * across * down
            taken = (far < best) | ((far == best) & enough)
            best = np.where(far < best, far, best)
            rows, columns = np.where(taken, down, rows), np.where(taken, across, columns)
        return rows, columns

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """Tiles row by row, and the thumbnail."""
        rows, columns = (int(one[0]) for one in self.arrangement(np.array([size_hw[0]]), np.array([size_hw[1]])))
        side = self.side
        whole = Resized((rows * side, columns * side), self.interpolation)
        square = Resized((side, side), self.interpolation)
        if rows * columns == 1:
            return (Tile("base", (whole,)),)
        tiles = [
            Tile("tile", (whole, Window((row * side, column * side), (side, side))), (row, column))
            for row in range(rows)
            for column in range(columns)
        ]
        return (*tiles, Tile("base", (square,)))

    def _count(self, height: Whole, width: Whole) -> Count:
        rows, columns = self.arrangement(height, width)
        each = (self.side // self.cell) ** 2
        pictures = rows * columns + (rows * columns > 1)
        return Count(pictures * each, pictures, each, 0, 2, 0)

    def _order(self, size_hw: Size, tiles: object) -> tuple[Whole, Whole, Whole]:
        tile, row, column = super()._order(size_hw, tiles)  # type: ignore[arg-type]
        return (tile, column, row) if self.transposed else (tile, row, column)


@cache
def arrangements(most: int) -> tuple[tuple[int, int], ...]:
    """Columns and rows of up to so many tiles, those with fewer tiles first.

    >>> arrangements(3)
    ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))
    """
    found = [(across, down) for across in range(1, most + 1) for down in range(1, most + 1) if across * down <= most]
    return tuple(sorted(found, key=lambda one: one[0] * one[1]))


_INTERN = (14, 2, IMAGENET_MEAN, IMAGENET_STD, "bicubic")

register(
    InternVL("internvl1.5", "OpenGVLab/InternVL-Chat-V1-5, dynamic_preprocess", *_INTERN),
    InternVL("internvl2", "OpenGVLab/InternVL2-8B; transformers 5.23, internvl and got_ocr2", *_INTERN),
)
