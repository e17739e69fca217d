"""Front ends that bring every photo to one square: CLIP, SigLIP, DINOv2, PaliGemma, Gemma 3, LLaVA-1.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD
from photosite.tokens.front_end import FrontEnd
from photosite.tokens.places import Count, Whole
from photosite.tokens.registry import register
from photosite.tokens.tile import Resized, Size, Step, Tile, Window

Fit = Literal["squash", "crop", "pad"]


@dataclass(frozen=True)
class Square(FrontEnd):
    """One square picture.

    Attributes:
        side: of it, in pixels.
        fit: how a photo that is not square becomes one: both sides resized, the shorter one resized and the middle cut
            out, or padded with the mean color first.
        prefix: tokens in front that stand for no place, such as a class token.
    """

    side: int = 224
    fit: Fit = "squash"
    prefix: int = 0

    @property
    def prefix_tokens(self) -> int:
        """A class token, where it is read."""
        return self.prefix

    def tiles(self, size_hw: Size) -> tuple[Tile, ...]:
        """One picture."""
        height, width = size_hw
        square = Resized((self.side, self.side), self.interpolation)
        steps: tuple[Step, ...] = (square,)
        if self.fit == "pad" and height != width:
            longer = max(height, width)
            color = tuple(int(level * 255) for level in self.mean)
            steps = (Window((-((longer - height) // 2), -((longer - width) // 2)), (longer, longer), color), square)  # type: ignore[arg-type]
        elif self.fit == "crop":
            short, long = min(height, width), max(height, width)
            longer = self.side * long // short
            resized = (self.side, longer) if height <= width else (longer, self.side)
            start = tuple((side - self.side) // 2 for side in resized)
            steps = (Resized(resized, self.interpolation), Window(start, (self.side, self.side)))  # type: ignore[arg-type]
        return (Tile("base", steps),)

    def _count(self, height: Whole, width: Whole) -> Count:
        total = (self.side // self.cell) ** 2 + self.prefix
        each = np.full(len(height), total)
        return Count(each, each * 0 + 1, each - self.prefix, 0, 0, each * 0 + self.prefix)

    def _order(self, size_hw: Size, tiles: object) -> tuple[Whole, Whole, Whole]:
        side = self.side // self.cell
        down, across = np.mgrid[:side, :side].astype(np.int64)
        none = np.full(self.prefix, -1)
        return (
            np.concatenate([none, np.zeros(side * side, np.int64)]),
            np.concatenate([none, down.ravel()]),
            np.concatenate([none, across.ravel()]),
        )


_SIGLIP = {"mean": HALF, "std": HALF, "interpolation": "bicubic"}
_CLIP = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic"}

register(
    *(
        Square(f"paligemma-{side}", "transformers 5.23, paligemma and siglip", 14, 1, side=side, **_SIGLIP)  # type: ignore[arg-type]
        for side in (224, 448, 896)
    ),
    Square("siglip-so400m-384", "google/siglip-so400m-patch14-384", 14, 1, side=384, **_SIGLIP),  # type: ignore[arg-type]
    Square("clip-l-336", "openai/clip-vit-large-patch14-336", 14, 1, side=336, fit="crop", prefix=1, **_CLIP),  # type: ignore[arg-type]
    Square(
        "dinov2-b-518",
        "facebookresearch/dinov2, at the side that it was trained on; photos as timm's tower takes them",
        *(14, 1, IMAGENET_MEAN, IMAGENET_STD, "bicubic"),
        side=518,
        fit="crop",
        prefix=1,
    ),
    Square(
        "llava-1.5",
        "haotian-liu/LLaVA scripts/v1_5/finetune.sh and mm_utils.py; of the last layer but one, no class token",
        *(14, 1, CLIP_MEAN, CLIP_STD, "bicubic"),
        side=336,
        fit="pad",
        layer=-2,
    ),
    Square(
        "gemma3",
        "transformers 5.23, gemma3 without pan and scan: 64 × 64 patches averaged 4 × 4",
        *(14, 4, HALF, HALF, "bilinear"),
        side=896,
    ),
)
