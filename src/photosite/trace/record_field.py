"""How far one unit of a network sees, as plain data: its field in the input and in the photo, and what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from photosite import __version__
from photosite.analysis.effective_field import SHARES, EffectiveField
from photosite.analysis.receptive_field import ReceptiveField
from photosite.graph.ir import Node
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture
from photosite.trace.canvas import Array
from photosite.trace.notation import number
from photosite.trace.pictures import magnitude
from photosite.trace.values import Tile

Box = tuple[Fraction, Fraction, Fraction, Fraction]
Interval = tuple[int, int]


@dataclass(frozen=True)
class Heat:
    """What a unit looks at, over some pictures.

    Attributes:
        over: which pictures, in words.
        values: (H, W) float32 of the input: each pixel's share.
        tile: the same, drawn.
        center: mean place, y and x, in pixels of the input.
        deviation: of the normal distribution with that mean and the same variance.
        widths: rows and columns that hold a share of all, by the share in words.
        ratio: the width that holds 95%, over the receptive field; None where that is not known.
        misfit: how far the profiles are from that normal distribution, 0 … 1.
    """

    over: str
    values: Array
    tile: Tile
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
        node: whose unit, with `module` and `op`.
        grid: rows and columns of units.
        unit: its row and column.
        input_hw: the input's size.
        size: of the field without borders, in pixels of the input.
        jump: from one unit to the next.
        phases: sizes of the fields of neighboring units, down and across, where they differ.
        center: of the field.
        padding_share: the share of it beyond the borders.
        box: of what is really seen, in the input: top, left, bottom, right, half open.
        rows: the intervals of rows that are really seen, first and last; likewise `columns`.
        global_by: what makes it see everything, beside.
        unaligned: sums whose terms are centered elsewhere.
        at_most: what makes the field an upper bound.
        unknown: why it is not known.
        photo: the photo; None where there was none.
        photo_box: `box` in pixels of the photo, exactly.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
        asked: a pixel of the photo, and the intervals of rows and of columns of units that see it.
        heats: what it looks at.
        version: of photosite.
    """

    model: str
    node: str
    module: str
    op: str
    shape: tuple[int, ...]
    grid: tuple[int, int] | None
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


