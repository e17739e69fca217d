"""A run on disk: what it leaves behind, and that it can be stopped anywhere."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from photosite.errors import CorruptWeightsError, DatasetError
from photosite.nets import create_model
from photosite.nets.checkpoints.weights import read_weights
from photosite.train.config import TrainConfig
from photosite.train.curve import curve_svg
from photosite.train.run import train

CONFIG = TrainConfig(epochs=2, batch_size=8, precision="float32")


class _StoppedError(Exception):
    """Stands for a kill."""


def _pictures(folder: Path, count: int = 10) -> Path:
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            low, high = (0, 120) if label == "dark" else (130, 256)
            picture = rng.integers(low, high, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(picture).save(folder / label / f"{number}.png")
    return folder


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data = _pictures(tmp_path / "data")
    whole = train("cifar_resnet20", data, tmp_path / "whole", CONFIG, test=data)

    def stop(_: object) -> None:
        raise _StoppedError

    with pytest.raises(_StoppedError):
        train("cifar_resnet20", data, tmp_path / "parts", CONFIG, test=data, on_epoch=stop)
    said: list[str] = []
    parts = train("cifar_resnet20", data, tmp_path / "parts", CONFIG, test=data, say=said.append)
    assert "going on after epoch 1 of 2" in said
    first, second = read_weights(whole).tensors, read_weights(parts).tensors
    for key, value in first.items():
        assert_close(second[key], value, rtol=0, atol=0)
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2]


def test_the_weights_carry_what_is_needed_to_use_them(tmp_path: Path) -> None:
    data = _pictures(tmp_path / "data")
    path = train(
        "cifar_resnet20", data, tmp_path / "run", CONFIG, test=data, store="float16", command="photosite train …"
    )
    facts = json.loads(read_weights(path).metadata["photosite"])
    assert facts["classes"] == ["dark", "light"]
    assert facts["command"] == "photosite train …"
    model = create_model("cifar_resnet20", path, num_classes=2)
    assert model.classes == ("dark", "light")
    assert model.recipe.name == "cifar10-imagenet-norm"
    assert all(p.dtype == torch.float32 for p in model.parameters())
    # the accuracy is that of the stored, rounded numbers
    from photosite.train.dataset import read_dataset
    from photosite.train.loop import accuracy

    assert accuracy(model, read_dataset(data, model.recipe), model.recipe) == facts["test_accuracy"]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint.pt",
        "cifar_resnet20.md",
        "cifar_resnet20.safetensors",
        "curve.svg",
        "metrics.jsonl",
    ]


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    data = _pictures(tmp_path / "data")
    train("cifar_resnet20", data, tmp_path / "run", CONFIG)
    other = _pictures(tmp_path / "other", count=12)
    with pytest.raises(DatasetError, match="choose another --out"):
        train("cifar_resnet20", other, tmp_path / "run", CONFIG)
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CorruptWeightsError, match="move it away to start anew"):
        train("cifar_resnet20", data, tmp_path / "run", CONFIG)


def test_test_pictures_need_the_same_classes(tmp_path: Path) -> None:
    data = _pictures(tmp_path / "data")
    other = _pictures(tmp_path / "other")
    (other / "dark").rename(other / "darker")
    with pytest.raises(DatasetError, match="its classes are"):
        train("cifar_resnet20", data, tmp_path / "run", CONFIG, test=other)


def test_the_curve_is_a_picture_with_every_epoch() -> None:
    history = [
        {"epoch": number, "loss": 2.0 / number, "accuracy": 0.1 * number, "test_accuracy": None if number == 1 else 0.3}
        for number in (1, 2, 3)
    ]
    lines = ET.fromstring(curve_svg(history)).findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [3, 3, 2]
