"""Features of many pictures from some layers, each channel averaged over all places; one pass, one row a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.analysis.layer_values import LayerValues, like
from photosite.analysis.picture_batches import Given, PictureBatches
from photosite.errors import RangeError
from photosite.prep.recipe import Recipe

Rows = npt.NDArray[np.float32]
LEAST_ROWS = 1024
"""There is room for so many from the start."""


class Pooled:
    """Collects rows of channel means, batch by batch.

    Rows are copied to where there is room for twice as many as before: small pieces that are kept, some of every
    batch, would lie between the large values of all batches, and memory would grow by those.
    """

    def __init__(self, nodes: Iterable[str]) -> None:
        self._held: dict[str, Rows] = {name: np.empty((0, 0), np.float32) for name in nodes}
        self._counts = dict.fromkeys(self._held, 0)

    def add(self, name: str, value: Tensor) -> None:
        """Take in a value (B, C, places) of pictures that all count."""
        rows = value.mean(2, dtype=torch.float32).cpu().numpy()
        held, start = self._held[name], self._counts[name]
        end = start + len(rows)
        if end > len(held):
            grown = np.empty((max(2 * len(held), end, LEAST_ROWS), rows.shape[1]), np.float32)
            grown[:start] = held[:start] if start else 0
            self._held[name] = held = grown
        held[start:end] = rows
        self._counts[name] = end

    def rows(self) -> dict[str, Rows]:
        """(N, C) for each name; what was collected is handed over."""
        return {name: self._held.pop(name)[: self._counts[name]] for name in list(self._held)}


def pooled_features(
    model: nn.Module, pictures: Iterable[Given], recipe: Recipe | None, nodes: Sequence[str], *, batch: int = 32
) -> dict[str, Rows]:
    """Each channel's mean over all places of a picture, for some layers.

    Args:
        model: any vision model of one input, left as it was; run as in evaluation.
        pictures: each (H, W, 3) uint8, or batches that are prepared already. Read once, in order.
        recipe: makes the model's input of a picture; None where all are prepared.
        nodes: names of nodes or paths of modules, whose last value is taken: maps, tokens, or (B, D).
        batch: how many pictures at once.
    Returns:
        By the names that were given, (N, C) float32, in the order of the pictures. Tokens in front of those of places
        (class token, registers) are left out; of (B, D) the numbers themselves come.
    Raises:
        UnknownNameError: there is no such node or module.
        ShapeError: a value has no channels, or pictures give inputs of several sizes.
        RangeError: batch makes no sense; no picture came; a picture without a recipe.
        CaptureError: the model cannot be read.

    >>> pooled_features(nn.ReLU(), [torch.tensor([[[[1.0, 3.0]], [[-1.0, 5.0]]]])], None, ["relu"])["relu"].tolist()
    [[2.0, 2.5]]
    """
    if batch < 1:
        raise RangeError(f"pooled features: wants batch of at least 1, got {batch}")
    rows = PictureBatches(pictures, recipe, batch, like(model), 0, "pooled features")
    values = LayerValues(model, rows.shape, rows.dtype, nodes, "pooled features")
    found = Pooled(values.places)
    for x, _, sizes in rows.batches(0):
        count = len(sizes)
        values(x, lambda name, value, count=count: found.add(name, value[:count]))  # type: ignore[misc]
    return found.rows()
