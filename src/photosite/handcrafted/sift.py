"""SIFT: places that are found again in another photo of the same thing, and 128 numbers that say what is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.handcrafted.scale_space import LAYERS, SIGMA, Array, Extrema, extrema, scale_space
from photosite.shapes import shape_text

ORIENTATION_BINS = 36
ORIENTATION_SIGMA = 1.5
"""Width of the window in which directions are counted, as a multiple of the keypoint's scale."""
PEAK = 0.8
"""Directions whose count is at least this share of the largest become keypoints of their own."""
CELLS, DIRECTIONS = 4, 8
"""A descriptor counts so many directions in so many cells, down and across."""
CELL_WIDTH = 3.0
"""Side of a cell, as a multiple of the keypoint's scale."""
CLIP = 0.2
"""No number is more than this share of the descriptor's length: one strong edge does not hide the others."""
SMALLEST = 12
"""Shortest side of a picture in which anything can be found."""
BLOCK = 2**22
"""Matching holds at most about so many distances at once, so that large photos fit in memory."""


@dataclass(frozen=True)
class Keypoints:
    """Places, one entry each.

    Attributes:
        x: column in pixels of the photo, 0 at the center of the first.
        y: row.
        size: diameter of what was looked at, in pixels.
        angle: the direction of its strongest edges in degrees, 0 … 360, clockwise from the x axis (y goes down).
        response: contrast, of a full range of 1.
        octave: of the scale space, from 0, which is twice the photo.
        layer: in it, 1 … 3.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    angle: npt.NDArray[np.float64]
    response: npt.NDArray[np.float64]
    octave: npt.NDArray[np.intp]
    layer: npt.NDArray[np.intp]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.x)


def sift(picture: npt.NDArray[np.generic]) -> tuple[Keypoints, npt.NDArray[np.float32]]:
    """Find keypoints, and describe what is around each.

    Args:
        picture: (H, W), gray, 0 … 255; color is brought to gray by whoever has it.
    Returns:
        N keypoints, and (N, 128) float32 of whole numbers 0 … 255: for each of 4 × 4 cells, row by row, how strong the
        edges of 8 directions are, relative to the keypoint's own direction.
    Raises:
        ShapeError: not a gray picture, or a side below 12.
        RangeError: not real numbers, or some outside 0 … 255, or NaN.
    Convention: the place in the doubled picture, halved; a pixel of the doubled picture is a quarter of a pixel off
        the photo's, and that is left as it is, as OpenCV leaves it.
    Matches: cv2.SIFT_create().detectAndCompute of OpenCV 5.0: on photos at least 99 of 100 of its keypoints, mostly
        within 0.001 px, and few others. Its arctangent is an approximation, good to 0.3 degrees: numbers of a
        descriptor can differ by 1 or 2, and a direction close to the limit can be taken by one and not by the other.
    Source: Lowe 2004, Distinctive Image Features from Scale-Invariant Keypoints.

    >>> disk = np.hypot(*np.mgrid[-32:32, -32:32]) < 8
    >>> keypoints, descriptors = sift(disk * 200.0)
    >>> descriptors.shape[1], bool(np.hypot(keypoints.x - 32, keypoints.y - 32).min() < 1)
    (128, True)
    """
    if picture.ndim != 2 or min(picture.shape) < SMALLEST:
        raise ShapeError(f"sift: wants (H, W), gray, sides of at least {SMALLEST}, got {shape_text(picture.shape)}")
    if picture.dtype.kind not in "buif":
        raise RangeError(f"sift: wants levels 0 … 255, got {picture.dtype}")
    if not (picture.min() >= 0 and picture.max() <= 255):  # NaN is neither
        raise RangeError(f"sift: wants levels 0 … 255, got {picture.min():g} … {picture.max():g}")
    space = scale_space(picture.astype(np.float32))
    found = extrema(space)
    scale = SIGMA * 2 ** ((found.layer + found.offset[:, 0]) / LAYERS)  # in pixels of its octave
    counts = np.zeros((len(found.row), ORIENTATION_BINS))
    for number in range(len(found.row)):
        around = space.blurred[found.octave[number]][found.layer[number]]
        place = (int(found.row[number]), int(found.column[number]))
        counts[number] = _orientations(around, place, float(scale[number]))
    keypoints = _keypoints(found, scale, *_peaks(counts))
    descriptors = np.zeros((len(keypoints), CELLS * CELLS * DIRECTIONS), np.float32)
    for number in range(len(keypoints)):
        octave = int(keypoints.octave[number])
        grown = 2.0 ** (1 - octave)  # from the photo's pixels to the octave's
        descriptors[number] = _descriptor(
            space.blurred[octave][keypoints.layer[number]],
            (float(keypoints.y[number] * grown), float(keypoints.x[number] * grown)),
            float(keypoints.angle[number]),
            float(keypoints.size[number] * grown / 2),
        )
    return keypoints, descriptors


def match(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], ratio: float = 0.75, *, mutual: bool = False
) -> npt.NDArray[np.intp]:
    """Pair descriptors of two photos: the nearest, where it is clearly nearer than the second nearest.

    Args:
        a: (N, D).
        b: (M, D).
        ratio: how much nearer, above 0; 1 takes the nearest unless the second is as near.
        mutual: only pairs that are each other's nearest.
    Returns:
        (K, 2): numbers in `a` and in `b`, by distance.
    Raises:
        ShapeError: the descriptors differ in length.
        RangeError: the ratio is not above 0 and at most 1, or a descriptor is not finite.
    Source: Lowe 2004, section 7.1.

    >>> match(np.float32([[0, 0], [9, 9]]), np.float32([[8, 9], [0, 1], [90, 90]])).tolist()
    [[0, 1], [1, 0]]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ShapeError(f"match: wants (N, D) and (M, D), got {shape_text(a.shape)} and {shape_text(b.shape)}")
    if not 0 < ratio <= 1:
        raise RangeError(f"match: wants a ratio above 0 and at most 1, got {ratio:g}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise RangeError("match: a descriptor is not finite")
    if not len(b):
        return np.zeros((0, 2), np.intp)
    nearest, first, second = np.zeros(len(a), np.intp), np.zeros(len(a)), np.full(len(a), np.inf)
    back, shortest = np.zeros(len(b), np.intp), np.full(len(b), np.inf)  # the nearest of each in b
    other = b.astype(np.float64)
    step = max(BLOCK // len(b), 1)
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        one = a[rows].astype(np.float64)
        squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
        distances = np.sqrt(np.maximum(squares, 0))
        nearest[rows] = distances.argmin(1)
        first[rows] = distances.min(1)
        if len(b) > 1:
            second[rows] = np.partition(distances, 1, 1)[:, 1]
        closer = distances.min(0) < shortest
        back[closer] = start + distances.argmin(0)[closer]
        shortest = np.minimum(shortest, distances.min(0))
    kept = first < ratio * second
    if mutual:
        kept &= back[nearest] == np.arange(len(a))
    pairs = np.stack([np.flatnonzero(kept), nearest[kept]], 1)
    return pairs[np.argsort(first[kept], kind="stable")]


def _keypoints(found: Extrema, scale: npt.NDArray[np.float64], which: Any, angles: Any) -> Keypoints:
    """Extrema and their directions in pixels of the photo; of equal ones, one."""
    grown = 2.0 ** (found.octave - 1)
    x, y = (found.column + found.offset[:, 2]) * grown, (found.row + found.offset[:, 1]) * grown
    table = np.stack([x[which], y[which], (2 * scale * grown)[which], angles], 1).reshape(-1, 4)
    _, first = np.unique(table.astype(np.float32), axis=0, return_index=True)
    first = np.sort(first)
    table, which = table[first], which[first]
    return Keypoints(
        x=table[:, 0],
        y=table[:, 1],
        size=table[:, 2],
        angle=table[:, 3],
        response=found.response[which],
        octave=found.octave[which],
        layer=found.layer[which],
    )


def _slopes(picture: Array, rows: Any, columns: Any) -> tuple[Any, Any]:
    """Strength and direction of edges at some places; degrees 0 … 360, counterclockwise as y goes down."""
    across = picture[rows, columns + 1] - picture[rows, columns - 1]
    up = picture[rows - 1, columns] - picture[rows + 1, columns]
    return np.hypot(across, up), np.rad2deg(np.arctan2(up, across)) % 360


def _window(picture: Array, row: int, column: int, radius: int) -> tuple[Any, Any]:
    """Rows and columns around a place that have neighbors on all sides, as offsets: (n, 1) and (1, m)."""
    height, width = picture.shape
    rows = np.arange(max(-radius, 1 - row), min(radius, height - 2 - row) + 1)
    columns = np.arange(max(-radius, 1 - column), min(radius, width - 2 - column) + 1)
    return rows[:, None], columns[None]


def _orientations(picture: Array, place: tuple[int, int], scale: float) -> Any:
    """How strong the edges of each of 36 directions are around a place.

    Source: Lowe 2004, section 5.
    """
    sigma = ORIENTATION_SIGMA * scale
    down, across = _window(picture, *place, round(3 * sigma))
    strength, degrees = _slopes(picture, place[0] + down, place[1] + across)
    weights = strength * np.exp(-(down**2 + across**2) / (2 * sigma**2))
    bins = np.rint(degrees * (ORIENTATION_BINS / 360)).astype(np.intp) % ORIENTATION_BINS
    return np.bincount(bins.ravel(), weights.ravel(), ORIENTATION_BINS)


def _peaks(counts: npt.NDArray[np.float64]) -> tuple[Any, Any]:
    """The directions with the largest counts: of which histogram, and degrees, by a parabola through its neighbors."""
    smooth = 6 / 16 * counts  # (N, 36)
    for shift, share in ((1, 4 / 16), (2, 1 / 16)):
        smooth += share * (np.roll(counts, shift, 1) + np.roll(counts, -shift, 1))
    before, after = np.roll(smooth, 1, 1), np.roll(smooth, -1, 1)
    high = smooth >= PEAK * smooth.max(1, keepdims=True)
    which, bins = np.nonzero((smooth > before) & (smooth > after) & high)
    before, here, after = (one[which, bins] for one in (before, smooth, after))
    top = bins + 0.5 * (before - after) / (before - 2 * here + after)
    return which, (360 - 360 / ORIENTATION_BINS * (top % ORIENTATION_BINS)) % 360


def _descriptor(picture: Array, place: tuple[float, float], angle: float, scale: float) -> npt.NDArray[np.float32]:
    """How strong the edges of each direction are in each cell, turned to the keypoint's direction.

    Each edge counts for the two nearest cells, down and across, and the two nearest directions, by nearness.

    Source: Lowe 2004, section 6.
    """
    height, width = picture.shape
    turn = (360 - angle) % 360
    side = CELL_WIDTH * scale
    cos, sin = math.cos(math.radians(turn)) / side, math.sin(math.radians(turn)) / side
    radius = min(round(side * math.sqrt(2) * (CELLS + 1) / 2), int(math.hypot(height, width)))
    row, column = round(place[0]), round(place[1])
    down, across = _window(picture, row, column, radius)
    along, over = across * cos - down * sin, across * sin + down * cos
    rows, columns = over + CELLS / 2 - 0.5, along + CELLS / 2 - 0.5
    near = (rows > -1) & (rows < CELLS) & (columns > -1) & (columns < CELLS)
    at_row, at_column = np.broadcast_arrays(row + down, column + across)
    strength, degrees = _slopes(picture, at_row[near], at_column[near])
    weights = strength * np.exp(-(along**2 + over**2)[near] / (CELLS**2 / 2))
    directions = (degrees - turn) * (DIRECTIONS / 360)
    sizes = (CELLS + 2, CELLS + 2, DIRECTIONS)  # a rim of cells takes what falls outside
    votes, bins = weights[None], np.zeros((1, len(weights)), np.intp)
    for at, size in zip((rows[near] + 1, columns[near] + 1, directions), sizes, strict=True):
        low = np.floor(at).astype(np.intp)
        share = at - low
        votes = np.concatenate([votes * (1 - share), votes * share])  # (2, n), then (4, n), (8, n)
        bins = np.concatenate([bins * size + low % size, bins * size + (low + 1) % size])
    counts = np.bincount(bins.ravel(), votes.ravel(), math.prod(sizes))
    found = counts.reshape(sizes)[1:-1, 1:-1].ravel()
    found = np.minimum(found, CLIP * np.sqrt((found**2).sum()))
    found *= 512 / max(math.sqrt((found**2).sum()), 1e-7)
    whole: npt.NDArray[np.float32] = np.clip(np.rint(found), 0, 255).astype(np.float32)
    return whole
