"""Arrays that are made, copied, filled, or brought to another dtype.

`layout`, `device`, `pin_memory`, `memory_format`, `non_blocking` and `copy` say how memory is laid out and where; they
change no number, and are taken and not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import DEFAULT_FLOAT, Array, Operand, Scalar, broadcast, flows, result_dtype, unbroadcast
from photosite.ops.operands import held
from photosite.shapes import shape_text

Dtype = np.dtype[Any] | None
Gradient = tuple[Array | None]


def numbers_up_to(end: float, *, dtype: Dtype = None, **_: Any) -> Array:
    """0, 1, 2 and so on, up to a number that is not included.

    >>> numbers_up_to(3).tolist()
    [0, 1, 2]
    """
    return steps(0, end, dtype=dtype)


def numbers_between(start: float, end: float, *, dtype: Dtype = None, **_: Any) -> Array:
    """A number, the next one, and so on, up to one that is not included.

    >>> numbers_between(2, 5).tolist()
    [2, 3, 4]
    """
    return steps(start, end, dtype=dtype)


def steps(start: float, end: float, step: float = 1, *, dtype: Dtype = None, **_: Any) -> Array:
    """Numbers equally far apart: start + i step, up to `end`, which is not included.

    Args:
        start: the first one.
        end: where they end.
        step: how far apart; below 0 they fall.
        dtype: int64 if all three are whole, float32 otherwise.
    Raises:
        RangeError: a step of 0, or one that leads away from the end.
    Matches: torch `arange`, exactly.

    >>> steps(1, 2, 0.25).tolist()
    [1.0, 1.25, 1.5, 1.75]
    """
    if step == 0 or (end - start) * step < 0:
        raise RangeError(f"arange: no way from {start} to {end} in steps of {step}")
    whole = all(isinstance(number, int) for number in (start, end, step))
    count = int(np.ceil((end - start) / step))
    return (start + np.arange(count) * step).astype(dtype or (np.int64 if whole else DEFAULT_FLOAT))


def linspace(start: float, end: float, steps: int, *, dtype: Dtype = None, **_: Any) -> Array:
    """So many numbers equally far apart, both ends included.

    Args:
        start: the first one.
        end: the last one.
        steps: how many.
        dtype: float32 for None.
    Raises:
        RangeError: fewer than none.
    Matches: torch `linspace` to float32's rounding.

    >>> linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if steps < 0:
        raise RangeError(f"linspace: wants at least 0 numbers, got {steps}")
    return np.linspace(start, end, steps).astype(dtype or DEFAULT_FLOAT)


