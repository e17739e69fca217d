"""Cost: what can be counted by hand, and that nothing unknown is counted as nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from photosite.analysis.cost import cost
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.table import TABLE
from tests.analysis.networks import Convolutional, Tokens, ready
from tests.graph import models


def test_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5))
    found = cost(functional(capture(model, torch.zeros(2, 3, 8, 8))))
    convolution, linear = 2 * 4 * 4 * 8 * 3 * 9, 2 * 128 * 5
    assert [node.macs for node in found.nodes] == [convolution, 0, 0, linear]
    assert found.macs == convolution + linear
    assert found.parameters == 8 * 27 + 8 + 5 * 128 + 5
    assert [node.activation_bytes for node in found.nodes] == [4 * 2 * 8 * 16, 4 * 2 * 8 * 16, 0, 4 * 2 * 5]
    first = found.nodes[0]
    read = 4 * (2 * 3 * 64 + 8 * 27 + 8)
    assert first.read_bytes == read
    assert first.intensity == pytest.approx(convolution / (read + first.activation_bytes))
    assert found.modules["0"].macs == convolution
    assert found.modules["3"].parameters == 5 * 128 + 5
    assert found.modules[""].macs == found.macs


def test_attention_by_hand() -> None:
    class Attention(nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return F.scaled_dot_product_attention(q, k, v)

    shapes = ((2, 3, 7, 4), (2, 3, 9, 4), (2, 3, 9, 5))
    found = cost(functional(capture(Attention(), *(torch.zeros(shape) for shape in shapes))))
    assert found.macs == 2 * 3 * (7 * 9 * 4 + 7 * 9 * 5)


def test_modules_hold_those_inside_and_a_tied_weight_counts_once() -> None:
    _, _, graph, _ = ready(Convolutional(), torch.randn(1, 3, 64, 64), torch.float32)
    found = cost(graph)
    assert found.modules["first"].macs == sum(m.macs for name, m in found.modules.items() if name.startswith("first."))
    assert found.parameters == sum(p.numel() for p in Convolutional().parameters())
    tied = models.Tied()
    both = cost(functional(capture(tied, torch.zeros(1, 4))))
    assert (both.parameters, both.modules[""].parameters, both.macs) == (16, 16, 32)


def test_an_unknown_operation_is_listed_and_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, graph, _ = ready(Tokens(), torch.randn(1, 3, 32, 32), torch.float32)
    before = cost(graph)
    assert not before.unknown_ops
    monkeypatch.delitem(TABLE, "aten.gelu.default")
    found = cost(graph)
    assert dict(found.unknown_ops) == {"aten.gelu.default": 1}
    assert [node.macs for node in found.nodes if node.op == "aten.gelu.default"] == [None]
    assert found.macs == before.macs
