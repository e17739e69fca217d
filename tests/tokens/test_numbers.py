"""Tiles as numbers in few passes: the same bits as step by step, with kernels and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.tokens import front_end, list_front_ends
from photosite.tokens.front_end import level_table
from photosite.tokens.numbers import tile_numbers
from photosite.tokens.qwen import Qwen
from photosite.tokens.tile import Resized, Step, Tile, Window, run
from tests.peers import import_peer
from tests.tokens.peers import photo

TABLE = level_table((0.1, 0.2, 0.3), (0.5, 0.4, 0.3))
SIDES = st.integers(1, 90)
COLORS = st.sampled_from([(0, 0, 0), (9, 99, 199)])
STEPS = st.lists(
    st.one_of(
        st.builds(Resized, st.tuples(SIDES, SIDES), st.sampled_from(["bilinear", "bicubic", "lanczos", "nearest"])),
        st.builds(Window, st.tuples(st.integers(-30, 40), st.integers(-30, 40)), st.tuples(SIDES, SIDES), COLORS),
    ),
    min_size=1,
    max_size=4,
)


def looked_up(tile: Tile, picture: np.ndarray) -> np.ndarray:
    (levels,) = run(picture, (tile,))
    return np.stack([TABLE[channel][levels[..., channel]] for channel in range(3)])


@pytest.mark.parametrize("kernels", ["0", "1"])
@settings(deadline=None, max_examples=150)
@given(height=SIDES, width=SIDES, several=st.lists(STEPS, min_size=1, max_size=3))
def test_any_steps_give_the_same_bits(kernels: str, height: int, width: int, several: list[list[Step]]) -> None:
    if kernels == "1":
        import_peer("numba")
    picture = photo(height, width)
    tiles = [Tile("tile", tuple(steps)) for steps in several]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHOTOSITE_KERNELS", kernels)
        found = tile_numbers(picture, tiles, TABLE)
    for one, tile in zip(found, tiles, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, looked_up(tile, picture))


@pytest.mark.parametrize("name", list_front_ends())
def test_kernels_change_nothing(name: str) -> None:
    import_peer("numba")
    one = front_end(name)
    for size_hw in ((200, 300), (333, 100)):
        picture, made = photo(*size_hw), []
        for kernels in "01":
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PHOTOSITE_KERNELS", kernels)
                made.append(one.prepare(picture).values)
        np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize(
    ("patch_side", "merge", "times"), [(8, 1, 1), (14, 2, 2), (16, 2, 2), (15, 3, 1), (4, 2, 2), (20, 1, 2)]
)
def test_patches_are_packed_alike(patch_side: int, merge: int, times: int) -> None:
    """Patches of 8 to 16 pixels have a kernel of their own."""
    import_peer("numba")
    one = front_end("qwen2-vl")
    assert isinstance(one, Qwen)
    one = replace(one, patch=patch_side, merge=merge, times=times, least=1)
    picture, made = photo(130, 170), []
    for kernels in "01":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PHOTOSITE_KERNELS", kernels)
            made.append(one.prepare(picture).values)
    np.testing.assert_array_equal(made[0], made[1])
