"""The picture that a unit answers to most, as one HTML file that fetches nothing: `render` gives the text.

Style, script, policy and escaping are those of the report. Computes nothing: it writes down what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photosite.report.figures import figure
from photosite.report.numbers import number
from photosite.report.page import fill
from photosite.report.sheet import path
from photosite.trace.dream import Box, Dreamt, DreamTrace, Real, dream_lines, times_as_much, verdict

HIGH = 24
"""Height of the box that the curve is drawn in."""


def render(trace: DreamTrace) -> str:
    """Write what was found for a target as one HTML page.

    Args:
        trace: only read.
    Returns:
        The whole page, encodable as UTF-8, with style, script and pictures inside.
    """
    first = trace.dreams[0]
    best = trace.real[0] if trace.real else None
    return fill(
        "dream.html.j2",
        {
            "trace": trace,
            "first": first,
            "dreams": [_dream(one, rank, trace) for rank, one in enumerate(trace.dreams, 1)],
            "real": [_real(one) for one in trace.real],
            "cropped": any(one.box is not None and not _all(one.box, trace.input_hw) for one in trace.real),
            "curve": _curve(trace),
            "lines": dream_lines(trace),
            "over_random": times_as_much(first.shown, first.random_max),
            "over_real": "" if best is None else times_as_much(first.shown, best.value),
        },
    )


def _all(box: Box, input_hw: tuple[int, int]) -> bool:
    return box == (0, 0, *input_hw)


def _dream(one: Dreamt, rank: int, trace: DreamTrace) -> dict[str, Any]:
    """A result with bars of what it gives and of what it is compared with."""
    bars = [("reached, before rounding", one.reached), ("this picture, in 8 bits", one.shown)]
    if one.through_recipe is not None:
        bars.append(("resized by its own recipe", one.through_recipe))
    bars.append(("moved and turned a little", one.moved))
    if trace.real:
        bars.append((f"best of {number(trace.real_count)} real ones", trace.real[0].value))
    bars.append((f"best of {trace.randoms} random ones", one.random_max))
    bars.append((f"mean of {trace.randoms} random ones", one.random_mean))
    bars.append(("nearly gray, at the start", one.start))
    low = min(0.0, *(value for _, value in bars))
    wide = max(0.0, *(value for _, value in bars)) - low or 1.0
    where = None
    if trace.unit is not None and one.box is not None and not _all(one.box, trace.input_hw):
        top, left, bottom, right = one.box
        where = (left, top, right - left, bottom - top)
    return {
        "one": one,
        "rank": rank,
        "figure": figure(one.tile),
        "verdict": verdict(one),
        "where": where,
        "bars": [
            {
                "name": name,
                "value": number(value),
                "x": round(100 * (min(value, 0.0) - low) / wide, 2),
                "width": round(100 * abs(value) / wide, 2),
                "own": name.startswith("this"),
            }
            for name, value in bars
        ],
    }


def _real(one: Real) -> dict[str, Any]:
    return {"one": one, "figure": figure(one.tile), "value": number(one.value)}


def _curve(trace: DreamTrace) -> dict[str, Any]:
    """The activations over the steps as lines, with levels to compare them with, in a box of steps by `HIGH`."""
    levels = [("random", max(one.random_max for one in trace.dreams))]
    if trace.real:
        levels.append(("real", trace.real[0].value))
    values = [value for look in trace.curve for value in look] + [value for _, value in levels]
    low, high = min(0.0, *values), max(0.0, *values)
    wide = high - low or 1.0

    def down(value: float) -> str:
        return f"{HIGH - (HIGH - 1) * (value - low) / wide:.4g}"

    last = max(trace.curve_steps[-1], 1)
    return {
        "last": last,
        "lines": [_line(trace.curve_steps, [down(look[k]) for look in trace.curve]) for k in range(len(trace.dreams))],
        "levels": {name: f"M0 {down(value)}h{last}" for name, value in levels},
        "high": number(high),
        "low": number(low),
        "frame": path((0, 0, last, HIGH)),
    }


def _line(steps: Sequence[int], heights: Sequence[str]) -> str:
    return "M" + " ".join(f"{step} {height}" for step, height in zip(steps, heights, strict=True))
