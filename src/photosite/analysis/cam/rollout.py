"""Attention rollout: how much of each place reaches the token that is read, if attention were all that moved anything.

What it leaves out, values, MLPs and norms, it leaves out silently in other tools; here it is named in the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from photosite.analysis.cam.tap import Score, Tap
from photosite.errors import ShapeError
from photosite.graph.execute import thaw, thaw_map
from photosite.graph.ir import Node

KIND = "scaled_dot_product_attention"


def attentions(tap: Tap) -> list[Node]:
    """The operations that let all tokens of a picture look at one another, all of one number of tokens, in order.

    Raises:
        ShapeError: there are none, or they look at windows or at different numbers of tokens.
    """
    found = [node for node in tap.graph if node.kind == KIND]
    if not found:
        raise ShapeError("it has no attention that rollout could follow")
    sizes = {node.shape[:-3] + node.shape[-2:-1] for node in found}
    if len(sizes) > 1 or found[0].shape[0] != tap.batch:
        raise ShapeError(
            "its attention looks at windows or at several numbers of tokens: rollout is not defined for it"
        )
    return found


def rollout(
    tap: Tap, x: Tensor, score: Score | None, *, keep: float = 0.5, state: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Follow attention from the first block to the last.

    Args:
        tap: of a transformer.
        x: a batch as it takes them.
        score: weigh each attention by its gradient of this, where positive (gradient form); None for the plain form.
        keep: how much of each token stays where it is in each block, the residual connection's share.
        state: other tensors in place of the model's own.
    Returns:
        (B, N, N): how much of each token (second) reaches each (first), rows sum to 1; and the scores (B, K).
    Raises:
        ShapeError: its attention is of windows.
    Source: Abnar and Zuidema 2020; the gradient form as in Chefer, Gur and Wolf 2021, averaged over heads.
    """
    nodes = attentions(tap)
    weights: dict[str, Tensor] = {}

    def explicit(node: Node, values: Mapping[str, Any]) -> Any:
        if node.kind != KIND:
            return NotImplemented
        args, kwargs = thaw(node.args, values), thaw_map(node.kwargs, values)
        mixed, shares = _explicit(args, kwargs)
        if score is not None and not shares.requires_grad:
            shares = shares.detach().requires_grad_()
            mixed = shares @ args[2]
        weights[node.name] = shares
        return mixed

    chosen: Tensor | None = None

    def followed(given: Tensor) -> Tensor:
        nonlocal chosen
        chosen = given.sum(1) * 0 if score is None else score(given)
        return chosen

    run = tap(x, [], followed, state=state, gradients=score is not None, override=explicit)
    shares = [weights[node.name] for node in nodes]
    if score is not None:
        assert chosen is not None
        slopes = torch.autograd.grad(chosen.sum(), shares)
        shares = [(share * slope).clamp_min(0) for share, slope in zip(shares, slopes, strict=True)]
    return _multiplied([share.detach().float().mean(1) for share in shares], keep), run.scores


def _explicit(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Attention with its weights, (B, heads, N, D) and (B, heads, N, N)."""
    query, key, value = args[:3]
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    causal = args[5] if len(args) > 5 else kwargs.get("is_causal", False)
    scale = kwargs.get("scale") or 1 / math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        raise ShapeError("its attention looks back only: rollout over places is not defined for it")
    shares = torch.softmax(scores, -1)
    return shares @ value, shares


def _multiplied(shares: Sequence[Tensor], keep: float) -> Tensor:
    """The product of all blocks' shares, each with what stays."""
    count = shares[0].shape[-1]
    stays = torch.eye(count, device=shares[0].device)
    total = stays.expand(len(shares[0]), -1, -1)
    for share in shares:
        moved = keep * stays + (1 - keep) * share
        total = moved / moved.sum(-1, keepdim=True).clamp_min(1e-12) @ total
    return total
