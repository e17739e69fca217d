"""What every conversion takes and refuses, as one table; and the limits of channels, held to the sRGB cube."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from photosite import color
from photosite.color.values import CHANNELS, FARTHEST, HAS_LEVELS, as_colors
from photosite.errors import RangeError, ShapeError
from tests.color.cases import LATTICE

Function = Callable[[Any], npt.NDArray[Any]]

FROM: list[tuple[Function, str]] = [
    (color.srgb_to_linear, "rgb"),
    (color.linear_to_srgb, "linear_rgb"),
    (color.linear_rgb_to_xyz, "linear_rgb"),
    (color.xyz_to_linear_rgb, "xyz"),
    (color.xyz_to_lab, "xyz"),
    (color.lab_to_xyz, "lab"),
    (color.rgb_to_lab, "rgb"),
    (color.lab_to_rgb, "lab"),
    (color.rgb_to_hsv, "rgb"),
    (color.hsv_to_rgb, "hsv"),
    (color.rgb_to_ycbcr, "rgb"),
    (color.ycbcr_to_rgb, "ycbcr"),
    (color.rgb_to_studio_ycbcr, "rgb"),
    (color.studio_ycbcr_to_rgb, "studio_ycbcr"),
    (color.ycbcr_to_levels, "ycbcr"),
    (color.in_gamut, "rgb"),
    (color.rgb_to_levels, "rgb"),
]
"""Every function of one array of colors, and the space that it takes."""
ANY_SHAPE = (color.srgb_to_linear, color.linear_to_srgb, color.rgb_to_levels)


def each(rows: list[tuple[Function, str]]) -> pytest.MarkDecorator:
    """One test for each row of the table, called by the function's name."""
    return pytest.mark.parametrize(("function", "space"), rows, ids=[function.__name__ for function, _ in rows])


each_function = each(FROM)
each_function_of_colors = each([row for row in FROM if row[0] not in ANY_SHAPE])
each_function_of_rgb = each([row for row in FROM if row[1] == "rgb"])
laws = settings(deadline=None, derandomize=True, max_examples=12)


def some_colors(space: str, shape: tuple[int, ...] = (5, 4, 3)) -> npt.NDArray[np.float64]:
    """Colors of a space that an sRGB picture can have."""
    low, high = (np.array([channel[k] for channel in CHANNELS[space]]) for k in (1, 2))
    return low + (high - low) * np.random.default_rng(7).random(shape)


def test_by_hand() -> None:
    assert as_colors(np.array([[0, 51, 255]], np.uint8), "who", "rgb").tolist() == [[0, 0.2, 1]]
    floats = np.array([0.5, -2, 3], np.float32)
    assert as_colors(floats, "who", "rgb") is floats


def test_every_function_of_colors_is_in_the_table() -> None:
    of_pairs_or_pictures = {"ciede2000", "delta_e76", "subsample_chroma", "upsample_chroma", "rgb_through_subsampling"}
    others = {*of_pairs_or_pictures, "levels_to_ycbcr", "CHANNELS", "Channel"}
    assert {function.__name__ for function, _ in FROM} == set(color.__all__) - others


