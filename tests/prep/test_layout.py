"""Layouts by name, and inputs made the wrong way: the certain is refused, the likely said with its number."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError, ShapeError
from photosite.prep.layout import KNOWN, check_input, suspicions, to_layout
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, RECIPES
from tests.peers import import_peer

IMAGENET = RECIPES["imagenet"].at(32)
AS_IT_IS = Recipe(name="as it is", resize="none", size_hw=None, interpolation="box", mean=(0,) * 3, std=(1,) * 3)
LEVELS = replace(AS_IT_IS, name="levels", scale=1.0)
laws = settings(deadline=None, derandomize=True, max_examples=60)


def noise(height: int, width: int, seed: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def sunset(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Red from left to right, green from top to bottom, hardly any blue, and a few dark specks."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([120 + columns * 120 // width, rows * 100 // height, 10 + (rows + columns) % 7], -1)
    return picture.astype(np.uint8)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Every usual normalization, both orders of channels, both layouts, with a size and without."""
    scale, mean, std = draw(st.sampled_from(sorted(KNOWN.values())))
    return Recipe(
        name="drawn",
        resize="none",
        size_hw=None,
        interpolation="box",
        crop_hw=draw(st.none() | st.tuples(st.integers(1, 8), st.integers(1, 8))),
        scale=scale,
        mean=tuple(mean),  # type: ignore[arg-type]
        std=tuple(std),  # type: ignore[arg-type]
        channel_order=draw(st.sampled_from(["RGB", "BGR"])),
        layout=draw(st.sampled_from(["BCHW", "BHWC"])),
    )


# ---------------------------------------------------------------------------------------------------------- to_layout


def test_channels_go_first_by_hand() -> None:
    x = np.arange(6).reshape(1, 2, 3)  # one row of two pixels, (0, 1, 2) and (3, 4, 5)
    assert to_layout(x, "HWC", "CHW").tolist() == [[[0, 3]], [[1, 4]], [[2, 5]]]
    assert to_layout(x, "HWC", "WHC").tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


@given(st.sampled_from(["HW", "CHW", "BHWC"]), st.data())
@laws
def test_there_and_back_is_a_view_of_the_same_array(letters: str, data: st.DataObject) -> None:
    have, want = ("".join(data.draw(st.permutations(letters))) for _ in range(2))
    shape = [data.draw(st.integers(0, 4)) for _ in letters]
    x = np.arange(np.prod(shape)).reshape(shape)
    moved = to_layout(x, have, want)
    assert [moved.shape[want.index(letter)] for letter in letters] == [shape[have.index(letter)] for letter in letters]
    assert moved.base is not None  # a view
    back = to_layout(moved, want, have)
    np.testing.assert_array_equal(back, x)
    if x.size:
        assert np.shares_memory(back, x)


@pytest.mark.parametrize("want", ["".join(order) for order in permutations("BCHW")])
def test_matches_numpy_s_transpose_and_torch_s_permute(want: str) -> None:
    torch = import_peer("torch")
    x = np.arange(120).reshape(2, 3, 4, 5)
    order = ["BCHW".index(letter) for letter in want]
    np.testing.assert_array_equal(to_layout(x, "BCHW", want), x.transpose(order))
    tensor = torch.arange(120).reshape(2, 3, 4, 5)
    moved = to_layout(tensor, "BCHW", want)
    assert moved.data_ptr() == tensor.data_ptr()
    assert torch.equal(moved, tensor.permute(order))


