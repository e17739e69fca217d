"""What is to become large: a unit, a channel, a direction over channels or a logit; and what keeps results apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from photosite.analysis.feature_map import known_fields, picture_layout
from photosite.errors import RangeError, ShapeError
from photosite.graph.ir import Graph

TINY = 1e-12


@dataclass(frozen=True)
class Target:
    """What is to become large.

    Attributes:
        node: a node of the graph, or the path of a module, whose last value is taken.
        channel: its number, from 0; or a direction: one factor for each channel.
        unit: row and column of a place; None for the mean over all places.
    """

    node: str
    channel: int | Sequence[float]
    unit: tuple[int, int] | None = None


class Objective:
    """Reads a target from the values of its node.

    Args:
        graph: functional.
        target: what is to become large.
    Raises:
        UnknownNameError: there is no such node.
        RangeError: there is no such channel or place, or a direction has another width or no length.
        ShapeError: the value keeps no picture apart from the next, or has no places and one is asked for.
    Convention: channels are the second axis of four (the last of channels-last maps), else the last; class tokens in
        front of those of places do not count.
    """

    def __init__(self, graph: Graph, target: Target) -> None:
        node = graph.find(target.node)
        self.batch = graph.input_shapes[0][0]
        shape = node.shape
        found = picture_layout(known_fields(graph).get(node.name), self.batch)
        if found is None and (not 1 <= len(shape) <= 4 or shape[0] != self.batch):
            raise ShapeError(
                f"dream: wants a value with one axis for pictures, one for channels and at most two for places, "
                f"{node.name} is {shape}; take the value before or behind it"
            )
        width = shape[1] if len(shape) == 4 else shape[-1]
        self.layout = found[0] if found else ""
        self.grid = found[1] if found else None
        self.width = found[2] if found else width
        self.prefix = found[3] if found else 0
        if found is None and len(shape) == 1:
            self.width = 1
        self.name, self.unit = node.name, target.unit
        self._check_unit()
        self.direction = self._direction(target.channel)

    def maps(self, value: Tensor) -> Tensor:
        """The value as (B, channels, places), float32 at least."""
        value = value if value.dtype == torch.float64 else value.float()
        if self.layout == "tokens":
            assert self.grid is not None
            value = value[:, self.prefix : self.prefix + self.grid[0] * self.grid[1]]
        if self.layout in ("NHWC", "tokens") or (not self.layout and value.ndim != 4):
            value = value.reshape(self.batch, -1, self.width).transpose(1, 2)
        return value.reshape(self.batch, self.width, -1)

    def by_place(self, maps: Tensor) -> Tensor:
        """The target at each place: (B, places)."""
        if isinstance(self.direction, int):
            return maps[:, self.direction]
        return torch.einsum("c,bcp->bp", self.direction.to(maps), maps)

    def activation(self, maps: Tensor) -> Tensor:
        """The target: (B,)."""
        places = self.by_place(maps)
        if self.unit is None:
            return places.mean(1)
        assert self.grid is not None
        return places[:, self.unit[0] * self.grid[1] + self.unit[1]]

    def place(self, by_place: Tensor) -> tuple[int, int] | None:
        """The place of one picture where the target is largest, or the one asked for; None without places."""
        if self.grid is None:
            return None
        return self.unit or divmod(int(by_place.argmax()), self.grid[1])

    def _check_unit(self) -> None:
        if self.unit is None:
            return
        if self.grid is None:
            y, x = self.unit
            raise ShapeError(f"dream: {self.name} has no map of places, so it has no unit at {y},{x}")
        if not all(0 <= place < side for place, side in zip(self.unit, self.grid, strict=True)):
            raise RangeError(
                f"dream: {self.name} has {self.grid[0]} × {self.grid[1]} places, none at {self.unit[0]},{self.unit[1]}"
            )

    def _direction(self, channel: int | Sequence[float]) -> int | Tensor:
        if isinstance(channel, int):
            if not 0 <= channel < self.width:
                raise RangeError(f"dream: {self.name} has channels 0 … {self.width - 1}, no {channel}")
            return channel
        direction = torch.as_tensor(channel, dtype=torch.float64)
        if direction.shape != (self.width,):
            got = tuple(direction.shape)
            raise RangeError(f"dream: a direction in {self.name} wants {self.width} factors, got {got}")
        if not bool(direction.isfinite().all()) or not bool(direction.any()):
            raise RangeError("dream: a direction wants finite factors, not all of them 0")
        return direction


def likeness(maps: Tensor) -> Tensor:
    """How alike the features of each picture are to those of the others: (B,), 0 nothing in common … 1 the same.

    Features are compared by which channels answer together (the cosine between their Gram matrices), wherever in the
    picture they do.

    Args:
        maps: (B, channels, places) of at least two pictures.
    Source: Olah, Mordvintsev and Schubert 2017, the term for diversity.
    """
    if maps.shape[2] < maps.shape[1]:  # the product of two Gram matrices by way of their places, the smaller numbers
        products = torch.einsum("icp,jcq->ijpq", maps, maps).square().sum((2, 3))
        lengths = products.diagonal().clamp_min(TINY**2).sqrt()
        alike = products / lengths[:, None] / lengths[None]
    else:
        grams = F.normalize(torch.bmm(maps, maps.transpose(1, 2)).flatten(1), dim=1, eps=TINY)
        alike = grams @ grams.T
    return (alike.sum(1) - alike.diagonal()) / (len(maps) - 1)
