"""Aims: units, largest places and logits in every layout; the first of equal ones; what is not there."""

from __future__ import annotations

import pytest
import torch

from photosite.analysis.aim import Aim, as_aims, by_channel, choose
from photosite.analysis.features import Place
from photosite.errors import RangeError, ShapeError

# two channels of 2 x 3 places; the largest of channel 0 is 9 at 1,0, of channel 1 it is 7, at 0,1 and 1,2
MAP = torch.tensor([[[1.0, 2, 3], [9, 5, 6]], [[0, 7, 1], [2, 3, 7]]])
LAYOUTS = {
    "NCHW": (MAP[None], Place("n", "NCHW", (2, 3), 2, 0)),
    "NHWC": (MAP.permute(1, 2, 0)[None], Place("n", "NHWC", (2, 3), 2, 0)),
    # a class token in front, larger than all, and one behind
    "tokens": (
        torch.cat([torch.full((1, 2), 99.0), MAP.flatten(1).T, torch.full((1, 2), 99.0)])[None],
        Place("n", "tokens", (2, 3), 2, 1),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str) -> None:
    value, place = LAYOUTS[layout]
    assert torch.equal(by_channel(value, place), MAP.flatten(1)[None])
    for aim, number, channel, unit in (
        (Aim(0), 9, 0, (1, 0)),
        (Aim(1), 7, 1, (0, 1)),  # the first of two
        (Aim(), 9, 0, (1, 0)),
        (Aim(1, (1, 1)), 3, 1, (1, 1)),
        (Aim(place=(0, 1)), 7, 1, (0, 1)),
    ):
        found = choose(value, place, [aim])
        assert (found.numbers.tolist(), found.channels, found.places) == ([number], (channel,), (unit,))
        assert value.reshape(-1)[found.flat[0]] == number


def test_logits_and_an_aim_for_each_picture() -> None:
    value, place = torch.tensor([[1.0, 5, 5], [2, 0, 1]]), Place("fc", "", (0, 0), 3, 0)
    found = choose(value, place, as_aims(None, 2))
    assert (found.numbers.tolist(), found.channels, found.places) == ([5, 2], (1, 0), (None, None))
    assert choose(value, place, as_aims([2, Aim(1)], 2)).numbers.tolist() == [5, 0]
    with pytest.raises(RangeError, match="one for each of 2 pictures, got 3"):
        as_aims([0, 1, 2], 2)


def test_an_index_reaches_what_has_no_place() -> None:
    value, place = LAYOUTS["tokens"]
    found = choose(value, place, [Aim(index=(0, 1))])
    assert (found.numbers.tolist(), found.channels, found.places) == ([99], (None,), (None,))
    with pytest.raises(RangeError, match=r"for each picture \(8, 2\), no number at \(8, 0\)"):
        choose(value, place, [Aim(index=(8, 0))])
    with pytest.raises(RangeError, match="not both"):
        Aim(0, index=(1,))


def test_what_is_not_there() -> None:
    value, place = LAYOUTS["NCHW"]
    for aim, words in ((Aim(2), "2 channels, none at 2"), (Aim(-1), "none at -1"), (Aim(0, (2, 0)), "none at 2,0")):
        with pytest.raises(RangeError, match=words):
            choose(value, place, [aim])
    with pytest.raises(RangeError, match="no places"):
        choose(torch.zeros(1, 3), Place("fc", "", (0, 0), 3, 0), [Aim(0, (0, 0))])
    with pytest.raises(ShapeError, match=r"n \(1, 2, 3, 4\) holds no map of places"):
        choose(torch.zeros(1, 2, 3, 4), Place("n", "", (0, 0), 4, 0), [Aim(0)])
