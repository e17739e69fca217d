"""A network module by module, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from photosite.analysis.inspection import Inspection, ModuleReport
from photosite.report.numbers import count, number
from photosite.report.page import fill


def render(model: str, shape: Sequence[int], found: Inspection, version: str) -> str:
    """Write what is known of a network's modules as one HTML page.

    Args:
        model: as it was named.
        shape: of the input, channels, height and width.
        found: of each module.
        version: of photosite.
    Returns:
        The whole page, encodable as UTF-8, with style and script inside.
    """
    side = max(shape[1:])
    most = max((module.macs for module in found.modules if module.path), default=0) or 1
    return fill(
        "inspect.html.j2",
        {
            "model": model,
            "shape": tuple(shape),
            "found": found,
            "version": version,
            "rows": [_row(module, side, most) for module in found.modules],
            "widest": max((module.receptive_field for module in found.modules if module.receptive_field), default=None),
            "unknown": list(dict.fromkeys(found.unknown.values())),
        },
    )


def _row(module: ModuleReport, side: int, most: int) -> dict[str, Any]:
    field, jump = module.receptive_field, module.jump
    names = module.field.global_by
    bound = "≤ " if module.field.at_most else ""
    return {
        "path": module.path or "(all)",
        "type": module.type,
        "output": " × ".join(map(str, module.output_shape[1:])) or "1",
        "parameters": count(module.parameters) if module.parameters else "",
        "macs": count(module.macs) if module.macs else "",
        "macs_width": round(100 * module.macs / most, 2) if module.path else 0,
        "field": f"{bound}{_pair(field)}" if field else ("not known" if module.field.unknown else "all"),
        "field_width": round(min(100.0, 50 * max(field) / side), 2) if field else 0,
        "jump": _pair(jump) if jump else "",
        "global": f"{names[-1]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}" if names else "",
    }


def _pair(pair: Sequence[int | Fraction]) -> str:
    down, across = (number(float(side)) for side in pair)
    return down if down == across else f"{down} × {across}"
