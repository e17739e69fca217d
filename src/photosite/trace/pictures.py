"""Arrays become small pictures: every map with its colors, its limits and its caption.

Magnitudes are drawn in viridis, signed values in blue - paper - orange around zero, pixels as they are.
Nothing here is enlarged: one value is one pixel (kernels apart); whoever shows a picture keeps its pixels square.
Knows no torch, no file format and no page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.errors import ShapeError
from photosite.shapes import shape_text
from photosite.trace.canvas import DIVERGING, GRAY, NONFINITE, PAPER, VIRIDIS, Array, Rgb, block_means, grid_of, pick
from photosite.trace.notation import THIN, limits, number
from photosite.trace.values import Tile

MAPS_AT_MOST = 64
"""A grid shows this many maps at first; the ones that vary most."""
CLIPPED_SHARE = 0.002
"""At most this share of a map's values lies beyond its limits, so that one outlier does not make the rest dark."""


def caption(name: str, values: Array) -> str:
    """Write what stands under every picture: `name · shape dtype · min … max`.

    >>> caption("conv1", np.array([[-1.5, 2.0]], np.float32))
    'conv1 · 1 × 2 float32 · −1.5 … 2'
    """
    low, high = _extent(values)
    return f"{name} · {shape_text(values.shape)} {values.dtype} · {limits(low, high)}"


def plain(name: str, picture: Rgb) -> Tile:
    """Show pixels in their own color.

    Args:
        name: what it is.
        picture: (H, W, 3) or (H, W), uint8.

    Raises:
        ShapeError: another shape or dtype.
    """
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise ShapeError(f"plain: wants (H, W, 3) or (H, W) uint8, got {picture.shape} {picture.dtype}")
    pixels = np.repeat(picture[..., None], 3, -1) if picture.ndim == 2 else picture
    return Tile(caption(name, picture), pixels.copy(), "as they are")


def magnitude(name: str, values: Array, low: float | None = None, high: float | None = None) -> Tile:
    """Show one map of magnitudes in viridis.

    Args:
        name: what it is.
        values: (H, W), any real dtype.
        low: the value drawn darkest; by default the smallest finite one.
        high: the value drawn brightest; by default the largest finite one.

    Raises:
        ShapeError: not two axes.
    """
    _wants_axes("magnitude", values, 2)
    least, most = _extent(values)
    low = least if low is None else low
    high = most if high is None else high
    return _colored(caption(name, values), values, low, high, VIRIDIS)


def signed(name: str, values: Array, limit: float | None = None) -> Tile:
    """Show one map of signed values, blue below zero and orange above.

    Args:
        name: what it is.
        values: (H, W), any real dtype.
        limit: the value drawn darkest; by default the largest size of any finite value.

    Raises:
        ShapeError: not two axes.

    >>> signed("w", np.array([[-2.0, 1.0]])).scale
    'diverging −2 … 2'
    """
    _wants_axes("signed", values, 2)
    limit = _largest(values) if limit is None else limit
    return _colored(caption(name, values), values, _negative(limit), limit, DIVERGING)


def feature_maps(name: str, values: Array, *, side: int = 48, at_most: int = MAPS_AT_MOST, vary: bool = True) -> Tile:
    """Show the maps of one layer as a grid with separators, all with the same limits.

    Maps with negative values are drawn in diverging colors, else in viridis from zero. A map larger than
    `side` is averaged over blocks of k × k values, and the scale says so. Maps of one value each are drawn
    as a row of all channels.

    Args:
        name: what it is.
        values: (C, H, W), any real dtype.
        side: the longest side of one drawn map, in pixels.
        at_most: how many maps are drawn; `min(at_most, C)` of C are.
        vary: the maps that vary most come first; else they stand in the order of their channels.

    Raises:
        ShapeError: not three axes, or an empty one.
    """
    _wants_axes("feature_maps", values, 3)
    if values.shape[1:] == (1, 1):
        row = vector(name, values.reshape(-1))
        return Tile(caption(name, values), row.pixels, row.scale, row.low, row.high)
    block = max(1, math.ceil(max(values.shape[1:]) / side))
    maps = block_means(values, (block, block))
    order = np.arange(len(maps))
    if vary:
        finite = np.where(np.isfinite(maps), maps, 0.0)
        order = np.argsort(-finite.var(axis=(1, 2)), kind="stable")
    order = order[:at_most]
    text = caption(name, values)
    shown = maps[order]
    high = _high_limit(shown)
    tall = shown.reshape(-1, shown.shape[2])  # one above the other, to be colored at once
    negative = (_extent(values)[0] or 0.0) < 0
    low = None if high is None else (-high if negative else 0.0)
    tile = _colored(text, tall, low, high, DIVERGING if negative else VIRIDIS)
    pixels = grid_of(tile.pixels.reshape(*shown.shape, 3), GRAY if negative else PAPER)
    return Tile(text, pixels, tile.scale + _averaged((block, block)), tile.low, tile.high)


