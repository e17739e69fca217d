"""Values in the middle of a network, copied out, and how much a score changes with each of them.

The network runs as a functional graph: nothing is overwritten, so that a value is what it was when it was computed, and
no hook, flag or gradient of the model's is touched. Gradients are computed from the first wanted value on and nowhere
before, which makes one pass with gradients hardly longer than one without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from photosite.analysis.cam.program import Program, needed, program
from photosite.analysis.feature_map import FeatureMap, find_feature_map, known_fields, picture_layout
from photosite.analysis.features import Place
from photosite.errors import RangeError, ShapeError
from photosite.graph.capture import capture, unwrap
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.graph.reach.field import Field
from photosite.graph.read import model_tensors

Score = Callable[[Tensor], Tensor]
"""From the model's scores, (B, K), to one number for each picture, (B,)."""
Override = Callable[[Node, Mapping[str, Any]], Any]
"""In place of an operation: its node and the values so far; NotImplemented where it has nothing to say."""


@dataclass(frozen=True, eq=False)
class Tapped:
    """What a run gave.

    Attributes:
        values: by node, detached, nobody else's memory.
        gradients: by node, of the same shapes: of the sum of all pictures' scores, which for each picture is its own;
            None for a node that the score does not depend on.
        scores: (B, K), what the model says.
        chosen: (B,), the scores that were followed.
    """

    values: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    scores: Tensor
    chosen: Tensor


