"""What page and library say to each other."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photosite.errors import RangeError
from photosite.explorer.message import DTYPES, Question, finite, pack, unpack

ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.dictionaries(st.text(min_size=1, max_size=5), ARRAYS, max_size=4))
def test_what_is_packed_comes_out(data: object, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    body = pack(data, arrays).body
    found, there = unpack(body)
    assert found == data
    assert list(there) == list(arrays)
    for name, array in arrays.items():
        assert there[name].dtype == array.dtype
        np.testing.assert_array_equal(there[name], array)
        assert there[name].shape == array.shape


def test_arrays_begin_where_a_page_can_look_at_them() -> None:
    """A Float64Array wants its bytes to begin at a multiple of 8."""
    body = pack({"é": "x"}, {"a": np.zeros(3, np.uint8), "b": np.arange(2, dtype=np.float64)}).body
    length = int.from_bytes(body[:4], "little")
    said = json.loads(body[4 : 4 + length])
    start = math.ceil((4 + length) / 8) * 8
    for one in said["arrays"]:
        assert (start + one["offset"]) % 8 == 0
    assert np.frombuffer(body, "<f8", 2, start + said["arrays"][1]["offset"]).tolist() == [0, 1]


def test_what_json_has_no_name_for_is_null() -> None:
    assert finite([math.inf, -math.inf, math.nan, np.float32("nan"), 1, np.int64(3), {1: (2.5,)}]) == [
        *[None] * 4,
        *[1, 3],
        {"1": [2.5]},
    ]
    with pytest.raises(RangeError, match="x is complex128; a page takes uint8"):
        pack({}, {"x": np.zeros(2, complex)})


def test_choices_are_checked() -> None:
    asked = Question("convolution", {"stride": "2", "sigma": "0.5", "padding": "zero", "bad": "nan", "big": "9" * 30})
    assert asked.integer("stride", 1, 4) == 2
    assert asked.integer("missing", 1, 4, 3) == 3
    assert asked.number("sigma", 0, 1) == 0.5
    assert asked.choice("padding", ("zero", "reflect")) == "zero"
    with pytest.raises(RangeError, match=r"convolution: stride wants a whole number 3 … 4, got '2'"):
        asked.integer("stride", 3, 4)
    with pytest.raises(RangeError, match="wants a whole number"):
        asked.integer("big", 1, 4)
    with pytest.raises(RangeError, match=r"bad wants a number 0 … 1, got 'nan'"):
        asked.number("bad", 0, 1)
    with pytest.raises(RangeError, match="wants one of reflect, replicate"):
        asked.choice("padding", ("reflect", "replicate"))
    with pytest.raises(RangeError, match=r"convolution: wants missing=…"):
        asked.text("missing")
