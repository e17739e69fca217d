"""A picture blurred more and more, octave by octave, and the places where the difference of two blurs is extreme."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

SIGMA = 1.6
"""Blur of the first picture of each octave, in its own pixels."""
LAYERS = 3
"""Extrema are looked for at so many scales an octave."""
SEEN_SIGMA = 0.5
"""The blur that a photo is taken to have already."""
CONTRAST = 0.04
"""Extrema weaker than this, of a full range of 1, shared among the layers, are left out."""
EDGE = 10.0
"""Extrema whose curvatures differ by more than this ratio lie on edges, and are left out."""
BORDER = 5
"""Pixels at each border where nothing is looked for."""
STEPS = 5
"""How often a place is corrected by the parabola through its neighbors."""


@dataclass(frozen=True)
class ScaleSpace:
    """Octaves of blurred pictures.

    Attributes:
        blurred: of each octave (LAYERS + 3, H, W), each octave half as large; the first one twice the picture.
        differences: of neighbors in it, (LAYERS + 2, H, W).
    """

    blurred: tuple[Array, ...]
    differences: tuple[Array, ...]


@dataclass(frozen=True)
class Extrema:
    """Places where a difference is larger or smaller than all 26 around it, one entry each.

    Attributes:
        octave: in the scale space, from 0.
        layer: of the difference, 1 … LAYERS.
        row: whole row in its octave.
        column: whole column in its octave.
        offset: (N, 3): what the parabola adds to layer, row and column.
        response: contrast there, of a full range of 1.
    """

    octave: npt.NDArray[np.intp]
    layer: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    offset: npt.NDArray[np.float64]
    response: npt.NDArray[np.float64]


def gaussian(sigma: float) -> Array:
    """The weights of a normal distribution at whole places, as many as reach four deviations; they sum to 1."""
    count = round(sigma * 8 + 1) | 1
    places = np.arange(count) - (count - 1) / 2
    weights = np.exp(-(places**2) / (2 * sigma**2))
    shares: Array = (weights / weights.sum()).astype(np.float32)
    return shares


def blur(picture: Array, sigma: float) -> Array:
    """Blur rows, then columns; mirrored at the borders, whose own pixels are not repeated.

    A picture smaller than the weights is mirrored again and again: `123 -> 1232|123|2123`.
    """
    weights = gaussian(sigma)
    reach = len(weights) // 2
    for axis in (1, 0):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach, reach)
        padded = np.pad(picture, pad, mode="reflect")
        side = picture.shape[axis]
        out = np.zeros_like(picture)
        for at, weight in enumerate(weights):
            out += weight * (padded[at : at + side] if axis == 0 else padded[:, at : at + side])
        picture = out
    return picture


def doubled(picture: Array) -> Array:
    """Twice as many rows and columns, linear between the centers of pixels."""
    for axis in (0, 1):
        side = picture.shape[axis]
        places = np.clip((np.arange(2 * side) + 0.5) / 2 - 0.5, 0, side - 1)
        low = np.floor(places).astype(np.intp)
        high = np.minimum(low + 1, side - 1)
        share = (places - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        picture = picture.take(low, axis) * (1 - share) + picture.take(high, axis) * share
    return picture


def scale_space(picture: Array) -> ScaleSpace:
    """Blur a picture octave by octave.

    Args:
        picture: (H, W) float32, 0 … 255.
    Returns:
        Octaves until the shorter side has about four pixels left.
    Source: Lowe 2004, section 3, figure 1.
    """
    base = blur(doubled(picture), math.sqrt(max(SIGMA**2 - (2 * SEEN_SIGMA) ** 2, 0.01)))
    count = round(math.log2(min(base.shape)) - 2) + 1
    step = 2 ** (1 / LAYERS)
    further = [SIGMA * step**i * math.sqrt(step**2 - 1) for i in range(LAYERS + 2)]
    octaves: list[Array] = []
    for number in range(count):
        if number:
            half = octaves[-1][LAYERS]
            base = half[: half.shape[0] // 2 * 2 : 2, : half.shape[1] // 2 * 2 : 2]
        pictures = [base]
        for sigma in further:
            pictures.append(blur(pictures[-1], sigma))
        octaves.append(np.stack(pictures))
    return ScaleSpace(tuple(octaves), tuple(np.diff(octave, axis=0) for octave in octaves))


def extrema(space: ScaleSpace) -> Extrema:
    """Find the extrema of all octaves, to a fraction of a pixel and of a layer; weak ones and edges left out.

    Source: Lowe 2004, sections 3.1, 4 and 4.1; Brown and Lowe 2002 for the parabola.
    """
    parts: list[dict[str, Any]] = []
    for number, cube in enumerate(space.differences):
        layers, rows, columns = np.nonzero(_is_extreme(cube))
        found = _refined(cube, layers + 1, rows + BORDER, columns + BORDER)
        parts.append({"octave": np.full(len(found["row"]), number), **found})
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else _nothing()
    return Extrema(**joined)


def _nothing() -> dict[str, Any]:
    whole = dict.fromkeys(("octave", "layer", "row", "column"), np.zeros(0, np.intp))
    return {**whole, "offset": np.zeros((0, 3)), "response": np.zeros(0)}


def _is_extreme(cube: Array) -> npt.NDArray[np.bool_]:
    """Whether each place of the inner layers, off the borders, is as extreme as all around it, and strong enough."""
    high, low = cube, cube
    for axis in (0, 1, 2):
        slices = [[slice(None)] * 3 for _ in range(3)]
        for shift, one in enumerate(slices):
            one[axis] = slice(shift, cube.shape[axis] - 2 + shift)
        first, second, third = (tuple(one) for one in slices)
        high = np.maximum(np.maximum(high[first], high[second]), high[third])
        low = np.minimum(np.minimum(low[first], low[second]), low[third])
    inner = (slice(1, -1), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    around = (slice(None), slice(BORDER - 1, -BORDER + 1), slice(BORDER - 1, -BORDER + 1))
    here, least = cube[inner], math.floor(0.5 * CONTRAST / LAYERS * 255)
    extreme: npt.NDArray[np.bool_] = ((here > least) & (here >= high[around])) | (
        (here < -least) & (here <= low[around])
    )
    return extreme


def _refined(cube: Array, layer: Any, row: Any, column: Any) -> dict[str, Any]:
    """Move each place to the top of the parabola through its neighbors; drop what runs away, is weak, or an edge."""
    layer, row, column = (np.array(one, np.intp) for one in (layer, row, column))
    alive = np.arange(len(row))
    offset = np.zeros((len(row), 3))
    settled = np.zeros(len(row), bool)
    for _ in range(STEPS):
        slope, curve = _derivatives(cube, layer[alive], row[alive], column[alive])
        with np.errstate(all="ignore"):
            solvable = np.abs(np.linalg.det(curve)) > 0
        safe = np.where(solvable[:, None, None], curve, np.eye(3))
        shift = -np.linalg.solve(safe, slope[..., None])[..., 0]
        shift[~solvable] = 0
        offset[alive] = shift
        done = (np.abs(shift) < 0.5).all(1)
        settled[alive[done]] = True
        alive, shift = alive[~done], np.clip(shift[~done], -1e6, 1e6)
        step = np.rint(shift).astype(np.intp)
        layer[alive] += step[:, 0]
        row[alive] += step[:, 1]
        column[alive] += step[:, 2]
        inside = (1 <= layer[alive]) & (layer[alive] <= LAYERS)
        for place, side in ((row, cube.shape[1]), (column, cube.shape[2])):
            inside &= (place[alive] >= BORDER) & (place[alive] < side - BORDER)
        alive = alive[inside]
        if not len(alive):
            break
    layer, row, column, offset = layer[settled], row[settled], column[settled], offset[settled]
    slope, curve = _derivatives(cube, layer, row, column)
    contrast = cube[layer, row, column] / 255 + 0.5 * (slope * offset).sum(1)
    trace = curve[:, 1, 1] + curve[:, 2, 2]
    det = curve[:, 1, 1] * curve[:, 2, 2] - curve[:, 1, 2] ** 2
    kept = (np.abs(contrast) * LAYERS >= CONTRAST) & (det > 0) & (trace**2 * EDGE < (EDGE + 1) ** 2 * det)
    return {
        "layer": layer[kept],
        "row": row[kept],
        "column": column[kept],
        "offset": offset[kept],
        "response": np.abs(contrast[kept]),
    }


def _derivatives(cube: Array, layer: Any, row: Any, column: Any) -> tuple[Any, Any]:
    """Slopes (N, 3) and curvatures (N, 3, 3) along layer, row and column, of a full range of 1."""

    def at(*shift: int) -> Any:
        return cube[layer + shift[0], row + shift[1], column + shift[2]].astype(np.float64) / 255

    here = at(0, 0, 0)
    unit = np.eye(3, dtype=int)
    slope = np.stack([(at(*one) - at(*-one)) / 2 for one in unit], -1)
    curve = np.zeros((*here.shape, 3, 3))
    for i in range(3):
        curve[..., i, i] = at(*unit[i]) + at(*-unit[i]) - 2 * here
        for j in range(i):
            both, apart = unit[i] + unit[j], unit[i] - unit[j]
            curve[..., i, j] = curve[..., j, i] = (at(*both) + at(*-both) - at(*apart) - at(*-apart)) / 4
    return slope, curve
