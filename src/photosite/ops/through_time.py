"""How layers of recurrent cells go through a sequence, forward and back; the same for every kind of cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array
from photosite.ops.cells import LSTM, Cell, Saved, States, check_array, check_weights, seen
from photosite.ops.reals import as_real, rounded, widened
from photosite.shapes import shape_text


class Weights(NamedTuple):
    """What one direction of one layer has learned."""

    w_ih: Array
    w_hh: Array
    b_ih: Array | None
    b_hh: Array | None
    projection: Array | None


@dataclass(frozen=True)
class Layout:
    """How the cells are put together.

    Attributes:
        who: the operation, for messages.
        cell: the kind of cell.
        biases: whether cells have them.
        layers: how many lie on top of each other.
        directions: 1 or 2.
        batch_first: whether sequences are (B, T, I) and not (T, B, I).
        projected: whether a matrix makes the state narrower before the next step sees it.
    """

    who: str
    cell: Cell
    biases: bool
    layers: int
    directions: int
    batch_first: bool
    projected: bool = False

    @property
    def each(self) -> int:
        """Arrays that one direction of one layer has."""
        return 2 + 2 * self.biases + self.projected

    def weights(self, params: Sequence[Array], number: int) -> Weights:
        """What the direction with that number has, counted layer by layer."""
        own = [widened(p) for p in params[number * self.each : (number + 1) * self.each]]
        biases = own[2:4] if self.biases else [None, None]
        return Weights(own[0], own[1], biases[0], biases[1], own[-1] if self.projected else None)

    def flat(self, weights: Weights) -> list[Array]:
        """Weights as they stand in `params`."""
        return [part for part in weights if part is not None]


@dataclass(frozen=True)
class Journey:
    """One direction of one layer, gone through time.

    Attributes:
        x: what it read, (T, B, I).
        order: the numbers of the steps, in the order in which they were gone.
        before: the state before each of these steps.
        saved: what the cell kept at each.
        whole: the state before it was projected.
        output: the state after each step, (T, B, H), in the order of x.
        last: the states at the end.
    """

    x: Array
    order: range
    before: list[Array]
    saved: list[Saved]
    whole: list[Array]
    output: Array
    last: States


def go(cell: Cell, x: Array, states: States, weights: Weights, backward: bool) -> Journey:
    """Go through a sequence from its start to its end, or from its end to its start."""
    order = range(len(x) - 1, -1, -1) if backward else range(len(x))
    from_x = seen(x, weights.w_ih, weights.b_ih)  # (T, B, gates * H), all steps at once: they do not wait for the state
    before, saved, whole = [], [], []
    output = np.empty((*x.shape[:2], states[0].shape[-1]), x.dtype)
    for step in order:
        before.append(states[0])
        states, kept = cell.step(from_x[step], seen(states[0], weights.w_hh, weights.b_hh), states)
        saved.append(kept)
        whole.append(states[0])
        if weights.projection is not None:
            states = (states[0] @ weights.projection.T, *states[1:])
        output[step] = states[0]
    return Journey(x, order, before, saved, whole, output, states)


def go_back(
    cell: Cell, journey: Journey, weights: Weights, of_output: Array, of_last: States
) -> tuple[Array, States, Weights]:
    """The gradients of a journey's input, first states and weights."""
    states = of_last
    from_x, from_h, of_projected = [], [], []
    for number in reversed(range(len(journey.order))):
        of_h = states[0] + of_output[journey.order[number]]
        if weights.projection is not None:
            of_projected.append(of_h)
            of_h = of_h @ weights.projection
        of_x_part, of_h_part, earlier = cell.step_vjp((of_h, *states[1:]), journey.saved[number])
        # what a projected state gave the next step it gave through the matrix alone, so shapes fit
        straight = earlier[0] if weights.projection is None else 0
        states = (of_h_part @ weights.w_hh + straight, *earlier[1:])
        from_x.append(of_x_part)
        from_h.append(of_h_part)
    seen_x, seen_h = np.stack(from_x[::-1]), np.stack(from_h[::-1])  # (T, B, gates * H), in the order of the steps
    read = journey.x[list(journey.order)]
    of_x = np.empty_like(journey.x)
    of_x[list(journey.order)] = seen_x @ weights.w_ih
    projection = None
    if weights.projection is not None:
        projection = _collected(np.stack(of_projected[::-1]), np.stack(journey.whole))
    of_weights = Weights(
        _collected(seen_x, read),
        _collected(seen_h, np.stack(journey.before)),
        None if weights.b_ih is None else seen_x.sum((0, 1)),
        None if weights.b_hh is None else seen_h.sum((0, 1)),
        projection,
    )
    return of_x, states, of_weights


