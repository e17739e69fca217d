"""The steps from a file's bytes to a network's input."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from PIL import Image

from photosite.prep.recipes import get_recipe
from photosite.trace.light import follow_light, shown, statistics, thumbnail

RECIPE = get_recipe("cifar10@64")


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e3, 1e3, width=32)))
def test_statistics_are_numpys(values: np.ndarray) -> None:
    found = statistics(values)
    assert found.min == values.min()
    assert found.max == values.max()
    assert found.mean == pytest.approx(values.mean(dtype=np.float64), abs=1e-9)
    assert found.std == pytest.approx(values.std(dtype=np.float64), abs=1e-9)
    assert found.nonfinite == 0


def test_values_that_are_no_numbers_are_counted_and_left_out() -> None:
    found = statistics(np.array([np.nan, np.inf, 2.0], np.float32))
    assert (found.min, found.max, found.nonfinite) == (2.0, 2.0, 2)
    assert statistics(np.array([np.nan])).mean is None


def test_the_input_is_the_recipes(photos: list[Path]) -> None:
    picture, info, x, steps = follow_light(photos[0], RECIPE, runs=1)
    assert_array_equal(x, RECIPE(picture))
    assert [step.name for step in steps] == ["bytes", "decoded", "upright", "resized", "cropped", "normalized"]
    assert steps[0].shape == (info.bytes,) == (photos[0].stat().st_size,)
    assert steps[0].statistics.max == max(photos[0].read_bytes())
    assert steps[-1].shape == (3, 64, 64)
    assert steps[-1].statistics.min == x.min()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decoded_is_shown_as_it_was_stored(orientation: int) -> None:
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[:5, :5] = 200  # marks the corner that is stored first
    exif = Image.Exif()
    exif[0x112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)
    picture, _, _, steps = follow_light(buffer.getvalue(), RECIPE, runs=1)
    assert_array_equal(steps[1].tiles[0].pixels, stored)
    assert steps[1].shape == (20, 30, 3)
    assert steps[2].shape == picture.shape == ((20, 30, 3) if orientation < 5 else (30, 20, 3))


def test_bytes_that_cannot_be_read_again_are_not_invented() -> None:
    _, _, _, steps = follow_light(np.zeros((8, 8, 3), np.uint8), RECIPE, runs=1)
    assert steps[0].statistics.min is None
    assert steps[0].tiles == ()


def test_large_pictures_are_made_smaller_for_showing_only() -> None:
    picture = np.zeros((1000, 500, 3), np.uint8)
    assert thumbnail(picture, 100).shape == (100, 50, 3)
    tile = shown("photo", picture, 100)
    assert "1000 × 500 × 3" in tile.caption
    assert "made smaller to 100 × 50" in tile.scale
    assert thumbnail(np.zeros((4000, 1, 3), np.uint8), 100).shape == (100, 1, 3)
