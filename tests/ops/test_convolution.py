"""Convolution: by hand, against the loop that defines it, against torch in value and gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.graph.table import TABLE
from photosite.ops import convolution
from photosite.ops.convolution import conv, conv2d_loop, conv_transpose
from tests.ops.rows import check_refusal, check_row, noise

CONV2D = "aten.conv2d.default"


def test_by_hand() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    ones = np.ones((1, 1, 2, 2))
    assert conv(x, ones, stride=2).tolist() == [[[[10, 18], [42, 50]]]]  # 0+1+4+5, 2+3+6+7, …
    assert conv(x, ones, dilation=3).tolist() == [[[[0 + 3 + 12 + 15]]]]
    # a kernel is not turned around: a 1 at its left takes the left neighbor
    left = np.array([[[[1.0, 0.0, 0.0]]]])
    assert conv(x, left, padding=(0, 1))[0, 0, 0].tolist() == [0, 0, 1, 2]
    # two groups: each filter sees its own half
    two = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 10.0)])[None]
    assert conv(two, np.ones((2, 1, 2, 2)), groups=2).ravel().tolist() == [4, 40]


def test_a_horizontal_edge() -> None:
    edge = np.zeros((1, 1, 6, 5))
    edge[:, :, 3:] = 1
    kernel = np.array([[[[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]]]])
    assert conv(edge, kernel)[0, 0, :, 0].tolist() == [0, 3, 3, 0]  # nothing on uniform ground


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_equals_the_loop(data: st.DataObject, seed: int) -> None:
    channels, filters, height, width = (data.draw(st.integers(1, 4)) for _ in range(4))
    stride, padding = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2))
    rows, columns = (side + data.draw(st.integers(0, 5)) for side in (height, width))
    x, weight, bias = noise(channels, rows, columns, seed=seed), noise(filters, channels, height, width), noise(filters)
    found = conv(x, weight, bias, stride, padding)
    np.testing.assert_allclose(found, conv2d_loop(x, weight, bias, stride, padding), atol=1e-12)


@st.composite
def convolutions(draw: st.DrawFn, axes: int) -> dict[str, object]:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    each, filters = draw(st.integers(1, 3)), draw(st.integers(1, 3)) * groups
    if draw(st.booleans()):
        each, filters = 1, groups  # depthwise
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
    padding = [draw(st.integers(0, 2)) for _ in range(axes)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = [max(r - 2 * p, 1) + draw(st.integers(0, 4)) for r, p in zip(reach, padding, strict=True)]
    batch = draw(st.sampled_from([(), (1,), (3,)]))
    return {
        "x": (*batch, each * groups, *sides),
        "weight": (filters, each, *kernel),
        "stride": [draw(st.integers(1, 3)) for _ in range(axes)],
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
    }


@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99), dtype=st.sampled_from(["float32", "float64"]))
def test_matches_torch(axes: int, data: st.DataObject, seed: int, dtype: str) -> None:
    drawn = data.draw(convolutions(axes))
    x, weight = noise(*drawn["x"], seed=seed, dtype=dtype), noise(*drawn["weight"], dtype=dtype)
    bias = noise(weight.shape[0], dtype=dtype) if drawn["bias"] else None
    arguments = [x, weight, bias, drawn["stride"], drawn["padding"], drawn["dilation"], drawn["groups"]]
    check_row(f"aten.conv{axes}d.default", *arguments)
    check_row(
        "aten.convolution.default", *arguments[:6], False, [0] * axes, drawn["groups"]
    ) if x.ndim > axes + 1 else 0


@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=30, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_transposed_matches_torch(axes: int, data: st.DataObject, dtype: str) -> None:
    drawn = data.draw(convolutions(axes))
    filters, each, *kernel = drawn["weight"]
    stride, dilation, groups = drawn["stride"], drawn["dilation"], drawn["groups"]
    more = [data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    places = [data.draw(st.integers(1, 4)) for _ in range(axes)]
    cut = [
        min(p, ((n - 1) * s + d * (k - 1) + m) // 2)
        for p, n, s, d, k, m in zip(drawn["padding"], places, stride, dilation, kernel, more, strict=True)
    ]
    x, weight = noise(2, filters, *places, dtype=dtype), noise(filters, each, *kernel, dtype=dtype)
    bias = noise(each * groups, dtype=dtype) if drawn["bias"] else None
    op = f"aten.conv_transpose{axes}d.{'default' if axes == 1 else 'input'}"
    check_row(op, x, weight, bias, stride, cut, more, groups, dilation)
    check_row("aten.convolution.default", x, weight, bias, stride, cut, dilation, True, more, groups)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(1, 2), (4, 3)])
def test_padding_by_name(padding: str, dilation: int, kernel: tuple[int, int]) -> None:
    x, weight = noise(2, 2, 12, 11), noise(4, 1, *kernel)
    check_row("aten.conv2d.padding", x, weight, noise(4), [1, 1], padding, [dilation, dilation], 2)


def test_transposed_is_the_transpose() -> None:
    x, y, weight = noise(2, 4, 9, 8), noise(2, 6, 5, 4), noise(6, 2, 3, 4)
    forward = conv(x, weight, None, 2, 1, 1, 2)
    assert forward.shape == y.shape
    back = conv_transpose(y, weight, None, 2, 1, 0, 2)
    np.testing.assert_allclose(np.vdot(forward, y), np.vdot(x, back), rtol=1e-12)


def test_it_commutes_with_shifts_at_stride_1_away_from_borders() -> None:
    x, weight = noise(1, 2, 12, 12), noise(3, 2, 3, 3)
    moved = conv(np.roll(x, (2, 1), (2, 3)), weight)
    np.testing.assert_allclose(np.roll(conv(x, weight), (2, 1), (2, 3))[..., 2:, 1:], moved[..., 2:, 1:], atol=1e-13)


def test_odd_memory_is_taken_as_it_is_seen() -> None:
    x = noise(2, 9, 8, 4).transpose(0, 3, 1, 2)[:, ::-1, ::2]
    check_row(CONV2D, x, noise(6, 4, 3, 3)[:, :, ::-1], None, [1, 1], [1, 1])


def test_channels_are_last_in_memory() -> None:
    assert conv(noise(2, 3, 8, 8), noise(4, 3, 3, 3)).transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("op", [CONV2D, "aten.conv_transpose2d.input"])
def test_multiply_adds_are_those_that_torch_counts(op: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    x, weight = noise(2, 6, 9, 8), noise(6, 3, 3, 2)
    arguments = (None, [2, 2], [1, 1], [1, 1], 2) if op == CONV2D else (None, [2, 2], [1, 1], [0, 0], 2)
    ours = TABLE[op].value(x, weight, *arguments)
    with FlopCounterMode(display=False) as counter:
        name = "conv2d" if op == CONV2D else "conv_transpose2d"
        getattr(torch, name)(torch.from_numpy(x), torch.from_numpy(weight), *arguments)
    assert 2 * TABLE[op].macs(ours, x, weight, *arguments) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("x", "weight", "bias", "rest", "words"),
    [
        ((1, 4, 8, 8), (8, 3, 3, 3), None, (), r"3 input channels .*shape\[1\] \* groups = 3 \* 1\), x has 4"),
        ((1, 4, 8, 8), (5, 2, 3, 3), None, ([1, 1], [0, 0], [1, 1], 2), "divisor of the 5 filters, got 2"),
        ((1, 4, 8, 8), (8, 4, 3, 3), (7,), (), "bias wants 8 values, one a filter, got 7"),
        ((1, 4, 2, 8), (8, 4, 3, 3), None, (), "reaches over 3 × 3, the padded input has only 2 × 8"),
        ((4, 8), (8, 4, 3, 3), None, (), "wants 3 or 4 axes"),
        ((1, 4, 8, 8), (8, 4, 3, 3), None, ([0, 1],), "stride wants at least 1, got 0 × 1"),
        ((1, 4, 8, 8), (8, 4, 3, 3), None, ([1, 1], [-1, 0]), "padding wants at least 0"),
        ((1, 4, 8, 8), (8, 4, 3, 3), None, ([1, 1], [0, 0], [0, 1]), "dilation wants at least 1"),
        ((1, 4, 8, 8), (8, 4, 3, 3), None, ([1, 1], [0, 0], [1, 1], 0), "groups wants at least 1"),
        ((1, 4, 8, 8), (8, 4, 3, 3), None, ([1, 1, 1],), "stride"),
    ],
)
def test_what_does_not_fit_is_said(x, weight, bias, rest, words) -> None:
    check_refusal(CONV2D, noise(*x), noise(*weight), None if bias is None else noise(*bias), *rest, match=words)


def test_other_misfits() -> None:
    check_refusal(
        CONV2D, noise(1, 1, 4, 4), noise(1, 1, 2, 2, dtype="float32"), match="one dtype, got float32, float64"
    )
    x, weight = noise(1, 2, 4, 4), noise(2, 2, 3, 3)
    check_refusal("aten.conv2d.padding", x, weight, None, [2, 2], "same", match='"same" wants stride 1')
    check_refusal("aten.conv2d.padding", x, weight, None, [1, 1], "full", match="same")
    transposed = "aten.conv_transpose2d.input"
    check_refusal(transposed, x, weight, None, [2, 2], [0, 0], [2, 2], match="output_padding wants less than stride")
    check_refusal(transposed, noise(1, 3, 4, 4), weight, match=r"2 input channels \(weight.shape\[0\]\)")
    check_refusal(transposed, noise(1, 2, 1, 1), weight, None, [1, 1], [2, 2], match="nothing is left of 3 × 3")


def test_in_bands_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "COLUMN_NUMBERS", 200)
    monkeypatch.setattr(convolution, "TAP_NUMBERS", 60)
    for stride, groups in ((1, 1), (2, 1), (2, 2), (1, 4), (2, 4)):
        x, weight = noise(3, 4, 11, 9), noise(4, 4 // groups, 3, 2, seed=1)
        check_row("aten.conv2d.default", x, weight, noise(4, seed=2), [stride, 1], [1, 0], [1, 2], groups)