class Tap:
    """A model that can be looked into, for batches of one shape.

    Args:
        model: any vision model that gives scores; compiled or wrapped ones are looked into.
        example: a batch as it takes them.
        output: which of several outputs holds the scores, by its key; the first of (B, K) if not given.
        graph: the model for inputs of the example's shape, where it was read before.
    Raises:
        CaptureError: the model cannot be read.
        ShapeError: it gives no scores (B, K), takes several inputs, or the graph takes others.
        RangeError: there is no such output.
    """

    def __init__(
        self, model: nn.Module, example: Tensor, output: str | None = None, graph: Graph | None = None
    ) -> None:
        self.model, self.notes = unwrap(model)
        self.graph: Graph = functional(capture(model, example) if graph is None else graph)
        if len(self.graph.inputs) != 1:
            raise ShapeError(f"it takes several inputs: {', '.join(self.graph.inputs)}")
        if self.graph.input_shapes[0] != tuple(example.shape):
            raise ShapeError(f"the graph takes {self.graph.input_shapes[0]}, the example is {tuple(example.shape)}")
        self.batch = int(example.shape[0])
        self._programs: dict[object, Program] = {}
        # places are read off a single picture: attention can fold the batch into its heads, and hide them
        single = self.graph if self.batch == 1 else functional(capture(model, example[:1]))
        self._single = single if [node.name for node in single] == [node.name for node in self.graph] else self.graph
        self.key, self.output = self._scores(output)

    def _scores(self, output: str | None) -> tuple[str, str]:
        """Key and node of the scores."""
        pairs = list(zip(self.graph.output_keys, self.graph.outputs, strict=True))
        if output is not None and output not in self.graph.output_keys:
            raise RangeError(f"there is no output {output!r}; there are {', '.join(map(repr, self.graph.output_keys))}")
        for key, node in pairs:
            shape = self.graph.shape_of(node)
            if (output is None or key == output) and len(shape) == 2 and shape[0] == self.batch:
                return key, node
        shapes = ", ".join(f"{key} {self.graph.shape_of(node)}" for key, node in pairs)
        raise ShapeError(f"it gives no scores (B, K): {shapes}")

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """What is known of each value's dependence on the picture."""
        return known_fields(self._single)

    @cached_property
    def path(self) -> list[Node]:
        """The operations that the scores are made of, in order; what serves other outputs alone is left out."""
        return needed(self.graph, {self.output})

    def last_map(self) -> FeatureMap | None:
        """The last value that still is a picture, among those that the scores are made of."""
        names = {node.name for node in self.path}
        nodes = tuple(node for node in self._single if node.name in names)
        asked = replace(self._single, nodes=nodes, outputs=(self.output,), output_keys=(self.key,))
        return find_feature_map(asked, self.fields)

    def place(self, name: str) -> Place:
        """Where the places of a value lie, by the name of a node or the path of a module."""
        node = self.graph.find(name)
        found = picture_layout(self.fields.get(node.name), self._single.input_shapes[0][0])
        return Place(node.name, *(found or ("", (0, 0), node.shape[-1] if node.shape else 0, 0)))

    def state(self) -> dict[str, Tensor]:
        """The model's own tensors, detached, and the graph's constants."""
        own = {name: tensor.detach() for name, tensor in model_tensors(self.model).items()}
        return own | self._constants

    def __call__(
        self,
        x: Tensor,
        nodes: Sequence[str],
        score: Score,
        *,
        state: Mapping[str, Tensor] | None = None,
        given: Mapping[str, Tensor] | None = None,
        gradients: bool = True,
        override: Override | None = None,
    ) -> Tapped:
        """Run the model once, and once back from the score to the wanted values.

        Args:
            x: a batch of the captured shape.
            nodes: names of nodes.
            score: what is asked of the scores.
            state: other tensors in place of the model's own.
            given: values that are put in place of what nodes compute.
            gradients: whether they are wanted.
            override: what to compute in place of some operations.
        Raises:
            ShapeError: x has another shape than the tap was made for.
        """
        if tuple(x.shape) != self.graph.input_shapes[0]:
            raise ShapeError(f"the tap is for {self.graph.input_shapes[0]}, got {tuple(x.shape)}")
        with torch.inference_mode(False):  # in whose tensors no gradient could be kept
            return self._run(x, nodes, score, state, given or {}, gradients, override)

    def _run(
        self,
        x: Tensor,
        nodes: Sequence[str],
        score: Score,
        state: Mapping[str, Tensor] | None,
        given: Mapping[str, Tensor],
        gradients: bool,
        override: Override | None,
    ) -> Tapped:
        own = x.clone() if x.is_inference() else x.detach()
        key = (tuple(nodes), tuple(given), override is not None)
        if key not in self._programs:
            self._programs[key] = program(self.graph, nodes, self.output, tuple(given), override is not None)
        todo = self._programs[key]
        start = 0 if override is not None else todo.first  # what stands in an operation's place may want gradients
        late = (*todo.early, *todo.late) if override is not None else todo.late
        values = self._read(todo.early, state) | {name: held.detach() for name, held in self._read(late, state).items()}
        values[self.graph.inputs[0]] = own
        kept: dict[str, Tensor] = {}
        with torch.no_grad():
            for number, step in enumerate(todo.steps):
                if number == start:
                    torch.set_grad_enabled(gradients)
                node = step.node
                value = given.get(node.name, NotImplemented)
                if value is NotImplemented and override is not None:
                    value = override(node, values)
                if value is NotImplemented:
                    value = step.call(values)
                if node.name in nodes:
                    if gradients and not value.requires_grad:
                        value = value.detach().requires_grad_()
                    kept[node.name] = value
                values[node.name] = value
                for name in step.dying:
                    values.pop(name, None)
            torch.set_grad_enabled(gradients)
            scores = values[self.output]
            chosen = score(scores)
            if chosen.shape != (len(x),):
                raise ShapeError(f"a score gives one number a picture, ({len(x)},), got {tuple(chosen.shape)}")
            found: Sequence[Tensor | None] = [None] * len(nodes)
            if nodes and gradients and chosen.requires_grad:
                found = torch.autograd.grad(chosen.sum(), [kept[name] for name in nodes], allow_unused=True)
        return Tapped(
            {name: kept[name].detach().clone() for name in nodes},
            dict(zip(nodes, found, strict=True)),
            scores.detach(),
            chosen.detach(),
        )

    def _read(self, names: Iterable[str], state: Mapping[str, Tensor] | None) -> dict[str, Any]:
        """Parameters, buffers and constants by name: those given, or the model's own as they are now."""
        found: dict[str, Any] = {}
        for name in names:
            if state is not None and name in state:
                found[name] = state[name]
            elif name in self._holders:
                held, key = self._holders[name]
                found[name] = held[key]
            elif name in self.graph.constants:
                found[name] = self._constants[name]
        return found

    @cached_property
    def _holders(self) -> dict[str, tuple[dict[str, Any], str]]:
        """Where the model keeps each of its tensors, so that they are found without a walk through its modules."""
        return {
            f"{path}.{key}" if path else key: (held, key)
            for path, module in self.model.named_modules(remove_duplicate=False)
            for held in (module._parameters, module._buffers)
            for key, tensor in held.items()
            if tensor is not None
        }

    @cached_property
    def _constants(self) -> dict[str, Tensor]:
        """The graph's constants, where the model's tensors are."""
        device = next((held[key].device for held, key in self._holders.values()), torch.device("cpu"))
        return {
            name: torch.tensor(held.array, dtype=getattr(torch, held.dtype), device=device)
            for name, held in self.graph.constants.items()
        }


def of_classes(targets: Sequence[int] | int | None, scores: int) -> Score:
    """A score that is one class of each picture.

    Args:
        targets: an index for each picture, or one for all; None for the largest score of each.
        scores: how many classes there are.
    Raises:
        RangeError: there is no such class.
    """
    wanted = [targets] if isinstance(targets, int) else list(targets or ())
    for one in wanted:
        if not 0 <= one < scores:
            raise RangeError(f"target {one}: there are {scores} classes, 0 … {scores - 1}")

    def score(given: Tensor) -> Tensor:
        if not wanted:
            return given.max(1).values
        chosen = torch.tensor(wanted, device=given.device)
        if len(chosen) not in (1, len(given)):
            raise ShapeError(f"wants one target or {len(given)}, got {len(chosen)}")
        return given.gather(1, chosen.expand(len(given))[:, None])[:, 0]

    return score
