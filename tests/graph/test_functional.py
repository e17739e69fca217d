"""Functional graphs: the same numbers bit for bit, whatever was overwritten, and through whichever view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from photosite.errors import CaptureError
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from tests.peers import import_torchvision

Forward = Callable[[torch.Tensor], Any]


class Written(nn.Module):
    """A network whose forward is given."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.does = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.does(x)


def pure(graph: Graph) -> Graph:
    """The graph made functional; nothing in it writes, and names stay unique."""
    made = functional(graph)
    assert [node.name for node in made if node.writes] == []
    assert all(set(node.shares) <= set(node.inputs) for node in made)
    assert [node.op for node in made if node.op.split(".")[1:2] and node.op.split(".")[1].endswith("_")] == []
    names = [node.name for node in made]
    assert len(names) == len(set(names))
    known = {*made.inputs, *made.parameters, *made.constants}
    for node in made:
        assert set(node.inputs) <= known, node.name
        known.add(node.name)
    return made


def same(model: nn.Module, *inputs: torch.Tensor) -> Graph:
    """Capture, make functional, and compare all outputs bit for bit with the model's own."""
    graph = capture(model, *inputs)
    made = pure(graph)
    wanted = execute(graph, model, *inputs).outputs
    found = execute(made, model, *inputs).outputs
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        assert torch.equal(found[key], value), key
    return made


def whole(x: torch.Tensor) -> Any:
    y = x * 2
    z = y.add_(1)
    return y + z  # both are the sum


def read_later(x: torch.Tensor) -> Any:
    y = x * 2
    return y.relu(), y.sub_(0.5), y  # relu was taken before


def slice_of(x: torch.Tensor) -> Any:
    y = x * 2
    y[:, 1:3].mul_(10)
    y[:, :, ::2].add_(1)
    return y


def one_channel(x: torch.Tensor) -> Any:
    y = x * 2
    part = y[:, 1]
    part.fill_(3.0)
    other = y[:, 1].clone()
    part.add_(other)
    return y, part, part + 1


def through_views(x: torch.Tensor) -> Any:
    y = x + 1
    y.flatten(1).permute(1, 0).unsqueeze(0).mul_(2)
    y.transpose(1, 2)[:, 0].zero_()
    return y


def siblings(x: torch.Tensor) -> Any:
    y = x + 1
    a, b = y[:, 0], y[:, 1]
    rows = y.view(y.shape[0], -1)
    a.copy_(b)
    b.mul_(0)
    return a, b, rows


def pieces(x: torch.Tensor) -> Any:
    y = x + 1
    a, b = y.chunk(2, dim=-1)
    first, *_ = y.unbind(0)
    c, d, e = y.split([1, 2, 1], dim=1)
    a.add_(1)
    first.mul_(2)
    d.sub_(3)
    return y, a, b, c, d, e, first


def twice(x: torch.Tensor) -> Any:
    y = x * 2
    return y.add_(1).mul_(3).relu_(), y


def wider(x: torch.Tensor) -> Any:
    y = x * 2
    y.add_(torch.arange(4, dtype=torch.float64))
    return y


def through_dropout(x: torch.Tensor) -> Any:
    y = x * 2
    z = nn.functional.dropout(y, 0.5, training=False)
    z.add_(1)
    return y.contiguous().neg_(), y


def of_an_input(x: torch.Tensor) -> Any:
    x[:, 0].add_(5)
    return x * 1


def swapped(x: torch.Tensor) -> Any:
    y = x + 0
    y.movedim(1, -1)[..., 0].add_(1)
    y.swapaxes(0, 2).mul_(2)
    y[0, 0].t().add_(torch.ones(1, 4))
    y.mT.sub_(1)
    return y


FORWARDS: list[Forward] = [
    *(whole, read_later, slice_of, one_channel, through_views, siblings, pieces, twice, wider, through_dropout),
    *(of_an_input, swapped),
]


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda f: f.__name__)
def test_whatever_is_overwritten(forward: Forward) -> None:
    same(Written(forward), torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet121", "swin_t", "swin_v2_t", "googlenet"])
def test_networks_of_torchvision(name: str) -> None:
    model = import_torchvision().models.get_model(name, weights=None).eval()
    same(model, torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))


def test_names_of_nodes_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))
    graph = capture(model, torch.zeros(1, 3, 8, 8))
    made = pure(graph)
    assert [node.name for node in made] == [node.name for node in graph]
    assert [node.op for node in made] == ["aten.conv2d.default", "aten.relu.default", "aten.conv2d.default"]
    assert made.node("conv2d_1").inputs[0] == graph.nodes[1].name
    assert made.updates == {}


def test_batch_norm_in_training_gives_its_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    x = torch.randn(5, 3, 8, 8)
    made = pure(capture(model, x, training=True))
    assert set(made.updates) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run = execute(made, state, x, keep=list(made.updates.values()))
    wanted = model.train()(x)
    assert torch.equal(run.output, wanted)
    for name, value in made.updates.items():
        assert torch.equal(run.kept[value], model.state_dict()[name]), name


def test_what_has_no_rule_is_said() -> None:
    def diagonal(x: torch.Tensor) -> Any:
        y = x * 2
        torch.diagonal(y, 0, 2, 3).add_(1)
        return y

    with pytest.raises(CaptureError, match=r"functional: aten\.add_\.Tensor writes through aten\.diagonal.*test_func"):
        functional(capture(Written(diagonal), torch.zeros(1, 2, 3, 3)))
