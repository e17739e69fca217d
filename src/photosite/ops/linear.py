"""Linear maps: every output is a weighted sum of all inputs. Matrix products in all the forms that networks write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, Scalar, broadcast, flows, unbroadcast
from photosite.shapes import shape_text


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """A fully connected layer: y = x W^T + b.

    Args:
        x: (..., D).
        weight: (O, D), a row for each output; or (D,) for a single one without an axis.
        bias: (O,) or None.
    Returns:
        (..., O).
    Raises:
        ShapeError: the sides do not meet.
        RangeError: the dtypes differ.
    Matches: torch `linear` to the rounding of sums.

    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]), np.array([0.5, 0.0])).tolist()
    [[11.5, 2.0]]
    """
    _check_inner("linear", x, weight, x.shape[-1:], weight.shape[-1:])
    y = x @ weight.T
    return y if bias is None else y + bias


def linear_vjp(
    grad: Array, result: Array, x: Array, weight: Array, bias: Array | None = None
) -> tuple[Array, Array, Array | None]:
    """To the input goes the weight the other way around; to the weight, outputs times inputs over all rows."""
    if weight.ndim == 1:
        to_x = grad[..., None] * weight
        to_weight = (grad[..., None] * x).reshape(-1, weight.shape[0]).sum(0)
    else:
        to_x = grad @ weight
        to_weight = grad.reshape(-1, weight.shape[0]).T @ x.reshape(-1, weight.shape[1])
    return to_x, to_weight, None if bias is None else unbroadcast(grad, bias)


def linear_macs(result: Array, x: Array, weight: Array, *_: Any) -> int:
    """Each output takes every input once."""
    return int(result.size * x.shape[-1])


def matmul(a: Array, b: Array) -> Array:
    """Matrix product over the last two axes; axes before them are batches and repeat where one is 1.

    Args:
        a: (..., N, K), or (K,) for a row.
        b: (..., K, M), or (K,) for a column.
    Returns:
        (..., N, M), without the axis that a row or column lacks.
    Raises:
        ShapeError: the sides do not meet, or an operand has no axis.
        RangeError: the dtypes differ.
    Matches: torch `matmul`, `mm`, `bmm`, `mv`, `dot` to the rounding of sums.

    >>> matmul(np.array([[1.0, 2.0]]), np.array([3.0, 4.0])).tolist()
    [11.0]
    """
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: both operands want an axis, got {shape_text(a.shape)} and {shape_text(b.shape)}")
    _check_inner("matmul", a, b, a.shape[-1:], b.shape[-2:][:1])
    broadcast("matmul", a.shape[:-2], b.shape[:-2])
    return np.asarray(np.matmul(a, b))


def matmul_vjp(grad: Array, result: Array, a: Array, b: Array) -> tuple[Array | None, Array | None]:
    """To each operand goes the gradient, multiplied by the other one turned around."""
    rows = a[None] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    both = grad
    if a.ndim == 1:
        both = np.expand_dims(both, -1 if b.ndim == 1 else -2)
    if b.ndim == 1:
        both = np.expand_dims(both, -1)
    to_a = unbroadcast(both @ columns.swapaxes(-1, -2), rows)
    to_b = unbroadcast(rows.swapaxes(-1, -2) @ both, columns)
    return None if to_a is None else to_a.reshape(a.shape), None if to_b is None else to_b.reshape(b.shape)


def matmul_macs(result: Array, a: Array, *_: Any) -> int:
    """Each value of the result is a sum over the inner side."""
    return int(result.size * a.shape[-1])


def addmm(base: Array, a: Array, b: Array, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """A matrix product and something added: beta base + alpha a b.

    Args:
        base: repeats to the product's shape.
        a: (N, K), or (B, N, K).
        b: (K, M), or (B, K, M).
        beta: factor of the base; 0 drops it, NaN and all.
        alpha: factor of the product.
    Returns:
        (N, M), or (B, N, M).
    Raises:
        ShapeError, RangeError: as for `matmul`.
    Matches: torch `addmm`, `baddbmm` to the rounding of sums.

    >>> addmm(np.array([1.0]), np.array([[2.0]]), np.array([[3.0]]), alpha=10).tolist()
    [[61.0]]
    """
    product = matmul(a, b)
    broadcast("addmm", base.shape, product.shape)
    scaled = product if alpha == 1 else alpha * product
    return np.asarray(scaled if beta == 0 else scaled + (base if beta == 1 else beta * base)).astype(
        a.dtype, copy=False
    )


def addmm_vjp(
    grad: Array, result: Array, base: Array, a: Array, b: Array, beta: Scalar = 1, alpha: Scalar = 1
) -> tuple[Array | None, Array | None, Array | None]:
    """The two factors go along."""
    to_a, to_b = matmul_vjp(grad if alpha == 1 else alpha * grad, result, a, b)
    return unbroadcast(grad if beta == 1 else beta * grad, base), to_a, to_b


def addmm_macs(result: Array, base: Array, a: Array, *_: Any, **__: Any) -> int:
    """Those of the product."""
    return int(result.size * a.shape[-1])


def outer(a: Array, b: Array) -> Array:
    """Every value of one vector times every value of another: (N,) and (M,) to (N, M).

    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0])).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer: wants two vectors, got {shape_text(a.shape)} and {shape_text(b.shape)}")
    return a[:, None] * b


