"""`photosite kernels`: the patterns of a network's first layer, and what can be said of any other layer's filters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from photosite.cli.model_input import ModelInput
    from photosite.graph.ir import Graph


def kernels(
    model: str,
    /,
    *,
    layer: str | None = None,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show the kernels that read the picture: stripes of which direction, how fine, in which color; dead, equal ones.

    An orientation is named only where stripes explain the kernel, better than noise would have it and better than
    stripes of another direction. Kernels of deeper layers read features and are no pictures: of those, --layer gives
    norms, dead and equal filters, and the rank.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        layer: a node or the path of a module; by default the first convolution that reads the picture.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how a photo becomes the model's input, as for `see`; says size and order of the channels.
        size: side of the model's input in pixels.
        out: a folder, to write kernels.html and kernels.json.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input

    progress = Console(stderr=True)
    with progress.status("building the model"):
        given = model_and_input(model, weights, recipe, size, None, 1)
    with progress.status("reading it as a graph"):
        graph = _graph(given)
    with progress.status("looking at its kernels"):
        from photosite.analysis.kernels import kernels as measure
        from photosite.trace.kernels import kernels_lines, to_json
        from photosite.trace.record_kernels import record_kernels
        from photosite.trace.save import dumps

        order = given.recipe.channel_order if given.recipe is not None else "RGB"
        facts: Any = given.model
        trace = record_kernels(
            model,
            measure(given.model, graph, layer, order),
            getattr(facts, "weights_notes", ()),
            getattr(facts, "trained", None),
        )
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.kernels import render

        written = write_page(out, "kernels", render(trace), dumps(to_json(trace)))
    from photosite.cli.photo import answer, print_lines

    def show() -> None:
        print_lines(kernels_lines(trace), Console() if sys.stdout.isatty() else Console(width=140))
        for note in trace.notes:
            print(note)

    answer(to_json(trace), show, json, written)
    return 0


def _graph(given: ModelInput) -> Graph:
    """The model as a graph; where it takes no picture of three channels, as many as its first convolution has."""
    import torch
    from torch import nn

    from photosite.errors import CaptureError
    from photosite.graph.capture import capture

    x = torch.from_numpy(given.x)
    try:
        return capture(given.model, x)
    except CaptureError:
        first = next((one for one in given.model.modules() if isinstance(one, nn.Conv2d | nn.Conv3d)), None)
        if first is None or first.in_channels == 3:
            raise
        return capture(given.model, x.mean(1, keepdim=True).repeat(1, first.in_channels, 1, 1))
