"""Golden vectors: what a front end makes of a few pictures, stage by stage, for runtimes in other languages.

A folder holds `manifest.json` and one file for each array: its numbers in C order, little-endian, with nothing around
them. The manifest gives for each picture its size, EXIF orientation and stages in order: name, file, dtype, shape and
sha256. The stages are "stored" (as decoded), "upright", "tiles" (one after the other, flattened) and "input".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import CorruptWeightsError, PhotositeError
from photosite.files import write_whole
from photosite.prep.upright import swapped, upright_array
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.suspects import explain
from photosite.tokens.tile import run

Array = npt.NDArray[Any]
PICTURES: tuple[tuple[tuple[int, int], int], ...] = (((60, 80), 1), (((97, 301)), 1), ((150, 110), 6))
"""Height and width as stored, and orientation."""
MOST_BYTES = 1 << 30
"""A stage that claims more is refused."""
DTYPES = {"uint8": "<u1", "float32": "<f4"}


def golden_picture(size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A picture that every language can make: whole numbers alone.

    Args:
        size_hw: height and width.
    Returns:
        (H, W, 3) uint8: channel c at row y, column x is ((7x + 13y + 29c + (xy >> 4)) xor 5x) mod 256.

    >>> golden_picture((2, 3))[1, 2].tolist()
    [17, 50, 95]
    """
    y, x, c = np.ogrid[: size_hw[0], : size_hw[1], :3]
    mixed = (7 * x + 13 * y + 29 * c + (x * y >> 4)) ^ (5 * x)
    picture: npt.NDArray[np.uint8] = (mixed & 255).astype(np.uint8)
    return picture


def stages(front_end: FrontEnd, stored: npt.NDArray[np.uint8], orientation: int) -> Iterator[tuple[str, Array]]:
    """What becomes of a picture, in order.

    Args:
        front_end: from `photosite.tokens.front_end`.
        stored: (H, W, 3) uint8, as decoded.
        orientation: of EXIF.
    """
    yield "stored", stored
    upright = np.ascontiguousarray(upright_array(stored, orientation))
    yield "upright", upright
    tiles = front_end.tiles((upright.shape[0], upright.shape[1]))
    yield "tiles", np.concatenate([tile.ravel() for tile in run(upright, tiles)])
    yield "input", front_end.prepare(upright).values


def write_golden(front_end: FrontEnd, folder: Path) -> list[str]:
    """Write the golden vectors of a front end.

    Args:
        front_end: from `photosite.tokens.front_end`.
        folder: made where it is not there.
    Returns:
        The files that were written.
    Raises:
        PhotositeError: the folder cannot be written.
    """
    pictures, written = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (size_hw, orientation) in enumerate(PICTURES):
            entries = []
            for name, array in stages(front_end, golden_picture(size_hw), orientation):
                data = np.ascontiguousarray(array, DTYPES[str(array.dtype)]).tobytes()
                file = f"picture-{number}.{name}.bin"
                write_whole(folder / file, data)
                written.append(file)
                entries.append(
                    {
                        "name": name,
                        "file": file,
                        "dtype": str(array.dtype),
                        "shape": list(array.shape),
                        "sha256": hashlib.sha256(data).hexdigest(),
                    }
                )
            pictures.append({"stored_hw": list(size_hw), "orientation": orientation, "stages": entries})
        manifest = {"front_end": front_end.name, "source": front_end.source, "pictures": pictures}
        write_whole(folder / "manifest.json", f"{json.dumps(manifest, indent=1)}\n".encode())
    except OSError as error:
        raise PhotositeError(f"golden: cannot write to {folder}: {error.strerror or error}") from error
    return [*written, "manifest.json"]


@dataclass(frozen=True)
class Divergence:
    """The first stage in which a runtime differs.

    Attributes:
        picture: its number.
        stage: its name.
        differing: how many numbers differ by more than the tolerance.
        of: how many there are.
        most: by how much at most; None where the shapes differ.
        said: what it looks like, in words; "" where nothing fits.
    """

    picture: int
    stage: str
    differing: int
    of: int
    most: float | None
    said: str


TOLERANCES = {"stored": 0.0, "upright": 0.0, "tiles": 1.0, "input": 0.02}
"""Levels may differ by one, numbers by what one level is worth."""


def conform(front_end: FrontEnd, dump: Path) -> Divergence | None:
    """Compare what a runtime made with the golden vectors; gives the first stage that diverges.

    Args:
        front_end: from `photosite.tokens.front_end`.
        dump: a folder in the layout of `write_golden`; stages that a runtime does not have can be missing.
    Returns:
        None where all agrees.
    Raises:
        CorruptWeightsError: the dump cannot be read.
    """
    manifest = _manifest(dump)
    for number, (size_hw, orientation) in enumerate(PICTURES[: len(manifest)]):
        theirs = {entry["name"]: entry for entry in manifest[number]}
        made: dict[str, Array] = {}
        for name, wanted in stages(front_end, golden_picture(size_hw), orientation):
            made[name] = wanted
            if name not in theirs:
                continue
            found = _read(dump, theirs[name])
            if found.shape != wanted.shape:
                said = f"its shape is {found.shape}, wanted {wanted.shape}"
                return Divergence(number, name, wanted.size, wanted.size, None, said)
            far = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
            differing = int(np.count_nonzero(~(far <= TOLERANCES[name])))
            if differing:
                upright_hw = swapped(size_hw, orientation)
                said = explain(front_end, name, found, made, upright_hw)
                return Divergence(number, name, differing, wanted.size, float(far.max()), said)
    return None


def _manifest(dump: Path) -> list[list[dict[str, Any]]]:
    try:
        found = json.loads((dump / "manifest.json").read_bytes())
        return [
            [{key: entry[key] for key in ("name", "file", "dtype", "shape")} for entry in picture["stages"]]
            for picture in found["pictures"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptWeightsError(f"{dump}: no manifest.json of golden vectors: {type(error).__name__}") from error


def _read(dump: Path, entry: dict[str, Any]) -> Array:
    """Read one array; a file outside of the folder, or of another size than it claims, is refused."""
    file, shape, dtype = entry["file"], entry["shape"], entry["dtype"]
    whole = isinstance(shape, list) and all(type(side) is int and side >= 0 for side in shape)
    if not isinstance(file, str) or Path(file).name != file or dtype not in tuple(DTYPES) or not whole:
        raise CorruptWeightsError(f"{dump}: an entry of its manifest is not understood: {str(entry)[:100]}")
    kind = np.dtype(DTYPES[dtype])
    wanted = math.prod(shape) * kind.itemsize
    path = dump / file
    try:
        size = path.stat().st_size
        if size != wanted or size > MOST_BYTES:
            raise CorruptWeightsError(f"{path}: has {size:,} bytes, its shape wants {wanted:,}")
        return np.frombuffer(path.read_bytes(), kind).reshape(shape)
    except OSError as error:
        raise CorruptWeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
