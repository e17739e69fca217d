"""Plans: PyTorch's numbers in double precision, forward and backward, whatever the shapes; and what they refuse."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.plans.crew import Crew, blas_threads
from photosite.analysis.plans.folding import Folded
from photosite.analysis.plans.fusion import Group, groups
from photosite.analysis.plans.plan import Plan
from photosite.analysis.replay import replay
from photosite.errors import MismatchedWeightsError, ShapeError, UnknownNameError, UnsupportedOpError
from photosite.graph.capture import capture
from tests import zoo
from tests.analysis.networks import Convolutional, Tokens, ready


def assert_like_torch(model: nn.Module, x: torch.Tensor, graph: Any, state: Any, threads: int, share: float) -> Plan:
    """Outputs and all gradients of a plan, against PyTorch's, as shares of the largest number."""
    plan = Plan(graph, state, threads)
    weight = torch.randn(model(x).shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)
    leaf = x.clone().requires_grad_()
    model.zero_grad()
    wanted = model(leaf)
    (wanted * weight).sum().backward()
    outputs, found = plan.gradients([x.numpy()], lambda given: dict.fromkeys(given, weight.numpy()))
    near(outputs["output"], wanted, share)
    near(plan(x.numpy())["output"], wanted, share)
    near(found.inputs[graph.inputs[0]], leaf.grad, share)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            near(found.parameters[name], parameter.grad, share, name)
    return plan


def near(found: np.ndarray, wanted: Any, share: float, what: str = "") -> None:
    peer = wanted.detach().numpy()
    np.testing.assert_allclose(found, peer, rtol=0, atol=share * max(np.abs(peer).max(), 1e-12), err_msg=what)


@pytest.mark.parametrize(("batch", "threads"), list(itertools.product((1, 3), (1, 2))))
@pytest.mark.parametrize("network", [Convolutional, Tokens])
def test_equals_torch_in_double_precision(network: type[nn.Module], batch: int, threads: int) -> None:
    side = (64, 64) if network is Tokens else (61, 74)
    model, x, graph, state = ready(network(), torch.randn(batch, 3, *side))
    plan = assert_like_torch(model, x, graph, state, threads, 1e-10)
    np.testing.assert_allclose(plan(x.numpy())["output"], replay(graph, state, x.numpy()).output, rtol=1e-9, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), threads=st.sampled_from([1, 2]))
def test_any_convolution_with_what_follows(data: Any, threads: int) -> None:
    groups_ = data.draw(st.sampled_from([1, 1, 1, 2, 4]))
    channels, filters = (groups_ * data.draw(st.sampled_from([1, 4, 16])) for _ in range(2))
    kernel = [data.draw(st.integers(1, 4)) for _ in range(2)]
    if data.draw(st.booleans()):
        kernel = [3, 3]  # Winograd's
    stride, dilation = (data.draw(st.integers(1, 2)) for _ in range(2))
    padding = [data.draw(st.integers(0, 2)) for _ in range(2)]
    sides = [dilation * (k - 1) + 1 + data.draw(st.integers(0, 14)) for k in kernel]
    bias, norm = data.draw(st.booleans()), data.draw(st.booleans())
    activation = data.draw(st.sampled_from([nn.Identity(), nn.ReLU(), nn.GELU(), nn.Hardswish(), nn.LeakyReLU(0.1)]))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, dilation, groups_, bias)
            self.bn = nn.BatchNorm2d(filters) if norm else nn.Identity()
            self.act = activation

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.act(self.bn(self.conv(x)))
            return y

    model, x, graph, state = ready(Network(), torch.randn(data.draw(st.integers(1, 3)), channels, *sides))
    assert_like_torch(model, x, graph, state, threads, 1e-10)


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:convnextv2_atto", "transformers:dinov2"])
def test_networks_of_others(name: str) -> None:
    model, x = zoo.build(name)

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found = self.model(x)
            return found if isinstance(found, torch.Tensor) else found[0]

    ready_model, x, graph, state = ready(First(), x, torch.float32)
    with torch.no_grad():
        wanted = ready_model(x)
    near(Plan(graph, state)(x.numpy())["output"], wanted, 1e-5)


