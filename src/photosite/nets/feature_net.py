"""A network that gives its maps of several levels and nothing else, as `create_model(features_only=True)` builds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from photosite.errors import RangeError
from photosite.nets.classifier import Classifier, Level
from photosite.nets.vit import VisionTransformer


class FeatureInfo:
    """What the maps of a `FeatureNet` are, in its order.

    Matches: timm's `FeatureInfo`: `channels()`, `reduction()`, `module_name()`, `get_dicts()`, `out_indices`.
    """

    def __init__(self, levels: Sequence[Level], out_indices: Sequence[int]) -> None:
        """Remember all levels, and which are given."""
        self.levels, self.out_indices = tuple(levels), tuple(out_indices)

    def channels(self, index: int | None = None) -> Any:
        """Channels of each map, or of one level."""
        return self._of("channels", index)

    def reduction(self, index: int | None = None) -> Any:
        """Input pixels per cell of each map, or of one level."""
        return self._of("reduction", index)

    def module_name(self, index: int | None = None) -> Any:
        """The path of the layer that makes each map, or one level."""
        return self._of("module", index)

    def get_dicts(self) -> list[dict[str, Any]]:
        """All three of each map."""
        return [
            {"num_chs": level.channels, "reduction": level.reduction, "module": level.module, "index": index}
            for index, level in ((index, self.levels[index]) for index in self.out_indices)
        ]

    def __len__(self) -> int:
        """How many maps there are."""
        return len(self.out_indices)

    def _of(self, what: str, index: int | None) -> Any:
        if index is not None:
            return getattr(self.levels[index], what)
        return [getattr(self.levels[one], what) for one in self.out_indices]


class FeatureNet(nn.Module):
    """The maps of some levels of a network, from fine to coarse.

    Attributes:
        net: the network.
        feature_info: what the maps are.
    Matches: timm's `features_only=True`: a list of (B, C, H, W).
    """

    def __init__(self, net: nn.Module, out_indices: Sequence[int] | None = None) -> None:
        """Choose the levels.

        Args:
            net: a network of ours.
            out_indices: of its levels, counted from the end if negative; all of a convolutional network, the last
                three blocks of a transformer if not given.
        Raises:
            RangeError: no such level, or a network that has none.
        """
        super().__init__()
        if not isinstance(net, Classifier):
            raise RangeError(f"FeatureNet: wants a network with levels, got {type(net).__name__}")
        if out_indices is None and isinstance(net, VisionTransformer):
            out_indices = range(len(net.levels))[-3:]
        self.net = net
        self.feature_info = FeatureInfo(net.levels, net.chosen(out_indices))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the maps: (B, in_chans, H, W) to a list of (B, C, h, w)."""
        found: list[Tensor] = self.net.forward_intermediates(x, self.feature_info.out_indices, intermediates_only=True)
        return found
