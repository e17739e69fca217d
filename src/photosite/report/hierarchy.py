"""What the channels of a network answer to, from edges to objects, as one HTML file that fetches nothing.

`render` gives the text. Style, script, policy and escaping are those of the report. Computes nothing: it writes down
what was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.analysis.representation.by_depth import LayerMeasures
from photosite.report.depth_charts import Chart, Heat, Point, chart, heat, quartile_points
from photosite.report.mosaic import cell_size, mosaic, one_cell
from photosite.report.numbers import limits, number, percent
from photosite.report.page import fill
from photosite.trace.hierarchy import Channel, HierarchyTrace, Layer, best_words, quartiles, sees_words

LADDER = 3
"""So many channels of each layer stand in the first picture."""
SIGNALS = {
    "deconvnet": "the deconvnet's signal",
    "guided backpropagation": "the signal of guided backpropagation",
    "gradient": "the gradient",
}


def render(trace: HierarchyTrace) -> str:
    """Write what a network's channels answer to as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    stations = [_station(trace, layer, rank) for rank, layer in enumerate(trace.layers, 1)]
    charts = _charts(trace)
    return fill(
        "hierarchy.html.j2",
        {
            "trace": trace,
            "stations": stations,
            "ladder": _ladder(trace),
            "charts": charts,
            "heats": _heats(trace),
            "table": _table(trace),
            "signal": SIGNALS.get(trace.rule or "", ""),
            "columns": math.ceil(math.sqrt(trace.k)),
            "classes": _classes(trace),
        },
    )


def _station(trace: HierarchyTrace, layer: Layer, rank: int) -> dict[str, Any]:
    """A depth: its field beside the input, and the channels that are shown."""
    shown = layer.channels[: layer.shown]
    cell = cell_size(shown)
    columns = math.ceil(math.sqrt(trace.k))
    measured = trace.measures_of(layer)
    units = [] if cell is None else [_unit(trace, one, columns, cell, measured) for one in shown]
    wide = units[0]["patches"].width if units else 1
    return {
        "layer": layer,
        "rank": rank,
        "id": f"depth-{rank}",
        "title": layer.name,
        "sees": sees_words(layer),
        "field": _field(trace, layer),
        "units": units,
        "hatch": round(wide / 220, 4),
        "beyond": any(one["patches"].beyond for one in units),
        "marked": any(one["patches"].marks for one in units),
        "shrunk": any(not one["patches"].pixelated for one in units),
        "agreement": None if layer.agreement is None else percent(layer.agreement),
        "chance": percent(trace.chance),
        "selectivity": None if measured is None else quartiles(measured.selectivity),
        "probe": None if measured is None else measured.probe,
        "rest": len(layer.channels) - layer.shown,
    }


def _unit(
    trace: HierarchyTrace, one: Channel, columns: int, cell: tuple[int, int], measured: LayerMeasures | None
) -> dict[str, Any]:
    """A channel with its patches, what its units send back, and what stands under them."""
    has_signal = trace.rule is not None and any(cut is not None and cut.signal is not None for cut in one.cuts)
    words = [limits(one.open[-1].value, one.open[0].value)]
    if measured is not None:
        selectivity, degrees = float(measured.selectivity[one.number]), float(measured.orientation[one.number])
        if math.isfinite(selectivity):
            words.append(f"{number(round(selectivity, 2))} for {round(degrees) % 180}°")
    return {
        "number": one.number,
        "best": best_words(one),
        "words": words,
        "patches": mosaic(one, columns, cell),
        "signals": mosaic(one, columns, cell, signals=True) if has_signal else None,
        "tops": [
            {
                "name": top.name,
                "value": number(top.value),
                "place": "" if top.place is None else f"{top.place[0]},{top.place[1]}",
                "limit": None if cut is None or cut.limit is None else number(cut.limit),
            }
            for top, cut in zip(one.tops, one.cuts, strict=True)
        ],
        "closed": len(one.tops) - len(one.open),
        "missing": trace.k - len(one.tops),
    }


def _field(trace: HierarchyTrace, layer: Layer) -> dict[str, Any]:
    """The field of a place in the middle, to scale, in a box that has room for field and input."""
    height, width = trace.input_hw
    size = layer.size if layer.grid != (0, 0) else None
    tall, across = size or (height, width)
    view_h, view_w = max(height, min(tall, 2 * height)), max(width, min(across, 2 * width))
    return {
        "view": ((width - view_w) / 2, (height - view_h) / 2, view_w, view_h),
        "box": None if size is None else ((width - across) / 2, (height - tall) / 2, across, tall),
        "all": bool(layer.global_by) or layer.grid == (0, 0),
        "cut": tall > 2 * height or across > 2 * width,
    }


