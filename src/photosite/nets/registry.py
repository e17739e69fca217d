"""Networks by name: `list_models`, and what is known of each before it is built.

A file of a family registers its names here with `register`; importing `photosite.nets` fills the registry.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from photosite.errors import UnknownNameError
from photosite.nets.checkpoints.published import published_weights


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a named network before it is built.

    Attributes:
        name: as `create_model` takes it.
        build: makes the network with fresh weights; takes `num_classes` and the family's own arguments.
        num_classes: outputs of the last layer unless asked otherwise.
        recipe: name of the recipe that its published weights were trained with.
        photo_recipe: the recipe for whole photos, where it is another one (networks trained at 32 px see a photo
            at 64 px, so that there are tokens enough to look at).
        shipped: stem of the weights file and card inside the package, or None.
        source: the paper or place that the architecture comes from.
    """

    name: str
    build: Callable[..., nn.Module]
    num_classes: int
    recipe: str
    source: str
    photo_recipe: str | None = None
    shipped: str | None = None


_REGISTRY: dict[str, ModelInfo] = {}


def register(info: ModelInfo) -> None:
    """Make a network known by its name; a name is given once."""
    assert info.name not in _REGISTRY, info.name
    _REGISTRY[info.name] = info


def model_info(name: str) -> ModelInfo:
    """Look a network up, whatever the case of the name.

    Raises:
        UnknownNameError: there is none; near names are suggested.
    """
    by_lowercase = {known.lower(): info for known, info in _REGISTRY.items()}
    if name.lower() not in by_lowercase:
        raise UnknownNameError("model", name, _REGISTRY)
    return by_lowercase[name.lower()]


def list_models(pattern: str = "*", *, exclude: str | Iterable[str] = (), pretrained: bool = False) -> list[str]:
    """Names of the networks that match a wildcard pattern, sorted so that 18 stands before 101.

    Args:
        pattern: shell wildcards, case ignored: `"resnet*"`.
        exclude: patterns to leave out.
        pretrained: only those with weights in the package, or published ones that are known.
    """
    patterns = [exclude] if isinstance(exclude, str) else list(exclude)
    names = [
        name
        for name, info in _REGISTRY.items()
        if fnmatch.fnmatchcase(name.lower(), pattern.lower())
        and not any(fnmatch.fnmatchcase(name.lower(), unwanted.lower()) for unwanted in patterns)
        and (not pretrained or info.shipped is not None or published_weights(name))
    ]
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that reads digits as numbers."""
    text = "".join(letter if letter.isdigit() else f" {letter} " for letter in name).split()
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in text)
