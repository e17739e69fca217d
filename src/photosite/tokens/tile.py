"""How a photo becomes one picture that an encoder gets: resized, cut, padded, step by step.

Every step works on rows and columns separately, so that it can be followed backwards exactly. Knows no front end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.prep import fast
from photosite.prep.resample import shares

Picture = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float32]
Size = tuple[int, int]
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Resized:
    """All of what is there, brought to a size.

    Attributes:
        size_hw: height and width.
        interpolation: one of Pillow's filters.
        antialias: whether the filter widens where the picture shrinks, as Pillow's does.
        rounded: whether whole levels come out, as Pillow gives them; otherwise numbers that are resized as they are,
            as tensors of floating point are.
    """

    size_hw: Size
    interpolation: str
    antialias: bool = True
    rounded: bool = True

    def __post_init__(self) -> None:
        """Only numbers are resized without antialiasing here."""
        assert self.antialias or not self.rounded


@dataclass(frozen=True)
class Window:
    """A part of what is there; what lies beyond its borders is filled.

    Attributes:
        start_hw: row and column where it begins, negative where it begins before the first.
        size_hw: height and width.
        fill: the color beyond the borders.
    """

    start_hw: Size
    size_hw: Size
    fill: Color = (0, 0, 0)


Step = Resized | Window


@dataclass(frozen=True)
class Tile:
    """One picture that the encoder gets.

    Attributes:
        role: "base" for the whole photo, "tile" for a part of it.
        steps: what is done to the photo, in order; those that several tiles share come first.
        place: row and column among the tiles.
    """

    role: str
    steps: tuple[Step, ...]
    place: Size = (0, 0)

    @property
    def size_hw(self) -> Size:
        """Height and width of the picture."""
        return self.steps[-1].size_hw

    def scale(self, size_hw: Size) -> tuple[float, float]:
        """Photo pixels for each of its pixels, down and across, for a photo of a size."""
        down, across = 1.0, 1.0
        for step in self.steps:
            if isinstance(step, Resized):
                down, across = down * size_hw[0] / step.size_hw[0], across * size_hw[1] / step.size_hw[1]
            size_hw = step.size_hw
        return down, across


def run(picture: Picture, tiles: tuple[Tile, ...]) -> list[Picture | Numbers]:
    """Make all tiles of a photo; what they share is done once.

    Args:
        picture: (H, W, 3) uint8.
        tiles: of this photo's size.
    Returns:
        (h, w, 3) each: uint8, or float32 on the same scale where a step does not round.
    """
    made: dict[tuple[Step, ...], Picture | Numbers] = {(): picture}
    return [after(tile.steps, made) for tile in tiles]


def after(steps: tuple[Step, ...], made: dict[tuple[Step, ...], Picture | Numbers]) -> Picture | Numbers:
    """The picture after some steps; what was made before is taken, and what is made is kept in `made`."""
    if steps not in made:
        made[steps] = apply(after(steps[:-1], made), steps[-1])
    return made[steps]


def apply(picture: Picture | Numbers, step: Step) -> Picture | Numbers:
    """Do one step: (H, W, C) uint8 or float32 to (*size_hw, C); float32 where it does not round."""
    if isinstance(step, Resized):
        if picture.dtype != np.uint8 or not step.rounded:
            return _unrounded(picture.astype(np.float32, copy=False), step)
        # Pillow gives a copy where nothing changes, and so do its users
        return picture if picture.shape[:2] == step.size_hw else fast.resize(picture, step.size_hw, step.interpolation)  # type: ignore[arg-type]
    (top, left), (height, width) = step.start_hw, step.size_hw
    bottom, right = top + height, left + width
    inside = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if inside.shape[:2] == step.size_hw:
        return inside
    out = np.empty((height, width, picture.shape[2]), picture.dtype)
    out[:] = step.fill
    out[max(-top, 0) : max(-top, 0) + inside.shape[0], max(-left, 0) : max(-left, 0) + inside.shape[1]] = inside
    return out


def _unrounded(values: Numbers, step: Resized) -> Numbers:
    """Resize numbers in single precision, rows first.

    Matches: torch's `interpolate` of float32, with and without `antialias`, to 1e-6 of the range.
    """
    for axis in (0, 1):
        side = step.size_hw[axis]
        if values.shape[axis] == side:
            continue
        start, count, weights = shares(values.shape[axis], side, step.interpolation, antialias=step.antialias)
        across = (slice(None), None, None) if axis == 0 else (None, slice(None), None)
        total = np.zeros((*values.shape[:axis], side, *values.shape[axis + 1 :]), np.float32)
        for tap in range(int(count.max())):
            # behind the end of a window weights are 0, whatever stands there
            places = np.minimum(start + tap, values.shape[axis] - 1)
            total += values.take(places, axis) * weights[:, tap].astype(np.float32)[across]
        values = total
    return values
