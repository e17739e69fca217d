"""What a run of a network has to compute for some values and a score, prepared once for many runs.

Two things are left out that cost time and change no number: memory for the result of a rectifier whose input nobody
reads again, and what happens to tokens that the score does not read once they no longer look at one another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from photosite.graph.execute import operation, thaw, thaw_map
from photosite.graph.ir import Argument, Graph, Node, Ref

IN_PLACE = {
    "aten.relu.default": "aten.relu_.default",
    "aten.silu.default": "aten.silu_.default",
    "aten.hardtanh.default": "aten.hardtanh_.default",
    "aten.hardswish.default": "aten.hardswish_.default",
    "aten.add.Tensor": "aten.add_.Tensor",
}
"""Operations that can overwrite their first argument."""
FRESH = frozenset(
    ["conv2d", "batch_norm", "layer_norm", "linear", "add", "cat", *(op.split(".")[1] for op in IN_PLACE)]
)
"""Kinds whose result is nobody else's memory."""
ALONE = frozenset(["gelu", "relu", "silu", "hardswish", "tanh", "sigmoid", "dropout", "clone", "contiguous", "alias"])
"""Kinds that look at each number alone."""
TOGETHER = frozenset(["add", "sub", "mul", "div"])
"""Kinds that look at two numbers in the same place."""
One = tuple[int, int]
"""An axis, and the only index along it that is read."""


@dataclass(frozen=True)
class Step:
    """One operation: its node, how to compute it from the values so far, and which of these nobody reads afterwards."""

    node: Node
    call: Callable[[Mapping[str, Any]], Any]
    dying: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """What has to be computed, in order.

    Attributes:
        steps: the operations.
        first: the number of the first one whose value is wanted; as many as there are steps if none is.
        late: names of what steps from there on read and no step computes.
        early: the same for those before.
    """

    steps: tuple[Step, ...]
    first: int
    early: tuple[str, ...]
    late: tuple[str, ...]


def needed(graph: Graph, wanted: Collection[str], given: Collection[str] = ()) -> list[Node]:
    """The nodes that some values are made of, in order; what stands behind given values is left out.

    Args:
        graph: a functional one.
        wanted: names.
        given: names of nodes whose values are there already.
    """
    found, names = [], set(wanted)
    for node in reversed(graph.nodes):
        if node.name in names:
            found.append(node)
            if node.name not in given:
                names |= set(node.inputs)
    return found[::-1]


def program(graph: Graph, wanted: Collection[str], output: str, given: Collection[str], free: bool) -> Program:
    """Prepare runs.

    Args:
        graph: a functional one.
        wanted: names of nodes whose values are kept whole, as they are.
        output: the name of the scores, likewise.
        given: names of nodes whose values are put in place of what they compute.
        free: whether somebody may compute something else in place of an operation; then nothing is left out.
    """
    nodes = needed(graph, {*wanted, output}, given)
    last = {name: number for number, node in enumerate(nodes) for name in node.inputs}
    first = next((number for number, node in enumerate(nodes) if node.name in wanted), len(nodes))
    kept = {*wanted, output, *given}
    ones = {} if free else _ones(graph, nodes, kept)
    over = set() if free else _overwriting(nodes[:first], nodes, last, kept)
    dying: dict[int, list[str]] = {}
    for name, number in last.items():
        if name != output:
            dying.setdefault(number, []).append(name)
    steps = tuple(
        Step(node, _call(graph, node, ones, node.name in over), tuple(dying.get(number, ())))
        for number, node in enumerate(nodes)
    )
    made = {node.name for node in nodes}
    reads = [
        {name for node in part for name in node.inputs if name not in made} for part in (nodes[:first], nodes[first:])
    ]
    return Program(steps, first, tuple(sorted(reads[0])), tuple(sorted(reads[1])))


def _overwriting(early: list[Node], nodes: list[Node], last: Mapping[str, int], kept: Collection[str]) -> set[str]:
    """Of the nodes that run without gradients, those that may overwrite their first argument: nobody reads it again."""
    by_name = {node.name: node for node in nodes}
    viewed = {name for node in nodes for name in node.shares}
    found = set()
    for number, node in enumerate(early):
        if node.op not in IN_PLACE or not node.args or not isinstance(node.args[0], Ref) or node.name in kept:
            continue
        source = by_name.get(node.args[0].name)
        if source is None or source.kind not in FRESH or source.name in kept or source.name in viewed or source.shares:
            continue
        alone = last[source.name] == number and node.args.count(node.args[0]) == 1
        if alone and source.shapes == node.shapes and source.dtypes == node.dtypes:
            found.add(node.name)
    return found


