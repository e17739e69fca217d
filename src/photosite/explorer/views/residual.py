"""Signal and gradient by depth, with shortcuts and without: the same weights twice, in NumPy, on a photo's crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.patch import patch_of
from photosite.explorer.workspace import Workspace
from photosite.ops.activation import relu, relu_vjp
from photosite.ops.batch_normalization import batch_norm, batch_norm_vjp
from photosite.ops.linear import linear, linear_vjp
from photosite.prep.recipe import Picture

Array = npt.NDArray[np.float64]
Blocks = Sequence[tuple[Array, Array]]
VARIANCES: dict[str, Callable[[int], float]] = {
    "he": lambda width: 2 / width,
    "xavier": lambda width: 1 / width,  # as many inputs as outputs
    "small": lambda width: 0.01**2,  # AlexNet's, whatever the width
    "large": lambda width: 8 / width,  # twice He's deviation
}
"""How the weights begin: normal, with mean 0 and this variance."""
EPS = 1e-5
CROP = 8
"""Side of the crops, in pixels."""
BATCH = 64
"""Crops that are sent through."""


@dataclass(frozen=True)
class Signals:
    """What goes through a stack of n blocks, and what comes back.

    Attributes:
        variance: of all values of the batch before the first block and behind each, (n + 1,).
        gradient: root of the mean square of the gradient there, (n + 1,).
        of_weights: root of the mean square of the gradient of each block's weights, (n,).
    """

    variance: Array
    gradient: Array
    of_weights: Array


def residual(workspace: Workspace, question: Question) -> Answer:
    """Both stacks, without and with shortcuts, at one setting.

    Args:
        workspace: has the photo.
        question: `photo`; `layers`, even, 2 … 64; `width` 2 … 128; `begin`, a word of `VARIANCES`; `norm`, 0 or 1;
            `seed` 0 … 9.
    Returns:
        `variance`, `gradient` (2, n + 1) and `of_weights` (2, n) float64, n blocks of two layers; the first row without
        shortcuts.
    Raises:
        RangeError: a number is out of range.
    """
    x = inputs(patch_of(workspace, question)[0], question.integer("seed", 0, 9, 0))
    blocks, width, seed = _sizes(question)
    begin, norm = question.choice("begin", tuple(VARIANCES), "xavier"), question.integer("norm", 0, 1, 0) == 1
    both = _both(x, blocks, width, begin, norm, seed, question.check)
    return pack(
        {"blocks": blocks, "width": width, "batch": len(x), "variance_of_weights": VARIANCES[begin](width)},
        {
            "variance": np.stack([one.variance for one in both]),
            "gradient": np.stack([one.gradient for one in both]),
            "of_weights": np.stack([one.of_weights for one in both]),
        },
    )


def residual_table(workspace: Workspace, question: Question) -> Answer:
    """How far the gradient comes back, at each way to begin, with norms and without.

    Args:
        workspace: has the photo.
        question: as for `residual`, but for `begin` and `norm`.
    Returns:
        `settings`, [begin, norm] each; `reach` (settings, 2) float64: the gradient before the first block as a share of
        that behind the last, without and with shortcuts; NaN where there is none behind the last.
    """
    photo, (blocks, width, seed) = question.text("photo"), _sizes(question)
    settings = [(begin, norm) for begin in VARIANCES for norm in (False, True)]

    def made() -> Array:
        x = inputs(patch_of(workspace, question)[0], seed)
        rows = [
            [one.gradient[0] / one.gradient[-1] for one in _both(x, blocks, width, *setting, seed, question.check)]
            for setting in settings
        ]
        return np.array(rows)

    reach = workspace.once(("residual", photo, question.text("side", ""), blocks, width, seed), made, 256)
    return pack({"settings": settings}, {"reach": reach})


def signals(x: Array, blocks: Blocks, cotangent: Array, shortcut: bool, norm: bool) -> Signals:
    """Through a stack of blocks and back, by the values and derivatives of photosite.ops.

    A block is two linear layers: F(x) = W2 relu(W1 x), with a batch norm behind each if `norm`; what comes out is
    relu(F(x) + x) with a shortcut, relu(F(x)) without.

    Args:
        x: (B, D).
        blocks: W1 and W2 of each, (D, D).
        cotangent: gradient behind the last block, (B, D).
        shortcut: whether x is added.
        norm: whether each layer has a batch norm, in training, without scale and shift.
    Matches: torch's autograd on the same stack, to the rounding of sums.

    >>> two = np.array([[2.0]]), np.array([[3.0]])
    >>> signals(np.array([[1.0], [3.0]]), [two], np.ones((2, 1)), True, False).gradient.tolist()
    [7.0, 1.0]
    """
    variance, tape = [float(np.var(x))], list[tuple[Array, ...]]()
    for first, second in blocks:
        hidden = linear(x, first)
        standard = _normed(hidden) if norm else hidden
        active = relu(standard)
        result = linear(active, second)
        normed = _normed(result) if norm else result
        added = normed + x if shortcut else normed
        below, x = x, relu(added)
        tape.append((below, hidden, standard, active, result, normed, added, x))
        variance.append(float(np.var(x)))
    grad, gradient, of_weights = cotangent, [_size(cotangent)], list[float]()
    for (first, second), values in zip(reversed(blocks), reversed(tape), strict=True):
        below, hidden, standard, active, result, normed, added, out = values
        of_added = _given(relu_vjp(grad, out, added)[0])
        of_result = _norm_vjp(of_added, normed, result) if norm else of_added
        of_active, of_second, _ = linear_vjp(of_result, result, active, second)
        of_standard = _given(relu_vjp(of_active, active, standard)[0])
        of_hidden = _norm_vjp(of_standard, standard, hidden) if norm else of_standard
        of_below, of_first, _ = linear_vjp(of_hidden, hidden, below, first)
        grad = of_below + of_added if shortcut else of_below
        gradient.insert(0, _size(grad))
        of_weights.insert(0, _size(np.stack([of_first, of_second])))
    return Signals(np.array(variance), np.array(gradient), np.array(of_weights))


def inputs(picture: Picture, seed: int) -> Array:
    """Crops of a picture at random places as rows of numbers, with mean 0 and variance 1 altogether.

    Args:
        picture: (h, w, 3) uint8.
        seed: of the places.
    Returns:
        (`BATCH`, numbers of a crop); all 0 where the picture has one color.
    """
    height, width = picture.shape[:2]
    high, wide = min(CROP, height), min(CROP, width)
    rng = np.random.default_rng([seed, 1])
    tops, lefts = rng.integers(height - high + 1, size=BATCH), rng.integers(width - wide + 1, size=BATCH)
    rows = np.stack(
        [picture[top : top + high, left : left + wide].ravel() for top, left in zip(tops, lefts, strict=True)]
    )
    centered = rows - rows.mean()
    deviation = centered.std()
    found: Array = centered / deviation if deviation > 0 else centered
    return found


def _sizes(question: Question) -> tuple[int, int, int]:
    """Blocks, width and seed."""
    layers = question.integer("layers", 2, 64, 32)
    return layers // 2, question.integer("width", 2, 128, 64), question.integer("seed", 0, 9, 0)


def _both(
    x: Array, blocks: int, width: int, begin: str, norm: bool, seed: int, check: Callable[[], None]
) -> tuple[Signals, Signals]:
    """Without and with shortcuts: the same numbers drawn, the same way back begun."""
    rng = np.random.default_rng([seed, 2])
    stem = rng.normal(0, x.shape[1] ** -0.5, (width, x.shape[1]))  # keeps the variance
    cotangent = rng.normal(size=(len(x), width))
    cotangent /= _size(cotangent)  # so that what comes back is a share of it
    deviation = VARIANCES[begin](width) ** 0.5
    stack = [
        (rng.normal(0, deviation, (width, width)), rng.normal(0, deviation, (width, width))) for _ in range(blocks)
    ]
    start = linear(x, stem)
    check()
    plain = signals(start, stack, cotangent, False, norm)
    check()
    return plain, signals(start, stack, cotangent, True, norm)


def _normed(x: Array) -> Array:
    return batch_norm(x, None, None, None, None, True, 0.1, EPS)


def _norm_vjp(grad: Array, result: Array, x: Array) -> Array:
    return _given(batch_norm_vjp(grad, result, x, None, None, None, None, True, 0.1, EPS)[0])


def _given(grad: Array | None) -> Array:
    assert grad is not None
    return grad


def _size(x: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(x))))