@pytest.mark.parametrize(
    ("x", "have", "want", "words"),
    [
        (np.zeros((4, 5, 3)), "BHWC", "BCHW", r"'BHWC' to 'BCHW', x \(4, 5, 3\): wants 4 axes, x has 3"),
        (np.zeros((4, 5, 3)), "HWC", "BCHW", r"'HWC' to 'BCHW', x \(4, 5, 3\): wants the same letters in both layouts"),
        (np.zeros((4, 5, 3)), "HWK", "KHW", "wants layouts of the letters B, C, H, W, each at most once, got 'HWK'"),
        (np.zeros((4, 5, 3)), "HWC", "HHC", "each at most once, got 'HHC'"),
        (np.zeros((4, 5, 3)), "hwc", "chw", "each at most once, got 'hwc'"),
        (np.zeros(()), "", "", "each at most once, got ''"),
        ([[1, 2]], "HW", "WH", "to_layout: wants a NumPy array or a torch tensor, got list"),
    ],
)
def test_layouts_that_cannot_be_meant(x: Any, have: str, want: str, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        to_layout(x, have, want)


# -------------------------------------------------------------------------------------------------------- check_input


@given(recipes(), st.integers(0, 99))
@laws
def test_what_a_recipe_makes_passes_without_suspicion(recipe: Recipe, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 9, 2)
    low, high = sorted(rng.integers(0, 256, 2))
    pictures = [rng.integers(low, high + 1, (height, width, 3)).astype(np.uint8) for _ in range(2)]
    x = recipe(pictures)
    check_input(x, recipe)
    assert suspicions(x, recipe) == []
    assert suspicions(x, recipe, pictures) == []
    assert suspicions(x[1:].astype(np.float64), recipe, pictures[1]) == []


X = IMAGENET(noise(40, 50))  # (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (
            to_layout(np.concatenate([X] * 8), "BCHW", "BHWC"),
            ShapeError,
            r"recipe 'cifar10@32' wants BCHW \(B, 3, 32, 32\) floating point, got \(8, 32, 32, 3\) float32; "
            r"it fits BHWC: to_layout\(x, 'BHWC', 'BCHW'\)$",
        ),
        (X[0], ShapeError, r"got \(3, 32, 32\) float32; a single input needs a batch axis, x\[None\]"),
        (X[:, :, :24], ShapeError, r"wants BCHW \(B, 3, 32, 32\) floating point, got \(1, 3, 24, 32\) float32$"),
        (X[:, :1], ShapeError, r"got \(1, 1, 32, 32\) float32$"),
        (X[:0], ShapeError, r"got \(0, 3, 32, 32\) float32$"),
        (X[0, 0], ShapeError, r"got \(32, 32\) float32$"),
        ("photo.jpg", ShapeError, "check_input: wants a NumPy array or a torch tensor, got str"),
        (
            (X * 0 + 255).astype(np.uint8),
            RangeError,
            r"got \(1, 3, 32, 32\) uint8 from 255 to 255; the recipe makes numbers of levels: recipe\(picture\)",
        ),
        (X > 0, RangeError, "got .* bool from False to True$"),
        (X.astype(complex), RangeError, r"got \(1, 3, 32, 32\) complex128$"),
        (X.astype(object), RangeError, r"got \(1, 3, 32, 32\) object$"),
        (np.where(X > 2, np.nan, X), RangeError, r"got .* float32, \d+ of 3072 numbers not finite"),
        (np.full_like(X, -np.inf), RangeError, "3072 of 3072 numbers not finite"),
    ],
)
def test_inputs_that_cannot_be_meant(x: Any, error: type[Exception], words: str) -> None:
    recipe = replace(IMAGENET, name="cifar10@32")
    with pytest.raises(error, match=words) as caught:
        check_input(x, recipe)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=words):
        suspicions(x, recipe)


def test_levels_given_to_a_network_that_wants_0_to_1() -> None:
    x = LEVELS(noise(8, 9))
    with pytest.raises(
        RangeError, match=r"from 0 to 255, where levels 0 … 255 become 0 … 1; it fits 0 … 255, not normalized$"
    ):
        check_input(x, AS_IT_IS)
    with pytest.raises(RangeError, match=r"from 0.25 to 255.2, where levels 0 … 255 become -2.118 … 2.64$"):
        check_input(np.linspace(0.25, 255.2, 3072).reshape(1, 3, 32, 32), IMAGENET)  # resized as floats: not whole


