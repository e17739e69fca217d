"""How long it takes to know how far every value sees, what one unit looks at, and why one number is what it is.

The peer for fields is TorchLens, if it is installed (`pip install torchlens`); what it says of the last map is noted.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Result, compare, publish
from torch import nn

from photosite.analysis.arithmetic import explain_value
from photosite.analysis.effective_field import effective_field
from photosite.analysis.feature_map import find_feature_map
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.replay import evaluate
from photosite.graph.capture import capture
from photosite.graph.execute import model_arrays
from photosite.graph.functional import functional
from photosite.nets import create_model
from photosite.nets.sources import find_model, import_torchvision

NETWORKS = ("resnet50", "efficientnet_b0", "swin_t")
PICTURES = 64


def peer_fields() -> Callable[[nn.Module, torch.Tensor], list[Any]] | None:
    """TorchLens's receptive fields of all layers; None where it is not installed."""
    try:
        import torchlens  # type: ignore[import-not-found]
    except ImportError:
        print("torchlens is not installed: its side is left out")
        return None

    def fields(model: nn.Module, x: torch.Tensor) -> list[Any]:
        run = getattr(torchlens, "log_forward_pass", None) or torchlens.trace
        layers = list(run(model, x).layers)
        for layer in layers:
            with contextlib.suppress(Exception):  # constants have no field
                layer.receptive_field.status  # noqa: B018 - solved when it is asked for
        return layers

    return fields


def said(layers: list[Any], shape: tuple[int, ...]) -> str:
    """What the peer says of the last layer of that shape; an error is an answer too."""
    layer = next(layer for layer in reversed(layers) if tuple(layer.shape or ()) == shape)
    view = layer.receptive_field
    try:
        return f"{view.status.value} {view.size[0] if view.status.value in ('exact', 'upper_bound') else ''}".strip()
    except Exception as error:
        return type(error).__name__


def fields_of(name: str, peer: Callable[[nn.Module, torch.Tensor], list[Any]] | None) -> tuple[Result, str]:
    """Capture and all fields of a network, against the peer, or one forward pass without it."""
    model, x = find_model(f"torchvision:{name}", "random").eval(), torch.rand(1, 3, 224, 224)

    def ours() -> ReceptiveFields:
        return ReceptiveFields(functional(capture(model, x)))

    found = ours()
    last = find_feature_map(found.graph)
    assert last is not None
    one = found[last.node]
    assert one.size is not None
    note = f"{name}: {one.size[0]}, every one of {len(found.graph)} nodes known"
    if peer is not None:
        views = peer(model, x)
        note += f"; TorchLens of its last map: {said(views, found.graph.node(last.node).shape)}"
        return compare(f"capture and fields of {name}", "TorchLens", ours, lambda: peer(model, x), rounds=5), note
    with torch.inference_mode():
        return compare(f"capture and fields of {name}", "one forward pass", ours, lambda: model(x), rounds=5), note


def looks() -> Result:
    """The effective field of ResNet-50's layer4 center over 64 pictures, against the model with a hook."""
    model = create_model("resnet50").eval()
    graph = functional(capture(model, torch.zeros(4, 3, 224, 224)))
    kept: dict[str, torch.Tensor] = {}
    model.get_submodule("layer4").register_forward_hook(lambda _, __, out: kept.update(out=out))

    def theirs() -> None:
        generator = torch.Generator().manual_seed(0)
        heat = torch.zeros(224, 224)
        for _ in range(PICTURES // 4):
            x = torch.randn(4, 3, 224, 224, generator=generator, requires_grad=True)
            model(x)
            (gradient,) = torch.autograd.grad(kept["out"][:, :, 3, 3].sum(), x)
            heat += gradient.abs().sum((0, 1))

    return compare(
        f"effective field of resnet50's layer4, {PICTURES} pictures",
        "the model, a hook and autograd",
        lambda: effective_field(graph, model, "layer4", [(3, 3)], PICTURES),
        theirs,
        rounds=1,
    )


def reasons() -> list[Result]:
    """One number of layer4 of ResNet-50, and of a ViT's last layer, taken apart."""
    results = []
    for name, node in (("resnet50", "layer4.2.conv2"), ("vit_b_16", "encoder.layers.encoder_layer_11.mlp.3")):
        model, x = find_model(f"torchvision:{name}", "random").eval(), torch.rand(1, 3, 224, 224)
        graph = functional(capture(model, x))
        values = evaluate(graph, model_arrays(model), x.numpy())
        index = tuple(side // 2 for side in graph.find(node).shape)
        found = explain_value(graph, values, node, index)
        work = f"one number of {name}'s {'layer4' if name == 'resnet50' else 'last MLP'}"
        with torch.inference_mode():
            results.append(
                compare(
                    f"{work}, {len(found.terms)} terms",
                    "one forward pass",
                    lambda g=graph, v=values, n=node, i=index: explain_value(g, v, n, i),
                    lambda m=model, x=x: m(x),
                    rounds=9,
                )
            )
    return results


def memory() -> float:
    """The most that an effective field over 64 pictures needs, imports and model included, in MB, in a new process."""
    command = [sys.executable, __file__, "--memory"]
    return float(subprocess.check_output(command, text=True, cwd=Path(__file__).parent))


def trained_and_random() -> str:
    """How much wider a trained network looks than the same one with random weights."""
    widths = {}
    for word in ("default", "random"):
        model = create_model("photosite_resnet12", weights="default") if word == "default" else None
        torch.manual_seed(0)
        model = (model or create_model("photosite_resnet12")).eval()
        graph = functional(capture(model, torch.zeros(16, 3, 64, 64)))
        one = effective_field(graph, model, "layer3.1", [(8, 8)], 128)[0]
        widths[word] = np.mean(one.deviation), np.mean(one.width(0.9545))
    (trained, wide), (drawn, narrow) = widths["default"], widths["random"]
    return (
        f"a unit of our encoder's last map, over 128 pictures of noise: standard deviation {trained:.1f} pixels "
        f"trained, {drawn:.1f} with random weights; 95% within {wide:.0f} and {narrow:.0f}"
    )


def main() -> None:
    """Measure and publish."""
    import_torchvision()
    peer = peer_fields()
    measured = [fields_of(name, peer) for name in NETWORKS]
    results = [result for result, _ in measured] + [looks(), *reasons()]
    notes = "; ".join(note for _, note in measured)
    publish(
        "fields",
        results,
        f"wanted: capture and fields under 2 s, an effective field over {PICTURES} pictures under 40 s and 2 GB, one "
        f"number under 50 ms; {notes}; peak memory of the effective field {memory():.0f} MB; {trained_and_random()}",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        network = create_model("resnet50").eval()
        several = functional(capture(network, torch.zeros(4, 3, 224, 224)))
        effective_field(several, network, "layer4", [(3, 3)], PICTURES)
        status = Path("/proc/self/status").read_text().splitlines()
        print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024)
    else:
        main()
