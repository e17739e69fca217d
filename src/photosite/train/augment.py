"""Random crop, flip, erasing and enlarging of a whole batch at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_pictures(pictures: Tensor, padding: int) -> Tensor:
    """Mirror `padding` pixels around every picture, so that a shifted crop has no black border.

    (N, H, W, 3) uint8 becomes (N, H + 2 * padding, W + 2 * padding, 3) uint8; reflected without repeating the edge.
    """
    channels_first = pictures.permute(0, 3, 1, 2)
    padded = torch.cat(  # in parts: reflection padding wants floats, four bytes a value
        [
            F.pad(part.float(), (padding,) * 4, mode="reflect").to(torch.uint8)
            for part in torch.split(channels_first, 4096)
        ]
    )
    return padded.permute(0, 2, 3, 1).contiguous()


def crop_and_flip(padded: Tensor, index: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Cut a crop at a random shift out of each chosen picture, mirrored left to right half of the time.

    Args:
        padded: what `pad_pictures` gave, (N, H + 2 * padding, W + 2 * padding, 3) uint8.
        index: which pictures, (B,) int64.
        padding: the largest shift in pixels.
        generator: where the random numbers come from.

    Returns:
        (B, H, W, 3) uint8.
    """
    batch, height, width = len(index), padded.shape[1] - 2 * padding, padded.shape[2] - 2 * padding
    top = torch.randint(0, 2 * padding + 1, (batch, 1), generator=generator)
    left = torch.randint(0, 2 * padding + 1, (batch, 1), generator=generator)
    flip = torch.rand((batch, 1), generator=generator) < 0.5
    row = torch.arange(height) + top  # (B, H)
    column = torch.arange(width).expand(batch, width)
    column = torch.where(flip, width - 1 - column, column) + left  # (B, W)
    return padded[index[:, None, None], row[:, :, None], column[:, None, :]]  # (B, H, W, 3)


def erase(batch: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Set a random square of every input to zero, which is the mean color after normalization; cutout.

    Args:
        batch: (B, C, H, W), normalized; changed in place.
        size: side of the square in pixels; the center lies anywhere in the picture, so part of it can fall outside.
        generator: where the random numbers come from.

    Source: DeVries and Taylor 2017.
    """
    height, width = batch.shape[2:]
    center_y = torch.randint(0, height, (len(batch), 1, 1), generator=generator)
    center_x = torch.randint(0, width, (len(batch), 1, 1), generator=generator)
    y = torch.arange(height)[None, :, None] - center_y + size // 2
    x = torch.arange(width)[None, None, :] - center_x + size // 2
    hidden = (y >= 0) & (y < size) & (x >= 0) & (x < size)  # (B, H, W)
    return batch.masked_fill_(hidden[:, None], 0.0)


def enlarge(batch: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Make a whole batch 1.5 or 2 times as large, in a share of the calls, so that objects come in more sizes.

    Args:
        batch: (B, C, H, W), normalized.
        share: probability in [0, 1] that this batch is enlarged; the two factors are equally likely.
        generator: where the random numbers come from.

    Returns:
        (B, C, H', W'), bilinear as Pillow enlarges, before its rounding; the batch itself if it is not enlarged.
    """
    if float(torch.rand((), generator=generator)) >= share:
        return batch
    factor = (1.5, 2.0)[int(torch.randint(0, 2, (), generator=generator))]
    size = [round(side * factor) for side in batch.shape[2:]]
    return F.interpolate(batch, size=size, mode="bilinear")
