"""A Gabor function fitted to small patterns: stripes under a Gaussian, or the Gaussian alone, or neither.

A grid of stripes and places gives the start, damped least squares the rest; color and phase follow in closed form. A
fit has to beat those to noise of the same size, and stripes those of another direction, or nothing is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from photosite.errors import ShapeError

Array = npt.NDArray[np.float64]

LEAST_SIDE = 3
"""Patterns of fewer rows or columns have no direction that could be told."""
WHOLE_FROM = 5
"""From so many rows and columns on, the Gaussian may be off the middle and elongated; below, it is neither."""
EXPLAINED = 0.6
"""A fit that leaves more than 40% of a pattern's energy unexplained names nothing, however small the pattern."""
NOISE_FITS = 300
NOISE_QUANTILE = 0.99
"""Where chance alone could reach `EXPLAINED`, a fit has to be better than that share of the fits to noise."""
VALUES_SURE = 120
"""A pattern of so many values or more is not reached by chance: fits to noise of 5 × 5 × 5 values stay below 0.6."""
HOPELESS = 0.2
"""A pattern of which no start explains this share is not fitted further: three times as much is out of reach."""
APART = 30.0
"""Degrees from which on stripes count as those of another direction."""
MARGIN = 0.1
"""Stripes have to explain so much more of a pattern's energy than any stripes of another direction."""
LOW_PASS = 0.5
"""Stripes that answer to a plain surface with this share of their greatest power, or more, are a blob."""

_DIRECTIONS = np.arange(12) * np.pi / 12
_ITERATIONS = 24
_AT_ONCE = 128


@dataclass(frozen=True)
class GaborFit:
    """What was found in a pattern.

    Attributes:
        kind: "oriented", "blob", or "none" where neither fits.
        orientation: of the stripes in degrees, 0 … 180, counterclockwise from horizontal; None unless oriented.
        frequency: in cycles a pixel, of the stripes that the fit answers to most; None unless oriented.
        explained: the share of the pattern's energy that the named fit has; that of some stripes where none is named.
        wanted: the least share for which anything is named, by size.
        margin: how much more of the energy stripes of that direction explain than those of any other; 0 where they
            explain less than `EXPLAINED`.
        center: of the Gaussian: y and x in pixels from the middle of the pattern.
        spread: its standard deviations, across the stripes and along them, in pixels.
        phase: of the stripes at the center, in degrees: 0 and 180 are a ridge, 90 and 270 an edge.
        color: the channels' part in it, a unit vector whose largest entry is positive.
    """

    kind: str
    orientation: float | None
    frequency: float | None
    explained: float
    wanted: float
    margin: float
    center: tuple[float, float]
    spread: tuple[float, float]
    phase: float
    color: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Fits:
    """Fits to N patterns of C channels and P places."""

    parameters: Array  # (N, 6): y, x, direction of the wave, and the logarithms of frequency and of both deviations
    explained: Array  # (N,)
    model: Array  # (N, C, P)
    color: Array  # (N, C)
    waves: Array  # (N, 2): of the cosine and of the sine
    margin: Array  # (N,)


def fit_gabors(patterns: npt.NDArray[np.floating], spacing: tuple[int, int] = (1, 1)) -> list[GaborFit]:
    """Fit a Gabor function of one color and one phase to each pattern.

    Args:
        patterns: (O, C, K, K), any sides.
        spacing: pixels from one value to the next, down and across; a kernel's dilation.
    Returns:
        One for each pattern; "none" for those of 0, those not finite, and those of fewer than 3 rows or columns.
    Raises:
        ShapeError: not four axes, or an empty one.
    Matches: the orientation and frequency of `skimage.filters.gabor_kernel`.

    >>> y, x = np.mgrid[-3:4, -3:4]
    >>> stripes = np.cos(2 * np.pi * 0.25 * x) * np.exp(-(x**2 + y**2) / 8)
    >>> (fit,) = fit_gabors(stripes[None, None])
    >>> fit.kind, round(fit.orientation, 1), round(fit.frequency, 2)
    ('oriented', 90.0, 0.25)
    """
    if patterns.ndim != 4 or patterns.size == 0:
        raise ShapeError(f"fit_gabors: wants patterns (O, C, K, K), none of them empty, got {patterns.shape}")
    height, width = patterns.shape[2:]
    flat = patterns.astype(np.float64).reshape(*patterns.shape[:2], -1)
    size = np.abs(flat).max(axis=(1, 2))
    usable = np.isfinite(size) & (size > 0)
    places = _places((height, width), spacing)
    if min(height, width) < LEAST_SIDE or not usable.any():
        return [_nothing(len(flat[0]))] * len(flat)
    scaled = flat[usable] / size[usable, None, None]
    # Two passes: stripes, and the Gaussian alone; each against what it makes of noise.
    whole = min(height, width) >= WHOLE_FROM
    striped, plain = (_fitted(scaled, places, spacing, whole, stripes) for stripes in (True, False))
    limits = chance((len(flat[0]), height, width), whole)
    found = iter(_judged(striped, plain, places, limits))
    return [next(found) if good else _nothing(len(flat[0])) for good in usable]


