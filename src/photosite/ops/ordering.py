"""Order: the largest number and where it stands, all numbers by size, the first few of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, as_dim, flows
from photosite.ops.operands import put_back
from photosite.shapes import shape_text

Grads = list[Array | None]


def largest(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    """The largest number along an axis, and where it stands.

    Args:
        x: any shape; real or whole numbers.
        dim: the axis.
        keepdim: whether it stays, with side 1.
    Returns:
        The numbers, and their positions, int64; the first of equal ones, and the first NaN before any number.
    Raises:
        RangeError: there is no such axis.
        ShapeError: the axis is empty.
    Matches: torch `max` with an axis, exactly.

    >>> [part.tolist() for part in largest(np.array([[1, 5], [3, 2]]), 1)]
    [[5, 3], [1, 0]]
    """
    return _picked("max", x, dim, keepdim, np.argmax)


def smallest(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    """The smallest number along an axis, and where it stands; as `largest`.

    >>> [part.tolist() for part in smallest(np.array([[1, 5], [3, 2]]), 1)]
    [[1, 2], [0, 1]]
    """
    return _picked("min", x, dim, keepdim, np.argmin)


def picked_vjp(grad: Grads, result: Any, x: Array, dim: int, keepdim: bool = False) -> tuple[Array | None]:
    """To the number that was found."""
    if grad[0] is None or not flows(x):
        return (None,)
    axis = as_dim(dim, x.ndim, "max")
    axes = (axis,) if x.ndim else ()
    return (_back(put_back(grad[0], axes, keepdim), put_back(result[1], axes, keepdim), x, axis),)


def argmax(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Where the largest number stands.

    Args:
        x: any shape; real or whole numbers.
        dim: the axis; among all numbers in reading order for None.
        keepdim: whether axes stay, with side 1.
    Returns:
        int64; the first of equal ones.
    Raises:
        RangeError: there is no such axis.
        ShapeError: there are no numbers.
    Matches: torch `argmax`, exactly.

    >>> argmax(np.array([[1, 5], [3, 2]])).tolist()
    1
    """
    return _place("argmax", x, dim, keepdim, np.argmax)


def argmin(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Where the smallest number stands; as `argmax`.

    >>> argmin(np.array([[1, 5], [3, 0]]), 1).tolist()
    [0, 1]
    """
    return _place("argmin", x, dim, keepdim, np.argmin)


def ordered(x: Array, dim: int = -1, descending: bool = False) -> tuple[Array, Array]:
    """All numbers along an axis by size, and where each stood.

    Args:
        x: any shape.
        dim: the axis.
        descending: the largest first.
    Returns:
        The numbers, and their positions, int64; equal ones keep their order. NaN counts as larger than any number.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `sort` with stable=True, exactly.

    >>> [part.tolist() for part in ordered(np.array([3, 1, 2]))]
    [[1, 2, 3], [1, 2, 0]]
    """
    axis = as_dim(dim, x.ndim, "sort")
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    if descending:  # the order of equal ones is kept by sorting backwards, from the end
        places = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    else:
        places = np.argsort(x, axis, kind="stable")
    return np.take_along_axis(x, places, axis), places


def ordered_vjp(grad: Grads, result: Any, x: Array, dim: int = -1, descending: bool = False) -> tuple[Array | None]:
    """Each gradient back to where its number stood."""
    if grad[0] is None or not flows(x):
        return (None,)
    return (_back(grad[0], result[1], x, as_dim(dim, x.ndim, "sort")),)


def stable_ordered(x: Array, *, stable: bool | None, dim: int = -1, descending: bool = False) -> tuple[Array, Array]:
    """As `ordered`, which keeps the order of equal numbers in any case.

    >>> [part.tolist() for part in stable_ordered(np.array([3, 1, 2]), stable=True)]
    [[1, 2, 3], [1, 2, 0]]
    """
    return ordered(x, dim, descending)


def stable_ordered_vjp(
    grad: Grads, result: Any, x: Array, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Array | None]:
    """As of `ordered`."""
    return ordered_vjp(grad, result, x, dim, descending)


def order(x: Array, dim: int = -1, descending: bool = False) -> Array:
    """Where the numbers stand that `ordered` gives.

    >>> order(np.array([3, 1, 2])).tolist()
    [1, 2, 0]
    """
    return ordered(x, dim, descending)[1]


def topk(x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
    """The first few numbers by size, and where they stand.

    Args:
        x: any shape; real or whole numbers.
        k: how many.
        dim: the axis.
        largest: the largest ones, or the smallest.
        sorted: of no consequence: they always come by size.
    Returns:
        The numbers, and their positions, int64; of equal ones the first, where torch takes any.
    Raises:
        RangeError: there is no such axis, or more are wanted than there are.
    Matches: torch `topk` exactly, where no numbers are equal.

    >>> [part.tolist() for part in topk(np.array([3, 1, 2]), 2)]
    [[3, 2], [0, 2]]
    """
    axis = as_dim(dim, x.ndim, "topk")
    if not 0 <= k <= (x.shape[axis] if x.ndim else 1):
        raise RangeError(f"topk: wants up to {x.shape[axis] if x.ndim else 1} along axis {axis}, got {k}")
    values, places = ordered(x, axis, largest)
    if x.ndim == 0:
        return values, places
    first = (*(slice(None),) * axis, slice(k))
    return values[first], places[first]


def topk_vjp(
    grad: Grads, result: Any, x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Array | None]:
    """Each gradient back to where its number stood, 0 for all others."""
    if grad[0] is None or not flows(x):
        return (None,)
    return (_back(grad[0], result[1], x, as_dim(dim, x.ndim, "topk")),)


def _picked(who: str, x: Array, dim: int, keepdim: bool, find: Any) -> tuple[Array, Array]:
    axis = as_dim(dim, x.ndim, who)
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    if x.shape[axis] == 0:
        raise ShapeError(f"{who}: axis {axis} of {shape_text(x.shape)} is empty")
    places = np.asarray(find(x, axis, keepdims=True))
    values = np.take_along_axis(x, places, axis)
    return (values, places) if keepdim else (values.squeeze(axis), places.squeeze(axis))


def _place(who: str, x: Array, dim: int | None, keepdim: bool, find: Any) -> Array:
    axis = None if dim is None else as_dim(dim, x.ndim, who)
    if (x.size if axis is None or x.ndim == 0 else x.shape[axis]) == 0:
        raise ShapeError(f"{who}: {shape_text(x.shape)} has no number to find")
    return np.asarray(find(x, axis if x.ndim else None, keepdims=keepdim)).astype(np.int64)


def _back(grad: Array, places: Array, x: Array, axis: int) -> Array:
    gradient = np.zeros(x.shape, x.dtype)
    if x.ndim == 0:
        return np.asarray(gradient + grad.astype(x.dtype))
    np.put_along_axis(gradient, places, grad.astype(x.dtype, copy=False), axis)
    return gradient
