"""Recipes against torchvision bit for bit, stage by stage, there and back, and what they refuse."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import PhotositeError, RangeError, ShapeError, UnknownNameError
from photosite.prep.recipe import MAX_PIXELS, Recipe
from photosite.prep.recipes import RECIPES
from tests.peers import import_torchvision

IMAGENET = RECIPES["imagenet"]
PLAIN = Recipe(name="plain", resize="none", size_hw=None, interpolation="box", mean=(0, 0, 0), std=(1, 1, 1), scale=1)
laws = settings(deadline=None, derandomize=True, max_examples=40)


def noise(height: int, width: int, seed: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def photo(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def by_torchvision(recipe: Recipe, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The same chain of torchvision's own steps, on a PIL image."""
    transforms = import_torchvision().transforms
    mode = transforms.InterpolationMode(recipe.interpolation)
    steps = [transforms.ToTensor(), transforms.Normalize(recipe.mean, recipe.std)]
    if recipe.crop_hw is not None:
        steps.insert(0, transforms.CenterCrop(recipe.crop_hw))
    if recipe.size_hw is not None:
        size = recipe.size_hw[0] if recipe.resize == "shortest" else recipe.size_hw
        steps.insert(0, transforms.Resize(size, interpolation=mode))
    x: npt.NDArray[np.float32] = transforms.Compose(steps)(Image.fromarray(picture))[None].numpy()
    return x


# ------------------------------------------------------------------------------------------------------------ by hand


def test_a_crop_by_hand() -> None:
    # 5 x 5 numbered in reading order; (5 - 2) / 2 = 1.5 goes to 2 (half to even) or down to 1
    picture = np.repeat(np.arange(25, dtype=np.uint8).reshape(5, 5, 1), 3, axis=2)
    rounded = replace(PLAIN, crop_hw=(2, 2))
    assert rounded(picture)[0, 0].tolist() == [[12, 13], [17, 18]]
    assert replace(rounded, crop_rounding="floor")(picture)[0, 0].tolist() == [[6, 7], [11, 12]]


def test_padding_by_hand() -> None:
    # 1 x 2 in the middle of 2 x 3: the smaller half of the padding comes first, so none above and none to the left
    picture = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    padded = replace(PLAIN, crop_hw=(2, 3), pad_color=(7, 8, 9))
    assert padded(picture)[0].tolist() == [[[1, 4, 7], [7, 7, 7]], [[2, 5, 8], [8, 8, 8]], [[3, 6, 9], [9, 9, 9]]]


def test_longest_by_hand() -> None:
    # 4 x 2 becomes 2 x 1 and stands in a 2 x 2 square, the pad column after it
    picture = np.full((4, 2, 3), 50, np.uint8)
    boxed = replace(PLAIN, resize="longest", size_hw=(2, 2), pad_color=(9, 9, 9))
    assert boxed.resized(picture)[..., 0].tolist() == [[50, 9], [50, 9]]
    assert boxed.geometry((4, 2)).padding == (0, 0, 0, 1)


def test_the_larger_half_of_padding_first_by_hand() -> None:
    # 1 x 2 in 4 x 5: three rows are added, two of them above, and three columns, two of them on the left
    picture = np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)
    padded = replace(PLAIN, crop_hw=(4, 5), pad_color=(9, 9, 9))
    assert padded(picture)[0, 0].tolist() == [[9] * 5, [9, 1, 2, 9, 9], [9] * 5, [9] * 5]
    larger = replace(padded, pad_first="larger")
    assert larger(picture)[0, 0].tolist() == [[9] * 5, [9] * 5, [9, 9, 1, 2, 9], [9] * 5]
    assert larger.geometry((1, 2)).padding == (2, 2, 1, 1)
    boxed = replace(PLAIN, resize="longest", size_hw=(2, 2), pad_color=(9, 9, 9), pad_first="larger")
    assert boxed.resized(np.full((4, 2, 3), 50, np.uint8))[..., 0].tolist() == [[9, 50], [9, 50]]


