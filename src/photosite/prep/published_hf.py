"""Read a recipe from a Hugging Face preprocessor_config.json, in its old and new forms.

A config names the class of an image processor and changes some of its numbers; what it leaves out is the class's own
default, so both are needed. Knows the classes in `FAMILIES` and no other, and nothing of transformers but the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.prep.fields import MAX_SIZE
from photosite.prep.geometry import FILTER_SUPPORT
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF
from photosite.prep.source import display_text
from photosite.shapes import is_number

MAX_BYTES = 1 << 20
"""The largest config that is read; published ones have less than a kilobyte."""
FILES = ("processor_config.json", "preprocessor_config.json")
"""Where a folder holds the config; the first is newer, and counts where it has an `image_processor`."""

EVERY_CLASS: Mapping[str, Any] = {
    "do_resize": True,
    "do_center_crop": False,
    "crop_size": None,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "default_to_square": True,
}
"""What all classes start from; None has no default."""
CLIP: Mapping[str, Any] = {
    **EVERY_CLASS,
    "default_to_square": False,
    "size": {"shortest_edge": 224},
    "resample": Image.Resampling.BICUBIC,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "image_mean": CLIP_MEAN,
    "image_std": CLIP_STD,
}
VIT: Mapping[str, Any] = {
    **EVERY_CLASS,
    "size": {"height": 224, "width": 224},
    "resample": Image.Resampling.BILINEAR,
    "image_mean": HALF,
    "image_std": HALF,
}
CONVNEXT: Mapping[str, Any] = {
    **EVERY_CLASS,
    "default_to_square": False,
    "size": {"shortest_edge": 384},
    "crop_pct": 224 / 256,
    "resample": Image.Resampling.BICUBIC,
    "image_mean": HALF,
    "image_std": HALF,
}
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "CLIP": CLIP,
    "Bit": CLIP,  # DINOv2's
    "Siglip": {**VIT, "default_to_square": False, "resample": Image.Resampling.BICUBIC},
    "ViT": VIT,
    "DeiT": {
        **VIT,
        "size": {"height": 256, "width": 256},
        "resample": Image.Resampling.BICUBIC,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
    },
    "ConvNext": CONVNEXT,  # ConvNeXt's, ResNet's and RegNet's
}
"""The defaults of each class that is known, by its name without ImageProcessor or FeatureExtractor."""

CLASS_NAME = re.compile(r"(\w+?)(ImageProcessor(Fast|Pil)?|FeatureExtractor)")
SAYS_NOTHING = frozenset(
    (
        *("image_processor_type", "feature_extractor_type", "processor_class", "_valid_processor_keys"),
        *("image_seq_length", "return_tensors", "device", "disable_grouping"),
    )
)
"""Keys that change no pixel."""
ONLY_AS: Mapping[str, tuple[Any, ...]] = {
    "do_convert_rgb": (True,),  # a recipe takes RGB pictures
    "do_pad": (False,),
    "pad_size": (),
    "data_format": ("channels_first",),
    "input_data_format": (),
}
"""Keys that are followed only with one of these values, or null."""


def recipe_from_huggingface(config: Any) -> Recipe:
    """The recipe of a Hugging Face image processor.

    Args:
        config: a preprocessor_config.json or the folder that holds one, what such a file holds as a dict, or an image
            processor of transformers.
    Returns:
        A recipe named huggingface:FOLDER, or huggingface:CLASS where there is no folder.
    Raises:
        UnknownNameError: the class of the image processor is not among `FAMILIES`.
        RangeError: a key is missing, not known, or has a value that cannot be followed; the message names all of them.
        PhotositeError: the file cannot be read, or is not JSON.
    Convention: what is missing or null is the default of the class in transformers 5.23, and `source` says so.
    Matches: the class with backend "pil" (CLIPImageProcessorPil and so on), bit for bit.
    Source: transformers 5.23, image_processing_backends.py `PilBackend`, image_transforms.py, and
        image_processing_pil_*.py of the models clip, bit, siglip, vit, deit, convnext.

    >>> recipe = recipe_from_huggingface({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224})
    >>> recipe.resize, recipe.size_hw, recipe.crop_hw
    ('shortest', (256, 256), (224, 224))
    """
    if isinstance(config, str | Path):
        path = _config_file(Path(config))
        values, name = _read(path), display_text(path.absolute().parent.name)
        where = f"{display_text(path.name)} of {name}"
    else:
        values, name, where = config.to_dict() if hasattr(config, "to_dict") else config, "", "config"
    if isinstance(values, Mapping) and isinstance(values.get("image_processor"), Mapping):  # processor_config.json
        values = values["image_processor"]
    if not isinstance(values, Mapping):
        raise RangeError(f"recipe_from_huggingface: {where}: wants an object with keys, got {type(values).__name__}")
    kind, defaults = _family(values, where)
    given = _followed(values, kind, defaults, where)
    used = {**defaults, **given}
    assumed = [key for key, value in defaults.items() if value and key not in given and key != "default_to_square"]
    return Recipe(
        name=f"huggingface:{name or kind}",
        **_placed(used, where),
        interpolation=_filter(used["resample"], where),
        crop_rounding="floor",
        pad_first="larger",
        scale=used["rescale_factor"] if used["do_rescale"] else 1.0,
        mean=_triple(used["image_mean"]) if used["do_normalize"] else (0.0, 0.0, 0.0),
        std=_triple(used["image_std"]) if used["do_normalize"] else (1.0, 1.0, 1.0),
        source=f"{where}, as {kind} reads it" + (f"; its own defaults for {', '.join(assumed)}" if assumed else ""),
    )


def _placed(used: Mapping[str, Any], where: str) -> dict[str, Any]:
    """How the picture is resized and cropped, as fields of a recipe."""
    crop_hw = _height_width(used, "crop_size", where) if used["do_center_crop"] else None
    if not used["do_resize"]:
        return {"resize": "none", "size_hw": None, "crop_hw": crop_hw}
    size = _size(used["size"], used["default_to_square"])
    if set(size) == {"height", "width"} and "crop_pct" not in used:
        return {"resize": "squash", "size_hw": _height_width(used, "size", where), "crop_hw": crop_hw}
    if set(size) != {"shortest_edge"} or not is_number(size["shortest_edge"], True, 1, MAX_SIZE):
        also = "" if "crop_pct" in used else " or {'height', 'width'}"
        raise _cannot(where, f"size={used['size']!r}; known are one number and {{'shortest_edge'}}{also}")
    edge = size["shortest_edge"]
    if "crop_pct" not in used:
        return {"resize": "shortest", "size_hw": (edge, edge), "crop_hw": crop_hw}
    # ConvNeXt: below 384 it resizes to edge / crop_pct and cuts out the center, from 384 on it squashes
    if edge >= 384:
        return {"resize": "squash", "size_hw": (edge, edge)}
    if not is_number(used["crop_pct"], False, 0.01, 100):
        raise _cannot(where, f"crop_pct={used['crop_pct']!r}; wants a number from 0.01 to 100")
    grown = int(edge / used["crop_pct"])
    return {"resize": "shortest", "size_hw": (grown, grown), "crop_hw": (edge, edge)}


def _family(values: Mapping[str, Any], where: str) -> tuple[str, Mapping[str, Any]]:
    """The full name of the image processor's class, and its defaults."""
    told = values.get("image_processor_type") or values.get("feature_extractor_type")
    if not told:
        raise RangeError(
            f"recipe_from_huggingface: {where}: image_processor_type is missing, so the defaults cannot be known; "
            f"add it, one of {', '.join(f'{family}ImageProcessor' for family in FAMILIES)}"
        )
    match = CLASS_NAME.fullmatch(str(told))
    if match is None or match[1] not in FAMILIES:
        known = [f"{family}ImageProcessor" for family in FAMILIES]
        raise UnknownNameError("Hugging Face image processor that can be followed", str(told), known)
    return f"{match[1]}ImageProcessor", FAMILIES[match[1]]


