"""`photosite inspect` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from photosite.cli import main
from tests.cli.program import run
from tests.report.reader import Reader


def test_json_of_every_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "resnet18", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    modules = {module["path"]: module for module in found["modules"]}
    assert found["parameters"] == modules[""]["parameters"] == 11_689_512
    assert found["macs"] == modules[""]["macs"] == 1_814_073_344
    first, last = modules["conv1"], modules["layer4.1"]
    assert (first["type"], first["output_shape"], first["parameters"]) == ("Conv2d", [1, 64, 112, 112], 9408)
    assert (first["receptive_field"], first["jump"], first["global_by"]) == ([7, 7], [2, 2], [])
    assert (last["receptive_field"], last["jump"], last["output_shape"]) == ([435, 435], [32, 32], [1, 512, 7, 7])
    assert modules["fc"]["jump"] is None
    assert len(modules["fc"]["global_by"]) == 1
    assert found["unknown_ops"] == found["unknown_fields"] == {}


def test_one_module_another_size_and_fractions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tests.cli.test_inspect:upsampling", "--input", "1x12x20", "--json"]) == 0
    modules = {module["path"]: module for module in json.loads(capsys.readouterr().out)["modules"]}
    assert modules["1"]["jump"] == [1, "1/2"]
    assert modules["1"]["output_shape"] == [1, 4, 12, 40]
    assert main(["inspect", "resnet18", "--module", "layer2.0", "--json"]) == 0
    paths = [module["path"] for module in json.loads(capsys.readouterr().out)["modules"]]
    assert paths[0] == "layer2.0"
    assert all(path.startswith("layer2.0") for path in paths)


def upsampling() -> object:
    """A network whose places lie half a pixel apart across, and a pixel down."""
    from torch import nn

    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Upsample(scale_factor=(1.0, 2.0)))


def test_a_table_for_people(tmp_path: Path) -> None:
    done = run("inspect", "resnet18", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    assert "layer4.1.conv2" in text
    assert "435" in text
    assert "11 689 512 parameters" in text.replace("\u202f", " ").replace("\u2009", " ").replace("\xa0", " ")


def test_a_page_of_all_modules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "resnet18", "--out", str(tmp_path / "a folder")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path / 'a folder' / 'inspect.html'}"
    reader = Reader((tmp_path / "a folder" / "inspect.html").read_text())
    reader.assert_fetches_nothing()
    for words in ("layer4.1.conv2", "BasicBlock", "512 × 7 × 7", "435", "adaptive_avg_pool2d", "sees all by"):
        assert words in reader.text
    data = json.loads((tmp_path / "a folder" / "inspect.json").read_text())
    rows = [a["id"] for tag, a in reader.tags if tag == "tr" and "id" in a]
    assert rows == [f"module-{module['path']}" for module in data["modules"]]


def test_json_goes_to_stdout_alone_even_with_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", "tests.cli.test_inspect:upsampling", "--input", "1x12x20", "--json", "--out", str(tmp_path)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "inspect.json").read_text())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["resnet18", "--input", "3x64"], "--input wants channels, height and width"),
        (["resnet18", "--input", "3x0x64"], "--input wants"),
        (["resnet18", "--module", "layer9"], "layer9"),
        (["resnet_of_nowhere"], "resnet_of_nowhere"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *words]) == 2
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
