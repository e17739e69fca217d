"""Vision transformers: as in the paper, and those of CLIP, SigLIP and DINOv2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.errors import UnknownNameError
from photosite.nets.classifier import Classifier, Format, Level, to_draw
from photosite.nets.registry import ModelInfo, register
from photosite.nets.standardized import Backbone, Stem, reduction_of
from photosite.nets.transformer import AttentionPool, Block, HybridEmbedding, PatchEmbedding

Pool = Literal["token", "question"]


@dataclass(frozen=True)
class Tower:
    """What a vision transformer consists of.

    Attributes:
        patch: side of a patch in pixels.
        width: numbers in a token.
        depth: blocks.
        heads: of the attention.
        side: of the pictures that its position embeddings were trained on; or their height and width.
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
        stem: blocks in each stage of the residual network in front of the patches, which are then of its map; () for
            its stem alone, None for no such network.
    """

    patch: int
    width: int
    depth: int
    heads: int
    side: int | tuple[int, int] = 224
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
    stem: tuple[int, ...] | None = None

    @property
    def reduction(self) -> int:
        """Input pixels per token, along each axis."""
        return self.patch if self.stem is None else self.patch * reduction_of(self.stem)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places for pictures of the trained size."""
        height, width = self.side if isinstance(self.side, tuple) else (self.side, self.side)
        return height // self.reduction, width // self.reduction

    def changed(self, **changes: Any) -> Tower:
        """The tower with some of it otherwise.

        Args:
            **changes: by the names of its attributes, or timm's: img_size, patch_size, embed_dim, num_heads.
        Raises:
            UnknownNameError: there is nothing of that name.
        """
        named = {TIMM_NAMES.get(key, key): value for key, value in changes.items()}
        known = [one.name for one in fields(self)]
        for key in named:
            if key not in known:
                raise UnknownNameError("part of a vision transformer", key, [*known, *TIMM_NAMES])
        return replace(self, **named)


TIMM_NAMES = {"img_size": "side", "patch_size": "patch", "embed_dim": "width", "num_heads": "heads"}
"""Of `Tower`, as timm spells them."""


class Interpolation(NamedTuple):
    """How a publisher brings position embeddings to another grid: bicubic, in float32.

    Attributes:
        antialias: whether they are smoothed on the way to a smaller grid.
        align_corners: whether the outermost places stay where they are.
        offset: added to the wanted sides before the scale is computed, so that rounding cannot lose a place.
    """

    antialias: bool = False
    align_corners: bool = False
    offset: float = 0.0


INTERPOLATIONS: dict[str, Interpolation] = {
    "timm": Interpolation(antialias=True),
    "open_clip": Interpolation(antialias=True),
    "transformers": Interpolation(),
    "dinov2": Interpolation(offset=0.1),
    "dinov2 with registers": Interpolation(antialias=True),
    "torchvision": Interpolation(align_corners=True),
}
"""By publisher: timm 1.0 `resample_abs_pos_embed`, open_clip 3.3 `resize_pos_embed`, transformers 5.23 and DINOv2's hub
`interpolate_pos_encoding` (in both, models with registers do otherwise), torchvision 0.28 `interpolate_embeddings`."""


