"""Features from any layer of any model, brought to one layout: by node or module path, on the captured graph.

Convolutional maps, channels-last maps and tokens come out alike. The model is only read: it has no hooks, before,
during or after, and what its operations overwrite in place was copied before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.analysis.feature_map import known_fields, picture_layout
from photosite.errors import ShapeError
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.ir import Graph
from photosite.graph.reach.field import Field

Layout = Literal["NCHW", "tokens", "as it is"]


@dataclass(frozen=True)
class Place:
    """Where the places of a value lie.

    Attributes:
        node: whose value.
        layout: "NCHW", "NHWC", "tokens", or "" where it holds no map of places.
        grid: rows and columns; (0, 0) without a map.
        width: numbers for each place.
        prefix: tokens in front of those of places.
    """

    node: str
    layout: str
    grid: tuple[int, int]
    width: int
    prefix: int


class FeatureReader:
    """Reads values of a model on pictures of one size.

    Args:
        model: any vision model; it is captured once.
        example: a batch as it takes them; later batches have its shape.
    Raises:
        CaptureError: the model cannot be read.
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        self.model = model
        self.graph: Graph = capture(model, example)
        self._fields: dict[str, Field] = known_fields(self.graph)

    def place(self, name: str) -> Place:
        """Where the places of a value lie.

        Args:
            name: of a node, or the path of a module, whose last value is taken.
        Raises:
            UnknownNameError: there is neither; near names are suggested.
        """
        node = self.graph.find(name)
        found = picture_layout(self._fields.get(node.name), self.graph.input_shapes[0][0])
        return Place(node.name, *(found or ("", (0, 0), node.shape[-1] if node.shape else 0, 0)))

    def __call__(self, x: Tensor, nodes: Iterable[str], layout: Layout = "NCHW") -> dict[str, Tensor]:
        """Run the model once and keep some values.

        Args:
            x: a batch of the captured shape.
            nodes: names of nodes or paths of modules.
            layout: "NCHW" gives (B, C, H, W), without a prefix of tokens; "tokens" (B, H x W, C), row by row;
                "as it is" the value itself.
        Returns:
            By the names that were given, in their order; detached, and nobody else's memory.
        Raises:
            UnknownNameError: a name is neither a node nor a module.
            ShapeError: x has another shape, or a value holds no map of places and is wanted as one.
        """
        wanted = {name: self.place(name) for name in nodes}
        for name, place in wanted.items():
            if layout != "as it is" and not place.layout:
                raise ShapeError(f"features: {name} holds no map of places; ask for it as it is")
        kept = execute(self.graph, self.model, x, keep={place.node for place in wanted.values()}).kept
        return {name: laid_out(kept[place.node], place, layout).clone() for name, place in wanted.items()}


def features(model: nn.Module, x: Tensor, nodes: Sequence[str], layout: Layout = "NCHW") -> dict[str, Tensor]:
    """Features of a batch, from any layers of any model.

    Args:
        model: any vision model, left as it was.
        x: a batch as it takes them.
        nodes: names of nodes or paths of modules, containers too.
        layout: as for `FeatureReader`, which is quicker for many batches.
    Returns:
        By the names that were given.
    Raises:
        UnknownNameError: a name is neither a node nor a module.
        ShapeError: a value holds no map of places and is wanted as one.
        CaptureError: the model cannot be read.

    >>> stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True))
    >>> {name: tuple(value.shape) for name, value in features(stem, torch.zeros(1, 3, 8, 8), ["0", "1"]).items()}
    {'0': (1, 8, 4, 4), '1': (1, 8, 4, 4)}
    """
    return FeatureReader(model, x)(x, nodes, layout)


def side_by_side(maps: Iterable[Tensor], mode: str = "nearest") -> Tensor:
    """Maps of several layers on the finest grid, channels one behind the other.

    Args:
        maps: (B, C, H, W) each, of any size.
        mode: how the coarser ones are brought to the finest grid, as `torch.nn.functional.interpolate` takes it.
    Returns:
        (B, sum of all C, H, W) of the finest.
    Raises:
        ShapeError: no map, or one that is not (B, C, H, W).
    """
    given = list(maps)
    if not given or any(one.ndim != 4 for one in given):
        raise ShapeError("side_by_side: wants maps (B, C, H, W)")
    finest = max((one.shape[2:] for one in given), key=prod)
    return torch.cat(
        [one if one.shape[2:] == finest else F.interpolate(one, size=tuple(finest), mode=mode) for one in given], 1
    )


def laid_out(value: Tensor, place: Place, layout: Layout) -> Tensor:
    """A value, or a gradient of it, in the layout that is asked for.

    Args:
        value: as the model has it.
        place: where its places lie.
        layout: "NCHW", "tokens" or "as it is".
    """
    if layout == "as it is":
        return value
    rows, columns = place.grid
    if place.layout == "NCHW":
        tokens = value.flatten(2).transpose(1, 2)
    elif place.layout == "NHWC":
        tokens = value.flatten(1, 2)
    else:
        tokens = value[:, place.prefix : place.prefix + rows * columns]
    if layout == "tokens":
        return tokens
    return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns)