def test_reads_as_what_it_does_and_runs_again() -> None:
    model, x, graph, state = ready(Convolutional(), torch.randn(2, 3, 96, 96), torch.float32)
    plan = Plan(graph, state, 2)
    text = str(plan)
    assert f"{len(plan.steps)} steps for {len(graph)} operations" in text
    for way in ("Winograd", "columns", "matrix product", "32 groups", "conv2d + batch_norm + add + relu"):
        assert way in text
    first = plan(x.numpy())["output"]
    second = plan((x * 2).numpy())["output"]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(plan(x.numpy())["output"], first)
    assert_like_torch(model, x, graph, state, 2, 3e-4)


def test_what_stands_together_and_what_does_not() -> None:
    _, _, graph, _ = ready(Convolutional(), torch.randn(1, 3, 64, 64))
    found = groups(graph)
    kinds = [tuple(node.kind for node in item.nodes) for item in found if isinstance(item, Group)]
    assert ("conv2d", "relu") in kinds
    assert ("conv2d", "batch_norm", "add", "relu") in kinds
    every = [item.nodes if isinstance(item, Group) else (item,) for item in found]
    names = [node.name for members in every for node in members]
    assert sorted(names) == sorted(node.name for node in graph)
    seen: set[str] = {*graph.inputs, *graph.parameters, *graph.constants}
    for members in every:  # an order in which each can be done
        inner = {node.name for node in members}
        assert {name for node in members for name in node.inputs} - inner <= seen
        seen |= inner


def test_a_value_that_others_read_is_not_swallowed() -> None:
    class Peeks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            raw = self.conv(x)
            return F.relu(self.bn(raw)), raw

    model, x, graph, state = ready(Peeks(), torch.randn(2, 3, 8, 8))
    outputs = Plan(graph, state)(x.numpy())
    for found, wanted in zip(outputs.values(), model(x), strict=True):
        near(found, wanted, 1e-12)


def test_a_value_that_two_read_is_not_swallowed_by_one() -> None:
    class Forks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raw = self.conv(x)
            return self.bn(raw) + raw.exp()

    model, x, graph, state = ready(Forks(), torch.randn(2, 3, 8, 8))
    assert_like_torch(model, x, graph, state, 1, 1e-10)


def test_a_folded_norm_is_the_norm() -> None:
    _, _, graph, state = ready(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), torch.randn(1, 3, 8, 8))
    norm = next(node for node in graph if node.kind == "batch_norm")
    folded = Folded.of("0.weight", "0.bias", norm, state)
    deviation = np.sqrt(state["1.running_var"] + 1e-5)
    np.testing.assert_allclose(folded.kernel[2], state["0.weight"][2] * state["1.weight"][2] / deviation[2])
    assert folded.names == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_what_is_refused() -> None:
    _, x, graph, state = ready(Convolutional(), torch.randn(1, 3, 64, 64))
    plan = Plan(graph, state)
    with pytest.raises(ShapeError, match=r"was made for inputs of shape .*got \(\(1, 3, 32, 32\),\)"):
        plan(x.numpy()[..., :32, :32])
    with pytest.raises(UnknownNameError, match="logits"):
        plan.gradients([x.numpy()], lambda _: {"logits": np.ones(1)})
    with pytest.raises(MismatchedWeightsError, match=r"head\.weight"):
        Plan(graph, {**state, "head.weight": np.ones((2, 2))})
    with pytest.raises(UnsupportedOpError, match="bfloat16"):
        Plan(capture(nn.Linear(2, 2).bfloat16(), torch.ones(1, 2).bfloat16()), {})
    near(plan(x.numpy())["output"], torch.from_numpy(replay(graph, state, x.numpy()).output), 1e-10)  # still works


def test_a_crew_raises_what_a_member_raised_and_waits_for_all() -> None:
    crew, done = Crew(3), []

    def work(part: int) -> None:
        done.append(part)
        if part == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        crew.run(work)
    assert sorted(done) == [0, 1, 2]
    crew.close()
    with blas_threads(1):
        assert (np.ones((4, 4)) @ np.ones((4, 4)) == 4).all()
