"""Which depths are looked at: the main line of many kinds of network, by hand and by a law."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.depths import Depth, depths_of, main_depths
from photosite.errors import RangeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from photosite.nets.sources import find_model
from tests.peers import import_torchvision


@cache
def graph_of(name: str, side: int = 224) -> Graph:
    if not name.startswith("timm:") and ":" in name:
        import_torchvision()
    return functional(capture(find_model(name), torch.zeros(1, 3, side, side)))


def read(model: nn.Module, side: int = 32) -> Graph:
    return functional(capture(model.eval(), torch.zeros(2, 3, side, side)))


def names(found: tuple[Depth, ...]) -> list[str]:
    return [one.name for one in found]


class Shortcut(nn.Module):
    """A stem, a block with a shortcut around two convolutions, a strided convolution; its ReLU is used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = (nn.Conv2d(3 if k == 0 else 4, 4, 3, padding=1) for k in range(3))
        self.down, self.relu = nn.Conv2d(4, 6, 2, 2), nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        x = x + self.b(self.relu(self.a(x)))
        y: Tensor = self.head(self.relu(self.down(x)).mean((2, 3)))
        return y


def test_by_hand() -> None:
    found = main_depths(read(Shortcut()))
    # behind the stem, behind the sum, and the last map; neither a nor b, which the shortcut goes around
    assert [(one.node.kind, one.layers, one.channels, one.grid, one.size) for one in found] == [
        ("relu", 1, 4, (32, 32), (3, 3)),
        ("add", 3, 4, (32, 32), (7, 7)),
        ("relu", 4, 6, (16, 16), (8, 8)),
    ]
    assert [one.reason for one in found] == [
        *("the first layer", "the last value of 32 × 32 places", "the last value of 16 × 16 places"),
    ]
    assert found[-1].jump == (2, 2)
    assert found[-1].name == "relu"  # it is the last thing that this module made
    assert names(found)[:2] == [found[0].node.name, found[1].node.name]  # no module ends there


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("torchvision:resnet18", ["relu", "layer1.0", "layer1", "layer2", "layer3", "layer4"]),
        ("torchvision:vgg11", ["features.1", "features.4", "features.7", "features.9", "features.14", "features.19"]),
        pytest.param(
            "torchvision:efficientnet_b0",
            ["features.0", "features.1", "features.2", "features.3", "features.5", "features"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "torchvision:swin_t",
            ["features.0", "features.1", "features.3", "features.5.2", "features.5", "norm"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "torchvision:densenet121",
            ["features.relu0", *(f"features.denseblock{k}" for k in (1, 2, 3)), "relu__120"],
            marks=pytest.mark.slow,
        ),
        ("timm:vit_tiny_patch16_224", ["patch_embed", "blocks.1", "blocks.4", "blocks.6", "blocks.9", "norm"]),
    ],
)
def test_stages_of_known_networks(name: str, wanted: list[str]) -> None:
    graph = graph_of(name)
    found = main_depths(graph)
    assert names(found) == wanted
    assert all(graph.find(one.name).name == one.node.name for one in found)
    assert all(one.layout in ("NCHW", "NHWC", "tokens") for one in found)
    assert [one.layers for one in found] == sorted({one.layers for one in found})


def test_how_far_the_depths_see_is_stated_with_what_makes_them_see_everything() -> None:
    # 7 and 3 by 2: the published numbers of ResNet-18
    assert [one.size for one in main_depths(graph_of("torchvision:resnet18"))] == [
        (side, side) for side in (7, 27, 43, 99, 211, 435)
    ]
    tokens = main_depths(graph_of("timm:vit_tiny_patch16_224"))
    assert [bool(one.field.global_by) for one in tokens] == [False, True, True, True, True, True]
    assert {one.size for one in tokens} == {(16, 16)}


@pytest.mark.parametrize(
    "name", ["photosite_resnet12", pytest.param("timm:vit_tiny_patch16_224", marks=pytest.mark.slow)]
)
def test_no_way_goes_around_a_depth(name: str) -> None:
    """What stands on the main line decides alone: with its value nothing before it is needed."""
    graph = graph_of(name, 64 if name == "photosite_resnet12" else 224)
    last = main_depths(graph)[-1].node.name
    for one in main_depths(graph):
        wanted, names_read = [last], set()
        while wanted:
            name_of = wanted.pop()
            if name_of != one.node.name and name_of not in names_read:
                names_read.add(name_of)
                wanted += graph.node(name_of).inputs if name_of in graph else ()
        assert graph.inputs[0] not in names_read


@pytest.mark.parametrize("at_most", [2, 3, 4, 5, 6, 9, 40])
def test_so_many_and_always_the_first_and_the_last(at_most: int) -> None:
    graph = graph_of("photosite_resnet12", 64)
    found = main_depths(graph, at_most)
    assert names(found)[0] == "relu"
    assert names(found)[-1] == "layer3"
    assert len(found) == min(at_most, 6)  # a stem and five blocks: there is no seventh
    assert len({one.node.name for one in found}) == len(found)


def test_what_stands_closest_leaves_first() -> None:
    assert names(main_depths(graph_of("torchvision:vgg11"), 3)) == ["features.1", "features.9", "features.19"]


def test_the_picture_itself_is_no_depth() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.ReLU())
    assert names(main_depths(read(model))) == ["2"]


def test_named_values() -> None:
    graph = graph_of("photosite_resnet12", 64)
    stem, logits = depths_of(graph, ["conv1", "fc"])
    assert (stem.layers, stem.channels, stem.grid, stem.size) == (1, 32, (64, 64), (7, 7))
    assert (logits.channels, logits.layout, logits.grid, logits.jump) == (10, "", (0, 0), None)
    assert logits.layers == 12
    with pytest.raises(UnknownNameError, match="layer9"):
        depths_of(graph, ["layer9"])


def test_refused() -> None:
    with pytest.raises(RangeError, match="wants at least 2, got 1"):
        main_depths(graph_of("photosite_resnet12", 64), 1)
    with pytest.raises(RangeError, match="no value of this model has rows and columns that are known; name the layers"):
        main_depths(read(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))))
