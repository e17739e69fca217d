"""Vision transformers against timm's, key by key, at other sizes too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from photosite.errors import ShapeError
from photosite.nets import create_model, list_models
from photosite.nets.checkpoints.weights import save_weights
from tests.peers import import_peer, import_torchvision

PEERS = list_models("vit_*")
QUICK = {
    "vit_tiny_patch16_224": 64,
    "vit_base_patch32_clip_quickgelu_224": 96,
    "vit_base_patch16_siglip_224": 64,
    "vit_small_patch14_dinov2": 56,
    "vit_small_patch14_reg4_dinov2": 56,
    "vit_tiny_r_s16_p8_224": 64,
    "vit_small_r26_s32_224": 96,
}
"""A small size for each kind, other than the one that it was trained on."""
SLOW = {"vit_so400m_patch14_siglip_384": 112, "vit_large_patch14_clip_336": 112, "vit_giant_patch14_reg4_dinov2": 56}


def timm() -> Any:
    import_torchvision()  # without its operators, timm does not import
    return import_peer("timm")


def peer_of(name: str, **options: Any) -> nn.Module:
    peer: nn.Module = timm().create_model(name, num_classes=create_on_meta(name).num_classes, **options)
    return peer


def create_on_meta(name: str, **options: Any) -> Any:
    with torch.device("meta"):
        return create_model(name, **options)


@pytest.mark.parametrize("name", PEERS)
def test_keys_and_shapes_are_timms(name: str) -> None:
    ours = create_on_meta(name)
    if ours.tower.stem is None:
        with torch.device("meta"):
            peer = peer_of(name)
    else:  # timm finds the size of the map by running it
        ours, peer = create_on_meta(name, depth=2), peer_of(name, depth=2)
    wanted = {key: value.shape for key, value in peer.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == wanted
    assert ours.num_prefix_tokens == peer.num_prefix_tokens
    assert ours.grid == tuple(peer.patch_embed.grid_size)


@pytest.mark.parametrize(
    ("name", "side"), [*QUICK.items(), *(pytest.param(*item, marks=pytest.mark.slow) for item in SLOW.items())]
)
def test_tokens_and_logits_are_timms_at_other_sizes_too(name: str, side: int) -> None:
    torch.manual_seed(0)
    depth = {} if name in SLOW else {"depth": 4}
    ours = create_model(name, **depth)
    with torch.no_grad():
        for parameter in ours.parameters():  # every scale and every shift counts
            parameter.add_(torch.randn_like(parameter) * 0.02)
    patch = ours.tower.patch if ours.tower.stem is None else 32
    peer = timm().create_model(name, num_classes=ours.num_classes, dynamic_img_size=True, **depth).eval()
    peer.load_state_dict(ours.state_dict())
    deep = 1e-4 if len(ours.blocks) > 24 else 1e-5
    for height, width in ((side, side), (side, side + 2 * patch), (side + patch // 2, side)):
        x = torch.randn(1, 3, height, width)
        with torch.inference_mode():
            if height % patch and ours.tower.stem is None:
                tokens = ours.forward_features(x)
                assert_close(tokens, ours.forward_features(x[..., : height // patch * patch, :]))
                continue
            wanted = peer.forward_features(x)
            assert_close(ours.forward_features(x), wanted, rtol=deep, atol=deep * float(wanted.abs().max()))
            logits = peer(x)
            assert_close(ours(x), logits, rtol=deep, atol=deep * float(logits.abs().max()))


def test_positions_of_the_trained_grid_are_as_they_are() -> None:
    model = create_model("vit_tiny_patch16_224")
    assert model.positions(14, 14) is model.pos_embed
    other = model.positions(7, 20)
    assert other.shape == (1, 1 + 140, 192)
    assert_close(other[:, :1], model.pos_embed[:, :1])


def test_what_is_no_picture_is_refused() -> None:
    model = create_model("vit_tiny_patch16_224", num_classes=0)
    assert model(torch.zeros(2, 3, 32, 48)).shape == (2, 192)
    with pytest.raises(ShapeError, match="channels first"):
        model(torch.zeros(1, 32, 48, 3))
    with pytest.raises(ShapeError, match="at least 16 px"):
        model(torch.zeros(1, 3, 15, 48))


def test_attention_pooling_is_one_answer() -> None:
    model = create_model("vit_base_patch16_siglip_224")
    tokens = model.forward_features(torch.zeros(1, 3, 32, 32))
    assert tokens.shape == (1, 4, 768)
    assert model.forward_head(tokens).shape == (1, 768)
    assert math.prod(model.grid) == 196


@pytest.mark.parametrize("classes", [1000, 10])
def test_torchvisions_checkpoints_load_by_their_own_names(classes: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    peer = import_torchvision().models.VisionTransformer(224, 16, 12, 3, 192, 768, num_classes=classes).eval()
    nn.init.normal_(peer.heads.head.weight, std=0.02)
    save_weights(tmp_path / "vit.safetensors", peer.state_dict())
    ours = create_model("vit_tiny_patch16_224", tmp_path / "vit.safetensors", num_classes=classes)
    x = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        assert_close(ours(x), peer(x), rtol=1e-5, atol=1e-5)
