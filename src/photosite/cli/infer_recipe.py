"""`photosite infer-recipe`: which preprocessing a network was trained with, told by its batch norms, or why not."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from photosite.analysis.recipe_inference import Candidate, Inference
    from photosite.analysis.resize_inference import ResizeInference
    from photosite.cli.picture_files import PictureFile
    from photosite.prep.recipe import Picture, Recipe


def infer_recipe(
    model: str,
    /,
    *pictures: Path,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    at_most: int = 256,
    own: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell which preprocessing a network was trained with: channel order, range, mean and deviation, resize filter.

    Its batch norms remember the mean and the variance of what came in. Every usual recipe is tried on the pictures, and
    the nearest is named where pictures of another kind would name no other. Ends with 1 if it cannot be told.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        pictures: files, folders (with all that lies below) and zips; at least 16 pictures, best of the kind that the
            network was trained on.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how pictures get the input's size, as for `see`; one that has that size is taken as it is.
        size: side of the model's input in pixels.
        at_most: so many pictures are opened, evenly spread over all.
        own: the pictures are of the data that the network was trained on: no other light or color is allowed for.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.analysis.recipe_inference import LEAST_PICTURES
    from photosite.analysis.recipe_inference import infer_recipe as infer
    from photosite.analysis.resize_inference import infer_resize
    from photosite.cli.picture_files import picture_files
    from photosite.errors import RangeError
    from photosite.nets.sources import find_model, find_recipe

    if at_most < LEAST_PICTURES:
        raise RangeError(f"--at-most wants at least {LEAST_PICTURES}, got {at_most}")
    chosen = find_recipe(recipe) if recipe else None
    found = [one for path in pictures for one in picture_files(path, "infer-recipe", full=True)]
    if len(found) < LEAST_PICTURES:
        raise RangeError(f"infer-recipe: wants at least {LEAST_PICTURES} pictures, got {len(found)}")
    found = [found[number * len(found) // at_most] for number in range(at_most)] if len(found) > at_most else found
    progress = Console(stderr=True)
    with progress.status("building the model"):
        network = find_model(model, weights)
    chosen = _sized(model, network, chosen, size)
    with progress.status("opening the pictures"):
        opened, left_out = _opened(found, chosen)
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    if len(opened) < LEAST_PICTURES:
        raise RangeError(f"infer-recipe: wants at least {LEAST_PICTURES} pictures that open, {len(opened)} did")
    with progress.status("trying every recipe"):
        said = infer(network, [one.small for one in opened], own=own)
        ways = [one.ways for one in opened if one.ways is not None]
        filters = infer_resize(network, ways, said.best) if said.best is not None else None
    if json:
        from photosite.trace.save import dumps

        print(dumps(to_json(model, len(opened), left_out, said, filters)))
    else:
        _show(model, len(opened), chosen, said, filters, own=own)
    return 0 if said.best is not None else 1


def to_json(
    model: str, pictures: int, left_out: list[str], said: Inference, filters: ResizeInference | None
) -> dict[str, Any]:
    """What `--json` prints; a divergence that is infinite is null."""
    return {
        "model": model,
        "pictures": pictures,
        "left_out": left_out,
        "layout": said.layout,
        "norms": list(said.norms),
        "recipe": None if said.best is None else _as_dict(said.best),
        "margin": said.margin,
        "refused": said.refused or None,
        "tied": [one.name for one in said.tied],
        "candidates": [
            {**_as_dict(one), "divergence": _finite(one.divergence), "by_norm": [_finite(each) for each in one.by_norm]}
            for one in said.candidates
        ],
        "resize": None
        if filters is None
        else {
            "filter": filters.best,
            "refused": filters.refused or None,
            "tied": list(filters.tied),
            "pictures": filters.pictures,
            "divergences": {name: _finite(value) for name, value in filters.divergences.items()},
        },
    }


class _Opened(NamedTuple):
    """A picture of the input's size, and with each resize filter where it was large enough."""

    small: Picture
    ways: Mapping[str, Picture] | None


def _sized(model: str, network: nn.Module, chosen: Recipe | None, size: int | None) -> Recipe:
    """The recipe that gives pictures the input's size; its mean and deviation do not count."""
    from photosite.errors import RangeError
    from photosite.prep.recipes import get_recipe

    chosen = chosen or getattr(network, "photo_recipe", None)
    if chosen is None and size is not None:
        chosen = get_recipe("imagenet")
    if chosen is None:
        raise RangeError(f"{model} does not say how pictures become its input; give --recipe or --size")
    chosen = chosen.at(size) if size is not None else chosen
    if chosen.input_hw is None:
        raise RangeError(f"recipe {chosen.name!r} gives inputs of any size; give --recipe with one of a fixed size")
    return chosen


def _opened(entries: list[PictureFile], recipe: Recipe) -> tuple[list[_Opened], list[str]]:
    """Those that open, and a line for each that does not."""
    from photosite.analysis.resize_inference import resized_ways
    from photosite.errors import PictureError
    from photosite.prep.load_many import load_many

    def small(picture: Picture) -> _Opened:
        if picture.shape[:2] == recipe.input_hw:
            return _Opened(picture, None)
        return _Opened(recipe.cropped(recipe.resized(picture)), resized_ways(picture, recipe))

    opened, left_out = [], []
    for index, found in load_many((entry.source() for entry in entries), then=small):
        if isinstance(found, _Opened):
            opened.append(found)
        elif isinstance(found, PictureError):
            left_out.append(f"{entries[index].name}: {found.code}: {found.detail}")
        else:
            left_out.append(f"{entries[index].name}: {found}")
    return opened, left_out


def _as_dict(one: Candidate) -> dict[str, Any]:
    from photosite.analysis.recipe_inference import NORMALIZATIONS

    scale, mean, std = NORMALIZATIONS[one.normalization]
    return {
        "order": one.order,
        "normalization": one.normalization,
        "scale": scale,
        "mean_rgb": list(mean),
        "std_rgb": list(std),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _show(
    model: str, pictures: int, recipe: Recipe, said: Inference, filters: ResizeInference | None, *, own: bool
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from photosite.cli.photo import print_lines
    from photosite.shapes import shape_text
    from photosite.trace.notation import number

    console = Console() if sys.stdout.isatty() else Console(width=140)
    if said.candidates:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        for head in ("", "order", "normalization"):
            table.add_column(head, no_wrap=True)
        for head in ("nats a channel", "first norm", "last norm"):
            table.add_column(head, justify="right", no_wrap=True)
        for rank, one in enumerate(said.candidates, 1):
            numbers = (number(one.divergence), number(one.by_norm[0]), number(one.by_norm[-1]))
            table.add_row(str(rank), one.order, one.normalization, *numbers)
        console.print(Text(f"{model}: how far pictures of each recipe are from what its norms remember", style="bold"))
        console.print(table)
    assert recipe.input_hw is not None
    lines = [("pictures", f"{pictures}, {shape_text(recipe.input_hw)}, as {said.layout}")]
    if said.norms:
        lines.append(("norms", f"{len(said.norms)}: {', '.join(said.norms)}"))
    if said.candidates:
        allowed = "" if own else ", with pictures a little darker, warmer …"
        lines.append(("margin", f"{said.margin:.1%} from the first to the next{allowed}"))
    lines.append(("recipe", said.best.name if said.best else f"cannot be told: {said.refused}"))
    if filters is not None:
        lines.append(("resized", filters.best or f"cannot be told: {filters.refused}"))
    print_lines(lines, console)
