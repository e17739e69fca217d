"""Where a number stood that an operation took over as it is: by its own place, or by a position that it was given.

Read off the positions and not off gradients: whole numbers have none, and neither has a row that does not learn. What
moves numbers about is asked to move their places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from photosite.analysis.replay import run_node
from photosite.analysis.terms.sums import SUMS
from photosite.analysis.terms.term import Call, Index, Reading, Term, call_of, names_at
from photosite.graph.ir import Node, Ref
from photosite.graph.reach import moving, rearranging, slicing, turning
from photosite.graph.table import TABLE

Rule = Callable[[Call, Any, Index], Index | None]
"""From arguments, result and index to the place in the first operand; None where nothing was taken from there."""


def copied(node: Node, values: Mapping[str, Any], index: Index, number: float) -> Reading | None:
    """The number that one is a copy of.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        number: the number.
    Returns:
        Its only term, times 1, or none for what lies around a picture; None if the operation copies nothing.
    """
    if node.op == "getitem":
        several, which = node.args
        assert isinstance(several, Ref)
        assert isinstance(which, int)
        return [Term(several.name, (which, *index), number, 1.0)], "one of several values"
    rule = _RULES.get(node.kind)
    at = None
    if rule is not None and node.args and isinstance(node.args[0], Ref):
        at = rule(call_of(node, values), values[node.name], index)
    if at is not None:
        name = names_at(node, 0)[0]
        at = tuple(int(i) % side for i, side in zip(at, values[name].shape, strict=True))
        return [Term(name, at, float(values[name][at].real), 1.0)], "taken over"
    return (_moved(node, values, index, number), "moved, nothing computed") if _moves(node) else None


def _moves(node: Node) -> bool:
    rule = TABLE[node.op].reach
    home = (moving, rearranging, slicing, turning)
    return (
        rule is not None
        and any(rule.__module__ == one.__name__ for one in home)
        and node.kind not in SUMS
        and node.kind not in _COMPUTING
    )


_COMPUTING = frozenset(("glu", "argsort", "one_hot", "sort", "topk"))
"""Operations that `reach` follows as moving, and that compute something."""


def _moved(node: Node, values: Mapping[str, Any], index: Index, number: float) -> list[Term]:
    """Where a number was before it was moved: the operation moves numbers that say their own place."""
    places, count = dict(values), 1  # 0 is what lies around
    for name in dict.fromkeys(names_at(node, 0)):
        shape = values[name].shape
        places[name] = np.arange(count, count + math.prod(shape)).reshape(shape)
        count += math.prod(shape)
    moved = run_node(node, places)
    found = int(moved[index[0]][index[1:]] if isinstance(moved, list) else moved[index])
    for name in dict.fromkeys(names_at(node, 0) if found else []):
        if found <= values[name].size:
            at = np.unravel_index(found - 1, values[name].shape)
            return [Term(name, tuple(int(i) for i in at), number, 1.0)]
        found -= values[name].size
    return []


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
    return _put(index, dim, number)  # an axis of side 1 is repeated: `copied` wraps around


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
