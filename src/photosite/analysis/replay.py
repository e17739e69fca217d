"""Run a graph in NumPy, operation by operation, and carry gradients back through it; no torch takes part.

Every number comes from a row of the op table. Works on functional graphs, in which no operation overwrites anything.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from photosite.errors import MismatchedWeightsError, ShapeError, UnsupportedOpError
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.row import Row
from photosite.graph.table import TABLE
from photosite.ops.arrays import Array, category

OnNode = Callable[[Node, Any], None]
"""Called with a node and its value: an array, or a list of arrays."""

NO_NUMPY = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
"""Dtypes of torch for which NumPy has none."""


@dataclass(frozen=True)
class Replayed:
    """What came out: `outputs` by where they stood in the model's result, `kept` by name."""

    outputs: dict[str, Array]
    kept: dict[str, Any]

    @property
    def output(self) -> Array:
        """The first output; the only one of most models."""
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class Gradients:
    """Gradients by name: of inputs, of parameters, and of the values of all nodes that were asked for.

    What has no entry has no influence on the outputs that had a gradient, or no real numbers to change.
    """

    inputs: dict[str, Array]
    parameters: dict[str, Array]
    values: dict[str, Any]


def replay(
    graph: Graph,
    state: Mapping[str, Array],
    *inputs: Array,
    keep: Iterable[str] = (),
    on_node: OnNode | None = None,
) -> Replayed:
    """Run a functional graph in NumPy.

    Args:
        graph: from `functional(capture(model, x))`.
        state: an array for each parameter and buffer that the graph reads.
        inputs: as many arrays as the graph has inputs, with its shapes.
        keep: names of nodes whose values are returned; every other value is freed after its last use.
        on_node: called after each node.
    Returns:
        Outputs and kept values.
    Raises:
        UnsupportedOpError: an operation has no row, or a dtype no counterpart in NumPy; all such are listed.
        MismatchedWeightsError, ShapeError: state or inputs are not those of the graph.
        UnknownNameError: `keep` names no node.
    Matches: the model itself, to the rounding of sums.
    """
    wanted = {graph.node(name).name for name in keep}
    check_supported(graph)
    values = leaves(graph, state, inputs)
    kept: dict[str, Any] = {}
    for number, node in enumerate(graph.nodes):
        value = run_node(node, values)
        values[node.name] = value
        if node.name in wanted:
            kept[node.name] = value
        if on_node is not None:
            on_node(node, value)
        for name in graph.last_uses.get(number, ()):
            del values[name]
    return Replayed({key: values[name] for key, name in zip(graph.output_keys, graph.outputs, strict=True)}, kept)


def evaluate(graph: Graph, state: Mapping[str, Array], *inputs: Array) -> dict[str, Any]:
    """Run a functional graph in NumPy and keep everything: what its nodes read, and every node's value, by name.

    Args:
        graph: functional.
        state: as for `replay`.
        inputs: as for `replay`.
    Raises:
        UnsupportedOpError, MismatchedWeightsError, ShapeError: as `replay` does.
    """
    check_supported(graph)
    values = leaves(graph, state, inputs)
    for node in graph:
        values[node.name] = run_node(node, values)
    return values


def gradients(
    graph: Graph,
    values: Mapping[str, Any],
    cotangents: Mapping[str, Array],
    keep: Iterable[str] = (),
    wanted: Iterable[str] | None = None,
) -> Gradients:
    """Carry gradients from the outputs back to inputs and parameters.

    Args:
        graph: functional.
        values: the value of everything in it, as `evaluate` gives them.
        cotangents: the gradient of each output, by its name in `graph.outputs`; of other values too.
        keep: names of nodes whose values' gradients are returned as well.
        wanted: names of inputs and parameters whose gradients are wanted; all that are made of real numbers for None.
    Raises:
        UnsupportedOpError: an operation on the way has no row.
        UnknownNameError: `keep` names no node.
    Matches: torch.autograd, to the rounding of sums.
    """
    kept_names = {graph.node(name).name for name in keep}
    ends = differentiable(graph) if wanted is None else set(wanted)
    reached = _reached(graph, ends)
    found: dict[str, Any] = dict(cotangents)
    kept: dict[str, Any] = {}
    for node in reversed(graph.nodes):
        grad = found.pop(node.name, None)
        if grad is None:
            continue
        if node.name in kept_names:
            kept[node.name] = grad
        if node.name in reached:
            for name, gradient in node_gradients(node, grad, values):
                if name in reached or name in ends:
                    found[name] = sum_of(found.get(name), gradient)
    of = {name: array for name, array in found.items() if name in ends}
    return Gradients(
        {name: of[name] for name in graph.inputs if name in of},
        {name: of[name] for name in graph.parameters if name in of},
        kept,
    )


