"""How far one unit of a network sees, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from photosite.report.figures import figure, histogram_path, veil_uri
from photosite.report.numbers import percent
from photosite.report.page import fill
from photosite.report.sheet import Rectangle, Sheet, path, sheet
from photosite.trace.field import Asked, FieldTrace, Heat, field_lines, heat_lines, seen_by

CELLS_AT_MOST = 64
"""A map of more rows or columns is drawn without the lines between its places."""


def render(trace: FieldTrace) -> str:
    """Write what is known of one unit as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    drawn = sheet(trace.photo, trace.photo_hw, trace.input_hw, trace.scale)
    box = None if trace.box is None else drawn.box(trace.box)
    lines = field_lines(trace)
    gaps = _gaps(trace, drawn)
    notes = (
        ("dashed: what the unit can see", box),
        ("pale in it: what it does not", gaps),
        ("dimmed: what the model does not get", drawn.dim),
        ("hatched: padding", drawn.padding),
    )
    count = sum(len(heat_lines(heat)) for heat in trace.heats) + (trace.asked is not None)
    return fill(
        "field.html.j2",
        {
            "trace": trace,
            "sheet": drawn,
            "box": box,
            "near": None if box is None else drawn.near(box),
            "gaps": gaps,
            "notes": [words for words, there in notes if there],
            "lines": lines[: len(lines) - count] if count else lines,
            "asked": None if trace.asked is None else _asked(trace, trace.asked, drawn),
            "heats": [_heat(heat, trace, drawn) for heat in trace.heats],
        },
    )


def _gaps(trace: FieldTrace, drawn: Sheet) -> str:
    if trace.box is None:
        return ""
    return drawn.gaps(trace.box, trace.rows or (), trace.columns or ())


def _heat(heat: Heat, trace: FieldTrace, drawn: Sheet) -> dict[str, Any]:
    """A heat map with its profiles: what each row and each column counts, and the normal distribution beside it."""
    box = trace.box
    rows = _profile("row", heat.profiles[0], heat.normals[0], None if box is None else (box[0], box[2]))
    columns = _profile("column", heat.profiles[1], heat.normals[1], None if box is None else (box[1], box[3]))
    part = heat.part != (0, 0, *trace.input_hw)
    return {
        "figure": figure(heat.tile),
        "part": part,
        "view": drawn.near(drawn.box(heat.part)) if part else drawn.input,
        "veil": veil_uri(heat.values),
        "over": heat.over,
        "lines": heat_lines(heat),
        "profiles": [rows, columns],
    }


def _profile(
    name: str, shares: npt.NDArray[Any], normal: npt.NDArray[Any], edges: tuple[int, int] | None
) -> dict[str, Any]:
    """Draw shares as bars and the normal distribution as a line, in a box of as many by 24."""
    most = float(max(shares.max(), normal.max())) or 1.0
    points = " ".join(f"{place + 0.5:g} {24 - 24 * share / most:.4g}" for place, share in enumerate(normal))
    return {
        "name": name,
        "count": len(shares),
        "bars": histogram_path(shares, most),  # type: ignore[arg-type]
        "line": f"M{points}",
        "most": percent(float(shares.max())),
        "edges": edges,
    }


def _asked(trace: FieldTrace, asked: Asked, drawn: Sheet) -> dict[str, Any]:
    """The map of units with those that see a pixel, and the pixel on its sheet."""
    row, column = asked.pixel
    spot: Rectangle = (float(column), float(row), 1.0, 1.0)
    assert trace.grid is not None
    height, width = trace.grid
    cells = ""
    if max(height, width) <= CELLS_AT_MOST:
        cells = "".join(f"M0 {y}h{width}" for y in range(1, height))
        cells += "".join(f"M{x} 0v{height}" for x in range(1, width))
    return {
        "text": seen_by(asked),
        "name": f"{row},{column}",
        "spot": spot,
        "near": drawn.near(spot),
        "seen": _seen(asked.rows or (), asked.columns or ()),
        "cells": cells,
        "cropped": asked.input_pixel is None,
    }


def _seen(rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]]) -> str:
    """A path over all units in some rows and some columns."""
    return "".join(path((x0, y0, x1 - x0 + 1, y1 - y0 + 1)) for y0, y1 in rows for x0, x1 in columns)
