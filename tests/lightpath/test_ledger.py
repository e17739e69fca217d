"""The account of a photo's tokens, held to photos that change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.lightpath import coverage, ledger
from photosite.tokens import front_end, list_front_ends
from photosite.tokens.tile import run

SIDES = st.integers(30, 500)


def sums(name: str, picture: np.ndarray) -> np.ndarray:
    """Of each token that has a place the sum of what it is made of, in double precision."""
    places = front_end(name).token_map((picture.shape[0], picture.shape[1]))
    tiles = [tile.astype(np.float64) for tile in run(picture, places.tiles)]
    found = []
    for token in range(len(places)):
        box = places.box(token)
        if box is not None:
            found.append(tiles[places.tile[token]][box[0] : box[2], box[1] : box[3]].sum())
    return np.array(found)


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(list_front_ends()), height=SIDES, width=SIDES)
def test_padding_is_what_no_photo_changes(name: str, height: int, width: int) -> None:
    black, white = (np.full((height, width, 3), level, np.uint8) for level in (0, 255))
    found = ledger(front_end(name), (height, width))
    apart = np.abs(sums(name, black) - sums(name, white))
    assert np.count_nonzero(apart == 0) == found.padding
    full = apart.max()  # a token that is photo alone
    places = front_end(name).token_map((height, width))
    if len({(one.size_hw, places.cell) for one in places.tiles}) == 1 and places.window == (0, places.cell):
        partly = np.count_nonzero((apart > 0) & (apart < 0.995 * full))
        assert abs(partly - found.partly_padding) <= partly // 8  # those at 0.5 % and less are rounded away
    assert found.unseen_pixels == np.count_nonzero(coverage(front_end(name), (height, width)) == 0)
    assert found.count == front_end(name).count((height, width))


def test_accounts_by_hand() -> None:
    whole = ledger(front_end("internvl2"), (448, 448))
    assert (whole.count.total, whole.repeated, whole.padding, whole.unseen_pixels) == (256, 0, 0, 0)
    tiles = ledger(front_end("internvl2"), (448, 896))
    assert (tiles.count.total, tiles.repeated) == (768, 256)
    siglip = ledger(front_end("siglip-so400m-384"), (384, 384))
    assert siglip.unseen_pixels == 384**2 - 378**2
    long = ledger(front_end("llava-1.5"), (100, 400))
    # rows 126 … 209 of 336 are photo, six rows of tokens; the kernel reaches into one more on each side
    assert (long.padding, long.partly_padding) == (16 * 24, 4 * 24)
    with pytest.raises(RangeError, match="1 : 200"):
        ledger(front_end("qwen2-vl"), (1, 300))