def test_cover_and_contain_by_hand() -> None:
    picture = np.full((4, 2, 3), 50, np.uint8)
    cover = replace(PLAIN, resize="cover", size_hw=(2, 4), crop_hw=(2, 4))
    assert cover.resized(picture).shape == (8, 4, 3)  # 2 columns become 4
    assert cover(picture)[0, 0].tolist() == [[50] * 4] * 2
    contain = replace(cover, resize="contain", pad_color=(9, 9, 9))
    assert contain.resized(picture).shape == (2, 1, 3)  # 4 rows become 2, and nothing is padded yet
    assert contain(picture)[0, 0].tolist() == [[9, 50, 9, 9]] * 2
    assert (cover.input_hw, replace(cover, crop_hw=None).input_hw) == ((2, 4), None)


def test_channel_order_and_layout_by_hand() -> None:
    picture = np.array([[[10, 20, 30]]], np.uint8)
    recipe = replace(PLAIN, channel_order="BGR", layout="BHWC", mean=(1, 2, 3), std=(1, 2, 1))
    x = recipe(picture)
    assert x.shape == (1, 1, 1, 3)
    assert x.ravel().tolist() == [30 - 1, (20 - 2) / 2, 10 - 3]  # mean and std in the order of the input's channels
    assert recipe.undo(x).tolist() == [picture.tolist()]
    assert recipe.undo(x[0]).tolist() == picture.tolist()
    assert replace(recipe, layout="BCHW")(picture).shape == (1, 3, 1, 1)


# -------------------------------------------------------------------------------------------------------------- peers


def test_levels_divided_by_255_are_torch_s_own() -> None:
    # ToTensor divides in float32; we multiply by 1/255 in float64 and round once
    levels = np.arange(256, dtype=np.uint8)
    picture = np.repeat(levels[None, :, None], 3, axis=2)
    x = replace(PLAIN, scale=1 / 255)(picture)[0, 0, 0]
    np.testing.assert_array_equal(x, levels.astype(np.float32) / np.float32(255))


def test_equals_torchvision_on_photos(photos: list[Path]) -> None:
    by_size = sorted(photos, key=lambda path: path.stat().st_size)
    for path in [*by_size[:4], *by_size[4:-2:12], *by_size[-2:]]:
        picture = photo(path)
        np.testing.assert_array_equal(IMAGENET(picture), by_torchvision(IMAGENET, picture), err_msg=path.name)


def test_equals_torchvision_on_gray_photos(photos: list[Path]) -> None:
    gray = [path for path in photos if Image.open(path).mode == "L"]
    for path in gray:
        np.testing.assert_array_equal(IMAGENET(photo(path)), by_torchvision(IMAGENET, photo(path)), err_msg=path.name)
    assert len(gray) == 3
    picture = np.asarray(Image.fromarray(photo(photos[0])).convert("L").convert("RGB"))
    np.testing.assert_array_equal(IMAGENET(picture), by_torchvision(IMAGENET, picture))


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 60), (60, 1), (2, 3), (31, 32), (224, 256), (256, 256), (257, 300)])
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_equals_torchvision_on_tiny_pictures(name: str, size_hw: tuple[int, int]) -> None:
    picture = noise(*size_hw)
    np.testing.assert_array_equal(RECIPES[name](picture), by_torchvision(RECIPES[name], picture))


