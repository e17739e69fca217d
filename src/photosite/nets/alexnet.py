"""AlexNet, as torchvision has it: the single-tower version of 2014."""

from __future__ import annotations

from torch import Tensor, nn

from photosite.nets.classifier import Level, Stack, behind
from photosite.nets.registry import ModelInfo, register


class AlexNet(Stack):
    """Five convolutions, three linear layers: large kernels first, a pool behind three of them.

    Matches: torchvision.models.AlexNet, same parameter names.
    Source: Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks.
    """

    last_layer = "classifier.6"

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, dropout: float = 0.5) -> None:
        """Build the network with fresh weights.

        Args:
            num_classes: outputs of the last layer; 0 leaves it out, the output is then (B, 4096).
            in_chans: channels of the pictures.
            dropout: share of what the first two linear layers get that is left out in training.
        """
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes) if num_classes else nn.Identity(),
        )
        self.width, self.reduction, self.min_size, self.num_classes = 256, 32, 63, num_classes
        self.in_chans = in_chans
        self.levels = tuple(
            Level(f"features.{number}", channels, reduction)
            for number, channels, reduction in ((1, 64, 4), (4, 192, 8), (11, 256, 16), (12, 256, 32))
        )

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Bring the map to 6 x 6 and classify it: (B, 256, h, w) to (B, num_classes), or (B, 4096)."""
        return behind(self.classifier, self.avgpool(features), pre_logits=pre_logits)


register(
    ModelInfo(
        name="alexnet",
        build=AlexNet,
        num_classes=1000,
        recipe="imagenet",
        source="Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks",
    )
)
