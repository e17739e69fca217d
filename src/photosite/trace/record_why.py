"""Why a number is what it is, as plain data: the chain of its largest terms, and where each lies in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photosite import __version__
from photosite.analysis.arithmetic import Explanation, follow
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.terms.term import Term
from photosite.graph.ir import Graph
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture
from photosite.trace.field import PHOTO_SIDE
from photosite.trace.light import thumbnail

PLACES_AT_MOST = 64
"""Of so many terms of a number it is recorded where they lie."""
DEPTH_OF_PAGES = 100
"""So many numbers are taken apart for a page if nothing else is said: enough for most networks, down to the pixels."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class WhyStep:
    """One number taken apart.

    Attributes:
        found: its terms.
        module: of the node.
        unit: the place that it belongs to, row and column; None where it has none.
        box: what that place sees of the input: top, left, bottom, right, half open; None where that is not known.
        places: the same of the largest terms, `PLACES_AT_MOST` of them.
        followed: which of the terms the next step takes apart; None for the last.
    """

    found: Explanation
    module: str
    unit: tuple[int, int] | None
    box: Box | None
    places: tuple[Box | None, ...]
    followed: int | None


@dataclass(frozen=True)
class WhyTrace:
    """A chain of numbers, each the largest term of the one before.

    Attributes:
        model: as it was named.
        name: of the node or module that was asked for.
        steps: from the number that was asked for down to the input, as far as was wanted.
        end: where the chain ends: at the "picture"; at what is made of "nothing" that it gives, such as a closed gate;
            or it goes "further" than was wanted.
        input_hw: size of the input.
        photo: the photo, at most `PHOTO_SIDE` px a side; None where noise was run.
        photo_hw: size of the whole photo.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
        version: of photosite.
    """

    model: str
    name: str
    steps: tuple[WhyStep, ...]
    end: str
    input_hw: tuple[int, int]
    photo: Picture | None
    photo_hw: tuple[int, int] | None
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
        then = chain[number + 1] if number + 1 < len(chain) else None
        steps.append(
            WhyStep(
                found,
                graph.node(found.node).module,
                _unit(fields, found.node, found.index),
                _box(fields, found.node, found.index),
                tuple(_box(fields, term.source, term.index) for term in found.terms[:PLACES_AT_MOST]),
                None if then is None else _place_of(then, found.terms),
            )
        )
    shape = graph.input_shapes[0]
    sides = shape[1:3] if shape[-1] == 3 else shape[2:4]
    scale = None if geometry is None else tuple(float(part) for part in (*geometry.scale, *geometry.offset))
    return WhyTrace(
        model=model,
        name=node,
        steps=tuple(steps),
        end=_end(graph, chain[-1]),
        input_hw=(sides[0], sides[1]),
        photo=None if photo is None else thumbnail(photo, PHOTO_SIDE),
        photo_hw=None if photo is None else (photo.shape[0], photo.shape[1]),
        scale=scale,  # type: ignore[arg-type]
        version=__version__,
    )


def _end(graph: Graph, last: Explanation) -> str:
    sources = {term.source for term in last.terms}
    if any(source in graph for source in sources):
        return "further"
    return "picture" if sources & set(graph.inputs) else "nothing"


def _unit(fields: ReceptiveFields, name: str, index: Sequence[int]) -> tuple[int, int] | None:
    """The place that a number of a value belongs to."""
    if name not in fields.graph or len(index) != len(fields.graph.node(name).shape):
        return None
    return fields[name].unit_of(index)


def _box(fields: ReceptiveFields, name: str, index: Sequence[int]) -> Box | None:
    """What the place of a number sees; of the input's own, the pixel."""
    graph = fields.graph
    if name in graph.inputs and len(index) == 4:
        y, x = index[1:3] if graph.input_shapes[graph.inputs.index(name)][-1] == 3 else index[2:4]
        return y, x, y + 1, x + 1
    unit = _unit(fields, name, index)
    return None if unit is None else fields[name].unit_box(unit)


def to_json(trace: WhyTrace, terms: int) -> dict[str, Any]:
    """Each number of a chain with its largest terms."""
    return {
        "model": trace.model,
        "name": trace.name,
        "input": list(trace.input_hw),
        "photo": None if trace.photo_hw is None else list(trace.photo_hw),
        "steps": [_step(step, terms) for step in trace.steps],
        "end": trace.end,
        "version": trace.version,
    }


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
        "box": _listed(step.box),
        "terms": [
            {
                "source": term.source,
                "index": list(term.index),
                "value": _finite(term.value),
                "factor": _finite(term.factor),
                "product": _finite(term.product),
                "box": None if number >= len(step.places) else _listed(step.places[number]),
            }
            for number, term in enumerate(found.terms[:terms])
        ],
    }


def _listed(box: Box | None) -> list[int] | None:
    return None if box is None else list(box)


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _place_of(then: Explanation, terms: Sequence[Term]) -> int:
    return next(n for n, term in enumerate(terms) if (term.source, term.index) == (then.node, then.index))
