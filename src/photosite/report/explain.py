"""Which places of a photo speak for a class, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from photosite.report.figures import figure, veil_uri
from photosite.report.numbers import percent
from photosite.report.page import fill
from photosite.report.sheet import sheet
from photosite.trace.explanation import ExplanationTrace, explanation_lines


def render(trace: ExplanationTrace) -> str:
    """Write a map and its audit as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    drawn = sheet(trace.photo, trace.photo_hw, trace.input_hw, trace.scale)
    most = max((share for _, _, share in trace.likely), default=1.0) or 1.0
    checked = {check.name for check in trace.audit}
    return fill(
        "explain.html.j2",
        {
            "trace": trace,
            "sheet": drawn,
            "veil": "" if trace.refused else veil_uri(trace.positive),
            "figure": None if trace.tile is None else figure(trace.tile),
            "lines": [line for line in explanation_lines(trace) if line[0] not in checked],
            "likely": [
                {"name": label or f"class {index}", "share": percent(share), "width": round(100 * share / most, 2)}
                for index, label, share in trace.likely
            ],
        },
    )
