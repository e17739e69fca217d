"""Stochastic depth: whole blocks left out in training, picture by picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Leaves a residual branch out of some pictures of a batch in training; in evaluation it does nothing.

    What stays is divided by the share that stays, so that the mean is the same.
    Matches: torchvision.ops.StochasticDepth in mode "row".
    Source: Huang et al. 2016, Deep Networks with Stochastic Depth.
    """

    def __init__(self, share: float) -> None:
        """Remember the share of pictures that go without the branch."""
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Leave out, or pass: (B, …) to (B, …)."""
        if not self.training or not self.share:
            return x
        kept = torch.empty(x.shape[0], *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
        kept.bernoulli_(1 - self.share).div_(max(1 - self.share, 1e-9))
        return x * kept
