"""From a picture with values 0 … 1, or from one in 8 bits, to what a model takes, by its own mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from photosite.errors import ShapeError
from photosite.prep.recipe import Recipe

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Preparation:
    """How pictures become a model's input.

    Attributes:
        mean: subtracted, one number for each channel in the model's order, or one for all.
        std: divided by, likewise.
        scale: what a level of 0 … 255 is multiplied by before.
        reverse: the model's order of channels is the reverse of the picture's (B, G, R).
        last: channels are the input's last axis.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1 / 255
    reverse: bool = False
    last: bool = False

    @classmethod
    def of(cls, recipe: Recipe) -> Preparation:
        """The last stage of a recipe."""
        return cls(recipe.mean, recipe.std, recipe.scale, recipe.channel_order == "BGR", recipe.layout == "BHWC")

    def sides(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Pictures, channels, rows and columns of an input.

        Raises:
            ShapeError: mean and deviation are for another number of channels.
        """
        B, *rest = shape
        C, H, W = (rest[2], *rest[:2]) if self.last else rest
        for name in ("mean", "std"):
            numbers = getattr(self, name)
            if len(numbers) not in (1, C):
                raise ShapeError(f"dream: {name} wants 1 number or {C}, for the channels of {shape}, got {numbers}")
        return B, C, H, W

    def __call__(self, pictures: Tensor) -> Tensor:
        """The input for pictures (B, C, H, W), 0 … 1; gradients pass."""
        x = pictures.flip(1) if self.reverse else pictures
        mean, std = (x.new_tensor(numbers).view(1, -1, 1, 1) for numbers in (self.mean, self.std))
        x = (x * (255 * self.scale) - mean) / std
        return x.permute(0, 2, 3, 1) if self.last else x

    def of_levels(self, levels: Levels) -> Tensor:
        """The input for 8-bit pictures.

        Args:
            levels: (B, H, W, C) uint8.
        Matches: `Recipe.normalized`, bit for bit.
        """
        planes = np.moveaxis(levels[..., ::-1] if self.reverse else levels, -1, 1)
        table = (np.arange(256) * self.scale).astype(np.float32)
        mean, std = (np.array(numbers, np.float32).reshape(-1, 1, 1) for numbers in (self.mean, self.std))
        x = (table[planes] - mean) / std
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 1, -1) if self.last else x))


def as_levels(pictures: Tensor) -> Levels:
    """Round pictures (B, C, H, W), 0 … 1, to 8 bits: (B, H, W, C)."""
    levels: Levels = np.rint(pictures.detach().cpu().double().numpy() * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(levels, 1, -1))