@each_function
@given(shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
@laws
def test_any_leading_shape_and_each_color_on_its_own(function: Function, space: str, shape: tuple[int, ...]) -> None:
    colors = some_colors(space, (*shape, 3))
    result = function(colors)
    assert result.shape == (shape if function is color.in_gamut else colors.shape)
    for index in np.ndindex(shape):
        # one unit in the last place: BLAS may sum a single color in another order
        np.testing.assert_allclose(function(colors[index]), result[index], rtol=1e-14, atol=1e-13)


@each_function
def test_float32_stays_float32_and_float64_float64(function: Function, space: str) -> None:
    kept = function not in (color.in_gamut, color.rgb_to_levels, color.ycbcr_to_levels)
    for dtype in (np.float32, np.float64):
        assert (function(some_colors(space).astype(dtype)).dtype == dtype) is kept


@each_function
def test_the_input_stays_as_it_was_and_may_be_any_view(function: Function, space: str) -> None:
    colors = some_colors(space, (8, 6, 3))
    before = colors.copy()
    view = colors[::-2, 1:]
    view.setflags(write=False)
    result = function(view)
    np.testing.assert_allclose(result, function(np.ascontiguousarray(view)), rtol=1e-14, atol=1e-13)
    if result.dtype == colors.dtype and result.base is None:
        result[:] = 0
    np.testing.assert_array_equal(colors, before)


@each_function_of_rgb
def test_levels_are_floats_divided_by_255(function: Function, space: str) -> None:
    np.testing.assert_array_equal(function(LATTICE), function(LATTICE / 255))


@each_function
@given(data=st.data())
@laws
def test_no_number_in_range_gives_a_nan_or_a_warning(function: Function, space: str, data: st.DataObject) -> None:
    farthest = FARTHEST.get(space, 1e9)
    low, high = (0, 1) if function is color.rgb_to_hsv else (-farthest, farthest)
    width = data.draw(st.sampled_from([32, 64]))
    colors = data.draw(
        arrays.arrays(np.float32 if width == 32 else np.float64, (2, 3), elements=st.floats(low, high, width=width))
    )
    if space == "hsv":
        colors[:, 1:] = np.abs(colors[:, 1:]) / farthest
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(function(colors)).all()


@each_function
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(function: Function, space: str, bad: float) -> None:
    colors = some_colors(space)
    colors[1, 2, 0] = bad
    with pytest.raises(RangeError, match=rf"^{function.__name__}: wants finite numbers, 1 of 60 are not$"):
        function(colors)


@each_function
def test_other_dtypes_are_refused_with_what_to_do(function: Function, space: str) -> None:
    wanted = "uint8, float32 or float64" if space in HAS_LEVELS else "float32 or float64"
    for dtype in (np.int64, np.uint16, np.bool_, np.float16, np.complex128):
        advice = "by .astype" if not (np.dtype(dtype).kind in "iu" and space in HAS_LEVELS) else "levels 0 … 255 by"
        words = rf"^{function.__name__}: wants {wanted}, got {np.dtype(dtype)} \(2, 3\); {advice}"
        with pytest.raises(RangeError, match=words):
            function(np.ones((2, 3), dtype))


def test_levels_are_refused_where_a_space_has_none() -> None:
    with pytest.raises(RangeError, match=r"got uint8 \(4096, 3\); a uint8 picture is encoded, srgb_to_linear comes"):
        color.linear_rgb_to_xyz(LATTICE)
    with pytest.raises(RangeError, match=r"^lab_to_rgb: wants float32 or float64, got uint8 .* lab has no customary"):
        color.lab_to_rgb(LATTICE)


@each_function_of_colors
def test_other_shapes_are_refused(function: Function, space: str) -> None:
    for shape in ((), (4,), (2, 5, 1), (2, 5, 4), (3, 5, 6)):
        words = rf"^{function.__name__}: wants channels last, \(\.\.\., 3\), got {re.escape(str(shape))}"
        with pytest.raises(ShapeError, match=words):
            function(np.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((6, 5), r"np\.stack\(\[gray\] \* 3, axis=-1\)"),
        ((6, 5, 1), r"np\.repeat\(gray, 3, axis=-1\)"),
        ((6, 5, 4), r"without alpha it is x\[\.\.\., :3\]"),
        ((2, 3, 6, 5), r"np\.moveaxis\(x, -3, -1\)"),
    ],
)
def test_the_advice_about_a_shape_works(shape: tuple[int, ...], advice: str) -> None:
    gray = x = np.zeros(shape, np.uint8)
    with pytest.raises(ShapeError, match=rf"got \({', '.join(map(str, shape))}\); .*{advice}") as caught:
        color.rgb_to_lab(x)
    code = str(caught.value).split(" by ")[-1].split(" is ")[-1].split("first: ")[-1]
    mended = eval(code, {"np": np, "gray": gray, "x": x})
    assert color.rgb_to_lab(mended).shape == mended.shape


def test_levels_cast_to_float_are_noticed() -> None:
    with pytest.raises(RangeError, match=r"^rgb_to_lab: wants rgb in -100 … 100, got 0 … 255 .* divided by 255$"):
        color.rgb_to_lab(LATTICE.astype(np.float32))
    with pytest.raises(RangeError, match=r"^rgb_to_hsv: wants rgb in 0 … 1, got -0.2 … 1 \(3,\); np.clip cuts"):
        color.rgb_to_hsv([-0.2, 0.5, 1.0])


@pytest.mark.parametrize("space", [space for space in CHANNELS if space != "hsv"])
def test_channel_limits_are_those_of_the_srgb_cube(space: str) -> None:
    convert: dict[str, Function] = {
        "rgb": lambda levels: levels / 255,
        "linear_rgb": color.srgb_to_linear,
        "xyz": lambda levels: color.linear_rgb_to_xyz(color.srgb_to_linear(levels)),
        "lab": color.rgb_to_lab,
        "ycbcr": color.rgb_to_ycbcr,
        "studio_ycbcr": color.rgb_to_studio_ycbcr,
    }
    colors = convert[space](LATTICE)  # each channel has its extremes in corners of the cube
    for k, channel in enumerate(CHANNELS[space]):
        # written with one decimal for Lab, four for XYZ, rounded outward
        rounding = {"lab": 0.1, "xyz": 1e-4}.get(space, 1e-12)
        assert channel.low - 1e-12 <= colors[:, k].min() < channel.low + rounding + 1e-12
        assert channel.high - rounding - 1e-12 < colors[:, k].max() <= channel.high + 1e-12
