"""The ImageNet ResNets of the paper, 18 to 152 layers, and those that are grouped or wide inside."""

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
            build=partial(ResNet, block=_block, depths=_depths, widths=(64, 128, 256, 512)),
            num_classes=1000,
            recipe="imagenet",
            source="He et al. 2015, Deep Residual Learning for Image Recognition, table 1",
        )
    )

VARIANTS: dict[str, tuple[int, int, int, str]] = {
    "resnext50_32x4d": (50, 32, 4, "Xie et al. 2016, Aggregated Residual Transformations, table 1"),
    "resnext101_32x8d": (101, 32, 8, "Xie et al. 2016, Aggregated Residual Transformations"),
    "resnext101_64x4d": (101, 64, 4, "Xie et al. 2016, Aggregated Residual Transformations"),
    "wide_resnet50_2": (50, 1, 128, "Zagoruyko and Komodakis 2016, Wide Residual Networks"),
    "wide_resnet101_2": (101, 1, 128, "Zagoruyko and Komodakis 2016, Wide Residual Networks"),
}
"""Layers, groups of the 3x3 convolutions, and channels of a group for 64 of the first stage."""

for _name, (_layers, _groups, _width, _source) in VARIANTS.items():
    _block, _depths = DEPTHS[_layers]
    register(
        ModelInfo(
            name=_name,
            build=partial(
                ResNet,
                block=_block,
                depths=_depths,
                widths=(64, 128, 256, 512),
                block_options={"groups": _groups, "inner_width": _width},
            ),
            num_classes=1000,
            recipe="imagenet",
            source=_source,
        )
    )
