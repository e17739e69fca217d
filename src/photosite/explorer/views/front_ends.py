"""Tokens of a photo, by front end: how many there are, where each comes from, and the pixels of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import PhotositeError, UnknownNameError
from photosite.explorer.front_ends import FrontEnd
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.workspace import Photo, Workspace
from photosite.lightpath.sensor import photosites
from photosite.lightpath.table import Lines, TokenTable
from photosite.report.numbers import plain
from photosite.shapes import shape_text
from photosite.trace.cells import in_photo, lying

PATTERN, DEMOSAIC = "RGGB", "malvar"
"""Of the sensor that a photo is taken to come from, and how its mosaic became pixels."""
MANY = 16
"""More patches than these are not listed one by one: they are all of a map."""
ROLES = ("base", "tile")
KINDS = (
    "of the whole photo",
    "of a tile",
    "of the next tile",
    "a learned newline: it ends a row, no pixel stands behind it",
    "a class token: it has no place of its own",
)
"""What a token is; tiles that follow each other are told apart."""


def front_ends(workspace: Workspace, question: Question) -> Answer:
    """All front ends, and how many tokens each makes of a photo.

    Args:
        workspace: has the photo.
        question: `photo`.
    Returns:
        Of each its `name`; `total` and `tiles`, or `refusal`, one line, where it refuses photos of this size.
    """
    photo = workspace.photo(question.text("photo"))
    found: list[dict[str, object]] = []
    for one in workspace.front_ends.values():
        try:
            count = one.count(_size(photo))
            found.append({"name": one.name, "total": int(count.total), "tiles": int(count.tiles), "refusal": ""})
        except PhotositeError as error:
            found.append({"name": one.name, "total": None, "tiles": None, "refusal": str(error)})
    return pack({"front_ends": found})


def token_map(workspace: Workspace, question: Question) -> Answer:
    """Where every token of a photo comes from.

    Args:
        workspace: has the photo.
        question: `photo`, `front_end`.
    Returns:
        Of N tokens, int32 unless said: `tokens` (N, 5): tile, -1 without a place, its role in `ROLES`, row, column, and
        what the token is in `KINDS`; boxes (N, 4), top, left, bottom, right, half open, zeros where there is none:
        `cells` float64, where its cell lies in the photo, and `reads`, the pixels of the photo that it depends on.
        `readers` (…, 2), `Lines.readers` of all tiles, and as `lines` (tiles, 2) where those of a tile's rows and
        columns begin. `seen`: the part of the photo in which all tiles lie, and `sheet`, all of them and the
        photo. Of each tile its name, its role, and its box in the photo.
    Raises:
        RangeError: the front end refuses photos of this size.
        UnknownNameError: there is no such photo or front end.
    """
    photo, one = workspace.photo(question.text("photo")), _named(workspace, question)
    table = _table(workspace, photo, one)
    size, count, places = _size(photo), one.count(_size(photo)), table.places
    question.check()
    readers = _Parts()
    lines = [[readers.add(axis[tile].readers) for axis in (table.rows, table.columns)] for tile in range(count.tiles)]
    lies = [lying(tile.steps, size) for tile in places.tiles]
    boxes = np.array([in_photo((0, 0, *tile.size_hw), lie) for tile, lie in zip(places.tiles, lies, strict=True)])
    whole = np.concatenate([boxes, [(0, 0, *size)]])
    alone = apart(table)
    cells = _boxes(table, *((0, places.cell) if alone else places.window))
    scale, start = (np.array(lies)[np.maximum(places.tile, 0)][:, part] for part in (slice(2), slice(2, 4)))
    roles = np.array([ROLES.index(tile.role) for tile in places.tiles])[np.maximum(places.tile, 0)]
    kinds = np.where(roles == 0, 0, 1 + places.tile % 2)
    kinds = np.where(places.tile >= 0, kinds, np.where(places.newline, 3, 4))
    placed = places.tile >= 0
    return pack(
        {
            "name": one.name,
            "source": one.source,
            "patch": places.cell // one.merge,
            "apart": alone,
            "roles": [role for role in ROLES if any(tile.role == role for tile in places.tiles)],
            "kinds": KINDS,
            "present": np.unique(kinds).tolist(),
            "beside": f"and {count.separators} text tokens between and around them, which are not counted here"
            if count.separators
            else "",
            "pattern": PATTERN,
            "lines": lines,
            "sheet": [*whole[:, :2].min(0), *whole[:, 2:].max(0)],
            "seen": [*np.maximum(boxes[:, :2].min(0), 0), *np.minimum(boxes[:, 2:].max(0), size)],
            "tiles": [
                {
                    "name": _tile_name(places.tiles, tile),
                    "role": tile.role,
                    "box": boxes[number].tolist(),
                }
                for number, tile in enumerate(places.tiles)
            ],
        },
        {
            "tokens": np.stack([places.tile, roles, places.row, places.column, kinds], 1).astype(np.int32),
            "cells": np.where(placed[:, None], np.tile(start, 2) + np.tile(scale, 2) * cells, 0.0),
            "reads": _reads(table).astype(np.int32),
            "readers": readers.all(),
        },
    )


def token(workspace: Workspace, question: Question) -> Answer:
    """One token's way back, in words, and the picture that the encoder gets of it.

    Args:
        workspace: has the photo.
        question: `photo`, `front_end`, `token`.
    Returns:
        `lines`, pairs of words; `picture` (h, w, 3) uint8, the token's cell in its tile, or, where several tokens share
        one, all that they are made of; numbers that are no whole levels are rounded. No picture without a place.
    Raises:
        RangeError: no such token.
        UnknownNameError: there is no such photo or front end.
    """
    photo, one = workspace.photo(question.text("photo")), _named(workspace, question)
    table, size = _table(workspace, photo, one), _size(photo)
    number = question.integer("token", 0, len(table.places) - 1)
    places = table.places
    box = places.box(number)
    if box is None:
        return pack({"token": number, "lines": []})
    question.check()
    tile_number, row, column = (int(axis[number]) for axis in (places.tile, places.row, places.column))
    tile = places.tiles[tile_number]
    lies = lying(tile.steps, size)
    cell = places.cell_box(number) if apart(table) else box
    assert cell is not None
    in_px = [f"{edge:.6g}" for edge in in_photo(cell, lies)]
    rows, columns = table.rows[tile_number].spans[row], table.columns[tile_number].spans[column]
    patches = ", ".join(map(str, table.patches[number]))
    if table.patches.shape[1] > MANY:
        patches = f"{table.patches[number, 0]} … {table.patches[number, -1]}, all {table.patches.shape[1]}"
    through = f", and of everything else through {', '.join(one.global_by)}" if one.global_by else ""
    lines = [
        ("picture", f"{_tile_name(places.tiles, tile)}, number {tile_number} of {len(places.tiles)}"),
        ("how it is made", _made(size, tile.steps)),
        ("scale", f"{lies[0]:.4g} × {lies[1]:.4g} pixels of the photo for one of it"),
        ("place in its grid", f"row {row}, column {column}"),
        ("patches", f"{patches} of the encoder's sequence"),
        ("made of", f"{_span(box)} of the picture{through}"),
        ("lies in the photo", f"y {in_px[0]} … {in_px[2]}, x {in_px[1]} … {in_px[3]}"),
    ]
    if rows[1] and columns[1]:
        reads = (int(rows[0]), int(columns[0]), int(rows[1]), int(columns[1]))
        counts = mosaic_counts(reads, size)
        by_color = " + ".join(f"{plain(one)} {color}" for one, color in zip(counts, PATTERN, strict=True))
        lines.append(("reads of the photo", _span(reads)))
        lines.append(
            (
                "photosites behind",
                f"{plain(sum(counts))} = {by_color} of an {PATTERN} mosaic that {DEMOSAIC.title()} fills in",
            )
        )
    else:
        lines.append(("reads of the photo", "nothing: it is all padding"))
    made = workspace.once(
        ("tile pictures", photo.key, one.name),
        lambda: one.pictures(photo.picture),
        lambda pictures: sum(each.nbytes for each in pictures),
    )
    levels = made[tile_number][cell[0] : cell[2], cell[1] : cell[3]]
    return pack({"token": number, "lines": lines}, {"picture": np.clip(np.rint(levels), 0, 255).astype(np.uint8)})


def mosaic_counts(box: tuple[int, int, int, int], size_hw: tuple[int, int]) -> list[int]:
    """How many photosites at each corner of the pattern the pixels of a box were made of.

    Args:
        box: (top, left, bottom, right) of the photo, half open.
        size_hw: of the photo, which is taken to lie as its sensor did.

    >>> mosaic_counts((10, 10, 11, 11), (40, 40))  # one pixel of red, by Malvar's kernels
    [5, 2, 2, 4]
    """
    found = photosites(box, size_hw, pattern=PATTERN, method=DEMOSAIC)
    top, left = found.box[:2]
    return [int(found.mask[(y - top) % 2 :: 2, (x - left) % 2 :: 2].sum()) for y in (0, 1) for x in (0, 1)]


def apart(table: TokenTable) -> bool:
    """Whether each token has a cell of its own; else several stand for one place."""
    places = table.places
    taken = np.stack([places.tile, places.row, places.column], 1)[places.tile >= 0]
    return len(np.unique(taken, axis=0)) == len(taken)


def _boxes(table: TokenTable, start: int, length: int) -> npt.NDArray[np.int64]:
    """What each token has of its tile, (N, 4), from somewhere in its cell on; zeros for tokens without a place."""
    places = table.places
    low = np.stack([places.row, places.column], 1) * places.cell + start
    sides = np.array([tile.size_hw for tile in places.tiles])[np.maximum(places.tile, 0)]
    found = np.concatenate([np.maximum(low, 0), np.minimum(low + length, sides)], 1)
    return np.where(places.tile[:, None] >= 0, found, 0)


def _reads(table: TokenTable) -> npt.NDArray[np.int64]:
    """The photo's pixels that each token depends on, (N, 4); zeros for tokens that depend on none."""
    places, found = table.places, np.zeros((len(table.places), 4), np.int64)
    for number in range(len(places.tiles)):
        own = np.flatnonzero(places.tile == number)
        if len(own):
            found[own, ::2] = table.rows[number].spans[places.row[own]]
            found[own, 1::2] = table.columns[number].spans[places.column[own]]
    found[(found[:, 2] == 0) | (found[:, 3] == 0)] = 0
    return found


