"""A class activation map of a photo with its audit, as plain data that page and terminal only read, and in words.

Knows no torch and no model: `record_explanation` puts it together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.prep.recipe import Picture
from photosite.trace.canvas import Array
from photosite.trace.notation import number
from photosite.trace.values import Tile

LIKELY = 5
"""So many classes are listed, the likeliest first."""


@dataclass(frozen=True)
class Verdict:
    """What one check found: its name, "good", "bad" or "unclear", in words, and the number behind it."""

    name: str
    verdict: str
    said: str
    value: float | None


@dataclass(frozen=True)
class ExplanationTrace:
    """Which places of a photo speak for a class.

    Attributes:
        model: as it was named.
        method: how the map was made.
        node: the layer's value in the graph; its module in `module`.
        layout: of that value; its places in `grid`, and how many tokens stand in front in `prefix`.
        target: index of the class; its label, or "", in `label`.
        score: what the model says for it.
        likely: the likeliest classes: index, label, share after softmax.
        values: (rows, columns), with their sign.
        positive: at every pixel of the input, 0 … 1.
        tile: the map on its own grid, drawn; None where it is refused.
        placing: "tiles" or "fields".
        centers: of the places' rows and columns in the input, in pixels; 0 is the center of the first pixel.
        refused: why there is no map.
        audit: what was checked.
        notes: what a person should know.
        photo: the photo, possibly smaller, and its size in `photo_hw`.
        input_hw: size of the input.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
        version: of photosite.
    """

    model: str
    method: str
    node: str
    module: str
    layout: str
    grid: tuple[int, int]
    prefix: int
    target: int
    label: str
    score: float
    likely: tuple[tuple[int, str, float], ...]
    values: Array
    positive: Array
    tile: Tile | None
    placing: str
    centers: tuple[tuple[float, ...], tuple[float, ...]]
    refused: str
    audit: tuple[Verdict, ...]
    notes: tuple[str, ...]
    photo: Picture
    photo_hw: tuple[int, int]
    input_hw: tuple[int, int]
    scale: tuple[float, float, float, float]
    version: str

    @property
    def input_box(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) of the input in the photo, in its pixels."""
        (height, width), (down, across, top, left) = self.input_hw, self.scale
        return top, left, top + down * height, left + across * width

    @property
    def strongest(self) -> tuple[tuple[int, int], tuple[float, float]] | None:
        """The place that speaks most for the class, row and column, and its center in the photo, y and x.

        None where the map is refused.
        """
        if self.refused:
            return None
        row, column = (int(part) for part in np.unravel_index(int(self.values.argmax()), self.grid))
        (down, across, top, left), (y, x) = self.scale, self.centers
        return (row, column), (top + down * (y[row] + 0.5), left + across * (x[column] + 0.5))

    @property
    def named(self) -> str:
        """The class for people."""
        return f"{self.label} ({self.target})" if self.label else f"class {self.target}"


def explanation_lines(trace: ExplanationTrace) -> list[tuple[str, str]]:
    """What is known, as lines of a name and words.

    Args:
        trace: only read.
    """
    rows, columns = trace.grid
    front = f", {trace.prefix} tokens in front" if trace.prefix else ""
    lines = [
        ("model", trace.model),
        ("class", f"{trace.named}, score {number(trace.score)}"),
        ("likeliest", ", ".join(f"{label or index} {share:.1%}" for index, label, share in trace.likely)),
        ("method", trace.method),
        ("layer", f"{trace.module or trace.node}: {trace.layout}, {rows} × {columns} places{front}"),
    ]
    if trace.refused:
        lines.append(("refused", trace.refused))
    else:
        low, high = float(trace.values.min()), float(trace.values.max())
        assert trace.strongest is not None
        (row, column), (y, x) = trace.strongest
        at = f"row {row}, column {column}, in the photo at y {number(round(y, 1))}, x {number(round(x, 1))}"
        lines.append(("map", f"{number(low)} … {number(high)}; what is below 0 speaks against the class"))
        lines.append(("strongest", at))
    lines += [("note", note) for note in trace.notes]
    return [*lines, *((check.name, f"{check.verdict}: {check.said}") for check in trace.audit)]


def to_json(trace: ExplanationTrace) -> dict[str, Any]:
    """What `--json` prints.

    Args:
        trace: only read.
    """
    return {
        "method": trace.method,
        "model": trace.model,
        "layer": trace.module or trace.node,
        "node": trace.node,
        "layout": trace.layout,
        "prefix_tokens": trace.prefix,
        "target": trace.target,
        "label": trace.label or None,
        "score": trace.score,
        "map": {
            "shape": list(trace.grid),
            "min": None if trace.refused else float(trace.values.min()),
            "max": None if trace.refused else float(trace.values.max()),
            "values": None if trace.refused else [[float(one) for one in row] for row in trace.values],
        },
        "placing": trace.placing,
        "strongest": None
        if trace.strongest is None
        else {"place": list(trace.strongest[0]), "photo_yx": list(trace.strongest[1])},
        "input_box": list(trace.input_box),
        "audit": {check.name: check.verdict for check in trace.audit},
        "audit_said": {check.name: check.said for check in trace.audit},
        "refused": trace.refused or None,
        "notes": list(trace.notes),
        "input_hw": list(trace.input_hw),
        "photo_hw": list(trace.photo_hw),
    }