def channels(name: str, values: Array, names: Sequence[str], *, side: int = 192) -> tuple[Tile, ...]:
    """Show each channel of a tensor as a signed map of its own, all with the same limits.

    Args:
        name: what the tensor is.
        values: (C, H, W), any real dtype.
        names: one name a channel, such as ("R", "G", "B").
        side: the longest side of one drawn map; a larger one is averaged over blocks.

    Raises:
        ShapeError: not three axes, or another number of names.
    """
    _wants_axes("channels", values, 3)
    if len(names) != len(values):
        raise ShapeError(f"channels: wants {len(values)} names for {shape_text(values.shape)}, got {len(names)}")
    limit = _largest(values)
    block = max(1, math.ceil(max(values.shape[1:]) / side))
    tiles = []
    for label, plane, drawn in zip(names, values, block_means(values, (block, block)), strict=True):
        tile = _colored(caption(f"{name} {label}".strip(), plane), drawn, _negative(limit), limit, DIVERGING)
        tiles.append(Tile(tile.caption, tile.pixels, tile.scale + _averaged((block, block)), tile.low, tile.high))
    return tuple(tiles)


def matrix(name: str, values: Array, *, side: int = 256) -> Tile:
    """Show rows of numbers (tokens × width, say) as one map; a long axis is averaged over blocks.

    Args:
        name: what it is.
        values: (rows, columns), any real dtype.
        side: the longest side drawn.

    Raises:
        ShapeError: not two axes, or an empty one.
    """
    _wants_axes("matrix", values, 2)
    rows, columns = (math.ceil(length / side) for length in values.shape)
    drawn = block_means(values[None], (rows, columns))[0]
    high = _high_limit(drawn)
    negative = (_extent(values)[0] or 0.0) < 0
    low = None if high is None else (-high if negative else 0.0)
    tile = _colored(caption(name, values), drawn, low, high, DIVERGING if negative else VIRIDIS)
    return Tile(tile.caption, tile.pixels, tile.scale + _averaged((rows, columns)), tile.low, tile.high)


def vector(name: str, values: Array) -> Tile:
    """Show a row of numbers, wrapped into lines of equal length and read like text.

    Args:
        name: what it is.
        values: (D,), any real dtype.

    Raises:
        ShapeError: not one axis, or an empty one.
    """
    _wants_axes("vector", values, 1)
    width = len(values) if len(values) <= 32 else math.ceil(math.sqrt(len(values) * 4))
    padding = -len(values) % width
    limit = _largest(values)
    negative = (_extent(values)[0] or 0.0) < 0
    low = None if limit is None else (-limit if negative else 0.0)
    rows = np.pad(values.astype(np.float64), (0, padding)).reshape(-1, width)
    tile = _colored(caption(name, values), rows, low, limit, DIVERGING if negative else VIRIDIS)
    pixels = tile.pixels.copy()
    pixels.reshape(-1, 3)[len(values) :] = PAPER
    lines = "" if len(rows) == 1 else f", read in lines of {width}"
    return Tile(tile.caption, pixels, tile.scale + lines, tile.low, tile.high)


