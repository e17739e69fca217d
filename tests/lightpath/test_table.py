"""All tokens at once: each as `light_path` follows it alone, and for each pixel those that `tokens_of` finds."""

from __future__ import annotations

import numpy as np
import pytest

from photosite.errors import RangeError
from photosite.lightpath import light_path, token_table, tokens_of
from photosite.tokens import front_end, list_front_ends

SIZES = ((64, 300), (700, 511))


def test_one_square_by_hand() -> None:
    # 768 px become 384 by bicubic kernels that reach 4 px; tokens of 14 px see 28 of them and 3 more on either side
    table = token_table(front_end("siglip-so400m-384"), (768, 768))
    assert table.rows[0].spans[:2].tolist() == [[0, 31], [25, 59]]
    assert table.rows[0].readers[[0, 24, 25, 30, 31]].tolist() == [[0, 1], [0, 1], [0, 2], [0, 2], [1, 2]]
    assert table.rows[0].readers[-9:].tolist() == [[0, 0]] * 9  # the last 6 px of the tile have no token
    assert table.patches[[0, 27, 28]].tolist() == [[0], [27], [28]]


@pytest.mark.parametrize("name", list_front_ends())
def test_it_is_what_is_followed_one_by_one(name: str) -> None:
    one, draw = front_end(name), np.random.default_rng(0)
    for size_hw in (*SIZES, tuple(map(int, draw.integers(20, 1000, 2)))):
        try:
            table = token_table(one, size_hw)
        except RangeError:
            with pytest.raises(RangeError):
                one.token_map(size_hw)
            continue
        places = table.places
        for token in {0, len(places) - 1, *draw.integers(0, len(places), 12).tolist()}:
            path = light_path(one, size_hw, token)
            if path.tile < 0:
                assert set(table.patches[token].tolist()) == {-1}
                continue
            rows = table.rows[path.tile].spans[places.row[token]]
            columns = table.columns[path.tile].spans[places.column[token]]
            box = (rows[0], columns[0], rows[1], columns[1]) if rows[1] and columns[1] else None
            assert box == path.photo_box
            assert tuple(table.patches[token].tolist()) == path.patches
        for _ in range(12):
            pixel = (int(draw.integers(size_hw[0])), int(draw.integers(size_hw[1])))
            assert table.reading(pixel) == tokens_of(one, size_hw, pixel)


def test_tiles_whose_rows_are_alike_share_them() -> None:
    table = token_table(front_end("internvl2"), (900, 1300))
    tiles = table.places.tiles
    assert len(tiles) == 7
    alike = [number for number, tile in enumerate(tiles) if tile.role == "tile" and tile.place[0] == 1]
    assert len({id(table.rows[number]) for number in alike}) == 1
    assert len({id(table.columns[number]) for number in alike}) == 3


def test_a_size_that_is_refused() -> None:
    with pytest.raises(RangeError, match="sides up to 1 : 200"):
        token_table(front_end("qwen2-vl"), (1, 300))
