"""Values of some layers of any model, batch by batch, as channels by places: captured once, run up to the last of them.

Maps with channels first or last and tokens come out alike. Nothing is kept: a value is shown and forgotten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from photosite.analysis.aim import by_channel, place_of
from photosite.analysis.features import Place
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import CaptureError, RangeError, ShapeError
from photosite.graph.capture import capture, unwrap
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.graph.read import model_tensors

Look = Callable[[str, Tensor], None]
"""Called with a name that was asked for and its value (B, C, places), right during the call only."""


class LayerValues:
    """Shows values of a model on batches of one shape.

    Args:
        model: any vision model of one input, left as it was; run as in evaluation.
        shape: of a batch, as the model takes them.
        dtype: likewise.
        nodes: names of nodes or paths of modules, whose last value is taken.
        who: asks, for what is said of an error.
    Raises:
        UnknownNameError: there is no such node or module.
        ShapeError: a value has no channels.
        RangeError: nothing was asked for.
        CaptureError: the model cannot be read.

    >>> values = LayerValues(nn.Conv2d(3, 8, 3), (2, 3, 6, 6), torch.float32, ["conv2d"], "example")
    >>> values(torch.zeros(2, 3, 6, 6), lambda name, value: print(name, tuple(value.shape)))
    conv2d (2, 8, 16)
    """

    def __init__(
        self, model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, nodes: Iterable[str], who: str
    ) -> None:
        self.model = model
        graph = capture(model, torch.zeros(shape, dtype=dtype, device=like(model).device))
        wanted = {name: graph.find(name) for name in nodes}
        if not wanted:
            raise RangeError(f"{who}: wants at least 1 value to look at, got none")
        self.places = places_of(wanted, known_receptive_fields(graph), shape[0], who)
        self._graph = up_to(graph, {node.name for node in wanted.values()})

    def __call__(self, x: Tensor, look: Look) -> None:
        """Run the model on a batch and show each value, once for every name that it was asked for by.

        Args:
            x: of the captured shape.
            look: called with the name and the value.
        """

        def show(node: Node, value: Any, milliseconds: float) -> None:
            for name, place in self.places.items():
                if place.node == node.name:
                    look(name, by_channel(value, place))

        with torch.inference_mode():
            execute(self._graph, self.model, x, on_node=show)


def known_receptive_fields(graph: Graph) -> ReceptiveFields | None:
    """How far each value sees; None where something is overwritten in a way that has no rule."""
    with contextlib.suppress(CaptureError):
        return ReceptiveFields(functional(graph))
    return None


def places_of(wanted: Mapping[str, Node], fields: ReceptiveFields | None, batch: int, who: str) -> dict[str, Place]:
    """Where the places of some values lie.

    Args:
        wanted: the nodes, by the names that they were asked for by.
        fields: of their graph; None where no place is known.
        batch: how many pictures the graph takes at once.
        who: asks, for what is said of an error.
    Raises:
        ShapeError: a value is no map of places, and not (B, D) either.
    """
    return {name: _checked(place_of(node, fields, batch), node, batch, who) for name, node in wanted.items()}


def like(model: nn.Module) -> Tensor:
    """A tensor of the device and floating type of the model."""
    tensors = model_tensors(unwrap(model)[0]).values()
    return next((tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(0))


def up_to(graph: Graph, names: set[str]) -> Graph:
    """A graph without what comes after the last of some nodes."""
    last = max(number for number, node in enumerate(graph) if node.name in names)
    return replace(graph, nodes=graph.nodes[: last + 1], outputs=(graph.nodes[last].name,), output_keys=("output",))


def _checked(place: Place, node: Node, batch: int, who: str) -> Place:
    """A place, if the value has channels there."""
    if len(node.shapes) != 1 or not node.dtype.startswith(("float", "bfloat")):
        raise ShapeError(f"{who}: {node.name} is not one value of real numbers")
    if not place.layout and (len(node.shape) != 2 or node.shape[0] != batch):
        raise ShapeError(f"{who}: {node.name} {node.shape} holds no map of places, batch first, and no numbers")
    return place
