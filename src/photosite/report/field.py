"""How far one unit of a network sees, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from photosite.report.figures import figure, photo_uri, veil_uri
from photosite.report.page import fill
from photosite.trace.record_field import FieldTrace, Heat, field_lines, heat_lines

STATIONS = ("field", "looks", "model")
"""The stations of this page."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the photo, or an empty sheet of the input's size, and what lies on it.

    Attributes:
        uri: of the photo; "" for none.
        width: of the drawing, in pixels of the photo or of the input.
        height: likewise.
        field: x, y, width, height of what the unit sees; None where it is not known.
        input: of the model's whole input.
        scale: pixels of the drawing for one of the input, across.
    """

    uri: str
    width: int
    height: int
    field: tuple[float, float, float, float] | None
    input: tuple[float, float, float, float]
    stroke: float


def render(trace: FieldTrace) -> str:
    """Write what is known of one unit as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    drawing = _drawing(trace)
    lines = field_lines(trace)
    count = sum(len(heat_lines(heat)) for heat in trace.heats)
    return fill(
        "field.html.j2",
        {
            "trace": trace,
            "name": trace.module or trace.node,
            "drawing": drawing,
            "lines": lines[: len(lines) - count] if count else lines,
            "heats": [_heat(heat) for heat in trace.heats],
        },
    )


def _drawing(trace: FieldTrace) -> Drawing:
    height, width = trace.input_hw if trace.photo is None else trace.photo.shape[:2]
    down, across, top, left = (float(part) for part in trace.scale) if trace.scale else (1.0, 1.0, 0.0, 0.0)
    input_box = (left, top, across * trace.input_hw[1], down * trace.input_hw[0])
    seen = None
    if trace.box is not None:
        y0, x0, y1, x1 = trace.box
        seen = (left + across * x0, top + down * y0, across * (x1 - x0), down * (y1 - y0))
    uri = "" if trace.photo is None else photo_uri(trace.photo)
    return Drawing(uri, width, height, seen, input_box, max(width, height) / 160)


def _heat(heat: Heat) -> dict[str, Any]:
    return {"figure": figure(heat.tile), "veil": veil_uri(heat.values), "over": heat.over, "lines": heat_lines(heat)}
