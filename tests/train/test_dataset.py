"""Training pictures from folders, zips and CIFAR-10 batches, hostile ones included."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from photosite.errors import DatasetError
from photosite.prep.recipes import get_recipe
from photosite.train.dataset import read_dataset

RECIPE = get_recipe("cifar10")


def _png(seed: int, side: int = 32) -> bytes:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_folder_and_zip_give_the_same_arrays_in_the_order_of_names(tmp_path: Path) -> None:
    files = {"dog/b.png": _png(1), "cat/a.png": _png(2), "cat/c.png": _png(3)}
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"train/{name}", data)
            path = tmp_path / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        archive.writestr("train/readme.txt", "no picture")
        archive.writestr("__MACOSX/train/cat/._a.png", b"junk")
    folder, zipped = read_dataset(tmp_path / "folder", RECIPE), read_dataset(tmp_path / "d.zip", RECIPE)
    assert folder.classes == zipped.classes == ("cat", "dog")
    assert folder.labels.tolist() == zipped.labels.tolist() == [0, 0, 1]
    assert_array_equal(folder.pictures, zipped.pictures)
    assert_array_equal(folder.pictures[0], _pixels(files["cat/a.png"]))


def test_other_sizes_are_resized_by_the_recipe(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(_png(0, side=50))
    data = read_dataset(tmp_path, RECIPE)
    assert_array_equal(data.pictures[0], RECIPE.cropped(RECIPE.resized(_pixels(_png(0, side=50)))))


def _batch(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def test_cifar_batches_as_torchvision_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (4, 3072), np.uint8)
    _batch(folder / "data_batch_1", {b"data": data[:2], b"labels": [1, 0]})
    _batch(folder / "data_batch_2", {b"data": data[2:], b"labels": [0, 1]})
    _batch(folder / "batches.meta", {b"label_names": [b"airplane", b"automobile"]})
    read = read_dataset(tmp_path, RECIPE)
    assert read.classes == ("airplane", "automobile")
    assert read.labels.tolist() == [1, 0, 0, 1]
    # a row holds 1024 red values, then green, then blue, each row by row
    assert read.pictures[3, 5, 7].tolist() == [data[3, c * 1024 + 5 * 32 + 7] for c in range(3)]


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


def test_a_batch_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _batch(tmp_path / "data_batch_1", {b"data": _Runs(), b"labels": [0]})
    with pytest.raises(DatasetError, match="which no batch of pictures needs"):
        read_dataset(tmp_path, RECIPE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "wants a dictionary, got list"),
        ({b"data": np.zeros((2, 7), np.uint8), b"labels": [0, 1]}, r"'data' wants uint8 \(N, 3072\)"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "'labels' wants a list of 2 numbers"),
    ],
)
def test_other_batches_are_refused_in_words(tmp_path: Path, content: object, words: str) -> None:
    _batch(tmp_path / "data_batch_1", content)
    with pytest.raises(DatasetError, match=words):
        read_dataset(tmp_path, RECIPE)


def test_a_picture_that_does_not_open_is_named_and_nothing_is_dropped(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(_png(0))
    (tmp_path / "b/2.png").write_bytes(b"<html>404</html>")
    with pytest.raises(DatasetError, match=r"1 of 3 pictures do not open: b/2.png: not_an_image"):
        read_dataset(tmp_path, RECIPE)


def test_nothing_useful_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        read_dataset(tmp_path / "absent", RECIPE)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DatasetError, match="wants a folder of class folders"):
        read_dataset(tmp_path / "notes.txt", RECIPE)
    with pytest.raises(DatasetError, match="at least two class folders, found 0"):
        read_dataset(tmp_path, RECIPE)


def test_a_zip_member_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(65 * 2**20))
        archive.writestr("b/1.png", _png(0))
    with pytest.raises(DatasetError, match="unpacks to 68157440 bytes"):
        read_dataset(tmp_path / "bomb.zip", RECIPE)
