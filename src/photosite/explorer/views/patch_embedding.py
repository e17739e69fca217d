"""A photo cut into patches, and one filter's number for each: by a convolution, and by rows times a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from photosite.analysis.layer_weights import layer_weights
from photosite.errors import PhotositeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.first_layer import bias_of, padding_of
from photosite.explorer.views.recipes import level_table, model_input
from photosite.explorer.workspace import Model, Workspace
from photosite.ops.convolution import conv
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import RECIPES
from photosite.report.numbers import plain

Array = npt.NDArray[np.float64]
SIDES = (4, 64)
"""The smallest and the largest side of a patch."""
RANDOM_FILTERS = 64


@dataclass(frozen=True, eq=False)
class Embedding:
    """What makes a token of a patch.

    Attributes:
        layer: name of its weight in the model; "" for random numbers.
        weight: (D, 3, P, P), channels red, green, blue.
        bias: (D,).
    """

    layer: str
    weight: Array
    bias: Array


def patch_embedding(workspace: Workspace, question: Question) -> Answer:
    """A model's input cut into patches, and one number for each.

    Args:
        workspace: has the photo and the models.
        question: `photo`; `model`, by its name, which is built if need be, or "none"; if not given, the one that is
            open, if it looks as if it had a patch embedding; `patch`, its side, if not given the model's own, or 16;
            `filter`.
    Returns:
        The model's input, ImageNet's without one: `picture` (H, W, 3) uint8, and `x` (3, H, W) float32; `weight`
        (3, P, P) and `bias` (1,) of the filter, float64, learned where the model's own patches are as large, else
        random; `by_convolution` and `by_rows` (h, w), its numbers. The sizes that leave nothing over, the model's own;
        in words the weights, what is left over, how far both ways agree over all filters, and what it costs: what, by
        which formula, how much.
    Raises:
        UnknownNameError: no such photo or model.
    """
    photo = workspace.photo(question.text("photo"))
    used = used_embedding(workspace, question)
    model, recipe, x, embedding, side, its = used.model, used.recipe, used.x, used.embedding, used.side, used.its
    height, width = x.shape[1:]
    filters, chosen = len(embedding.weight), used.filter
    most = min(SIDES[1], height, width)

    def make() -> tuple[Array, Array]:
        convolved = conv(x.astype(np.float64), embedding.weight, embedding.bias, stride=side)
        product = rows_of(x.astype(np.float64), side) @ embedding.weight.reshape(filters, -1).T + embedding.bias
        return np.ascontiguousarray(convolved), product.T.reshape(convolved.shape)

    key = ("patch embedding", photo.key, recipe, side, model.key if model is not None and its == side else "")
    by_convolution, by_rows = workspace.once(key, make, lambda both: both[0].nbytes + both[1].nbytes)
    rows, columns = by_convolution.shape[1:]
    difference, size = float(np.abs(by_convolution - by_rows).max()), float(np.abs(by_convolution).max())
    return pack(
        {
            "model": "none" if model is None else model.name,
            "recipe": recipe.name,
            "patch": side,
            "filter": chosen,
            "filters": filters,
            "own": its,
            "even": [one for one in range(SIDES[0], most + 1) if height % one == width % one == 0],
            "words": used.words,
            "agreement": f"photosite.ops.conv, and a product of {rows * columns} rows by {filters} × {3 * side**2} "
            f"weights: largest difference {difference:.2g}, of numbers up to {size:.3g}",
            "left": _left(height, width, side),
            "costs": _costs(height, width, side, filters),
        },
        {
            "picture": _levels(x, recipe),
            "x": x,
            "weight": embedding.weight[chosen],
            "bias": embedding.bias[chosen : chosen + 1],
            "by_convolution": by_convolution[chosen],
            "by_rows": by_rows[chosen],
        },
    )


@dataclass(frozen=True, eq=False)
class Used:
    """What a question about patches is answered with.

    Attributes:
        model: whose patch embedding it may be; None for none.
        recipe: of the input.
        x: (3, H, W) float32, the input, channels red, green, blue.
        embedding: the weights.
        side: of a patch.
        its: side of the model's own patches; 0 where it has none.
        filter: that is looked at.
        words: whose weights these are.
    """

    model: Model | None
    recipe: Recipe
    x: npt.NDArray[np.float32]
    embedding: Embedding
    side: int
    its: int
    filter: int
    words: str


def used_embedding(workspace: Workspace, question: Question) -> Used:
    """Input and weights of a question, as for `patch_embedding`."""
    photo = workspace.photo(question.text("photo"))
    model = _model(workspace, question.text("model", ""))
    own, words = None, ""
    if model is not None:
        try:
            own = workspace.once(
                ("patches of", model.key), lambda: learned(workspace, model), lambda e: e.weight.nbytes
            )
        except PhotositeError as error:
            words = f"; {error}"
    question.check()
    recipe = model.recipe if model is not None and model.recipe is not None else RECIPES["imagenet"]
    planes = np.moveaxis(model_input(workspace, photo, recipe)[0], recipe.layout.index("C") - 1, 0)
    x = planes if recipe.channel_order == "RGB" else planes[::-1]
    most = min(SIDES[1], *x.shape[1:])
    its = 0 if own is None else own.weight.shape[2]
    side = question.integer("patch", SIDES[0], most, its or min(16, most))
    if model is not None and own is not None and its == side:
        embedding = own
        words = f"{model.name} learned {len(own.weight)} filters of 3 × {side} × {side}: {own.layer}"
    else:
        embedding = random_embedding(side)
        words = f"{RANDOM_FILTERS} random filters, seed 0{words}" + (
            f"; the model's own are {its} × {its}" if its else ""
        )
    chosen = min(question.integer("filter", 0, 1 << 20, 0), len(embedding.weight) - 1)
    return Used(model, recipe, x, embedding, side, its, chosen, words)


def _model(workspace: Workspace, name: str) -> Model | None:
    """The model that a question means."""
    if name:
        return None if name == "none" else workspace.build(name)
    for model in workspace.models()[:1]:
        for layer in model.network.modules():
            if isinstance(layer, nn.Conv2d) and layer.in_channels == 3 and layer.kernel_size == layer.stride:
                return model
    return None


def _levels(x: npt.NDArray[np.float32], recipe: Recipe) -> npt.NDArray[np.uint8]:
    """The levels behind an input's numbers: what is seen of it."""
    table = level_table(recipe)[:, :, None, None]
    low, high = table[:, 0], table[:, 255]
    return np.ascontiguousarray(np.moveaxis(np.clip(np.rint(255 * (x - low) / (high - low)), 0, 255), 0, -1)).astype(
        np.uint8
    )


