"""Attention rollout: how much of each place reaches what is read, if attention were all that moved anything.

What it leaves out, values, MLPs and norms, it leaves out silently in other tools; here it is named in the result. Which
tokens the score reads is not taken for granted either: an attention that asks all tokens a question says it itself, and
else the score's gradient does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from photosite.analysis.cam.tap import Score, Tap
from photosite.analysis.features import Place
from photosite.errors import ShapeError
from photosite.graph.execute import run, thaw, thaw_map
from photosite.graph.ir import Node, Ref

FUSED = "scaled_dot_product_attention"
WRITTEN_OUT = ("softmax", "_softmax", "special_softmax")
ELSEWHERE = "its attention looks at windows, at channels or at several numbers of tokens: rollout is not defined for it"


@dataclass(frozen=True)
class Attentions:
    """Where a transformer's tokens look at one another.

    Attributes:
        blocks: the operations, in order; each gives every token a share of every token.
        head: the last one, which asks all tokens a question; None where there is none.
        place: where the places lie among the tokens, by the last value that holds them all.
    """

    blocks: tuple[Node, ...]
    head: Node | None
    place: Place


@dataclass(frozen=True, eq=False)
class Rolled:
    """What attention moved.

    Attributes:
        shares: (B, N, N), how much of each token (second) reaches each (first); rows sum to 1.
        read: (B, N), how much of each token is read; rows sum to 1.
        read_by: what reads them, in words.
        place: where the places lie among the tokens.
        scores: (B, K).
    """

    shares: Tensor
    read: Tensor
    read_by: str
    place: Place
    scores: Tensor

    @property
    def maps(self) -> Tensor:
        """(B, rows, columns): how much of each place is read; what comes from the tokens beside them is left out."""
        rows, columns = self.place.grid
        whole = torch.einsum("bn,bnm->bm", self.read, self.shares)
        return whole[:, self.place.prefix : self.place.prefix + rows * columns].reshape(-1, rows, columns)


def attentions(tap: Tap) -> Attentions:
    """Find the attention of all tokens of a picture to one another, as one operation or written out.

    Args:
        tap: of a transformer.
    Raises:
        ShapeError: there is none, or it looks at windows, at channels, or at different numbers of tokens.
    """
    found = [(node, *sides) for node in tap.path if (sides := _sides(tap, node)) is not None]
    if not found:
        raise ShapeError("it has no attention that rollout could follow")
    head = found.pop()[0] if len(found) > 1 and found[-1][1] != found[-1][2] == found[-2][2] else None
    counts = {count for _, *sides in found for count in sides}
    whole = all(len(node.shape) == 3 or node.shape[0] == tap.batch for node, *_ in found)
    if len(counts) > 1 or not whole:
        raise ShapeError(ELSEWHERE)
    sequence = (tap.batch, next(iter(counts)))
    places = (
        place
        for node in reversed(tap.path)
        if len(node.shapes) == 1 and len(node.shape) == 3 and node.shape[:2] == sequence
        if (place := tap.place(node.name)).layout == "tokens"
    )
    last = next(places, None)
    if last is None:
        raise ShapeError(ELSEWHERE)
    return Attentions(tuple(node for node, *_ in found), head, last)


def rollout(
    tap: Tap,
    x: Tensor,
    score: Score,
    *,
    weighed: bool,
    keep: float = 0.5,
    state: Mapping[str, Tensor] | None = None,
) -> Rolled:
    """Follow attention from the first block to the last, and to what the score reads.

    Args:
        tap: of a transformer.
        x: a batch as it takes them.
        score: what is asked.
        weighed: whether each attention is weighed by the score's gradient, where positive (gradient form).
        keep: how much of each token stays where it is in each block, the residual connection's share.
        state: other tensors in place of the model's own.
    Raises:
        ShapeError: its attention is not of all tokens to one another.
    Source: Abnar and Zuidema 2020; the gradient form as in Chefer, Gur and Wolf 2021, averaged over heads.
    """
    found = attentions(tap)
    nodes = [*found.blocks, *([] if found.head is None else [found.head])]
    names = {node.name for node in nodes}
    weights: dict[str, Tensor] = {}

    def explicit(node: Node, values: Mapping[str, Any]) -> Any:
        if node.name not in names:
            return NotImplemented
        if node.kind == FUSED:
            args, kwargs = thaw(node.args, values), thaw_map(node.kwargs, values)
            shares = _shares(args, kwargs)
        else:
            shares = run(node, values)
        if weighed and not shares.requires_grad:
            shares = shares.detach().requires_grad_()
        weights[node.name] = shares
        return shares @ args[2] if node.kind == FUSED else shares

    chosen: Tensor | None = None

    def followed(given: Tensor) -> Tensor:
        nonlocal chosen
        chosen = score(given)
        return chosen

    tapped = tap(x, [], followed, state=state, gradients=weighed, override=explicit)
    shares = [weights[node.name] for node in nodes]
    plain = None if found.head is None else _by_picture(shares[-1], tap.batch).mean(1)  # (B, N)
    if weighed:
        assert chosen is not None
        slopes = torch.autograd.grad(chosen.sum(), shares)
        shares = [(share * slope).clamp_min(0) for share, slope in zip(shares, slopes, strict=True)]
    total = _multiplied([_by_picture(share, tap.batch) for share in shares[: len(found.blocks)]], keep)
    if plain is not None:
        read = _by_picture(shares[-1], tap.batch).mean(1)
        sums = read.sum(1, keepdim=True)
        read = torch.where(sums > 0, read / sums.clamp_min(1e-12), plain)
        read_by = f"the attention of {found.head.module or found.head.name}"  # type: ignore[union-attr]
    else:
        read, read_by = _read(tap, x, score, found.place, total.shape[1])
    return Rolled(total, read, read_by, found.place, tapped.scores)


def _sides(tap: Tap, node: Node) -> tuple[int, int] | None:
    """How many tokens ask and how many are asked in an attention; None where the node is none."""
    if node.kind == FUSED:
        key = node.args[1]
        return node.shape[-2], (tap.graph.shape_of(key.name) if isinstance(key, Ref) else node.shape)[-2]
    if node.kind in WRITTEN_OUT and len(node.shape) in (3, 4) and node.args[1] in (-1, len(node.shape) - 1):
        return node.shape[-2], node.shape[-1]
    return None


def _by_picture(shares: Tensor, batch: int) -> Tensor:
    """(B, asking, asked), averaged over heads, of (B, heads, ...) or (B x heads, ...)."""
    shares = shares.detach().float()
    return shares.reshape(batch, -1, *shares.shape[-2:]).mean(1)


def _read(tap: Tap, x: Tensor, score: Score, place: Place, count: int) -> tuple[Tensor, str]:
    """Which tokens the score depends on, all alike: of most networks the class token, or all of them."""
    gradient = tap(x, [place.node], score).gradients[place.node]
    alive = torch.zeros(len(x), count) if gradient is None else (gradient != 0).any(2).float()
    places = slice(place.prefix, place.prefix + place.grid[0] * place.grid[1])
    front, rest = int(alive[:, : place.prefix].amax(0).sum()), int(alive[:, places].amax(0).sum())
    if not bool(alive.any(1).all()):
        alive = torch.zeros_like(alive)
        alive[:, : 1 if place.prefix else count] = 1
        return alive / alive.sum(1, keepdim=True), "no token (the score depends on none); the first is taken"
    total = places.stop - places.start
    of_places = f"all {total} places" if rest == total else f"{rest} of {total} places"
    words = f"{front} of {place.prefix} tokens in front and {of_places}, each alike"
    if front == 1 and not rest and bool(alive[:, 0].all()):
        words = "the first token"
    elif not place.prefix and rest == count:
        words = "all tokens alike"
    return alive / alive.sum(1, keepdim=True), words


def _shares(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    """Weights of an attention, (B, heads, asking, asked)."""
    query, key = args[:2]
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    causal = args[5] if len(args) > 5 else kwargs.get("is_causal", False)
    scale = kwargs.get("scale") or 1 / math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        raise ShapeError("its attention looks back only: rollout over places is not defined for it")
    return torch.softmax(scores, -1)


def _multiplied(shares: Sequence[Tensor], keep: float) -> Tensor:
    """The product of all blocks' shares, each with what stays."""
    count = shares[0].shape[-1]
    stays = torch.eye(count, device=shares[0].device)
    total = stays.expand(len(shares[0]), -1, -1)
    for share in shares:
        moved = keep * stays + (1 - keep) * share
        total = moved / moved.sum(-1, keepdim=True).clamp_min(1e-12) @ total
    return total
