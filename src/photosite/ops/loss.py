"""Losses between the scores of classes and the right class: negative log likelihood and cross entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.activation import log_softmax, log_softmax_vjp
from photosite.ops.arrays import Array, as_common, unbroadcast
from photosite.ops.loss_reduction import MEAN, NONE, check_reduction, quotient, reduced, spread
from photosite.ops.reals import as_real, rounded, widened
from photosite.shapes import shape_text


@dataclass(frozen=True)
class _Chosen:
    """The classes that a target names.

    Attributes:
        axis: of the classes.
        index: (B, 1, ...), the class of each pixel; 0 where it is ignored.
        kept: (B, 1, ...), False where a pixel is ignored.
        share: (B, 1, ...), how much each pixel counts: its class's weight, 0 where it is ignored.
    """

    axis: int
    index: Array
    kept: Array
    share: Array

    def pick(self, x: Array) -> Array:
        """Of each pixel the value of its class."""
        return np.take_along_axis(x, self.index, self.axis) if self.index.size else np.zeros(self.index.shape, x.dtype)

    def total(self, reduction: int) -> Array | float:
        """What a sum is divided by."""
        return self.share.sum(dtype=np.float64) if reduction == MEAN else 1.0

    def each(self, grad: Array, reduction: int) -> Array:
        """The gradient of each pixel's loss from that of the reduced one, (B, 1, ...)."""
        if reduction == NONE:
            return grad.reshape(self.index.shape)
        return np.broadcast_to(quotient(grad, self.total(reduction)).astype(grad.dtype), self.index.shape)


def _chosen(x: Array, target: Array, weight: Array | None, ignore_index: int, who: str) -> _Chosen:
    """The classes that a target names, once shapes, dtypes and classes are seen to fit."""
    if x.ndim == 0:
        raise ShapeError(f"{who}: x wants (C,) or (B, C, ...), has {shape_text(x.shape)}")
    axis = _class_axis(x)
    sides = x.shape[:axis] + x.shape[axis + 1 :]
    if target.shape != sides and not (x.ndim == 1 and target.shape == (1,)):
        raise ShapeError(
            f"{who}: target wants {shape_text(sides)} (x without its classes), "
            f"has {shape_text(target.shape)}; x {shape_text(x.shape)}"
        )
    if target.dtype not in (np.int64, np.uint8):
        raise RangeError(f"{who}: target wants class numbers (int64 or uint8), got {target.dtype}")
    _check_weight(x, axis, weight, who)
    target = target.reshape(sides).astype(np.int64)
    kept = target != ignore_index
    wrong = target[kept & ((target < 0) | (target >= x.shape[axis]))]
    if wrong.size:
        raise RangeError(f"{who}: target wants classes 0 … {x.shape[axis] - 1}, got {wrong.flat[0]}")
    index = np.where(kept, target, 0)
    counts = kept.astype(x.dtype) if weight is None else np.where(kept, weight[index], weight.dtype.type(0))
    return _Chosen(axis, *(np.expand_dims(part, axis) for part in (index, kept, widened(counts))))


def _check_weight(x: Array, axis: int, weight: Array | None, who: str) -> None:
    if weight is not None and weight.shape != (x.shape[axis],):
        raise ShapeError(
            f"{who}: weight wants one value for each of {x.shape[axis]} classes, has {shape_text(weight.shape)}"
        )


def nll_loss(
    x: Array, target: Array, weight: Array | None = None, reduction: int = MEAN, ignore_index: int = -100
) -> Array:
    """The negative logarithm of the probability that the right class was given: -weight x, at the target's class.

    Args:
        x: logarithms of probabilities, (C,), (B, C), or (B, C, d1, ...) with a class for each pixel.
        target: class numbers, x's shape without C.
        weight: how much a class counts, (C,); all alike for None.
        reduction: 0 none, 1 mean (weighted), 2 sum.
        ignore_index: pixels of this class do not count.
    Returns:
        One value; with reduction 0 of the target's shape. The mean of nothing is NaN.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no such class or reduction; x has no real numbers, target no whole ones.
    Matches: torch `nll_loss`, `nll_loss2d` and `nll_loss_nd` to float32's rounding.

    >>> nll_loss(np.log([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 0]), None, 0).round(4).tolist()
    [0.6931, 1.3863]
    """
    check_reduction(reduction, "nll_loss")
    _check_dtype(as_real(x, "nll_loss"), weight, "nll_loss")
    return rounded(_nll(widened(x), _chosen(x, target, weight, ignore_index, "nll_loss"), reduction), x)


