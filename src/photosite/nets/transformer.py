"""What vision transformers are built from: patches, attention, blocks, and pooling by a question."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """x times the sigmoid of 1.702 x, as in OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Place by place."""
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "quick_gelu": QuickGELU,
    "swiglu": nn.SiLU,
}
"""Activations of the MLP by name; with "swiglu" half of the hidden numbers gate the others."""


class PatchEmbedding(nn.Module):
    """Patches side by side, each through one linear layer: a convolution whose stride is its kernel."""

    def __init__(self, patch: int, width: int, *, in_chans: int = 3, bias: bool = True) -> None:
        """Build the layer for square patches of `patch` pixels."""
        super().__init__()
        self.proj = nn.Conv2d(in_chans, width, patch, stride=patch, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, H, W) to (B, width, rows, columns); what is left over at the ends is unseen."""
        patches: Tensor = self.proj(x)
        return patches


class HybridEmbedding(nn.Module):
    """The maps of a convolutional network in place of the picture, each place or patch of places a token.

    Source: Dosovitskiy et al. 2020, section 3.1, Hybrid Architecture.
    """

    def __init__(self, backbone: nn.Module, channels: int, patch: int, width: int) -> None:
        """Put one linear layer behind a network that gives so many channels."""
        super().__init__()
        self.backbone = backbone
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, rows, columns)."""
        patches: Tensor = self.proj(self.backbone(x))
        return patches


class Attention(nn.Module):
    """Each token asks all tokens: softmax(q k / sqrt(d)) v in several heads.

    Source: Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        """Build the four linear layers, those of query, key and value as one."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        found = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(found.transpose(1, 2).reshape(batch, tokens, width))
        return out


class MLP(nn.Module):
    """Two linear layers on each token by itself; with a gate, the first one's second half opens its first."""

    def __init__(self, width: int, hidden: int, activation: str) -> None:
        """Build the layers; `hidden` numbers come out of the activation."""
        super().__init__()
        self.gated = activation == "swiglu"
        self.fc1 = nn.Linear(width, 2 * hidden if self.gated else hidden)
        self.act = ACTIVATIONS[activation]()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        x = self.fc1(x)
        if self.gated:
            gate, value = x.chunk(2, -1)
            x = self.act(gate) * value
        else:
            x = self.act(x)
        out: Tensor = self.fc2(x)
        return out


class LayerScale(nn.Module):
    """Each channel times a learned number.

    Source: Touvron et al. 2021, Going deeper with Image Transformers.
    """

    def __init__(self, width: int, start: float) -> None:
        """Start all at one number."""
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), start))

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels."""
        return x * self.gamma


class Block(nn.Module):
    """A norm and attention, a norm and an MLP, each added to what came in.

    Matches: timm's `vision_transformer.Block`, same parameter names.
    Source: Dosovitskiy et al. 2020, figure 1.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, *, activation: str, eps: float, layer_scale: float | None
    ) -> None:
        """Build the block; without `layer_scale` nothing is scaled."""
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads)
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(width, layer_scale)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, hidden, activation)
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(width, layer_scale)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]


class AttentionPool(nn.Module):
    """One learned question to all tokens, and an MLP on the answer, as SigLIP pools.

    Matches: timm's `AttentionPoolLatent`, same parameter names.
    Source: Lee et al. 2019, Set Transformer; Zhai et al. 2022, Scaling Vision Transformers.
    """

    def __init__(self, width: int, heads: int, hidden: int, *, activation: str, eps: float) -> None:
        """Build the question and its layers."""
        super().__init__()
        self.heads = heads
        self.latent = nn.Parameter(torch.zeros(1, 1, width))
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, hidden, activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, D)."""
        batch, tokens, width = x.shape
        q = self.q(self.latent.expand(batch, -1, -1)).reshape(batch, 1, self.heads, -1).transpose(1, 2)
        k, v = self.kv(x).reshape(batch, tokens, 2, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        answer = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, 1, width))
        out: Tensor = (answer + self.mlp(self.norm(answer)))[:, 0]
        return out
