"""A token's way back to the photosites, as plain data: what it is made of in every picture on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from photosite import __version__
from photosite.lightpath import LightPath, light_path, photosites, stored_box, tokens_of
from photosite.prep.load import PictureInfo
from photosite.prep.recipe import Picture
from photosite.prep.upright import swapped
from photosite.shapes import shape_text
from photosite.tokens import FrontEnd, TokenMap
from photosite.tokens.tile import Step, Window, apply
from photosite.trace.canvas import Array
from photosite.trace.cells import Lying, Span, TileCells, in_photo, lying, tile_cells
from photosite.trace.field import PHOTO_SIDE
from photosite.trace.light import thumbnail
from photosite.trace.pictures import caption
from photosite.trace.values import Tile

CLOSE_SIDE = 256
"""Longest side of what is shown of a picture around the token's box; more is made smaller."""
MOSAIC_SIDE = 64
"""Of a box of photosites that is not larger than this each is recorded."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PathStage:
    """What a token is made of in one of the pictures between photo and encoder.

    Attributes:
        name: "photo", "resized", "padded", "cut", or "tile" for the last.
        did: how it was made of the picture before, in words; "" for the photo.
        size_hw: of the picture.
        box: of its pixels that count, (top, left, bottom, right), half open; None where all is padding.
        down: how much each row in the box counts; likewise `across` for columns.
        cell: where the token's cell lies in it.
        lying: where the picture lies in the photo.
        text: caption of the whole picture; "" where pictures are not asked for.
        close: its pixels around the box, as they are; None where there is no box, or pictures are not asked for.
        close_box: what `close` shows.
    """

    name: str
    did: str
    size_hw: tuple[int, int]
    box: Box | None
    down: Array
    across: Array
    cell: Span
    lying: Lying
    text: str = ""
    close: Tile | None = None
    close_box: Box | None = None


@dataclass(frozen=True)
class SensorPart:
    """The photosites behind the photo's pixels.

    Attributes:
        orientation: of EXIF.
        stored_hw: size of the picture as it is stored, and so of the mosaic.
        stored_box: the photo's pixels in the picture as it is stored.
        box: of the photosites on the sensor.
        count: how many of those in the box count.
        pattern: of the mosaic.
        demosaic: how three colors were made of one.
        mask: which of those in the box count; None where it is larger than `MOSAIC_SIDE`.
    """

    orientation: int
    stored_hw: tuple[int, int]
    stored_box: Box
    box: Box
    count: int
    pattern: str
    demosaic: str
    mask: Array | None


@dataclass(frozen=True)
class Run:
    """Neighbors in the language model's order.

    Attributes:
        kind: "base" or "tile" by the role of their tile, "newline", or "prefix" for others without a place.
        tile: number of their tile; -1 without a place.
        start: the first of them.
        stop: behind the last.
    """

    kind: str
    tile: int
    start: int
    stop: int


@dataclass(frozen=True)
class LightpathTrace:
    """A token of a front end, and everything between it and the photosites.

    Attributes:
        front_end: its name; `source` says where its constants come from.
        path: of the photo, for people.
        photo_hw: its size, upright.
        photo: the photo, at most `PHOTO_SIDE` px a side; None where no page is wanted.
        pixel: row and column that were asked for; None where a token was.
        tokens: the token that was asked for, or all that see the pixel.
        spots: where their cells lie in the photo, without those that have no place.
        token: that is followed; None where no token sees the pixel.
        total: tokens of the photo.
        kind: of the token, as in `Run`.
        tile: number of its tile; -1 for a token without a place.
        place: row and column in its tile's grid.
        patches: numbers of its patches in the encoder's input.
        padding_share: how much of it is padding.
        global_by: what makes it depend on all of its tile beside its box.
        stages: from the photo to the tile; empty for a token without a place.
        sensor: the photosites; None where there are none.
        tiles_of: all tiles with their cells.
        runs: the language model's order.
        mean: subtracted from each channel, of a full range of 1; what is left is divided by `std`.
        version: of photosite.
    """

    front_end: str
    source: str
    path: str
    photo_hw: tuple[int, int]
    photo: Picture | None
    pixel: tuple[int, int] | None
    tokens: tuple[int, ...]
    spots: tuple[Span, ...]
    token: int | None
    total: int
    kind: str
    tile: int
    place: tuple[int, int]
    patches: tuple[int, ...]
    padding_share: float
    global_by: tuple[str, ...]
    stages: tuple[PathStage, ...]
    sensor: SensorPart | None
    tiles_of: tuple[TileCells, ...]
    runs: tuple[Run, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    version: str

    @property
    def photo_box(self) -> Box | None:
        """The photo's pixels that the token depends on; None where there are none."""
        return self.stages[0].box if self.stages else None


