"""What the commands on one model share: the model that was named, and something for it to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from photosite.graph.ir import Graph
    from photosite.ops.arrays import Array
    from photosite.prep.geometry import Geometry
    from photosite.prep.recipe import Picture, Recipe

SIDE = 224
"""Side of the input where neither the model nor the user says one."""


class ModelInput(NamedTuple):
    """A model and something for it to look at.

    Attributes:
        model: in evaluation mode.
        x: (B, 3, H, W) float32, or as the recipe's layout says.
        picture: the photo that x was made from, (H, W, 3) uint8; None where x is noise.
        recipe: how it was made; None where the model does not say one.
    """

    model: nn.Module
    x: Array
    picture: Picture | None
    recipe: Recipe | None

    @property
    def geometry(self) -> Geometry | None:
        """Where the photo's pixels went; None without a photo."""
        if self.picture is None or self.recipe is None:
            return None
        return self.recipe.geometry(self.picture.shape[:2])

    def graph(self, batch: int = 1) -> Graph:
        """The model as a functional graph, for so many pictures at once."""
        import torch

        from photosite.graph.capture import capture
        from photosite.graph.functional import functional

        x = torch.from_numpy(self.x[:1])
        return functional(capture(self.model, x.repeat(batch, *[1] * (x.ndim - 1))))


def model_and_input(
    spec: str,
    weights: str | None,
    recipe: str | None,
    size: int | None,
    image: Path | None,
    batch: int,
    **load_options: Any,
) -> ModelInput:
    """The model, and its input: a photo as its recipe prepares it, or noise (always the same).

    Args:
        spec: the model, as `photosite.nets.sources.find_model` takes it.
        weights: likewise.
        recipe: how a photo becomes the input; the model's own for None.
        size: side of the input in pixels; the recipe's for None.
        image: a photo, or None for noise.
        batch: how many pictures; a photo is taken that often, each time moved along by a pixel.
        **load_options: of `photosite.prep.load.load`.
    Raises:
        RangeError: no picture, or a photo for a model whose recipe is not known.
    """
    import numpy as np

    from photosite.errors import RangeError
    from photosite.nets.sources import find_model, find_recipe
    from photosite.prep.load import load

    if batch < 1:
        raise RangeError(f"--batch wants at least 1, got {batch}")
    picture = load(image, **load_options) if image is not None else None  # refused before a model is built
    model = find_model(spec, weights)
    chosen = find_recipe(recipe) if recipe else getattr(model, "photo_recipe", None)
    if chosen is not None and size is not None:
        chosen = chosen.at(size)
    if picture is not None:
        if chosen is None:
            raise RangeError(f"{spec} does not say how pictures become its input; give --recipe")
        x = np.concatenate([chosen(np.roll(picture, number, 1)) for number in range(batch)])
        return ModelInput(model, x, picture, chosen)
    height, width = (chosen.input_hw if chosen is not None else None) or (size or SIDE, size or SIDE)
    shape = (3, height, width) if chosen is None or chosen.layout == "BCHW" else (height, width, 3)
    x = np.random.default_rng(0).normal(size=(batch, *shape)).astype(np.float32)
    return ModelInput(model, x, None, chosen)
