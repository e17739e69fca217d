"""The weights of one layer of a captured model, filter by filter; and which convolution reads the picture itself.

Weights that a network computes (standardized, say) are computed; those of transposed and grouped convolutions are
turned so that a filter is what makes one channel of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from photosite.analysis.plans.folding import Scale
from photosite.errors import PhotositeError, ShapeError
from photosite.graph.capture import unwrap
from photosite.graph.execute import run
from photosite.graph.ir import Graph, Node, Ref
from photosite.graph.read import model_tensors

Array = npt.NDArray[np.float64]

CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
TRANSPOSED = frozenset({"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
LAYERS = CONVOLUTIONS | TRANSPOSED | {"linear"}
"""Kinds of operation whose second argument is a weight with an axis of filters."""
MIXING = LAYERS | {"matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention", "embedding"}
"""What comes out of these is no picture any more."""


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """A layer's weights.

    Attributes:
        node: the operation.
        name: of the weight: in the state dict, or of the node that computes it.
        weight: (O, C / groups, …): a filter for each channel that comes out; float64.
        dtype: that the network holds them in.
        groups: filters of a group read only that group's channels.
        stride: of the kernel, empty for a linear layer; likewise `dilation`.
        reads_picture: no other layer stands between the input and this one.
        way: kinds of operation between the input and this one, in order, where it reads the picture.
        norm: the batch norm that alone reads the result, as a factor and a shift a filter; None without one.
    """

    node: Node
    name: str
    weight: Array
    dtype: str
    groups: int
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    reads_picture: bool
    way: tuple[str, ...]
    norm: Scale | None

    @property
    def picture_kernels(self) -> Array:
        """What each filter makes of each channel of the picture: (O, C, K, K), 0 where it does not read a channel.

        A kernel of three axes is summed along its first one, time: so a still picture is seen, whose frames are alike.

        Raises:
            ShapeError: the layer reads no picture.
        """
        if not self.reads_picture:
            raise ShapeError(f"{self.node.name}: reads features, no picture; its kernels cannot be drawn as one")
        weight = self.weight.sum(2) if self.weight.ndim == 5 else self.weight
        filters, channels = len(weight), weight.shape[1]
        each = filters // self.groups
        found = np.zeros((filters, channels * self.groups, *weight.shape[2:]))
        for group in range(self.groups):
            ours = slice(group * each, (group + 1) * each)
            found[ours, group * channels : (group + 1) * channels] = weight[ours]
        return found


def layer_weights(model: nn.Module, graph: Graph, layer: str | None = None) -> LayerWeights:
    """Read the weights of a layer.

    Args:
        model: only read.
        graph: as `photosite.graph.capture.capture` reads it.
        layer: a node, or the path of a module, whose last convolution or linear layer is taken; by default the first
            convolution that reads the picture.
    Raises:
        UnknownNameError: there is neither node nor module of that name.
        PhotositeError: no convolution reads the picture, or the layer named has no weights.

    >>> from photosite.graph.capture import capture
    >>> stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)).eval()
    >>> found = layer_weights(stem, capture(stem, torch.zeros(1, 3, 16, 16)))
    >>> found.name, found.weight.shape, found.reads_picture, found.norm is not None
    ('0.weight', (8, 3, 7, 7), True, True)
    """
    reading = dict(picture_readers(graph))
    node = _first(graph, reading) if layer is None else _named(graph, layer)
    arguments = node.args
    assert isinstance(arguments[1], Ref)
    tensors = dict(model_tensors(unwrap(model)[0]))
    value = _weight(graph, tensors, arguments[1].name)
    stride, dilation, groups = _numbers(node, value.ndim - 2)
    weight = value.detach().cpu().double().numpy()
    if node.kind in TRANSPOSED:  # (C, O / groups, …)
        split = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
        weight = split.reshape(-1, *split.shape[2:])
    return LayerWeights(
        node,
        arguments[1].name,
        weight,
        str(value.dtype).removeprefix("torch."),
        groups,
        stride,
        dilation,
        node.name in reading and node.kind in ("conv2d", "conv3d"),
        reading.get(node.name, ()),
        _norm(graph, node, tensors),
    )


def picture_readers(graph: Graph) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Layers that read the picture itself, in order, each with the kinds of operation on the way to it."""
    ways: dict[str, tuple[str, ...] | None] = dict.fromkeys(graph.inputs, ())
    for node in graph:
        read = [ways[name] for name in node.inputs if name in ways]
        if not read:
            continue  # made of parameters and constants alone
        if node.kind not in MIXING:
            longest = max((way for way in read if way is not None), key=len, default=())
            ways[node.name] = None if None in read else (*longest, node.kind)
            continue
        ways[node.name] = None
        data = node.args[0] if node.args else None
        way = ways.get(data.name) if isinstance(data, Ref) else None
        if node.kind in LAYERS and way is not None:
            yield node.name, way


