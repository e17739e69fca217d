"""The blocks that residual networks are built from, and their three kinds of shortcut."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.nets.classifier import to_draw

Shortcut = Literal["projection", "padding", "none"]
StrideOn = Literal["3x3", "1x1"]


class PaddingShortcut(nn.Module):
    """Option A of the paper: every second pixel, missing channels filled with zeros on both sides.

    Has no parameters. (B, C, H, W) becomes (B, O, ceil(H / stride), ceil(W / stride)).
    Source: He et al. 2015, section 3.3; zeros on both sides as in the published CIFAR checkpoints.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        """Remember how many channels are missing and the stride."""
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        """Take every `stride`-th pixel and pad the channel axis."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def make_shortcut(kind: Shortcut, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """Build what carries x past a block whose output has another shape; None where x passes as it is.

    "projection" is option B of the paper, a 1x1 convolution with its norm (named as torchvision names it:
    `downsample.0`, `downsample.1`); "padding" is option A; "none" is for the plain twins.
    """
    if kind == "none" or (stride == 1 and in_channels == out_channels):
        return None
    if kind == "padding":
        return PaddingShortcut(in_channels, out_channels, stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut around them: relu(F(x) + x).

    (B, C, H, W) becomes (B, channels, ceil(H / stride), ceil(W / stride)).
    With `shortcut="none"` it is its own plain twin: relu(F(x)).
    Matches: torchvision.models.resnet.BasicBlock, same parameter names.
    Source: He et al. 2015, figure 5 left.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        shortcut: Shortcut = "projection",
        stride_on: StrideOn = "3x3",
    ) -> None:
        """Build the block; `stride_on` means nothing here, both convolutions are 3x3 and the first strides."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = make_shortcut(shortcut, in_channels, channels, stride)
        self.residual = shortcut != "none"

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm in front of the addition."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions found to what came in."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.relu(out)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1 down to `channels`, 3x3, 1x1 up to four times `channels`, and the shortcut around them.

    (B, C, H, W) becomes (B, 4 * channels, ceil(H / stride), ceil(W / stride)).
    With `groups` the 3x3 is a grouped one (ResNeXt), with `inner_width` over 64 it is wider (Wide ResNet).
    `stride_on="3x3"` is what published checkpoints have (called ResNet v1.5); "1x1" is the paper's, and makes a
    receptive field of 483 instead of 427 pixels in ResNet-50.
    Matches: torchvision.models.resnet.Bottleneck, same parameter names.
    Source: He et al. 2015, figure 5 right; Xie et al. 2016, Zagoruyko and Komodakis 2016.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        shortcut: Shortcut = "projection",
        stride_on: StrideOn = "3x3",
        *,
        groups: int = 1,
        inner_width: int = 64,
    ) -> None:
        """Build the block, with the stride on the 3x3 or on the first 1x1.

        Inside it has `channels * inner_width / 64 * groups` channels.
        """
        super().__init__()
        first, second = (1, stride) if stride_on == "3x3" else (stride, 1)
        out_channels = channels * self.expansion
        inside = channels * inner_width // 64 * groups
        self.conv1 = nn.Conv2d(in_channels, inside, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride=second, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(shortcut, in_channels, out_channels, stride)
        self.residual = shortcut != "none"

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm in front of the addition."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        """Add what the three convolutions found to what came in."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.residual:
            out = out + (x if self.downsample is None else self.downsample(x))
        return self.relu(out)  # type: ignore[no-any-return]


def initialize(model: nn.Module, *, zero_last_norm: bool = False) -> None:
    """Draw fresh weights: He-normal by fan-out for convolutions, ones and zeros for norms.

    Args:
        model: changed in place; draws from torch's global generator.
        zero_last_norm: start every residual block as the identity (gamma of its last norm = 0).

    Matches: torchvision.models.resnet.ResNet, draw for draw.
    Source: He et al. 2015, "Delving Deep into Rectifiers"; Goyal et al. 2017 for the zero gamma.
    """
    for module in to_draw(model):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    if zero_last_norm:
        with torch.no_grad():
            for module in to_draw(model):
                if isinstance(module, BasicBlock | Bottleneck) and module.residual:
                    module.last_norm.weight.zero_()
