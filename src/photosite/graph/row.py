"""What the op table knows of an operation: its value, the way back of gradients, its cost, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]


def no_macs(result: Any, *operands: Any, **options: Any) -> int:
    """An operation that multiplies nothing by a weight: its additions, comparisons and copies are not counted."""
    return 0


@dataclass(frozen=True)
class Row:
    """What is known of an operation; see `photosite.ops` for how the functions are called.

    Attributes:
        value: the result from the operands.
        vjp: the operands' gradients from the result's; None where none ever flows (comparisons, positions).
        macs: multiply-adds; of arrays it looks at shapes alone. 1 MAC is 2 FLOPs.
        reach: which pixels the results depend on, from the operands' own (see `photosite.graph.reach`); None where
            nobody has written it down.
    """

    value: Function
    vjp: Function | None = None
    macs: Function = no_macs
    reach: Function | None = None
