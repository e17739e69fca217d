"""What an axis is made of: rows, columns, channels, and pieces of them, as in "b (h p) (w q) c".

Every axis is a product of parts, so reshapes and permutations are exact: a row that is cut into windows and put
together again is the same row. Knows no graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

SPACE = frozenset("HW")


@dataclass(frozen=True)
class Part:
    """A factor of an axis.

    `label` is B batch, C channels, H rows, W columns, N tokens or ? unknown. One position of it spans `step` positions
    of the whole, which has `extent`. Of tokens, `grid` has the rows and columns that follow `prefix` others.
    """

    label: str
    size: int
    step: int = 1
    extent: int = 0
    grid: tuple[int, int] | None = None
    prefix: int = 0

    def __post_init__(self) -> None:
        """A part is its own whole until it is cut."""
        if not self.extent:
            object.__setattr__(self, "extent", self.size)

    @property
    def is_outer(self) -> bool:
        """Whether it covers the whole from end to end, rather than one piece of it."""
        return self.step * self.size == self.extent


Axis: TypeAlias = tuple[Part, ...]
Axes: TypeAlias = tuple[Axis, ...]
"""One axis for each dimension; () is an axis of size 1 without meaning, such as rows that were averaged away."""


def fused(axis: Axis) -> Axis:
    """Neighbouring parts of one whole put together again, and parts of size 1 that say nothing left out.

    >>> fused((Part("H", 8, 7, 56), Part("H", 7, 1, 56)))
    (Part(label='H', size=56, step=1, extent=56, grid=None, prefix=0),)
    """
    joined: list[Part] = []
    for part in axis:
        if part.size == 1 and part.extent == 1 and part.label not in SPACE:
            continue
        last = joined[-1] if joined else None
        if last and (last.label, last.extent, last.step) == (part.label, part.extent, part.step * part.size):
            joined[-1] = replace(part, size=last.size * part.size)
        else:
            joined.append(part)
    return tuple(joined)


def regroup(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """Axes after a reshape; None where a new border would cut a part unevenly.

    >>> rows_and_columns = regroup(((Part("H", 4),), (Part("W", 6),)), (24,))
    >>> [part.label for part in rows_and_columns[0]]
    ['H', 'W']
    """
    parts = [part for axis in axes for part in axis]
    result: list[list[Part]] = []
    for side in shape:
        axis: list[Part] = []
        need = side
        if need == 1 and parts and parts[0].size == 1:
            axis.append(parts.pop(0))
        while need > 1:
            if not parts:
                return None
            part = parts.pop(0)
            if part.size > need and part.size % need == 0 and part.grid is None:
                inner = part.size // need
                axis.append(replace(part, size=need, step=part.step * inner))
                parts.insert(0, replace(part, size=inner))
                need = 1
            elif need % part.size == 0:
                axis.append(part)
                need //= part.size
            else:
                return None
        result.append(axis)
    if result:
        result[-1].extend(parts)
    return tuple(fused(tuple(axis)) if side > 1 else tuple(axis) for axis, side in zip(result, shape, strict=True))


def space_label(axis: Axis) -> str:
    """H or W where the axis is all of the rows or all of the columns and nothing else, else ""."""
    whole = fused(axis)
    return whole[0].label if len(whole) == 1 and whole[0].label in SPACE and whole[0].is_outer else ""


def token_part(axis: Axis) -> Part | None:
    """The tokens of an axis that holds all positions of a picture, row by row, maybe behind others; else None."""
    whole = fused(axis)
    if len(whole) == 1 and whole[0].label == "N":
        return whole[0]
    if len(whole) == 2 and [part.label for part in whole] == ["H", "W"] and all(part.is_outer for part in whole):
        rows, columns = (part.size for part in whole)
        return Part("N", rows * columns, grid=(rows, columns))
    return None


def has_space(axis: Axis) -> bool:
    """Whether rows, columns or tokens run along an axis; the inside of a window does not count."""
    return any(part.label == "N" or (part.label in SPACE and part.is_outer) for part in axis)
