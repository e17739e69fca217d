"""Which places of a photo speak for a class, at any node that holds a map, or why that cannot be said there."""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from typing import Any

from photosite.analysis.cam.audit import Check
from photosite.analysis.cam.explain import METHODS, Explainer
from photosite.analysis.cam.explanation import Explanation
from photosite.errors import RangeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import Looked, looked
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
        class and its score; the node that the map is of, which attention rollouts choose themselves; `audit`, what
        `map_audit` said of it, or None where that was not asked for.
    Raises:
        RangeError: the node holds no map, or there is no such class.
        ShapeError: the model gives no scores, or its attention cannot be followed.
    """
    seen, explainer, one, asked = explained(workspace, question)
    model, tap = seen.captured.model, explainer.tap
    count = tap.graph.shape_of(tap.output)[1]
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
            "audit": audit_words(workspace.known(audited_key(seen, one, asked))),
        },
        {} if one.refused else {"values": one.values, "positive": one.positive},
    )


def explained(workspace: Workspace, question: Question) -> tuple[Looked, Explainer, Explanation, str]:
    """A map, with what it was made of: photo and model, the explainer, and the node that was asked for.

    Args:
        workspace: has photo and model.
        question: as for `activation_map`.
    Raises:
        RangeError, ShapeError: as `activation_map`.
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
    return seen, explainer, one, place.node


def audited_key(seen: Looked, one: Explanation, asked: str) -> Hashable:
    """What an audit follows from: photo, model, the node that was asked for, method and class."""
    return ("audit", seen.photo.key, seen.captured.model.key, tuple(seen.x.shape), asked, one.method, one.target)


def audit_words(found: tuple[Explanation, tuple[Check, ...]] | None) -> dict[str, Any] | None:
    """What is said of an audit; None before there is one."""
    if found is None:
        return None
    one, checks = found
    said = [{"name": check.name, "verdict": check.verdict, "said": check.said} for check in checks]
    return {"refused": one.refused, "checks": said}
