"""Our networks against their publishers' modules on a GPU, and against our own on the CPU in double precision."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from harness import Result, compare, publish
from torch import nn

from photosite.nets import create_model
from photosite.nets.sources import import_torchvision

NETWORKS = (
    *("resnet50", "convnext_tiny", "efficientnet_b0", "vit_base_patch16_224", "vit_so400m_patch14_siglip_384"),
    "vit_large_patch14_reg4_dinov2",
)
BATCH = 32


def main() -> None:
    """Measure and publish; without a GPU, say so."""
    if not torch.cuda.is_available():
        print("bench_networks_gpu: no GPU here")
        return
    torchvision = import_torchvision()
    try:
        import timm
    except ImportError:
        timm = None
    results: list[Result] = []
    differences: list[str] = []
    for name in NETWORKS:
        torch.manual_seed(0)
        ours = create_model(name)
        peer = _peer(name, torchvision, timm)
        side = ours.recipe.input_hw[0]
        differences.append(f"{name} {_difference(ours, torch.randn(1, 3, side, side)):.1e}")
        if peer is None:
            continue
        peer.load_state_dict(ours.state_dict())
        x = torch.randn(BATCH, 3, side, side, device="cuda", dtype=torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last)
        models = [
            model.to("cuda", torch.bfloat16, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
            for model in (ours, peer)
        ]
        results.append(
            compare(
                f"{name}, {BATCH} pictures of {side} px, bfloat16",
                "publisher's module",
                *(_run(model, x) for model in models),
            )
        )
        del models, ours, peer
        torch.cuda.empty_cache()
    device = torch.cuda.get_device_name()
    publish(
        "networks_gpu",
        results,
        notes=f"{device}, torch {torch.__version__}, Python {sys.version.split()[0]}; largest difference of the output "
        f"to the CPU's in double precision, float32 without TF32: {', '.join(differences)}",
    )


def _peer(name: str, torchvision: object, timm: object) -> nn.Module | None:
    if not name.startswith("vit_"):
        return torchvision.models.get_model(name, weights=None)  # type: ignore[attr-defined,no-any-return]
    options = {"num_classes": 1000 if name == "vit_base_patch16_224" else 0}
    return None if timm is None else timm.create_model(name, **options)  # type: ignore[attr-defined,no-any-return]


def _difference(model: nn.Module, x: torch.Tensor) -> float:
    """Of one picture, as a share of the largest number."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.inference_mode():
        found = model.cuda()(x.cuda()).double().cpu()
        wanted = model.cpu().double()(x.double())
        model.float()
    return float((found - wanted).abs().max() / wanted.abs().max())


def _run(model: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            model(x)
        torch.cuda.synchronize()

    return run


if __name__ == "__main__":
    main()
