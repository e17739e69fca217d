"""Tiles as numbers, in as few passes as the compiled kernels allow: resized, cut, padded and looked up at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photosite.prep import fast
from photosite.tokens.tile import Color, Numbers, Picture, Resized, Size, Step, Tile, Window, after, apply

Made = dict[tuple[Step, ...], Picture | Numbers]


@dataclass(frozen=True)
class _Tail:
    """The last steps of a tile as one: a resizing, and all windows after it.

    Attributes:
        before: the steps in front of them.
        resized: the resizing; None where there is none.
        start_hw: where the tile begins in what was resized.
        inside: rows and columns of the tile that are picture and not padding: top, left, bottom, right.
        fill: the color of the padding.
    """

    before: tuple[Step, ...]
    resized: Resized | None
    start_hw: Size
    inside: tuple[int, int, int, int]
    fill: Color


def tile_numbers(picture: Picture, tiles: Sequence[Tile], table: Numbers) -> Numbers | list[Numbers]:
    """Make all tiles of a photo as numbers.

    Args:
        picture: (H, W, 3) uint8.
        tiles: of this photo's size.
        table: (3, 256): what each level of each channel becomes.
    Returns:
        (tiles, 3, h, w) float32, or a list of (3, h, w) where tiles have several sizes; the same bits as `run` and
        looking up, which comes before a step that does not round.
    """
    made: Made = {(): picture}
    photo_hw = (picture.shape[0], picture.shape[1])
    steps = [_busy(tile.steps, photo_hw) for tile in tiles]
    tails = [_tail(some, photo_hw) for some in steps]
    # a picture that is resized further is needed as levels in any case
    levels = {tail.before for tail in tails if tail is not None}
    sizes = {tile.size_hw for tile in tiles}
    out = (
        np.empty((len(tiles), 3, *next(iter(sizes))), np.float32)
        if len(sizes) == 1
        else [np.empty((3, *tile.size_hw), np.float32) for tile in tiles]
    )
    for some, tail, target in zip(steps, tails, out, strict=True):
        if tail is None or not fast.wanted():
            target[:] = _by_steps(some, made, table)
        else:
            _at_once(tail, made, tail.before + _only(tail.resized) in levels, table, target)
    return out


def _only(step: Step | None) -> tuple[Step, ...]:
    return () if step is None else (step,)


def _busy(steps: tuple[Step, ...], photo_hw: Size) -> tuple[Step, ...]:
    """The steps that change anything."""
    kept, size_hw = [], photo_hw
    for step in steps:
        if not (isinstance(step, Resized) and step.size_hw == size_hw):
            kept.append(step)
        size_hw = step.size_hw
    return tuple(kept)


def _tail(steps: tuple[Step, ...], photo_hw: Size) -> _Tail | None:
    """The last steps as one; None where the kernels do not know them."""
    last = max((at for at, step in enumerate(steps) if isinstance(step, Resized)), default=-1)
    resized = steps[last] if last >= 0 else None
    if any(isinstance(step, Resized) and (not step.rounded or step.interpolation not in fast.KINDS) for step in steps):
        return None
    size_hw = photo_hw if last < 0 else steps[last].size_hw
    start, low, high = (0, 0), (0, 0), size_hw
    fills = set()
    for step in steps[last + 1 :]:
        assert isinstance(step, Window)
        start = (start[0] + step.start_hw[0], start[1] + step.start_hw[1])
        ends = (start[0] + step.size_hw[0], start[1] + step.size_hw[1])
        if any(a < b for a, b in zip(start, low, strict=True)) or any(a > b for a, b in zip(ends, high, strict=True)):
            fills.add(step.fill)
        low = (max(low[0], start[0]), max(low[1], start[1]))
        high = (min(high[0], ends[0]), min(high[1], ends[1]))
    if len(fills) > 1 or low[0] >= high[0] or low[1] >= high[1]:
        return None
    inside = (low[0] - start[0], low[1] - start[1], high[0] - start[0], high[1] - start[1])
    before = steps[: max(last, 0)]
    return _Tail(before, resized if isinstance(resized, Resized) else None, start, inside, next(iter(fills), (0, 0, 0)))


def _at_once(tail: _Tail, made: Made, as_levels: bool, table: Numbers, out: Numbers) -> None:
    """Resize, cut and look up in one pass of the kernels; padding around it."""
    source: Picture = after(tail.before, made)  # type: ignore[assignment]
    if as_levels and tail.resized is not None:
        source = after((*tail.before, tail.resized), made)  # type: ignore[assignment]
    size_hw = source.shape[:2] if tail.resized is None else tail.resized.size_hw
    kind = fast.KINDS[0] if tail.resized is None else tail.resized.interpolation
    top, left, bottom, right = tail.inside
    whole = (bottom - top, right - left) == out.shape[1:]
    target = out if whole else np.empty((3, bottom - top, right - left), np.float32)
    start = (tail.start_hw[0] + top, tail.start_hw[1] + left)
    fast.window(source, size_hw, start, kind, numbers=target, table=table)
    if not whole:
        for channel, level in enumerate(tail.fill):
            out[channel] = table[channel, level]
        out[:, top:bottom, left:right] = target


def _by_steps(steps: tuple[Step, ...], made: Made, table: Numbers) -> Numbers:
    """Step by step, and looked up before the first that does not round."""
    whole = next((at for at, step in enumerate(steps) if isinstance(step, Resized) and not step.rounded), len(steps))
    levels = after(steps[:whole], made)
    values = np.empty((3, *levels.shape[:2]), np.float32)
    for channel in range(3):
        np.take(table[channel], levels[..., channel], out=values[channel])  # type: ignore[arg-type]
    for step in steps[whole:]:
        values = np.stack([apply(one[..., None], step)[..., 0] for one in values])
    return values
