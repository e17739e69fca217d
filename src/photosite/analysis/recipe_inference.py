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
CHANGES: Mapping[str, tuple[Triple, float]] = {
    "darker": ((0.85, 0.85, 0.85), 0.0),
    "brighter": ((1.15, 1.15, 1.15), 0.0),
    "lower": ((1.0, 1.0, 1.0), -15.0),
    "higher": ((1.0, 1.0, 1.0), 15.0),
    "flatter": ((0.85, 0.85, 0.85), 19.0),
    "starker": ((1.15, 1.15, 1.15), -19.0),
    "warmer": ((1.1, 1.0, 0.9), 0.0),
    "colder": ((0.9, 1.0, 1.1), 0.0),
}
"""What photos of one kind differ in from those of another: gain of red, green and blue, then levels that are added.

Another recipe may be the true one, and the pictures of the training have been a little darker than these: each is tried
with each change.
"""
MARGIN = 0.2
"""The best candidate, with pictures as they are, has to be nearer than any other with any change, by this share.

Measured on 10 small networks and six sets of pictures: with 0.1 one was given a wrong name, with 0.2 none.
"""
OWN_MARGIN = 0.1
"""Likewise where the pictures are known to be those of the training, and no change is tried."""
REACH = 10.0
"""A candidate so many times as far as the nearest is brought near by no change; 7.6 was the most that was seen."""
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
        margin: by which share the first is nearer than any other with any of `CHANGES`, at most 1; below 0 where one of
            those is nearer.
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


def infer_recipe(model: nn.Module, pictures: Sequence[Picture], *, own: bool = False) -> Inference:
    """Tell how pictures were prepared when a network was trained.

    Args:
        model: in evaluation mode, with batch norms behind its convolutions; it is left as it was.
        pictures: (H, W, 3) uint8, all of one size, as the network takes them; photos of any kind, the more the better.
        own: the pictures are known to be those of the training, or of the same data: no `CHANGES` are allowed for.
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
        (Candidate(order, name, distance.mean, distance.by_norm), distance)
        for order, name in product(ORDERS, NORMALIZATIONS)
        for distance in [statistics.distance(levels, partial(prepared, order=order, normalization=name))]
    ]
    found.sort(key=lambda one: one[1].mean)
    candidates = tuple(one for one, _ in found)
    first, nearest = found[0]
    if not first.divergence <= WORST:
        return Inference(candidates, paths, 0.0, _no_fit(first), (), statistics.layout)
    reach = 0.0 if own else REACH * first.divergence
    margins = {one.name: 1 - first.divergence / _nearest(statistics, levels, one, reach) for one in candidates[1:]}
    wanted = OWN_MARGIN if own else MARGIN
    tied = (
        first,
        *(one for one, distance in found[1:] if margins[one.name] < wanted or not told_apart(nearest, distance)),
    )
    return Inference(candidates, paths, min(margins.values()), _tie(tied, own), tied, statistics.layout)


def _nearest(statistics: NormStatistics, levels: Tensor, one: Candidate, reach: float) -> float:
    """The divergence of a candidate with the change that suits it best; nothing is tried where it is too far."""
    if one.divergence > reach:
        return max(one.divergence, 1e-30)  # 0 where two candidates are the same to the network
    changed = [
        statistics.distance(levels, partial(_changed, gain=gain, offset=offset, one=one)).mean
        for gain, offset in CHANGES.values()
    ]
    return max(min(one.divergence, *changed), 1e-30)


def _changed(levels: Tensor, gain: Triple, offset: float, one: Candidate) -> Tensor:
    return prepared(levels * torch.tensor(gain).reshape(1, 3, 1, 1) + offset, one.order, one.normalization)


def told_apart(first: Distance, other: Distance, margin: float = 0.0) -> bool:
    """Whether the first is nearer than the other, beyond what chance would make of it, and by at least a share."""
    if not math.isfinite(other.mean):
        return math.isfinite(first.mean)
    apart, without = other.mean - first.mean, other.without - first.without
    error = math.sqrt((FOLDS - 1) / FOLDS * float(((without - without.mean()) ** 2).sum()))  # the jackknife's
    return apart > SURE * error and first.mean <= (1 - margin) * other.mean


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


def _no_fit(first: Candidate) -> str:
    if not math.isfinite(first.divergence):
        return "the network's own values are no numbers, whatever it is given"
    return f"nothing fits: the nearest is {first.divergence:.2g} nats a channel away, at most {WORST:g} would do"


def _tie(tied: Sequence[Candidate], own: bool) -> str:
    """Why the first candidate is not the answer, and what is known all the same; "" where it is."""
    if len(tied) == 1:
        return ""
    names = [one.name for one in tied]
    known = "".join(
        f"; all are {common.pop()}"
        for common in ({one.order for one in tied}, {one.normalization for one in tied})
        if len(common) == 1
    )
    pictures = "by these pictures" if own else "by these pictures, a little other light or color allowed"
    return f"{', '.join(names[:-1])} and {names[-1]} cannot be told apart {pictures}{known}"
