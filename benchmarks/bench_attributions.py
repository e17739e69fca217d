"""The largest activations of all channels over many pictures, and attributions, against bare passes of the model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from harness import compare, publish
from torch import Tensor, nn

from photosite.analysis.attributions import integrated_gradients, saliency
from photosite.analysis.backward import Backward
from photosite.analysis.deconvolution import deconvnet, guided_backpropagation
from photosite.analysis.top_activations import top_activations
from photosite.nets import create_model
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.train.dataset import read_dataset

PICTURES = int(os.environ.get("PHOTOSITE_BENCH_PICTURES", "2000"))
NODES = ("conv1", "layer1", "layer2", "layer3", "layer3.1.conv1", "fc")
BATCH, K = 32, 9
DATA = Path(os.environ.get("PHOTOSITE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "cifar10" / "test.zip"


def pictures(recipe: Recipe) -> list[np.ndarray]:
    """Pictures of CIFAR-10's test set, each class as often; noise where the set is not at hand."""
    if not DATA.exists():
        return list(np.random.default_rng(0).integers(0, 256, (PICTURES, 32, 32, 3), np.uint8))
    found = read_dataset(DATA, recipe).pictures
    return list(found[:: len(found) // PICTURES][:PICTURES])


def bare(model: nn.Module, batches: list[Tensor]) -> None:
    """Forward passes, and nothing else."""
    with torch.inference_mode():
        for x in batches:
            model(x)


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    """One forward and one backward pass of PyTorch."""
    given = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(model(given)[:, 0].sum(), given)
    return found


def main() -> None:
    """Measure and publish."""
    model = create_model("photosite_resnet12", weights="default").eval().requires_grad_(False)
    recipe = get_recipe("cifar10")
    given = pictures(recipe)
    batches = [torch.from_numpy(recipe(given[start : start + BATCH])) for start in range(0, len(given), BATCH)]
    channels = sum(top_activations(model, batches[:1], None, NODES, K).places[name].width for name in NODES)
    work = f"top {K} of {channels} channels of {len(NODES)} values"
    results = [
        compare(
            f"{work}, prepared batches",
            "bare forward passes over the same batches",
            lambda: top_activations(model, batches, recipe, NODES, K, batch=BATCH),
            lambda: bare(model, batches),
            rounds=3,
            units=len(given),
        ),
        compare(
            f"{work}, from pictures",
            "bare forward passes, pictures prepared",
            lambda: top_activations(model, given, recipe, NODES, K, batch=BATCH),
            lambda: bare(model, batches),
            rounds=3,
            units=len(given),
        ),
    ]
    x = batches[0]
    backward = Backward(model, x)
    for name, method in (("saliency", saliency), ("deconvnet", deconvnet), ("guided", guided_backpropagation)):
        results.append(
            compare(
                f"{name} of a logit, {BATCH} pictures",
                "torch.autograd.grad of the model",
                lambda method=method: method(backward, x, aim=0),
                lambda: gradient(model, x),
                rounds=9,
                units=len(x),
            )
        )
    results.append(
        compare(
            "integrated gradients of a logit, 20 steps",
            "20 times torch.autograd.grad of the model",
            lambda: integrated_gradients(backward, x, aim=0, steps=20),
            lambda: [gradient(model, x) for _ in range(20)],
            rounds=3,
            units=len(x),
        )
    )
    publish(
        "attributions",
        results,
        notes="wanted: top activations at no less than half the speed of the bare passes; capture is included in them; "
        f"{len(given)} pictures of CIFAR-10's test set, photosite_resnet12, threads: {torch.get_num_threads()}",
    )


if __name__ == "__main__":
    main()