def eye(n: int, m: int | None = None, *, dtype: Dtype = None, **_: Any) -> Array:
    """A matrix with 1 on its diagonal and 0 elsewhere.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if min(n, n if m is None else m) < 0:
        raise RangeError(f"eye: wants sides of at least 0, got {n} and {m}")
    return np.eye(n, m, dtype=dtype or DEFAULT_FLOAT)


def zeros(size: Sequence[int], *, dtype: Dtype = None, **_: Any) -> Array:
    """Zeros of a shape; float32 if no dtype is named. Stands for `empty` too, whose numbers torch leaves open.

    >>> zeros((2,)).tolist()
    [0.0, 0.0]
    """
    return np.zeros(_sides("zeros", size), dtype or DEFAULT_FLOAT)


def ones(size: Sequence[int], *, dtype: Dtype = None, **_: Any) -> Array:
    """Ones of a shape.

    >>> ones((2,)).tolist()
    [1.0, 1.0]
    """
    return np.ones(_sides("ones", size), dtype or DEFAULT_FLOAT)


def full(size: Sequence[int], fill_value: Scalar, *, dtype: Dtype = None, **_: Any) -> Array:
    """One number in all places of a shape; its own dtype in torch's way if none is named.

    >>> full((2,), 7).tolist()
    [7, 7]
    """
    return np.full(_sides("full", size), fill_value, dtype or result_dtype(fill_value))


def scalar(s: Scalar, *, dtype: Dtype = None, **_: Any) -> Array:
    """A number as an array without axes; float32 if no dtype is named.

    >>> scalar(3).dtype
    dtype('float32')
    """
    return np.asarray(s).astype(dtype or DEFAULT_FLOAT)


def zeros_like(x: Array, *, dtype: Dtype = None, **_: Any) -> Array:
    """Zeros of another array's shape, and dtype if none is named.

    >>> zeros_like(np.array([1, 2])).tolist()
    [0, 0]
    """
    return np.zeros(x.shape, dtype or x.dtype)


def ones_like(x: Array, *, dtype: Dtype = None, **_: Any) -> Array:
    """Ones of another array's shape.

    >>> ones_like(np.array([1, 2])).tolist()
    [1, 1]
    """
    return np.ones(x.shape, dtype or x.dtype)


def full_like(x: Array, fill_value: Scalar, *, dtype: Dtype = None, **_: Any) -> Array:
    """One number in all places of another array's shape.

    >>> full_like(np.array([1, 2]), 7).tolist()
    [7, 7]
    """
    goal = np.dtype(dtype or x.dtype)
    return np.full(x.shape, held(fill_value, goal, "full_like"), goal)


def new_zeros(x: Array, size: Sequence[int], *, dtype: Dtype = None, **_: Any) -> Array:
    """Zeros of a shape, of another array's dtype if none is named.

    >>> new_zeros(np.array([1, 2]), (3,)).tolist()
    [0, 0, 0]
    """
    return np.zeros(_sides("new_zeros", size), dtype or x.dtype)


def new_ones(x: Array, size: Sequence[int], *, dtype: Dtype = None, **_: Any) -> Array:
    """Ones of a shape, of another array's dtype if none is named.

    >>> new_ones(np.array([1, 2]), (3,)).tolist()
    [1, 1, 1]
    """
    return np.ones(_sides("new_ones", size), dtype or x.dtype)


def new_full(x: Array, size: Sequence[int], fill_value: Scalar, *, dtype: Dtype = None, **_: Any) -> Array:
    """One number in all places of a shape, of another array's dtype if none is named.

    >>> new_full(np.array([1, 2]), (3,), 7).tolist()
    [7, 7, 7]
    """
    goal = np.dtype(dtype or x.dtype)
    return np.full(_sides("new_full", size), held(fill_value, goal, "new_full"), goal)


def fill(x: Array, value: Operand) -> Array:
    """One number in all places of an array's shape, in its dtype.

    Raises:
        ShapeError: the value has axes.
    Matches: torch `fill`, exactly.

    >>> fill(np.array([1.0, 2.0]), 7).tolist()
    [7.0, 7.0]
    """
    if np.ndim(value):
        raise ShapeError(f"fill: wants one number, got an array of shape {shape_text(np.shape(value))}")
    number = value.astype(x.dtype) if isinstance(value, np.ndarray) else held(value, x.dtype, "fill")
    return np.full(x.shape, number, x.dtype)


def fill_vjp(grad: Array, result: Array, x: Array, value: Operand) -> tuple[Array | None, Array | None]:
    """Nothing is left of x; the value stands in all places."""
    return (np.zeros_like(x) if flows(x) else None), unbroadcast(grad, value)


def zero(x: Array) -> Array:
    """Zeros of an array's shape and dtype.

    >>> zero(np.array([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return np.zeros_like(x)


def zero_vjp(grad: Array, result: Array, x: Array) -> Gradient:
    """Nothing is left of x."""
    return (np.zeros_like(x) if flows(x) else None,)


def copy(x: Array, src: Array, non_blocking: bool = False) -> Array:
    """Another array's numbers, in an array's shape and dtype.

    Args:
        x: gives shape and dtype.
        src: the numbers; repeat to the shape.
        non_blocking: of no consequence.
    Raises:
        ShapeError: they do not repeat to it.
    Matches: torch `copy`, exactly.

    >>> copy(np.zeros((2, 2)), np.array([1, 2])).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    if broadcast("copy", x.shape, src.shape) != x.shape:
        raise ShapeError(f"copy: {shape_text(src.shape)} does not repeat to {shape_text(x.shape)}")
    return np.broadcast_to(src, x.shape).astype(x.dtype)


def copy_vjp(
    grad: Array, result: Array, x: Array, src: Array, non_blocking: bool = False
) -> tuple[Array | None, Array | None]:
    """Nothing is left of x; the numbers have all of it."""
    return (np.zeros_like(x) if flows(x) else None), unbroadcast(grad, src)


def same(x: Array, **_: Any) -> Array:
    """The array itself: what `clone`, `contiguous`, `alias` and their like are where nothing is changed in place.

    >>> same(np.array([1, 2])).tolist()
    [1, 2]
    """
    return x


def same_vjp(grad: Array, result: Array, x: Array, **_: Any) -> Gradient:
    """The gradient itself."""
    return (grad if flows(x) else None,)


def detach(x: Array) -> Array:
    """The array itself, through which no gradient goes.

    >>> detach(np.array([1, 2])).tolist()
    [1, 2]
    """
    return x


def to_dtype(x: Array, dtype: Dtype = None, *_: Any, **__: Any) -> Array:
    """The numbers in another dtype.

    Args:
        x: any shape.
        dtype: the goal; x's own for None.
    Matches: torch `to`, exactly, but for real numbers beyond what a whole dtype can hold, which torch leaves open.

    >>> to_dtype(np.array([1.7, -1.7]), np.dtype("int64")).tolist()
    [1, -1]
    """
    with np.errstate(all="ignore"):
        return x if dtype is None else x.astype(dtype, copy=False)


def to_dtype_vjp(grad: Array, result: Array, x: Array, dtype: Dtype = None, *_: Any, **__: Any) -> Gradient:
    """The gradient in the dtype of x, if the result is real too."""
    return (grad.astype(x.dtype, copy=False) if flows(x) and flows(result) else None,)


def to_device(x: Array, device: Any = None, dtype: Dtype = None, *_: Any, **__: Any) -> Array:
    """As `to_dtype`; where the numbers are kept makes no difference to them.

    >>> to_device(np.array([1.5]), "cpu", np.dtype("float32")).dtype
    dtype('float32')
    """
    return to_dtype(x, dtype)


def to_device_vjp(
    grad: Array, result: Array, x: Array, device: Any = None, dtype: Dtype = None, *_: Any, **__: Any
) -> Gradient:
    """As of `to_dtype`."""
    return to_dtype_vjp(grad, result, x)


def to_layout(x: Array, *, dtype: Dtype = None, **_: Any) -> Array:
    """As `to_dtype`, with all that is said by keyword.

    >>> to_layout(np.array([1.5]), dtype=np.dtype("float32")).dtype
    dtype('float32')
    """
    return to_dtype(x, dtype)


def to_layout_vjp(grad: Array, result: Array, x: Array, *, dtype: Dtype = None, **_: Any) -> Gradient:
    """As of `to_dtype`."""
    return to_dtype_vjp(grad, result, x)


def as_other(x: Array, other: Array, *_: Any, **__: Any) -> Array:
    """The numbers in another array's dtype.

    >>> as_other(np.array([1]), np.zeros(1, np.float32)).dtype
    dtype('float32')
    """
    return to_dtype(x, other.dtype)


def as_other_vjp(
    grad: Array, result: Array, x: Array, other: Array, *_: Any, **__: Any
) -> tuple[Array | None, Array | None]:
    """The gradient in the dtype of x; the other array gave only its dtype."""
    return to_dtype_vjp(grad, result, x)[0], None


def triangle_below(x: Array, diagonal: int = 0) -> Array:
    """A matrix with 0 above a diagonal.

    Args:
        x: at least two axes; the last two are rows and columns.
        diagonal: how far above the main one the kept ones reach.
    Raises:
        ShapeError: fewer than two axes.
    Matches: torch `tril`, exactly.

    >>> triangle_below(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return np.tril(_matrix("tril", x), diagonal)


def triangle_below_vjp(grad: Array, result: Array, x: Array, diagonal: int = 0) -> Gradient:
    """0 where it was put."""
    return (np.tril(grad, diagonal) if flows(x) else None,)


def triangle_above(x: Array, diagonal: int = 0) -> Array:
    """A matrix with 0 below a diagonal; as `triangle_below`.

    >>> triangle_above(np.ones((2, 2))).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return np.triu(_matrix("triu", x), diagonal)


def triangle_above_vjp(grad: Array, result: Array, x: Array, diagonal: int = 0) -> Gradient:
    """0 where it was put."""
    return (np.triu(grad, diagonal) if flows(x) else None,)


def _matrix(who: str, x: Array) -> Array:
    if x.ndim < 2:
        raise ShapeError(f"{who}: wants at least two axes, got {shape_text(x.shape)}")
    return x


def _sides(who: str, size: Sequence[int]) -> tuple[int, ...]:
    if min(size, default=0) < 0:
        raise ShapeError(f"{who}: wants sides of at least 0, got {shape_text(size)}")
    return tuple(size)
