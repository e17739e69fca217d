"""Class activation maps that try: what happens to the score when picture or layer are changed channel by channel."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Scored = Callable[[Tensor], Tensor]
"""From inputs or values, any number of them, to one score each."""


def score_cam(x: Tensor, a: Tensor, scored: Scored, batch: int = 16) -> Tensor:
    """Channels weighed by the score of the picture seen through them.

    Each channel's activations, brought to the input's size and to 0 … 1, are laid over the input; the scores of all
    channels go through a softmax.

    Args:
        x: (1, C, H, W), one input.
        a: (1, K, h, w), the layer's activations.
        scored: of inputs (n, C, H, W), for n up to `batch`.
        batch: inputs at once.
    Returns:
        (1, h, w).
    Matches: pytorch-grad-cam `ScoreCAM`, but for its masks, which are stretched with aligned corners; the paper's code
        does as we do.
    Source: Wang et al. 2020.
    """
    large = F.interpolate(a.float(), size=x.shape[2:], mode="bilinear", align_corners=False)[0]
    low, high = large.amin((1, 2), keepdim=True), large.amax((1, 2), keepdim=True)
    masks = ((large - low) / (high - low + 1e-8)).to(x.dtype)
    found = torch.cat([scored(x * masks[at : at + batch, None]) for at in range(0, len(masks), batch)])
    weights = torch.softmax(found.float(), 0)
    return (weights[None, :, None, None] * a).sum(1)


def ablation_cam(a: Tensor, base: Tensor, scored: Scored, batch: int = 16) -> Tensor:
    """Channels weighed by what is lost of the score without them.

    Args:
        a: (1, K, h, w), the layer's activations.
        base: (1,), the score with all of them.
        scored: of activations (n, K, h, w), for n up to `batch`.
        batch: of them at once.
    Returns:
        (1, h, w).
    Matches: pytorch-grad-cam `AblationCAM` where the score is above 0; where it is below, that divides by it all the
        same, which turns the map over: what speaks against the class is shown as speaking for it.
    Source: Desai and Ramaswamy 2020.
    """
    channels = a.shape[1]
    found = []
    for at in range(0, channels, batch):
        some = torch.arange(at, min(at + batch, channels))
        without = a.expand(len(some), -1, -1, -1).clone()
        without[torch.arange(len(some)), some] = 0
        found.append(scored(without))
    weights = (base - torch.cat(found)) / (base.abs() + 1e-8)
    return (weights[None, :, None, None] * a).sum(1)
