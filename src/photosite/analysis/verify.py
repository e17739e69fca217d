"""Hold NumPy against PyTorch, node by node: the largest difference of each value, and of each gradient.

Both run side by side. A difference can come from the node itself or from those before it, so a node whose value has
left tolerance is run once more on PyTorch's operands: only if its own result differs too, it is at fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from photosite.analysis.recheck import (
    difference,
    gradient_by_readers,
    gradient_difference_in_double,
    largest,
    value_difference_in_double,
)
from photosite.analysis.replay import gradients, leaves, run_node, unknown_ops
from photosite.errors import UnsupportedOpError
from photosite.graph.capture import unwrap
from photosite.graph.execute import run
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.graph.read import model_tensors
from photosite.graph.table import TABLE
from photosite.ops.arrays import Array

TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 2e-2, "complex64": 1e-4, "complex128": 1e-10}
"""Largest difference that counts as equal, as a share of the largest value; thousands of products are summed up in
another order, each rounded to 2^-24 of its size in float32."""
CANCELLING = 100
"""By how much more something may differ, as a share of the largest number that went into it, if in double precision it
does not differ: its terms cancel."""
ROUNDING = 1e-13
"""What is left of terms that cancel in double precision, as a share of the largest of them: a thousand last digits."""


@dataclass(frozen=True)
class Check:
    """How one value or gradient of ours compares with PyTorch's.

    Attributes:
        node: the node's name; of a gradient of a parameter or an input, that name.
        op: its operation; "" for parameters and inputs.
        module: the module that called it.
        shape: of the value.
        difference: the largest absolute difference.
        scale: the largest absolute value of PyTorch's.
        own: the largest difference of the node by itself, on PyTorch's operands; None where it was not needed.
        state: "same" within tolerance; "drift" where its operands differ too much, or terms cancel so that only
            rounding is left, but not the operation itself; "differs" where that does; "unknown" where its operation
            has no row (PyTorch's value goes on).
    """

    node: str
    op: str
    module: str
    shape: tuple[int, ...]
    difference: float
    scale: float
    own: float | None
    state: str

    @property
    def relative(self) -> float:
        """The difference as a share of the largest value."""
        return self.difference / self.scale if self.scale else self.difference


@dataclass(frozen=True)
class Verdict:
    """All checks of a model, values first, in the order in which they were computed.

    Attributes:
        values: one for each node.
        gradients: of all nodes' values (last node first), then of parameters and inputs; empty unless asked for.
        unknown_ops: operations without a row, and how often each occurs.
    """

    values: tuple[Check, ...]
    gradients: tuple[Check, ...] = ()
    unknown_ops: Counter[str] = field(default_factory=Counter)

    @property
    def worst(self) -> Check | None:
        """The check with the largest difference; None where nothing could be compared."""
        compared = [check for check in (*self.values, *self.gradients) if check.state != "unknown"]
        return max(compared, key=lambda check: check.difference, default=None)

    @property
    def first_failure(self) -> Check | None:
        """The first check whose node differs by itself."""
        return next((check for check in (*self.values, *self.gradients) if check.state == "differs"), None)


def verify(graph: Graph, model: nn.Module, *inputs: torch.Tensor, backward: bool = False) -> Verdict:
    """Run a model in NumPy and in PyTorch, and compare everything that comes out in between.

    Args:
        graph: from `capture(model, *inputs)`.
        model: the model, on the CPU.
        inputs: what it takes.
        backward: compare gradients too: those of a sum of all outputs, each weighted at random (always alike).
    Returns:
        A check for each node; with gradients, one for each value, parameter and input that a gradient reaches.
    Raises:
        UnsupportedOpError: gradients are asked for and an operation has no row.
    Convention: gradients are carried back through PyTorch's values, so that a ReLU of a value next to 0 is on the same
        side in both.
    """
    pure = functional(graph)
    missing = unknown_ops(pure)
    if backward and missing:
        listed = ", ".join(f"{op} ({count})" for op, count in missing.most_common())
        raise UnsupportedOpError(f"verify: gradients cannot pass operations without a row: {listed}", dict(missing))
    state = model_tensors(unwrap(model)[0])
    theirs = _Torch(pure, state, inputs, backward)
    arrays = {name: tensor.detach().numpy() for name, tensor in state.items()}
    ours = leaves(pure, arrays, [tensor.detach().numpy() for tensor in inputs])
    values = []
    for number, node in enumerate(pure.nodes):
        theirs.run(node)
        values.append(_check_value(node, ours, theirs))
        for name in pure.last_uses.get(number, ()):
            del ours[name]
            if not backward:
                theirs.forget(name)
    return Verdict(tuple(values), tuple(_check_gradients(pure, theirs)) if backward else (), missing)


class _Torch:
    """A functional graph on its way through PyTorch; its values stay valid, since nothing overwrites them."""

    def __init__(
        self, graph: Graph, state: Mapping[str, torch.Tensor], inputs: Iterable[torch.Tensor], backward: bool
    ) -> None:
        self.graph = graph
        self.backward = backward
        read = {name for node in graph for name in node.inputs} | {*graph.outputs}
        given = {**dict(zip(graph.inputs, inputs, strict=True)), **{n: t for n, t in state.items() if n in read}}
        self.values: dict[str, Any] = {name: self._leaf(name, tensor) for name, tensor in given.items()}
        for name in read & set(graph.constants):
            constant = graph.constants[name]
            self.values[name] = torch.tensor(constant.array, dtype=getattr(torch, constant.dtype))
        self.leaves = list(self.values)

    def _leaf(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        info = self.graph.parameters.get(name)
        leaf = tensor.detach()
        learned = leaf.is_floating_point() or leaf.is_complex()
        return leaf.requires_grad_() if self.backward and learned and not (info and info.is_buffer) else leaf

    def run(self, node: Node) -> None:
        with torch.set_grad_enabled(self.backward):
            value = run(node, self.values)
            if self.backward and any(value is self.values[name] for name in node.inputs):
                value = value.view_as(value)  # dropout and others return their operand: a gradient of its own for each
            self.values[node.name] = value

    def forget(self, name: str) -> None:
        del self.values[name]

    def arrays(self, names: Iterable[str]) -> dict[str, Any]:
        """Values as NumPy has them, sharing memory."""
        return {name: _array(self.values[name]) for name in names}


def _array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().resolve_conj().resolve_neg().numpy()
    return [_array(part) for part in value]


def _check_value(node: Node, ours: dict[str, Any], theirs: _Torch) -> Check:
    wanted = _array(theirs.values[node.name])
    if node.op != "getitem" and node.op not in TABLE:
        ours[node.name] = wanted
        return Check(node.name, node.op, node.module, node.shape, 0.0, largest(wanted), None, "unknown")
    ours[node.name] = run_node(node, ours)
    apart, scale = difference(ours[node.name], wanted), largest(wanted)
    limit = scale * TOLERANCE.get(node.dtype, 0.0)
    own, state = None, "same"
    if not apart <= limit:
        operands = theirs.arrays(node.inputs)
        own, size = difference(run_node(node, operands), wanted), largest(list(operands.values()))
        own, state = _judged(own, limit, size, node.dtype, lambda: value_difference_in_double(node, operands))
    return Check(node.name, node.op, node.module, node.shape, apart, scale, own, state)


def _check_gradients(graph: Graph, theirs: _Torch) -> list[Check]:
    """Compare the gradient of every value, parameter and input."""
    flowing = {name: theirs.values[name] for name in graph.outputs if _flows(theirs.values[name])}
    if not flowing:
        return []
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.dtype)
        for name, value in flowing.items()
    }
    whole = {name: value for name, value in theirs.values.items() if _flows(value)}
    wanted = dict(
        zip(
            whole,
            torch.autograd.grad(
                list(flowing.values()),
                list(whole.values()),
                list(weights.values()),
                retain_graph=True,
                allow_unused=True,
            ),
            strict=True,
        )
    )
    values = theirs.arrays(theirs.values)
    names = [node.name for node in graph]
    cotangents = {name: weight.numpy() for name, weight in weights.items()}
    found = gradients(graph, values, cotangents, keep=names)
    ours = {**found.values, **found.parameters, **found.inputs}
    checks = []
    for node in reversed(graph.nodes):
        if wanted.get(node.name) is not None:
            checks.append(_check_gradient(graph, node.name, node, ours, wanted, values, cotangents))
    for name in (*graph.parameters, *graph.inputs):
        if wanted.get(name) is not None:
            checks.append(_check_gradient(graph, name, None, ours, wanted, values, cotangents))
    return checks


def _check_gradient(
    graph: Graph,
    name: str,
    node: Node | None,
    ours: Mapping[str, Any],
    wanted: Mapping[str, torch.Tensor | None],
    values: Mapping[str, Any],
    cotangents: Mapping[str, Array],
) -> Check:
    peer = wanted[name]
    assert peer is not None
    gradient = _array(peer)
    mine = ours.get(name)
    if mine is None:
        mine = np.zeros_like(gradient)
    apart, scale = difference(mine, gradient), largest(gradient)
    limit = scale * TOLERANCE.get(str(gradient.dtype), 0.0)
    own, state = None, "same"
    if not apart <= limit:
        total, size = gradient_by_readers(graph, name, gradient, wanted, values, cotangents.get(name))
        own, state = _judged(
            difference(total, gradient),
            limit,
            size,
            str(gradient.dtype),
            lambda: gradient_difference_in_double(graph, name, wanted, values),
        )
    op, module = (node.op, node.module) if node else ("", "")
    return Check(name, op, module, gradient.shape, apart, scale, own, state)


def _judged(own: float, limit: float, size: float, dtype: str, in_double: Callable[[], float]) -> tuple[float, str]:
    """The difference that an operation makes by itself, and whether it is at fault.

    Args:
        own: the difference.
        limit: how much is equal.
        size: the largest number that went in.
        dtype: of the result.
        in_double: the difference in double precision.
    """
    if limit < own <= size * TOLERANCE.get(dtype, 0.0) * CANCELLING:
        own = in_double()
        limit = max(limit, size * ROUNDING)
    return own, "drift" if own <= limit else "differs"


def _flows(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad
