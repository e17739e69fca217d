"""Which preprocessing a network was trained with, told by the statistics that its batch norms remember.

Each batch norm keeps the mean and the variance of what came in during training. Pictures that are prepared in the same
way give nearly the same; prepared otherwise they do not. Every candidate is tried, and compared at several norms. What
the pictures cannot tell is refused: recipes that are nearly equal, norms that remember nothing, nothing that fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from photosite.analysis.norm_statistics import FOLDS, Distance, Layout, NormStatistics, Picture, stacked
from photosite.errors import ShapeError
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD

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
LEAST_PICTURES = 2 * FOLDS
SURE = 2.0
"""The best candidate has to be nearer than another by so many standard errors over the heaps of pictures."""
MARGIN = 0.3
"""And by this share of the other's distance: other pictures than those of the training are off by themselves, and what
they are off can be as much as what two recipes differ by."""
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

    @property
    def name(self) -> str:
        """Order and normalization, as people say them."""
        return f"{self.order} {self.normalization}"


@dataclass(frozen=True)
class Inference:
    """What the statistics say.

    Attributes:
        candidates: the nearest first.
        norms: the paths of the norms that were compared.
        margin: by which share the first is nearer than the second, 0 … 1.
        refused: why nothing can be told; "" where something can.
        tied: the first, and those that cannot be told from it; the first alone where it is the answer.
        layout: of the network's input; told by which of the two it takes.
    """

    candidates: tuple[Candidate, ...]
    norms: tuple[str, ...]
    margin: float
    refused: str
    tied: tuple[Candidate, ...] = ()
    layout: Layout = "BCHW"

    @property
    def best(self) -> Candidate | None:
        """The recipe; None where it cannot be told."""
        return None if self.refused or not self.candidates else self.candidates[0]


def infer_recipe(model: nn.Module, pictures: Sequence[Picture]) -> Inference:
    """Tell how pictures were prepared when a network was trained.

    Args:
        model: in evaluation mode, with batch norms behind its convolutions; it is left as it was.
        pictures: (H, W, 3) uint8, all of one size, as the network takes them; photos of any kind, the more the better.
    Returns:
        All candidates by how well they fit, and whether that can be trusted.
    Raises:
        ShapeError: fewer than 16 pictures, or no pictures of one size.
        CaptureError: the model cannot be read.
    """
    shapes = {picture.shape for picture in pictures}
    if len(pictures) < LEAST_PICTURES or len(shapes) != 1 or any(len(one) != 3 or one[2] != 3 for one in shapes):
        raise ShapeError(
            f"infer_recipe: wants at least {LEAST_PICTURES} pictures (H, W, 3) of one size, got {len(pictures)} "
            f"of {len(shapes)} size{'' if len(shapes) == 1 else 's'}"
        )
    height, width = pictures[0].shape[:2]
    statistics = NormStatistics(model, (height, width), len(pictures))
    paths = tuple(norm.node.module for norm in statistics.norms)
    if statistics.refused:
        return Inference((), paths, 0.0, statistics.refused, layout=statistics.layout)
    levels = stacked(pictures)
    found = [
        ((order, name), statistics.distance(levels, partial(prepared, order=order, normalization=name)))
        for order, name in product(ORDERS, NORMALIZATIONS)
    ]
    found.sort(key=lambda one: one[1].mean)
    candidates = tuple(Candidate(*pair, distance.mean, distance.by_norm) for pair, distance in found)
    near = [told_apart(found[0][1], distance) for _, distance in found]
    tied = tuple(one for one, apart in zip(candidates, near, strict=True) if not apart)
    first, second = candidates[:2]
    finite = math.isfinite(first.divergence) and second.divergence > 0
    margin = 1 - first.divergence / second.divergence if finite else 0.0
    return Inference(candidates, paths, margin, _refusal(first, tied), tied, statistics.layout)


def told_apart(first: Distance, other: Distance) -> bool:
    """Whether the first is nearer than the other, beyond what chance and other pictures would make of it."""
    if not math.isfinite(other.mean):
        return math.isfinite(first.mean)
    apart = other.by_fold - first.by_fold
    error = float(apart.std(ddof=1)) / math.sqrt(len(apart))
    return float(apart.mean()) > SURE * error and first.mean < (1 - MARGIN) * other.mean


def prepared(levels: Tensor, order: str, normalization: str) -> Tensor:
    """Pictures as a candidate prepares them.

    Args:
        levels: (B, 3, H, W), red, green and blue, 0 … 255.
        order: of `ORDERS`.
        normalization: a name of `NORMALIZATIONS`.
    Returns:
        The network's input, with channels first.
    """
    scale, mean, std = NORMALIZATIONS[normalization]
    shift, spread = (torch.tensor(one).reshape(1, 3, 1, 1) for one in (mean, std))
    x = (levels * scale - shift) / spread
    return x if order == "RGB" else x.flip(1)


def _refusal(first: Candidate, tied: Sequence[Candidate]) -> str:
    """Why the first candidate is not the answer, and what is known all the same; "" where it is."""
    if not math.isfinite(first.divergence):
        return "the network's own values are no numbers, whatever it is given"
    if first.divergence > WORST:
        return f"nothing fits: the nearest is {first.divergence:.2g} nats a channel away, at most {WORST:g} would do"
    if len(tied) == 1:
        return ""
    names = [one.name for one in tied]
    orders, normalizations = {one.order for one in tied}, {one.normalization for one in tied}
    known = f"; all are {first.order}" if len(orders) == 1 else ""
    known = f"; both are {first.normalization}" if len(normalizations) == 1 else known
    return f"{', '.join(names[:-1])} and {names[-1]} cannot be told apart by these pictures{known}"
