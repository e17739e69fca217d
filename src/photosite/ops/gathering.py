"""Gathering and scattering along an axis, each place with a position of its own; and turning arrays around."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, Scalar, as_dim, as_dims, flows
from photosite.shapes import shape_text

Dims = int | Sequence[int]


def gather(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:
    """At each place the number that stands, along an axis, at the position named there.

    Args:
        x: any shape.
        dim: the axis.
        index: whole numbers; as many axes, no other side longer than that of x.
        sparse_grad: of no consequence.
    Returns:
        The shape of `index`.
    Raises:
        ShapeError: shapes that do not fit.
        RangeError: there is no such axis or position.
    Matches: torch `gather`, exactly.

    >>> gather(np.array([[1, 2], [3, 4]]), 1, np.array([[0, 0], [1, 0]])).tolist()
    [[1, 1], [4, 3]]
    """
    return x[_places("gather", x, dim, index)]


def gather_vjp(
    grad: Array, result: Array, x: Array, dim: int, index: Array, sparse_grad: bool = False
) -> tuple[Array | None]:
    """Added up where it was taken from."""
    if not flows(x):
        return (None,)
    gradient = np.zeros(x.shape, x.dtype)
    np.add.at(gradient, _places("gather", x, dim, index), grad)
    return (gradient,)


def take_along_dim(x: Array, indices: Array, dim: int | None = None) -> Array:
    """As `gather`, with shapes that repeat; of all numbers in a row without an axis.

    >>> take_along_dim(np.array([[3, 1, 2]]), np.array([[1, 2]]), 1).tolist()
    [[1, 2]]
    """
    if dim is None:
        return gather(x.reshape(-1), 0, indices.reshape(-1))
    wide, index = _repeated(x, indices, dim)
    return gather(wide, dim, index)


def take_along_dim_vjp(
    grad: Array, result: Array, x: Array, indices: Array, dim: int | None = None
) -> tuple[Array | None]:
    """Added up where it was taken from, and over repetitions."""
    if not flows(x):
        return (None,)
    if dim is None:
        (flat,) = gather_vjp(grad, result, x.reshape(-1), 0, indices.reshape(-1))
        return (None if flat is None else flat.reshape(x.shape),)
    wide, index = _repeated(x, indices, dim)
    (gradient,) = gather_vjp(grad, result, wide, dim, index)
    assert gradient is not None
    axes = tuple(axis for axis, (a, b) in enumerate(zip(x.shape, wide.shape, strict=True)) if a != b)
    return (gradient.sum(axes, keepdims=True) if axes else gradient,)


def scatter(x: Array, dim: int, index: Array, src: Array | Scalar) -> Array:
    """A copy with numbers put, along an axis, at the positions named at each place.

    Args:
        x: any shape.
        dim: the axis.
        index: whole numbers; as many axes, no side longer than that of `src`, no other side longer than that of x.
        src: an array, or one number.
    Raises:
        ShapeError: shapes that do not fit.
        RangeError: there is no such axis or position; another dtype.
    Convention: of several numbers for one place any one stays.
    Matches: torch `scatter`, exactly where positions are different.

    >>> scatter(np.zeros((1, 3)), 1, np.array([[2, 0]]), np.array([[5.0, 6.0]])).tolist()
    [[6.0, 0.0, 5.0]]
    """
    out = np.array(x)
    out[_places("scatter", x, dim, index, exact_axis=False)] = _source("scatter", x, index, src)
    return out


def scatter_vjp(
    grad: Array, result: Array, x: Array, dim: int, index: Array, src: Array | Scalar
) -> tuple[Array | None, None, None, Array | None]:
    """To what was put in, from its places; to the array the rest."""
    where = _places("scatter", x, dim, index, exact_axis=False)
    rest = np.array(grad)
    rest[where] = 0
    return rest if flows(x) else None, None, None, _to_source(grad[where], index, src)


def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    """As `scatter`, with numbers added to what is there, as often as a position comes.

    >>> scatter_add(np.ones((1, 2)), 1, np.array([[0, 0]]), np.array([[5.0, 6.0]])).tolist()
    [[12.0, 1.0]]
    """
    out = np.array(x)
    where = _places("scatter_add", x, dim, index, exact_axis=False)
    np.add.at(out, where, _source("scatter_add", x, index, src))
    return out


def scatter_add_vjp(
    grad: Array, result: Array, x: Array, dim: int, index: Array, src: Array
) -> tuple[Array | None, None, None, Array | None]:
    """To the array all, to what was added what stands at its places."""
    where = _places("scatter_add", x, dim, index, exact_axis=False)
    return grad if flows(x) else None, None, None, _to_source(grad[where], index, src)


def roll(x: Array, shifts: Dims, dims: Dims = ()) -> Array:
    """Move along, what falls off one end comes back at the other.

    Args:
        x: any shape.
        shifts: by how much, for each axis.
        dims: which axes; all numbers as one row for none.
    Raises:
        ShapeError: not as many shifts as axes.
        RangeError: there is no such axis.
    Matches: torch `roll`, exactly.

    >>> roll(np.arange(4), 1).tolist()
    [3, 0, 1, 2]
    """
    by, axes = _shifts(x, shifts, dims)
    return np.roll(x, by[0]) if not axes else np.roll(x, by, axes)


def roll_vjp(grad: Array, result: Array, x: Array, shifts: Dims, dims: Dims = ()) -> tuple[Array | None]:
    """Moved back."""
    if not flows(x):
        return (None,)
    by, axes = _shifts(x, shifts, dims)
    back = tuple(-shift for shift in by)
    return (np.roll(grad, back[0]) if not axes else np.roll(grad, back, axes),)


def flip(x: Array, dims: Dims) -> Array:
    """Axes in reverse.

    Args:
        x: any shape.
        dims: which.
    Returns:
        A copy, as in torch.
    Raises:
        RangeError: there is no such axis, or one is named twice.
    Matches: torch `flip`, exactly.

    >>> flip(np.array([[1, 2], [3, 4]]), (0,)).tolist()
    [[3, 4], [1, 2]]
    """
    return np.array(np.flip(x, _flipped(x, dims)))


def flip_vjp(grad: Array, result: Array, x: Array, dims: Dims) -> tuple[Array | None]:
    """In reverse once more."""
    return (flip(grad, dims) if flows(x) else None,)


def rot90(x: Array, k: int = 1, dims: Sequence[int] = (0, 1)) -> Array:
    """Turned by quarters, from the first axis toward the second.

    Args:
        x: at least two axes.
        k: by how many quarters.
        dims: the two axes.
    Raises:
        ShapeError: not two axes.
        RangeError: there is no such axis, or both are one.
    Matches: torch `rot90`, exactly.

    >>> rot90(np.array([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    if len(dims) != 2 or x.ndim < 2:
        raise ShapeError(f"rot90: wants two axes of at least two, got {tuple(dims)} of {shape_text(x.shape)}")
    first, second = as_dims(dims, x.ndim, "rot90")
    return np.rot90(x, k, (first, second))


def rot90_vjp(grad: Array, result: Array, x: Array, k: int = 1, dims: Sequence[int] = (0, 1)) -> tuple[Array | None]:
    """Turned back."""
    return (rot90(grad, -k, dims) if flows(x) else None,)


def one_hot(x: Array, num_classes: int = -1) -> Array:
    """A 1 at the position that a whole number names, on a last axis of its own, 0 elsewhere.

    Args:
        x: any shape, int64, at least 0.
        num_classes: how many positions; as many as are needed for -1.
    Returns:
        (…, classes) int64.
    Raises:
        RangeError: no whole numbers, or one that has no position.
    Matches: torch `one_hot`, exactly.

    >>> one_hot(np.array([0, 2]), 3).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    if x.dtype != np.int64:
        raise RangeError(f"one_hot: wants int64, got {x.dtype}")
    if num_classes == -1 and x.size:
        num_classes = int(x.max()) + 1
    if num_classes < 1 or (x.size and not 0 <= int(x.min()) <= int(x.max()) < num_classes):
        raise RangeError(f"one_hot: {num_classes} classes do not hold all of x")
    return np.asarray(x[..., None] == np.arange(num_classes)).astype(np.int64)


def _places(who: str, x: Array, dim: int, index: Array, *, exact_axis: bool = True) -> tuple[Array, ...]:
    """Positions for all axes, of which those along one are given."""
    axis = as_dim(dim, x.ndim, who)
    if index.dtype.kind not in "iu":
        raise RangeError(f"{who}: wants whole numbers as positions, got {index.dtype}")
    if index.ndim != x.ndim or any(
        i > s for n, (i, s) in enumerate(zip(index.shape, x.shape, strict=True)) if n != axis
    ):
        raise ShapeError(f"{who}: positions {shape_text(index.shape)} do not fit {shape_text(x.shape)}")
    if x.ndim == 0:
        return ()
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < x.shape[axis]:
        raise RangeError(f"{who}: positions {index.min()} … {index.max()} are not all in a side of {x.shape[axis]}")
    others = np.indices(index.shape, sparse=True)
    return tuple(index if n == axis else others[n] for n in range(x.ndim))


def _source(who: str, x: Array, index: Array, src: Array | Scalar) -> Array | Scalar:
    if not isinstance(src, np.ndarray):
        return src
    if src.dtype != x.dtype:
        raise RangeError(f"{who}: wants numbers of {x.dtype}, got {src.dtype}")
    if src.ndim != index.ndim or any(i > s for i, s in zip(index.shape, src.shape, strict=True)):
        raise ShapeError(f"{who}: positions {shape_text(index.shape)} do not fit a source {shape_text(src.shape)}")
    return src[tuple(slice(side) for side in index.shape)]


def _to_source(taken: Array, index: Array, src: Array | Scalar) -> Array | None:
    if not flows(src):
        return None
    assert isinstance(src, np.ndarray)
    gradient = np.zeros(src.shape, src.dtype)
    gradient[tuple(slice(side) for side in index.shape)] = taken
    return gradient


def _repeated(x: Array, indices: Array, dim: int) -> tuple[Array, Array]:
    """Both with the sides that they have together, but for the axis."""
    if x.ndim != indices.ndim:
        raise ShapeError(f"take_along_dim: {shape_text(indices.shape)} has not the axes of {shape_text(x.shape)}")
    axis = as_dim(dim, x.ndim, "take_along_dim")
    try:
        shared = list(np.broadcast_shapes(*((*s[:axis], 1, *s[axis + 1 :]) for s in (x.shape, indices.shape))))
    except ValueError:
        raise ShapeError(f"take_along_dim: {shape_text(indices.shape)} does not fit {shape_text(x.shape)}") from None
    both = []
    for array in (x, indices):
        sides = [*shared[:axis], array.shape[axis], *shared[axis + 1 :]]
        both.append(np.broadcast_to(array, sides))
    return both[0], both[1]


def _shifts(x: Array, shifts: Dims, dims: Dims) -> tuple[tuple[int, ...], tuple[int, ...]]:
    by = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if not by or (len(by) != len(axes) and not (len(by) == 1 and not axes)):
        raise ShapeError(f"roll: {len(by)} shifts for {len(axes)} axes")
    return by, tuple(as_dim(axis, x.ndim, "roll") for axis in axes)


def _flipped(x: Array, dims: Dims) -> tuple[int, ...]:
    axes = tuple(as_dim(dim, x.ndim, "flip") for dim in ((dims,) if isinstance(dims, int) else dims))
    if len(set(axes)) < len(axes):
        raise RangeError(f"flip: an axis is named twice: {axes}")
    return axes if x.ndim else ()
