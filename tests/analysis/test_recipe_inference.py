"""Recipes told from batch norms: networks whose norms saw pictures prepared in a known way, and honest refusals."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.recipe_inference import NORMALIZATIONS, infer_recipe
from photosite.errors import ShapeError
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.samples import sample_path

SIDE, COUNT = 32, 192


@cache
def pieces(seed: int) -> tuple[Any, ...]:
    """Pieces of real photos at several scales, (32, 32, 3)."""
    rng = np.random.default_rng(seed)
    photos = [load(sample_path(name)) for name in ("chelsea", "coffee", "astronaut", "rocket")]
    found = []
    for _ in range(COUNT):
        photo = photos[int(rng.integers(len(photos)))]
        step = int(rng.integers(1, 5))
        y, x = (int(rng.integers(side - step * SIDE)) for side in photo.shape[:2])
        found.append(np.ascontiguousarray(photo[y : y + step * SIDE : step, x : x + step * SIDE : step]))
    return tuple(found)


def trained(order: str, name: str, seed: int = 0) -> nn.Module:
    """A network with random kernels whose norms have seen pictures prepared in one way, as training leaves them."""
    torch.manual_seed(seed)
    model = create_model("cifar_resnet20")
    scale, mean, std = NORMALIZATIONS[name]
    x = torch.from_numpy(np.stack(pieces(1)).transpose(0, 3, 1, 2).astype(np.float32))
    x = (x * scale - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all that is seen
            module.reset_running_stats()
    with torch.no_grad():
        model.train()(x if order == "RGB" else x.flip(1))
    return model.eval()


@pytest.mark.parametrize(
    ("order", "name"),
    [
        pair if number % 4 == 0 else pytest.param(*pair, marks=pytest.mark.slow)
        for number, pair in enumerate(product(["RGB", "BGR"], NORMALIZATIONS))
    ],
)
def test_the_recipe_is_named_or_refused_and_never_another(order: str, name: str) -> None:
    model = trained(order, name)
    found = infer_recipe(model, pieces(2))
    assert (found.candidates[0].order, found.candidates[0].normalization) == (order, name) or found.refused
    same = infer_recipe(model, pieces(1))  # the very pictures: nothing is nearer
    assert (same.candidates[0].order, same.candidates[0].normalization) == (order, name)
    assert same.candidates[0].divergence < 1e-6
    assert len(same.candidates) == 2 * len(NORMALIZATIONS)


@pytest.mark.slow
def test_most_recipes_are_named() -> None:
    named = [
        found.best is not None and (found.best.order, found.best.normalization) == (order, name)
        for seed, (order, name) in enumerate(
            [("RGB", "ImageNet"), ("BGR", "0 … 1"), ("RGB", "0.5"), ("BGR", "0 … 255")]
        )
        if (found := infer_recipe(trained(order, name, seed), pieces(3)))
    ]
    assert sum(named) >= 3


def test_what_cannot_be_told_is_refused() -> None:
    fresh = infer_recipe(create_model("cifar_resnet20"), pieces(2))
    assert fresh.best is None
    assert "never trained" in fresh.refused
    without = infer_recipe(create_model("vit_tiny_patch16_224", depth=1, img_size=32), pieces(2))
    assert "no batch norm" in without.refused
    model = trained("RGB", "ImageNet")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.add_(40)  # type: ignore[union-attr,operator]
    assert "nothing fits" in infer_recipe(model, pieces(2)).refused
    few = infer_recipe(trained("RGB", "ImageNet"), pieces(2)[:16])
    assert few.best is None or few.best.normalization == "ImageNet"
    with pytest.raises(ShapeError, match="at least 16 pictures"):
        infer_recipe(model, pieces(2)[:15])
    with pytest.raises(ShapeError, match="of one size"):
        infer_recipe(model, [*pieces(2)[:20], np.zeros((30, 32, 3), np.uint8)])


def test_the_model_is_left_as_it_was() -> None:
    model = trained("RGB", "CIFAR-10")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    infer_recipe(model, pieces(2)[:32])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not model.training


def test_real_checkpoints_are_named_from_their_own_kind_of_pictures(shared_data: Path) -> None:
    import zipfile

    with zipfile.ZipFile(shared_data / "cifar10" / "test.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith((".jpg", ".jpeg", ".png"))]
        chosen = np.random.default_rng(0).permutation(len(names))[:512]
        pictures = [load(archive.read(names[number])) for number in chosen]
    ours = infer_recipe(create_model("photosite_resnet12", pretrained=True), pictures)
    assert ours.best is not None, ours.refused
    assert (ours.best.order, ours.best.normalization) == ("RGB", "CIFAR-10")
    theirs = infer_recipe(create_model("cifar_resnet20", shared_data / "weights" / "cifar10-resnet20.th"), pictures)
    assert theirs.best is not None, theirs.refused
    assert (theirs.best.order, theirs.best.normalization) == ("RGB", "ImageNet")