def test_normalized_twice() -> None:
    twice = (X - np.float32(IMAGENET.mean)[:, None, None]) / np.float32(IMAGENET.std)[:, None, None]
    with pytest.raises(RangeError, match=r"from -9.8\d+ to 8.3\d+, where levels 0 … 255 become -2.118 … 2.64"):
        check_input(twice, IMAGENET)


def test_overshoot_of_resized_floats_is_no_error() -> None:
    # a white square's corner, enlarged with a filter that has negative lobes: the farthest that floats leave 0 … 1
    corner = np.ones((16, 16), np.float32)
    corner[8:, 8:] = 0
    resized = np.asarray(Image.fromarray(corner).resize((160, 160), Image.Resampling.LANCZOS))
    assert resized.min() < -0.2
    assert resized.max() > 1.1
    check_input(np.broadcast_to(resized, (1, 3, 160, 160)), AS_IT_IS)


def test_other_sizes_pass_where_the_recipe_leaves_them_open() -> None:
    check_input(AS_IT_IS(noise(5, 7)), AS_IT_IS)
    with pytest.raises(ShapeError, match=r"wants BCHW \(B, 3, H, W\) floating point, got \(1, 5, 7, 3\)"):
        check_input(replace(AS_IT_IS, layout="BHWC")(noise(5, 7)), AS_IT_IS)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_tensors_are_looked_at_like_arrays(dtype: str) -> None:
    torch = import_peer("torch")
    tensor = torch.from_numpy(X.copy()).to(getattr(torch, dtype)).requires_grad_()
    check_input(tensor, IMAGENET)
    assert suspicions(tensor, IMAGENET, noise(40, 50)) == []
    with pytest.raises(ShapeError, match=r"got \(1, 32, 32, 3\) torch.* it fits BHWC"):
        check_input(to_layout(tensor, "BCHW", "BHWC"), IMAGENET)
    with pytest.raises(RangeError, match=r"torch.uint8 from 0 to 9; the recipe"):
        check_input(torch.arange(10, dtype=torch.uint8).repeat(308)[:3072].reshape(1, 3, 32, 32), IMAGENET)


# --------------------------------------------------------------------------------------------------------- suspicions


@pytest.mark.parametrize("made", sorted(KNOWN))
@pytest.mark.parametrize("wanted", sorted(KNOWN))
def test_each_normalization_is_recognized_where_another_is_wanted(made: str, wanted: str) -> None:
    def recipe(name: str) -> Recipe:
        scale, mean, std = KNOWN[name]
        return replace(AS_IT_IS, name=name, scale=scale, mean=tuple(mean), std=tuple(std))

    x = recipe(made)(noise(20, 20))
    if made == wanted:
        assert suspicions(x, recipe(wanted)) == []
    elif wanted.startswith("0 … 255") or not made.startswith("0 … 255"):
        try:
            told = suspicions(x, recipe(wanted))
        except RangeError as error:  # ImageNet's -2.1 … 2.6 where 0 … 1 is wanted
            told = [str(error)]
        assert len(told) == 1
        assert made in told[0]
    else:
        with pytest.raises(RangeError, match=f"it fits {made}"):
            check_input(x, recipe(wanted))


def test_0_to_1_where_normalized_is_wanted() -> None:
    picture = noise(32, 32)
    x = to_layout(picture[None] / np.float32(255), "BHWC", "BCHW")
    (line,) = suspicions(x, IMAGENET)
    assert line.startswith("suspected 0 … 1, not normalized: with it the levels are 0.000 off whole ones on average, ")
    assert line.endswith("with recipe 'imagenet@32' 0.252")
    # resized as floats, levels are not whole under any normalization, and the range alone speaks
    (line,) = suspicions(np.clip(x * 0.987 + 0.0011, 0, 1), IMAGENET)
    assert line == (
        "suspected 0 … 1, not normalized: x goes from 0.0011 to 0.9881, recipe 'imagenet@32' from -2.118 to 2.64"
    )


