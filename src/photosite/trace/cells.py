"""Where the tiles of a photo and the cells of their tokens lie in it, as plain data that pages only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photosite.tokens import TokenMap
from photosite.tokens.tile import Size, Step, Window

Lying = tuple[float, float, float, float]
"""Pixels of the photo for one of a picture, down and across, and where the picture begins in the photo, y and x."""
Span = tuple[float, float, float, float]
"""Top, left, bottom, right, half open, in pixels of the photo; may reach beyond it."""


@dataclass(frozen=True)
class TileCells:
    """One tile, and the cells of its tokens.

    Attributes:
        number: of the tile.
        role: "base" for the whole photo, "tile" for a part of it.
        size_hw: of the tile.
        cell: pixels of the tile from one token to the next.
        tokens: how many of the tile's tokens the language model reads.
        rows: of cells, half open; likewise `columns`. Both are (0, 0) where the tile has no tokens.
        apart: whether each token has a cell of its own; else several stand for one place.
        made_of: height and width of the tile's pixels that its middle token is made of: a cell, or more.
        box: the cells of all its tokens, (top, left, bottom, right) in the tile, half open; where they are not apart,
            what the tokens are made of. None without tokens.
        lying: where the tile lies in the photo.
    """

    number: int
    role: str
    size_hw: Size
    cell: int
    tokens: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    apart: bool
    made_of: tuple[int, int] | None
    box: tuple[int, int, int, int] | None
    lying: Lying

    @property
    def span(self) -> Span:
        """Where the whole tile lies in the photo."""
        return in_photo((0, 0, *self.size_hw), self.lying)

    @property
    def block(self) -> Span | None:
        """Where the cells of all its tokens lie in the photo; None without tokens."""
        return None if self.box is None else in_photo(self.box, self.lying)


def lying(steps: Sequence[Step], size_hw: Size) -> Lying:
    """Where the picture that some steps make of a photo lies in it.

    Args:
        steps: in the order in which they are done; none for the photo itself.
        size_hw: of the photo.

    >>> from photosite.tokens.tile import Resized
    >>> lying((Resized((50, 50), "bicubic"), Window((-10, 5), (60, 20))), (100, 200))
    (2.0, 4.0, -20.0, 20.0)
    """
    down, across, top, left = 1.0, 1.0, 0.0, 0.0
    sizes = [size_hw, *(step.size_hw for step in steps)]
    for step, before in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        if isinstance(step, Window):
            top, left = top + step.start_hw[0], left + step.start_hw[1]
        else:
            ratio = (before[0] / step.size_hw[0], before[1] / step.size_hw[1])
            down, across, top, left = down * ratio[0], across * ratio[1], top * ratio[0], left * ratio[1]
    return down, across, top, left


def in_photo(box: Sequence[float], lies: Lying) -> Span:
    """Where a box of a picture lies in the photo.

    Args:
        box: (top, left, bottom, right) in pixels of the picture, half open.
        lies: where the picture lies.
    """
    down, across, top, left = lies
    return top + down * box[0], left + across * box[1], top + down * box[2], left + across * box[3]


def tile_cells(places: TokenMap, size_hw: Size) -> tuple[TileCells, ...]:
    """All tiles of a photo with their tokens' cells.

    Args:
        places: of a front end, for photos of this size.
        size_hw: of the photo.
    """
    return tuple(_cells(places, number, size_hw) for number in range(len(places.tiles)))


def _cells(places: TokenMap, number: int, size_hw: Size) -> TileCells:
    tile, own = places.tiles[number], np.flatnonzero(places.tile == number)
    lies = lying(tile.steps, size_hw)
    if not len(own):
        return TileCells(number, tile.role, tile.size_hw, places.cell, 0, (0, 0), (0, 0), True, None, None, lies)
    rows, columns = ((int(lines.min()), int(lines.max()) + 1) for lines in (places.row[own], places.column[own]))
    made_of = places.box(int(own[len(own) // 2]))
    assert made_of is not None
    apart = len(own) <= (rows[1] - rows[0]) * (columns[1] - columns[0])
    block = (rows[0] * places.cell, columns[0] * places.cell, rows[1] * places.cell, columns[1] * places.cell)
    # where a network pads, its last cells can reach beyond the tile
    clipped = (*block[:2], *(min(edge, side) for edge, side in zip(block[2:], tile.size_hw, strict=True)))
    return TileCells(
        number,
        tile.role,
        tile.size_hw,
        places.cell,
        len(own),
        rows,
        columns,
        apart,
        (made_of[2] - made_of[0], made_of[3] - made_of[1]),
        clipped if apart else made_of,  # type: ignore[arg-type]
        lies,
    )