def of_values(name: str, values: Array, *, side: int = 48, at_most: int = MAPS_AT_MOST) -> Tile:
    """Choose the picture that fits the axes: maps, a matrix, or a row of numbers.

    Args:
        name: what it is.
        values: without its batch axis; any number of axes. Four and more are read as maps of the last two.
        side: the longest side of one drawn map.
        at_most: how many maps are drawn.
    """
    if values.ndim == 0:
        return vector(name, values.reshape(1))
    if values.ndim == 1:
        return vector(name, values)
    if values.ndim == 2:
        return matrix(name, values)
    tile = feature_maps(name, values.reshape(-1, *values.shape[-2:]), side=side, at_most=at_most)
    return Tile(caption(name, values), tile.pixels, tile.scale, tile.low, tile.high)


def kernels(
    name: str,
    weight: Array,
    *,
    together: bool = False,
    others: str = "mean",
    at_most: int = MAPS_AT_MOST,
    zoom: int = 6,
) -> Tile:
    """Show learned kernels as patterns, in the order of the filters.

    Kernels of three channels are drawn as the color they answer to: zero is mid gray, positive weights are brighter.
    Any other number of channels is drawn as one map, the mean (signed) or the norm (magnitude) over channels.

    Args:
        name: what it is.
        weight: (O, C, K, K), any real dtype.
        together: all kernels share one limit; else each is scaled by its own largest weight.
        others: "mean" or "norm", for kernels that have not three channels.
        at_most: how many kernels are drawn.
        zoom: one weight is drawn as zoom × zoom pixels, so that separators stay thin.

    Raises:
        ShapeError: not four axes, an empty one, or another word for `others`.
    """
    _wants_axes("kernels", weight, 4)
    if others not in ("mean", "norm"):
        raise ShapeError(f'kernels: others wants "mean" or "norm", got {others!r}')
    text = caption(name, weight)
    w = np.where(np.isfinite(weight), weight, 0).astype(np.float64)[:at_most]
    in_color = w.shape[1] == 3
    if not in_color:
        w = (w.mean(1) if others == "mean" else np.sqrt((w**2).sum(1)))[:, None]  # (O, 1, K, K)
    whole = float(np.abs(w).max())
    largest = np.full(len(w), whole) if together else np.abs(w).max(axis=(1, 2, 3))
    w = w / np.where(largest > 0, largest, 1.0)[:, None, None, None]
    how = f"all kernels by {number(whole)}" if together else "each kernel by its own largest weight"
    if in_color:
        colors = np.clip(w * 127.5 + 127.5, 0, 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        scale = f"R, G, B weights, zero mid gray; {how}"
    elif others == "mean":
        colors = pick(w[:, 0], -1.0, 1.0, DIVERGING)
        scale = f"diverging, mean over {weight.shape[1]} channels; {how}"
    else:
        colors = pick(w[:, 0], 0.0, 1.0, VIRIDIS)
        scale = f"viridis, norm over {weight.shape[1]} channels; {how}"
    if len(weight) > len(w):
        scale += f"; the first {len(w)} of {len(weight)}"
    colors = colors.repeat(zoom, 1).repeat(zoom, 2)
    low = (0.0 if others == "norm" and not in_color else -whole) if together else None
    return Tile(
        text, grid_of(colors, PAPER, gap=max(1, zoom // 2), aspect=4.0), scale, low, whole if together else None
    )


def token_norms(name: str, tokens: Array, grid: tuple[int, int]) -> Tile:
    """Show the length (2-norm) of each token on the grid, viridis from the smallest to the largest.

    Args:
        name: what it is.
        tokens: (N, D), any real dtype.
        grid: (rows, columns) with rows * columns = N.

    Raises:
        ShapeError: the grid does not hold N tokens.
    """
    _wants_grid("token_norms", tokens, grid)
    norms = np.sqrt((tokens.astype(np.float64) ** 2).sum(1)).astype(tokens.dtype)
    return magnitude(name, norms.reshape(grid))


def token_components(name: str, tokens: Array, grid: tuple[int, int]) -> tuple[Tile, tuple[float, ...]]:
    """Show the first three principal components of the tokens as red, green and blue.

    Each component runs from its smallest value (dark) to its largest (bright). A component's sign is chosen so that its
    largest loading is positive: the same tokens give the same colors. A component that does not exist is mid gray.

    Args:
        name: what it is.
        tokens: (N, D), finite.
        grid: (rows, columns) with rows * columns = N.

    Returns:
        The tile, and each drawn component's share of the variance.

    Raises:
        ShapeError: the grid does not hold N tokens.
    """
    _wants_grid("token_components", tokens, grid)
    centered = tokens.astype(np.float64)
    centered = np.where(np.isfinite(centered), centered, 0.0)
    centered -= centered.mean(0)
    left, sizes, right = np.linalg.svd(centered, full_matrices=False)
    total = float((sizes**2).sum())
    kept = int((sizes[:3] > 1e-9 * max(float(sizes[0]), 1e-300)).sum()) if total > 0 else 0
    scores = np.zeros((len(tokens), 3), np.float32)
    pixels = np.full((len(tokens), 3), 128, np.uint8)
    for k in range(kept):
        sign = 1.0 if right[k, np.argmax(np.abs(right[k]))] > 0 else -1.0
        score = sign * left[:, k] * sizes[k]
        low, high = score.min(), score.max()
        scores[:, k] = score
        pixels[:, k] = (255 * (score - low) / (high - low)).round()
    explained = tuple(float(s**2 / total) for s in sizes[:kept])
    shares = ", ".join(f"{number(round(100 * share, 1))}{THIN}%" for share in explained) or "no"
    scale = f"components 1, 2, 3 as red, green, blue, each from its smallest to its largest; {shares} of the variance"
    return Tile(caption(name, scores.reshape(*grid, 3)), pixels.reshape(*grid, 3), scale), explained


def _wants_axes(who: str, values: Array, axes: int) -> None:
    if values.ndim != axes or values.size == 0:
        raise ShapeError(f"{who}: wants {axes} axes, none of them empty, got {values.shape}")


def _wants_grid(who: str, tokens: Array, grid: tuple[int, int]) -> None:
    _wants_axes(who, tokens, 2)
    if grid[0] * grid[1] != len(tokens):
        raise ShapeError(f"{who}: a grid of {grid[0]} × {grid[1]} wants {grid[0] * grid[1]} tokens, got {len(tokens)}")


def _extent(values: Array) -> tuple[float | None, float | None]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (None, None)


def _largest(values: Array) -> float | None:
    low, high = _extent(values)
    return None if low is None or high is None else max(abs(low), abs(high))


def _high_limit(values: Array) -> float | None:
    """Find the size that all but `CLIPPED_SHARE` of the finite values reach; with few values, the largest."""
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        return None
    high = float(np.quantile(sizes, 1 - CLIPPED_SHARE, method="higher"))
    return high if high > 0 else float(sizes.max())


def _negative(limit: float | None) -> float | None:
    return None if limit is None else -limit


def _averaged(block: tuple[int, int]) -> str:
    return "" if block == (1, 1) else f", averaged {block[0]} × {block[1]}"


def _colored(text: str, values: Array, low: float | None, high: float | None, table: Rgb) -> Tile:
    """Color a map and write its scale: limits, values beyond them, values that are no numbers."""
    kind = "viridis" if table is VIRIDIS else "diverging"
    finite = np.isfinite(values)
    if low is None or high is None:
        pixels, scale = np.broadcast_to(NONFINITE, (*values.shape, 3)).copy(), "no finite value, drawn red"
        return Tile(text, pixels, scale)
    pixels = pick(values.astype(np.float64), low, high, table)
    pixels[~finite] = NONFINITE
    scale = f"{kind} {limits(low, high)}"
    beyond = int(((values < low) | (values > high))[finite].sum())
    if beyond:
        scale += f", {100 * beyond / values.size:.2g}{THIN}% beyond"
    if not finite.all():
        scale += f", {int((~finite).sum())} not finite, drawn red"
    return Tile(text, pixels, scale, low, high)
