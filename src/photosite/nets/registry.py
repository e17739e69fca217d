"""Networks by name: `create_model`, `list_models`, and what is known of each.

A file of a family registers its names here with `register`; importing `photosite.nets` fills the registry.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from torch import nn

from photosite.errors import CorruptWeightsError, UnknownNameError, WeightsError
from photosite.nets.keymaps import KeyMap, guess_key_map, same_keys
from photosite.nets.weights import Weights, load_weights, read_weights
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe


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
        pretrained: only those with weights in the package.
    """
    patterns = [exclude] if isinstance(exclude, str) else list(exclude)
    names = [
        name
        for name, info in _REGISTRY.items()
        if fnmatch.fnmatchcase(name.lower(), pattern.lower())
        and not any(fnmatch.fnmatchcase(name.lower(), unwanted.lower()) for unwanted in patterns)
        and (info.shipped is not None or not pretrained)
    ]
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that reads digits as numbers."""
    text = "".join(letter if letter.isdigit() else f" {letter} " for letter in name).split()
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in text)


def create_model(
    name: str,
    weights: str | Path | Weights | bool | None = None,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    recipe: Recipe | str | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name.

    Args:
        name: one of `list_models()`, case ignored.
        weights: None for fresh random weights; "default" (or True) for those in the package; a file, or what
            `read_weights` gave. Known differences of key names are mapped.
        pretrained: the same as `weights="default"`, as timm users write it.
        num_classes: outputs of the last layer; 0 leaves it out.
        recipe: how pictures become inputs; by default what belongs to the weights, else to the architecture.
        **options: the family's own arguments, such as `stride_on="1x1"`; None counts as not given.

    Returns:
        A plain `nn.Module` in evaluation mode, with `recipe`, `classes` (a tuple of labels, or None where they are not
        known), `trained`, `weights_source`, `weights_sha256` (None for fresh ones) and `weights_notes`.

    Raises:
        UnknownNameError: no such network; near names are suggested.
        WeightsError: the weights do not fit, or there are none in the package.
    """
    info = model_info(name)
    given = {key: value for key, value in options.items() if value is not None}
    count = info.num_classes if num_classes is None else num_classes
    wanted: str | Path | Weights | bool | None = "default" if pretrained and weights is None else weights
    if wanted is True:
        wanted = "default"
    model = info.build(num_classes=count, **given).eval()
    source: str | None = None
    if isinstance(wanted, str) and wanted.lower() == "default":
        if info.shipped is None:
            raise WeightsError(
                f"create_model: no weights for {info.name} in the package; give weights=FILE, or one of "
                f"{', '.join(list_models(pretrained=True))}"
            )
        wanted = shipped_file(info)
        source = "shipped with photosite"
    facts: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    read: Weights | None = None
    if wanted is not None and wanted is not False:
        read = wanted if isinstance(wanted, Weights) else read_weights(Path(str(wanted)))
        facts = training_facts(read)
        notes = (*read.notes, *load_weights(model, read, key_map=_key_map(model, read, headless=count == 0)))
    chosen = recipe if recipe is not None else facts.get("recipe", info.recipe)
    own = get_recipe(chosen) if isinstance(chosen, str) else chosen
    photo = None if recipe is not None else facts.get("photo_recipe", info.photo_recipe)
    labels = facts.get("classes")
    set_facts(
        model,
        recipe=own,
        photo_recipe=get_recipe(photo) if photo else own,
        classes=tuple(labels) if labels and len(labels) == count else None,
        trained=read is not None,
        weights_source=source or (None if read is None else str(read.path)),
        weights_sha256=None if read is None else read.sha256,
        weights_notes=notes,
    )
    return model


def set_facts(model: nn.Module, **facts: Any) -> None:
    """Write what is known of a model onto it as plain attributes, where `photosite.trace` and users read them."""
    for key, value in facts.items():
        object.__setattr__(model, key, value)


def shipped_file(info: ModelInfo) -> Path:
    """Where the package keeps the weights of a network; its model card lies beside it, with the ending `.md`."""
    return Path(str(resources.files("photosite.nets") / "shipped" / f"{info.shipped}.safetensors"))


def _key_map(model: nn.Module, weights: Weights, *, headless: bool) -> KeyMap:
    """Find the map of names that fits; without a last layer in the model, that of the weights is left out."""
    head = {"fc.weight", "fc.bias"} if headless else set()
    found = guess_key_map(model.state_dict().keys() | head, weights.tensors.keys()) or same_keys

    def without_head(key: str) -> str | None:
        name = found(key)
        return None if name in head else name

    return without_head


def training_facts(weights: Weights) -> dict[str, Any]:
    """What `photosite train` wrote into a weights file: recipe, classes, accuracy, command, seed; else nothing.

    Raises:
        CorruptWeightsError: there is such a text, but not of our writing.
    """
    text = weights.metadata.get("photosite")
    if text is None:
        return {}
    try:
        facts = json.loads(text)
        classes = facts["classes"]
        valid = isinstance(facts["recipe"], str) and all(isinstance(label, str) for label in classes)
    except (ValueError, KeyError, TypeError, RecursionError):
        valid = False
    if not valid:
        raise CorruptWeightsError(f"{weights.path}: its metadata 'photosite' is not what `photosite train` writes")
    return dict(facts)
