"""The kernels of one layer of a model: those that read the picture as patterns, all others as filters only.

Kernels of deeper layers read features: they are no pictures, and are not treated as such.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from photosite.analysis.filters import Filters, filters
from photosite.analysis.kernel_kinds import Kernel, describe
from photosite.analysis.layer_weights import LayerWeights, layer_weights
from photosite.graph.ir import Graph


@dataclass(frozen=True, eq=False)
class LayerKernels:
    """A layer with what is known of its filters.

    Attributes:
        layer: where it stands, and its weights.
        filters: strength, dead ones, duplicates, rank.
        pictures: (O, C, K, K), channels red, green, blue where there are three; None for a layer that reads features.
        kernels: in the order of the filters; none for a layer that reads features.
    """

    layer: LayerWeights
    filters: Filters
    pictures: npt.NDArray[np.float64] | None
    kernels: tuple[Kernel, ...]


def kernels(model: nn.Module, graph: Graph, layer: str | None = None, channel_order: str = "RGB") -> LayerKernels:
    """Measure the kernels of a layer.

    Args:
        model: in evaluation mode; only read.
        graph: as `photosite.graph.capture.capture` reads it.
        layer: a node or the path of a module; by default the first convolution that reads the picture.
        channel_order: of a picture of three channels, "RGB" or "BGR".
    Raises:
        UnknownNameError: there is neither node nor module of that name.
        PhotositeError: no convolution reads the picture, or the layer named has no weights.

    >>> import torch
    >>> from photosite.graph.capture import capture
    >>> model = nn.Sequential(nn.Conv2d(3, 4, 7))
    >>> with torch.no_grad():
    ...     _ = model[0].weight.copy_(torch.sin(torch.arange(7.0) * 1.6).expand(4, 3, 7, 7))
    >>> found = kernels(model, capture(model, torch.zeros(1, 3, 16, 16)))
    >>> {one.kind for one in found.kernels}, round(found.kernels[0].fit.orientation)
    ({'oriented'}, 90)
    """
    found = layer_weights(model, graph, layer)
    measured = filters(found.weight, found.groups, None if found.norm is None else found.norm.factor)
    if not found.reads_picture:
        return LayerKernels(found, measured, None, ())
    pictures = found.picture_kernels
    if pictures.shape[1] == 3 and channel_order == "BGR":
        pictures = pictures[:, ::-1]
    return LayerKernels(found, measured, pictures, describe(pictures, measured, found.dilation[-2:]))
