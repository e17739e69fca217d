"""Golden vectors: what is written is what front ends make, and usual mistakes are named for what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photosite.cli import main
from photosite.errors import CorruptWeightsError
from photosite.prep.recipes import HALF
from photosite.prep.upright import upright_array
from photosite.tokens import front_end, golden, list_front_ends
from photosite.tokens.golden import conform, golden_picture, write_golden


def changed(folder: Path, stage: str, change: Callable[[Any], Any]) -> None:
    """Let a runtime make a mistake in a stage, and lack those before it but the first two."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for picture in manifest["pictures"]:
        for entry in picture["stages"]:
            if entry["name"] == stage:
                path = folder / entry["file"]
                array = np.frombuffer(path.read_bytes(), golden.DTYPES[entry["dtype"]]).reshape(entry["shape"])
                found = np.ascontiguousarray(change(array))
                entry["shape"] = list(found.shape)
                path.write_bytes(found.tobytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", list_front_ends())
def test_what_is_written_conforms(name: str, tmp_path: Path) -> None:
    files = write_golden(front_end(name), tmp_path)
    assert len(files) == 13
    assert conform(front_end(name), tmp_path) is None
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    last = manifest["pictures"][1]["stages"][-1]
    values = np.fromfile(tmp_path / last["file"], "<f4").reshape(last["shape"])
    np.testing.assert_array_equal(values, front_end(name).prepare(golden_picture((97, 301))).values)


def made_by(name: str, folder: Path, **changes: Any) -> str:
    """What is said of a runtime that does everything right but for some constants."""
    write_golden(replace(front_end(name), **changes), folder)
    found = conform(front_end(name), folder)
    assert found is not None
    return f"{found.stage}: {found.said}"


@pytest.mark.parametrize("name", ["qwen2-vl", pytest.param("smolvlm", marks=pytest.mark.slow), "llava-1.5"])
def test_wrong_constants_are_named(name: str, tmp_path: Path) -> None:
    right = front_end(name).interpolation
    wrong = "bilinear" if right != "bilinear" else "bicubic"
    assert made_by(name, tmp_path / "a", interpolation=wrong) == f"tiles: resized by {wrong}, wanted {right}"
    if name != "llava-1.5":  # its padding has the mean color
        mean = (0.1, 0.2, 0.3) if front_end(name).mean != HALF else (0.2, 0.2, 0.2)
        assert made_by(name, tmp_path / "b", mean=mean, std=HALF) == "input: "
        other = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        assert made_by(name, tmp_path / "c", **other) == "input: numbers from 0 to 1, not normalized"


def exchanged(array: Any) -> Any:
    return array[..., ::-1]


def shorter(array: Any) -> Any:
    return array[:-1]


def moved(array: Any) -> Any:
    down, across = front_end("qwen2-vl").tiles((60, 80))[0].size_hw
    return np.roll(array.reshape(down, across, 3), 1, 1).ravel() if array.size == down * across * 3 else array


def raster(array: Any) -> Any:
    for size_hw in ((60, 80), (97, 301), (110, 150)):
        rows, columns = (side // 28 for side in front_end("qwen2-vl").tiles(size_hw)[0].size_hw)
        if rows * columns * 4 == len(array):
            return array.reshape(rows, columns, 2, 2, -1).transpose(0, 2, 1, 3, 4).reshape(array.shape)
    raise AssertionError(array.shape)


def late_exchange(array: Any) -> Any:
    """Of rows of channel × time × row × column, the channels turned around."""
    return array.reshape(len(array), 3, -1)[:, ::-1].reshape(array.shape)


@pytest.mark.parametrize(
    ("stage", "mistake", "said"),
    [
        ("stored", exchanged, "blue and red are exchanged"),
        ("stored", shorter, "its shape is (59, 80, 3), wanted (60, 80, 3)"),
        ("tiles", moved, "moved by 0 rows and 1 columns"),
        ("input", raster, "patches stand row by row, not by group"),
        ("input", late_exchange, "blue and red are exchanged, after normalizing"),
    ],
)
def test_usual_mistakes_are_named(stage: str, mistake: Callable[[Any], Any], said: str, tmp_path: Path) -> None:
    one = front_end("qwen2-vl")
    write_golden(one, tmp_path)
    changed(tmp_path, stage, mistake)
    found = conform(one, tmp_path)
    assert found is not None
    assert (found.picture, found.stage, found.said) == (0, stage, said)


def test_an_ignored_orientation_and_a_missing_antialias_are_named(tmp_path: Path) -> None:
    from photosite.tokens.suspects import _without_antialias

    one = front_end("siglip-so400m-384")
    large = ((900, 700), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "PICTURES", (large,))
        write_golden(one, tmp_path / "a")
        picture = golden_picture(large[0])
        changed(tmp_path / "a", "tiles", lambda _: _without_antialias(picture, one.tiles(large[0])[0]).ravel())
        found = conform(one, tmp_path / "a")
        assert found is not None
        assert found.said == "resized without antialiasing"
        patch.setattr(golden, "PICTURES", (((150, 150), 6),))
        write_golden(one, tmp_path / "b")
        changed(tmp_path / "b", "upright", lambda array: upright_array(np.ascontiguousarray(array), 8))
        found = conform(one, tmp_path / "b")
        assert found is not None
        assert (found.stage, found.said) == ("upright", "the EXIF orientation is ignored")


def test_stages_that_a_runtime_lacks_are_not_asked_for(tmp_path: Path) -> None:
    one = front_end("pixtral")
    write_golden(one, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for picture in manifest["pictures"]:
        picture["stages"] = picture["stages"][-1:]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert conform(one, tmp_path) is None
    changed(tmp_path, "input", lambda array: array + 1)
    found = conform(one, tmp_path)
    assert found is not None
    assert found.stage == "input"


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", '{"pictures": [{"stages": [{"name": "stored"}]}]}', '{"pictures": 3}'],
)
def test_a_dump_of_a_stranger_is_read_with_care(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(CorruptWeightsError):
        conform(front_end("pixtral"), tmp_path)
    entry = {"name": "stored", "file": "../../etc/passwd", "dtype": "uint8", "shape": [60, 80, 3]}
    for change in ({}, {"file": "x.bin", "shape": [1 << 40]}, {"file": "x.bin", "dtype": "object"}, {"file": 3}):
        (tmp_path / "x.bin").write_bytes(b"abc")
        (tmp_path / "manifest.json").write_text(json.dumps({"pictures": [{"stages": [{**entry, **change}]}]}))
        with pytest.raises(CorruptWeightsError):
            conform(front_end("pixtral"), tmp_path)


def test_the_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "qwen2-vl", str(tmp_path / "g")]) == 0
    assert main(["conform", "qwen2-vl", str(tmp_path / "g")]) == 0
    assert "all stages agree" in capfd.readouterr().out
    assert main(["conform", "qwen3-vl", str(tmp_path / "g"), "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["first"]["stage"] == "tiles"
    changed(tmp_path / "g", "stored", lambda array: array[..., ::-1])
    assert main(["conform", "qwen2-vl", str(tmp_path / "g")]) == 1
    assert "it looks as if blue and red are exchanged" in capfd.readouterr().out
    assert main(["conform", "qwen2-vl", str(tmp_path / "none")]) == 2
