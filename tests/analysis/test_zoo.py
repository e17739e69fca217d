"""Every model of the zoo is captured, has a row for each operation, and agrees with PyTorch, forward and backward."""

from __future__ import annotations

import pytest
import torch

from photosite.analysis.cost import cost
from photosite.analysis.replay import unknown_ops
from photosite.analysis.verify import verify
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.nets.sources import import_torchvision
from tests import zoo

import_torchvision()
pytest.importorskip("timm")
pytest.importorskip("transformers")

SLOW = [name for name in zoo.NAMES if name not in zoo.FAST]
MODELS = [*zoo.FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_torch(name: str) -> None:
    model, x = zoo.build(name)
    graph = capture(model, x)
    assert not unknown_ops(functional(graph)), "a row is missing in the op table"
    verdict = verify(graph, model, x, backward=True)
    assert verdict.first_failure is None
    assert len(verdict.values) == len(functional(graph))
    assert len(verdict.gradients) > len(list(model.parameters())) / 2
    drifted = [check for check in verdict.values if check.state == "drift"]
    assert not drifted, "values drift from one operation to the next"
    known = {check.node for check in verdict.gradients if check.scale > 1e-7}
    learned = [name for name, parameter in graph.parameters.items() if not parameter.is_buffer]
    assert len(known & set(learned)) > 0.7 * len(learned), "too many gradients are 0 to say anything"


@pytest.mark.parametrize("name", MODELS)
def test_costs_what_torch_counts(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, x = zoo.build(name)
    graph = functional(capture(model, x))
    with (
        torch.no_grad(),
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        model(x)
    assert 2 * cost(graph).macs == counter.get_total_flops()
