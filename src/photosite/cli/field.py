"""`photosite field`: how far one unit of a network sees, in the input and in the photo, and what it looks at."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.analysis.effective_field import EffectiveField
    from photosite.cli.model_input import ModelInput
    from photosite.graph.ir import Graph

AT_ONCE = 4
"""Pictures that an effective field works on together: more take more memory, and hardly less time."""


def field(
    model: str,
    node: str,
    /,
    *,
    unit: str | None = None,
    effective: Annotated[bool, Parameter(negative="")] = False,
    pictures: int = 16,
    pixel: str | None = None,
    image: Path | None = None,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show how far one unit of a network sees, and with --effective what it looks at.

    The receptive field is exact: every pixel that can count, in the input and, with --image, in the photo. The
    effective field is measured: the gradient of the unit, over pictures of noise and over the photo.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        node: a node of the model's graph, or the path of a module, whose last value is taken.
        unit: its place as Y,X, row and column counted from 0; the middle of the map if not given.
        effective: measure what it looks at too.
        pictures: how many pictures of noise that is averaged over.
        pixel: a pixel of the photo as Y,X (of the input without a photo), to ask which units see it.
        image: a photo.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input, as for `see`.
        size: side of the model's input in pixels.
        out: a folder, to write field.html and field.json.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input
    from photosite.errors import RangeError

    place, asked = _pair(unit, "--unit"), _pair(pixel, "--pixel")
    if pictures < 1:
        raise RangeError(f"--pictures wants at least 1, got {pictures}")
    progress = Console(stderr=True)
    with progress.status("building the model"):
        given = model_and_input(model, weights, recipe, size, image, 1)
    with progress.status("reading it as a graph"):
        from photosite.analysis.receptive_field import ReceptiveFields
        from photosite.trace.field import field_lines, to_json
        from photosite.trace.record_field import record_field, record_heats
        from photosite.trace.save import dumps

        graph = given.graph()
        found = graph.find(node)
        one = ReceptiveFields(graph)[found.name]
        if place is not None:
            one.index(place)  # refused before anything is measured
        elif one.grid is not None:
            place = (one.grid[0] // 2, one.grid[1] // 2)
    sides = given.x.shape[1:3] if given.x.shape[-1] == 3 else given.x.shape[2:]
    size_hw = (sides[0], sides[1])
    trace = record_field(model, found, one, place, size_hw, given.picture, given.geometry, asked, name=node)
    if effective:
        one.index(place or (0, 0))  # says why there are no units
        with progress.status(f"looking at {pictures} pictures"):
            heats = _effective(given, graph, found.name, place or (0, 0), pictures)
        trace = replace(trace, heats=record_heats(heats))
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.field import render

        written = write_page(out, "field", render(trace), dumps(to_json(trace)))
    from photosite.cli.photo import answer, print_lines

    console = Console() if sys.stdout.isatty() else Console(width=140)
    answer(to_json(trace), lambda: print_lines(field_lines(trace), console), json, written)
    return 0


def _effective(
    given: ModelInput, graph: Graph, node: str, unit: tuple[int, int], pictures: int
) -> list[tuple[str, EffectiveField]]:
    """Over noise, and over the photo if there is one; `graph` takes one picture at a time."""
    import torch

    from photosite.analysis.effective_field import effective_field

    batch = min(AT_ONCE, pictures)
    several = graph if batch == 1 else given.graph(batch)
    noise = f"{pictures} picture{'s' if pictures > 1 else ''} of noise"
    found = [(noise, effective_field(several, given.model, node, [unit], pictures)[0])]
    if given.picture is not None:
        found.append(("this photo", effective_field(graph, given.model, node, [unit], torch.from_numpy(given.x))[0]))
    return found


def _pair(text: str | None, option: str) -> tuple[int, int] | None:
    """Read Y,X."""
    from photosite.errors import RangeError

    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, flags=re.ASCII)
    if found is None:
        raise RangeError(f"{option} wants Y,X, two whole numbers such as 3,5, got {text!r}")
    return int(found[1]), int(found[2])
