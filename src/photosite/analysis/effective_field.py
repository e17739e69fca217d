"""How far a value of a network really looks: the gradient of places of a map, averaged over many pictures.

The receptive field says which pixels can count; most of them hardly do. The gradient of a place with respect to the
input, without its sign and averaged, is nearly a normal distribution, much narrower than the field: of n convolutions
with equal weights K wide its variance is n (K² - 1) / 12.

Source: Luo, Li, Urtasun and Zemel 2016.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from photosite.graph.reach.field import DIRECTIONS, Field, ways_of
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
) -> list[EffectiveField]:
    """Average the gradients of some places of a map over many pictures.

    Args:
        graph: functional, captured with as many pictures at once as are to be worked on (more take more memory).
        model: gives the weights, trained or not.
        node: a node of the graph, or the path of a module, whose last value is taken.
        units: rows and columns of places; of tokens, those of their grid.
        pictures: (N, C, H, W) of the graph's size, or how many to draw (normal noise).
        seed: of what is drawn.
    Returns:
        One for each unit.
    Raises:
        ShapeError: the node has no map, or the pictures another size.
        RangeError: a unit that the map has not, or no picture.
    Convention: the gradient of the sum over channels, absolute, summed over the input's channels; then averaged.
    """
    fields = ReceptiveFields(graph)
    one = fields[node]
    places = [_index(one.field, unit, one.node) for unit in units]
    batch, *rest = graph.input_shapes[0]
    count = pictures if isinstance(pictures, int) else len(pictures)
    if count < 1:
        raise RangeError(f"effective field: wants at least 1 picture, got {count}")
    if not isinstance(pictures, int) and list(pictures.shape[1:]) != rest:
        raise ShapeError(f"effective field: the graph takes pictures {tuple(rest)}, got {tuple(pictures.shape[1:])}")
    needed = _needed(graph, one.node)
    state = model_tensors(unwrap(model)[0])
    generator = torch.Generator().manual_seed(seed)
    heat = np.zeros((len(units), *rest[-2:]))
    done = 0
    while done < count:
        some = min(batch, count - done)
        x = torch.zeros(batch, *rest)
        x[:some] = (
            torch.randn(some, *rest, generator=generator) if isinstance(pictures, int) else pictures[done:][:some]
        )
        x.requires_grad_()
        value = _run(graph, state, x, needed)[one.node]
        for number, place in enumerate(places):
            (gradient,) = torch.autograd.grad(value[(slice(0, some), *place)].sum(), x, retain_graph=True)
            heat[number] += gradient[:some].abs().sum((0, 1)).double().numpy()
        done += some
    totals = heat.sum((1, 2), keepdims=True)
    shares = np.divide(heat, totals, out=np.zeros_like(heat), where=totals > 0)
    return [EffectiveField(one.node, unit, share, one.size, count) for unit, share in zip(units, shares, strict=True)]


def _index(field: Field, unit: tuple[int, int], node: str) -> tuple[Any, ...]:
    """Where a place stands in a value (B, …), without the first axis."""
    place = dict(zip(DIRECTIONS, unit, strict=True))
    index: list[Any] = []
    seen: set[str] = set()
    for axis in field.axes[1:]:
        ways = ways_of(axis)
        if not ways:
            index.append(slice(None))
            continue
        start = 0
        for segment in axis:
            running = [part for part in segment if part.way]
            if running:
                position = 0
                for part in segment:
                    if not part.way or not 0 <= place[part.way] < part.side:
                        raise RangeError(f"effective field: {node} has no place {unit}")
                    position = position * part.side + place[part.way]
                index.append(start + position)
                break
            start += int(np.prod([part.side for part in segment]))
        seen |= ways
    if seen != set(DIRECTIONS) or ways_of(field.axes[0]):
        raise ShapeError(f"effective field: {node} has no map of places; {field.unknown or 'its axes hold none'}")
    return tuple(index)


def _needed(graph: Graph, node: str) -> list[Node]:
    """The nodes that a value is made of, in order."""
    wanted, found = {node}, []
    for one in reversed(graph.nodes):
        if one.name in wanted:
            found.append(one)
            wanted |= set(one.inputs)
    return found[::-1]


def _run(graph: Graph, state: Any, x: torch.Tensor, nodes: Iterable[Node]) -> dict[str, Any]:
    """Run some nodes in PyTorch, ready for a gradient with respect to the input alone."""
    values: dict[str, Any] = {name: tensor.detach() for name, tensor in state.items()}
    values |= {name: torch.tensor(held.array) for name, held in graph.constants.items()}
    values[graph.inputs[0]] = x
    for node in nodes:
        values[node.name] = run(node, values)
    return values
