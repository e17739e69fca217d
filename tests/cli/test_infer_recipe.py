"""`photosite infer-recipe` as a person runs it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from photosite.analysis.recipe_inference import infer_recipe
from photosite.cli import main
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe
from photosite.prep.samples import sample_path
from tests.analysis.test_recipe_inference import pieces, trained

MODEL = "tests.cli.test_infer_recipe:bgr_half"
COUNT = 64


def bgr_half() -> nn.Module:
    """A network whose norms have seen B, G, R in -1 … 1."""
    return trained("BGR", "0.5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small pictures in two folders."""
    for number, picture in enumerate(pieces(1)[:COUNT]):
        path = tmp_path / "pictures" / f"{number % 2}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return tmp_path / "pictures"


def asked(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main(["infer-recipe", *words, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_recipe_is_that_of_the_analysis(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, MODEL, str(folder), "--size", "32")
    assert (found["recipe"]["order"], found["recipe"]["normalization"]) == ("BGR", "0.5")
    assert (found["pictures"], found["left_out"], found["refused"], found["layout"]) == (COUNT, [], None, "BCHW")
    ordered = [load(path) for path in sorted(folder.rglob("*.png"))]
    own = infer_recipe(bgr_half(), ordered)
    assert [one["divergence"] for one in found["candidates"]] == [one.divergence for one in own.candidates]
    assert found["margin"] == own.margin
    assert found["tied"] == ["BGR 0.5"]
    assert found["resize"]["filter"] is None  # nothing was resized
    assert "0 pictures are at least 2 times" in found["resize"]["refused"]


def test_a_table_and_the_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["infer-recipe", MODEL, str(folder), "--size", "32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(line.split() for line in lines if line.split()[:1] == ["1"])
    assert first[:3] == ["1", "BGR", "0.5"]
    assert "recipe" in lines[-2]
    assert lines[-2].split() == ["recipe", "BGR", "0.5"]
    assert f"{COUNT}, 32 × 32, as BCHW" in "\n".join(lines)


def test_a_zip_and_single_files_are_what_a_folder_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = sorted(folder.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for path in paths[:32]:
            archive.write(path, f"deep/{path.relative_to(folder)}")
        archive.writestr("deep/notes.txt", "no picture")
    mixed = asked(capsys, MODEL, str(tmp_path / "some.zip"), *map(str, paths[32:]), "--size", "32")
    whole = asked(capsys, MODEL, str(folder), "--size", "32")
    assert mixed == whole


def test_pictures_that_do_not_open_are_named_and_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    assert main(["infer-recipe", MODEL, str(folder), str(folder / "gone.jpg"), "--size", "32", "--json"]) == 0
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 2
    assert f"{folder / 'broken.png'}: not_an_image" in lines[0]
    assert f"{folder / 'gone.jpg'}: vanished" in lines[1]
    found = json.loads(printed.out)
    assert found["pictures"] == COUNT
    assert len(found["left_out"]) == 2


def test_only_so_many_are_opened_and_they_are_spread(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, MODEL, str(folder), "--size", "32", "--at-most", "32")
    every_second = infer_recipe(bgr_half(), [load(path) for path in sorted(folder.rglob("*.png"))[::2]])
    assert found["pictures"] == 32
    assert found["candidates"][0]["divergence"] == every_second.candidates[0].divergence


def test_large_photos_get_the_input_size_as_a_recipe_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = load(sample_path("chelsea"))
    crops = [
        np.ascontiguousarray(photo[y : y + 150, x : x + 200]) for y in range(0, 150, 40) for x in range(0, 240, 60)
    ]
    assert len(crops) == 16
    for number, crop in enumerate(crops):
        Image.fromarray(crop).save(tmp_path / f"{number:02}.png")
    assert main(["infer-recipe", MODEL, str(tmp_path), "--recipe", "cifar10", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    recipe = get_recipe("cifar10")
    own = infer_recipe(bgr_half(), [recipe.cropped(recipe.resized(crop)) for crop in crops])
    assert [one["divergence"] for one in found["candidates"]] == [one.divergence for one in own.candidates]


def test_pictures_of_the_input_size_are_taken_as_they_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """This recipe would make 37 pixels of 32 and cut 32 out of them."""
    found = asked(capsys, MODEL, str(folder), "--recipe", "imagenet@32")
    own = infer_recipe(bgr_half(), [load(path) for path in sorted(folder.rglob("*.png"))])
    assert [one["divergence"] for one in found["candidates"]] == [one.divergence for one in own.candidates]


def rgb_clip() -> nn.Module:
    """A network whose norms have seen R, G, B as CLIP normalizes them."""
    return trained("RGB", "CLIP")


def test_a_promise_about_the_pictures_is_passed_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tests.cli.test_infer_recipe:rgb_clip", str(folder), "--size", "32"]
    for path in folder.rglob("*.png"):
        Image.fromarray((load(path) * 0.8).astype(np.uint8)).save(path)
    pictures = [load(path) for path in sorted(folder.rglob("*.png"))]
    promised, not_promised = (infer_recipe(rgb_clip(), pictures, own=own) for own in (True, False))
    assert promised.margin > not_promised.margin
    assert main(["infer-recipe", *words, "--json"]) == int(not_promised.best is None)
    assert json.loads(capsys.readouterr().out)["margin"] == not_promised.margin
    assert asked(capsys, *words, "--own", code=int(promised.best is None))["margin"] == promised.margin


@pytest.mark.parametrize(
    ("model", "says"),
    [("cifar_resnet20", "it was never trained"), ("vit_tiny_patch16_224", "it has no batch norm")],
)
def test_what_cannot_be_told_ends_with_1(
    model: str, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, model, str(folder), "--weights", "random", "--at-most", "16", code=1)
    assert says in found["refused"]
    assert found["recipe"] is found["resize"] is None
    assert found["candidates"] == found["tied"] == []
    assert main(["infer-recipe", model, str(folder), "--weights", "random", "--at-most", "16"]) == 1
    assert f"cannot be told: {says.split()[0]}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "wants at least 16 pictures, got 0"),
        (["one.png"], "wants at least 16 pictures, got 1"),
        (["empty"], "has no pictures in it"),
        (["bad.zip"], "is no zip that opens"),
        (["gone.zip"], "is no zip that opens"),
        (["broken"], "wants at least 16 pictures that open, 0 did"),
        (["broken", "--at-most", "15"], "--at-most wants at least 16, got 15"),
        (["broken", "--recipe", "nowhere"], "nowhere"),
        (["broken", "--weights", "nowhere.pt"], "nowhere.pt"),
        (["broken", "--size", "0"], "at wants a whole number from 1"),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("broken").mkdir()
    for number in range(20):
        Path(f"broken/{number}.png").write_bytes(b"")
    Path("bad.zip").write_bytes(b"no zip")
    assert main(["infer-recipe", "cifar_resnet20", *words]) == 2
    printed = capsys.readouterr()
    assert says in printed.err.strip().splitlines()[-1]
    assert printed.out == ""
