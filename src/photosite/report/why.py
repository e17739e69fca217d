"""Why a number is what it is, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from photosite.analysis.terms.term import Term
from photosite.report.numbers import number
from photosite.report.page import fill
from photosite.report.sheet import Rectangle, Sheet, sheet
from photosite.trace.record_why import WhyStep, WhyTrace

STEPS_IN_THE_PATH = 8
"""So many steps have a place in the list at the side, spread over all of them."""


def render(trace: WhyTrace, terms: int = 12) -> str:
    """Write a chain of numbers as one HTML page.

    Args:
        trace: only read.
        terms: how many of each number's terms are drawn.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    drawn = sheet(trace.photo, trace.photo_hw, trace.input_hw, trace.scale)
    boxes = dict.fromkeys(step.box for step in trace.steps if step.box is not None)
    last = len(trace.steps) - 1
    listed = min(STEPS_IN_THE_PATH, last + 1)
    return fill(
        "why.html.j2",
        {
            "trace": trace,
            "first": trace.steps[0].found,
            "sheet": drawn,
            "boxes": _apart([drawn.box(box) for box in boxes]),
            "steps": [
                _step(step, before, drawn, terms)
                for step, before in zip(trace.steps, (None, *trace.steps), strict=False)
            ],
            "in_path": [round(k * last / max(listed - 1, 1)) for k in range(listed)],
            "place": place,
        },
    )


def place(index: Sequence[int]) -> str:
    """Write an index.

    >>> place((0, 3, 10))
    '[0, 3, 10]'
    """
    return f"[{', '.join(map(str, index))}]"


def _apart(boxes: Sequence[Rectangle]) -> list[Rectangle]:
    """Those of some boxes, one in the other, whose frames do not run into each other."""
    kept: list[Rectangle] = []
    for box in boxes:
        if not kept or box[2] * box[3] < 0.7 * kept[-1][2] * kept[-1][3]:
            kept.append(box)
    return kept


def _step(step: WhyStep, before: WhyStep | None, drawn: Sheet, terms: int) -> dict[str, Any]:
    """One number with its terms as bars, and where it and they lie."""
    found = step.found
    shown = found.terms[:terms]
    most = max((abs(term.product) for term in shown if math.isfinite(term.product)), default=0.0) or 1.0
    bars = [_bar(term, most, position == step.followed) for position, term in enumerate(shown)]
    rest = found.terms[terms:]
    box = None if step.box is None else drawn.box(step.box)
    view = drawn.input if box is None else drawn.near(box)
    dots = [] if found.op == "getitem" else _dots(step, bars, drawn, view)
    seen_before = before is not None and before.box == step.box and before.unit == step.unit
    return {
        "step": step,
        "bars": bars,
        "rest": len(rest),
        "rest_sum": number(math.fsum(term.product for term in rest)) if found.is_sum and rest else "",
        "total": number(found.value - found.residual) if found.is_sum else "",
        "box": box,
        "view": view,
        "dots": dots,
        "drawn": box is not None and (len({dot["at"] for dot in dots}) > 1 or not seen_before),
    }


def _bar(term: Term, most: float, followed: bool) -> dict[str, Any]:
    share = term.product / most if math.isfinite(term.product) else 0.0
    return {
        "source": f"{term.source}{place(term.index)}" if term.source else "a number of the operation itself",
        "value": number(term.value),
        "factor": number(term.factor),
        "product": number(term.product),
        "x": round(50 + min(share, 0) * 50, 2),
        "width": round(abs(share) * 50, 2),
        "share": abs(share),
        "sign": "more" if share > 0 else "less",
        "followed": followed,
    }


def _dots(step: WhyStep, bars: Sequence[dict[str, Any]], drawn: Sheet, view: Rectangle) -> list[dict[str, Any]]:
    """Where the terms lie: the middle of what each one's place sees, as large as what it adds."""
    dots = []
    for bar, box in zip(bars, step.places, strict=False):
        if box is None:
            continue
        x, y, width, height = drawn.box(box)
        radius = min(view[2], view[3]) / 28 * math.sqrt(max(bar["share"], 0.04))
        middle = (round(x + width / 2, 3), round(y + height / 2, 3))
        dots.append({"at": middle, "radius": round(radius, 3), "sign": bar["sign"]})
    return dots
