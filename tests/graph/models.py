"""Small models that the tests of this folder capture, each awkward in one way."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InPlace(nn.Module):
    """Overwrites convolution and batch norm in place, and reads what was overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.bn(self.conv(x)))
        z = y.flatten(1)
        z += 1.0
        return self.act(y) * 2  # y was changed through z


class Functional(nn.Module):
    """Only functional calls, with a parameter at the root whose name an operation has too."""

    def __init__(self) -> None:
        super().__init__()
        self.add = nn.Parameter(torch.ones(4))
        self.kernel = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(F.conv2d(x, self.kernel, padding="same"), approximate="tanh")
        return F.dropout(y.mean((2, 3)) + self.add, 0.5, self.training)


class Twice(nn.Module):
    """One layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(self.layer(x))
        return y


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 4, bias=False)
        self.decode = nn.Linear(4, 4, bias=False)
        self.decode.weight = self.encode.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.decode(self.encode(x))
        return y


class Structured(nn.Module):
    """Takes a tuple, a dict and a number; returns a dict with a list, its own input and a number."""

    def forward(self, pair: tuple[Tensor, Tensor], more: dict[str, Tensor], times: int = 2) -> dict[str, Any]:
        first, second = (pair[0] + more["shift"]).chunk(2, 1)
        return {"halves": [first * times, second], "same": pair[1], "times": times}


class Constants(nn.Module):
    """Reads a plain tensor attribute, a non-persistent buffer in bfloat16 and a tensor written in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = torch.arange(4.0)
        self.register_buffer("passing", torch.full((4,), 1.5, dtype=torch.bfloat16), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.plain + self.passing.to(torch.float32) - torch.tensor([1.0, 2.0, 3.0, 4.0])


class Counts(nn.Module):
    """Changes a buffer and its own input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x.view(-1).mul_(2)
        return x + self.calls


class Regions(nn.Module):
    """Switches gradients and autocast around operations, which changes no value."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            y = x * 2
        with torch.no_grad():
            y = y + 1
        with torch.autocast("cpu", enabled=False):
            return y @ y.mT


class Autocast(nn.Module):
    """Computes in bfloat16 in a way that the operations themselves do not say."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu"):
            return F.linear(x, x)


class Branches(nn.Module):
    """Takes a way that depends on the picture."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:  # THE BRANCH
            return x
        return x * 2


class Counting(nn.Module):
    """Has a result whose size depends on the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x.nonzero()  # THE SIZE


def through(body: nn.Module, x: Tensor) -> Tensor:
    """Call a module from a function of the model's author."""
    y: Tensor = body(x)  # THE MISFIT
    return y


class Misfit(nn.Module):
    """Its second convolution does not fit its first."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return through(self.body, x)


class Remembers(nn.Module):
    """Sets attributes, and grows lists, in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.seen: list[Tensor] = []
        self.log: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(x)
        self.log.append("called")
        return x * 2
