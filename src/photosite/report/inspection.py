"""A network module by module, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import quote

import numpy as np

from photosite.analysis.inspection import Inspection, ModuleReport
from photosite.report.figures import histogram_path
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
    inner = [module for module in found.modules if module.path]
    most = (max((m.macs for m in inner), default=0) or 1, max((m.parameters for m in inner), default=0) or 1)
    return fill(
        "inspect.html.j2",
        {
            "model": model,
            "shape": tuple(shape),
            "found": found,
            "version": version,
            "rows": [_row(module, side, *most) for module in found.modules],
            "growth": _growth(inner, side),
            "widest": max((module.receptive_field for module in found.modules if module.receptive_field), default=None),
            "unknown": list(dict.fromkeys(found.unknown.values())),
        },
    )


def _growth(modules: Sequence[ModuleReport], side: int) -> dict[str, Any] | None:
    """How far the modules without others in them see, one behind the other, and the side of the input beside it."""
    paths = {module.path for module in modules}
    outer = {path.rpartition(".")[0] for path in paths}
    leaves = [module for module in modules if module.path not in outer]
    sizes = np.array([max(module.receptive_field or (0, 0)) for module in leaves])
    if not sizes.any():
        return None
    top = max(int(sizes.max()), side)
    return {
        "count": len(leaves),
        "path": histogram_path(sizes, top),
        "line": round(24 - 24 * side / top, 3),
        "side": side,
        "most": count(int(sizes.max())),
        "missing": int((sizes == 0).sum()),
        "first": leaves[0].path,
        "last": leaves[-1].path,
    }


def _row(module: ModuleReport, side: int, most_macs: int, most_parameters: int) -> dict[str, Any]:
    field, jump = module.receptive_field, module.jump
    names = module.field.global_by
    bound = "≤ " if module.field.at_most else ""
    return {
        "id": f"module-{quote(module.path, safe='')}",
        "path": module.path or "(all)",
        "type": module.type,
        "output": " × ".join(map(str, module.output_shape[1:])) or "1",
        "parameters": count(module.parameters) if module.parameters else "",
        "parameters_width": round(100 * module.parameters / most_parameters, 2) if module.path else 0,
        "macs": count(module.macs) if module.macs else "",
        "macs_width": round(100 * module.macs / most_macs, 2) if module.path else 0,
        "field": f"{bound}{_pair(field)}" if field else _none(module),
        "field_width": round(min(100.0, 50 * max(field) / side), 2) if field else 0,
        "jump": _pair(jump) if jump else "",
        "global": f"{names[-1]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}" if names else "",
    }


def _none(module: ModuleReport) -> str:
    if module.field.unknown:
        return "not known"
    return "all" if module.field.depends else "nothing"


def _pair(pair: Sequence[int | Fraction]) -> str:
    down, across = (number(float(side)) for side in pair)
    return down if down == across else f"{down} × {across}"
