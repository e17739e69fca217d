"""Dropout: in evaluation the identity; in training it multiplies by a random mask, which has no one right value."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array, unbroadcast


def dropout(x: Array, p: float, train: bool) -> Array:
    """The operand itself, as all kinds of dropout give it in evaluation.

    In training some values, or whole channels, become 0, and the rest grows by 1 / (1 - p) to make up for it. That is
    another result at each call, so there is nothing to compare with.

    Args:
        x: any shape.
        p: the share that is dropped in training.
        train: whether this is training.
    Returns:
        The operand, not a copy.
    Raises:
        RangeError: p lies outside of [0, 1], or something would be dropped.
    Matches: torch `dropout`, `feature_dropout`, `alpha_dropout`, `feature_alpha_dropout` in evaluation and with p 0.
    Source: Srivastava et al. 2014; for whole channels Tompson et al. 2015; the alpha forms Klambauer et al. 2017.

    >>> dropout(np.array([1.0, 2.0]), 0.5, False).tolist()
    [1.0, 2.0]
    """
    if not 0 <= p <= 1:
        raise RangeError(f"dropout: p must lie between 0 and 1, got {p}")
    if train and p > 0:
        raise RangeError(
            f"dropout: p is {p} in training, and a random draw cannot be compared; capture the model in evaluation"
        )
    return x


def dropout_vjp(grad: Array, result: Array, x: Array, p: float, train: bool) -> tuple[Array | None]:
    """Passes as it is."""
    return (unbroadcast(grad, x),)


def native_dropout(x: Array, p: float, train: bool | None) -> tuple[Array, Array]:
    """Dropout and its mask: True where a value was kept.

    Args:
        x: any shape.
        p: the share that is dropped in training.
        train: whether this is training; None is.
    Returns:
        The operand, and a mask of True.
    Raises:
        RangeError: as `dropout`.
    Matches: torch `native_dropout` in evaluation and with p 0.

    >>> [part.tolist() for part in native_dropout(np.array([1.0, 2.0]), 0.5, False)]
    [[1.0, 2.0], [True, True]]
    """
    return dropout(x, p, train is not False), np.ones(x.shape, np.bool_)


def native_dropout_vjp(
    grad: list[Array | None], result: tuple[Array, Array], x: Array, p: float, train: bool | None
) -> tuple[Array | None]:
    """Passes as it is; the mask has no slope."""
    return (None if grad[0] is None else unbroadcast(grad[0], x),)
