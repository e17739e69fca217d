"""The feature pyramid against torchvision's, on maps of our own network."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from photosite.analysis.features import features
from photosite.errors import ShapeError
from photosite.nets import create_model
from photosite.nets.fpn import FeaturePyramid
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