def nll_loss_vjp(
    grad: Array,
    result: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    reduction: int = MEAN,
    ignore_index: int = -100,
) -> tuple[Array | None]:
    """The slope is -weight at the target's class, 0 at all others; torch has none for the weight, nor have we."""
    chosen = _chosen(x, target, weight, ignore_index, "nll_loss")
    return (unbroadcast(_nll_slope(widened(grad), widened(x), chosen, reduction), x),)


def _nll(x: Array, chosen: _Chosen, reduction: int) -> Array:
    """The loss at the chosen classes."""
    return _per_pixel(np.where(chosen.kept, -chosen.pick(x) * chosen.share, x.dtype.type(0)), chosen, reduction)


def _per_pixel(loss: Array, chosen: _Chosen, reduction: int) -> Array:
    """Losses (B, 1, ...) without the classes' axis, or together; the mean is over what the pixels count."""
    if reduction == NONE:
        return loss.squeeze(chosen.axis)
    return quotient(loss.sum(dtype=np.float64), chosen.total(reduction))


def _nll_slope(grad: Array, x: Array, chosen: _Chosen, reduction: int) -> Array:
    """The gradient of x in `_nll`."""
    slope = np.zeros_like(x)
    if slope.size:
        with np.errstate(invalid="ignore"):  # nothing that counts: 0 times infinity
            own = np.where(chosen.kept, -chosen.share * chosen.each(grad, reduction), x.dtype.type(0))
        np.put_along_axis(slope, chosen.index, own, chosen.axis)
    return slope


def cross_entropy_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    reduction: int = MEAN,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    """How surprised a classifier is by the right answer: -log(softmax(x)), at the target's class.

    A target can also be a probability for each class, which gives the mean surprise: -sum(target log(softmax(x))).

    Args:
        x: logits, (C,), (B, C), or (B, C, d1, ...) with a class for each pixel.
        target: class numbers, x's shape without C; or probabilities, of x's shape.
        weight: how much a class counts, (C,); all alike for None.
        reduction: 0 none, 1 mean (weighted, for class numbers), 2 sum.
        ignore_index: pixels of this class do not count; only for class numbers.
        label_smoothing: the share of the target that is given to all classes alike.
    Returns:
        One value; with reduction 0 of x's shape without C. The mean of nothing is NaN.
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no such class, reduction or share; an ignored class among probabilities; no real numbers.
    Matches: torch `cross_entropy_loss` to float32's rounding.
    Source: label smoothing, Szegedy et al. 2016.

    >>> x = np.log([[0.5, 0.5], [0.25, 0.75]])
    >>> cross_entropy_loss(x, np.array([0, 0]), None, 0).round(4).tolist()
    [0.6931, 1.3863]
    >>> cross_entropy_loss(x, np.array([[1.0, 0.0], [1.0, 0.0]])).round(4).tolist()
    1.0397
    """
    who = "cross_entropy_loss"
    check_reduction(reduction, who)
    as_real(x, who)
    if not 0 <= label_smoothing <= 1:
        raise RangeError(f"{who}: label_smoothing must lie between 0 and 1, got {label_smoothing}")
    if _holds_probabilities(x, target):
        _check_probabilities(x, target, weight, ignore_index)
        return _surprise_on_average(x, target, weight, reduction, label_smoothing)
    _check_dtype(x, weight, who)
    chosen = _chosen(x, target, weight, ignore_index, who)
    logs = log_softmax(widened(x), chosen.axis)
    loss = _nll(logs, chosen, reduction)
    if label_smoothing:
        every = -(logs * _along(weight, x)).sum(chosen.axis, keepdims=True)
        even = _per_pixel(np.where(chosen.kept, every, 0), chosen, reduction)
        loss = (1 - label_smoothing) * loss + label_smoothing / x.shape[chosen.axis] * even
    return rounded(loss, x)


