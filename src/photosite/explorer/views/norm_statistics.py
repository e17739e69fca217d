"""What a norm of a model does to a photo: mean and variance of each channel and of each place, before it and behind."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
import torch

from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.recipes import chosen_recipe, model_input
from photosite.explorer.workspace import Workspace
from photosite.graph.execute import execute
from photosite.graph.ir import Graph, Node

Array = npt.NDArray[np.float64]
CHANNELS_SECOND = frozenset({"batch_norm", "group_norm", "instance_norm"})
"""Norms that read (B, C, …)."""
CHANNELS_LAST = frozenset({"layer_norm", "rms_norm"})
"""Norms that read (B, …, D)."""


def norm_statistics(workspace: Workspace, question: Question) -> Answer:
    """Statistics around one norm of a model.

    Args:
        workspace: has the photo and the model.
        question: `photo`, `model`; `norm`, the number of one among all in their order, or else the last that reads more
            than one place.
    Returns:
        `before` and `behind`: `channel_mean`, `channel_variance` (C,), `place_mean`, `place_variance` (N,), float64;
        all norms as [name, kind, shape]; the number of the one that is shown.
    Raises:
        PhotositeError: the model has no norm over a map or tokens.
    """
    photo, model = workspace.photo(question.text("photo")), workspace.model(question.text("model"))
    recipe = chosen_recipe(workspace, question)
    x = torch.from_numpy(np.ascontiguousarray(model_input(workspace, photo, recipe)))
    graph = workspace.graph(model, tuple(x.shape))
    question.check()
    norms = _norms(graph)
    if not norms:
        raise PhotositeError(f"{model.name}: has no norm over a map or tokens, so there are no statistics to show")
    number = question.integer("norm", 0, len(norms) - 1, len(norms) - 1)
    node = norms[number]

    def made() -> dict[str, Array]:
        read = node.inputs[0]
        names = {read, node.name} - set(graph.inputs)
        kept = dict(execute(graph, model.network, x, keep=names).kept)
        kept.setdefault(read, x)
        sides = {"before": kept[read], "behind": kept[node.name]}
        return {
            f"{side} {name}": array
            for side, value in sides.items()
            for name, array in statistics(_tokens(value.detach().double().numpy(), node)).items()
        }

    arrays = workspace.once(("norm", model.key, photo.key, recipe, number), made, lambda all: _octets(all))
    words = [[one.module or one.name, one.kind, list(one.shape)] for one in norms]
    return pack({"norms": words, "number": number, "recipe": recipe.name}, arrays)


def statistics(tokens: Array) -> dict[str, Array]:
    """Means and biased variances over either axis.

    Args:
        tokens: (N, D), a place each row.

    >>> {name: array.tolist() for name, array in statistics(np.array([[1.0, 3.0], [5.0, 5.0]])).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'channel_mean': [3.0, 4.0], 'channel_variance': [4.0, 1.0], 'place_mean': [2.0, 5.0],
     'place_variance': [1.0, 0.0]}
    """
    return {
        "channel_mean": tokens.mean(0),
        "channel_variance": tokens.var(0),
        "place_mean": tokens.mean(1),
        "place_variance": tokens.var(1),
    }


def _norms(graph: Graph) -> list[Node]:
    """Norms over more than one place."""
    return [
        node
        for node in graph
        if (node.kind in CHANNELS_SECOND and len(node.shape) > 2)
        or (node.kind in CHANNELS_LAST and _over_one_axis(node) and prod(node.shape[1:-1]) > 1)
    ]


def _over_one_axis(node: Node) -> bool:
    sides = node.args[1] if len(node.args) > 1 else None
    return isinstance(sides, tuple) and len(sides) == 1


def _tokens(value: Array, node: Node) -> Array:
    """(N, D): places as rows, of one picture."""
    first: Array = value[0]
    return first.reshape(len(first), -1).T if node.kind in CHANNELS_SECOND else first.reshape(-1, first.shape[-1])


def _octets(arrays: dict[str, Array]) -> int:
    return sum(one.nbytes for one in arrays.values())
