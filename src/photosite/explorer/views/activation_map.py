"""Which places of a photo speak for a class, at any node that holds a map, or why that cannot be said there."""

from __future__ import annotations

from copy import copy

from photosite.analysis.cam.explain import METHODS, Explainer
from photosite.errors import RangeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import looked
from photosite.explorer.workspace import Workspace

ONE_PASS = tuple(method for method in METHODS if method not in ("scorecam", "ablationcam"))
"""Those that run the model once; the other two run it once for each channel, which takes minutes on a processor."""


def activation_map(workspace: Workspace, question: Question) -> Answer:
    """A class activation map.

    Args:
        workspace: has photo and model.
        question: `photo`, `model`, `node`; `method`; `class`, a number, the class with the largest score if not given.
    Returns:
        `values` (h, w) float32 with their sign and `positive` in [0, 1], unless `refused` says why there is none; the
        class and its score; the node that the map is of, which attention rollouts choose themselves.
    Raises:
        RangeError: the node holds no map, or there is no such class.
        ShapeError: the model gives no scores, or its attention cannot be followed.
    """
    seen = looked(workspace, question)
    model = seen.captured.model
    method = question.choice("method", ONE_PASS, "gradcam")
    made = workspace.once(
        ("explainer", model.key, tuple(seen.x.shape)),
        lambda: Explainer(model.network, seen.x, graph=seen.captured.graph),
        4 << 20,
    )
    question.check()
    place = made.tap.place(question.text("node"))
    if not place.layout:
        raise RangeError(f"{place.node} holds no map of places: nothing can be drawn over the photo")
    explainer = copy(made)
    explainer.named = [place]
    count = made.tap.graph.shape_of(made.tap.output)[1]
    target = question.integer("class", 0, count - 1) if question.text("class", "") else None
    ((one,),) = explainer(seen.x, method, target)
    return pack(
        {
            "node": one.node,
            "module": one.module,
            "method": one.method,
            "grid": one.grid,
            "class": one.target,
            "classes": count,
            "title": model.classes[one.target] if len(model.classes) == count else "",
            "score": one.score,
            "refused": one.refused,
            "notes": one.notes,
        },
        {} if one.refused else {"values": one.values, "positive": one.positive},
    )