def _ones(graph: Graph, nodes: list[Node], kept: Collection[str]) -> dict[str, One]:
    """Of which values a single index along some axis is read, and nothing of the rest."""
    asked: dict[str, set[One | None]] = {}
    found: dict[str, One] = {}
    for node in reversed(nodes):
        one = _only(asked.get(node.name, set()))
        if one is None or node.name in kept or len(node.shapes) != 1 or not _goes_through(node, one):
            one = None
        else:
            found[node.name] = one
        for name in node.inputs:
            asked.setdefault(name, set()).add(_of_input(graph, node, name, one))
    return found


def _only(asked: Collection[One | None]) -> One | None:
    return next(iter(asked)) if len(asked) == 1 else None


def _goes_through(node: Node, one: One) -> bool:
    """Whether an operation computes each index along an axis from the same index alone."""
    axis, rank = one[0], len(node.shape)
    if node.kind == "layer_norm":
        shape = node.args[1] if len(node.args) > 1 else ()
        return isinstance(shape, tuple) and axis < rank - len(shape)
    if node.kind == "linear":
        return axis < rank - 1
    return node.kind in ALONE or node.kind in TOGETHER


def _of_input(graph: Graph, node: Node, name: str, one: One | None) -> One | None:
    """Which index of an input is read; None for all of them."""
    if node.kind == "select" and isinstance(node.args[0], Ref) and node.args[0].name == name:
        axis, index = node.args[1], node.args[2]
        if isinstance(axis, int) and isinstance(index, int) and axis >= 0 and index >= 0:
            return axis, index
    if one is None or not _is_cut(node, name):
        return None
    shape = graph.shape_of(name)  # what is the same for all tokens is read whole
    return one if len(shape) == len(node.shape) and shape[one[0]] == node.shape[one[0]] else None


def _is_cut(node: Node, name: str) -> bool:
    """Whether an input is laid out as the result is; a weight is not."""
    places = [number for number, argument in enumerate(node.args) if argument == Ref(name)]
    return bool(places) and (node.kind in TOGETHER or places == [0])


def _call(graph: Graph, node: Node, ones: Mapping[str, One], over: bool) -> Callable[[Mapping[str, Any]], Any]:
    """How a node computes its value."""
    call = operation(IN_PLACE[node.op] if over else node.op)
    one = ones.get(node.name)
    if one is not None:
        return _cut_call(graph, node, ones, one, call)
    if node.kind == "select" and isinstance(node.args[0], Ref) and node.args[0].name in ones:
        name, (axis, _) = node.args[0].name, ones[node.args[0].name]
        return lambda values: values[name].select(axis, 0)
    if any(_holds_refs(argument) for argument in node.kwargs.values()):
        return lambda values: call(*thaw(node.args, values), **thaw_map(node.kwargs, values))
    kwargs = thaw_map(node.kwargs, {})
    plan = [_part(argument) for argument in node.args]
    if kwargs:
        return lambda values: call(*[part(values) for part in plan], **kwargs)
    return lambda values: call(*[part(values) for part in plan])


def _cut_call(
    graph: Graph, node: Node, ones: Mapping[str, One], one: One, call: Callable[..., Any]
) -> Callable[[Mapping[str, Any]], Any]:
    """The same of a single index along an axis."""
    axis, index = one
    names = {
        name
        for name in node.inputs
        if _is_cut(node, name) and name not in ones and _side(graph, name, axis, len(node.shape)) == node.shape[axis]
    }

    def cut(values: Mapping[str, Any]) -> Any:
        some: dict[str, Any] = {name: values[name] for name in node.inputs}
        for name in names:
            held: Tensor = some[name]
            some[name] = held.narrow(axis - len(node.shape) + held.ndim, index, 1)
        return call(*thaw(node.args, some), **thaw_map(node.kwargs, some))

    return cut


def _side(graph: Graph, name: str, axis: int, rank: int) -> int:
    """How long an input is along an axis of the result; 1 where it lacks it."""
    shape = graph.shape_of(name)
    place = axis - rank + len(shape)
    return shape[place] if place >= 0 else 1


def _part(argument: Argument) -> Callable[[Mapping[str, Any]], Any]:
    """How to get at an argument: a value, a constant, or a list that holds values."""
    if isinstance(argument, Ref):
        name = argument.name
        return lambda values: values[name]
    if _holds_refs(argument):
        return lambda values: thaw(argument, values)
    constant = thaw(argument, {})
    return lambda values: constant


def _holds_refs(argument: Argument) -> bool:
    if isinstance(argument, tuple):
        return any(_holds_refs(part) for part in argument)
    return isinstance(argument, Ref)
