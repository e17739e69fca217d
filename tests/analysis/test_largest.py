"""The largest numbers of each channel: by hand, ties, what is not a number, any order of batches."""

from __future__ import annotations

import math

import torch

from photosite.analysis.features import Place
from photosite.analysis.largest import Largest

PLACE = Place("n", "NCHW", (1, 3), 2, 0)
VALUE = torch.tensor(
    [
        [[[1.0, 5, 5]], [[0, 0, 0]]],
        [[[2, 7, 1]], [[0, 0, 0]]],
        [[[5, 0, 0]], [[0, 0, 2]]],
        [[[3, 3, 9]], [[0, 0, 0]]],
    ]
)  # 4 pictures of 2 channels of 1 x 3 places
SIZES = [(10, 20), (11, 21), (12, 22), (13, 23)]


def taken(*batches: int) -> Largest:
    """All four pictures in batches of these sizes."""
    found, first = Largest.nothing(2, 3), 0
    for count in batches:
        found.add(VALUE[first : first + count], PLACE, first, SIZES[first : first + count])
        first += count
    return found


def test_by_hand_with_ties() -> None:
    for batches in ((4,), (1, 1, 1, 1), (2, 2), (1, 3), (3, 1)):
        found = taken(*batches)
        assert found.values.tolist() == [[9, 7, 5], [2, 0, 0]]
        assert found.pictures.tolist() == [[3, 1, 0], [2, 0, 1]]  # 5 is first in picture 0, 0 in pictures 0 and 1
        assert found.places.tolist() == [[2, 1, 1], [2, 0, 0]]  # of 5 and 5 in one picture the first
        assert found.sizes[0].tolist() == [[13, 23], [11, 21], [10, 20]]


def test_fewer_pictures_than_wanted_and_rows_that_do_not_count() -> None:
    found = Largest.nothing(2, 3)
    found.add(VALUE, PLACE, 40, SIZES[:2])  # the other two are filling
    assert found.pictures.tolist() == [[41, 40, -1], [40, 41, -1]]
    assert found.values[:, 2].tolist() == [-math.inf] * 2


def test_not_a_number_does_not_count() -> None:
    value = VALUE.clone()
    value[3, 0, 0, 0] = math.nan
    found = Largest.nothing(2, 3)
    found.add(value, PLACE, 0, SIZES)
    assert found.values[0].tolist() == [7, 5, 5]
    assert found.not_numbers == 1
    assert found.pictures[1].tolist() == [2, 0, 1]  # the other channel is untouched


def test_there_and_back_as_arrays() -> None:
    found = taken(2, 2)
    again = Largest.from_arrays(found.arrays())
    for name in ("values", "pictures", "places", "sizes"):
        assert torch.equal(getattr(again, name), getattr(found, name))
    again.add(VALUE + 10, PLACE, 4, SIZES)
    assert found.values.tolist() == [[9, 7, 5], [2, 0, 0]]  # nothing is shared


def test_half_precision_is_kept_exactly() -> None:
    found = Largest.nothing(2, 3)
    found.add((VALUE / 3).half(), PLACE, 0, SIZES)
    assert found.values[0].tolist() == [(VALUE / 3).half()[i, 0].max().item() for i in (3, 1, 0)]
