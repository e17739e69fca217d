"""Tables of colors, averages over blocks, grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.trace.canvas import DIVERGING, GRAY, PAPER, VIRIDIS, block_means, columns_of, grid_of, pick


def test_viridis_matches_matplotlib() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib's own viridis is the peer")
    theirs = (np.array(matplotlib.colormaps["viridis"](np.arange(256)))[:, :3] * 255).round()
    # We keep every 17th color and draw straight lines between them.
    np.testing.assert_allclose(VIRIDIS, theirs, atol=3)


def test_viridis_gets_brighter_all_the_way() -> None:
    # The published table rises in luma at every step; straight lines between its colors cannot fall.
    luma = VIRIDIS @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luma[::17]) > 0).all()
    assert VIRIDIS[0].tolist() == [68, 1, 84]
    assert VIRIDIS[255].tolist() == [253, 231, 37]


def test_diverging_has_paper_in_its_middle_and_grows_darker_evenly_to_both_sides() -> None:
    assert np.abs(DIVERGING[127:129].astype(int) - PAPER).max() <= 3
    luma = DIVERGING @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luma[:128]) > 0).all()
    assert (np.diff(luma[128:]) < 0).all()
    # Neither side may look heavier than the other: within a twelfth of the whole range.
    np.testing.assert_allclose(luma[:128], luma[:127:-1], atol=22)
    assert DIVERGING[0, 2] > DIVERGING[0, 0]
    assert DIVERGING[255, 0] > DIVERGING[255, 2]


def test_pick_by_hand() -> None:
    values = np.array([-9.0, 0.0, 0.5, 1.0, 9.0])
    np.testing.assert_array_equal(pick(values, 0.0, 1.0, VIRIDIS), VIRIDIS[[0, 0, 128, 255, 255]])


def test_zero_keeps_its_color_where_everything_is_zero() -> None:
    zero = np.zeros(1)
    np.testing.assert_array_equal(pick(zero, 0.0, 0.0, VIRIDIS), VIRIDIS[:1])
    np.testing.assert_array_equal(pick(zero, -0.0, 0.0, DIVERGING), DIVERGING[128:129])


def test_block_means_by_hand() -> None:
    values = np.array([[[1, 3, 5], [3, 5, 7], [10, 20, 30]]])
    assert block_means(values, (2, 2)).tolist() == [[[3, 6], [15, 30]]]
    assert block_means(values, (1, 3)).tolist() == [[[3], [5], [20]]]
    assert block_means(values, (1, 1)).tolist() == values.tolist()


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(1, 4))
def test_block_means_of_a_constant_are_the_constant(height: int, width: int, rows: int, columns: int) -> None:
    means = block_means(np.full((2, height, width), 7), (rows, columns))
    np.testing.assert_array_equal(means, np.full((2, -(-height // rows), -(-width // columns)), 7.0))


def test_grid_by_hand() -> None:
    white = np.full((2, 1, 1, 3), 255, np.uint8)
    assert grid_of(white, GRAY).tolist() == [[[255] * 3, GRAY.tolist(), [255] * 3]]


@given(st.integers(1, 70), st.integers(1, 9), st.integers(1, 9), st.integers(0, 3))
def test_a_grid_holds_every_map_once(maps: int, height: int, width: int, gap: int) -> None:
    colors = np.arange(maps, dtype=np.uint8)[:, None, None, None] * np.ones((1, height, width, 3), np.uint8)
    sheet = grid_of(colors, np.array([255, 255, 255], np.uint8), gap)
    found, counts = np.unique(sheet, return_counts=True)
    assert (
        dict(zip(found.tolist(), counts.tolist(), strict=True)).items()
        >= dict.fromkeys(range(maps), height * width * 3).items()
    )


def test_grids_are_wider_than_high() -> None:
    assert [columns_of(n, 8, 8) for n in (1, 3, 16, 32, 64)] == [1, 3, 4, 8, 8]
    assert [columns_of(n, 8, 8, 4.0) for n in (16, 32, 64)] == [8, 8, 16]
