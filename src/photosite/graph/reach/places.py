"""Sets of pixels along one axis, as whole numbers: bit p stands for pixel p, so a union is `|`, and all is exact."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]
"""First and last pixel; empty where the last comes before the first."""

NOTHING: Interval = (1, 0)

Places = int
"""A set of pixels from 0 on."""


def span(interval: Interval) -> Places:
    """All pixels of an interval that begins at 0 or later.

    >>> bin(span((1, 3)))
    '0b1110'
    """
    low, high = interval
    return ((1 << (high - low + 1)) - 1) << low if low <= high else 0


def union(sets: Iterable[Places]) -> Places:
    """All that is in any of them."""
    found = 0
    for one in sets:
        found |= one
    return found


def ends(places: Places) -> Interval:
    """The first and the last.

    >>> ends(0b10110)
    (1, 4)
    """
    return ((places & -places).bit_length() - 1, places.bit_length() - 1) if places else NOTHING


def runs(places: Places) -> list[Interval]:
    """The intervals that a set consists of, from the first on.

    >>> runs(0b1101100)
    [(2, 3), (5, 6)]
    """
    found, at = [], 0
    while places:
        skipped = (places & -places).bit_length() - 1
        places >>= skipped
        length = (~places & (places + 1)).bit_length() - 1
        found.append((at + skipped, at + skipped + length - 1))
        places >>= length
        at += skipped + length
    return found


def moved(places: Places, by: int) -> Places:
    """Each pixel so many further on; what comes before pixel 0 is nothing."""
    return places << by if by >= 0 else places >> -by


def widened(places: Places, by: Interval) -> Places:
    """Each pixel with all those from `by[0]` to `by[1]` around it.

    >>> runs(widened(0b10000, (-1, 2)))
    [(3, 6)]
    """
    low, high = by
    return union(moved(places, shift) for shift in range(low, high + 1)) if places else 0


def summed(places: Places, others: Places) -> Places:
    """Every sum of a pixel of one and a pixel of the other.

    >>> runs(summed(0b10000, 0b1001))
    [(4, 4), (7, 7)]
    """
    found = 0
    while others:
        lowest = others & -others
        found |= places * lowest
        others ^= lowest
    return found


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all; empty ones do not count.

    >>> hull([(3, 5), (9, 9), (1, 0)])
    (3, 9)
    """
    known = [interval for interval in intervals if interval[0] <= interval[1]]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else NOTHING