def _tile_name(tiles: Sequence[Any], tile: Any) -> str:
    """What a person calls it."""
    if tile.role == "base":
        return "the whole" if len(tiles) > 1 else "the picture"
    return f"tile {tile.place[0]}, {tile.place[1]}"


def _span(box: tuple[int, int, int, int]) -> str:
    return f"rows {box[0]} … {box[2] - 1}, columns {box[1]} … {box[3] - 1}"


def _made(size_hw: tuple[int, int], steps: Sequence[Any]) -> str:
    """What was done to a photo, in words."""
    said = [shape_text(size_hw)]
    for step in steps:
        if not hasattr(step, "start_hw"):
            said.append(f"resized to {shape_text(step.size_hw)}")
        else:
            larger = any(side > before for side, before in zip(step.size_hw, size_hw, strict=True))
            said.append(f"{'padded' if larger else 'cut'} to {shape_text(step.size_hw)}")
        size_hw = step.size_hw
    return " → ".join(said)


class _Parts:
    """Arrays (n, 2) one behind the other, each once."""

    def __init__(self) -> None:
        self._starts: dict[int, int] = {}
        self._parts: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        self._length = 0

    def add(self, part: npt.NDArray[np.int64]) -> int:
        """Where it begins."""
        if id(part) not in self._starts:
            self._starts[id(part)] = self._length
            self._parts.append(part)
            self._length += len(part)
        return self._starts[id(part)]

    def all(self) -> npt.NDArray[np.int32]:
        """All of them."""
        return np.concatenate(self._parts).astype(np.int32)


def _named(workspace: Workspace, question: Question) -> FrontEnd:
    name = question.text("front_end")
    if name not in workspace.front_ends:
        raise UnknownNameError("front end", name[:80], tuple(workspace.front_ends))
    return workspace.front_ends[name]


def _size(photo: Photo) -> tuple[int, int]:
    return photo.picture.shape[0], photo.picture.shape[1]


def _table(workspace: Workspace, photo: Photo, one: FrontEnd) -> TokenTable:
    def octets(table: TokenTable) -> int:
        lines: set[Lines] = {*table.rows, *table.columns}
        kept: list[npt.NDArray[Any]] = [table.patches, table.places.tile, table.places.row, table.places.column]
        return sum(each.nbytes for each in kept) + sum(each.spans.nbytes + each.readers.nbytes for each in lines)

    return workspace.once(("tokens", photo.key, one.name), lambda: one.table(_size(photo)), octets)
