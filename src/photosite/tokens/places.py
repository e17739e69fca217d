"""What a front end gives: how many tokens there are, where each comes from, and the encoder's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError
from photosite.tokens.tile import Size, Tile

Whole = npt.NDArray[np.int64]


class Count(NamedTuple):
    """Tokens of a photo, or of many: whole numbers, or arrays of them.

    Attributes:
        total: visual tokens that the language model reads, learned newlines included.
        tiles: pictures that the encoder gets.
        base: tokens of the whole photo at low resolution, beside its tiles.
        newlines: learned tokens that end a row.
        separators: text tokens between the tiles, which are not in the total.
        prefix: tokens that stand for no place, such as a class token.
    """

    total: Any
    tiles: Any
    base: Any
    newlines: Any
    separators: Any
    prefix: Any


@dataclass(frozen=True)
class TokenMap:
    """Where each visual token comes from, in the order in which the language model reads them.

    Attributes:
        tiles: the pictures that the encoder gets.
        cell: pixels of a tile from one token to the next, down and across.
        tile: (N,) number of the tile; -1 for a token that stands for no place.
        row: (N,) of the token in its tile's grid.
        column: (N,) likewise.
        newline: (N,) whether it is a learned newline.
        window: where the pixels that a token is made of begin, counted from its cell, and how many there are, down and
            across: the cell itself, or the larger field of a convolutional network.
    """

    tiles: tuple[Tile, ...]
    cell: int
    tile: Whole
    row: Whole
    column: Whole
    newline: npt.NDArray[np.bool_]
    window: tuple[int, int]

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.tile)

    def box(self, token: int) -> tuple[int, int, int, int] | None:
        """The pixels of its tile that a token is made of: (top, left, bottom, right), half open; None without a place.

        Raises:
            RangeError: there is no such token.
        """
        return self._box(token, *self.window)

    def cell_box(self, token: int) -> tuple[int, int, int, int] | None:
        """Its cell in its tile, half open: its share of the grid, which is all of its input but behind convolutions.

        Raises:
            RangeError: there is no such token.
        """
        return self._box(token, 0, self.cell)

    def _box(self, token: int, start: int, length: int) -> tuple[int, int, int, int] | None:
        if not 0 <= token < len(self):
            raise RangeError(f"token {token}: there are {len(self)}")
        number = int(self.tile[token])
        if number < 0:
            return None
        places = (int(self.row[token]), int(self.column[token]))
        spans = [self.span(place, side, start, length) for place, side in zip(places, self._side(number), strict=True)]
        return spans[0][0], spans[1][0], spans[0][1], spans[1][1]

    def span(self, place: int, side: int, start: int, length: int) -> tuple[int, int]:
        """First pixel of a place along one axis, and the one behind its last, inside a side."""
        low = place * self.cell + start
        return max(low, 0), min(low + length, side)

    def _side(self, tile: int) -> Size:
        return self.tiles[tile].size_hw


@dataclass(frozen=True, eq=False)
class Prepared:
    """What an encoder gets.

    Attributes:
        values: its input, float32.
        layout: what the axes of `values` are, in words.
        tiles: the pictures that it was made of.
    """

    values: npt.NDArray[np.float32]
    layout: str
    tiles: tuple[Tile, ...]
