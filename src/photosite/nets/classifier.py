"""What networks that classify pictures have in common: features, a head, levels, and what they refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from photosite.errors import RangeError, ShapeError
from photosite.shapes import shape_text

Format = Literal["NCHW", "NLC"]


@dataclass(frozen=True)
class Level:
    """The last map of one size, or what a block of a transformer gives.

    Attributes:
        module: the path of the layer that makes it.
        channels: of the map.
        reduction: input pixels per cell, along each axis.
    """

    module: str
    channels: int
    reduction: int


class Classifier(nn.Module, ABC):
    """A network of a part that finds features and a part that classifies them.

    Attributes:
        width: channels of the feature map, which is also the width D of a token.
        reduction: input pixels per cell of the feature map, along each axis.
        min_size: the smallest side that the network takes.
        num_classes: outputs of the last layer; 0 where it was left out.
        in_chans: channels of the pictures.
        first_layer: the path of the layer that reads the pictures.
        last_layer: the path of the layer that names the classes.
        levels: the maps that `forward_intermediates` can give, from fine to coarse.
    """

    width: int
    reduction: int
    min_size: int = 32
    num_classes: int
    in_chans: int = 3
    first_layer: str
    last_layer: str
    levels: tuple[Level, ...]

    def check(self, x: Tensor) -> Tensor:
        """Refuse what is no batch of pictures, or has a side below `min_size`.

        Raises:
            ShapeError: x is not (B, in_chans, H, W), or too small.
        """
        name = type(self).__name__
        if x.ndim != 4 or x.shape[1] != self.in_chans:
            raise ShapeError(f"{name}: x wants (B, {self.in_chans}, H, W), channels first, got {shape_text(x.shape)}")
        if min(x.shape[2], x.shape[3]) < self.min_size:
            raise ShapeError(f"{name}: x wants sides of at least {self.min_size} px, got {shape_text(x.shape[2:])}")
        return x

    @abstractmethod
    def steps(self) -> Iterator[tuple[str, nn.Module]]:
        """Give the layers that `forward_features` runs one after the other, by their paths."""

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the feature map: (B, in_chans, H, W) to (B, width, h, w).

        Raises:
            ShapeError: x is not (B, in_chans, H, W), or a side is below `min_size`.
        """
        self.check(x)
        for _, layer in self.steps():
            x = layer(x)
        return x

    @abstractmethod
    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Classify a feature map: (B, width, h, w) to (B, num_classes); with `pre_logits` what the last layer gets."""

    def forward(self, x: Tensor) -> Tensor:
        """Classify pictures: (B, in_chans, H, W), normalized by the recipe, to logits (B, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        *,
        output_fmt: Format = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """Compute the maps of several levels in one pass.

        Args:
            x: (B, in_chans, H, W).
            indices: of `levels`, counted from the end if negative; a number means the last so many; all if not given.
            output_fmt: "NCHW" maps, or "NLC": (B, H x W, C), row by row.
            intermediates_only: leave the feature map at the end out, and what leads to it.
        Returns:
            What `forward_features` gives, and a list of maps in the order of the levels; or that list alone.
        Raises:
            RangeError: no such level, or another format.
        Matches: timm's `forward_intermediates`.
        """
        wanted = self.chosen(indices, output_fmt)
        names = [self.levels[index].module for index in wanted]
        found: list[Tensor] = []
        self.check(x)
        for name, layer in self.steps():
            x = layer(x)
            if name in names:
                found.append(x if output_fmt == "NCHW" else x.flatten(2).transpose(1, 2))
                if intermediates_only and len(found) == len(names):
                    break
        return found if intermediates_only else (x, found)

    def chosen(self, indices: int | Sequence[int] | None, output_fmt: str = "NCHW") -> list[int]:
        """Read which levels are wanted; in their order.

        Raises:
            RangeError: no such level, or another format.
        """
        count = len(self.levels)
        if output_fmt not in ("NCHW", "NLC"):
            raise RangeError(f"{type(self).__name__}: output_fmt wants 'NCHW' or 'NLC', got {output_fmt!r}")
        if isinstance(indices, int):
            indices = range(count - indices, count)
        wanted = list(range(count)) if indices is None else list(indices)
        if not wanted or not all(-count <= index < count for index in wanted):
            raise RangeError(f"{type(self).__name__}: has levels 0 to {count - 1}, asked for {wanted}")
        return sorted({index % count for index in wanted})


class Stack(Classifier):
    """A network whose feature part is one `nn.Sequential` named `features`."""

    features: nn.Sequential
    first_layer = "features.0"

    def steps(self) -> Iterator[tuple[str, nn.Module]]:
        """Give the layers of `features`."""
        for name, layer in self.features.named_children():
            yield f"features.{name}", layer

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the feature map: (B, in_chans, H, W) to (B, width, h, w).

        Raises:
            ShapeError: x is not (B, in_chans, H, W), or a side is below `min_size`.
        """
        features: Tensor = self.features(self.check(x))
        return features


def to_draw(model: nn.Module) -> Iterator[nn.Module]:
    """Give the modules of a new network whose weights are to be drawn: none on the meta device, where none are."""
    if not any(parameter.is_meta for parameter in model.parameters()):
        yield from model.modules()


def behind(head: nn.Sequential, features: Tensor, *, pre_logits: bool) -> Tensor:
    """Run a head of linear layers on a flattened map, with `pre_logits` all but its last layer."""
    x = torch.flatten(features, 1)
    for layer in list(head)[:-1] if pre_logits else head:
        x = layer(x)
    return x
