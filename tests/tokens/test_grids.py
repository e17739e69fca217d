"""Grids of convolutional networks: their fields are those of the networks, their photos those of the publishers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.analysis.feature_map import find_feature_map
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.lightpath import coverage, light_path, tokens_of, unseen
from photosite.nets import create_model
from photosite.tokens import front_end
from photosite.tokens.grids import Grid
from tests.peers import import_peer, import_torchvision
from tests.tokens.peers import photo

SIZES = ((224, 224), (300, 500), (97, 1100), (700, 301))


def padded_as_keras(model: nn.Module) -> nn.Module:
    """Every strided convolution padded by one less above and left, as Keras pads where it does not know the size."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and child.stride == (2, 2):
                side = int(child.padding[0])
                child.padding = (0, 0)
                setattr(parent, name, nn.Sequential(nn.ZeroPad2d((side - 1, side, side - 1, side)), child))
    return model


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("resnet50-224", "resnet50"),
        ("efficientnet-b3-300", "efficientnet_b3"),
        ("vit-hybrid-224", "vit_base_r50_s16_224"),
        ("vit-hybrid-384", "vit_base_r50_s16_384"),
        ("rt-1", "efficientnet_b3"),
    ],
)
def test_fields_are_those_of_the_networks(name: str, network: str) -> None:
    one = front_end(name)
    assert isinstance(one, Grid)
    places = replace(one, learned=0)
    model = create_model(network).eval()
    if name == "rt-1":
        padded_as_keras(model)
    side = places.tiles((500, 400))[0].size_hw[0]
    graph = functional(capture(model, torch.zeros(1, 3, side, side)))
    found = find_feature_map(graph)
    assert found is not None
    field = ReceptiveFields(graph)[found.node]
    assert field.grid == places.sides
    assert field.jump == (places.patch, places.patch)
    assert field.interval("y", 0) == field.interval("x", 0) == (places.start, places.start + places.field - 1)
    assert found.prefix == places.prefix
    assert bool(field.global_by) == bool(places.global_by)
    boxes = places.token_map((500, 400))
    for place in range(places.sides[0]):
        token = places.prefix + place * places.sides[1]
        box = boxes.box(token)
        assert box is not None
        assert field.pixels("y", place) == [(box[0], box[2] - 1)]


@pytest.mark.parametrize("size_hw", SIZES)
def test_photos_are_taken_as_torchvision_and_timm_take_them(size_hw: tuple[int, int]) -> None:
    picture, torchvision = photo(*size_hw), import_torchvision()
    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1, torchvision.models.EfficientNet_B3_Weights.DEFAULT
    for name, published in zip(("resnet50-224", "efficientnet-b3-300"), weights, strict=True):
        wanted = published.transforms()(Image.fromarray(picture))[None].numpy()
        np.testing.assert_array_equal(front_end(name).prepare(picture).values, wanted)
    data = import_peer("timm.data")
    for side in (224, 384):
        published = import_peer("timm").get_pretrained_cfg(f"vit_base_r50_s16_{side}").to_dict()
        transform = data.create_transform(**data.resolve_data_config(pretrained_cfg=published))
        wanted = transform(Image.fromarray(picture))[None].numpy()
        np.testing.assert_array_equal(front_end(f"vit-hybrid-{side}").prepare(picture).values, wanted)


@pytest.mark.parametrize("size_hw", SIZES)
def test_rt_1_resizes_numbers_without_antialiasing(size_hw: tuple[int, int]) -> None:
    """tf.image.resize takes the centers of pixels and two neighbors each way, as torch does without antialiasing."""
    picture = photo(*size_hw)
    values = torch.from_numpy(picture.transpose(2, 0, 1)[None] / np.float32(255))
    resized = torch.nn.functional.interpolate(values, (300, 300), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(one).reshape(3, 1, 1) for one in (front_end("rt-1").mean, front_end("rt-1").std))
    # both count pixels in single precision: at the thousandth, places are off by 1e-4 of a pixel
    np.testing.assert_allclose(front_end("rt-1").prepare(picture).values, (resized - mean) / std, atol=2e-4)


def test_what_tokens_of_a_grid_see() -> None:
    one, size_hw = front_end("resnet50-224"), (256, 256)  # nothing is resized, 16 pixels are cut on each side
    path = light_path(one, size_hw, 0)
    assert path.cell == (0, 0, 32, 32)
    assert path.stages[0].box == (0, 0, 214, 214)
    assert path.photo_box == (16, 16, 230, 230)
    assert tokens_of(one, size_hw, (10, 100)) == []
    assert tokens_of(one, size_hw, (16, 16)) == list(range(49))  # the last one's field begins 21 pixels above
    assert unseen(one, size_hw) == pytest.approx(1 - 224**2 / 256**2)


def test_learned_tokens_are_made_of_all_places() -> None:
    one, size_hw = front_end("rt-1"), (300, 300)
    assert one.count(size_hw).total == 8
    path = light_path(one, size_hw, 5)
    assert path.patches == tuple(range(81))
    assert path.photo_box == (0, 0, 300, 300)
    assert path.global_by == ("squeeze and excitation", "TokenLearner")
    assert (coverage(one, size_hw) == 8).all()
    assert len(replace(one, learned=0).token_map(size_hw)) == 81  # type: ignore[call-arg]
