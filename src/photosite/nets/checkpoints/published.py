"""Whose weights fit which network, where they are, and what belongs to them: recipe, license, origin.

A table that `benchmarks/write_published.py` reads out of torchvision and timm; neither is needed to use it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from photosite.prep.published import recipe_from_timm, recipe_from_torchvision
from photosite.prep.recipe import Recipe


@dataclass(frozen=True)
class Published:
    """One entry of weights.

    Attributes:
        name: as `create_model(weights=...)` takes it: `ResNet50_Weights.IMAGENET1K_V2`, or hf-hub:org/name.
        license: as its publisher states it; None where none is stated.
        origin: who made it, or how; None where that is not said.
        default: whether it is the network's first choice.
        url: of the file; None on the hub.
        sha256_prefix: the first digits of the file's hash, "" where the publisher gives none.
        megabytes: of the file; None where that is not said.
        num_classes: outputs of its last layer; None where that is not said.
        parameters: the publisher's count.
        gmacs: the publisher's count of multiply-adds at the recipe's size, in thousand millions.
        top1: the publisher's accuracy on ImageNet-1K, in percent.
        torchvision: numbers of torchvision's preset.
        timm: numbers of timm's pretrained_cfg.
    """

    name: str
    license: str | None = None
    origin: str | None = None
    default: bool = False
    url: str | None = None
    sha256_prefix: str = ""
    megabytes: float | None = None
    num_classes: int | None = None
    parameters: int | None = None
    gmacs: float | None = None
    top1: float | None = None
    torchvision: Mapping[str, Any] = field(default_factory=dict)
    timm: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe | None:
        """How pictures become its inputs; None where only the repository itself says so."""
        if self.torchvision:
            recipe = recipe_from_torchvision(ImageClassification(**self.torchvision))
            return replace(recipe, name=f"torchvision:{self.name}")
        return replace(recipe_from_timm(self.timm), name=self.name) if self.timm else None


@dataclass(frozen=True)
class ImageClassification:
    """The numbers of torchvision's preset of this name."""

    resize_size: Sequence[int]
    crop_size: Sequence[int]
    interpolation: str
    antialias: bool
    mean: Sequence[float]
    std: Sequence[float]


@cache
def _table() -> dict[str, tuple[Published, ...]]:
    text = (resources.files("photosite.nets.checkpoints") / "published.json").read_text(encoding="utf-8")
    return {name: tuple(Published(**entry) for entry in entries) for name, entries in json.loads(text).items()}


def published_weights(model: str) -> tuple[Published, ...]:
    """The weights that are known for a network.

    Args:
        model: its name, as the registry spells it.
    Returns:
        In their publishers' order; none for a network that nobody published weights for.

    >>> [entry.name for entry in published_weights("resnet18")]
    ['ResNet18_Weights.IMAGENET1K_V1']
    """
    return _table().get(model, ())


def default_weights(model: str) -> Published | None:
    """The entry that a network takes unless told otherwise; None where there is none."""
    return next((entry for entry in published_weights(model) if entry.default), None)


def owners(name: str) -> list[str]:
    """The networks that an entry of this name belongs to."""
    return [model for model, entries in _table().items() if any(entry.name == name for entry in entries)]
