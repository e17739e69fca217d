"""What networks that classify pictures have in common: features, a head, and what they refuse."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from photosite.errors import ShapeError
from photosite.shapes import shape_text


class Classifier(nn.Module):
    """A network of a part that finds features and a part that classifies them.

    Attributes:
        width: channels of the feature map, which is also the width D of a token.
        reduction: input pixels per cell of the feature map, along each axis.
        min_size: the smallest side that the network takes.
        num_classes: outputs of the last layer; 0 where it was left out.
    """

    width: int
    reduction: int
    min_size: int = 32
    num_classes: int

    def check(self, x: Tensor) -> Tensor:
        """Refuse what is no batch of pictures, or has a side below `min_size`.

        Raises:
            ShapeError: x is not (B, 3, H, W), or too small.
        """
        name = type(self).__name__
        if x.ndim != 4 or x.shape[1] != 3:
            raise ShapeError(f"{name}: x wants (B, 3, H, W), channels first, got {shape_text(x.shape)}")
        if min(x.shape[2], x.shape[3]) < self.min_size:
            raise ShapeError(f"{name}: x wants sides of at least {self.min_size} px, got {shape_text(x.shape[2:])}")
        return x

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the feature map: (B, 3, H, W) to (B, width, h, w)."""
        raise NotImplementedError

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Classify a feature map: (B, width, h, w) to (B, num_classes); with `pre_logits` what the last layer gets."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures: (B, 3, H, W), normalized by the recipe, to logits (B, num_classes)."""
        return self.forward_head(self.forward_features(x))


def behind(head: nn.Sequential, features: Tensor, *, pre_logits: bool) -> Tensor:
    """Run a head of linear layers on a flattened map, with `pre_logits` all but its last layer."""
    x = torch.flatten(features, 1)
    for layer in list(head)[:-1] if pre_logits else head:
        x = layer(x)
    return x
