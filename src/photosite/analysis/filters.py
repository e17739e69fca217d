"""What can be said of a layer's filters without drawing them: how strong each is, which are dead, which are the same.

And how many directions the layer really has. Takes arrays; knows no graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from photosite.errors import ShapeError

Array = npt.NDArray[np.float64]

DEAD = 0.01
"""A filter is dead whose norm is below this share of the root mean square of all."""
ALIKE = 0.95
"""Filters are the same whose cosine is at least this, or as much more as few weights need; see `alike`."""
BY_CHANCE = 0.01
"""So many pairs of a layer of independent filters may be called the same by chance."""


@dataclass(frozen=True)
class Duplicates:
    """A filter and those that are the same but for their strength.

    Attributes:
        first: its number.
        same: of those in its direction.
        flipped: of those in the opposite direction.
        least: the smallest cosine between it and any of them, without its sign.
    """

    first: int
    same: tuple[int, ...]
    flipped: tuple[int, ...]
    least: float


@dataclass(frozen=True, eq=False)
class Filters:
    """What is known of a layer's filters.

    Attributes:
        norms: of each, (O,).
        folded: with the factor of the batch norm behind them; None without one.
        dead: numbers of those that give nearly nothing, whatever comes in: by `folded`, else by `norms`.
        duplicates: groups, none of them dead.
        alike: the cosine from which on two counted as the same.
        rank: effective rank, 1 … `full`: the exponential of the entropy of the singular values; 0 where all are 0.
        full: the largest rank that a weight of that shape can have.
        finite: whether all weights are; else nothing but `norms` is told.
    """

    norms: Array
    folded: Array | None
    dead: tuple[int, ...]
    duplicates: tuple[Duplicates, ...]
    alike: float
    rank: float
    full: int
    finite: bool = True

    @property
    def strength(self) -> Array:
        """The norms by which filters are compared."""
        return self.norms if self.folded is None else self.folded


def filters(
    weight: npt.NDArray[np.floating], groups: int = 1, factor: npt.NDArray[np.floating] | None = None
) -> Filters:
    """Measure the filters of a layer.

    Args:
        weight: (O, C / groups, …).
        groups: filters of different groups read different channels: they are never the same, and their ranks add.
        factor: of the batch norm behind it, (O,).
    Raises:
        ShapeError: fewer than two axes, an empty one, or groups or factors that do not fit.
    Matches: the effective rank of `numpy.linalg.svd`'s singular values.
    Source: Roy and Vetterli 2007 for the effective rank.

    >>> found = filters(np.array([[1.0, 0], [0, 1], [2, 0], [-1, 0], [0, 0]]), factor=np.ones(5))
    >>> found.dead, found.full, round(filters(np.eye(3)).rank, 3)
    ((4,), 2, 3.0)
    """
    if (
        weight.ndim < 2
        or weight.size == 0
        or len(weight) % groups
        or (factor is not None and factor.shape != (len(weight),))
    ):
        raise ShapeError(f"filters: wants (O, C, …) in groups of equal size, got {weight.shape} in {groups}")
    flat = weight.astype(np.float64).reshape(len(weight), -1)
    norms = np.linalg.norm(flat, axis=1)
    folded = None if factor is None else norms * np.abs(factor)
    each, wide = len(flat) // groups, flat.shape[1]
    full, limit = groups * min(each, wide), alike(wide, each)
    strength = norms if folded is None else folded
    if not (np.isfinite(flat).all() and np.isfinite(strength).all()):
        return Filters(norms, folded, (), (), limit, 0.0, full, False)
    dead = strength <= DEAD * np.sqrt((strength**2).mean())
    found: list[Duplicates] = []
    squares = []
    for start in range(0, len(flat), each):
        ours = slice(start, start + each)
        products = flat[ours] @ flat[ours].T
        found += _same(products, norms[ours], dead[ours] | (norms[ours] == 0), limit, start)
        smaller = products if each <= wide else flat[ours].T @ flat[ours]
        squares.append(np.linalg.eigvalsh(smaller).clip(0))
    singular = np.sqrt(np.concatenate(squares))
    return Filters(norms, folded, _numbers(dead), tuple(found), limit, effective_rank(singular), full)


def effective_rank(singular: Array) -> float:
    """The exponential of the entropy of singular values, taken as shares of their sum; 0 where all are 0.

    >>> round(effective_rank(np.array([1.0, 1, 0])), 3)
    2.0
    """
    total = float(singular.sum())
    if total <= 0:
        return 0.0
    shares = singular[singular > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


@cache
def alike(wide: int, count: int) -> float:
    """The cosine from which on two filters are the same: such pairs do not come about by chance.

    Args:
        wide: weights of a filter.
        count: of filters.
    Returns:
        At least `ALIKE`; more where, among that many independent directions of so few weights, more than `BY_CHANCE`
        pairs would be as near. 2, which none reaches, for filters of a single weight.

    >>> alike(147, 64), alike(3, 64) > 0.9999, alike(1, 64)
    (0.95, True, 2.0)
    """
    if wide < 2:
        return 2.0
    # On a sphere the angle to a fixed axis has density sin(angle) ** (wide − 2).
    angles = np.concatenate([[0.0], np.geomspace(1e-9, np.pi / 2, 4000)])
    density = np.sin(angles) ** (wide - 2)
    shares = np.concatenate([[0.0], np.cumsum(np.diff(angles) * (density[1:] + density[:-1]) / 2)])
    allowed = BY_CHANCE / max(count * (count - 1) / 2, 1)
    return max(ALIKE, float(np.cos(np.interp(allowed, shares / shares[-1], angles))))


def _same(products: Array, norms: Array, left_out: npt.NDArray[np.bool_], limit: float, start: int) -> list[Duplicates]:
    """Groups of the same direction; each filter belongs to the first that it is like."""
    lengths = np.where(left_out, 1.0, norms)
    cosines = products / lengths[:, None] / lengths
    cosines[left_out] = 0
    cosines[:, left_out] = 0
    free = ~left_out
    found = []
    for first in np.flatnonzero((np.triu(np.abs(cosines), 1) >= limit).any(1)):
        near = np.flatnonzero(free & (np.abs(cosines[first]) >= limit) & (np.arange(len(norms)) > first))
        if free[first] and len(near):
            free[near] = False
            same, flipped = (_numbers_of(near[sign * cosines[first, near] > 0] + start) for sign in (1, -1))
            found.append(Duplicates(int(first) + start, same, flipped, float(np.abs(cosines[first, near]).min())))
    return found


def _numbers(flags: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return _numbers_of(np.flatnonzero(flags))


def _numbers_of(places: npt.NDArray[np.intp]) -> tuple[int, ...]:
    return tuple(int(place) for place in places)
