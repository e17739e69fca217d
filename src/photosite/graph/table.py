"""The op table: for each ATen operation that torch.export emits, the plain functions from `ops` that stand for it.

A row says how its value is computed, how a gradient goes back through it, and how many multiply-adds it costs. Every
analysis is a walk over a graph that looks rows up here, and has no case for any operation by itself. Knows no torch.
An operation without a row is unknown: it is reported by name, never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from photosite.ops import activation, special

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
    """

    value: Function
    vjp: Function | None = None
    macs: Function = no_macs


TABLE: dict[str, Row] = {
    # activation
    "aten.gelu.default": Row(activation.gelu, activation.gelu_vjp),
    "aten.relu.default": Row(activation.relu, activation.relu_vjp),
    "aten.sigmoid.default": Row(activation.sigmoid, activation.sigmoid_vjp),
    "aten.softmax.int": Row(activation.softmax, activation.softmax_vjp),
    "aten.erf.default": Row(special.erf, special.erf_vjp),
    # elementwise
    # reductions
    # creation
    # views
    # indexing
    # padding
    # convolution
    # pooling
    # resampling
    # normalization
    # linear
    # attention
    # recurrent
    # loss
}
"""The rows, by the full name of the operation. Those in place have none: `functional` makes them ordinary first."""
