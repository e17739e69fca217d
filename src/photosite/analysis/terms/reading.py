"""Which reading of an operation tells the most of one number: a copy, a closed form, a gate, a sum, or a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from photosite.analysis.terms.closed import closed
from photosite.analysis.terms.copies import copied
from photosite.analysis.terms.gates import gated
from photosite.analysis.terms.sources import is_function, said_of
from photosite.analysis.terms.sums import summed
from photosite.analysis.terms.term import Index, Term
from photosite.graph.ir import Node


def read(node: Node, values: Mapping[str, Any], index: Index, number: float) -> tuple[list[Term] | None, str]:
    """The terms of a number in the closest reading that there is, and what the operation does, in words.

    Args:
        node: of a functional graph.
        values: of what it reads, and its own.
        index: of the number; of a node with several values, that of the value first.
        number: the number.
    Returns:
        No terms, None, for a function.
    """
    if not is_function(node, values, index):
        for reading in (copied, closed, gated, summed):
            found = reading(node, values, index, number)
            if found is not None:
                return found
    return None, said_of(node)
