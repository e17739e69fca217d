"""What a photo's tokens are spent on: its pixels, a second look at all of it, padding; and what none of them sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.lightpath.axis import back, whole
from photosite.lightpath.path import ROUNDING, unseen
from photosite.shapes import as_size_hw
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, TokenMap
from photosite.tokens.tile import Size


@dataclass(frozen=True)
class Ledger:
    """An account of a photo's tokens.

    Attributes:
        count: how many there are, and of what kind.
        repeated: those of the whole photo at low resolution where its tiles show all of it as well.
        padding: those that no pixel of the photo is part of.
        partly_padding: those that are made of the photo and of padding.
        unseen_pixels: of the photo, those that no token depends on.
    """

    count: Count
    repeated: int
    padding: int
    partly_padding: int
    unseen_pixels: int


def ledger(front_end: FrontEnd, size_hw: Size) -> Ledger:
    """Account for a photo's tokens, exactly and without a pixel.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
    Raises:
        RangeError: the front end refuses photos of this size.

    >>> from photosite.tokens import front_end
    >>> found = ledger(front_end("llava-1.5"), (100, 200))  # 6 of 24 rows of tokens above and 6 below are padding,
    >>> found.padding, found.partly_padding, found.unseen_pixels  # but the resizing reaches into one of them
    (240, 96, 0)
    """
    size_hw = as_size_hw(size_hw)
    count, places = front_end.count(size_hw), front_end.token_map(size_hw)
    empty = partly = 0
    for number in range(len(places.tiles)):
        own = np.flatnonzero(places.tile == number)
        if len(own):
            shares = [_shares(places, number, size_hw, axis) for axis in (0, 1)]
            inside = shares[0][places.row[own]] * shares[1][places.column[own]]
            empty += int(np.count_nonzero(inside == 0))
            partly += int(np.count_nonzero((inside > 0) & (inside < 1 - ROUNDING)))
    share = unseen(front_end, size_hw)
    return Ledger(
        count=count,
        repeated=count.base if count.tiles > 1 else 0,
        padding=empty,
        partly_padding=partly,
        unseen_pixels=round(share * size_hw[0] * size_hw[1]),
    )


def _shares(places: TokenMap, number: int, size_hw: Size, axis: int) -> npt.NDArray[np.float64]:
    """How much of each row of a tile's tokens is photo, by the kernels' weights; likewise of columns."""
    tile = places.tiles[number]
    lines = (places.row, places.column)[axis][places.tile == number]
    found = np.zeros(int(lines.max()) + 1)
    for line in np.unique(lines):
        span = places.span(int(line), tile.size_hw[axis], *places.window)
        found[line] = back(whole(*span), tile.steps, axis, size_hw[axis]).weights.sum()
    return found
