"""Run a `Graph` node by node in PyTorch, and show each value while it is valid.

The result is the model's own, bit for bit: the same ATen operations on the same numbers in the same order. Knows
nothing of where the graph came from; the operations are looked up by name.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy.typing as npt
import torch
from torch import nn
from torch.utils import _pytree as pytree

from photosite.errors import MismatchedWeightsError, ShapeError
from photosite.graph.capture import unwrap
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.read import model_tensors

OnNode = Callable[[Node, Any, float], None]
"""Called with the node, its value (a tensor, or a list of them) and the milliseconds it took."""


@dataclass(frozen=True)
class Execution:
    """What came out: `outputs` by where they stood in the model's result, `kept` by node name."""

    outputs: dict[str, torch.Tensor]
    kept: dict[str, Any]

    @property
    def output(self) -> torch.Tensor:
        """The first output; the only one of most models."""
        return next(iter(self.outputs.values()))


def execute(
    graph: Graph,
    state: nn.Module | Mapping[str, torch.Tensor],
    *inputs: Any,
    keep: Iterable[str] = (),
    on_node: OnNode | None = None,
) -> Execution:
    """Run the graph, without gradients.

    Operations that work in place do so here as well, which has three consequences that this function takes care of:
    what `on_node` gets is right during the call and may be overwritten later (copy what is to last); what `keep` names
    is a copy made at that moment whenever something later would overwrite it; and the caller's inputs, parameters and
    buffers are never written to, because those that the graph overwrites are copied first.

    Args:
        graph: from `capture`.
        state: the model, or its state dict: a tensor for each parameter and buffer that the graph reads.
        inputs: what the model takes, in the form it was captured with and with the same shapes.
        keep: names of nodes whose values are returned; every other value is freed after its last use.
        on_node: called after each node.

    Returns:
        Outputs and kept values.

    Raises:
        UnknownNameError: `keep` names no node.
        MismatchedWeightsError: `state` lacks a tensor, or one has another shape.
        ShapeError: the inputs are not those of the capture.
    Matches: calling the model itself, bit for bit.

    >>> from photosite.graph.capture import capture
    >>> model, x = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True)), torch.tensor([[-1.0, 2.0]])
    >>> execute(capture(model, x), model, x, keep=["flatten"]).kept["flatten"], x
    (tensor([[-1.,  2.]]), tensor([[-1.,  2.]]))
    """
    wanted = {graph.node(name).name for name in keep}
    overwritten = _last_writes(graph)
    with torch.no_grad():
        values = _borrow(graph, state, inputs, overwritten)
        kept: dict[str, Any] = {}
        dying = graph.last_uses
        wait = _waiter(values)
        for number, node in enumerate(graph.nodes):
            call, args, kwargs = operation(node.op), thaw(node.args, values), thaw_map(node.kwargs, values)
            wait()
            start = time.perf_counter()
            try:
                value = call(*args, **kwargs)
            except Exception as error:
                error.add_note(f"execute: at node {node.name!r} ({node.op}, module {node.module!r}, {node.source})")
                raise
            wait()
            milliseconds = (time.perf_counter() - start) * 1000
            values[node.name] = value
            if node.name in wanted:
                spoiled = overwritten.get(node.name, -1) > number
                kept[node.name] = pytree.tree_map_only(torch.Tensor, torch.clone, value) if spoiled else value
            if on_node is not None:
                on_node(node, value, milliseconds)
            del value, args, kwargs
            for name in dying.get(number, ()):
                del values[name]
        outputs = {key: values[name] for key, name in zip(graph.output_keys, graph.outputs, strict=True)}
    return Execution(outputs, kept)


def _borrow(
    graph: Graph,
    state: nn.Module | Mapping[str, torch.Tensor],
    inputs: tuple[Any, ...],
    overwritten: Mapping[str, int],
) -> dict[str, Any]:
    """Everything that nodes read and no node makes; what some node overwrites is copied."""
    tensors = [leaf for leaf in pytree.tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    if shapes != graph.input_shapes:
        raise ShapeError(f"execute: the graph was captured with inputs of shape {graph.input_shapes}, got {shapes}")
    given = model_tensors(unwrap(state)[0]) if isinstance(state, nn.Module) else state
    read = dict.fromkeys(name for node in graph for name in node.inputs)
    read.update(dict.fromkeys(graph.outputs))
    names = [name for name in read if name in graph.parameters]
    wrong = [
        f"{name} wants {graph.parameters[name].shape}, got {tuple(given[name].shape) if name in given else 'nothing'}"
        for name in names
        if name not in given or tuple(given[name].shape) != graph.parameters[name].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
        raise MismatchedWeightsError(f"execute: {'; '.join(wrong[:5])}{more}")
    device = tensors[0].device if tensors else torch.device("cpu")
    values: dict[str, Any] = dict(zip(graph.inputs, tensors, strict=True))
    values.update({name: given[name] for name in names})
    values = {name: value.clone() if name in overwritten else value for name, value in values.items()}
    for name in read:
        if name in graph.constants:
            constant = graph.constants[name]
            values[name] = torch.tensor(constant.array, dtype=getattr(torch, constant.dtype), device=device)
    return values


def _last_writes(graph: Graph) -> dict[str, int]:
    """For each name whose memory some node overwrites, the number of the last node that does."""
    return {
        name: number
        for number, node in enumerate(graph.nodes)
        for written in node.writes
        for name in graph.aliases(written)
    }


def model_arrays(model: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """All parameters and buffers of a model on the CPU as arrays, which share its memory.

    >>> model_arrays(nn.Linear(2, 1))["weight"].shape
    (1, 2)
    """
    return {name: tensor.detach().numpy() for name, tensor in model_tensors(unwrap(model)[0]).items()}


def run(node: Node, values: Mapping[str, Any]) -> Any:
    """One node's value in PyTorch, from the values that it reads."""
    return operation(node.op)(*thaw(node.args, values), **thaw_map(node.kwargs, values))


@cache
def operation(op: str) -> Callable[..., Any]:
    """The function behind a name such as "aten.conv2d.default"."""
    if op == "getitem":
        return operator.getitem
    if op == "aten.copy.default":
        return _copy
    found: Callable[..., Any] = operator.attrgetter(op)(torch.ops)
    return found


def _copy(x: torch.Tensor, src: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """What `aten.copy` gives, which has no derivative in torch, where its form in place has one."""
    return torch.empty_like(x).copy_(src, non_blocking)


def thaw(argument: Argument, values: Mapping[str, Any]) -> Any:
    """Turn a frozen argument back into what torch takes."""
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, tuple):
        return [thaw(part, values) for part in argument]
    if isinstance(argument, str) and argument.startswith("torch."):
        return getattr(torch, argument.removeprefix("torch."))
    return argument


def thaw_map(arguments: Mapping[str, Argument], values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn frozen keyword arguments back into what torch takes."""
    return {key: thaw(argument, values) for key, argument in arguments.items()}


def _waiter(values: Mapping[str, Any]) -> Callable[[], None]:
    """What to call so that a clock is right: nothing on the CPU, which is done when it returns."""
    devices = {value.device for value in values.values() if isinstance(value, torch.Tensor)}
    other = next((device for device in devices if device.type not in ("cpu", "meta")), None)
    return (lambda: None) if other is None else (lambda: torch.accelerator.synchronize(other))
