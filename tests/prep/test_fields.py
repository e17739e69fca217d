"""What the fields of a recipe may hold: refusals in one line that names the field, and plain types of what came."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from photosite.errors import RangeError, UnknownNameError
from photosite.prep.fields import MAX_SIZE, NAMES, checked_fields
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import RECIPES

IMAGENET = RECIPES["imagenet"]


def test_numbers_become_plain_by_hand() -> None:
    values = vars(IMAGENET) | {"size_hw": [np.int64(8), 8], "crop_hw": None, "mean": np.zeros(3, np.float32)}
    plain = checked_fields(values)
    assert plain == {
        "size_hw": (8, 8),
        "crop_hw": None,
        "pad_color": (0, 0, 0),
        "mean": (0.0, 0.0, 0.0),
        "std": IMAGENET.std,
        "scale": 1 / 255,
    }
    assert [type(number) for number in (*plain["size_hw"], *plain["mean"])] == [int, int, float, float, float]


def test_recipes_are_frozen_and_plain() -> None:
    with pytest.raises(FrozenInstanceError):
        IMAGENET.name = "other"  # type: ignore[misc]
    recipe = replace(IMAGENET, mean=np.zeros(3, np.float32), crop_hw=[np.int64(8), 8])  # type: ignore[arg-type]
    assert recipe == replace(IMAGENET, mean=(0.0, 0.0, 0.0), crop_hw=(8, 8))
    assert json.dumps(recipe.to_dict())


@pytest.mark.parametrize("field", NAMES)
def test_every_name_of_a_field_is_taken(field: str) -> None:
    for name in NAMES[field]:
        # 'none' is the one rule without a size
        also = {"size_hw": None} if name == "none" else {}
        assert getattr(replace(IMAGENET, **{field: name}, **also), field) == name


def test_the_largest_size_is_taken() -> None:
    assert replace(IMAGENET, size_hw=(MAX_SIZE, MAX_SIZE)).size_hw == (MAX_SIZE, MAX_SIZE)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"std": (1, 0, 1)}, RangeError, r"recipe 'imagenet': std wants 3 finite numbers above 0, got \(1, 0, 1\)"),
        ({"std": (1, -1, 1)}, RangeError, "std wants 3 finite numbers above 0"),
        ({"std": (1, 1)}, RangeError, "std wants 3"),
        ({"std": 0.5}, RangeError, "std wants 3 finite numbers above 0, got 0.5"),
        ({"mean": (0, float("nan"), 0)}, RangeError, "mean wants 3 finite numbers"),
        ({"mean": (0, float("inf"), 0)}, RangeError, "mean wants 3 finite numbers"),
        ({"mean": "abc"}, RangeError, "mean wants 3 finite numbers, got 'abc'"),
        ({"mean": (True, 0, 0)}, RangeError, "mean wants 3 finite numbers"),
        ({"mean": (1e9, 0, 0)}, RangeError, "keep the 256 levels apart in float32"),
        ({"std": (1e-30, 1, 1), "mean": (-1e30, 0, 0)}, RangeError, "keep the 256 levels apart in float32"),
        ({"scale": 0}, RangeError, "scale wants a finite number above 0, got 0"),
        ({"scale": float("nan")}, RangeError, "scale wants a finite number above 0, got nan"),
        ({"scale": "1"}, RangeError, "scale wants a finite number above 0, got '1'"),
        ({"size_hw": (-1, -1)}, RangeError, r"size_hw wants \(height, width\), whole numbers from 1 to 16384"),
        ({"size_hw": (16385, 16385)}, RangeError, "whole numbers from 1 to 16384"),
        ({"size_hw": (256.0, 256.0)}, RangeError, "size_hw wants"),
        ({"size_hw": 256}, RangeError, "size_hw wants"),
        ({"size_hw": (256, 255)}, RangeError, "size_hw wants two equal sides with resize='shortest'"),
        ({"size_hw": None}, RangeError, "size_hw wants None with resize='none' and a size with any other rule"),
        ({"resize": "none"}, RangeError, "size_hw wants None with resize='none'"),
        ({"crop_hw": (0, 5)}, RangeError, r"crop_hw wants .*, got \(0, 5\)"),
        ({"pad_color": (0, 0, 256)}, RangeError, r"pad_color wants \(R, G, B\), whole numbers from 0 to 255"),
        ({"pad_color": None}, RangeError, "pad_color wants"),
        ({"antialias": False}, RangeError, "antialias wants True .*not supported.*, got False"),
        ({"name": 5}, RangeError, "name wants text, got 5"),
        ({"resize": "shortes"}, UnknownNameError, "no resize named 'shortes'; did you mean shortest"),
        ({"interpolation": "bilinaer"}, UnknownNameError, "no interpolation named 'bilinaer'; did you mean bilinear"),
        ({"interpolation": None}, UnknownNameError, "no interpolation named 'None'"),
        ({"crop_rounding": "ceil"}, UnknownNameError, "no crop rounding named 'ceil'; known: floor, round"),
        ({"pad_first": "large"}, UnknownNameError, "no pad first named 'large'; did you mean larger"),
        ({"channel_order": "RBG"}, UnknownNameError, "no channel order named 'RBG'; did you mean"),
        ({"layout": "CHW"}, UnknownNameError, "no layout named 'CHW'; did you mean BCHW"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_recipes_that_cannot_be_meant_are_refused(change: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        replace(IMAGENET, **change)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=words):
        Recipe.from_dict(IMAGENET.to_dict() | change)
