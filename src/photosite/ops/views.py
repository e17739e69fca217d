"""Views: the same numbers under another shape, or with their axes in another order; nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, as_dim, as_dims, flows
from photosite.shapes import shape_text

Dims = int | Sequence[int]


def reshape(x: Array, shape: Sequence[int]) -> Array:
    """The same numbers in the same order, on other axes.

    Args:
        x: any shape.
        shape: the new sides; one of them can be -1, which is what is left for it.
    Returns:
        That shape; a view where the memory allows it.
    Raises:
        ShapeError: another number of numbers.
    Convention: the last axis is the fastest.
    Matches: torch `reshape`, `view` exactly; `view` refuses what cannot be a view, which depends on memory alone.

    >>> reshape(np.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    known = math.prod(side for side in shape if side != -1)
    unknown = sum(side == -1 for side in shape)
    fits = known == x.size if unknown == 0 else unknown == 1 and known > 0 and x.size % known == 0
    if not fits or min(shape, default=0) < -1:
        raise ShapeError(f"reshape: {shape_text(x.shape)} has {x.size} numbers, {shape_text(shape)} wants others")
    return x.reshape(tuple(shape))


def reshape_vjp(grad: Array, result: Array, x: Array, shape: Sequence[int]) -> tuple[Array | None]:
    """The gradient on the old axes."""
    return (grad.reshape(x.shape) if flows(x) else None,)


def reshape_as(x: Array, other: Array) -> Array:
    """The same numbers on another array's axes.

    >>> reshape_as(np.arange(4), np.zeros((2, 2))).tolist()
    [[0, 1], [2, 3]]
    """
    return reshape(x, other.shape)


def reshape_as_vjp(grad: Array, result: Array, x: Array, other: Array) -> tuple[Array | None, None]:
    """The gradient on the old axes; the other array gave only its shape."""
    return grad.reshape(x.shape) if flows(x) else None, None


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Several axes in a row become one.

    Args:
        x: any shape.
        start_dim: the first of them.
        end_dim: the last of them.
    Raises:
        RangeError: there is no such axis, or the last stands before the first.
    Matches: torch `flatten`, exactly.

    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    first, last = as_dim(start_dim, x.ndim, "flatten"), as_dim(end_dim, x.ndim, "flatten")
    if first > last:
        raise RangeError(f"flatten: start_dim {first} comes after end_dim {last}")
    if x.ndim == 0:
        return x.reshape(1)
    return x.reshape(*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


def flatten_vjp(grad: Array, result: Array, x: Array, start_dim: int = 0, end_dim: int = -1) -> tuple[Array | None]:
    """The gradient on the old axes."""
    return (grad.reshape(x.shape) if flows(x) else None,)


def unflatten(x: Array, dim: int, sizes: Sequence[int]) -> Array:
    """One axis becomes several.

    Args:
        x: any shape.
        dim: the axis.
        sizes: the sides that it becomes; one of them can be -1.
    Raises:
        RangeError: there is no such axis.
        ShapeError: the sides do not multiply to the axis.
    Matches: torch `unflatten`, exactly.

    >>> unflatten(np.zeros((2, 12)), 1, (3, -1)).shape
    (2, 3, 4)
    """
    axis = as_dim(dim, x.ndim, "unflatten")
    if not sizes:
        raise ShapeError("unflatten: wants at least one side")
    known = math.prod(side for side in sizes if side != -1)
    sides = [x.shape[axis] // known if side == -1 and known > 0 else side for side in sizes]
    if math.prod(sides) != x.shape[axis] or min(sides) < 0:
        raise ShapeError(f"unflatten: {shape_text(sizes)} is no way to write a side of {x.shape[axis]}")
    return x.reshape(*x.shape[:axis], *sides, *x.shape[axis + 1 :])


def unflatten_vjp(grad: Array, result: Array, x: Array, dim: int, sizes: Sequence[int]) -> tuple[Array | None]:
    """The gradient on the old axes."""
    return (grad.reshape(x.shape) if flows(x) else None,)


def permute(x: Array, dims: Sequence[int]) -> Array:
    """The axes in another order.

    Args:
        x: any shape.
        dims: for each new axis, which of the old ones it is.
    Returns:
        A view.
    Raises:
        ShapeError: not as many as there are.
        RangeError: an axis is named twice or not there.
    Matches: torch `permute`, exactly.

    >>> permute(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    if len(dims) != x.ndim:
        raise ShapeError(f"permute: wants an order of {x.ndim} axes, got {tuple(dims)}")
    return x.transpose(as_dims(dims, x.ndim, "permute")) if x.ndim else x


def permute_vjp(grad: Array, result: Array, x: Array, dims: Sequence[int]) -> tuple[Array | None]:
    """The order undone."""
    if not flows(x):
        return (None,)
    order = as_dims(dims, x.ndim, "permute")
    return (grad.transpose([order.index(axis) for axis in range(x.ndim)]),)


def transpose(x: Array, dim0: int, dim1: int) -> Array:
    """Two axes change places.

    Args:
        x: any shape.
        dim0: one of them.
        dim1: the other.
    Returns:
        A view.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `transpose`, `swapaxes`, exactly.

    >>> transpose(np.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    first, second = (as_dim(dim, x.ndim, "transpose") for dim in (dim0, dim1))
    return x.swapaxes(first, second) if x.ndim else x


def transpose_vjp(grad: Array, result: Array, x: Array, dim0: int, dim1: int) -> tuple[Array | None]:
    """They change back."""
    return (transpose(grad, dim0, dim1) if flows(x) else None,)


def turned(x: Array) -> Array:
    """All axes in reverse order: a matrix's columns become its rows.

    Raises:
        ShapeError: more than two axes (`numpy_T` takes any number, `t` does not).
    Matches: torch `t`, exactly.

    >>> turned(np.array([[1, 2], [3, 4]])).tolist()
    [[1, 3], [2, 4]]
    """
    if x.ndim > 2:
        raise ShapeError(f"t: wants at most two axes, got {shape_text(x.shape)}")
    return x.T


def reversed_axes(x: Array) -> Array:
    """All axes in reverse order.

    >>> reversed_axes(np.zeros((2, 3, 4))).shape
    (4, 3, 2)
    """
    return x.T


def reversed_axes_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """In reverse once more."""
    return (grad.T if flows(x) else None,)


def matrix_turned(x: Array) -> Array:
    """The last two axes change places.

    Raises:
        ShapeError: fewer than two axes.
    Matches: torch `mT`, exactly.

    >>> matrix_turned(np.zeros((2, 3, 4))).shape
    (2, 4, 3)
    """
    if x.ndim < 2:
        raise ShapeError(f"mT: wants at least two axes, got {shape_text(x.shape)}")
    return x.swapaxes(-1, -2)


def matrix_turned_vjp(grad: Array, result: Array, x: Array) -> tuple[Array | None]:
    """They change back."""
    return (grad.swapaxes(-1, -2) if flows(x) else None,)


def movedim(x: Array, source: Dims, destination: Dims) -> Array:
    """Some axes move to other places, the rest keep their order.

    Args:
        x: any shape.
        source: one axis or several.
        destination: where each goes.
    Raises:
        RangeError: there is no such axis, or one is named twice.
        ShapeError: not as many places as axes.
    Matches: torch `movedim`, exactly.

    >>> movedim(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    moved, places = (
        tuple(as_dim(dim, x.ndim, "movedim") for dim in ((dims,) if isinstance(dims, int) else dims))
        for dims in (source, destination)
    )
    if len(moved) != len(places):
        raise ShapeError(f"movedim: {len(moved)} axes cannot go to {len(places)} places")
    if len(set(moved)) < len(moved) or len(set(places)) < len(places):
        raise RangeError(f"movedim: an axis is named twice: {moved} to {places}")
    return np.moveaxis(x, moved, places) if x.ndim else x


def movedim_vjp(grad: Array, result: Array, x: Array, source: Dims, destination: Dims) -> tuple[Array | None]:
    """They move back."""
    return (movedim(grad, destination, source) if flows(x) else None,)


def squeeze(x: Array, dim: Dims | None = None) -> Array:
    """Axes of side 1 go away.

    Args:
        x: any shape.
        dim: which; those that are longer stay. All of side 1 for None.
    Raises:
        RangeError: there is no such axis.
    Matches: torch `squeeze`, exactly.

    >>> squeeze(np.zeros((1, 2, 1))).shape, squeeze(np.zeros((1, 2, 1)), 0).shape
    ((2,), (2, 1))
    """
    if dim is None:
        axes = tuple(range(x.ndim))
    else:
        axes = tuple(as_dim(one, x.ndim, "squeeze") for one in ((dim,) if isinstance(dim, int) else dim))
    return x.reshape([side for axis, side in enumerate(x.shape) if side != 1 or axis not in axes])


def squeeze_vjp(grad: Array, result: Array, x: Array, dim: Dims | None = None) -> tuple[Array | None]:
    """They come back."""
    return (grad.reshape(x.shape) if flows(x) else None,)


def unsqueeze(x: Array, dim: int) -> Array:
    """An axis of side 1 more.

    Args:
        x: any shape.
        dim: where it will stand.
    Raises:
        RangeError: there is no such place.
    Matches: torch `unsqueeze`, exactly.

    >>> unsqueeze(np.zeros((2, 3)), 1).shape
    (2, 1, 3)
    """
    return np.expand_dims(x, as_dim(dim, x.ndim + 1, "unsqueeze"))


def unsqueeze_vjp(grad: Array, result: Array, x: Array, dim: int) -> tuple[Array | None]:
    """It goes away again."""
    return (grad.reshape(x.shape) if flows(x) else None,)


def expand(x: Array, size: Sequence[int], implicit: bool = False) -> Array:
    """Repeat along axes of side 1, without copying.

    Args:
        x: any shape.
        size: the new sides; -1 keeps one. Further axes stand in front.
        implicit: of no consequence.
    Returns:
        A view, in which many numbers share one memory; so it cannot be written to.
    Raises:
        ShapeError: a side other than 1 would have to change.
    Matches: torch `expand`, `broadcast_to`, exactly.

    >>> expand(np.array([[1], [2]]), (-1, 3)).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    more = len(size) - x.ndim
    own = (*(1,) * more, *x.shape)
    if more < 0 or any(want not in (-1, have) and have != 1 for want, have in zip(size, own, strict=True)):
        raise ShapeError(f"expand: {shape_text(x.shape)} cannot become {shape_text(size)}")
    if min(size, default=0) < -1 or -1 in size[:more]:
        raise ShapeError(f"expand: a new side wants to be known, got {shape_text(size)}")
    return np.broadcast_to(x, [have if want == -1 else want for want, have in zip(size, own, strict=True)])


def expand_vjp(
    grad: Array, result: Array, x: Array, size: Sequence[int], implicit: bool = False
) -> tuple[Array | None]:
    """Summed over the axes along which it was repeated."""
    if not flows(x):
        return (None,)
    more = grad.ndim - x.ndim
    axes = (*range(more), *(more + axis for axis, side in enumerate(x.shape) if side == 1 != grad.shape[more + axis]))
    return (grad.sum(axes, keepdims=True).reshape(x.shape).astype(x.dtype, copy=False),)


def expand_as(x: Array, other: Array) -> Array:
    """Repeat to another array's shape.

    >>> expand_as(np.array([1, 2]), np.zeros((2, 2))).tolist()
    [[1, 2], [1, 2]]
    """
    return expand(x, other.shape)


def expand_as_vjp(grad: Array, result: Array, x: Array, other: Array) -> tuple[Array | None, None]:
    """Summed over the repetitions; the other array gave only its shape."""
    return *expand_vjp(grad, result, x, other.shape), None


def diagonal(x: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """The diagonal of two axes, as the last axis.

    Args:
        x: at least two axes.
        offset: how far above the main diagonal.
        dim1: the rows.
        dim2: the columns.
    Returns:
        A view.
    Raises:
        RangeError: there is no such axis, or both are one.
    Matches: torch `diagonal`, exactly.

    >>> diagonal(np.arange(9).reshape(3, 3), 1).tolist()
    [1, 5]
    """
    rows, columns = (as_dim(dim, x.ndim, "diagonal") for dim in (dim1, dim2))
    if rows == columns:
        raise RangeError(f"diagonal: wants two axes, got {rows} twice")
    return x.diagonal(offset, rows, columns)


def diagonal_vjp(
    grad: Array, result: Array, x: Array, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> tuple[Array | None]:
    """The diagonal of zeros that is filled."""
    if not flows(x):
        return (None,)
    gradient = np.zeros_like(x, order="C")
    view = gradient.diagonal(offset, as_dim(dim1, x.ndim, "diagonal"), as_dim(dim2, x.ndim, "diagonal"))
    view.setflags(write=True)
    view[...] = grad
    return (gradient,)


def as_pairs(x: Array) -> Array:
    """Complex numbers as pairs of real ones, on a last axis of their own.

    Raises:
        RangeError: the numbers are real.
    Matches: torch `view_as_real`, exactly.

    >>> as_pairs(np.array([1 + 2j])).tolist()
    [[1.0, 2.0]]
    """
    if x.dtype.kind != "c":
        raise RangeError(f"view_as_real: wants complex numbers, got {x.dtype}")
    return np.stack([x.real, x.imag], -1)


def as_pairs_vjp(grad: Array, result: Array, x: Array) -> tuple[Array]:
    """Both parts put together."""
    return ((grad[..., 0] + 1j * grad[..., 1]).astype(x.dtype),)


def as_complex(x: Array) -> Array:
    """Pairs of real numbers, on the last axis, as complex ones.

    Raises:
        ShapeError: the last axis has another side than 2.
    Matches: torch `view_as_complex`, exactly.

    >>> as_complex(np.array([[1.0, 2.0]])).tolist()
    [(1+2j)]
    """
    if x.ndim == 0 or x.shape[-1] != 2 or x.dtype.kind != "f":
        raise ShapeError(f"view_as_complex: wants pairs on the last axis, got {shape_text(x.shape)} {x.dtype}")
    pairs = np.ascontiguousarray(x)
    return pairs.view(np.complex64 if x.dtype == np.float32 else np.complex128)[..., 0]


def as_complex_vjp(grad: Array, result: Array, x: Array) -> tuple[Array]:
    """Taken apart."""
    return (as_pairs(grad).astype(x.dtype),)
