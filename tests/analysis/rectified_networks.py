"""One network written in six ways, with the same weights: modules, one module for all, functions, in place, clamped."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WAYS = ("modules", "reused", "functions", "in place", "modules in place", "clamped")


class Network(nn.Module):
    """Convolutions, a norm, a shortcut, an overlapping max pool, four rectifiers.

    The shortcut adds what a rectifier gives to what one is given.
    """

    def __init__(self, way: str = "modules") -> None:
        super().__init__()
        self.way = way
        self.conv1, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.conv2, self.conv3 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 12, 3, 2)
        self.wide, self.head = nn.Linear(12 * 9, 16), nn.Linear(16, 5)
        if way in ("modules", "modules in place"):
            place = way == "modules in place"
            self.relu1, self.relu2, self.relu3, self.relu4 = (nn.ReLU(inplace=place) for _ in range(4))
        elif way == "reused":
            self.relu = nn.ReLU()

    def rectify(self, x: Tensor, number: int) -> Tensor:
        if self.way in ("modules", "modules in place"):
            return torch.as_tensor(getattr(self, f"relu{number}")(x))
        if self.way == "reused":
            return torch.as_tensor(self.relu(x))
        if self.way == "in place":
            return x.relu_()
        return x.clamp(min=0) if self.way == "clamped" else F.relu(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.rectify(self.norm(self.conv1(x)), 1))
        x = self.rectify(self.conv2(x) + x, 2)
        x = self.rectify(self.conv3(x), 3)
        y: Tensor = self.head(self.rectify(self.wide(x.flatten(1)), 4))
        return y


def network(way: str = "modules") -> nn.Module:
    """The network in one of its ways; always with the same weights."""
    torch.manual_seed(0)
    model = Network()
    nn.init.uniform_(model.norm.weight, 0.5, 1.5)
    nn.init.normal_(model.norm.bias)
    model.norm.running_mean = torch.randn(8) / 3
    model.norm.running_var = torch.rand(8) + 0.5
    written = Network(way)
    written.load_state_dict(model.state_dict())
    return written.eval()


def pictures(count: int = 3) -> Tensor:
    """Inputs of 14 x 14."""
    return torch.randn(count, 3, 14, 14, generator=torch.Generator().manual_seed(1))