def record_lightpath(
    front_end: FrontEnd,
    picture: Picture,
    info: PictureInfo,
    *,
    token: int | None = None,
    pixel: tuple[int, int] | None = None,
    pattern: str = "RGGB",
    demosaic: str = "malvar",
    pictures: bool = False,
) -> LightpathTrace:
    """Follow a token back, or the first token that sees a pixel.

    Args:
        front_end: from `photosite.tokens.front_end`.
        picture: (H, W, 3) uint8, upright.
        info: what is known of it.
        token: its number among those that the language model reads.
        pixel: row and column of the photo, instead of a token.
        pattern: Bayer pattern of the sensor that the photo is taken to come from.
        demosaic: a method whose weights are fixed.
        pictures: whether what a page draws is wanted too.
    Raises:
        RangeError: there is no such token or pixel, or the front end refuses photos of this size.
        UnknownNameError: no such pattern, or a method whose weights are not fixed.
    """
    assert (token is None) != (pixel is None)
    size_hw = (picture.shape[0], picture.shape[1])
    named = tokens_of(front_end, size_hw, pixel) if pixel is not None else [token if token is not None else 0]
    token = named[0] if named else None
    path = None if token is None else light_path(front_end, size_hw, token)
    places = front_end.token_map(size_hw)
    cells = tile_cells(places, size_hw)
    return LightpathTrace(
        front_end=front_end.name,
        source=front_end.source,
        path=info.path,
        photo_hw=size_hw,
        photo=thumbnail(picture, PHOTO_SIDE) if pictures else None,
        pixel=pixel,
        tokens=tuple(named),
        spots=tuple(in_photo(cell, cells[tile].lying) for tile, cell in _cells_of(named, places, cells)),
        token=token,
        total=len(places),
        kind="" if token is None else _kind(places, token),
        tile=-1 if path is None else path.tile,
        place=(0, 0) if path is None else path.place,
        patches=() if path is None else path.patches,
        padding_share=1.0 if path is None else path.padding_share,
        global_by=front_end.global_by,
        stages=() if path is None else _stages(path, places, cells, picture if pictures else None),
        sensor=None if path is None else _sensor(path.photo_box, size_hw, info.orientation, pattern, demosaic),
        tiles_of=cells,
        runs=_runs(places),
        mean=front_end.mean,
        std=front_end.std,
        version=__version__,
    )


def _cells_of(tokens: Sequence[int], places: TokenMap, cells: Sequence[TileCells]) -> list[tuple[int, Box]]:
    """Tile and cell of those tokens that have a place; of one without a cell of its own, what it is made of."""
    found = []
    for token in tokens:
        tile = int(places.tile[token])
        box = None if tile < 0 else places.cell_box(token) if cells[tile].apart else places.box(token)
        if box is not None:
            found.append((tile, box))
    return found


def _kind(places: TokenMap, token: int) -> str:
    tile = int(places.tile[token])
    return places.tiles[tile].role if tile >= 0 else "newline" if places.newline[token] else "prefix"


def _runs(places: TokenMap) -> tuple[Run, ...]:
    """Neighbors of one tile, or of one kind."""
    keys = 2 * places.tile + places.newline
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(places)]
    return tuple(
        Run(_kind(places, start), int(places.tile[start]), start, stop)
        for start, stop in pairwise(edges)
        if stop > start
    )


def _stages(
    path: LightPath, places: TokenMap, cells: Sequence[TileCells], picture: Picture | None
) -> tuple[PathStage, ...]:
    """From the photo to the tile."""
    if not path.stages:
        return ()
    steps = places.tiles[path.tile].steps
    ((tile, cell),) = _cells_of([path.token], places, cells)
    place = in_photo(cell, cells[tile].lying)
    values: Any = picture
    found = []
    for number, stage in enumerate(reversed(path.stages)):
        if number and values is not None:
            values = apply(values, steps[number - 1])
        down, across, top, left = lies = lying(steps[:number], path.size_hw)
        name = stage.name
        part = None if stage.box is None else _around(stage.box, stage.size_hw)
        found.append(
            PathStage(
                name=name,
                did=_did(steps[number - 1], path.stages[-number].size_hw) if number else "",
                size_hw=stage.size_hw,
                box=stage.box,
                down=stage.down.weights,
                across=stage.across.weights,
                cell=(
                    (place[0] - top) / down,
                    (place[1] - left) / across,
                    (place[2] - top) / down,
                    (place[3] - left) / across,
                ),
                lying=lies,
                text="" if values is None else caption(name, values),
                close=None if values is None or part is None else _close(name, values, part),
                close_box=part,
            )
        )
    return tuple(found)


