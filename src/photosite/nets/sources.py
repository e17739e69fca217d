"""The model that a user named: one of ours, torchvision's, timm's, or any function that gives a module.

resnet50                 ours
torchvision:resnet50     torchvision's definition; its weights only from a file, nothing is downloaded
timm:vit_tiny_patch16_224
package.module:function  called without arguments, from the working directory or any installed package
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from photosite.errors import MissingExtraError, PhotositeError, UnknownNameError, WeightsError
from photosite.nets.registry import create_model, model_info, set_facts
from photosite.nets.weights import load_weights, read_weights
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe

RANDOM_NOTE = "weights: random (seed 0); shapes and costs are true, values and pictures show an untrained network"


def find_model(spec: str, weights: str | Path | None = None) -> nn.Module:
    """Build the model that `spec` names, ready for `photosite.trace.record`.

    Args:
        spec: a name of ours, `torchvision:NAME`, `timm:NAME` or `package.module:function`.
        weights: a file; "default" for those in the package; "random" for none; by default those in the package if
            there are any. A network without weights gets random ones, always the same, and says so in its notes.

    Returns:
        The model in evaluation mode, with the facts that `create_model` gives (a recipe only where one is known).

    Raises:
        UnknownNameError: no such model, module or function.
        WeightsError: the weights do not fit.
        MissingExtraError: the package is not installed.
        PhotositeError: the user's function failed, or gave something else than a module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        place, colon, name = spec.partition(":")
        if not colon:
            return _ours(spec, weights)
        if place == "torchvision":
            model = _torchvision(name)
        elif place == "timm":
            model = _timm(name)
        else:
            model = _from_function(place, name)
    if weights is not None and str(weights) != "random":
        if str(weights) == "default":
            raise WeightsError(f"find_model: the package has no weights for {spec}; give a file")
        read = read_weights(weights)
        notes = (*read.notes, *load_weights(model, read))
        set_facts(model, trained=True, weights_source=str(read.path), weights_sha256=read.sha256, weights_notes=notes)
    elif place in ("torchvision", "timm"):
        set_facts(model, trained=False, weights_notes=(RANDOM_NOTE,))
    return model.eval()


def _ours(name: str, weights: str | Path | None) -> nn.Module:
    info = model_info(name)
    if weights is None and info.shipped is not None:
        weights = "default"
    model = create_model(name, None if str(weights) == "random" else weights)
    if not model.trained:
        set_facts(model, weights_notes=(RANDOM_NOTE,))
    return model


def import_torchvision() -> Any:
    """Import torchvision with its models and transforms, also where its wheel was built for another torch.

    Its compiled part wants the torch it was built with; beside another one the import fails on the names of two
    operators that only detection models use. Declaring the names lets everything else be used.

    Raises:
        MissingExtraError: it is not installed, or does not import even so.
    """
    try:
        return _import_torchvision()
    except ModuleNotFoundError as error:
        raise MissingExtraError("torchvision", None, "torchvision:NAME") from error
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise MissingExtraError("torchvision", None, "torchvision:NAME") from error
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
    try:
        return _import_torchvision()
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError("torchvision", None, "torchvision:NAME") from error


_KEPT: list[Any] = []
"""Libraries of operators; torch forgets an operator together with the library that declared it."""


def _import_torchvision() -> Any:
    for part in ("models", "transforms.functional"):
        importlib.import_module(f"torchvision.{part}")
    return importlib.import_module("torchvision")


def _torchvision(name: str) -> nn.Module:
    torchvision = import_torchvision()
    known = torchvision.models.list_models()
    if name.lower() not in known:
        raise UnknownNameError("torchvision model", name, known)
    options = {"init_weights": True} if name.lower() in ("googlenet", "inception_v3") else {}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    try:
        entry = torchvision.models.get_model_weights(name).DEFAULT
    except (ValueError, AttributeError):
        return model
    chain = entry.transforms()
    if hasattr(chain, "crop_size") and hasattr(chain, "resize_size"):
        recipe = Recipe(
            name=f"torchvision:{entry}",
            resize="shortest",
            size_hw=(chain.resize_size[0],) * 2,
            interpolation=chain.interpolation.value,
            crop_hw=(chain.crop_size[0],) * 2,
            mean=tuple(chain.mean),
            std=tuple(chain.std),
            source=f"torchvision {torchvision.__version__}, {entry}.transforms()",
        )
        set_facts(model, recipe=recipe, photo_recipe=recipe)
    categories = entry.meta.get("categories")
    if categories:
        set_facts(model, classes=tuple(categories))
    return model


def _timm(name: str) -> nn.Module:
    import_torchvision()  # timm imports it
    try:
        timm: Any = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise MissingExtraError("timm", None, "timm:NAME") from error
    if not timm.is_model(name.split(".")[0]):
        raise UnknownNameError("timm model", name, timm.list_models())
    model: nn.Module = timm.create_model(name, pretrained=False)
    facts: dict[str, Any] = timm.data.resolve_model_data_config(model)
    size = facts["input_size"][-1]
    squash = facts.get("crop_mode") == "squash"
    grown = size if squash else int(size / facts["crop_pct"])
    recipe = Recipe(
        name=f"timm:{name}",
        resize="squash" if squash else "shortest",
        size_hw=(grown, grown),
        interpolation=facts["interpolation"],
        crop_hw=(size, size),
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        source=f"timm {timm.__version__}, resolve_model_data_config",
    )
    set_facts(model, recipe=recipe, photo_recipe=recipe)
    return model


def _from_function(place: str, name: str) -> nn.Module:
    """Import a module, the working directory first, and call a function of it."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and place.startswith(error.name):
            raise UnknownNameError("module", place, _python_files()) from error
        raise PhotositeError(f"model {place}:{name}: its module does not import: {error}") from error
    except Exception as error:
        raise PhotositeError(f"model {place}:{name}: its module does not import: {_line(error)}") from error
    finally:
        if added:
            sys.path.remove(here)
    make: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(make):
        raise UnknownNameError(f"function in {place}", name, [key for key in vars(module) if not key.startswith("_")])
    try:
        model = make()
    except Exception as error:
        raise PhotositeError(f"model {place}:{name}: calling it failed: {_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise PhotositeError(f"model {place}:{name}: wants a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(getattr(model, "recipe", None), Recipe):
        note = "recipe: not known for this model; the one named imagenet is used unless --recipe says otherwise"
        imagenet = get_recipe("imagenet")
        set_facts(model, recipe=imagenet, photo_recipe=imagenet, weights_notes=(note,))
    return model


def _python_files() -> list[str]:
    return [path.stem for path in Path.cwd().glob("*.py")]


def _line(error: Exception) -> str:
    """The first line of an error, with its kind."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
