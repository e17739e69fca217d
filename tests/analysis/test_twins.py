"""Receptive fields against the gradient of a twin with positive weights: each pixel that counts, and no other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.receptive_field import ReceptiveField, ReceptiveFields
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.reach.field import ways_of
from tests import zoo
from tests.analysis import twin


def check_against_twin(model: nn.Module, short: int, long: int, nodes: int = 12) -> int:
    """Compare what places all over some nodes' maps see with the twin's gradient, across and down a strip."""
    checked = 0
    for down in (False, True):
        way = "y" if down else "x"
        shape = (1, 3, long, short) if down else (1, 3, short, long)
        graph = functional(capture(model.eval(), torch.zeros(shape)))
        found = ReceptiveFields(graph)
        rolls = any(
            node.kind in ("roll", "pad", "cat") for node in graph
        )  # what comes in at the other end lies beyond the border
        x = torch.ones(shape, dtype=torch.float64, requires_grad=True)
        values = twin.values(graph, x)
        single = [node for node in graph if len(node.shapes) == 1 and len(node.shape) == 4]
        maps = [node.name for node in single if is_map(found[node.name], way)]
        maps = [name for name in maps if not blind(found[name], "x" if down else "y")]
        if not maps:
            continue
        last_of_jump = {found[name].jump: name for name in maps}  # the end of every stage
        for name in dict.fromkeys([*maps[:: max(len(maps) // nodes, 1)], *last_of_jump.values(), maps[-1]]):
            axis = next(dim for dim, parts in enumerate(found[name].field.axes) if way in ways_of(parts))
            side = values[name].shape[axis]
            for place in {0, 1, side // 3, side // 2, side // 2 + 1, side - 1} & set(range(side)):
                truth = twin.seen(values[name], x, axis, place, down=down)
                said = found[name].pixels(way, place)
                if found[name].at_most:
                    assert said is None or covered(truth, said), (name, place, way)
                else:
                    assert said == truth, (name, place, way)
                if truth and not rolls:
                    low, high = found[name].interval(way, place)
                    assert low <= truth[0][0] <= truth[-1][1] <= high
                checked += 1
    return checked


def covered(inner: list[tuple[int, int]], outer: list[tuple[int, int]]) -> bool:
    """Whether each interval lies in one of the others."""
    return all(any(low <= a <= b <= high for low, high in outer) for a, b in inner)


def blind(one: ReceptiveField, way: str) -> bool:
    """Whether no place sees any pixel in a direction, as behind a stride that steps over all that was set."""
    side = one.field.parts(way)[0].side if len(one.field.parts(way)) == 1 else 0
    return side > 0 and not any(one.pixels(way, place) for place in range(side))


def is_map(one: ReceptiveField, way: str) -> bool:
    """Whether an axis of a value runs in a direction and in no other, and it sees nothing but its local field."""
    if not one.known or not one.depends or one.global_by:
        return False
    axes = [axis for axis in one.field.axes if way in ways_of(axis)]
    return len(axes) == 1 and [len(segment) for segment in axes[0]] == [1]


CONVOLUTIONAL = (
    "alexnet", "vgg11", "resnet18", "resnet50", "resnext50_32x4d", "densenet121", "inception_v3", "googlenet",
    "squeezenet1_0", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0", "mnasnet1_0", "regnet_y_400mf",
    "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny",
)  # fmt: skip


SMALL = ("squeezenet1_0", "mobilenet_v3_small")


@pytest.mark.parametrize("name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in CONVOLUTIONAL])
def test_networks_of_torchvision_against_their_twins(name: str) -> None:
    model, _ = zoo.build(f"torchvision:{name}")
    assert check_against_twin(model, 96 if name != "inception_v3" else 128, 1024) > 50


class UNet(nn.Module):
    """Down and up again, once by a transposed convolution, once by nearest and once by bilinear upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, 2, 1), nn.Conv2d(4, 4, 5, 2, 2)])
        self.deep = nn.Conv2d(4, 4, 3, 2, 1)
        self.up = nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)
        self.mix = nn.ModuleList([nn.Conv2d(8, 4, 3, padding=1) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for layer in self.down:
            x = F.relu(layer(x))
            skips.append(x)
        x = self.up(self.deep(x))
        x = self.mix[0](torch.cat([x, skips[2]], 1))
        x = self.mix[1](torch.cat([F.interpolate(x, scale_factor=2.0), skips[1]], 1))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
        y: torch.Tensor = self.mix[2](torch.cat([x, skips[0]], 1))
        return y


class Even(nn.Module):
    """Lets go of a last odd row and column."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]


class Dilated(nn.Module):
    """As DeepLab: dilated branches side by side, and one that sees everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 7, 2, 3)
        self.branches = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=d, dilation=d) for d in (1, 6, 12)])
        self.last = nn.Conv2d(12, 4, (1, 5), padding=(0, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.pad(self.stem(x), (0, 1, 0, 2)), 3, 2)
        y: torch.Tensor = self.last(torch.cat([branch(x) for branch in self.branches], 1))
        return y


TIMM = {
    "96x512": """resnetv2_50 nfnet_l0 ecaresnet26t hrnet_w18_small dla34 dpn48b repvgg_a0 inception_next_tiny rexnet_100
        selecsls42 vovnet39a resnest14d res2net50_14w_8s gernet_s lcnet_050 ghostnet_050 mobilenetv4_conv_small
        starnet_s1 repvit_m0_9 poolformer_s12 fastvit_t8 convnextv2_atto focalnet_tiny_srf tf_efficientnet_b0
        tf_mobilenetv3_small_075 xception41""",
    "128x512": "csatv2 inception_v4 tresnet_m",
    "64x400": "nasnetalarge",
    "224x224": """vit_small_r26_s32_224 vit_tiny_r_s16_p8_224 twins_svt_small efficientvit_m0 nest_tiny coat_lite_mini
        efficientformerv2_s0 volo_d1_224 davit_tiny tiny_vit_5m_224 hieradet_small""",
    "256x256": "swinv2_tiny_window8_256 halonet26t mobilevitv2_050",
}
"""Convolutional networks of many kinds, hybrids, attention in windows, padding as in TensorFlow, by size of input."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("torchvision:swin_t", "112x448"), ("torchvision:maxvit_t", "224x224")]
    + [(f"timm:{name}", size) for size, names in TIMM.items() for name in names.split()],
)
def test_networks_of_many_kinds_against_their_twins(name: str, size: str) -> None:
    short, long = map(int, size.split("x"))
    assert check_against_twin(zoo.build(name)[0], short, long, nodes=5) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.NAMES)
def test_nothing_is_unknown_in_the_zoo(name: str) -> None:
    model, x = zoo.build(name)
    unknown = ReceptiveFields(functional(capture(model, x))).unknown
    if name == "transformers:qwen2-vl":  # gets its patches from a processor: no rows, no columns
        assert all("has no rows and columns" in why for why in unknown.values())
    else:
        assert not unknown


@pytest.mark.parametrize("network", [UNet, Dilated])
def test_networks_by_hand_against_their_twins(network: type[nn.Module]) -> None:
    assert check_against_twin(network(), 64, 256) > 40


class Moved(nn.Module):
    """Numbers moved and nothing computed, in a way of its own."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "rolled":
            return torch.roll(x, (3, -2), (2, 3))
        if self.how == "rolled by hand":
            return torch.cat([x[..., 3:], x[..., :3]], 3)
        if self.how == "flipped":
            return x.flip(2, 3)
        if self.how == "turned":
            return torch.rot90(x, 1, (2, 3))
        if self.how == "shifted":
            y = torch.zeros_like(x)
            y[..., 1:] = x[..., :-1]
            y[:, 0] = x[:, 1]
            return y
        if self.how == "overwritten":
            y = x.clone()
            y[..., 2:-3] = F.avg_pool2d(x, 3, 1, 1)[..., 2:-3]
            return y
        if self.how == "spread out":
            y = torch.zeros(1, x.shape[1], x.shape[2] * 2, x.shape[3] * 2, dtype=x.dtype)
            y[..., ::2, 1::2] = x
            return y
        if self.how == "folded":
            rows, columns = x.shape[2:]
            return F.fold(F.unfold(x, 3, 1, 1, 1), (rows, columns), 3, 1, 1, 1)
        if self.how == "unfolded":
            return x.unfold(2, 3, 2).unfold(3, 2, 1).mean((4, 5))
        assert self.how == "patches"
        rows, columns = (side // 4 for side in x.shape[2:])
        cells = x[..., : rows * 4, : columns * 4].reshape(1, -1, rows, 4, columns, 4)
        return torch.cat([cells[:, :, :, 1, :, 2], cells.sum((3, 5))], 1)[:, :3]


MOVES = (
    "rolled",
    "rolled by hand",
    "flipped",
    "turned",
    "shifted",
    "overwritten",
    "spread out",
    "folded",
    "unfolded",
    "patches",
)


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("after", [nn.Identity(), nn.Conv2d(3, 3, 3, padding=1)])
def test_numbers_that_move_against_their_twins(how: str, after: nn.Module) -> None:
    assert check_against_twin(nn.Sequential(nn.Conv2d(3, 3, 5, 2, 1), Moved(how), after), 44, 76, nodes=20) > 20


def any_chain(data: Any) -> None:
    """A chain of layers drawn at random, held against its twin."""
    layers: list[nn.Module] = []
    for _ in range(data.draw(st.integers(1, 5))):
        kernel, stride, dilation = (data.draw(st.integers(1, n)) for n in (5, 3, 2))
        padding = data.draw(st.integers(0, 2))
        layers.append(
            data.draw(
                st.sampled_from(
                    [
                        nn.Conv2d(3, 3, kernel, stride, padding, dilation),
                        nn.AvgPool2d(max(kernel, 2 * padding), stride, padding, ceil_mode=data.draw(st.booleans())),
                        nn.ConvTranspose2d(3, 3, max(kernel, stride), stride, 0),
                        nn.Upsample(scale_factor=2.0),
                        nn.Conv2d(3, 3, kernel, padding="same", dilation=dilation),
                        nn.Upsample(scale_factor=2.0, mode="bilinear"),
                        nn.ZeroPad2d((data.draw(st.integers(-2, 3)), data.draw(st.integers(0, 3)), 0, 0)),
                        nn.ReflectionPad2d((data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3)), 0, 1)),
                        nn.ReplicationPad2d((data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3)), 0, 1)),
                        nn.Conv2d(3, 3, 3, 1, 1, padding_mode="circular"),
                        nn.Conv2d(3, 3, (1, kernel), (1, stride), (0, padding), (1, dilation)),
                        nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True),
                        nn.Upsample(scale_factor=1.5, mode="bicubic"),
                        nn.AdaptiveAvgPool2d((data.draw(st.integers(20, 30)), data.draw(st.integers(20, 30)))),
                        Moved(data.draw(st.sampled_from(MOVES))),
                        nn.Sequential(Even(), nn.PixelUnshuffle(2), nn.Conv2d(12, 3, 1)),
                    ]
                )
            )
        )
    model = nn.Sequential(*layers, nn.Conv2d(3, 3, 1))
    check_against_twin(model, 120, 124, nodes=3)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_some_chains_of_layers_against_their_twins(data: Any) -> None:
    any_chain(data)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_many_chains_of_layers_against_their_twins(data: Any) -> None:
    any_chain(data)


