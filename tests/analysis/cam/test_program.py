"""What a run leaves out changes no number: against the plain walk, by hand, and where it must keep its hands off."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.analysis.cam import Tap, of_classes
from photosite.analysis.cam.program import _ones, _overwriting, needed
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from tests.analysis.cam.test_explain import network


def left_out(tap: Tap, kept: set[str]) -> tuple[set[str], set[str]]:
    """The nodes of which a single token is computed, and those that overwrite what they read."""
    nodes = needed(tap.graph, {*kept, tap.output})
    last = {name: number for number, node in enumerate(nodes) for name in node.inputs}
    return set(_ones(tap.graph, nodes, {*kept, tap.output})), _overwriting(nodes, nodes, last, {*kept, tap.output})


class Odd(nn.Module):
    """Everything that must not be overwritten or cut, beside what may."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.embed, self.last = nn.Linear(4, 6), nn.Linear(6, 5)
        self.gain = nn.Parameter(torch.rand(6))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x)  # (B, N, 6)
        if self.way == "plain":
            return self.last(self.gain * F.relu(tokens))[:, 1]
        if self.way == "read again":
            return self.last(F.relu(tokens) + 2 * tokens)[:, 1]
        if self.way == "a view lives":
            flat = tokens.flatten(1)
            return self.last(F.relu(tokens))[:, 1] + flat.sum(1, keepdim=True)
        if self.way == "all together":
            return self.last(F.relu(tokens) + tokens.mean(1, keepdim=True))[:, 1]
        if self.way == "fewer axes":
            return self.last(F.relu(tokens) + tokens[0])[:, 1]
        if self.way == "two are read":
            scores = self.last(F.relu(tokens))
            return scores[:, 1] - scores[:, 0]
        if self.way == "along the width":
            return F.relu(tokens)[..., 2] @ torch.ones(3, 5)
        if self.way == "itself twice":
            hidden = F.relu(tokens)
            return self.last(hidden + hidden)[:, 2]
        return self.last(F.layer_norm(F.relu(x), (3, 4))[:, :, :4] @ torch.ones(4, 6))[:, 1]  # "over tokens"


WAYS = (
    *("plain", "read again", "a view lives", "all together", "fewer axes", "two are read", "along the width"),
    *("itself twice", "over tokens"),
)


@pytest.mark.parametrize("way", WAYS)
def test_scores_and_gradients_are_the_models(way: str) -> None:
    torch.manual_seed(0)
    model, x = Odd(way).eval(), torch.randn(2, 3, 4)
    given_x = x.clone()
    tap = Tap(model, x)
    scores = model(x)
    plain = tap(x, [], of_classes(1, 5), gradients=False)
    torch.testing.assert_close(plain.scores, scores.detach(), atol=1e-6, rtol=1e-6)
    kept: dict[str, Tensor] = {}
    hook = model.embed.register_forward_hook(lambda *found: kept.update(tokens=found[2]))
    score = model(x)[:, 1].sum()
    hook.remove()
    if way != "over tokens":
        (wanted,) = torch.autograd.grad(score, kept["tokens"])
        found = tap(x, ["linear"], of_classes(1, 5)).gradients["linear"]
        assert found is not None
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    assert torch.equal(x, given_x)


def test_what_is_left_out_by_hand() -> None:
    def found(way: str) -> tuple[set[str], set[str]]:
        return left_out(Tap(Odd(way).eval(), torch.randn(2, 3, 4)), set())

    assert found("plain") == ({"linear", "relu", "mul", "linear_1"}, {"relu"})
    assert found("read again")[1] == {"add"}  # the rectifier's input is read again, its own value is not
    assert "relu" not in found("a view lives")[1]
    assert "linear" not in found("all together")[0]
    assert "mean" not in found("all together")[0]
    assert found("two are read")[0] == set()
    assert found("along the width")[0] == {"relu"}  # a linear layer mixes the width, a rectifier does not
    assert found("itself twice")[1] == {"relu"}  # an addition to itself reads twice what it would overwrite
    assert found("over tokens")[0] == {"linear_1"}
    kept = left_out(Tap(Odd("plain").eval(), torch.randn(2, 3, 4)), {"relu", "linear"})
    assert kept == ({"mul", "linear_1"}, set())


@pytest.mark.parametrize(("name", "some"), [("resnet18", False), ("densenet", False), ("swin", False), ("vit", True)])
def test_networks_give_what_a_plain_walk_gives(name: str, some: bool) -> None:
    model, x = network(name), torch.randn(2, 3, 64, 64)
    tap = Tap(model, x)
    graph = functional(capture(model, x))
    names = [node.name for node in tap.path if node.kind in ("relu", "add", "linear")][1:-1:3]
    wanted = execute(graph, model, x, keep=names)
    found = tap(x, names, of_classes(1, 10), gradients=False)
    for each in names:
        torch.testing.assert_close(found.values[each], wanted.kept[each], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tap(x, [], of_classes(1, 10), gradients=False).scores, wanted.output)
    cut, over = left_out(tap, set())
    assert bool(cut) == some  # the class token of the last block
    assert bool(over) == (name in ("resnet18", "vit", "densenet", "swin"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["relu", "add", "gelu", "linear", "norm", "view", "again"]), min_size=1, max_size=7))
def test_any_order_of_operations(ways: list[str]) -> None:
    class Line(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            held = [x]
            for way in ways:
                last = held[-1]
                if way == "relu":
                    made = F.relu(last)
                elif way == "gelu":
                    made = F.gelu(last)
                elif way == "linear":
                    made = last @ torch.eye(4).flip(0) + 0.1
                elif way == "norm":
                    made = F.layer_norm(last, (4,))
                elif way == "view":
                    made = last.reshape(len(x), 12).view(len(x), 3, 4)
                elif way == "add":
                    made = last + held[len(held) // 2]
                else:
                    made = held[0] * 0.5 + last
                held.append(made)
            return held[-1][:, 1] + held[len(held) // 2].mean(1)

    model, x = Line().eval(), torch.randn(2, 3, 4)
    before = x.clone()
    found = Tap(model, x)(x, [], of_classes(0, 4), gradients=False)
    torch.testing.assert_close(found.scores, model(x), atol=1e-6, rtol=1e-6)
    assert torch.equal(x, before)


def test_weights_are_read_anew_each_time() -> None:
    model, x = network("resnet18"), torch.randn(1, 3, 64, 64)
    tap = Tap(model, x)
    tap(x, [], of_classes(1, 10), gradients=False)
    model.fc.weight = nn.Parameter(torch.zeros_like(model.fc.weight))  # type: ignore[union-attr,arg-type]
    found = tap(x, [], of_classes(1, 10), gradients=False)
    torch.testing.assert_close(found.scores[0], model.fc.bias.detach())  # type: ignore[union-attr]
