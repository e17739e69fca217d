"""Why a number has its value: its terms by size, each of which can be opened in turn, down to the photo's pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.terms.term import Index, Term
from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import Looked, looked
from photosite.explorer.views.recipes import chosen_recipe, model_input
from photosite.explorer.views.why_number import Box, Number, Numbers, chain_of, name_of
from photosite.explorer.views.why_patch import (
    convolution_numbers,
    normalization_numbers,
    patch_numbers,
    pooling_numbers,
)
from photosite.explorer.views.why_photo import OfRecipe
from photosite.explorer.views.why_values import Values
from photosite.explorer.workspace import Photo, Workspace
from photosite.graph.ir import Graph
from photosite.prep.recipe import Recipe

TERMS = 256
"""So many terms are sent; of the others their sum."""
PLACED = 4096
"""Of so many it is looked up where they lie."""
INPUT = "input"
"""What a model's input is called where there is no model."""


def why(workspace: Workspace, question: Question) -> Answer:
    """Take a number apart.

    Args:
        workspace: has photo and model.
        question: `photo`; `of`, a key of `SUBJECTS`, with what that one asks for; `model`, a key or a name, the first
            one if not given; `path`, from the first number to the last: parts `name:index` with ";" between, or `>k`,
            k times the largest term, as of `parts_of`; without one, the subject's own first number, of a model its
            highest score; `at`, which number of the way is open, from 0, the last if not given.
    Returns:
        `chain`, the way, each number with its value, name and path, and `at`; of the open number op, sentence, module,
        box in the photo and the same in words, what the sum of all terms leaves, whether `>1` leads on; `terms`, name
        and part of a path of the `TERMS` largest, with value, factor, product (n,) and `boxes` (n, 4) float64, what
        each sees of the photo, -1 where that is nothing or not known; how many there are, and the sum of the rest.
        `tiles` (m, 4) and `sums` (m,) float64: where in the photo the `PLACED` largest lie, added up by place.
    Raises:
        UnknownNameError, RangeError: there is no such number.
    """
    of = question.choice("of", tuple(SUBJECTS), "model" if "model" in question.query or workspace.models() else "input")
    question, name = _with_key(workspace, question, of)
    numbers = SUBJECTS[of](workspace, question)
    question.check()
    chain = chain_of(numbers, question.text("path", ""))
    question.check()
    opened = [numbers.open(*number) for _, number in chain]
    at = question.integer("at", 0, len(opened) - 1, len(opened) - 1) if "at" in question.query else len(opened) - 1
    found = opened[at]
    shown = found.terms[:TERMS]
    boxes = np.full((len(shown), 4), -1.0)
    for box, term in zip(boxes, shown, strict=True):
        box[:] = (numbers.box(term.source, term.index) if term.source else None) or -1
    tiles, sums = _tiles(numbers, found)
    return pack(
        {
            "of": of,
            "model": name,
            "chain": [_step(path, one) for (path, _), one in zip(chain, opened, strict=True)],
            "at": at,
            "title": _title(workspace, question, numbers, found) if of == "model" else "",
            "op": found.op,
            "said": found.said,
            "module": numbers.module(found.node),
            "sees": numbers.box(found.node, found.index),
            "sight": _sight(numbers, found),
            "is_sum": found.is_sum,
            "residual": found.residual,
            "why_not": found.why_not,
            "count": len(found.terms),
            "rest": math.fsum(term.product for term in found.terms[TERMS:]) if found.is_sum else None,
            "terms": [_term(term) for term in shown],
            "largest": numbers.largest(found.node, found.index) is not None,
        },
        {
            "value": np.array([term.value for term in shown], np.float64),
            "factor": np.array([term.factor for term in shown], np.float64),
            "product": np.array([term.product for term in shown], np.float64),
            "boxes": boxes,
            "tiles": tiles,
            "sums": sums,
        },
    )


def _with_key(workspace: Workspace, question: Question, of: str) -> tuple[Question, str]:
    """The question with its model's key where it has a name, which is built if need be, or none; and that name."""
    models = workspace.models()
    given = question.text("model", models[0].key if models and of == "model" else "")
    if not given or of == "patch":
        return question, given
    model = next((one for one in models if one.key == given), None) or workspace.build(given)
    return replace(question, query={**question.query, "model": model.key}), model.name


