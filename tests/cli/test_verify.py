"""`photosite verify` and `photosite export-numpy` as a person runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from photosite.graph.table import TABLE
from tests.cli.program import run


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "ramp.png"
    ramp = np.linspace(0, 255, 120 * 90).reshape(90, 120).astype(np.uint8)
    Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], -1)).save(path)
    return path


def test_json(photo: Path) -> None:
    words = ("photosite_resnet12", "--json", "--backward", "--image", photo.name, "--batch", "2")
    done = run("verify", *words, cwd=photo.parent)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert {"nodes", "max_difference", "worst", "first_failure", "unknown_ops"} <= set(found)
    assert found["nodes"] == len(found["checks"]["values"]) > 30
    assert {"node", "op", "difference"} <= set(found["worst"])
    assert found["worst"]["difference"] == found["max_difference"] > 0
    assert found["first_failure"] is None
    assert found["unknown_ops"] == {}
    assert {check["state"] for check in found["checks"]["gradients"]} <= {"same", "drift"}
    assert found["checks"]["values"][0]["shape"][0] == 2


def test_a_table_for_people(tmp_path: Path) -> None:
    words = ("verify", "torchvision:squeezenet1_0", "--size", "64")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    for word in ("conv2d", "max_pool2d", "relu"):
        assert word in text
    assert len(run(*words, "--all", cwd=tmp_path).stdout) > len(done.stdout)


def test_a_broken_row_ends_with_1_and_names_the_node(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = TABLE["aten.adaptive_avg_pool2d.default"]
    broken = type(row)(lambda x, size: row.value(x, size) * 1.1, row.vjp, row.macs)
    monkeypatch.setitem(TABLE, "aten.adaptive_avg_pool2d.default", broken)
    assert main(["verify", "photosite_resnet12", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["first_failure"]["op"] == "aten.adaptive_avg_pool2d.default"
    monkeypatch.delitem(TABLE, "aten.adaptive_avg_pool2d.default")
    assert main(["verify", "photosite_resnet12", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["unknown_ops"] == {"aten.adaptive_avg_pool2d.default": 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verify", "resnet_of_nowhere"], "resnet_of_nowhere"),
        (["verify", "photosite_resnet12", "--batch", "0"], "--batch wants at least 1, got 0"),
        (["verify", "photosite_resnet12", "--image", "nowhere.jpg"], "nowhere.jpg"),
        (["export-numpy", "resnet_of_nowhere", "out"], "resnet_of_nowhere"),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert says in err[-1]
    assert not list(tmp_path.iterdir())


def test_the_exported_script_says_how_near_it_is(photo: Path, tmp_path: Path) -> None:
    done = run("export-numpy", "photosite_resnet12", "twin", "--image", str(photo), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["max_difference"] < 1e-4
    said = subprocess.check_output([sys.executable, "model.py"], cwd=tmp_path / "twin", text=True)
    assert "largest difference to PyTorch" in said
    assert float(said.split()[-1]) < 1e-4
