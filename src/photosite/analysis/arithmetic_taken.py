"""Where a number stood that an operation took over as it is: by its own place, or by a position that it was given.

Read off the positions and not off gradients: whole numbers have none, and neither has a row that does not learn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from photosite.analysis.crops import Index
from photosite.analysis.replay import thawed
from photosite.analysis.terms import Term
from photosite.graph.ir import Node, Ref
from photosite.graph.table import TABLE

Call = Mapping[str, Any]
"""The arguments of an operation, by the names that its function in `ops` gives them."""
Rule = Callable[[Call, Any, Index], Index | None]
"""From arguments, result and index to the place in the first operand; None where nothing was taken from there."""


def call_of(node: Node, values: Mapping[str, Any]) -> Call:
    """The arguments of a node by name, those that were left out too.

    Args:
        node: of a functional graph.
        values: of what it reads.
    """
    args, kwargs = thawed(node, values)
    bound = inspect.signature(TABLE[node.op].value).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def taken_from(node: Node, values: Mapping[str, Any], index: Index) -> Term | None:
    """The number that one is a copy of.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
    Returns:
        Its only term, times 1; None if the operation is none of those that are known to copy.
    """
    rule = _RULES.get(node.kind)
    if rule is None or not node.args or not isinstance(node.args[0], Ref):
        return None
    name = node.args[0].name
    at = rule(call_of(node, values), values[node.name], index)
    if at is None:
        return None
    at = tuple(int(i) % side for i, side in zip(at, values[name].shape, strict=True))
    return Term(name, at, float(values[name][at].real), 1.0)


def _same(call: Call, result: Any, index: Index) -> Index:
    return index


def _embedded(call: Call, result: Any, index: Index) -> Index:
    return (int(call["indices"][index[:-1]]), index[-1])


def _gathered(call: Call, result: Any, index: Index) -> Index:
    return _put(index, call["dim"], int(call["index"][index]))


def _selected(call: Call, result: Any, index: Index) -> Index:
    if not call["x"].ndim:
        return ()
    return _put(index, call["dim"], int(call["positions"].reshape(-1)[index[call["dim"]]]))


def _along(call: Call, result: Any, index: Index) -> Index:
    x, positions, dim = call["x"], call["indices"], call["dim"]
    if dim is None:
        return tuple(np.unravel_index(int(positions.reshape(-1)[index[0]]) % x.size, x.shape))
    number = int(positions[tuple(i % side for i, side in zip(index, positions.shape, strict=True))])
    return _put(index, dim, number)  # an axis of side 1 is repeated: `taken_from` wraps around


def _ordered(call: Call, result: Any, index: Index) -> Index | None:
    which, at = index[0], index[1:]
    if which or "dim" not in call:
        return None
    number = int(result[1][at])
    ndim = call["x"].ndim
    if not ndim:
        return ()
    dim = call["dim"] % ndim
    return _put(at, dim, number) if len(at) == ndim else (*at[:dim], number, *at[dim:])


def _shuffled(call: Call, result: Any, index: Index) -> Index:
    group, number = index[1] % call["groups"], index[1] // call["groups"]
    return _put(index, 1, group * (call["x"].shape[1] // call["groups"]) + number)


def _put(index: Index, dim: int, number: int) -> Index:
    dim %= len(index) or 1
    return (*index[:dim], number, *index[dim + 1 :]) if index else ()


def _picked(call: Call, result: Any, index: Index) -> Index | None:
    """`max` and `min` along an axis; of all numbers, or of two arrays, they are no copies by position."""
    return _ordered(call, result, index) if isinstance(result, list) else None


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("alias", "clone", "contiguous", "detach", "lift_fresh", "lift_fresh_copy"), _same),
    "embedding": _embedded,
    "gather": _gathered,
    "index_select": _selected,
    "take_along_dim": _along,
    **dict.fromkeys(("sort", "topk"), _ordered),
    **dict.fromkeys(("max", "min"), _picked),
    "channel_shuffle": _shuffled,
}
"""By kind."""
