"""Pooling and resampling: against torch over drawn windows and sizes, with equal numbers under a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from photosite.ops.averaging import adaptive_avg_pool2d, avg_pool2d, global_avg_pool
from photosite.ops.pooling import max_pool2d
from photosite.ops.resampling import upsample_bilinear2d_aa
from tests.ops.rows import check_refusal, check_row, noise

REAL = st.sampled_from(["float32", "float64"])


@st.composite
def pools(draw: Any, axes: int) -> tuple[tuple[int, ...], list[int], list[int], list[int], list[int], bool]:
    """A shape with channels, perhaps with a batch, and a window that fits."""
    kernel = [draw(st.integers(1, 4)) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    sides = [draw(st.integers(max(d * (k - 1) + 1, 1), 9)) for k, d in zip(kernel, dilation, strict=True)]
    front = draw(st.sampled_from([(2,), (2, 3), (1, 1)]))
    stride = draw(st.sampled_from([[], [1] * axes, [2] * axes, [3] * axes]))
    return (*front, *sides), kernel, stride, padding, dilation, draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), dtype=REAL, seed=st.integers(0, 99))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_largest(axes: int, data: Any, dtype: str, seed: int) -> None:
    shape, kernel, stride, padding, dilation, ceil = data.draw(pools(axes))
    x = noise(*shape, seed=seed, dtype=dtype)
    if data.draw(st.booleans()):
        x = x.round()  # equal numbers: the first one counts
    check_row(f"aten.max_pool{axes}d.default", x, kernel, stride, padding, dilation, ceil)
    if axes > 1:
        check_row(f"aten.max_pool{axes}d_with_indices.default", x, kernel, stride, padding, dilation, ceil)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), dtype=REAL, seed=st.integers(0, 99), counted=st.booleans(), divisor=st.sampled_from([None, 3]))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_mean(axes: int, data: Any, dtype: str, seed: int, counted: bool, divisor: int | None) -> None:
    shape, kernel, stride, padding, _, ceil = data.draw(pools(axes))
    more = (divisor,) if axes > 1 else ()
    check_row(
        f"aten.avg_pool{axes}d.default", noise(*shape, seed=seed, dtype=dtype), kernel, stride, padding, ceil, counted,
        *more,
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=st.data(), dtype=REAL, seed=st.integers(0, 99))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_as_many_parts_as_are_wanted(axes: int, data: Any, dtype: str, seed: int) -> None:
    front = data.draw(st.sampled_from([(2,), (2, 3)]))
    sides = [data.draw(st.integers(1, 9)) for _ in range(axes)]
    goal = [data.draw(st.integers(1, 11)) for _ in range(axes)]
    x = noise(*front, *sides, seed=seed, dtype=dtype)
    check_row(f"aten.adaptive_avg_pool{axes}d.default", x, goal)
    check_row(f"aten.adaptive_max_pool{axes}d.default", x, goal)


def test_half_precision_nan_and_whole_numbers() -> None:
    x = noise(2, 3, 8, 8)
    check_row("aten.avg_pool2d.default", x.astype(np.float16), [3, 3], tolerance=2e-3)
    check_row("aten.adaptive_avg_pool2d.default", x.astype(np.float16), [1, 1], tolerance=2e-3)
    x[0, 0, 2, 2] = np.nan
    check_row("aten.max_pool2d.default", x, [3, 3], [1, 1], [1, 1], gradients=False)
    check_row("aten.max_pool2d.default", noise(2, 3, 8, 8, dtype="int64"), [2, 2])
    check_row("aten.max_pool2d.default", np.full((1, 1, 4, 4), -np.inf), [2, 2])


def test_by_hand() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    assert max_pool2d(x, 2)[0, 0].tolist() == [[5, 7], [13, 15]]
    assert avg_pool2d(x, 2)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert avg_pool2d(x, 3, 2, 1)[0, 0, 0].tolist() == [(0 + 1 + 4 + 5) / 9, (1 + 2 + 3 + 5 + 6 + 7) / 9]
    assert avg_pool2d(x, 3, 2, 1, False, False)[0, 0, 0].tolist() == [2.5, 4.0]
    assert adaptive_avg_pool2d(x, (1, 3))[0, 0].tolist() == [[6.5, 7.5, 8.5]]
    assert global_avg_pool(x).tolist() == [[7.5]]


@pytest.mark.parametrize("op", ["aten.max_pool2d.default", "aten.avg_pool2d.default"])
def test_what_is_refused(op: str) -> None:
    check_refusal(op, noise(3, 3), [2, 2], match=r"wants \(B, C, H, W\)")
    check_refusal(op, noise(1, 3, 3, 3), [4, 4], match="does not fit")
    check_refusal(op, noise(1, 3, 3, 3), [0, 2], match="kernel_size wants at least 1")
    check_refusal(op, noise(1, 3, 3, 3), [2, 2], [0, 1], match="stride wants at least 1")
    check_refusal(op, noise(1, 3, 3, 3), [2, 2], [1, 1], [2, 2], match="padding wants 0 up to half")
    check_refusal(op, noise(1, 3, 3, 3), [2, 2, 2], match="kernel_size wants 1 or 2 numbers")
    check_refusal("aten.adaptive_avg_pool2d.default", noise(3, 3), [2, 2], match="wants 3 or 4 axes")
    check_refusal("aten.avg_pool2d.default", noise(1, 1, 3, 3), [2, 2], [], 0, False, True, 0, match="divisor")


# --- resampling -------------------------------------------------------------------------------------------------------

SIZED = {
    "upsample_nearest{}d": 0, "_upsample_nearest_exact{}d": 0, "upsample_bilinear2d": 2, "upsample_bicubic2d": 2,
    "upsample_linear1d": 1, "upsample_trilinear3d": 3, "_upsample_bilinear2d_aa": 2, "_upsample_bicubic2d_aa": 2,
}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=st.data(), dtype=REAL, seed=st.integers(0, 99), aligned=st.booleans())
@pytest.mark.parametrize("op", SIZED)
def test_other_sizes(op: str, data: Any, dtype: str, seed: int, aligned: bool) -> None:
    axes = SIZED[op] or data.draw(st.integers(1, 3))
    name = f"aten.{op.format(axes)}.vec"
    more = (aligned,) if SIZED[op] else ()
    # torch works out the places of outputs in float32, which moves float32 weights by more than their rounding
    tolerance = 2e-4 if dtype == "float32" else None
    least = 2 if op.endswith("_aa") else 1  # see the next test
    x = noise(2, 3, *(data.draw(st.integers(1, 8)) for _ in range(axes)), seed=seed, dtype=dtype)
    goal = [data.draw(st.integers(least, 12)) for _ in range(axes)]
    check_row(name, x, goal, *more, None, tolerance=tolerance)
    factors = [data.draw(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 0.75])) for _ in range(axes)]
    assume(all(int(side * factor) >= least for side, factor in zip(x.shape[2:], factors, strict=True)))
    check_row(name, x, None, *more, factors, tolerance=tolerance)


def test_torch_is_wrong_about_pictures_one_pixel_wide() -> None:
    x = np.array([[[[1.0], [3.0]]]])
    ours = upsample_bilinear2d_aa(x, [3, 1], False)
    np.testing.assert_allclose(ours.ravel(), [1, 2, 3])
    np.testing.assert_allclose(upsample_bilinear2d_aa(np.tile(x, 2), [3, 2], False)[..., :1], ours)
    theirs = torch.ops.aten._upsample_bilinear2d_aa.vec(torch.from_numpy(x), [3, 1], False, None)
    assert theirs.ravel().tolist() == [1, 1, 1]  # torch 2.13; if this fails, say less in the docstring


def test_resampling_refused() -> None:
    check_refusal("aten.upsample_bilinear2d.vec", noise(1, 3, 3), [2, 2], False, None, match="with 2 sides")
    check_refusal("aten.upsample_bilinear2d.vec", noise(1, 1, 3, 3), [2, 2], False, [1.0, 1.0], match="either a size")
    check_refusal("aten.upsample_nearest2d.vec", noise(1, 1, 3, 3), [0, 2], None, match="no pixels")
    check_refusal("aten.upsample_bicubic2d.vec", noise(1, 1, 3, 3, dtype="int64"), [2, 2], False, None, match="real")