@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.integers(1, 64),
    st.none() | st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.sampled_from(["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]),
    st.sampled_from(["shortest", "squash", "none"]),
)
@laws
def test_equals_torchvision_on_drawn_sizes(
    size_hw: tuple[int, int], size: int, crop_hw: tuple[int, int] | None, interpolation: Any, resize: Any
) -> None:
    recipe = replace(
        IMAGENET,
        resize=resize,
        size_hw=None if resize == "none" else (size, size),
        crop_hw=crop_hw,
        interpolation=interpolation,
    )
    picture = noise(*size_hw)
    np.testing.assert_array_equal(recipe(picture), by_torchvision(recipe, picture))


@given(st.tuples(st.integers(1, 200), st.integers(1, 200)), st.integers(1, 64))
@laws
def test_longest_equals_torchvision_s_resize_and_crop(size_hw: tuple[int, int], size: int) -> None:
    torchvision = import_torchvision()
    image = Image.fromarray(noise(*size_hw))
    functional = torchvision.transforms.functional
    resized_hw = functional._compute_resized_output_size(size_hw, None, max_size=size, allow_size_none=True)
    peer = functional.center_crop(functional.resize(image, [max(side, 1) for side in resized_hw]), [size, size])
    recipe = replace(IMAGENET, resize="longest", size_hw=(size, size), crop_hw=None)
    np.testing.assert_array_equal(recipe.resized(noise(*size_hw)), np.asarray(peer))


# --------------------------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_calling_is_the_composition_of_the_stages(name: str) -> None:
    recipe, picture = RECIPES[name], noise(70, 91)
    x = recipe(picture)
    np.testing.assert_array_equal(x, recipe.normalized(recipe.cropped(recipe.resized(picture))))
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert x.shape == (1, 3, *recipe.geometry((70, 91)).input_hw)


def test_a_list_gives_a_batch() -> None:
    pictures = [noise(40, 50, 1), noise(33, 90, 2), noise(10, 10, 3)]
    x = RECIPES["cifar10"](pictures)
    np.testing.assert_array_equal(x, np.concatenate([RECIPES["cifar10"](picture) for picture in pictures]))
    np.testing.assert_array_equal(RECIPES["cifar10"](tuple(pictures)), x)
    bhwc = replace(RECIPES["cifar10"], layout="BHWC")(pictures)
    assert bhwc.flags.c_contiguous
    np.testing.assert_array_equal(bhwc.transpose(0, 3, 1, 2), x)


@pytest.mark.parametrize("crop_hw", [None, (6, 8)])
def test_stages_are_copies_and_the_picture_stays_as_it_was(crop_hw: tuple[int, int] | None) -> None:
    picture = noise(6, 8)
    before = picture.copy()
    recipe = replace(PLAIN, crop_hw=crop_hw)
    recipe.resized(picture)[:] = 0
    recipe.cropped(picture)[:] = 0
    recipe(picture)[:] = 0
    np.testing.assert_array_equal(picture, before)


def test_views_and_read_only_pictures_are_fine() -> None:
    picture = noise(80, 60)
    flipped = picture[::-1, ::-1][:, :50]
    np.testing.assert_array_equal(IMAGENET(flipped), IMAGENET(np.ascontiguousarray(flipped)))
    expected = IMAGENET(picture)
    picture.setflags(write=False)
    np.testing.assert_array_equal(IMAGENET(picture), expected)


@given(
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.tuples(*[st.floats(0.001, 300)] * 3),
    st.sampled_from([1.0, 1 / 255, 1 / 127.5, 0.5]),
    st.sampled_from(["RGB", "BGR"]),
    st.sampled_from(["BCHW", "BHWC"]),
)
@laws
def test_undo_gives_every_level_back(mean: Any, std: Any, scale: float, order: Any, layout: Any) -> None:
    recipe = replace(PLAIN, mean=mean, std=std, scale=scale, channel_order=order, layout=layout)
    picture = np.stack([np.arange(256), np.arange(256)[::-1], np.roll(np.arange(256), 99)], -1).astype(np.uint8)[None]
    back = recipe.undo(recipe(picture))
    assert back.dtype == np.uint8
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, picture[None])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_undo_gives_the_crop_back(name: str) -> None:
    crop = RECIPES[name].cropped(RECIPES[name].resized(noise(300, 333)))
    np.testing.assert_array_equal(RECIPES[name].undo(RECIPES[name].normalized(crop)), crop[None])
    np.testing.assert_array_equal(RECIPES[name].undo(RECIPES[name].normalized(crop)[0].astype(np.float64)), crop)


