"""The map from input pixels to picture pixels: by hand, against Pillow by perturbation, and as laws."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError
from photosite.prep.geometry import FILTER_SUPPORT, RESIZE_RULES, Geometry, resized_size, window_start
from photosite.prep.recipe import Recipe
from tests.peers import import_peer, import_torchvision

laws = settings(deadline=None, derandomize=True, max_examples=60)
sides = st.integers(1, 40)
sizes = st.tuples(sides, sides)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any resize rule and filter, with a crop or without, larger and smaller than the picture."""
    resize: Any = draw(st.sampled_from(RESIZE_RULES))
    size = draw(st.integers(1, 24))
    free = resize in ("squash", "cover", "contain")  # the sides may differ
    return Recipe(
        name="drawn",
        resize=resize,
        size_hw=None if resize == "none" else (size, draw(st.integers(1, 24)) if free else size),
        interpolation=draw(st.sampled_from(sorted(FILTER_SUPPORT))),
        crop_hw=draw(st.none() | st.tuples(st.integers(1, 24), st.integers(1, 24))),
        crop_rounding=draw(st.sampled_from(["round", "floor"])),
        pad_first=draw(st.sampled_from(["smaller", "larger"])),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )


def half() -> Geometry:
    """8 x 8 made into 4 x 4."""
    return Geometry((8, 8), (4, 4), (4, 4), (0, 0), "bilinear")


def test_a_picture_halved_by_hand() -> None:
    geometry = half()
    assert geometry.scale == (2, 2)
    assert geometry.offset == (0, 0)
    assert geometry.picture_box(1, 2, 2, 3) == (2, 4, 4, 6)
    assert geometry.crop_box == (0, 0, 8, 8)
    assert geometry.crop_shares == (0.0, 0.0, 1.0, 1.0)
    assert geometry.padding == (0, 0, 0, 0)
    assert geometry.support == (2, 2)  # the triangle's support of 1, widened twice: beyond the cell's half width of 1
    # center (1 + 1/2) * 2 = 3; pixels with centers within 2 of it: 1.5, 2.5, 3.5, 4.5
    assert geometry.reads(1, 1) == (1, 1, 5, 5)
    assert geometry.reads(0, 3) == (0, 5, 3, 8)


def test_imagenet_on_500_by_375_by_hand() -> None:
    # 375 becomes 256, 500 becomes int(341.33); the crop starts at round(117 / 2 = 58.5) = 58 and 32 / 2 = 16
    geometry = Geometry((500, 375), (341, 256), (224, 224), (58, 16), "bilinear")
    assert geometry.scale == (Fraction(500, 341), Fraction(375, 256))
    assert geometry.offset == (Fraction(500 * 58, 341), Fraction(375, 16))
    assert geometry.picture_point(0, 224) == (Fraction(29000, 341), Fraction(375 * 240, 256))
    assert geometry.crop_shares == (58 / 341, 16 / 256, 282 / 341, 240 / 256)


def test_padding_and_what_it_shows_by_hand() -> None:
    # a 2 x 4 picture as it is, in the middle of 5 x 3: one row above, two below; columns cropped
    geometry = Geometry((2, 4), (2, 4), (5, 3), (-1, 0), "bicubic")
    assert geometry.padding == (1, 0, 2, 0)
    assert geometry.picture_box(0, 0, 5, 3) == (-1, 0, 4, 3)
    assert geometry.crop_box == (0, 0, 2, 3)
    assert geometry.reads(0, 0) == (0, 0, 0, 0)
    assert geometry.reads(1, 2) == (0, 2, 1, 3)
    assert geometry.support == (Fraction(1, 2), Fraction(1, 2))  # no resizing, so no filter


def test_an_input_that_shows_nothing_of_the_picture() -> None:
    # 1 x 32 stands in row 15 of 32 x 32 (the smaller half of 31 first), and torchvision crops row round(15.5) = 16
    recipe = Recipe(
        name="slit",
        resize="longest",
        size_hw=(32, 32),
        crop_hw=(1, 1),
        interpolation="box",
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )
    geometry = recipe.geometry((1, 32))
    assert recipe(np.full((1, 32, 3), 255, np.uint8)).max() == 0
    assert geometry.padding == (0, 0, 1, 0)
    assert geometry.reads(0, 0) == (0, 0, 0, 0)
    assert geometry.crop_box == (1, 16, 1, 17)  # no height


