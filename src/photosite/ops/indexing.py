"""Indexing: parts of an array by position, and putting parts in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, Scalar, as_dim, broadcast, flows, unbroadcast
from photosite.shapes import shape_text

Places = Sequence[Array | None]


def sliced(x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    """A range of an axis.

    Args:
        x: at least one axis.
        dim: the axis.
        start: where it begins; below 0 counted from the end.
        end: where it ends, not included; likewise.
        step: how far apart.
    Returns:
        A view.
    Raises:
        RangeError: there is no such axis, or a step below 1.
    Matches: torch `slice`, exactly.

    >>> sliced(np.arange(6), 0, 1, None, 2).tolist()
    [1, 3, 5]
    """
    part: Array = x[_slice("slice", x, dim, start, end, step)]
    return part


def sliced_vjp(
    grad: Array,
    result: Array,
    x: Array,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> tuple[Array | None]:
    """The range of zeros that is filled."""
    return (_filled(x, _slice("slice", x, dim, start, end, step), grad) if flows(x) else None,)


def slice_scatter(
    x: Array, src: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    """A copy with a range of an axis replaced.

    Args:
        x: at least one axis.
        src: what to put there, of the range's shape.
        dim: the range's axis, as for `sliced`, like all that follow.
        start: likewise.
        end: likewise.
        step: likewise.
    Raises:
        ShapeError: another shape.
        RangeError: as for `sliced`.
    Matches: torch `slice_scatter`, exactly.

    >>> slice_scatter(np.zeros(4), np.ones(2), 0, 1, 3).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    return _with(x, _slice("slice_scatter", x, dim, start, end, step), src, "slice_scatter")


