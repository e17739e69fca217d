"""Read a recipe from what torchvision, timm and Hugging Face publish beside their weights.

Each reader takes what is published as it is, an object or a file, and follows how that library prepares PIL images for
evaluation. A key that it cannot follow is an error that names the key; a number that is not there is the library's own
default, and then `source` says so. Nothing is downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep.fields import MAX_SIZE
from photosite.prep.published_hf import recipe_from_huggingface
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import IMAGENET_MEAN, IMAGENET_STD
from photosite.shapes import is_number

__all__ = ["recipe_from_huggingface", "recipe_from_timm", "recipe_from_torchvision"]

TORCHVISION_FIELDS = ("resize_size", "crop_size", "mean", "std", "interpolation", "antialias")
"""What torchvision's ImageClassification preset holds."""

TIMM_DEFAULTS: Mapping[str, Any] = {
    "input_size": (3, 224, 224),
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "crop_mode": "center",
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
}
"""What timm's `resolve_data_config` takes where a pretrained_cfg has nothing or null."""

TIMM_OTHER = frozenset(
    (
        *("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture", "tag", "custom_load"),
        *("test_input_size", "test_crop_pct", "min_input_size", "fixed_input_size"),
        *("num_classes", "label_offset", "label_names", "label_descriptions"),
        *("pool_size", "test_pool_size", "first_conv", "classifier"),
        *("license", "description", "origin_url", "paper_name", "paper_ids", "notes"),
    )
)
"""The other fields of timm's PretrainedCfg: where weights come from, what the network is, who made it."""


def recipe_from_torchvision(weights: Any) -> Recipe:
    """The recipe that torchvision publishes with an entry of classification weights.

    Args:
        weights: an entry such as `ResNet50_Weights.IMAGENET1K_V2`, or what its `transforms()` gives.
    Returns:
        A recipe named torchvision:ENTRY.
    Raises:
        RangeError: text instead of an entry, or the entry's transforms are not the ImageClassification preset, or hold
            what a recipe refuses.
    Matches: `weights.transforms()` on PIL images, bit for bit.
    Source: torchvision 0.28, torchvision/transforms/_presets.py.

    >>> class ImageClassification:  # stands for torchvision's own
    ...     resize_size, crop_size, interpolation, antialias = [232], [224], "bilinear", True
    ...     mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    >>> recipe_from_torchvision(ImageClassification()).size_hw
    (232, 232)
    """
    if isinstance(weights, str):
        raise RangeError(
            f"recipe_from_torchvision: wants the entry itself, got the text {weights!r}; "
            "photosite.nets.sources.find_recipe('torchvision:ENTRY') finds it by its name"
        )
    is_entry = callable(getattr(weights, "transforms", None))
    preset = weights.transforms() if is_entry else weights
    kind = type(preset).__name__
    label = f"{type(weights).__name__}.{getattr(weights, 'name', '?')}" if is_entry else kind
    missing = [field for field in TORCHVISION_FIELDS if not hasattr(preset, field)]
    if missing or kind != "ImageClassification":
        lacks = f" without {', '.join(missing)}" if missing else ""
        raise RangeError(
            f"recipe_from_torchvision: wants weights whose transforms() are torchvision's ImageClassification "
            f"({', '.join(TORCHVISION_FIELDS)}); {label} gives {kind}{lacks}"
        )
    resize, crop = _sides(preset.resize_size), _sides(preset.crop_size)
    return Recipe(
        name=f"torchvision:{label}",
        resize="shortest" if len(resize) == 1 else "squash",
        size_hw=resize * 2 if len(resize) == 1 else resize,  # type: ignore[arg-type]  # Recipe counts them
        interpolation=getattr(preset.interpolation, "value", preset.interpolation),
        antialias=preset.antialias,
        crop_hw=crop * 2 if len(crop) == 1 else crop,  # type: ignore[arg-type]
        mean=preset.mean,
        std=preset.std,
        source=f"torchvision's {label}{'.transforms()' if is_entry else ''}: "
        f"resize_size={preset.resize_size}, crop_size={preset.crop_size}",
    )


