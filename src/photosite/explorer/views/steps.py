"""A photo's way through a network in a few pictures: the most varied channel at each main depth, and what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import looked, values_of
from photosite.explorer.views.feature_maps import channels_of, largest_numbers
from photosite.explorer.workspace import Workspace

PLACES_AT_MOST = 1 << 20
"""A map of more places is no small picture."""


def steps(workspace: Workspace, question: Question) -> Answer:
    """The pictures, from one run of the network.

    Args:
        workspace: has photo and model.
        question: `photo`, `model`.
    Returns:
        `depths`: of each main depth its node and the channel that varies most over the places, as `feature_maps` has it
        first; that channel as the array `0`, `1`, … (h, w) float32. `largest` and `range` of the first output, as in
        `feature_maps`, where it holds no map.
    """
    seen = looked(workspace, question)
    graph = seen.captured.graph
    depths = [
        depth
        for depth in seen.captured.depths
        if len(depth.node.shapes) == 1 and depth.layout and depth.grid[0] * depth.grid[1] <= PLACES_AT_MOST
    ]
    ends = [graph.node(name) for name in graph.outputs[:1] if name in graph]
    ends = [
        node
        for node in ends
        if len(node.shapes) == 1 and not node.dtype.startswith("complex") and not seen.captured.place(node).layout
    ]
    values = values_of(workspace, question, seen, [*(depth.node for depth in depths), *ends])
    words, arrays = [], {}
    for number, (depth, value) in enumerate(zip(depths, values, strict=False)):
        question.check()
        maps, by = channels_of(value, seen.captured.place(depth.node))
        channel = int(np.argmax(by))
        arrays[str(number)] = np.ascontiguousarray(maps[channel])
        words.append({"node": depth.node.name, "channel": channel})
    said: dict[str, Any] = {}
    if ends:
        found: npt.NDArray[np.float64] = values[-1].double().numpy()
        said = largest_numbers(seen, ends[0], found)
    return pack({"depths": words, **said}, arrays)
