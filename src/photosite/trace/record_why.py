"""Why a number is what it is, as plain data: the chain of its largest terms, and where each lies in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photosite import __version__
from photosite.analysis.arithmetic import Explanation, follow
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.terms import Term
from photosite.graph.ir import Graph
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture


@dataclass(frozen=True)
class WhyStep:
    """One number taken apart.

    Attributes:
        found: its terms.
        module: of the node.
        unit: the place that it belongs to, row and column; None where it has none.
        box: what that place sees of the input: top, left, bottom, right, half open; None where that is not known.
        followed: which of the terms the next step takes apart; None for the last.
    """

    found: Explanation
    module: str
    unit: tuple[int, int] | None
    box: tuple[int, int, int, int] | None
    followed: int | None


@dataclass(frozen=True)
class WhyTrace:
    """A chain of numbers, each the largest term of the one before.

    Attributes:
        model: as it was named.
        steps: from the number that was asked for down to the input, as far as was wanted.
        input_hw: size of the input.
        photo: the photo; None where noise was run.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
        version: of photosite.
    """

    model: str
    steps: tuple[WhyStep, ...]
    input_hw: tuple[int, int]
    photo: Picture | None
    scale: tuple[float, float, float, float] | None
    version: str


def record_why(
    model: str,
    graph: Graph,
    values: Mapping[str, Any],
    node: str,
    index: Sequence[int],
    depth: int,
    photo: Picture | None = None,
    geometry: Geometry | None = None,
) -> WhyTrace:
    """Follow a number down.

    Args:
        model: as it was named.
        graph: functional.
        values: of everything in it, by name.
        node: a node, or the path of a module.
        index: which number of its value.
        depth: how many numbers to take apart at most.
        photo: (H, W, 3) uint8 that the input was made from.
        geometry: from the photo to the input.
    Raises:
        UnknownNameError: there is no such node.
        RangeError: there is no such number.
        UnsupportedOpError: an operation has no row.
    """
    fields = ReceptiveFields(graph)
    chain = follow(graph, values, node, tuple(index), depth)
    steps = []
    for number, found in enumerate(chain):
        one, unit = fields[found.node], None
        if len(found.index) == len(graph.node(found.node).shape):
            unit = one.unit_of(found.index)
        then = chain[number + 1] if number + 1 < len(chain) else None
        followed = None if then is None else _place_of(then, found.terms)
        box = one.unit_box(unit) if unit is not None else None
        steps.append(WhyStep(found, graph.node(found.node).module, unit, box, followed))
    shape = graph.input_shapes[0]
    sides = shape[1:3] if shape[-1] == 3 else shape[2:4]
    scale = None if geometry is None else tuple(float(part) for part in (*geometry.scale, *geometry.offset))
    return WhyTrace(model, tuple(steps), (sides[0], sides[1]), photo, scale, __version__)  # type: ignore[arg-type]


def to_json(trace: WhyTrace, terms: int) -> dict[str, Any]:
    """Each number of a chain with its largest terms."""
    return {"model": trace.model, "steps": [_step(step, terms) for step in trace.steps], "version": trace.version}


def _step(step: WhyStep, terms: int) -> dict[str, Any]:
    found = step.found
    return {
        "node": found.node,
        "module": step.module,
        "op": found.op,
        "index": list(found.index),
        "value": _finite(found.value),
        "said": found.said,
        "is_sum": found.is_sum,
        "terms_in_all": len(found.terms),
        "residual": _finite(found.residual) if found.is_sum else None,
        "unit": None if step.unit is None else list(step.unit),
        "box": None if step.box is None else list(step.box),
        "terms": [
            {
                "source": term.source,
                "index": list(term.index),
                "value": _finite(term.value),
                "factor": _finite(term.factor),
                "product": _finite(term.product),
            }
            for term in found.terms[:terms]
        ],
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _place_of(then: Explanation, terms: Sequence[Term]) -> int:
    return next(n for n, term in enumerate(terms) if (term.source, term.index) == (then.node, then.index))
