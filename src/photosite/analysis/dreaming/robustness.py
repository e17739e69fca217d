"""Small random moves, turns and changes of size that a picture has to survive while it is searched for."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MOVE, TURN, GROW = 1 / 16, math.radians(6), 0.06
"""At most so much: a share of the sides, an angle either way, a change of size either way."""


def moved(pictures: Tensor, generator: torch.Generator, amount: float = 1.0) -> Tensor:
    """Each picture moved, turned and resized a little, by random amounts of its own; gradients pass.

    Args:
        pictures: (B, C, H, W).
        generator: on the CPU; where the amounts come from.
        amount: a share of the largest move, turn and change of size; 0 moves nothing.
    Returns:
        The same shape; what comes in from beyond a border is the picture mirrored there.
    """
    B, _, H, W = pictures.shape
    if not amount:
        return pictures
    down, across, turn, grow = (2 * torch.rand(4, B, generator=generator) - 1) * amount
    zoom, angle = 1 + GROW * grow, TURN * turn
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    rows = [torch.stack([cos, -sin * H / W, 2 * MOVE * across], 1), torch.stack([sin * W / H, cos, 2 * MOVE * down], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [B, 1, H, W], align_corners=False).to(pictures.device, pictures.dtype)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