def cross_entropy_loss_vjp(
    grad: Array,
    result: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    reduction: int = MEAN,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Array | None, Array | None, Array | None]:
    """The slope of a logit is what softmax gave the class less what the target wanted; for the target, -log(softmax).

    The weight has one beside probabilities alone, as in torch.
    """
    wide, grad = widened(x), widened(grad)
    if _holds_probabilities(x, target):
        return _surprise_on_average_vjp(grad, x, target, weight, reduction, label_smoothing)
    chosen = _chosen(x, target, weight, ignore_index, "cross_entropy_loss")
    logs = log_softmax(wide, chosen.axis)
    of_logs = _nll_slope(grad, logs, chosen, reduction)
    if label_smoothing:
        even = np.where(chosen.kept, -chosen.each(grad, reduction), 0) * _along(weight, x)
        of_logs = (1 - label_smoothing) * of_logs + label_smoothing / x.shape[chosen.axis] * even
    return _through_softmax(of_logs, logs, x), None, None


def _surprise_on_average(
    x: Array, target: Array, weight: Array | None, reduction: int, label_smoothing: float
) -> Array:
    """Cross entropy with a probability for each class; its mean is over pixels, whatever the weights are."""
    axis = _class_axis(x)
    loss = -(_smoothed(target, x, label_smoothing) * _along(weight, x) * log_softmax(widened(x), axis)).sum(axis)
    dtype = as_common(*(part for part in (x, target, weight) if part is not None))[0].dtype
    return reduced(loss, reduction, "cross_entropy_loss").astype(dtype)


def _surprise_on_average_vjp(
    grad: Array, x: Array, target: Array, weight: Array | None, reduction: int, label_smoothing: float
) -> tuple[Array | None, Array | None, Array | None]:
    """Each class's slope is its part of the sum without itself."""
    axis = _class_axis(x)
    logs, wanted, weights = log_softmax(widened(x), axis), _smoothed(target, x, label_smoothing), _along(weight, x)
    each = -np.expand_dims(spread(grad, x.shape[:axis] + x.shape[axis + 1 :], reduction), axis)
    of_weight = None
    if weight is not None:
        of_weight = (each * wanted * logs).sum(tuple(n for n in range(x.ndim) if n != axis)).astype(weight.dtype)
    of_target = unbroadcast(each * weights * logs * (1 - label_smoothing), target)
    return _through_softmax(each * wanted * weights, logs, x), of_target, of_weight


def _through_softmax(of_logs: Array, logs: Array, x: Array) -> Array | None:
    """The gradient of logits from that of log(softmax)."""
    of_x = log_softmax_vjp(of_logs, logs, widened(x), _class_axis(x))[0]
    return None if of_x is None else unbroadcast(of_x, x)


def _smoothed(target: Array, x: Array, label_smoothing: float) -> Array:
    """Probabilities, of which a share is given to all classes alike."""
    return np.asarray(widened(target) * (1 - label_smoothing) + label_smoothing / max(x.shape[_class_axis(x)], 1))


def _class_axis(x: Array) -> int:
    """The axis of the classes: the second, or the only one."""
    return 1 if x.ndim > 1 else 0


def _holds_probabilities(x: Array, target: Array) -> bool:
    """Whether a target has a value for each class."""
    return x.ndim > 0 and target.shape == x.shape


def _along(weight: Array | None, x: Array) -> Array:
    """A weight for each class in a shape that fits x; 1 where there is none."""
    if weight is None:
        return np.ones((), widened(x).dtype)
    return widened(weight).reshape((-1,) + (1,) * (x.ndim - _class_axis(x) - 1))


def _check_probabilities(x: Array, target: Array, weight: Array | None, ignore_index: int) -> None:
    """A target that has a value for each class holds probabilities, and nothing in it is ignored."""
    as_real(target, "cross_entropy_loss: a target of x's shape")
    if ignore_index >= 0:
        raise RangeError(f"cross_entropy_loss: probabilities have no class to ignore, got ignore_index {ignore_index}")
    _check_weight(x, _class_axis(x), weight, "cross_entropy_loss")


def _check_dtype(x: Array, weight: Array | None, who: str) -> None:
    if weight is not None and weight.dtype != x.dtype:
        raise RangeError(f"{who}: weight wants the dtype of x, {x.dtype}, has {weight.dtype}")