@pytest.mark.parametrize("interpolation", sorted(FILTER_SUPPORT))
def test_support_is_the_filter_s_own_when_enlarging(interpolation: str) -> None:
    geometry = Geometry((4, 9), (8, 3), (8, 3), (0, 0), interpolation)
    own = FILTER_SUPPORT[interpolation]
    assert geometry.support == ((own, 3 * own) if own else (Fraction(1, 2), Fraction(1, 2)))


def test_window_by_hand() -> None:
    # (5 - 2) / 2 = 1.5 goes to the even 2, (3 - 2) / 2 = 0.5 to the even 0; padding of 3 is 1 before and 2 after
    assert [window_start(side, 2, "round") for side in (5, 3, 4)] == [2, 0, 1]
    assert [window_start(side, 2, "floor") for side in (5, 3, 4)] == [1, 0, 1]
    assert window_start(2, 5, "round") == window_start(2, 5, "floor") == -1
    # the larger half first is 2 before and 1 after; an even padding of 4 has no larger half
    assert window_start(2, 5, "round", "larger") == window_start(2, 5, "floor", "larger") == -2
    assert window_start(2, 6, "floor", "larger") == window_start(2, 6, "floor", "smaller") == -2
    assert window_start(5, 2, "floor", "larger") == 1  # nothing to pad


def test_cover_and_contain_by_hand() -> None:
    # 30 x 20 into 12 x 12: 20 becomes 12 and 30 becomes 18 to cover it, 30 becomes 12 and 20 becomes 8 to fit in
    assert resized_size("cover", (12, 12), (30, 20)) == (18, 12)
    assert resized_size("contain", (12, 12), (30, 20)) == (12, 8)
    assert resized_size("contain", (4, 9), (7, 4)) == (4, 2)  # 4 * 4 / 7 = 2.29
    # 5 x 2 into 4 x 4: 2 * 4 / 5 = 1.6 is rounded up to 2, where 'longest' rounds it down to 1
    assert resized_size("contain", (4, 4), (5, 2)) == (4, 2)
    assert resized_size("longest", (4, 4), (5, 2)) == (4, 1)
    assert resized_size("contain", (10, 10), (1, 1000)) == (1, 10)  # 0.01 would be no row at all


@given(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), st.tuples(st.integers(1, 1024), st.integers(1, 1024)))
@laws
def test_cover_and_contain_match_timm_s_resize_keep_ratio(
    picture_hw: tuple[int, int], size_hw: tuple[int, int]
) -> None:
    import_torchvision()
    keep_ratio = import_peer("timm.data.transforms").ResizeKeepRatio
    image = Image.new("L", picture_hw[::-1])
    for rule, longest in (("cover", 0.0), ("contain", 1.0)):
        peer = keep_ratio.get_params(image, size_hw, longest)
        assert list(resized_size(rule, size_hw, picture_hw)) == [max(side, 1) for side in peer]
    covered, contained = (resized_size(rule, size_hw, picture_hw) for rule in ("cover", "contain"))
    assert covered[0] >= size_hw[0]
    assert covered[1] >= size_hw[1]
    assert contained[0] <= size_hw[0]
    assert contained[1] <= size_hw[1]


@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(["smaller", "larger"]))
@laws
def test_windows_match_transformers_center_crop(side: int, window: int, pad_first: str) -> None:
    center_crop = import_peer("transformers.image_transforms").center_crop
    ramp = np.arange(1, side + 1, dtype=np.int32).reshape(1, 1, side)
    cropped = center_crop(ramp, (1, window), input_data_format="channels_first")[0, 0]
    start = window_start(side, window, "floor", "larger")
    expected = [index + 1 if 0 <= index < side else 0 for index in range(start, start + window)]
    assert cropped.tolist() == expected
    other = window_start(side, window, "floor", pad_first)
    assert other - start == (1 if pad_first == "smaller" and window > side and (window - side) % 2 else 0)


