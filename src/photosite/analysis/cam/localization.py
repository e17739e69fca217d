"""Does a map find the object? Pictures put together of others at known places, and two numbers of how a map answers.

Whoever put the picture together knows where each object is, without anybody's drawing of boxes; and a map that shows
whatever stands out is told from one that shows the class, since objects of other classes stand beside.

Source: the pointing game, Zhang et al. 2016; grids of objects and energy inside, Böhle, Fritz and Schiele 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError

Box = tuple[int, int, int, int]
"""Top, left, bottom, right, half open, in pixels."""
Picture = npt.NDArray[np.uint8]
TRIES = 1000
"""So often a place is looked for; a canvas that is nearly full has none."""


@dataclass(frozen=True, eq=False)
class Collage:
    """A picture put together of others.

    Attributes:
        picture: (H, W, 3) uint8.
        boxes: where each of them lies.
        labels: the class of each.
    """

    picture: Picture
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]


def scattered(
    pictures: Sequence[Picture],
    labels: Sequence[int],
    canvas_hw: tuple[int, int],
    generator: np.random.Generator,
    color: Sequence[int] = (124, 116, 104),
) -> Collage:
    """Put pictures at places by chance, none over another, on a canvas of one color.

    Args:
        pictures: (h, w, 3) uint8 each.
        labels: the class of each.
        canvas_hw: size of the canvas.
        generator: of the places.
        color: of the canvas, sRGB; ImageNet's mean if not given.
    Raises:
        ShapeError: a picture is larger than the canvas, or there are not as many labels.
        RangeError: no place was found for one: the canvas is too small.
    """
    if len(pictures) != len(labels):
        raise ShapeError(f"scattered: {len(pictures)} pictures, but {len(labels)} labels")
    canvas = np.empty((*canvas_hw, 3), np.uint8)
    canvas[:] = np.asarray(color, np.uint8)
    boxes: list[Box] = []
    for picture in pictures:
        height, width = picture.shape[:2]
        if height > canvas_hw[0] or width > canvas_hw[1]:
            raise ShapeError(f"scattered: a picture {height} × {width} on a canvas {canvas_hw[0]} × {canvas_hw[1]}")
        for _ in range(TRIES):
            top = int(generator.integers(canvas_hw[0] - height + 1))
            left = int(generator.integers(canvas_hw[1] - width + 1))
            box = (top, left, top + height, left + width)
            if not any(_overlap(box, other) for other in boxes):
                break
        else:
            raise RangeError(f"scattered: no place left for picture {len(boxes)} on {canvas_hw[0]} × {canvas_hw[1]}")
        canvas[top : top + height, left : left + width] = picture
        boxes.append(box)
    return Collage(canvas, tuple(boxes), tuple(labels))


def grid(pictures: Sequence[Picture], labels: Sequence[int], columns: int) -> Collage:
    """Put pictures of one size side by side, row by row.

    Args:
        pictures: (h, w, 3) uint8 each, as many as fill whole rows.
        labels: the class of each.
        columns: how many in a row.
    Raises:
        ShapeError: sizes differ, a row is not full, or there are not as many labels.
    """
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1 or columns < 1 or len(pictures) % columns or len(pictures) != len(labels):
        raise ShapeError(
            f"grid: wants full rows of {columns} pictures of one size with a label each, "
            f"got {len(pictures)} of {len(sizes)} sizes and {len(labels)} labels"
        )
    height, width = pictures[0].shape[:2]
    rows = [np.concatenate(pictures[at : at + columns], 1) for at in range(0, len(pictures), columns)]
    boxes = [
        (row * height, column * width, (row + 1) * height, (column + 1) * width)
        for row in range(len(rows))
        for column in range(columns)
    ]
    return Collage(np.concatenate(rows, 0), tuple(boxes), tuple(labels))


def points_inside(values: npt.NDArray[np.floating], box: Box) -> float:
    """Whether the largest number of a map lies in a box: 1 or 0, or the share of them where several are as large.

    Args:
        values: (H, W), a map over the input.
        box: of the object.
    Returns:
        0 … 1. Of a map that is the same everywhere it is the box's share of the area, which is chance.
    Raises:
        ShapeError: the box does not lie in the map.
        RangeError: the map is not finite.
    """
    _check("points_inside", values, box)
    largest = values == values.max()
    top, left, bottom, right = box
    return float(largest[top:bottom, left:right].sum() / largest.sum())


def energy_inside(values: npt.NDArray[np.floating], box: Box) -> float:
    """The share of a map's positive part that lies in a box.

    Args:
        values: (H, W), a map over the input.
        box: of the object.
    Returns:
        0 … 1. Of a map that is nowhere above 0 it is the box's share of the area, as of a flat one.
    Raises:
        ShapeError: the box does not lie in the map.
        RangeError: the map is not finite.
    """
    _check("energy_inside", values, box)
    positive = np.maximum(np.asarray(values, np.float64), 0)
    top, left, bottom, right = box
    if not positive.any():
        return (bottom - top) * (right - left) / positive.size
    return float(positive[top:bottom, left:right].sum() / positive.sum())


def _check(who: str, values: npt.NDArray[np.floating], box: Box) -> None:
    top, left, bottom, right = box
    if values.ndim != 2 or not (0 <= top < bottom <= values.shape[0] and 0 <= left < right <= values.shape[1]):
        raise ShapeError(f"{who}: wants a map (H, W) and a box in it, got {values.shape} and {box}")
    if not np.isfinite(values).all():
        raise RangeError(f"{who}: the map is not finite")


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
