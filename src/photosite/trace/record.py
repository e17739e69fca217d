"""Run one picture through everything and record each step as plain data: `record` gives a `Trace`."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
import torch
from torch import nn

from photosite import __version__
from photosite.errors import PictureError, ShapeError
from photosite.graph.capture import capture
from photosite.nets.checkpoints.weights import sha256_of_state
from photosite.prep.load import Source
from photosite.prep.recipe import Recipe
from photosite.trace.light import follow_light, thumbnail
from photosite.trace.network import follow_network
from photosite.trace.values import Prediction, Trace

PHOTO_SIDE = 1024
"""Longest side of the photo that a trace keeps for showing."""
PREDICTIONS_AT_MOST = 5


def record(
    source: Source,
    model: nn.Module,
    recipe: Recipe | None = None,
    *,
    name: str | None = None,
    runs: int = 3,
    **load_options: Any,
) -> Trace:
    """Follow one picture through file, recipe and network, down to its tokens.

    Args:
        source: a path, bytes, file object, PIL image or array, as `photosite.prep.load.load` takes it.
        model: any torch model that takes (1, 3, h, w) or (1, h, w, 3), as the recipe says. It is left as it was.
            Where it has them, its attributes `photo_recipe`, `recipe`, `classes`, `num_classes`, `weights_source`,
            `weights_sha256` and `weights_notes` are read.
        recipe: how the picture becomes the input; by default the model's own.
        name: what to call the model; its class name if not given.
        runs: how often each step is timed; the median counts.
        **load_options: of `load`, such as `max_pixels`.

    Returns:
        Every step with shape, range, cost and picture; tokens; predictions where the model has classes.

    Raises:
        PictureError: the picture cannot be opened, or what came out of the network is not a finite number.
        CaptureError: the model cannot be read as a graph.
        ShapeError: the model has no recipe and none is given.
    """
    chosen = recipe or getattr(model, "photo_recipe", None) or getattr(model, "recipe", None)
    if not isinstance(chosen, Recipe):
        raise ShapeError(f"record: {type(model).__name__} does not say how pictures become its input; give a recipe")
    picture, info, x, steps = follow_light(source, chosen, runs, **load_options)
    graph = capture(model, torch.from_numpy(x))
    passage = follow_network(graph, model, x, runs)
    geometry = chosen.geometry((picture.shape[0], picture.shape[1]))
    predictions, said = predict(model, passage.output)
    if passage.tokens is not None and not np.isfinite(passage.tokens.values).all():
        lost = int((~np.isfinite(passage.tokens.values)).sum())
        raise PictureError(
            "nonfinite", info.path, f"{lost} of {passage.tokens.values.size} token values are not finite numbers"
        )
    padding = geometry.padding
    padded = (f"the input is padded: {padding} rows and columns at top, left, bottom, right",) if any(padding) else ()
    return Trace(
        picture=asdict(info),
        model=describe(model, name or type(model).__name__, x),
        recipe=chosen.to_dict(),
        steps=(*steps, *passage.steps),
        photo=thumbnail(picture, PHOTO_SIDE),
        crop_box=geometry.crop_shares,
        tokens=passage.tokens,
        predictions=predictions,
        kernels=passage.kernels,
        notes=(*info.notes, *padded, *getattr(model, "weights_notes", ()), *passage.notes, *said),
        version=__version__,
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
    )


def describe(model: nn.Module, name: str, x: npt.NDArray[np.float32]) -> dict[str, Any]:
    """What is known of a model: name, size, weights and their hash, number of classes."""
    classes = getattr(model, "classes", None)
    count = len(classes) if classes else getattr(model, "num_classes", None)
    return {
        "name": name,
        "source": type(model).__module__ + "." + type(model).__qualname__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights": getattr(model, "weights_source", None),
        "weights_sha256": getattr(model, "weights_sha256", None) or sha256_of_state(model),
        "trained": getattr(model, "trained", None),
        "classes": count,
        "input_shape": list(x.shape),
    }


def predict(model: nn.Module, logits: npt.NDArray[np.float32] | None) -> tuple[tuple[Prediction, ...], tuple[str, ...]]:
    """Name the most probable classes, or say why none can be named.

    Args:
        model: read for `classes`, `num_classes` and whether its weights are known.
        logits: (K,), or None where the model gave something else.

    Returns:
        At most five predictions with their softmax probabilities, the highest first; and notes.
    """
    labels = getattr(model, "classes", None)
    count = len(labels) if labels else getattr(model, "num_classes", 0)
    if logits is None or not count or len(logits) != count:
        return (), (f"predictions: none; {type(model).__name__} names no classes",)
    if getattr(model, "trained", True) is False:
        return (), ("predictions: none; the weights are random, so they would mean nothing",)
    if not np.isfinite(logits).all():
        return (), ("predictions: none; the logits are not finite numbers",)
    shares = np.exp(logits.astype(np.float64) - logits.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:PREDICTIONS_AT_MOST]
    names = labels or tuple(f"class {number}" for number in range(count))
    notes = () if labels else (f"class names: not known; classes are numbered 0 … {count - 1}",)
    return tuple(Prediction(names[k], float(shares[k])) for k in best), notes
