"""Projectors that take each token by itself: its patches side by side or their mean, through one or two linear layers.

They get a token's patches together, (N, patches, D), in the order of `FrontEnd.patches`, and give (N, W).
"""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["layer", "rms"]
EPS = 1e-6


class RMSNorm(nn.Module):
    """Numbers over their root mean square, in single precision, then a learned scale.

    Args:
        width: numbers in a token.
        eps: added to the mean square.
        from_one: whether the scale is learned as its distance from 1, as Gemma has it.
    Matches: transformers' `Qwen2RMSNorm`, and `Gemma3RMSNorm` with `from_one`.
    """

    def __init__(self, width: int, eps: float = EPS, *, from_one: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width) if from_one else torch.ones(width))
        self.eps, self.from_one = eps, from_one

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last axis; any shape."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        if self.from_one:  # multiplied before going back to the type of x, where others do it after
            return (wide * (1 + self.weight.float())).to(x.dtype)
        return self.weight * wide.to(x.dtype)


class LinearProjector(nn.Module):
    """One linear layer on a token's patches side by side.

    Args:
        width: numbers in a patch.
        out: numbers in a token of the language model.
        patches: of a token.
        bias: whether it has one.
    Matches: the projectors of PaliGemma (with a bias), Idefics3, SmolVLM and nanoVLM (without).
    """

    def __init__(self, width: int, out: int, patches: int = 1, *, bias: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(width * patches, out, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to (N, out)."""
        return cast(Tensor, self.linear(x.flatten(1)))


class MLPProjector(nn.Module):
    """Two linear layers with a GELU between, on a token's patches side by side, normed before.

    Args:
        width: numbers in a patch, of all chosen layers.
        out: numbers in a token of the language model.
        patches: of a token.
        inner: numbers between the layers; `out` if not given.
        norm: over each patch, or over all of a token's with `norm_joined`; None for none.
        norm_joined: whether the norm comes after the patches are joined.
        bias: whether the linear layers have one.
    Matches: the projectors of LLaVA, LLaVA-NeXT and Pixtral (no norm), InternVL (a layer norm over the joined patches),
        Qwen2-VL and Qwen3-VL (over each patch), Qwen2.5-VL (RMS).
    """

    def __init__(
        self,
        width: int,
        out: int,
        patches: int = 1,
        *,
        inner: int | None = None,
        norm: Norm | None = None,
        norm_joined: bool = False,
        bias: bool = True,
        eps: float = EPS,
    ) -> None:
        super().__init__()
        normed = width * patches if norm_joined else width
        self.norm: nn.Module = nn.Identity()
        if norm is not None:
            self.norm = nn.LayerNorm(normed, eps=eps) if norm == "layer" else RMSNorm(normed, eps)
        self.norm_joined = norm_joined
        self.inner = nn.Linear(width * patches, inner or out, bias=bias)
        self.outer = nn.Linear(inner or out, out, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to (N, out)."""
        joined = self.norm(x.flatten(1)) if self.norm_joined else self.norm(x).flatten(1)
        return cast(Tensor, self.outer(F.gelu(self.inner(joined))))


class MeanProjector(nn.Module):
    """The mean of a token's patches, an RMS norm, one linear layer.

    Args:
        width: numbers in a patch.
        out: numbers in a token of the language model.
        eps: of the norm.
    Matches: Gemma 3's projector.
    """

    def __init__(self, width: int, out: int, *, eps: float = EPS) -> None:
        super().__init__()
        self.norm = RMSNorm(width, eps, from_one=True)
        self.linear = nn.Linear(width, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, width) to (N, out)."""
        return cast(Tensor, self.linear(self.norm(x.mean(1))))
