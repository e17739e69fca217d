"""Which preprocessing a network was trained with, told by the statistics that its batch norms remember.

Each batch norm keeps the mean and the variance of what came in during training. Pictures that are prepared in the same
way give nearly the same; prepared otherwise they do not. Every candidate is tried, and compared at several norms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.errors import PhotositeError, ShapeError
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.ir import Graph, Node, Ref
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD

Picture = npt.NDArray[np.uint8]
Triple = tuple[float, float, float]

NORMALIZATIONS: Mapping[str, tuple[float, Triple, Triple]] = {
    "ImageNet": (1 / 255, IMAGENET_MEAN, IMAGENET_STD),
    "CLIP": (1 / 255, CLIP_MEAN, CLIP_STD),
    "0.5": (1 / 255, HALF, HALF),
    "0 … 1": (1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "CIFAR-10": (1 / 255, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "ImageNet's mean, 0 … 255": (1.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "0 … 255": (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Scale of a level, then mean and deviation of red, green and blue, by what they are called."""
ORDERS = ("RGB", "BGR")
NORMS = 8
"""So many batch norms are compared, from the first on."""
LEAST_PICTURES = 16
FOLDS = 8
"""The pictures are dealt into so many heaps: what each says by itself shows how sure all of them are."""
SURE = 2.0
"""The best candidate has to be nearer than the next by so many standard errors over the heaps."""
WORST = 1.0
"""Mean divergence, in nats a channel, above which not even the best candidate fits."""


@dataclass(frozen=True)
class Candidate:
    """One way to prepare pictures.

    Attributes:
        order: of the channels.
        normalization: a name of `NORMALIZATIONS`.
        divergence: from what the norms remember, in nats a channel, the mean of all of them; 0 is the same.
        by_norm: of each norm.
    """

    order: str
    normalization: str
    divergence: float
    by_norm: tuple[float, ...]


@dataclass(frozen=True)
class Inference:
    """What the statistics say.

    Attributes:
        candidates: the nearest first.
        norms: the paths of the norms that were compared.
        margin: by which share the first is nearer than the second, 0 … 1.
        refused: why nothing can be told; "" where something can.
    """

    candidates: tuple[Candidate, ...]
    norms: tuple[str, ...]
    margin: float
    refused: str

    @property
    def best(self) -> Candidate | None:
        """The recipe; None where it cannot be told."""
        return None if self.refused or not self.candidates else self.candidates[0]


class _Enough(Exception):  # noqa: N818 (it is no error)
    """All norms that are compared have been seen."""


def infer_recipe(model: nn.Module, pictures: Sequence[Picture]) -> Inference:
    """Tell how pictures were prepared when a network was trained.

    Args:
        model: in evaluation mode, with batch norms behind its convolutions.
        pictures: (H, W, 3) uint8, all of one size, as the network takes them; photos of any kind, the more the better.
    Returns:
        All candidates by how well they fit, and whether that can be trusted.
    Raises:
        ShapeError: fewer than 16 pictures, or no pictures of one size.
        CaptureError: the model cannot be read.
    """
    shapes = {picture.shape for picture in pictures}
    if len(pictures) < LEAST_PICTURES or len(shapes) != 1 or any(len(one) != 3 or one[2] != 3 for one in shapes):
        raise ShapeError(f"infer_recipe: wants at least {LEAST_PICTURES} pictures (H, W, 3) of one size")
    levels = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32))
    graph = capture(model, levels)
    wanted = [node for node in graph if node.kind == "batch_norm" and _statistics(model, node) is not None][:NORMS]
    paths = tuple(node.module for node in wanted)
    if not wanted:
        return Inference((), (), 0.0, "it has no batch norm that remembers what came in")
    stored = [pair for node in wanted if (pair := _statistics(model, node)) is not None]
    if all(bool((mean == 0).all() and (variance == 1).all()) for mean, variance in stored):
        return Inference((), paths, 0.0, "its batch norms are as they were built: it was never trained")
    found: list[tuple[Candidate, npt.NDArray[np.float64]]] = []
    for order, (name, numbers) in product(ORDERS, NORMALIZATIONS.items()):
        moments = _moments(graph, model, wanted, _prepared(levels, order, *numbers))
        by_norm = tuple(
            _divergence(*pair, *_of(moments[norm.name], slice(None))) for norm, pair in zip(wanted, stored, strict=True)
        )
        by_fold = [
            [
                _divergence(*pair, *_of(moments[norm.name], slice(fold, None, FOLDS)))
                for norm, pair in zip(wanted, stored, strict=True)
            ]
            for fold in range(FOLDS)
        ]
        found.append((Candidate(order, name, float(np.mean(by_norm)), by_norm), np.mean(by_fold, 1)))
    found.sort(key=lambda one: one[0].divergence)
    (first, own), (second, other) = found[:2]
    margin = 1 - first.divergence / second.divergence if second.divergence > 0 else 0.0
    apart = other - own
    error = float(apart.std(ddof=1)) / math.sqrt(FOLDS)
    refused = ""
    if not math.isfinite(first.divergence) or first.divergence > WORST:
        refused = f"nothing fits: the nearest is {first.divergence:.2g} nats a channel away"
    elif not float(apart.mean()) > SURE * error:
        refused = (
            f"{_said(first)} and {_said(second)} cannot be told apart by these pictures: {margin:.1%} between them"
        )
    return Inference(tuple(one for one, _ in found), paths, margin, refused)


