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
    if any(check.state == "drift" for check in verdict.values):  # rounding that grows: in double precision it is gone
        model, x = zoo.build(name, torch.float64)
        assert max(check.relative for check in verify(capture(model, x), model, x).values) < 1e-8
    known = {check.node for check in verdict.gradients if check.scale > 0}
    learned = [name for name, parameter in graph.parameters.items() if not parameter.is_buffer]
    assert len(known & set(learned)) > 0.7 * len(learned), "too many gradients are 0 to say anything"


@pytest.mark.parametrize("name", MODELS)
def test_costs_what_torch_counts(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, x = zoo.build(name)
    graph = functional(capture(model, x))
    model.requires_grad_(False)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not know the fused attention block,
    try:
        with (
            torch.backends.mkldnn.flags(enabled=False),  # nor oneDNN's LSTM,
            torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),  # nor attention on the CPU
            FlopCounterMode(display=False) as counter,
        ):
            model(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    assert 2 * cost(graph).macs == counter.get_total_flops()
