"""A channel's patches as one picture: a grid of cells, hatched beyond the photo, with a mark around what is seen.

All coordinates are pixels of that picture. Knows no template.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photosite.report.figures import jpeg_uri, png_uri
from photosite.report.sheet import Rectangle, path
from photosite.trace.canvas import PAPER
from photosite.trace.hierarchy import Channel, Cut

SMALL = 24
"""Cells up to this side stay without loss, and their pixels are shown as squares."""


@dataclass(frozen=True)
class Mosaic:
    """The patches of a channel, or what their units send back, in a grid.

    Attributes:
        uri: of the picture.
        width: of it in pixels; likewise `height`.
        beyond: a path over what is no photo; "" for none.
        gaps: a path over what stands between the cells.
        marks: what units see of cells that show more.
        cells: where each cell lies.
        pixelated: whether its pixels are those of the input.
    """

    uri: str
    width: int
    height: int
    beyond: str
    gaps: str
    marks: tuple[Rectangle, ...]
    cells: tuple[Rectangle, ...]
    pixelated: bool


def mosaic(channel: Channel, columns: int, cell_hw: tuple[int, int], signals: bool = False) -> Mosaic:
    """Lay the patches of a channel out in a grid, the strongest first, row by row.

    Args:
        channel: one that has cuts.
        columns: of the grid.
        cell_hw: size of a cell, that of the largest frame.
        signals: what units send back instead of the photo.
    """
    height, width = cell_hw
    gap = max(1, round(max(cell_hw) / 24))
    rows = math.ceil(len(channel.cuts) / columns)
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    sheet[:] = PAPER
    beyond, marks, cells = "", [], []
    for k in range(rows * columns):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        cells.append((left, top, width, height))
        cut = channel.cuts[k] if k < len(channel.cuts) else None
        inside = None if cut is None else _inside(cut, cell_hw)
        if cut is None or inside is None:
            beyond += path((left, top, width, height))
            continue
        pixels = cut.signal if signals and cut.signal is not None else cut.pixels
        y, x, h, w = inside
        sheet[top + y : top + y + h, left + x : left + x + w] = pixels[:h, :w]
        if (h, w) != cell_hw:
            beyond += path((left, top, width, height)) + path((left + x, top + y, w, h))
        mark = _mark(cut)
        if mark is not None:
            marks.append((left + mark[0], top + mark[1], mark[2], mark[3]))
    lossless = max(cell_hw) <= SMALL
    return Mosaic(
        uri=png_uri(sheet) if lossless else jpeg_uri(sheet),
        width=sheet.shape[1],
        height=sheet.shape[0],
        beyond=beyond,
        gaps=_gaps(rows, columns, cell_hw, gap),
        marks=tuple(marks),
        cells=tuple(cells[: len(channel.cuts)]),
        pixelated=all(cut is None or cut.scale == 1 for cut in channel.cuts),
    )


def cell_size(channels: Sequence[Channel]) -> tuple[int, int] | None:
    """The size of the largest frame of all, made smaller as its patch is; None where nothing is shown."""
    sizes = [_frame(cut) for one in channels for cut in one.cuts if cut is not None]
    return (max(h for h, _ in sizes), max(w for _, w in sizes)) if sizes else None


def one_cell(cut: Cut) -> tuple[str, tuple[int, int], Rectangle]:
    """A single patch: its picture, the size of its frame, and where it lies in that."""
    inside = _inside(cut, _frame(cut)) or (0, 0, 0, 0)
    y, x, h, w = inside
    uri = (png_uri if max(h, w) <= SMALL else jpeg_uri)(cut.pixels[:h, :w]) if h and w else ""
    return uri, _frame(cut), (x, y, w, h)


def _frame(cut: Cut) -> tuple[int, int]:
    top, left, bottom, right = cut.frame
    return max(1, round((bottom - top) * cut.scale)), max(1, round((right - left) * cut.scale))


def _inside(cut: Cut, cell_hw: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Where the photo lies in a cell: y, x, height, width; None where there is none of it."""
    height, width = cut.pixels.shape[:2]
    if not height or not width:
        return None
    frame = _frame(cut)
    y = round((cut.box[0] - cut.frame[0]) * cut.scale) + (cell_hw[0] - frame[0]) // 2
    x = round((cut.box[1] - cut.frame[1]) * cut.scale) + (cell_hw[1] - frame[1]) // 2
    y, x = min(y, cell_hw[0] - 1), min(x, cell_hw[1] - 1)
    return y, x, min(height, cell_hw[0] - y), min(width, cell_hw[1] - x)


def _mark(cut: Cut) -> Rectangle | None:
    """What a unit sees, where the cell shows more."""
    if not cut.whole or cut.sees is None or cut.sees == cut.frame:
        return None
    top, left, bottom, right = (edge * cut.scale for edge in cut.sees)
    return round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)


def _gaps(rows: int, columns: int, cell_hw: tuple[int, int], gap: int) -> str:
    height, width = (side + gap for side in cell_hw)
    across = [(0, row * height - gap, columns * width - gap, gap) for row in range(1, rows)]
    down = [(column * width - gap, 0, gap, rows * height - gap) for column in range(1, columns)]
    return "".join(path(one) for one in (*across, *down))