def test_undo_clips() -> None:
    x = np.array([-1e30, 1e30, 0], np.float32).reshape(3, 1, 1)
    assert IMAGENET.undo(x).tolist() == [[[0, 255, round(0.406 * 255)]]]


def test_at_keeps_the_ratio() -> None:
    larger = IMAGENET.at(448)
    assert (larger.size_hw, larger.crop_hw, larger.name) == ((512, 512), (448, 448), "imagenet@448")
    assert larger.at(224) == replace(IMAGENET, name="imagenet@224")
    assert IMAGENET.at(224) is IMAGENET
    assert IMAGENET.at(225).size_hw == (257, 257)  # 256 * 225 / 224 = 257.14
    wide = replace(PLAIN, resize="squash", size_hw=(100, 201)).at(50)
    assert (wide.size_hw, wide.input_hw) == ((50, 101), (50, 101))  # 100.5 is rounded up
    assert IMAGENET.at(1).crop_hw == (1, 1)
    picture = noise(50, 60)
    np.testing.assert_array_equal(IMAGENET.at(32)(picture), by_torchvision(IMAGENET.at(32), picture))


def test_input_hw_is_none_where_the_picture_decides() -> None:
    assert IMAGENET.input_hw == (224, 224)
    assert PLAIN.input_hw is None
    assert replace(IMAGENET, crop_hw=None).input_hw is None
    assert replace(IMAGENET, crop_hw=None, resize="longest").input_hw == (256, 256)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), PLAIN, IMAGENET.at(448)], ids=lambda recipe: recipe.name)
def test_dict_and_back(recipe: Recipe) -> None:
    told = recipe.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert Recipe.from_dict(told) == recipe
    assert hash(Recipe.from_dict(told)) == hash(recipe)
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_explain() -> None:
    assert IMAGENET.explain() == [
        "resize: the shorter side to 256, the longer in proportion, rounded down; bilinear, antialiased as Pillow does",
        "crop: the center 224 × 224, half pixels rounded half to even; (0, 0, 0) where the picture is smaller",
        "scale: levels 0 … 255 times 1/255",
        "normalize: subtract mean (0.485, 0.456, 0.406), divide by std (0.229, 0.224, 0.225), channels R, G, B",
        "layout: BCHW, float32, RGB",
        "source: torchvision's transforms of ResNet50_Weights.IMAGENET1K_V1 (resize_size=256, crop_size=224)",
    ]
    assert PLAIN.explain()[:3] == [
        "resize: none, pixels stay as they are",
        "crop: none",
        "scale: levels 0 … 255 times 1",
    ]
    longest = replace(IMAGENET, resize="longest", interpolation="nearest", crop_rounding="floor", source="")
    assert longest.explain()[0].endswith("rounded down; nearest; then pad to 256 × 256 with (0, 0, 0)")
    assert "rounded down" in longest.explain()[1]
    assert longest.explain()[-1] == "source: not stated"
    assert "256 × 256, proportions not kept" in replace(IMAGENET, resize="squash").explain()[0]
    assert (
        replace(IMAGENET, resize="cover").explain()[0].startswith("resize: in proportion, as small as covers 256 × 256")
    )
    assert (
        replace(IMAGENET, resize="contain").explain()[0].startswith("resize: in proportion, as large as fits into 256")
    )
    larger = replace(longest, pad_first="larger").explain()
    assert larger[0].endswith("then pad to 256 × 256 with (0, 0, 0), the larger half first")
    assert larger[1].endswith("(0, 0, 0) where the picture is smaller, the larger half first")


# ------------------------------------------------------------------------------------------------------------- errors

