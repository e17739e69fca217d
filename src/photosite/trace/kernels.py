"""The kernels of a layer as plain data that page and terminal only read, and in words.

Knows no torch and no model: `record_kernels` puts it together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.analysis.filters import DEAD, Filters
from photosite.analysis.kernel_kinds import KINDS, Kernel
from photosite.shapes import shape_text
from photosite.trace.notation import limits, number
from photosite.trace.values import Tile

ELSEWHERE = (
    "its inputs are features, so its weights are no picture; "
    "what its filters respond to is found with photosite dream and photosite hierarchy"
)
"""Why a deeper layer is not drawn, and where to look instead."""
LISTED = 12
"""So many filters are named in a line."""


@dataclass(frozen=True)
class KernelTile:
    """A kernel, drawn twice.

    Attributes:
        common: by the limit that all kernels share.
        own: by its own largest weight.
        low: its least weight; likewise `high`.
    """

    common: Tile
    own: Tile
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class KernelsTrace:
    """What is known of a layer's kernels.

    Attributes:
        model: as it was named.
        notes: on its weights.
        trained: None where that is not known.
        name: of the weight, with `node`, `module` and `op`.
        shape: (O, C / groups, …): filters first.
        dtype: that the network holds them in.
        low: the least weight; likewise `high`. None where none is finite.
        stride: of the kernel, with `dilation` and `groups`.
        way: operations between the picture and the layer.
        reads_picture: else it is no picture, and `kernels`, `tiles` and `sheet` are empty.
        channels: of the picture.
        folded: a batch norm alone reads the result, and strengths have its factor in them.
        filters: strength, dead ones, duplicates, rank.
        kernels: in the order of the filters.
        tiles: likewise.
        sheet: all kernels in one picture, sorted.
        order: of the kernels in it.
        counts: filters in each of equal steps of strength, from 0 to the strongest.
        version: of photosite.
    """

    model: str
    notes: tuple[str, ...]
    trained: bool | None
    name: str
    node: str
    module: str
    op: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    way: tuple[str, ...]
    reads_picture: bool
    channels: int
    folded: bool
    filters: Filters
    kernels: tuple[Kernel, ...]
    tiles: tuple[KernelTile, ...]
    sheet: Tile | None
    order: tuple[int, ...]
    counts: tuple[int, ...]
    version: str

    @property
    def kinds(self) -> dict[str, int]:
        """How many kernels are of each kind."""
        found = Counter(one.kind for one in self.kernels)
        return {kind: found[kind] for kind in KINDS}


def kernel_words(one: Kernel) -> str:
    """What a kernel answers to, in a line.

    >>> kernel_words(Kernel(3, "dead", 0.0, None, None))
    'gives nearly nothing'
    """
    if one.kind == "dead":
        return "gives nearly nothing"
    if one.fit is None:
        return "not finite"
    words = []
    if one.fit.orientation is not None and one.fit.frequency is not None:
        words.append(f"{round(one.fit.orientation) % 180}°, {number(round(one.fit.frequency, 3))} cycles a pixel")
    elif one.fit.kind == "blob":
        words.append("a blob")
    else:
        words.append("no one direction")
    if one.color is not None and one.color.axis:
        words.append(one.color.axis)
    return ", ".join(words)


def kernels_lines(trace: KernelsTrace) -> list[tuple[str, str]]:
    """The numbers as lines for people: name and value."""
    lines = [
        ("layer", f"{trace.node}, {trace.op}" + (f", of {trace.module}" if trace.module else "")),
        ("weight", f"{trace.name}, {shape_text(trace.shape)} {trace.dtype}, {limits(trace.low, trace.high)}"),
    ]
    if trace.stride:
        lines.append(("moves by", ", ".join([f"{shape_text(trace.stride)} px", *_taps(trace)])))
    if trace.reads_picture:
        behind = f", behind {', '.join(trace.way)}" if trace.way else ""
        lines.append(("reads", f"the picture, {trace.channels} channel{'s' if trace.channels > 1 else ''}{behind}"))
        found = trace.kinds
        lines.append(("kernels", ", ".join(f"{count} {kind}" for kind, count in found.items() if count)))
        lines += _stripes(trace)
        shares = [one.color.share for one in trace.kernels if one.color is not None]
        if shares:
            lines.append(("color", f"{100 * float(np.median(shares)):.0f} % of the energy in the median kernel"))
    else:
        lines.append(("reads", ELSEWHERE))
    return lines + filter_lines(trace)


def filter_lines(trace: KernelsTrace) -> list[tuple[str, str]]:
    """Strength, dead ones, duplicates and rank, as lines for people."""
    found, lines = trace.filters, []
    behind = "with the batch norm behind them" if trace.folded else "of their weights"
    if not found.finite:
        return [("filters", f"{len(found.norms)}, some with weights that are not finite; nothing more is told")]
    low, middle, high = (float(one) for one in np.quantile(found.strength, [0, 0.5, 1]))
    lines.append(("norms", f"{number(low)} … {number(high)}, half below {number(middle)}, {behind}"))
    named = f": {_list(found.dead)}" if found.dead else ""
    lines.append(("dead", f"{len(found.dead)} of {len(found.norms)}{named} (below {DEAD:.0%} of the usual norm)"))
    same, flipped = (sum(len(getattr(one, way)) for one in found.duplicates) for way in ("same", "flipped"))
    limit = f"cosine from {number(round(found.alike, 4))} on" if found.alike <= 1 else "not asked of single weights"
    lines.append(("the same", f"{same} as an earlier one, {flipped} as its opposite ({limit})"))
    for one in found.duplicates[:LISTED]:
        alike = [_list(one.same)] if one.same else []
        against = [f"against {_list(one.flipped)}"] if one.flipped else []
        lines.append(("", f"{one.first}: {', '.join(alike + against)}, cosine at least {number(round(one.least, 4))}"))
    if len(found.duplicates) > LISTED:
        lines.append(("", f"and {len(found.duplicates) - LISTED} groups more"))
    lines.append(("rank", f"{number(round(found.rank, 2))} of {found.full}, effective"))
    return lines


def to_json(trace: KernelsTrace) -> dict[str, Any]:
    """Everything of a trace but its pictures; null where something is not known or not finite."""
    found = trace.filters
    return {
        "model": trace.model,
        "trained": trace.trained,
        "notes": list(trace.notes),
        "name": trace.name,
        "node": trace.node,
        "module": trace.module,
        "op": trace.op,
        "shape": list(trace.shape),
        "dtype": trace.dtype,
        "min": trace.low,
        "max": trace.high,
        "stride": list(trace.stride),
        "dilation": list(trace.dilation),
        "groups": trace.groups,
        "way": list(trace.way),
        "reads_picture": trace.reads_picture,
        "channels": trace.channels if trace.reads_picture else None,
        "kinds": trace.kinds if trace.reads_picture else None,
        "kernels": [_kernel(one) for one in trace.kernels],
        "norms": [_finite(one) for one in found.norms],
        "folded_norms": None if found.folded is None else [_finite(one) for one in found.folded],
        "dead": list(found.dead),
        "alike": found.alike if found.alike <= 1 else None,
        "duplicates": [
            {"first": one.first, "same": list(one.same), "flipped": list(one.flipped), "least_cosine": one.least}
            for one in found.duplicates
        ],
        "effective_rank": found.rank if found.finite else None,
        "full_rank": found.full,
        "finite": found.finite,
        "version": trace.version,
    }


def _kernel(one: Kernel) -> dict[str, Any]:
    fit, color = one.fit, one.color
    return {
        "number": one.number,
        "kind": one.kind,
        "norm": _finite(one.norm),
        "fit": None if fit is None else fit.kind,
        "orientation": None if fit is None else fit.orientation,
        "frequency": None if fit is None else fit.frequency,
        "explained": None if fit is None else fit.explained,
        "wanted": None if fit is None else fit.wanted,
        "margin": None if fit is None else fit.margin,
        "color_share": None if color is None else color.share,
        "color_axis": None if color is None else color.axis or None,
    }


def _stripes(trace: KernelsTrace) -> list[tuple[str, str]]:
    found = [one.fit.frequency for one in trace.kernels if one.fit is not None and one.fit.frequency is not None]
    if not found:
        return []
    low, middle, high = (number(round(float(one), 3)) for one in np.quantile(found, [0, 0.5, 1]))
    return [("stripes", f"{low} … {high} cycles a pixel, half below {middle}")]


def _taps(trace: KernelsTrace) -> list[str]:
    words = [f"in {trace.groups} groups"] if trace.groups > 1 else []
    if set(trace.dilation) - {1}:
        words.append(f"weights {shape_text(trace.dilation)} apart")
    return words


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:LISTED])) + (
        f" and {len(numbers) - LISTED} more" if len(numbers) > LISTED else ""
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
