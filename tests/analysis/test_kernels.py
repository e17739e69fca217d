"""Kernels of real, random and made networks: what they answer to, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.kernel_kinds import by_orientation
from photosite.analysis.kernels import LayerKernels, kernels
from photosite.graph.capture import capture
from photosite.nets.sources import find_model
from tests.analysis.patterns import colored, noisy, patch, stripes, turn


def measured(spec: str, weights: str | Path | None, side: int) -> LayerKernels:
    model = find_model(spec, weights)
    return kernels(model, capture(model, torch.zeros(1, 3, side, side)))


def made() -> nn.Sequential:
    """Eight striped kernels, three patches in color, a gray one, noise; one dead by its norm, one the opposite."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 7), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 4, 3)).eval()
    found = [colored(stripes(7, 20 * k, 0.2 + 0.01 * k, k, 1.8), np.array([1, 0.9, 0.8])) for k in range(8)]
    found += [colored(patch(7, 1.2), np.array(color)) for color in ([1, -1, 0], [1.0, 1, -2], [-1, 0, 1])]
    found += [colored(patch(7, 1.2), np.ones(3)), np.random.default_rng(0).normal(size=(3, 7, 7))]
    found += [colored(stripes(7, 95, 0.3, 0, 1.8), np.ones(3)), found[2], -0.5 * found[3]]
    with torch.no_grad():
        for k, kernel in enumerate(found):
            model[0].weight[k] = torch.from_numpy(noisy(kernel, 0.005, k))
        model[1].weight[13] = 0
    return model


def test_planted_kernels_are_told_apart() -> None:
    model = made()
    found = kernels(model, capture(model, torch.zeros(1, 3, 16, 16)))
    kinds = ["oriented"] * 8 + ["color blob"] * 3 + ["other"] * 2 + ["dead"] + ["oriented"] * 2
    assert [one.kind for one in found.kernels] == kinds
    assert found.filters.dead == (13,)
    groups = [(one.first, one.same, one.flipped) for one in found.filters.duplicates]
    assert groups == [(2, (14,), ()), (3, (), (15,))]
    assert [one.color.axis for one in found.kernels[8:11] if one.color] == ["red–green", "yellow–blue", "red–blue"]
    for k in range(8):
        fit = found.kernels[k].fit
        assert fit is not None
        assert fit.orientation is not None
        assert turn(fit.orientation, 20 * k) < 2
    assert found.kernels[13].fit is None


def test_the_order_is_by_direction_then_frequency_and_complete() -> None:
    model = made()
    found = kernels(model, capture(model, torch.zeros(1, 3, 16, 16))).kernels
    ordered = by_orientation(found)
    assert {one.number for one in ordered} == {one.number for one in found if one.kind == "oriented"}
    sectors = [
        (one.fit.orientation + 7.5) % 180 // 15 for one in ordered if one.fit and one.fit.orientation is not None
    ]
    assert sectors == sorted(sectors)
    assert ordered[0].number == 0  # 0°, which may be found as 179.9°


def test_bgr_is_turned_around() -> None:
    model = nn.Conv2d(3, 2, 1)
    graph = capture(model, torch.zeros(1, 3, 8, 8))
    plain, turned = (kernels(model, graph, channel_order=order).pictures for order in ("RGB", "BGR"))
    assert plain is not None
    assert turned is not None
    np.testing.assert_array_equal(plain[:, ::-1], turned)


def test_other_channel_counts_have_stripes_but_no_color() -> None:
    model = nn.Conv2d(5, 4, 7)
    with torch.no_grad():
        for k in range(4):
            pattern = colored(stripes(7, 40 * k, 0.25, k, 1.8), np.random.default_rng(k).normal(size=5))
            model.weight[k] = torch.from_numpy(pattern)
    found = kernels(model, capture(model, torch.zeros(1, 5, 16, 16)))
    assert [(one.kind, one.color) for one in found.kernels] == [("oriented", None)] * 4


def test_deeper_layers_are_filters_and_no_pictures() -> None:
    model = made()
    found = kernels(model, capture(model, torch.zeros(1, 3, 16, 16)), "3")
    assert (found.pictures, found.kernels, len(found.filters.norms)) == (None, (), 4)


def test_our_encoder_has_stripes_and_colors_and_random_weights_have_none() -> None:
    trained, random = (measured("photosite_resnet12", weights, 64) for weights in (None, "random"))
    kinds = [one.kind for one in trained.kernels]
    assert (kinds.count("oriented"), kinds.count("color blob"), len(kinds)) == (12, 7, 32)
    edges = [one.fit.orientation for one in trained.kernels if one.fit and one.fit.orientation is not None]
    assert sum(min(turn(angle, 0), turn(angle, 90)) < 10 for angle in edges) == 11  # nearly all lie or stand
    assert [one.kind for one in random.kernels] == ["other"] * 32
    assert trained.filters.rank < 20 < 30 < random.filters.rank


def test_the_published_resnet20_has_two_dead_kernels(shared_data: Path) -> None:
    found = measured("cifar_resnet20", shared_data / "weights" / "cifar10-resnet20.th", 32)
    kinds = [one.kind for one in found.kernels]
    assert (kinds.count("oriented"), kinds.count("color blob")) == (4, 3)
    assert found.filters.dead == (6, 14)
    # Dead indeed: what comes out hardly varies over photos, where that of others does.
    model = find_model("cifar_resnet20", shared_data / "weights" / "cifar10-resnet20.th")
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        spread = model.bn1(model.conv1(x)).std((0, 2, 3))  # type: ignore[operator]
    assert spread[[6, 14]].max() < 0.01
    assert spread[[k for k in range(16) if k not in (6, 14)]].min() > 0.03


@pytest.mark.parametrize(
    ("spec", "side"), [("resnet18", 224), ("alexnet", 224), ("vgg11", 224), ("convnext_tiny", 224)]
)
def test_random_first_layers_have_no_direction(spec: str, side: int) -> None:
    found = measured(spec, "random", side)
    assert sum(one.kind == "oriented" for one in found.kernels) <= 0.03 * len(found.kernels)
    assert found.filters.dead == ()
    assert found.filters.duplicates == ()
