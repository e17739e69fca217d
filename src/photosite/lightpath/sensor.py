"""The last step back: from the upright photo to the picture as it is stored, and to the photosites behind the mosaic.

Exact for demosaicing by fixed weights; what chooses its weights by the picture (Menon's) is refused, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, UnknownNameError
from photosite.prep.upright import swapped
from photosite.sensor.bayer import channel_at
from photosite.sensor.demosaic import METHODS

Box = tuple[int, int, int, int]
LINEAR = ("bilinear", "malvar")
"""Methods whose weights are fixed."""
REACH = 2
"""No photosite has a say farther away than this, down or across."""


@dataclass(frozen=True, eq=False)
class Photosites:
    """The photosites that some pixels are made of.

    Attributes:
        box: (top, left, bottom, right) on the sensor, half open, all of them inside.
        mask: (bottom - top, right - left), which of those in the box count.
    """

    box: Box
    mask: npt.NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.mask))


def stored_box(box: Box, size_hw: tuple[int, int], orientation: int) -> Box:
    """Where a box of the upright photo lies in the picture as it is stored.

    Args:
        box: (top, left, bottom, right), half open.
        size_hw: of the upright photo.
        orientation: of EXIF, 1 … 8.
    Raises:
        RangeError: there is no such orientation.

    >>> stored_box((0, 0, 1, 2), (3, 4), 6)  # the stored picture is turned clockwise to be upright
    (2, 0, 4, 1)
    """
    if not 1 <= orientation <= 8:
        raise RangeError(f"orientation: wants 1 … 8, got {orientation}")
    height, width = swapped(size_hw, orientation)
    top, left, bottom, right = box
    if orientation >= 5:
        top, left, bottom, right = left, top, right, bottom
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    return top, left, bottom, right


def photosites(
    box: Box,
    size_hw: tuple[int, int],
    *,
    orientation: int = 1,
    pattern: str = "RGGB",
    method: str = "malvar",
) -> Photosites:
    """Which photosites the pixels of a box were made of.

    Args:
        box: (top, left, bottom, right) in the upright photo, half open, inside of it.
        size_hw: of the upright photo, which has as many pixels as the sensor has photosites.
        orientation: of EXIF, 1 … 8.
        pattern: of the mosaic, as `photosite.sensor` names it.
        method: one of `LINEAR`.
    Raises:
        UnknownNameError: no such pattern, or a method whose weights are not fixed.
        RangeError: the box does not lie in the photo, or there is no such orientation.

    >>> photosites((10, 10, 11, 11), (40, 40), method="bilinear").mask.astype(int).tolist()  # a red one: all around it
    [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    >>> photosites((10, 11, 11, 12), (40, 40), method="bilinear").mask.astype(int).tolist()  # a green one: a cross
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    if not (0 <= box[0] < box[2] <= size_hw[0] and 0 <= box[1] < box[3] <= size_hw[1]):
        raise RangeError(f"photosites: the box {box} does not lie in a photo of {size_hw[0]} × {size_hw[1]}")
    top, left, bottom, right = stored_box(box, size_hw, orientation)
    height, width = swapped(size_hw, orientation)
    low, first = max(top - REACH, 0), max(left - REACH, 0)
    high, last = min(bottom + REACH, height), min(right + REACH, width)
    mask = np.zeros((high - low, last - first), bool)
    rows, columns = np.arange(low, high)[:, None], np.arange(first, last)[None]
    for (phase_y, phase_x), reached in _influence(pattern, method).items():
        own = (rows % 2 == phase_y) & (columns % 2 == phase_x)
        for down in range(-REACH, REACH + 1):
            for across in range(-REACH, REACH + 1):
                if reached[down + REACH, across + REACH]:
                    y, x = rows + down, columns + across
                    mask |= own & (y >= top) & (y < bottom) & (x >= left) & (x < right)
    some_rows, some_columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = (slice(some_rows[0], some_rows[-1] + 1), slice(some_columns[0], some_columns[-1] + 1))
    found = (low + int(some_rows[0]), first + int(some_columns[0]))
    mask = mask[cut]
    return Photosites((*found, found[0] + mask.shape[0], found[1] + mask.shape[1]), mask)


@cache
def _influence(pattern: str, method: str) -> dict[tuple[int, int], npt.NDArray[np.bool_]]:
    """For a photosite in each corner of the pattern, the pixels around it that it has a say in: (5, 5) each.

    Read off the method itself: what one photosite that is 1 among zeros becomes.
    """
    channel_at(pattern)  # refuses what is no pattern
    if method not in LINEAR:
        raise UnknownNameError("demosaicing with fixed weights", method, LINEAR)
    found = {}
    for phase in ((0, 0), (0, 1), (1, 0), (1, 1)):
        raw = np.zeros((16, 16))
        place = (8 + phase[0], 8 + phase[1])
        raw[place] = 1
        pixels = (METHODS[method](raw, pattern) != 0).any(-1)
        found[phase] = pixels[place[0] - REACH : place[0] + REACH + 1, place[1] - REACH : place[1] + REACH + 1]
    return found