@cache
def chance(shape: tuple[int, int, int], whole: bool) -> tuple[float, float]:
    """The least shares of energy that stripes, and a Gaussian alone, have to explain in patterns of a shape.

    Args:
        shape: channels, rows, columns.
        whole: place and elongation are fitted too.
    """
    if shape[0] * shape[1] * shape[2] >= VALUES_SURE:
        return EXPLAINED, EXPLAINED
    noise = np.random.default_rng(0).normal(size=(NOISE_FITS, shape[0], shape[1] * shape[2]))
    found = [_fitted(noise, _places(shape[1:], (1, 1)), (1, 1), whole, stripes).explained for stripes in (True, False)]
    stripes, blob = (max(EXPLAINED, float(np.quantile(one, NOISE_QUANTILE))) for one in found)
    return stripes, blob


def _judged(striped: _Fits, plain: _Fits, places: Array, limits: tuple[float, float]) -> list[GaborFit]:
    """Stripes where they are sure, else a blob where that is, else nothing."""
    peak, low = _answers(striped, places)
    found = []
    for n in range(len(peak)):
        explained, margin = float(striped.explained[n]), float(striped.margin[n])
        oriented = explained >= limits[0] and margin >= MARGIN and low[n] < LOW_PASS
        blob = not oriented and plain.explained[n] >= limits[1]
        fits, wanted = (plain, limits[1]) if blob else (striped, limits[0])
        y, x, direction, *_ = fits.parameters[n]
        across, along = np.exp(fits.parameters[n, 4:])
        color, turned = fits.color[n], 0.0 if fits.color[n][np.abs(fits.color[n]).argmax()] >= 0 else 180.0
        phase = np.degrees(np.arctan2(-fits.waves[n, 1], fits.waves[n, 0])) + turned
        found.append(
            GaborFit(
                "oriented" if oriented else "blob" if blob else "none",
                float((90 - np.degrees(direction)) % 180) if oriented else None,
                float(peak[n]) if oriented else None,
                float(fits.explained[n]),
                wanted,
                margin,
                (float(y), float(x)),
                (float(across), float(along)),
                float(phase % 360) if oriented else 0.0,
                tuple(float(one) for one in (-color if turned else color)),
            )
        )
    return found


def _answers(fits: _Fits, places: Array) -> tuple[Array, Array]:
    """The frequency that each fit answers to most, and its power at frequency 0 as a share of the power there."""
    frequencies = np.linspace(0, 0.7, 281)
    direction = fits.parameters[:, 2]
    u = np.cos(direction)[:, None] * places[1] + np.sin(direction)[:, None] * places[0]
    pattern = np.einsum("nc,ncp->np", fits.color, fits.model)
    power = np.abs(np.einsum("np,npf->nf", pattern, np.exp(-2j * np.pi * u[..., None] * frequencies))) ** 2
    highest = np.abs(np.stack([np.cos(direction), np.sin(direction)])).max(0)
    power[frequencies > 0.5 / highest[:, None] + 1e-9] = 0  # what lies beyond is the same stripes once more
    top = power.argmax(1)
    return frequencies[top], power[:, 0] / power[np.arange(len(top)), top]


