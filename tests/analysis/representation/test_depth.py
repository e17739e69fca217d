"""All measures together: those of each function alone, read once, any network, what is refused."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.representation.cka import cka_between
from photosite.analysis.representation.depth import measure_depth
from photosite.analysis.representation.linear_probe import linear_probe
from photosite.analysis.representation.orientation_selectivity import orientation_selectivity
from photosite.analysis.representation.pooled import pooled_features
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network
from tests.peers import import_peer, import_torchvision

Picture = np.ndarray[Any, Any]
RECIPE = get_recipe("cifar10").at(14)
NODES = ["norm", "relu2", "head"]


def photos(count: int) -> list[Picture]:
    """Pictures of two classes, by turns: darker and brighter ones."""
    generator = np.random.default_rng(0)
    return [
        generator.integers(0, 200 + 56 * (n % 2), (20 + n % 5, 24 + n % 3, 3)).astype(np.uint8) for n in range(count)
    ]


def other() -> nn.Module:
    torch.manual_seed(5)
    model = network()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def test_what_each_function_says_alone() -> None:
    model, untrained, given, labels = network(), other(), photos(30), [n % 2 for n in range(30)]
    found = measure_depth(
        model, given, labels, RECIPE, NODES, untrained=untrained, classes=("dark", "bright"), batch=8, seed=3
    )
    assert (found.pictures, found.classes) == (30, ("dark", "bright"))
    assert [one.name for one in found.trained] == [one.name for one in found.untrained] == NODES
    for layers, own in ((found.trained, model), (found.untrained, untrained)):
        tunings = orientation_selectivity(own, NODES, (3, 14, 14), RECIPE)
        rows = pooled_features(own, given, RECIPE, NODES, batch=8)
        for layer in layers:
            assert layer.selectivity == pytest.approx(tunings[layer.name][0], abs=1e-4, nan_ok=True)
            assert layer.orientation == pytest.approx(tunings[layer.name][1], abs=0.1, nan_ok=True)
            assert layer.probe == linear_probe(rows[layer.name], labels, seed=3)
    assert (found.cka == cka_between(model, NODES, model, NODES, given, RECIPE, RECIPE, batch=8)).all()
    across = cka_between(model, NODES, untrained, NODES, given, RECIPE, RECIPE, batch=8)
    assert found.cka_untrained is not None
    assert found.cka_untrained == pytest.approx(across, abs=1e-12)


def test_pictures_are_read_once_prepared_or_not() -> None:
    model, given, labels = network(), photos(23), [n % 2 for n in range(23)]
    runs = []

    def counted() -> Iterator[Picture]:
        for number, picture in enumerate(given):
            runs.append(number)
            yield picture

    found = measure_depth(model, counted(), labels, RECIPE, NODES, untrained=other(), batch=5)
    assert runs == list(range(23))
    x = np.concatenate([RECIPE(picture) for picture in given])
    prepared = measure_depth(model, (part for part in (x[:9], x[9:])), labels, RECIPE, NODES, batch=5)
    assert (prepared.cka == found.cka).all()
    assert [one.probe for one in prepared.trained] == [one.probe for one in found.trained]
    assert (prepared.untrained, prepared.cka_untrained) == ((), None)


def test_without_labels_there_is_no_probe() -> None:
    found = measure_depth(network(), photos(8), None, RECIPE, NODES)
    assert [one.probe for one in found.trained] == [None] * 3
    assert found.classes == ()


def test_an_untrained_twin_with_the_same_weights_is_the_same() -> None:
    model = network()
    found = measure_depth(model, photos(12), None, RECIPE, NODES, untrained=copy.deepcopy(model))
    assert found.cka_untrained is not None
    assert found.cka_untrained == pytest.approx(found.cka)
    for one, twin in zip(found.trained, found.untrained, strict=True):
        np.testing.assert_array_equal(one.selectivity, twin.selectivity)


def test_what_is_refused() -> None:
    model, given = network(), photos(8)
    with pytest.raises(RangeError, match="depth: wants batch of at least 4, got 3"):
        measure_depth(model, given, None, RECIPE, NODES, batch=3)
    with pytest.raises(ShapeError, match="depth: wants a label for each picture, got 6 for 8"):
        measure_depth(model, given, [0, 1] * 3, RECIPE, NODES)
    with pytest.raises(ShapeError, match="depth: wants a label for each picture, got 10 for 8"):
        measure_depth(model, given, [0, 1] * 5, RECIPE, NODES)
    with pytest.raises(UnknownNameError, match="conv3"):
        measure_depth(model, given, None, RECIPE, ["conv33"])
    with pytest.raises(RangeError, match="depth: wants at least 1 picture, got none"):
        measure_depth(model, [], None, RECIPE, NODES)
    with pytest.raises(RangeError, match="depth: a picture wants a recipe"):
        measure_depth(model, given, None, None, NODES)

    def untouched() -> Iterator[Picture]:
        pytest.fail("a picture was asked for")
        yield given[0]

    with pytest.raises(RangeError, match="depth: wants pictures of at least 2 classes, got 1"):
        measure_depth(model, untouched(), [1] * 8, RECIPE, NODES)

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - 0.5).log().relu()

    with pytest.raises(RangeError, match="depth: relu: wants finite features"):
        measure_depth(Broken(), given, None, RECIPE, ["relu"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "nodes", "options"),
    [
        ("torchvision", ["relu", "layer2", "layer4"], {}),
        ("vit_tiny_patch16_224", ["blocks.0", "blocks.11"], {"img_size": 64}),
        ("swin_tiny_patch4_window7_224", ["layers.0", "layers.3"], {"img_size": 64, "window_size": 2}),
    ],
)
def test_networks_of_others(name: str, nodes: list[str], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    if name == "torchvision":
        model = import_torchvision().models.resnet18(weights=None)
    else:
        model = import_peer("timm").create_model(name, pretrained=False, **options)
    given, labels = photos(24), [n % 2 for n in range(24)]
    found = measure_depth(model, given, labels, get_recipe("imagenet").at(64), nodes, untrained=copy.deepcopy(model))
    for layer in found.trained:
        assert np.isfinite(layer.selectivity).mean() > 0.5
        assert layer.probe is not None
        assert layer.probe.test == 8
    assert np.diag(found.cka) == pytest.approx(np.ones(len(nodes)))
    assert found.cka[0, 1] < 1


@pytest.mark.slow
def test_our_encoder_holds_more_of_the_class_the_deeper(shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "cifar10" / "test.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::20]
        pictures = [load(io.BytesIO(archive.read(name)).getvalue()) for name in names]
    labels = [name.split("/")[-2] for name in names]
    model = create_model("photosite_resnet12", "default")
    torch.manual_seed(0)
    untrained = create_model("photosite_resnet12")
    found = measure_depth(
        model, pictures, labels, get_recipe("cifar10"), ["relu", "layer1", "layer2", "layer3"], untrained=untrained
    )
    told = [one.probe.accuracy for one in found.trained if one.probe]
    assert told == sorted(told)
    assert told[-1] > 0.8
    assert all(one.probe is not None and one.probe.accuracy < 0.5 for one in found.untrained)
    medians = [[float(np.nanmedian(one.selectivity)) for one in part] for part in (found.trained, found.untrained)]
    assert abs(medians[0][0] - medians[1][0]) < 0.1  # the first layer is no more selective than chance makes it
    assert medians[0][-1] > medians[1][-1] + 0.15
