"""What a unit behind a stack of layers really looks at: its gradient, computed, not drawn from a formula."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from photosite.analysis.effective_field import SHARES, EffectiveField
from photosite.analysis.receptive_field import plain_stack
from photosite.errors import RangeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.workspace import Workspace
from photosite.ops.arrays import Array

DRAWS = 16
"""Networks of random weights, each with noise of its own, whose gradients are averaged."""
CHANNELS = 8
"""Of each layer of such a network."""
LAYERS_AT_MOST = 64
NUMBERS_AT_MOST = 1 << 25
"""Numbers that all maps of a stack may hold together, since a gradient needs them all: 128 MiB."""
KINDS = {"c": "conv", "m": "max", "a": "average"}


@dataclass(frozen=True)
class Layer:
    """A layer of a stack.

    Attributes:
        kind: "conv", "max" or "average".
        kernel: its side; likewise `stride`, `padding` and `dilation` for rows and columns.
    """

    kind: str
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """As `plain_stack` takes it."""
        return self.kernel, self.stride, self.padding, self.dilation


def stack_field(workspace: Workspace, question: Question) -> Answer:
    """The effective field of a unit of the last layer.

    Args:
        workspace: keeps what was computed.
        question: `layers` such as `c3.1.1.1;m2.2.0.1` (conv, max or average pool: kernel, stride, padding, dilation);
            `side` of the input; `y`, `x` of the unit; `weights`: random, with ReLU between layers, averaged over
            `DRAWS` networks; or equal, where every layer is the mean of what lies under it, and one is enough.
    Returns:
        `heat` (side, side) float64, sums to 1; `draws` that had a gradient, of `of`; and what `heat_words` says.
    Raises:
        RangeError: a stack that cannot be, a unit that it has not, or not one draw with a gradient.
    """
    layers = parse_layers(question)
    side = question.integer("side", 4, 512, 64)
    grid = check_stack(layers, side)
    unit = question.integer("y", 0, grid - 1), question.integer("x", 0, grid - 1)
    equal = question.choice("weights", ("random", "equal"), "random") == "equal"
    key = ("stack", tuple(layers), side, unit, equal)
    found = workspace.once(
        key, lambda: stack_heat(layers, side, unit, equal, question.check), lambda one: one.heat.nbytes
    )
    return pack(
        {"draws": found.pictures, "of": 1 if equal else DRAWS, "channels": CHANNELS, **heat_words(found)},
        {"heat": found.heat},
    )


def heat_words(one: EffectiveField) -> dict[str, object]:
    """What is said of an effective field, rows and columns: `width95`, `deviation`, in pixels, `ratio`, `center`."""
    return {
        "width95": one.width(SHARES["95%"]),
        "deviation": one.deviation,
        "center": [middle + 0.5 for middle in one.center],  # from the edge, as centers of fields are
        "ratio": one.ratio,
    }


def parse_layers(question: Question) -> list[Layer]:
    """The layers that a question means.

    Raises:
        RangeError: words that mean none, or more than `LAYERS_AT_MOST`.
    """
    found = []
    for word in question.text("layers").split(";"):
        parts = re.fullmatch(r"([cma])(\d{1,2})\.(\d{1,2})\.(\d{1,2})\.(\d{1,2})", word, re.ASCII)
        numbers = [int(one) for one in parts.groups()[1:]] if parts else []
        if parts is None or 0 in (numbers[0], numbers[1], numbers[3]) or max(numbers) > 31:
            raise RangeError(
                f"{question.name}: layers wants words such as c3.1.1.1 with semicolons between, got {word[:40]!r}"
            )
        found.append(Layer(KINDS[parts[1]], *numbers))
    if len(found) > LAYERS_AT_MOST:
        raise RangeError(f"{question.name}: at most {LAYERS_AT_MOST} layers, got {len(found)}")
    return found


def check_stack(layers: list[Layer], side: int) -> int:
    """Rows of the last map.

    Raises:
        RangeError: a layer does not fit, or the maps are too large together.
    """
    numbers, rows = 3 * side * side, side
    for at, one in enumerate(layers, 1):
        if one.kind == "average" and one.dilation > 1:
            raise RangeError(f"layer {at}: an average pool has no dilation")
        if one.kind != "conv" and one.padding > one.kernel // 2:
            raise RangeError(f"layer {at}: a pool's padding is at most half of its kernel")
        span, wide = one.dilation * (one.kernel - 1) + 1, rows + 2 * one.padding
        if span > wide:
            raise RangeError(f"layer {at} spans {span} and what comes in is {wide} wide with its padding")
        rows = (wide - span) // one.stride + 1
        numbers += 2 * CHANNELS * rows * rows
    if numbers > NUMBERS_AT_MOST:
        raise RangeError(f"the maps of this stack hold {numbers} numbers, more than {NUMBERS_AT_MOST}: a smaller input")
    return rows


def stack_network(layers: list[Layer], equal: bool, seed: int) -> nn.Sequential:
    """A stack with weights; behind each convolution but the last one a ReLU, unless all is linear.

    Args:
        layers: of it.
        equal: every layer is the mean of what lies under it, over one channel, pools of the largest as well.
        seed: of the weights, normal with variance 2 / (C K²).
    """
    generator = torch.Generator().manual_seed(seed)
    made: list[nn.Module] = []
    channels, last = 3, max((at for at, one in enumerate(layers) if one.kind == "conv"), default=-1)
    for at, one in enumerate(layers):
        if equal or one.kind == "conv":
            width = 1 if equal else CHANNELS
            how: Any = {"stride": one.stride, "padding": one.padding, "dilation": one.dilation, "bias": False}
            layer = nn.Conv2d(channels, width, one.kernel, **how)
            with torch.no_grad():
                area = channels * one.kernel**2
                if equal:
                    layer.weight.fill_(1 / area)
                else:
                    layer.weight.normal_(0, (2 / area) ** 0.5, generator=generator)
            made.append(layer)
            channels = width
            if not equal and at != last:
                made.append(nn.ReLU())
        elif one.kind == "max":
            made.append(nn.MaxPool2d(one.kernel, one.stride, one.padding, one.dilation))
        else:
            made.append(nn.AvgPool2d(one.kernel, one.stride, one.padding))
    return nn.Sequential(*made).eval()


def stack_heat(
    layers: list[Layer], side: int, unit: tuple[int, int], equal: bool, check: Callable[[], None]
) -> EffectiveField:
    """The gradient of a unit, absolute, summed over the input's channels, as shares; the mean of several draws.

    Each draw is a share of its own, so that none counts more than another; those without a gradient are left out.

    Raises:
        RangeError: none had one.
    """
    total: Array = np.zeros((side, side))
    drawn = 0
    for seed in range(1 if equal else DRAWS):
        check()
        x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1000 + seed)).requires_grad_()
        value = stack_network(layers, equal, seed)(x)[0, :, unit[0], unit[1]].sum()
        (gradient,) = torch.autograd.grad(value, x)
        heat = gradient[0].abs().double().sum(0).numpy()
        if heat.any():
            total += heat / heat.sum()
            drawn += 1
    if not drawn:
        raise RangeError(f"stack-field: no gradient of the unit {unit[0]},{unit[1]} reaches the input, in any draw")
    size, _, _ = plain_stack(one.numbers for one in layers)
    return EffectiveField("stack", unit, total / drawn, (size, size), drawn)
