"""`photosite see` as a person runs it: in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from tests.cli.program import assert_hostile_name_harms_nobody, run


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "a photo.jpg"
    ramp = np.linspace(0, 255, 120 * 90).reshape(90, 120).astype(np.uint8)
    Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], -1)).save(path)
    return path


def test_json_is_one_object_on_stdout_and_three_files_are_written(photo: Path, tmp_path: Path) -> None:
    done = run("see", str(photo), "--json", "--out", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["model"]["name"] == "photosite_resnet12"
    assert found["tokens"] == {
        "shape": [256, 160],
        "grid": [16, 16],
        "prefix": 0,
        "layout": "NCHW",
        "step": "layer3.1.relu#2",
    }
    assert found["out"] == "here"
    assert len(found["predictions"]) == 5
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "report.html",
        "tokens.safetensors",
        "trace.json",
    ]
    assert json.loads((tmp_path / "here" / "trace.json").read_text()) == found


def test_the_table_fits_80_columns_and_ends_with_the_report(photo: Path, tmp_path: Path) -> None:
    done = run("see", str(photo), "--size", "32", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert lines[-1].startswith("report: photosite-out/a_photo.jpg-")
    assert (tmp_path / lines[-1].removeprefix("report: ")).is_file()
    assert "tokens: 64 of width 160, a grid of 8 × 8" in lines
    table = lines[lines.index(next(line for line in lines if line.startswith(" step"))) :]
    assert max(len(line) for line in table if "conv2d" in line) <= 80


def test_standard_input_is_a_photo_too(photo: Path, tmp_path: Path) -> None:
    done = run("see", "-", "--json", "--size", "32", cwd=tmp_path, stdin=photo.read_bytes())
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["picture"]["path"] == "<bytes>"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, this is not a picture at all", "not_an_image"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ""),
    ],
)
def test_bad_pictures_give_one_line_and_exit_code_2(
    name: str, data: bytes, code: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    assert main(["see", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert f": {code}" in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["see"], "wants one photo"),
        (["see", "x.jpg", "--sample", "chelsea"], "wants one photo"),
        (["see", "absent.jpg"], "vanished"),
        (["see", "--sample", "chelse"], "did you mean chelsea"),
    ],
)
def test_misuse_is_one_line(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capfd.readouterr().err
    assert said in printed
    assert len(printed.strip().splitlines()) == 1


def test_unknown_models_and_recipes_get_near_names(photo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["see", str(photo), "--model", "cifar_resnet2O"]) == 2
    assert "did you mean cifar_resnet20" in capfd.readouterr().err
    assert main(["see", str(photo), "--model", "cifar_resnet20", "--recipe", "cifar1O"]) == 2
    assert "did you mean cifar10" in capfd.readouterr().err


def test_an_output_that_cannot_be_written_is_one_line(
    photo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert (
        main(["see", str(photo), "--model", "cifar_resnet20", "--recipe", "cifar10", "--out", str(tmp_path / "file")])
        == 2
    )
    assert "cannot write to" in capfd.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 exist on Linux only")
def test_a_name_from_hell_harms_nobody(photo: Path, tmp_path: Path) -> None:
    assert_hostile_name_harms_nobody("see", photo, tmp_path, "report.html")


@pytest.mark.slow
def test_all_real_photos_pass_through_the_command(
    photos: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for photo in photos:
        assert main(["see", str(photo), "--json", "--out", str(tmp_path / "out")]) == 0
        printed = capfd.readouterr()
        assert json.loads(printed.out)["tokens"]["grid"] == [16, 16]
        assert "Traceback" not in printed.err
