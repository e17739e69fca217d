"""Activations: by hand, against torch in values and slopes, at the ends of the number line, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
ENDS = np.array([-np.inf, -1e30, -200.0, -3.0, -0.0, 0.0, 1e-30, 0.5, 3.0, 6.0, 200.0, 1e30, np.inf, np.nan])

SMOOTH = {
    "aten.gelu.default": [{}, {"approximate": "tanh"}],
    "aten.relu.default": [{}],
    "aten.sigmoid.default": [{}],
}


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), dtype=st.sampled_from(["float32", "float64"]))
@pytest.mark.parametrize("op", SMOOTH)
def test_values_and_slopes(op: str, shape: tuple[int, ...], seed: int, dtype: str) -> None:
    for options in SMOOTH[op]:
        check_row(op, 3 * noise(*shape, seed=seed, dtype=dtype), **options)


@pytest.mark.parametrize("op", SMOOTH)
def test_at_the_ends_of_the_number_line(op: str) -> None:
    for options in SMOOTH[op]:
        with np.errstate(all="ignore"):
            check_row(op, ENDS, gradients=False, **options)


def test_gelu_knows_two_forms() -> None:
    check_refusal("aten.gelu.default", noise(3), approximate="sigmoid", match="tanh")