def _fitted(w: Array, places: Array, spacing: Sequence[int], whole: bool, stripes: bool) -> _Fits:
    """Fit all patterns (N, C, P), some at once."""
    grid = _grid(places, spacing, whole, stripes)
    bounds = _bounds(places, spacing)
    free = [0, 1, 2, 3, 4, 5] if whole and stripes else [0, 1, 2, 4, 5] if whole else [2, 3, 4] if stripes else [4]
    parts = [_some(w[k : k + _AT_ONCE], places, grid, bounds, free, stripes) for k in range(0, len(w), _AT_ONCE)]
    return _Fits(*(np.concatenate([getattr(one, name) for one in parts]) for name in _Fits.__dataclass_fields__))


def _some(w: Array, places: Array, grid: Array, bounds: Array, free: list[int], stripes: bool) -> _Fits:
    basis, _ = _basis(grid, places, stripes)
    products = np.einsum("ncp,akp->ncak", w, basis, optimize=True)
    share = _largest(np.einsum("ncaj,ncak->najk", products, products)) / (w**2).sum((1, 2))[:, None]
    parameters = grid[share.argmax(1)]
    worth = share.max(1) >= HOPELESS
    parameters[worth] = _refined(w[worth], places, parameters[worth], bounds, free, stripes)
    explained, model, color, waves = _linear(w, parameters, places, stripes)
    margin, sure = np.zeros(len(w)), explained >= EXPLAINED
    if stripes:
        away = _away(w[sure], places, grid, share[sure], parameters[sure, 2:3], bounds, free)
        margin[sure] = explained[sure] - _linear(w[sure], away, places, stripes)[0]
    return _Fits(parameters, explained, model, color, waves, margin)


def _away(
    w: Array, places: Array, grid: Array, share: Array, direction: Array, bounds: Array, free: list[int]
) -> Array:
    """The best stripes that are turned by `APART` degrees or more."""
    apart = np.radians(APART)
    turned = direction + apart + (grid[:, 2] - direction - apart) % np.pi
    best = np.where(turned <= direction + np.pi - apart + 1e-9, share, -1).argmax(1)
    start, (low, high) = grid[best], (np.repeat(one[None], len(w), 0) for one in bounds)
    start[:, 2] = turned[np.arange(len(w)), best]
    low[:, 2:3], high[:, 2:3] = direction + apart, direction + np.pi - apart
    return _refined(w, places, start, np.stack([low, high]), free, True)


def _refined(w: Array, places: Array, start: Array, bounds: Array, free: list[int], stripes: bool) -> Array:
    """Damped least squares (Levenberg, Marquardt) for all patterns side by side, of which there may be none."""
    if len(w) == 0:
        return start
    now, damping = start.copy(), np.full(len(w), 1e-2)
    explained, model, *_ = _linear(w, now, places, stripes)
    step = 1e-4
    for _ in range(_ITERATIONS):
        slopes = []
        for which in free:
            moved = now.copy()
            moved[:, which] += step
            slopes.append((_linear(w, moved, places, stripes)[1] - model).reshape(len(w), -1) / step)
        slope = np.stack(slopes, 1)  # (N, free, C P)
        rest = (w - model).reshape(len(w), -1)
        square, toward = slope @ slope.transpose(0, 2, 1), (slope @ rest[..., None])[..., 0]
        diagonal = np.einsum("nii->ni", square)
        held = damping[:, None] * diagonal + 1e-9 * diagonal.max(1, keepdims=True) + 1e-30
        moved = now.copy()
        moved[:, free] += np.linalg.solve(square + held[:, :, None] * np.eye(len(free)), toward[..., None])[..., 0]
        moved = np.clip(moved, *bounds)
        if 5 not in free:
            moved[:, 5] = moved[:, 4]  # round
        tried, other, *_ = _linear(w, moved, places, stripes)
        better = tried > explained
        now[better], explained[better], model[better] = moved[better], tried[better], other[better]
        damping = np.clip(np.where(better, damping / 4, damping * 4), 1e-7, 1e6)
    return now


def _linear(w: Array, parameters: Array, places: Array, stripes: bool) -> tuple[Array, Array, Array, Array]:
    """The best color and phase: share explained, pattern, color, and the parts of cosine and sine."""
    basis, back = _basis(parameters, places, stripes)
    products = w @ basis.transpose(0, 2, 1)  # (N, C, 2)
    square = products.transpose(0, 2, 1) @ products
    values, vectors = np.linalg.eigh(square)
    mix = vectors[..., -1]  # (N, 2): of the orthonormal basis
    color = (products @ mix[..., None])[..., 0]
    model = color[..., None] * (mix[:, None, :] @ basis)
    length = np.maximum(np.linalg.norm(color, axis=1, keepdims=True), 1e-30)
    waves = np.zeros((len(w), 2))
    waves[:, : mix.shape[1]] = (mix[:, None, :] @ back)[:, 0]
    return values[:, -1] / (w**2).sum((1, 2)), model, color / length, waves


