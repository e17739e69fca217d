"""The feature pyramid against torchvision's, on maps of our own network."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from photosite.analysis.features import features
from photosite.errors import ShapeError
from photosite.nets import create_model
from photosite.nets.fpn import FeaturePyramid, PyramidNet
from tests.peers import import_torchvision


@pytest.mark.parametrize("size", [(64, 96), (75, 133)])  # odd maps too: nearest, to the very size
def test_pyramids_are_torchvisions(size: tuple[int, int]) -> None:
    ops = import_torchvision().ops
    maps = features(create_model("resnet18"), torch.randn(1, 3, *size), ["layer1", "layer2", "layer3", "layer4"])
    channels = [value.shape[1] for value in maps.values()]
    peer = ops.FeaturePyramidNetwork(channels, 32, ops.feature_pyramid_network.LastLevelMaxPool())
    ours = FeaturePyramid(channels, 32)
    ours.load_state_dict(peer.state_dict())
    with torch.inference_mode():
        wanted, found = peer(maps), ours(maps)
    assert list(found) == list(wanted) == [*maps, "pool"]
    for name in wanted:
        assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-5)
    assert "pool" not in FeaturePyramid(channels, 32, extra_level=False)(maps)
    with pytest.raises(ShapeError, match="wants 4 maps, got 1"):
        ours({"layer1": maps["layer1"]})


def test_a_network_with_a_pyramid_is_torchvisions() -> None:
    utils = import_torchvision().models.detection.backbone_utils
    torch.manual_seed(0)
    peer = utils.resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=torch.nn.BatchNorm2d).eval()
    ours = PyramidNet(create_model("resnet18", num_classes=0, features_only=True, out_indices=(1, 2, 3, 4))).eval()
    theirs = {key.replace("body.", "body.net."): value for key, value in peer.state_dict().items()}
    assert not ours.load_state_dict(theirs, strict=False).missing_keys
    x = torch.randn(1, 3, 96, 130)
    with torch.inference_mode():
        wanted, found = peer(x), ours(x)
    assert list(found) == list(wanted)
    for name in wanted:
        assert_close(found[name], wanted[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet", "vgg11_bn", "convnext_tiny", "efficientnet_b0", "vit_tiny_patch16_224"])
def test_every_family_takes_a_pyramid(name: str) -> None:
    net = create_model(name, features_only=True)
    with torch.inference_mode():
        maps = PyramidNet(net, 16)(torch.zeros(1, 3, 96, 128))
    assert [one.shape[1] for one in maps.values()] == [16] * (len(net.feature_info) + 1)
    with pytest.raises(ShapeError, match="features_only=True"):
        PyramidNet(net.net)
