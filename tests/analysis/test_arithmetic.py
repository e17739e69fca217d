"""Why a number is what it is: the terms sum up to PyTorch's own number, and lead down to the pixels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.arithmetic import explain_value, follow
from photosite.analysis.replay import evaluate
from photosite.errors import RangeError, UnknownNameError, UnsupportedOpError
from photosite.graph.table import TABLE
from tests import zoo
from tests.analysis.networks import Convolutional, Tokens, ready


def run(network: nn.Module, x: torch.Tensor, dtype: torch.dtype = torch.float32) -> tuple[Any, dict[str, Any]]:
    """A graph and all its values."""
    _, x, graph, state = ready(network, x, dtype)
    return graph, evaluate(graph, state, x.numpy())


def check_everywhere(graph: Any, values: dict[str, Any], seed: int = 0) -> dict[str, bool]:
    """Explain a number of every node's; say of each kind whether its terms sum up."""
    rng, sums = np.random.default_rng(seed), {}
    for node in graph:
        value = values[node.name]
        if isinstance(value, list) or value.dtype.kind != "f":
            continue
        index = tuple(int(rng.integers(side)) for side in value.shape)
        found = explain_value(graph, values, node.name, index)
        sums[node.kind] = found.is_sum
        assert found.value == value[index]
        if found.is_sum:
            scale = max(abs(found.value), sum(abs(term.product) for term in found.terms), 1e-30)
            assert abs(found.residual) <= 1e-5 * scale, (node.name, found.residual, scale)
            sizes = [abs(term.product) for term in found.terms]
            assert sizes == sorted(sizes, reverse=True)
        for term in found.terms[:20]:
            if term.source and not isinstance(values[term.source], list):
                assert values[term.source][term.index] == term.value
    return sums


@pytest.mark.parametrize("network", [Convolutional, Tokens])
def test_terms_sum_up_everywhere(network: type[nn.Module]) -> None:
    graph, values = run(network(), torch.randn(2, 3, 64, 64))
    sums = check_everywhere(graph, values)
    for kind in ("conv2d", "linear", "batch_norm", "layer_norm", "max_pool2d", "add", "relu", "adaptive_avg_pool2d",
                 "scaled_dot_product_attention", "cat", "permute"):  # fmt: skip
        assert sums.get(kind, True), kind
    assert not sums.get("gelu", False)


@pytest.mark.parametrize(
    "name", ["torchvision:mobilenet_v3_small", "timm:convnextv2_atto", "torchvision:shufflenet_v2_x1_0"]
)
def test_networks_of_others(name: str) -> None:
    model, x = zoo.build(name)
    check_everywhere(*run(model, x[..., :64, :64]))


def test_a_convolution_by_hand_at_the_border() -> None:
    model = nn.Conv2d(2, 3, 3, padding=1)
    graph, values = run(model, torch.randn(1, 2, 5, 5), torch.float64)
    found = explain_value(graph, values, "conv2d", (0, 2, 0, 4))
    x, weight = values["input"], model.weight.detach().numpy()
    assert len(found.terms) == 2 * 2 * 2 + 1  # a corner: four of nine positions, and the bias
    wanted = {
        (0, c, y, 4 + dx): x[0, c, y, 4 + dx] * weight[2, c, y + 1, dx + 1]
        for c in range(2) for y in (0, 1) for dx in (-1, 0)
    }  # fmt: skip
    assert {t.index: t.product for t in found.terms if t.source == "input"} == pytest.approx(wanted)
    assert abs(found.residual) < 1e-14
    grouped = nn.Conv2d(4, 4, 3, 2, groups=2, dilation=2)
    graph, values = run(grouped, torch.randn(1, 4, 9, 9), torch.float64)
    found = explain_value(graph, values, "conv2d", (0, 3, 1, 1))
    assert {term.index[1] for term in found.terms if term.source == "input"} == {2, 3}
    assert abs(found.residual) < 1e-14


def test_attention_is_shares_times_values() -> None:
    graph, values = run(Tokens(), torch.randn(1, 3, 32, 32), torch.float64)
    node = next(node for node in graph if node.kind == "scaled_dot_product_attention")
    found = explain_value(graph, values, node.name, (0, 1, 5, 3))
    assert len(found.terms) == 17  # tokens
    assert math.fsum(term.factor for term in found.terms) == pytest.approx(1)
    assert all(term.factor > 0 and term.source == node.inputs[2] for term in found.terms)


def test_the_largest_terms_lead_to_a_pixel() -> None:
    graph, values = run(Convolutional(), torch.randn(1, 3, 64, 64))
    steps = follow(graph, values, graph.outputs[0], (0, 3), len(graph))
    assert len(steps) > 10
    for step, then in itertools.pairwise(steps):
        first = next(term for term in step.terms if term.source in graph)
        assert (first.source, first.index) == (then.node, then.index)
        assert first.value == then.value
    last = [term for term in steps[-1].terms if term.source in graph.inputs]
    assert last
    assert len(last[0].index) == 4
    assert len(follow(graph, values, graph.outputs[0], (0, 3), 2)) == 2


def test_a_module_stands_for_its_last_value() -> None:
    graph, values = run(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), torch.randn(1, 3, 8, 8))
    assert explain_value(graph, values, "0", (0, 1, 2, 3)).node == "relu"


def test_one_of_several_values() -> None:
    class Split(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = x.split([1, 2], 1)
            return a * b

    graph, values = run(Split(), torch.randn(1, 3, 4, 4))
    steps = follow(graph, values, "mul", (0, 1, 2, 3), 5)
    assert [step.op for step in steps] == ["aten.mul.Tensor", "getitem", "aten.split_with_sizes.default"]
    assert steps[-1].terms[0].source == "x"
    with pytest.raises(RangeError, match="begin with the number of one"):
        explain_value(graph, values, steps[-1].node, (2, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "norm",
    [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm([4, 5, 6]), nn.BatchNorm2d(4)],
)
def test_norms_are_scales_and_shifts_of_their_own_input(norm: nn.Module) -> None:
    for part in norm.parameters():
        nn.init.normal_(part)
    graph, values = run(norm, torch.randn(2, 4, 5, 6), torch.float64)
    found = explain_value(graph, values, graph.outputs[0], (1, 3, 2, 4))
    assert found.is_sum
    assert abs(found.residual) < 1e-12
    assert next(term for term in found.terms if term.source == "input").index == (1, 3, 2, 4)


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, values = run(Convolutional(), torch.randn(1, 3, 64, 64))
    with pytest.raises(RangeError, match="none at"):
        explain_value(graph, values, graph.outputs[0], (0, 10))
    with pytest.raises(RangeError, match="none at"):
        explain_value(graph, values, graph.outputs[0], (0,))
    with pytest.raises(UnknownNameError):
        explain_value(graph, values, "nowhere", (0,))
    monkeypatch.delitem(TABLE, "aten.linear.default")
    with pytest.raises(UnsupportedOpError, match="no row"):
        explain_value(graph, values, graph.outputs[0], (0, 0))
