"""A summand, and an operation's arguments by their roles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photosite.analysis.replay import thawed
from photosite.graph.ir import Argument, Node, Ref
from photosite.graph.table import TABLE

Index = tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """One summand.

    Attributes:
        source: the name of a node, input, parameter or constant; "" for a number that stands in the operation.
        index: where in it.
        value: the number that stands there.
        factor: what it is multiplied by; of a function its slope, NaN where it has none.
    """

    source: str
    index: Index
    value: float
    factor: float

    @property
    def product(self) -> float:
        """What it contributes."""
        return self.value * self.factor


Reading = tuple[list[Term], str]
"""The summands of a number, and what its operation does, in words."""
Call = Mapping[str, Any]
"""The arguments of an operation, by the names that its function in `ops` gives them."""


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


def name_of(node: Node, role: str) -> str:
    """The name of the value that an operation reads in a role."""
    return refs(inspect.signature(TABLE[node.op].value).bind(*node.args, **node.kwargs).arguments[role])[0]


def names_at(node: Node, number: int) -> list[str]:
    """The values that stand at a place of the arguments."""
    return refs(node.args[number]) if number < len(node.args) else []


def refs(argument: Argument) -> list[str]:
    """The values that an argument holds."""
    if isinstance(argument, Ref):
        return [argument.name]
    return [name for part in argument for name in refs(part)] if isinstance(argument, tuple) else []