def _first(graph: Graph, reading: Mapping[str, tuple[str, ...]]) -> Node:
    found = next((graph.node(name) for name in reading if graph.node(name).kind in ("conv2d", "conv3d")), None)
    if found is not None:
        return found
    others = ", ".join(f"{name} ({graph.node(name).kind})" for name in list(reading)[:4])
    raise PhotositeError(
        "kernels: no convolution reads the picture itself"
        + (f"; read by {others}; --layer names one" if others else "; --layer names another layer")
    )


def _named(graph: Graph, layer: str) -> Node:
    """The node of that name; of a module its last layer with weights."""
    found = graph.find(layer)
    inside = [found] if layer in graph else graph.by_module(layer)
    layers = [node for node in inside if node.kind in LAYERS]
    if not layers:
        raise PhotositeError(f"kernels: {layer} holds no convolution and no linear layer, but {found.kind}")
    return layers[-1]


def _weight(graph: Graph, tensors: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    """A parameter, a constant, or what operations make of those."""
    needed, stack = set(), [name]
    while stack:
        one = stack.pop()
        if one in graph and one not in needed:
            needed.add(one)
            stack += graph.node(one).inputs
        elif one in graph.inputs:
            raise PhotositeError(f"kernels: {name} is made from the picture: it has no kernels of its own")
    constants = {key: torch.from_numpy(constant.array.copy()) for key, constant in graph.constants.items()}
    values = {**tensors, **constants}
    with torch.no_grad():
        for node in graph:
            if node.name in needed:
                values |= {read: values[read].clone() for read in node.writes}  # the model's own stay as they are
                values[node.name] = run(node, values)
    return values[name]


def _numbers(node: Node, axes: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Stride and dilation of each axis, and groups."""
    if node.kind == "linear":
        return (), (), 1
    # transposed: input, weight, bias, stride, padding, output padding, groups, dilation
    places = (3, 7, 6) if node.kind in TRANSPOSED else (3, 5, 6)
    stride, dilation, groups = (node.args[place] if place < len(node.args) else 1 for place in places)
    assert isinstance(groups, int)

    def of(value: object) -> tuple[int, ...]:
        several = value if isinstance(value, tuple) else (value,)
        return tuple(int(one) for one in several) * (axes // len(several))

    return of(stride), of(dilation), groups


def _norm(graph: Graph, node: Node, tensors: Mapping[str, torch.Tensor]) -> Scale | None:
    readers = graph.consumers(node.name)
    if len(readers) != 1 or node.name in graph.outputs:
        return None
    (norm,) = readers
    if norm.kind != "batch_norm" or norm.args[5] is not False or "running_mean" not in norm.parameters:
        return None
    names = [one.name for one in norm.args[1:5] if isinstance(one, Ref)]
    if not all(name in tensors for name in names):
        return None
    return Scale.of(norm, {name: tensors[name].detach().cpu().double().numpy() for name in names})
