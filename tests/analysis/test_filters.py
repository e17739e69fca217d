"""Dead filters and duplicates that were planted are found, and no others; ranks are those of the singular values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.analysis.filters import ALIKE, BY_CHANCE, alike, effective_rank, filters
from photosite.errors import ShapeError


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 999),
    dead=st.sets(st.integers(0, 9), max_size=4),
    same=st.sets(st.integers(11, 19), max_size=3),
    flipped=st.sets(st.integers(21, 29), max_size=3),
    by_norm=st.booleans(),
)
def test_what_was_planted_is_found_and_nothing_else(
    seed: int, dead: set[int], same: set[int], flipped: set[int], by_norm: bool
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(32, 3, 5, 5)) * rng.uniform(0.3, 3, (32, 1, 1, 1))
    factor = rng.uniform(0.5, 2, 32) * rng.choice([-1, 1], 32)
    for number in sorted(dead):
        if by_norm:
            factor[number] = 1e-4
        else:
            weight[number] *= 1e-4
    for number in same:
        weight[number] = weight[10] * rng.uniform(0.2, 5) + 0.02 * np.abs(weight[10]).mean() * rng.normal(
            size=(3, 5, 5)
        )
    for number in flipped:
        weight[number] = -weight[20] * rng.uniform(0.2, 5)
    found = filters(weight, factor=factor)
    assert set(found.dead) == dead
    assert {(one.first, one.same, one.flipped) for one in found.duplicates} == {
        *([(10, tuple(sorted(same)), ())] if same else []),
        *([(20, (), tuple(sorted(flipped)))] if flipped else []),
    }
    assert all(one.least > 0.98 for one in found.duplicates)
    np.testing.assert_allclose(found.strength, np.linalg.norm(weight.reshape(32, -1), axis=1) * np.abs(factor))


def test_both_signs_in_one_group_by_hand() -> None:
    found = filters(np.array([[3.0, 4, 0, 0], [6, 8, 0, 0], [-3, -4, 0, 0], [0, 0, 1, 0], [0.3, 0.4, 1e-3, 0]]))
    (group,) = found.duplicates
    assert (group.first, group.same, group.flipped) == (0, (1, 4), (2,))
    assert found.norms.tolist()[:4] == [5, 10, 5, 1]


def test_filters_of_different_groups_are_never_the_same() -> None:
    one = np.random.default_rng(0).normal(size=(4, 25))
    weight = np.concatenate([one, one])
    assert len(filters(weight).duplicates) == 4
    grouped = filters(weight, groups=2)
    assert (grouped.duplicates, grouped.full) == ((), 8)
    assert grouped.rank == pytest.approx(2 * filters(one).rank)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (5, 3, 3, 3)])
def test_the_rank_is_that_of_the_singular_values(shape: tuple[int, ...]) -> None:
    weight = np.random.default_rng(1).normal(size=shape)
    singular = np.linalg.svd(weight.reshape(len(weight), -1), compute_uv=False)
    shares = singular / singular.sum()
    assert filters(weight).rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_ranks_by_hand() -> None:
    assert effective_rank(np.array([2.0, 2, 2, 2])) == pytest.approx(4)
    assert effective_rank(np.array([5.0, 0])) == 1
    assert effective_rank(np.zeros(3)) == 0
    assert filters(np.outer(np.ones(4), np.arange(1.0, 10))).rank == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("wide", "count"), [(2, 6), (3, 16), (5, 64), (9, 64)])
def test_independent_filters_are_hardly_ever_the_same_by_chance(wide: int, count: int) -> None:
    rng = np.random.default_rng(0)
    limit = alike(wide, count)
    pairs = 0
    trials = 400
    for _ in range(trials):
        one = rng.normal(size=(count, wide))
        one /= np.linalg.norm(one, axis=1, keepdims=True)
        pairs += int((np.abs(np.triu(one @ one.T, 1)) >= limit).sum())
    assert pairs <= trials * BY_CHANCE + 3 * np.sqrt(trials * BY_CHANCE) + 1
    assert limit >= ALIKE


def test_the_limit_in_closed_form() -> None:
    # Of two directions in space the cosine is even in 0 … 1: the share above t is 1 − t.
    assert alike(3, 2) == pytest.approx(1 - BY_CHANCE, abs=1e-5)
    # In the plane the angle is: a share of 2 / π times the angle lies nearer.
    assert alike(2, 2) == pytest.approx(np.cos(np.pi / 2 * BY_CHANCE), abs=1e-6)
    assert alike(147, 64) == ALIKE


def test_all_dead_and_not_finite() -> None:
    zero = filters(np.zeros((3, 9)))
    assert (zero.dead, zero.duplicates, zero.rank) == ((0, 1, 2), (), 0)
    spoiled = filters(np.array([[1.0, np.nan], [1, 2]]))
    assert (spoiled.finite, spoiled.dead, spoiled.duplicates) == (False, (), ())


def test_what_does_not_fit_is_refused() -> None:
    for weight, groups, factor in (
        (np.zeros(3), 1, None),
        (np.zeros((3, 2)), 2, None),
        (np.ones((3, 2)), 1, np.ones(2)),
    ):
        with pytest.raises(ShapeError, match=r"filters: wants \(O, C, …\) in groups of equal size, got"):
            filters(weight, groups, factor)
