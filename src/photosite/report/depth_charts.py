"""What a network holds by depth, as drawings: quartiles, points with intervals, likeness as a map. Numbers become SVG.

A chart is 480 wide and 176 high; depths stand side by side, numbered as the stations are. Knows no template.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.report.numbers import number
from photosite.trace.canvas import VIRIDIS, pick
from photosite.trace.hierarchy import quartiles

WIDTH, HIGH, LEFT, LOW = 480, 176, 36, 148
"""Of a chart: its width and height, where its axis of numbers stands, where 0 lies."""
TOP = 12


@dataclass(frozen=True)
class Mark:
    """One depth in a chart: a point, and a line from low to high."""

    x: float
    y: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Series:
    """One network in a chart: its marks, and a path through them."""

    name: str
    own: bool
    marks: tuple[Mark, ...]
    path: str


@dataclass(frozen=True)
class Chart:
    """A chart from 0 to 1.

    Attributes:
        series: the networks, the one that the page is about last, so that it is drawn over the others.
        ticks: y and text, along the axis of numbers.
        depths: x and text, along the depths.
        level: y of a line across, with its text; None for none.
        words: what it says, for people who cannot see it.
    """

    series: tuple[Series, ...]
    ticks: tuple[tuple[float, str], ...]
    depths: tuple[tuple[float, str], ...]
    level: tuple[float, str] | None
    words: str


@dataclass(frozen=True)
class Heat:
    """Likeness of layers as a map: cells of x, y, color, text and whether the text is dark; limits 0 … 1."""

    cells: tuple[tuple[float, float, str, str, bool], ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    side: float
    width: float
    height: float
    low: float
    high: float


Point = tuple[float, float, float] | None
"""Low end, middle, high end; None where nothing is known."""


def quartile_points(values: Sequence[npt.NDArray[np.floating[Any]]]) -> list[Point]:
    """Quartiles of each layer's numbers."""
    return [quartiles(one) for one in values]


def chart(
    own: Sequence[Point],
    other: Sequence[Point],
    title: str,
    names: tuple[str, str] = ("trained", "untrained"),
    level: tuple[float, str] | None = None,
) -> Chart | None:
    """Draw points by depth for one network or two.

    Args:
        own: of the network itself, a depth each.
        other: of the one beside it; () for none.
        title: what the numbers are.
        names: of the two.
        level: a number with its name, drawn across.
    Returns:
        None where nothing at all is known.
    """
    if not any(point is not None for point in own):
        return None
    step = (WIDTH - LEFT) / len(own)
    shift = 7 if any(point is not None for point in other) else 0
    series = [
        _series(name, points, step, moved, name == names[0])
        for name, points, moved in ((names[1], other, shift), (names[0], own, -shift))
        if any(point is not None for point in points)
    ]
    words = "; ".join(f"{one.name}: {', '.join(mark.words for mark in one.marks)}" for one in reversed(series))
    return Chart(
        series=tuple(series),
        ticks=tuple((_down(share), text) for share, text in ((0, "0"), (0.25, ""), (0.5, "0.5"), (0.75, ""), (1, "1"))),
        depths=tuple((LEFT + step * (k + 0.5), str(k + 1)) for k in range(len(own))),
        level=None if level is None else (_down(level[0]), f"{level[1]} {number(round(level[0], 3))}"),
        words=f"{title} by depth. {words}",
    )


def heat(values: npt.NDArray[np.float64], columns: Sequence[str]) -> Heat:
    """Draw likeness as a map, with a number in each cell.

    Args:
        values: (L, M), 1 for the same; below 0 is drawn as 0, not a number as paper.
        columns: what stands over each column; rows are numbered.
    """
    rows, count = values.shape
    side, left, top = 44.0, 24.0, 20.0
    cells = []
    for y in range(rows):
        for x in range(count):
            value = float(values[y, x])
            known = math.isfinite(value)
            color = "#" + pick(np.array([value]), 0, 1, VIRIDIS)[0].tobytes().hex() if known else "none"
            text = f"{value:.2f}".replace("-", "−") if known else "–"
            cells.append((left + side * x, top + side * y, color, text, not known or value > 0.6))
    finite = values[np.isfinite(values)]
    return Heat(
        cells=tuple(cells),
        rows=tuple((top + side * (y + 0.5), str(y + 1)) for y in range(rows)),
        columns=tuple((left + side * (x + 0.5), text) for x, text in enumerate(columns)),
        side=side,
        width=left + side * count,
        height=top + side * rows,
        low=float(finite.min()) if finite.size else math.nan,
        high=float(finite.max()) if finite.size else math.nan,
    )


def _series(name: str, points: Sequence[Point], step: float, shift: float, own: bool) -> Series:
    marks = []
    for k, point in enumerate(points):
        if point is not None:
            low, middle, high = point
            x = round(LEFT + step * (k + 0.5) + shift, 2)
            text = f"depth {k + 1} {number(round(middle, 3))} ({number(round(low, 3))} … {number(round(high, 3))})"
            marks.append(Mark(x, _down(middle), _down(low), _down(high), text))
    line = "M" + " ".join(f"{mark.x:g} {mark.y:g}" for mark in marks)
    return Series(name, own, tuple(marks), line)


def _down(share: float) -> float:
    return round(LOW - (LOW - TOP) * min(max(share, 0.0), 1.0), 2)
