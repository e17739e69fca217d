"""A token's way back to the photosites, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from photosite.report.cells import beyond, cell_lines, framed, hatch_side, layers, rectangle
from photosite.report.figures import figure, photo_uri
from photosite.report.numbers import count, limits
from photosite.report.page import fill, last_part
from photosite.report.sheet import Rectangle, path, sheet
from photosite.sensor import photosite_color
from photosite.trace.field import times
from photosite.trace.record_lightpath import LightpathTrace, PathStage, SensorPart

STRIP = 0.24
"""Breadth of the strips of weights, as a share of the longer side of the picture that they stand beside."""
GAP = 0.06
"""Between a bar and the edge of its pixel, in pixels."""
EVEN = 1e-9
"""Weights that differ by less are the same."""
NAMED = 24
"""So many of the tokens that see a pixel are written out."""
NOT_CLOSER = 0.7
"""A closer view of as much of both sides is none, and is left out."""
WITHOUT_PLACE = {
    "newline": "It is a learned newline, which ends a row of tokens and is the same for every photo.",
    "prefix": "It is a learned token in front of the others, such as a class token; the photo comes in by attention.",
}
"""What tokens without a place are."""
KINDS = {
    "prefix": "without a place",
    "base": "of the whole photo",
    "tile": "of the first tile, the third and so on",
    "tile other": "of those between",
    "newline": "newlines",
}
"""What tokens of a kind are, in the strip of all tokens."""


def render(trace: LightpathTrace) -> str:
    """Write a token's path as one HTML page.

    Args:
        trace: only read; recorded with pictures.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    assert trace.photo is not None
    height, width = trace.photo_hw
    drawn = sheet(None, trace.photo_hw, trace.photo_hw, (1.0, 1.0, 0.0, 0.0))
    first = trace.stages[0] if trace.stages else None
    spot = None if trace.pixel is None else (float(trace.pixel[1]), float(trace.pixel[0]), 1.0, 1.0)
    spots = [rectangle(span) for span in trace.spots]
    return fill(
        "lightpath.html.j2",
        {
            "trace": trace,
            "name": last_part(trace.path or None),
            "uri": photo_uri(trace.photo),
            "box": None if first is None or first.box is None else rectangle(first.box),
            "cell": None if first is None else rectangle(first.cell),
            "photo_view": framed((0.0, 0.0, float(width), float(height))),
            "mosaic": None if trace.sensor is None else _mosaic(trace.sensor),
            "stages": [_stage(trace, number) for number in range(len(trace.stages))],
            "stations": _stations(trace),
            "without": WITHOUT_PLACE.get(trace.kind, ""),
            "order": _order(trace),
            "tiles": _tiles(trace),
            "patches": _patches(trace),
            "grid": _grid(trace),
            "spot": spot,
            "ring": round(max(height, width) / 50, 2),
            "seeing": "".join(path(one) for one in spots),
            "blocks": "".join(path(rectangle(tile.block)) for tile in trace.tiles_of if tile.block is not None),
            "spots_near": _near(spots, spot, drawn.near, (width, height)) if spot is not None else None,
            "several": _several(trace),
            "named": ", ".join(map(count, trace.tokens[:NAMED]))
            + (f" and {count(len(trace.tokens) - NAMED)} more" if len(trace.tokens) > NAMED else ""),
        },
    )


def _stations(trace: LightpathTrace) -> list[tuple[str, str]]:
    """Anchors and titles of the stations, in the order of the light."""
    found = [("photosites", "Photosites")] if trace.stages else []
    found += [(f"stage-{number}", stage.name.capitalize()) for number, stage in enumerate(trace.stages)]
    if trace.token is not None:
        found.append(("token", "Token"))
    return found + ([("seen", "Seen by")] if trace.pixel is not None else [])


def _mosaic(sensor: SensorPart) -> dict[str, Any]:
    """The photosites of a small box, each in the color of its filter; those that do not count are left gray."""
    top, left, bottom, right = sensor.box
    cells = {"R": "", "G": "", "B": "", "": ""}
    if sensor.mask is not None:
        for row in range(bottom - top):
            for column in range(right - left):
                used = bool(sensor.mask[row, column])
                color = photosite_color(top + row, left + column, sensor.pattern) if used else ""
                cells[color] += f"M{left + column} {top + row}h1v1h-1Z"
    return {
        "view": (left, top, right - left, bottom - top),
        "cells": [(color, cells[color]) for color in "RGB" if cells[color]] if sensor.mask is not None else None,
        "unused": cells[""],
        "box": rectangle(sensor.stored_box),
        "of": (bottom - top) * (right - left),
        "upright": sensor.orientation == 1,
    }


