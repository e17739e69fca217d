"""Pictures sorted into classes, decoded once into memory: from a folder, a zip, or CIFAR-10 batches."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from photosite.errors import DatasetError, PictureError
from photosite.prep.load import load
from photosite.prep.recipe import Recipe
from photosite.train.cifar_batches import find_batches, read_batches

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".avif"})
MAX_MEMBER_BYTES = 64 * 2**20
"""A zip member that says it unpacks to more is refused unread."""


@dataclass(frozen=True)
class Dataset:
    """Pictures of one size with their classes.

    `pictures` is (N, H, W, 3) uint8, sRGB; `labels` is (N,) int64 into `classes`, which are sorted by name.
    """

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.labels)


@dataclass(frozen=True)
class _Entry:
    """One picture file, not yet read."""

    name: str
    label: str
    read: Callable[[], bytes]


def read_dataset(path: str | Path, recipe: Recipe) -> Dataset:
    """Decode every picture under `path`, resized and cropped as `recipe` says, but not normalized.

    Args:
        path: a folder of class folders, a zip of class folders, or a folder with torchvision's CIFAR-10 batches
            (`cifar-10-batches-py`); the class of a picture is the name of the folder that it lies in.
        recipe: gives all pictures the same size.

    Returns:
        All pictures, in the order of their names, so that the same data always gives the same arrays.

    Raises:
        DatasetError: nothing there, fewer than two classes, or pictures that do not open (the first ones are named).
    """
    place = Path(path)
    if not place.exists():
        raise DatasetError(f"training data {place}: no such file or folder")
    if place.is_dir() and (batches := find_batches(place)):
        pictures, labels, classes = read_batches(batches)
        return Dataset(_sized(pictures, recipe), labels, classes)
    if place.is_dir():
        return _decode(place, list(_folder_entries(place)), recipe)
    if not zipfile.is_zipfile(place):
        raise DatasetError(
            f"training data {place}: wants a folder of class folders, a zip of them, or CIFAR-10 batches"
        )
    with zipfile.ZipFile(place) as archive:
        return _decode(place, list(_zip_entries(place, archive)), recipe)


def _folder_entries(place: Path) -> Iterator[_Entry]:
    """Every picture one folder deep."""
    for path in sorted(place.glob("*/*")):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            yield _Entry(f"{path.parent.name}/{path.name}", path.parent.name, path.read_bytes)


def _zip_entries(place: Path, archive: zipfile.ZipFile) -> Iterator[_Entry]:
    """Every picture in a zip; how deep the class folders lie does not matter."""
    for member in sorted(archive.infolist(), key=lambda item: item.filename):
        name = PurePosixPath(member.filename)
        if member.is_dir() or name.suffix.lower() not in PICTURE_SUFFIXES or "__MACOSX" in name.parts:
            continue
        if member.file_size > MAX_MEMBER_BYTES:
            raise DatasetError(
                f"training data {place}: {member.filename!r} unpacks to {member.file_size} bytes, "
                f"at most {MAX_MEMBER_BYTES} are allowed"
            )
        if len(name.parts) < 2:
            raise DatasetError(f"training data {place}: {member.filename!r} lies in no class folder")
        yield _Entry(member.filename, name.parts[-2], lambda member=member: archive.read(member))  # type: ignore[misc]


def _decode(place: Path, entries: list[_Entry], recipe: Recipe) -> Dataset:
    """Open all entries in two threads and stack them."""
    classes = tuple(sorted({entry.label for entry in entries}))
    if len(classes) < 2:
        raise DatasetError(f"training data {place}: wants pictures in at least two class folders, found {len(classes)}")

    def open_one(entry: _Entry) -> npt.NDArray[np.uint8] | str:
        try:
            return recipe.cropped(recipe.resized(load(entry.read())))
        except PictureError as error:
            return f"{entry.name}: {error.code}: {error.detail}"
        except (OSError, zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: an encrypted zip member
            return f"{entry.name}: {error}"

    with ThreadPoolExecutor(max_workers=2) as pool:
        opened = list(pool.map(open_one, entries))
    failed = [result for result in opened if isinstance(result, str)]
    if failed:
        raise DatasetError(
            f"training data {place}: {len(failed)} of {len(entries)} pictures do not open: {'; '.join(failed[:3])}"
        )
    pictures = np.stack([result for result in opened if not isinstance(result, str)])
    labels = np.array([classes.index(entry.label) for entry in entries], dtype=np.int64)
    return Dataset(pictures, labels, classes)


def _sized(pictures: npt.NDArray[np.uint8], recipe: Recipe) -> npt.NDArray[np.uint8]:
    """Bring pictures that are decoded already to the recipe's size."""
    if recipe.cropped(recipe.resized(pictures[0])).shape == pictures[0].shape:
        return pictures
    return np.stack([recipe.cropped(recipe.resized(picture)) for picture in pictures])