class VisionTransformer(Classifier):
    """Patches as tokens, positions added, blocks of attention and MLP, and one linear layer on what is pooled.

    Attributes:
        num_prefix_tokens: tokens in front of those of places: the class token and the registers.
        grid: rows and columns of places for pictures of the trained side.
        interpolation: one of `INTERPOLATIONS`: how positions are brought to other grids; `create_model` sets it to the
            publisher of the weights.

    Matches: timm's `VisionTransformer`, same parameter names; `photosite.nets.checkpoints.layouts` reads others'.
    Source: Dosovitskiy et al. 2020; Radford et al. 2021; Zhai et al. 2023; Oquab et al. 2023; Darcet et al. 2023.
    """

    last_layer = "head"

    def __init__(
        self,
        tower: Tower,
        *,
        num_classes: int | None = None,
        in_chans: int = 3,
        interpolation: str = "timm",
    ) -> None:
        """Build the network with fresh weights.

        Args:
            tower: what it consists of.
            num_classes: outputs of the last layer; the tower's if not given, 0 leaves it out.
            in_chans: channels of the pictures.
            interpolation: one of `INTERPOLATIONS`.
        Raises:
            UnknownNameError: there is no such interpolation.
        """
        super().__init__()
        if interpolation not in INTERPOLATIONS:
            raise UnknownNameError("interpolation of positions", interpolation, INTERPOLATIONS)
        self.tower, self.interpolation, self.in_chans = tower, interpolation, in_chans
        width = tower.width
        count = tower.classes if num_classes is None else num_classes
        hidden = tower.hidden or 4 * width
        self.reduction, self.grid = tower.reduction, tower.grid
        self.patch_embed: PatchEmbedding | HybridEmbedding
        if tower.stem is None:
            self.patch_embed = PatchEmbedding(tower.patch, width, in_chans=in_chans, bias=tower.patch_bias)
        else:
            backbone = Backbone(tower.stem, in_chans) if tower.stem else Stem(in_chans)
            self.patch_embed = HybridEmbedding(backbone, backbone.width, tower.patch, width)
        self.num_prefix_tokens = int(tower.class_token) + tower.registers
        self.width, self.min_size, self.num_classes = width, self.reduction, count
        self.first_layer = "patch_embed.proj"
        if tower.stem is not None:
            self.first_layer = f"patch_embed.backbone.{'stem.' if tower.stem else ''}conv"
        self.levels = tuple(Level(f"blocks.{number}", width, self.reduction) for number in range(tower.depth))
        if tower.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if tower.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, tower.registers, width))
        placed = self.grid[0] * self.grid[1] + int(tower.class_token and not tower.registers)
        self.pos_embed = nn.Parameter(torch.zeros(1, placed, width))
        self.norm_pre = nn.LayerNorm(width, eps=tower.eps) if tower.norm_first else nn.Identity()
        options: dict[str, Any] = {"activation": tower.activation, "eps": tower.eps}
        self.blocks = nn.Sequential(
            *(Block(width, tower.heads, hidden, layer_scale=tower.layer_scale, **options) for _ in range(tower.depth))
        )
        self.norm = nn.LayerNorm(width, eps=tower.eps)
        if tower.pool == "question":
            self.attn_pool = AttentionPool(width, tower.heads, hidden, **options)
        self.head = nn.Linear(width, count) if count else nn.Identity()
        self._draw()

    def _draw(self) -> None:
        for module in to_draw(self):
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for name in ("cls_token", "reg_token"):
            if hasattr(self, name):
                nn.init.normal_(getattr(self, name), std=1e-6)

    def positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings for a grid of places: as they are for the trained one, else interpolated.

        Those of a class token stay.

        Returns:
            (1, prefix + rows x columns, width), the prefix only where it has positions.
        """
        return interpolated(self.pos_embed, self.grid, (rows, columns), INTERPOLATIONS[self.interpolation])

    def steps(self) -> Iterator[tuple[str, nn.Module]]:
        """Give the blocks."""
        for name, block in self.blocks.named_children():
            yield f"blocks.{name}", block

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Make the tokens that the first block gets: (B, prefix + rows x columns, width), and rows and columns.

        Raises:
            ShapeError: x is not (B, in_chans, H, W), or a side is below a patch.
        """
        patches = self.patch_embed(self.check(x))
        rows, columns = patches.shape[2:]
        tokens, positions = patches.flatten(2).transpose(1, 2), self.positions(rows, columns)
        prefix = [
            getattr(self, name).expand(len(x), -1, -1) for name in ("cls_token", "reg_token") if hasattr(self, name)
        ]
        if self.tower.registers:  # positions are of places alone
            tokens = torch.cat([*prefix, tokens + positions], 1)
        else:
            tokens = torch.cat([*prefix, tokens], 1) + positions
        return self.norm_pre(tokens), (rows, columns)

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the tokens: (B, in_chans, H, W) to (B, prefix + rows x columns, width), behind the last norm.

        Raises:
            ShapeError: x is not (B, in_chans, H, W), or a side is below a patch.
        """
        tokens: Tensor = self.norm(self.blocks(self.embed(x)[0]))
        return tokens

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        *,
        output_fmt: Format = "NCHW",
        intermediates_only: bool = False,
        return_prefix_tokens: bool = False,
        norm: bool = False,
    ) -> Any:
        """Compute what several blocks give in one pass.

        Args:
            x: (B, in_chans, H, W).
            indices: of blocks, counted from the end if negative; a number means the last so many; all if not given.
            output_fmt: "NCHW" maps, or "NLC": (B, rows x columns, width).
            intermediates_only: leave the tokens at the end out, and the blocks that lead to them.
            return_prefix_tokens: give pairs of places and (B, num_prefix_tokens, width).
            norm: run the last norm on each.
        Returns:
            What `forward_features` gives, and a list in the order of the blocks; or that list alone.
        Raises:
            RangeError: no such block, or another format.
        Matches: timm's `forward_intermediates`.
        """
        wanted = self.chosen(indices, output_fmt)
        tokens, (rows, columns) = self.embed(x)
        found: list[Any] = []
        for number, (_, block) in enumerate(self.steps()):
            tokens = block(tokens)
            if number in wanted:
                read = self.norm(tokens) if norm else tokens
                places, prefix = read[:, self.num_prefix_tokens :], read[:, : self.num_prefix_tokens]
                if output_fmt == "NCHW":
                    places = places.transpose(1, 2).reshape(len(x), self.width, rows, columns)
                found.append((places, prefix) if return_prefix_tokens else places)
                if intermediates_only and len(found) == len(wanted):
                    return found
        return self.norm(tokens), found

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Pool the tokens and classify: (B, N, width) to (B, num_classes), or (B, width)."""
        pooled: Tensor = self.attn_pool(features) if self.tower.pool == "question" else features[:, 0]
        return pooled if pre_logits else self.head(pooled)


