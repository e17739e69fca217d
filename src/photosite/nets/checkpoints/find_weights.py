"""Weights by the name that a user gives them: a file, a folder, a repository of the hub, an entry of torchvision.

Nothing is guessed: what looks like a repository without `hf-hub:` in front is a file that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from photosite.errors import CorruptWeightsError, PhotositeError, UnknownNameError, WeightsError
from photosite.nets.checkpoints.configs import read_json
from photosite.nets.checkpoints.fetch import cached_hub, fetch_hub, fetch_url, parse_hub
from photosite.nets.checkpoints.published import Published, default_weights, owners, published_weights
from photosite.nets.checkpoints.weights import Weights, read_weights
from photosite.prep.published import recipe_from_huggingface, recipe_from_timm
from photosite.prep.recipe import Recipe

FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")
"""What a repository or folder may call its weights, the safest first."""
CONFIGS = ("config.json", "open_clip_config.json")
RECIPES = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True, eq=False)
class FoundWeights:
    """Weights, and what is known of them.

    Attributes:
        weights: the tensors, as they stand in the file.
        source: where they came from, in words.
        recipe: how pictures become inputs, as their publisher says; None where nothing says so.
        config: what lies beside them as config.json; empty where there is none.
        license: as the publisher states it; None where that is not known.
        origin: who made them, or how; None where that is not known.
        revision: the commit of the repository; None of others.
        notes: what a person should know.
    """

    weights: Weights
    source: str
    recipe: Recipe | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    license: str | None = None
    origin: str | None = None
    revision: str | None = None
    notes: tuple[str, ...] = ()


def find_weights(
    wanted: str | Path, *, model: str = "", shipped: Path | None = None, cache_dir: Path | None = None
) -> FoundWeights:
    """Find weights, from the network only where no cache has them.

    Args:
        wanted: a file; "default" for those in the package, else the network's first published ones; an entry of
            torchvision such as `ResNet50_Weights.IMAGENET1K_V2`, or its last part alone; hf-hub:org/name[@revision];
            local-dir:FOLDER, which holds what such a repository holds.
        model: the network that they are for, as the registry spells it; "" where they say it themselves.
        shipped: the file in the package, where there is one.
        cache_dir: where downloads go; by default the caches of torch hub and Hugging Face.
    Raises:
        WeightsError: there are none, or they cannot be fetched: the reason in one line.
        CorruptWeightsError: they, or what lies beside them, are damaged or not what was wanted.
        UnknownNameError: no such entry, or one of another network.
    """
    if isinstance(wanted, Path):
        read = read_weights(wanted)
        return FoundWeights(read, str(read.path))
    place, _, rest = wanted.partition(":")
    if place == "hf-hub":
        return _from_hub(rest, model, cache_dir)
    if place == "local-dir":
        return _from_folder(Path(rest))
    if wanted.lower() == "default":
        if shipped is not None:
            return FoundWeights(read_weights(shipped), "shipped with photosite")
        first = default_weights(model)
        if first is None:
            raise WeightsError(f"create_model: no weights are known for {model}; give weights=FILE")
        return find_weights(first.name, model=model, cache_dir=cache_dir)
    entry = _entry(rest if place == "torchvision" else wanted, model)
    if entry is not None:
        return _from_url(entry, cache_dir)
    path = Path(wanted)
    if not path.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", wanted):
        raise WeightsError(
            f"create_model: there is no file {wanted}; for the repository of this name write hf-hub:{wanted}"
        )
    read = read_weights(path)
    return FoundWeights(read, str(read.path))


def _entry(wanted: str, model: str) -> Published | None:
    """The entry of torchvision that was named; None where no entry is meant."""
    known = {entry.name: entry for entry in published_weights(model) if entry.url}
    by_last_part = {name.rpartition(".")[2]: entry for name, entry in known.items()}
    if wanted in known or wanted in by_last_part:
        return known.get(wanted) or by_last_part[wanted]
    if re.fullmatch(r"\w+_Weights\.DEFAULT", wanted):
        entry = default_weights(model)
        if entry is not None and entry.name.startswith(wanted.removesuffix("DEFAULT")):
            return entry
    if re.fullmatch(r"\w+_Weights\.\w+", wanted):
        others = owners(wanted)
        if others:
            raise WeightsError(f"create_model: {wanted} are weights of {' and '.join(others)}, not of {model}")
        raise UnknownNameError("entry of weights", wanted, known)
    return None


def _from_url(entry: Published, cache_dir: Path | None) -> FoundWeights:
    assert entry.url is not None
    path = fetch_url(entry.url, entry.sha256_prefix, cache_dir=cache_dir)
    return FoundWeights(
        read_weights(path),
        f"torchvision's {entry.name}",
        recipe=entry.recipe,
        license=entry.license,
        origin=entry.origin,
    )


def _from_hub(text: str, model: str, cache_dir: Path | None) -> FoundWeights:
    repo, revision = parse_hub(text)
    ways = (cached_hub, fetch_hub)  # whatever is there counts before the network is asked
    tries = (get(repo, name, revision, cache_dir=cache_dir) for get in ways for name in FILES)
    file = next((found for found in tries if found is not None), None)
    if file is None:
        raise WeightsError(f"hf-hub:{repo}: it has none of {', '.join(FILES)}")

    missed: dict[str, None] = {}

    def beside(name: str) -> Path | None:
        try:  # of the same commit
            other = fetch_hub(repo, name, file.commit or revision, cache_dir=cache_dir)
        except WeightsError as error:  # offline, or the network went away: the weights are there
            missed.setdefault(str(error))
            return None
        return None if other is None else other.path

    read = read_weights(file.path, sha256=file.sha256)
    entry = next((one for one in published_weights(model) if one.name == f"hf-hub:{repo}"), None)
    whole = _with_neighbors(FoundWeights(read, f"hf-hub:{repo}"), beside)
    return replace(
        whole,
        notes=(*whole.notes, *missed),
        revision=file.commit,
        recipe=whole.recipe or (entry.recipe if entry else None),
        license=entry.license if entry else None,
        origin=(entry.origin if entry else None) or f"https://huggingface.co/{repo}",
    )


def _from_folder(folder: Path) -> FoundWeights:
    if not folder.is_dir():
        raise WeightsError(f"local-dir:{folder}: there is no such folder")
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        only = sorted(folder.glob("*.safetensors"))
        if len(only) != 1:
            raise WeightsError(f"local-dir:{folder}: wants one of {', '.join(FILES)}, or one other safetensors file")
        path = only[0]

    def get(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return _with_neighbors(FoundWeights(read_weights(path), f"local-dir:{folder}"), get)


def _with_neighbors(found: FoundWeights, get: Callable[[str], Path | None]) -> FoundWeights:
    """Add what the files beside the weights say; a recipe that cannot be followed becomes a note."""
    config: dict[str, Any] = {}
    for name in CONFIGS:
        path = get(name)
        if path is not None:
            config = read_json(path, f"{found.source}: {name}")
            break
    notes: list[str] = []
    recipe: Recipe | None = None
    try:
        if isinstance(config.get("pretrained_cfg"), Mapping):
            recipe = recipe_from_timm(config)
        elif isinstance(config.get("preprocess_cfg"), Mapping):
            recipe = recipe_from_timm(_as_timm(config))
        else:
            named = [path for name in RECIPES if (path := get(name)) is not None]
            recipe = recipe_from_huggingface(named[-1].parent) if named else None
    except PhotositeError as error:
        notes.append(f"recipe: not known, {error}")
    return replace(found, config=config, recipe=recipe, notes=tuple(notes))


def _as_timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """What open_clip says of its pictures, in timm's words."""
    vision = config.get("model_cfg", {}).get("vision_cfg", {}) if isinstance(config.get("model_cfg"), Mapping) else {}
    given = config["preprocess_cfg"]
    side = given.get("size", vision.get("image_size", 224))
    sides = tuple(side) if isinstance(side, list) else (side, side)
    modes = {"shortest": "center", "squash": "squash", "longest": "border"}
    mode = given.get("resize_mode", "shortest")
    if mode not in modes:
        raise CorruptWeightsError(f"open_clip_config.json: resize_mode {mode!r} is not known")
    named = {key: given[key] for key in ("mean", "std", "interpolation") if key in given}
    return {"input_size": (3, *sides), "crop_pct": 1.0, "crop_mode": modes[mode], **named}
