"""Pooled features: means by hand, the model's own values, any batches, bounded memory, what is refused."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.features import features
from photosite.analysis.representation.pooled import pooled_features
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network

RECIPE = get_recipe("cifar10").at(14)
NODES = ["norm", "relu2", "conv3", "head"]


def photos(count: int = 11) -> list[np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (20 + n % 5, 24 + n % 3, 3), np.uint8) for n in range(count)]


def test_means_over_places_by_hand() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Parameter(torch.full((1, 1, 2), 99.0))

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            return torch.cat([self.first.expand(len(x), -1, -1), tokens], 1).relu()

    x = torch.tensor([[[[1.0, 2], [3, 6]], [[0, 0], [0, 4]]], [[[8.0, 8], [8, 8]], [[-1, -1], [1, 1]]]])
    found = pooled_features(Tokens(), [x], None, ["relu"])["relu"]
    assert found.tolist() == [[3, 1], [8, 0.5]]  # the token in front has no part in it
    assert found.dtype == np.float32


def test_the_models_own_values() -> None:
    model, given = network("modules in place"), photos()
    found = pooled_features(model, given, RECIPE, NODES, batch=4)
    x = torch.from_numpy(np.concatenate([RECIPE(picture) for picture in given]))
    for name, value in features(network(), x, NODES[:3]).items():
        assert found[name] == pytest.approx(value.mean((2, 3)).numpy(), abs=1e-5)
    assert found["head"] == pytest.approx(network()(x).detach().numpy(), abs=1e-5)


def test_prepared_batches_of_any_size_are_the_same() -> None:
    model, given = network(), photos()
    x = np.concatenate([RECIPE(picture) for picture in given])
    wanted = pooled_features(model, given, RECIPE, NODES, batch=4)
    found = pooled_features(model, [x[:5], x[5:6], torch.from_numpy(x[6:])], None, NODES, batch=4)
    for name in NODES:
        assert (found[name] == wanted[name]).all()


def test_no_more_pictures_are_held_than_a_batch() -> None:
    class Watched:
        alive, most = 0, 0

        def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
            for _ in range(40):
                picture = photos(1)[0]
                self.alive += 1
                weakref.finalize(picture, self.gone)
                self.most = max(self.most, self.alive)
                yield picture
                del picture

        def gone(self) -> None:
            self.alive -= 1

    stream = Watched()
    assert pooled_features(network(), stream, RECIPE, ["conv3"], batch=8)["conv3"].shape == (40, 12)
    assert stream.most <= 3


def test_what_is_refused() -> None:
    model, given = network(), photos(2)
    with pytest.raises(RangeError, match="pooled features: wants batch of at least 1, got 0"):
        pooled_features(model, given, RECIPE, NODES, batch=0)
    with pytest.raises(RangeError, match="pooled features: wants at least 1 picture, got none"):
        pooled_features(model, [], RECIPE, NODES)
    with pytest.raises(RangeError, match="pooled features: a picture wants a recipe"):
        pooled_features(model, given, None, NODES)
    with pytest.raises(RangeError, match="pooled features: wants at least 1 value"):
        pooled_features(model, given, RECIPE, [])
    with pytest.raises(UnknownNameError, match="conv3"):
        pooled_features(model, given, RECIPE, ["conv33"])
    with pytest.raises(ShapeError, match=r"pooled features: picture 2 gives an input \(3, 15, 14\)"):
        pooled_features(model, [*given, torch.zeros(1, 3, 15, 14)], RECIPE, NODES)
