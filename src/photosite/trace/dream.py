"""The picture that a unit answers to most, as plain data that page and terminal only read, and in words.

Knows no torch and no model: `record_dream` puts it together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from photosite.prep.recipe import Picture
from photosite.trace.notation import number
from photosite.trace.values import Tile

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Seen:
    """What one place of a picture sees of it, cut out.

    Attributes:
        tile: the part; the whole picture where everything is seen, or that is not known.
        box: the part: top, left, bottom, right, half open; None for the whole picture.
        field: the same as if the picture had no borders, which may reach beyond them; None where that is larger than
            the picture.
    """

    tile: Tile
    box: Box | None
    field: Box | None


@dataclass(frozen=True)
class Dreamt:
    """One result of a search.

    Attributes:
        picture: (H, W, 3) uint8, of the input's size.
        tile: the same, drawn.
        reached: the activation before the picture was rounded to 8 bits.
        shown: that of the picture in 8 bits.
        read_back: that of the PNG, encoded, opened again and prepared.
        through_recipe: that of the PNG through the whole recipe, where that resizes or crops it once more; else None.
        moved: the mean over small random moves and turns of it.
        start: that of the picture that the search began with.
        random_mean: the mean of random pictures of the same spectrum.
        random_max: the largest of them.
        true: the PNG gives what was reached, to a hundredth.
        place: row and column where the target is largest in it; None without places.
        seen: what that place sees.
        alike: how alike its features are to those of the other results; None for a single one.
    """

    picture: Picture
    tile: Tile
    reached: float
    shown: float
    read_back: float
    through_recipe: float | None
    moved: float
    start: float
    random_mean: float
    random_max: float
    true: bool
    place: tuple[int, int] | None
    seen: Seen
    alike: float | None


@dataclass(frozen=True)
class Real:
    """A real picture that gives much.

    Attributes:
        name: of its file.
        seen: what its place sees.
        value: the activation.
        place: row and column where the target is largest in it, or the one asked for; None without places.
    """

    name: str
    seen: Seen
    value: float
    place: tuple[int, int] | None


@dataclass(frozen=True)
class DreamTrace:
    """What is known of a target, and of the pictures that were found for it.

    Attributes:
        model: as it was named.
        name: of the node or module that was asked for.
        node: whose values, with `module`, `op` and `shape`.
        target: the channel in words.
        channel: its number; None for a direction.
        unit: row and column of the place; None for the mean over all.
        grid: rows and columns of places; None without.
        input_hw: the input's size.
        size: of the receptive field, as if the picture had no borders; None where everything is seen.
        dreams: one for each result, the one that gives most first.
        order: which result of the search each of them was.
        real: the real pictures that give most, the first one first.
        real_count: how many were asked.
        left_out: those that did not open, a line each.
        steps: of the search, with `seed` and `kind` (what was moved).
        closed: how many results nothing could move at the start but for the relaxation.
        randoms: how many random pictures each result is compared with.
        curve: for each look at the search, the activation of each result, in the order of `dreams`.
        curve_steps: after how many steps each look was.
        notes: what a reader should know, in sentences.
        version: of photosite.
    """

    model: str
    name: str
    node: str
    module: str
    op: str
    shape: tuple[int, ...]
    target: str
    channel: int | None
    unit: tuple[int, int] | None
    grid: tuple[int, int] | None
    input_hw: tuple[int, int]
    size: tuple[int, int] | None
    dreams: tuple[Dreamt, ...]
    order: tuple[int, ...]
    real: tuple[Real, ...]
    real_count: int
    left_out: tuple[str, ...]
    steps: int
    seed: int
    kind: str
    closed: int
    randoms: int
    curve: tuple[tuple[float, ...], ...]
    curve_steps: tuple[int, ...]
    notes: tuple[str, ...]
    version: str


def times_as_much(value: float, base: float) -> str:
    """Compare two activations in words; a ratio only where both are above 0.

    >>> times_as_much(6, 1.5), times_as_much(1, 3000), times_as_much(1, -2), times_as_much(-1, -0.5)
    ('4 times as much', '0.000333 times as much', '3 more', '0.5 less')
    """
    if base > 0 and value > 0:
        ratio = float(f"{value / base:.3g}")
        return f"{number(ratio)} times as much"
    return f"{number(abs(value - base))} {'more' if value >= base else 'less'}"


def verdict(one: Dreamt) -> str:
    """Whether the picture is true, in words."""
    if one.true:
        return "the PNG, opened again and prepared, gives what was reached"
    return f"the PNG gives {number(one.read_back)}, not the {number(one.reached)} that was reached"


def dream_lines(trace: DreamTrace) -> list[tuple[str, str]]:
    """The numbers as lines for people: name and value."""
    lines = [("value", f"{trace.node}, {trace.op}" + (f", of {trace.module}" if trace.module else ""))]
    lines.append(("target", trace.target))
    for number_of, one in enumerate(trace.dreams, 1):
        lines += one_lines(trace, one, f" {number_of}" if len(trace.dreams) > 1 else "")
    if trace.real:
        best = trace.real[0]
        lines.append(("best real", f"{number(best.value)} of {trace.real_count} pictures, {best.name}"))
    closed = f", {trace.closed} closed at the start" if trace.closed else ""
    lines.append(("search", f"{trace.steps} steps, seed {trace.seed}, by {words_of(trace.kind)}{closed}"))
    lines += [("note", note) for note in trace.notes]
    return lines


def one_lines(trace: DreamTrace, one: Dreamt, which: str = "") -> list[tuple[str, str]]:
    """What one result gives and what it is to be compared with."""
    lines = [(f"dream{which}", f"{number(one.shown)} in 8 bits, {number(one.moved)} when moved a little")]
    lines.append(("true" if one.true else "not true", verdict(one)))
    if one.through_recipe is not None:
        lines.append(("resized", f"{number(one.through_recipe)} through the whole recipe, which resizes it"))
    random = f"mean {number(one.random_mean)}, best {number(one.random_max)} of {trace.randoms}"
    lines.append(("over random", f"{times_as_much(one.shown, one.random_max)}: {random}"))
    if trace.real:
        lines.append(("over real", f"{times_as_much(one.shown, trace.real[0].value)}: {number(trace.real[0].value)}"))
    if one.alike is not None:
        lines.append(("alike", f"{number(round(one.alike, 3))} to the others"))
    return lines


def words_of(kind: str) -> str:
    """What a search moved, in words."""
    return {"fourier": "frequencies", "pixels": "pixels"}.get(kind, kind)


def to_json(trace: DreamTrace) -> dict[str, Any]:
    """Everything of a trace but its pictures."""
    best = trace.real[0].value if trace.real else None
    return {
        "model": trace.model,
        "name": trace.name,
        "node": trace.node,
        "module": trace.module,
        "op": trace.op,
        "channel": trace.channel,
        "unit": _list(trace.unit),
        "grid": _list(trace.grid),
        "input": list(trace.input_hw),
        "receptive_field": _list(trace.size),
        "dreams": [
            {
                "activation": one.shown,
                "reached": one.reached,
                "read_back": one.read_back,
                "true": one.true,
                "through_recipe": one.through_recipe,
                "moved": one.moved,
                "start": one.start,
                "random_mean": one.random_mean,
                "random_max": one.random_max,
                "over_random": _ratio(one.shown, one.random_max),
                "over_real": None if best is None else _ratio(one.shown, best),
                "place": _list(one.place),
                "box": _list(one.seen.box),
                "alike": one.alike,
            }
            for one in trace.dreams
        ],
        "real": [
            {"name": one.name, "activation": one.value, "place": _list(one.place), "box": _list(one.seen.box)}
            for one in trace.real
        ],
        "real_pictures": trace.real_count,
        "left_out": list(trace.left_out),
        "search": {"steps": trace.steps, "seed": trace.seed, "kind": trace.kind, "closed_at_start": trace.closed},
        "curve": {"steps": list(trace.curve_steps), "activations": [list(look) for look in trace.curve]},
        "notes": list(trace.notes),
        "version": trace.version,
    }


def _ratio(value: float, base: float) -> float | None:
    return value / base if base > 0 else None


def _list(values: Sequence[int] | None) -> list[int] | None:
    return None if values is None else list(values)
