"""The CIFAR ResNets of the paper, 20 to 110 layers, and their plain twins without shortcuts."""

from __future__ import annotations

from functools import partial

from photosite.nets.blocks import BasicBlock, Shortcut
from photosite.nets.registry import ModelInfo, register
from photosite.nets.resnet import CIFAR_STEM, ResNet

LAYERS = (20, 32, 44, 56, 110)
"""6n + 2 layers with n blocks a stage; He et al. 2015, section 4.2."""
_FAMILIES: tuple[tuple[str, Shortcut], ...] = (("resnet", "padding"), ("plain", "none"))

for _layers in LAYERS:
    for _family, _shortcut in _FAMILIES:
        register(
            ModelInfo(
                name=f"cifar_{_family}{_layers}",
                build=partial(
                    ResNet,
                    block=BasicBlock,
                    depths=((_layers - 2) // 6,) * 3,
                    widths=(16, 32, 64),
                    stem=CIFAR_STEM,
                    shortcut=_shortcut,
                    min_size=4,
                ),
                num_classes=10,
                recipe="cifar10-imagenet-norm",
                source="He et al. 2015, Deep Residual Learning for Image Recognition, section 4.2",
            )
        )
