"""The fast way to the same bits: compiled kernels where Numba is installed, once they are worth loading, else Pillow.

Loading them takes about half a second (and a few seconds of compiling once per machine and version), so a program that
opens one photo never does.
"""

from __future__ import annotations

import importlib
import os
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from photosite.alone import MATH
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep.geometry import FILTER_SUPPORT
from photosite.prep.resample import FILTERS, rows_first
from photosite.shapes import as_size_hw, shape_text

Picture = npt.NDArray[np.uint8]

KINDS = tuple(FILTERS)
"""Filters that the kernels know, in the order of their numbers."""
PILLOW_MIXES_ROWS_FIRST = int(PIL.__version__.split(".")[0]) >= 13
"""Whether this Pillow has the order of `resample.rows_first`; an older one is led through it in two steps."""
PATIENCE = 24
"""How many pictures a process resizes before it loads the kernels; about as long as loading them takes."""

_NO_TABLE = np.zeros((3, 256), np.float32)  # what the kernels get in place of the result that is not asked for
_NO_LEVELS = np.zeros((0, 0, 3), np.uint8)
_NO_NUMBERS = np.zeros((3, 0, 0), np.float32)
_resized = 0


def resize(picture: Picture, size_hw: tuple[int, int], interpolation: str = "bilinear") -> Picture:
    """Resize a picture, antialiased.

    Args:
        picture: (H, W, 3) uint8.
        size_hw: (height, width) of the result, each at least 1.
        interpolation: 'nearest', 'box', 'bilinear', 'hamming', 'bicubic' or 'lanczos'.
    Returns:
        (*size_hw, 3) uint8, always a copy.
    Raises:
        ShapeError, RangeError: the picture is something else, or a side is below 1.
        UnknownNameError: there is no such filter.
    Matches: Pillow 13.0.0 `Image.resize((width, height), filter)`, bit for bit, for every picture and size.

    >>> resize(np.full((4, 6, 3), 7, np.uint8), (2, 2)).shape
    (2, 2, 3)
    """
    if interpolation not in FILTER_SUPPORT:
        raise UnknownNameError("interpolation", interpolation, FILTER_SUPPORT)
    height, width = as_size_hw(size_hw)
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ShapeError(f"resize: wants a picture (H, W, 3), got {shape_text(picture.shape)}")
    if picture.dtype != np.uint8:
        raise RangeError(f"resize: wants a uint8 picture, got {picture.dtype} {shape_text(picture.shape)}")
    if interpolation in KINDS and (width, height) != (picture.shape[1], picture.shape[0]) and wanted():
        levels = np.empty((height, width, 3), np.uint8)
        window(picture, (height, width), (0, 0), interpolation, levels=levels)
        return levels
    image, method = Image.fromarray(picture), Image.Resampling[interpolation.upper()]
    picture_hw = (picture.shape[0], picture.shape[1])
    if not PILLOW_MIXES_ROWS_FIRST and interpolation in KINDS and rows_first(picture_hw, (height, width)):
        image = image.resize((image.width, height), method)
    return np.array(image.resize((width, height), method))


def wanted(pictures: int = 1) -> bool:
    """Whether to take the kernels for the next pictures: they are installed, and enough pictures have been resized.

    PHOTOSITE_KERNELS=0 in the environment never takes them, PHOTOSITE_KERNELS=1 takes them from the start.
    """
    global _resized
    choice = os.environ.get("PHOTOSITE_KERNELS", "")
    if choice == "0":
        return False
    _resized += pictures
    return (_resized > PATIENCE or choice == "1") and kernels() is not None


def window(
    picture: Picture,
    size_hw: tuple[int, int],
    top_left: tuple[int, int],
    interpolation: str,
    *,
    levels: Picture | None = None,
    numbers: npt.NDArray[np.float32] | None = None,
    table: npt.NDArray[np.float32] | None = None,
) -> None:
    """Resize a picture and write a window of it, computing nothing else; the caller has asked `wanted`.

    Args:
        picture: (H, W, 3) uint8.
        size_hw: size of the whole resized picture.
        top_left: where in it the window begins, (row, column); the window must lie inside.
        interpolation: one of `KINDS`; of no consequence where the size stays.
        levels: (h, w, 3) uint8, contiguous, takes the window's levels; or
        numbers: (3, h, w) float32, contiguous, takes the window's numbers, and
        table: (3, 256) float32, the number that each level of each channel becomes.
    Matches: `resize` and slicing and looking up, bit for bit.
    """
    module = kernels()
    assert module is not None
    picture_hw = (picture.shape[0], picture.shape[1])
    shape = levels.shape[:2] if levels is not None else numbers.shape[1:] if numbers is not None else (0, 0)
    assert all(0 <= at <= side - kept for at, side, kept in zip(top_left, size_hw, shape, strict=True))
    module.resized_window(
        np.ascontiguousarray(picture),
        size_hw,
        shape,
        _plan(picture_hw, size_hw, top_left, shape, interpolation),
        rows_first(picture_hw, size_hw),
        _NO_TABLE if table is None else table,
        _NO_LEVELS if levels is None else levels,
        _NO_NUMBERS if numbers is None else numbers,
    )


@lru_cache(maxsize=16)
def _plan(
    picture_hw: tuple[int, int],
    size_hw: tuple[int, int],
    top_left: tuple[int, int],
    window_hw: tuple[int, int],
    interpolation: str,
) -> Any:
    """The kernels' plan for pictures of a size, which takes a tenth as long as the resizing; mostly some kilobytes."""
    windows = importlib.import_module("photosite.prep.windows")
    kind, support = KINDS.index(interpolation), float(FILTER_SUPPORT[interpolation])
    return windows.planned(picture_hw, size_hw, top_left, window_hw, kind, support)


@cache
def kernels() -> Any | None:
    """The compiled kernels, or None where Numba is missing or told not to compile."""
    with MATH:
        try:
            import numba
        except ImportError:
            return None
        return None if numba.config.DISABLE_JIT else importlib.import_module("photosite.prep.kernels")
