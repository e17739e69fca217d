"""The kernels that a model learned for the picture itself: its first convolution, with its stride and its padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from photosite.analysis.layer_weights import layer_weights
from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.workspace import Model, Workspace
from photosite.graph.capture import unwrap
from photosite.graph.ir import Node, Ref
from photosite.graph.read import model_tensors


def first_layer(workspace: Workspace, question: Question) -> Answer:
    """The first convolution that reads the picture.

    Args:
        workspace: has the model.
        question: `model`.
    Returns:
        `weight` (O, 3, K, L) float32, channels red, green, blue; `bias` (O,), zeros where the layer has none; its name,
        and stride, padding and dilation for rows and columns.
    Raises:
        PhotositeError: no convolution of two axes reads a picture of three channels, or its padding has no number.
    """
    model = workspace.model(question.text("model"))
    graph = workspace.graph(model)
    question.check()
    found = layer_weights(model.network, graph)
    pictures = found.picture_kernels
    if pictures.shape[1] != 3 or found.node.kind != "conv2d":
        raise PhotositeError(
            f"{model.name}: {found.node.name} ({found.node.kind}) reads {pictures.shape[1]} channels, not a photo"
        )
    if model.recipe is not None and model.recipe.channel_order == "BGR":
        pictures = pictures[:, ::-1]
    return pack(
        {
            "layer": found.name,
            "groups": found.groups,
            "stride": found.stride,
            "padding": padding_of(model, found.node, pictures.shape[2:], found.dilation),
            "dilation": found.dilation,
            "has_bias": bias_of(model, found.node) is not None,
            "notes": model.notes,
        },
        {
            "weight": pictures.astype(np.float32),
            "bias": np.zeros(len(pictures), np.float32)
            if (bias := bias_of(model, found.node)) is None
            else bias.astype(np.float32),
        },
    )


def bias_of(model: Model, node: Node) -> Any:
    """The bias of a layer, (O,), or None where it has none.

    Raises:
        PhotositeError: it is computed by the network, not held.
    """
    given = node.args[2] if len(node.args) > 2 else None
    if not isinstance(given, Ref):
        return None
    tensors = dict(model_tensors(unwrap(model.network)[0]))
    if given.name not in tensors:
        raise PhotositeError(f"{model.name}: the bias of {node.name} is computed, not held")
    return tensors[given.name].detach().cpu().double().numpy()


def padding_of(model: Model, node: Node, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """Zeros at both ends of rows and columns.

    Raises:
        PhotositeError: they are not as many at both ends.
    """
    given = node.args[4] if len(node.args) > 4 else 0
    if given == "valid":
        return 0, 0
    if given == "same" and all(d * (k - 1) % 2 == 0 for d, k in zip(dilation, kernel, strict=True)):
        return tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    several = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(one, int) for one in several):
        raise PhotositeError(f"{model.name}: {node.name} is padded by {given!r}, more on one side than on the other")
    return tuple(int(str(one)) for one in several) * (2 // len(several))
