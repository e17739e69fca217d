"""Projectors that ask: learned questions, as many as tokens are wanted, look at all places of a picture.

They get all places of each picture, (B, N, D), and give (B, questions, W); what a token stands for is learned, so that
it has no place of its own.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.errors import RangeError
from photosite.tokens.projectors.joined import RMSNorm


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, heads x D) to (B, heads, N, D)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _together(x: Tensor) -> Tensor:
    """(B, heads, N, D) to (B, N, heads x D)."""
    return x.transpose(1, 2).flatten(2)


class PerceiverAttention(nn.Module):
    """Questions look at places and at one another.

    Args:
        width: numbers in a token, of questions and places.
        heads: of the questions.
        head_width: numbers in a head.
        value_heads: of keys and values, each shared by several heads of the questions; `heads` if not given.
        norm_heads: whether questions and keys are normed in each head.
    """

    def __init__(
        self, width: int, heads: int, head_width: int, value_heads: int | None = None, *, norm_heads: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.value_heads = heads, value_heads or heads
        if self.heads % self.value_heads:
            raise RangeError(f"perceiver: {heads} heads cannot share {value_heads} of keys")
        self.question = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(width, self.value_heads * head_width, bias=False)
        self.value = nn.Linear(width, self.value_heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width, bias=False)
        self.norm_question: nn.Module = nn.LayerNorm(head_width) if norm_heads else nn.Identity()
        self.norm_key: nn.Module = nn.LayerNorm(head_width) if norm_heads else nn.Identity()

    def forward(self, questions: Tensor, places: Tensor) -> Tensor:
        """(B, questions, width) and (B, N, width), both normed, to (B, questions, width)."""
        seen = torch.cat([places, questions], 1)
        asked = self.norm_question(_heads(self.question(questions), self.heads))
        keys = self.norm_key(_heads(self.key(seen), self.value_heads))
        values = _heads(self.value(seen), self.value_heads)
        shared = self.heads // self.value_heads
        if shared > 1:
            keys, values = keys.repeat_interleave(shared, 1), values.repeat_interleave(shared, 1)
        found = F.scaled_dot_product_attention(asked, keys, values)
        return cast(Tensor, self.out(_together(found)))


class _Thinking(nn.Module):
    """A norm, a linear layer, ReLU, a linear layer."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, inner, bias=False)
        self.outer = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.outer(F.relu(self.inner(self.norm(x)))))


class _Gated(nn.Module):
    """Two linear layers, one gating the other by SiLU, and a third."""

    def __init__(self, width: int, inner: int, out: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.down(F.silu(self.gate(x)) * self.up(x)))


class PerceiverBlock(nn.Module):
    """One round of asking and thinking.

    Args:
        width: numbers in a token.
        attention: what asks.
        thinking: what comes after it, with its norm.
        rms: whether norms are RMS norms.
    """

    def __init__(self, width: int, attention: PerceiverAttention, thinking: nn.Module, *, rms: bool = False) -> None:
        super().__init__()
        self.norm_places: nn.Module = RMSNorm(width) if rms else nn.LayerNorm(width)
        self.norm_questions: nn.Module = RMSNorm(width) if rms else nn.LayerNorm(width)
        self.attention = attention
        self.thinking = thinking

    def forward(self, questions: Tensor, places: Tensor) -> Tensor:
        """(B, questions, width) and (B, N, width) to (B, questions, width)."""
        questions = questions + self.attention(self.norm_questions(questions), self.norm_places(places))
        return cast(Tensor, questions + self.thinking(questions))


class PerceiverResampler(nn.Module):
    """Learned questions, refined by some rounds of looking at all places.

    Args:
        width: numbers in a place, and in a token that comes out.
        questions: how many tokens come out.
        depth: rounds.
        heads: of the attention.
        head_width: numbers in a head.
        norm_heads: whether questions and keys are normed in each head.
        inner: numbers inside the thinking; four times the width if not given.
    Matches: transformers' `IdeficsPerceiverResampler`, which is Flamingo's without time.
    Source: Alayrac et al. 2022, "Flamingo: a visual language model for few-shot learning".
    """

    whole = True
    """It gets all places of a picture at once."""

    def __init__(
        self,
        width: int,
        questions: int,
        depth: int,
        heads: int,
        head_width: int,
        *,
        norm_heads: bool = False,
        inner: int | None = None,
    ) -> None:
        super().__init__()
        self.questions = nn.Parameter(torch.randn(questions, width))
        self.blocks = nn.ModuleList(
            PerceiverBlock(
                width,
                PerceiverAttention(width, heads, head_width, norm_heads=norm_heads),
                _Thinking(width, inner or 4 * width),
            )
            for _ in range(depth)
        )
        self.norm: nn.Module = nn.LayerNorm(width)

    def forward(self, places: Tensor) -> Tensor:
        """(B, N, width) to (B, questions, width)."""
        questions = self.questions.expand(len(places), -1, -1)
        for block in self.blocks:
            questions = block(questions, places)
        return cast(Tensor, self.norm(questions))