CHANNELS_FIRST = np.zeros((3, 8, 9), np.uint8)


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        (CHANNELS_FIRST, ShapeError, r"\(H, W, 3\) uint8, got \(3, 8, 9\) uint8; channels go last: picture.transpose"),
        (np.zeros((8, 9), np.uint8), ShapeError, r"wants a picture \(H, W, 3\) uint8, got \(8, 9\) uint8"),
        (np.zeros((8, 9, 4), np.uint8), ShapeError, r"got \(8, 9, 4\) uint8"),
        (np.zeros((2, 8, 9, 3), np.uint8), ShapeError, r"got \(2, 8, 9, 3\) uint8; pass several pictures as a list"),
        (np.zeros((0, 9, 3), np.uint8), ShapeError, r"got \(0, 9, 3\) uint8"),
        (np.full((8, 9, 3), 0.5), RangeError, r"levels 0 … 255, got \(8, 9, 3\) float64 from 0.5 to 0.5"),
        (np.full((8, 9, 3), 300), RangeError, r"got \(8, 9, 3\) int64 from 300 to 300"),
        (np.zeros((8, 9, 3), bool), RangeError, r"got \(8, 9, 3\) bool"),
        ([], ShapeError, "wants at least one picture, got an empty list"),
        ("photo.jpg", ShapeError, "got str; open files with photosite.prep.load"),
        (Image.new("RGB", (8, 8)), ShapeError, "got Image; open files with photosite.prep.load"),
        ([np.zeros((8, 8, 3), np.uint8), None], ShapeError, "got NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(picture: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        IMAGENET(picture)
    assert "\n" not in str(caught.value)
    if isinstance(picture, np.ndarray):
        for stage in (IMAGENET.resized, IMAGENET.cropped, IMAGENET.normalized):
            with pytest.raises(error, match=words):
                stage(picture)


def test_inputs_of_two_sizes_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"3 × 4 × 5 from picture 0 \(4 × 5 × 3\) and 3 × 4 × 6 from picture 1 \(4 × 6 × 3\)"
    ):
        PLAIN([noise(4, 5), noise(4, 6)])


def test_a_line_of_pixels_is_not_blown_up() -> None:
    line = np.zeros((1, 65_535, 3), np.uint8)
    with pytest.raises(RangeError, match=f"at most {MAX_PIXELS} pixels, 1 × 65535 would become 256 × 16776960"):
        IMAGENET(line)
    assert IMAGENET.at(1)(line).shape == (1, 3, 1, 1)


def test_from_dict_names_the_fields_that_are_wrong() -> None:
    with pytest.raises(UnknownNameError, match="no recipe field named 'interpolate'; did you mean interpolation"):
        Recipe.from_dict(IMAGENET.to_dict() | {"interpolate": "box"})
    with pytest.raises(RangeError, match=r"from_dict wants resize, .*, mean, std as well, got name$"):
        Recipe.from_dict({"name": "x"})


@pytest.mark.parametrize("size", [0, -5, 16_385, 2.5, "448", True, 15_000])
def test_at_refuses_sizes(size: Any) -> None:
    with pytest.raises(RangeError):  # 15000 is one, but its resize of 17143 is not
        IMAGENET.at(size)


def test_at_needs_a_size_of_its_own() -> None:
    with pytest.raises(RangeError, match="recipe 'plain': at wants a recipe with a size"):
        PLAIN.at(32)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (
            np.zeros((1, 8, 8, 3), np.float32),
            ShapeError,
            r"undo wants \(B, 3, H, W\), with or without B, got \(1, 8, 8, 3\)",
        ),
        (np.zeros((8, 8), np.float32), ShapeError, r"got \(8, 8\)"),
        (np.zeros((3, 8, 8), np.uint8), RangeError, r"undo wants floating point, got uint8 \(3, 8, 8\)"),
        (np.full((3, 2, 2), np.nan), RangeError, "undo wants finite numbers, 12 of 12 are not"),
    ],
)
def test_undo_refuses(x: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        IMAGENET.undo(x)


def test_geometry_refuses_a_picture_without_pixels() -> None:
    with pytest.raises(PhotositeError, match="recipe 'imagenet': wants a picture of at least 1 × 1, got 0 × 5"):
        IMAGENET.geometry((0, 5))