def slice_scatter_vjp(
    grad: Array,
    result: Array,
    x: Array,
    src: Array,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> tuple[Array | None, Array | None]:
    """The range's to what was put there, the rest to the array."""
    where = _slice("slice_scatter", x, dim, start, end, step)
    return _without(grad, where) if flows(x) else None, _as(grad[where], src)


def select(x: Array, dim: int, index: int) -> Array:
    """One slice of an axis, without the axis.

    Args:
        x: at least one axis.
        dim: the axis.
        index: which; below 0 counted from the end.
    Returns:
        A view.
    Raises:
        RangeError: there is no such axis, or no such slice.
    Matches: torch `select`, exactly.

    >>> select(np.array([[1, 2], [3, 4]]), 1, -1).tolist()
    [2, 4]
    """
    part: Array = x[_selected("select", x, dim, index)]
    return part


def select_vjp(grad: Array, result: Array, x: Array, dim: int, index: int) -> tuple[Array | None]:
    """The slice of zeros that is filled."""
    return (_filled(x, _selected("select", x, dim, index), grad) if flows(x) else None,)


def select_scatter(x: Array, src: Array, dim: int, index: int) -> Array:
    """A copy with one slice of an axis replaced.

    >>> select_scatter(np.zeros((2, 2)), np.array([5.0, 6.0]), 0, 1).tolist()
    [[0.0, 0.0], [5.0, 6.0]]
    """
    return _with(x, _selected("select_scatter", x, dim, index), src, "select_scatter")


def select_scatter_vjp(
    grad: Array, result: Array, x: Array, src: Array, dim: int, index: int
) -> tuple[Array | None, Array | None]:
    """The slice's to what was put there, the rest to the array."""
    where = _selected("select_scatter", x, dim, index)
    return _without(grad, where) if flows(x) else None, _as(grad[where], src)


def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    """So many in a row of an axis.

    >>> narrow(np.arange(5), 0, 1, 3).tolist()
    [1, 2, 3]
    """
    part: Array = x[_narrowed(x, dim, start, length)]
    return part


def narrow_vjp(grad: Array, result: Array, x: Array, dim: int, start: int, length: int) -> tuple[Array | None]:
    """The range of zeros that is filled."""
    return (_filled(x, _narrowed(x, dim, start, length), grad) if flows(x) else None,)


def index(x: Array, indices: Places) -> Array:
    """Numbers by position: one array of positions for each axis, None for a whole axis.

    Args:
        x: at least as many axes as there are entries.
        indices: whole numbers, which repeat to a common shape; or truth values, of the shape of the axes that they
            stand for.
    Returns:
        The common shape in place of the axes that were indexed; in front, if None stands between them.
    Raises:
        ShapeError: too many entries, or shapes that do not fit.
        RangeError: a position that is not there, or an index of real numbers.
    Matches: torch `index`, exactly.

    >>> index(np.arange(6).reshape(2, 3), [None, np.array([2, 0])]).tolist()
    [[2, 0], [5, 3]]
    """
    taken: Array = x[_key(x, indices)]
    return taken


def index_vjp(grad: Array, result: Array, x: Array, indices: Places) -> tuple[Array | None]:
    """Added up at each position, as often as it was taken."""
    if not flows(x):
        return (None,)
    gradient = np.zeros(x.shape, x.dtype)
    np.add.at(gradient, _key(x, indices), grad)
    return (gradient,)


def index_put(x: Array, indices: Places, values: Array, accumulate: bool = False) -> Array:
    """A copy with numbers put in by position.

    Args:
        x: any shape.
        indices: as for `index`.
        values: repeat to the shape that `index` would give.
        accumulate: add to what is there, as often as a position comes.
    Raises:
        ShapeError, RangeError: as for `index`; values of another dtype.
    Convention: of several values for one position any one stays.
    Matches: torch `index_put`, exactly where positions are different.

    >>> index_put(np.zeros(3), [np.array([0, 0])], np.array([1.0, 2.0]), True).tolist()
    [3.0, 0.0, 0.0]
    """
    key = _key(x, indices)
    if values.dtype != x.dtype:
        raise RangeError(f"index_put: wants values of {x.dtype}, got {values.dtype}")
    if broadcast("index_put", values.shape, x[key].shape) != x[key].shape:
        raise ShapeError(f"index_put: {shape_text(values.shape)} does not repeat to {shape_text(x[key].shape)}")
    out = np.array(x)
    if accumulate:
        np.add.at(out, key, values)
    else:
        out[key] = values
    return out


def index_put_vjp(
    grad: Array, result: Array, x: Array, indices: Places, values: Array, accumulate: bool = False
) -> tuple[Array | None, list[None], Array | None]:
    """To the values what stands at their positions; to the array the rest, or all where they were added."""
    key = _key(x, indices)
    to_x = grad if accumulate else _without(grad, key)
    return to_x if flows(x) else None, [None] * len(indices), unbroadcast(grad[key], values)


def index_select(x: Array, dim: int, positions: Array) -> Array:
    """Slices of an axis by position.

    Args:
        x: any shape.
        dim: the axis.
        positions: (N,) whole numbers, or one.
    Raises:
        RangeError: there is no such axis or position.
        ShapeError: positions with more axes.
    Matches: torch `index_select`, exactly.

    >>> index_select(np.array([[1, 2, 3]]), 1, np.array([2, 2, 0])).tolist()
    [[3, 3, 1]]
    """
    axis = as_dim(dim, x.ndim, "index_select")
    if positions.ndim > 1:
        raise ShapeError(f"index_select: wants a row of positions, got {shape_text(positions.shape)}")
    _check_places("index_select", positions, x.shape[axis] if x.ndim else 1, negative=False)
    if x.ndim == 0:
        return x
    return np.take(x, positions.reshape(-1), axis)


def index_select_vjp(grad: Array, result: Array, x: Array, dim: int, positions: Array) -> tuple[Array | None]:
    """Added up at each position."""
    if not flows(x):
        return (None,)
    gradient = np.zeros(x.shape or (1,), x.dtype)
    axis = as_dim(dim, x.ndim, "index_select")
    np.add.at(
        np.moveaxis(gradient, axis, 0), positions.reshape(-1), np.moveaxis(grad.reshape(grad.shape or (1,)), axis, 0)
    )
    return (gradient.reshape(x.shape),)


def index_add(x: Array, dim: int, positions: Array, source: Array, alpha: Scalar = 1) -> Array:
    """A copy with slices added by position.

    >>> index_add(np.zeros(3), 0, np.array([1, 1]), np.array([2.0, 3.0])).tolist()
    [0.0, 5.0, 0.0]
    """
    axis = as_dim(dim, x.ndim, "index_add")
    _check_places("index_add", positions, x.shape[axis] if x.ndim else 1, negative=False)
    if source.shape[axis : axis + 1] != positions.shape or source.ndim != x.ndim:
        raise ShapeError(f"index_add: {shape_text(source.shape)} has no slice for each of {positions.size} positions")
    out = np.array(x)
    np.add.at(np.moveaxis(out, axis, 0), positions, np.moveaxis(alpha * source, axis, 0).astype(x.dtype))
    return out


def index_add_vjp(
    grad: Array, result: Array, x: Array, dim: int, positions: Array, source: Array, alpha: Scalar = 1
) -> tuple[Array | None, None, None, Array | None]:
    """To the array all, to what was added its slices."""
    taken = alpha * np.take(grad, positions, as_dim(dim, x.ndim, "index_add"))
    return grad if flows(x) else None, None, None, _as(taken, source)


def embedding(
    weight: Array, indices: Array, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Array:
    """Rows of a table by number.

    Args:
        weight: (N, D).
        indices: any shape, whole numbers.
        padding_idx: the row that does not learn; -1 for none.
        scale_grad_by_freq: whether a row's gradient is divided by how often it was taken.
        sparse: of no consequence.
    Returns:
        (…, D).
    Raises:
        ShapeError: the table is no matrix.
        RangeError: a row that is not there.
    Matches: torch `embedding`, exactly.

    >>> embedding(np.array([[1, 2], [3, 4]]), np.array([1, 0, 1])).tolist()
    [[3, 4], [1, 2], [3, 4]]
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding: wants a table (N, D), got {shape_text(weight.shape)}")
    _check_places("embedding", indices, len(weight), negative=False)
    return weight[indices]


def embedding_vjp(
    grad: Array,
    result: Array,
    weight: Array,
    indices: Array,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> tuple[Array | None]:
    """Added up in each row."""
    if not flows(weight):
        return (None,)
    gradient = np.zeros_like(weight)
    np.add.at(gradient, indices.reshape(-1), grad.reshape(-1, weight.shape[1]))
    if scale_grad_by_freq:
        gradient /= np.maximum(np.bincount(indices.reshape(-1), minlength=len(weight)), 1)[:, None].astype(weight.dtype)
    if padding_idx >= 0:
        gradient[padding_idx] = 0
    return (gradient,)


def _slice(who: str, x: Array, dim: int, start: int | None, end: int | None, step: int) -> tuple[Any, ...]:
    if x.ndim == 0:
        raise ShapeError(f"{who}: wants at least one axis, got a value without")
    if step < 1:
        raise RangeError(f"{who}: step wants at least 1, got {step}")
    return (*(slice(None),) * as_dim(dim, x.ndim, who), slice(start, end, step))


def _selected(who: str, x: Array, dim: int, index: int) -> tuple[Any, ...]:
    if x.ndim == 0:
        raise ShapeError(f"{who}: wants at least one axis, got a value without")
    axis = as_dim(dim, x.ndim, who)
    side = x.shape[axis]
    if not -side <= index < side:
        raise RangeError(f"{who}: axis {axis} has {side} slices, number {index} is not among them")
    return (*(slice(None),) * axis, index)


def _narrowed(x: Array, dim: int, start: int, length: int) -> tuple[Any, ...]:
    axis = as_dim(dim, x.ndim, "narrow")
    side = x.shape[axis] if x.ndim else 0
    first = start + side if start < 0 else start
    if x.ndim == 0 or length < 0 or not 0 <= first <= side - length:
        raise RangeError(f"narrow: {length} from {start} on are not in a side of {side}")
    return (*(slice(None),) * axis, slice(first, first + length))


def _key(x: Array, indices: Places) -> tuple[Any, ...]:
    """Positions as NumPy takes them; masks are turned into positions, as torch does before it places the result."""
    key: list[Any] = []
    for one in indices:
        if one is None:
            key.append(slice(None))
        elif one.dtype == np.bool_:
            if one.shape != x.shape[len(key) : len(key) + one.ndim]:
                raise ShapeError(f"index: a mask {shape_text(one.shape)} does not fit {shape_text(x.shape)}")
            key += list(np.nonzero(one))
        else:
            if len(key) < x.ndim:
                _check_places("index", one, x.shape[len(key)], negative=True)
            key.append(one)
    if len(key) > x.ndim:
        raise ShapeError(f"index: {len(key)} positions for {shape_text(x.shape)}")
    broadcast("index", *(one.shape for one in key if isinstance(one, np.ndarray)))
    return tuple(key)


def _check_places(who: str, places: Array, side: int, *, negative: bool) -> None:
    if places.dtype.kind not in "iu":
        raise RangeError(f"{who}: wants whole numbers as positions, got {places.dtype}")
    if places.size and not (-side if negative else 0) <= int(places.min()) <= int(places.max()) < side:
        raise RangeError(f"{who}: positions {places.min()} … {places.max()} are not all in a side of {side}")


def _filled(x: Array, where: tuple[Any, ...], part: Array) -> Array:
    gradient = np.zeros(x.shape, x.dtype)
    gradient[where] = part
    return gradient


def _with(x: Array, where: tuple[Any, ...], part: Array, who: str) -> Array:
    if x[where].shape != part.shape:
        raise ShapeError(f"{who}: wants {shape_text(x[where].shape)}, got {shape_text(part.shape)}")
    out = np.array(x)
    out[where] = part
    return out


def _without(grad: Array, where: tuple[Any, ...]) -> Array:
    rest = np.array(grad)
    rest[where] = 0
    return rest


def _as(gradient: Array, operand: Array) -> Array | None:
    return gradient.astype(operand.dtype) if flows(operand) else None
