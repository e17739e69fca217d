"""Vision transformers: as in the paper, and those of CLIP, SigLIP and DINOv2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.nets.classifier import Classifier
from photosite.nets.registry import ModelInfo, register
from photosite.nets.transformer import AttentionPool, Block, PatchEmbedding

Pool = Literal["token", "question"]


@dataclass(frozen=True)
class Tower:
    """What a vision transformer consists of.

    Attributes:
        patch: side of a patch in pixels.
        width: numbers in a token.
        depth: blocks.
        heads: of the attention.
        side: of the pictures that its position embeddings were trained on.
        hidden: numbers inside an MLP; four times the width for None.
        classes: outputs of the last layer unless asked otherwise.
        class_token: a first token that stands for no place.
        registers: further tokens that stand for no place; they and the class token have no position then.
        patch_bias: whether the patches' linear layer has a bias.
        norm_first: a norm in front of the blocks, as CLIP has it.
        activation: one of `photosite.nets.transformer.ACTIVATIONS`.
        eps: of the norms.
        layer_scale: where the scale of each block starts; None for none.
        pool: what is classified: the class token, or the answer to a learned question.
        antialias: whether position embeddings are smoothed when they are brought to a smaller grid.
    """

    patch: int
    width: int
    depth: int
    heads: int
    side: int = 224
    hidden: int | None = None
    classes: int = 1000
    class_token: bool = True
    registers: int = 0
    patch_bias: bool = True
    norm_first: bool = False
    activation: str = "gelu"
    eps: float = 1e-6
    layer_scale: float | None = None
    pool: Pool = "token"
    antialias: bool = True


class VisionTransformer(Classifier):
    """Patches as tokens, positions added, blocks of attention and MLP, and one linear layer on what is pooled.

    Attributes:
        num_prefix_tokens: tokens in front of those of places: the class token and the registers.
        grid: rows and columns of places for pictures of the trained side.

    Matches: timm's `VisionTransformer`, same parameter names; key maps for torchvision's are in
    `photosite.nets.keymaps`.
    Source: Dosovitskiy et al. 2020; Radford et al. 2021; Zhai et al. 2023; Oquab et al. 2023; Darcet et al. 2023.
    """

    def __init__(self, tower: Tower, *, num_classes: int | None = None) -> None:
        """Build the network with fresh weights.

        Args:
            tower: what it consists of.
            num_classes: outputs of the last layer; the tower's if not given, 0 leaves it out.
        """
        super().__init__()
        self.tower = tower
        count = tower.classes if num_classes is None else num_classes
        hidden = tower.hidden or 4 * tower.width
        places = tower.side // tower.patch
        self.grid = (places, places)
        self.num_prefix_tokens = int(tower.class_token) + tower.registers
        self.width, self.reduction, self.min_size, self.num_classes = tower.width, tower.patch, tower.patch, count
        if tower.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, tower.width))
        if tower.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, tower.registers, tower.width))
        placed = places**2 + int(tower.class_token and not tower.registers)
        self.pos_embed = nn.Parameter(torch.zeros(1, placed, tower.width))
        self.patch_embed = PatchEmbedding(tower.patch, tower.width, bias=tower.patch_bias)
        self.norm_pre = nn.LayerNorm(tower.width, eps=tower.eps) if tower.norm_first else nn.Identity()
        self.blocks = nn.Sequential(
            *(
                Block(
                    tower.width,
                    tower.heads,
                    hidden,
                    activation=tower.activation,
                    eps=tower.eps,
                    layer_scale=tower.layer_scale,
                )
                for _ in range(tower.depth)
            )
        )
        self.norm = nn.LayerNorm(tower.width, eps=tower.eps)
        if tower.pool == "question":
            self.attn_pool = AttentionPool(tower.width, tower.heads, hidden, activation=tower.activation, eps=tower.eps)
        self.head = nn.Linear(tower.width, count) if count else nn.Identity()
        self._draw()

    def _draw(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for name in ("cls_token", "reg_token"):
            if hasattr(self, name):
                nn.init.normal_(getattr(self, name), std=1e-6)

    def positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings for a grid of places: as they are for the trained one, else interpolated.

        Bicubic, corners not aligned, in float32; antialiased as timm does it, or not, as `Tower.antialias` says.
        Those of a class token stay.

        Returns:
            (1, prefix + rows x columns, width), the prefix only where it has positions.
        """
        if (rows, columns) == self.grid:
            return self.pos_embed
        prefix = self.pos_embed.shape[1] - self.grid[0] * self.grid[1]
        first, grid = self.pos_embed[:, :prefix], self.pos_embed[:, prefix:]
        picture = grid.reshape(1, *self.grid, -1).permute(0, 3, 1, 2).float()
        resized = F.interpolate(
            picture, size=(rows, columns), mode="bicubic", antialias=self.tower.antialias, align_corners=False
        )
        return torch.cat([first, resized.flatten(2).transpose(1, 2).to(grid.dtype)], 1)

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the tokens: (B, 3, H, W) to (B, prefix + rows x columns, width), behind the last norm.

        Raises:
            ShapeError: x is not (B, 3, H, W), or a side is below a patch.
        """
        self.check(x)
        rows, columns = x.shape[2] // self.tower.patch, x.shape[3] // self.tower.patch
        tokens, positions = self.patch_embed(x), self.positions(rows, columns)
        prefix = [
            getattr(self, name).expand(len(x), -1, -1) for name in ("cls_token", "reg_token") if hasattr(self, name)
        ]
        if self.tower.registers:  # positions are of places alone
            tokens = torch.cat([*prefix, tokens + positions], 1)
        else:
            tokens = torch.cat([*prefix, tokens], 1) + positions
        out: Tensor = self.norm(self.blocks(self.norm_pre(tokens)))
        return out

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Pool the tokens and classify: (B, N, width) to (B, num_classes), or (B, width)."""
        pooled: Tensor = self.attn_pool(features) if self.tower.pool == "question" else features[:, 0]
        return pooled if pre_logits else self.head(pooled)


_SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
"""Width, depth and heads; Dosovitskiy et al. 2020, table 1, and Touvron et al. 2020 for the two small ones."""

_PAPER = "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words, table 1"
_CLIP = "Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, table 20"
_SIGLIP = "Zhai et al. 2023, Sigmoid Loss for Language Image Pre-Training; Alabdulmohsin et al. 2023 for so400m"
_DINO = "Oquab et al. 2023, DINOv2, table 17; Darcet et al. 2023 for the registers"


def _towers() -> dict[str, tuple[Tower, str, str]]:
    found: dict[str, tuple[Tower, str, str]] = {}
    for name, (width, depth, heads) in _SIZES.items():
        for patch in (16, 32) if name != "tiny" else (16,):
            found[f"vit_{name}_patch{patch}_224"] = (Tower(patch, width, depth, heads), "imagenet", _PAPER)
    for size, patch, side in (("base", 32, 224), ("base", 16, 224), ("large", 14, 224), ("large", 14, 336)):
        width, depth, heads = _SIZES[size]
        for word, activation in (("", "gelu"), ("_quickgelu", "quick_gelu")):
            found[f"vit_{size}_patch{patch}_clip{word}_{side}"] = (
                Tower(
                    patch,
                    width,
                    depth,
                    heads,
                    side,
                    classes=0,
                    patch_bias=False,
                    norm_first=True,
                    activation=activation,
                    eps=1e-5,
                ),
                "clip" if side == 224 else f"clip@{side}",
                _CLIP,
            )
    siglip = partial(Tower, classes=0, class_token=False, pool="question")
    found["vit_base_patch16_siglip_224"] = (siglip(16, 768, 12, 12), "siglip", _SIGLIP)
    found["vit_so400m_patch14_siglip_384"] = (siglip(14, 1152, 27, 16, 384, hidden=4304), "siglip@384", _SIGLIP)
    for size, (width, depth, heads) in {**_SIZES, "giant": (1536, 40, 24)}.items():
        for word, registers in (("", 0), ("_reg4", 4)):
            if size != "tiny":
                found[f"vit_{size}_patch14{word}_dinov2"] = (
                    Tower(
                        14,
                        width,
                        depth,
                        heads,
                        518,
                        hidden=4096 if size == "giant" else None,
                        classes=0,
                        registers=registers,
                        activation="swiglu" if size == "giant" else "gelu",
                        layer_scale=1e-5,
                    ),
                    "imagenet@518",
                    _DINO,
                )
    return found


for _name, (_tower, _recipe, _source) in _towers().items():
    register(
        ModelInfo(
            name=_name,
            build=partial(VisionTransformer, _tower),
            num_classes=_tower.classes,
            recipe=_recipe,
            source=_source,
        )
    )
