"""`photosite pixels` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from photosite.prep.load import load_with_info
from photosite.prep.recipes import get_recipe
from photosite.trace.record_pixel import dumps, record_pixel, to_json
from tests.cli.program import assert_hostile_name_harms_nobody, run


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ramp of 90 × 120, stored without loss: red goes right, green up, blue down and left."""
    path = tmp_path_factory.mktemp("photo") / "a photo.png"
    ramp = np.linspace(0, 255, 120 * 90).reshape(90, 120).astype(np.uint8)
    Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], -1)).save(path)
    return path


def test_json_is_one_object_and_two_files_are_written(photo: Path, tmp_path: Path) -> None:
    done = run("pixels", photo, "--at", "17,42", "--json", "--out", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert {"rgb", "hsv", "ycbcr", "lab", "linear", "bayer", "normalized", "units"} <= set(found)
    picture, info = load_with_info(photo)
    assert found["at"] == {"x": 17, "y": 42}
    assert found["rgb"] == picture[42, 17].tolist()
    assert found["picture"]["size_hw"] == [90, 120]
    assert found["picture"]["sha256"] == info.sha256
    assert found["out"] == "here"
    expected = to_json(record_pixel(picture, info, (17, 42), get_recipe("imagenet")), Path("here"))
    assert found == json.loads(dumps(expected))
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["pixels.html", "pixels.json"]
    assert json.loads((tmp_path / "here" / "pixels.json").read_text()) == found


def test_the_table_fits_80_columns_and_ends_with_the_report(photo: Path, tmp_path: Path) -> None:
    done = run("pixels", photo, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert lines[0].endswith("PNG 90 × 120 px · pixel x 60, y 45")
    assert lines[-1].startswith("report: photosite-out/a_photo.png-")
    assert (tmp_path / lines[-1].removeprefix("report: ")).is_file()
    assert max(len(line) for line in lines[1:-1]) <= 80
    for name in (
        "sRGB",
        "linear light",
        "HSV",
        "YCbCr",
        "Lab",
        "raw counts",
        "estimated",
        "normalized",
        "in the input",
    ):
        assert any(line.startswith(f" {name} ") for line in lines), name


def test_torch_is_not_imported(photo: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from photosite.cli import main; code = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "pixels", photo, "-q"], cwd=tmp_path, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_quiet_says_only_where_the_report_is(photo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["pixels", str(photo), "--quiet", "--out", str(tmp_path / "out")]) == 0
    printed = capfd.readouterr()
    assert printed.out == f"report: {tmp_path / 'out' / 'pixels.html'}\n"
    assert printed.err == ""


def test_pattern_and_recipe_are_taken(photo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--at", "0,0", "--pattern", "bggr", "--recipe", "cifar10@48", "--json", "--out", str(tmp_path)]
    assert main(["pixels", str(photo), *words]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["bayer"]["pattern"], found["bayer"]["color"]) == ("BGGR", "B")
    assert found["recipe"]["name"] == "cifar10@48"
    assert found["normalized"]["input_size_hw"] == [48, 48]


def test_standard_input_is_a_photo_too(photo: Path, tmp_path: Path) -> None:
    done = run("pixels", "-", "--json", cwd=tmp_path, stdin=photo.read_bytes())
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["picture"]["path"] == "<bytes>"
    assert found["out"] == "photosite-out/stdin"


def test_the_upright_photo_counts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[4, 25] = 10, 20, 30
    image = Image.fromarray(stored)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright: row 4, column 25 of 20 rows is column 15, row 25
    image.save(tmp_path / "turned.png", exif=exif)
    assert main(["pixels", str(tmp_path / "turned.png"), "--at", "15,25", "--json", "--out", str(tmp_path / "o")]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["picture"]["size_hw"] == [30, 20]
    assert found["rgb"] == [10, 20, 30]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--at", "120,0"],
            "wants X from 0 to 119 and Y from 0 to 89, the photo is 120 px wide and 90 px high, got 120,0",
        ),
        (["--at", "0,90"], "got 0,90"),
        (["--at", "-1,5"], "got -1,5"),
        (["--at=-1,5"], "got -1,5"),
        (["--at", "5"], "--at wants X,Y, two whole numbers such as 120,80, got '5'"),
        (["--at", "a,b"], "got 'a,b'"),
        (["--at", "1.5,2"], "got '1.5,2'"),
        (["--at", "1,2,3"], "got '1,2,3'"),
        (["--at", "\x1b[31m"], "got '\\\\x1b[31m'"),
        (["--at", "99999999999999999999,0"], "--at wants X,Y"),
        (["--pattern", "RGBG"], "no Bayer pattern named 'RGBG'; did you mean RGGB"),
        (["--recipe", "imagnet"], "no recipe named 'imagnet'; did you mean imagenet"),
        (["--max-pixels", "100"], "too_many_pixels"),
        (["--max-pixels", "0"], "max_pixels wants at least 1"),
    ],
)
def test_misuse_is_one_line_and_leaves_nothing(
    words: list[str], said: str, photo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["pixels", str(photo), *words, "--out", str(tmp_path / "out")]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "pixels: wants one photo"),
        (["x.jpg", "--sample", "chelsea"], "pixels: wants one photo"),
        (["absent.jpg"], "vanished"),
        (["--sample", "chelse"], "did you mean chelsea"),
    ],
)
def test_no_photo_is_one_line(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["pixels", *words]) == 2
    printed = capfd.readouterr().err
    assert said in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_file_cut_short_is_taken_when_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "cut.jpg", tmp_path / "out"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-800])
    assert main(["pixels", str(path), "--out", str(out)]) == 2
    assert "truncated" in capfd.readouterr().err
    assert not out.exists()
    assert main(["pixels", str(path), "--tolerate-truncated", "--json", "--out", str(out)]) == 0
    assert json.loads(capfd.readouterr().out)["notes"]


def test_an_output_that_cannot_be_written_is_one_line(
    photo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["pixels", str(photo), "--out", str(tmp_path / "file")]) == 2
    assert "pixels: cannot write to" in capfd.readouterr().err
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_nothing(
    error: BaseException,
    photo: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", fails)
    code = main(["pixels", str(photo), "--out", str(tmp_path / "out")])
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert list((tmp_path / "out").iterdir()) == []
    assert len(capfd.readouterr().err.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 exist on Linux only")
def test_a_name_from_hell_harms_nobody(photo: Path, tmp_path: Path) -> None:
    assert_hostile_name_harms_nobody("pixels", photo, tmp_path, "pixels.html")


@pytest.mark.slow
def test_all_real_photos_pass_through_the_command(
    photos: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for photo in photos:
        assert main(["pixels", str(photo), "--json", "--out", str(tmp_path / "out")]) == 0
        printed = capfd.readouterr()
        assert json.loads(printed.out)["rgb"]
        assert (tmp_path / "out" / "pixels.html").stat().st_size < 5_000_000
