"""Writing a model's input into a row of a batch: the same numbers as stage by stage, whichever way they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photosite.errors import ShapeError
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import RECIPES

IMAGENET = RECIPES["imagenet"]


@pytest.mark.parametrize("kernels", ["0", "1"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    side=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    rule=st.sampled_from(["shortest", "longest", "squash", "cover", "contain", "none"]),
    crop=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)),
    interpolation=st.sampled_from(["nearest", "box", "bilinear", "bicubic", "lanczos"]),
    order=st.sampled_from(["RGB", "BGR"]),
    layout=st.sampled_from(["BCHW", "BHWC"]),
)
def test_writing_into_a_row_is_its_three_stages(
    kernels: str,
    side: tuple[int, int],
    rule: Any,
    crop: tuple[int, int] | None,
    interpolation: Any,
    order: Any,
    layout: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PHOTOSITE_KERNELS", kernels)
    recipe = Recipe(
        name="drawn",
        resize=rule,
        size_hw=None if rule == "none" else (31, 31),
        crop_hw=crop,
        interpolation=interpolation,
        channel_order=order,
        layout=layout,
        mean=(0.1, 0.2, 0.3),
        std=(0.5, 0.6, 0.7),
    )
    picture = np.random.default_rng(0).integers(0, 256, (*side, 3), np.uint8)
    monkeypatch.setenv("PHOTOSITE_KERNELS", "0")
    wanted = recipe.normalized(recipe.cropped(recipe.resized(picture)))
    monkeypatch.setenv("PHOTOSITE_KERNELS", kernels)
    row = np.full(wanted.shape[1:], np.nan, np.float32)
    recipe.write(picture, row)
    np.testing.assert_array_equal(row, wanted[0])
    np.testing.assert_array_equal(recipe(picture), wanted)


def test_a_row_of_another_shape_or_kind_is_refused() -> None:
    recipe = IMAGENET
    picture = np.zeros((300, 300, 3), np.uint8)
    with pytest.raises(ShapeError, match=r"wants a row 3 × 224 × 224 float32, got 224 × 224 × 3 float32"):
        recipe.write(picture, np.zeros((224, 224, 3), np.float32))
    with pytest.raises(ShapeError, match="got 3 × 224 × 224 float64"):
        recipe.write(picture, np.zeros((3, 224, 224)))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="float32, read-only"):
        recipe.write(picture, np.broadcast_to(np.float32(0), (3, 224, 224)))
