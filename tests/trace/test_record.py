"""One picture through everything, and what is written of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from torch import nn

from photosite.errors import PictureError, ShapeError
from photosite.nets import create_model
from photosite.nets.checkpoints.weights import sha256_of_state
from photosite.nets.create import set_facts
from photosite.prep.recipes import get_recipe
from photosite.trace.record import predict, record
from photosite.trace.save import dumps, to_json, write_json, write_tokens


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture(scope="module")
def small() -> nn.Module:
    torch.manual_seed(0)
    model = create_model("cifar_resnet20")
    set_facts(model, trained=True, classes=tuple("abcdefghij"))
    return model


def test_a_trace_has_every_part(small: nn.Module, picture: np.ndarray) -> None:
    trace = record(picture, small, get_recipe("cifar10@64"), runs=0)
    assert trace.picture["size_hw"] == (90, 120)
    assert trace.tokens is not None
    assert trace.tokens.values.shape == (256, 64)
    assert len(trace.predictions) == 5
    shares = [one.probability for one in trace.predictions]
    assert shares == sorted(shares, reverse=True)
    assert trace.crop_box == pytest.approx((0, 1 / 8, 1, 7 / 8), abs=0.01)  # the middle 90 of 120 columns
    assert trace.model["weights_sha256"] == sha256_of_state(small)
    assert trace.kernels[0].caption.startswith("conv1.weight · 16 × 3 × 3 × 3 float32")


def test_json_round_trips_and_holds_what_was_promised(small: nn.Module, picture: np.ndarray, tmp_path: Path) -> None:
    trace = record(picture, small, get_recipe("cifar10@64"), runs=0)
    write_json(trace, tmp_path / "trace.json", tmp_path)
    read = json.loads((tmp_path / "trace.json").read_text())
    assert read == json.loads(dumps(to_json(trace, tmp_path)))
    assert {"path", "size_hw", "sha256"} <= read["picture"].keys()
    wanted = {"name", "op", "module", "shape", "dtype", "min", "max", "mean", "std", "parameters", "ms"}
    assert all(wanted <= step.keys() for step in read["steps"])
    assert read["tokens"]["shape"] == [256, 64]
    assert read["tokens"]["grid"] == [16, 16]
    assert read["predictions"][0].keys() == {"label", "probability"}
    assert read["out"] == str(tmp_path)


def test_tokens_on_disk_say_where_they_come_from(small: nn.Module, picture: np.ndarray, tmp_path: Path) -> None:
    trace = record(picture, small, get_recipe("cifar10@64"), runs=0, name="cifar_resnet20")
    write_tokens(trace, tmp_path / "tokens.safetensors")
    with safe_open(tmp_path / "tokens.safetensors", "np") as file:
        assert_array_equal(file.get_tensor("tokens"), trace.tokens.values)
        metadata = file.metadata()
    assert metadata["model"] == "cifar_resnet20"
    assert metadata["grid"] == "16x16"
    assert metadata["picture_sha256"] == trace.picture["sha256"]
    assert json.loads(metadata["recipe"])["name"] == "cifar10@64"
    assert len(metadata["weights_sha256"]) == 64


def test_tokens_that_are_no_numbers_are_refused(picture: np.ndarray) -> None:
    model = create_model("cifar_resnet20")
    model.layer3[2].bn2.bias.data[3] = float("nan")
    with pytest.raises(PictureError) as caught:
        record(picture, model, get_recipe("cifar10"), runs=0)
    assert caught.value.code == "nonfinite"


def test_a_model_without_a_recipe_needs_one(picture: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="give a recipe"):
        record(picture, nn.Conv2d(3, 4, 3))


def test_predictions_are_softmax_or_a_reason() -> None:
    model = nn.Identity()
    set_facts(model, classes=("a", "b", "c"), trained=True)
    found, notes = predict(model, np.array([0.0, np.log(3.0), 0.0], np.float32))
    assert [one.label for one in found] == ["b", "a", "c"]
    assert found[0].probability == pytest.approx(0.6)
    assert notes == ()
    assert predict(model, np.array([1e5, 0.0, 0.0], np.float32))[0][0].probability == 1.0  # no overflow
    assert predict(model, np.zeros(4, np.float32))[0] == ()
    assert predict(model, None)[0] == ()
    assert "not finite" in predict(model, np.array([np.nan, 0, 0], np.float32))[1][0]
    set_facts(model, trained=False)
    assert "random" in predict(model, np.zeros(3, np.float32))[1][0]
    set_facts(model, trained=True, classes=None, num_classes=3)
    found, notes = predict(model, np.zeros(3, np.float32))
    assert found[0].label == "class 0"
    assert "numbered" in notes[0]


@pytest.mark.slow
def test_all_real_photos_pass(photos: list[Path], small: nn.Module) -> None:
    for photo in photos:
        trace = record(photo, small, get_recipe("cifar10@64"), runs=0)
        assert trace.tokens is not None
        assert trace.tokens.grid == (16, 16)
        dumps(to_json(trace, None))
