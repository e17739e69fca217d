"""Signals that go from numbers of a network back to its input, by the gradient's rule or by another one.

The model is captured once and only read: its flags, gradients, hooks and weights stay as they were, whatever state
PyTorch's own switches for gradients are in. Knows nothing of what the signals are shown as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from photosite.analysis.aim import Aims, Chosen, as_aims, choose, place_of
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.rectifiers import Rule, Smooth, check_rules, rectified, rectified_by
from photosite.errors import RangeError, ShapeError
from photosite.graph.capture import capture, unwrap
from photosite.graph.execute import run
from photosite.graph.functional import functional
from photosite.graph.ir import Node
from photosite.graph.reach.field import picture, ways_of
from photosite.graph.read import model_tensors


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each number of the input has to do with one number of the network, picture by picture.

    Attributes:
        method: how it was made.
        node: the value that the number stands in.
        values: as the input, (B, C, H, W) or (B, H, W, C); half precision becomes float32.
        outputs: (B,), the number.
        channels: its channel, or which logit it is; None where the aim was an index.
        places: its row and column; None where the value has no places, or the aim was an index.
        notes: lines for people: what the method met that it was not made for.
    """

    method: str
    node: str
    values: Tensor
    outputs: Tensor
    channels: tuple[int | None, ...]
    places: tuple[tuple[int, int] | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def heat(self) -> Tensor:
        """(B, H, W): the largest over the input's channels, without signs (Simonyan, Vedaldi and Zisserman 2013).

        Raises:
            ShapeError: the input is not a picture.
        """
        if self.values.ndim != 4:
            raise ShapeError(f"heat: wants an input (B, C, H, W) or (B, H, W, C), this is {tuple(self.values.shape)}")
        axes = picture(self.values.shape).axes
        (channels,) = (dim for dim in range(1, 4) if not ways_of(axes[dim]))
        return self.values.abs().amax(channels)


class Backward:
    """Carries signals back through a model, on pictures of one size.

    Args:
        model: any vision model of one input; it is captured once, as in evaluation.
        example: a batch as it takes them. So many pictures are worked on at once; later ones can be more or fewer.
    Raises:
        CaptureError: the model cannot be read.
        ShapeError: it takes several inputs.
        RangeError: the input is not made of real numbers.
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        if not example.is_floating_point():
            raise RangeError(f"backward: wants floating-point numbers, which have gradients, got {example.dtype}")
        self.model = model
        with torch.inference_mode(False):
            self.graph = functional(capture(model, example.detach().clone()))  # no inference tensor, of no other graph
        if len(self.graph.inputs) != 1:
            raise ShapeError(f"backward: wants a model of one input, this takes {', '.join(self.graph.inputs)}")

    @cached_property
    def fields(self) -> ReceptiveFields:
        """The receptive fields of the model's values."""
        return ReceptiveFields(self.graph)

    @property
    def batch(self) -> int:
        """How many pictures are worked on at once."""
        return self.graph.input_shapes[0][0]

    def find(self, name: str | None) -> Node:
        """A node by its name or the path of a module, whose last value is taken; None is the first output.

        Raises:
            UnknownNameError: there is neither.
        """
        return self.graph.find(self.graph.outputs[0] if name is None else name)

    def choose(self, x: Tensor, node: str | None = None, aim: Aims = None) -> Chosen:
        """Where what is aimed at stands in the value, and how large it is, without any gradient.

        Args:
            x: (N, ...) pictures of the size of the example.
            node: a node or the path of a module; None is the first output.
            aim: what is meant; a number is a channel or logit, a list has one for each picture, None is the largest.
        Raises:
            As `signal`.
        """
        found = self.find(node)
        self._check(x)
        aims = as_aims(aim, len(x))
        place = place_of(found, self.fields if len(found.shape) > 2 else None, self.batch)
        parts = []
        with torch.inference_mode(False), torch.no_grad():
            for start, some, rows in self._batches(x):
                value = self._value(rows, found, "gradient")
                parts.append(choose(value[:some], place, aims[start : start + some]))
        return Chosen.joined(parts)

    def numbers(self, x: Tensor, node: str | None, flat: Tensor) -> Tensor:
        """What stands at places that `choose` has found, at any inputs.

        Args:
            x: (N, ...) inputs.
            node: as for `choose`.
            flat: (N,), where the numbers stand.
        Returns:
            (N,).
        """
        found, parts = self.find(node), []
        with torch.inference_mode(False), torch.no_grad():
            for start, some, rows in self._batches(x):
                value = self._value(rows, found, "gradient")
                parts.append(_at(value, flat[start : start + some]))
        return torch.cat(parts)

    def signal(
        self,
        x: Tensor,
        node: str | None = None,
        aim: Aims = None,
        rule: Rule = "gradient",
        smooth: Smooth = "refuse",
    ) -> Attribution:
        """Send 1 back from a number of each picture to the input.

        Args:
            x: (N, ...) pictures of the size of the example.
            node: a node or the path of a module; None is the first output.
            aim: what is meant; a number is a channel or logit, a list has one for each picture, None is the largest.
            rule: how the signal goes back through rectifiers.
            smooth: with another rule than the gradient's, what to do about activations that are no rectifiers.
        Returns:
            The signals, N of them.
        Raises:
            UnknownNameError: there is no such node or module.
            ShapeError: pictures have another size, the value holds no map, or no gradient leads back from it.
            RangeError: there is no such channel or place.
            UnsupportedOpError: an activation is no rectifier, and `smooth` is "refuse".
        """
        found = self.find(node)
        notes = check_rules(self.graph, self._needed(found), rule, smooth)
        self._check(x)
        aims = as_aims(aim, len(x))
        place = place_of(found, self.fields if len(found.shape) > 2 else None, self.batch)
        parts, signals = [], []
        with torch.inference_mode(False), torch.enable_grad():
            for start, some, rows in self._batches(x):
                rows = rows.requires_grad_()
                value = self._value(rows, found, rule)
                parts.append(choose(value[:some].detach(), place, aims[start : start + some]))
                signals.append(self._back(rows, value, parts[-1].flat, found))
        chosen = Chosen.joined(parts)
        return Attribution(
            rule, found.name, torch.cat(signals), chosen.numbers, chosen.channels, chosen.places, tuple(notes)
        )

    def gradients(self, x: Tensor, node: str | None, flat: Tensor) -> Tensor:
        """The plain gradient of numbers that `choose` has found, at any inputs.

        Args:
            x: (N, ...) inputs.
            node: as for `choose`.
            flat: (N,), where the numbers stand.
        Returns:
            As x.
        """
        found, signals = self.find(node), []
        with torch.inference_mode(False), torch.enable_grad():
            for start, some, rows in self._batches(x):
                rows = rows.requires_grad_()
                signals.append(
                    self._back(rows, self._value(rows, found, "gradient"), flat[start : start + some], found)
                )
        return torch.cat(signals)

    def _back(self, rows: Tensor, value: Tensor, flat: Tensor, node: Node) -> Tensor:
        """The signals of some numbers of a value, one for each picture."""
        if not value.requires_grad:
            raise ShapeError(f"backward: no gradient leads from {node.name} back to the picture")
        (signal,) = torch.autograd.grad(_at(value, flat).sum(), rows)
        signal = signal[: len(flat)]
        return signal if signal.dtype == torch.float64 else signal.float()

    def _value(self, rows: Tensor, node: Node, rule: Rule) -> Tensor:
        """The value of a node; what nobody reads any more is freed, but for what gradients need."""
        needed = self._needed(node)
        last = {name: number for number, one in enumerate(needed) for name in one.inputs}
        values = {**self._state(), self.graph.inputs[0]: rows}
        for number, one in enumerate(needed):
            operand = None if rule == "gradient" else rectified_by(one, self.graph)
            values[one.name] = run(one, values) if operand is None else rectified(one, operand, values, rule)
            for name in one.inputs:
                if last[name] == number and name != node.name:
                    values.pop(name, None)
        value = values[node.name]
        if not isinstance(value, Tensor) or not value.ndim or len(value) != self.batch:
            shape = tuple(value.shape) if isinstance(value, Tensor) else "several values"
            raise ShapeError(f"backward: {node.name} has no axis of {self.batch} pictures in front, it is {shape}")
        return value

    def _state(self) -> dict[str, Any]:
        """Weights and constants, apart from every gradient."""
        tensors = model_tensors(unwrap(self.model)[0])
        state = {name: t.detach() for name, t in tensors.items()}
        device = next((t.device for t in state.values()), torch.device("cpu"))
        for name, held in self.graph.constants.items():
            state[name] = torch.tensor(held.array, dtype=getattr(torch, held.dtype), device=device)
        return state

    def _needed(self, node: Node) -> list[Node]:
        """The nodes that a value is made of, in order."""
        wanted, found = {node.name}, []
        for one in reversed(self.graph.nodes):
            if one.name in wanted:
                found.append(one)
                wanted |= set(one.inputs)
        return found[::-1]

    def _check(self, x: Tensor) -> None:
        shape = self.graph.input_shapes[0]
        if x.ndim != len(shape) or tuple(x.shape[1:]) != shape[1:] or not len(x):
            raise ShapeError(f"backward: wants pictures {shape[1:]}, at least one, got {tuple(x.shape)}")

    def _batches(self, x: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """Where each batch starts, how many pictures of it count, and the batch, filled up with zeros."""
        for start in range(0, len(x), self.batch):
            rows = x[start : start + self.batch].detach().clone()
            some = len(rows)
            if some < self.batch:
                rows = torch.cat([rows, rows.new_zeros(self.batch - some, *rows.shape[1:])])
            yield start, some, rows


def as_backward(model: nn.Module | Backward, x: Tensor) -> Backward:
    """A model, captured with these pictures; a `Backward` as it is."""
    return model if isinstance(model, Backward) else Backward(model, x)


def _at(value: Tensor, flat: Tensor) -> Tensor:
    """One number of each picture's value."""
    return value.reshape(len(value), -1)[: len(flat)].gather(1, flat[:, None])[:, 0]