@given(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), st.integers(1, 1024))
@laws
def test_resized_size_matches_torchvision(picture_hw: tuple[int, int], size: int) -> None:
    peer = import_torchvision().transforms.functional._compute_resized_output_size
    assert list(resized_size("shortest", (size, size), picture_hw)) == peer(picture_hw, [size])
    longest = peer(picture_hw, None, max_size=size, allow_size_none=True)
    assert list(resized_size("longest", (size, size), picture_hw)) == [max(side, 1) for side in longest]


@given(st.integers(1, 5000), st.integers(1, 5000))
@laws
def test_rounding_matches_python_s_round_of_a_float(side: int, window: int) -> None:
    # torchvision: int(round((side - window) / 2.0))
    assert window_start(max(side, window), min(side, window), "round") == round(abs(side - window) / 2.0)


@given(recipes(), sizes, st.tuples(st.fractions(), st.fractions()))
@laws
def test_points_come_back(recipe: Recipe, picture_hw: tuple[int, int], point: tuple[Fraction, Fraction]) -> None:
    geometry = recipe.geometry(picture_hw)
    assert geometry.input_point(*geometry.picture_point(*point)) == point
    assert geometry.picture_point(*geometry.input_point(*point)) == point


@given(recipes(), sizes)
@laws
def test_boxes_of_pixels_tile_the_crop(recipe: Recipe, picture_hw: tuple[int, int]) -> None:
    geometry = recipe.geometry(picture_hw)
    height, width = geometry.input_hw
    rows = [geometry.clipped_box(row, 0, row + 1, width) for row in range(height)]
    columns = [geometry.clipped_box(0, column, height, column + 1) for column in range(width)]
    assert all(above[2] == below[0] for above, below in pairwise(rows))
    assert all(left[3] == right[1] for left, right in pairwise(columns))
    top, left, bottom, right = geometry.crop_box
    assert (rows[0][0], columns[0][1], rows[-1][2], columns[-1][3]) == (top, left, bottom, right)
    assert 0 <= top <= bottom <= picture_hw[0]
    assert 0 <= left <= right <= picture_hw[1]
    assert all(0 <= share <= 1 for share in geometry.crop_shares)


@given(recipes(), sizes)
@laws
def test_geometry_says_the_size_and_the_padding_that_the_input_has(recipe: Recipe, picture_hw: tuple[int, int]) -> None:
    geometry = recipe.geometry(picture_hw)
    # every filter leaves white white, so what is black is padding
    x = recipe(np.full((*picture_hw, 3), 255, np.uint8))[0, 0]
    assert x.shape == geometry.input_hw
    top, left, bottom, right = geometry.padding
    expected = np.ones(geometry.input_hw, np.float32)
    expected[:top] = expected[:, :left] = 0
    expected[geometry.input_hw[0] - bottom :] = expected[:, geometry.input_hw[1] - right :] = 0
    np.testing.assert_array_equal(x, expected)
    assert recipe.input_hw in (None, geometry.input_hw)


@given(recipes(), sizes, st.data())
@laws
def test_nothing_outside_the_box_changes_a_pixel(
    recipe: Recipe, picture_hw: tuple[int, int], data: st.DataObject
) -> None:
    geometry = recipe.geometry(picture_hw)
    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (*picture_hw, 3), np.uint8)
    row, column = (data.draw(st.integers(0, side - 1)) for side in geometry.input_hw)
    top, left, bottom, right = geometry.reads(row, column)
    other = 255 - picture
    other[top:bottom, left:right] = picture[top:bottom, left:right]
    np.testing.assert_array_equal(recipe(picture)[0, :, row, column], recipe(other)[0, :, row, column])


