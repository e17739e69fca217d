"""Our ResNets against torchvision's modules on the same weights, and a trace against a bare forward pass."""

from __future__ import annotations

import numpy as np
import torch
from harness import compare, publish

from photosite.graph.capture import capture
from photosite.nets import create_model
from photosite.nets.sources import import_torchvision
from photosite.prep.recipes import get_recipe
from photosite.trace.record import record


def main() -> None:
    """Measure and publish."""
    torchvision = import_torchvision()
    results = []
    with torch.inference_mode():
        for name, batch in (("resnet18", 8), ("resnet50", 1), ("resnet50", 8)):
            peer = torchvision.models.get_model(name, weights=None).eval()
            ours = create_model(name)
            ours.load_state_dict(peer.state_dict())
            x = torch.rand(batch, 3, 224, 224)
            results.append(
                compare(
                    f"{name} forward, batch {batch}",
                    "torchvision's module",
                    lambda ours=ours, x=x: ours(x),
                    lambda peer=peer, x=x: peer(x),
                    rounds=9,
                )
            )
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
        "networks", results, notes="record: every value measured and drawn, each operation timed in a pass of its own"
    )


if __name__ == "__main__":
    main()
