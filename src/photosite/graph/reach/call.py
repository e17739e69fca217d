"""One operation of a graph, as the functions of the column `reach` are called: fields in place of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photosite.graph.reach.field import Field


@dataclass(frozen=True)
class Call:
    """An operation and its operands.

    Attributes:
        name: the node's.
        shapes: of its results.
        args: its arguments; a Field for each value, lists of them, and numbers and words as they are.
        kwargs: likewise.
    """

    name: str
    shapes: Sequence[tuple[int, ...]]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the only result."""
        return self.shapes[0]

    @property
    def x(self) -> Field:
        """The first operand."""
        first: Field = self.args[0]
        return first

    def get(self, number: int, role: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[number] if number < len(self.args) else self.kwargs.get(role, default)

    def numbers(self, number: int, role: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """Whole numbers, one for each of `count` axes; one alone counts for all."""
        given = self.get(number, role, default)
        given = (given,) if isinstance(given, int) else tuple(given)
        return tuple(given * count if len(given) == 1 else given)

    @property
    def fields(self) -> list[Field]:
        """All operands that are values."""
        return [one for argument in (*self.args, *self.kwargs.values()) for one in _fields(argument)]


def _fields(argument: Any) -> list[Field]:
    if isinstance(argument, Field):
        return [argument]
    return [one for part in argument for one in _fields(part)] if isinstance(argument, list | tuple) else []
