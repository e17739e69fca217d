"""The path of the light: token, patches, tile, every step before it, the photo's pixels; and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError
from photosite.lightpath.axis import Share, after, back, before, whole
from photosite.shapes import as_size_hw
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import TokenMap
from photosite.tokens.tile import Resized, Size, Step, Tile

Box = tuple[int, int, int, int]
ROUNDING = 1e-5
"""By so much the weights of a kernel can sum to something else than 1: they are multiples of 2**-22."""


@dataclass(frozen=True)
class Stage:
    """What a token is made of in one of the pictures between photo and encoder.

    Attributes:
        name: "tile", "resized", "padded" or "cut", and "photo" for the last.
        size_hw: of that picture.
        box: (top, left, bottom, right) in its pixels, half open; None where all is padding.
        down: how much each row in the box counts; the weight of a pixel is that of its row times that of its column.
        across: likewise for columns.
    """

    name: str
    size_hw: Size
    box: Box | None
    down: Share
    across: Share


@dataclass(frozen=True)
class LightPath:
    """Everything between a token and the photo.

    Attributes:
        front_end: its name.
        size_hw: of the photo.
        token: its number among those that the language model reads.
        tile: number of its tile; -1 for a token that stands for no place.
        place: row and column in its tile's grid of tokens.
        patches: numbers of its patches in the encoder's input, in the order in which they are joined.
        cell: its share of its tile's grid, (top, left, bottom, right) in the tile's pixels, half open; the first
            stage's box but behind convolutions, whose field is larger.
        global_by: what makes it depend on all of its tile beside that.
        stages: from the tile to the photo; empty for a token without a place.
    """

    front_end: str
    size_hw: Size
    token: int
    tile: int
    place: tuple[int, int]
    patches: tuple[int, ...]
    stages: tuple[Stage, ...]
    cell: Box | None = None
    global_by: tuple[str, ...] = ()

    @property
    def photo_box(self) -> Box | None:
        """The photo's pixels that it depends on: (top, left, bottom, right), half open; None where there are none."""
        return self.stages[-1].box if self.stages else None

    @property
    def padding_share(self) -> float:
        """How much of it is padding, 0 … 1; 1 for a token without a place."""
        if not self.stages:
            return 1.0
        last = self.stages[-1]
        inside = float(last.down.weights.sum() * last.across.weights.sum())
        return max(1.0 - inside, 0.0) if inside < 1 - ROUNDING else 0.0


def light_path(front_end: FrontEnd, size_hw: Size, token: int) -> LightPath:
    """Follow a token back to the photo.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
        token: its number among those that the language model reads.
    Raises:
        RangeError: there is no such token, or the front end refuses photos of this size.

    >>> from photosite.tokens import front_end
    >>> path = light_path(front_end("siglip-so400m-384"), (768, 768), 0)
    >>> path.photo_box, path.patches
    ((0, 0, 31, 31), (0,))
    """
    size_hw = as_size_hw(size_hw)
    places = front_end.token_map(size_hw)
    box = places.box(token)
    if box is None:
        return LightPath(front_end.name, size_hw, token, -1, (0, 0), (), ())
    number = int(places.tile[token])
    place = (int(places.row[token]), int(places.column[token]))
    stages = _stages(places.tiles[number], size_hw, box)
    patches = front_end.patches(size_hw, number, place)
    return LightPath(
        *(front_end.name, size_hw, token, number, place, patches, tuple(stages)),
        cell=places.cell_box(token),
        global_by=front_end.global_by,
    )


def _stages(tile: Tile, size_hw: Size, box: Box) -> list[Stage]:
    """The same box in every picture, from the tile to the photo."""
    sizes = [size_hw, *(step.size_hw for step in tile.steps)]
    shares = [whole(box[0], box[2]), whole(box[1], box[3])]
    stages = [_stage("tile", sizes[-1], shares)]
    for number in range(len(tile.steps) - 1, -1, -1):
        step = tile.steps[number]
        shares = [before(share, step, axis, sizes[number][axis]) for axis, share in enumerate(shares)]
        name = "photo" if number == 0 else _name(tile.steps[number - 1], sizes[number - 1])
        stages.append(_stage(name, sizes[number], shares))
    return stages


def _name(step: Step, size_hw: Size) -> str:
    """What a step's result is called."""
    if isinstance(step, Resized):
        return "resized"
    larger = any(side > before for side, before in zip(step.size_hw, size_hw, strict=True))
    return "padded" if larger else "cut"


