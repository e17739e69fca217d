"""What is known of a value's dependence on the input: for each axis, which pixels its indices stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from photosite.errors import PhotositeError
from photosite.graph.reach.line import PIXELS, Line, pixels
from photosite.graph.reach.places import Interval

DIRECTIONS = ("y", "x")


class ReachError(PhotositeError):
    """Why a dependence cannot be known; one line."""


@dataclass(frozen=True)
class Part:
    """A factor of an axis: how many indices, and which direction they run in, if any.

    Attributes:
        side: how many.
        way: "y" for rows of the input, "x" for columns, "" for neither (batch, channels).
        line: their intervals, where they run.
    """

    side: int
    way: str = ""
    line: Line = PIXELS

    def __post_init__(self) -> None:
        """What is really seen is known once the side is."""
        if self.way:
            object.__setattr__(self, "line", self.line.limited(self.side))


Segment = tuple[Part, ...]
Axis = tuple[Segment, ...]
"""Segments one behind the other, each a product of parts: a class token, then rows × columns of tokens."""


@dataclass(frozen=True)
class Field:
    """The dependence of a value on the input.

    Attributes:
        axes: what each axis consists of.
        base: pixels around those of the axes, in y and x: what has been summed up, such as the inside of a patch.
        depends: whether it depends on the input at all; weights do not.
        whole: directions in which it sees everything and has no place of its own any more.
        global_by: names of the operations that made it see everything beside its local field.
        unaligned: names of the sums whose terms do not have the same centers.
        at_most: names of the operations behind which the field is an upper bound: they take places apart in a way that
            is not followed, so all of those places count.
        unknown: why nothing is known; "" where it is.
        pieces: of channels that were put one behind the other, each piece's own field; the axes hold for all of them
            together. Dropped by what computes across channels.
        pieces_dim: along which axis.
    """

    axes: tuple[Axis, ...]
    base: dict[str, Interval] = field(default_factory=lambda: {"y": (0, 0), "x": (0, 0)})
    depends: bool = True
    whole: frozenset[str] = frozenset()
    global_by: tuple[str, ...] = ()
    unaligned: tuple[str, ...] = ()
    at_most: tuple[str, ...] = ()
    unknown: str = ""
    pieces: tuple[Field, ...] = field(default=(), repr=False)
    pieces_dim: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The value's shape."""
        return tuple(side_of(axis) for axis in self.axes)

    def size(self, way: str) -> int:
        """Pixels in the largest field of any of the value's numbers, as if the input had no borders."""
        low, high = self.base[way]
        return (
            high
            - low
            + 1
            + max(
                (
                    sum(part.line.size - 1 for part in segment if part.way == way)
                    for axis in self.axes
                    for segment in axis
                ),
                default=0,
            )
        )

    def jump(self, way: str) -> Fraction:
        """Pixels from one place to the next; 0 where it has no place in this direction."""
        steps = [abs(part.line.step) for part in self.parts(way) if part.side > 1 or part.line.jump]
        return min(steps, default=Fraction(0))

    def parts(self, way: str) -> list[Part]:
        """All parts that run in a direction."""
        return [part for axis in self.axes for segment in axis for part in segment if part.way == way]

    def runs(self, way: str) -> bool:
        """Whether some axis runs in a direction."""
        return bool(self.parts(way))


def constant(shape: Sequence[int]) -> Field:
    """What depends on no pixel."""
    return Field(tuple(plain(side) for side in shape), depends=False)


def picture(shape: Sequence[int]) -> Field:
    """The input itself: (B, C, H, W), or (B, H, W, C) where only the last axis is short enough for color."""
    first = 1 if shape[3] <= 4 < shape[1] else 2
    ways = {first: "y", first + 1: "x"}
    return Field(tuple(((Part(side, ways.get(axis, ""), pixels(side)),),) for axis, side in enumerate(shape)))


def unknown(shape: Sequence[int], why: str) -> Field:
    """A value of which nothing is known."""
    return Field(tuple(plain(side) for side in shape), unknown=why)


def plain(side: int) -> Axis:
    """An axis that runs in no direction."""
    return ((Part(side),),)


def side_of(axis: Axis) -> int:
    """How many indices an axis has."""
    return sum(math.prod(part.side for part in segment) for segment in axis)


def ways_of(axis: Axis) -> set[str]:
    """The directions that an axis runs in."""
    return {part.way for segment in axis for part in segment if part.way}


def tidy(segment: Iterable[Part]) -> Segment:
    """Neighboring parts of one direction put together, those of one index left out where another says where they are.

    >>> tidy((Part(2, "y", Line(4, ((0, 0),))), Part(4, "y", PIXELS)))
    (Part(side=8, way='y', line=Line(jump=1, intervals=((0, 0),))),)
    """
    done: list[Part] = []
    for part in segment:
        if part.side == 1 and not part.way and done:
            continue
        if done and done[-1].side == 1 and not done[-1].way:
            done.pop()
        last = done[-1] if done else None
        if last and last.way == part.way:
            line = last.line.over(part.line, part.side) if part.way else PIXELS
            done[-1] = Part(last.side * part.side, part.way, line)
        else:
            done.append(part)
    return tuple(done)


def line_of(axis: Axis, who: str) -> tuple[str, Line]:
    """The direction and the line of an axis that is one thing from end to end; "" and no matter what for none.

    Raises:
        ReachError: it consists of several.
    """
    ways = ways_of(axis)
    if not ways:
        return "", PIXELS
    parts = tidy(axis[0])
    if len(axis) > 1 or len(parts) > 1 or len(ways) > 1:
        raise ReachError(f"{who} runs over an axis that holds {' and '.join(sorted(ways))} of the input in pieces")
    return parts[0].way, parts[0].line


def named(x: Field, *names: str) -> Field:
    """With further operations that made it see everything."""
    return replace(x, global_by=tuple(dict.fromkeys((*x.global_by, *names))))


def exchanged(x: Field, part: Part, line: Line) -> Field:
    """With another line in the place of a part's."""
    new = Part(part.side, part.way, line)
    axes = tuple(tuple(tuple(new if p is part else p for p in segment) for segment in axis) for axis in x.axes)
    return replace(x, axes=axes)
