"""Recurrent networks through time: against torch in values and gradients, laws of time, multiply-adds, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import PhotositeError, RangeError
from photosite.graph.table import TABLE
from photosite.ops.recurrent import gru, lstm, rnn_relu
from tests.ops.rows import check_refusal, check_row, noise

GATES = {"aten.lstm.input": 4, "aten.gru.input": 3, "aten.rnn_tanh.input": 1, "aten.rnn_relu.input": 1}
SIZES: dict[str, Any] = {
    "length": 5, "batch": 2, "inputs": 3, "hidden": 4, "layers": 2, "two": False, "biases": True, "batch_first": False,
}  # fmt: skip


def drawn(op: str, *, length: int, batch: int, inputs: int, hidden: int, layers: int, two: bool, biases: bool,
          batch_first: bool, projected: int = 0, dtype: str = "float64", seed: int = 100) -> list[Any]:  # fmt: skip
    """Arguments of a recurrent operation."""
    directions, shown, rows = 1 + two, projected or hidden, GATES[op] * hidden
    params = []
    for number in range(layers * directions):
        wide = inputs if number < directions else shown * directions
        shapes = [(rows, wide), (rows, shown), *[(rows,)] * (2 * biases), *[(projected, hidden)] * (projected > 0)]
        params += [noise(*shape, seed=seed + 10 * number + n, dtype=dtype) / 2 for n, shape in enumerate(shapes)]
    x = noise(*((batch, length) if batch_first else (length, batch)), inputs, seed=seed, dtype=dtype)
    h = noise(layers * directions, batch, shown, seed=seed + 1, dtype=dtype)
    hx = [h, noise(layers * directions, batch, hidden, seed=seed + 2, dtype=dtype)] if op == "aten.lstm.input" else h
    params = [param.astype(dtype) for param in params]
    return [x, hx, params, biases, layers, 0.0, False, two, batch_first]


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 5), batch=st.integers(1, 3), inputs=st.integers(1, 4), hidden=st.integers(1, 4),
    layers=st.integers(1, 3), two=st.booleans(), biases=st.booleans(), batch_first=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(100, 199),
)  # fmt: skip
@pytest.mark.parametrize("op", GATES)
def test_values_and_gradients(op: str, **drawing: Any) -> None:
    check_row(op, *drawn(op, **drawing))


@settings(max_examples=15, deadline=None)
@given(
    length=st.integers(1, 4), batch=st.integers(1, 3), hidden=st.integers(3, 4), layers=st.integers(1, 2),
    two=st.booleans(), biases=st.booleans(), batch_first=st.booleans(), projected=st.integers(1, 2),
)  # fmt: skip
def test_projected_states(**drawing: Any) -> None:
    check_row("aten.lstm.input", *drawn("aten.lstm.input", inputs=2, **drawing))


@pytest.mark.parametrize("op", GATES)
def test_half_order_and_flags_that_do_not_matter(op: str) -> None:
    sizes = {**SIZES, "layers": 1, "two": True}
    half = drawn(op, **sizes, dtype="float16")
    check_row(op, *half, gradients=False, tolerance=5e-3)  # torch rounds at each step
    args = drawn(op, **sizes)
    args[0] = noise(6, 2, 6)[::-2, :, ::2]
    args[5:7] = [0.5, True]  # of one layer nothing is dropped: dropout stands between layers
    check_row(op, *args)
    args[5:7] = [0.5, False]
    check_row(op, *args)
    none = drawn(op, **{**sizes, "batch": 0})
    check_row(op, *none, gradients=False)


def test_by_hand() -> None:
    # without weights the gates of an LSTM are half open and its thought is 0: memory 8 4 2 1, shown tanh of it, halved
    zero, first = np.zeros((4, 1)), np.full((1, 1, 1), 8.0)
    output, state, memory = lstm(np.ones((3, 1, 1)), [first, first], [zero, zero], False, 1, 0.0, False, False, False)
    np.testing.assert_allclose(output.ravel(), np.tanh([4.0, 2.0, 1.0]) / 2, rtol=1e-15)
    assert (state.item(), memory.item()) == (output[-1].item(), 1.0)
    # a plain cell with weights 1 and 1 adds up: forward 1 3 6, backward 6 5 3
    one, nothing = np.ones((1, 1)), np.zeros((2, 1, 1))
    x = np.array([1.0, 2, 3]).reshape(3, 1, 1)
    output, state = rnn_relu(x, nothing, [one] * 4, False, 1, 0.0, False, True, False)
    assert output[:, 0].tolist() == [[1, 6], [3, 5], [6, 3]]
    assert state.ravel().tolist() == [6, 6]


def test_time_can_be_cut_and_turned() -> None:
    args = drawn("aten.gru.input", **{**SIZES, "length": 6})
    x, h = args[0], args[1]
    whole, last = gru(*args)
    first_half, middle = gru(x[:3], h, *args[2:])
    second_half, end = gru(x[3:], middle, *args[2:])
    np.testing.assert_allclose(np.concatenate([first_half, second_half]), whole, rtol=1e-14)
    np.testing.assert_allclose(end, last, rtol=1e-14)
    # of two directions with the same weights, each reads a turned sequence as the other reads it
    args = drawn("aten.gru.input", **{**SIZES, "layers": 1, "two": True})
    x, h, params = args[:3]
    same, alike = [*params[:4], *params[:4]], np.stack([h[0], h[0]])
    there, _ = gru(x, alike, same, *args[3:])
    back, _ = gru(x[::-1], alike, same, *args[3:])
    np.testing.assert_array_equal(there[..., :4], back[::-1, :, 4:])


def test_results_that_were_not_used() -> None:
    args = drawn("aten.lstm.input", **{**SIZES, "two": True, "batch_first": True})
    vjp, result = TABLE["aten.lstm.input"].vjp, lstm(*args)
    assert vjp is not None
    grads = [noise(*part.shape, seed=n) for n, part in enumerate(result)]
    everything = vjp(grads, result, *args)
    parts = [vjp([g if n == m else None for m, g in enumerate(grads)], result, *args) for n in range(3)]
    np.testing.assert_allclose(sum(part[0] for part in parts), everything[0], rtol=1e-12, atol=1e-14)
    for number, whole in enumerate(everything[2]):
        np.testing.assert_allclose(sum(part[2][number] for part in parts), whole, rtol=1e-11, atol=1e-13)


def test_multiply_adds_by_hand() -> None:
    # 5 steps of 2 examples; layer 1 reads 3 values, layer 2 both directions of 4: gates * 4 * (3 + 4), then * (8 + 4)
    sizes = {**SIZES, "two": True, "batch_first": True}
    for op, gates in GATES.items():
        args = drawn(op, **sizes)
        assert TABLE[op].macs(TABLE[op].value(*args), *args) == 5 * 2 * 2 * gates * 4 * (3 + 4 + 8 + 4)
    args = drawn("aten.lstm.input", **{**sizes, "layers": 1, "two": False, "projected": 2})
    assert TABLE["aten.lstm.input"].macs(None, *args) == 5 * 2 * (16 * 3 + 16 * 2 + 2 * 4)


def test_a_random_draw_is_refused() -> None:
    args = drawn("aten.lstm.input", **SIZES)
    args[5:7] = [0.5, True]
    with pytest.raises(RangeError, match=r"dropout is 0.5 in training, .* capture the model in evaluation"):
        lstm(*args)


def changed(args: list[Any], number: int, value: Any) -> list[Any]:
    """Arguments with another one at a place."""
    return [value if n == number else argument for n, argument in enumerate(args)]


def test_refusals() -> None:
    sizes = {**SIZES, "layers": 1}
    for op, gates in GATES.items():
        args = drawn(op, **sizes)
        params = args[2]
        check_refusal(op, *drawn(op, **{**sizes, "length": 0}), match="at least one step, x has 0 × 2 × 3")
        check_refusal(op, *changed(args, 2, params[:3]), match="4 arrays for each of 1 layers and directions, has 3")
        check_refusal(op, *changed(args, 0, noise(5, 2)), match=r"\(T, B, I\), has 5 × 2")
        check_refusal(op, *changed(args, 0, noise(5, 2, 3, dtype="float32")), match="dtype of x, float32")
        # torch reads beyond the end of some of these, and raises nothing
        wrong = [
            (changed(args, 0, noise(5, 2, 7)), f"input's matrix wants {gates * 4} × 7, has {gates * 4} × 3"),
            (changed(args, 2, [params[0], noise(gates * 4, 5), *params[2:]]), f"state's matrix wants {gates * 4} × 4"),
            (changed(args, 2, [*params[:3], noise(3)]), f"state's bias wants {gates * 4}, has 3"),
            (changed(args, 4, 2), "hx wants 2 × 2 × 4, has 1 × 2 × 4"),
            (changed(args, 8, True), "hx wants 1 × 5 × 4"),
        ]
        for arguments, words in wrong:
            with pytest.raises(PhotositeError, match=words):
                TABLE[op].value(*arguments)
    args = drawn("aten.lstm.input", **sizes)
    check_refusal("aten.lstm.input", *changed(args, 1, args[1][:1]), match="has 1 arrays")
    check_refusal(
        "aten.lstm.input", *changed(args, 1, [h[0] for h in args[1]]), match=r"\(layers \* directions, B, H\)"
    )
