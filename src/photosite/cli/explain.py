"""`photosite explain`: which places of a photo speak for a class, by a map that audits itself, or why there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

MODEL = "photosite_resnet12"
"""What is asked where no model is named: the encoder that is shipped, with its weights."""


def explain(
    photo: Path,
    /,
    *,
    model: str = MODEL,
    method: str = "gradcam",
    target: str | None = None,
    layer: str | None = None,
    output: str | None = None,
    placing: str = "tiles",
    weights: str | None = None,
    recipe: str | None = None,
    size: int | None = None,
    audit: bool = True,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show which places of a photo speak for a class, and how far that can be trusted.

    The layer and its layout are found and said. The map is compared with what covering parts of the photo costs the
    score, with orders by chance and with shuffled weights; one that is wrong is refused. Ends with 1 if it is.

    Args:
        photo: a picture file.
        model: a name of `photosite models`, hf-hub:ORG/NAME, torchvision:NAME, timm:NAME, or package.module:function.
        method: gradcam, gradcam++, hirescam, layercam, xgradcam, cam, eigencam, scorecam, ablationcam, rollout or
            gradientrollout.
        target: index or label of the class; the one with the largest score if not given.
        layer: a node or the path of a module; the last that holds a picture and that the score depends on.
        output: the key of the scores, of a model with several outputs.
        placing: "tiles", as other tools draw maps, or "fields": where the middles of receptive fields are.
        weights: a file, an entry such as ResNet50_Weights.IMAGENET1K_V2, hf-hub:ORG/NAME, "default" or "random".
        recipe: how the photo becomes the model's input, as for `see`.
        size: side of the model's input in pixels.
        audit: whether to check the map against the model, which takes some hundred forward passes.
        out: a folder, to write explain.html and explain.json.
        json: print one JSON object to stdout instead of the table.
    """
    from rich.console import Console

    from photosite.cli.model_input import model_and_input
    from photosite.errors import UnknownNameError

    if placing not in ("tiles", "fields"):
        raise UnknownNameError("placing", placing, ("tiles", "fields"))
    progress = Console(stderr=True)
    with progress.status("building the model"):
        named = "default" if weights is None and model == MODEL else weights
        given = model_and_input(model, named, recipe, size, photo, 1)
    with progress.status("reading it as a graph"):
        import torch

        from photosite.analysis.cam.audit import audit as check
        from photosite.analysis.cam.explain import METHODS, Explainer
        from photosite.trace.explanation import explanation_lines, to_json
        from photosite.trace.record_explanation import record_explanation
        from photosite.trace.save import dumps

        if method not in METHODS:
            raise UnknownNameError("method", method, METHODS)
        x = torch.from_numpy(given.x)
        parameter = next((one for one in given.model.parameters() if one.is_floating_point()), x)
        x = x.to(parameter.device, parameter.dtype)
        explainer = Explainer(given.model, x, layers=layer, output=output, placing=placing)  # type: ignore[arg-type]
    labels: Sequence[str] = getattr(given.model, "classes", None) or ()
    with progress.status(f"{method}, and what speaks against it"):
        wanted = _target(target, labels)
        one = explainer(x, method, wanted)[0][0]
        one, checks = check(explainer, x, one) if audit else (one, ())
        scores = explainer.tap(x, [], lambda all_: all_.sum(1), gradients=False).scores[0].float().cpu().numpy()
    assert given.picture is not None
    assert given.geometry is not None
    trace = record_explanation(model, one, checks, scores, labels, given.picture, given.geometry)
    written = ""
    if out is not None:
        from photosite.cli.photo import write_page
        from photosite.report.explain import render

        written = write_page(out, "explain", render(trace), dumps(to_json(trace)))
    from photosite.cli.photo import answer, print_lines

    console = Console() if sys.stdout.isatty() else Console(width=140)
    answer(to_json(trace), lambda: print_lines(explanation_lines(trace), console), json, written)
    return 1 if trace.refused else 0


def _target(text: str | None, labels: Sequence[str]) -> int | None:
    """An index, or that of a label, whatever its case."""
    from photosite.errors import UnknownNameError

    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    lower = [label.lower() for label in labels]
    if text.lower() not in lower:
        raise UnknownNameError("class", text, labels)
    return lower.index(text.lower())
