"""Class activation maps by what they weigh activations with: from values and gradients of a layer to one map a picture.

Each takes activations and gradients (B, C, h, w) and gives (B, h, w), with its sign: what lies below 0 speaks against
the score. A drawing cuts it off at 0, as the papers do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Method = Callable[[Tensor, Tensor], Tensor]
TINY = 1e-6
"""Added to denominators, as pytorch-grad-cam does."""


def grad_cam(a: Tensor, g: Tensor) -> Tensor:
    """Channels weighed by their mean gradient.

    Matches: captum `LayerGradCam`, pytorch-grad-cam `GradCAM`.
    Source: Selvaraju et al. 2017.
    """
    return (g.mean((2, 3), keepdim=True) * a).sum(1)


def grad_cam_plus_plus(a: Tensor, g: Tensor) -> Tensor:
    """Channels weighed by their positive gradients, each place by how much it alone explains them.

    Matches: pytorch-grad-cam `GradCAMPlusPlus`.
    Source: Chattopadhay et al. 2018.
    """
    squared = g**2
    share = squared / (2 * squared + a.sum((2, 3), keepdim=True) * squared * g + TINY)
    share = torch.where(g != 0, share, torch.zeros_like(share))
    return ((g.clamp_min(0) * share).sum((2, 3), keepdim=True) * a).sum(1)


def hires_cam(a: Tensor, g: Tensor) -> Tensor:
    """Each activation times its own gradient: exactly what each place adds, where the rest is linear.

    Matches: pytorch-grad-cam `HiResCAM`.
    Source: Draelos and Carin 2020.
    """
    return (g * a).sum(1)


def layer_cam(a: Tensor, g: Tensor) -> Tensor:
    """Each activation times its own gradient, where that is positive.

    Matches: pytorch-grad-cam `LayerCAM`.
    Source: Jiang et al. 2021.
    """
    return (g.clamp_min(0) * a).sum(1)


def x_grad_cam(a: Tensor, g: Tensor) -> Tensor:
    """Channels weighed by the mean of their gradients, each counted as much as the activation that it belongs to.

    Matches: pytorch-grad-cam `XGradCAM`.
    Source: Fu et al. 2020.
    """
    weights = (g * a).sum((2, 3), keepdim=True) / (a.sum((2, 3), keepdim=True) + 1e-7)
    return (weights * a).sum(1)


def eigen_cam(a: Tensor, g: Tensor) -> Tensor:
    """How far each place lies from the mean in the direction in which activations vary most, whatever the score.

    The direction has no sign of its own; it is given the one in which strong activations are positive.

    Matches: pytorch-grad-cam `EigenCAM`, but for the sign, which is chance there.
    Source: Muhammad and Yeasin 2020.
    """
    maps = []
    for one in a.float():
        places = one.flatten(1).T  # (h w, C)
        centered = places - places.mean(0)
        direction = torch.linalg.svd(centered, full_matrices=False).Vh[0]
        projected = centered @ direction
        strength = places.norm(dim=1)
        together = (projected * (strength - strength.mean())).sum()
        maps.append((projected * (1 if together >= 0 else -1)).reshape(one.shape[1:]))
    return torch.stack(maps)


GRADIENT_METHODS: Mapping[str, Method] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "layercam": layer_cam,
    "xgradcam": x_grad_cam,
    "cam": hires_cam,
}
"""Those that need gradients. CAM is weights times activations where the head is linear, which is checked."""
FREE_METHODS: Mapping[str, Method] = {"eigencam": eigen_cam}
"""Those that look at activations alone."""


def is_linear_head(g: Tensor) -> bool:
    """Whether every place of a channel has the same gradient: what stands behind is a mean and a linear layer."""
    spread = (g - g.mean((2, 3), keepdim=True)).abs().amax()
    return bool(spread <= 1e-5 * g.abs().amax())
