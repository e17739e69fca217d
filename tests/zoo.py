"""The zoo: models of torchvision, timm and transformers with random weights, and a picture for each.

Weights that start as 0 (heads, the last norm of a block, layer scales of 1e-6) are drawn anew, so that every operation
has something to do and every gradient something to carry.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

TORCHVISION = {
    "alexnet": 224, "vgg11": 224, "vgg16": 224, "resnet18": 224, "resnet50": 224, "resnext50_32x4d": 224,
    "densenet121": 224, "inception_v3": 299, "googlenet": 224, "squeezenet1_0": 224, "mobilenet_v2": 224,
    "mobilenet_v3_small": 224, "shufflenet_v2_x1_0": 224, "mnasnet1_0": 224, "regnet_y_400mf": 224,
    "efficientnet_b0": 224, "efficientnet_v2_s": 224, "convnext_tiny": 224, "vit_b_16": 224, "swin_t": 224,
    "swin_v2_t": 256, "maxvit_t": 224,
}  # fmt: skip
TIMM = (
    "vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2", "eva02_tiny_patch14_224", "resnetv2_50", "convnextv2_atto",
    "efficientvit_b0", "levit_128s", "mobilevit_xxs", "maxvit_rmlp_nano_rw_256", "coatnet_nano_rw_224", "nfnet_l0",
    "ecaresnet26t", "mixer_s16_224", "resmlp_12_224", "poolformer_s12", "tiny_vit_5m_224", "edgenext_xx_small",
    "ghostnet_050", "hrnet_w18_small", "dla34", "dpn48b", "repvgg_a0", "swin_tiny_patch4_window7_224", "volo_d1_224",
    "cait_xxs24_224", "xcit_nano_12_p16_224", "deit3_small_patch16_224", "beit_base_patch16_224", "fastvit_t8",
    "hiera_tiny_224", "pvt_v2_b0", "twins_pcpvt_small", "crossvit_9_240", "vit_base_patch16_siglip_224",
    "samvit_base_patch16_224", "naflexvit_base_patch16_gap", "mobilenetv4_conv_small", "focalnet_tiny_srf",
    "inception_next_tiny", "rexnet_100", "selecsls42", "vovnet39a", "resnest14d", "res2net50_14w_8s", "gernet_s",
    "lcnet_050", "botnet26t_256", "halonet26t", "lambda_resnet26t", "sequencer2d_s", "visformer_tiny", "pit_ti_224",
    "convit_tiny", "nest_tiny", "davit_tiny", "gcvit_xxtiny", "mvitv2_tiny", "csatv2", "starnet_s1", "repvit_m0_9",
    "shvit_s1", "swiftformer_xs",
)  # fmt: skip
TOWERS = ("clip", "siglip", "dinov2", "qwen2-vl")
NAMES = (
    *(f"torchvision:{name}" for name in TORCHVISION),
    *(f"timm:{name}" for name in TIMM),
    *(f"transformers:{name}" for name in TOWERS),
)

FAST = (
    "torchvision:squeezenet1_0", "torchvision:mobilenet_v3_small", "torchvision:shufflenet_v2_x1_0",
    "torchvision:swin_t", "timm:eva02_tiny_patch14_224", "timm:convnextv2_atto", "timm:levit_128s",
    "timm:xcit_nano_12_p16_224",
    *(f"transformers:{name}" for name in TOWERS),
)  # fmt: skip
"""Small ones of many kinds, for every run of the tests."""

PAIRED = ("timm:levit_128s", "timm:xcit_nano_12_p16_224", "timm:lambda_resnet26t")
"""For one picture, PyTorch 2.13's gradient of their batch norm is wrong in the layout that it has there; see
`tests/ops/test_batch_normalization.py`."""


def build(name: str, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, torch.Tensor]:
    """A model in evaluation mode, and an input for it; the same ones every time.

    Those of `PAIRED` get two pictures.
    """
    torch.manual_seed(0)
    source, _, short = name.partition(":")
    model, shape = _TOWERS[short]() if source == "transformers" else _from_package(name, short)
    _wake(model)
    generator = torch.Generator().manual_seed(1)
    return model.eval().to(dtype), torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def _from_package(name: str, short: str) -> tuple[nn.Module, tuple[int, ...]]:
    from photosite.nets.sources import find_model

    model = find_model(name)
    side = TORCHVISION.get(short) or getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))[-1]
    return model, (2 if name in PAIRED else 1, 3, side, side)


def _wake(model: nn.Module) -> None:
    """Draw anew what starts as 0 or next to it, and the statistics that batch norms have before any training."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.abs().max() < 1e-3:
                parameter.normal_(0, 0.02 if parameter.ndim > 1 else 0.5)
        for key, buffer in model.named_buffers():
            if key.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif key.endswith("running_var"):
                buffer.uniform_(0.8, 1.2)


def _clip() -> tuple[nn.Module, tuple[int, ...]]:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4)
    return CLIPVisionModel(config), (1, 3, 224, 224)


def _siglip() -> tuple[nn.Module, tuple[int, ...]]:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4)
    return SiglipVisionModel(config), (1, 3, 224, 224)


def _dinov2() -> tuple[nn.Module, tuple[int, ...]]:
    from transformers import Dinov2Config, Dinov2Model

    return Dinov2Model(Dinov2Config(hidden_size=64, num_hidden_layers=3, num_attention_heads=4)), (1, 3, 224, 224)


class _Qwen2Tower(nn.Module):
    """Qwen2-VL's vision tower for one picture of 8 x 12 patches.

    The tower splits its tokens at places that it reads from a tensor, which no graph can hold. Where they are known
    beforehand it takes them as they are; NumPy's numbers are known to torch.export, a tensor's are not.
    """

    def __init__(self) -> None:
        super().__init__()
        from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLVisionConfig
        from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel
        from transformers.vision_utils import get_vision_position_ids

        config = Qwen2VLVisionConfig(depth=3, embed_dim=64, num_heads=4, hidden_size=64)
        self.tower = Qwen2VisionTransformerPretrainedModel(config)
        grid = torch.tensor([[1, 8, 12]])
        self.register_buffer("grid", grid)
        self.register_buffer("positions", get_vision_position_ids(grid, config.spatial_merge_size))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(96, 3 * 2 * 14 * 14) patches to (24, 64) tokens."""
        ends = np.array([0, 96])
        result: torch.Tensor = self.tower(
            patches, self.grid, position_ids=self.positions, cu_seqlens=ends
        ).pooler_output
        return result


def _qwen2_vl() -> tuple[nn.Module, tuple[int, ...]]:
    return _Qwen2Tower(), (96, 3 * 2 * 14 * 14)


_TOWERS: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "clip": _clip, "siglip": _siglip, "dinov2": _dinov2, "qwen2-vl": _qwen2_vl,
}  # fmt: skip
