"""EfficientNet B0 to B7, and V2 S, M and L."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from photosite.nets.classifier import Level, Stack, to_draw
from photosite.nets.registry import ModelInfo, register
from photosite.nets.stochastic_depth import StochasticDepth


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind.

    Attributes:
        expand: how many times wider a block is inside.
        kernel: of its convolution.
        stride: of the first block's.
        before: channels that go in.
        channels: channels that come out.
        count: blocks.
        fused: one full convolution in place of a 1 x 1 and one by channel, and no gate.
    """

    expand: int
    kernel: int
    stride: int
    before: int
    channels: int
    count: int
    fused: bool = False


B0 = (
    Stage(1, 3, 1, 32, 16, 1),
    Stage(6, 3, 2, 16, 24, 2),
    Stage(6, 5, 2, 24, 40, 2),
    Stage(6, 3, 2, 40, 80, 3),
    Stage(6, 5, 1, 80, 112, 3),
    Stage(6, 5, 2, 112, 192, 4),
    Stage(6, 3, 1, 192, 320, 1),
)
"""Tan and Le 2019, table 1."""
SCALES: dict[str, tuple[float, float, float]] = {
    "b0": (1.0, 1.0, 0.2),
    "b1": (1.0, 1.1, 0.2),
    "b2": (1.1, 1.2, 0.3),
    "b3": (1.2, 1.4, 0.3),
    "b4": (1.4, 1.8, 0.4),
    "b5": (1.6, 2.2, 0.4),
    "b6": (1.8, 2.6, 0.5),
    "b7": (2.0, 3.1, 0.5),
}
"""How much wider and deeper than B0, and the dropout in front of the last layer."""
V2: dict[str, tuple[tuple[Stage, ...], float]] = {
    "v2_s": (
        (
            Stage(1, 3, 1, 24, 24, 2, fused=True),
            Stage(4, 3, 2, 24, 48, 4, fused=True),
            Stage(4, 3, 2, 48, 64, 4, fused=True),
            Stage(4, 3, 2, 64, 128, 6),
            Stage(6, 3, 1, 128, 160, 9),
            Stage(6, 3, 2, 160, 256, 15),
        ),
        0.2,
    ),
    "v2_m": (
        (
            Stage(1, 3, 1, 24, 24, 3, fused=True),
            Stage(4, 3, 2, 24, 48, 5, fused=True),
            Stage(4, 3, 2, 48, 80, 5, fused=True),
            Stage(4, 3, 2, 80, 160, 7),
            Stage(6, 3, 1, 160, 176, 14),
            Stage(6, 3, 2, 176, 304, 18),
            Stage(6, 3, 1, 304, 512, 5),
        ),
        0.3,
    ),
    "v2_l": (
        (
            Stage(1, 3, 1, 32, 32, 4, fused=True),
            Stage(4, 3, 2, 32, 64, 7, fused=True),
            Stage(4, 3, 2, 64, 96, 7, fused=True),
            Stage(4, 3, 2, 96, 192, 10),
            Stage(6, 3, 1, 192, 224, 19),
            Stage(6, 3, 2, 224, 384, 25),
            Stage(6, 3, 1, 384, 640, 7),
        ),
        0.4,
    ),
}
"""Tan and Le 2021, table 4, and the dropout in front of the last layer."""


