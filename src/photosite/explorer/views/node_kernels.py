"""The kernels of any convolution that reads the picture itself, as pictures of red, green and blue."""

from __future__ import annotations

import numpy as np

from photosite.analysis.layer_weights import layer_weights
from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.captured import looked
from photosite.explorer.workspace import Workspace


def node_kernels(workspace: Workspace, question: Question) -> Answer:
    """A node's kernels.

    Args:
        workspace: has photo and model.
        question: `photo`, `model`, `node`.
    Returns:
        `weight` (O, 3, K, L) float32, channels red, green, blue.
    Raises:
        ShapeError: the node reads features.
        PhotositeError: it has no weights, or reads no photo of three channels.
    """
    seen = looked(workspace, question)
    model = seen.captured.model
    found = layer_weights(model.network, seen.captured.graph, question.text("node"))
    kernels = found.picture_kernels
    if kernels.shape[1] != 3:
        raise PhotositeError(f"{model.name}: {found.node.name} reads {kernels.shape[1]} channels, not a photo")
    if model.recipe is not None and model.recipe.channel_order == "BGR":
        kernels = kernels[:, ::-1]
    return pack({"node": found.node.name, "layer": found.name}, {"weight": kernels.astype(np.float32)})
