"""Attention rollout by hand: fused and written out, with registers, read by a token, by several or by an attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.cam import Tap, explain, of_classes
from photosite.analysis.cam.rollout import rollout
from photosite.errors import ShapeError
from photosite.nets import create_model
from tests.peers import import_peer, import_torchvision


def halves(shares: Tensor) -> Tensor:
    """Half of each token stays, half is what attention moves."""
    return 0.5 * torch.eye(shares.shape[-1]) + 0.5 * shares


def test_rollout_by_hand() -> None:
    torch.manual_seed(0)
    model = create_model("vit_tiny_patch16_224", img_size=32, num_classes=4, depth=1).eval()
    for parameter in model.head.parameters():  # type: ignore[union-attr]
        nn.init.normal_(parameter, 0, 0.02)  # else the score reads nothing
    x = torch.randn(1, 3, 32, 32)
    block = model.blocks[0]  # type: ignore[index,union-attr]
    with torch.no_grad():
        tokens = block.norm1(model.embed(x)[0])  # type: ignore[operator]
        q, k, _ = block.attn.qkv(tokens).reshape(1, 5, 3, 3, 64).permute(2, 0, 3, 1, 4)
        shares = (q @ k.transpose(-2, -1) / 8).softmax(-1).mean(1)[0]
    one = explain(model, x, "rollout", 1)[0]
    np.testing.assert_allclose(one.values, halves(shares)[0, 1:].reshape(2, 2).numpy(), atol=1e-6)
    assert one.notes[-1] == "read by the first token"


class Tokens(nn.Module):
    """Two blocks of attention over 3 registers and 2 x 3 places, and a head that is passed in."""

    def __init__(self, head: nn.Module, fused: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.front = nn.Parameter(torch.randn(1, 3, 8))
        self.blocks = nn.ModuleList(nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))
        self.head, self.fused = head, fused
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.front.expand(len(x), -1, -1), self.patches(x).flatten(2).transpose(1, 2)], 1)
        for block in self.blocks:
            tokens = tokens + block(tokens, tokens, tokens, need_weights=not self.fused)[0]
        scores: Tensor = self.last(self.head(tokens))
        return scores

    def shares(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the blocks' attention moves, and the tokens at the end, with torch's own weights."""
        tokens = torch.cat([self.front.expand(len(x), -1, -1), self.patches(x).flatten(2).transpose(1, 2)], 1)
        total = torch.eye(9)
        for block in self.blocks:
            moved, weights = block(tokens, tokens, tokens)
            total, tokens = halves(weights[0]) @ total, tokens + moved
        return total, tokens


class Read(nn.Module):
    """Takes the mean of some tokens."""

    def __init__(self, chosen: list[int]) -> None:
        super().__init__()
        self.chosen = chosen

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, self.chosen].mean(1)


class Asked(nn.Module):
    """Asks all tokens one question."""

    def __init__(self) -> None:
        super().__init__()
        self.question = nn.Parameter(torch.randn(1, 1, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.attention(self.question.expand(len(tokens), -1, -1), tokens, tokens)[0][:, 0]
        return found


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([0], "read by the first token"),
        ([3, 4, 5, 6, 7, 8], "read by 0 of 3 tokens in front and all 6 places, each alike"),
        ([0, 3, 4], "read by 1 of 3 tokens in front and 2 of 6 places, each alike"),
    ],
)
@torch.no_grad()
def test_registers_stand_beside_the_places_and_the_score_says_what_is_read(
    fused: bool, chosen: list[int], words: str
) -> None:
    torch.manual_seed(0)
    model, x = Tokens(Read(chosen), fused).eval(), torch.randn(1, 3, 8, 12)
    total, _ = model.shares(x)
    one = explain(model, x, "rollout", 1)[0]
    wanted = total[chosen].mean(0)[3:].reshape(2, 3)
    np.testing.assert_allclose(one.values, wanted.numpy(), atol=1e-6)
    assert one.notes[-1] == words
    assert (one.prefix, one.grid) == (3, (2, 3))


