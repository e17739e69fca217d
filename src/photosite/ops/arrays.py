"""What all operations share: axes, broadcasting undone, and the dtype that comes out as torch decides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.shapes import shape_text

Array: TypeAlias = npt.NDArray[Any]
Scalar: TypeAlias = bool | int | float | complex
Operand: TypeAlias = Array | Scalar

DEFAULT_FLOAT = np.dtype(np.float32)
"""What a Python float, and the quotient of whole numbers, become (torch's default dtype)."""

_CATEGORIES = "biufc"  # of dtypes, by kind: truth values, whole numbers, real ones, complex ones
_SCALARS: tuple[tuple[type, np.dtype[Any]], ...] = (
    (bool, np.dtype(np.bool_)),
    (int, np.dtype(np.int64)),
    (float, DEFAULT_FLOAT),
    (complex, np.dtype(np.complex64)),
)


def result_dtype(*operands: Operand) -> np.dtype[Any]:
    """The dtype in which torch combines operands.

    A kind that can hold more wins: truth values, whole numbers, real numbers, complex numbers. Within a kind, arrays
    with axes win over arrays without, and those over Python's numbers; only among equals does the larger dtype win.

    Matches: `torch.result_type`. NumPy differs: there int64 and float32 make float64, and an array without axes counts
        as any other.

    >>> result_dtype(np.zeros(3, np.int64), 0.5), result_dtype(np.zeros(2, np.float32), np.float64(1) * np.ones(()))
    (dtype('float32'), dtype('float32'))
    """
    ranks: list[list[np.dtype[Any]]] = [[], [], []]
    for operand in operands:
        if isinstance(operand, np.ndarray | np.generic):
            ranks[0 if operand.ndim else 1].append(operand.dtype)
        else:
            ranks[2].append(next(dtype for kind, dtype in _SCALARS if isinstance(operand, kind)))
    found: np.dtype[Any] | None = None
    for rank in ranks:
        if rank:
            dtype = rank[0]
            for other in rank[1:]:
                dtype = promoted(dtype, other)
            if found is None or category(dtype) > category(found):
                found = dtype if found is None else promoted(found, dtype)
    assert found is not None
    return found


def promoted(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of two arrays with axes together.

    >>> promoted(np.dtype("int64"), np.dtype("float16"))
    dtype('float16')
    """
    if category(a) != category(b):
        return max(a, b, key=category)
    return np.promote_types(a, b)


def category(dtype: np.dtype[Any]) -> int:
    """How much a kind of dtype can hold: 0 truth values, 1 whole numbers, 2 real, 3 complex."""
    return (0, 1, 1, 2, 3)[_CATEGORIES.index(dtype.kind)]


def as_common(*operands: Operand) -> tuple[Array, ...]:
    """Operands as arrays of the dtype in which torch combines them."""
    dtype = result_dtype(*operands)
    return tuple(np.asarray(operand).astype(dtype, copy=False) for operand in operands)


def as_float(x: Operand) -> Array:
    """An operand as real numbers: whole numbers and truth values become the default dtype."""
    array = np.asarray(x)
    return array if category(array.dtype) >= 2 else array.astype(DEFAULT_FLOAT)


def as_dim(dim: int, ndim: int, who: str) -> int:
    """An axis counted from the front.

    Raises:
        RangeError: there is no such axis.

    >>> as_dim(-1, 3, "sum")
    2
    """
    axes = max(ndim, 1)  # torch lets a value without axes be indexed as if it had one
    if not -axes <= dim < axes:
        raise RangeError(f"{who}: dim wants {-axes} … {axes - 1}, got {dim}")
    return dim % axes


def as_dims(dim: int | Sequence[int] | None, ndim: int, who: str) -> tuple[int, ...]:
    """Axes counted from the front; None and no axis at all mean every axis.

    Raises:
        RangeError: there is no such axis, or one is named twice.
    """
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    dims = tuple(as_dim(d, ndim, who) for d in ((dim,) if isinstance(dim, int) else dim))
    if len(set(dims)) != len(dims):
        raise RangeError(f"{who}: dim names an axis twice: {dims}")
    return dims if ndim else ()


def broadcast(who: str, *shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that shapes have together.

    Raises:
        ShapeError: they do not fit.
    """
    try:
        return np.broadcast_shapes(*(tuple(shape) for shape in shapes))
    except ValueError:
        raise ShapeError(f"{who}: shapes do not fit: {', '.join(map(shape_text, shapes))}") from None


def unbroadcast(grad: Array, operand: Operand) -> Array | None:
    """The gradient of an operand from that of the broadcast result: summed over the axes along which it was repeated.

    Args:
        grad: of the result's shape.
        operand: what stood there.
    Returns:
        Of the operand's shape and dtype; None for a number, and for an array of whole numbers or truth values.

    >>> unbroadcast(np.ones((2, 3)), np.zeros((3,))).tolist()
    [2.0, 2.0, 2.0]
    """
    if not isinstance(operand, np.ndarray) or category(operand.dtype) < 2:
        return None
    extra = grad.ndim - operand.ndim
    repeated = [extra + axis for axis, side in enumerate(operand.shape) if side == 1 and grad.shape[extra + axis] != 1]
    axes = (*range(extra), *repeated)
    if axes:
        grad = grad.sum(axes, keepdims=True).reshape(operand.shape)
    if category(operand.dtype) == 2 and np.iscomplexobj(grad):
        grad = grad.real
    return grad.astype(operand.dtype, copy=False)


def flows(x: Any) -> bool:
    """Whether a gradient can flow back to an argument: an array of real or complex numbers."""
    return isinstance(x, np.ndarray) and category(x.dtype) >= 2
