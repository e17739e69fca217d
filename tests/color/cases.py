"""Colors for all tests of this folder: a lattice of levels, every gray, a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Levels = npt.NDArray[np.uint8]


def lattice(step: int = 17) -> Levels:
    """Every combination of levels that are `step` apart, (N, 3); with the corners of the cube if 255 is a multiple."""
    levels = np.arange(0, 256, step, dtype=np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)


def slices_of_all_colors() -> list[Levels]:
    """All 16.7 million colors in 256 pieces of (256, 256, 3), one for each level of red."""
    levels = np.arange(256, dtype=np.uint8)
    green, blue = np.meshgrid(levels, levels, indexing="ij")
    return [np.stack([np.full_like(green, red), green, blue], axis=-1) for red in range(256)]


LATTICE = lattice()
GRAYS: Levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def photo(path: Path) -> Levels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def largest(difference: npt.NDArray[np.floating]) -> float:
    return float(np.abs(difference).max())
