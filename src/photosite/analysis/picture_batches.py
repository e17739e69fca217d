"""Pictures as they come, one by one or in batches of any size, made into batches of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from photosite.errors import RangeError, ShapeError
from photosite.prep.recipe import Recipe

Size = tuple[int, int]
NO_SIZE: Size = (0, 0)
"""The size of a picture that came prepared, without saying how large it had been."""
Given = npt.NDArray[Any] | Tensor | tuple[npt.NDArray[Any] | Tensor, Sequence[Size]]
"""A picture (H, W, 3) uint8; or a prepared batch, alone or with height and width of each of its pictures."""


class PictureBatches:
    """Pictures one by one, or in batches of any size, made into batches of one size.

    Args:
        given: pictures and prepared batches, mixed as they come; read once, in order.
        recipe: makes the input of a picture; None where all are prepared.
        batch: how many inputs a batch has.
        like: a tensor of the device and the type that the inputs of pictures are to have; prepared ones keep theirs.
        first: the number of the first picture.
        who: asks, for what is said of an error.
    Raises:
        RangeError: no picture came, or one without a recipe.
        ShapeError: something is no picture.
    """

    def __init__(
        self, given: Iterable[Given], recipe: Recipe | None, batch: int, like: Tensor, first: int, who: str
    ) -> None:
        self.who, self.recipe, self.batch, self.like = who, recipe, batch, like
        self.first = first
        self.parts = self._parts(given)
        self.held = next(self.parts, None)
        if self.held is None:
            raise RangeError(f"{self.who}: wants at least 1 picture, got none")
        self.shape = (batch, *self.held[0].shape[1:])
        self.dtype = self.held[0].dtype

    def batches(self, seen: int) -> Iterator[tuple[Tensor, int, list[Size]]]:
        """Each batch, filled up with zeros, the number of its first picture, and the sizes of those that count.

        Args:
            seen: so many pictures are left out, counted from number 0.
        Raises:
            ShapeError: something is no picture, or gives an input of another size.
            RangeError: a picture without a recipe.
        """
        space = torch.zeros(self.shape, dtype=self.dtype, device=self.like.device)
        sizes: list[Size] = []
        number, part = self.first, self.held
        while part is not None:
            rows, given = part[0].to(self.dtype), part[1]
            if rows.shape[1:] != self.shape[1:]:
                raise ShapeError(
                    f"{self.who}: picture {number} gives an input {tuple(rows.shape[1:])}, "
                    f"the first one {self.shape[1:]}; use a recipe with a crop"
                )
            begin = min(max(seen - number, 0), len(rows))
            number += len(rows)
            while begin < len(rows):
                some = min(self.batch - len(sizes), len(rows) - begin)
                start = number - len(rows) + begin - len(sizes)
                whole = some == self.batch
                if not whole:
                    space[len(sizes) : len(sizes) + some] = rows[begin : begin + some]
                sizes += given[begin : begin + some]
                if len(sizes) == self.batch:
                    yield rows[begin : begin + some] if whole else space, start, sizes
                    sizes = []
                begin += some
            part = next(self.parts, None)
        if sizes:
            space[len(sizes) :] = 0
            yield space, number - len(sizes), sizes

    def _parts(self, given: Iterable[Given]) -> Iterator[tuple[Tensor, list[Size]]]:
        for one in given:
            batch, sizes = one if isinstance(one, tuple) else (one, None)
            if isinstance(batch, np.ndarray) and batch.dtype == np.uint8 and batch.ndim == 3:
                if self.recipe is None:
                    raise RangeError(f"{self.who}: a picture wants a recipe; without one, give prepared batches")
                rows = torch.from_numpy(self.recipe(batch)).to(self.like.device, self.like.dtype)
                yield rows, [(batch.shape[0], batch.shape[1])]
                continue
            rows = torch.as_tensor(batch)
            if not rows.is_floating_point() or rows.ndim < 2:
                raise ShapeError(
                    f"{self.who}: wants pictures (H, W, 3) uint8 or prepared batches, got {tuple(rows.shape)} "
                    f"{rows.dtype}"
                )
            if sizes is not None and len(sizes) != len(rows):
                raise ShapeError(f"{self.who}: {len(rows)} pictures in a batch, and sizes of {len(sizes)}")
            known = [NO_SIZE] * len(rows) if sizes is None else [(int(h), int(w)) for h, w in sizes]
            yield rows.detach().to(self.like.device), known
