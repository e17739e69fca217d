"""Arrays become pictures that say what they show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photosite.errors import ShapeError
from photosite.trace import pictures
from photosite.trace.canvas import DIVERGING, GRAY, NONFINITE, PAPER, VIRIDIS

FINITE = st.floats(-1e6, 1e6, width=32)


def test_plain_pixels_stay_as_they_are() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    tile = pictures.plain("crop", picture)
    np.testing.assert_array_equal(tile.pixels, picture)
    assert (tile.caption, tile.scale, tile.low, tile.high) == (
        "crop · 2 × 2 × 3 uint8 · 0 … 11",
        "as they are",
        None,
        None,
    )
    picture[:] = 0
    assert tile.pixels.max() == 11  # a copy: what happens to the picture later does not reach the tile


def test_plain_takes_gray() -> None:
    assert pictures.plain("bytes", np.array([[7]], np.uint8)).pixels.tolist() == [[[7, 7, 7]]]


def test_magnitude_by_hand() -> None:
    tile = pictures.magnitude("norm", np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(tile.pixels, VIRIDIS[[0, 128, 255]][None])
    assert (tile.scale, tile.low, tile.high) == ("viridis 1 … 3", 1.0, 3.0)


def test_magnitude_with_limits_says_what_lies_beyond() -> None:
    tile = pictures.magnitude("norm", np.array([[1.0, 2.0, 3.0, 4.0]]), low=0.0, high=3.0)
    assert tile.scale == "viridis 0 … 3, 25\u202f% beyond"


def test_signed_is_symmetric_about_zero() -> None:
    tile = pictures.signed("w", np.array([[-2.0, 0.0, 1.0]]))
    np.testing.assert_array_equal(tile.pixels, DIVERGING[[0, 128, 192]][None])
    assert (tile.low, tile.high) == (-2.0, 2.0)
    assert tile.caption == "w · 1 × 3 float64 · −2 … 1"


@given(hnp.arrays(np.float32, (3, 4), elements=FINITE))
def test_turning_the_sign_turns_the_colors(values: np.ndarray) -> None:
    there, back = pictures.signed("w", values), pictures.signed("w", -values)
    assert (there.low, there.high) == (back.low, back.high)
    # Blue and orange change places: which side of paper a pixel lies on, never how far.
    warm = (there.pixels[..., 0].astype(int) - there.pixels[..., 2])[np.abs(values) > 0.1 * np.abs(values).max()]
    cold = (back.pixels[..., 0].astype(int) - back.pixels[..., 2])[np.abs(values) > 0.1 * np.abs(values).max()]
    assert (warm * cold < 0).all()


def test_values_that_are_no_numbers_are_red_and_counted() -> None:
    tile = pictures.magnitude("x", np.array([[0.0, np.nan, np.inf, 1.0]]))
    np.testing.assert_array_equal(tile.pixels[0, 1:3], np.stack([NONFINITE, NONFINITE]))
    assert tile.scale == "viridis 0 … 1, 2 not finite, drawn red"
    assert pictures.magnitude("x", np.full((1, 1), np.nan)).scale == "no finite value, drawn red"


def test_maps_that_vary_most_come_first_and_share_limits() -> None:
    values = np.zeros((3, 1, 2), np.float32)
    values[1], values[2] = [0, 4], [0, 2]
    tile = pictures.feature_maps("relu", values)
    gap = PAPER[None]
    np.testing.assert_array_equal(
        tile.pixels[0], np.concatenate([VIRIDIS[[0, 255]], gap, VIRIDIS[[0, 128]], gap, VIRIDIS[[0, 0]]])
    )
    assert tile.caption == "relu · 3 × 1 × 2 float32 · 0 … 4"
    assert tile.scale == "viridis 0 … 4"
    kept = pictures.feature_maps("relu", values, vary=False).pixels
    np.testing.assert_array_equal(kept[0, :2], VIRIDIS[[0, 0]])


def test_signed_maps_are_diverging_with_lines_that_are_not_paper() -> None:
    tile = pictures.feature_maps("conv", np.array([[[-1.0, 1.0]], [[0.5, 0.5]]]))
    assert (tile.low, tile.high) == (-1.0, 1.0)
    np.testing.assert_array_equal(tile.pixels[0, 2], GRAY)


def test_maps_of_one_value_are_a_row_in_the_order_of_the_channels() -> None:
    tile = pictures.feature_maps("pool", np.array([[[0.0]], [[2.0]], [[1.0]]]))
    np.testing.assert_array_equal(tile.pixels, VIRIDIS[[0, 255, 128]][None])
    assert tile.caption == "pool · 3 × 1 × 1 float64 · 0 … 2"


def test_at_most_so_many_maps() -> None:
    values = np.random.default_rng(0).random((100, 3, 3))
    assert pictures.feature_maps("x", values).pixels.shape == (8 * 4 - 1, 8 * 4 - 1, 3)
    assert pictures.feature_maps("x", values, at_most=4).pixels.shape == (3, 4 * 4 - 1, 3)


def test_a_large_map_is_averaged_and_says_so() -> None:
    values = np.random.default_rng(0).random((1, 100, 60))
    tile = pictures.feature_maps("x", values, side=25)
    assert tile.pixels.shape == (25, 15, 3)
    assert tile.scale.endswith(", averaged 4 × 4")


def test_one_outlier_does_not_darken_the_rest() -> None:
    values = np.ones((1, 40, 40))
    values[0, 0, 0] = 1e6
    tile = pictures.feature_maps("x", values)
    assert tile.high == 1.0
    assert "0.062\u202f% beyond" in tile.scale  # 1 of 1600


def test_channels_share_limits() -> None:
    tiles = pictures.channels("tensor", np.array([[[1.0]], [[-3.0]], [[2.0]]]), "RGB")
    assert [tile.caption for tile in tiles] == [
        "tensor R · 1 × 1 float64 · 1 … 1",
        "tensor G · 1 × 1 float64 · −3 … −3",
        "tensor B · 1 × 1 float64 · 2 … 2",
    ]
    assert {tile.scale for tile in tiles} == {"diverging −3 … 3"}


def test_vector_wraps_like_text() -> None:
    short = pictures.vector("logits", np.arange(10.0))
    assert short.pixels.shape == (1, 10, 3)
    long = pictures.vector("logits", np.ones(1000))
    assert long.pixels.shape == (16, 64, 3)
    assert long.scale == "viridis 0 … 1, read in lines of 64"
    np.testing.assert_array_equal(long.pixels[-1, -1], PAPER)  # 24 places hold nothing


def test_matrix_averages_only_the_long_axis() -> None:
    tile = pictures.matrix("tokens", np.ones((512, 3)), side=256)
    assert tile.pixels.shape == (256, 3, 3)
    assert tile.scale == "viridis 0 … 1, averaged 2 × 1"


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=5, max_side=5), elements=st.floats(width=32)))
def test_any_array_has_a_picture(values: np.ndarray) -> None:
    tile = pictures.of_values("x", values)
    assert tile.pixels.dtype == np.uint8
    assert tile.pixels.ndim == 3
    assert tile.pixels.size > 0
    assert tile.caption.startswith("x · ")
    assert tile.scale


def test_color_kernels_have_zero_at_mid_gray() -> None:
    weight = np.zeros((2, 3, 1, 1))
    weight[0, 0], weight[1, 2] = 4.0, -1.0
    own = pictures.kernels("conv1", weight, zoom=1)
    assert own.pixels.tolist() == [[[255, 128, 128], PAPER.tolist(), [128, 128, 0]]]
    assert own.scale == "R, G, B weights, zero mid gray; each kernel by its own largest weight"
    shared = pictures.kernels("conv1", weight, zoom=1, together=True)
    assert shared.pixels[0, 2].tolist() == [128, 128, 96]  # −1 of 4: a quarter of the way to black
    assert shared.scale.endswith("all kernels by 4")
    assert (shared.low, shared.high) == (-4.0, 4.0)


def test_kernels_of_other_channels_are_a_mean_or_a_norm_and_say_which() -> None:
    weight = np.array([3.0, 4.0]).reshape(1, 2, 1, 1)
    assert "norm over 2 channels" in pictures.kernels("w", weight, others="norm").scale
    mean = pictures.kernels("w", weight, together=True)
    assert "mean over 2 channels; all kernels by 3.5" in mean.scale


def test_more_kernels_than_are_drawn() -> None:
    assert pictures.kernels("w", np.ones((70, 3, 1, 1))).scale.endswith("; the first 64 of 70")


def test_token_norms_by_hand() -> None:
    tile = pictures.token_norms("token norms", np.array([[3.0, 4.0], [0.0, 1.0]], np.float32), (1, 2))
    assert (tile.low, tile.high) == (1.0, 5.0)
    assert tile.caption == "token norms · 1 × 2 float32 · 1 … 5"
    np.testing.assert_array_equal(tile.pixels[0], VIRIDIS[[255, 0]])


def test_components_of_one_direction_by_hand() -> None:
    tokens = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    tile, explained = pictures.token_components("pca", tokens, (1, 3))
    assert explained == (1.0,)
    assert tile.pixels[0].tolist() == [[0, 128, 128], [128, 128, 128], [255, 128, 128]]


def test_components_do_not_depend_on_chance() -> None:
    tokens = np.random.default_rng(0).normal(size=(12, 5))
    once, shares = pictures.token_components("pca", tokens, (3, 4))
    # Shuffling the tokens may turn the signs inside the solver; ours must come out the same.
    order = np.random.default_rng(1).permutation(12)
    again, _ = pictures.token_components("pca", tokens[order], (12, 1))
    np.testing.assert_array_equal(again.pixels[:, 0], once.pixels.reshape(12, 3)[order])
    assert list(shares) == sorted(shares, reverse=True)


def test_components_match_an_eigendecomposition() -> None:
    tokens = np.random.default_rng(2).normal(size=(40, 6)) * [9, 5, 3, 1, 1, 1]
    _, explained = pictures.token_components("pca", tokens, (5, 8))
    values = np.linalg.eigvalsh(np.cov(tokens.T))[::-1]
    np.testing.assert_allclose(explained, values[:3] / values.sum(), rtol=1e-10)  # two solvers in float64


def test_equal_tokens_have_no_components() -> None:
    tile, explained = pictures.token_components("pca", np.ones((4, 3)), (2, 2))
    assert explained == ()
    assert (tile.pixels == 128).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pictures.plain("x", np.zeros((2, 2))), "plain: wants .* uint8, got"),
        (lambda: pictures.signed("x", np.zeros(3)), "signed: wants 2 axes"),
        (lambda: pictures.feature_maps("x", np.zeros((0, 2, 2))), "none of them empty"),
        (lambda: pictures.channels("x", np.zeros((2, 1, 1)), "RGB"), "wants 2 names"),
        (lambda: pictures.kernels("x", np.zeros((1, 1, 1, 1)), others="max"), '"mean" or "norm"'),
        (lambda: pictures.token_norms("x", np.zeros((5, 2)), (2, 2)), "wants 4 tokens, got 5"),
    ],
)
def test_wrong_arrays_are_refused_in_words(call, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        call()
