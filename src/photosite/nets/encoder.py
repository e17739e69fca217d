"""photosite's own encoder: a small residual network whose first kernels are large enough to look at.

Trained by `photosite train` on CIFAR-10's JPEGs; its weights and model card lie in `shipped/`.
"""

from __future__ import annotations

from functools import partial

from photosite.nets.blocks import BasicBlock
from photosite.nets.registry import ModelInfo, register
from photosite.nets.resnet import ResNet, Stem

DEFAULT_MODEL = "photosite_resnet12"
"""What `photosite see` uses unless told otherwise."""

register(
    ModelInfo(
        name=DEFAULT_MODEL,
        # 7x7 at stride 1, then 32 -> 16 -> 8 cells a side: a 64 px photo gives 16 x 16 tokens of width 160
        build=partial(
            ResNet,
            block=BasicBlock,
            depths=(1, 2, 2),
            widths=(32, 64, 160),
            stem=Stem(channels=32, kernel=7),
            zero_last_norm=True,
        ),
        num_classes=10,
        recipe="cifar10",
        photo_recipe="cifar10@64",
        source="photosite; blocks as in He et al. 2015, figure 5 left",
        shipped=DEFAULT_MODEL,
    )
)
