"""Recurrent networks through time: layers of LSTM, GRU or plain cells, in one direction or both, and the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from photosite.ops.arrays import Array
from photosite.ops.cells import GRU, LSTM, PLAIN_RELU, PLAIN_TANH, Cell
from photosite.ops.through_time import arranged, back_through_layers, through_layers

ThreeGradients = tuple[Array, list[Array], list[Array]]


def lstm(
    x: Array,
    hx: Sequence[Array],
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array, Array]:
    """A sequence through layers of LSTM cells, each of which remembers what it saw; see `cells.lstm_cell` for a step.

    A layer reads the states of the one below. With two directions, a second set of cells reads from the end to the
    start, and the layer above sees the states of both side by side.

    Args:
        x: (T, B, I), T steps; or (B, T, I).
        hx: first states and memories, (layers * directions, B, H); a state is narrower if it is projected.
        params: for each layer and direction w_ih (4 H, I), w_hh (4 H, H), with biases b_ih and b_hh (4 H,), and where
            the state is projected the matrix that does it, (P, H).
        has_biases: whether there are any.
        num_layers: layers on top of each other.
        dropout: the share that is dropped between layers in training.
        train: whether this is training.
        bidirectional: whether there are two directions.
        batch_first: whether x and the result have the batch first.
    Returns:
        The last layer's states at all steps, (T, B, directions * H) or (B, T, ...); the last states and memories of all
        layers.
    Raises:
        ShapeError: the shapes do not fit, or there are no steps.
        RangeError: something would be dropped at random; no real numbers, or two dtypes.
    Matches: torch `lstm` to float32's rounding.
    Source: Hochreiter and Schmidhuber 1997; projection, Sak, Senior and Beaufays 2014.

    >>> import numpy as np
    >>> zero, ones = np.zeros((4, 1)), np.ones((2, 1, 1))  # half of the memory is forgotten at each of two steps
    >>> first = np.full((1, 1, 1), 4.0)
    >>> lstm(ones, [first, first], [zero, zero], False, 1, 0.0, False, False, False)[2].tolist()
    [[[1.0]]]
    """
    layout = arranged("lstm", LSTM, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    output, (state, memory), _ = through_layers(layout, x, hx, params)
    return output, state, memory


def lstm_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    hx: Sequence[Array],
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> ThreeGradients:
    """Back through layers and through time: a state gets what the output wants of it, and what the next step does."""
    layout = arranged("lstm", LSTM, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    return back_through_layers(layout, grad, x, hx, params)


def lstm_macs(result: Sequence[Array], x: Array, hx: Sequence[Array], params: Sequence[Array], *options: object) -> int:
    """All matrices, once for each step and example; the products of gates are not counted."""
    return sum(math.prod((*x.shape[:2], *p.shape)) for p in params if len(p.shape) == 2)


def gru(
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array]:
    """A sequence through layers of GRU cells; see `cells.gru_cell` for a step, and `lstm` for layers and directions.

    Args:
        x: (T, B, I), or (B, T, I).
        hx: first states, (layers * directions, B, H).
        params: for each layer and direction w_ih (3 H, I), w_hh (3 H, H), and with biases b_ih and b_hh (3 H,).
        has_biases: whether there are any.
        num_layers: layers on top of each other.
        dropout: the share that is dropped between layers in training.
        train: whether this is training.
        bidirectional: whether there are two directions.
        batch_first: whether x and the result have the batch first.
    Returns:
        The last layer's states at all steps; the last states of all layers.
    Raises:
        ShapeError, RangeError: as `lstm`.
    Matches: torch `gru` to float32's rounding.
    Source: Cho et al. 2014.

    >>> import numpy as np
    >>> zero, ones = np.zeros((3, 1)), np.ones((2, 1, 1))  # half of the state is kept at each of two steps
    >>> gru(ones, np.full((1, 1, 1), 4.0), [zero, zero], False, 1, 0.0, False, False, False)[0].ravel().tolist()
    [2.0, 1.0]
    """
    return _one_state("gru", GRU, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def gru_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array, list[Array]]:
    """As lstm, through the gates of a GRU."""
    return _one_state_vjp(
        "gru", GRU, grad, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def gru_macs(result: Sequence[Array], x: Array, hx: Array, params: Sequence[Array], *options: object) -> int:
    """As lstm: all matrices, once for each step and example."""
    return lstm_macs(result, x, (), params)


def rnn_tanh(
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array]:
    """A sequence through layers of the plainest cells: h' = tanh(W x + b + U h + c). Arguments and results as `gru`.

    Raises:
        ShapeError, RangeError: as `lstm`.
    Matches: torch `rnn_tanh` to float32's rounding.
    Source: Elman 1990.

    >>> import numpy as np
    >>> w, u = np.array([[0.0]]), np.array([[100.0]])
    >>> rnn_tanh(np.ones((3, 1, 1)), np.ones((1, 1, 1)), [w, u], False, 1, 0.0, False, False, False)[0].ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    return _one_state(
        "rnn_tanh", PLAIN_TANH, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def rnn_tanh_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array, list[Array]]:
    """As lstm, without gates: each step back multiplies by U and by the slope of tanh."""
    return _one_state_vjp(
        "rnn_tanh", PLAIN_TANH, grad, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def rnn_relu(
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array]:
    """A sequence through layers of plain cells with relu: h' = max(W x + b + U h + c, 0); else as `rnn_tanh`.

    Raises:
        ShapeError, RangeError: as `lstm`.
    Matches: torch `rnn_relu` to float32's rounding.
    Source: Le, Jaitly and Hinton 2015.

    >>> import numpy as np
    >>> one = np.array([[1.0]])  # it adds up what comes in
    >>> rnn_relu(np.ones((3, 1, 1)), np.ones((1, 1, 1)), [one, one], False, 1, 0.0, False, False, False)[
    ...     0
    ... ].ravel().tolist()
    [2.0, 3.0, 4.0]
    """
    return _one_state(
        "rnn_relu", PLAIN_RELU, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def rnn_relu_vjp(
    grad: Sequence[Array | None],
    result: Sequence[Array],
    x: Array,
    hx: Array,
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Array, Array, list[Array]]:
    """As lstm, without gates: each step back multiplies by U, where the state is positive."""
    return _one_state_vjp(
        "rnn_relu", PLAIN_RELU, grad, x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
    )


def _one_state(
    who: str, cell: Cell, x: Array, hx: Array, params: Sequence[Array], *options: Any
) -> tuple[Array, Array]:
    """Through the layers of cells that have a state and no memory beside it."""
    layout = arranged(who, cell, x, (hx,), params, *options)
    output, (state,), _ = through_layers(layout, x, (hx,), params)
    return output, state


def _one_state_vjp(
    who: str, cell: Cell, grad: Sequence[Array | None], x: Array, hx: Array, params: Sequence[Array], *options: Any
) -> tuple[Array, Array, list[Array]]:
    """Back through them."""
    layout = arranged(who, cell, x, (hx,), params, *options)
    of_x, (of_state,), of_params = back_through_layers(layout, grad, x, (hx,), params)
    return of_x, of_state, of_params
