"""CIFAR-10 in its published form: pickled batches, read without letting them run anything."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import DatasetError

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""The five names that a pickled dictionary of arrays and lists needs; none of them can reach further."""


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows arrays, dictionaries, lists, text and numbers, and nothing that could act."""

    def find_class(self, module: str, name: str) -> Any:
        """Allow the names in `_ALLOWED`; refuse everything else."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no batch of pictures needs")
        return super().find_class(module, name)


def find_batches(folder: Path) -> list[Path]:
    """Files of CIFAR-10's Python version in `folder`: its training batches, else its test batch, else none."""
    for place in (folder, folder / "cifar-10-batches-py"):
        training = sorted(place.glob("data_batch_[1-9]"))
        if training:
            return training
        if (place / "test_batch").is_file():
            return [place / "test_batch"]
    return []


def read_batches(paths: list[Path]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """Read pictures (N, 32, 32, 3) uint8, labels (N,) and class names from pickled batches.

    Class names come from `batches.meta` beside them; without it classes are named by their numbers.

    Raises:
        DatasetError: a file is damaged, holds something else, or would run code.
    """
    pictures: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    for path in paths:
        batch = _read(path)
        data = batch.get(b"data", batch.get("data"))
        found = batch.get(b"labels", batch.get("labels"))
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
            raise DatasetError(f"CIFAR batch {path}: 'data' wants uint8 (N, 3072)")
        if not isinstance(found, list) or len(found) != len(data):
            raise DatasetError(f"CIFAR batch {path}: 'labels' wants a list of {len(data)} numbers")
        pictures.append(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.extend(int(label) for label in found)
    names: tuple[str, ...] = tuple(str(number) for number in range(max(labels) + 1))
    meta = paths[0].parent / "batches.meta"
    if meta.is_file():
        known = _read(meta)
        listed = known.get(b"label_names", known.get("label_names")) or []
        if len(listed) > max(labels):
            names = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in listed)
    return np.ascontiguousarray(np.concatenate(pictures)), np.array(labels, dtype=np.int64), names


def _read(path: Path) -> dict[Any, Any]:
    """Unpickle one file as a dictionary of plain data."""
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DatasetError(f"CIFAR batch {path}: not readable: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"CIFAR batch {path}: wants a dictionary, got {type(content).__name__}")
    return content