class GatedResampler(nn.Module):
    """A gated projection of each place, then learned questions with shared keys and RMS norms.

    Args:
        width: numbers in a place.
        out: numbers in a token that comes out.
        questions: how many tokens come out.
        depth: rounds.
        heads: of the questions.
        value_heads: of keys and values.
        head_width: numbers in a head.
        inner: numbers inside the projection; four times `out` if not given.
    Matches: transformers' `Idefics2Connector`.
    """

    whole = True

    def __init__(
        self,
        width: int,
        out: int,
        questions: int,
        depth: int,
        heads: int,
        value_heads: int,
        head_width: int,
        *,
        inner: int | None = None,
    ) -> None:
        super().__init__()
        self.projection = _Gated(width, inner or 4 * out, out)
        self.questions = nn.Parameter(torch.ones(questions, out))
        self.blocks = nn.ModuleList(
            PerceiverBlock(
                out,
                PerceiverAttention(out, heads, head_width, value_heads),
                nn.Sequential(RMSNorm(out), _Gated(out, 4 * out, out)),
                rms=True,
            )
            for _ in range(depth)
        )
        self.norm = RMSNorm(out)

    def forward(self, places: Tensor) -> Tensor:
        """(B, N, width) to (B, questions, out)."""
        seen = self.projection(places)
        questions = self.questions.expand(len(places), -1, -1)
        for block in self.blocks:
            questions = block(questions, seen)
        return cast(Tensor, self.norm(questions))


class _Asking(nn.Module):
    """Attention with a linear layer behind it, added to what came in, and normed."""

    def __init__(self, width: int, heads: int, seen: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.question, self.key, self.value = nn.Linear(width, width), nn.Linear(seen, width), nn.Linear(seen, width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        asked, keys, values = (
            _heads(layer(of), self.heads) for layer, of in ((self.question, x), (self.key, seen), (self.value, seen))
        )
        found = F.scaled_dot_product_attention(asked, keys, values)
        return cast(Tensor, self.norm(x + self.out(_together(found))))


class QFormerBlock(nn.Module):
    """Questions look at one another, in some blocks at the places too, and think.

    Args:
        width: numbers in a question.
        heads: of the attention.
        inner: numbers inside the thinking.
        seen: numbers in a place; None where the block does not look at them.
        eps: of the norms.
    """

    def __init__(self, width: int, heads: int, inner: int, seen: int | None, eps: float) -> None:
        super().__init__()
        self.among = _Asking(width, heads, width, eps)
        self.across = None if seen is None else _Asking(width, heads, seen, eps)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, questions: Tensor, places: Tensor) -> Tensor:
        """(B, questions, width) and (B, N, seen) to (B, questions, width)."""
        questions = self.among(questions, questions)
        if self.across is not None:
            questions = self.across(questions, places)
        return cast(Tensor, self.norm(questions + self.outer(F.gelu(self.inner(questions)))))


class QFormer(nn.Module):
    """Learned questions in a small transformer that looks at all places in every other block, then a linear layer.

    Args:
        seen: numbers in a place.
        out: numbers in a token of the language model; None for no last layer.
        questions: how many tokens come out.
        width: numbers in a question.
        depth: blocks.
        heads: of the attention.
        inner: numbers inside the thinking; four times the width if not given.
        every: of so many blocks the first looks at the places.
        eps: of the norms.
    Matches: transformers' `Blip2QFormerModel` on its query tokens, and its `language_projection`.
    Source: Li et al. 2023, "BLIP-2".
    """

    whole = True

    def __init__(
        self,
        seen: int,
        out: int | None,
        questions: int = 32,
        *,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        inner: int | None = None,
        every: int = 2,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()
        self.questions = nn.Parameter(torch.zeros(questions, width))
        self.norm = nn.LayerNorm(width, eps=eps)
        self.blocks = nn.ModuleList(
            QFormerBlock(width, heads, inner or 4 * width, None if number % every else seen, eps)
            for number in range(depth)
        )
        self.out: nn.Module = nn.Identity() if out is None else nn.Linear(width, out)

    def forward(self, places: Tensor) -> Tensor:
        """(B, N, seen) to (B, questions, out)."""
        questions = self.norm(self.questions).expand(len(places), -1, -1)
        for block in self.blocks:
            questions = block(questions, places)
        return cast(Tensor, self.out(questions))