class Windows(nn.Module):
    """As Swin: attention within windows, then within windows that lie half a window on, around the border."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv = nn.Conv2d(3, 6, 3, 2, 1), nn.ModuleList([nn.Linear(6, 18), nn.Linear(6, 18)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        for shift, layer in zip((0, 2), self.qkv, strict=True):
            batch, rows, columns, depth = x.shape
            moved = torch.roll(x, (-shift, -shift), (1, 2)).view(batch, rows // 4, 4, columns // 4, 4, depth)
            cells = moved.permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, depth)
            q, k, v = layer(cells).reshape(-1, 16, 3, 2, 3).permute(2, 0, 3, 1, 4).unbind(0)
            cells = F.scaled_dot_product_attention(q, k, v) if shift else (q @ k.transpose(-1, -2)).softmax(-1) @ v
            cells = cells.transpose(1, 2).reshape(batch, rows // 4, columns // 4, 4, 4, depth)
            x = x + torch.roll(cells.permute(0, 1, 3, 2, 4, 5).reshape(x.shape), (shift, shift), (1, 2))
        return x


def test_windows_around_a_border_are_pieces_at_both_ends() -> None:
    one = ReceptiveFields(functional(capture(Windows().eval(), torch.zeros(1, 3, 32, 64))))["add_1"]
    assert one.size == (17, 17)
    assert one.global_by == ()
    assert one.grid == (16, 32)
    assert one.pixels("x", 5) == [(0, 15)]
    assert one.pixels("x", 0) == [(0, 7), (55, 63)]
    assert check_against_twin(Windows(), 32, 64) > 40
