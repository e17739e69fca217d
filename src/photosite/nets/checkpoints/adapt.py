"""Published weights into a network of ours: names and shapes of others, other pictures, other classes, other sizes.

Whatever is changed on the way is said; what does not fit is refused by `photosite.nets.checkpoints.weights`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from photosite.errors import MismatchedWeightsError, WeightsError
from photosite.nets.checkpoints.configs import describe
from photosite.nets.checkpoints.find_weights import FoundWeights
from photosite.nets.checkpoints.keymaps import guess_key_map, same_keys
from photosite.nets.checkpoints.layouts import convert, positions_in
from photosite.nets.checkpoints.weights import load_weights
from photosite.nets.classifier import Classifier
from photosite.nets.registry import ModelInfo, model_info
from photosite.nets.vit import INTERPOLATIONS, Tower, VisionTransformer, build_tower, interpolated

Tensors = dict[str, Tensor]


def described_model(found: FoundWeights) -> tuple[ModelInfo, dict[str, Any], tuple[str, ...]]:
    """The network that the config beside weights describes, what changes it, and the labels of its classes.

    Raises:
        WeightsError: there is no config.
        UnknownNameError: it describes a network that we do not have.
        RangeError: a number in it is beyond all reason.
    """
    if not found.config:
        why = f" ({found.notes[0]})" if found.notes else ""
        raise WeightsError(
            f"{found.source}: no config.json says what network it is{why}; give its name, and this as weights="
        )
    said = describe(found.config, found.source)
    if said.tower is None:
        info = model_info(said.architecture.partition(".")[0])
        count = info.num_classes if said.num_classes is None else said.num_classes
        return replace(info, num_classes=count), dict(said.options or {}), said.classes
    side = said.tower.side
    recipe = "clip" if said.tower.norm_first else "siglip" if said.tower.pool == "question" else "imagenet"
    info = ModelInfo(
        name=found.source,
        build=partial(build_tower, said.tower),
        num_classes=said.num_classes or 0,
        recipe=recipe if side == 224 else f"{recipe}@{side}",
        source=f"the config.json of {found.source}",
    )
    return info, {}, said.classes


def options_of_weights(
    info: ModelInfo, given: Mapping[str, Any], found: FoundWeights
) -> tuple[dict[str, Any], FoundWeights]:
    """What makes a tower the one that weights were trained in: their own grid, and what only a config shows.

    That is the activation, and what keeps norms from dividing by 0. A size that was asked for counts more than the
    weights' own; without one, their positions stay as they are.

    Args:
        info: the network.
        given: options that change it.
        found: the weights, and the config beside them.
    Returns:
        Further options, and the weights with a note on them.
    Raises:
        MismatchedWeightsError: the config is of a tower with other heads.
    """
    own = _tower_of(info)
    if own is None:
        return {}, found
    tower = own.changed(**{key: value for key, value in given.items() if key != "interpolation"})
    asked = any(key in given for key in ("img_size", "side"))
    changed = {} if asked else _trained_size(tower, found.weights.tensors)
    said = describe(found.config, found.source).tower if found.config else None
    if said is None:
        return changed, found
    if said.heads != tower.heads:
        raise MismatchedWeightsError(f"{found.source}: {said.heads} heads, {info.name} has {tower.heads}")
    unseen = {key: getattr(said, key) for key in ("activation", "eps") if getattr(said, key) != getattr(tower, key)}
    words = ", ".join(f"{key} {value}" for key, value in unseen.items())
    note = (f"as the config says: {words}",) if unseen else ()
    return {**changed, **unseen}, replace(found, notes=(*found.notes, *note))


def _trained_size(tower: Tower, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The side of the pictures that weights were trained on, where it is another than the tower's."""
    positions = positions_in(tensors)
    if positions is None or positions.ndim < 2:
        return {}
    for prefix in (1, 0) if tower.class_token else (0,):  # with registers, some write a class token's position
        side = math.isqrt(max(positions.shape[-2] - prefix, 0))
        if side and side * side + prefix == positions.shape[-2]:
            return {} if tower.grid == (side, side) else {"img_size": side * tower.reduction}
    return {}


def _tower_of(info: ModelInfo) -> Tower | None:
    build = info.build
    return build.args[0] if isinstance(build, partial) and build.func is build_tower else None


