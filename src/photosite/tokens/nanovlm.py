"""nanoVLM: the whole photo and a grid of tiles at 512 pixels, not normalized; its first release, one square of 224."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.squares import Square
from photosite.tokens.tile import Resized, Size, Tile, Window

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Mean and deviation of numbers that stay between 0 and 1."""


@dataclass(frozen=True)
class NanoVLM(FrontEnd):
    """The longer side brought to a length, the other to whole tiles; the whole first, then tiles row by row.

    The whole is made of the tiles' numbers by torchvision, not of a picture by Pillow: no level is rounded.

    Attributes:
        side: of a tile in pixels.
        longest: the longer side, in pixels.
    """

    side: int = 512
    longest: int = 2048

    def resized(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        """The picture's sides for arrays of sizes.

        Source: DynamicResize of huggingface/nanoVLM, data/custom_transforms.py, with resize_to_max_side_len.
        """
        wide = width >= height
        long, short = np.maximum(height, width), np.minimum(height, width)
        other = np.ceil(short * (self.longest / long) / self.side) * self.side
        other = np.maximum(other, self.side).astype(np.int64)
        return np.where(wide, other, self.longest), np.where(wide, self.longest, other)

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """The whole, and tiles row by row."""
        down, across = (int(one[0]) for one in self.resized(np.array([size_hw[0]]), np.array([size_hw[1]])))
        side, whole = self.side, Resized((down, across), self.interpolation)
        tiles = [
            Tile("tile", (whole, Window((row * side, column * side), (side, side))), (row, column))
            for row in range(down // side)
            for column in range(across // side)
        ]
        return (Tile("base", (whole, Resized((side, side), "bilinear", rounded=False))), *tiles)

    def _count(self, height: Whole, width: Whole) -> Count:
        down, across = self.resized(height, width)
        pictures = down // self.side * (across // self.side) + 1
        each = (self.side // self.cell) ** 2
        return Count(pictures * each, pictures, each, 0, pictures, 0)


register(
    NanoVLM(
        "nanovlm",
        "huggingface/nanoVLM: models/config.py with max_img_size 2048, data/custom_transforms.py",
        *(16, 4, *PLAIN, "bicubic"),
    ),
    Square(
        "nanovlm-222m",
        "huggingface/nanoVLM, first release: models/config.py, data/processors.py",
        *(16, 2, *PLAIN, "bilinear"),
        side=224,
    ),
)