def test_bgr_is_known_from_mean_and_std_alone_where_they_differ() -> None:
    flipped = X[:, ::-1]
    (line,) = suspicions(flipped, IMAGENET)
    assert line.startswith("suspected channels in reverse order (mean and std fit the other way round): ")
    bgr = replace(IMAGENET, channel_order="BGR")
    assert "ImageNet's" not in suspicions(bgr(noise(40, 50))[:, ::-1], bgr)[0]
    # another normalization is looked for in the recipe's order of channels
    clip = replace(bgr, mean=CLIP_MEAN[::-1], std=CLIP_STD[::-1])
    given = replace(bgr, mean=bgr.mean[::-1], std=bgr.std[::-1])(noise(40, 50))
    assert suspicions(given, clip)[0].startswith("suspected ImageNet's mean and std: ")
    # one mean for all channels: nothing to know without the picture
    even = replace(IMAGENET, mean=HALF, std=HALF)
    assert suspicions(even(noise(40, 50))[:, ::-1], even) == []


def test_bgr_is_known_from_the_picture() -> None:
    picture = sunset(40, 50)
    even = replace(IMAGENET, mean=HALF, std=HALF)
    (line,) = suspicions(even(picture[..., ::-1]), even, picture)
    assert line.startswith("suspected channels in reverse order, RGB for BGR or BGR for RGB: undone, x is 0.0 levels ")
    assert suspicions(even(picture), even, picture) == []
    gray = np.repeat(picture[..., :1], 3, axis=2)  # where all channels are the same, none of it matters
    assert suspicions(even(gray[..., ::-1]), even, gray) == []


@pytest.mark.parametrize("layout", ["BCHW", "BHWC"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_a_reshape_instead_of_a_transpose_is_known_from_the_picture(layout: Any, order: Any) -> None:
    recipe = replace(IMAGENET, layout=layout, channel_order=order, mean=HALF, std=HALF)
    other = "BHWC" if layout == "BCHW" else "BCHW"
    pictures = [sunset(40, 50), sunset(50, 40)]
    x = np.ascontiguousarray(to_layout(recipe(pictures), layout, other)).reshape(recipe(pictures).shape)
    (line,) = suspicions(x, recipe, pictures)
    assert line.startswith(f"suspected a reshape from {other} instead of to_layout(x, {other!r}, {layout!r}): undone")
    assert "x is 0.0 levels on average from what" in line


def test_exchanged_rows_and_columns_are_known_from_the_picture() -> None:
    picture = sunset(40, 40)
    (line,) = suspicions(to_layout(IMAGENET(picture), "BCHW", "BCWH"), IMAGENET, picture)
    assert line.startswith("suspected rows and columns exchanged: undone, x is 0.0 levels on average")
    wide = replace(IMAGENET, crop_hw=(20, 32))  # not square: exchanging would have changed the shape
    assert suspicions(wide(picture), wide, picture) == []


def test_another_resampling_of_the_same_picture_is_not_suspected(photos: list[Path]) -> None:
    recipe = RECIPES["imagenet"]
    for path in photos[::40]:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        assert suspicions(replace(recipe, interpolation="bicubic")(picture), recipe, picture) == []
        told = suspicions(recipe(picture[..., ::-1]), recipe, picture)
        if "hook" in path.name:  # a gray photo saved in color
            assert told == []
        else:
            assert told[0].startswith("suspected channels in reverse order, RGB for BGR")
        clip = replace(recipe, mean=CLIP_MEAN, std=CLIP_STD)
        assert suspicions(recipe(picture), clip)[0].startswith("suspected ImageNet's mean and std: ")


def test_bfloat16_is_too_coarse_to_tell() -> None:
    torch = import_peer("torch")
    x = torch.from_numpy(X.copy())
    assert suspicions(x.half()[:, [2, 1, 0]], IMAGENET)[0].startswith("suspected channels in reverse order")
    assert suspicions(x.bfloat16()[:, [2, 1, 0]], IMAGENET) == []


def test_the_pictures_must_be_as_many_as_the_inputs() -> None:
    with pytest.raises(ShapeError, match=r"makes \(2, 32, 32, 3\) of those given, x has \(1, 32, 32, 3\)"):
        suspicions(X, IMAGENET, [noise(40, 50)] * 2)