def _left(height: int, width: int, side: int) -> str:
    """What a patch size leaves over."""
    parts = [f"{length} = {length // side} · {side}" for length in (height, width)]
    if height % side == width % side == 0:
        return f"{', '.join(dict.fromkeys(parts))}: nothing is left over"
    parts = [f"{part} + {length % side}" for part, length in zip(parts, (height, width), strict=True)]
    return f"{', '.join(dict.fromkeys(parts))}: what is left below and at the right is cut off, no patch reads it"


def _costs(height: int, width: int, side: int, filters: int) -> list[tuple[str, str, str, str]]:
    """What a patch size costs: what, by which formula, how much, and what is to be said of it."""
    tokens, numbers = height // side * (width // side), 3 * side**2
    squared = ", in each head: half the patch size, 4 times the tokens, 16 times the pairs"
    return [
        ("tokens", f"N = ⌊H / P⌋ · ⌊W / P⌋ = ⌊{height} / {side}⌋ · ⌊{width} / {side}⌋", plain(tokens), ""),
        ("numbers of a patch", f"3 · P² = 3 · {side}²", plain(numbers), f", of which a token keeps D = {filters}"),
        ("parameters", f"D · (3 · P² + 1) = {filters} · ({plain(numbers)} + 1)", plain(filters * (numbers + 1)), ""),
        ("multiply-adds of the embedding", "N · 3 · P² · D", plain(tokens * numbers * filters), ", hardly moved by P"),
        ("pairs that attention looks at", f"N² = {plain(tokens)}²", plain(tokens**2), squared),
    ]


def rows_of(x: Array, side: int) -> Array:
    """The unfolded picture: a row a patch, its channels one behind the other, each row by row; (N, C · P · P).

    Args:
        x: (C, H, W); what is left of the last whole patches is cut off.
        side: P.

    >>> rows_of(np.arange(8.0).reshape(1, 2, 4), 2).tolist()
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
    """
    channels, (down, across) = len(x), (length // side for length in x.shape[1:])
    cut = x[:, : down * side, : across * side].reshape(channels, down, side, across, side)
    return cut.transpose(1, 3, 0, 2, 4).reshape(down * across, -1)


def learned(workspace: Workspace, model: Model) -> Embedding:
    """The weights of a model's patch embedding.

    Raises:
        PhotositeError: the first convolution that reads the picture is none, or there is no such convolution.
    """
    graph = workspace.graph(model)
    try:
        found = layer_weights(model.network, graph)
    except PhotositeError as error:
        raise PhotositeError(f"{model.name}: no convolution reads the picture itself") from error
    pictures = found.picture_kernels
    kernel, padding = pictures.shape[2:], (0,) * (pictures.ndim - 2)
    if found.node.kind == "conv2d":
        padding = padding_of(model, found.node, kernel, found.dilation)
    if (
        (found.node.kind, pictures.shape[1]) != ("conv2d", 3)
        or len({*kernel, *found.stride}) != 1
        or {*padding} != {0}
        or not SIDES[0] <= kernel[0] <= SIDES[1]
    ):
        of = (("kernel", kernel), ("stride", found.stride), ("padding", padding))
        said = ", ".join(f"{name} {' × '.join(map(str, sizes))}" for name, sizes in of)
        raise PhotositeError(f"{model.name}: {found.name} makes no patches, {said}")
    if model.recipe is not None and model.recipe.channel_order == "BGR":
        pictures = pictures[:, ::-1]
    bias = bias_of(model, found.node)
    return Embedding(found.name, pictures, np.zeros(len(pictures)) if bias is None else bias)


def random_embedding(side: int) -> Embedding:
    """`RANDOM_FILTERS` filters whose numbers keep the variance of what they read, from seed 0."""
    weight = np.random.default_rng(0).normal(size=(RANDOM_FILTERS, 3, side, side)) / np.sqrt(3 * side**2)
    return Embedding("", weight, np.zeros(RANDOM_FILTERS))
