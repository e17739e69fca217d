"""A learning machine in NumPy alone: a graph, its gradients, and stochastic gradient descent.

PyTorch read the graph; it takes no part in what happens here. One step is

    loss, gradients = forward and back through every operation of the graph
    v = momentum v + gradient + decay w
    w = w - rate v

for every weight w with its velocity v (Sutskever et al. 2013, in the form that PyTorch has).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from photosite.analysis.replay import check_supported, differentiable, evaluate, gradients
from photosite.errors import MismatchedWeightsError, RangeError, ShapeError
from photosite.graph.ir import Graph
from photosite.ops.arrays import Array
from photosite.ops.loss import cross_entropy_loss, cross_entropy_loss_vjp
from photosite.shapes import shape_text


class LearningMachine:
    """A classifier that learns from pictures and labels.

    Attributes:
        graph: what it computes.
        state: its weights and statistics, as they are now; arrays of its own.
    """

    def __init__(
        self,
        graph: Graph,
        state: Mapping[str, Array],
        *,
        rate: float,
        momentum: float = 0.9,
        decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        """Take weights to start from.

        Args:
            graph: functional, captured in training mode (`capture(model, x, training=True)`), with one output (B, K).
            state: an array for each parameter and buffer that it reads; copied.
            rate: how far a step goes.
            momentum: how much of the last step is in the next, from 0 up to 1.
            decay: how strongly weights are drawn to 0; the penalty is decay / 2 times their squares.
            nesterov: look ahead by one more step of the velocity.
        Raises:
            UnsupportedOpError: an operation has no row.
            MismatchedWeightsError: state lacks an array, or one has another shape.
            ShapeError: there is not one output (B, K).
            RangeError: a rate, momentum or decay below 0, or a momentum of 1 and more.
        """
        check_supported(graph)
        if len(graph.outputs) != 1 or len(graph.shape_of(graph.outputs[0])) != 2:
            shapes = ", ".join(shape_text(graph.shape_of(name)) for name in graph.outputs)
            raise ShapeError(f"learning machine: wants one output (B, K), got {shapes}")
        if not (rate >= 0 and 0 <= momentum < 1 and decay >= 0):
            raise RangeError(f"learning machine: rate {rate}, momentum {momentum} or decay {decay} is out of range")
        missing = sorted(name for name in graph.parameters if name not in state)
        if missing:
            raise MismatchedWeightsError(f"learning machine: nothing is given for {', '.join(missing[:5])}")
        self.graph = graph
        self.state = {name: np.array(state[name]) for name in graph.parameters}
        self.rate, self.momentum, self.decay, self.nesterov = rate, momentum, decay, nesterov
        self._learned = sorted(differentiable(graph) & set(graph.parameters))
        self._velocity: dict[str, Array] = {}
        self._same = {name: info.same_as for name, info in graph.parameters.items() if info.same_as}

    def step(self, pictures: Array, labels: Array) -> float:
        """Learn from one batch.

        Args:
            pictures: as the graph takes them.
            labels: (B,) whole numbers, which of the K classes each picture is.
        Returns:
            The mean cross-entropy before the step.
        Raises:
            ShapeError, RangeError: the pictures are not those of the capture, or the labels do not fit.
        Matches: `torch.optim.SGD` on `cross_entropy`, to the rounding of sums.
        """
        loss, found = self._forward_and_back(pictures, labels)
        for name in self._learned:
            gradient = found.get(name)
            if gradient is None:
                continue
            weight = self.state[name]
            direction = gradient + weight.dtype.type(self.decay) * weight if self.decay else gradient
            velocity = self._velocity.get(name)
            velocity = np.array(direction) if velocity is None else self._carried(velocity, direction)
            self._velocity[name] = velocity
            ahead = direction + weight.dtype.type(self.momentum) * velocity if self.nesterov else velocity
            self.state[name] = weight - weight.dtype.type(self.rate) * ahead
        for name, first in self._same.items():
            self.state[name] = self.state[first]
        return loss

    def _carried(self, velocity: Array, direction: Array) -> Array:
        carried: Array = velocity * velocity.dtype.type(self.momentum) + direction
        return carried

    def _forward_and_back(self, pictures: Array, labels: Array) -> tuple[float, dict[str, Array]]:
        """The loss and the gradients of all weights; the running statistics are brought up to date."""
        values = evaluate(self.graph, self.state, pictures)
        (output,) = self.graph.outputs
        logits = values[output]
        loss = cross_entropy_loss(logits, labels)
        start = cross_entropy_loss_vjp(np.ones_like(loss), loss, logits, labels)[0]
        assert start is not None
        found = gradients(self.graph, values, {output: start}, wanted=self._learned).parameters
        for name, new in self.graph.updates.items():
            self.state[name] = values[new]
        for name, first in self._same.items():  # one weight under two names learns from both
            if name in found:
                found[first] = found[first] + found.pop(name) if first in found else found.pop(name)
        return float(loss), found
