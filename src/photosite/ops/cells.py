"""One step of a recurrent network: what a cell remembers, given what it sees and what it remembered; LSTM, GRU, plain.

A cell sees two things of the same width: what the input gives, W x + b, and what the state before gives, U h + c. In
both, the parts for its gates lie side by side. See `recurrent` for many steps in a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.activation import share
from photosite.ops.arrays import Array
from photosite.ops.reals import as_real, rounded, widened
from photosite.shapes import shape_text

States = tuple[Array, ...]
Saved = tuple[Array, ...]


@dataclass(frozen=True)
class Cell:
    """A kind of cell.

    Attributes:
        gates: parts that lie side by side in what it sees, each as wide as the state.
        step: (from the input, from the state, states) to the new states, and what the way back needs.
        step_vjp: (gradients of the new states, what was kept) to those of the three.
    """

    gates: int
    step: Callable[[Array, Array, States], tuple[States, Saved]]
    step_vjp: Callable[[States, Saved], tuple[Array, Array, States]]


def _lstm_step(from_x: Array, from_h: Array, states: States) -> tuple[States, Saved]:
    """Forget a share f of the memory c, add a share i of the new thought g, and show a share o of it."""
    i, f, g, o = np.split(from_x + from_h, 4, -1)
    i, f, g, o = share(i), share(f), np.tanh(g), share(o)
    before = states[1]
    memory = f * before + i * g
    shown = np.tanh(memory)
    return (o * shown, memory), (i, f, g, o, before, shown)


def _lstm_step_vjp(grads: States, saved: Saved) -> tuple[Array, Array, States]:
    """Memory passes straight back, times what was not forgotten; so a gradient can live for many steps."""
    of_h, of_memory = grads
    i, f, g, o, before, shown = saved
    of_memory = of_memory + of_h * o * (1 - shown * shown)
    of_gates = (
        of_memory * g * i * (1 - i),
        of_memory * before * f * (1 - f),
        of_memory * i * (1 - g * g),
        of_h * shown * o * (1 - o),
    )
    both = np.concatenate(of_gates, -1)
    return both, both, (np.zeros_like(of_h), of_memory * f)


def _gru_step(from_x: Array, from_h: Array, states: States) -> tuple[States, Saved]:
    """Keep a share z of the state, and for the rest think anew, n, of which the state may say a share r."""
    (xr, xz, xn), (hr, hz, hn) = np.split(from_x, 3, -1), np.split(from_h, 3, -1)
    r, z = share(xr + hr), share(xz + hz)
    n = np.tanh(xn + r * hn)
    before = states[0]
    return (n + z * (before - n),), (r, z, n, hn, before)


def _gru_step_vjp(grads: States, saved: Saved) -> tuple[Array, Array, States]:
    """The state passes straight back, times what was kept."""
    (of_h,) = grads
    r, z, n, hn, before = saved
    of_n = of_h * (1 - z) * (1 - n * n)
    of_z = of_h * (before - n) * z * (1 - z)
    of_r = of_n * hn * r * (1 - r)
    return np.concatenate([of_r, of_z, of_n], -1), np.concatenate([of_r, of_z, of_n * r], -1), (of_h * z,)


def _tanh_step(from_x: Array, from_h: Array, states: States) -> tuple[States, Saved]:
    """The new state is the tanh of all that is seen."""
    h = np.tanh(from_x + from_h)
    return (h,), (h,)


def _tanh_step_vjp(grads: States, saved: Saved) -> tuple[Array, Array, States]:
    """The slope of tanh; nothing passes straight back, so gradients fade."""
    both = grads[0] * (1 - saved[0] * saved[0])
    return both, both, (np.zeros_like(both),)


def _relu_step(from_x: Array, from_h: Array, states: States) -> tuple[States, Saved]:
    """The new state is what is positive of all that is seen."""
    h = np.maximum(from_x + from_h, 0)
    return (h,), (h,)


def _relu_step_vjp(grads: States, saved: Saved) -> tuple[Array, Array, States]:
    """Passes where the state is positive."""
    both = np.where(saved[0] > 0, grads[0], np.zeros((), grads[0].dtype))
    return both, both, (np.zeros_like(both),)


LSTM = Cell(4, _lstm_step, _lstm_step_vjp)
GRU = Cell(3, _gru_step, _gru_step_vjp)
PLAIN_TANH = Cell(1, _tanh_step, _tanh_step_vjp)
PLAIN_RELU = Cell(1, _relu_step, _relu_step_vjp)

# --- one step as an operation -----------------------------------------------------------------------------------------


def lstm_cell(
    x: Array, hx: Sequence[Array], w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> States:
    """One step of an LSTM: forget some of the memory, add some of a new thought, show some of it.

    i, f, g, o = W x + U h + b, all but g through a sigmoid, g through tanh; c' = f c + i g; h' = o tanh(c').

    Args:
        x: what comes in, (B, I).
        hx: state h and memory c, both (B, H).
        w_ih: (4 H, I); the parts are those of i, f, g, o.
        w_hh: (4 H, H).
        b_ih: (4 H,).
        b_hh: (4 H,); added to b_ih.
    Returns:
        The new state and memory, (B, H).
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `lstm_cell` to float32's rounding.
    Source: Hochreiter and Schmidhuber 1997; with forget gate, Gers et al. 1999.

    >>> zero = np.zeros((4, 1))  # without weights all gates are half open, and the new thought is 0
    >>> [
    ...     part.round(4).tolist()
    ...     for part in lstm_cell(np.ones((1, 1)), [np.ones((1, 1)), np.full((1, 1), 2.0)], zero, zero)
    ... ]
    [[[0.3808]], [[1.0]]]
    """
    return _advance(LSTM, "lstm_cell", x, hx, (w_ih, w_hh, b_ih, b_hh))


def lstm_cell_vjp(
    grad: Sequence[Array | None],
    result: States,
    x: Array,
    hx: Sequence[Array],
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> tuple[Array | None, list[Array], Array | None, Array | None, Array | None, Array | None]:
    """Back through the gates, then through both matrices."""
    of_x, of_hx, of_weights = _advance_vjp(LSTM, grad, x, hx, (w_ih, w_hh, b_ih, b_hh))
    return of_x, of_hx, *of_weights


def lstm_cell_macs(
    result: States,
    x: Array,
    hx: Sequence[Array],
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> int:
    """Both matrices, once for each example; the products of gates are not counted."""
    return sum(math.prod((x.shape[0], *matrix.shape)) for matrix in (w_ih, w_hh))


def gru_cell(
    x: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> Array:
    """One step of a GRU: keep some of the state, and replace the rest by a new thought.

    r, z = sigmoid(W x + b + U h + c); n = tanh(W x + b + r (U h + c)); h' = (1 - z) n + z h.

    Args:
        x: what comes in, (B, I).
        hx: state, (B, H).
        w_ih: (3 H, I); the parts are those of r, z, n.
        w_hh: (3 H, H).
        b_ih: (3 H,).
        b_hh: (3 H,); in n it is inside of what r opens.
    Returns:
        The new state, (B, H).
    Raises:
        ShapeError: the shapes do not fit.
        RangeError: no real numbers, or two dtypes.
    Matches: torch `gru_cell` to float32's rounding; the paper opens the state by r before U, not after it.
    Source: Cho et al. 2014.

    >>> zero = np.zeros((3, 1))  # without weights half of the state is kept, and the new thought is 0
    >>> gru_cell(np.ones((1, 1)), np.full((1, 1), 6.0), zero, zero).tolist()
    [[3.0]]
    """
    return _advance(GRU, "gru_cell", x, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


def gru_cell_vjp(
    grad: Array,
    result: Array,
    x: Array,
    hx: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> tuple[Array | None, ...]:
    """Back through the gates, then through both matrices."""
    of_x, of_hx, of_weights = _advance_vjp(GRU, [grad], x, (hx,), (w_ih, w_hh, b_ih, b_hh))
    return of_x, of_hx[0], *of_weights


def gru_cell_macs(
    result: Array,
    x: Array,
    hx: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
) -> int:
    """Both matrices, once for each example; the products of gates are not counted."""
    return sum(math.prod((x.shape[0], *matrix.shape)) for matrix in (w_ih, w_hh))


CellWeights = tuple[Array, Array, Array | None, Array | None]


def _advance(cell: Cell, who: str, x: Array, states: Sequence[Array], weights: CellWeights) -> States:
    """The states after one step, once shapes and dtypes are seen to fit."""
    if len(states) != (2 if cell is LSTM else 1):
        raise ShapeError(f"{who}: hx wants state and memory, has {len(states)} arrays")
    if x.ndim != 2:
        raise ShapeError(f"{who}: x wants (B, I), has {shape_text(x.shape)}")
    hidden = states[0].shape[-1] if states[0].ndim else 0
    for state in states:
        check_array(who, "hx", state, (x.shape[0], hidden), x)
    check_weights(cell, who, weights, x.shape[1], hidden, hidden, x)
    new, _ = _stepped(cell, x, states, weights)
    return tuple(rounded(state, x) for state in new)


def _advance_vjp(
    cell: Cell, grads: Sequence[Array | None], x: Array, states: Sequence[Array], weights: CellWeights
) -> tuple[Array, list[Array], tuple[Array, Array, Array | None, Array | None]]:
    """The gradients of input, states and weights from those of the new states."""
    new, saved = _stepped(cell, x, states, weights)
    given = tuple(
        np.zeros_like(state) if grad is None else widened(grad) for grad, state in zip(grads, new, strict=True)
    )
    from_x, from_h, of_states = cell.step_vjp(given, saved)
    w_ih, w_hh, b_ih, b_hh = weights
    of_h = of_states[0] + from_h @ widened(w_hh)
    return (
        rounded(from_x @ widened(w_ih), x),
        [rounded(part, x) for part in (of_h, *of_states[1:])],
        (
            rounded(from_x.T @ widened(x), x),
            rounded(from_h.T @ widened(states[0]), x),
            None if b_ih is None else rounded(from_x.sum(0), x),
            None if b_hh is None else rounded(from_h.sum(0), x),
        ),
    )


def _stepped(cell: Cell, x: Array, states: Sequence[Array], weights: CellWeights) -> tuple[States, Saved]:
    """One step, and what the way back needs."""
    w_ih, w_hh, b_ih, b_hh = weights
    wide = tuple(widened(state) for state in states)
    return cell.step(seen(widened(x), w_ih, b_ih), seen(wide[0], w_hh, b_hh), wide)


def seen(x: Array, weight: Array, bias: Array | None) -> Array:
    """What a matrix and a bias make of input or state: x W^T + b."""
    product = x @ widened(weight).T
    return np.asarray(product if bias is None else product + widened(bias))


# --- checks -----------------------------------------------------------------------------------------------------------


def check_weights(
    cell: Cell, who: str, weights: Sequence[Array | None], inputs: int, shown: int, hidden: int, x: Array
) -> None:
    """Two matrices and two biases have the shapes and the dtype that go with x; a bias may be None.

    Args:
        cell: the kind of cell.
        who: the operation, for messages.
        weights: the input's matrix and the state's, then their biases.
        inputs: how wide the input is.
        shown: how wide the state is that the next step sees.
        hidden: how wide a gate is; as `shown`, if nothing is projected.
        x: what has the dtype.

    Raises:
        ShapeError: one has another shape.
        RangeError: one has another dtype, or x has no real numbers.
    """
    rows = cell.gates * hidden
    names = ("the input's matrix", "the state's matrix", "the input's bias", "the state's bias")
    for name, weight, shape in zip(names, weights, ((rows, inputs), (rows, shown), (rows,), (rows,)), strict=True):
        if weight is not None:
            check_array(who, name, weight, shape, x)


def check_array(who: str, name: str, array: Array, shape: Sequence[int], x: Array) -> None:
    """An array has the shape and the dtype that go with x.

    Raises:
        ShapeError: it has another shape.
        RangeError: it has another dtype, or x has no real numbers.
    """
    as_real(x, who)
    if array.shape != tuple(shape):
        raise ShapeError(f"{who}: {name} wants {shape_text(shape)}, has {shape_text(array.shape)}")
    if array.dtype != x.dtype:
        raise RangeError(f"{who}: {name} wants the dtype of x, {x.dtype}, has {array.dtype}")
