"""Networks of the article against torchvision's modules: the same keys, parameters, fresh weights' shapes, logits."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from photosite.errors import ShapeError
from photosite.nets import create_model, list_models
from photosite.nets.stochastic_depth import StochasticDepth
from tests.peers import import_torchvision

PARAMETERS = {
    "resnext50_32x4d": 25_028_904, "resnext101_32x8d": 88_791_336, "resnext101_64x4d": 83_455_272,
    "wide_resnet50_2": 68_883_240, "wide_resnet101_2": 126_886_696,
    "alexnet": 61_100_840, "vgg11": 132_863_336, "vgg11_bn": 132_868_840, "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736, "vgg16": 138_357_544, "vgg16_bn": 138_365_992, "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248, "convnext_tiny": 28_589_128, "convnext_small": 50_223_688, "convnext_base": 88_591_464,
    "convnext_large": 197_767_336, "efficientnet_b0": 5_288_548, "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994, "efficientnet_b3": 12_233_232, "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784, "efficientnet_b6": 43_040_704, "efficientnet_b7": 66_347_960,
    "efficientnet_v2_s": 21_458_488, "efficientnet_v2_m": 54_139_356, "efficientnet_v2_l": 118_515_272,
}  # fmt: skip
"""Of torchvision 0.28's weights, `meta["num_params"]`."""
FORWARD = (
    "resnext50_32x4d",
    "alexnet",
    "vgg11_bn",
    "vgg16",
    "convnext_tiny",
    "efficientnet_b0",
    "efficientnet_b5",
    "efficientnet_v2_s",
)
SLOW = ("wide_resnet50_2", "vgg19_bn", "convnext_base", "efficientnet_b7", "efficientnet_v2_m", "efficientnet_v2_l")


@pytest.mark.parametrize("name", PARAMETERS)
def test_keys_shapes_and_parameters_are_the_publishers(name: str) -> None:
    torchvision = import_torchvision()
    with torch.device("meta"):
        ours, peer = create_model(name), torchvision.models.get_model(name, weights=None)
    assert sum(parameter.numel() for parameter in ours.parameters()) == PARAMETERS[name]
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [(k, v.shape) for k, v in peer.state_dict().items()]


@pytest.mark.parametrize("name", [*FORWARD, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_logits_are_the_publishers(name: str) -> None:
    torchvision = import_torchvision()
    torch.manual_seed(0)
    peer = torchvision.models.get_model(name, weights=None).eval()
    for module in peer.modules():  # as after training: every scale, shift and statistic counts
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if hasattr(module, "layer_scale"):
            nn.init.uniform_(module.layer_scale, 0.1, 0.4)
    ours = create_model(name, weights=None)
    ours.load_state_dict(peer.state_dict())
    x = torch.randn(2, 3, 96, 128)
    with torch.inference_mode():
        wanted = peer(x)
        assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
        features = ours.forward_features(x)
        assert features.shape[1] == ours.width
        assert_close(ours.forward_head(features), ours(x))
        before = ours.forward_head(features, pre_logits=True)
    assert before.ndim == 2
    nothing = create_model(name, num_classes=0)
    nothing.load_state_dict({key: value for key, value in peer.state_dict().items() if key in nothing.state_dict()})
    with torch.inference_mode():
        assert_close(nothing(x), before)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "convnext_tiny", "efficientnet_b0"])
def test_what_is_no_picture_is_refused(name: str) -> None:
    model = create_model(name, num_classes=10)
    assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 10)
    with pytest.raises(ShapeError, match="channels first"):
        model(torch.zeros(1, 64, 96, 3))
    with pytest.raises(ShapeError, match="at least"):
        model(torch.zeros(1, 3, 16, 96))


def test_stochastic_depth_leaves_pictures_out_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer, x = StochasticDepth(0.25), torch.ones(4000, 3, 2, 2)
    assert layer.eval()(x) is x
    out = layer.train()(x)
    kept = out[:, 0, 0, 0] > 0
    assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
    assert_close(out[kept], x[kept] / 0.75)
    assert not out[~kept].any()
    assert StochasticDepth(0.0).train()(x) is x


def test_every_family_is_listed() -> None:
    assert set(PARAMETERS) <= set(list_models())
    assert list_models("vgg*", exclude="*_bn") == ["vgg11", "vgg13", "vgg16", "vgg19"]