def recipe_from_timm(cfg: Any, *, use_test_size: bool = False) -> Recipe:
    """The recipe of a timm `pretrained_cfg`.

    The picture is resized to floor(input_size / crop_pct): with crop_mode 'center' its shorter side (an input that is
    not square is covered), with 'squash' both sides, with 'border' its longer side. Then the center of `input_size` is
    cut out, and with 'border' filled up with the mean color.

    Args:
        cfg: a dict, a PretrainedCfg, a timm model, or the config.json of a timm model from the hub, as a dict.
        use_test_size: take `test_input_size` and `test_crop_pct` where they are given, as timm's option of that name.
    Returns:
        A recipe named timm:ARCHITECTURE.TAG.
    Raises:
        RangeError: a key that is no field of PretrainedCfg, or a value that a recipe refuses.
        UnknownNameError: a crop mode or a filter that timm's evaluation does not have; 'random' is for training.
        ShapeError: `cfg` is nothing of the above, or the input has other than 3 channels.
    Convention: what is missing or null is timm's default, and `source` says so.
    Matches: `create_transform(**resolve_data_config(pretrained_cfg=cfg))` on PIL images, bit for bit.
    Source: timm 1.0.31, timm/data/config.py and timm/data/transforms_factory.py.

    >>> recipe = recipe_from_timm({"input_size": (3, 224, 224), "crop_pct": 0.95})
    >>> recipe.size_hw, recipe.crop_hw
    ((235, 235), (224, 224))
    """
    given, label = _timm_fields(cfg)
    if use_test_size:
        given |= {key: given[f"test_{key}"] for key in ("input_size", "crop_pct") if f"test_{key}" in given}
    values = {**TIMM_DEFAULTS, **given}
    size, crop_pct, mode = values["input_size"], values["crop_pct"], values["crop_mode"]
    if len(_sides(size)) != 3 or not all(is_number(side, True, 1, MAX_SIZE) for side in size) or size[0] != 3:
        raise ShapeError(f"recipe_from_timm: {label}: wants an input_size (3, height, width), got {size!r}")
    if not is_number(crop_pct, False, 0.01, 100):
        raise RangeError(f"recipe_from_timm: {label}: wants a crop_pct from 0.01 to 100, got {crop_pct!r}")
    grown_hw = (math.floor(size[1] / crop_pct), math.floor(size[2] / crop_pct))
    rules: dict[str, Any] = {
        "center": "shortest" if grown_hw[0] == grown_hw[1] else "cover",
        "squash": "squash",
        "border": "contain",
    }
    if mode not in tuple(rules):
        raise UnknownNameError("timm crop mode", str(mode), rules)
    assumed = [key for key in TIMM_DEFAULTS if key not in given]
    recipe = Recipe(
        name=f"timm:{label}",
        resize=rules[mode],
        size_hw=grown_hw,
        interpolation=values["interpolation"],
        crop_hw=(size[1], size[2]),
        mean=values["mean"],
        std=values["std"],
        source=f"timm's pretrained_cfg of {label}: input_size {size[1]} × {size[2]} / crop_pct {crop_pct:g}, "
        f"rounded down, crop_mode {mode}" + (f"; timm's defaults for {', '.join(assumed)}" if assumed else ""),
    )
    if mode != "border":
        return recipe
    red, green, blue = (round(255 * level) for level in recipe.mean)
    return replace(recipe, pad_color=(red, green, blue))


def _timm_fields(cfg: Any) -> tuple[dict[str, Any], str]:
    """The fields of a pretrained_cfg that are set, and what it is called."""
    cfg = getattr(cfg, "pretrained_cfg", cfg)  # of a timm model
    cfg = cfg.to_dict() if hasattr(cfg, "to_dict") else cfg  # PretrainedCfg
    if isinstance(cfg, Mapping) and isinstance(cfg.get("pretrained_cfg"), Mapping):  # config.json
        cfg = {"architecture": cfg.get("architecture"), **cfg["pretrained_cfg"]}
    if not isinstance(cfg, Mapping):
        raise ShapeError(
            f"recipe_from_timm: wants a pretrained_cfg, as a dict or from a timm model, got {type(cfg).__name__}"
        )
    label = ".".join(str(cfg[key]) for key in ("architecture", "tag") if cfg.get(key)) or "pretrained_cfg"
    unknown = [str(key) for key in cfg if key not in TIMM_DEFAULTS and key not in TIMM_OTHER]
    if unknown:
        raise RangeError(f"recipe_from_timm: {label}: cannot follow {', '.join(unknown)}, no field of PretrainedCfg")
    return {key: value for key, value in cfg.items() if value is not None}, label


def _sides(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
