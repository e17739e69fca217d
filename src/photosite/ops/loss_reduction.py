"""How the losses of many values become one: kept apart, their mean or their sum, as ATen numbers them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photosite.errors import RangeError
from photosite.ops.arrays import Array

NONE, MEAN, SUM = 0, 1, 2


def reduced(loss: Array, reduction: int, who: str) -> Array:
    """Losses as they are, their mean, or their sum; added in float64, in the dtype that they have.

    Args:
        loss: any shape.
        reduction: 0 none, 1 mean, 2 sum.
        who: the operation, for the message.
    Returns:
        The losses, or one value without axes; the mean of none is NaN.
    Raises:
        RangeError: another number.

    >>> [reduced(np.array([1.0, 5.0]), reduction, "loss").tolist() for reduction in (0, 1, 2)]
    [[1.0, 5.0], 3.0, 6.0]
    """
    check_reduction(reduction, who)
    if reduction == NONE:
        return loss
    total = loss.sum(dtype=np.float64)
    return quotient(total, loss.size if reduction == MEAN else 1).astype(loss.dtype)


def quotient(total: Array, count: Array | float) -> Array:
    """A sum over a count; NaN for nothing over nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(total, count))


def spread(grad: Array, shape: Sequence[int], reduction: int) -> Array:
    """The gradient of each single loss from that of the reduced one."""
    if reduction == NONE:
        return grad
    count = int(np.prod(shape)) if reduction == MEAN else 1
    return np.broadcast_to(quotient(grad, count).astype(grad.dtype), tuple(shape))


def check_reduction(reduction: int, who: str) -> None:
    """Whether ATen has a reduction of that number.

    Raises:
        RangeError: it has none.
    """
    if reduction not in (NONE, MEAN, SUM):
        raise RangeError(f"{who}: reduction wants 0 (none), 1 (mean) or 2 (sum), got {reduction}")
