"""What may have gone wrong in another runtime: usual mistakes are made on purpose, and the one that fits is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.ops.resampling import upsample_bicubic2d, upsample_bilinear2d
from photosite.prep.fast import KINDS
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD
from photosite.tokens.front_end import FrontEnd, level_table
from photosite.tokens.tile import Numbers, Picture, Resized, Step, Tile, Window, apply, run

Array = npt.NDArray[Any]
STATISTICS = {
    "ImageNet's mean and deviation": (IMAGENET_MEAN, IMAGENET_STD),
    "CLIP's mean and deviation": (CLIP_MEAN, CLIP_STD),
    "a mean and deviation of 0.5": (HALF, HALF),
    "numbers from 0 to 1, not normalized": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "levels 0 … 255, not scaled": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
ALIKE = 0.995
"""A mistake fits where this share of all numbers agrees to a level."""


def explain(front_end: FrontEnd, stage: str, found: Array, made: Mapping[str, Array], size_hw: tuple[int, int]) -> str:
    """Name the mistake that gives what was found.

    Args:
        front_end: whose stages they are.
        stage: the first that diverges.
        found: what the other runtime has there.
        made: what is right, of this stage and those before it.
        size_hw: of the upright picture.
    Returns:
        In words; "" where no usual mistake fits.
    """
    if stage == "stored":
        return "blue and red are exchanged" if np.array_equal(found[..., ::-1], made["stored"]) else ""
    tolerance = 1.0 if found.dtype == np.uint8 else 0.02
    for said, candidate in _candidates(front_end, stage, made, size_hw):
        if candidate.shape == found.shape:
            far = np.abs(candidate.astype(np.float64) - found.astype(np.float64))
            if np.mean(far <= tolerance) >= ALIKE:
                return said
    return ""


def _candidates(
    front_end: FrontEnd, stage: str, made: Mapping[str, Array], size_hw: tuple[int, int]
) -> Iterator[tuple[str, Array]]:
    """Usual mistakes and what they give."""
    stored, upright = made["stored"], made.get("upright", made["stored"])
    if stage == "upright":
        yield "the EXIF orientation is ignored", stored
        yield "blue and red are exchanged", upright[..., ::-1]
        return
    right = front_end.tiles(size_hw)
    for said, pictures in _tiles(front_end, right, stored, upright):
        if stage == "tiles":
            yield said, np.concatenate([one.ravel() for one in pictures])
        else:
            yield said, _packed(front_end, pictures)
    if stage == "input":
        pictures = run(upright, right)
        for said, (mean, std) in STATISTICS.items():
            if (mean, std) != (front_end.mean, front_end.std):
                yield said, _packed(replace(front_end, mean=mean, std=std), pictures)
        whole = made["input"]
        colors = whole if whole.ndim == 4 else whole.reshape(len(whole), 3, -1)
        yield "blue and red are exchanged, after normalizing", colors[:, ::-1].reshape(whole.shape)
        if whole.ndim == 4:
            yield "rows and columns are exchanged", whole.swapaxes(2, 3)
        else:
            yield from _orders(front_end, whole, right)


def _orders(front_end: FrontEnd, whole: Array, tiles: tuple[Tile, ...]) -> Iterator[tuple[str, Array]]:
    """Patches in another order than by group."""
    merge = front_end.merge
    rows, columns = (side // front_end.cell for side in tiles[0].size_hw)
    grouped = whole.reshape(rows, columns, merge, merge, -1)
    yield "patches stand row by row, not by group", grouped.transpose(0, 2, 1, 3, 4).reshape(whole.shape)
    yield "patches of a group stand column by column", grouped.transpose(0, 1, 3, 2, 4).reshape(whole.shape)


def _packed(front_end: FrontEnd, pictures: list[Picture | Numbers]) -> Array:
    table = level_table(front_end.mean, front_end.std)
    return front_end._pack([_normalized(one, table) for one in pictures])[0]


def _normalized(picture: Picture | Numbers, table: Numbers) -> Numbers:
    """Levels looked up; what is no whole level lies on the line through the table."""
    channels = np.moveaxis(picture, -1, 0)
    if picture.dtype == np.uint8:
        return np.stack([table[channel][levels] for channel, levels in enumerate(channels)])
    low, high = (table[:, at, None, None] for at in (0, 255))
    return (low + (high - low) / 255 * channels).astype(np.float32)


def _tiles(
    front_end: FrontEnd, right: tuple[Tile, ...], stored: Picture, upright: Picture
) -> Iterator[tuple[str, list[Picture | Numbers]]]:
    """Tiles as they come out of usual mistakes."""
    yield "blue and red are exchanged", [one[..., ::-1] for one in run(upright, right)]
    for kind in KINDS:
        if kind != front_end.interpolation:
            changed = tuple(replace(tile, steps=tuple(_with(step, kind) for step in tile.steps)) for tile in right)
            yield f"resized by {kind}, wanted {front_end.interpolation}", run(upright, changed)
    yield "resized without antialiasing", [_without_antialias(upright, tile) for tile in right]
    for down, across in ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, -1)):
        moved = [np.roll(one, (down, across), (0, 1)) for one in run(upright, right)]
        yield f"moved by {down} rows and {across} columns", moved
    black = tuple(replace(tile, steps=tuple(_black(step) for step in tile.steps)) for tile in right)
    if black != right:
        yield "padded with black, wanted the mean color", run(upright, black)
    if stored.shape != upright.shape or not np.array_equal(stored, upright):
        yield "the EXIF orientation is ignored", run(stored, front_end.tiles((stored.shape[0], stored.shape[1])))


def _with(step: Step, kind: str) -> Step:
    return replace(step, interpolation=kind) if isinstance(step, Resized) else step


def _black(step: Step) -> Step:
    return replace(step, fill=(0, 0, 0)) if isinstance(step, Window) else step


def _without_antialias(picture: Picture | Numbers, tile: Tile) -> Picture | Numbers:
    """A tile resized by four or sixteen neighbors, whatever the scale."""
    for step in tile.steps:
        if isinstance(step, Resized):
            values = picture.transpose(2, 0, 1)[None].astype(np.float32)
            resize = upsample_bilinear2d if step.interpolation == "bilinear" else upsample_bicubic2d
            found = resize(values, list(step.size_hw), False)[0].transpose(1, 2, 0)
            picture = np.clip(np.rint(found), 0, 255).astype(np.uint8)
        else:
            picture = apply(picture, step)
    return picture
