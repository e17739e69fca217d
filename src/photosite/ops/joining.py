"""Joining and splitting: several arrays become one along an axis, or one becomes several; and repetition."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.ops.arrays import Array, as_dim, flows, promoted
from photosite.shapes import shape_text

Parts = Sequence[Array | None]


def cat(tensors: Sequence[Array], dim: int = 0) -> Array:
    """Arrays one behind the other along an axis that they have.

    Args:
        tensors: at least one; all other sides are equal. Arrays of shape (0,) count for nothing.
        dim: the axis.
    Raises:
        ShapeError: no array, or sides that differ.
        RangeError: there is no such axis.
    Matches: torch `cat`, exactly.

    >>> cat([np.array([1, 2]), np.array([3])]).tolist()
    [1, 2, 3]
    """
    if not tensors:
        raise ShapeError("cat: wants at least one array")
    kept = [part for part in tensors if part.shape != (0,)] or list(tensors[:1])
    shapes = ", ".join(shape_text(part.shape) for part in tensors)
    if kept[0].ndim == 0 or len({part.ndim for part in kept}) > 1:
        raise ShapeError(f"cat: wants arrays of as many axes, at least one, got {shapes}")
    axis = as_dim(dim, kept[0].ndim, "cat")
    if len({(*part.shape[:axis], *part.shape[axis + 1 :]) for part in kept}) > 1:
        raise ShapeError(f"cat: all sides but that of axis {axis} want to be equal, got {shapes}")
    dtype = tensors[0].dtype
    for part in tensors[1:]:
        dtype = promoted(dtype, part.dtype)
    return np.concatenate(kept, axis, dtype=dtype)


def cat_vjp(grad: Array, result: Array, tensors: Sequence[Array], dim: int = 0) -> tuple[list[Array | None]]:
    """To each its own piece."""
    axis, start = as_dim(dim, result.ndim, "cat"), 0
    pieces: list[Array | None] = []
    for part in tensors:
        if part.shape == (0,) and part.ndim != result.ndim:
            pieces.append(np.zeros_like(part) if flows(part) else None)
            continue
        end = start + part.shape[axis]
        piece = grad[(*(slice(None),) * axis, slice(start, end))]
        pieces.append(piece.astype(part.dtype, copy=False) if flows(part) else None)
        start = end
    return (pieces,)


def stack(tensors: Sequence[Array], dim: int = 0) -> Array:
    """Arrays of one shape side by side along a new axis.

    Args:
        tensors: at least one.
        dim: where the new axis stands.
    Raises:
        ShapeError: no array, or shapes that differ.
        RangeError: there is no such place.
    Matches: torch `stack`, exactly.

    >>> stack([np.array([1, 2]), np.array([3, 4])], 1).tolist()
    [[1, 3], [2, 4]]
    """
    if not tensors:
        raise ShapeError("stack: wants at least one array")
    if len({part.shape for part in tensors}) > 1:
        raise ShapeError(f"stack: wants arrays of one shape, got {', '.join(shape_text(p.shape) for p in tensors)}")
    axis = as_dim(dim, tensors[0].ndim + 1, "stack")
    return cat([np.expand_dims(part, axis) for part in tensors], axis)


def stack_vjp(grad: Array, result: Array, tensors: Sequence[Array], dim: int = 0) -> tuple[list[Array | None]]:
    """To each its own slice."""
    parts = np.moveaxis(grad, as_dim(dim, grad.ndim, "stack"), 0)
    return ([g.astype(t.dtype, copy=False) if flows(t) else None for g, t in zip(parts, tensors, strict=True)],)


def split(x: Array, split_size: int | Sequence[int], dim: int = 0) -> list[Array]:
    """Pieces of an array along an axis.

    Args:
        x: at least one axis.
        split_size: how long each piece is (the last one can be shorter), or a list of how long the pieces are.
        dim: the axis.
    Returns:
        Views.
    Raises:
        RangeError: there is no such axis, or a size is negative.
        ShapeError: the sizes do not sum to the side.
    Matches: torch `split`, `split_with_sizes`, exactly.

    >>> [piece.tolist() for piece in split(np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    axis, side = _splits("split", x, dim)
    if isinstance(split_size, int):
        if split_size < 0 or (split_size == 0 and side):
            raise RangeError(f"split: the size of a piece wants at least 1, got {split_size}")
        sizes = [min(split_size, side - start) for start in range(0, side, max(split_size, 1))] or [0]
    else:
        sizes = list(split_size)
        if sum(sizes) != side or min(sizes, default=0) < 0:
            raise ShapeError(f"split: sizes {tuple(sizes)} do not sum to a side of {side}")
    return _pieces(x, axis, sizes)


def split_vjp(
    grad: Parts, result: Sequence[Array], x: Array, split_size: int | Sequence[int], dim: int = 0
) -> tuple[Array | None]:
    """The pieces' gradients one behind the other; zeros for a piece without one."""
    return (_joined(grad, result, x, dim),)


def chunk(x: Array, chunks: int, dim: int = 0) -> list[Array]:
    """At most so many pieces of equal length, rounded up; the last one can be shorter.

    Args:
        x: at least one axis.
        chunks: how many.
        dim: the axis.
    Returns:
        Views.
    Raises:
        RangeError: there is no such axis, or fewer than one piece is wanted.
    Matches: torch `chunk`, exactly.

    >>> [piece.tolist() for piece in chunk(np.arange(5), 3)]
    [[0, 1], [2, 3], [4]]
    """
    if chunks < 1:
        raise RangeError(f"chunk: wants at least 1 piece, got {chunks}")
    axis, side = _splits("chunk", x, dim)
    size = -(-side // chunks)
    return _pieces(x, axis, [0] * chunks) if size == 0 else split(x, size, axis)


def chunk_vjp(grad: Parts, result: Sequence[Array], x: Array, chunks: int, dim: int = 0) -> tuple[Array | None]:
    """The pieces' gradients one behind the other; zeros for a piece without one."""
    return (_joined(grad, result, x, dim),)


def tensor_split(x: Array, sections: int | Sequence[int], dim: int = 0) -> list[Array]:
    """So many pieces as equal as can be, or pieces that end at given places.

    Args:
        x: at least one axis.
        sections: how many, or where to cut.
        dim: the axis.
    Returns:
        Views.
    Raises:
        RangeError: there is no such axis, or fewer than one piece is wanted.
    Matches: torch `tensor_split`, exactly.

    >>> [piece.tolist() for piece in tensor_split(np.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    axis, _ = _splits("tensor_split", x, dim)
    if isinstance(sections, int) and sections < 1:
        raise RangeError(f"tensor_split: wants at least 1 piece, got {sections}")
    return list(np.array_split(x, sections if isinstance(sections, int) else list(sections), axis))


def tensor_split_vjp(
    grad: Parts, result: Sequence[Array], x: Array, sections: int | Sequence[int], dim: int = 0
) -> tuple[Array | None]:
    """The pieces' gradients where the pieces were; cuts may be out of order, so pieces can overlap or leave gaps."""
    if not flows(x):
        return (None,)
    axis = as_dim(dim, x.ndim, "tensor_split")
    gradient = np.zeros_like(x, order="C")
    for part, piece in zip(tensor_split(gradient, sections, axis), grad, strict=True):
        if piece is not None:
            part += piece
    return (gradient,)


def unbind(x: Array, dim: int = 0) -> list[Array]:
    """All slices along an axis, without it.

    Args:
        x: at least one axis.
        dim: the axis.
    Returns:
        Views.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `unbind`, exactly.

    >>> [part.tolist() for part in unbind(np.array([[1, 2], [3, 4]]), 1)]
    [[1, 3], [2, 4]]
    """
    axis, _ = _splits("unbind", x, dim)
    return [np.asarray(part) for part in np.moveaxis(x, axis, 0)]


def unbind_vjp(grad: Parts, result: Sequence[Array], x: Array, dim: int = 0) -> tuple[Array | None]:
    """The slices' gradients side by side; zeros for a slice without one."""
    if not flows(x):
        return (None,)
    gradient = np.zeros_like(x, order="C")
    slices = np.moveaxis(gradient, as_dim(dim, x.ndim, "unbind"), 0)
    for number, part in enumerate(grad):
        if part is not None:
            slices[number] = part
    return (gradient,)


def repeat(x: Array, repeats: Sequence[int]) -> Array:
    """The whole array again and again along each axis.

    Args:
        x: any shape.
        repeats: how often, for each axis; further axes stand in front.
    Raises:
        ShapeError: fewer numbers than axes.
        RangeError: a negative number.
    Matches: torch `repeat`, exactly.

    >>> repeat(np.array([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    if len(repeats) < x.ndim:
        raise ShapeError(f"repeat: wants a number for each of {x.ndim} axes, got {tuple(repeats)}")
    if min(repeats, default=0) < 0:
        raise RangeError(f"repeat: wants numbers of at least 0, got {tuple(repeats)}")
    return np.tile(x, tuple(repeats))


def repeat_vjp(grad: Array, result: Array, x: Array, repeats: Sequence[int]) -> tuple[Array | None]:
    """Summed over all repetitions."""
    if not flows(x):
        return (None,)
    sides = (*(1,) * (len(repeats) - x.ndim), *x.shape)
    parts = [number for pair in zip(repeats, sides, strict=True) for number in pair]
    total = grad.reshape(parts).sum(tuple(range(0, len(parts), 2)))
    return (total.reshape(x.shape).astype(x.dtype, copy=False),)


def tile(x: Array, dims: Sequence[int]) -> Array:
    """As `repeat`, with 1 for axes that are left out in front.

    >>> tile(np.array([[1, 2]]), (2,)).tolist()
    [[1, 2, 1, 2]]
    """
    return repeat(x, (*(1,) * (x.ndim - len(dims)), *dims))


def tile_vjp(grad: Array, result: Array, x: Array, dims: Sequence[int]) -> tuple[Array | None]:
    """Summed over all repetitions."""
    return repeat_vjp(grad, result, x, (*(1,) * (x.ndim - len(dims)), *dims))


def repeat_interleave(x: Array, repeats: int | Array, dim: int | None = None, output_size: int | None = None) -> Array:
    """Each element again and again, right behind itself.

    Args:
        x: any shape.
        repeats: how often, for all, or an array with a number for each along the axis.
        dim: the axis; all numbers in one row for None.
        output_size: of no consequence.
    Raises:
        RangeError: there is no such axis, or a negative number.
        ShapeError: not a number for each.
    Matches: torch `repeat_interleave`, exactly.

    >>> repeat_interleave(np.array([1, 2]), 2).tolist()
    [1, 1, 2, 2]
    """
    axis, side = (0, x.size) if dim is None else _splits("repeat_interleave", x, dim)
    counts = np.asarray(repeats)
    if counts.ndim and counts.size not in (1, side):
        raise ShapeError(f"repeat_interleave: wants {side} numbers, one for each, got {counts.size}")
    if (counts < 0).any():
        raise RangeError("repeat_interleave: wants numbers of at least 0")
    return np.repeat(x.reshape(-1) if dim is None else x, counts.reshape(-1), axis)


def repeat_interleave_vjp(
    grad: Array,
    result: Array,
    x: Array,
    repeats: int | Array,
    dim: int | None = None,
    output_size: int | None = None,
) -> tuple[Array | None]:
    """Summed over the copies of each."""
    if not flows(x):
        return (None,)
    axis = 0 if dim is None else as_dim(dim, x.ndim, "repeat_interleave")
    side = x.size if dim is None else x.shape[axis]
    of = np.repeat(np.arange(side), np.asarray(repeats).reshape(-1))
    gradient = np.zeros((side, *np.moveaxis(grad, axis, 0).shape[1:]), x.dtype)
    np.add.at(gradient, of, np.moveaxis(grad, axis, 0))
    return (np.moveaxis(gradient, 0, axis).reshape(x.shape),)


def meshgrid(tensors: Sequence[Array], indexing: str = "ij") -> list[Array]:
    """Coordinates of all points of a grid, from those along each axis.

    Args:
        tensors: vectors, or single numbers.
        indexing: "ij", the first vector runs down the rows; "xy", along the columns.
    Returns:
        An array of the grid's shape for each vector; views.
    Raises:
        ShapeError: an array of more than one axis.
        UnknownNameError: another word.
    Matches: torch `meshgrid`, exactly.

    >>> [part.tolist() for part in meshgrid([np.array([1, 2]), np.array([3, 4])])]
    [[[1, 1], [2, 2]], [[3, 4], [3, 4]]]
    """
    if indexing not in ("ij", "xy"):
        raise UnknownNameError("indexing of meshgrid", indexing, ("ij", "xy"))
    if not tensors or any(part.ndim > 1 for part in tensors):
        raise ShapeError("meshgrid: wants vectors, at least one")
    return list(np.meshgrid(*tensors, indexing=indexing, copy=False))  # type: ignore[call-overload]


def meshgrid_vjp(
    grad: Parts, result: Sequence[Array], tensors: Sequence[Array], indexing: str = "ij"
) -> tuple[list[Array | None]]:
    """To each vector, summed over all other axes."""
    gradients: list[Array | None] = []
    for number, (part, own) in enumerate(zip(tensors, grad, strict=True)):
        if own is None or not flows(part):
            gradients.append(np.zeros_like(part) if flows(part) else None)
            continue
        axis = {0: 1, 1: 0}.get(number, number) if indexing == "xy" and len(tensors) > 1 else number
        total = own.sum(tuple(other for other in range(own.ndim) if other != axis))
        gradients.append(total.reshape(part.shape).astype(part.dtype, copy=False))
    return (gradients,)


def _splits(who: str, x: Array, dim: int) -> tuple[int, int]:
    """An axis and its side."""
    if x.ndim == 0:
        raise ShapeError(f"{who}: wants at least one axis, got a value without")
    axis = as_dim(dim, x.ndim, who)
    return axis, x.shape[axis]


def _pieces(x: Array, axis: int, sizes: Sequence[int]) -> list[Array]:
    ends = np.cumsum([0, *sizes]).tolist()
    around: tuple[Any, ...] = (slice(None),) * axis
    return [x[(*around, slice(start, end))] for start, end in pairwise(ends)]


def _joined(grad: Parts, result: Sequence[Array], x: Array, dim: int) -> Array | None:
    if not flows(x):
        return None
    pieces = [np.zeros(r.shape, x.dtype) if g is None else g for g, r in zip(grad, result, strict=True)]
    return np.concatenate(pieces, as_dim(dim, x.ndim, "split"))
