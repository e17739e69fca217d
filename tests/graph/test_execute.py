"""Running a graph gives the model's own numbers, bit for bit, and touches nothing of the caller's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from photosite.errors import MismatchedWeightsError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.ir import Node
from tests.graph import models
from tests.peers import import_torchvision

PICTURE = torch.linspace(-1, 1, 192).reshape(1, 3, 8, 8)


def same(got: Any, wanted: Any) -> None:
    """Equal bit for bit: the same operations on the same numbers leave no room for a tolerance."""
    torch.testing.assert_close(got, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("make", "picture"),
    [
        (models.InPlace, PICTURE),
        (models.Functional, PICTURE),
        (models.Twice, torch.ones(2, 4)),
        (models.Tied, torch.ones(2, 4)),
        (models.Constants, torch.ones(2, 4)),
        (models.Regions, torch.ones(2, 2)),
    ],
)
def test_equals_the_model(make: type[nn.Module], picture: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = make().eval()
    graph = capture(model, picture)
    with torch.no_grad():
        wanted = model(picture)
    same(execute(graph, model, picture).output, wanted)
    same(execute(graph, model.state_dict(), picture).output, wanted)


def test_outputs_go_by_where_they_stood() -> None:
    given = ((torch.arange(4.0)[None], torch.ones(3)), {"shift": torch.ones(4)}, 3)
    outputs = execute(capture(models.Structured(), *given), {}, *given).outputs
    same(outputs, {"halves.0": torch.tensor([[3.0, 6]]), "halves.1": torch.tensor([[3.0, 4]]), "same": torch.ones(3)})


def test_values_are_right_when_seen_and_kept_ones_stay_right() -> None:
    """Each value against the same network without anything in place."""
    torch.manual_seed(0)
    model = models.InPlace().eval()
    graph = capture(model, PICTURE)
    conv = nn.functional.conv2d(PICTURE, model.conv.weight, model.conv.bias)
    norm = model.bn(conv)
    seen: dict[str, torch.Tensor] = {}

    def see(node: Node, value: torch.Tensor, milliseconds: float) -> None:
        assert milliseconds >= 0
        seen[node.name] = value.clone()

    run = execute(graph, model, PICTURE, keep=[node.name for node in graph], on_node=see)
    kept = run.kept
    assert list(seen) == list(kept) == [node.name for node in graph]
    same(kept, seen)
    same(kept["conv2d"], conv.detach())
    same(kept["batch_norm"], norm.detach())
    same(kept["relu_"], norm.relu().detach())
    same(run.output, (norm.relu() + 1).relu().detach() * 2)


def test_nothing_of_the_callers_is_written_to() -> None:
    model, picture = models.Counts(), torch.ones(2, 2)
    graph = capture(model, picture)
    same(execute(graph, model, picture).output, torch.full((2, 2), 3.0))
    same(picture, torch.ones(2, 2))
    same(model.calls, torch.zeros(()))


def test_batch_norm_in_training_uses_the_batch_but_leaves_the_statistics() -> None:
    torch.manual_seed(0)
    model = models.InPlace().train()
    graph = capture(model, PICTURE, training=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    got = execute(graph, model, PICTURE).output
    same(dict(model.state_dict()), before)
    with torch.no_grad():
        same(got, model(PICTURE))


def test_values_are_freed_after_their_last_use() -> None:
    """A chain of ten large values holds at most three of them: one read, one made, one about to go."""
    model = nn.Sequential(*(nn.Sigmoid() for _ in range(10)))
    picture = torch.zeros(1, 1000)
    alive: list[torch.Tensor] = []
    counts = []

    def count(node: Node, value: torch.Tensor, milliseconds: float) -> None:
        import weakref

        alive.append(weakref.ref(value))  # type: ignore[arg-type]
        counts.append(sum(reference() is not None for reference in alive))

    execute(capture(model, picture), model, picture, on_node=count)
    assert max(counts) <= 2


def test_operations_with_several_results() -> None:
    class Largest(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            values, places = x.max(1)
            return values, places

    picture = torch.tensor([[1.0, 3.0, 2.0]])
    graph = capture(Largest(), picture)
    assert [node.kind for node in graph] == ["max", "getitem", "getitem"]
    assert graph.nodes[0].shapes == ((1,), (1,))
    assert graph.nodes[0].dtypes == ("float32", "int64")
    same(execute(graph, {}, picture).outputs, {"0": torch.tensor([3.0]), "1": torch.tensor([1])})


def test_errors_say_what_was_wanted() -> None:
    model = models.Twice()
    graph = capture(model, torch.zeros(1, 4))
    with pytest.raises(ShapeError, match=r"execute: .* inputs of shape \(\(1, 4\),\), got \(\(2, 4\),\)"):
        execute(graph, model, torch.zeros(2, 4))
    with pytest.raises(UnknownNameError, match=r"no node named 'linea'; did you mean linear"):
        execute(graph, model, torch.zeros(1, 4), keep=["linea"])
    state = model.state_dict()
    with pytest.raises(MismatchedWeightsError, match=r"layer.bias wants \(4,\), got nothing"):
        execute(graph, {"layer.weight": state["layer.weight"]}, torch.zeros(1, 4))
    with pytest.raises(MismatchedWeightsError, match=r"layer.weight wants \(4, 4\), got \(4, 5\)"):
        execute(graph, {**state, "layer.weight": torch.zeros(4, 5)}, torch.zeros(1, 4))


def test_an_operation_that_fails_says_which_node_it_was() -> None:
    model = models.Twice()
    with pytest.raises(RuntimeError) as caught:
        execute(capture(model, torch.zeros(1, 4)), model, torch.zeros(1, 4, dtype=torch.int64))
    assert any("at node 'linear' (aten.linear.default, module 'layer'" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("name", "side", "settings"),
    [
        ("resnet18", 64, {}),
        ("vgg16", 32, {}),
        ("swin_t", 96, {}),  # not a multiple of the window: maps are padded and cropped
        ("vit_b_16", 64, {"image_size": 64}),
        ("convnext_tiny", 64, {}),
    ],
)
def test_equals_torchvision(name: str, side: int, settings: dict[str, int]) -> None:
    torchvision = import_torchvision()
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None, **settings).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    picture = torch.randn(1, 3, side, side)
    with torch.no_grad():
        wanted = model(picture)
        graph = capture(model, picture)
        same(execute(graph, model, picture).output, wanted)
        same(model(picture), wanted)
    same(dict(model.state_dict()), before)
    assert not graph.notes
    assert set(graph.parameters) == set(before)
