"""What a front end is: photos in, an encoder's input out, and for each token the place that it stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.shapes import as_size_hw, shape_text
from photosite.tokens.numbers import tile_numbers
from photosite.tokens.places import Count, Prepared, TokenMap, Whole
from photosite.tokens.tile import Numbers, Picture, Size, Tile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from photosite.tokens.encoding import Tokens


@dataclass(frozen=True)
class FrontEnd(ABC):
    """Everything between a photo and the tokens of a language model, but for the encoder.

    Attributes:
        name: as `front_end` takes it.
        source: where its constants come from.
        patch: side of a patch in pixels.
        merge: so many patches, down and across, become one token.
        mean: subtracted from each channel, of a full range of 1.
        std: what is left is divided by it.
        interpolation: the filter that it resizes with.
        layer: of the encoder, whose features become tokens: 0 is in front of the first block, -1 behind the last one;
            None for what the encoder itself gives.
    """

    name: str
    source: str
    patch: int
    merge: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    layer: int | None = field(default=None, kw_only=True)

    @property
    def cell(self) -> int:
        """Pixels from one token to the next, down and across."""
        return self.patch * self.merge

    @property
    def window(self) -> tuple[int, int]:
        """Where what a token is made of begins, counted from its cell, and its side in pixels."""
        return 0, self.cell

    @property
    def prefix_tokens(self) -> int:
        """Tokens in front that stand for no place and are read too."""
        return 0

    @property
    def packed(self) -> bool:
        """Whether the encoder gets patches of all pictures one behind the other, as rows."""
        return False

    def patch_grid(self, size_hw: Size) -> Size:
        """Rows and columns of patches in a picture that the encoder gets."""
        return size_hw[0] // self.patch, size_hw[1] // self.patch

    @property
    def global_by(self) -> tuple[str, ...]:
        """What, in the network in front of the tokens, makes each of them see everything beside its window."""
        return ()

    @abstractmethod
    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """The pictures that the encoder gets, in order.

        Args:
            size_hw: of the photo, upright.
        Raises:
            RangeError: the front end refuses photos of this size.
        """

    @abstractmethod
    def _count(self, height: Whole, width: Whole) -> Count:
        """Count for arrays of sizes."""

    def count(self, size_hw: Any) -> Count:
        """Count tokens, without a pixel.

        Args:
            size_hw: height and width, or an array (N, 2) of them.
        Returns:
            Whole numbers, or arrays (N,).
        Raises:
            RangeError: a side is below 1, or the front end refuses a size.
            ShapeError: no pairs.
        """
        sizes = np.asarray(size_hw)
        if sizes.shape[-1:] != (2,) or sizes.ndim > 2 or sizes.dtype.kind not in "iu":
            raise ShapeError(f"count: wants (height, width), or (N, 2) of them, whole, got {shape_text(sizes.shape)}")
        if sizes.size and sizes.min() < 1:
            raise RangeError("count: wants sides of at least 1")
        pairs = sizes.reshape(-1, 2).astype(np.int64)
        found = self._count(pairs[:, 0], pairs[:, 1])
        if sizes.ndim == 2:
            return Count(*(np.broadcast_to(np.asarray(one, np.int64), len(pairs)) for one in found))
        return Count(*(int(np.asarray(one).reshape(-1)[0]) for one in found))

    def token_map(self, size_hw: Size) -> TokenMap:
        """Where each token of a photo comes from.

        Args:
            size_hw: height and width of the photo, upright.
        Raises:
            RangeError: the front end refuses photos of this size.
        """
        height, width = as_size_hw(size_hw)
        tiles = self.tiles((height, width))
        tile, row, column = self._order((height, width), tiles)
        return TokenMap(tiles, self.cell, tile, np.maximum(row, 0), np.maximum(column, 0), row == NEWLINE, self.window)

    def _order(self, size_hw: Size, tiles: Sequence[Tile]) -> tuple[Whole, Whole, Whole]:
        """Tile, row and column of each token: tile by tile, row by row."""
        parts = []
        for number, tile in enumerate(tiles):
            rows, columns = (side // self.cell for side in tile.size_hw)
            down, across = np.mgrid[:rows, :columns]
            parts.append(np.stack([np.full(rows * columns, number), down.ravel(), across.ravel()]))
        tile_of, row, column = np.concatenate(parts, 1).astype(np.int64)
        return tile_of, row, column

    def patches(self, size_hw: Size, tile: int, place: tuple[Any, Any]) -> tuple[Any, ...]:
        """The patches of a token by their numbers in the encoder's sequence of the token's tile, row by row.

        Args:
            size_hw: of the photo.
            tile: number of the token's tile.
            place: row and column in its grid of tokens; or of many tokens, arrays of them, which gives arrays.
        """
        columns = self.tiles(size_hw)[tile].size_hw[1] // self.patch
        row, column = place[0] * self.merge, place[1] * self.merge
        return tuple((row + i) * columns + column + j for i in range(self.merge) for j in range(self.merge))

    def prepare(self, picture: Picture) -> Prepared:
        """Make the encoder's input.

        Args:
            picture: (H, W, 3) uint8, upright, as `photosite.load` gives it.
        Raises:
            ShapeError: something else.
            RangeError: the front end refuses photos of this size.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ShapeError(f"prepare: wants (H, W, 3) uint8, got {shape_text(picture.shape)} {picture.dtype}")
        tiles = self.tiles((picture.shape[0], picture.shape[1]))
        values, layout = self._values(picture, tiles)
        return Prepared(values, layout, tiles)

    def tokens(
        self,
        picture: Picture,
        encoder: nn.Module,
        *,
        layers: int | str | Sequence[int | str] | None = None,
        projector: nn.Module | None = None,
        newline: Tensor | None = None,
    ) -> Tokens:
        """Run a photo through an encoder, and give the vectors that a language model reads.

        Args:
            picture: (H, W, 3) uint8, upright.
            encoder: a vision transformer of `photosite.nets`, a vision tower of transformers, or any model that gives
                (B, N, D) tokens or a map; its class token and registers are left out where the front end leaves them.
            layers: whose features: numbers, 0 in front of the first block, negative from the end, or names of nodes and
                modules of any model; of several the features stand side by side. The front end's own if not given.
            projector: of `photosite.tokens.projectors`, or any module that makes (N, W) of each token's patches,
                (N, patches, D); without, they stand side by side.
            newline: (W,), what ends a row, for front ends that have it.
        Returns:
            (N, W) vectors in order, and where each comes from.
        Raises:
            ShapeError: the encoder gives another number of places than the front end has, or of numbers.
            RangeError: no such layer, or the front end refuses photos of this size.
        Matches: `get_image_features` of transformers' models, with the same weights, to 1e-5.
        """
        from photosite.tokens.encoding import encode  # torch takes a second to load

        return encode(self, picture, encoder, layers=layers, projector=projector, newline=newline)

    def _values(self, picture: Picture, tiles: tuple[Tile, ...]) -> tuple[Numbers, str]:
        """The encoder's input, and its layout."""
        return self._pack(tile_numbers(picture, tiles, level_table(self.mean, self.std)))

    def _pack(self, tiles: Numbers | list[Numbers]) -> tuple[Numbers, str]:
        """Tiles as the encoder wants them."""
        return np.asarray(tiles), "tile, channel, row, column"


def refuse_empty(name: str, height: Whole, width: Whole, *sides: Whole) -> None:
    """Refuse photos that would become pictures without pixels.

    Args:
        name: of the front end.
        height: of the photos.
        width: of them.
        *sides: what they become.
    Raises:
        RangeError: one of the sides is 0.
    """
    empty = np.flatnonzero(np.min([np.broadcast_to(side, height.shape) for side in sides], 0) < 1)
    if len(empty):
        one = empty[0]
        raise RangeError(f"{name}: a photo of {height[one]} × {width[one]} would become a picture without pixels")


NEWLINE = -2
"""In place of a row, for a learned token that ends one."""


@cache
def level_table(mean: tuple[float, ...], std: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """What each of 256 levels becomes, (3, 256) float32.

    Matches: the order of transformers' Pillow backend: times 1/255 in double, then in single precision less the mean,
        divided by the deviation.
    """
    levels = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    shift, scale = np.array(mean, np.float32)[:, None], np.array(std, np.float32)[:, None]
    table: npt.NDArray[np.float32] = (levels - shift) / scale
    return table