def record_field(
    model: str,
    node: Node,
    one: ReceptiveField,
    unit: tuple[int, int] | None,
    input_hw: tuple[int, int],
    photo: Picture | None = None,
    geometry: Geometry | None = None,
    pixel: tuple[int, int] | None = None,
    effective: Sequence[tuple[str, EffectiveField]] = (),
) -> FieldTrace:
    """Put together what is known of one unit.

    Args:
        model: as it was named.
        node: whose unit.
        one: its field.
        unit: row and column; the middle for None.
        input_hw: the input's size.
        photo: (H, W, 3) uint8, or None.
        geometry: from the photo to the input, where there is a photo.
        pixel: a pixel of the photo (of the input without one) of which is asked which units see it.
        effective: what it looks at, each with the pictures in words.
    Raises:
        RangeError: there is no such unit.
    """
    if one.grid is not None and unit is None:
        unit = (one.grid[0] // 2, one.grid[1] // 2)
    elif one.grid is None and unit is not None:
        one.index(unit)  # says why there are none
    has = unit is not None and one.grid is not None
    box = one.unit_box(unit) if has and unit else None
    phases = (one.phases("y"), one.phases("x")) if has else None
    return FieldTrace(
        model=model,
        node=node.name,
        module=node.module,
        op=node.op,
        shape=node.shape,
        grid=one.grid,
        unit=unit if has else None,
        input_hw=input_hw,
        size=one.size,
        jump=one.jump if one.known else (Fraction(0), Fraction(0)),
        phases=phases if phases and any(len(set(found)) > 1 for found in phases) else None,
        center=one.center(unit) if has and unit else None,
        padding_share=one.padding_share(unit) if has and unit else None,
        box=box,
        rows=one.pixels("y", unit[0]) if has and unit else None,
        columns=one.pixels("x", unit[1]) if has and unit else None,
        global_by=one.global_by,
        unaligned=one.field.unaligned,
        at_most=one.at_most,
        unknown=one.unknown,
        photo=photo,
        photo_box=geometry.clipped_box(*box) if geometry is not None and box is not None else None,
        scale=(*geometry.scale, *geometry.offset) if geometry is not None else None,
        asked=None if pixel is None else _asked(one, pixel, input_hw, geometry),
        heats=tuple(_heat(over, found) for over, found in effective),
        version=__version__,
    )


def _asked(one: ReceptiveField, pixel: tuple[int, int], input_hw: tuple[int, int], geometry: Geometry | None) -> Asked:
    """Which units see a pixel: by the pixel of the input that its center falls into."""
    place = pixel
    if geometry is not None:
        y, x = geometry.input_point(pixel[0] + Fraction(1, 2), pixel[1] + Fraction(1, 2))
        place = (int(y // 1), int(x // 1))
    if not all(0 <= p < side for p, side in zip(place, input_hw, strict=True)):
        return Asked(pixel, None, None, None)
    if one.grid is None:
        return Asked(pixel, place, None, None)
    return Asked(pixel, place, one.places_seeing("y", place[0]), one.places_seeing("x", place[1]))


def _heat(over: str, found: EffectiveField) -> Heat:
    values = found.heat.astype(np.float32)
    tile = magnitude(f"effective field, {over}", values, low=0.0)
    widths = {words: found.width(share) for words, share in SHARES.items()}
    return Heat(over, values, tile, found.center, found.deviation, widths, found.ratio, found.misfit)


def field_lines(trace: FieldTrace) -> list[tuple[str, str]]:
    """The numbers as lines for people: name and value."""
    lines = [("value", f"{trace.node}, {trace.op}" + (f", of {trace.module}" if trace.module else ""))]
    lines.append(("units", _times(trace.grid) if trace.grid else "none: " + (trace.unknown or "it has no places")))
    if trace.unit:
        lines.append(("unit", f"row {trace.unit[0]}, column {trace.unit[1]}"))
    bound = "at most " if trace.at_most else ""
    if trace.size:
        lines.append(("field", f"{bound}{_times(trace.size)} pixels of the input, as if it had no borders"))
        lines.append(("jump", f"{number(float(trace.jump[0]))} down, {number(float(trace.jump[1]))} across"))
    if trace.phases:
        lines.append(("by phase", f"{_list(trace.phases[0])} down, {_list(trace.phases[1])} across"))
    if trace.center:
        lines.append(("center", f"y {number(float(trace.center[0]))}, x {number(float(trace.center[1]))}"))
    if trace.box:
        top, left, bottom, right = trace.box
        lines.append(("really sees", f"rows {_runs(trace.rows)}, columns {_runs(trace.columns)} of the input"))
        lines.append(("as a box", f"{bottom - top} × {right - left}, from y {top}, x {left}"))
    if trace.padding_share is not None:
        lines.append(("beyond borders", f"{100 * trace.padding_share:.1f} %"))
    if trace.photo_box:
        top_, left_, bottom_, right_ = (number(float(edge)) for edge in trace.photo_box)
        lines.append(("in the photo", f"y {top_} … {bottom_}, x {left_} … {right_}"))
    for name, words in (
        ("sees all by", trace.global_by),
        ("not centered", trace.unaligned),
        ("bound by", trace.at_most),
    ):
        if words:
            lines.append((name, ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")))
    if trace.asked:
        lines.append((f"pixel {trace.asked.pixel[0]},{trace.asked.pixel[1]}", _seen_by(trace.asked)))
    for heat in trace.heats:
        lines += heat_lines(heat)
    return lines


def heat_lines(heat: Heat) -> list[tuple[str, str]]:
    """The numbers of an effective field as lines for people."""
    wide = ", ".join(f"{share} within {_times(width)}" for share, width in heat.widths.items())
    lines = [(f"looks at, {heat.over}", wide)]
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
        "node": trace.node,
        "module": trace.module,
        "op": trace.op,
        "grid": _pair(trace.grid),
        "unit": _pair(trace.unit),
        "input": list(trace.input_hw),
        "receptive_field": _pair(trace.size),
        "jump": [_exact(step) for step in trace.jump],
        "phases": None if trace.phases is None else list(trace.phases),
        "center": None if trace.center is None else [_exact(place) for place in trace.center],
        "padding_share": trace.padding_share,
        "box": None if trace.box is None else list(trace.box),
        "rows": trace.rows,
        "columns": trace.columns,
        "photo": None if trace.photo is None else list(trace.photo.shape[:2]),
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


def _seen_by(asked: Asked) -> str:
    if asked.input_pixel is None:
        return "is cropped away: no unit sees it"
    if asked.rows is None or asked.columns is None:
        return "seen by units that are not known"
    if not asked.rows or not asked.columns:
        return "no unit sees it"
    count = [sum(high - low + 1 for low, high in runs) for runs in (asked.rows, asked.columns)]
    return f"seen by {_times(count)} units: rows {_runs(asked.rows)}, columns {_runs(asked.columns)}"


def _runs(runs: Sequence[Interval] | None) -> str:
    if runs is None:
        return "not known"
    words = [f"{low}" if low == high else f"{low} … {high}" for low, high in runs[:4]]
    return ", ".join(words) + (f" and {len(runs) - 4} more" if len(runs) > 4 else "") if words else "none"


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes[:8])) + (" …" if len(sizes) > 8 else "")


def _times(pair: Sequence[int]) -> str:
    return f"{pair[0]} × {pair[1]}"


def _pair(pair: Sequence[Any] | None) -> list[Any] | None:
    return None if pair is None else list(pair)


def _exact(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else str(value)
