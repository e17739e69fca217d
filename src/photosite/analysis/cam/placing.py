"""A map of places over the input, and over the photo that the input was made from.

Peers stretch a map over the input as if its places were tiles. A network's places need not lie so: of a ResNet the
first one is centered at the first pixel, and not in the middle of the first tile. Where fields are known, both can be
had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from photosite.analysis.receptive_field import ReceptiveField
from photosite.prep.geometry import Geometry

Array = npt.NDArray[np.floating]
How = Literal["tiles", "fields"]


@dataclass(frozen=True)
class Placing:
    """Where the places of a map lie in the input.

    Attributes:
        first: pixel coordinates of the first place's center, down and across; 0 is the center of the first pixel.
        jump: pixels from one place to the next.
        how: "tiles" or "fields".
    """

    first: tuple[float, float]
    jump: tuple[float, float]
    how: How

    def centers(self, grid: tuple[int, int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of all rows and of all columns of places, in pixels of the input.

        Args:
            grid: how many rows and columns there are.

        >>> Placing((1.5, 0.0), (4.0, 2.0), "tiles").centers((2, 3))
        ((1.5, 5.5), (0.0, 2.0, 4.0))
        """
        y, x = (
            tuple(first + jump * number for number in range(count))
            for first, jump, count in zip(self.first, self.jump, grid, strict=True)
        )
        return y, x


def tiles(grid: tuple[int, int], input_hw: tuple[int, int]) -> Placing:
    """Places as tiles that fill the input, as peers draw them.

    Args:
        grid: rows and columns.
        input_hw: size of the input.
    """
    jump = (input_hw[0] / grid[0], input_hw[1] / grid[1])
    return Placing(((jump[0] - 1) / 2, (jump[1] - 1) / 2), jump, "tiles")


def fields(one: ReceptiveField) -> Placing | None:
    """Places where the centers of their receptive fields are; None where these are not known.

    Args:
        one: the field of the layer's value.
    """
    if not one.known or not one.depends or one.grid is None or one.size is None:
        return None
    down, across = (float(part) for part in one.jump)
    y, x = (float(part) - 0.5 for part in one.center((0, 0)))  # from corners to centers of pixels
    return Placing((y, x), (down, across), "fields") if down and across else None


def over_input(values: Array, placing: Placing, input_hw: tuple[int, int]) -> Array:
    """A map of places (h, w) at every pixel of the input, linear in between, constant beyond the outermost places.

    Args:
        values: (h, w).
        placing: where the places lie.
        input_hw: size of the input.
    Returns:
        (*input_hw) of the same type.
    Matches: torch's `interpolate(mode="bilinear", align_corners=False)` for tiles.
    """
    return _sampled(values, placing, *(np.arange(side, dtype=np.float64) for side in input_hw))


def over_photo(values: Array, placing: Placing, geometry: Geometry) -> Array:
    """A map of places at every pixel of the photo, NaN where the model did not get it.

    Args:
        values: (h, w).
        placing: where the places lie in the input.
        geometry: from the photo to the input.
    Returns:
        (H, W) of the photo.
    """
    points: list[npt.NDArray[np.float64]] = []
    for axis in (0, 1):
        centers = np.arange(geometry.picture_hw[axis]) + 0.5
        scale, offset = float(geometry.scale[axis]), float(geometry.offset[axis])
        points.append(np.asarray((centers - offset) / scale - 0.5, np.float64))
    found = _sampled(values, placing, points[0], points[1]).astype(np.float64)
    for axis, point in enumerate(points):
        outside = (point < -0.5) | (point >= geometry.input_hw[axis] - 0.5)
        found[(outside, slice(None)) if axis == 0 else (slice(None), outside)] = np.nan
    return found


def _sampled(values: Array, placing: Placing, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> Array:
    """The map at rows and columns of pixels."""
    for axis, points in enumerate((y, x)):
        side = values.shape[axis]
        at = np.clip((points - placing.first[axis]) / placing.jump[axis], 0, side - 1)
        low = np.minimum(np.floor(at).astype(np.int64), max(side - 2, 0))
        share = at - low
        high = np.minimum(low + 1, side - 1)
        shape = (-1, 1) if axis == 0 else (1, -1)
        values = values.take(low, axis) * (1 - share).reshape(shape) + values.take(high, axis) * share.reshape(shape)
    return values
