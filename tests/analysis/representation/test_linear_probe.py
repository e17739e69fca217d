"""Linear probe: a fit done by hand, scikit-learn, no leaks, chance, laws, what is refused."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.analysis.representation.linear_probe import LogisticRegression, linear_probe, split, wilson
from photosite.errors import RangeError, ShapeError
from tests.peers import import_peer

Array = npt.NDArray[Any]


def clouds(
    pictures: int = 240, features: int = 6, classes: int = 4, apart: float = 1.0, seed: int = 0
) -> tuple[Array, Array]:
    """Features and labels: a cloud for each class."""
    random = np.random.default_rng(seed)
    labels = np.arange(pictures) % classes
    centers = random.normal(size=(classes, features)) * apart
    return (random.normal(size=(pictures, features)) + centers[labels]).astype(np.float32), labels


def test_two_pictures_by_hand() -> None:
    # x = -1 and 1 with weights (-w, w): the loss is 2 C log(1 + exp(-2 w)) + w^2, smallest at w = 2 C / (1 + exp(2 w))
    x, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    found = LogisticRegression(x, y, (1 + exp(2)) / 2)
    assert found.weights[0].tolist() == pytest.approx([-1, 1], abs=1e-6)
    assert found.biases.tolist() == pytest.approx([0, 0], abs=1e-6)
    assert found.probabilities(x)[0].tolist() == pytest.approx([1 / (1 + exp(-2)), 1 / (1 + exp(2))])


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0, 100.0])
def test_matches_scikit_learn(C: float) -> None:
    peer = import_peer("sklearn.linear_model").LogisticRegression
    for classes, theirs in ((4, C), (2, 2 * C)):
        x, y = clouds(classes=classes, apart=0.5)
        wide = x.astype(np.float64)
        ours = LogisticRegression(wide, y, C)
        fitted = peer(C=theirs, tol=1e-8, max_iter=10_000).fit(wide, y)
        mine = ours.probabilities(wide)
        assert mine == pytest.approx(fitted.predict_proba(wide), abs=1e-4)  # both searches end near the lowest point
        if classes > 2:
            assert ours.weights.T == pytest.approx(fitted.coef_, rel=1e-3, abs=1e-4)


def test_the_gradient_vanishes_there() -> None:
    features, labels = clouds(apart=0.5)
    found = LogisticRegression(features.astype(np.float64), labels, 0.3)
    x, y = torch.from_numpy(features).double(), torch.from_numpy(labels)
    w, b = (torch.from_numpy(one.copy()).requires_grad_() for one in (found.weights, found.biases))
    loss = 0.3 * torch.nn.functional.cross_entropy(x @ w + b, y, reduction="sum") + (w**2).sum() / 2
    loss.backward()  # type: ignore[no-untyped-call]
    assert w.grad is not None
    assert b.grad is not None
    assert w.grad.abs().max() < 1e-4
    assert b.grad.abs().max() < 1e-4


def test_clear_classes_are_told_and_the_counts_are_right() -> None:
    x, y = clouds(apart=6)
    found = linear_probe(x, y)
    assert found.accuracy == found.train_accuracy == 1
    assert (found.train, found.test, found.chance) == (168, 72, 0.25)
    assert found.interval == wilson(72, 72)
    assert linear_probe(x, np.array(["a", "b", "c", "d"])[y]) == found


def test_shuffled_labels_are_told_by_chance() -> None:
    x, y = clouds(600, apart=3)
    held = 0
    for seed in range(12):
        found = linear_probe(x, np.random.default_rng(seed).permutation(y), seed=seed)
        held += found.interval[0] <= 0.25 <= found.interval[1]
    assert held >= 10  # 95% each: fewer happens once in 50 times
    assert linear_probe(x, y).interval[0] > 0.9


def test_what_is_tested_has_no_part_in_the_fit() -> None:
    x, y = clouds()
    _, test = split(y, np.arange(len(y)), 0.3, np.random.default_rng(3))
    spoiled = x.copy()
    spoiled[test] = 1e6 * np.random.default_rng(0).normal(size=spoiled[test].shape)
    before, after = linear_probe(x, y, seed=3), linear_probe(spoiled, y, seed=3)
    assert (after.train_accuracy, after.strength) == (before.train_accuracy, before.strength)
    assert after.accuracy < before.accuracy


@settings(deadline=None, max_examples=6)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 5))
def test_scale_and_shift_of_features_change_nothing(scale: int, shift: int, which: int) -> None:
    x, y = clouds(120)
    x = x.astype(np.float64)
    moved = x.copy()
    moved[:, which] = moved[:, which] * 2.0**scale + shift * 2.0**scale
    first, second = linear_probe(x, y), linear_probe(moved, y)
    assert second.accuracy == pytest.approx(first.accuracy, abs=1.5 / first.test)  # rounding may turn one picture
    assert second.strength == first.strength


def test_constant_features_count_for_nothing() -> None:
    x, y = clouds()
    wide = np.concatenate([x, np.full((len(x), 1), 0.1, np.float32), np.zeros((len(x), 1), np.float32)], 1)
    assert linear_probe(wide, y) == linear_probe(x, y)


def test_the_penalty_is_chosen_by_pictures_set_aside() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    noisy = random.normal(size=(80, 200))
    noisy[:, 0] += 2 * labels
    strong = linear_probe(noisy, labels)
    free = linear_probe(noisy, labels, strengths=[1e4])
    assert strong.strength is not None
    assert strong.strength < 1
    assert (free.strength, free.train_accuracy) == (1e4, 1)
    assert strong.accuracy > free.accuracy
    two = linear_probe(np.array([[0.0], [1], [0.1], [1.1]]), [0, 1, 0, 1], test_share=0.5)
    assert two.strength == 1  # one picture of each class to learn from, none to set aside


@given(st.lists(st.integers(0, 4), min_size=4, max_size=60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_heaps_have_all_classes_and_each_picture_once(labels: list[int], share: float, seed: int) -> None:
    classes = np.array([*labels, *range(5), *range(5)])
    first, second = split(classes, np.arange(len(classes)), share, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(classes)))
    for name in range(5):
        count, of = int((classes[second] == name).sum()), int((classes == name).sum())
        assert 1 <= count <= of - 1
        assert abs(count - share * of) <= 1
    again = split(classes, np.arange(len(classes)), share, np.random.default_rng(seed))
    assert (again[0] == first).all()


def test_seeds_deal_differently() -> None:
    x, y = clouds(apart=0.7)
    assert len({replace(linear_probe(x, y, seed=seed), strength=None) for seed in range(4)}) > 1


@given(st.integers(0, 300), st.integers(1, 300))
def test_matches_scipys_interval(right: int, of: int) -> None:
    stats = import_peer("scipy.stats")
    right = min(right, of)
    theirs = stats.binomtest(right, of).proportion_ci(0.95, "wilson")
    assert wilson(right, of) == pytest.approx((theirs.low, theirs.high), abs=1e-7)


def test_what_is_refused() -> None:
    x, y = clouds(12)
    with pytest.raises(RangeError, match="linear probe: wants pictures of at least 2 classes, got 1"):
        linear_probe(x, np.zeros(12))
    with pytest.raises(RangeError, match="wants at least 2 pictures of each class, cat has 1"):
        linear_probe(x, ["dog"] * 11 + ["cat"])
    with pytest.raises(ShapeError, match=r"a label for each of 12 pictures, got \(11,\)"):
        linear_probe(x, y[:11])
    with pytest.raises(ShapeError, match=r"wants features \(N, C\), a row a picture, got \(12, 6, 1\)"):
        linear_probe(x[:, :, None], y)
    for bad in (np.nan, np.inf):
        spoiled = x.copy()
        spoiled[2:4, 1] = bad
        with pytest.raises(RangeError, match="layer 3: wants finite features, 2 of 12 pictures have others"):
            linear_probe(spoiled, y, who="layer 3")
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(RangeError, match="a test_share above 0 and below 1"):
            linear_probe(x, y, test_share=share)
    for strengths in ([], [0.0], [-1.0], [float("inf")]):
        with pytest.raises(RangeError, match="strengths above 0"):
            linear_probe(x, y, strengths=strengths)
