"""ResNet: a stem, stages of residual blocks, a mean over space, one linear layer.

One class builds the ImageNet networks of the paper, its CIFAR networks and photosite's own encoder; they differ
only in stem, widths and shortcut. Knows nothing of names, weights files or recipes: the registry does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from photosite.errors import RangeError
from photosite.nets.blocks import BasicBlock, Bottleneck, Shortcut, StrideOn, initialize
from photosite.nets.classifier import Classifier, Level


@dataclass(frozen=True)
class Stem:
    """The first convolution, in front of the stages, with its norm and ReLU.

    `pool` adds the 3x3 max pooling at stride 2 that the ImageNet networks have.
    """

    channels: int
    kernel: int
    stride: int = 1
    pool: bool = False


IMAGENET_STEM = Stem(channels=64, kernel=7, stride=2, pool=True)
CIFAR_STEM = Stem(channels=16, kernel=3)


class ResNet(Classifier):
    """A residual network; also the plain twin of one, with `shortcut="none"`.

    Parameter names are torchvision's (`conv1`, `bn1`, `layer1.0.conv1` ..., `fc`), so that its checkpoints load.
    """

    first_layer = "conv1"
    last_layer = "fc"

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        widths: Sequence[int],
        *,
        strides: Sequence[int] | None = None,
        stem: Stem = IMAGENET_STEM,
        shortcut: Shortcut = "projection",
        stride_on: StrideOn = "3x3",
        num_classes: int = 1000,
        in_chans: int = 3,
        min_size: int = 32,
        zero_last_norm: bool = False,
        block_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Build the network with fresh weights.

        Args:
            block: BasicBlock or Bottleneck.
            depths: blocks in each stage.
            widths: channels of each stage, before the block's expansion.
            strides: stride of each stage's first block; 1 for the first stage and 2 for the others if not given.
            stem: the first convolution.
            shortcut: "projection" (option B), "padding" (option A) or "none" (a plain network).
            stride_on: which convolution of a bottleneck strides.
            num_classes: outputs of the last layer; 0 leaves it out, the output is then (B, width).
            in_chans: channels of the pictures.
            min_size: the smallest side in pixels that `forward` accepts.
            zero_last_norm: start residual blocks as the identity.
            block_options: further arguments of each block, such as `groups`.

        Raises:
            RangeError: depths, widths and strides differ in number, or a choice is unknown.
        """
        super().__init__()
        strides = (1, *[2] * (len(depths) - 1)) if strides is None else strides
        if not len(depths) == len(widths) == len(strides):
            raise RangeError(f"ResNet: depths {depths}, widths {widths} and strides {strides} differ in number")
        if stride_on not in ("3x3", "1x1") or shortcut not in ("projection", "padding", "none"):
            raise RangeError(
                f"ResNet: stride_on wants '3x3' or '1x1', got {stride_on!r}; "
                f"shortcut wants 'projection', 'padding' or 'none', got {shortcut!r}"
            )
        self.conv1 = nn.Conv2d(
            in_chans, stem.channels, stem.kernel, stride=stem.stride, padding=stem.kernel // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(stem.channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem.pool else None
        self.stages: tuple[str, ...] = tuple(f"layer{number}" for number in range(1, len(depths) + 1))
        channels = stem.channels
        self.reduction = stem.stride * (2 if stem.pool else 1)
        levels = [Level("relu", channels, stem.stride)] if stem.pool else []
        for name, depth, width, stride in zip(self.stages, depths, widths, strides, strict=True):
            stage = nn.Sequential()
            for index in range(depth):
                first = stride if index == 0 else 1
                stage.append(block(channels, width, first, shortcut, stride_on, **(block_options or {})))
                channels = width * block.expansion
            self.add_module(name, stage)
            self.reduction *= stride
            levels.append(Level(name, channels, self.reduction))
        self.levels = tuple(levels)
        self.width, self.min_size, self.num_classes, self.in_chans = channels, min_size, num_classes, in_chans
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes) if num_classes else nn.Identity()
        initialize(self, zero_last_norm=zero_last_norm)

    def steps(self) -> Iterator[tuple[str, nn.Module]]:
        """Give the stem's layers, then the stages."""
        for name in ("conv1", "bn1", "relu", "maxpool", *self.stages):
            layer = getattr(self, name)
            if layer is not None:
                yield name, layer

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Average the feature map over space and classify: (B, width, h, w) to (B, num_classes).

        With `pre_logits` or without classes the average itself is the result, (B, width).
        """
        x = torch.flatten(self.avgpool(features), 1)  # (B, width)
        return x if pre_logits else self.fc(x)