def _collected(grad: Array, x: Array) -> Array:
    """The gradient of a matrix from all steps and examples: (T, B, O) and (T, B, I) to (O, I)."""
    return np.asarray(grad.reshape(-1, grad.shape[-1]).T @ x.reshape(-1, x.shape[-1]))


def through_layers(
    layout: Layout, x: Array, states: Sequence[Array], params: Sequence[Array]
) -> tuple[Array, list[Array], list[Journey]]:
    """Go through all layers.

    Returns:
        The last layer's output; the last states, each (layers * directions, B, H); the journeys, layer by layer.
    """
    below = widened(x).swapaxes(0, 1) if layout.batch_first else widened(x)
    journeys: list[Journey] = []
    for layer in range(layout.layers):
        for direction in range(layout.directions):
            number = layer * layout.directions + direction
            first = tuple(widened(state[number]) for state in states)
            journeys.append(go(layout.cell, below, first, layout.weights(params, number), direction == 1))
        below = np.concatenate([journey.output for journey in journeys[-layout.directions :]], -1)
    output = below.swapaxes(0, 1) if layout.batch_first else below
    last = [np.stack(parts) for parts in zip(*(journey.last for journey in journeys), strict=True)]
    return rounded(output, x), [rounded(part, x) for part in last], journeys


def back_through_layers(
    layout: Layout, grad: Sequence[Array | None], x: Array, states: Sequence[Array], params: Sequence[Array]
) -> tuple[Array, list[Array], list[Array]]:
    """The gradients of input, first states and weights, from those of the output and the last states."""
    output, last, journeys = through_layers(layout, x, states, params)
    given = [
        np.zeros(part.shape, widened(x).dtype) if g is None else widened(g)
        for g, part in zip(grad, (output, *last), strict=True)
    ]
    of_output = given[0].swapaxes(0, 1) if layout.batch_first else given[0]
    of_first: dict[int, States] = {}
    of_weights: dict[int, Weights] = {}
    for layer in reversed(range(layout.layers)):
        own = np.split(of_output, layout.directions, -1)
        below = np.zeros((), of_output.dtype)
        for direction in range(layout.directions):
            number = layer * layout.directions + direction
            of_x, of_first[number], of_weights[number] = go_back(
                layout.cell,
                journeys[number],
                layout.weights(params, number),
                own[direction],
                tuple(part[number] for part in given[1:]),
            )
            below = below + of_x
        of_output = below
    numbers = range(len(journeys))
    of_x = of_output.swapaxes(0, 1) if layout.batch_first else of_output
    return (
        rounded(of_x, x),
        [rounded(np.stack([of_first[number][n] for number in numbers]), x) for n in range(len(states))],
        [rounded(part, x) for number in numbers for part in layout.flat(of_weights[number])],
    )


def arranged(
    who: str,
    cell: Cell,
    x: Array,
    states: Sequence[Array],
    params: Sequence[Array],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Layout:
    """The layout of a recurrent network, once shapes, dtypes and dropout are seen to fit.

    Raises:
        ShapeError: a shape does not fit, or there are no steps.
        RangeError: something would be dropped at random; no real numbers, or two dtypes.
    """
    as_real(x, who)
    if x.ndim != 3:
        raise ShapeError(f"{who}: x wants (T, B, I), has {shape_text(x.shape)}")
    length, batch = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
    if length == 0:
        raise ShapeError(f"{who}: a sequence wants at least one step, x has {shape_text(x.shape)}")
    if train and dropout > 0 and num_layers > 1:
        raise RangeError(
            f"{who}: dropout is {dropout} in training, and a random draw cannot be compared; "
            f"capture the model in evaluation"
        )
    if len(states) != (2 if cell is LSTM else 1):
        raise ShapeError(f"{who}: hx wants first states and memories, has {len(states)} arrays")
    directions = 2 if bidirectional else 1
    for state in states:
        if state.ndim != 3:
            raise ShapeError(f"{who}: hx wants (layers * directions, B, H), has {shape_text(state.shape)}")
        check_array(who, "hx", state, (num_layers * directions, batch, state.shape[-1]), x)
    shown, hidden = states[0].shape[-1], states[-1].shape[-1]
    layout = Layout(who, cell, has_biases, num_layers, directions, batch_first, shown != hidden)
    if len(params) != num_layers * directions * layout.each:
        raise ShapeError(
            f"{who}: params wants {layout.each} arrays for each of {num_layers * directions} layers and directions, "
            f"has {len(params)}"
        )
    for number in range(num_layers * directions):
        own = params[number * layout.each : (number + 1) * layout.each]
        inputs = x.shape[2] if number < directions else shown * directions
        biases = own[2:4] if has_biases else (None, None)
        check_weights(cell, who, [*own[:2], *biases], inputs, shown, hidden, x)
        if layout.projected:
            check_array(who, "the projection", own[-1], (shown, hidden), x)
    return layout