def _tiles(numbers: Numbers, found: Number) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where terms lie in the photo, and what those of each place add together."""
    sums: dict[Box, float] = {}
    for term in found.terms[:PLACED]:
        tile = numbers.tile(term.source, term.index) if term.source and math.isfinite(term.product) else None
        if tile is not None:
            sums[tile] = sums.get(tile, 0.0) + term.product
    return np.array(list(sums), np.float64).reshape(-1, 4), np.array(list(sums.values()), np.float64)


def _sight(numbers: Numbers, found: Number) -> str:
    """What a number sees, in words."""
    box, all_by = numbers.box(found.node, found.index), numbers.sees_all_by(found.node)
    words = "This number has no place of its own in the photo."
    if box is not None:
        top, left, bottom, right = box
        words = f"This number sees y {top:.5g} … {bottom:.5g}, x {left:.5g} … {right:.5g} of the photo."
    if all_by:
        more = f" and {len(all_by) - 1} more" if all_by[1:] else ""
        words += f" Through {all_by[0]}{more} it sees everything."
    return words


def _term(term: Term) -> list[str]:
    """A term's name, and the part of a path that opens it; "" for one that nothing lies below."""
    part = f"{term.source}:{','.join(map(str, term.index))}" if term.source else ""
    return [name_of(term.source, term.index), part]


def model_numbers(workspace: Workspace, question: Question) -> Numbers:
    """The numbers of `model` for the photo; its first one is the highest score."""
    seen = looked(workspace, question)
    model, graph = seen.captured.model, seen.captured.graph
    key = ("why", "model", seen.photo.key, model.key, tuple(seen.x.shape), question.text("recipe", ""))

    def make() -> Numbers:
        recipe = chosen_recipe(workspace, question)
        below = recipe_below(workspace, seen.photo, recipe)
        values = Values(graph, model.network, seen.x, question.check)
        return Numbers(graph, values, seen.captured.fields, below, _first(seen, values))

    return workspace.once(key, make, lambda made: made.values.size + made.below.small.nbytes)  # type: ignore[attr-defined]


def input_numbers(workspace: Workspace, question: Question) -> Numbers:
    """The numbers of the input that a recipe makes of the photo, without a model."""
    photo, recipe = workspace.photo(question.text("photo")), chosen_recipe(workspace, question)
    x = model_input(workspace, photo, recipe)

    def make() -> Numbers:
        graph = Graph((), (INPUT,), (), (x.shape,), ("float32",))
        middle = (
            (0, 0, x.shape[2] // 2, x.shape[3] // 2)
            if recipe.layout == "BCHW"
            else (0, x.shape[1] // 2, x.shape[2] // 2, 0)
        )
        below = recipe_below(workspace, photo, recipe)
        return Numbers(graph, {INPUT: x}, ReceptiveFields(graph), below, (INPUT, middle))

    return workspace.once(("why", "input", photo.key, recipe), make, x.nbytes + x.nbytes // 4)


def recipe_below(workspace: Workspace, photo: Photo, recipe: Recipe) -> OfRecipe:
    """The small picture of a recipe, and the photo below it."""
    small = recipe.cropped(recipe.resized(photo.picture))
    geometry = recipe.geometry((photo.picture.shape[0], photo.picture.shape[1]))
    return OfRecipe(photo, small, geometry, recipe.pad_color, recipe=recipe)


def _first(seen: Looked, values: Mapping[str, Any]) -> tuple[str, Index]:
    """The largest number of what the model returns; of several values, of the first."""
    for name in seen.captured.graph.outputs:
        value = values[name]
        if not isinstance(value, list) and value.size:
            return name, tuple(int(i) for i in np.unravel_index(np.nanargmax(value.real), value.shape))
    raise PhotositeError(f"{seen.captured.model.name} returns no numbers")


def _title(workspace: Workspace, question: Question, numbers: Numbers, one: Number) -> str:
    """The class whose score a number is; "" of any other."""
    classes = workspace.model(question.text("model")).classes
    is_score = one.node in numbers.graph.outputs and numbers.graph.shape_of(one.node)[-1:] == (len(classes),)
    return classes[one.index[-1]] if is_score else ""


def _step(path: str, one: Number) -> dict[str, Any]:
    words = {"path": path, "name": name_of(one.node, one.index), "value": one.value, "through": list(one.through)}
    return {"node": one.node, "index": list(one.index), **words}


def _kept(kind: str, make: Callable[[Workspace, Question], Numbers]) -> Callable[[Workspace, Question], Numbers]:
    """A subject that is computed once for each of its settings."""

    def kept(workspace: Workspace, question: Question) -> Numbers:
        settings = tuple(
            sorted((key, text) for key, text in question.query.items() if key not in ("path", "at", "view"))
        )
        return workspace.once(("why", kind, settings), lambda: make(workspace, question), _size)

    return kept


def _size(numbers: Numbers) -> int:
    return sum(int(one.nbytes) for one in numbers.values.values() if not isinstance(one, list)) + (1 << 16)


SUBJECTS: Mapping[str, Callable[[Workspace, Question], Numbers]] = {
    "model": model_numbers,
    "input": input_numbers,
    "convolution": _kept("convolution", convolution_numbers),
    "pooling": _kept("pooling", pooling_numbers),
    "normalization": _kept("normalization", normalization_numbers),
    "patch": _kept("patch", patch_numbers),
}
"""What numbers can be of, by the word of a question."""
