"""One step of recurrent cells: by hand, against torch in values and gradients, multiply-adds, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.graph.table import TABLE
from photosite.ops.cells import gru_cell, lstm_cell
from tests.ops.rows import check_refusal, check_row, noise

LSTM, GRU = "aten.lstm_cell.default", "aten.gru_cell.default"
GATES = {LSTM: 4, GRU: 3}


def drawn(op: str, batch: int, inputs: int, hidden: int, biases: str = "ih", dtype: str = "float64") -> list[Any]:
    """Arguments of a cell."""
    rows = GATES[op] * hidden
    h, c = noise(batch, hidden, seed=101, dtype=dtype), noise(batch, hidden, seed=102, dtype=dtype)
    return [
        noise(batch, inputs, seed=100, dtype=dtype),
        [h, c] if op == LSTM else h,
        noise(rows, inputs, seed=103, dtype=dtype),
        noise(rows, hidden, seed=104, dtype=dtype),
        *(noise(rows, seed=105 + n, dtype=dtype) if kind in biases else None for n, kind in enumerate("ih")),
    ]


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(0, 3), inputs=st.integers(1, 4), hidden=st.integers(1, 4),
    biases=st.sampled_from(["", "i", "h", "ih"]), dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
@pytest.mark.parametrize("op", GATES)
def test_values_and_gradients(op: str, batch: int, inputs: int, hidden: int, biases: str, dtype: str) -> None:
    check_row(op, *drawn(op, batch, inputs, hidden, biases, dtype))


def test_by_hand() -> None:
    x, one = np.zeros((1, 1)), np.ones((1, 1))
    nothing, far = np.zeros((4, 1)), 1000.0
    # gates driven to their ends: forget all and think 1; or forget nothing and add nothing; show everything
    think = lstm_cell(x, [one, 5 * one], nothing, nothing, np.array([far, -far, far, far]))
    keep = lstm_cell(x, [one, 5 * one], nothing, nothing, np.array([-far, far, far, far]))
    assert [part.item() for part in (think[1], keep[1])] == [1, 5]
    np.testing.assert_allclose([think[0].item(), keep[0].item()], np.tanh([1, 5]), rtol=1e-15)
    # r shut: the thought does not know the state; z open: the state stays
    zero = np.zeros((3, 1))
    assert gru_cell(x, 5 * one, zero, np.array([[0.0], [0], [9]]), np.array([-far, -far, far])).item() == 1
    assert gru_cell(x, 5 * one, zero, np.array([[0.0], [0], [9]]), np.array([far, far, far])).item() == 5


def test_multiply_adds_by_hand() -> None:
    for op, gates in GATES.items():
        args = drawn(op, 2, 3, 5)
        assert TABLE[op].macs(None, *args) == 2 * gates * 5 * (3 + 5)


def test_half_and_what_was_not_used() -> None:
    for op in GATES:
        check_row(op, *drawn(op, 2, 3, 4, dtype="float16"), gradients=False, tolerance=5e-3)  # torch rounds each step
    args, grad, vjp = drawn(LSTM, 2, 3, 4), noise(2, 4, seed=9), TABLE[LSTM].vjp
    assert vjp is not None
    of_h = vjp([grad, None], None, *args)
    of_c = vjp([None, grad], None, *args)
    both = vjp([grad, grad], None, *args)
    np.testing.assert_allclose(of_h[0] + of_c[0], both[0], rtol=1e-12)
    np.testing.assert_allclose(of_h[1][1] + of_c[1][1], both[1][1], rtol=1e-12)


def test_refusals() -> None:
    for op, gates in GATES.items():
        args = drawn(op, 2, 3, 4)
        check_refusal(op, noise(3), *args[1:], match=r"x wants \(B, I\), has 3")
        check_refusal(op, noise(2, 7), *args[1:], match=f"input's matrix wants {4 * gates} × 7, has {4 * gates} × 3")
        check_refusal(op, noise(5, 3), *args[1:], match="hx wants 5 × 4, has 2 × 4")
        check_refusal(op, *args[:3], noise(4 * gates, 5), match=f"state's matrix wants {4 * gates} × 4")
        check_refusal(op, noise(2, 3, dtype="float32"), *args[1:], match="dtype of x, float32")
        check_refusal(op, noise(2, 3, dtype="int64"), *args[1:], match="int64")
    args = drawn(LSTM, 2, 3, 4)
    check_refusal(LSTM, args[0], args[1][:1], *args[2:], match="state and memory, has 1 arrays")
