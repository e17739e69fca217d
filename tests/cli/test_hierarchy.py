"""`photosite hierarchy` as a person runs it: bad files, a zip, a pass that goes on, what is refused."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from photosite.analysis.top_activations import pictures_seen
from photosite.cli import main
from photosite.cli.picture_files import picture_files
from photosite.cli.picture_stream import PictureStream, folder_labels
from photosite.errors import RangeError
from photosite.prep import fast
from photosite.prep.load import load
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from tests.cli.program import run
from tests.report.reader import Reader

SMALL = ["tests.cli.test_hierarchy:small", "--size", "16", "-k", "3"]
OF_4 = [*SMALL, "--batch", "4"]
CLASSES = ("cat", "dog", "ship")
BAD = ("cat/04.png", "dog/00.png", "ship/07.png")


class Small(nn.Module):
    """A stem, a strided layer, a classifier of three classes."""

    recipe: Recipe
    photo_recipe: Recipe
    trained = False
    weights_notes = ("weights: random",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.recipe = self.photo_recipe = get_recipe("cifar10")
        self.stem, self.deep, self.relu = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU()
        self.head = nn.Linear(6, 3)
        with torch.no_grad():
            self.stem.weight[2], self.stem.bias[2] = 0, -1  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.relu(self.deep(self.relu(self.stem(x)))).mean((2, 3)))
        return y


def small() -> nn.Module:
    return Small()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of ten pictures and a damaged one more each; a text file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for k, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for number in range(11):
            path = folder / name / f"{number:02}.png"
            if f"{name}/{path.name}" in BAD:
                path.write_bytes(b"\x89PNG\r\n\x1a\n")
                continue
            pixels = rng.integers(0, 256, (20 + number, 24, 3), np.uint8)
            pixels[..., k] = np.minimum(pixels[..., k], 128) + 127  # so that classes can be told
            Image.fromarray(pixels).save(path)
    (folder / "words.txt").write_text("no picture")
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main(["hierarchy", *map(str, words), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def best(found: dict[str, Any], layer: int) -> dict[int, list[tuple[str, float]]]:
    channels = found["layers"][layer]["channels"]
    return {one["channel"]: [(top["picture"], top["activation"]) for top in one["top"]] for one in channels}


def test_the_best_pictures_are_those_that_the_model_says(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, *SMALL, "--batch", "8", pictures, "--no-measures", "--signal", "none")
    assert (found["pictures"], found["classes"]) == (30, {"cat": 10, "dog": 10, "ship": 10})
    assert [line.split(":")[0] for line in found["left_out"]] == list(BAD)
    assert [layer["receptive_field"] for layer in found["layers"]] == [[3, 3], [5, 5]]
    model, recipe = small(), get_recipe("cifar10@16")
    names = [name for name in (f"{c}/{k:02}.png" for c in CLASSES for k in range(11)) if name not in BAD]
    with torch.no_grad():
        x = torch.from_numpy(np.concatenate([recipe(load(pictures / name)) for name in names]))
        stem = model.relu(model.stem(x))  # type: ignore[operator]
        maps = [stem, model.relu(model.deep(stem))]  # type: ignore[operator]
    for layer, value in enumerate(maps):
        largest = value.amax((2, 3))
        for channel, tops in best(found, layer).items():
            order = sorted(range(30), key=lambda n: -float(largest[n, channel]))[:3]
            assert [name for name, _ in tops] == [names[n] for n in order]
            assert [number for _, number in tops] == pytest.approx(
                [float(largest[n, channel]) for n in order], rel=1e-5
            )
    assert found["layers"][0]["silent"] == [2]
    assert found["not_measured"] == "--no-measures was given"
    assert "weights: random" in found["notes"]


def zipped(pictures: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for one in sorted(pictures.rglob("*.*")):
            archive.write(one, one.relative_to(pictures))
    return path


def test_a_zip_is_as_good_as_a_folder(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = asked(capsys, *OF_4, pictures, "--no-measures", "--out", tmp_path)
    second = asked(capsys, *OF_4, zipped(pictures, tmp_path / "pictures.zip"), "--no-measures")
    assert {**first, "source": ""} == {**second, "source": ""}
    assert first == json.loads((tmp_path / "hierarchy.json").read_text())
    Reader((tmp_path / "hierarchy.html").read_text()).assert_fetches_nothing()


def test_folders_name_the_classes_of_a_probe(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, *SMALL, pictures, "--signal", "none", "--layers", "deep")
    (layer,) = found["measures"]["layers"]
    assert layer["probe"]["train"] + layer["probe"]["test"] == 30
    assert layer["probe"]["accuracy"] > layer["probe"]["chance"]
    assert found["measures"]["classes"] == list(CLASSES)
    assert found["measures"]["untrained"] == []
    assert found["not_measured"].startswith("no untrained network beside it")


@pytest.mark.slow
def test_as_a_program(pictures: Path, tmp_path: Path) -> None:
    words = [*OF_4, zipped(pictures, tmp_path / "pictures.zip"), "--out", tmp_path / "page", "--state", tmp_path / "s"]
    done = run("hierarchy", *words, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr.decode()
    assert b"left out: cat/04.png: " in done.stderr
    assert done.stdout.splitlines()[-1].endswith(b"page/hierarchy.html")
    first = (tmp_path / "page" / "hierarchy.json").read_bytes()
    assert run("hierarchy", *words, cwd=Path.cwd()).returncode == 0
    assert (tmp_path / "page" / "hierarchy.json").read_bytes() == first


@pytest.mark.slow
def test_the_untrained_twin_of_the_shipped_encoder(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["photosite_resnet12", shared_data / "cifar10" / "test.zip", "--at-most", "300", "--size", "32"]
    found = asked(capsys, *words, "--signal", "none")
    trained, untrained = found["measures"]["layers"], found["measures"]["untrained"]
    assert [one["name"] for one in trained] == ["relu", "layer1", "layer2.0", "layer2", "layer3.0", "layer3"]
    assert trained[-1]["probe"]["interval"][0] > untrained[-1]["probe"]["interval"][1]
    assert trained[-1]["probe"]["accuracy"] > trained[0]["probe"]["accuracy"]
    same = [one["same_class"] for one in found["layers"]]
    assert same[-1] > 2 * same[0] > 2 * found["same_class_by_chance"]
    assert found["trained"] is True


@pytest.mark.parametrize("until", [1, 12, 29, 30])
def test_a_pass_that_was_interrupted_goes_on_to_the_same_json(
    until: int,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [*OF_4, str(pictures), "--signal", "none", "--no-measures"]
    wanted = asked(capsys, *words)
    inputs = PictureStream.inputs

    def breaking(self: PictureStream, first: int = 0) -> Any:
        for number, row in enumerate(inputs(self, first)):
            if number == until:
                raise KeyboardInterrupt
            yield row
        raise KeyboardInterrupt

    state = tmp_path / "state"
    with monkeypatch.context() as patched:
        patched.setattr(PictureStream, "inputs", breaking)
        assert main(["hierarchy", *words, "--state", str(state)]) == 130
    said = capsys.readouterr().err
    assert f"state holds {until // 4 * 4} pictures, and the same command goes on there" in said
    assert pictures_seen(state) == until // 4 * 4
    opened: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(PictureStream, "inputs", _counting(opened))
        assert asked(capsys, *words, "--state", state) == wanted
    assert opened == [30 - max(until // 4 * 4 - 1, 0)]  # the rest, and one that was there
    assert asked(capsys, *words, "--state", state) == wanted


def _counting(opened: list[int]) -> Callable[..., Any]:
    inputs = PictureStream.inputs

    def counted(self: PictureStream, first: int = 0) -> Any:
        opened.append(0)
        for row in inputs(self, first):
            opened[-1] += 1
            yield row

    return counted


def test_a_state_of_other_pictures_is_refused(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, words = tmp_path / "state", [*OF_4, "--signal", "none", "--no-measures"]
    asked(capsys, *words, pictures, "--state", state)
    for extra, says in (
        (["--at-most", "12"], "state.pictures is of other pictures: 33 files there, 12 here"),
        (["--layers", "stem"], "state is of another question: nodes"),
    ):
        assert main(["hierarchy", *words, str(pictures), "--state", str(state), *extra]) == 2
        assert says in capsys.readouterr().err
    (tmp_path / "state.pictures").write_text("{}")
    assert main(["hierarchy", *words, str(pictures), "--state", str(state)]) == 2
    assert "is no list of pictures of a pass" in capsys.readouterr().err
    (tmp_path / "state.pictures").unlink()
    assert main(["hierarchy", *words, str(pictures), "--state", str(state)]) == 2
    assert "is missing, which says what the pictures of" in capsys.readouterr().err


def test_numbers_stay_with_their_names_whatever_is_bad(pictures: Path, tmp_path: Path) -> None:
    recipe = get_recipe("cifar10@16")
    files = list(picture_files(pictures, "test"))
    memory = tmp_path / "memory"
    whole = PictureStream(files, recipe, (16, 16))
    rows = [row[0] for row in whole.inputs()]
    assert len(rows) == len(whole.names) == 30
    for first in range(30):
        begun = PictureStream(files, recipe, (16, 16), memory)
        for _, _ in zip(begun.inputs(), range(first + 1), strict=False):
            pass
        later = PictureStream(files, recipe, (16, 16), memory)
        rest = [row[0] for row in later.inputs(first)]
        assert later.names == whole.names
        assert later.left_out == whole.left_out
        for found, wanted in zip(rest, rows[first:], strict=True):
            assert np.array_equal(found, wanted)
    for number, picture in whole.pictures_again([0, 7, 29]):
        assert np.array_equal(recipe(picture), rows[number])
    with pytest.raises(RangeError, match="picture 31 was seen, but only 30 pictures are there"):
        next(PictureStream(files, recipe, (16, 16), memory).inputs(31))


def test_a_file_that_was_mended_counts_where_the_pass_had_not_counted_yet(pictures: Path, tmp_path: Path) -> None:
    good, recipe, folder = (pictures / "cat/00.png").read_bytes(), get_recipe("cifar10@16"), tmp_path / "some"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.png").write_bytes(b"" if name in "ac" else good)
    files, memory = list(picture_files(folder, "test")), tmp_path / "memory"
    assert len(list(PictureStream(files, recipe, (16, 16), memory).inputs())) == 2
    for name in "ac":
        (folder / f"{name}.png").write_bytes(good)
    later = PictureStream(files, recipe, (16, 16), memory)
    assert len(list(later.inputs(1))) == 1  # from d on: a and c lie before it
    assert later.names == ["b.png", "d.png"]
    later = PictureStream(files, recipe, (16, 16), memory)
    assert len(list(later.inputs(0))) == 3  # from b on
    assert later.names == ["b.png", "c.png", "d.png"]


def test_kernels_are_loaded_before_a_thread_could_do_it_while_a_model_is_read(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba, loaded by a thread in that moment, found functions of `math` that were none of its own, and failed."""
    pytest.importorskip("numba")
    resized: list[int] = []
    monkeypatch.setattr(fast, "_resized", 0)
    monkeypatch.setattr(
        sys.modules["photosite.cli.hierarchy"], "_look", lambda *_: resized.append(fast._resized) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        main(["hierarchy", *SMALL, str(pictures)])
    assert resized[0] > fast.PATIENCE


def test_a_picture_that_went_away_is_named(pictures: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.png"
    copy.write_bytes((pictures / "cat/00.png").read_bytes())
    stream = PictureStream(list(picture_files(tmp_path, "test")), get_recipe("cifar10@16"), (16, 16))
    assert len(list(stream.inputs())) == 1
    copy.unlink()
    with pytest.raises(RangeError, match=r"a\.png was there before and is not any more: "):
        list(stream.inputs_again())


def test_a_picture_of_another_size_is_left_out(pictures: Path) -> None:
    stream = PictureStream(list(picture_files(pictures / "cat", "test")), get_recipe("cifar10@16"), (8, 8))
    assert list(stream.inputs()) == []
    assert "00.png: becomes 16 × 16 pixels, not 8 × 8" in stream.left_out


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a.jpg", "b.jpg"], "2 of 2 pictures lie in no folder that could name its class"),
        (["x/a.jpg", "x/b.jpg"], "all pictures lie in one folder, x, so there is one class"),
    ],
)
def test_what_names_no_class(names: list[str], says: str) -> None:
    assert folder_labels(names) == ([], says)


