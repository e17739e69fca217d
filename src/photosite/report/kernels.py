"""A layer's kernels as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from photosite.analysis.gabor import EXPLAINED, MARGIN
from photosite.analysis.kernel_kinds import COLOR_BLOB, KINDS, Kernel, by_orientation
from photosite.report.figures import figure, histogram_path, png_uri
from photosite.report.numbers import limits, number, percent
from photosite.report.page import fill
from photosite.shapes import shape_text
from photosite.trace.kernels import ELSEWHERE, KernelsTrace, filter_lines, kernels_lines

AT_FIRST = 48
"""Kernels of a group that are shown at once; the rest opens on demand."""
RADIUS = 100.0
"""Of the half disc of directions, in units of its drawing."""
RIM_STEP = 0.1
"""Cycles a pixel: the rim is the next multiple of this beyond the finest stripes."""

TITLES = {
    "oriented": (
        "Stripes",
        "Edges and bars of one direction, by direction, then from coarse to fine. The angle is that of the stripes: "
        "0° lies, 90° stands.",
    ),
    "color blob": (
        "Color blobs",
        "No direction: one patch in one color against another. By the axis of the color, then by strength.",
    ),
    "other": (
        "Others",
        "Neither stripes of one direction nor a patch in one color: gray patches, rings, crossed stripes, noise.",
    ),
    "dead": ("Dead", "Nearly nothing comes out of these, whatever goes in."),
}


def render(trace: KernelsTrace) -> str:
    """Write a layer's kernels as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    found = by_orientation(trace.kernels)
    finest = max((one.fit.frequency or 0.0 for one in found if one.fit is not None), default=0.0)
    rim = RIM_STEP * max(1, math.ceil(finest / RIM_STEP - 1e-9))
    groups = [_group(trace, kind) for kind in KINDS if trace.kinds[kind]]
    lines = filter_lines(trace)
    return fill(
        "kernels.html.j2",
        {
            "trace": trace,
            "sheet": None if trace.sheet is None else figure(trace.sheet),
            "lines": kernels_lines(trace)[: -len(lines)],
            "filter_lines": lines,
            "groups": groups,
            "same": _same(trace),
            "each": shape_text((trace.channels, *trace.shape[2:])),
            "dots": [_dot(one, rim) for one in found],
            "rings": [_ring(share, rim) for share in (0.25, 0.5, 0.75, 1.0)],
            "spokes": [_spoke(degrees) for degrees in range(0, 181, 45)],
            "bars": histogram_path(np.array(trace.counts), max(trace.counts)),
            "most": max(trace.counts),
            "strongest": float(np.nanmax(trace.filters.strength)) if trace.filters.finite else None,
            "elsewhere": ELSEWHERE,
            "explained": percent(EXPLAINED),
            "margin": percent(MARGIN),
            "blob": percent(COLOR_BLOB),
        },
    )


def _group(trace: KernelsTrace, kind: str) -> dict[str, Any]:
    """All kernels of a kind, sorted; the first ones and the rest."""
    found = [_cell(trace, one) for one in by_orientation(trace.kernels, kind)]
    title, text = TITLES[kind]
    return {
        "id": kind.replace(" ", "-"),
        "title": title,
        "text": text,
        "count": len(found),
        "first": found[:AT_FIRST],
        "rest": found[AT_FIRST:],
    }


def _cell(trace: KernelsTrace, one: Kernel) -> dict[str, Any]:
    """A kernel with both of its pictures and what stands under them."""
    tile = trace.tiles[one.number]
    height, width = tile.common.pixels.shape[:2]
    return {
        "number": one.number,
        "common": png_uri(tile.common.pixels),
        "own": png_uri(tile.own.pixels),
        "width": width,
        "height": height,
        "caption": tile.common.caption,
        "lead": _lead(one),
        "words": [limits(tile.low, tile.high), *_words(one)],
    }


def _lead(one: Kernel) -> str:
    """The direction of its stripes, and how fine they are."""
    if one.fit is None or one.fit.orientation is None or one.fit.frequency is None:
        return ""
    return f"{round(one.fit.orientation) % 180}° at {number(round(one.fit.frequency, 3))}"


def _words(one: Kernel) -> list[str]:
    """What it makes of color, in short lines."""
    if one.color is None:
        return []
    return [f"{100 * one.color.share:.0f} % color", *([one.color.axis] if one.color.axis else [])]


def _same(trace: KernelsTrace) -> list[dict[str, Any]]:
    """Groups of kernels that are the same, or the same with the sign turned; pictures only where there are any."""
    if not trace.tiles:
        return []
    return [
        {
            "first": _cell(trace, trace.kernels[one.first]),
            "same": [_cell(trace, trace.kernels[k]) for k in one.same],
            "flipped": [_cell(trace, trace.kernels[k]) for k in one.flipped],
            "least": number(round(one.least, 3)),
        }
        for one in trace.filters.duplicates
    ]


def _dot(one: Kernel, rim: float) -> dict[str, Any]:
    """Where a kernel stands among directions and frequencies."""
    assert one.fit is not None
    assert one.fit.orientation is not None
    assert one.fit.frequency is not None
    x, y = _place(one.fit.orientation, one.fit.frequency / rim)
    colored = one.color is not None and one.color.share >= COLOR_BLOB
    words = f"kernel {one.number}: {round(one.fit.orientation) % 180}°, {number(one.fit.frequency)} cycles a pixel"
    return {"number": one.number, "x": x, "y": y, "colored": colored, "words": words}


def _place(degrees: float, share: float) -> tuple[float, float]:
    """A place in the half disc: 0° to the right, 90° up."""
    angle = math.radians(degrees)
    return round(RADIUS * share * math.cos(angle), 2), round(-RADIUS * share * math.sin(angle), 2)


def _ring(share: float, rim: float) -> dict[str, Any]:
    radius = RADIUS * share
    return {
        "path": f"M{-radius:g} 0A{radius:g} {radius:g} 0 0 1 {radius:g} 0",
        "x": radius,
        "text": number(rim * share),
    }


def _spoke(degrees: int) -> dict[str, Any]:
    """A line of one direction, and stripes of that direction at its end."""
    x, y = _place(degrees, 1.0)
    far_x, far_y = _place(degrees, 1.13)
    return {"x": x, "y": y, "far_x": far_x, "far_y": far_y, "turn": -degrees, "text": f"{degrees}°"}
