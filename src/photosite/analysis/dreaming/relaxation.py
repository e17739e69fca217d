"""ReLUs that let a gradient through where they are closed, so that a unit that starts dead can be reached.

Works on the operations of a graph, so it does not matter whether the model's author wrote `nn.ReLU`, `F.relu`, `relu_`
or `clamp(min=0)`; smooth gates such as GELU have a slope nearly everywhere and stay as they are.

Source: the idea is that of Lucid's redirected gradients (Olah, Mordvintsev and Schubert 2017); theirs replaces
functions of TensorFlow, others' in PyTorch modules of the class `nn.ReLU`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from photosite.graph.execute import run
from photosite.graph.ir import Argument, Node


def is_relu(node: Node) -> bool:
    """Whether an operation is 0 below 0 and the identity above, possibly up to a ceiling.

    >>> is_relu(Node("a", "aten.hardtanh.default", args=(None, 0, 6))), is_relu(Node("b", "aten.gelu.default"))
    (True, False)
    """
    if node.kind in ("relu", "relu6"):
        return True
    if node.kind == "threshold":
        return _number(node, 1, "threshold") == 0 and _number(node, 2, "value") == 0
    floors = {"hardtanh": "min_val", "clamp": "min", "clamp_min": "min"}
    return node.kind in floors and _number(node, 1, floors[node.kind]) == 0


def relaxed(node: Node, values: Mapping[str, Any]) -> Tensor:
    """The value of a ReLU, bit for bit, with a gradient that also passes where nothing at all would.

    Where some of a picture's values are open, the gradient is the usual one. Where none that matters is, it passes the
    closed ones too, if a step against it moves them towards the open range. (A loss is made smaller.)
    """
    with torch.no_grad():
        value = run(node, values)
    x = values[node.inputs[0]]
    return _Relaxed.apply(x, value) if x.requires_grad else value  # type: ignore[no-any-return,no-untyped-call]


class _Relaxed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(x, value)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, value = ctx.saved_tensors
        gradient = gradients[0]
        usual = torch.where((value == x) & (x != 0), gradient, 0)
        towards = torch.where(value > x, gradient.clamp(max=0), torch.where(value < x, gradient.clamp(min=0), gradient))
        passes = usual.flatten(1).abs().sum(1) > 0 if x.ndim > 1 else usual.abs() > 0
        return torch.where(passes.view(-1, *[1] * (x.ndim - 1)), usual, towards), None


def _number(node: Node, position: int, name: str) -> Argument:
    """An argument by its place or its name; None where it is absent."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name)
