"""A training run on disk: checkpoints, metrics, curve, and the weights that are kept.

    OUT/checkpoint.pt       after each epoch; the run goes on from it
    OUT/metrics.jsonl       a line for each epoch
    OUT/curve.svg           loss and accuracy as a picture
    OUT/NAME.safetensors    the kept weights, with what is needed to use them
    OUT/NAME.md             their model card

Every file is written beside and renamed, so a run killed at any instant can be started again with the same command.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from photosite import __version__
from photosite.errors import CorruptWeightsError, DatasetError
from photosite.files import write_whole
from photosite.nets.checkpoints.weights import save_weights
from photosite.nets.create import create_model
from photosite.nets.registry import ModelInfo, model_info
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.train.card import confusion, model_card
from photosite.train.config import TrainConfig
from photosite.train.curve import curve_svg
from photosite.train.dataset import Dataset, read_dataset
from photosite.train.loop import EpochReport, StepReport, Trainer, predict


def train(
    name: str,
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    test: Path | None = None,
    recipe: str | None = None,
    store: str = "float32",
    command: str = "",
    on_step: Callable[[StepReport], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train a network by name, or go on with a run that was stopped.

    Args:
        name: a network of `list_models()`.
        data: training pictures, see `read_dataset`.
        out: folder of the run; made if needed.
        config: all choices.
        test: pictures for measuring; never trained on.
        recipe: name of the recipe; the network's own if not given.
        store: "float32" or "float16", how the kept weights are stored.
        command: what the user typed, for the record.
        on_step: called after each step.
        on_epoch: called after each epoch.
        say: called with lines for people.

    Returns:
        The weights file.

    Raises:
        DatasetError: data cannot be read, or test classes differ from training classes.
        RangeError: a choice is out of range, or differs from those of the run that is resumed.
        UnknownNameError: no such network, recipe or schedule.
    """
    info = model_info(name)
    chosen = get_recipe(recipe or info.recipe)
    out.mkdir(parents=True, exist_ok=True)
    say(f"reading {data}")
    training = read_dataset(data, chosen)
    testing = None if test is None else read_dataset(test, chosen)
    if testing is not None and testing.classes != training.classes:
        raise DatasetError(f"test data {test}: its classes are {testing.classes}, those of {data} {training.classes}")
    say(f"{len(training)} pictures, {len(training.classes)} classes; test: {0 if testing is None else len(testing)}")
    torch.manual_seed(config.seed)
    model = create_model(info.name, num_classes=len(training.classes))
    trainer = Trainer(model, training, chosen, config, testing)
    checkpoint, metrics = out / "checkpoint.pt", out / "metrics.jsonl"
    identity = {"architecture": info.name, "data": fingerprint(training)}
    history = _resume(trainer, checkpoint, identity)
    if history:
        say(f"going on after epoch {trainer.epoch} of {config.epochs}")
    while trainer.epoch < config.epochs:
        report = trainer.train_epoch(on_step)
        history.append(report.to_dict())
        state = io.BytesIO()
        torch.save(trainer.state_dict() | identity | {"history": history}, state)
        write_whole(checkpoint, state.getvalue())
        write_whole(metrics, "".join(json.dumps(line) + "\n" for line in history).encode())
        write_whole(out / "curve.svg", curve_svg(history).encode())
        if on_epoch is not None:
            on_epoch(report)
    return _keep(trainer, chosen, training, testing, out / f"{info.name}.safetensors", store, history, command, info)


def fingerprint(data: Dataset) -> str:
    """SHA-256 over pictures, labels and class names, in order."""
    digest = hashlib.sha256(data.pictures.tobytes())
    digest.update(data.labels.tobytes())
    digest.update("\n".join(data.classes).encode())
    return digest.hexdigest()


def _resume(trainer: Trainer, checkpoint: Path, identity: dict[str, str]) -> list[dict[str, Any]]:
    """Load the last checkpoint, if there is one; returns the epochs so far."""
    if not checkpoint.exists():
        return []
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        history: list[dict[str, Any]] = list(state["history"])
        found = {key: state[key] for key in identity}
    except Exception as error:  # a damaged file can raise nearly anything
        raise CorruptWeightsError(
            f"checkpoint {checkpoint}: not readable, move it away to start anew: {error}"
        ) from error
    if found != identity:
        raise DatasetError(f"checkpoint {checkpoint}: belongs to {found}, this run is {identity}; choose another --out")
    trainer.load_state_dict(state)
    return history


def _keep(
    trainer: Trainer,
    recipe: Recipe,
    training: Dataset,
    testing: Dataset | None,
    path: Path,
    store: str,
    history: list[dict[str, Any]],
    command: str,
    info: ModelInfo,
) -> Path:
    """Write the kept weights with all that is needed to use them; the accuracy is that of the stored numbers."""
    dtype = {"float32": torch.float32, "float16": torch.float16}[store]
    tensors: dict[str, Tensor] = {
        key: value.to(dtype).contiguous() if value.is_floating_point() else value
        for key, value in trainer.best.state_dict().items()
    }
    trainer.best.load_state_dict(tensors)  # rounded as stored
    answers = None if testing is None else predict(trainer.best, testing, recipe)
    counts = None if testing is None or answers is None else confusion(testing.labels, answers, len(testing.classes))
    facts: dict[str, Any] = {
        "architecture": info.name,
        "parameters": sum(parameter.numel() for parameter in trainer.best.parameters()),
        "recipe": recipe.name,
        "photo_recipe": info.photo_recipe if recipe.name == info.recipe else None,
        "classes": list(training.classes),
        "pictures": len(training),
        "data_sha256": fingerprint(training),
        "test_pictures": None if testing is None else len(testing),
        "test_accuracy": None if counts is None else float(np.trace(counts) / counts.sum()),
        "seconds": sum(epoch["seconds"] for epoch in history),
        "threads": torch.get_num_threads(),
        "bfloat16": trainer.reduced,
        "config": trainer.config.to_dict(),
        "command": command,
        "photosite": __version__,
        "torch": torch.__version__,
    }
    save_weights(path, tensors, {"photosite": json.dumps(facts)})
    write_whole(path.with_suffix(".md"), model_card(facts, counts).encode())
    return path
