"""A captured network as a map: each of its values with its shape, its module, and how far its places see."""

from __future__ import annotations

from math import prod
from typing import Any

from photosite.analysis.depths import MOVING, Depth
from photosite.analysis.feature_map import MOVES
from photosite.analysis.layer_weights import picture_readers
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.activation_map import ONE_PASS
from photosite.explorer.views.captured import Captured, looked
from photosite.explorer.workspace import Workspace
from photosite.graph.ir import Node


def hierarchy(workspace: Workspace, question: Question) -> Answer:
    """The map of a network.

    Args:
        workspace: has photo and model.
        question: `photo`, of which only the size of the input matters; `model`.
    Returns:
        `nodes` in the order in which they run; sizes of input and photo; `crop` of the photo that the model gets, (top,
        left, bottom, right), beyond the photo where the recipe pads; `methods` for class activation maps.
    """
    seen = looked(workspace, question)
    found = seen.captured
    main = {depth.node.name: depth for depth in found.depths}
    question.check()
    readers = {name for name, _ in picture_readers(found.graph) if found.graph.node(name).kind in ("conv2d", "conv3d")}
    return pack(
        {
            "model": found.model.name,
            "notes": [*found.model.notes, *found.graph.notes],
            "nodes": [_words(found, node, main.get(node.name), node.name in readers) for node in found.graph],
            "input_hw": seen.geometry.input_hw,
            "picture_hw": seen.geometry.picture_hw,
            "crop": [float(edge) for edge in seen.geometry.picture_box(0, 0, *seen.geometry.input_hw)],
            "methods": ONE_PASS,
        }
    )


def _words(found: Captured, node: Node, main: Depth | None, reads_picture: bool) -> dict[str, Any]:
    place = found.place(node)
    one = found.fields[node.name] if len(node.shapes) == 1 else None
    graph = found.graph
    return {
        "name": node.name,
        "kind": node.kind,
        "module": node.module,
        "type": node.module_type,
        "shape": node.shape,
        "dtype": node.dtype,
        "inputs": [name for name in node.inputs if name in graph],
        "layout": place.layout,
        "grid": place.grid,
        "channels": place.width,
        "parameters": sum(prod(graph.parameters[name].shape) for name in node.parameters.values()),
        "moves": node.kind in MOVING | MOVES,
        "main": "" if main is None else main.reason,
        "main_name": "" if main is None else main.name,
        "reads_picture": reads_picture,
        "size": None if one is None else one.size,
        "jump": None if one is None or not one.known else [float(step) for step in one.jump],
        "global_by": [] if one is None else one.global_by,
        "at_most": [] if one is None else one.at_most,
        "unknown": "" if one is None else one.unknown,
    }
