"""Where networks last hold a picture: known architectures, awkward ones, and a changed patch that shows the truth."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.feature_map import FeatureMap, find_feature_map
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from tests.peers import import_torchvision


class Lambda(nn.Module):
    """A module that computes what it is given; holds the layers that the function asks for."""

    def __init__(self, function: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.registers = nn.Parameter(torch.zeros(1, 4, 8))

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def found(function: Callable[..., object], shape: tuple[int, ...] = (1, 3, 16, 24), **layers: nn.Module) -> FeatureMap:
    """The feature map of a small network, which must have one."""
    result = find_feature_map(capture(Lambda(function, **layers), torch.zeros(shape)))
    assert result is not None
    return result


def patches() -> nn.Conv2d:
    return nn.Conv2d(3, 8, 4, 4)


def as_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def block(x: Tensor, heads: int = 2) -> Tensor:
    """Attention over all tokens, written out, with a residual connection."""
    b, n, d = x.shape
    q = k = v = x.reshape(b, n, heads, d // heads).transpose(1, 2)
    weights = (q @ k.transpose(-2, -1)).softmax(-1)
    return x + (weights @ v).transpose(1, 2).reshape(b, n, d)


# ------------------------------------------------------------------------------------------------- known architectures

KNOWN = {
    # name: input side, layout, grid, width, module that made it; read off the published architectures by hand
    "resnet18": (64, "NCHW", (2, 2), 512, "layer4.1.relu"),
    "vgg16": (64, "NCHW", (2, 2), 512, "features.30"),  # though avgpool makes 7x7 of it
    "alexnet": (96, "NCHW", (2, 2), 256, "features.12"),
    "mobilenet_v2": (64, "NCHW", (2, 2), 1280, "features.18.2"),
    "convnext_tiny": (64, "NCHW", (2, 2), 768, "features.7.2"),
    "swin_t": (64, "NCHW", (2, 2), 768, "permute"),
    "vit_b_16": (224, "tokens", (14, 14), 768, "encoder.ln"),
}
SLOW = {
    "resnet50": (224, "NCHW", (7, 7), 2048, "layer4.2.relu"),
    "densenet121": (224, "NCHW", (7, 7), 1024, ""),
    "efficientnet_b0": (224, "NCHW", (7, 7), 1280, "features.8.2"),
    "swin_v2_t": (256, "NCHW", (8, 8), 768, "permute"),
    "maxvit_t": (224, "NCHW", (7, 7), 512, "blocks.3.layers.1.layers.grid_attention.departition_op"),
    "googlenet": (224, "NCHW", (7, 7), 1024, "inception5b"),
    "shufflenet_v2_x1_0": (224, "NCHW", (7, 7), 1024, "conv5.2"),
    "squeezenet1_0": (224, "NCHW", (13, 13), 1000, "classifier.2"),
    "mnasnet1_0": (224, "NCHW", (7, 7), 1280, "layers.16"),
}
CASES = [*KNOWN.items()] + [pytest.param(*item, marks=pytest.mark.slow) for item in SLOW.items()]


@pytest.mark.parametrize(("name", "expected"), CASES)
def test_known_architectures(name: str, expected: tuple[int, str, tuple[int, int], int, str]) -> None:
    torchvision = import_torchvision()
    side, layout, grid, width, module = expected
    with torch.device("meta"):  # no weights are needed to read a graph
        model = torchvision.models.get_model(name, weights=None)
        graph = capture(model, torch.zeros(1, 3, side, side))
    result = find_feature_map(graph)
    assert result is not None
    assert (result.layout, result.grid, result.width) == (layout, grid, width)
    assert result.prefix == (1 if name.startswith("vit") else 0)
    assert graph.node(result.node).module == module
    assert "\n" not in result.reason


# ---------------------------------------------------------------------------------------------------- convolution maps


def test_a_map_ends_where_it_is_averaged() -> None:
    result = found(lambda m, x: m.conv(x).relu().mean((2, 3)), conv=patches())
    assert (result.node, result.layout, result.grid, result.width, result.prefix) == ("relu", "NCHW", (4, 6), 8, 0)
    assert result.reason == "relu is the last value with rows and columns; mean follows"


def test_squeeze_and_excite_is_no_end() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        x = m.conv(x)
        x = x * m.gate(F.adaptive_avg_pool2d(x, 1)).sigmoid()
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    assert found(network, conv=patches(), gate=nn.Conv2d(8, 8, 1)).node == "mul"


def test_one_place_counts_where_convolutions_made_it() -> None:
    result = found(lambda m, x: m.conv(x).mean((2, 3)), (1, 3, 4, 4), conv=patches())
    assert (result.node, result.grid) == ("conv2d", (1, 1))


def test_channels_last_inside() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        x = m.norm(m.conv(x).permute(0, 2, 3, 1))
        return m.head((x + m.mix(x)).mean((1, 2)))

    result = found(network, conv=patches(), norm=nn.LayerNorm(8), mix=nn.Linear(8, 8), head=nn.Linear(8, 5))
    assert (result.node, result.layout, result.grid, result.width) == ("add", "NHWC", (4, 6), 8)


def test_channels_last_outside() -> None:
    result = found(lambda m, x: m.conv(x.permute(0, 3, 1, 2)).mean((2, 3)), (1, 16, 24, 3), conv=patches())
    assert (result.layout, result.grid) == ("NCHW", (4, 6))


def test_a_network_that_returns_a_map() -> None:
    result = found(lambda m, x: F.interpolate(m.conv(x), scale_factor=4, mode="bilinear"), conv=patches())
    assert (result.layout, result.grid, result.width) == ("NCHW", (16, 24), 8)
    assert result.reason.endswith("it is what the model returns")


def test_a_dict_with_a_map_and_scores() -> None:
    def network(m: Lambda, x: Tensor) -> dict[str, Tensor]:
        features = m.conv(x)
        return {"features": features, "scores": m.head(features.mean((2, 3)))}

    assert found(network, conv=patches(), head=nn.Linear(8, 5)).node == "conv2d"


def test_what_no_output_needs_does_not_count() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        scores = m.conv(x).mean((2, 3))
        m.other(x)
        return scores

    assert found(network, conv=patches(), other=nn.Conv2d(3, 8, 2, 2)).node == "conv2d"


def test_what_is_written_into_an_output_counts() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        canvas = torch.zeros(1, 16, 4, 6)
        canvas[:, :8].copy_(m.conv(x).relu())
        return canvas

    assert found(network, conv=patches()).node == "copy_"


def test_pooling_to_a_fixed_grid_inside_a_network_is_a_map() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        return m.after(F.adaptive_avg_pool2d(m.conv(x), (3, 5))).mean((2, 3))

    result = found(network, conv=patches(), after=nn.Conv2d(8, 8, 3, padding=1))
    assert (result.node, result.grid) == ("conv2d_1", (3, 5))


def test_perceptron_has_no_map() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.ReLU(), nn.Linear(10, 2))
    assert find_feature_map(capture(model, torch.zeros(1, 3, 8, 8))) is None


# -------------------------------------------------------------------------------------------------------------- tokens


def test_class_token_and_registers_stand_in_front() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        x = torch.cat([m.token.expand(1, -1, -1), as_tokens(m.conv(x))], 1)
        x = torch.cat([x[:, :1], m.registers, x[:, 1:]], 1)  # as DINOv2 does
        return block(x)[:, 0]

    result = found(network, conv=patches())
    assert (result.node, result.layout, result.grid, result.prefix) == ("add", "tokens", (4, 6), 5)
    assert result.reason.endswith("its 29 tokens are 5 in front and 4 x 6 places")


def test_tokens_behind_the_places() -> None:
    result = found(lambda m, x: block(torch.cat([as_tokens(m.conv(x)), m.registers], 1)).mean(1), conv=patches())
    assert (result.grid, result.prefix) == ((4, 6), 0)
    assert result.reason.endswith("its 28 tokens are 4 x 6 places and 4 behind")


def test_an_average_over_places_only() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        return block(torch.cat([m.token, as_tokens(m.conv(x))], 1))[:, 1:].mean(1)

    result = found(network, conv=patches())
    assert (result.node, result.grid, result.prefix) == ("slice_1", (4, 6), 0)


def test_a_hybrid_stem_counts_its_last_map() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        x = m.proj(m.stem(x))
        return block(torch.cat([m.token, as_tokens(x)], 1))[:, 0]

    layers = {"stem": nn.Conv2d(3, 6, 3, 2, 1), "proj": nn.Conv2d(6, 8, 2, 2)}
    result = found(network, **layers)
    assert (result.grid, result.prefix) == ((4, 6), 1)


def test_a_square_number_of_unknown_tokens_has_no_grid() -> None:
    """Nine tokens might be three by three, or a class token and eight: a graph that starts with tokens cannot say."""
    result = find_feature_map(capture(Lambda(lambda m, x: block(x)[:, 0]), torch.zeros(1, 9, 8)))
    assert result is not None
    assert (result.node, result.layout, result.grid, result.width, result.prefix) == ("add", "tokens", None, 8, None)
    assert "does not say which places" in result.reason


def test_dropped_tokens_have_no_grid_any_more() -> None:
    def network(m: Lambda, x: Tensor) -> Tensor:
        x = as_tokens(m.conv(x))
        best = x.norm(dim=-1).topk(16).indices
        return block(x.gather(1, best[..., None].expand(-1, -1, 8))).mean(1)

    result = found(network, conv=patches())
    assert (result.grid, result.prefix) == (None, None)
    assert "after transpose" in result.reason


def test_more_heads_than_one_and_as_many_tokens_as_channels() -> None:
    """With N = D, shapes alone cannot tell places from channels."""
    result = found(lambda m, x: block(as_tokens(m.conv(x)), heads=1).mean(1), (1, 3, 8, 16), conv=patches())
    assert (result.node, result.layout, result.grid) == ("add", "tokens", (2, 4))


# --------------------------------------------------------------------- a changed patch changes its own place, no other


def by_reshape(m: Lambda, x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(b, (h // 4) * (w // 4), 48)
    return torch.cat([m.token, m.embed(x)], 1)


def by_unfolding(m: Lambda, x: Tensor) -> Tensor:
    return m.embed(F.unfold(x, 4, stride=4).transpose(1, 2))


def by_windows_of_a_tensor(m: Lambda, x: Tensor) -> Tensor:
    x = x.unfold(2, 4, 4).unfold(3, 4, 4)  # (B, C, rows, columns, 4, 4)
    return m.embed(x.permute(0, 2, 3, 1, 4, 5).flatten(3))


def by_windows_and_back(m: Lambda, x: Tensor) -> Tensor:
    x = m.conv(x).permute(0, 2, 3, 1)  # (1, 4, 6, 8)
    x = x.reshape(1, 2, 2, 3, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(6, 4, 8)  # Swin's windows of 2x2
    return (x * 2).reshape(1, 2, 3, 2, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(1, 4, 6, 8)


def by_merging(m: Lambda, x: Tensor) -> Tensor:
    x = m.small(x).permute(0, 2, 3, 1)
    return torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)  # as Swin merges patches


def by_folding_into_channels(m: Lambda, x: Tensor) -> Tensor:
    return F.pixel_unshuffle(m.small(x), 2)


def by_shuffled_channels(m: Lambda, x: Tensor) -> Tensor:
    x = m.conv(x)
    return x.reshape(1, 2, 4, 4, 6).transpose(1, 2).reshape(1, 8, 4, 6)


@pytest.mark.parametrize(
    "network",
    [
        by_reshape,
        by_unfolding,
        by_windows_of_a_tensor,
        by_windows_and_back,
        by_merging,
        by_folding_into_channels,
        by_shuffled_channels,
    ],
)
def test_each_place_sees_its_own_patch(network: Callable[..., object]) -> None:
    torch.manual_seed(0)
    layers = {"conv": patches(), "small": nn.Conv2d(3, 8, 2, 2), "embed": nn.Linear(48, 8)}
    model = Lambda(network, **layers)
    picture = torch.rand(1, 3, 16, 24)
    graph = capture(model, picture)
    result = find_feature_map(graph)
    assert result is not None
    assert result.grid == (4, 6)
    assert result.prefix is not None

    def places(x: Tensor) -> Tensor:
        """The map's values by row, column and channel."""
        value = execute(graph, model, x, keep=[result.node]).kept[result.node]
        if result.layout == "tokens":
            value = value[:, result.prefix : result.prefix + 24].reshape(1, 4, 6, -1)
        elif result.layout == "NCHW":
            value = value.permute(0, 2, 3, 1)
        return value[0]

    before = places(picture)
    assert before.shape[-1] == result.width
    for row, column in ((0, 0), (1, 4), (3, 5)):
        changed = picture.clone()
        changed[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1
        differs = (places(changed) != before).any(-1).nonzero().tolist()
        assert differs == [[row, column]]
