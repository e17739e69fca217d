"""A plan: how to run a graph in NumPy quickly. One pass over the graph decides it, and it can be read.

Norms are folded into the weights before them; what follows a product is done while its result is in the cache; pictures
lie with the channels last; 3 x 3 kernels go Winograd's way where it pays; memory is used again; pictures of a batch are
shared out among threads. The numbers are those of `replay`, up to the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from photosite.analysis.plans.crew import Crew, blas_threads
from photosite.analysis.plans.fusion import groups
from photosite.analysis.plans.memory import Memory
from photosite.analysis.plans.planning import Planner
from photosite.analysis.plans.step_gradients import back
from photosite.analysis.plans.steps import Apply, ByTable, Slices, Step
from photosite.analysis.replay import Gradients, check_supported, differentiable, leaves, sum_of
from photosite.errors import ShapeError, UnknownNameError
from photosite.graph.ir import Graph
from photosite.ops.arrays import Array
from photosite.processors import processors


class Plan:
    """A network made ready for NumPy.

    >>> import numpy as np
    >>> from photosite.graph.ir import FrozenMap, Graph, Node, Ref
    >>> node = Node("y", "aten.relu.default", inputs=("x",), args=(Ref("x"),), shapes=((1, 2),), dtypes=("float32",))
    >>> graph = Graph((node,), ("x",), ("y",), ((1, 2),), ("float32",), ("output",))
    >>> Plan(graph, {})(np.array([[-1.0, 2.0]], np.float32))["output"].tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, graph: Graph, state: Mapping[str, Array], threads: int | None = None) -> None:
        """Decide how a graph is run, and prepare its weights for that.

        Args:
            graph: functional; its shapes are those of every run.
            state: an array for each parameter and buffer that it reads. Weights are copied into the form in which they
                are needed; later changes of these arrays are not seen.
            threads: how many threads work; as many as this process has processors for None.
        Raises:
            UnsupportedOpError: an operation has no row, or a dtype no counterpart in NumPy.
            MismatchedWeightsError: state lacks an array, or one has another shape.
        """
        check_supported(graph)
        self.graph = graph
        self.threads = threads or processors()
        batch = graph.input_shapes[0][0] if graph.input_shapes and graph.input_shapes[0] else 1
        # Pictures are shared out among the threads where there are enough. Else BLAS has the threads: it can share a
        # single product.
        self.crew = Crew(self.threads if batch >= self.threads else 1)
        values = leaves(graph, state, [np.broadcast_to(np.float32(0), shape) for shape in graph.input_shapes])
        planner = Planner(graph, values, batch // self.crew.size)
        order = groups(graph)
        self.steps = tuple(step for item in order for step in planner.steps(item))
        read = dict.fromkeys([*(name for step in self.steps for name in step.reads), *graph.outputs])
        known = {*graph.parameters, *graph.constants}
        self._kept = {name: values[name] for name in read if name in known}
        self._dying = _last_reads(self.steps, graph)
        self._memory = Memory(self.crew)
        self._lock = Lock()

    def __call__(self, *inputs: Array) -> dict[str, Array]:
        """Run the network; one run at a time, whoever calls.

        Args:
            inputs: as many arrays as the graph has inputs, with its shapes.
        Returns:
            Outputs by where they stand in the model's result; the caller's own.
        Raises:
            ShapeError: an input has another shape.
        """
        with self._running(inputs) as memory:
            for number, step in enumerate(self.steps):
                step.run(memory)
                for name in self._dying.get(number, ()):
                    memory.drop(name)
            return self._outputs(memory)

    def gradients(
        self,
        inputs: Sequence[Array],
        cotangents: Callable[[dict[str, Array]], Mapping[str, Array]],
        wanted: Iterable[str] | None = None,
    ) -> tuple[dict[str, Array], Gradients]:
        """Run the network forward and back.

        Args:
            inputs: as for a call.
            cotangents: from the outputs to their gradients, both by where they stand in the model's result; of a loss,
                say. Outputs that it leaves out have none.
            wanted: names of inputs and parameters whose gradients are wanted; all made of real numbers for None.
        Returns:
            The outputs, and the gradients of inputs and parameters; none of other values.
        Raises:
            ShapeError: an input has another shape.
            UnknownNameError: a gradient of something that is no output.
        """
        ends = differentiable(self.graph) if wanted is None else set(wanted)
        useful = ends | {step.name for step in self.steps}
        with self._running(inputs) as memory:
            memory.keeps = True
            for step in self.steps:
                step.run(memory)
            outputs = self._outputs(memory)
            found: dict[str, tuple[Any, bool]] = {}
            keys = dict(zip(self.graph.output_keys, self.graph.outputs, strict=True))
            for key, gradient in cotangents(outputs).items():
                if key not in keys:
                    raise UnknownNameError("output", key, keys)
                _add(found, keys[key], gradient, own=False)
            for step in reversed(self.steps):
                if step.name not in found:
                    continue
                gradient, own = found.pop(step.name)
                grad = gradient if own or isinstance(step, Apply | ByTable | Slices) else np.array(gradient)
                for name, part, fresh in back(step, grad, memory, useful):
                    if name in useful:
                        _add(found, name, part, own=fresh)
                if own and not isinstance(step, Apply | ByTable):  # whose gradients can be views of this one
                    memory.give_back(gradient)
            of = {name: np.array(gradient) for name, (gradient, _) in found.items()}
            return outputs, Gradients(
                {name: of[name] for name in self.graph.inputs if name in of},
                {name: of[name] for name in self.graph.parameters if name in of},
                {},
            )

    @contextmanager
    def _running(self, inputs: Sequence[Array]) -> Iterator[Memory]:
        """Memory with all that is there before the first step; empty again afterwards, whatever happens."""
        shapes = tuple(array.shape for array in inputs)
        if shapes != self.graph.input_shapes:
            raise ShapeError(f"plan: was made for inputs of shape {self.graph.input_shapes}, got {shapes}")
        with self._lock, blas_threads(1 if self.crew.size > 1 else self.threads):
            self._memory.keeps = False
            try:
                for name, value in {**self._kept, **dict(zip(self.graph.inputs, inputs, strict=True))}.items():
                    self._memory.put(name, value)
                yield self._memory
            finally:
                self._memory.clear()

    def _outputs(self, memory: Memory) -> dict[str, Array]:
        outputs = zip(self.graph.output_keys, self.graph.outputs, strict=True)
        return {key: np.array(memory.values[name]) for key, name in outputs}

    def __str__(self) -> str:
        """A line for each step."""
        shared = f"pictures shared among {self.crew.size}" if self.crew.size > 1 else "products shared inside BLAS"
        lines = [f"{self.graph.model_type or 'Graph'}: {len(self.steps)} steps for {len(self.graph)} operations"]
        lines += [f"{self.threads} threads, {shared}"]
        lines += [f"{number:4}  {step.what}: {step.way()}" for number, step in enumerate(self.steps)]
        return "\n".join(lines)


def _add(found: dict[str, tuple[Any, bool]], name: str, gradient: Any, *, own: bool) -> None:
    """Add to a name's gradient; in place where the array is nobody else's."""
    if name not in found:
        found[name] = gradient, own
        return
    before, mine = found[name]
    if mine and isinstance(before, np.ndarray):
        before += gradient
    else:
        found[name] = sum_of(before, gradient), not isinstance(before, list)


def _last_reads(steps: Sequence[Step], graph: Graph) -> dict[int, list[str]]:
    """For each step's number the values that nothing reads after it."""
    last: dict[str, int] = {}
    for number, step in enumerate(steps):
        last.update(dict.fromkeys((step.name, *step.reads), number))
    dying: dict[int, list[str]] = {}
    for name, number in last.items():
        if name not in graph.outputs:
            dying.setdefault(number, []).append(name)
    return dying