def outer_vjp(grad: Array, result: Array, a: Array, b: Array) -> tuple[Array | None, Array | None]:
    """Each value meets all of the other vector."""
    return (grad @ b if flows(a) else None), (a @ grad if flows(b) else None)


def einsum(equation: str, operands: Sequence[Array], path: Sequence[int] | None = None) -> Array:
    """A sum of products over named axes: axes that the result does not name are summed over.

    Args:
        equation: a letter for each axis, as "bhqd, bhkd -> bhqk"; "..." for any further axes, which repeat as in all
            operations; without "->" the letters that occur once, in their order.
        operands: an array for each term.
        path: the order of pairs that torch was told; of no consequence for the value.
    Returns:
        An array with the axes that stand behind the arrow.
    Raises:
        ShapeError: the equation does not fit the operands.
        RangeError: the dtypes differ.
    Matches: torch `einsum` to the rounding of sums.

    >>> einsum("ik,jk->ij", [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])]).tolist()
    [[11.0, 17.0]]
    """
    if len({operand.dtype for operand in operands}) > 1:
        raise RangeError(f"einsum: wants operands of one dtype, got {', '.join(str(o.dtype) for o in operands)}")
    try:
        return np.asarray(np.einsum(equation.replace(" ", ""), *operands, optimize=True))
    except ValueError as error:
        shapes = ", ".join(shape_text(operand.shape) for operand in operands)
        raise ShapeError(f"einsum: {equation!r} does not fit {shapes}: {str(error).splitlines()[0]}") from None


def einsum_vjp(
    grad: Array, result: Array, equation: str, operands: Sequence[Array], path: Sequence[int] | None = None
) -> tuple[None, list[Array | None]]:
    """To an operand go the gradient and all other operands, under the equation with its term and the result swapped."""
    terms, out = _terms(equation, operands)
    gradients: list[Array | None] = []
    for number, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        if not flows(operand):
            gradients.append(None)
            continue
        others = [(other, array) for k, (other, array) in enumerate(zip(terms, operands, strict=True)) if k != number]
        known = set(out).union(*(set(other) for other, _ in others))
        kept = "".join(dict.fromkeys(letter for letter in term if letter in known))  # each letter once
        inputs = ",".join([out, *(other for other, _ in others)])
        flat = np.einsum(f"{inputs}->{kept}", grad, *(array for _, array in others), optimize=True)
        gradients.append(_along(flat, kept, term, operand))
    return None, gradients


def einsum_macs(result: Array, equation: str, operands: Sequence[Array], path: Sequence[int] | None = None) -> int:
    """Of two operands, one for each combination of all axes; of one, none; of more, those of the pairs in turn."""
    if len(operands) < 2:
        return 0
    terms, out = _terms(equation, operands)
    sides = {letter: max(o.shape[t.index(letter)] for t, o in zip(terms, operands, strict=True) if letter in t)
             for letter in set("".join(terms))}  # fmt: skip
    if len(operands) == 2:
        return math.prod(sides.values())
    total, done = 0, set(terms[0])
    for number, term in enumerate(terms[1:], 1):
        needed = set(out).union(*(set(later) for later in terms[number + 1 :]))
        total += math.prod(sides[letter] for letter in done | set(term))
        done = (done | set(term)) & needed
    return total


def _terms(equation: str, operands: Sequence[Array]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with letters of their own for "..."."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    spare = [letter for letter in ascii_letters if letter not in equation]
    more = [operand.ndim - len(term.replace("...", "")) for term, operand in zip(terms, operands, strict=True)]
    most = max((count for term, count in zip(terms, more, strict=True) if "..." in term), default=0)
    filled = [
        term.replace("...", "".join(spare[most - count : most]) if "..." in term else "")
        for term, count in zip(terms, more, strict=True)
    ]
    if not arrow:
        letters = "".join(terms).replace("...", "")
        right = ("..." if "..." in left else "") + "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return filled, right.replace("...", "".join(spare[:most]))


def _along(flat: Array, kept: str, term: str, operand: Array) -> Array:
    """Give a gradient with the axes `kept` to an operand with the axes `term`.

    Axes that only this operand has repeat it; a letter that stands twice means its diagonal; a side of 1 was repeated.
    """
    once = "".join(dict.fromkeys(term))
    sides = {letter: operand.shape[term.index(letter)] for letter in once}
    axes = tuple(axis for axis, letter in enumerate(kept) if sides[letter] == 1 and flat.shape[axis] != 1)
    flat = flat.sum(axes, keepdims=True) if axes else flat
    shape = [flat.shape[kept.index(letter)] if letter in kept else 1 for letter in once]
    spread = np.broadcast_to(flat.reshape(shape), [sides[letter] for letter in once])
    if once == term:
        return np.ascontiguousarray(spread, operand.dtype)
    gradient = np.zeros_like(operand)
    np.einsum(f"{term}->{once}", gradient)[...] = spread  # a view of the diagonal
    return gradient


def _check_inner(who: str, a: Array, b: Array, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    if a.dtype != b.dtype:
        raise RangeError(f"{who}: wants operands of one dtype, got {a.dtype} and {b.dtype}")
    if left != right or not left:
        raise ShapeError(f"{who}: the sides do not meet: {shape_text(a.shape)} and {shape_text(b.shape)}")
