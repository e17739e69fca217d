"""A running average of a network's weights, which classifies better than the last step's."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all floating-point parameters and buffers (EMA).

    After each update: average = decay * average + (1 - decay) * now, with a decay that starts low, so that the
    random start is forgotten: min(decay, (1 + updates) / (10 + updates)).
    Source: Polyak and Juditsky 1992; the warm start as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with a copy of the model as it is now."""
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model; whole numbers (batches counted) are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        kept, now = self.model.state_dict(), model.state_dict()
        floats = [name for name, value in kept.items() if value.is_floating_point()]
        torch._foreach_lerp_([kept[name] for name in floats], [now[name] for name in floats], 1 - decay)
        for name, value in kept.items():
            if not value.is_floating_point():
                value.copy_(now[name])

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """Everything that resuming needs."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, int | dict[str, Tensor]]) -> None:
        """Go on where `state_dict` was taken."""
        updates, weights = state["updates"], state["model"]
        assert isinstance(updates, int)
        assert isinstance(weights, dict)
        self.updates = updates
        self.model.load_state_dict(weights)
