"""`create_model`: a network by name, with whose weights it is wanted, ready to run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from photosite.errors import CorruptWeightsError, RangeError, UnknownNameError
from photosite.nets.checkpoints.adapt import described_model, load_published, options_of_weights
from photosite.nets.checkpoints.find_weights import FoundWeights, find_weights
from photosite.nets.checkpoints.weights import Weights, state_as_weights
from photosite.nets.feature_net import FeatureNet
from photosite.nets.registry import ModelInfo, model_info
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.shapes import is_number


def create_model(
    name: str,
    weights: str | Path | Weights | Mapping[str, Tensor] | bool | None = None,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    recipe: Recipe | str | None = None,
    cache_dir: Path | None = None,
    checkpoint_path: str | Path | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name.

    Args:
        name: one of `list_models()`, case ignored; or hf-hub:org/name[@revision] or local-dir:FOLDER, where the
            config beside the weights says what network they are of.
        weights: None for fresh random weights; "default" (or True) for those in the package, else the first that were
            published; what `find_weights` takes (a file, an entry of torchvision, hf-hub:, local-dir:); or
            what `read_weights` gave, or a state dict. Other publishers' names and shapes are brought to ours.
        pretrained: the same as `weights="default"`, as timm users write it.
        num_classes: outputs of the last layer; 0 leaves it out. Weights of another number leave it as it was drawn.
        in_chans: channels of the pictures; the first layer of weights for three is summed or repeated, as timm does.
        features_only: give the maps of several levels, as a `FeatureNet`.
        out_indices: which levels.
        recipe: how pictures become inputs; by default what belongs to the weights, else to the architecture.
        cache_dir: where downloads go; by default the caches of torch hub and Hugging Face.
        checkpoint_path: the same as a file for `weights`, as timm users write it.
        **options: the family's own arguments, such as `stride_on="1x1"`, `img_size=384` or `depth=6`; None counts as
            not given.

    Returns:
        A plain `nn.Module` in evaluation mode, with `recipe`, `classes` (a tuple of labels, or None where they are not
        known), `trained`, `weights_source`, `weights_sha256` (None for fresh ones), `weights_license`,
        `weights_origin`, `weights_revision` and `weights_notes`.

    Raises:
        UnknownNameError: no such network, entry or option; near names are suggested.
        WeightsError: the weights do not fit, or cannot be had.
        RangeError: an option that the family does not take.
    """
    given = {key: value for key, value in options.items() if value is not None}
    wanted = checkpoint_path if weights is None and checkpoint_path is not None else weights
    wanted = "default" if wanted is True or (pretrained and wanted is None) else wanted
    labels: Sequence[str] = ()
    if name.startswith(("hf-hub:", "local-dir:")):
        if weights is not None or checkpoint_path is not None:
            raise RangeError(f"create_model: {name} brings its own weights; name a network to give it others")
        found: FoundWeights | None = find_weights(name, cache_dir=cache_dir)
        assert found is not None
        info, own, labels = described_model(found)
        given = {**own, **given}
    else:
        info = model_info(name)
        found = _found(info, wanted, cache_dir)
    if found is not None:
        own, found = options_of_weights(info, given, found)
        given = {**own, **given}
    count = info.num_classes if num_classes is None else num_classes
    # what was read here belongs to nobody else: the network takes those very tensors, and needs none of its own
    fresh = found is None or isinstance(weights, Weights | Mapping)
    with nullcontext() if fresh else torch.device("meta"):
        model = _built(info, count, in_chans, given)
    notes: tuple[str, ...] = ()
    if found is not None:
        notes = (*found.weights.notes, *found.notes, *load_published(model, found, count=num_classes))
    facts = training_facts(found.weights) if found else {}
    size = options.get("img_size") or (given.get("img_size") if found and found.recipe is None else None)
    own_recipe, photo_recipe, said = _recipes(info, found, facts, recipe, size)
    labels = facts.get("classes") or labels
    set_facts(
        model,
        recipe=own_recipe,
        photo_recipe=photo_recipe,
        classes=tuple(labels) if labels and len(labels) == count else None,
        trained=found is not None,
        weights_source=None if found is None else found.source,
        weights_sha256=None if found is None else found.weights.sha256,
        weights_license=None if found is None else found.license,
        weights_origin=None if found is None else found.origin,
        weights_revision=None if found is None else found.revision,
        weights_notes=(*said, *notes),
    )
    if not features_only and out_indices is None:
        return model
    net = FeatureNet(model, out_indices).eval()
    set_facts(net, **{key: getattr(model, key) for key in FACTS})
    return net


