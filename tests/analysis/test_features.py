"""Features from any layer: equal to what hooks see, in one layout, with the model left as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from photosite.analysis.features import FeatureReader, features, side_by_side
from photosite.errors import ShapeError, UnknownNameError
from photosite.nets import create_model
from photosite.nets.sources import import_torchvision
from tests import zoo


def hooked(model: nn.Module, x: torch.Tensor, paths: list[str]) -> dict[str, torch.Tensor]:
    """What forward hooks see, copied at once."""
    seen: dict[str, torch.Tensor] = {}
    handles = [
        model.get_submodule(path).register_forward_hook(lambda _, __, out, path=path: seen.update({path: out.clone()}))
        for path in paths
    ]
    with torch.inference_mode():
        model(x)
    for handle in handles:
        handle.remove()
    return seen


def test_maps_are_what_hooks_see_though_the_next_operation_overwrites_them() -> None:
    model, x = create_model("resnet18"), torch.randn(2, 3, 64, 96)
    paths = ["conv1", "bn1", "layer1", "layer2.0.bn1", "layer4"]
    wanted, found = hooked(model, x, paths), features(model, x, paths)
    for path in paths:
        assert_close(found[path], wanted[path], rtol=0, atol=0)
    assert list(found) == paths
    assert not any(module._forward_hooks for module in model.modules())


def test_tokens_lose_their_prefix_and_become_a_map() -> None:
    model, x = create_model("vit_small_patch14_reg4_dinov2"), torch.randn(1, 3, 42, 56)
    with torch.no_grad():
        model.reg_token.normal_()
    wanted = hooked(model, x, ["blocks.3"])["blocks.3"]
    reader = FeatureReader(model, x)
    place = reader.place("blocks.3")
    assert (place.layout, place.grid, place.width, place.prefix) == ("tokens", (3, 4), 384, 5)
    tokens = reader(x, ["blocks.3"], "tokens")["blocks.3"]
    assert_close(tokens, wanted[:, 5:])
    assert_close(reader(x, ["blocks.3"])["blocks.3"], wanted[:, 5:].transpose(1, 2).reshape(1, 384, 3, 4))
    assert_close(reader(x, ["blocks.3"], "as it is")["blocks.3"], wanted)


def test_channels_last_come_out_channels_first() -> None:
    import_torchvision()
    model, _ = zoo.build("torchvision:swin_t")
    x = torch.randn(1, 3, 64, 96)
    wanted = hooked(model, x, ["features.3"])["features.3"]
    found = features(model, x, ["features.3"])["features.3"]
    assert wanted.shape == (1, 8, 12, 192)
    assert_close(found, wanted.permute(0, 3, 1, 2))


def test_other_pictures_of_the_size_and_no_shared_memory() -> None:
    model = create_model("resnet18")
    reader = FeatureReader(model, torch.zeros(1, 3, 64, 64))
    first = reader(torch.ones(1, 3, 64, 64), ["layer1"])["layer1"]
    kept = first.clone()
    reader(torch.full((1, 3, 64, 64), -2.0), ["layer1"])
    assert_close(first, kept, rtol=0, atol=0)
    assert not first.requires_grad
    with pytest.raises(ShapeError):
        reader(torch.ones(1, 3, 32, 64), ["layer1"])


def test_layers_side_by_side() -> None:
    model, x = create_model("resnet18"), torch.randn(1, 3, 64, 64)
    found = features(model, x, ["layer2", "layer3", "layer4"])
    joined = side_by_side(found.values())
    assert joined.shape == (1, 128 + 256 + 512, 8, 8)
    assert_close(joined[:, :128], found["layer2"])
    assert_close(joined[:, 128:384, ::2, ::2], found["layer3"])
    with pytest.raises(ShapeError, match="wants maps"):
        side_by_side([torch.zeros(1, 2)])


def test_what_is_refused() -> None:
    model, x = create_model("resnet18"), torch.zeros(1, 3, 64, 64)
    with pytest.raises(UnknownNameError, match="layer4"):
        features(model, x, ["layer9"])
    with pytest.raises(ShapeError, match="fc holds no map of places"):
        features(model, x, ["fc"])
    assert features(model, x, ["fc"], "as it is")["fc"].shape == (1, 1000)
