"""The largest numbers that each channel of a value has had, and where they stood: at most one in each picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from photosite.analysis.aim import by_channel
from photosite.analysis.features import Place
from photosite.analysis.picture_batches import Size
from photosite.ops.arrays import Array


@dataclass(eq=False)
class Largest:
    """For each channel of one value the k largest numbers so far, the largest first.

    Attributes:
        values: (C, k) float64; -inf where there were fewer pictures.
        pictures: (C, k) int64, which picture; -1 where there were fewer.
        places: (C, k) int64, which place in the map, row by row; 0 of a value without places.
        sizes: (C, k, 2) int64, height and width of the picture; 0 where it is not known.
        not_numbers: in how many pictures some channel was not a number; there that channel does not count.
    Convention: of equal numbers the one in the earlier picture comes first, and in a picture the one in the place that
        comes first, row by row. What comes later and is only equal changes nothing.
    """

    values: Tensor
    pictures: Tensor
    places: Tensor
    sizes: Tensor
    not_numbers: int = 0

    @classmethod
    def nothing(cls, width: int, k: int) -> Largest:
        """Before any picture."""
        return cls(
            torch.full((width, k), -math.inf, dtype=torch.float64),
            torch.full((width, k), -1),
            torch.zeros(width, k, dtype=torch.int64),
            torch.zeros(width, k, 2, dtype=torch.int64),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Largest:
        """What `arrays` gave."""
        values, pictures, places, sizes = (
            torch.from_numpy(np.array(arrays[name])) for name in ("values", "pictures", "places", "sizes")
        )
        return cls(values, pictures, places, sizes, int(arrays["not_numbers"][0]))

    def arrays(self) -> dict[str, Array]:
        """Copies of everything, by name, as a file holds it."""
        held = {name: getattr(self, name).numpy().copy() for name in ("values", "pictures", "places", "sizes")}
        return held | {"not_numbers": np.array([self.not_numbers])}

    def add(self, value: Tensor, place: Place, first: int, sizes: Sequence[Size]) -> None:
        """Take in some pictures, which come after all those before.

        Only of the few numbers that are among the largest the place is looked for.

        Args:
            value: (B, ...); as many pictures of it count as there are sizes.
            place: where its places lie.
            first: the number of the first picture.
            sizes: height and width of each picture.
        """
        value = value[: len(sizes)]
        best = _largest(value, place).double().cpu()  # (B, C)
        unknown = best.isnan()
        if unknown.any():
            self.not_numbers += int(unknown.any(1).sum())
            best[unknown] = -math.inf
        changing = (best > self.values[:, -1]).any(0).nonzero()[:, 0]
        if not len(changing):
            return
        k = self.values.shape[1]
        joined = torch.cat([self.values[changing], best.T[changing]], 1)
        ordered, order = joined.sort(dim=1, descending=True, stable=True)  # stable: what was there before stays before
        order = order[:, :k]
        kept = order.clamp(max=k - 1)
        channel, rank = (order >= k).nonzero(as_tuple=True)
        row = order[channel, rank] - k
        maps = by_channel(value, place)
        where = maps[row.to(value.device), changing[channel].to(value.device)].argmax(1).cpu()
        for name, fresh in (
            ("pictures", first + row),
            ("places", where),
            ("sizes", torch.tensor(sizes, dtype=torch.int64)[row]),
        ):
            held = getattr(self, name)
            old = held[changing]
            taken = old.gather(1, kept if old.ndim == 2 else kept[:, :, None].expand(-1, -1, 2))
            taken[channel, rank] = fresh
            held[changing] = taken
        self.values[changing] = ordered[:, :k]


def _largest(value: Tensor, place: Place) -> Tensor:
    """(B, C): the largest number of each channel."""
    if place.layout == "NCHW":
        return value.amax((2, 3))
    if place.layout == "NHWC":
        return value.amax((1, 2))
    return by_channel(value, place).amax(2)
