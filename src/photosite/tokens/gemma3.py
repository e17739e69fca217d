"""Gemma 3 with pan and scan: the whole photo, and of a long one a row of crops, each at 896 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.prep.recipes import HALF
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Tile, Window


@dataclass(frozen=True)
class PanAndScan(FrontEnd):
    """Every picture becomes a square; crops are taken of the photo before it is resized.

    Attributes:
        side: of a picture in pixels.
        smallest: no crop has a side below.
        most: crops at most.
        ratio: photos that are less long than this have no crops.
    """

    side: int = 896
    smallest: int = 256
    most: int = 4
    ratio: float = 1.2

    def crops(self, height: Whole, width: Whole) -> Whole:
        """How many crops there are along the longer side, for arrays of sizes; 0 for none.

        Source: pan_and_scan of transformers 5.23, models/gemma3/image_processing_gemma3.py.
        """
        long, short = np.maximum(height, width), np.minimum(height, width)
        count = np.floor(long / short + 0.5)
        count = np.minimum(np.floor(long / self.smallest), count)
        count = np.minimum(self.most, np.maximum(2, count))
        small = np.minimum(np.ceil(long / count), short) < self.smallest
        found: Whole = np.where((long / short < self.ratio) | small, 0, count).astype(np.int64)
        return found

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """The whole photo, then the crops from its beginning to its end."""
        height, width = size_hw
        count = int(self.crops(np.array([height]), np.array([width]))[0])
        square = Resized((self.side, self.side), self.interpolation)
        tiles = [Tile("base", (square,))]
        step = -(-max(height, width) // count) if count else 0
        for number in range(count):
            start = (0, number * step) if width >= height else (number * step, 0)
            # the last one is as large as what is left
            size = (height, min(step, width - start[1])) if width >= height else (min(step, height - start[0]), width)
            place = (0, number) if width >= height else (number, 0)
            tiles.append(Tile("tile", (Window(start, size), square), place))
        return tuple(tiles)

    def _count(self, height: Whole, width: Whole) -> Count:
        each, crops = (self.side // self.cell) ** 2, self.crops(height, width)
        return Count((1 + crops) * each, 1 + crops, each, 0, 0, 0)


register(
    PanAndScan(
        "gemma3-pan-and-scan",
        "transformers 5.23, gemma3 with do_pan_and_scan and its processor's own numbers",
        *(14, 4, HALF, HALF, "bilinear"),
    )
)
