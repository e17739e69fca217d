"""Where the values along one index lie in the input, in one direction: an interval of pixels for each, without end.

Kernels move by a fixed number of pixels, so the interval of the next value is the last one's, moved; behind a
transposed convolution or an upsampling, that of every P-th value is. Whole numbers throughout: nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from photosite.graph.reach.places import NOTHING, Interval, Places, hull, span, summed, union, widened


@dataclass(frozen=True)
class Line:
    """Intervals of an index i: those of i + period are those of i, moved by `jump` pixels.

    That is so in a picture without borders. In a real one, what lies in the padding of any layer on the way is nothing:
    `seen` has the pixels that are left, for each index that there is.

    Attributes:
        jump: pixels for one period; below 0 where the picture is flipped.
        intervals: of the indices 0 up to the period.
        seen: of the indices of an axis, in a real picture; None where they are not known yet (see `limited`) or at all.
        rule: from an index to what it sees in a real picture.
        half: of what it is one of two indices, where a line was cut into windows.
    """

    jump: int
    intervals: tuple[Interval, ...]
    seen: tuple[Places, ...] | None = field(default=None, compare=False, repr=False)
    rule: Callable[[int], Places] | None = field(default=None, compare=False, repr=False)
    half: Half | None = field(default=None, compare=False, repr=False)

    @property
    def period(self) -> int:
        """After how many indices the intervals repeat."""
        return len(self.intervals)

    @property
    def step(self) -> Fraction:
        """Pixels from one index to the next, on average."""
        return Fraction(self.jump, self.period)

    @property
    def size(self) -> int:
        """Pixels in the largest interval."""
        return max(high - low + 1 for low, high in self.intervals)

    def at(self, index: int) -> Interval:
        """The interval of any index, also beyond the ends of the axis, as if the input went on.

        >>> Line(2, ((-1, 1),)).at(3)
        (5, 7)
        """
        turns, phase = divmod(index, self.period)
        low, high = self.intervals[phase]
        return (low + turns * self.jump, high + turns * self.jump) if low <= high else NOTHING

    def reading(
        self,
        of: Callable[[int], Iterable[int]],
        period: int,
        shift: int,
        really: Callable[[int], Iterable[int]] | None = None,
    ) -> Line:
        """The line of values each of which reads several of these.

        Args:
            of: from a new index to the old indices that it reads.
            period: after how many new indices the same pattern comes again.
            shift: by how many old indices it has moved then.
            really: as `of`, in a real picture, where that is not the same (mirrored at a border).

        >>> pixels = Line(1, ((0, 0),))
        >>> pixels.reading(lambda i: range(2 * i - 1, 2 * i + 2), 1, 2)  # a kernel of 3, stride 2, padding 1
        Line(jump=2, intervals=((-1, 1),))
        """
        times = self.period // math.gcd(self.period, shift) if shift else 1
        intervals = tuple(hull(self.at(old) for old in of(new)) for new in range(period * times))
        reads = really or of
        rule = None if self.seen is None else lambda new: union(self.really(old) for old in reads(new))
        return Line(self.jump * shift * times // self.period, intervals, rule=rule).shortest()

    def really(self, index: int) -> Places:
        """What an index sees in a picture with borders; nothing where there is no such index."""
        assert self.seen is not None
        return self.seen[index] if 0 <= index < len(self.seen) else 0

    def limited(self, side: int) -> Line:
        """With what is really seen, for an axis of so many indices."""
        if self.rule is None or (self.seen is not None and len(self.seen) == side):
            return self
        return replace(self, seen=tuple(self.rule(index) for index in range(side)), rule=None)

    def windows(self, kernel: int, stride: int, before: int, dilation: int) -> Line:
        """Behind a window that slides over these.

        >>> Line(4, ((0, 6),)).windows(3, 2, 1, 1)
        Line(jump=8, intervals=((-4, 10),))
        """
        reach = range(0, dilation * kernel, dilation)
        return self.reading(lambda i: (i * stride - before + k for k in reach), 1, stride)

    def spread(self, kernel: int, stride: int, before: int, dilation: int) -> Line:
        """Behind a transposed convolution: output o reads input i wherever o = i S - P + k D for a kernel position k.

        >>> Line(4, ((0, 6),)).spread(2, 2, 0, 1)  # two outputs for each input
        Line(jump=4, intervals=((0, 6), (0, 6)))
        """

        def of(output: int) -> Iterable[int]:
            places = (output + before - k * dilation for k in range(kernel))
            return (place // stride for place in places if place % stride == 0)

        return self.reading(of, stride, 1)

    def repeated(self, count: int) -> Line:
        """Each index again and again, `count` times.

        >>> Line(4, ((0, 6),)).repeated(2)
        Line(jump=4, intervals=((0, 6), (0, 6)))
        """
        return self.reading(lambda index: (index // count,), count, 1)

    def rolled(self, by: int, side: int) -> Line:
        """Moved along, as in `roll`: without borders that is all; really, what falls off comes in at the other end."""
        return self.reading(lambda i: (i - by,), 1, 1, lambda i: ((i - by) % side,))

    def moved(self, by: Interval) -> Line:
        """With something more before and behind each interval."""
        rule = None if self.seen is None else lambda index: widened(self.really(index), by)
        return Line(self.jump, tuple(_sum(interval, by) for interval in self.intervals), rule=rule)

    def joined(self, other: Line) -> Line | None:
        """The smallest intervals that hold both; None where the lines do not run at the same pace.

        >>> Line(1, ((0, 0),)).joined(Line(1, ((-1, 1),)))
        Line(jump=1, intervals=((-1, 1),))
        """
        if self.step != other.step:
            return None
        period = math.lcm(self.period, other.period)
        both = tuple(hull((self.at(i), other.at(i))) for i in range(period))
        line = Line(self.jump * (period // self.period), both, rule=self._either(other)).shortest()
        if self.half is None or other.half is None or not self.half.alike(other.half):
            return line
        whole = self.half.whole.joined(other.half.whole)
        return line if whole is None else replace(line, half=replace(self.half, whole=whole))

    def one_by_one(self, other: Line, side: int) -> Line:
        """The smallest intervals that hold both, of lines that run at different paces, over so many indices."""
        both = tuple(hull((self.at(i), other.at(i))) for i in range(side))
        jump = max(self.jump * side // self.period, other.jump * side // other.period, key=abs)
        return Line(jump, both, rule=self._either(other))

    def _either(self, other: Line) -> Callable[[int], Places] | None:
        if self.seen is None or other.seen is None:
            return None
        return lambda index: self.really(index) | other.really(index)

    def centered_as(self, other: Line) -> bool:
        """Whether both have the same centers, so that a sum adds what belongs to one place."""
        period = math.lcm(self.period, other.period)
        pairs = ((self.at(i), other.at(i)) for i in range(period))
        return self.step == other.step and all(sum(a) == sum(b) or NOTHING in (a, b) for a, b in pairs)

    def over(self, inner: Line, count: int) -> Line:
        """Of an index that is this one's times `count` plus an inner one's: an axis put together from two.

        >>> Line(8, ((0, 0),)).over(Line(1, ((0, 0),)), 8)
        Line(jump=1, intervals=((0, 0),))
        """
        if self.half and inner.half and self.half.is_cut and self.half.fits(inner.half) and self.half.kernel == count:
            return self.half.whole
        intervals = tuple(_sum(outer, inner.at(index)) for outer in self.intervals for index in range(count))
        rule: Callable[[int], Places] | None = None
        if inner.seen is not None and self.seen is not None and len(inner.seen) <= count:
            rule = lambda index: summed(self.really(index // count), inner.really(index % count))  # noqa: E731
        return Line(self.jump, intervals, rule=rule).shortest()

    def cut(self, count: int) -> tuple[Line, Line]:
        """As an outer line and one of `count` inner indices.

        >>> PIXELS.cut(4)
        (Line(jump=4, intervals=((0, 0),)), Line(jump=1, intervals=((0, 0),)))
        """
        return self.windowed(count, count, 0, 1)

    def windowed(self, kernel: int, stride: int, before: int, dilation: int) -> tuple[Line, Line]:
        """As a line of windows, and one of the indices in each.

        Where neighboring indices see windows of different sizes, the two lines hold the largest; that which they are
        halves of stays exact.
        """
        half = Half(self, True, kernel, stride, before, dilation)
        phases = self.period // math.gcd(self.period, stride)
        starts = [math.floor(self.step * half.index(window, 0)) for window in range(phases)]
        outer = Line(int(self.step * stride * phases), tuple((start, start) for start in starts), half=half)

        def inner(place: int) -> Interval:
            found = (_moved(self.at(half.index(window, place)), -start) for window, start in enumerate(starts))
            return hull(found)

        turn = self.period // math.gcd(self.period, dilation)
        within = Line(int(self.step * dilation * turn), tuple(map(inner, range(turn))), half=replace(half, outer=False))
        return outer.shortest(), within.shortest()

    def shortest(self) -> Line:
        """The same with the shortest period that says all."""
        for period in range(1, self.period):
            if self.period % period == 0 and self.jump * period % self.period == 0:
                short = replace(self, jump=self.jump * period // self.period, intervals=self.intervals[:period])
                if all(short.at(i) == interval for i, interval in enumerate(self.intervals)):
                    return short
        return self

    def whole(self, side: int) -> Interval:
        """The interval that holds those of the first `side` indices.

        >>> Line(4, ((0, 6),)).whole(3)
        (0, 14)
        """
        return hull(self.at(i) for i in range(side))


@dataclass(frozen=True)
class Half:
    """One of two indices of a line that was cut into windows: index i of it is o S - P + k D.

    Attributes:
        whole: the line that was cut.
        outer: whether this is o, which window, or k, where in it.
        kernel: how many k there are.
        stride: S.
        before: P.
        dilation: D.
    """

    whole: Line
    outer: bool
    kernel: int
    stride: int
    before: int = 0
    dilation: int = 1

    @property
    def is_cut(self) -> bool:
        """Whether the windows lie side by side, so that they can be put together again."""
        return (self.kernel, self.before, self.dilation) == (self.stride, 0, 1)

    def alike(self, other: Half) -> bool:
        """Whether two lines were cut in the same way."""
        return replace(self, whole=PIXELS) == replace(other, whole=PIXELS)

    def fits(self, other: Half) -> bool:
        """Whether the two are the halves of one line."""
        a, b = self.whole, other.whole
        return self.alike(replace(other, outer=not other.outer)) and (a is b or (a == b and a.seen == b.seen))

    def summed(self, windows: int) -> Line:
        """What is left when the other index is summed up; there are so many windows."""
        if not self.outer:
            return self.whole.reading(lambda k: (self.index(o, k) for o in range(windows)), 1, self.dilation)
        return self.whole.windows(self.kernel, self.stride, self.before, self.dilation)

    def chosen(self, other: int) -> Line:
        """What is left when the other index is a number."""
        if self.outer:
            return self.whole.windows(1, self.stride, self.before - other * self.dilation, 1)
        return self.whole.windows(1, self.dilation, self.before - other * self.stride, 1)

    def index(self, window: int, place: int) -> int:
        """The index of the whole line."""
        return window * self.stride - self.before + place * self.dilation


PIXELS = Line(1, ((0, 0),))
"""The input itself: each index is its own pixel."""


def pixels(side: int) -> Line:
    """The input itself, so many pixels of it."""
    return Line(1, ((0, 0),), tuple(span((index, index)) for index in range(side)))


def _sum(a: Interval, b: Interval) -> Interval:
    return (a[0] + b[0], a[1] + b[1]) if a[0] <= a[1] and b[0] <= b[1] else NOTHING


def _moved(a: Interval, by: int) -> Interval:
    return (a[0] + by, a[1] + by) if a[0] <= a[1] else NOTHING