def _stage(name: str, size_hw: Size, shares: list[Share]) -> Stage:
    down, across = shares
    box = None if down.empty or across.empty else (down.start, across.start, down.stop, across.stop)
    return Stage(name, size_hw, box, down, across)


def tokens_of(front_end: FrontEnd, size_hw: Size, pixel: tuple[int, int]) -> list[int]:
    """Which tokens depend on a pixel of the photo: the reverse of `light_path`.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
        pixel: row and column.
    Returns:
        Their numbers, in order; none where no token sees it.
    Raises:
        RangeError: there is no such pixel, or the front end refuses photos of this size.

    >>> from photosite.tokens import front_end
    >>> tokens_of(front_end("siglip-so400m-384"), (384, 384), (380, 10))  # in the six rows that no patch covers
    []
    """
    size_hw = as_size_hw(size_hw)
    if not all(0 <= place < side for place, side in zip(pixel, size_hw, strict=True)):
        raise RangeError(f"pixel {pixel[0]},{pixel[1]}: the photo has {size_hw[0]} × {size_hw[1]}")
    places = front_end.token_map(size_hw)
    found = np.zeros(len(places), bool)
    for number, tile in enumerate(places.tiles):
        rows, columns = (_reached(tile, size_hw, axis, pixel[axis]) for axis in (0, 1))
        if len(rows) and len(columns):
            start, length = places.window
            row, column = places.row * places.cell + start, places.column * places.cell + start
            found |= (
                (places.tile == number)
                & (row + length > rows.start)
                & (row < rows.stop)
                & (column + length > columns.start)
                & (column < columns.stop)
            )
    return [int(token) for token in np.flatnonzero(found)]


def _reached(tile: Tile, size_hw: Size, axis: int, pixel: int) -> range:
    """Which of a tile's rows or columns depend on one of the photo's."""
    pixels, size = range(pixel, pixel + 1), size_hw[axis]
    for step in tile.steps:
        pixels = after(pixels, step, axis, size)
        size = step.size_hw[axis]
    return pixels


def coverage(front_end: FrontEnd, size_hw: Size) -> npt.NDArray[np.int64]:
    """How many tokens depend on each pixel of the photo.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
    Returns:
        (H, W); 0 for what no token sees.
    Raises:
        RangeError: the front end refuses photos of this size.
    """
    size_hw = as_size_hw(size_hw)
    places = front_end.token_map(size_hw)
    total = np.zeros(size_hw, np.int64)
    for number, tile in enumerate(places.tiles):
        own = places.tile == number
        # a tile's tokens are a block of rows and columns, so that rows and columns count apart
        rows, columns = np.unique(places.row[own]), np.unique(places.column[own])
        if len(rows) * len(columns):
            counts = [_seen_by(places, tile, size_hw, axis, lines) for axis, lines in enumerate((rows, columns))]
            # several tokens can stand for one place: those that are learned from all of them
            total += counts[0][:, None] * counts[1] * (np.count_nonzero(own) // (len(rows) * len(columns)))
    return total


def unseen(front_end: FrontEnd, size_hw: Size) -> float:
    """The share of a photo's pixels that no token sees, 0 … 1.

    Args:
        front_end: from `photosite.tokens.front_end`.
        size_hw: height and width of the photo, upright.
    Raises:
        RangeError: the front end refuses photos of this size.
    """
    size_hw = as_size_hw(size_hw)
    places = front_end.token_map(size_hw)
    seen = np.zeros(size_hw, bool)
    for number, tile in enumerate(places.tiles):
        own = places.tile == number
        if own.any():
            down, across = (
                back(_all_of(places, lines, tile.size_hw[axis]), tile.steps, axis, size_hw[axis])
                for axis, lines in enumerate((places.row[own], places.column[own]))
            )
            seen[down.start : down.stop, across.start : across.stop] |= down.seen[:, None] & across.seen
    return 1 - float(np.count_nonzero(seen)) / seen.size


def _all_of(places: TokenMap, lines: npt.NDArray[np.int64], side: int) -> Share:
    """The pixels of neighboring rows of tokens, together; likewise of columns."""
    first, last = (places.span(int(line), side, *places.window) for line in (lines.min(), lines.max()))
    return whole(first[0], last[1])


def _seen_by(
    places: TokenMap, tile: Tile, size_hw: Size, axis: int, lines: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """How many of a tile's rows of tokens depend on each row of the photo; likewise for columns."""
    counts = np.zeros(size_hw[axis], np.int64)
    for line in lines:
        span = whole(*places.span(int(line), tile.size_hw[axis], *places.window))
        share = back(span, tile.steps, axis, size_hw[axis])
        counts[share.start : share.stop] += share.seen
    return counts