def _stage(trace: LightpathTrace, number: int) -> dict[str, Any]:
    """One picture on the way: the whole of it, and its pixels around the box with how much each counts."""
    stage = trace.stages[number]
    down, across, top, left = stage.lying
    height, width = trace.photo_hw
    sides = (0.0, 0.0, float(stage.size_hw[0]), float(stage.size_hw[1]))
    photo = (-top / down, -left / across, (height - top) / down, (width - left) / across)
    view = framed(rectangle(sides))
    lines = ""
    if stage.name == "tile" and trace.tile >= 0:
        lines = cell_lines(replace(trace.tiles_of[trace.tile], lying=(1.0, 1.0, 0.0, 0.0)))
    near = _close(stage) if stage.close is not None else None
    if near is not None and number and not near["bars"]:
        parts = (near["image"][2] / stage.size_hw[1], near["image"][3] / stage.size_hw[0])
        near = near if min(parts) < NOT_CLOSER else None
    is_cell = stage.box is not None and rectangle(stage.box) == rectangle(stage.cell)
    return {
        "stage": stage,
        "id": f"stage-{number}",
        "view": view,
        "frame": rectangle(sides),
        "matrix": [f"{part:.8g}" for part in (1 / across, 0, 0, 1 / down, -left / across, -top / down)],
        "padding": beyond(sides, photo),
        "hatch": hatch_side(view),
        "lines": lines,
        "box": None if stage.box is None else rectangle(stage.box),
        "cell": None if is_cell else rectangle(stage.cell),
        "is_cell": is_cell,
        "near": near,
        "rows": _weights(stage.box and (stage.box[0], stage.box[2]), stage.down),
        "columns": _weights(stage.box and (stage.box[1], stage.box[3]), stage.across),
    }


def _weights(ends: tuple[int, int] | None, weights: npt.NDArray[Any]) -> dict[str, str]:
    """Where the rows or columns lie, and between which limits they count."""
    if ends is None:
        return {}
    return {
        "where": f"{ends[0]} … {ends[1] - 1}",
        "limits": limits(float(weights.min()), float(weights.max())),
        "one": "all the same" if _even(weights) else "",
    }


def _even(weights: npt.NDArray[Any]) -> bool:
    return float(weights.max() - weights.min()) < EVEN


def _close(stage: PathStage) -> dict[str, Any]:
    """The pixels around a box; where not all count the same, bars beside them for rows, and below for columns."""
    assert stage.close is not None
    assert stage.close_box is not None
    assert stage.box is not None
    top, left, bottom, right = stage.close_box
    height, width = bottom - top, right - left
    if _even(stage.down) and _even(stage.across):
        view = framed((float(left), float(top), float(width), float(height)))
        return {"figure": figure(stage.close), "image": (left, top, width, height), "view": view, "bars": []}
    breadth = round(STRIP * max(height, width), 3)
    gap = round(0.03 * max(height, width), 3)
    rows = _bars(stage.down, stage.box[0], right + gap, breadth, upright=False)
    columns = _bars(stage.across, stage.box[1], bottom + gap, breadth, upright=True)
    return {
        "figure": figure(stage.close),
        "image": (left, top, width, height),
        "view": framed((float(left), float(top), width + gap + breadth, height + gap + breadth)),
        "bars": [rows, columns],
    }


def _bars(weights: npt.NDArray[Any], start: int, at: float, breadth: float, *, upright: bool) -> dict[str, str]:
    """Weights as bars from a line at 0: orange to the right or down for what adds, blue the other way."""
    most, least = max(float(weights.max()), 0.0), min(float(weights.min()), 0.0)
    unit = breadth / ((most - least) or 1.0)
    zero = at - least * unit
    paths = {"more": "", "less": ""}
    side = round(1 - 2 * GAP, 3)
    for number, weight in enumerate(weights.tolist()):
        place, length = start + number, round(weight * unit, 4)
        x, y = (f"{place + GAP:g}", f"{zero:.7g}") if upright else (f"{zero:.7g}", f"{place + GAP:g}")
        bar = f"M{x} {y}h{side:g}v{length:g}h-{side:g}Z" if upright else f"M{x} {y}v{side:g}h{length:g}v-{side:g}Z"
        paths["more" if weight > 0 else "less"] += bar
    end = start + len(weights)
    axis = f"M{start} {zero:.7g}H{end}" if upright else f"M{zero:.7g} {start}V{end}"
    return {**paths, "axis": axis}


