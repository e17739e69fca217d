"""How large each network of ours is at its own input, looked up and not computed.

A table that `benchmarks/write_networks.py` measures on the captured graphs, which also writes docs/sizes.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class ModelSize:
    """What is measured of a network.

    Attributes:
        parameters: numbers that a training changes.
        macs: multiply-adds for one picture.
        input_hw: the picture's height and width in pixels.
        grid: rows and columns of the feature map.
        width: numbers for each place.
        prefix: tokens in front of those of places.
        reductions: input pixels per cell of each level; of a transformer only one.
        field: height and width of what a place of the feature map sees in pixels, as if the picture had no borders;
            None where everything is mixed.
        global_by: the kind of the first operation that makes it see everything beside that; "" where nothing does.
    """

    parameters: int
    macs: int
    input_hw: tuple[int, int]
    grid: tuple[int, int]
    width: int
    prefix: int
    reductions: tuple[int, ...]
    field: tuple[int, int] | None
    global_by: str

    @property
    def tokens(self) -> int:
        """Places and what stands in front of them."""
        return self.prefix + self.grid[0] * self.grid[1]


@cache
def _table() -> dict[str, ModelSize]:
    text = (resources.files("photosite.nets") / "sizes.json").read_text(encoding="utf-8")
    return {name: size_from(entry) for name, entry in json.loads(text).items()}


def size_from(entry: dict[str, Any]) -> ModelSize:
    """Read one network's line of the table."""
    fields: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
    return ModelSize(**fields)


def model_size(name: str) -> ModelSize | None:
    """The size of a network of ours; None where the table does not have it.

    >>> size = model_size("resnet50")
    >>> size.parameters, size.grid, size.field
    (25557032, (7, 7), (427, 427))
    """
    return _table().get(name)
