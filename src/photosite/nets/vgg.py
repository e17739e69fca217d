"""VGG of 11, 13, 16 and 19 layers, with and without batch norm."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from photosite.nets.classifier import Level, Stack, behind, to_draw
from photosite.nets.registry import ModelInfo, register

CONVOLUTIONS: dict[int, tuple[int, int, int, int, int]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""How many 3 x 3 convolutions stand in front of each of the five pools, by number of layers with weights."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels in front of each pool."""


class VGG(Stack):
    """Nothing but 3 x 3 convolutions and pools that halve the picture five times, then three linear layers.

    Matches: torchvision.models.VGG, same parameter names.
    Source: Simonyan and Zisserman 2014, table 1.
    """

    last_layer = "classifier.6"

    def __init__(
        self,
        layers: int,
        *,
        batch_norm: bool = False,
        num_classes: int = 1000,
        in_chans: int = 3,
        dropout: float = 0.5,
    ) -> None:
        """Build the network with fresh weights.

        Args:
            layers: 11, 13, 16 or 19.
            batch_norm: a norm behind each convolution.
            num_classes: outputs of the last layer; 0 leaves it out, the output is then (B, 4096).
            in_chans: channels of the pictures.
            dropout: share of what the last two linear layers get that is left out in training.
        """
        super().__init__()
        self.features = nn.Sequential()
        channels = in_chans
        levels: list[Level] = []
        for count, width in zip(CONVOLUTIONS[layers], WIDTHS, strict=True):
            for _ in range(count):
                self.features.append(nn.Conv2d(channels, width, 3, padding=1))
                if batch_norm:
                    self.features.append(nn.BatchNorm2d(width))
                self.features.append(nn.ReLU(inplace=True))
                channels = width
            levels.append(Level(f"features.{len(self.features) - 1}", width, 2 ** len(levels)))
            self.features.append(nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes) if num_classes else nn.Identity(),
        )
        self.levels = (*levels, Level(f"features.{len(self.features) - 1}", 512, 32))
        self.width, self.reduction, self.num_classes, self.in_chans = 512, 32, num_classes, in_chans
        for module in to_draw(self):  # as torchvision draws them
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Bring the map to 7 x 7 and classify it: (B, 512, h, w) to (B, num_classes), or (B, 4096)."""
        return behind(self.classifier, self.avgpool(features), pre_logits=pre_logits)


for _layers in CONVOLUTIONS:
    for _norm in (False, True):
        register(
            ModelInfo(
                name=f"vgg{_layers}{'_bn' if _norm else ''}",
                build=partial(VGG, layers=_layers, batch_norm=_norm),
                num_classes=1000,
                recipe="imagenet",
                source="Simonyan and Zisserman 2014, Very Deep Convolutional Networks, table 1",
            )
        )
