"""Weighted sums of neighbors by hand and against SciPy, for each border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import UnknownNameError
from photosite.sensor.neighbors import Border, correlate
from tests.peers import import_peer


def test_borders_by_hand() -> None:
    line = np.array([[1.0, 2.0, 3.0, 4.0]])
    # each takes what stands two to its left, then two to its right
    seen = {
        border: (
            correlate(line, [[1, 0, 0, 0, 0]], border)[0, :2].tolist(),
            correlate(line, [[0, 0, 0, 0, 1]], border)[0, 2:].tolist(),
        )
        for border in ("mirror", "symmetric", "zero")
    }
    assert seen == {"mirror": ([3, 2], [3, 2]), "symmetric": ([2, 1], [4, 3]), "zero": ([0, 0], [0, 0])}


def test_weights_are_not_turned_around() -> None:
    plane = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert correlate(plane, [[0, 0, 0], [0, 0, 10], [0, 1, 0]], "zero").tolist() == [[23, 4], [40, 0]]


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([(1, 3), (3, 1), (3, 3), (5, 5), (1, 5)]),
    st.sampled_from(["mirror", "symmetric", "zero"]),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_equals_scipy(size_hw: tuple[int, int], weights_hw: tuple[int, int], border: Border) -> None:
    ndimage = import_peer("scipy.ndimage")
    rng = np.random.default_rng(7)
    plane, weights = rng.random(size_hw), rng.random(weights_hw) - 0.5
    mode = {"mirror": "mirror", "symmetric": "reflect", "zero": "constant"}[border]
    theirs = ndimage.correlate(plane, weights, mode=mode)
    np.testing.assert_allclose(correlate(plane, weights, border), theirs, rtol=0, atol=1e-14)  # sums of 25 in [0, 1]


def test_a_border_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="no border named 'mirrored'; did you mean mirror"):
        correlate(np.ones((3, 3)), [[1]], "mirrored")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_dtype(dtype: Any) -> None:
    assert correlate(np.ones((3, 3), dtype), np.full((3, 3), 1 / 9)).dtype == dtype
