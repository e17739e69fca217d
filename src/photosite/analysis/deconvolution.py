"""Deconvnet and guided backpropagation: what of a picture drives a unit, with rectifiers turned around on the way back.

Both send a signal from a unit back to the picture as the gradient goes: convolutions transposed, and from each place of
a max pool to where the largest stood in the forward pass (the switch). They differ at rectifiers, and only there: the
gradient asks where the forward pass was positive, the deconvnet where the signal is, guided backpropagation both.

What the deconvnet shows depends on the picture through the switches and nothing else.
"""

from __future__ import annotations

from torch import Tensor, nn

from photosite.analysis.aim import Aims
from photosite.analysis.backward import Attribution, Backward, as_backward
from photosite.analysis.rectifiers import Smooth


def deconvnet(
    model: nn.Module | Backward,
    x: Tensor,
    node: str | None = None,
    aim: Aims = None,
    smooth: Smooth = "refuse",
) -> Attribution:
    """The deconvnet's signal of a unit, the largest place of a channel, or a logit.

    Args:
        model: any vision model, left as it was; or a `Backward` of it, which is quicker for many calls.
        x: (B, ...) pictures as it takes them.
        node: a node of the graph or the path of a module, whose last value is taken; None is the first output.
        aim: which number; a plain number is a channel or logit, a list has one for each picture, None is the largest.
        smooth: what to do about activations that are no rectifiers (GELU, SiLU): "refuse", or "gradient", which goes
            through them by the plain gradient and says so in `notes`.
    Returns:
        One signal for each picture.
    Raises:
        UnsupportedOpError: an activation is no rectifier, and `smooth` is "refuse".
        CaptureError, UnknownNameError, ShapeError, RangeError: as `Backward.signal`.
    Convention: the signal begins as 1; times `outputs` it is that of the paper, which begins with the activation. Where
        windows of a max pool overlap, what goes back to one place is summed up.
    Matches: captum `Deconvolution` where all rectifiers are modules of their own, to 1e-5 of the largest.
    Source: Zeiler and Fergus 2014, section 2.1.
    """
    return as_backward(model, x).signal(x, node, aim, "deconvnet", smooth)


def guided_backpropagation(
    model: nn.Module | Backward,
    x: Tensor,
    node: str | None = None,
    aim: Aims = None,
    smooth: Smooth = "refuse",
) -> Attribution:
    """The signal of guided backpropagation of a unit, the largest place of a channel, or a logit.

    Args:
        model: as for `deconvnet`.
        x: likewise.
        node: likewise.
        aim: likewise.
        smooth: likewise.
    Returns:
        One signal for each picture.
    Raises:
        As `deconvnet`.
    Matches: captum `GuidedBackprop` where all rectifiers are modules of their own, to 1e-5 of the largest.
    Source: Springenberg, Dosovitskiy, Brox and Riedmiller 2014, section 3.4.
    """
    return as_backward(model, x).signal(x, node, aim, "guided backpropagation", smooth)
