"""How far a value of a network really looks: the gradient of places of a map, averaged over many pictures.

The receptive field says which pixels can count; most of them hardly do. The gradient of a place with respect to the
input, without its sign and averaged, is nearly a normal distribution, much narrower than the field: of n convolutions
with equal weights K wide its variance is n (K² - 1) / 12.

Source: Luo, Li, Urtasun and Zemel 2016.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import RangeError, ShapeError
from photosite.graph.capture import unwrap
from photosite.graph.execute import run
from photosite.graph.ir import Graph, Node
from photosite.graph.reach.field import DIRECTIONS, picture, ways_of
from photosite.graph.read import model_tensors
from photosite.ops.arrays import Array

SHARES = {"68%": 0.6827, "95%": 0.9545}
"""The shares of a normal distribution within one and two standard deviations."""


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """What a place looks at.

    Attributes:
        node: whose place.
        unit: its row and column in the map.
        heat: (H, W) float64, of the input: the mean absolute gradient, summed over channels; sums to 1.
        theoretical: height and width of the receptive field; None where it has no local one.
        pictures: how many were averaged.
    """

    node: str
    unit: tuple[int, int]
    heat: Array
    theoretical: tuple[int, int] | None
    pictures: int

    def profile(self, way: str) -> Array:
        """The share of each row ("y") or column ("x"); sums to 1."""
        total: Array = self.heat.sum(1 if way == "y" else 0)
        return total

    @property
    def center(self) -> tuple[float, float]:
        """The mean place of what counts, in pixels from the top left corner's center."""
        down, across = (float(self.profile(way) @ np.arange(len(self.profile(way)))) for way in DIRECTIONS)
        return down, across

    @property
    def deviation(self) -> tuple[float, float]:
        """The standard deviation of the normal distribution with the same mean and variance, in pixels."""
        found = []
        for way, mean in zip(DIRECTIONS, self.center, strict=True):
            profile = self.profile(way)
            found.append(float(np.sqrt(profile @ (np.arange(len(profile)) - mean) ** 2)))
        return found[0], found[1]

    @property
    def misfit(self) -> tuple[float, float]:
        """How far the profile of rows, and that of columns, is from that normal distribution: 0 the same, 1 disjoint.

        Half the sum of absolute differences, pixel by pixel (total variation distance). Of convolutions with equal
        weights it goes to 0 with their number; a comb, as behind dilation, is far from 0.
        """
        found = []
        for way, mean, deviation in zip(DIRECTIONS, self.center, self.deviation, strict=True):
            profile = self.profile(way)
            scale = max(deviation, 1e-9) * math.sqrt(2)
            edges = [math.erf((edge - 0.5 - mean) / scale) / 2 for edge in range(len(profile) + 1)]
            found.append(float(np.abs(profile - np.diff(edges)).sum() / 2))
        return found[0], found[1]

    def width(self, share: float) -> tuple[int, int]:
        """Rows and columns around the center that hold a share of all that counts, the fewest that do.

        Raises:
            RangeError: a share that is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise RangeError(f"width: wants a share between 0 and 1, got {share}")
        found = []
        for way, mean in zip(DIRECTIONS, self.center, strict=True):
            profile = self.profile(way)
            nearest = np.argsort(np.abs(np.arange(len(profile)) - mean), kind="stable")
            found.append(int(np.searchsorted(np.cumsum(profile[nearest]), share) + 1))
        return found[0], found[1]

    @property
    def ratio(self) -> tuple[float, float] | None:
        """The width that holds 95%, over the receptive field."""
        if self.theoretical is None:
            return None
        wide = self.width(SHARES["95%"])
        return wide[0] / self.theoretical[0], wide[1] / self.theoretical[1]


def effective_field(
    graph: Graph,
    model: nn.Module,
    node: str,
    units: Sequence[tuple[int, int]],
    pictures: int | torch.Tensor = 64,
    seed: int = 0,
    on_node: Callable[[Node], None] | None = None,
) -> list[EffectiveField]:
    """Average the gradients of some places of a map over many pictures.

    Args:
        graph: functional, captured with as many pictures at once as are to be worked on (more take more memory).
        model: gives the weights, trained or not; on any device, in any floating type.
        node: a node of the graph, or the path of a module, whose last value is taken.
        units: rows and columns of places; of tokens and windows, those of the whole map.
        pictures: as the graph takes them, (N, C, H, W) or (N, H, W, C), or how many to draw (normal noise).
        seed: of what is drawn.
        on_node: called behind each operation of each batch of pictures; what it raises ends the work.
    Returns:
        One for each unit.
    Raises:
        ShapeError: the node has no map or no gradient, pictures have another size, or the model takes several inputs.
        RangeError: a unit that the map has not, or no picture.
        UnknownNameError: there is no such node.
    Convention: the gradient of the sum over channels, absolute, summed over the input's channels; then averaged.
        Absolute, so that pixels that pull in both directions count as much as those that pull in one.
    """
    if len(graph.inputs) != 1:
        raise ShapeError(f"effective field: wants a model of one input, this takes {', '.join(graph.inputs)}")
    one = ReceptiveFields(graph)[node]
    places = [one.index(unit) for unit in units]
    batch, *rest = graph.input_shapes[0]
    count = pictures if isinstance(pictures, int) else len(pictures)
    if count < 1:
        raise RangeError(f"effective field: wants at least 1 picture, got {count}")
    if not isinstance(pictures, int) and list(pictures.shape[1:]) != rest:
        raise ShapeError(f"effective field: the graph takes pictures {tuple(rest)}, got {tuple(pictures.shape[1:])}")
    needed = _needed(graph, one.node)
    state = {name: tensor.detach() for name, tensor in model_tensors(unwrap(model)[0]).items()}
    like = next((t for t in state.values() if t.is_floating_point()), torch.zeros(0))
    state |= {name: torch.tensor(held.array, device=like.device) for name, held in graph.constants.items()}
    generator = torch.Generator().manual_seed(seed)
    across = [dim for dim, axis in enumerate(picture(graph.input_shapes[0]).axes) if not ways_of(axis)]
    sides = [side for dim, side in enumerate(graph.input_shapes[0]) if dim not in across]
    heat = torch.zeros(len(units), *sides, dtype=torch.float64)
    for done in range(0, count, batch):
        some = min(batch, count - done)
        x = torch.zeros(batch, *rest)
        if isinstance(pictures, int):
            x[:some] = torch.randn(some, *rest, generator=generator)
        else:
            x[:some] = pictures[done : done + some]
        x = x.to(like.device, like.dtype).requires_grad_()
        value = _run({**state, graph.inputs[0]: x}, needed, on_node)
        if not value.requires_grad:
            raise ShapeError(f"effective field: no gradient leads from {one.node} back to the picture")
        for number, place in enumerate(places):
            (gradient,) = torch.autograd.grad(value[(slice(0, some), *place[1:])].sum(), x, retain_graph=True)
            heat[number] += gradient.abs().double().sum(across).cpu()
    shares = (heat / heat.sum((1, 2), keepdim=True).clamp_min(1e-300)).numpy()
    return [EffectiveField(one.node, unit, share, one.size, count) for unit, share in zip(units, shares, strict=True)]


def _needed(graph: Graph, node: str) -> list[Node]:
    """The nodes that a value is made of, in order."""
    wanted, found = {node}, []
    for one in reversed(graph.nodes):
        if one.name in wanted:
            found.append(one)
            wanted |= set(one.inputs)
    return found[::-1]


def _run(values: dict[str, Any], nodes: Sequence[Node], on_node: Callable[[Node], None] | None = None) -> torch.Tensor:
    """Run some nodes in PyTorch, ready for a gradient; what nobody reads any more is freed, but for what that needs."""
    last = {name: number for number, node in enumerate(nodes) for name in node.inputs}
    for number, node in enumerate(nodes):
        values[node.name] = run(node, values)
        if on_node is not None:
            on_node(node)
        for name in node.inputs:
            if last[name] == number:
                values.pop(name, None)
    value: torch.Tensor = values[nodes[-1].name]
    return value
