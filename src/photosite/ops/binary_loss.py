"""Losses between two probabilities of one thing: binary cross entropy, and Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.activation import log_sigmoid, share
from photosite.ops.arrays import Array, as_common, broadcast, unbroadcast
from photosite.ops.loss_reduction import MEAN, check_reduction, reduced, spread
from photosite.ops.reals import as_real, rounded, widened
from photosite.shapes import shape_text

LEAST_LOG = -100.0
"""What is taken for log(0), so that one sure mistake does not make a mean infinite (as torch)."""
LEAST_VARIANCE = 1e-12
"""What a slope is divided by at least, for the same reason."""


def binary_cross_entropy(x: Array, target: Array, weight: Array | None = None, reduction: int = MEAN) -> Array:
    """How surprised a yes-or-no classifier is: -(target log(x) + (1 - target) log(1 - x)).

    Args:
        x: probabilities of yes, any shape, in [0, 1].
        target: 1 for yes, 0 for no, or a probability; a shape that fits.
        weight: how much each counts; a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
    Returns:
        One value; with reduction 0 of the shape that x and target have together.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: x or target has values outside of [0, 1] or NaN; no real numbers, or two dtypes; no such reduction.
    Convention: a logarithm is not less than -100.
    Matches: torch `binary_cross_entropy` to float32's rounding.

    >>> binary_cross_entropy(np.array([0.5, 0.0]), np.array([1.0, 1.0]), None, 0).round(4).tolist()
    [0.6931, 100.0]
    """
    who = "binary_cross_entropy"
    check_reduction(reduction, who)
    as_real(x, who)
    if target.dtype != x.dtype:
        raise RangeError(f"{who}: target wants the dtype of x, {x.dtype}, has {target.dtype}")
    _check_weight(broadcast(who, x.shape, target.shape), weight, who, "weight")
    for name, values in (("x", x), ("target", target)):
        if not ((values >= 0) & (values <= 1)).all():
            raise RangeError(f"{who}: {name} wants values in [0, 1], has others")
    wide, wanted = widened(x), widened(target)
    with np.errstate(divide="ignore"):
        yes, no = np.maximum(np.log(wide), LEAST_LOG), np.maximum(np.log1p(-wide), LEAST_LOG)
    loss = (wanted - 1) * no - wanted * yes
    return rounded(reduced(loss if weight is None else loss * widened(weight), reduction, who), x)


def binary_cross_entropy_vjp(
    grad: Array, result: Array, x: Array, target: Array, weight: Array | None = None, reduction: int = MEAN
) -> tuple[Array | None, Array | None, None]:
    """The slope is (x - target) / (x (1 - x)); the target's is log(1 - x) - log(x), infinite where x is 0 or 1."""
    wide, wanted = widened(x), widened(target)
    own = spread(widened(grad), broadcast("", x.shape, target.shape), reduction)
    own = own if weight is None else own * widened(weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_x = own * (wide - wanted) / np.maximum(wide * (1 - wide), LEAST_VARIANCE)
        of_target = own * (np.log1p(-wide) - np.log(wide))
    return unbroadcast(of_x, x), unbroadcast(of_target, target), None


def binary_cross_entropy_with_logits(
    x: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None, reduction: int = MEAN
) -> Array:
    """Binary cross entropy of sigmoid(x), exact also where the sigmoid would be 0 or 1.

    (1 - target) x - (1 + (pos_weight - 1) target) log(sigmoid(x)), which for a pos_weight of 1 is
    -(target log(sigmoid(x)) + (1 - target) log(sigmoid(-x))).

    Args:
        x: logits, a shape that fits the target's.
        target: 1 for yes, 0 for no, or a probability; any shape.
        weight: how much each counts; a shape that fits.
        pos_weight: how much a yes counts; a shape that fits.
        reduction: 0 none, 1 mean, 2 sum.
    Returns:
        One value; with reduction 0 of the target's shape.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or no such reduction.
    Matches: torch `binary_cross_entropy_with_logits` to float32's rounding.

    >>> binary_cross_entropy_with_logits(np.array([0.0, -1000.0]), np.array([1.0, 1.0]), None, None, 0).round(
    ...     4
    ... ).tolist()
    [0.6931, 1000.0]
    """
    who = "binary_cross_entropy_with_logits"
    check_reduction(reduction, who)
    as_real(x, who)
    as_real(target, f"{who}: target")
    if broadcast(who, x.shape, target.shape) != target.shape:
        raise ShapeError(f"{who}: x wants to fit target {shape_text(target.shape)}, has {shape_text(x.shape)}")
    _check_weight(target.shape, weight, who, "weight")
    _check_weight(target.shape, pos_weight, who, "pos_weight")
    wide, wanted = widened(x), widened(target)
    with np.errstate(invalid="ignore"):
        loss = (1 - wanted) * wide - _of_yes(wanted, pos_weight) * log_sigmoid(wide)
        loss = loss if weight is None else loss * widened(weight)
    dtype = as_common(*(part for part in (x, target, weight, pos_weight) if part is not None))[0].dtype
    return reduced(loss, reduction, who).astype(dtype, copy=False)


def binary_cross_entropy_with_logits_vjp(
    grad: Array,
    result: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    reduction: int = MEAN,
) -> tuple[Array | None, Array | None, None, None]:
    """The slope is sigmoid(x) - target; the target's is -x; with pos_weight what belongs to a yes grows by it."""
    wide, wanted = widened(x), widened(target)
    own = spread(widened(grad), target.shape, reduction)
    own = own if weight is None else own * widened(weight)
    yes = wanted if pos_weight is None else wanted * widened(pos_weight)
    of_x = own * (_of_yes(wanted, pos_weight) * share(wide) - yes)
    if pos_weight is None:
        of_target = -own * wide
    else:
        of_target = own * (log_sigmoid(-wide) - widened(pos_weight) * log_sigmoid(wide))
    return unbroadcast(of_x, x), unbroadcast(of_target, target), None, None


def _of_yes(target: Array, pos_weight: Array | None) -> Array:
    """The factor of log(sigmoid(x))."""
    return np.ones((), target.dtype) if pos_weight is None else 1 + (widened(pos_weight) - 1) * target


def _check_weight(shape: tuple[int, ...], weight: Array | None, who: str, name: str) -> None:
    """A weight does not make the loss larger."""
    if weight is not None and broadcast(who, shape, weight.shape) != shape:
        raise ShapeError(f"{who}: {name} wants to fit {shape_text(shape)}, has {shape_text(weight.shape)}")


def kl_div(x: Array, target: Array, reduction: int = MEAN, log_target: bool = False) -> Array:
    """How much one distribution is surprised by another: target (log(target) - x), the Kullback-Leibler divergence.

    Args:
        x: logarithms of the probabilities that were given, any shape.
        target: the true probabilities, or their logarithms; a shape that fits. A probability of 0 costs nothing.
        reduction: 0 none, 1 mean (over all values, which is no divergence yet), 2 sum.
        log_target: whether target holds logarithms.
    Returns:
        One value; with reduction 0 of the shape that both have together.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or no such reduction.
    Matches: torch `kl_div` to float32's rounding.
    Source: Kullback and Leibler 1951.

    >>> kl_div(np.log([0.5, 0.5]), np.array([0.0, 1.0]), 2).round(4).tolist()
    0.6931
    """
    broadcast("kl_div", x.shape, target.shape)
    for operand in (x, target):
        as_real(operand, "kl_div")
    (given, wanted), dtype = map(widened, as_common(x, target)), as_common(x, target)[0].dtype
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if log_target:
            loss = np.exp(wanted) * (wanted - given)
        else:
            loss = np.where(wanted == 0, 0, wanted * np.log(wanted)) - wanted * given
    return reduced(loss, reduction, "kl_div").astype(dtype, copy=False)


def kl_div_vjp(
    grad: Array, result: Array, x: Array, target: Array, reduction: int = MEAN, log_target: bool = False
) -> tuple[Array | None, Array | None]:
    """The slope is -target; the target's is log(target) + 1 - x, for which torch and we have NaN at 0."""
    given, wanted = map(widened, as_common(x, target))
    own = spread(widened(grad), broadcast("", x.shape, target.shape), reduction)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if log_target:
            true = np.exp(wanted)
            of_target = true * (wanted - given + 1)
        else:
            true = wanted
            of_target = np.log(wanted) + wanted / wanted - given
        return unbroadcast(-own * true, x), unbroadcast(own * of_target, target)