def test_flat_photos_have_no_probe_and_it_is_said(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, *OF_4, pictures / "cat", "--signal", "none")
    assert found["classes"] == {}
    assert found["not_measured"].startswith("no probe: 10 of 10 pictures lie in no folder that could name its class")
    assert found["measures"]["layers"][0]["probe"] is None
    assert len(found["measures"]["layers"][0]["selectivity"]) == 4


@pytest.mark.slow
def test_classes_of_few_pictures_have_no_probe(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, *OF_4, pictures, "--at-most", "20", "--signal", "none")
    rarest = min((count, name) for name, count in found["classes"].items())
    assert found["pictures"] == sum(found["classes"].values()) == 17
    assert f"no probe: there are {rarest[0]} pictures of {rarest[1]}, fewer than 10" in found["not_measured"]


def test_named_layers_signals_and_another_model(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*OF_4, pictures, "--no-measures", "--layers", "deep, head", "--signal", "deconvnet", "--channels", "2"]
    found = asked(capsys, *words, "--against", "tests.cli.test_hierarchy:small")
    deep, head = found["layers"]
    assert (deep["name"], deep["op"], deep["shown"], len(deep["channels"])) == ("deep", "aten.conv2d.default", 2, 6)
    assert head["channels"][0]["top"][0]["input_box"] is None
    assert deep["channels"][0]["top"][0]["again"] == pytest.approx(
        deep["channels"][0]["top"][0]["activation"], rel=1e-4
    )
    assert "again" not in deep["channels"][2]["top"][0]
    assert any(note.startswith("deconvnet: there is no max pool") for note in found["notes"])
    against = found["against"]
    assert against["model"] == "tests.cli.test_hierarchy:small"
    assert np.shape(against["cka"]) == (2, len(against["layers"]))


