"""The tensor that a photo becomes, every number of it, and how to find a photo's pixel in it."""

from __future__ import annotations

import numpy as np

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.recipes import chosen_recipe, level_table, model_input
from photosite.explorer.workspace import Workspace
from photosite.prep.recipes import RECIPES


def tensor(workspace: Workspace, question: Question) -> Answer:
    """A model's input.

    Args:
        workspace: has the photo.
        question: `photo`; `recipe` or `model`.
    Returns:
        `x` (3, h, w) float32, channels red, green, blue whatever the recipe's order; `table` (3, 256) float32, what
        each level becomes; the recipe; and the sizes of photo, resized photo and input with the place in the resized
        photo where the input begins, as of `photosite.prep.geometry.Geometry`.
    """
    photo = workspace.photo(question.text("photo"))
    recipe = chosen_recipe(workspace, question)
    planes = np.moveaxis(model_input(workspace, photo, recipe)[0], recipe.layout.index("C") - 1, 0)
    geometry = recipe.geometry((photo.picture.shape[0], photo.picture.shape[1]))
    return pack(
        {
            "recipe": recipe.name,
            "recipes": list(RECIPES),
            "mean": recipe.mean,
            "std": recipe.std,
            "channel_order": recipe.channel_order,
            "layout": recipe.layout,
            "input_hw": geometry.input_hw,
            "picture_hw": geometry.picture_hw,
            "resized_hw": geometry.resized_hw,
            "start_hw": geometry.start_hw,
        },
        {"x": planes if recipe.channel_order == "RGB" else planes[::-1], "table": level_table(recipe)},
    )