def _order(trace: LightpathTrace) -> dict[str, Any]:
    """All tokens in the order in which the language model reads them, by kind, in a box of as many by 12."""
    first = next((tile.number for tile in trace.tiles_of if tile.role == "tile"), 0)
    paths: dict[str, str] = {}
    for run in trace.runs:
        kind = f"{run.kind} other" if run.kind == "tile" and (run.tile - first) % 2 else run.kind
        paths[kind] = paths.get(kind, "") + f"M{run.start} 0h{run.stop - run.start}v12h-{run.stop - run.start}Z"
    return {
        "paths": sorted(paths.items()),
        "words": [(kind, said) for kind, said in KINDS.items() if kind in paths] if len(paths) > 1 else [],
    }


def _tiles(trace: LightpathTrace) -> dict[str, Any] | None:
    """All tiles of the token's role over the photo, and its own; None where it is the only one."""
    if trace.tile < 0:
        return None
    own = trace.tiles_of[trace.tile]
    several = [tile for tile in trace.tiles_of if tile.role == own.role]
    if len(several) < 2:
        return None
    (layer,) = layers(several, trace.photo_hw)
    return {"layer": layer, "own": rectangle(own.span)}


def _patches(trace: LightpathTrace) -> dict[str, Any] | None:
    """The token's cell cut into its patches, each with its number; None where they are no square of the cell."""
    stage = trace.stages[-1] if trace.stages else None
    side = math.isqrt(len(trace.patches))
    if stage is None or stage.close is None or stage.box is None or side * side != len(trace.patches):
        return None
    left, top, width, height = box = rectangle(stage.box)
    if box != rectangle(stage.cell):
        return None
    step_x, step_y = width / side, height / side
    size = min(step_x, step_y)
    digits = max(len(str(number)) for number in trace.patches)
    lines = "".join(f"M{left:g} {top + k * step_y:g}h{width:g}" for k in range(1, side))
    lines += "".join(f"M{left + k * step_x:g} {top:g}v{height:g}" for k in range(1, side))
    return {
        "image": _close(stage)["image"],
        "uri": figure(stage.close).uri,
        "view": box,
        "lines": lines,
        "font": round(size / max(4.0, 0.8 * digits), 3),
        "numbers": [
            (
                number,
                round(left + (k % side + 0.5) * step_x, 3),
                round(top + (k // side + 0.5) * step_y, 3),
            )
            for k, number in enumerate(trace.patches)
        ],
        "said": f"{times((side, side))} patches" if side > 1 else "one patch",
        "side": times((round(step_y), round(step_x))),
    }


def _grid(trace: LightpathTrace) -> tuple[int, int] | None:
    """Rows and columns of tokens of the token's tile."""
    if trace.tile < 0:
        return None
    own = trace.tiles_of[trace.tile]
    return own.rows[1] - own.rows[0], own.columns[1] - own.columns[0]


def _near(spots: Sequence[Rectangle], spot: Rectangle, near: Any, whole: tuple[int, int]) -> Rectangle | None:
    """A view in which a pixel and the cells of the tokens that see it can be told apart; None for the whole photo."""
    xs = [one[0] for one in (*spots, spot)] + [one[0] + one[2] for one in (*spots, spot)]
    ys = [one[1] for one in (*spots, spot)] + [one[1] + one[3] for one in (*spots, spot)]
    found: Rectangle = near((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))
    return found if found[2] < NOT_CLOSER * whole[0] or found[3] < NOT_CLOSER * whole[1] else None


def _several(trace: LightpathTrace) -> str:
    """Why several tokens see one pixel, in words; "" where only one does."""
    if len(trace.tokens) < 2:
        return ""
    larger = any(tile.made_of is not None and max(tile.made_of) > tile.cell for tile in trace.tiles_of)
    why = ["what a token is made of is larger than its cell" if larger else "resizing reaches beyond a cell"]
    if len({tile.role for tile in trace.tiles_of}) > 1:
        why.append("the photo is seen as a whole and in parts")
    return f"More than one: {', and '.join(why)}."
