"""Where sliding windows lie along an axis: how many places they have, and what is under each of their positions.

Knows places only; what is done with a window's content is the business of `convolution`, `pooling` and others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError


def output_side(side: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """How many places a sliding window has along an axis.

    A window of K values, D apart, reaches over D (K - 1) + 1. In an axis of N values with P more at both ends it has

        floor((N + 2 P - D (K - 1) - 1) / S) + 1

    places, S apart. With `ceil_mode` the quotient is rounded up: a last window that reaches beyond the end counts too,
    if it begins within the input or the padding before it.

    Args:
        side: N.
        kernel: K.
        stride: S.
        padding: P.
        dilation: D.
        ceil_mode: whether a window may reach beyond the end.
    Returns:
        The number of places; 0 or less where the window does not fit.
    Matches: torch `max_pool2d`, `avg_pool2d`, `conv2d`.

    >>> output_side(4, 2, 1, 0, 1)  # 12, 23, 34 in 1234
    3
    >>> output_side(4, 2, 1, 0, 2), output_side(4, 2, 1, 1, 1)  # 13, 24; 01, 12, 23, 34, 40
    (2, 5)
    >>> output_side(5, 2, 2, 0, 1), output_side(5, 2, 2, 0, 1, ceil_mode=True)  # 12, 34 in 12345; and 5
    (2, 3)
    >>> output_side(
    ...     3, 2, 2, 1, 1, ceil_mode=True
    ... )  # 01, 23 in 0|123|0; a third one would begin in the padding at the end
    2
    """
    room = side + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    places = -(-room // stride) + 1
    return places - 1 if (places - 1) * stride >= side + padding else places


def as_sides(value: int | Sequence[int], axes: int, who: str, what: str) -> tuple[int, ...]:
    """One whole number for each spatial axis; a number alone, or alone in its list, counts for all.

    Args:
        value: one number, or a list of one or of `axes` numbers.
        axes: how many there are.
        who: the operation, for the error.
        what: the argument's name, for the error.
    Returns:
        `axes` numbers.
    Raises:
        ShapeError: another count of numbers.
        RangeError: something that is no whole number.

    >>> as_sides(3, 2, "max_pool2d", "stride"), as_sides([1], 2, "max_pool2d", "stride")
    ((3, 3), (1, 1))
    >>> as_sides((1, 2, 3), 2, "max_pool2d", "stride")
    Traceback (most recent call last):
    photosite.errors.ShapeError: max_pool2d: stride wants 1 or 2 numbers, got 3: (1, 2, 3)
    """
    numbers = (value,) if isinstance(value, int | float | np.number) else tuple(value)
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in numbers):
        raise RangeError(f"{who}: {what} wants whole numbers, got {value}")
    if len(numbers) not in (1, axes):
        counts = f"{'1' if axes == 1 else f'1 or {axes}'} number{'' if axes == 1 else 's'}"
        raise ShapeError(f"{who}: {what} wants {counts}, got {len(numbers)}: {value}")
    return tuple(int(n) for n in (numbers * axes if len(numbers) == 1 else numbers))


def taps(
    side: int, places: int, kernel: int, stride: int, padding: int, dilation: int
) -> Iterator[tuple[slice, slice]]:
    """For each position in a window along one axis: the places where it lies within the axis, and what lies there.

    So padding needs no copy: what lies in it is left out.

    >>> [(p.start, p.stop, np.arange(4)[of].tolist()) for p, of in taps(4, 4, 3, 1, 1, 1)]  # windows -01, 012, 123, 23-
    [(1, 4, [0, 1, 2]), (0, 4, [0, 1, 2, 3]), (0, 3, [1, 2, 3])]
    """
    for k in range(kernel):
        first = k * dilation - padding  # where it lies at place 0
        low, high = max(0, -(first // stride)), min(places, (side - 1 - first) // stride + 1)
        if low < high:
            yield slice(low, high), slice(first + low * stride, first + (high - 1) * stride + 1, stride)
