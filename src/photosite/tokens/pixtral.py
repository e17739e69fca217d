"""Pixtral: photos at their own size, rounded up to whole patches, with a mark behind each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.prep.recipes import CLIP_MEAN, CLIP_STD
from photosite.tokens.front_end import FrontEnd, refuse_empty
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Tile


@dataclass(frozen=True)
class Pixtral(FrontEnd):
    """One picture, not larger than a square.

    Attributes:
        longest: side of that square in pixels.
    """

    longest: int = 1024

    def grid(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        """Rows and columns of patches for arrays of sizes.

        Source: get_resize_output_image_size of transformers 5.23, models/pixtral/image_processing_pixtral.py.
        """
        ratio = np.maximum(height / self.longest, width / self.longest)
        sides = []
        for own in (height, width):
            fitted = np.where(ratio > 1, np.floor(own / ratio), own).astype(np.int64)
            sides.append((fitted - 1) // self.patch + 1)
        refuse_empty(self.name, height, width, *sides)
        return sides[0], sides[1]

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """One picture."""
        rows, columns = (int(one[0]) for one in self.grid(np.array([size_hw[0]]), np.array([size_hw[1]])))
        return (Tile("base", (Resized((rows * self.patch, columns * self.patch), self.interpolation),)),)

    def _count(self, height: Whole, width: Whole) -> Count:
        rows, columns = self.grid(height, width)
        total = rows * columns
        return Count(total, total * 0 + 1, total, 0, rows, 0)


register(
    Pixtral(
        "pixtral",
        "transformers 5.23, pixtral; a text token ends each row",
        *(16, 1, CLIP_MEAN, CLIP_STD, "bicubic"),
    )
)
