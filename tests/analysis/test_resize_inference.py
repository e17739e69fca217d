"""Resize filters told from batch norms: seldom, and refused where photos are sharper or softer than the training's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.norm_statistics import stacked
from photosite.analysis.recipe_inference import Candidate, prepared
from photosite.analysis.resize_inference import ALIASED, FILTERS, infer_resize, resized_ways
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe
from photosite.prep.samples import sample_path
from tests.analysis.test_recipe_inference import small_network

CLAIMED = Candidate("RGB", "0.5", 0.0, ())
RECIPE = get_recipe("cifar10")


@cache
def ways(seed: int, count: int = 96) -> tuple[Any, ...]:
    """Pieces of real photos, 128 × 160, made small with each filter."""
    rng = np.random.default_rng(seed)
    photos = [load(sample_path(name)) for name in ("chelsea", "coffee", "astronaut", "rocket")]
    found = []
    for number in range(count):
        photo = photos[number % len(photos)]
        y, x = int(rng.integers(photo.shape[0] - 128)), int(rng.integers(photo.shape[1] - 160))
        found.append(resized_ways(photo[y : y + 128, x : x + 160], RECIPE))
    return tuple(found)


def trained(name: str) -> nn.Module:
    """A network with random kernels whose norms have seen pictures resized with one filter."""
    torch.manual_seed(0)
    model = create_model("cifar_resnet20")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all that is seen
            module.reset_running_stats()
    with torch.no_grad():
        model.train()(prepared(stacked(one[name] for one in ways(0)), "RGB", "0.5"))
    return model.eval()


@pytest.mark.parametrize("name", [pytest.param("bicubic", marks=pytest.mark.slow), ALIASED])
def test_the_same_pictures_are_nearest(name: str) -> None:
    found = infer_resize(trained(name), ways(0), CLAIMED)
    assert next(iter(found.divergences)) == name
    assert found.divergences[name] < 1e-6
    assert set(found.divergences) == {*FILTERS, ALIASED}
    assert found.pictures == 96
    assert found.best in (None, name)  # 96 pictures are too few to be sure


@pytest.mark.slow
def test_what_training_on_aliased_pictures_leaves_is_told(photos: list[Path]) -> None:
    """The table of docs/recipe-inference.md; `pytest -s` prints it."""
    rng = np.random.default_rng(0)
    large = [photo for photo in map(load, photos) if min(photo.shape[:2]) > 200]
    shown, labels = crops(large[::2], 1500, rng)
    own, _ = crops(large[::2], 512, rng)
    other, _ = crops(large[1::2], 512, rng)
    for name in ("nearest", "bilinear"):
        model = small_network(prepared(stacked(one[name] for one in shown), "RGB", "0.5"), labels, 1, 250)
        for kind, some in (("own", own), ("other", other)):
            found = infer_resize(model, some, CLAIMED)
            print(f"| {name} | {kind} | {found.best} | {found.refused} |")
            assert found.best in (None, name)
            assert name in found.tied
            aliased = set(found.tied) <= {"nearest", ALIASED}
            assert aliased == (name == "nearest")
            assert found.best is not None or found.refused.endswith("all are without antialias") == aliased


def crops(photos: list[Any], count: int, rng: np.random.Generator) -> tuple[list[Any], torch.Tensor]:
    """Pieces of 128 × 128 made small with each filter, and a class for each photo."""
    found, labels = [], []
    for _ in range(count):
        number = int(rng.integers(len(photos)))
        photo = photos[number]
        y, x = (int(rng.integers(side - 128)) for side in photo.shape[:2])
        found.append(resized_ways(np.ascontiguousarray(photo[y : y + 128, x : x + 128]), RECIPE))
        labels.append(number % 10)
    return found, torch.tensor(labels)


def test_from_other_pictures_it_is_refused_or_right() -> None:
    for name in ("bilinear", "nearest"):
        found = infer_resize(trained(name), ways(1), CLAIMED)
        assert found.best in (None, name)
        assert found.best is not None or "cannot be told apart by these pictures" in found.refused


def test_pictures_without_edges_tell_nothing() -> None:
    flat = [dict.fromkeys((*FILTERS, ALIASED), one["box"]) for one in ways(0)]
    found = infer_resize(trained("box"), flat, CLAIMED)
    assert found.best is None
    assert f"{ALIASED} cannot be told apart" in found.refused


def test_few_pictures_untrained_networks_and_other_recipes_are_refused() -> None:
    model = trained("box")
    assert "15 pictures are at least 2 times as large" in infer_resize(model, ways(0)[:15], CLAIMED).refused
    assert "never trained" in infer_resize(create_model("cifar_resnet20"), ways(0)[:16], CLAIMED).refused
    wrong = infer_resize(model, ways(0)[:16], Candidate("RGB", "0 … 255", 0.0, ()))
    assert "nothing fits" in wrong.refused


def test_ways_are_those_of_the_recipe_and_of_plain_interpolation() -> None:
    photo = load(sample_path("chelsea"))[:128, :160]
    found = resized_ways(photo, RECIPE)
    assert found is not None
    np.testing.assert_array_equal(found["bilinear"], RECIPE.cropped(RECIPE.resized(photo)))
    # 4 to 1, so the points lie between the second and the third of four pixels; each counts for a quarter
    block = photo.astype(int)
    mean = sum(block[y::4, x::4] for y in (1, 2) for x in (1, 2)) / 4
    resized = RECIPE.cropped(np.rint(mean).astype(np.uint8))
    assert int(np.abs(found[ALIASED].astype(int) - resized).max()) <= 1  # ties in rounding
    assert resized_ways(photo[:63], RECIPE) is None
    assert resized_ways(photo[:64], RECIPE) is not None