@torch.no_grad()
def test_an_attention_that_asks_says_itself_what_it_reads() -> None:
    torch.manual_seed(0)
    model, x = Tokens(Asked()).eval(), torch.randn(2, 3, 8, 12)
    found = explain(model, x, "rollout", 1)
    for number in range(2):
        total, tokens = model.shares(x[number : number + 1])
        head: Asked = model.head  # type: ignore[assignment]
        _, weights = head.attention(head.question, tokens, tokens)
        wanted = (weights[0, 0] @ total)[3:].reshape(2, 3)
        np.testing.assert_allclose(found[number].values, wanted.numpy(), atol=1e-6)
        assert found[number].notes[-1] == "read by the attention of head.attention"


def test_the_gradient_form_by_autograd() -> None:
    torch.manual_seed(0)
    model, x = Tokens(Read([0])).eval(), torch.randn(1, 3, 8, 12)
    tokens = torch.cat([model.front, model.patches(x).flatten(2).transpose(1, 2)], 1)
    held = []
    for block in model.blocks:
        q, k, v = (tokens @ block.in_proj_weight.T + block.in_proj_bias).reshape(1, 9, 3, 2, 4).permute(2, 0, 3, 1, 4)
        shares = (q @ k.transpose(-2, -1) / 2).softmax(-1)
        held.append(shares)
        tokens = tokens + block.out_proj((shares @ v).transpose(1, 2).reshape(1, 9, 8))
    slopes = torch.autograd.grad(model.last(tokens[:, 0])[0, 2], held)
    total = torch.eye(9)
    for shares, slope in zip(held, slopes, strict=True):
        moved = halves((shares * slope).clamp_min(0).mean(1)[0])
        total = moved / moved.sum(-1, keepdim=True) @ total
    one = explain(model, x, "gradientrollout", 2)[0]
    np.testing.assert_allclose(one.values, total[0, 3:].reshape(2, 3).detach().numpy(), atol=1e-6)


def test_rows_are_shares() -> None:
    model, x = Tokens(Read([0])).eval(), torch.randn(2, 3, 8, 12)
    for weighed in (False, True):
        found = rollout(Tap(model, x), x, of_classes([1, 2], 4), weighed=weighed)
        torch.testing.assert_close(found.shares.sum(2), torch.ones(2, 9))
        torch.testing.assert_close(found.read.sum(1), torch.ones(2))


def test_registers_of_a_published_tower_are_not_taken_for_places() -> None:
    """Its classifier reads the class token and the mean of the places, which it cuts out of the sequence."""
    import_torchvision()  # transformers looks for it, and its operators
    transformers = import_peer("transformers")
    torch.manual_seed(0)
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        num_register_tokens=4,
        num_labels=5,
    )
    model = transformers.Dinov2WithRegistersForImageClassification(config).eval()
    model.set_attn_implementation("eager")  # whose weights it returns
    x = torch.randn(1, 3, 28, 28)
    with torch.no_grad():
        layers = model(x, output_attentions=True).attentions
    total = torch.eye(9)
    for shares in layers:
        total = halves(shares[0].mean(0)) @ total
    one = explain(model, x, "rollout", 1)[0]
    assert one.prefix == 5
    assert one.notes[-1] == "read by 1 of 5 tokens in front and all 4 places, each alike"
    np.testing.assert_allclose(one.values, total[[0, 5, 6, 7, 8]].mean(0)[5:].reshape(2, 2).numpy(), atol=1e-6)


def test_where_it_is_not_defined() -> None:
    models = import_torchvision().models
    swin = models.SwinTransformer([4, 4], 24, [1, 1], [2, 2], [4, 4], num_classes=10).eval()
    with pytest.raises(ShapeError, match="windows, at channels or at several numbers of tokens"):
        explain(swin, torch.randn(1, 3, 64, 64), "rollout")
    with pytest.raises(ShapeError, match="no attention that rollout could follow"):
        explain(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3)), torch.randn(1, 3, 8, 8), "rollout")
