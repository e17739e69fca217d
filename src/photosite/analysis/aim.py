"""Which number of a network is meant: a unit, the largest place of a channel, a logit; in whatever layout it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from photosite.analysis.feature_map import picture_layout
from photosite.analysis.features import Place
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import RangeError, ShapeError
from photosite.graph.ir import Node

Unit = tuple[int, int]


@dataclass(frozen=True)
class Aim:
    """One number of a value.

    Args:
        channel: of a map, or a logit's number where the value is (B, D); None takes the channel with the largest one.
        place: row and column in the map; None takes the place where the channel is largest.
        index: instead of both, where the number stands in the value of one picture: an index for each axis behind the
            first. For what has no place: a class token of (B, N, D) is (0, d).
    Raises:
        RangeError: an index beside a channel or a place.
    Convention: of equal numbers the first one in the order of channels, then rows, then columns.
    """

    channel: int | None = None
    place: Unit | None = None
    index: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse two answers to one question."""
        if self.index is not None and (self.channel is not None or self.place is not None):
            raise RangeError("aim: wants an index, or a channel and a place, not both")


Aims = int | Aim | Sequence[int | Aim] | None
"""What can be asked for: a channel by its number, an aim, one of them for each picture, or nothing: the largest."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was aimed at, picture by picture.

    Attributes:
        flat: (B,), where the number stands in the value of one picture, laid out as one row.
        numbers: (B,), what stood there.
        channels: the channel, or the logit's number; None where an index was given.
        places: row and column; None where the value has no places, or an index was given.
    """

    flat: Tensor
    numbers: Tensor
    channels: tuple[int | None, ...]
    places: tuple[Unit | None, ...]

    @classmethod
    def joined(cls, parts: Sequence[Chosen]) -> Chosen:
        """Those of several batches, one behind the other."""
        return cls(
            torch.cat([part.flat for part in parts]),
            torch.cat([part.numbers for part in parts]),
            tuple(one for part in parts for one in part.channels),
            tuple(one for part in parts for one in part.places),
        )


def as_aims(aim: Aims, count: int) -> list[Aim]:
    """One aim for each of so many pictures.

    Raises:
        RangeError: several were given, but not one for each.

    >>> as_aims(7, 2)
    [Aim(channel=7, place=None, index=None), Aim(channel=7, place=None, index=None)]
    """
    if aim is None or isinstance(aim, int | Aim):
        aim = [Aim() if aim is None else aim] * count
    if len(aim) != count:
        raise RangeError(f"aim: wants one, or one for each of {count} pictures, got {len(aim)}")
    return [Aim(one) if isinstance(one, int) else one for one in aim]


def place_of(node: Node, fields: ReceptiveFields | None, batch: int) -> Place:
    """Where the places of a value lie.

    Args:
        node: whose value.
        fields: of its graph; of a value of two axes nothing has to be known.
        batch: how many pictures the graph takes at once.
    """
    found = None
    if len(node.shape) > 2 and fields is not None:
        found = picture_layout(fields[node.name].field, batch)
    return Place(node.name, *(found or ("", (0, 0), node.shape[-1] if node.shape else 0, 0)))


def by_channel(value: Tensor, place: Place) -> Tensor:
    """A value as (B, C, places), row by row, without what stands in front of the places; (B, D) as (B, D, 1).

    Raises:
        ShapeError: it holds no map of places, and is not (B, D).
    """
    rows, columns = place.grid
    if place.layout == "NCHW":
        return value.flatten(2)
    if place.layout == "NHWC":
        return value.flatten(1, 2).transpose(1, 2)
    if place.layout == "tokens":
        return value[:, place.prefix : place.prefix + rows * columns].transpose(1, 2)
    if value.ndim == 2:
        return value[:, :, None]
    raise ShapeError(
        f"{place.node} {tuple(value.shape)} holds no map of places, batch first; "
        "name another value, or say where the number stands: Aim(index=...)"
    )


def choose(value: Tensor, place: Place, aims: Sequence[Aim]) -> Chosen:
    """Find the numbers that are aimed at.

    Args:
        value: (B, ...).
        place: where its places lie.
        aims: one for each picture.
    Raises:
        RangeError: there is no such channel, place or index.
        ShapeError: the value holds no map of places.
    """
    rows = value.reshape(len(value), -1)
    numbers = torch.arange(rows.shape[1], device=value.device).reshape(value.shape[1:])
    if any(aim.index is None for aim in aims):
        table = by_channel(numbers[None], place)[0]  # (C, places), where each number stands
    found: list[tuple[int, int | None, Unit | None]] = []
    for row, aim in zip(rows, aims, strict=True):
        found.append(
            _at_index(numbers, place, aim.index) if aim.index is not None else _largest(row, table, place, aim)
        )
    flat = torch.tensor([where for where, _, _ in found], device=value.device)
    return Chosen(
        flat,
        rows.gather(1, flat[:, None])[:, 0],
        tuple(channel for _, channel, _ in found),
        tuple(unit for _, _, unit in found),
    )


def _at_index(numbers: Tensor, place: Place, index: tuple[int, ...]) -> tuple[int, None, None]:
    sides = tuple(numbers.shape)
    if len(index) != len(sides) or not all(0 <= i < side for i, side in zip(index, sides, strict=True)):
        raise RangeError(f"aim: {place.node} has for each picture {sides}, no number at {index}")
    return int(numbers[index]), None, None


def _largest(row: Tensor, table: Tensor, place: Place, aim: Aim) -> tuple[int, int, Unit | None]:
    """Where the largest stands of those that an aim allows, its channel, and its place."""
    (height, width), first = place.grid, aim.channel or 0
    if not 0 <= first < len(table):
        raise RangeError(f"aim: {place.node} has {len(table)} channels, none at {first}")
    some = table if aim.channel is None else table[first : first + 1]
    if aim.place is not None:
        if not place.layout:
            raise RangeError(f"aim: {place.node} has no places, so none can be chosen")
        down, across = aim.place
        if not (0 <= down < height and 0 <= across < width):
            raise RangeError(f"aim: {place.node} has {height} × {width} places, none at {down},{across}")
        some = some[:, down * width + across, None]
    best = int(row[some.flatten()].argmax())
    channel, spot = divmod(best, some.shape[1])
    unit = (aim.place or divmod(spot, width)) if place.layout else None
    return int(some.flatten()[best]), first + channel, unit
