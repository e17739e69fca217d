"""LLaVA-NeXT: the photo at low resolution, and in the best of five arrangements of tiles, without its padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photosite.prep.recipes import CLIP_MEAN, CLIP_STD
from photosite.tokens.front_end import NEWLINE, FrontEnd, refuse_empty
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Tile, Window

PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
"""Heights and widths that are tried."""


@dataclass(frozen=True)
class LlavaNext(FrontEnd):
    """A base picture, then the rows of the tiles' common grid that are no padding, each with a learned newline.

    Attributes:
        side: of a tile in pixels.
        pinpoints: arrangements, in pixels.
    """

    side: int = 336
    pinpoints: tuple[Size, ...] = PINPOINTS

    def best(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        """The arrangement for arrays of sizes: most of the photo's own pixels, then least beside them.

        Source: select_best_resolution of transformers 5.23 and of haotian-liu/LLaVA.
        """
        most, least = np.zeros(len(height)), np.full(len(height), np.inf)
        rows, columns = np.zeros(len(height), np.int64), np.zeros(len(height), np.int64)
        for down, across in self.pinpoints:
            scale = np.minimum(across / width, down / height)
            fitted = np.trunc(width * scale) * np.trunc(height * scale)
            used = np.minimum(fitted, (width * height).astype(np.float64))
            waste = down * across - used
            taken = (used > most) | ((used == most) & (waste < least))
            most, least = np.where(taken, used, most), np.where(taken, waste, least)
            rows, columns = np.where(taken, down, rows), np.where(taken, across, columns)
        refuse_empty(self.name, height, width, rows)
        return rows, columns

    def kept(self, height: Whole, width: Whole, rows: Whole, columns: Whole) -> tuple[Whole, Whole]:
        """How many rows and columns of the tiles' common grid are padding on each side: above, and on the left.

        Source: _get_unpadded_features and unpad_image of transformers 5.23.
        """
        down, across = rows // self.patch, columns // self.patch
        wide = width / height > across / down
        new_down = np.trunc(np.round(height * (across / width), 7))
        new_across = np.trunc(np.round(width * (down / height), 7))
        above = np.where(wide, (down - new_down) // 2, 0).astype(np.int64)
        left = np.where(wide, 0, (across - new_across) // 2).astype(np.int64)
        return above, left

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """The whole at low resolution, then tiles row by row."""
        height, width = size_hw
        rows, columns = (int(one[0]) for one in self.best(np.array([height]), np.array([width])))
        side = self.side
        if columns / width < rows / height:
            fitted = (min(int(np.ceil(height * (columns / width))), rows), columns)
        else:
            fitted = (rows, min(int(np.ceil(width * (rows / height))), columns))
        padded = Window((-((rows - fitted[0]) // 2), -((columns - fitted[1]) // 2)), (rows, columns))
        steps = (Resized(fitted, self.interpolation), padded)
        tiles = [
            Tile("tile", (*steps, Window((row * side, column * side), (side, side))), (row, column))
            for row in range(rows // side)
            for column in range(columns // side)
        ]
        return (Tile("base", (Resized((side, side), self.interpolation),)), *tiles)

    def _count(self, height: Whole, width: Whole) -> Count:
        rows, columns = self.best(height, width)
        above, left = self.kept(height, width, rows, columns)
        down, across = rows // self.patch - 2 * above, columns // self.patch - 2 * left
        base = (self.side // self.patch) ** 2
        pictures = 1 + (rows // self.side) * (columns // self.side)
        return Count(base + down * across + down, pictures, base, down, 0, 0)

    def _order(self, size_hw: Size, tiles: Sequence[Tile]) -> tuple[Whole, Whole, Whole]:
        height, width = (np.array([side]) for side in size_hw)
        rows, columns = self.best(height, width)
        above, left = (int(one[0]) for one in self.kept(height, width, rows, columns))
        grid = self.side // self.patch
        down, across = np.mgrid[:grid, :grid].reshape(2, -1)
        high, broad = int(rows[0]) // self.patch, int(columns[0]) // self.patch
        row, column = np.mgrid[above : high - above, left : broad - left]
        tile = 1 + row // grid * (broad // grid) + column // grid
        parts = np.stack([tile, row % grid, column % grid])
        ends = np.full((3, parts.shape[1], 1), -1)
        ends[1] = NEWLINE
        behind = np.concatenate([parts, ends], 2).reshape(3, -1)
        first = np.stack([np.zeros_like(down), down, across])
        tile_of, row_of, column_of = np.concatenate([first, behind], 1).astype(np.int64)
        return tile_of, row_of, column_of


register(
    LlavaNext(
        "llava-next",
        "transformers 5.23, llava_next; haotian-liu/LLaVA anyres",
        *(14, 1, CLIP_MEAN, CLIP_STD, "bicubic"),
        layer=-2,
    )
)
