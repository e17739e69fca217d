"""A part of a captured network as a function of the picture that gradients pass through; the model is only read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from photosite.analysis.dreaming.relaxation import is_relu, relaxed
from photosite.errors import MismatchedWeightsError, ShapeError
from photosite.graph.capture import unwrap
from photosite.graph.execute import run
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.graph.read import model_tensors


class Part:
    """Everything from the picture to one value.

    Args:
        graph: from `capture`; operations in place are made functional first.
        model: gives the weights, on any device, in any floating type, trained or not, compiled or not.
        node: a node of the graph, or the path of a module, whose last value is taken.
    Raises:
        ShapeError: the model takes several inputs or something that is no picture, or the value is no single tensor
            of floating-point numbers.
        UnknownNameError: there is no such node.
        MismatchedWeightsError: the model is not the one that was captured.
    Convention: a call gives what the model itself gives, bit for bit, with gradients whatever the caller switched off.
    """

    def __init__(self, graph: Graph, model: nn.Module, node: str) -> None:
        self.graph = functional(graph) if any(one.writes for one in graph) else graph
        if len(graph.inputs) != 1 or len(graph.input_shapes[0]) != 4:
            takes = ", ".join(f"{name} {shape}" for name, shape in zip(graph.inputs, graph.input_shapes, strict=True))
            raise ShapeError(f"dream: wants a model of one picture (B, C, H, W), this takes {takes}")
        self.node = self.graph.find(node)
        if len(self.node.shapes) != 1 or not self.node.dtype.startswith(("float", "bfloat")):
            several = len(self.node.shapes) != 1
            what = f"gives {len(self.node.shapes)} values" if several else f"gives {self.node.dtype}"
            raise ShapeError(f"dream: wants one value of floating-point numbers, {self.node.name} {what}")
        self.nodes = _needed(self.graph, self.node.name)
        self._last = {name: number for number, one in enumerate(self.nodes) for name in one.inputs}
        self._state = self._borrowed(unwrap(model)[0])
        self.relus = [one.name for one in self.nodes if is_relu(one)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the input, (B, C, H, W) or (B, H, W, C)."""
        return self.graph.input_shapes[0]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next((one.device for one in self._state.values() if one.is_floating_point()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """What the model takes."""
        found: torch.dtype = getattr(torch, self.graph.input_dtypes[0])
        return found

    def __call__(self, x: Tensor, *, relax: bool = False) -> Tensor:
        """Run this part.

        Args:
            x: (B, C, H, W) of the captured shape, on the model's device; brought to its type.
            relax: let gradients through ReLUs that are closed, see `relaxation`.
        """
        values = {**self._state, self.graph.inputs[0]: x.to(self.dtype)}
        for number, one in enumerate(self.nodes):
            values[one.name] = relaxed(one, values) if relax and is_relu(one) else run(one, values)
            for name in one.inputs:
                if self._last[name] == number:
                    values.pop(name, None)
        return values[self.node.name]

    def _borrowed(self, model: nn.Module) -> dict[str, Tensor]:
        """What the nodes read of the model, detached; tensors of inference mode copied, for they take no gradients."""
        read = {name for one in self.nodes for name in one.inputs}
        given = model_tensors(model)
        with torch.inference_mode(False):
            state = {}
            for name in sorted(read & set(self.graph.parameters)):
                if name not in given or tuple(given[name].shape) != self.graph.parameters[name].shape:
                    got = tuple(given[name].shape) if name in given else "nothing"
                    wants = self.graph.parameters[name].shape
                    raise MismatchedWeightsError(f"dream: {name} wants {wants}, got {got}")
                state[name] = given[name].clone() if given[name].is_inference() else given[name].detach()
            device = next((one.device for one in state.values()), torch.device("cpu"))
            for name in read & set(self.graph.constants):
                held = self.graph.constants[name]
                state[name] = torch.tensor(held.array, dtype=getattr(torch, held.dtype), device=device)
        return state


def _needed(graph: Graph, node: str) -> list[Node]:
    """The nodes that a value is made of, in order."""
    wanted, found = {node}, []
    for one in reversed(graph.nodes):
        if one.name in wanted:
            found.append(one)
            wanted |= set(one.inputs)
    return found[::-1]
