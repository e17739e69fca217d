"""Replay, gradients and verify: agreement where there is one, and the right node named where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.replay import evaluate, gradients, replay
from photosite.analysis.verify import verify
from photosite.errors import MismatchedWeightsError, ShapeError, UnknownNameError, UnsupportedOpError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.table import TABLE
from tests.analysis.networks import Convolutional, Tokens, ready
from tests.graph import models


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("network", [Convolutional, Tokens])
@pytest.mark.parametrize("batch", [1, 3])
def test_all_agrees(network: type[nn.Module], dtype: torch.dtype, batch: int) -> None:
    model, x, graph, _ = ready(network(), torch.randn(batch, 3, 64, 64), dtype)
    verdict = verify(graph, model, x, backward=True)
    assert verdict.first_failure is None
    assert {check.state for check in (*verdict.values, *verdict.gradients)} == {"same"}
    assert [check.node for check in verdict.values] == [node.name for node in graph]
    named = {check.node for check in verdict.gradients}
    assert {name for name, _ in model.named_parameters()} | set(graph.inputs) <= named
    assert verdict.worst is not None
    assert 0 < verdict.worst.relative < (1e-4 if dtype == torch.float32 else 1e-12)


def test_overwriting_and_tied_weights_are_no_trouble() -> None:
    for model, x in ((models.InPlace(), torch.randn(2, 3, 8, 8)), (models.Tied(), torch.randn(2, 4))):
        model.eval()
        assert verify(capture(model, x), model, x, backward=True).first_failure is None


@pytest.mark.parametrize("broken", ["aten.batch_norm.default", "aten.max_pool2d.default", "aten.conv2d.default"])
def test_a_broken_row_is_named(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, graph, _ = ready(Convolutional(), torch.randn(2, 3, 64, 64), torch.float32)
    nodes = [node.name for node in graph if node.op == broken]
    victim, row, calls = nodes[len(nodes) // 2], TABLE[broken], []

    def value(*args: np.ndarray, **options: object) -> np.ndarray:
        calls.append(1)
        result: np.ndarray = row.value(*args, **options)
        return result + 1e-2 * np.abs(result).max() if _is_victim(args) else result

    operands = [run for run in graph.node(victim).inputs if run in graph.parameters]
    marks = {name: model.state_dict()[name].numpy() for name in operands}
    shape = graph.shape_of(graph.node(victim).inputs[0])

    def _is_victim(args: tuple[np.ndarray, ...]) -> bool:
        given = [arg for arg in args[1:] if isinstance(arg, np.ndarray)]
        return args[0].shape == shape and all(any(np.array_equal(m, g) for g in given) for m in marks.values())

    monkeypatch.setitem(TABLE, broken, replace(row, value=value))
    verdict = verify(graph, model, x)
    assert calls
    assert verdict.first_failure is not None
    assert (verdict.first_failure.node, verdict.first_failure.op) == (victim, broken)
    after = verdict.values[[check.node for check in verdict.values].index(victim) + 1 :]
    assert {check.state for check in after} <= {"drift", "same"}  # those behind it only carry it on
    assert "drift" in {check.state for check in after}


class Cancelling(nn.Module):
    """Values and gradients that are 0 by nature, so that nothing but rounding is left of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8)  # which forgets the bias before it
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)  # which forgets the bias of its keys

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.conv(x))
        y = y - y.mean((2, 3), keepdim=True)
        tokens = y.flatten(2).transpose(1, 2) + y.mean((2, 3))[:, None]  # a mean of what has mean 0
        mixed: torch.Tensor = self.mix(tokens, tokens, tokens, need_weights=False)[0]
        return mixed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_zero_by_nature_is_nobodys_fault(dtype: torch.dtype) -> None:
    model, x, graph, _ = ready(Cancelling(), torch.randn(3, 3, 11, 13), dtype)
    verdict = verify(graph, model, x, backward=True)
    assert verdict.first_failure is None
    assert "drift" in {check.state for check in (*verdict.values, *verdict.gradients)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_broken_gradient_is_named(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, graph, _ = ready(Tokens(), torch.randn(1, 3, 32, 32), dtype)
    row = TABLE["aten.gelu.default"]
    assert row.vjp is not None
    old = row.vjp
    monkeypatch.setitem(TABLE, "aten.gelu.default", replace(row, vjp=lambda *a, **k: (old(*a, **k)[0] * 1.01,)))
    verdict = verify(graph, model, x, backward=True)
    assert all(check.state == "same" for check in verdict.values)
    gelu = next(node for node in graph if node.kind == "gelu")
    assert verdict.first_failure is not None
    assert verdict.first_failure.node == gelu.inputs[0]  # whose gradient the broken one gives
    assert {check.state for check in verdict.gradients} == {"same", "differs", "drift"}


def test_unknown_operations_are_listed_and_what_follows_is_still_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, graph, state = ready(Convolutional(), torch.randn(1, 3, 64, 64), torch.float32)
    monkeypatch.delitem(TABLE, "aten.max_pool2d.default")
    verdict = verify(graph, model, x)
    assert dict(verdict.unknown_ops) == {"aten.max_pool2d.default": 1}
    assert verdict.first_failure is None
    assert sum(check.state == "unknown" for check in verdict.values) == 1
    for run in (lambda: verify(graph, model, x, backward=True), lambda: replay(graph, state, x.numpy())):
        with pytest.raises(UnsupportedOpError, match=r"aten\.max_pool2d\.default \(1\)"):
            run()


def test_replay_keeps_what_is_asked_for_and_nothing_else() -> None:
    model, x, graph, state = ready(Convolutional(), torch.randn(1, 3, 64, 64))
    seen: list[str] = []
    names = [graph.nodes[2].name, graph.nodes[-3].name]
    found = replay(graph, state, x.numpy(), keep=names, on_node=lambda node, _: seen.append(node.name))
    assert list(found.kept) == names
    assert seen == [node.name for node in graph]
    np.testing.assert_allclose(found.output, model(x).detach().numpy(), rtol=1e-11)
    with pytest.raises(UnknownNameError, match="nowhere"):
        replay(graph, state, x.numpy(), keep=["nowhere"])
    with pytest.raises(ShapeError, match="captured with inputs of shape"):
        replay(graph, state, x.numpy()[..., 1:])
    with pytest.raises(MismatchedWeightsError, match=r"stem\.weight wants"):
        replay(graph, {**state, "stem.weight": np.ones(3)}, x.numpy())


def test_gradients_of_what_is_wanted() -> None:
    model, x, graph, state = ready(Tokens(), torch.randn(2, 3, 32, 32))
    values = evaluate(graph, state, x.numpy())
    cotangents = {graph.outputs[0]: np.ones((2, 5))}
    some = gradients(graph, values, cotangents, wanted=["head.bias", "start"])
    assert set(some.parameters) == {"head.bias", "start"}
    assert not some.inputs
    every = gradients(graph, values, cotangents, keep=[graph.nodes[0].name])
    assert set(every.values) == {graph.nodes[0].name}
    assert every.inputs[graph.inputs[0]].shape == x.shape
    np.testing.assert_array_equal(some.parameters["start"], every.parameters["start"])
    model(x).sum().backward()
    np.testing.assert_allclose(every.parameters["start"], model.start.grad, rtol=1e-9, atol=1e-12)  # type: ignore[arg-type]


def test_no_numpy_for_bfloat16() -> None:
    model, x = nn.Linear(2, 2).bfloat16(), torch.ones(1, 2).bfloat16()
    with pytest.raises(UnsupportedOpError, match="NumPy has no bfloat16"):
        replay(functional(capture(model, x)), {}, np.ones((1, 2), np.float32))
