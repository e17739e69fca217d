"""The ImageNet ResNets of the paper: 18, 34, 50, 101 and 152 layers."""

from __future__ import annotations

from functools import partial

from photosite.nets.blocks import BasicBlock, Bottleneck
from photosite.nets.registry import ModelInfo, register
from photosite.nets.resnet import ResNet

DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Blocks in each stage by number of layers; He et al. 2015, table 1."""

for _layers, (_block, _depths) in DEPTHS.items():
    register(
        ModelInfo(
            name=f"resnet{_layers}",
            build=partial(ResNet, _block, _depths, (64, 128, 256, 512)),
            num_classes=1000,
            recipe="imagenet",
            source="He et al. 2015, Deep Residual Learning for Image Recognition, table 1",
        )
    )