def divisible(channels: float, by: int = 8) -> int:
    """The nearest multiple, at least `by`, and never less than nine tenths of what was asked for.

    >>> divisible(32 * 1.1), divisible(11)
    (32, 16)
    """
    near = max(by, int(channels + by / 2) // by * by)
    return near + by if near < 0.9 * channels else near


def convolution(
    before: int, channels: int, kernel: int, stride: int, norm: Callable[[int], nn.Module], *, groups: int = 1
) -> nn.Sequential:
    """A convolution, its norm, and a SiLU."""
    return nn.Sequential(
        nn.Conv2d(before, channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        norm(channels),
        nn.SiLU(inplace=True),
    )


class Gate(nn.Module):
    """Squeeze and excite: each channel times a share that the mean of all channels gives.

    Source: Hu et al. 2017, Squeeze-and-Excitation Networks.
    """

    def __init__(self, channels: int, inner: int) -> None:
        """Build the two layers of the gate; they are 1 x 1 convolutions, as torchvision's."""
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.activation = nn.SiLU(inplace=True)
        self.fc2 = nn.Conv2d(inner, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the channels: (B, C, H, W) to (B, C, H, W)."""
        share: Tensor = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
        return share * x


class Block(nn.Module):
    """An inverted residual: wide inside, narrow at both ends, and what came in where the shape stays.

    Matches: torchvision.models.efficientnet.MBConv and FusedMBConv, same parameter names.
    Source: Sandler et al. 2018, figure 3; Tan and Le 2021, figure 2 for the fused one.
    """

    def __init__(self, stage: Stage, drop: float, norm: Callable[[int], nn.Module]) -> None:
        """Build a block; `drop` is how often it is left out in training."""
        super().__init__()
        wide = divisible(stage.before * stage.expand)
        layers: list[nn.Module] = []
        if stage.fused and stage.expand == 1:
            layers.append(convolution(stage.before, stage.channels, stage.kernel, stage.stride, norm))
        elif stage.fused:
            layers.append(convolution(stage.before, wide, stage.kernel, stage.stride, norm))
            layers.append(convolution(wide, stage.channels, 1, 1, norm)[:2])
        else:
            if stage.expand > 1:
                layers.append(convolution(stage.before, wide, 1, 1, norm))
            layers.append(convolution(wide, wide, stage.kernel, stage.stride, norm, groups=wide))
            layers.append(Gate(wide, max(1, stage.before // 4)))
            layers.append(convolution(wide, stage.channels, 1, 1, norm)[:2])
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop)
        self.residual = stage.stride == 1 and stage.before == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, channels, H / stride, W / stride), rounded up."""
        found: Tensor = self.block(x)
        return self.stochastic_depth(found) + x if self.residual else found


class EfficientNet(Stack):
    """A stem, stages of inverted residuals, a wide 1 x 1 convolution, a mean, one linear layer.

    Matches: torchvision.models.EfficientNet, same parameter names.
    Source: Tan and Le 2019, 2021.
    """

    first_layer = "features.0.0"
    last_layer = "classifier.1"

    def __init__(
        self,
        stages: tuple[Stage, ...],
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        last: int | None = None,
        dropout: float = 0.2,
        drop: float = 0.2,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        """Build the network with fresh weights.

        Args:
            stages: what its blocks are.
            num_classes: outputs of the last layer; 0 leaves it out, the output is then (B, width).
            in_chans: channels of the pictures.
            last: channels of the feature map; four times those of the last stage if not given.
            dropout: share left out in front of the last layer in training.
            drop: how often the last block is left out in training; the others less, in proportion to their place.
            norm: makes the norm for so many channels.
        """
        super().__init__()
        self.features = nn.Sequential(convolution(in_chans, stages[0].before, 3, 2, norm))
        number, count = 0, sum(stage.count for stage in stages)
        levels: list[Level] = []
        for place, stage in enumerate(stages, 1):
            reduction = (levels[-1].reduction if levels else 2) * stage.stride
            if levels and stage.stride == 1:
                levels.pop()  # the last stage of each size counts
            levels.append(Level(f"features.{place}", stage.channels, reduction))
            blocks = nn.Sequential()
            for index in range(stage.count):
                one = stage if index == 0 else replace(stage, before=stage.channels, stride=1)
                blocks.append(Block(one, drop * number / count, norm))
                number += 1
            self.features.append(blocks)
        width = last or 4 * stages[-1].channels
        self.features.append(convolution(stages[-1].channels, width, 1, 1, norm))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout, inplace=True), nn.Linear(width, num_classes) if num_classes else nn.Identity()
        )
        self.width, self.reduction, self.num_classes, self.in_chans = width, 32, num_classes, in_chans
        self.levels = tuple(levels)
        for module in to_draw(self):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.out_features)
                nn.init.uniform_(module.weight, -bound, bound)
                nn.init.zeros_(module.bias)

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Average over space and classify: (B, width, h, w) to (B, num_classes), or (B, width)."""
        x: Tensor = self.avgpool(features).flatten(1)
        return x if pre_logits else self.classifier(x)


def scaled(width: float, depth: float) -> tuple[Stage, ...]:
    """B0's stages, so many times wider and deeper."""
    return tuple(
        replace(
            stage,
            before=divisible(stage.before * width),
            channels=divisible(stage.channels * width),
            count=math.ceil(stage.count * depth),
        )
        for stage in B0
    )


SIDES = {
    "b0": 224,
    "b1": 240,
    "b2": 288,
    "b3": 300,
    "b4": 380,
    "b5": 456,
    "b6": 528,
    "b7": 600,
    "v2_s": 384,
    "v2_m": 480,
    "v2_l": 480,
}
"""Side of the pictures in pixels, torchvision's; the paper has 260 for B2."""


def recipe_of(name: str) -> str:
    """The recipe's name at a network's own side."""
    return "imagenet" if SIDES[name] == 224 else f"imagenet@{SIDES[name]}"


_WIDE: dict[str, Any] = {"norm": partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)}
_NORMS = dict.fromkeys(("b5", "b6", "b7"), _WIDE)
"""The three that were published with TensorFlow's norm."""

for _name, (_width, _depth, _dropout) in SCALES.items():
    register(
        ModelInfo(
            name=f"efficientnet_{_name}",
            build=partial(EfficientNet, stages=scaled(_width, _depth), dropout=_dropout, **_NORMS.get(_name, {})),
            num_classes=1000,
            recipe=recipe_of(_name),
            source="Tan and Le 2019, EfficientNet, table 1 and section 3.3",
        )
    )
for _name, (_stages, _dropout) in V2.items():
    register(
        ModelInfo(
            name=f"efficientnet_{_name}",
            build=partial(
                EfficientNet, stages=_stages, last=1280, dropout=_dropout, norm=partial(nn.BatchNorm2d, eps=1e-3)
            ),
            num_classes=1000,
            recipe=recipe_of(_name),
            source="Tan and Le 2021, EfficientNetV2, table 4",
        )
    )
