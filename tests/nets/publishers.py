"""Small vision towers of other libraries, with random weights in which every scale and shift counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.peers import import_peer, import_torchvision

SIDE, PATCH, WIDTH, DEPTH, HEADS = 64, 16, 48, 3, 4


def library(name: str) -> Any:
    """transformers, timm or open_clip; all three import torchvision."""
    import_torchvision()
    return import_peer(name)


def drawn(model: nn.Module) -> nn.Module:
    """A model whose parameters are all of a size that shows in the output; in evaluation mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            near = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.copy_(near + torch.randn_like(parameter) * (0.08 if parameter.ndim > 1 else 0.2))
    return model.eval()


def transformers_tower(kind: str, **changes: Any) -> nn.Module:
    """A tower of transformers: "clip", "siglip", "dinov2", "dinov2_with_registers" or "vit"."""
    transformers = library("transformers")
    common: dict[str, Any] = {
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": HEADS,
        "image_size": SIDE,
        "patch_size": PATCH,
        **({"intermediate_size": 100} if "dino" not in kind else {}),
        **changes,
    }
    names = {
        "clip": ("CLIPVisionConfig", "CLIPVisionModelWithProjection"),
        "siglip": ("SiglipVisionConfig", "SiglipVisionModel"),
        "dinov2": ("Dinov2Config", "Dinov2Model"),
        "dinov2_with_registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel"),
        "vit": ("ViTConfig", "ViTForImageClassification"),
    }
    config, model = names[kind]
    return drawn(getattr(transformers, model)(getattr(transformers, config)(**common)))
