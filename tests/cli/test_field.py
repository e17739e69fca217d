"""`photosite field` as a person runs it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.analysis.receptive_field import ReceptiveFields
from photosite.cli import main
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.nets import create_model
from photosite.prep.recipes import get_recipe
from tests.peers import import_torchvision
from tests.report.reader import Reader


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A wide photo, so that something is cropped away."""
    path = tmp_path / "wide <b>.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)).save(path)
    return path


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["field", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_numbers_are_those_of_the_field_and_of_the_recipe(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["resnet18", "layer2", "--weights", "random", "--image", str(photo), "--unit", "0,5", "--pixel", "45,80"]
    found = asked(capsys, *words)
    graph = functional(capture(create_model("resnet18").eval(), torch.zeros(1, 3, 224, 224)))
    one = ReceptiveFields(graph)["layer2"]
    assert (found["node"], found["grid"], found["unit"]) == (one.node, [28, 28], [0, 5])
    assert found["receptive_field"] == [99, 99]
    assert found["jump"] == [8, 8]
    assert found["rows"] == [list(run) for run in one.pixels("y", 0) or ()]
    assert found["padding_share"] == one.padding_share((0, 5))
    geometry = get_recipe("imagenet").geometry((90, 160))
    box = one.unit_box((0, 5))
    assert box is not None
    assert [Fraction(edge) for edge in found["photo_box"]] == list(geometry.clipped_box(*box))
    y, x = geometry.input_point(45.5, 80.5)
    assert found["pixel"]["input_pixel"] == [int(y), int(x)]
    assert found["pixel"]["rows"] == [list(run) for run in one.places_seeing("y", int(y)) or ()]
    assert found["effective"] == []


def test_a_pixel_that_was_cropped_away_is_seen_by_nobody(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "resnet18", "layer1", "--weights", "random", "--image", str(photo), "--pixel", "45,2")
    assert found["pixel"] == {"pixel": [45, 2], "input_pixel": None, "rows": None, "columns": None}


def test_what_it_looks_at(capsys: pytest.CaptureFixture[str], photo: Path) -> None:
    words = ["tests.cli.test_field:small", "0", "--recipe", "imagenet@64", "--image", str(photo), "--effective"]
    found = asked(capsys, *words, "--pictures", "2")
    noise, own = found["effective"]
    assert (noise["over"], own["over"]) == ("2 pictures of noise", "this photo")
    for one in (noise, own):
        assert 1 <= one["widths"]["95%"][0] <= 5
        assert one["center"][0] == pytest.approx(33, abs=1.5)


def small() -> nn.Module:
    """A convolution of 5, every second pixel."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


def test_a_page_and_a_table(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["resnet18", "layer2", "--weights", "random", "--image", str(photo), "--pixel", "9,80", "--out"]
    assert main(["field", *words, str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "99 × 99 pixels of the input" in text
    assert text.splitlines()[-1] == f"report: {tmp_path / 'out' / 'field.html'}"
    reader = Reader((tmp_path / "out" / "field.html").read_text())
    reader.assert_fetches_nothing()
    assert "99 × 99 pixels of the input" in reader.text
    assert json.loads((tmp_path / "out" / "field.json").read_text())["receptive_field"] == [99, 99]
    frames = [a for tag, a in reader.tags if tag == "rect" and a.get("class") == "reach"]
    assert len(frames) == 1


def test_without_a_photo_and_without_places(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = asked(capsys, "resnet18", "fc", "--weights", "random", "--out", str(tmp_path))
    assert found["grid"] is found["unit"] is found["box"] is found["photo"] is None
    assert len(found["global_by"]) == 1
    Reader((tmp_path / "field.html").read_text()).assert_fetches_nothing()


def test_a_module_is_named_as_it_was_asked_for_and_a_node_as_well(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["tests.cli.test_field:nested", "--size", "32"]
    module, node = asked(capsys, words[0], "inner", *words[1:]), asked(capsys, words[0], "relu", *words[1:])
    assert (module["name"], module["module"], module["node"]) == ("inner", "inner.1", "relu")
    assert {**module, "name": "relu"} == node
    assert main(["field", words[0], "inner", *words[1:], "--out", str(tmp_path)]) == 0
    assert "How far one unit" in Reader((tmp_path / "field.html").read_text()).text


def nested() -> nn.Module:
    """A container whose path no operation has."""
    model = nn.Sequential()
    model.add_module("inner", nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU()))
    return model


def test_a_box_in_the_photo_by_hand(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tests.cli.test_field:nested", "inner", "--recipe", "imagenet@56", "--image", str(photo), "--unit", "0,9"]
    found = asked(capsys, *words)
    # 90 × 160 becomes 64 × 113, of which 56 × 56 begin at 4, 28. The unit sees rows 0 … 1 (one of padding) and
    # columns 8 … 10 of that: 90 / 64 times 4 … 6, 160 / 113 times 36 … 39.
    assert found["box"] == [0, 8, 2, 11]
    assert found["padding_share"] == pytest.approx(1 / 3)
    assert [Fraction(edge) for edge in found["photo_box"]] == [
        Fraction(90 * 4, 64),
        Fraction(160 * 36, 113),
        Fraction(90 * 6, 64),
        Fraction(160 * 39, 113),
    ]
    assert main(["field", *words]) == 0
    assert "y 5.625 … 8.438, x 50.97 … 55.22" in capsys.readouterr().out


def test_without_a_recipe_a_photo_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_torchvision()
    words = ["torchvision:raft_small", "corr_block", "--weights", "random", "--image", str(photo)]
    assert main(["field", *words]) == 2
    assert "give --recipe" in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_pixel_beyond_the_photo_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tests.cli.test_field:nested", "inner", "--recipe", "imagenet@56", "--image", str(photo)]
    assert main(["field", *words, "--pixel", "90,0"]) == 2
    assert "the photo has 90 × 160 pixels, none at 90,0" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    words = ["tests.cli.test_field:nested", "inner", "--size", "32", "--out", str(tmp_path / "file")]
    assert main(["field", *words]) == 2
    assert "field: cannot write to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["layer2", "--unit", "28,0"], "28 × 28 places, none at 28,0"),
        (["layer2", "--unit", "1;2"], "--unit wants Y,X"),
        (["layer2", "--pixel", "x,2"], "--pixel wants Y,X"),
        (["layer2", "--pictures", "0"], "--pictures wants at least 1"),
        (["layer9"], "did you mean layer4"),
        (["fc", "--unit", "0,0"], "has no map of places"),
        (["fc", "--effective"], "has no map of places: it sees everything"),
        (["fc", "--pixel", "1,2"], "has no map of places"),
        (["layer2", "--pixel", "224,0"], "the input has 224 × 224 pixels, none at 224,0"),
        (["layer2", "--recipe", "nowhere"], "nowhere"),
        (["layer2", "--image", "nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["field", "resnet18", "--weights", "random", *words]) == 2
    printed = capsys.readouterr()
    assert says in printed.err.strip().splitlines()[-1]
    assert printed.out == ""
