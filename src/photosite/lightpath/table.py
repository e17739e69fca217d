"""The ways of all tokens of a photo at once, as arrays: what a program looks up in that follows a pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.lightpath.axis import back, whole
from photosite.shapes import as_size_hw
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import TokenMap
from photosite.tokens.tile import Resized, Size, Step, Tile

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lines:
    """One axis of a tile: its rows of tokens and the photo's rows; likewise its columns.

    Attributes:
        spans: (L, 2) of each row of tokens the first of the photo's rows that it depends on, and the one behind the
            last; (0, 0) where all is padding.
        readers: (H, 2) of each row of the photo the first row of tokens that depends on it, and the one behind the
            last; (0, 0) where none does.
    """

    spans: Whole
    readers: Whole


@dataclass(frozen=True, eq=False)
class TokenTable:
    """The ways of all tokens of a photo.

    Attributes:
        places: where each token comes from.
        patches: (N, k) numbers of its patches in the encoder's input, in the order in which they are joined; -1 for a
            token without a place.
        rows: of each tile; tiles whose rows are made alike share one.
        columns: likewise.
        prefix: so many tokens in front stand for no place.
    """

    places: TokenMap
    patches: Whole
    rows: tuple[Lines, ...]
    columns: tuple[Lines, ...]
    prefix: int

    def reading(self, pixel: tuple[int, int]) -> list[int]:
        """Which tokens depend on a pixel: what `tokens_of` says.

        Args:
            pixel: row and column of the photo.
        """
        found = np.zeros(len(self.places), bool)
        for number in range(len(self.places.tiles)):
            (top, bottom), (left, right) = self.rows[number].readers[pixel[0]], self.columns[number].readers[pixel[1]]
            row, column = self.places.row, self.places.column
            found |= (self.places.tile == number) & (row >= top) & (row < bottom) & (column >= left) & (column < right)
        return [int(token) for token in np.flatnonzero(found)]


def token_table(front_end: FrontEnd, size_hw: Size) -> TokenTable:
    """Follow all tokens of a photo.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
    Raises:
        RangeError: the front end refuses photos of this size.
    Matches: `light_path` of each token, and `tokens_of` each pixel.

    >>> from photosite.tokens import front_end
    >>> table = token_table(front_end("siglip-so400m-384"), (768, 768))
    >>> table.rows[0].spans[0].tolist(), table.reading((3, 3))
    ([0, 31], [0])
    """
    size_hw = as_size_hw(size_hw)
    places = front_end.token_map(size_hw)
    kept: dict[Any, Lines] = {}
    axes: tuple[list[Lines], list[Lines]] = ([], [])
    for number, tile in enumerate(places.tiles):
        own = places.tile == number
        for axis, place in enumerate((places.row, places.column)):
            count = int(place[own].max()) + 1 if own.any() else 0
            key = (axis, count, tuple(_of_axis(step, axis) for step in tile.steps))
            if key not in kept:
                kept[key] = _lines(places, tile, count, axis, size_hw[axis])
            axes[axis].append(kept[key])
    return TokenTable(
        places, _patches(front_end, places, size_hw), tuple(axes[0]), tuple(axes[1]), front_end.prefix_tokens
    )


def _of_axis(step: Step, axis: int) -> tuple[Any, ...]:
    """Everything of a step that one axis depends on."""
    if isinstance(step, Resized):
        return step.size_hw[axis], step.interpolation, step.antialias, step.rounded
    return step.size_hw[axis], step.start_hw[axis]


def _lines(places: TokenMap, tile: Tile, count: int, axis: int, size: int) -> Lines:
    spans, readers = np.zeros((count, 2), np.int64), np.zeros((size, 2), np.int64)
    readers[:, 0] = count
    for line in range(count):
        share = back(whole(*places.span(line, tile.size_hw[axis], *places.window)), tile.steps, axis, size)
        if not share.empty:
            spans[line] = share.start, share.stop
            seen = share.start + np.flatnonzero(share.seen)
            readers[seen, 0] = np.minimum(readers[seen, 0], line)
            readers[seen, 1] = line + 1
    readers[readers[:, 1] == 0] = 0
    return Lines(spans, readers)


def _patches(front_end: FrontEnd, places: TokenMap, size_hw: Size) -> Whole:
    """Of all tokens, tile by tile."""
    parts: list[tuple[npt.NDArray[np.bool_], Sequence[Any]]] = []
    for number in range(len(places.tiles)):
        own = places.tile == number
        parts.append((own, front_end.patches(size_hw, number, (places.row[own], places.column[own]))))
    found = np.full((len(places), max(len(patches) for _, patches in parts)), -1, np.int64)
    for own, patches in parts:
        for k, numbers in enumerate(patches):
            found[own, k] = numbers
    return found