Moments = tuple[Tensor, Tensor]
"""Of each picture and channel, (B, C): the mean, and the mean of squares."""


def _moments(graph: Graph, model: nn.Module, norms: Sequence[Node], x: Tensor) -> dict[str, Moments]:
    """What comes into each norm, by its name."""
    seen: dict[str, Moments] = {}

    def on_node(node: Node, value: object, _: float) -> None:
        for norm in norms:
            if isinstance(norm.args[0], Ref) and norm.args[0].name == node.name and isinstance(value, Tensor):
                wide = value.double()
                seen[norm.name] = (wide.mean((2, 3)), wide.square().mean((2, 3)))
        if len(seen) == len(norms):
            raise _Enough

    with suppress(_Enough):
        execute(graph, model, x, on_node=on_node)
    return seen


def _of(moments: Moments, which: slice) -> tuple[Tensor, Tensor]:
    """Mean and variance over some of the pictures, a channel."""
    mean = moments[0][which].mean(0)
    return mean, moments[1][which].mean(0) - mean**2


def _said(candidate: Candidate) -> str:
    return f"{candidate.order} {candidate.normalization}"


def _prepared(levels: Tensor, order: str, scale: float, mean: Triple, std: Triple) -> Tensor:
    shift, spread = (torch.tensor(one).reshape(1, 3, 1, 1) for one in (mean, std))
    x = (levels * scale - shift) / spread
    return x if order == "RGB" else x.flip(1)


def _statistics(model: nn.Module, node: Node) -> tuple[Tensor, Tensor] | None:
    """What a batch norm remembers; None where it remembers nothing."""
    try:
        module = model.get_submodule(node.module)
    except AttributeError as error:
        raise PhotositeError(f"infer_recipe: {node.module} is no module of the model") from error
    mean, variance = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return None
    return mean.double().cpu(), variance.double().cpu()


def _divergence(mean: Tensor, variance: Tensor, found_mean: Tensor, found_variance: Tensor) -> float:
    """Kullback-Leibler divergence of two normal distributions a channel, both ways, the mean of all channels.

    Channels that hardly vary say nothing, and would divide by nearly 0.
    """
    floor = 1e-6 * float(variance.max())
    alive = variance > floor
    old, new = variance[alive], found_variance.cpu()[alive].clamp_min(floor)
    apart = (mean[alive] - found_mean.cpu()[alive]) ** 2
    both = 0.5 * ((old + apart) / new + (new + apart) / old) - 1
    return float(both.clamp_max(100.0).mean()) / 2 if len(both) else math.inf
