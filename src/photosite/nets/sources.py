"""The model and the recipe that a user named: ours, torchvision's, timm's, and whatever else can be named.

resnet50                 ours
hf-hub:org/name          ours, as the repository's config describes it, with its weights; local-dir:FOLDER likewise
torchvision:resnet50     torchvision's definition; its weights only where they are named
timm:vit_tiny_patch16_224
package.module:function  called without arguments, from the working directory or any installed package

Recipes are named likewise, see `find_recipe`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from photosite.errors import MissingExtraError, PhotositeError, UnknownNameError
from photosite.nets.checkpoints.find_weights import find_weights
from photosite.nets.checkpoints.weights import load_weights
from photosite.nets.create import create_model, set_facts
from photosite.nets.registry import model_info
from photosite.prep.published import recipe_from_huggingface, recipe_from_timm, recipe_from_torchvision
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe

RANDOM_NOTE = "weights: random (seed 0); shapes and costs are true, values and pictures show an untrained network"


def find_model(spec: str, weights: str | Path | None = None) -> nn.Module:
    """Build the model that `spec` names, ready for `photosite.trace.record`.

    Args:
        spec: a name of ours, hf-hub:ORG/NAME or local-dir:FOLDER, `torchvision:NAME`, `timm:NAME` or
            `package.module:function`.
        weights: what `create_model` takes; "default" for those in the package, else the first that were published;
            "random" for none; by default those in the package if there are any, and nothing is downloaded. A
            network without weights gets random ones, always the same, and says so in its notes.

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
        if not colon or place in ("hf-hub", "local-dir"):
            return _ours(spec, weights)
        if place == "torchvision":
            model = _torchvision(name)
        elif place == "timm":
            model = _timm(name)
        else:
            model = _from_function(place, name)
    if weights is not None and str(weights) != "random":
        found = find_weights(weights if isinstance(weights, Path) else str(weights), model=name)
        notes = (*found.weights.notes, *found.notes, *load_weights(model, found.weights))
        set_facts(
            model,
            trained=True,
            weights_source=found.source,
            weights_sha256=found.weights.sha256,
            weights_notes=notes,
            **({"recipe": found.recipe, "photo_recipe": found.recipe} if found.recipe is not None else {}),
        )
    elif place in ("torchvision", "timm"):
        set_facts(model, trained=False, weights_notes=(RANDOM_NOTE,))
    return model.eval()


def _ours(name: str, weights: str | Path | None) -> nn.Module:
    if weights is None and ":" not in name and model_info(name).shipped is not None:
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
    options: dict[str, Any] = {"init_weights": True} if name.lower() in ("googlenet", "inception_v3") else {}
    if "weights_backbone" in inspect.signature(torchvision.models.get_model_builder(name)).parameters:
        options["weights_backbone"] = None  # else torchvision downloads a trained one
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    try:
        entry = torchvision.models.get_model_weights(name).DEFAULT
    except (ValueError, AttributeError):
        return model
    try:
        recipe = recipe_from_torchvision(entry)
    except PhotositeError:  # a model for something else than classification
        return model
    set_facts(model, recipe=recipe, photo_recipe=recipe)
    categories = entry.meta.get("categories")
    if categories:
        set_facts(model, classes=tuple(categories))
    return model


def _timm(name: str) -> nn.Module:
    timm = _import_timm()
    if not timm.is_model(name.split(".")[0]):
        raise UnknownNameError("timm model", name, timm.list_models())
    model: nn.Module = timm.create_model(name, pretrained=False)
    recipe = recipe_from_timm(model)
    set_facts(model, recipe=recipe, photo_recipe=recipe)
    return model


def _import_timm() -> Any:
    import_torchvision()  # timm imports it
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise MissingExtraError("timm", None, "timm:NAME") from error


def find_recipe(spec: str) -> Recipe:
    """The recipe that a user named.

    Args:
        spec: a name of `photosite.prep.recipes`, such as imagenet@448; torchvision:ENTRY for an entry of weights, such
            as torchvision:ResNet50_Weights.IMAGENET1K_V2; timm:NAME for a model with its weights' tag; or the path of
            a Hugging Face preprocessor_config.json or of the folder that holds one.
    Raises:
        UnknownNameError: there is none of that name; near names are suggested.
        RangeError: what is published cannot be followed.
        MissingExtraError: torchvision or timm is not installed.
        PhotositeError: the file cannot be read.
    """
    place, colon, name = spec.partition(":")
    if colon and place == "torchvision":
        return recipe_from_torchvision(_torchvision_entry(name))
    if colon and place == "timm":
        timm = _import_timm()
        cfg = timm.models.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name) else None
        if cfg is None:
            raise UnknownNameError("timm model", name, timm.list_pretrained())
        return recipe_from_timm(cfg)
    if spec.endswith(".json") or Path(spec).is_dir():
        return recipe_from_huggingface(Path(spec))
    return get_recipe(spec)


def _torchvision_entry(name: str) -> Any:
    """The entry of a full name, like ResNet50_Weights.IMAGENET1K_V2."""
    models = import_torchvision().models
    try:
        return models.get_weight(name)
    except (ValueError, AttributeError, KeyError) as error:
        kinds = [getattr(models, kind) for kind in dir(models) if kind.endswith("_Weights")]
        known = [f"{kind.__name__}.{entry}" for kind in kinds for entry in kind.__members__]
        raise UnknownNameError("torchvision entry", name, known) from error


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
