"""With which resize filter the pictures were made small when a network was trained: told by its batch norms, seldom.

Filters differ in how sharp a small picture is, and the first norms remember how much neighboring pixels differ.
But so do photos: an answer is given only where the pictures are as sharp as those of the training were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from photosite.analysis.norm_statistics import NormStatistics, Picture, stacked
from photosite.analysis.recipe_inference import LEAST_PICTURES, WORST, Candidate, prepared, told_apart
from photosite.prep.recipe import Recipe

FILTERS: tuple[Literal["bilinear", "bicubic", "lanczos", "box", "nearest"], ...] = (
    *("bilinear", "bicubic", "lanczos", "box", "nearest"),
)
"""As Pillow has them: all but the last widen where a picture shrinks (antialias)."""
ALIASED = "bilinear without antialias"
"""Of four pixels around each point, whatever the picture's size: OpenCV's and `interpolate`'s default."""
SHRINKS = 2
"""A picture has to be so many times as large as the resized one: nearer to 1 all filters give nearly the same."""


MARGIN = 0.5
"""By this share the nearest filter has to be nearer than another: photos differ in sharpness, more than filters do."""


@dataclass(frozen=True)
class ResizeInference:
    """What the statistics say of the resize filter.

    Attributes:
        divergences: of each filter from what the norms remember, in nats a channel, the nearest first.
        pictures: how many were large enough.
        refused: why it cannot be told; "" where it can.
        tied: the nearest, and those that cannot be told from it; none where nothing can be compared.
    """

    divergences: Mapping[str, float]
    pictures: int
    refused: str
    tied: tuple[str, ...] = ()

    @property
    def best(self) -> str | None:
        """The filter; None where it cannot be told."""
        return None if self.refused else next(iter(self.divergences), None)


def resized_ways(picture: Picture, recipe: Recipe) -> dict[str, Picture] | None:
    """A picture made small with each filter, and cut as the recipe cuts it.

    Args:
        picture: (H, W, 3) uint8.
        recipe: says the size.
    Returns:
        By the filter's name; None where the picture is not large enough, or the recipe pads or does not resize.
    """
    resized_hw = recipe.geometry((picture.shape[0], picture.shape[1])).resized_hw
    if (
        recipe.resize in ("none", "longest")
        or min(picture.shape[0] / resized_hw[0], picture.shape[1] / resized_hw[1]) < SHRINKS
    ):
        return None
    found: dict[str, Picture] = {}
    for name in FILTERS:
        own = replace(recipe, interpolation=name)
        found[name] = own.cropped(own.resized(picture))
    x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
    small = functional.interpolate(x, resized_hw, mode="bilinear", align_corners=False, antialias=False)
    found[ALIASED] = recipe.cropped(
        small[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    )
    return found


def infer_resize(model: nn.Module, ways: Sequence[Mapping[str, Picture]], recipe: Candidate) -> ResizeInference:
    """Tell with which filter pictures were resized when a network was trained.

    Args:
        model: in evaluation mode; it is left as it was.
        ways: of each picture, as `resized_ways` gives them.
        recipe: the order and the normalization that the network was trained with.
    Returns:
        All filters by how well they fit, and whether that can be trusted.
    Raises:
        ShapeError: the pictures are not of one size.
        CaptureError: the model cannot be read.
    """
    if len(ways) < LEAST_PICTURES:
        few = f"{len(ways)} pictures are at least {SHRINKS} times as large as the input, {LEAST_PICTURES} are wanted"
        return ResizeInference({}, len(ways), few)
    height, width = ways[0][ALIASED].shape[:2]
    statistics = NormStatistics(model, (height, width), len(ways))
    if statistics.refused:
        return ResizeInference({}, len(ways), statistics.refused)
    found = {
        name: statistics.distance(
            stacked(one[name] for one in ways),
            partial(prepared, order=recipe.order, normalization=recipe.normalization),
        )
        for name in (*FILTERS, ALIASED)
    }
    ranked = sorted(found, key=lambda name: found[name].mean)
    first = found[ranked[0]]
    tied = (ranked[0], *(name for name in ranked[1:] if not told_apart(first, found[name], MARGIN)))
    refused = ""
    if not first.mean <= WORST:
        refused = f"nothing fits: the nearest is {first.mean:.2g} nats a channel away"
    elif len(tied) > 1:
        refused = f"{', '.join(tied[:-1])} and {tied[-1]} cannot be told apart by these pictures"
        refused += "; all are without antialias" if set(tied) <= {"nearest", ALIASED} else ""
    return ResizeInference({name: found[name].mean for name in ranked}, len(ways), refused, tied)