def interpolated(positions: Tensor, grid: tuple[int, int], to: tuple[int, int], how: Interpolation) -> Tensor:
    """Bring position embeddings to another grid; those in front of the grid's stay.

    Args:
        positions: (1, prefix + rows x columns, D).
        grid: their rows and columns.
        to: those that are wanted.
        how: one of `INTERPOLATIONS`.
    Returns:
        (1, prefix + rows x columns, D); the same tensor where nothing changes.
    """
    if grid == to:
        return positions
    prefix = positions.shape[1] - grid[0] * grid[1]
    first, places = positions[:, :prefix], positions[:, prefix:]
    picture = places.reshape(1, *grid, -1).permute(0, 3, 1, 2).float()
    sides: dict[str, Any] = {"size": to}
    if how.offset:
        sides = {"scale_factor": ((to[0] + how.offset) / grid[0], (to[1] + how.offset) / grid[1])}
    resized = F.interpolate(picture, **sides, mode="bicubic", antialias=how.antialias, align_corners=how.align_corners)
    return torch.cat([first, resized.flatten(2).transpose(1, 2).to(places.dtype)], 1)


def build_tower(
    tower: Tower, *, num_classes: int | None = None, in_chans: int = 3, **changes: Any
) -> VisionTransformer:
    """Build a vision transformer, some of it otherwise.

    Args:
        tower: what it consists of.
        num_classes: outputs of the last layer.
        in_chans: channels of the pictures.
        **changes: of `Tower`, by its names or timm's (`img_size`, `embed_dim`, `num_heads`, `depth`, ...), and
            `interpolation`.
    Raises:
        UnknownNameError: there is nothing of that name.
    """
    options = {key: changes.pop(key) for key in ("interpolation",) if key in changes}
    return VisionTransformer(tower.changed(**changes), num_classes=num_classes, in_chans=in_chans, **options)


_SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
"""Width, depth and heads; Dosovitskiy et al. 2020, table 1, and Touvron et al. 2020 for the two small ones."""

_PAPER = "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words, table 1"
_CLIP = "Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, table 20"
_SIGLIP = "Zhai et al. 2023, Sigmoid Loss for Language Image Pre-Training; Alabdulmohsin et al. 2023 for so400m"
_HYBRID = "Dosovitskiy et al. 2020, section 3.1; Steiner et al. 2021, How to train your ViT, table 3 for the others"
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
    for name, size, stem, patch, side in (
        ("tiny_r_s16_p8_224", "tiny", (), 8, 224),
        ("small_r26_s32_224", "small", (2, 2, 2, 2), 1, 224),
        ("base_r50_s16_224", "base", (3, 4, 9), 1, 224),
        ("base_r50_s16_384", "base", (3, 4, 9), 1, 384),
        ("large_r50_s32_224", "large", (3, 4, 6, 3), 1, 224),
    ):
        width, depth, heads = _SIZES[size]
        tower = Tower(patch, width, depth, heads, side, stem=stem)
        found[f"vit_{name}"] = (tower, "imagenet" if side == 224 else f"imagenet@{side}", _HYBRID)
    return found


for _name, (_tower, _recipe, _source) in _towers().items():
    register(
        ModelInfo(
            name=_name,
            build=partial(build_tower, _tower),
            num_classes=_tower.classes,
            recipe=_recipe,
            source=_source,
        )
    )
