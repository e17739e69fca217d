"""Why a number is what it is, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from typing import Any

from photosite.report.figures import photo_uri
from photosite.report.numbers import number
from photosite.report.page import fill
from photosite.trace.record_why import WhyStep, WhyTrace

STEPS_IN_THE_PATH = 7
"""So many steps have a place in the list at the side."""


def render(trace: WhyTrace, terms: int = 12) -> str:
    """Write a chain of numbers as one HTML page.

    Args:
        trace: only read.
        terms: how many of each number's terms are drawn.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    height, width = trace.input_hw if trace.photo is None else trace.photo.shape[:2]
    return fill(
        "why.html.j2",
        {
            "trace": trace,
            "first": trace.steps[0].found,
            "name": trace.steps[0].module or trace.steps[0].found.node,
            "uri": "" if trace.photo is None else photo_uri(trace.photo),
            "sides": (width, height),
            "steps": [_step(trace, step, terms) for step in trace.steps],
            "in_path": STEPS_IN_THE_PATH,
            "place": place,
        },
    )


def place(index: tuple[int, ...]) -> str:
    """Write an index.

    >>> place((0, 3, 10))
    '[0, 3, 10]'
    """
    return f"[{', '.join(map(str, index))}]"


def _step(trace: WhyTrace, step: WhyStep, terms: int) -> dict[str, Any]:
    found = step.found
    shown = found.terms[:terms]
    finite = [abs(term.product) for term in shown if abs(term.product) < float("inf")]
    most = max(finite, default=0.0) or 1.0
    rest = found.terms[terms:]
    bars = []
    for position, term in enumerate(shown):
        share = term.product / most if abs(term.product) < float("inf") else 0.0
        bars.append(
            {
                "source": f"{term.source}{place(term.index)}" if term.source else "a number of the operation itself",
                "value": number(term.value),
                "factor": number(term.factor),
                "product": number(term.product),
                "x": round(50 + min(share, 0) * 50, 2),
                "width": round(abs(share) * 50, 2),
                "sign": "more" if share > 0 else "less",
                "followed": position == step.followed,
            }
        )
    return {
        "step": step,
        "bars": bars,
        "rest": len(rest),
        "rest_sum": number(sum(term.product for term in rest)) if found.is_sum and rest else "",
        "total": number(found.value - found.residual) if found.is_sum else "",
        "box": _box(trace, step),
    }


def _box(trace: WhyTrace, step: WhyStep) -> tuple[float, float, float, float] | None:
    """What its place sees, in the drawing: x, y, width, height."""
    if step.box is None:
        return None
    down, across, top, left = trace.scale or (1.0, 1.0, 0.0, 0.0)
    y0, x0, y1, x1 = step.box
    return left + across * x0, top + down * y0, across * (x1 - x0), down * (y1 - y0)
