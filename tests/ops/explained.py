"""A row of the op table as a graph of one node, of whose value numbers are taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from photosite.analysis.arithmetic import Explanation, explain_value
from photosite.analysis.replay import run_node
from photosite.analysis.terms.crops import crop
from photosite.graph.ir import FrozenMap, Graph, Node, Ref


def leaves(value: Any) -> list[Any]:
    """A value, or all parts of a list of values, in order."""
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, list | tuple) else [value]


def graph_of(op: str, args: Any, kwargs: Any) -> tuple[Graph, dict[str, Any]]:
    """A graph of one node, and all values."""
    values: dict[str, Any] = {}

    def named(argument: Any) -> Any:
        if isinstance(argument, np.ndarray):
            values[f"x{len(values)}"] = argument
            return Ref(f"x{len(values) - 1}")
        if isinstance(argument, np.dtype):
            return f"torch.{argument}"
        return tuple(map(named, argument)) if isinstance(argument, list | tuple) else argument

    arguments, words = tuple(map(named, args)), FrozenMap({key: named(value) for key, value in kwargs.items()})
    graph = Graph((Node("it", op, args=arguments, kwargs=words, inputs=tuple(values)),), tuple(values), ("it",))
    return graph, {**values, "it": run_node(graph.node("it"), values)}


def check_explanation(op: str, args: Any, kwargs: Any) -> None:
    """Take numbers of a row's value apart: the terms of a sum sum up to it, those of a function are what it reads."""
    graph, values = graph_of(op, _wide(args), {key: _wide(value) for key, value in kwargs.items()})
    if any(array.dtype.kind == "c" or array.dtype == np.float16 for array in leaves(list(values.values()))):
        return
    rng, node = np.random.default_rng(len(values)), graph.node("it")
    several = isinstance(values["it"], list)
    for which, part in enumerate(leaves(values["it"])):
        if not part.size:
            continue
        index = tuple(int(rng.integers(side)) for side in part.shape)
        found = explain_value(graph, values, "it", (which, *index) if several else index)
        assert all(values[term.source][term.index] == term.value for term in found.terms if term.source), op
        if found.is_sum and np.isfinite(found.value):
            scale = max(abs(found.value), sum(abs(term.product) for term in found.terms), 1e-30)
            rest = abs(found.residual)
            if part.dtype.kind in "iu":  # whole numbers that overflow begin again
                rest %= 2.0 ** (8 * part.dtype.itemsize)
            assert rest <= 1e-6 * scale, (op, found)
        elif not found.is_sum and not several and crop(node, values, index).boxes:
            _check_sources(node, values, index, found, rng)


def _wide(argument: Any) -> Any:
    """Real numbers in double precision, but for halves, which stay as they are."""
    if isinstance(argument, list | tuple):
        return type(argument)(map(_wide, argument))
    real = isinstance(argument, np.ndarray) and argument.dtype.kind == "f" and argument.dtype != np.float16
    return argument.astype(np.float64) if real else argument


def _check_sources(
    node: Node, values: dict[str, Any], index: tuple[int, ...], found: Explanation, rng: np.random.Generator
) -> None:
    """Whatever a number was not made from can change without changing it."""
    listed = {(term.source, term.index) for term in found.terms}
    for name in node.inputs:
        if values[name].dtype.kind == "f" and values[name].size:
            at = tuple(int(rng.integers(side)) for side in values[name].shape)
            if (name, at) not in listed:
                other = values[name].copy()
                other[at] = other[at] * 0.5 + 0.1
                now = run_node(node, {**values, name: other})[index]
                np.testing.assert_equal(np.asarray(now, np.float64), np.asarray(found.value), node.op)
