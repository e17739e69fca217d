"""Layer values: what a forward pass holds, whatever the layout, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.layer_values import LayerValues, like, up_to
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from tests.analysis.rectified_networks import network, pictures


def shown(values: LayerValues, x: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    values(x, lambda name, value: found.update({name: value.clone()}))
    return found


@pytest.mark.parametrize("way", ["modules", "in place", "modules in place"])
def test_what_a_forward_pass_holds_also_where_it_is_overwritten(way: str) -> None:
    model, x = network(way), pictures()
    held: dict[str, Tensor] = {}

    def keep(_module: nn.Module, _inputs: object, value: Tensor) -> None:
        held["norm"] = value.clone()

    handle = model.get_submodule("norm").register_forward_hook(keep)
    output = model(x)
    handle.remove()
    found = shown(LayerValues(model, tuple(x.shape), x.dtype, ["norm", "head"], "test"), x)
    assert torch.equal(found["norm"], held["norm"].flatten(2))
    assert torch.equal(found["head"], output[:, :, None])


def test_channels_last_and_tokens_come_as_channels_by_places() -> None:
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.permute(0, 2, 3, 1).relu()

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Parameter(torch.full((1, 1, 3), 9.0))

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            return torch.cat([self.first.expand(len(x), -1, -1), tokens], 1).relu()

    x = torch.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    for model in (Last(), Tokens()):
        found = shown(LayerValues(model, tuple(x.shape), x.dtype, ["relu"], "test"), x)
        assert torch.equal(found["relu"], x.flatten(2))  # without the token in front


def test_two_names_of_one_value_are_both_shown() -> None:
    found = shown(LayerValues(network(), (3, 3, 14, 14), torch.float32, ["conv3", "conv2d_2"], "test"), pictures())
    assert torch.equal(found["conv3"], found["conv2d_2"])


def test_nothing_runs_behind_the_last_value() -> None:
    graph = capture(network(), pictures())
    short = up_to(graph, {"conv2d", "relu"})
    assert [node.name for node in short][-1] == "relu"
    assert short.outputs == ("relu",)
    assert len(short) < len(graph)


def test_like_is_of_the_models_type() -> None:
    assert like(nn.Linear(2, 2).half()).dtype == torch.float16
    assert like(nn.ReLU()).dtype == torch.float32


def test_what_is_refused() -> None:
    shape = (3, 3, 14, 14)
    with pytest.raises(UnknownNameError, match="conv3"):
        LayerValues(network(), shape, torch.float32, ["conv33"], "test")
    with pytest.raises(RangeError, match="test: wants at least 1 value to look at, got none"):
        LayerValues(network(), shape, torch.float32, [], "test")

    class Pieces(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.unflatten(2, (2, 7)).relu().flatten(1)

    with pytest.raises(ShapeError, match=r"test: relu \(3, 3, 2, 7, 14\) holds no map of places"):
        LayerValues(Pieces(), shape, torch.float32, ["relu"], "test")
