"""`photosite train`: a tiny run from the command line, and what it says about bad data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main


def test_a_run_leaves_its_files_and_prints_the_weights(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            picture = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / label / f"{number}.png")
    words = ["train", "cifar_resnet20", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--epochs", "1"]
    assert main([*words, "--batch-size", "8", "--test", str(tmp_path / "data")]) == 0
    printed = capfd.readouterr()
    assert printed.out.strip() == str(tmp_path / "run" / "cifar_resnet20.safetensors")
    assert "epoch   1" in printed.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "cifar_resnet20.md",
        "cifar_resnet20.safetensors",
        "checkpoint.pt",
        "curve.svg",
        "metrics.jsonl",
    }


def test_bad_data_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "cifar_resnet20", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "at least two class folders" in capfd.readouterr().err