def _basis(parameters: Array, places: Array, stripes: bool) -> tuple[Array, Array]:
    """Cosine and sine under their Gaussian, made orthonormal, (A, 2, P); and those as mixes of cosine and sine."""
    y, x, direction, frequency, across, along = (one[:, None] for one in parameters.T)
    dy, dx = places[0] - y, places[1] - x
    u, v = dx * np.cos(direction) + dy * np.sin(direction), dy * np.cos(direction) - dx * np.sin(direction)
    hill = np.exp(-0.5 * ((u * np.exp(-across)) ** 2 + (v * np.exp(-along)) ** 2))
    if not stripes:
        length = np.maximum(np.linalg.norm(hill, axis=1), 1e-30)
        return (hill / length[:, None])[:, None], (1 / length)[:, None, None]
    angle = 2 * np.pi * np.exp(frequency) * u
    first, second = hill * np.cos(angle), hill * np.sin(angle)
    length = np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-30)
    shared = (first * second).sum(1, keepdims=True) / length**2
    rest = second - shared * first
    other = np.linalg.norm(rest, axis=1, keepdims=True)
    inverse = np.where(other > 1e-9 * length, 1 / np.maximum(other, 1e-30), 0.0)
    back = np.stack([np.concatenate([1 / length, 0 * length], 1), np.concatenate([-shared * inverse, inverse], 1)], 1)
    return np.stack([first / length, rest * inverse], 1), back


def _largest(square: Array) -> Array:
    """The larger eigenvalue of symmetric matrices (…, k, k) with k of 1 or 2."""
    if square.shape[-1] == 1:
        return square[..., 0, 0]
    half = (square[..., 0, 0] + square[..., 1, 1]) / 2
    found: Array = half + np.hypot((square[..., 0, 0] - square[..., 1, 1]) / 2, square[..., 0, 1])
    return found


def _grid(places: Array, spacing: Sequence[int], whole: bool, stripes: bool) -> Array:
    """Where fits may start, by direction first; without stripes only place and width."""
    side = _side(places, spacing)
    offsets = [-0.22 * side, 0.0, 0.22 * side] if whole else [0.0]
    widths = [0.14 * side, 0.22 * side, 0.4 * side] if whole else [0.25 * side, 0.45 * side]
    frequencies = np.geomspace(0.5 / side, 0.5 / max(spacing), 8) if stripes else [0.5 / side]
    directions = _DIRECTIONS if stripes else _DIRECTIONS[:1]
    rows = [
        (y, x, direction, np.log(frequency), np.log(width), np.log(width))
        for direction, frequency, width, y, x in product(directions, frequencies, widths, offsets, offsets)
    ]
    return np.array(rows)


def _bounds(places: Array, spacing: Sequence[int]) -> Array:
    """The least and the largest of each parameter."""
    side, step = _side(places, spacing), max(spacing)
    edge = np.abs(places).max(1)
    low = [-edge[0], -edge[1], -1e9, np.log(0.1 / side), np.log(0.35 * step), np.log(0.35 * step)]
    high = [edge[0], edge[1], 1e9, np.log(0.5 / min(spacing)), np.log(2 * side), np.log(2 * side)]
    return np.array([low, high])


def _places(size_hw: tuple[int, ...], spacing: Sequence[int]) -> Array:
    """Rows and columns of all places, from the middle: (2, P)."""
    y, x = ((np.arange(side) - (side - 1) / 2) * step for side, step in zip(size_hw, spacing, strict=True))
    return np.stack([one.ravel() for one in np.meshgrid(y, x, indexing="ij")])


def _side(places: Array, spacing: Sequence[int]) -> float:
    """The longer side in pixels."""
    return float(max(2 * places[0].max() + spacing[0], 2 * places[1].max() + spacing[1]))


def _nothing(channels: int) -> GaborFit:
    return GaborFit("none", None, None, 0.0, EXPLAINED, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0, (0.0,) * channels)