@given(recipes(), sizes, st.data())
@laws
def test_a_changed_picture_pixel_changes_only_pixels_that_read_it(
    recipe: Recipe, picture_hw: tuple[int, int], data: st.DataObject
) -> None:
    geometry = recipe.geometry(picture_hw)
    y, x = (data.draw(st.integers(0, side - 1)) for side in picture_hw)
    black = np.zeros((*picture_hw, 3), np.uint8)
    dot = black.copy()
    dot[y, x] = 255
    changed = np.argwhere((recipe(black) != recipe(dot))[0].any(axis=0))
    for row, column in changed:
        top, left, bottom, right = geometry.reads(int(row), int(column))
        assert top <= y < bottom
        assert left <= x < right


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear"])
@pytest.mark.parametrize(("side", "resized"), [(8, 4), (5, 8)])
def test_the_box_is_exactly_what_has_a_say(interpolation: Any, side: int, resized: int) -> None:
    # at these sizes centers lie sixteenths apart and never on a filter's end, so no weight in the box is near 0
    recipe = Recipe(
        name="a",
        resize="squash",
        size_hw=(resized, resized),
        interpolation=interpolation,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )
    geometry = recipe.geometry((side, side))
    black = np.zeros((side, side, 3), np.uint8)
    told = np.zeros((resized, resized, side, side), bool)
    for row, column in np.ndindex(resized, resized):
        top, left, bottom, right = geometry.reads(row, column)
        told[row, column, top:bottom, left:right] = True
    seen = np.zeros_like(told)
    for y, x in np.ndindex(side, side):
        dot = black.copy()
        dot[y, x] = 255
        seen[:, :, y, x] = recipe(dot)[0, 0] != 0
    np.testing.assert_array_equal(seen, told)


@given(st.integers(1, 3000), st.integers(1, 600))
@laws
def test_nearest_picks_the_pixel_that_pillow_picks(side: int, resized: int) -> None:
    ramp = Image.fromarray(np.arange(side, dtype=np.int32)[None])
    picked = np.asarray(ramp.resize((resized, 1), Image.Resampling.NEAREST))[0]
    geometry = Geometry((1, side), (1, resized), (1, resized), (0, 0), "nearest")
    assert [geometry.reads(0, column)[1] for column in range(resized)] == picked.tolist()


@given(recipes(), sizes, st.data())
@laws
def test_what_is_read_lies_within_the_support(recipe: Recipe, picture_hw: tuple[int, int], data: st.DataObject) -> None:
    geometry = recipe.geometry(picture_hw)
    row, column = (data.draw(st.integers(0, side - 1)) for side in geometry.input_hw)
    top, left, bottom, right = geometry.reads(row, column)
    if top < bottom:
        y, x = geometry.picture_point(row + Fraction(1, 2), column + Fraction(1, 2))
        near = Fraction(1, 2) + Fraction(1, 10**9)  # a pixel's half width; Pillow's own rounding when adding up floats
        assert y - geometry.support[0] - near <= top < bottom <= y + geometry.support[0] + near
        assert x - geometry.support[1] - near <= left < right <= x + geometry.support[1] + near


def test_numpy_numbers_are_exact() -> None:
    huge = Geometry((2**40, 2**40), (3, 3), (3, 3), (0, 0), "box")
    assert huge.picture_point(np.int64(2**40), np.float32(0.5)) == (Fraction(2**80, 3), Fraction(2**39, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: half().reads(4, 0), r"reads: wants a row from 0 to 3, got 4; input \(4, 4\)"),
        (lambda: half().reads(0, -1), r"reads: wants a column from 0 to 3, got -1; input \(4, 4\)"),
        (
            lambda: half().picture_box(2, 0, 1, 4),
            r"picture_box: wants top <= bottom and left <= right, got \(2, 0, 1, 4\)",
        ),
        (lambda: half().picture_point(float("nan"), 0), "geometry: wants finite coordinates, got nan"),
        (lambda: Geometry((0, 3), (1, 1), (1, 1), (0, 0), "box"), "both sides must be at least 1, got 0 x 3"),
    ],
)
def test_errors(call: Any, words: str) -> None:
    with pytest.raises(RangeError, match=words):
        call()
