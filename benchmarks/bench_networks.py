"""Our networks against their publishers' modules on the same weights, building and loading them, and recording one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from harness import compare, publish
from torch import nn

from photosite.graph.capture import capture
from photosite.nets import create_model
from photosite.nets.checkpoints.weights import read_weights
from photosite.nets.sources import import_torchvision
from photosite.prep.recipes import get_recipe
from photosite.trace.record import record

FORWARD = (
    *(("resnet18", 8), ("resnet50", 1), ("resnet50", 8), ("resnext50_32x4d", 2), ("alexnet", 8), ("vgg16", 1)),
    *(("convnext_tiny", 2), ("efficientnet_b0", 4), ("efficientnet_v2_s", 2)),
    *(("vit_base_patch16_224", 2), ("vit_base_patch16_siglip_224", 2), ("vit_small_patch14_reg4_dinov2", 1)),
    ("vit_small_r26_s32_224", 2),
)
"""Names and batches."""


def main() -> None:
    """Measure and publish."""
    torchvision = import_torchvision()
    import timm

    results = []
    with torch.inference_mode():
        for name, batch in FORWARD:
            if name.startswith("vit_"):
                peer, whose = timm.create_model(name, num_classes=create_meta(name).num_classes).eval(), "timm's module"
            else:
                peer, whose = torchvision.models.get_model(name, weights=None).eval(), "torchvision's module"
            ours = create_model(name)
            ours.load_state_dict(peer.state_dict())
            x = torch.rand(batch, 3, *(518, 518) if "dinov2" in name else (224, 224))
            results.append(
                compare(
                    f"{name} forward, batch {batch}",
                    whose,
                    lambda ours=ours, x=x: ours(x),
                    lambda peer=peer, x=x: peer(x),
                    rounds=9,
                )
            )
    results.append(
        compare(
            "build resnet50, fresh weights",
            "torchvision's",
            lambda: create_model("resnet50"),
            lambda: torchvision.models.resnet50(weights=None),
            rounds=5,
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.safetensors"
        safetensors.torch.save_file(torchvision.models.resnet50(weights=None).state_dict(), path)
        peer = torchvision.models.resnet50(weights=None)
        results.append(
            compare(
                "resnet50 from 102 MB of safetensors, hashed",
                "load_file and load_state_dict",
                lambda: create_model("resnet50", path),
                lambda: peer.load_state_dict(safetensors.torch.load_file(path)),
                rounds=9,
            )
        )
        results.append(
            compare(
                "read 102 MB of safetensors, hashed",
                "reading the bytes alone",
                lambda: read_weights(path),
                path.read_bytes,
                rounds=9,
            )
        )
        memory = added_memory(path)
    picture = np.random.default_rng(0).integers(0, 256, (375, 500, 3), np.uint8)
    x = torch.rand(1, 3, 224, 224)
    model = create_model("resnet50")
    recipe = get_recipe("imagenet")

    def bare() -> None:
        with torch.inference_mode():
            model(x)

    results.append(compare("capture resnet50", "one forward pass", lambda: capture(model, x), bare, rounds=5))
    results.append(
        compare(
            "record one photo through resnet50",
            "one forward pass",
            lambda: record(picture, model, recipe, runs=1),
            bare,
            rounds=5,
        )
    )
    publish(
        "networks",
        results,
        notes="wanted: a forward pass at least 0.98, resnet50 built in under 300 ms; "
        f"a process that loads resnet50 from 102 MB grows by {memory:.0f} MB at its peak; "
        "record: every value measured and drawn, each operation timed in a pass of its own",
    )


def create_meta(name: str) -> nn.Module:
    """The network without memory."""
    with torch.device("meta"):
        return create_model(name)


def added_memory(path: Path) -> float:
    """By how many MB the peak memory of a fresh process grows while it loads a network."""
    program = (
        "import resource, sys, torch\n"
        "from photosite.nets import create_model\n"
        "create_model('resnet18')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "model = create_model('resnet50', sys.argv[1])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    return float(subprocess.check_output([sys.executable, "-c", program, str(path)], text=True))


if __name__ == "__main__":
    main()
