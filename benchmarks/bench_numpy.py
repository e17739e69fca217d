"""Whole networks in NumPy against eager PyTorch, the fast convolution against the loop that defines it, and memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import Result, compare, publish
from torch import nn

from photosite.analysis.plans.plan import Plan
from photosite.graph.capture import capture
from photosite.graph.execute import model_arrays
from photosite.graph.functional import functional
from photosite.nets.sources import import_torchvision
from photosite.ops.convolution import conv, conv2d_loop

THREADS = 2
CASES = (("resnet50", 8), ("resnet50", 1), ("vit_b_16", 8), ("mobilenet_v2", 8), ("convnext_tiny", 8))


def prepared(name: str, batch: int) -> tuple[nn.Module, torch.Tensor, Plan]:
    """A network of torchvision with statistics and weights that do something, a batch, and our plan for both."""
    torch.manual_seed(0)
    model = import_torchvision().models.get_model(name, weights=None).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    for parameter in model.parameters():
        if parameter.abs().max() < 1e-5:  # heads that start as 0
            nn.init.normal_(parameter, 0, 0.02)
    x = torch.randn(batch, 3, 224, 224)
    return model, x, Plan(functional(capture(model, x)), model_arrays(model), THREADS)


def forward(name: str, batch: int) -> Result:
    """One pass; the numbers are held against each other first."""
    model, x, plan = prepared(name, batch)
    pictures = x.numpy()
    with torch.inference_mode():
        wanted = model(x).numpy()
        apart = np.abs(plan(pictures)["output"] - wanted).max() / np.abs(wanted).max()
        if not apart < 1e-4:
            raise SystemExit(f"{name}: the outputs differ by {apart:.1g} of their size")
        return compare(
            f"{name} forward, batch {batch}", "eager PyTorch", lambda: plan(pictures), lambda: model(x), rounds=9
        )


def both_ways(name: str, batch: int) -> Result:
    """Forward and back, to the gradients of all parameters."""
    model, x, plan = prepared(name, batch)
    labels = torch.arange(batch) * 7
    places = np.arange(batch), labels.numpy()
    pictures = x.numpy()
    learned = [key for key, _ in model.named_parameters()]  # not the pictures; PyTorch leaves them out too

    def of_loss(outputs: dict[str, Any]) -> dict[str, Any]:
        shares = np.exp(outputs["output"] - outputs["output"].max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        shares[places] -= 1
        return {"output": shares / np.float32(batch)}

    def theirs() -> None:
        model.zero_grad()
        F.cross_entropy(model(x), labels).backward()

    theirs()
    found = plan.gradients([pictures], of_loss, learned)[1].parameters
    for key, parameter in model.named_parameters():
        if parameter.grad is not None and not np.allclose(
            found[key], parameter.grad, atol=1e-2 * float(parameter.grad.abs().max())
        ):
            raise SystemExit(f"{name}: the gradients of {key} differ")
    work = f"{name} forward and back, batch {batch}"
    return compare(work, "eager PyTorch", lambda: plan.gradients([pictures], of_loss, learned), theirs, rounds=7)


def one_convolution() -> Result:
    """3 x 3, 64 channels to 64, 56 x 56."""
    rng = np.random.default_rng(0)
    x, weight = (rng.normal(size=shape).astype(np.float32) for shape in ((1, 64, 56, 56), (64, 64, 3, 3)))
    work = "conv2d 3 x 3, 64 channels, 56 x 56"
    return compare(
        work,
        "the definition, in loops",
        lambda: conv(x, weight, None, 1, 1),
        lambda: conv2d_loop(x[0], weight, None, 1, 1),
        rounds=3,
    )


def memory(name: str, batch: int) -> str:
    """The most memory that a forward pass needs beyond what was there, ours and PyTorch's, in new processes."""
    found = {}
    for side in ("ours", "torch"):
        command = [sys.executable, __file__, "--memory", side, name, str(batch)]
        found[side] = float(subprocess.check_output(command, text=True, cwd=Path(__file__).parent))
    ours, theirs = found["ours"], found["torch"]
    return f"{name} batch {batch} {ours:.0f} MB, PyTorch {theirs:.0f} MB ({ours / theirs:.2f})"


def measure_memory(side: str, name: str, batch: int) -> float:
    """The weights in the form in which they are used, and the most that a forward pass needs beyond them, in MB."""
    before = _resident("VmRSS")
    torch.set_num_threads(THREADS)
    model, x, plan = prepared(name, batch)
    pictures = x.numpy()
    gc.collect()
    with torch.inference_mode():
        Path("/proc/self/clear_refs").write_text("5")
        start = _resident("VmRSS")
        if side == "ours":
            plan(pictures)
        else:
            model(x)
    assert before > 0
    return _resident("VmHWM") - start


def _resident(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def main() -> None:
    """Measure and publish."""
    torch.set_num_threads(THREADS)
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    results = [forward(*case) for case in CASES]
    results += [both_ways("resnet50", 8), one_convolution()]
    publish(
        "numpy",
        results,
        "two threads, float32; wanted: ResNet-50 1.2 at batch 8, 1.0 at batch 1, 0.7 forward and back, ViT-B/16 0.8, "
        "the convolution 300 times the loop; peak memory of a forward pass beyond the weights, wanted at most 1.5 "
        f"times PyTorch's: {'; '.join(memory(*case) for case in CASES[:3])}",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(measure_memory(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        main()
