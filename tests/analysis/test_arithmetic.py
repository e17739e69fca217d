"""Why a number is what it is: the terms sum up to PyTorch's own number, and lead down to the pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.arithmetic import explain_value
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
    name, index = graph.outputs[0], (0, 3)
    for _ in range(len(graph)):
        found = explain_value(graph, values, name, index)
        name, index = next((t.source, t.index) for t in found.terms if t.source in graph or t.source in graph.inputs)
        if name in graph.inputs:
            break
    assert name == graph.inputs[0]
    assert len(index) == 4


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
