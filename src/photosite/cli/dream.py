"""`photosite dream`: the picture that a channel of a network answers to most, and whether that picture is true."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from photosite.analysis.dreaming.objective import Target
    from photosite.cli.model_input import ModelInput
    from photosite.trace.dream import DreamTrace
    from photosite.trace.record_dream import RealPictures

AT_ONCE = 16
"""Real pictures that are looked at together."""


def dream(
    model: str,
    node: str,
    channel: int,
    /,
    *,
    unit: str | None = None,
    steps: int = 256,
    seed: int = 0,
    diverse: int = 1,
    pixels: Annotated[bool, Parameter(negative="")] = False,
    pictures: Path | None = None,
    at_most: int = 1024,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Find the picture that a channel of a network answers to most, and say whether that picture is true.

    It is searched for by its frequencies, while it is moved and turned a little. Beside what it gives stands what 64
    random pictures of the same spectrum give and, with --pictures, what real ones do; and what the PNG itself gives.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        node: a node of the model's graph, or the path of a module, whose last value is taken.
        channel: its number, from 0; of a classifier's last layer, the class.
        unit: a single place of the map as Y,X, row and column counted from 0; the mean over all if not given.
        steps: of the search; more make the picture stronger.
        seed: of everything random; the same seed gives the same picture.
        diverse: how many pictures to find, pushed apart.
        pixels: search by pixels instead of frequencies.
        pictures: real pictures: a folder (with all that lies below), a zip or a file.
        at_most: so many of them are opened, evenly spread over all.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how pictures become the model's input, as for `see`.
        size: side of the model's input in pixels.
        out: a folder, to write dream.html, dream.json and a PNG for each picture.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input
    from photosite.errors import RangeError

    place = _pair(unit)
    if not 1 <= diverse <= 16:
        raise RangeError(f"--diverse wants 1 … 16, got {diverse}")
    if at_most < 1:
        raise RangeError(f"--at-most wants at least 1, got {at_most}")
    progress = Console(stderr=True)
    with progress.status("building the model"):
        given = model_and_input(model, weights, recipe, size, None, 1)
    with progress.status("reading it as a graph"):
        from photosite.analysis.activation_maximization import Search, maximize
        from photosite.analysis.dreaming.objective import Objective, Target
        from photosite.analysis.dreaming.preparation import Preparation
        from photosite.analysis.receptive_field import ReceptiveFields
        from photosite.trace.dream import dream_lines, to_json
        from photosite.trace.record_dream import record_dream

        graph = given.graph(diverse)
        found, target = graph.find(node), Target(node, channel, place)
        search = Search(steps=steps, seed=seed, kind="pixels" if pixels else "fourier")
        Objective(graph, target)  # refused before pictures are opened
        one = ReceptiveFields(graph)[found.name]
    real = None if pictures is None else _real(given, target, pictures, at_most, progress)
    how = None if given.recipe is None else Preparation.of(given.recipe)
    with progress.status(f"searching, {steps} steps"):
        dreams = maximize(graph, given.model, target, how, search)
        trace = record_dream(model, node, found, one, dreams, graph, given.model, given.recipe, real)
    for line in trace.left_out:
        print(f"left out: {line}", file=sys.stderr)
    written = "" if out is None else _written(out, trace)
    from photosite.cli.photo import answer, print_lines

    console = Console() if sys.stdout.isatty() else Console(width=140)
    answer(to_json(trace), lambda: print_lines(dream_lines(trace), console), json, written)
    return 0


def _real(given: ModelInput, target: Target, place: Path, at_most: int, progress: Console) -> RealPictures:
    """Open real pictures, bring them to the input's size, and measure what they give."""
    import numpy as np

    from photosite.analysis.dreaming.measure import measure
    from photosite.analysis.dreaming.preparation import Preparation
    from photosite.cli.picture_files import picture_files
    from photosite.errors import PhotositeError, PictureError, RangeError
    from photosite.prep.load_many import load_many
    from photosite.trace.record_dream import RealPictures

    recipe = given.recipe
    if recipe is None:
        raise RangeError("dream: the model does not say how pictures become its input; give --recipe")
    height, width = given.x.shape[2:] if recipe.layout == "BCHW" else given.x.shape[1:3]
    files = list(picture_files(place, "dream"))
    files = [files[number * len(files) // at_most] for number in range(at_most)] if len(files) > at_most else files
    names, opened, left_out = [], [], []
    with progress.status(f"opening {len(files)} pictures"):
        loaded = load_many((one.source() for one in files), then=lambda p: recipe.cropped(recipe.resized(p)))
        for index, found in loaded:
            if isinstance(found, PictureError):
                left_out.append(f"{files[index].name}: {found.code}: {found.detail}")
            elif isinstance(found, PhotositeError):
                left_out.append(f"{files[index].name}: {found}")
            elif found.shape != (height, width, 3):
                left_out.append(f"{files[index].name}: becomes {found.shape[0]} × {found.shape[1]} pixels")
            else:
                names.append(files[index].name)
                opened.append(found)
    if not opened:
        raise RangeError(f"dream: none of {len(files)} pictures opens: {left_out[0]}")
    with progress.status(f"looking at {len(opened)} pictures"):
        graph = given.graph(min(AT_ONCE, len(opened)))
        answers = measure(graph, given.model, target, np.stack(opened), Preparation.of(recipe))
    return RealPictures(names, np.stack(opened), answers, left_out)


def _written(out: Path, trace: DreamTrace) -> str:
    """Write the page, its data and the pictures; gives the line that says where the page is."""
    from photosite.cli.photo import printable, write_page
    from photosite.errors import PhotositeError
    from photosite.files import write_whole
    from photosite.report.dream import render
    from photosite.trace.dream import to_json
    from photosite.trace.record_dream import png
    from photosite.trace.save import dumps

    line = write_page(out, "dream", render(trace), dumps(to_json(trace)))
    try:
        for rank, one in enumerate(trace.dreams, 1):
            write_whole(out / f"dream-{rank}.png", png(one.picture))
    except OSError as error:
        raise PhotositeError(f"dream: cannot write to {printable(out)}: {error.strerror or error}") from error
    return line


def _pair(text: str | None) -> tuple[int, int] | None:
    """Read Y,X."""
    from photosite.errors import RangeError

    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, flags=re.ASCII)
    if found is None:
        raise RangeError(f"--unit wants Y,X, two whole numbers such as 3,5, got {text!r}")
    return int(found[1]), int(found[2])