def _found(info: ModelInfo, wanted: Any, cache_dir: Path | None) -> FoundWeights | None:
    """The weights for a network of ours; None where none are wanted."""
    if wanted is None or wanted is False:
        return None
    if isinstance(wanted, Weights):
        return FoundWeights(wanted, str(wanted.path))
    if isinstance(wanted, Mapping):
        return FoundWeights(state_as_weights(wanted), "a state dict")
    named = wanted if isinstance(wanted, Path) else str(wanted)
    shipped = shipped_file(info) if info.shipped else None
    return find_weights(named, model=info.name, shipped=shipped, cache_dir=cache_dir)


def _recipes(
    info: ModelInfo,
    found: FoundWeights | None,
    facts: Mapping[str, Any],
    asked: Recipe | str | None,
    size: Any,
) -> tuple[Recipe, Recipe, tuple[str, ...]]:
    """How inputs are made of pictures, how of whole photos, and a note where nothing says so.

    What was asked for counts most, then what was trained, then what the publisher says, then the architecture's own.
    """
    chosen = asked or facts.get("recipe") or (found.recipe if found else None) or info.recipe
    own = get_recipe(chosen) if isinstance(chosen, str) else chosen
    if size is not None and asked is None:
        own = own.at(tuple(size) if isinstance(size, list) else size)
    photo = None if asked is not None or size is not None else facts.get("photo_recipe", info.photo_recipe)
    silent = found is not None and found.source.startswith(("hf-hub:", "local-dir:")) and chosen is info.recipe
    note = f"recipe: nothing beside the weights says how pictures become inputs; {own.name} is used"
    return own, get_recipe(photo) if photo else own, (note,) if silent else ()


FACTS = (
    *("recipe", "photo_recipe", "classes", "trained", "weights_source", "weights_sha256"),
    *("weights_license", "weights_origin", "weights_revision", "weights_notes"),
)
"""What `create_model` writes onto a model."""


def _built(info: ModelInfo, count: int, in_chans: int | None, given: dict[str, Any]) -> nn.Module:
    """Build a network; an option that it does not take is refused by name."""
    options = dict(given)
    if in_chans is not None:
        if not is_number(in_chans, True, 1, 1024):
            raise RangeError(f"create_model: in_chans wants a whole number from 1 to 1024, got {in_chans!r}")
        options["in_chans"] = in_chans
    parameters = inspect.signature(info.build).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        options.pop("img_size", None)  # networks of convolutions take any size; it says what the recipe gives
        for key in options:
            if key not in parameters:
                takes = [one for one, what in parameters.items() if what.kind is what.KEYWORD_ONLY]
                raise UnknownNameError(f"option of {info.name}", key, takes)
    return info.build(num_classes=count, **options).eval()


def set_facts(model: nn.Module, **facts: Any) -> None:
    """Write what is known of a model onto it as plain attributes, where `photosite.trace` and users read them."""
    for key, value in facts.items():
        object.__setattr__(model, key, value)


def shipped_file(info: ModelInfo) -> Path:
    """Where the package keeps the weights of a network; its model card lies beside it, with the ending `.md`."""
    return Path(str(resources.files("photosite.nets") / "shipped" / f"{info.shipped}.safetensors"))


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
