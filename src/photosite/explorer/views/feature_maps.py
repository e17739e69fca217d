"""What a node of a network makes of a photo: its channels as maps, and the part of the photo that each place sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from photosite.analysis.features import Place, laid_out
from photosite.analysis.receptive_field import ReceptiveField
from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import Looked, looked, value_of
from photosite.explorer.workspace import Workspace
from photosite.graph.ir import Node

FIRST = 64
"""So many channels are sent before all are asked for."""
NUMBERS_AT_MOST = 16 << 20
"""A page is not sent more numbers of one value."""
LARGEST = 10
"""Of a value without places so many numbers are named."""


def feature_maps(workspace: Workspace, question: Question) -> Answer:
    """A node's feature maps.

    Args:
        workspace: has photo and model.
        question: `photo`, `model`, `node`; `all=1` for every channel.
    Returns:
        Of a value with places: `maps` (K, h, w) float32 of the channels `order` (K,), by falling variance over the
        places (of a single place, by size); `rows`, `columns` (h, 2), (w, 2) int32: first and last + 1 row or column of
        the input that places see, -1 where that is nothing or not known; the same in the photo as `photo_rows`,
        `photo_columns` float64. Of one without: `largest`, its largest numbers, each with its index and its class.
    Raises:
        UnknownNameError: there is no such node.
        PhotositeError: it gives several results.
    """
    seen = looked(workspace, question)
    node = seen.captured.graph.node(question.text("node"))
    place = seen.captured.place(node)
    value = value_of(workspace, question, seen, node)
    question.check()
    words = {"node": node.name, "layout": place.layout, "grid": place.grid, "prefix": place.prefix}
    if not place.layout:
        return pack({**words, **largest_numbers(seen, node, value.double().numpy())})
    maps, by = channels_of(value, place)
    room = max(1, NUMBERS_AT_MOST // max(1, place.grid[0] * place.grid[1]))
    count = min(len(maps), room, len(maps) if question.text("all", "") == "1" else FIRST)
    order = np.argsort(-by, kind="stable")[:count]
    arrays, why = _boxes(seen, seen.captured.fields[node.name], place.grid)
    return pack(
        {
            **words,
            "channels": len(maps),
            "room": room,
            "sorted_by": "variance" if place.grid != (1, 1) else "size",
            "why_no_field": why,
        },
        {"maps": maps[order], "order": order.astype(np.int32), "by": by[order].astype(np.float32), **arrays},
    )


def channels_of(value: Tensor, place: Place) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """A value's channels as maps (C, h, w), and how much each varies over its places; of a single place, its size."""
    maps = laid_out(value, place, "NCHW")[0].float().numpy()
    spread = maps.reshape(len(maps), -1).astype(np.float64)
    return maps, spread.var(1) if place.grid != (1, 1) else np.abs(spread[:, 0])


def _boxes(seen: Looked, one: ReceptiveField, grid: tuple[int, int]) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """Rows and columns of the input and of the photo that places see, and why they are not known.

    A unit's box is its rows and its columns: `ReceptiveField.unit_box` is asked along both borders of the map.
    """
    rows, columns = np.full((grid[0], 2), -1, np.int32), np.full((grid[1], 2), -1, np.int32)
    photo_rows, photo_columns = np.full((grid[0], 2), -1.0), np.full((grid[1], 2), -1.0)
    why = one.unknown
    try:
        for way, found, photo, at in (("y", rows, photo_rows, 0), ("x", columns, photo_columns, 1)):
            for place in range(len(found)):
                ends = one.box(way, place)
                if ends is None:
                    continue
                found[place] = ends[0], ends[1] + 1
                box = (ends[0], 0, ends[1] + 1, 1) if way == "y" else (0, ends[0], 1, ends[1] + 1)
                clipped = seen.geometry.clipped_box(*box)
                photo[place] = float(clipped[at]), float(clipped[at + 2])
    except PhotositeError as error:
        why = str(error)
    if not why and (rows < 0).all():
        why = "which pixels a place sees is not known"
    return {"rows": rows, "columns": columns, "photo_rows": photo_rows, "photo_columns": photo_columns}, why


def largest_numbers(seen: Looked, node: Node, value: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The largest numbers of a value without places."""
    flat = value.ravel()
    classes = seen.captured.model.classes
    named = node.name in seen.captured.graph.outputs and len(classes) == len(flat)
    order = np.argsort(-flat, kind="stable")[:LARGEST]
    return {
        "range": [float(flat.min()), float(flat.max())] if len(flat) else None,
        "largest": [[int(i), float(flat[i]), classes[i] if named else ""] for i in order],
    }
