"""ConvNeXt-T, -S, -B and -L: a convolutional network drawn like a transformer."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.nets.classifier import Level, Stack, to_draw
from photosite.nets.registry import ModelInfo, register
from photosite.nets.stochastic_depth import StochasticDepth

SIZES: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int], float]] = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 0.1),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768), 0.4),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024), 0.5),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536), 0.5),
}
"""Blocks in each stage, channels of each, and the share of blocks left out in training; Liu et al. 2022, table 9."""


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of a map (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each place by itself."""
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class Permute(nn.Module):
    """Axes in another order, as a layer."""

    def __init__(self, *order: int) -> None:
        """Remember the order."""
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Turn the axes."""
        return x.permute(self.order)


class Block(nn.Module):
    """A 7 x 7 convolution of each channel, a norm, two linear layers on each place, and what came in.

    (B, C, H, W) stays (B, C, H, W).
    Matches: torchvision.models.convnext.CNBlock, same parameter names.
    Source: Liu et al. 2022, figure 4.
    """

    def __init__(self, channels: int, scale: float, drop: float) -> None:
        """Build the block; `scale` is where its layer scale starts, `drop` how often it is left out in training."""
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            Permute(0, 3, 1, 2),
        )
        self.layer_scale = nn.Parameter(torch.ones(channels, 1, 1) * scale)
        self.stochastic_depth = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the block found, scaled by channel, to what came in."""
        found: Tensor = self.stochastic_depth(self.layer_scale * self.block(x))
        found += x  # nobody else has it, and it is the largest sum of the network
        return found


class ConvNeXt(Stack):
    """Patches of 4 x 4, then four stages of blocks, each behind a halving.

    Matches: torchvision.models.ConvNeXt, same parameter names.
    Source: Liu et al. 2022, A ConvNet for the 2020s.
    """

    first_layer = "features.0.0"
    last_layer = "classifier.2"

    def __init__(
        self,
        depths: tuple[int, int, int, int],
        widths: tuple[int, int, int, int],
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        layer_scale: float = 1e-6,
        drop: float = 0.0,
    ) -> None:
        """Build the network with fresh weights.

        Args:
            depths: blocks in each stage.
            widths: channels of each stage.
            num_classes: outputs of the last layer; 0 leaves it out, the output is then (B, width).
            in_chans: channels of the pictures.
            layer_scale: where the scale of each block starts.
            drop: how often the last block is left out in training; the others less, in proportion to their place.
        """
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(in_chans, widths[0], 4, stride=4), ChannelNorm(widths[0], eps=1e-6))
        )
        number, count = 0, sum(depths)
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            if stage:
                before = widths[stage - 1]
                self.features.append(
                    nn.Sequential(ChannelNorm(before, eps=1e-6), nn.Conv2d(before, width, 2, stride=2))
                )
            blocks = nn.Sequential()
            for _ in range(depth):
                blocks.append(Block(width, layer_scale, drop * number / (count - 1)))
                number += 1
            self.features.append(blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = nn.Linear(widths[-1], num_classes) if num_classes else nn.Identity()
        self.classifier = nn.Sequential(ChannelNorm(widths[-1], eps=1e-6), nn.Flatten(1), last)
        self.width, self.reduction, self.num_classes, self.in_chans = widths[-1], 32, num_classes, in_chans
        self.levels = tuple(
            Level(f"features.{2 * stage + 1}", width, 4 * 2**stage) for stage, width in enumerate(widths)
        )
        for module in to_draw(self):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Average over space, normalize and classify: (B, width, h, w) to (B, num_classes), or (B, width)."""
        x: Tensor = self.avgpool(features)
        for layer in list(self.classifier)[:-1] if pre_logits else self.classifier:
            x = layer(x)
        return x


for _name, (_depths, _widths, _drop) in SIZES.items():
    register(
        ModelInfo(
            name=f"convnext_{_name}",
            build=partial(ConvNeXt, depths=_depths, widths=_widths, drop=_drop),
            num_classes=1000,
            recipe="imagenet",
            source="Liu et al. 2022, A ConvNet for the 2020s, table 9",
        )
    )
