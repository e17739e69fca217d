"""Rectifiers by operation and number, what the rules let through at each, and what is said of all else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.attributions import saliency
from photosite.analysis.backward import Attribution, Backward
from photosite.analysis.deconvolution import deconvnet, guided_backpropagation
from photosite.analysis.rectifiers import ADDING, IN_A_RECTIFIERS_PLACE, LINEAR, SWITCHING
from photosite.errors import UnsupportedOpError
from photosite.graph.ir import Node
from photosite.graph.table import TABLE

Function = Callable[[Tensor], Tensor]
X = [-2.0, 3.0, 0.5, 9.0]
WEIGHTS = [5.0, -7.0, 2.0, 4.0]
LARGE = {"relu6": 6, "hardtanh": 6, "clamp between": 6}
RECTIFIERS: dict[str, Function] = {
    "relu": torch.relu,
    "relu, in place": lambda x: torch.relu_(x * 1),
    "a method in place": lambda x: (x * 1).relu_(),
    "relu6": F.relu6,
    "hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "clamp": lambda x: x.clamp(min=0),
    "clamp between": lambda x: torch.clamp(x, 0, 6),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "clamp_min, in place": lambda x: torch.clamp_min_(x * 1, 0),
    "clamp by a tensor": lambda x: torch.clamp(x, min=torch.zeros(())),
    "clamp by a constant": lambda x: torch.clamp(x, min=torch.tensor(0.0)),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, the other way": lambda x: torch.maximum(torch.tensor(0.0), x),
    "clip": lambda x: x.clip(0),
    "threshold": lambda x: F.threshold(x, 0.25, 0),
    "threshold, in place": lambda x: F.threshold(x * 1, 0, 0, inplace=True),
}
OTHERS: dict[str, Function] = {
    "hardtanh": F.hardtanh,
    "threshold": lambda x: F.threshold(x, 0, 1.5),
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": F.elu,
    "tanh": torch.tanh,
}
BY_HAND: dict[str, Function] = {
    "where": lambda x: torch.where(x > 0, x, 0),
    "mul": lambda x: x * (x > 0),
    "maximum": lambda x: torch.maximum(x, -x),
    "clamp": lambda x: x.clamp(min=-1),
    "sigmoid": torch.sigmoid,
}


class Weighed(nn.Module):
    """The sum of what a function makes of four numbers, weighed."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(4, 1, bias=False)
        self.head.weight.data = torch.tensor([WEIGHTS])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.function(x))
        return y


@pytest.mark.parametrize("name", RECTIFIERS)
def test_what_each_rule_lets_through(name: str) -> None:
    backward = Backward(Weighed(RECTIFIERS[name]), torch.tensor([X]))
    bounded = any(name.startswith(start) for start in LARGE)  # 9 is above the bound, where nothing passes forward
    for method, wanted in (
        (saliency, [0, -7, 2, 0 if bounded else 4]),
        (deconvnet, [5, 0, 2, 4]),
        (guided_backpropagation, [0, 0, 2, 0 if bounded else 4]),
    ):
        found: Attribution = method(backward, torch.tensor([X]))
        assert found.values.tolist() == [wanted]
        assert found.notes == ()


@pytest.mark.parametrize("name", OTHERS)
def test_other_activations_are_refused_or_said(name: str) -> None:
    backward, x = Backward(Weighed(OTHERS[name]), torch.tensor([X])), torch.tensor([X])
    for method in (deconvnet, guided_backpropagation):
        with pytest.raises(UnsupportedOpError, match=f"{name} at .* is no rectifier"):
            method(backward, x)
        found = method(backward, x, smooth="gradient")
        assert torch.equal(found.values, saliency(backward, x).values)
        assert found.notes[0] == f"plain gradient through {name} (1)"
        assert "no rectifier on the way" in found.notes[1]


@pytest.mark.parametrize("name", BY_HAND)
def test_what_bends_in_another_way_is_said(name: str) -> None:
    found = guided_backpropagation(Weighed(BY_HAND[name]), torch.tensor([X]))
    assert found.notes[0] == f"plain gradient through {name} (1)"


def test_a_rectifier_beside_the_way_does_not_count() -> None:
    class Aside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 + F.gelu(torch.ones(4)) * torch.relu(x).detach().sign()

    found = guided_backpropagation(Aside(), torch.tensor([X]))
    assert found.values.tolist() == [[0, 0, 0, 2]]
    assert "no rectifier on the way" in found.notes[-1]


def test_the_kinds_are_those_of_the_table() -> None:
    kinds = {Node("", op).kind for op in TABLE} | {"getitem", "lift_fresh", "contiguous", "detach"}
    for group in (ADDING, IN_A_RECTIFIERS_PLACE, SWITCHING):
        assert group <= kinds
    assert not IN_A_RECTIFIERS_PLACE & (LINEAR | SWITCHING)
