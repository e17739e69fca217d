"""Tiles and their tokens' cells as paths over the photo: one path for all outlines, one for all lines between cells.

Lines are a path and no SVG pattern: a pattern's cell is rounded to the screen's pixels, and cells here are not whole.
Knows no template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photosite.report.sheet import Rectangle, path
from photosite.trace.cells import Span, TileCells, in_photo

ROLES = {"base": "the whole photo", "tile": "tiles"}
"""What tiles of a role are called, beside those of another."""


@dataclass(frozen=True)
class Layer:
    """The tiles of one role.

    Attributes:
        name: of the role.
        view: what is shown: the photo, and the tiles where they reach beyond.
        outlines: of the tiles.
        blocks: outlines of all cells of a tile; "" where those are the tiles' own.
        lines: between cells.
        padding: what tiles have beyond the photo.
        hatch: side of the hatching's own square, in pixels of the photo.
        tiles: how many; `tokens` likewise.
        size_hw: of a tile.
        cell: side of a cell, in pixels of a tile.
        apart: whether each token has a cell of its own.
        made_of: height and width of what a token is made of, in pixels of a tile.
    """

    name: str
    view: Rectangle
    outlines: str
    blocks: str
    lines: str
    padding: str
    hatch: float
    tiles: int
    tokens: int
    size_hw: tuple[int, int]
    cell: int
    apart: bool
    made_of: tuple[int, int] | None


def layers(tiles: Sequence[TileCells], photo_hw: tuple[int, int]) -> list[Layer]:
    """The tiles by role, those of the parts first.

    Args:
        tiles: of one front end.
        photo_hw: size of the photo.
    """
    roles = sorted({tile.role for tile in tiles}, key=lambda role: (role == "base", role))
    return [
        _layer(
            ROLES.get(role, role) if len(roles) > 1 else "one picture",
            [tile for tile in tiles if tile.role == role],
            photo_hw,
        )
        for role in roles
    ]


def _layer(name: str, tiles: Sequence[TileCells], photo_hw: tuple[int, int]) -> Layer:
    whole = (0.0, 0.0, float(photo_hw[0]), float(photo_hw[1]))
    spans = [tile.span for tile in tiles]
    view = framed(around([whole, *spans]))
    inner = [tile for tile in tiles if tile.block is not None and tile.box != (0, 0, *tile.size_hw)]
    first = next((tile for tile in tiles if tile.tokens), tiles[0])
    return Layer(
        name=name,
        view=view,
        outlines="".join(path(rectangle(span)) for span in spans),
        blocks="".join(path(rectangle(tile.block)) for tile in inner if tile.block is not None),
        lines="".join(cell_lines(tile) for tile in tiles),
        padding="".join(beyond(span, whole) for span in spans),
        hatch=hatch_side(view),
        tiles=len(tiles),
        tokens=sum(tile.tokens for tile in tiles),
        size_hw=first.size_hw,
        cell=first.cell,
        apart=all(tile.apart for tile in tiles),
        made_of=first.made_of,
    )


def rectangle(span: Sequence[float]) -> Rectangle:
    """From (top, left, bottom, right) to (x, y, width, height), to a hundredth of a pixel.

    >>> rectangle((1, 2, 4, 10))
    (2, 1, 8, 3)
    """
    top, left, bottom, right = span
    return round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)


def around(spans: Sequence[Span]) -> Rectangle:
    """The smallest rectangle around some."""
    tops, lefts, bottoms, rights = zip(*spans, strict=True)
    return rectangle((min(tops), min(lefts), max(bottoms), max(rights)))


def framed(view: Rectangle) -> Rectangle:
    """A view with a little room, so that a frame at its edge is not cut."""
    x, y, width, height = view
    room = 0.004 * max(width, height)
    return round(x - room, 3), round(y - room, 3), round(width + 2 * room, 3), round(height + 2 * room, 3)


def beyond(span: Span, whole: Span) -> str:
    """A path over what a rectangle has beyond another; "" for nothing.

    >>> beyond((-5, 0, 10, 10), (0, 0, 10, 10))
    'M0 -5h10v5h-10Z'
    """
    top, left, bottom, right = span
    inner_top, inner_bottom = min(max(top, whole[0]), bottom), max(min(bottom, whole[2]), top)
    parts = (
        (top, left, inner_top, right),
        (inner_bottom, left, bottom, right),
        (inner_top, left, inner_bottom, min(whole[1], right)),
        (inner_top, max(whole[3], left), inner_bottom, right),
    )
    # less than a hundredth of a pixel is what rounding leaves
    return "".join(path(rectangle(part)) for part in parts if part[2] - part[0] > 0.01 and part[3] - part[1] > 0.01)


def cell_lines(tile: TileCells) -> str:
    """A path of the lines between a tile's cells, in pixels of the photo; "" where tokens have none of their own."""
    if tile.box is None or not tile.apart:
        return ""
    top, left, bottom, right = tile.box
    rows, columns = ([k * tile.cell for k in range(first + 1, last)] for first, last in (tile.rows, tile.columns))
    across = [in_photo((row, left, row, right), tile.lying) for row in rows]
    down = [in_photo((top, column, bottom, column), tile.lying) for column in columns]
    return "".join(
        (
            *(f"M{_short(x0)} {_short(y)}h{_short(x1 - x0)}" for y, x0, _, x1 in across),
            *(f"M{_short(x)} {_short(y0)}v{_short(y1 - y0)}" for y0, x, y1, _ in down),
        )
    )


def hatch_side(view: Rectangle) -> float:
    """Side of the hatching's own square where so much is shown: the same on the screen for every picture."""
    return round(max(view[2], view[3]) / 56, 3)


def _short(value: float) -> str:
    return f"{round(value, 2):.7g}"
