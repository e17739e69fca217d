"""`photosite export-numpy`: a model as a script and a weights file that need nothing but NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def export_numpy(
    model: str,
    folder: Path,
    /,
    *,
    image: Path | None = None,
    batch: int = 1,
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write a model as a pure NumPy script, with its weights and an example.

    The folder gets model.py, weights.npz and example.npz. `python model.py` there runs the network on the example and
    says how far its outputs are from PyTorch's, which the example holds; it needs Python and NumPy alone.

    Args:
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        folder: where to; made if it is not there.
        image: a photo as the example; noise, always the same, if not given.
        batch: how many pictures the script takes at once.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input, as for `see`.
        size: side of the model's input in pixels.
        json: print one JSON object to stdout instead of a line.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input

    progress = Console(stderr=True)
    with progress.status("building the model"):
        network, x, *_ = model_and_input(model, weights, recipe, size, image, batch)
    with progress.status("reading it as a graph"):
        import torch

        from photosite.graph.capture import capture
        from photosite.graph.execute import execute, model_arrays
        from photosite.graph.functional import functional

        inputs = torch.from_numpy(x)
        graph = functional(capture(network, inputs))
    with progress.status("running it and writing it down"):
        from photosite.analysis.export_numpy import export_numpy as write

        theirs = {key: tensor.numpy() for key, tensor in execute(graph, network, inputs).outputs.items()}
        difference = write(graph, model_arrays(network), (x,), theirs, folder, model)
    if json:
        from photosite.trace.save import dumps

        print(dumps({"model": model, "folder": str(folder), "nodes": len(graph), "max_difference": difference}))
    else:
        print(f"{folder / 'model.py'}: {len(graph)} operations; largest difference to PyTorch {difference:.2g}")
    return 0
