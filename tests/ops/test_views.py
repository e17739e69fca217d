"""Views, joining, indexing, padding, rearranging, creation: as in torch, with gradients that find their way home."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.ops.indexing import index, index_put
from photosite.ops.joining import chunk, split, split_vjp, unbind, unbind_vjp
from photosite.ops.padding import padded
from photosite.ops.rearranging import channel_shuffle, col2im, im2col, pixel_shuffle, pixel_unshuffle
from tests.ops.rows import check_refusal, check_row, noise

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
SEEDS = st.integers(0, 99)
DTYPES = st.sampled_from(["float32", "float64", "int64"])


def an_axis(data: Any, ndim: int) -> int:
    """One of the axes, counted from either end."""
    return data.draw(st.integers(-ndim, ndim - 1))


@settings(max_examples=50, deadline=None)
@given(shape=SHAPES, dtype=DTYPES, data=st.data())
def test_the_same_numbers_under_another_shape(shape: tuple[int, ...], dtype: str, data: Any) -> None:
    x, ndim = noise(*shape, dtype=dtype), len(shape)
    check_row("aten.permute.default", x, data.draw(st.permutations(range(ndim))))
    check_row("aten.transpose.int", x, an_axis(data, ndim), an_axis(data, ndim))
    check_row("aten.movedim.int", x, an_axis(data, ndim), an_axis(data, ndim))
    check_row("aten.reshape.default", x, [-1])
    check_row("aten.view.default", x, [x.size, 1])
    check_row("aten.reshape.default", x, [*shape[:-1], 1, -1])
    check_row("aten.reshape_as.default", x, noise(x.size))
    first = data.draw(st.integers(0, ndim - 1))
    check_row("aten.flatten.using_ints", x, first, data.draw(st.integers(first, ndim - 1)))
    check_row("aten.unflatten.int", x, first, [1, -1])
    check_row("aten.squeeze.default", x)
    check_row("aten.squeeze.dim", x, an_axis(data, ndim))
    check_row("aten.squeeze.dims", x, [first])
    check_row("aten.unsqueeze.default", x, data.draw(st.integers(-ndim - 1, ndim)))
    check_row("aten.numpy_T.default", x[:1].reshape(1, -1))
    wide = [
        data.draw(st.integers(1, 3)),
        *(side if side > 1 else data.draw(st.sampled_from([-1, 1, 3])) for side in shape),
    ]
    check_row("aten.expand.default", x, wide)
    check_row("aten.expand_as.default", x, noise(2, *shape))
    check_row("aten.flip.default", x, [first])
    check_row("aten.roll.default", x, [data.draw(st.integers(-5, 5))], [an_axis(data, ndim)])
    check_row("aten.roll.default", x, [2])
    if ndim > 1:
        check_row("aten.mT.default", x)
        check_row("aten.diagonal.default", x, data.draw(st.integers(-2, 2)), 0, ndim - 1)
        check_row("aten.rot90.default", x, data.draw(st.integers(-3, 4)), [0, 1])
        check_row("aten.tril.default", x, data.draw(st.integers(-2, 2)))
        check_row("aten.triu.default", x, data.draw(st.integers(-2, 2)))
    if ndim == 2:
        check_row("aten.t.default", x)


@settings(max_examples=50, deadline=None)
@given(shape=SHAPES, dtype=DTYPES, data=st.data())
def test_joined_split_and_repeated(shape: tuple[int, ...], dtype: str, data: Any) -> None:
    ndim = len(shape)
    dim = an_axis(data, ndim)
    parts = []
    for number in range(data.draw(st.integers(1, 3))):
        sides = list(shape)
        sides[dim] = data.draw(st.integers(0, 3))
        parts.append(noise(*sides, seed=number, dtype=dtype))
    check_row("aten.cat.default", parts, dim)
    x = noise(*shape, dtype=dtype)
    check_row("aten.stack.default", [x, x + x], data.draw(st.integers(-ndim - 1, ndim)))
    check_row("aten.split.Tensor", x, data.draw(st.integers(1, 4)), dim)
    cut = data.draw(st.integers(0, shape[dim]))
    check_row("aten.split_with_sizes.default", x, [cut, shape[dim] - cut], dim)
    check_row("aten.chunk.default", x, data.draw(st.integers(1, 4)), dim)
    check_row("aten.tensor_split.sections", x, data.draw(st.integers(1, 4)), dim)
    check_row("aten.tensor_split.indices", x, [cut], dim)
    check_row("aten.unbind.int", x, dim)
    times = [data.draw(st.integers(1, 3)) for _ in range(ndim)]
    check_row("aten.repeat.default", x, [2, *times])
    check_row("aten.tile.default", x, times[:1])
    check_row("aten.repeat_interleave.self_int", x, data.draw(st.integers(0, 3)), dim)
    check_row("aten.repeat_interleave.self_int", x, 2)
    check_row("aten.repeat_interleave.self_Tensor", x, np.arange(shape[dim]), dim)
    check_row("aten.unfold.default", x, dim, data.draw(st.integers(1, shape[dim])), data.draw(st.integers(1, 3)))


def test_parts_of_different_dtypes_and_grids() -> None:
    check_row("aten.cat.default", [noise(2, dtype="int64"), noise(3, dtype="float32"), noise(0)], 0)
    check_row("aten.stack.default", [noise(2, dtype="float32"), noise(2)], 0, tolerance=1e-6)
    check_row("aten.meshgrid.indexing", [noise(2), noise(3), noise(4)], indexing="xy")
    check_row("aten.meshgrid.default", [noise(2), noise(3)])


@settings(max_examples=50, deadline=None)
@given(shape=SHAPES, dtype=DTYPES, data=st.data(), step=st.integers(1, 3))
def test_parts_by_position(shape: tuple[int, ...], dtype: str, data: Any, step: int) -> None:
    x, ndim = noise(*shape, dtype=dtype), len(shape)
    dim = an_axis(data, ndim)
    side = shape[dim]
    start, end = data.draw(st.integers(-side - 1, side + 1)), data.draw(st.sampled_from([None, side, -1, 2**63 - 1, 1]))
    taken = check_row("aten.slice.Tensor", x, dim, start, end, step)
    check_row("aten.slice_scatter.default", x, taken + taken, dim, start, end, step)
    place = data.draw(st.integers(-side, side - 1))
    one = check_row("aten.select.int", x, dim, place)
    check_row("aten.select_scatter.default", x, one + one, dim, place)
    check_row("aten.narrow.default", x, dim, 0, data.draw(st.integers(0, side)))
    many = np.array(data.draw(st.lists(st.integers(0, side - 1), min_size=1, max_size=5)))
    check_row("aten.index_select.default", x, dim, many)
    source = np.take(x, many, dim)
    check_row("aten.index_add.default", x, dim, many, source)
    along = np.stack([np.full(np.take(x, 0, dim).shape, n) for n in many], dim)
    check_row("aten.gather.default", x, dim, along)
    check_row("aten.scatter_add.default", x, dim, along, source)
    unique = np.unique(many)
    along = np.stack([np.full(np.take(x, 0, dim).shape, n) for n in unique], dim)
    check_row("aten.scatter.src", x, dim, along, np.take(x, unique, dim) + 1)
    check_row("aten.scatter.value", x, dim, along, 3)
    check_row("aten.take_along_dim.default", x, along, dim)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), seed=SEEDS)
def test_index_by_arrays_and_masks(data: Any, seed: int) -> None:
    x = noise(4, 3, 5, seed=seed)
    rng = np.random.default_rng(seed)
    kinds = data.draw(st.lists(st.sampled_from(["whole", "row", "table", "one"]), min_size=1, max_size=3))
    if all(kind == "whole" for kind in kinds):
        return
    make = {
        "row": lambda n: rng.integers(-n, n, 2),
        "table": lambda n: rng.integers(0, n, (3, 2)),
        "one": lambda n: np.asarray(rng.integers(0, n)),
    }
    key = [None if kind == "whole" else make[kind](side) for kind, side in zip(kinds, x.shape, strict=False)]
    taken = check_row("aten.index.Tensor", x, key)
    check_row("aten.index_put.default", x, key, noise(*taken.shape), True)
    check_row("aten.index.Tensor", x, [noise(4, 3, dtype="bool", seed=seed)])
    check_row("aten.index.Tensor", x, [None, noise(3, dtype="bool", seed=seed)])
    check_row("aten.index_put.default", x, [noise(4, 3, 5, dtype="bool", seed=seed)], np.asarray(2.0))


def test_rows_of_a_table() -> None:
    table, rows = noise(5, 3), np.array([[0, 4], [2, 2]])
    check_row("aten.embedding.default", table, rows)
    check_row("aten.embedding.default", table, rows, 2, True)
    check_row("aten.one_hot.default", rows, 6)
    assert index(np.arange(6).reshape(2, 3), [np.array([1, 0]), np.array([2, 0])]).tolist() == [5, 0]
    assert index_put(np.zeros(3), [np.array([1])], np.array([5.0])).tolist() == [0, 5, 0]


@settings(max_examples=50, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_padding(data: Any, dtype: str) -> None:
    x = noise(2, 3, *(data.draw(st.integers(2, 5)) for _ in range(2)), dtype=dtype)
    pad = [data.draw(st.integers(-1, 3)) for _ in range(4)]
    if all(side + pad[2 * n] + pad[2 * n + 1] > 0 for n, side in enumerate(x.shape[:1:-1])):
        check_row("aten.pad.default", x, pad, "constant", 2.5)
        check_row("aten.constant_pad_nd.default", x, pad, -1)
    inside = [data.draw(st.integers(0, side - 1)) for side in (x.shape[3], x.shape[3], x.shape[2], x.shape[2])]
    for mode in ("reflect", "replicate", "circular"):
        check_row("aten.pad.default", x, inside, mode)
        check_row("aten.pad.default", x[0], inside[:2], mode)
    check_row("aten.reflection_pad2d.default", x, inside)
    check_row("aten.replication_pad2d.default", x, inside)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_windows_as_columns(data: Any, dtype: str) -> None:
    kernel, stride, dilation = ([data.draw(st.integers(1, 3)) for _ in range(2)] for _ in range(3))
    padding = [data.draw(st.integers(0, 2)) for _ in range(2)]
    sides = [d * (k - 1) + 1 + data.draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    columns = check_row("aten.im2col.default", noise(2, 3, *sides, dtype=dtype), kernel, dilation, padding, stride)
    check_row("aten.col2im.default", columns, sides, kernel, dilation, padding, stride)


def test_rearranged_pictures() -> None:
    x = noise(2, 12, 4, 6)
    assert (pixel_unshuffle(pixel_shuffle(x, 2), 2) == x).all()
    check_row("aten.pixel_shuffle.default", x, 2)
    check_row("aten.pixel_unshuffle.default", x, 2)
    check_row("aten.channel_shuffle.default", x, 3, gradients=False)  # torch has none for it on the CPU
    assert (channel_shuffle(channel_shuffle(x, 3), 4) == x).all()
    ones = np.ones((1, 1, 3, 3))
    how_often = col2im(im2col(ones, (2, 2), (1, 1), (0, 0), (1, 1)), (3, 3), (2, 2), (1, 1), (0, 0), (1, 1))
    assert how_often[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "bool"])
def test_made_and_copied(name: str) -> None:
    x, dtype = noise(2, 3), np.dtype(name)
    check_row("aten.arange.start_step", 2, 11, 3)
    check_row("aten.arange.start_step", 1.0, 2.0, 0.3)
    check_row("aten.arange.default", 5)
    check_row("aten.arange.start", 2, 5)
    check_row("aten.linspace.default", -1, 1, 7)
    for op in ("zeros", "ones"):
        check_row(f"aten.{op}.default", [2, 3], dtype=dtype)
        check_row(f"aten.{op}_like.default", x, dtype=dtype)
        check_row(f"aten.new_{op}.default", x, [4], dtype=dtype)
    check_row("aten.full.default", [2], 1, dtype=dtype)
    check_row("aten.full.default", [2], 1.5)
    check_row("aten.full_like.default", x, 2)
    check_row("aten.new_full.default", x, [3], 2)
    check_row("aten.scalar_tensor.default", 2)
    check_row("aten.eye.default", 3)
    check_row("aten.fill.Scalar", x, 3)
    check_row("aten.fill.Tensor", x, np.asarray(3.0))
    check_row("aten.zero.default", x)
    check_row("aten.copy.default", x, noise(3, seed=1), gradients=False)  # torch has none for it out of place
    for op in ("clone", "contiguous", "alias"):
        check_row(f"aten.{op}.default", x)
    check_row("aten.lift_fresh_copy.default", x, gradients=False)
    check_row("aten.detach.default", x)
    check_row("aten.to.dtype", x, dtype, tolerance=1e-6)
    check_row("aten.type_as.default", x, noise(1, dtype=name), tolerance=1e-6)
    check_row("aten._to_copy.default", x, dtype=dtype, tolerance=1e-6)


def test_by_hand() -> None:
    assert [part.tolist() for part in chunk(np.arange(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert padded(np.arange(3), (1, 2), "circular").tolist() == [2, 0, 1, 2, 0, 1]
    assert padded(np.arange(4), (-1, 0)).tolist() == [1, 2, 3]


def test_what_is_refused() -> None:
    x = noise(2, 3)
    check_refusal("aten.reshape.default", x, [4], match="has 6 numbers")
    check_refusal("aten.permute.default", x, [0], match="order of 2 axes")
    check_refusal("aten.permute.default", x, [0, 0], match="twice")
    check_refusal("aten.flatten.using_ints", x, 1, 0, match="comes after")
    check_refusal("aten.expand.default", x, [2, 4], match="cannot become")
    check_refusal("aten.cat.default", [x, noise(3, 4)], 0, match="want to be equal")
    check_refusal("aten.stack.default", [x, noise(3, 4)], match="one shape")
    check_refusal("aten.split_with_sizes.default", x, [1, 3], 1, match="do not sum")
    check_refusal("aten.chunk.default", x, 0, match="at least 1 piece")
    check_refusal("aten.select.int", x, 0, 2, match="not among them")
    check_refusal("aten.index.Tensor", x, [np.array([5])], match="5")
    check_refusal("aten.embedding.default", x, np.array([2]), match="2")
    check_refusal("aten.pad.default", x, [3, 0], "reflect", match="at most 2")
    check_refusal("aten.pad.default", x, [1, 0], "mirror", match="reflect")
    check_refusal("aten.pixel_shuffle.default", noise(1, 3, 2, 2), 2, match="no multiple of 2")
    check_refusal("aten.unfold.default", x, 1, 4, 1, match="at most 3")
    check_refusal("aten.gather.default", x, 1, np.array([[3]]), match="3")
    check_refusal("aten.roll.default", x, [1, 2], [0], match="shifts")
    check_refusal("aten.arange.start_step", 0, 5, -1, match="no way")


def test_pieces_without_a_gradient_give_none() -> None:
    x, grad = noise(2, 3), noise(2)
    parts = unbind(x, 1)
    assert unbind_vjp([grad, None, grad], parts, x, 1)[0].T.tolist() == [grad.tolist(), [0, 0], grad.tolist()]  # type: ignore[union-attr]
    pieces = split(x, [1, 2], 1)
    (found,) = split_vjp([None, np.ones((2, 2))], pieces, x, [1, 2], 1)
    assert found is not None
    assert found.tolist() == [[0, 1, 1], [0, 1, 1]]
