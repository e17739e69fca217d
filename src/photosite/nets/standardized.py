"""A ResNet with standardized weights and group norms, padded as TensorFlow pads: what hybrid transformers stand on."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32
"""Of every norm; Kolesnikov et al. 2019, Big Transfer, section 3.1."""
WIDTHS = (256, 512, 1024, 2048)
"""Channels of each stage."""


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad rows and columns so that a sliding kernel gives ceil(side / stride) places.

    Convention: TensorFlow's "SAME": of an odd number the larger half goes behind.
    """
    pads: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        whole = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads += [whole // 2, whole - whole // 2]
    return F.pad(x, pads, value=value) if any(pads) else x


class StandardizedConv(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for each channel that it makes.

    Matches: timm's `StdConv2dSame`, same parameter names.
    Source: Qiao et al. 2019, Micro-Batch Training with Batch-Channel Normalization and Weight Standardization.
    """

    def __init__(self, before: int, channels: int, kernel: int, stride: int = 1) -> None:
        """Build the layer; it has no bias."""
        super().__init__(before, channels, kernel, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride), rounded up."""
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = F.batch_norm(flat, None, None, training=True, momentum=0.0, eps=1e-8).reshape_as(self.weight)
        return F.conv2d(pad_same(x, self.kernel_size[0], self.stride[0]), weight, stride=self.stride)


class GroupNormReLU(nn.GroupNorm):
    """A group norm and, unless told otherwise, a ReLU."""

    def __init__(self, channels: int, *, relu: bool = True) -> None:
        """Build the norm."""
        super().__init__(GROUPS, channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Normalize; the shape stays."""
        x = super().forward(x)
        return F.relu(x) if self.relu else x


class SamePool(nn.Module):
    """The largest of 3 x 3 at every second place; what is padded never wins."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / 2, W / 2), rounded up."""
        return F.max_pool2d(pad_same(x, 3, 2, -math.inf), 3, 2)


class Downsample(nn.Module):
    """A 1 x 1 convolution and its norm around a block whose shape changes."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        """Build the two layers."""
        super().__init__()
        self.conv = StandardizedConv(before, channels, 1, stride)
        self.norm = GroupNormReLU(channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride), rounded up."""
        out: Tensor = self.norm(self.conv(x))
        return out


class Bottleneck(nn.Module):
    """1 x 1 to a quarter of the channels, 3 x 3, 1 x 1 back, each with its norm, and what came in.

    Matches: timm's `resnetv2.Bottleneck`, same parameter names.
    Source: Kolesnikov et al. 2019, Big Transfer, without its pre-activation, as in Dosovitskiy et al. 2020.
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        """Build the block."""
        super().__init__()
        inner = channels // 4
        changes = stride > 1 or before != channels
        self.downsample = Downsample(before, channels, stride) if changes else None
        self.conv1 = StandardizedConv(before, inner, 1)
        self.norm1 = GroupNormReLU(inner)
        self.conv2 = StandardizedConv(inner, inner, 3, stride)
        self.norm2 = GroupNormReLU(inner)
        self.conv3 = StandardizedConv(inner, channels, 1)
        self.norm3 = GroupNormReLU(channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride), rounded up."""
        found = self.norm3(self.conv3(self.norm2(self.conv2(self.norm1(self.conv1(x))))))
        return F.relu(found + (x if self.downsample is None else self.downsample(x)))


class Stage(nn.Module):
    """Blocks of one width."""

    def __init__(self, before: int, channels: int, count: int, stride: int) -> None:
        """Build them; the first one strides."""
        super().__init__()
        self.blocks = nn.Sequential(
            *(Bottleneck(channels if i else before, channels, 1 if i else stride) for i in range(count))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride), rounded up."""
        out: Tensor = self.blocks(x)
        return out


class Stem(nn.Sequential):
    """A convolution of 7 x 7, its norm and a pool: (B, in_chans, H, W) to (B, 64, H / 4, W / 4), rounded up."""

    width: int = 64
    reduction: int = 4

    def __init__(self, in_chans: int = 3) -> None:
        """Build the layers."""
        super().__init__()
        self.add_module("conv", StandardizedConv(in_chans, 64, 7, 2))
        self.add_module("norm", GroupNormReLU(64))
        self.add_module("pool", SamePool())


def reduction_of(depths: tuple[int, ...]) -> int:
    """Input pixels per cell behind a stem and so many stages, of which each but the first halves the map."""
    return Stem.reduction << max(len(depths) - 1, 0)


class Backbone(nn.Module):
    """A stem, then stages of bottlenecks.

    Attributes:
        width: channels that come out.
        reduction: input pixels per cell.
    Matches: timm's `ResNetV2` of its hybrid transformers, same parameter names.
    """

    def __init__(self, depths: tuple[int, ...], in_chans: int = 3) -> None:
        """Build as many stages as there are `depths`."""
        super().__init__()
        self.stem = Stem(in_chans)
        self.width, self.reduction = self.stem.width, reduction_of(depths)
        self.stages = nn.Sequential()
        for number, (depth, channels) in enumerate(zip(depths, WIDTHS, strict=False)):
            self.stages.append(Stage(self.width, channels, depth, 2 if number else 1))
            self.width = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, H, W) to (B, width, H / reduction, W / reduction), rounded up."""
        out: Tensor = self.stages(self.stem(x))
        return out
