"""Grids of convolutional networks: each place of the last map is a token, made of all that it sees of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.prep.recipe import Recipe
from photosite.prep.recipes import HALF, IMAGENET_MEAN, IMAGENET_STD
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Step, Tile, Window


@dataclass(frozen=True)
class Grid(FrontEnd):
    """One picture, and one token for each place of the network's last map.

    Attributes:
        sides: rows and columns of places.
        field: side in pixels of what a place sees through convolutions and pools, as `photosite field` gives it.
        start: where the field of the first place begins, in pixels of the picture; negative beyond its border.
        prefix: tokens in front that stand for no place.
        gates: what makes each place see everything beside its field.
        recipe: how photos are taken; None for a plain square of `side`, resized as numbers without antialiasing.
        side: of that square.
        learned: so many tokens, each a weighted mean of all places, instead of the places; 0 for the places.
    """

    sides: Size = (7, 7)
    field: int = 1
    start: int = 0
    prefix: int = 0
    gates: tuple[str, ...] = ()
    recipe: Recipe | None = None
    side: int = 224
    learned: int = 0

    @property
    def prefix_tokens(self) -> int:
        """A class token, where the hybrid has one."""
        return self.prefix

    def patch_grid(self, size_hw: Size) -> Size:
        """Rows and columns of the network's last map."""
        return self.sides

    @property
    def window(self) -> tuple[int, int]:
        """The field of a place; of a learned token those of all places."""
        return self.start, self.field + (self.sides[0] - 1) * self.patch * (self.learned > 0)

    @property
    def global_by(self) -> tuple[str, ...]:
        """Gates and norms over the whole map, and the choice of a learned token."""
        return (*self.gates, *(("TokenLearner",) if self.learned else ()))

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """One picture."""
        if self.recipe is None:
            square = Resized((self.side, self.side), self.interpolation, antialias=False, rounded=False)
            return (Tile("base", (square,)),)
        geometry = self.recipe.geometry(size_hw)
        steps: tuple[Step, ...] = (Resized(geometry.resized_hw, self.interpolation),)
        if geometry.start_hw != (0, 0) or geometry.input_hw != geometry.resized_hw:
            steps = (*steps, Window(geometry.start_hw, geometry.input_hw))
        return (Tile("base", steps),)

    def _count(self, height: Whole, width: Whole) -> Count:
        places = self.learned or self.sides[0] * self.sides[1]
        each = np.full(len(height), places)
        return Count(each + self.prefix, each * 0 + 1, each, 0, 0, each * 0 + self.prefix)

    def _order(self, size_hw: Size, tiles: object) -> tuple[Whole, Whole, Whole]:
        if self.learned:
            zeros = np.zeros(self.learned, np.int64)
            return zeros, zeros, zeros
        down, across = np.mgrid[: self.sides[0], : self.sides[1]].astype(np.int64)
        none = np.full(self.prefix, -1)
        return (
            np.concatenate([none, np.zeros(down.size, np.int64)]),
            np.concatenate([none, down.ravel()]),
            np.concatenate([none, across.ravel()]),
        )

    def patches(self, size_hw: Size, tile: int, place: tuple[Any, Any]) -> tuple[Any, ...]:
        """The numbers of a token's places in the map, row by row: one, or all for a learned token."""
        if self.learned:
            return tuple(range(self.sides[0] * self.sides[1]))
        return (place[0] * self.sides[1] + place[1],)


def grid(
    name: str,
    recipe: Recipe,
    *,
    sides: Size,
    jump: int,
    field: int,
    start: int,
    source: str,
    prefix: int = 0,
    gates: tuple[str, ...] = (),
) -> Grid:
    """The front end of any convolutional network, from what is known of its last map.

    Args:
        name: what to call it.
        recipe: how photos are taken.
        sides: rows and columns of the map.
        jump: pixels from one place to the next.
        field: side in pixels of a place's field.
        start: where the field of the first place begins.
        source: where the numbers come from.
        prefix: tokens in front that stand for no place.
        gates: what makes each place see everything.
    """
    return Grid(
        *(name, source, jump, 1, recipe.mean, recipe.std, recipe.interpolation),
        sides=sides,
        field=field,
        start=start,
        prefix=prefix,
        gates=gates,
        recipe=recipe,
    )


def _recipe(name: str, shorter: int, side: int, interpolation: str, half: bool = False) -> Recipe:
    mean, std = (HALF, HALF) if half else (IMAGENET_MEAN, IMAGENET_STD)
    return Recipe(
        name=name,
        resize="shortest",
        size_hw=(shorter, shorter),
        interpolation=interpolation,  # type: ignore[arg-type]
        crop_hw=(side, side),
        mean=mean,
        std=std,
    )


_GATES = ("squeeze and excitation",)
_NORMS = ("group norms",)

register(
    grid(
        "resnet50-224",
        _recipe("resnet50", 256, 224, "bilinear"),
        sides=(7, 7),
        jump=32,
        field=427,
        start=-213,
        source="torchvision ResNet50_Weights.IMAGENET1K_V1; its last stage",
    ),
    grid(
        "efficientnet-b3-300",
        _recipe("efficientnet_b3", 320, 300, "bicubic"),
        sides=(10, 10),
        jump=32,
        field=1407,
        start=-703,
        gates=_GATES,
        source="torchvision EfficientNet_B3_Weights.IMAGENET1K_V1; its last convolution",
    ),
    *(
        grid(
            f"vit-hybrid-{side}",
            _recipe(f"vit_base_r50_s16_{side}", shorter, side, "bicubic", half=True),
            sides=(side // 16, side // 16),
            jump=16,
            field=363,
            start=-166,
            prefix=1,
            gates=_NORMS,
            source=f"timm vit_base_r50_s16_{side}: three stages of a ResNet-50, each place a patch",
        )
        for side, shorter in ((224, 248), (384, 384))
    ),
    Grid(
        "rt-1",
        "google-research/robotics_transformer: tokenizers/image_tokenizer.py and token_learner.py, EfficientNet-B3 as "
        "Keras pads it where the size is not known before, which makes 9 × 9 places; the robot's own crop is left out",
        *(32, 1, IMAGENET_MEAN, IMAGENET_STD, "bilinear"),
        sides=(9, 9),
        field=1407,
        start=-672,
        gates=_GATES,
        side=300,
        learned=8,
    ),
)