def leaves(graph: Graph, state: Mapping[str, Array], inputs: Sequence[Array]) -> dict[str, Any]:
    """Everything that nodes read and no node makes, by name.

    Raises:
        MismatchedWeightsError: `state` lacks an array, or one has another shape.
        ShapeError: the inputs are not those of the capture.
    """
    shapes = tuple(array.shape for array in inputs)
    if shapes != graph.input_shapes:
        raise ShapeError(f"replay: the graph was captured with inputs of shape {graph.input_shapes}, got {shapes}")
    read = dict.fromkeys([*(name for node in graph for name in node.inputs), *graph.outputs])
    names = [name for name in read if name in graph.parameters]
    wrong = [
        f"{name} wants {graph.parameters[name].shape}, got {state[name].shape if name in state else 'nothing'}"
        for name in names
        if name not in state or state[name].shape != graph.parameters[name].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
        raise MismatchedWeightsError(f"replay: {'; '.join(wrong[:5])}{more}")
    constants = {name: graph.constants[name].array for name in read if name in graph.constants}
    return {**dict(zip(graph.inputs, inputs, strict=True)), **{name: state[name] for name in names}, **constants}


def unknown_ops(graph: Graph) -> Counter[str]:
    """The operations that have no row, and how often each occurs."""
    return Counter(node.op for node in graph if node.op != "getitem" and node.op not in TABLE)


def check_supported(graph: Graph) -> None:
    """Refuse a graph that cannot be run in NumPy.

    Raises:
        UnsupportedOpError: an operation has no row, or a dtype no counterpart in NumPy.
    """
    missing = unknown_ops(graph)
    if missing:
        listed = ", ".join(f"{op} ({count})" for op, count in missing.most_common())
        raise UnsupportedOpError(f"replay: operations without a row in the op table: {listed}", dict(missing))
    dtypes = {dtype for node in graph for dtype in node.dtypes} | {info.dtype for info in graph.parameters.values()}
    lacking = sorted(dtypes & set(NO_NUMPY))
    if lacking:
        raise UnsupportedOpError(f"replay: NumPy has no {', '.join(lacking)}; make the model float32 first", {})


def run_node(node: Node, values: Mapping[str, Any]) -> Any:
    """The value of one node from the values that it reads: an array, or a list of arrays."""
    if node.op == "getitem":
        several, index = node.args
        assert isinstance(several, Ref)
        return values[several.name][index]
    args, kwargs = thawed(node, values)
    result = TABLE[node.op].value(*args, **kwargs)
    return [np.asarray(part) for part in result] if isinstance(result, list | tuple) else np.asarray(result)


def node_gradients(node: Node, grad: Any, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What a gradient of a node's value gives to each name that the node reads; a name can come twice.

    Args:
        node: of a functional graph.
        grad: of its value; a list with None for results without one where it has several.
        values: of what it reads, and its own.
    """
    if node.op == "getitem":
        several, index = node.args
        assert isinstance(several, Ref)
        assert isinstance(index, int)
        spread: list[Any] = [None] * len(values[several.name])
        spread[index] = grad
        return [(several.name, spread)]
    row = TABLE[node.op]
    if row.vjp is None:
        return []
    args, kwargs = thawed(node, values)
    found = row.vjp(grad, values[node.name], *args, **kwargs)
    given = {**dict(zip(_parameters(row), node.args, strict=False)), **node.kwargs}
    pairs: list[tuple[str, Any]] = []
    for role, gradient in zip(_parameters(row), found, strict=False):
        pairs += _paired(given.get(role), gradient)
    return pairs


def thawed(node: Node, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """A node's arguments as the functions of `ops` take them."""
    return (
        [_thaw(argument, values) for argument in node.args],
        {key: _thaw(argument, values) for key, argument in node.kwargs.items()},
    )


def _thaw(argument: Argument, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, tuple):
        return [_thaw(part, values) for part in argument]
    if isinstance(argument, str) and argument.startswith("torch."):
        try:
            return np.dtype(argument.removeprefix("torch."))
        except TypeError:  # a layout or a memory format
            return argument
    return argument


def _paired(argument: Any, gradient: Any) -> list[tuple[str, Any]]:
    """Names and gradients of an argument; of each part of a list."""
    if gradient is None:
        return []
    if isinstance(argument, Ref):
        return [(argument.name, gradient)]
    if isinstance(argument, tuple):
        return [pair for part, own in zip(argument, gradient, strict=True) for pair in _paired(part, own)]
    return []


def sum_of(a: Any, b: Any) -> Any:
    """Two gradients of one value together; None for none, lists part by part."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, list):
        return [sum_of(x, y) for x, y in zip(a, b, strict=True)]
    return a + b


def differentiable(graph: Graph) -> set[str]:
    """Inputs and parameters that are made of real numbers; buffers are not, as nothing learns them."""
    named = [(name, dtype) for name, dtype in zip(graph.inputs, graph.input_dtypes, strict=True)]
    named += [(name, info.dtype) for name, info in graph.parameters.items() if not info.is_buffer]
    return {name for name, dtype in named if dtype not in NO_NUMPY and category(np.dtype(dtype)) >= 2}


def _reached(graph: Graph, ends: set[str]) -> set[str]:
    """The nodes whose values depend on one of these."""
    reached: set[str] = set()
    for node in graph:
        if any(name in reached or name in ends for name in node.inputs):
            reached.add(node.name)
    return reached


@cache
def _parameters(row: Row) -> tuple[str, ...]:
    """The names of a row's arguments in order."""
    return tuple(inspect.signature(row.value).parameters)
