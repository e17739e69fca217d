"""How well a linear layer tells classes from features: multinomial logistic regression, told on pictures left out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from photosite.analysis.plans.crew import blas_threads
from photosite.analysis.representation.by_depth import Probe
from photosite.errors import RangeError, ShapeError

Labels = npt.NDArray[Any] | Sequence[Any]
Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Values of C that are tried; features have a deviation of 1."""
VALIDATION_SHARE = 0.25
"""Of the pictures to learn from, so many choose C."""
NORMAL_95 = 1.959964
"""Between this many deviations around the mean lie 95% of a normal distribution."""
ALONE = 2**28
"""Products of fewer multiply-adds take one thread: where others want the processors, two wait 30 times as long."""
ROUNDING = 1e-7
"""A feature that varies by less than this share of its largest number is constant: float32 has no finer steps."""


class LogisticRegression:
    """Multinomial logistic regression with an L2 penalty on the weights, not on the biases.

    Args:
        features: (N, D) float64.
        labels: (N,) whole numbers from 0, each class at least once.
        C: what the sum of the losses is multiplied by; half the sum of squared weights is added.
        start: (D + 1, K) to begin from; zeros by default.
    Attributes:
        weights: (D, K).
        biases: (K,).
    Matches: scikit-learn's `LogisticRegression(C=C)`, probabilities to 1e-4; of two classes, for which it has one row
        of weights and not two, its C is twice ours.
    """

    def __init__(self, features: Array, labels: Indices, C: float, start: Array | None = None) -> None:
        N, D = features.shape
        K = int(labels.max()) + 1
        wide = np.concatenate([features, np.ones((N, 1))], 1)
        wanted = np.eye(K)[labels]
        penalty = np.full((D + 1, 1), 1 / (C * N))
        penalty[-1] = 0
        found = torch.zeros(D + 1, K, dtype=torch.float64) if start is None else torch.from_numpy(start.copy())
        found.grad = torch.zeros_like(found)
        now, slope = found.numpy(), found.grad.numpy()  # the same memory
        search = torch.optim.LBFGS(
            [found],
            max_iter=500,
            tolerance_grad=1e-7,
            tolerance_change=1e-12,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        def loss() -> float:
            logits = _log_softmax(wide @ now)
            slope[:] = wide.T @ ((np.exp(logits) - wanted) / N) + penalty * now
            return float(-(logits * wanted).sum() / N + (penalty * now**2).sum() / 2)

        with blas_threads(1) if wide.size * K < ALONE else nullcontext():
            search.step(loss)  # type: ignore[no-untyped-call]
        self.parameters: Array = now
        self.weights, self.biases = now[:-1], now[-1]

    def probabilities(self, features: Array) -> Array:
        """(N, K), of each class."""
        found: Array = np.exp(_log_softmax(features @ self.weights + self.biases))
        return found

    def accuracy(self, features: Array, labels: Indices) -> float:
        """The share that is told right."""
        return float(((features @ self.weights + self.biases).argmax(1) == labels).mean())


def linear_probe(
    features: npt.NDArray[np.floating],
    labels: Labels,
    *,
    seed: int = 0,
    test_share: float = 0.3,
    strengths: Sequence[float] = STRENGTHS,
    who: str = "linear probe",
) -> Probe:
    """Fit a linear layer to some pictures, and count how many of the others it tells right.

    Each class gives its share to the test. Features are brought to a mean of 0 and a deviation of 1, by those learned
    from; constant ones count for nothing. C is chosen by a quarter of the pictures to learn from (of several as good,
    the strongest penalty; 1 where no class has pictures to spare), then all of them are learned from once more. What
    is tested has part in none of it.

    Args:
        features: (N, C), a row a picture.
        labels: (N,), numbers or names.
        seed: deals the pictures out.
        test_share: of the pictures, above 0 and below 1; at least one and at most all but one of each class.
        strengths: values of C to choose from, see `LogisticRegression`.
        who: asks, for what is said of an error.
    Returns:
        What was told right, with its interval.
    Raises:
        ShapeError: features are not (N, C), or labels are not as many.
        RangeError: fewer than two classes, a class of one picture, features that are not finite, or a share or
            strengths that make no sense.

    >>> two = np.array([[0.0], [0.1], [1.0], [1.1]] * 10)
    >>> linear_probe(two, ["left", "left", "right", "right"] * 10).accuracy
    1.0
    """
    if features.ndim != 2 or 0 in features.shape:
        raise ShapeError(f"{who}: wants features (N, C), a row a picture, got {features.shape}")
    classes = checked_classes(labels, len(features), who)
    if not 0 < test_share < 1:
        raise RangeError(f"{who}: wants a test_share above 0 and below 1, got {test_share}")
    if not len(strengths) or not all(0 < C < np.inf for C in strengths):
        raise RangeError(f"{who}: wants strengths above 0, got {tuple(strengths)}")
    bad = int((~np.isfinite(features)).any(1).sum())
    if bad:
        raise RangeError(f"{who}: wants finite features, {bad} of {len(features)} pictures have others")
    random = np.random.default_rng(seed)
    train, test = split(classes, np.arange(len(classes)), test_share, random)
    C = _chosen(features, classes, train, sorted(strengths), random)
    fit, rest = _standardized(features, train, test)
    learned = LogisticRegression(fit, classes[train], C)
    accuracy = learned.accuracy(rest, classes[test])
    return Probe(
        accuracy=accuracy,
        interval=wilson(round(accuracy * len(test)), len(test)),
        chance=float(np.bincount(classes[test]).max() / len(test)),
        train_accuracy=learned.accuracy(fit, classes[train]),
        train=len(train),
        test=len(test),
        strength=C,
    )


def checked_classes(labels: Labels, pictures: int, who: str) -> Indices:
    """Labels as whole numbers from 0, in the order of their names.

    Raises:
        ShapeError: not one for each picture.
        RangeError: fewer than two classes, or a class of one picture.
    """
    given = np.asarray(labels)
    if given.shape != (pictures,):
        raise ShapeError(f"{who}: wants a label for each of {pictures} pictures, got {given.shape}")
    names, classes, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise RangeError(f"{who}: wants pictures of at least 2 classes, got {len(names)}")
    if counts.min() < 2:
        raise RangeError(f"{who}: wants at least 2 pictures of each class, {names[counts.argmin()]} has {counts.min()}")
    return classes.astype(np.int64)


def wilson(right: float, of: int) -> tuple[float, float]:
    """Where a share lies with 95%, by Wilson's score interval.

    Source: Wilson 1927.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    share, z = right / of, NORMAL_95
    center = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, center - half), min(1.0, center + half)


def split(classes: Indices, which: Indices, share: float, random: np.random.Generator) -> tuple[Indices, Indices]:
    """Deal pictures into two heaps, class by class.

    Args:
        classes: of all pictures.
        which: the pictures to deal.
        share: for the second heap, rounded in each class; at least one, all but one at most.
        random: shuffles.
    """
    first, second = [], []
    for name in np.unique(classes[which]):
        some = random.permutation(which[classes[which] == name])
        count = min(max(round(share * len(some)), 1), len(some) - 1)
        first.append(some[count:])
        second.append(some[:count])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def _chosen(
    features: npt.NDArray[np.floating],
    classes: Indices,
    train: Indices,
    strengths: Sequence[float],
    random: np.random.Generator,
) -> float:
    """The C of which the pictures set aside are told best."""
    if len(strengths) == 1:
        return strengths[0]
    fit, aside = split(classes, train, VALIDATION_SHARE, random)
    if not len(aside):
        return 1.0
    x, rest = _standardized(features, fit, aside)
    best, chosen, start = -1.0, strengths[0], None
    for C in strengths:
        learned = LogisticRegression(x, classes[fit], C, start)
        accuracy, start = learned.accuracy(rest, classes[aside]), learned.parameters
        if accuracy > best:
            best, chosen = accuracy, C
    return chosen


def _standardized(features: npt.NDArray[np.floating], fit: Indices, other: Indices) -> tuple[Array, Array]:
    """Both heaps with the mean and deviation of the first, float64."""
    x, rest = features[fit].astype(np.float64), features[other].astype(np.float64)
    mean, spread = x.mean(0), x.std(0)
    constant = spread <= ROUNDING * np.abs(x).max(0)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, spread))
    return (x - mean) * scale, (rest - mean) * scale


def _log_softmax(logits: Array) -> Array:
    less = logits - logits.max(1, keepdims=True)
    found: Array = less - np.log(np.exp(less).sum(1, keepdims=True))
    return found
