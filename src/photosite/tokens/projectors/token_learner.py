"""TokenLearner: a few tokens, each a weighted mean of all places, with weights that the places themselves decide."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenLearner(nn.Module):
    """A norm and two linear layers give each place a score for each token; a softmax over places makes them weights.

    Args:
        width: numbers in a place, and in a token that comes out.
        tokens: how many come out.
        inner: numbers between the layers.
    Matches: `TokenLearnerModule` (version 1.1) of google-research/robotics_transformer, whose GELU is the one by tanh.
    Source: Ryoo et al. 2021, "TokenLearner: what can 8 learned tokens do for images and videos?"

    >>> TokenLearner(16, 8)(torch.zeros(2, 81, 16)).shape
    torch.Size([2, 8, 16])
    """

    whole = True
    """It gets all places of a picture at once."""

    def __init__(self, width: int, tokens: int = 8, *, inner: int = 64) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.inner = nn.Linear(width, inner)
        self.outer = nn.Linear(inner, tokens)

    def weights(self, places: Tensor) -> Tensor:
        """How much each place counts in each token: (B, N, width) to (B, tokens, N); sums over places are 1."""
        scores = self.outer(F.gelu(self.inner(self.norm(places)), approximate="tanh"))
        return torch.softmax(scores.transpose(1, 2), -1)

    def forward(self, places: Tensor) -> Tensor:
        """(B, N, width) to (B, tokens, width)."""
        return self.weights(places) @ places
