"""Padding: what stands beyond the border of an array.

1234, two more on each side
constant    00|1234|00   a number, 0 where none is named
reflect     32|1234|32   the border is a mirror, and is not repeated
replicate   11|1234|44   the last number goes on
circular    34|1234|12   the other end follows
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photosite.errors import ShapeError, UnknownNameError
from photosite.ops.arrays import Array, flows
from photosite.shapes import shape_text

MODES = ("constant", "reflect", "replicate", "circular")


def padded(x: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Array:
    """Put more around an array, or cut off.

    Args:
        x: any shape.
        pad: how much before and after, from the last axis on: (left, right, top, bottom, …); negative cuts off.
        mode: "constant", "reflect", "replicate" or "circular", as shown above.
        value: the constant; 0 for None.
    Raises:
        ShapeError: an odd number of numbers, more pairs than axes, or more than there is to repeat; nothing is left.
        UnknownNameError: another mode.
    Matches: torch `pad`, exactly.

    >>> padded(np.array([1, 2, 3, 4]), (2, 2), "reflect").tolist(), padded(np.array([1, 2, 3, 4]), (-1, 1)).tolist()
    ([3, 2, 1, 2, 3, 4, 3, 2], [2, 3, 4, 0])
    """
    sources = _checked(x, pad, mode)
    result = x
    for axis, places in sources.items():
        inside = (places >= 0) & (places < x.shape[axis])
        result = (
            np.take(result, np.where(inside, places, 0), axis) if x.shape[axis] else _empty(result, axis, len(places))
        )
        if not inside.all():
            outside = (*(slice(None),) * axis, ~inside)
            result[outside] = 0 if value is None else value
    return result


def padded_vjp(
    grad: Array, result: Array, x: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> tuple[Array | None]:
    """What was copied from a place is added up there; what was cut off gets nothing."""
    if not flows(x):
        return (None,)
    gradient = grad
    for axis, places in _checked(x, pad, mode).items():
        moved = np.moveaxis(gradient, axis, 0)
        total = np.zeros((x.shape[axis], *moved.shape[1:]), grad.dtype)
        inside = (places >= 0) & (places < x.shape[axis])
        np.add.at(total, places[inside], moved[inside])
        gradient = np.moveaxis(total, 0, axis)
    return (gradient,)


def constant(x: Array, pad: Sequence[int], value: float = 0) -> Array:
    """`padded` with a number.

    >>> constant(np.array([1, 2]), (1, 0), 9).tolist()
    [9, 1, 2]
    """
    return padded(x, pad, "constant", value)


def constant_vjp(grad: Array, result: Array, x: Array, pad: Sequence[int], value: float = 0) -> tuple[Array | None]:
    """As of `padded`."""
    return padded_vjp(grad, result, x, pad, "constant", value)


def reflected(x: Array, padding: Sequence[int]) -> Array:
    """`padded` as a mirror would.

    >>> reflected(np.array([[1, 2, 3]]), (1, 2)).tolist()
    [[2, 1, 2, 3, 2, 1]]
    """
    return padded(x, padding, "reflect")


def reflected_vjp(grad: Array, result: Array, x: Array, padding: Sequence[int]) -> tuple[Array | None]:
    """As of `padded`."""
    return padded_vjp(grad, result, x, padding, "reflect")


def replicated(x: Array, padding: Sequence[int]) -> Array:
    """`padded` with the last number going on.

    >>> replicated(np.array([[1, 2, 3]]), (1, 2)).tolist()
    [[1, 1, 2, 3, 3, 3]]
    """
    return padded(x, padding, "replicate")


def replicated_vjp(grad: Array, result: Array, x: Array, padding: Sequence[int]) -> tuple[Array | None]:
    """As of `padded`."""
    return padded_vjp(grad, result, x, padding, "replicate")


def _checked(x: Array, pad: Sequence[int], mode: str) -> dict[int, Array]:
    """For each axis that changes, where each new number comes from, counted in the old axis; beyond it, nowhere."""
    if mode not in MODES:
        raise UnknownNameError("mode of pad", mode, MODES)
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ShapeError(f"pad: wants pairs of numbers, at most {x.ndim}, got {tuple(pad)} for {shape_text(x.shape)}")
    sources = {}
    for number in range(len(pad) // 2):
        axis, (before, after) = x.ndim - 1 - number, pad[2 * number : 2 * number + 2]
        side = x.shape[axis]
        most = {"reflect": side - 1, "circular": side}.get(mode)
        if most is not None and max(before, after) > most:
            raise ShapeError(f"pad: {mode} can repeat at most {most} of a side of {side}, got {(before, after)}")
        if side + before + after < (0 if mode == "constant" else 1) or (side == 0 and mode == "replicate"):
            raise ShapeError(f"pad: nothing is left of {shape_text(x.shape)} with {tuple(pad)}")
        if (before, after) == (0, 0):
            continue
        places = np.arange(-before, side + after)
        if mode == "reflect":
            places = side - 1 - np.abs(side - 1 - np.abs(places))
        elif mode == "replicate":
            places = places.clip(0, side - 1)
        elif mode == "circular":
            places = places % side
        sources[axis] = places
    return sources


def _empty(x: Array, axis: int, side: int) -> Array:
    return np.empty((*x.shape[:axis], side, *x.shape[axis + 1 :]), x.dtype)
