"""What stands in a config.json beside weights: which network they are of, checked before a byte is allocated.

Reads timm's, transformers' and open_clip's. Code that a config points to (`auto_map`) is never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosite.errors import CorruptWeightsError, RangeError, UnknownNameError
from photosite.nets.vit import Tower
from photosite.shapes import is_number

MAX_BYTES = 1 << 20
"""The largest config that is read; published ones have a few kilobytes, or some more with the names of classes."""
MOST = {
    "width": 16_384,
    "depth": 256,
    "heads": 256,
    "hidden": 131_072,
    "patch": 1_024,
    "side": 16_384,
    "registers": 256,
}
"""No published tower comes near; a config that asks for more is refused."""
FOLLOWED = {"img_size": "side", "patch_size": "patch", "embed_dim": "width", "depth": "depth", "num_heads": "heads"}
"""What of timm's model_args is followed, each a whole number; anything else would make another network."""
ACTIVATIONS = {"gelu": "gelu", "quick_gelu": "quick_gelu", "gelu_pytorch_tanh": "gelu_tanh"}
"""By transformers' names, ours."""


@dataclass(frozen=True)
class Described:
    """A network as a config describes it.

    Attributes:
        architecture: a name of timm's, or "" where the numbers stand in `tower`.
        options: what changes it, by timm's names.
        tower: of a vision transformer; None where `architecture` says it.
        num_classes: outputs of the last layer; None where the config does not say.
        classes: their labels; empty where they are not named.
        projection: numbers that a CLIP tower's last layer gives; None for none.
    """

    architecture: str = ""
    options: Mapping[str, Any] | None = None
    tower: Tower | None = None
    num_classes: int | None = None
    classes: tuple[str, ...] = ()
    projection: int | None = None


def read_json(path: Path, source: str) -> dict[str, Any]:
    """Read a small JSON object.

    Raises:
        CorruptWeightsError: it is too large, no JSON, or no object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptWeightsError(f"{source}: wants at most {MAX_BYTES:,} bytes, got {path.stat().st_size:,}")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CorruptWeightsError):
            raise
        reason = getattr(error, "strerror", None) or "not valid JSON"
        raise CorruptWeightsError(f"{source}: cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise CorruptWeightsError(f"{source}: wants a JSON object, got {type(found).__name__}")
    return found


def describe(config: Mapping[str, Any], source: str) -> Described:
    """What network a config is of.

    Args:
        config: a config.json of timm or transformers, or an open_clip_config.json.
        source: what to call it in messages.
    Raises:
        UnknownNameError: a kind of model that is not known here.
        RangeError: a number is missing, or beyond all reason.
    """
    if isinstance(config.get("architecture"), str):
        return _timm(config, source)
    if isinstance(config.get("model_cfg"), Mapping):
        return _open_clip(config["model_cfg"], source)
    kind, whole = config.get("model_type"), config
    if isinstance(config.get("vision_config"), Mapping):
        config = {"model_type": kind, **config["vision_config"]}
        kind = config["model_type"]
    if kind not in tuple(_KINDS):
        raise UnknownNameError("model type in a config", str(kind), _KINDS)
    tower = _KINDS[kind](_Numbers(config, source))
    labels = _labels(whole)
    if "ForImageClassification" not in str(whole.get("architectures", "")):
        labels = ()  # the two that every config has, or none
    projection = whole.get("projection_dim", 512) if kind in ("clip", "clip_vision_model") else None
    return Described(tower=tower, num_classes=len(labels) or None, classes=labels, projection=projection)


class _Numbers:
    """A config whose numbers are checked as they are read."""

    def __init__(self, config: Mapping[str, Any], source: str) -> None:
        self.config, self.source = config, source

    def __call__(self, key: str, part: str, default: int | None = None) -> int:
        value = self.config.get(key, default)
        if not is_number(value, True, 0 if part == "registers" else 1, MOST[part]):
            raise RangeError(
                f"{self.source}: {key} wants a whole number from 1 to {MOST[part]:,}, got {str(value)[:40]}"
            )
        return int(value)

    def eps(self, default: float) -> float:
        value = self.config.get("layer_norm_eps", default)
        if not is_number(value, False, 0, 1):
            raise RangeError(f"{self.source}: layer_norm_eps wants a number from 0 to 1, got {str(value)[:40]}")
        return float(value)

    def activation(self, default: str) -> str:
        value = self.config.get("hidden_act", default)
        if value not in tuple(ACTIVATIONS):
            raise UnknownNameError("activation", str(value), ACTIVATIONS)
        return ACTIVATIONS[value]

    def whole(self, defaults: Mapping[str, int]) -> dict[str, Any]:
        """Patch, width, depth, heads and side, with a class's own defaults."""
        found = {
            "patch": self("patch_size", "patch", defaults["patch"]),
            "width": self("hidden_size", "width", defaults["width"]),
            "depth": self("num_hidden_layers", "depth", 12),
            "heads": self("num_attention_heads", "heads", 12),
            "side": self("image_size", "side", defaults["side"]),
        }
        if found["width"] % found["heads"]:
            raise RangeError(f"{self.source}: {found['width']} numbers do not divide among {found['heads']} heads")
        return found


