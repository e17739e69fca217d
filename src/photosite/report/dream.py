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
from photosite.trace.dream import Dreamt, DreamTrace, Real, Seen, dream_lines, times_as_much, verdict

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
    shown = trace.real[: 4 + -len(trace.dreams) % 4]  # with the dreams, whole rows of four
    best = trace.real[0] if trace.real else None
    return fill(
        "dream.html.j2",
        {
            "trace": trace,
            "first": first,
            "dreams": [_dream(one, rank, trace) for rank, one in enumerate(trace.dreams, 1)],
            "real": [_real(one) for one in shown],
            "cropped": any(one.box is not None for one in (first.seen, *(one.seen for one in shown))),
            "beyond": any(_cut(one) for one in (*(one.seen for one in trace.dreams), *(one.seen for one in shown))),
            "title": trace.target.split(", the mean")[0],
            "hatch": max(trace.size or trace.input_hw) / 200,
            "curve": _curve(trace),
            "lines": dream_lines(trace),
            "over_random": times_as_much(first.shown, first.random_max),
            "over_real": "" if best is None else times_as_much(first.shown, best.value),
        },
    )


def _cut(seen: Seen) -> bool:
    """Whether a place would see more, if the picture had no borders."""
    return seen.field is not None and seen.field != seen.box


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
    bars.append(("faint noise, at the start", one.start))
    low = min(0.0, *(value for _, value in bars))
    wide = max(0.0, *(value for _, value in bars)) - low or 1.0
    where = None
    if trace.unit is not None and one.seen.box is not None:
        top, left, bottom, right = one.seen.box
        where = (left, top, right - left, bottom - top)
    return {
        "one": one,
        "rank": rank,
        "figure": figure(one.tile),
        "verdict": verdict(one),
        "where": where,
        "seen": _seen(one.seen),
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
    return {"one": one, "seen": _seen(one.seen), "value": number(one.value)}


def _seen(seen: Seen) -> dict[str, Any]:
    """A part of a picture in the middle of all that a place would see, if the picture had no borders."""
    made = figure(seen.tile)
    top, left, bottom, right = seen.box or (0, 0, made.height, made.width)
    y0, x0, y1, x1 = seen.field or (top, left, bottom, right)
    return {
        "uri": made.uri,
        "view": (x0, y0, x1 - x0, y1 - y0),
        "at": (left, top, right - left, bottom - top),
        "cut": _cut(seen),
        "hw": (bottom - top, right - left),
    }


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