def load_published(model: nn.Module, found: FoundWeights, *, count: int | None = None) -> tuple[str, ...]:
    """Put weights into a network, from whomever they are.

    Args:
        model: a network of ours, freshly built; one on the meta device takes the tensors as they are, without a copy.
        found: the weights.
        count: outputs of the last layer that were asked for; with another number in the weights the layer stays as it
            was drawn.
    Returns:
        What a person should know.
    Raises:
        MismatchedWeightsError: names or shapes differ in a way that nobody publishes.
    """
    wanted = {key: value.shape for key, value in model.state_dict().items()}
    notes: list[str] = []
    converted = convert(found.weights.tensors, wanted)
    if converted is not None:
        tensors = converted.tensors
        notes += converted.notes
    else:
        tensors = _by_our_names(model, wanted, found.weights.tensors)
    if isinstance(model, Classifier):
        _fit_head(model, wanted, tensors, notes, count)
        _fit_pictures(model, wanted, tensors, notes)
    if isinstance(model, VisionTransformer):
        if converted is not None and converted.layout.activation_unknown and not found.config:
            notes.append(f"activation: {model.tower.activation}, as the network has it; the file does not say which")
        if converted is not None and converted.layout.interpolation:
            model.interpolation = converted.layout.interpolation
            notes.append(f"positions of other sizes: interpolated as {model.interpolation} does")
        _fit_positions(model, wanted, tensors, notes)
    last = str(getattr(model, "last_layer", ""))
    kept = [key for key in wanted if key not in tensors and key.rpartition(".")[0] == last]
    bare = any(parameter.is_meta for parameter in model.parameters())
    if kept and count is not None:
        if bare:
            _draw(model.get_submodule(last))
        own = model.state_dict()
        tensors |= {key: own[key] for key in kept}
    said = load_weights(model, replace(found.weights, tensors=tensors), assign=bare)
    for name, buffer in model.named_buffers():
        if buffer.is_meta:  # a counter that old checkpoints lack
            parent, _, own_name = name.rpartition(".")
            setattr(model.get_submodule(parent), own_name, torch.zeros_like(buffer, device="cpu"))
    return (*notes, *said)


def _draw(layer: nn.Module) -> None:
    """Give a linear layer memory, and fresh weights."""
    assert isinstance(layer, nn.Linear)
    layer.to_empty(device="cpu")
    layer.reset_parameters()


def _by_our_names(model: nn.Module, wanted: Mapping[str, torch.Size], tensors: Mapping[str, Tensor]) -> Tensors:
    """Rename what a registered map makes agree; a last layer that the network lacks may be there."""
    last = getattr(model, "last_layer", "fc")
    head = {f"{last}.weight", f"{last}.bias"}
    found = guess_key_map(wanted.keys(), tensors) or guess_key_map(wanted.keys() | head, tensors) or same_keys
    renamed = {key: found(key) for key in tensors}
    if len(set(renamed.values())) < len(renamed):
        return dict(tensors)
    return {name: tensors[key] for key, name in renamed.items() if name is not None}


def _fit_head(
    model: Classifier, wanted: Mapping[str, torch.Size], tensors: Tensors, notes: list[str], count: int | None
) -> None:
    """Leave out a last layer that is not wanted, or one of another number of classes."""
    name = f"{model.last_layer}.weight"
    if name not in tensors:
        return
    theirs = tensors[name].shape
    if name not in wanted:
        notes.append(f"last layer {model.last_layer} left out; num_classes={theirs[0]} keeps it")
    elif count is not None and theirs != wanted[name] and theirs[1:] == wanted[name][1:]:
        notes.append(f"last layer as it was drawn: the weights have {theirs[0]} classes, {count} were asked for")
    else:
        return
    for part in ("weight", "bias"):
        tensors.pop(f"{model.last_layer}.{part}", None)


def _fit_pictures(model: Classifier, wanted: Mapping[str, torch.Size], tensors: Tensors, notes: list[str]) -> None:
    """Adapt a first layer for three channels to another number: summed for one, else repeated and scaled.

    Matches: timm's `adapt_input_conv`.
    """
    name = f"{model.first_layer}.weight"
    weight = tensors.get(name)
    if weight is None or name not in wanted or weight.ndim != 4 or weight.shape[1] != 3 or wanted[name][1] == 3:
        return
    channels = wanted[name][1]
    if channels == 1:
        tensors[name] = weight.float().sum(1, keepdim=True).to(weight.dtype)
        notes.append("first layer: its weights for red, green and blue summed for one channel; the recipe gives three")
    else:
        repeated = weight.float().repeat(1, math.ceil(channels / 3), 1, 1)[:, :channels] * (3 / channels)
        tensors[name] = repeated.to(weight.dtype)
        notes.append(
            f"first layer: its weights for red, green and blue repeated for {channels} channels, times 3/{channels}"
        )


def _fit_positions(
    model: VisionTransformer, wanted: Mapping[str, torch.Size], tensors: Tensors, notes: list[str]
) -> None:
    """Bring position embeddings of another trained size to the network's."""
    given, shape = tensors.get("pos_embed"), wanted["pos_embed"]
    if given is None or given.ndim != 3 or given.shape == shape or given.shape[2] != shape[2]:
        return
    prefix = shape[1] - model.grid[0] * model.grid[1]
    side = math.isqrt(max(given.shape[1] - prefix, 0))
    if side * side + prefix != given.shape[1] or not side:
        return  # no square of places: refused by its shape
    how = INTERPOLATIONS[model.interpolation]
    tensors["pos_embed"] = interpolated(given, (side, side), model.grid, how).to(given.dtype)
    rows, columns = model.grid
    notes.append(f"position embeddings brought from {side} × {side} to {rows} × {columns} places")
