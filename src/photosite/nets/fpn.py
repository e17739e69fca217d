"""Feature pyramid: the maps of several stages, each with what the coarser ones know; on any network of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from photosite.errors import ShapeError
from photosite.nets.feature_net import FeatureNet


class FeaturePyramid(nn.Module):
    """From coarse to fine, each map is brought to one width, and twice the coarser one is added; a 3 x 3 smooths it.

    Matches: torchvision.ops.FeaturePyramidNetwork with LastLevelMaxPool, same parameter names.
    Source: Lin et al. 2016, Feature Pyramid Networks for Object Detection, figure 3.
    """

    def __init__(self, channels: Sequence[int], width: int = 256, *, extra_level: bool = True) -> None:
        """Build the pyramid with fresh weights.

        Args:
            channels: of each map that comes in, from fine to coarse.
            width: of each map that goes out.
            extra_level: add a map half as fine as the coarsest, every second place of it.
        """
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(count, width, 1)) for count in channels)
        self.layer_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(width, width, 3, padding=1)) for _ in channels)
        self.extra_level = extra_level
        self.width = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Make the pyramid.

        Args:
            maps: (B, C, H, W) each, from fine to coarse, as `photosite.analysis.features` gives them.
        Returns:
            By the same names (B, width, H, W), and "pool" for the extra level.
        Raises:
            ShapeError: more or fewer maps than the pyramid was built for.
        """
        if len(maps) != len(self.inner_blocks):
            raise ShapeError(f"FeaturePyramid: wants {len(self.inner_blocks)} maps, got {len(maps)}")
        names, given = list(maps), list(maps.values())
        found: list[Tensor] = []
        above: Tensor | None = None
        for level in reversed(range(len(given))):
            here: Tensor = self.inner_blocks[level](given[level])
            above = here if above is None else here + F.interpolate(above, size=here.shape[2:], mode="nearest")
            found.insert(0, self.layer_blocks[level](above))
        out = dict(zip(names, found, strict=True))
        if self.extra_level:
            out["pool"] = F.max_pool2d(found[-1], 1, 2, 0)
        return out


class PyramidNet(nn.Module):
    """A network and the pyramid on its maps.

    Attributes:
        body: the network.
        fpn: the pyramid.
    Matches: torchvision.models.detection.backbone_utils.BackboneWithFPN: the same maps by the same names.
    """

    def __init__(self, net: nn.Module, width: int = 256, *, extra_level: bool = True) -> None:
        """Build the pyramid with fresh weights.

        Args:
            net: what `create_model(..., features_only=True)` built; its `out_indices` say which levels are read.
            width: of each map that goes out.
            extra_level: add a map half as fine as the coarsest.
        Raises:
            ShapeError: not such a network.
        """
        super().__init__()
        if not isinstance(net, FeatureNet):
            raise ShapeError(f"PyramidNet: wants create_model(..., features_only=True), got {type(net).__name__}")
        self.body = net
        self.fpn = FeaturePyramid(net.feature_info.channels(), width, extra_level=extra_level)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Compute the maps: (B, C, H, W) to (B, width, h, w) by "0", "1", ..., and "pool", from fine to coarse."""
        maps: dict[str, Tensor] = self.fpn({str(number): one for number, one in enumerate(self.body(x))})
        return maps