def _ladder(trace: HierarchyTrace) -> dict[str, Any] | None:
    """A few patches of each depth beside each other, all to one scale."""
    gap = max(trace.input_hw) / 16
    x, found, tallest = 0.0, [], 0.0
    for layer in trace.layers:
        y, widest = 0.0, 0.0
        for one in layer.channels[: min(layer.shown, LADDER)]:
            cut = next((cut for cut in one.cuts if cut is not None), None)
            if cut is None:
                continue
            uri, _, inside = one_cell(cut)
            height, width = cut.frame[2] - cut.frame[0], cut.frame[3] - cut.frame[1]
            size = [round(side / cut.scale, 3) for side in inside]
            found.append(
                {
                    "uri": uri,
                    "frame": (round(x, 3), round(y, 3), width, height),
                    "at": (round(x + size[0], 3), round(y + size[1], 3), size[2], size[3]),
                    "words": f"{layer.name}, channel {one.number}",
                    "pixelated": cut.scale == 1,
                }
            )
            y, widest = y + height + gap, max(widest, width)
        tallest = max(tallest, y - gap)
        x += widest + gap if widest else 0
    return {"pictures": found, "width": round(x - gap, 3), "height": round(tallest, 3)} if found else None


def _charts(trace: HierarchyTrace) -> list[dict[str, Any]]:
    """What changes with depth, a drawing each."""
    made: list[tuple[str, str, Chart | None]] = []
    same: list[Point] = [None if one.agreement is None else (one.agreement,) * 3 for one in trace.layers]
    chance = trace.chance
    made.append(
        (
            "Of one class",
            f"How often two of a channel's best {trace.k} pictures are of one class, the mean of all channels.",
            chart(same, (), "of one class", ("this network", ""), None if chance is None else (chance, "chance")),
        )
    )
    measures = trace.measures
    if measures is not None:
        names = ("trained", "untrained") if measures.untrained else ("this network", "")
        made.append(
            (
                "Class, by a linear probe",
                "How many pictures a linear layer tells right that it has not seen, from the channels alone, each "
                "averaged over all places. Lines: where that lies with 95 %.",
                chart(
                    [_probe(one) for one in measures.trained],
                    [_probe(one) for one in measures.untrained],
                    "accuracy of a linear probe",
                    names,
                    next(((one.probe.chance, "chance") for one in measures.trained if one.probe is not None), None),
                ),
            )
        )
        made.append(
            (
                "Orientation",
                "How much channels prefer one direction of stripes: 0 all directions alike, 1 a single one. Dots: the "
                "median of the channels; lines: half of them.",
                chart(
                    quartile_points([one.selectivity for one in measures.trained]),
                    quartile_points([one.selectivity for one in measures.untrained]),
                    "selectivity for orientation",
                    names,
                ),
            )
        )
    return [{"title": title, "text": text, "chart": drawn} for title, text, drawn in made if drawn is not None]


def _probe(one: LayerMeasures) -> Point:
    return None if one.probe is None else (one.probe.interval[0], one.probe.accuracy, one.probe.interval[1])


def _heats(trace: HierarchyTrace) -> list[dict[str, Any]]:
    """Likeness of layers: to each other, to the untrained network, to another model."""
    numbered = [str(k + 1) for k in range(len(trace.layers))]
    made: list[tuple[str, str, Heat, str]] = []
    if trace.measures is not None:
        made.append(("To each other", "Rows and columns: the depths.", heat(trace.measures.cka, numbered), ""))
        if trace.measures.cka_untrained is not None:
            text = "Rows: this network. Columns: the same one with random weights."
            made.append(("To the untrained network", text, heat(trace.measures.cka_untrained, numbered), ""))
    if trace.alike is not None:
        columns = [chr(ord("a") + k) if k < 26 else str(k) for k in range(trace.alike.shape[1])]
        key = ", ".join(f"{letter} {name}" for letter, name in zip(columns, trace.against_layers, strict=True))
        made.append((f"To {trace.against}", f"Columns: {key}.", heat(trace.alike, columns), ""))
    return [{"title": title, "text": text, "heat": drawn} for title, text, drawn, _ in made]


def _table(trace: HierarchyTrace) -> list[dict[str, Any]]:
    """The numbers behind the drawings, a row a depth."""
    rows = []
    for k, layer in enumerate(trace.layers):
        own = trace.measures_of(layer)
        other = trace.measures.untrained[k] if trace.measures is not None and trace.measures.untrained else None
        rows.append(
            {
                "rank": k + 1,
                "name": layer.name,
                "sees": sees_words(layer),
                "channels": len(layer.channels),
                "same": "" if layer.agreement is None else percent(layer.agreement),
                "probe": _probe_words(own),
                "probe_untrained": _probe_words(other),
                "selectivity": _middle(own),
                "selectivity_untrained": _middle(other),
            }
        )
    return rows


def _probe_words(one: LayerMeasures | None) -> str:
    if one is None or one.probe is None:
        return ""
    low, high = one.probe.interval
    return f"{percent(one.probe.accuracy)} ({percent(low)} … {percent(high)})"


def _middle(one: LayerMeasures | None) -> str:
    found = None if one is None else quartiles(one.selectivity)
    if one is None or found is None:
        return ""
    told = int(np.isfinite(one.selectivity).sum())
    return f"{number(round(found[1], 3))} ({told} of {len(one.selectivity)})"


def _classes(trace: HierarchyTrace) -> str:
    """The classes, as many as a line holds."""
    names: Sequence[str] = [name for name, _ in trace.labels]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
