"""`photosite tokens` and `photosite lightpath`: tables, JSON, and what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from photosite.lightpath import light_path, tokens_of
from photosite.prep.samples import sample_path
from photosite.tokens import front_end, list_front_ends
from tests.report.reader import Reader

PHOTO = str(sample_path("chelsea"))  # 300 × 451


def test_all_front_ends_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", PHOTO, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["photo_hw"] == [300, 451]
    assert [row["name"] for row in found["front_ends"]] == list_front_ends()
    for row in found["front_ends"]:
        assert row["total"] == front_end(row["name"]).count((300, 451)).total
    clip = next(row for row in found["front_ends"] if row["name"] == "clip-l-336")
    assert clip["unseen_share"] == pytest.approx(
        1 - 304 / 451, abs=0.01
    )  # the middle square, and what its border reads
    assert clip["prefill_flops"] == 2 * 7e9 * 577


def test_the_table_names_what_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((20, 4200, 3), 90, np.uint8)).save(tmp_path / "long.png")
    assert main(["tokens", str(tmp_path / "long.png")]) == 0
    out = capfd.readouterr().out
    assert "refused" in out
    assert "qwen2-vl: takes sides up to 1 : 200, got 20 × 4200" in out
    assert main(["tokens", PHOTO, "--front-end", "llava-1.5"]) == 0
    assert "576" in capfd.readouterr().out


def test_a_tokens_path_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lightpath", "smolvlm-256m", PHOTO, "--token", "70", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    path = light_path(front_end("smolvlm-256m"), (300, 451), 70)
    top, left, bottom, right = path.photo_box or (0, 0, 0, 0)
    assert found["photo_box"] == [left, top, right, bottom]
    assert found["tokens"] == [70]
    assert (found["tile"], found["grid"]) == (1, [0, 6])
    assert len(found["patches"]) == 16
    assert len(found["weights"]["y"]) == bottom - top
    assert sum(found["weights"]["x"]) == pytest.approx(1, abs=1e-5)
    assert [stage["name"] for stage in found["stages"]] == ["tile", "resized", "resized", "photo"]
    assert found["sensor"]["stored_box"] == found["photo_box"]
    assert found["sensor"]["photosites"] > (right - left) * (bottom - top)


def test_a_turned_photo_names_its_stored_pixels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8))
    exif = photo.getexif()
    exif[0x0112] = 6  # the stored picture is turned clockwise: 200 × 120 upright
    photo.save(tmp_path / "turned.png", exif=exif)
    assert main(["lightpath", "qwen2-vl", str(tmp_path / "turned.png"), "--token", "0", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["photo_hw"] == [200, 120]
    x0, y0, x1, y1 = found["photo_box"]
    assert found["sensor"]["stored_box"] == [y0, 120 - x1, y1, 120 - x0]
    assert main(["lightpath", "qwen2-vl", str(tmp_path / "turned.png"), "--token", "0"]) == 0
    assert "stored with EXIF orientation 6" in capfd.readouterr().out


def test_a_pixels_tokens(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lightpath", "llava-next", PHOTO, "--pixel", "100,50", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["tokens"] == tokens_of(front_end("llava-next"), (300, 451), (50, 100))
    assert main(["lightpath", "clip-l-336", PHOTO, "--pixel", "2,50"]) == 0
    assert "no token sees it" in capfd.readouterr().out
    assert main(["lightpath", "clip-l-336", PHOTO, "--token", "0"]) == 0
    assert "stands for no place" in capfd.readouterr().out


PAGES = {
    "tokens": ["tokens", PHOTO, "--front-end", "llava-1.5"],
    "lightpath": ["lightpath", "llava-1.5", PHOTO, "--token", "300"],
}


@pytest.mark.parametrize("command", PAGES)
def test_a_page_beside_the_table(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = PAGES[command]
    assert main(words) == 0
    table = capfd.readouterr().out
    assert main([*words, "--out", str(tmp_path / "new" / "folder")]) == 0
    page = tmp_path / "new" / "folder" / f"{command}.html"
    assert capfd.readouterr().out == f"{table}report: {page}\n"
    reader = Reader(page.read_text(encoding="utf-8"))
    reader.assert_fetches_nothing()
    assert "chelsea.png" in reader.text
    assert main([*words, "--json"]) == 0
    printed = capfd.readouterr().out
    assert page.with_suffix(".json").read_text(encoding="utf-8") == printed
    assert main([*words, "--json", "--out", str(tmp_path / "again")]) == 0
    assert capfd.readouterr().out == printed  # one object and nothing else
    assert (tmp_path / "again" / f"{command}.html").read_bytes() == page.read_bytes()


@pytest.mark.parametrize("command", PAGES)
def test_without_out_nothing_is_written(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(PAGES[command]) == 0
    assert "report:" not in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", PAGES)
def test_a_folder_that_cannot_be_written_is_named(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*PAGES[command], "--out", str(tmp_path / "file")]) == 2
    assert f"{command}: cannot write to" in capfd.readouterr().err


def test_a_hostile_file_name_harms_no_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hostile = tmp_path / os.fsdecode(b"\x1b[31m<script>alert(1)<!-- \xff.png")
    hostile.write_bytes(Path(PHOTO).read_bytes())
    for command, words in PAGES.items():
        swapped = [str(hostile) if word == PHOTO else word for word in words]
        assert main([*swapped, "--out", str(tmp_path / "out")]) == 0
        text = (tmp_path / "out" / f"{command}.html").read_text(encoding="utf-8")
        Reader(text).assert_fetches_nothing()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lightpath", "qwen2-vl", PHOTO], "wants one of --token K and --pixel X,Y"),
        (["lightpath", "qwen2-vl", PHOTO, "--pixel", "a,b"], "--pixel wants X,Y"),
        (["lightpath", "qwen2-vl", PHOTO, "--pixel", "451,0"], "the photo has 300 × 451"),
        (["lightpath", "qwen2-vl", PHOTO, "--token", "100000"], "token 100000: there are 176"),
        (["lightpath", "qwen2-vl", PHOTO, "--token", "1", "--demosaic", "menon"], "no demosaicing with fixed weights"),
        (["lightpath", "qwen9", PHOTO, "--token", "1"], "no front end named 'qwen9'"),
        (["tokens", PHOTO, "--front-end", "lava-1.5"], "did you mean llava-1.5"),
        (["tokens", PHOTO, "--parameters", "0"], "--parameters wants a number above 0"),
    ],
)
def test_bad_words_get_one_line(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