def _did(step: Step, before: tuple[int, int]) -> str:
    """How a step makes a picture of the one before."""
    height, width = step.size_hw
    if not isinstance(step, Window):
        if step.size_hw == before:
            return f"resized to {height} × {width}, which it was before: nothing changes"
        plain = "" if step.antialias else ", without antialiasing"
        return f"resized from {shape_text(before)} to {height} × {width}, {step.interpolation}{plain}"
    top, left = step.start_hw
    sides = {
        "above": -top,
        "below": top + height - before[0],
        "on the left": -left,
        "on the right": left + width - before[1],
    }
    if all(side <= 0 for side in sides.values()):
        return f"cut out of {shape_text(before)}: rows {top} … {top + height - 1}, columns {left} … {left + width - 1}"
    added = ", ".join(f"{side} px {where}" for where, side in sides.items() if side > 0)
    return f"padded from {shape_text(before)}: {added}, filled with R, G, B {', '.join(map(str, step.fill))}"


def _around(box: Box, size_hw: tuple[int, int]) -> Box:
    """A box with some of what is beside it."""
    room = [max(3, round(0.3 * (box[axis + 2] - box[axis]))) for axis in (0, 1)]
    return (
        max(box[0] - room[0], 0),
        max(box[1] - room[1], 0),
        min(box[2] + room[0], size_hw[0]),
        min(box[3] + room[1], size_hw[1]),
    )


def _close(name: str, values: Array, part: Box) -> Tile:
    """A part of a picture; numbers that are no whole levels are drawn as the nearest."""
    top, left, bottom, right = part
    inside = values[top:bottom, left:right]
    levels = inside if inside.dtype == np.uint8 else np.clip(np.rint(inside), 0, 255).astype(np.uint8)
    small = thumbnail(levels, CLOSE_SIDE)
    scale = "as they are" if small is levels else f"as they are, made smaller to {shape_text(small.shape[:2])}"
    return Tile(caption(f"{name}, closer", inside), small, scale)


def _sensor(
    box: Box | None, size_hw: tuple[int, int], orientation: int, pattern: str, demosaic: str
) -> SensorPart | None:
    if box is None:
        return None
    made_of = photosites(box, size_hw, orientation=orientation, pattern=pattern, method=demosaic)
    return SensorPart(
        orientation=orientation,
        stored_hw=swapped(size_hw, orientation),
        stored_box=stored_box(box, size_hw, orientation),
        box=made_of.box,
        count=made_of.count,
        pattern=pattern,
        demosaic=demosaic,
        mask=made_of.mask if max(made_of.mask.shape) <= MOSAIC_SIDE else None,
    )


def to_json(trace: LightpathTrace) -> dict[str, Any]:
    """What `--json` prints; boxes are [x0, y0, x1, y1], half open, in pixels of the upright photo."""
    described: dict[str, Any] = {
        "front_end": trace.front_end,
        "photo_hw": list(trace.photo_hw),
        "tokens": list(trace.tokens),
    }
    sensor = trace.sensor
    seen = {
        "sensor": None
        if sensor is None
        else {
            "orientation": sensor.orientation,
            "stored_box": _xyxy(sensor.stored_box),
            "box": _xyxy(sensor.box),
            "photosites": sensor.count,
            "pattern": sensor.pattern,
            "demosaic": sensor.demosaic,
        }
    }
    if trace.token is None:
        return described | seen
    stages = [
        {"name": stage.name, "size_hw": list(stage.size_hw), "box": _xyxy(stage.box)} for stage in trace.stages[::-1]
    ]
    first = trace.stages[0] if trace.stages else None
    return {
        **described,
        "token": trace.token,
        "tile": trace.tile,
        "grid": list(trace.place),
        "patches": list(trace.patches),
        "input_box": _xyxy(trace.stages[-1].box) if trace.stages else None,
        "photo_box": _xyxy(trace.photo_box),
        "padding_share": trace.padding_share,
        "stages": stages,
        "weights": None if first is None else {"y": first.down.tolist(), "x": first.across.tolist()},
        **seen,
    }


def _xyxy(box: Box | None) -> list[int] | None:
    return None if box is None else [box[1], box[0], box[3], box[2]]