def _followed(values: Mapping[str, Any], kind: str, defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys that are set and count; an error that names every key that cannot be followed."""
    wrong, given = [], {}
    for key, value in values.items():
        if key in defaults:
            if key.startswith("do_") and not isinstance(value, bool | None):
                wrong.append(f"{key}={value!r} (wants true, false or null)")
            elif kind == "ConvNextImageProcessor" and key == "do_center_crop" and value:
                wrong.append(f"{key}={value!r} (its crop follows from size and crop_pct)")
            elif value is not None:
                given[key] = value
        elif key in ONLY_AS:
            if value is not None and value not in ONLY_AS[key]:
                wrong.append(f"{key}={value!r}")
        elif key not in SAYS_NOTHING:
            wrong.append(f"{key}={value!r}")
    if wrong:
        raise _cannot(where, f"{', '.join(wrong)} of {kind}")
    return given


def _size(value: Any, square: bool) -> dict[str, Any]:
    """A size as a dict; one number, as old configs have it, is both sides or the shorter one, by class."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and len(value) == 2:
        return {"height": value[0], "width": value[1]}
    return {"height": value, "width": value} if square else {"shortest_edge": value}


def _height_width(used: Mapping[str, Any], key: str, where: str) -> tuple[int, int]:
    if used[key] is None:
        raise RangeError(f"recipe_from_huggingface: {where}: {key} is missing, and its class has no default for it")
    size = _size(used[key], True)
    if set(size) != {"height", "width"} or not all(is_number(side, True, 1, MAX_SIZE) for side in size.values()):
        raise _cannot(where, f"{key}={used[key]!r}; wants whole numbers for 'height' and 'width' from 1 to {MAX_SIZE}")
    return size["height"], size["width"]


def _filter(resample: Any, where: str) -> Any:
    """The name of one of Pillow's filters from its number."""
    numbers = {int(Image.Resampling[name.upper()]): name for name in FILTER_SUPPORT}
    if not is_number(resample, True, min(numbers), max(numbers)):
        known = ", ".join(f"{number} {name}" for number, name in sorted(numbers.items()))
        raise _cannot(where, f"resample={resample!r}; known are {known}")
    return numbers[int(resample)]


def _triple(value: Any) -> Any:
    """A mean or std for three channels; one number counts for all."""
    return (value,) * 3 if isinstance(value, int | float) else value


def _config_file(path: Path) -> Path:
    """The file itself, or the one that a folder holds."""
    try:
        if path.is_file():
            return path
        for name in FILES if path.is_dir() else ():
            if (path / name).is_file() and (name != FILES[0] or "image_processor" in _read(path / name)):
                return path / name
    except OSError as error:
        raise PhotositeError(f"recipe_from_huggingface: {str(path)!r} cannot be opened: {error.strerror}") from error
    raise PhotositeError(
        f"recipe_from_huggingface: wants a {FILES[1]} or a folder that holds one, {str(path)!r} is neither; "
        "nothing is downloaded"
    )


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) <= MAX_BYTES:
            return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise PhotositeError(f"recipe_from_huggingface: {str(path)!r} cannot be read as JSON: {error}") from error
    raise PhotositeError(f"recipe_from_huggingface: {str(path)!r}: wants a config of at most {MAX_BYTES} bytes")


def _cannot(where: str, what: str) -> RangeError:
    return RangeError(f"recipe_from_huggingface: {where}: cannot follow {what}")
