"""How far one unit of a network sees, as plain data that page and terminal only read, and in words.

Knows no torch and no model: `record_field` puts it together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from photosite.prep.recipe import Picture
from photosite.trace.canvas import Array
from photosite.trace.notation import number
from photosite.trace.values import Tile

Box = tuple[Fraction, Fraction, Fraction, Fraction]
Interval = tuple[int, int]

PHOTO_SIDE = 1024
"""Longest side of the photo that is kept for showing."""


@dataclass(frozen=True)
class Heat:
    """What a unit looks at, over some pictures.

    Attributes:
        over: which pictures, in words.
        values: (H, W) float32 of the input: each pixel's share.
        tile: the same, drawn; where nearly all of it lies in a small part, that part.
        part: what is drawn: top, left, bottom, right, half open.
        profiles: the share of each row, and that of each column.
        normals: the same of the normal distribution with that mean and variance.
        center: mean place, y and x, in pixels of the input.
        deviation: of the normal distribution with that mean and the same variance.
        widths: rows and columns that hold a share of all, by the share in words.
        ratio: the width that holds 95%, over the receptive field; None where that is not known.
        misfit: how far the profiles are from that normal distribution, 0 … 1.
    """

    over: str
    values: Array
    tile: Tile
    part: tuple[int, int, int, int]
    profiles: tuple[Array, Array]
    normals: tuple[Array, Array]
    center: tuple[float, float]
    deviation: tuple[float, float]
    widths: dict[str, tuple[int, int]]
    ratio: tuple[float, float] | None
    misfit: tuple[float, float]


@dataclass(frozen=True)
class FieldTrace:
    """What is known of one unit's field; None and empty where something is not known, `unknown` says why.

    Attributes:
        model: as it was named.
        name: of the node or module that was asked for.
        node: whose unit, with `module` and `op`.
        grid: rows and columns of units; None where there are none, and `without` says why.
        unit: its row and column.
        input_hw: the input's size.
        size: of the field without borders, in pixels of the input.
        jump: from one unit to the next.
        phases: sizes of the fields of neighboring units, down and across, where they differ.
        center: of the field.
        padding_share: the share of it beyond the borders; None where a part of it went around a border.
        box: of what is really seen, in the input: top, left, bottom, right, half open.
        rows: the intervals of rows that are really seen, first and last; likewise `columns`.
        global_by: what makes it see everything, beside.
        unaligned: sums whose terms are centered elsewhere.
        at_most: what makes the field an upper bound.
        unknown: why it is not known.
        photo: the photo, at most `PHOTO_SIDE` px a side; None where there was none.
        photo_hw: size of the whole photo.
        photo_box: `box` in pixels of the photo, exactly.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
        asked: a pixel of the photo, and the intervals of rows and of columns of units that see it.
        heats: what it looks at.
        version: of photosite.
    """

    model: str
    name: str
    node: str
    module: str
    op: str
    shape: tuple[int, ...]
    grid: tuple[int, int] | None
    without: str
    unit: tuple[int, int] | None
    input_hw: tuple[int, int]
    size: tuple[int, int] | None
    jump: tuple[Fraction, Fraction]
    phases: tuple[list[int], list[int]] | None
    center: tuple[Fraction, Fraction] | None
    padding_share: float | None
    box: tuple[int, int, int, int] | None
    rows: list[Interval] | None
    columns: list[Interval] | None
    global_by: tuple[str, ...]
    unaligned: tuple[str, ...]
    at_most: tuple[str, ...]
    unknown: str
    photo: Picture | None
    photo_hw: tuple[int, int] | None
    photo_box: Box | None
    scale: tuple[Fraction, Fraction, Fraction, Fraction] | None
    asked: Asked | None
    heats: tuple[Heat, ...]
    version: str


@dataclass(frozen=True)
class Asked:
    """Which units see a pixel of the photo.

    Attributes:
        pixel: row and column in the photo, or in the input where there is no photo.
        input_pixel: row and column in the input; None where the pixel was cropped away.
        rows: intervals of rows of units that see it; likewise `columns`. None where that is not known.
    """

    pixel: tuple[int, int]
    input_pixel: tuple[int, int] | None
    rows: list[Interval] | None
    columns: list[Interval] | None


def field_lines(trace: FieldTrace) -> list[tuple[str, str]]:
    """The numbers as lines for people: name and value."""
    lines = [("value", f"{trace.node}, {trace.op}" + (f", of {trace.module}" if trace.module else ""))]
    lines.append(("units", times(trace.grid) if trace.grid else f"none: {trace.without}"))
    if trace.unit:
        lines.append(("unit", f"row {trace.unit[0]}, column {trace.unit[1]}"))
    bound = "at most " if trace.at_most else ""
    if trace.size:
        lines.append(("field", f"{bound}{times(trace.size)} pixels of the input, as if it had no borders"))
    if trace.size and trace.grid:
        lines.append(("jump", f"{number(float(trace.jump[0]))} down, {number(float(trace.jump[1]))} across"))
    if trace.phases:
        lines.append(("by phase", f"{_list(trace.phases[0])} down, {_list(trace.phases[1])} across"))
    if trace.center:
        lines.append(("center", f"y {number(float(trace.center[0]))}, x {number(float(trace.center[1]))}"))
    lines += _seen_lines(trace)
    for name, words in (
        ("sees all by", trace.global_by),
        ("not centered", trace.unaligned),
        ("bound by", trace.at_most),
    ):
        if words:
            lines.append((name, ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")))
    if trace.asked:
        lines.append((f"pixel {trace.asked.pixel[0]},{trace.asked.pixel[1]}", seen_by(trace.asked)))
    for heat in trace.heats:
        lines += heat_lines(heat)
    return lines


def _seen_lines(trace: FieldTrace) -> list[tuple[str, str]]:
    """What is really seen, in the input and in the photo."""
    lines = []
    if trace.box:
        top, left, bottom, right = trace.box
        lines.append(("really sees", f"rows {_runs(trace.rows)}, columns {_runs(trace.columns)} of the input"))
        lines.append(("as a box", f"{bottom - top} × {right - left}, from y {top}, x {left}"))
    elif trace.unit:
        nothing = trace.rows is not None and trace.columns is not None
        lines.append(("really sees", "nothing of the input" if nothing else "not known"))
    if trace.padding_share is not None:
        lines.append(("beyond borders", _percent(trace.padding_share)))
    if trace.photo_box:
        y0, x0, y1, x1 = (number(float(edge)) for edge in trace.photo_box)
        lines.append(("in the photo", f"y {y0} … {y1}, x {x0} … {x1}"))
    return lines


def heat_lines(heat: Heat) -> list[tuple[str, str]]:
    """The numbers of an effective field as lines for people."""
    wide = ", ".join(f"{share} within {times(width)}" for share, width in heat.widths.items())
    lines = [("looks at", f"{wide}, over {heat.over}")]
    spread = " × ".join(number(deviation) for deviation in heat.deviation)
    misfit = " × ".join(number(share) for share in heat.misfit)
    lines.append(("as a normal", f"standard deviation {spread}, off by {misfit}"))
    if heat.ratio:
        lines.append(("95% over field", " × ".join(number(part) for part in heat.ratio)))
    return lines


def to_json(trace: FieldTrace) -> dict[str, Any]:
    """Everything of a trace but its pictures; numbers that are not whole are fractions in words."""
    return {
        "model": trace.model,
        "name": trace.name,
        "node": trace.node,
        "module": trace.module,
        "op": trace.op,
        "grid": _pair(trace.grid),
        "without": trace.without or None,
        "unit": _pair(trace.unit),
        "input": list(trace.input_hw),
        "receptive_field": _pair(trace.size),
        "jump": [_exact(step) for step in trace.jump] if trace.grid else None,
        "phases": None if trace.phases is None else list(trace.phases),
        "center": None if trace.center is None else [_exact(place) for place in trace.center],
        "padding_share": trace.padding_share,
        "box": None if trace.box is None else list(trace.box),
        "rows": trace.rows,
        "columns": trace.columns,
        "photo": _pair(trace.photo_hw),
        "photo_box": None if trace.photo_box is None else [_exact(edge) for edge in trace.photo_box],
        "global_by": list(trace.global_by),
        "unaligned": list(trace.unaligned),
        "at_most": list(trace.at_most),
        "unknown": trace.unknown or None,
        "pixel": None
        if trace.asked is None
        else {
            "pixel": list(trace.asked.pixel),
            "input_pixel": _pair(trace.asked.input_pixel),
            "rows": trace.asked.rows,
            "columns": trace.asked.columns,
        },
        "effective": [
            {
                "over": heat.over,
                "center": list(heat.center),
                "deviation": list(heat.deviation),
                "widths": {share: list(width) for share, width in heat.widths.items()},
                "ratio": _pair(heat.ratio),
                "misfit": list(heat.misfit),
            }
            for heat in trace.heats
        ],
        "version": trace.version,
    }


def seen_by(asked: Asked) -> str:
    """Which units see a pixel, in words."""
    if asked.input_pixel is None:
        return "is cropped away: no unit sees it"
    if asked.rows is None or asked.columns is None:
        return "is seen by units that are not known"
    if not asked.rows or not asked.columns:
        return "is seen by no unit"
    count = [sum(high - low + 1 for low, high in runs) for runs in (asked.rows, asked.columns)]
    return f"is seen by {times(count)} units: rows {_runs(asked.rows)}, columns {_runs(asked.columns)}"


def _runs(runs: Sequence[Interval] | None) -> str:
    if runs is None:
        return "not known"
    words = [f"{low}" if low == high else f"{low} … {high}" for low, high in runs[:4]]
    return ", ".join(words) + (f" and {len(runs) - 4} more" if len(runs) > 4 else "") if words else "none"


def _percent(share: float) -> str:
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %".replace(".0 %", " %")


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes[:8])) + (" …" if len(sizes) > 8 else "")


def times(pair: Sequence[int]) -> str:
    """Write two sides.

    >>> times((3, 4))
    '3 × 4'
    """
    return f"{pair[0]} × {pair[1]}"


def _pair(pair: Sequence[Any] | None) -> list[Any] | None:
    return None if pair is None else list(pair)


def _exact(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else str(value)
