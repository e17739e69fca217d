"""Small networks for the tests of this folder, with weights and statistics that do something."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photosite.graph.capture import capture
from photosite.graph.execute import model_arrays
from photosite.graph.functional import functional
from photosite.graph.ir import Graph


class Block(nn.Module):
    """A residual block: convolution, norm, ReLU, convolution, norm, shortcut, ReLU."""

    def __init__(self, channels: int, out: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, dilation, dilation, groups, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Convolutional(nn.Module):
    """A small residual network with all that a plan treats by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, (7, 5), 2, (3, 2))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.first = Block(16, 24)
        self.second = Block(24, 32, 2, groups=8)
        self.wide = nn.Sequential(nn.Conv2d(32, 32, 3, padding=2, dilation=2), nn.SiLU())
        self.depth = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.BatchNorm2d(32), nn.Hardswish())
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(self.pool(F.relu(self.stem(x)))))
        x = self.depth(self.wide(x) + x)
        y: Tensor = self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return y


class Tokens(nn.Module):
    """A small transformer on patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, 8)
        self.start = nn.Parameter(torch.randn(1, 1, 32))
        self.norm = nn.LayerNorm(32)
        self.mix = nn.Linear(32, 96)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.start.expand(len(x), -1, -1), tokens], 1)
        q, k, v = self.mix(self.norm(tokens)).reshape(len(x), -1, 3, 4, 8).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(tokens.shape)
        tokens = tokens + mixed
        tokens = tokens + self.down(F.gelu(self.up(self.norm(tokens))))
        y: Tensor = self.head(tokens[:, 0])
        return y


def ready(model: nn.Module, x: Tensor, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor, Graph, Any]:
    """A model with statistics drawn, its input, its functional graph, and its state as arrays."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    model, x = model.eval().to(dtype), x.to(dtype)
    graph = functional(capture(model, x))
    return model, x, graph, model_arrays(model)
