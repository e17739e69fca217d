"""Plain attributions: the gradient (saliency), the gradient times the input, integrated gradients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from photosite.analysis.aim import Aims
from photosite.analysis.backward import Attribution, Backward, as_backward
from photosite.errors import RangeError, ShapeError


@dataclass(frozen=True, eq=False)
class IntegratedGradients(Attribution):
    """Integrated gradients, and how far they are from what they promise.

    Attributes:
        steps: at how many points of the way from the baseline to the picture gradients were taken.
        baseline_outputs: (B,), the number at the baseline.
        completeness_error: (B,) float64: the sum of all attributions, less the difference of the two outputs. It is 0
            for an exact integral; more steps bring it nearer.
    """

    steps: int = field(kw_only=True)
    baseline_outputs: Tensor = field(kw_only=True)
    completeness_error: Tensor = field(kw_only=True)


def saliency(model: nn.Module | Backward, x: Tensor, node: str | None = None, aim: Aims = None) -> Attribution:
    """The gradient of a number of the network with respect to the picture, with its sign.

    Args:
        model: any vision model, left as it was; or a `Backward` of it, which is quicker for many calls.
        x: (B, ...) pictures as it takes them.
        node: a node of the graph or the path of a module, whose last value is taken; None is the first output.
        aim: which number; a plain number is a channel or logit, a list has one for each picture, None is the largest.
    Returns:
        One gradient for each picture; `heat` is what is usually shown of it.
    Raises:
        CaptureError, UnknownNameError, ShapeError, RangeError: as `Backward.signal`.
    Matches: captum `Saliency` with `abs=False`, to 1e-5 of the largest.
    Source: Simonyan, Vedaldi and Zisserman 2013.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    >>> _ = nn.init.constant_(net[1].weight, -2.0)
    >>> saliency(net, torch.ones(1, 1, 2, 2)).values.tolist()
    [[[[-2.0, -2.0], [-2.0, -2.0]]]]
    """
    return replace(as_backward(model, x).signal(x, node, aim), method="saliency")


def gradient_times_input(
    model: nn.Module | Backward, x: Tensor, node: str | None = None, aim: Aims = None
) -> Attribution:
    """The gradient times the input: how much each number of the picture would take away, were the network linear.

    Args:
        model: as for `saliency`.
        x: likewise.
        node: likewise.
        aim: likewise.
    Returns:
        One for each picture.
    Raises:
        As `saliency`.
    Matches: captum `InputXGradient`, to 1e-5 of the largest.
    Source: Shrikumar, Greenside, Shcherbina and Kundaje 2016.
    """
    found = as_backward(model, x).signal(x, node, aim)
    return replace(found, method="gradient times input", values=found.values * x.detach().to(found.values.dtype))


def integrated_gradients(
    model: nn.Module | Backward,
    x: Tensor,
    node: str | None = None,
    aim: Aims = None,
    *,
    baseline: float | Tensor = 0.0,
    steps: int = 50,
) -> IntegratedGradients:
    """The mean gradient on the straight way from a baseline to the picture, times their difference.

    Args:
        model: as for `saliency`; a `Backward` of several pictures works on as many points of the way at once.
        x: likewise.
        node: likewise.
        aim: likewise. The largest is found at x and followed all the way.
        baseline: one number, or anything that broadcasts to x. Of normalized pictures 0 is the mean color, not black.
        steps: how many points of the way; they and their weights are those of Gauss and Legendre.
    Returns:
        One for each picture, with what is missing to completeness.
    Raises:
        As `saliency`; RangeError: less than one step.
    Matches: captum `IntegratedGradients`, to 1e-5 of the largest.
    Source: Sundararajan, Taly and Yan 2017.
    """
    if steps < 1:
        raise RangeError(f"integrated gradients: wants at least 1 step, got {steps}")
    backward = as_backward(model, x)
    with torch.inference_mode(False), torch.no_grad():
        x = x.detach().clone()
        try:
            start = torch.as_tensor(baseline, dtype=x.dtype, device=x.device).expand_as(x).clone()
        except RuntimeError:
            shape = tuple(baseline.shape) if isinstance(baseline, Tensor) else "a number"
            raise ShapeError(f"integrated gradients: the baseline {shape} does not fit {tuple(x.shape)}") from None
        chosen = backward.choose(x, node, aim)
        before = backward.numbers(start, node, chosen.flat)
        total = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
        points, weights = np.polynomial.legendre.leggauss(steps)
        rows = [(step, picture) for step in range(steps) for picture in range(len(x))]
        for first in range(0, len(rows), backward.batch):
            some = rows[first : first + backward.batch]
            pictures = torch.tensor([picture for _, picture in some], device=x.device)
            share = torch.tensor([(points[step] + 1) / 2 for step, _ in some], dtype=x.dtype, device=x.device)
            weight = torch.tensor([weights[step] / 2 for step, _ in some], dtype=torch.float64, device=x.device)
            along = [-1, *(1 for _ in x.shape[1:])]
            way = start[pictures] + share.view(along) * (x[pictures] - start[pictures])
            gradients = backward.gradients(way, node, chosen.flat[pictures]).double()
            total.index_add_(0, pictures, weight.view(along) * gradients)
        total *= x.double() - start.double()
        error = total.flatten(1).sum(1) - (chosen.numbers.double() - before.double())
        values = total if x.dtype == torch.float64 else total.float()
    return IntegratedGradients(
        "integrated gradients",
        backward.find(node).name,
        values,
        chosen.numbers,
        chosen.channels,
        chosen.places,
        steps=steps,
        baseline_outputs=before,
        completeness_error=error,
    )
