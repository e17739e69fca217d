"""A photo at a size where its pixels are seen as cells: all of it made small, or a square cut out of it."""

from __future__ import annotations

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.recipes import chosen_recipe, level_table
from photosite.explorer.workspace import Workspace
from photosite.prep.fast import resize
from photosite.prep.recipe import Picture

SIDES = (4, 256)
"""The smallest and the largest side of a patch."""


def patch(workspace: Workspace, question: Question) -> Answer:
    """The patch, and what a recipe makes of each level.

    Args:
        workspace: has the photo.
        question: as for `patch_of`; `recipe` or `model`.
    Returns:
        `picture` (h, w, 3) uint8; `table` (3, 256) float32 as of `tensor`; `box` of the photo, (top, left, bottom,
        right).
    """
    picture, box = patch_of(workspace, question)
    recipe = chosen_recipe(workspace, question)
    return pack({"box": box, "recipe": recipe.name}, {"picture": picture, "table": level_table(recipe)})


def patch_of(workspace: Workspace, question: Question) -> tuple[Picture, tuple[int, int, int, int]]:
    """The patch that a question means, and the part of the photo that it shows.

    Args:
        workspace: has the photo.
        question: `photo`; `side`; `cut=whole`, which brings the longer side to `side`, or `cut=square`, which keeps
            pixels as they are, around `cx`, `cy` as far as the photo goes.
    Raises:
        RangeError: a number is out of range.
    """
    photo = workspace.photo(question.text("photo"))
    side = question.integer("side", *SIDES, 32)
    height, width = photo.picture.shape[:2]
    if question.choice("cut", ("whole", "square"), "whole") == "whole":
        longer = max(height, width)
        size_hw = (max(1, round(height * side / longer)), max(1, round(width * side / longer)))
        made = workspace.once(
            ("patch", photo.key, size_hw), lambda: resize(photo.picture, size_hw, "bilinear"), lambda one: one.nbytes
        )
        return made, (0, 0, height, width)
    x = question.integer("cx", 0, width - 1, width // 2)
    y = question.integer("cy", 0, height - 1, height // 2)
    top, left = (max(0, min(at - side // 2, size - side)) for at, size in ((y, height), (x, width)))
    bottom, right = min(top + side, height), min(left + side, width)
    return photo.picture[top:bottom, left:right], (top, left, bottom, right)
