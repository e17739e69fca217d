"""The record of a pixel, and its JSON: one schema for every photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photosite.errors import RangeError
from photosite.prep.load import load_with_info
from photosite.prep.recipes import get_recipe
from photosite.sensor import METHODS
from photosite.trace import light_pictures
from photosite.trace.light_losses import subsampling
from photosite.trace.pixel import UNITS, pixel_json
from photosite.trace.record_pixel import PHOTO_UNITS, PixelTrace, dumps, record_pixel, to_json

CIFAR10 = get_recipe("cifar10")
THREE = [float, float, float]
LEVELS = [int, int, int]
SCHEMA: dict[str, Any] = {
    "picture": {"path": str, "size_hw": [int, int], "sha256": str},
    "at": {"x": int, "y": int},
    "rgb": LEVELS,
    **dict.fromkeys(("linear", "hsv", "ycbcr", "lab"), THREE),
    "bayer": {
        **dict.fromkeys(("pattern", "color"), str),
        "not_measured": [str, str],
        "raw_counts": int,
        **dict.fromkeys(("photons", "electrons"), float),
        "camera_rgb": dict.fromkeys(("photo", *METHODS), THREE),
        "developed_rgb": dict.fromkeys(("photo", *METHODS), LEVELS),
        "white_balance_gains": THREE,
        "sensor": {
            **dict.fromkeys(("black_level_counts", "white_level_counts", "bit_depth"), int),
            **dict.fromkeys(("gain_electrons_per_count", "full_well_electrons"), float),
            "pattern": str,
        },
    },
    "normalized": {
        "channels": str,
        "of_this_pixel_alone": THREE,
        "input_size_hw": [int, int],
        "input_pixel": {"row": int, "column": int},
        "input_values": THREE,
        "read_from": dict.fromkeys(("top", "left", "bottom", "right"), int),
    },
    "photo": {
        "sampled": {**dict.fromkeys(("top", "left", "bottom", "right"), int), "whole": bool},
        "demosaicing": {"unit": str, **{m: {"mean": float, "max": float} for m in METHODS}},
        "subsampling": {"unit": str, **{m: {"mean": float, "max": float} for m in ("4:4:4", "4:2:2", "4:2:0")}},
        "input": {"channels": str, "mean": THREE, "std": THREE},
    },
    "recipe": {"name": str},
    "units": dict.fromkeys(("at", "rgb", "linear", "hsv", "ycbcr", "lab", "bayer", "normalized", "photo"), str),
    "version": str,
}


def follows(value: Any, schema: Any, where: str = "") -> None:
    """Hold a JSON value to a schema of types, down to its leaves."""
    if isinstance(schema, dict):
        for key, inner in schema.items():
            assert key in value, f"{where}.{key}"
            follows(value[key], inner, f"{where}.{key}")
    elif isinstance(schema, list):
        assert len(value) == len(schema), where
        for one, inner in zip(value, schema, strict=True):
            follows(one, inner, where)
    else:
        assert type(value) is schema, (where, value)


def recorded(photo: np.ndarray, at_xy: tuple[int, int] | None = None) -> PixelTrace:
    picture, info = load_with_info(photo)
    return record_pixel(picture, info, at_xy, CIFAR10)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_schema() -> None:
    found = json.loads(dumps(to_json(recorded(noise(50, 60)), Path("here"))))
    follows(found, SCHEMA)
    assert found["out"] == "here"
    assert found["notes"] == []
    assert found["photo"]["sampled"] == {"top": 0, "left": 0, "bottom": 50, "right": 60, "whole": True}


def test_its_parts_are_those_of_the_library() -> None:
    photo = noise(50, 60)
    trace = recorded(photo)
    found = to_json(trace, None)
    assert found["at"] == {"x": 30, "y": 25}  # the center
    of_the_pixel = pixel_json(trace.pixel)
    assert {key: found[key] for key in of_the_pixel if key != "units"} | {"units": UNITS} == of_the_pixel
    assert found["units"] == {**UNITS, "photo": PHOTO_UNITS}
    assert trace.pictures.demosaicing is not None
    for key, losses in (("demosaicing", trace.pictures.demosaicing.losses), ("subsampling", subsampling(photo).losses)):
        for loss in losses:
            assert found["photo"][key][loss.name]["mean"] == loss.mean
            assert found["photo"][key][loss.name]["max"] == loss.highest
    assert found["photo"]["input"]["mean"] == list(trace.pictures.input_means)
    assert found["recipe"] == CIFAR10.to_dict()


def test_what_is_not_known_is_null() -> None:
    found = json.loads(dumps(to_json(recorded(noise(1, 100), (0, 0)), None)))
    assert found["photo"]["demosaicing"] is None
    assert found["out"] is None
    normalized = found["normalized"]
    assert normalized["input_pixel"] is normalized["input_values"] is normalized["read_from"] is None
    assert list(found["bayer"]["camera_rgb"]) == ["photo"]
    assert len(found["notes"]) == 2


def test_a_large_photo_says_what_was_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_pictures, "SAMPLE_PIXELS", 1200)
    photo = noise(150, 160)
    found = to_json(recorded(photo), None)
    assert found["photo"]["sampled"] == {"top": 58, "left": 62, "bottom": 91, "right": 97, "whole": False}
    only = subsampling(photo[58:91, 62:97]).losses
    assert [found["photo"]["subsampling"][loss.name]["mean"] for loss in only] == [loss.mean for loss in only]


def test_a_pixel_outside_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(RangeError, match="wants X from 0 to 59 and Y from 0 to 49"):
        recorded(noise(50, 60), (60, 0))