def _clip(numbers: _Numbers) -> Tower:
    return Tower(
        **numbers.whole({"patch": 32, "width": 768, "side": 224}),
        hidden=numbers("intermediate_size", "hidden", 3072),
        classes=0,
        patch_bias=False,
        norm_first=True,
        activation=numbers.activation("quick_gelu"),
        eps=numbers.eps(1e-5),
    )


def _siglip(numbers: _Numbers) -> Tower:
    return Tower(
        **numbers.whole({"patch": 16, "width": 768, "side": 224}),
        hidden=numbers("intermediate_size", "hidden", 3072),
        classes=0,
        class_token=False,
        activation=numbers.activation("gelu_pytorch_tanh"),
        eps=numbers.eps(1e-6),
        pool="question",
    )


def _dinov2(numbers: _Numbers) -> Tower:
    config = numbers.config
    gated = bool(config.get("use_swiglu_ffn", False))
    given = numbers.whole({"patch": 16 if "registers" in str(config["model_type"]) else 14, "width": 768, "side": 224})
    ratio = config.get("mlp_ratio", 4)
    if not is_number(ratio, False, 0.1, 64):
        raise RangeError(f"{numbers.source}: mlp_ratio wants a number from 0.1 to 64, got {str(ratio)[:40]}")
    hidden = int(given["width"] * ratio)
    registers = numbers("num_register_tokens", "registers", 4) if "registers" in str(config["model_type"]) else 0
    return Tower(
        **given,
        hidden=(int(hidden * 2 / 3) + 7) // 8 * 8 if gated else hidden,
        classes=0,
        registers=registers,
        activation="swiglu" if gated else numbers.activation("gelu"),
        eps=numbers.eps(1e-6),
        layer_scale=1.0,
    )


def _vit(numbers: _Numbers) -> Tower:
    return Tower(
        **numbers.whole({"patch": 16, "width": 768, "side": 224}),
        hidden=numbers("intermediate_size", "hidden", 3072),
        activation=numbers.activation("gelu"),
        eps=numbers.eps(1e-12),
    )


_KINDS: Mapping[str, Callable[[_Numbers], Tower]] = {
    "clip": _clip,
    "clip_vision_model": _clip,
    "siglip": _siglip,
    "siglip_vision_model": _siglip,
    "dinov2": _dinov2,
    "dinov2_with_registers": _dinov2,
    "vit": _vit,
}


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of classes, where each number has one."""
    labels = config.get("id2label")
    if not isinstance(labels, Mapping):
        return ()
    found = [labels.get(str(number), labels.get(number)) for number in range(len(labels))]
    return tuple(found) if all(isinstance(one, str) for one in found) else ()


def _timm(config: Mapping[str, Any], source: str) -> Described:
    options = config.get("model_args") or {}
    if not isinstance(options, Mapping):
        raise RangeError(f"{source}: model_args wants an object, got {type(options).__name__}")
    for key, value in options.items():
        if key not in FOLLOWED or not is_number(value, True, 1, MOST[FOLLOWED[key]]):
            raise RangeError(f"{source}: model_args cannot be followed: {str(key)[:40]} = {str(value)[:40]}")
    given = config.get("num_classes")
    if given is not None and not is_number(given, True, 0, 10_000_000):
        raise RangeError(f"{source}: num_classes wants a whole number, got {str(given)[:40]}")
    labels = config.get("label_names")
    named = isinstance(labels, list) and all(isinstance(one, str) for one in labels)
    return Described(
        architecture=config["architecture"],
        options=dict(options),
        num_classes=given,
        classes=tuple(labels) if isinstance(labels, list) and named else (),
    )


def _open_clip(config: Mapping[str, Any], source: str) -> Described:
    vision = config.get("vision_cfg")
    if not isinstance(vision, Mapping):
        raise RangeError(f"{source}: model_cfg has no vision_cfg")
    if isinstance(vision.get("timm_model_name"), str):
        return Described(architecture=vision["timm_model_name"], num_classes=0)
    numbers = _Numbers(vision, source)
    width = numbers("width", "width")
    head = numbers("head_width", "width", 64)
    ratio = vision.get("mlp_ratio", 4.0)
    if not is_number(ratio, False, 0.1, 64):
        raise RangeError(f"{source}: mlp_ratio wants a number from 0.1 to 64, got {str(ratio)[:40]}")
    tower = Tower(
        patch=numbers("patch_size", "patch"),
        width=width,
        depth=numbers("layers", "depth"),
        heads=max(width // head, 1),
        side=numbers("image_size", "side", 224),
        hidden=int(width * ratio),
        classes=0,
        patch_bias=False,
        norm_first=True,
        activation="quick_gelu" if config.get("quick_gelu") else "gelu",
        eps=1e-5,
    )
    projection = config.get("embed_dim")
    return Described(tower=tower, projection=projection if is_number(projection, True, 1, MOST["width"]) else None)
