"""`photosite why` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from tests.report.reader import Reader


def test_json_down_to_the_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["why", "photosite_resnet12", "layer1.0.conv1", "0,3,10,12", "--depth", "9", "--json", "--terms", "3"])
        == 0
    )
    steps = json.loads(capsys.readouterr().out)["steps"]
    first = steps[0]
    assert (first["node"], first["op"], first["index"]) == ("conv2d_1", "aten.conv2d.default", [0, 3, 10, 12])
    assert first["is_sum"]
    assert len(first["terms"]) == 3 < first["terms_in_all"]
    assert abs(first["residual"]) < 1e-5
    largest = first["terms"][0]
    assert largest["product"] == pytest.approx(largest["value"] * largest["factor"])
    assert (steps[1]["node"], steps[1]["index"]) == (largest["source"], largest["index"])
    assert steps[1]["value"] == largest["value"]
    assert steps[-1]["terms"][0]["source"] not in {step["node"] for step in steps}  # the input itself


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "photosite_resnet12", "fc", "0,3"]) == 0
    text = capsys.readouterr().out
    assert "more, which add" in text
    assert "sum of all 161" in text


def test_a_page_leads_down_to_the_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)).save(path)
    words = ["photosite_resnet12", "layer1.0.conv2", "0,3,10,20", "--image", str(path), "--out", str(tmp_path / "out")]
    assert main(["why", *words]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[-1] == f"report: {tmp_path / 'out' / 'why.html'}"
    assert text.count(" = ") == 1  # the terminal keeps to the number that was asked for
    data = json.loads((tmp_path / "out" / "why.json").read_text())
    assert data["end"] == "picture"
    assert data["name"] == "layer1.0.conv2"
    assert data["photo"] == [90, 160]
    last = data["steps"][-1]
    assert {term["source"] for term in last["terms"]} & {"x"}
    for term in last["terms"]:
        if term["source"] == "x":
            y, x = term["index"][2:]
            assert term["box"] == [y, x, y + 1, x + 1]
    reader = Reader((tmp_path / "out" / "why.html").read_text())
    reader.assert_fetches_nothing()
    stations = [a["id"] for tag, a in reader.tags if tag == "section"]
    assert stations == [f"step-{number + 1}" for number in range(len(data["steps"]))]


def test_as_deep_as_it_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["photosite_resnet12", "layer1.0.conv1", "0,3,10,12", "--depth", "3", "--out", str(tmp_path)]
    assert main(["why", *words]) == 0
    assert capsys.readouterr().out.count(" = ") == 3
    data = json.loads((tmp_path / "why.json").read_text())
    assert len(data["steps"]) == 3
    assert data["end"] == "further"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fc", "0,x"], "INDEX wants whole numbers"),
        (["fc", "0,99"], "none at (0, 99)"),
        (["nowhere", "0"], "nowhere"),
        (["fc", "0,1", "--terms", "0"], "at least 1"),
        (["fc", "0,1", "--depth", "0"], "at least 1"),
        (["layer9", "0,1"], "did you mean"),
        (["fc", "0,1", "--image", "nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "photosite_resnet12", *words]) == 2
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
