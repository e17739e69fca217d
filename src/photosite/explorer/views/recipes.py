"""Which recipe a question means, and the input that it makes of a photo, made once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError
from photosite.explorer.message import Question
from photosite.explorer.workspace import Photo, Workspace
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import RECIPES

INPUT_PIXELS_AT_MOST = 4 << 20
"""A page is not sent more pixels of an input than this."""


def chosen_recipe(workspace: Workspace, question: Question) -> Recipe:
    """The recipe that `recipe=` names, else that of `model=`, else ImageNet's.

    Raises:
        RangeError: no recipe has that name.
        UnknownNameError: there is no such model.
    """
    if "recipe" not in question.query and "model" in question.query:
        own = workspace.model(question.text("model")).recipe
        if own is not None:
            return own
    return RECIPES[question.choice("recipe", tuple(RECIPES), "imagenet")]


def model_input(workspace: Workspace, photo: Photo, recipe: Recipe) -> npt.NDArray[np.float32]:
    """What the recipe makes of a photo, with B = 1.

    Raises:
        RangeError: that is more than a page is sent.
    """
    height, width = recipe.geometry((photo.picture.shape[0], photo.picture.shape[1])).input_hw
    if height * width > INPUT_PIXELS_AT_MOST:
        raise RangeError(
            f"tensor: the recipe {recipe.name} makes {height} × {width} of this photo, more than is shown here; "
            "choose a recipe that resizes"
        )
    return workspace.once(("input", photo.key, recipe), lambda: recipe(photo.picture), lambda x: x.nbytes)


def level_table(recipe: Recipe) -> npt.NDArray[np.float32]:
    """(3, 256): what each level of red, green and blue becomes.

    >>> level_table(RECIPES["imagenet"])[:, 0].astype(float).round(3).tolist()
    [-2.118, -2.036, -1.804]
    """
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)  # (1, 256, 3)
    numbers = recipe.normalized(levels)[0]
    planes = numbers[:, 0] if recipe.layout == "BCHW" else numbers[0].T
    return np.ascontiguousarray(planes if recipe.channel_order == "RGB" else planes[::-1])
