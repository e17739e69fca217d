"""Qwen2-VL, Qwen2.5-VL, Qwen3-VL: photos at nearly their own size, patches in groups of 2 × 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.errors import RangeError
from photosite.prep import fast
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF
from photosite.tokens.front_end import FrontEnd, level_table, refuse_empty
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Numbers, Picture, Resized, Size, Tile, run

MOST_ASPECT = 200
"""Photos that are longer than this, as a multiple of their other side, are refused, as the publisher refuses them."""
LAYOUT = "patch by group, channel × time × row × column"


@dataclass(frozen=True)
class Qwen(FrontEnd):
    """One picture whose sides are multiples of a token's, its area between two limits.

    The encoder gets each patch as a row: (channel, time, row, column), the photo once for each time, and the patches of
    a token one behind the other: rows of the group, columns of the group.

    Attributes:
        least: pixels of the picture, at least.
        most: pixels of the picture, at most.
        times: how often the photo stands in time; a patch of the encoder takes so many frames.
    """

    least: int = 56 * 56
    most: int = 28 * 28 * 1280
    times: int = 2

    @property
    def packed(self) -> bool:
        """Patches are rows."""
        return True

    def resized(self, height: Whole, width: Whole) -> tuple[Whole, Whole]:
        """The picture's sides for arrays of sizes.

        Raises:
            RangeError: a photo is more than 200 times as long as it is wide, or would become a picture without pixels.
        Source: smart_resize of transformers 5.23, models/qwen2_vl/image_processing_qwen2_vl.py, and of qwen_vl_utils.
        """
        aspect = np.maximum(height, width) / np.minimum(height, width)
        if aspect.size and aspect.max() > MOST_ASPECT:
            worst = int(aspect.argmax())
            raise RangeError(
                f"{self.name}: takes sides up to 1 : {MOST_ASPECT}, got {int(height[worst])} × {int(width[worst])}"
            )
        cell = self.cell
        down, across = np.rint(height / cell) * cell, np.rint(width / cell) * cell
        area = (height * width).astype(np.float64)
        shrink, grow = np.sqrt(area / self.most), np.sqrt(self.least / area)
        large, small = down * across > self.most, down * across < self.least
        sides = []
        for own, near in ((height, down), (width, across)):
            shrunk = np.maximum(cell, np.floor(own / shrink / cell) * cell)
            grown = np.ceil(own * grow / cell) * cell
            sides.append(np.where(large, shrunk, np.where(small, grown, near)).astype(np.int64))
        refuse_empty(self.name, height, width, *sides)
        return sides[0], sides[1]

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """One picture."""
        down, across = self.resized(np.array([size_hw[0]]), np.array([size_hw[1]]))
        return (Tile("base", (Resized((int(down[0]), int(across[0])), self.interpolation),)),)

    def _count(self, height: Whole, width: Whole) -> Count:
        down, across = self.resized(height, width)
        total = down // self.cell * (across // self.cell)
        return Count(total, total * 0 + 1, total, 0, 0, 0)

    def patches(self, size_hw: Size, tile: int, place: tuple[Any, Any]) -> tuple[Any, ...]:
        """The patches of a token: one behind the other, since the encoder gets them by group."""
        columns = self.tiles(size_hw)[tile].size_hw[1] // self.cell
        first = (place[0] * columns + place[1]) * self.merge**2
        return tuple(first + number for number in range(self.merge**2))

    def _values(self, picture: Picture, tiles: tuple[Tile, ...]) -> tuple[Numbers, str]:
        if not (8 <= self.patch <= 16 and fast.wanted()):
            return super()._values(picture, tiles)
        from photosite.tokens.kernels import pack  # needs Numba

        (levels,) = run(picture, tiles)
        patches = levels.shape[0] // self.patch * (levels.shape[1] // self.patch)
        out = np.empty((patches, 3 * self.times * self.patch**2), np.float32)
        table = level_table(self.mean, self.std)
        pack(np.ascontiguousarray(levels), table, self.merge, self.patch, self.times, out)
        return out, LAYOUT

    def _pack(self, tiles: Numbers | list[Numbers]) -> tuple[Numbers, str]:
        patch, merge = self.patch, self.merge
        (values,) = tiles
        rows, columns = values.shape[1] // self.cell, values.shape[2] // self.cell
        out = np.empty((rows, columns, merge, merge, 3, self.times, patch, patch), np.float32)
        split = values.reshape(3, rows, merge, patch, columns, merge, patch)
        # rows, columns, rows of the group, columns of the group, channel, row, column
        out[...] = split.transpose(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, None]
        return out.reshape(rows * columns * merge**2, -1), LAYOUT


_QWEN2 = (14, 2, CLIP_MEAN, CLIP_STD, "bicubic")

register(
    Qwen("qwen2-vl", "transformers 5.23, qwen2_vl, with its processor's own limits", *_QWEN2),
    Qwen(
        "qwen2-vl-utils",
        "qwen_vl_utils, MIN_PIXELS and MAX_PIXELS",
        *_QWEN2,
        least=4 * 28 * 28,
        most=16384 * 28 * 28,
    ),
    Qwen("qwen2.5-vl", "transformers 5.23, qwen2_5_vl, which takes qwen2_vl's processor", *_QWEN2),
    Qwen(
        "qwen3-vl",
        "transformers 5.23, qwen3_vl; limits of the published preprocessor_config.json",
        *(16, 2, HALF, HALF, "bicubic"),
        least=65_536,
        most=16_777_216,
    ),
)