def test_a_table_for_people(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hierarchy", *OF_4, str(pictures), "--no-measures"]) == 0
    text = capsys.readouterr().out
    assert "30, 3 left out" in text
    assert "6 channels, each place sees 5 × 5 px" in text
    assert "1 of 4 channels are 0 in every picture" in text
    assert "two of a channel's best 3 are of one class in" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--batch", "0"], "--batch wants at least 1, got 0"),
        (["--channels", "0"], "--channels wants at least 1, got 0"),
        (["--at-most", "0"], "--at-most wants at least 1, got 0"),
        (["--layers", "nowhere"], "no node or module named 'nowhere'"),
        (["--layers", " , "], "--layers wants names of nodes or modules"),
        (["--layers", "deep,deep"], "--layers names one layer twice"),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], says: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hierarchy", *SMALL, str(pictures), *words]) == 2
    printed = capsys.readouterr()
    assert says in printed.err.strip().splitlines()[-1]
    assert printed.out == ""


def test_where_no_picture_opens_or_none_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hierarchy", *OF_4, str(tmp_path)]) == 2
    assert "has no pictures in it" in capsys.readouterr().err
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main(["hierarchy", *OF_4, str(tmp_path)]) == 2
    assert "hierarchy: none of 1 pictures opens: a.png: " in capsys.readouterr().err
