"""What the batch norms of a network remember of its training, and how far from that is what comes in now.

Knows nothing of recipes: it takes inputs, and says how far they are from those of the training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.errors import CaptureError
from photosite.graph.capture import capture, unwrap
from photosite.graph.execute import execute
from photosite.graph.ir import Graph, Node, Ref
from photosite.graph.read import model_tensors

Picture = npt.NDArray[np.uint8]
Layout = Literal["BCHW", "BHWC"]

NORMS = 4
"""So many batch norms are compared, from the first on: later ones see what pictures show, more than how."""
FOLDS = 8
"""The pictures are dealt into so many heaps: how the answer changes without each shows how sure it is."""
PIXELS_AT_ONCE = 2_000_000
"""Of all pictures that go through the network together."""
UTTERLY = 100.0
"""Nats a channel, above which two distributions have nothing in common and no channel counts for more."""


@dataclass(frozen=True)
class Distance:
    """How far what comes in is from what the norms remember; nats a channel, 0 is the same.

    Attributes:
        mean: over all norms.
        by_norm: of each.
        without: with each heap of the pictures left out, over all norms.
    """

    mean: float
    by_norm: tuple[float, ...]
    without: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """A batch norm with what it remembers, a channel.

    Attributes:
        node: in the graph.
        mean: of what came in.
        variance: likewise.
    """

    node: Node
    mean: Tensor
    variance: Tensor

    @property
    def as_built(self) -> bool:
        """Whether it has never seen anything."""
        return bool((self.mean == 0).all() and (self.variance == 1).all())

    @property
    def usable(self) -> bool:
        """Whether all numbers are finite, and some channel varies."""
        finite = bool(torch.isfinite(self.mean).all() and torch.isfinite(self.variance).all())
        return finite and bool((self.variance >= 0).all()) and float(self.variance.max()) > 0


class NormStatistics:
    """The batch norms of a network that takes pictures of one size.

    Attributes:
        norms: those that are compared.
        refused: why nothing can be compared; "" where something can.
        layout: of the input; told by which of the two the network takes.
    """

    def __init__(self, model: nn.Module, size_hw: tuple[int, int], count: int) -> None:
        """Read the network.

        Args:
            model: in evaluation mode; it is left as it was.
            size_hw: of the pictures.
            count: how many there will be.
        Raises:
            CaptureError: the model cannot be read, with neither layout of the input.
        """
        self._model = unwrap(model)[0]
        self._batch = max(1, min(count, PIXELS_AT_ONCE // (size_hw[0] * size_hw[1])))
        self.layout, self._graph = _read(self._model, self._batch, size_hw)
        self.norms, self.refused = _remembered(self._model, self._graph)

    def distance(self, levels: Tensor, prepare: Callable[[Tensor], Tensor]) -> Distance:
        """How far pictures are from those of the training.

        Args:
            levels: (B, 3, H, W) float32, 0 … 255.
            prepare: makes some of them the network's input, (B, 3, H, W).
        """
        parts: dict[str, list[Moments]] = {norm.node.name: [] for norm in self.norms}
        for start in range(0, len(levels), self._batch):
            x = prepare(levels[start : start + self._batch])
            missing = self._batch - len(x)
            x = torch.cat([x, x[:1].expand(missing, -1, -1, -1)]) if missing else x
            x = x if self.layout == "BCHW" else x.permute(0, 2, 3, 1).contiguous()
            for name, (mean, square) in self._moments(x).items():
                parts[name].append((mean[: self._batch - missing], square[: self._batch - missing]))
        moments = [
            (norm, tuple(torch.cat(some) for some in zip(*parts[norm.node.name], strict=True))) for norm in self.norms
        ]
        by_norm = tuple(_divergence(norm, *_of(both, slice(None))) for norm, both in moments)
        places = torch.arange(len(levels))
        without = [
            np.mean([_divergence(norm, *_of(both, places % FOLDS != fold)) for norm, both in moments])
            for fold in range(FOLDS)
        ]
        return Distance(float(np.mean(by_norm)), by_norm, np.array(without))

    def _moments(self, x: Tensor) -> dict[str, Moments]:
        """What comes into each norm, by its name."""
        readers = [
            (norm.node.args[0].name, norm.node.name) for norm in self.norms if isinstance(norm.node.args[0], Ref)
        ]
        seen: dict[str, Moments] = {}

        def note(name: str, value: object) -> None:
            for source, norm in readers:
                if source == name and isinstance(value, Tensor):
                    variance, mean = torch.var_mean(value, (2, 3), correction=0)
                    wide = mean.double().cpu()
                    seen[norm] = (wide, variance.double().cpu() + wide**2)
            if len(seen) == len(readers):
                raise _Enough

        with suppress(_Enough):
            for name in self._graph.inputs:
                note(name, x)  # a norm can stand before everything
            execute(self._graph, self._model, x, on_node=lambda node, value, _: note(node.name, value))
        return seen


Moments = tuple[Tensor, Tensor]
"""Of each picture and channel, (B, C): the mean, and the mean of squares."""


class _Enough(Exception):  # noqa: N818 (it is no error)
    """All norms that are compared have been seen."""


def _read(model: nn.Module, batch: int, size_hw: tuple[int, int]) -> tuple[Layout, Graph]:
    """The graph, with the layout that the network takes: channels first if it takes both."""
    try:
        return "BCHW", capture(model, torch.zeros(batch, 3, *size_hw))
    except CaptureError as error:
        with suppress(CaptureError):
            return "BHWC", capture(model, torch.zeros(batch, *size_hw, 3))
        raise error from error.__cause__


def _remembered(model: nn.Module, graph: Graph) -> tuple[tuple[Norm, ...], str]:
    """The norms to compare, or why there are none."""
    found = list(_norms(model, graph))
    if not found:
        kept = any(isinstance(getattr(one, "running_mean", None), Tensor) for one in model.modules())
        if kept:
            return (), "its batch norms are written as plain arithmetic (frozen), which is not followed"
        return (), "it has no batch norm that remembers what came in (they may be folded into the convolutions)"
    trained = [norm for norm in found if not norm.as_built]
    if not trained:
        return (), "its batch norms are as they were built: it was never trained"
    usable = [norm for norm in trained if norm.usable]
    if len(usable) < len(trained):
        bad = next(norm for norm in trained if not norm.usable)
        return (), f"{bad.node.module or bad.node.name} remembers means or variances that are no numbers or below 0"
    return tuple(usable[:NORMS]), ""


def _norms(model: nn.Module, graph: Graph) -> Iterator[Norm]:
    tensors = model_tensors(model)
    for node in graph:
        names = [node.parameters.get(which) for which in ("running_mean", "running_var")]
        if node.kind == "batch_norm" and len(node.shape) == 4 and all(name in tensors for name in names):
            mean, variance = (tensors[str(name)].detach().double().cpu() for name in names)
            yield Norm(node, mean, variance)


def _of(moments: Sequence[Tensor], which: slice | Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over some of the pictures, a channel."""
    mean = moments[0][which].mean(0)
    return mean, moments[1][which].mean(0) - mean**2


def _divergence(norm: Norm, mean: Tensor, variance: Tensor) -> float:
    """Kullback-Leibler divergence of two normal distributions a channel, both ways, the mean of all channels.

    Channels that hardly vary say nothing, and would divide by nearly 0. What is not finite is infinitely far.
    """
    floor = 1e-6 * float(norm.variance.max())
    alive = norm.variance > floor
    old, new = norm.variance[alive], variance[alive].clamp_min(floor)
    apart = (norm.mean[alive] - mean[alive]) ** 2
    both = 0.5 * ((old + apart) / new + (new + apart) / old) - 1
    found = float(both.clamp_max(UTTERLY).mean()) / 2
    return found if math.isfinite(found) else math.inf


def stacked(pictures: Iterable[Picture]) -> Tensor:
    """Pictures (H, W, 3) of one size as (B, 3, H, W) float32, 0 … 255."""
    return torch.from_numpy(np.stack(list(pictures)).transpose(0, 3, 1, 2).astype(np.float32))
