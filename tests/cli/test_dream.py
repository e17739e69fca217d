"""`photosite dream` as a person runs it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.cli import main
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe
from tests.report.reader import Reader

SHIPPED = ["photosite_resnet12", "layer1", "5", "--steps", "24"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three pictures, one of them damaged."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "below/b.png"):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "words.txt").write_text("no picture")
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["dream", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_saved_png_gives_what_the_command_says(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, *SHIPPED, "--pictures", str(pictures), "--out", str(tmp_path / "out"))
    picture = load(tmp_path / "out" / "dream-1.png")
    assert picture.shape == (64, 64, 3)
    model = create_model("photosite_resnet12", weights="default").eval()
    with torch.no_grad():
        x = torch.from_numpy(get_recipe("cifar10@64")(picture))
        value = model.layer1(model.relu(model.bn1(model.conv1(x))))  # type: ignore[operator]
    one = found["dreams"][0]
    assert float(value[0, 5].mean()) == pytest.approx(one["activation"], rel=1e-5)
    assert one["true"] is True
    assert one["activation"] > one["random_max"] > one["random_mean"]
    assert one["over_real"] == pytest.approx(one["activation"] / found["real"][0]["activation"])
    assert [real["name"] for real in found["real"]] in (["a.png", "below/b.png"], ["below/b.png", "a.png"])
    assert (found["real_pictures"], len(found["left_out"])) == (2, 1)
    assert "broken.png" in found["left_out"][0]
    assert json.loads((tmp_path / "out" / "dream.json").read_text()) == found
    Reader((tmp_path / "out" / "dream.html").read_text()).assert_fetches_nothing()


def test_a_seed_gives_the_same_file_and_a_zip_is_as_good_as_a_folder(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(pictures.rglob("*.*")):
            archive.write(path, path.relative_to(pictures))
    words = [*SHIPPED, "--seed", "3", "--out"]
    first = asked(capsys, *words, str(tmp_path / "1"), "--pictures", str(pictures))
    again = asked(capsys, *words, str(tmp_path / "2"), "--pictures", str(tmp_path / "photos.zip"))
    assert first == again
    pngs = [(tmp_path / name / "dream-1.png").read_bytes() for name in "12"]
    assert pngs[0] == pngs[1]


def test_a_table_and_several_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tests.cli.test_dream:small", "1", "2", "--size", "32", "--steps", "16", "--diverse", "2", "--unit", "3,4"]
    assert main(["dream", *words, "--pixels", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "channel 2 at row 3, column 4" in text
    assert "dream 2" in text
    assert "by pixels" in text
    assert text.splitlines()[-1] == f"report: {tmp_path / 'dream.html'}"
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        *("dream-1.png", "dream-2.png", "dream.html", "dream.json"),
    ]


def small() -> nn.Module:
    """A convolution of 5, every second pixel; its fourth channel is dead."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(inplace=True))
    with torch.no_grad():
        model[0].weight[3], model[0].bias[3] = 0, -1
    return model


def test_only_so_many_pictures_are_opened(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, *SHIPPED, "--pictures", str(pictures), "--at-most", "1")
    assert (found["real_pictures"], found["real"][0]["name"]) == (1, "a.png")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["1", "3", "--steps", "9"], "nothing changes this target: relu_ gives 0 in all of 9 steps"),
        (["1", "4"], "relu_ has channels 0 … 3, no 4"),
        (["1", "0", "--unit", "16,0"], "16 × 16 places, none at 16,0"),
        (["1", "0", "--unit", "1;2"], "--unit wants Y,X"),
        (["1", "0", "--diverse", "0"], "--diverse wants 1 … 16, got 0"),
        (["1", "0", "--at-most", "0"], "--at-most wants at least 1"),
        (["1", "0", "--steps", "0"], "steps wants at least 1"),
        (["7", "0"], "no node or module named '7'"),
        (["1", "0", "--recipe", "imagenet@32", "--pictures", "nowhere.zip"], "nowhere.zip is no zip that opens"),
        (["1", "0", "--recipe", "imagenet@32", "--pictures", "nowhere.jpg"], "none of 1 pictures opens"),
        (["1", "0", "--recipe", "imagenet@32", "--pictures", "docs"], "has no pictures in it"),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = tmp_path / "docs"
    empty.mkdir()
    words = [str(empty) if word == "docs" else word for word in words]
    assert main(["dream", "tests.cli.test_dream:small", "--size", "32", *words]) == 2
    printed = capsys.readouterr()
    assert says in printed.err.strip().splitlines()[-1]
    assert printed.out == ""


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    words = ["tests.cli.test_dream:small", "1", "0", "--size", "32", "--steps", "4", "--out", str(tmp_path / "file")]
    assert main(["dream", *words]) == 2
    assert "dream: cannot write to" in capsys.readouterr().err
