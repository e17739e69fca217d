"""Grad-CAM of towers, hybrids and wrapped models: the layer that is found, and its weights by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.cam import Explainer, explain, of_classes
from photosite.analysis.cam.audit import audit
from photosite.analysis.features import laid_out
from tests.analysis.cam.test_explain import by_differences
from tests.peers import import_peer, import_torchvision


def nowhere_0(model: nn.Module) -> nn.Module:
    """Weights that begin as 0 are drawn by chance: else the score depends on nothing."""
    for parameter in model.parameters():
        if not bool((parameter != 0).any()):
            nn.init.normal_(parameter, 0, 0.02)
    return model.eval()


class ZeroShot(nn.Module):
    """CLIP as a classifier: how near the picture's embedding is to that of each text."""

    def __init__(self, tower: nn.Module, texts: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("texts", texts)

    def forward(self, x: Tensor) -> Tensor:
        embedding = self.tower(x).image_embeds
        scores: Tensor = embedding / embedding.norm(dim=-1, keepdim=True) @ self.texts.T  # type: ignore[operator]
        return scores


class AsTuple(nn.Module):
    """Gives its tokens first, and then what counts."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.tower(x)
        return found.last_hidden_state, found.pooler_output


def small(transformers: Any, **more: Any) -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return transformers.CLIPVisionConfig(**sizes, image_size=32, patch_size=8, projection_dim=16, **more)


def clip_zero_shot() -> nn.Module:
    transformers = import_peer("transformers")
    texts = nn.functional.normalize(torch.randn(6, 16), dim=1)
    return ZeroShot(transformers.CLIPVisionModelWithProjection(small(transformers)), texts)


def clip_as_tuple() -> nn.Module:
    transformers = import_peer("transformers")
    return AsTuple(transformers.CLIPVisionModel(small(transformers)))


def siglip() -> nn.Module:
    transformers = import_peer("transformers")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model: nn.Module = transformers.SiglipVisionModel(
        transformers.SiglipVisionConfig(**sizes, image_size=32, patch_size=8)
    )
    return model


def open_clip_tower() -> nn.Module:
    module = import_peer("open_clip")
    vision = module.model.CLIPVisionCfg(layers=2, width=64, patch_size=8, image_size=32)
    tower: nn.Module = module.model.CLIP(16, vision, module.model.CLIPTextCfg(layers=1, width=16, heads=2)).visual
    return tower


def dinov2_with_registers() -> nn.Module:
    timm = import_peer("timm")
    sizes = {"img_size": 56, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 6}
    model: nn.Module = timm.create_model("vit_small_patch14_reg4_dinov2", **sizes)
    return model


def hybrid() -> nn.Module:
    """A convolutional stem and a transformer behind it."""
    timm = import_peer("timm")
    stem = nn.Sequential(nn.Conv2d(3, 16, 7, 4, 3), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(3, 4, 1))
    embed = timm.layers.HybridEmbed
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 6}
    model: nn.Module = timm.models.vision_transformer.VisionTransformer(
        **sizes, patch_size=1, embed_layer=lambda **given: embed(stem, **given)
    )
    return model


@pytest.mark.parametrize(
    ("make", "side", "module", "prefix"),
    [
        (clip_zero_shot, 32, "tower.vision_model.encoder.layers.1.layer_norm1", 1),
        (clip_as_tuple, 32, "tower.encoder.layers.1.layer_norm1", 1),
        (siglip, 32, "post_layernorm", 0),
        (open_clip_tower, 32, "transformer.resblocks.1.ln_1", 1),
        (dinov2_with_registers, 56, "blocks.1.norm1", 5),
        (hybrid, 64, "blocks.1.norm1", 1),
    ],
)
@torch.no_grad()
def test_towers_are_true_to_finite_differences(
    make: Callable[[], nn.Module], side: int, module: str, prefix: int
) -> None:
    import_torchvision()
    torch.manual_seed(0)
    model, x = nowhere_0(make()).double(), torch.randn(1, 3, side, side, dtype=torch.float64)
    explainer = Explainer(model, x)
    one = explainer(x, "gradcam", 5)[0][0]
    assert (one.module, one.layout, one.prefix, one.grid) == (module, "tokens", prefix, (4, 4))
    place = explainer.tap.place(one.node)
    gradient = explainer.tap(x, [one.node], of_classes(5, 1 << 30)).gradients[one.node]
    assert gradient is not None
    g = laid_out(gradient, place, "NCHW")
    slopes = g.sum((2, 3))[0, :: g.shape[1] // 3]
    wanted = by_differences(model, x, one.node, 5).double()
    torch.testing.assert_close(slopes, wanted, atol=1e-9, rtol=1e-4)


def test_what_is_cut_off_behind_the_last_norm_is_said() -> None:
    timm = import_peer("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1, num_classes=5, global_pool="avg")
    one = explain(nowhere_0(model), torch.randn(1, 3, 64, 64), "hirescam", 3)[0]
    assert one.module == ""
    assert one.notes == (f"{one.node} is what blocks.0 gives, without the 1 in front",)


def test_a_score_of_ones_own_is_audited() -> None:
    """Nearness to a text is no class of the model's: the tower gives an embedding."""
    transformers = import_peer("transformers")
    torch.manual_seed(0)
    tower = nowhere_0(transformers.CLIPVisionModelWithProjection(small(transformers)))
    texts = nn.functional.normalize(torch.randn(6, 16), dim=1)
    x = torch.randn(1, 3, 32, 32)

    def nearness(embedding: Tensor) -> Tensor:
        return nn.functional.cosine_similarity(embedding, texts[5:6])

    explainer, wrapped = Explainer(tower, x), Explainer(ZeroShot(tower, texts).eval(), x)
    own, there = explainer(x, "hirescam", score=nearness)[0][0], wrapped(x, "hirescam", 5)[0][0]
    torch.testing.assert_close(torch.from_numpy(own.values), torch.from_numpy(there.values))
    checks = audit(explainer, x, own, score=nearness)[1]
    wanted = audit(wrapped, x, there)[1]
    assert [(one.name, one.verdict) for one in checks] == [(one.name, one.verdict) for one in wanted]
    for one, other in zip(checks, wanted, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-3)
