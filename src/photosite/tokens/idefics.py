"""Idefics3 and SmolVLM: the photo enlarged to a grid of tiles, the tiles, and all of it once more as one tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.errors import RangeError
from photosite.prep.recipes import HALF
from photosite.tokens.front_end import FrontEnd, refuse_empty
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Tile, Window

LARGEST = 4096
"""No side is made larger."""


@dataclass(frozen=True)
class Idefics(FrontEnd):
    """Resized three times: to a longest side, to multiples of a tile, and, for the whole, to one tile.

    Attributes:
        side: of a tile in pixels.
        longest: the longer side that the photo is brought to first.
    """

    side: int = 364
    longest: int = 4 * 364

    def resized(self, height: Whole, width: Whole) -> tuple[tuple[Whole, Whole], tuple[Whole, Whole]]:
        """Sides after the first and after the second resizing, for arrays of sizes.

        Source: transformers 5.23, models/idefics3/image_processing_idefics3.py; whole parts are cut off as there.
        """
        down, across = self._to_longest(height, width)
        aspect, side = across / down, self.side
        wide = across >= down
        whole_across = np.ceil(across / side) * side
        whole_down = np.ceil(down / side) * side
        other_down = np.ceil(np.trunc(whole_across / aspect) / side) * side
        other_across = np.ceil(np.trunc(whole_down * aspect) / side) * side
        second = (np.where(wide, other_down, whole_down), np.where(wide, whole_across, other_across))
        refuse_empty(self.name, height, width, *second)
        return (down, across), (second[0].astype(np.int64), second[1].astype(np.int64))

    def _to_longest(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        aspect, wide = width / height, width >= height
        down = np.where(wide, np.trunc(self.longest / aspect), self.longest)
        across = np.where(wide, self.longest, np.trunc(self.longest * aspect))
        down, across = down + np.where(wide, down % 2, 0), across + np.where(wide, 0, across % 2)
        down, across = np.maximum(down, 1), np.maximum(across, 1)
        if self.longest > LARGEST:
            raise RangeError(f"{self.name}: sides above {LARGEST} are not followed")
        return down.astype(np.int64), across.astype(np.int64)

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """Tiles row by row, then the whole."""
        first, second = self.resized(np.array([size_hw[0]]), np.array([size_hw[1]]))
        side = self.side
        sizes = [(int(down[0]), int(across[0])) for down, across in (first, second)]
        steps = tuple(Resized(size, self.interpolation) for size in sizes)
        rows, columns = sizes[1][0] // side, sizes[1][1] // side
        if rows * columns == 1:
            return (Tile("base", steps),)
        tiles = [
            Tile("tile", (*steps, Window((row * side, column * side), (side, side))), (row, column))
            for row in range(rows)
            for column in range(columns)
        ]
        return (*tiles, Tile("base", (*steps, Resized((side, side), self.interpolation))))

    def _count(self, height: Whole, width: Whole) -> Count:
        _, (down, across) = self.resized(height, width)
        rows, columns = down // self.side, across // self.side
        each = (self.side // self.patch // self.merge) ** 2
        split = rows * columns > 1
        pictures = np.where(split, rows * columns + 1, 1)
        # of a tile the mark of a picture and its place, a line's end for each row; of the whole two marks and its name
        separators = np.where(split, 2 * rows * columns + rows + 1 + 3, 3)
        return Count(pictures * each, pictures, each, 0, separators, 0)


_IDEFICS = (HALF, HALF, "lanczos")

register(
    Idefics("idefics3", "transformers 5.23, idefics3; HuggingFaceM4/Idefics3-8B-Llama3", 14, 2, *_IDEFICS),
    Idefics(
        "smolvlm",
        "HuggingFaceTB/SmolVLM-Instruct: 384 px, 27 × 27 patches, shuffled 3 × 3; 6 px right and below are never seen",
        *(14, 3, *_IDEFICS),
        side=384,
        longest=4 * 384,
    ),
    Idefics(
        "smolvlm-256m",
        "HuggingFaceTB/SmolVLM-256M-Instruct: 512 px, 32 × 32 patches, shuffled 4 × 4",
        *(16, 4, *_IDEFICS),
        side=512,
        longest=4 * 512,
    ),
)
