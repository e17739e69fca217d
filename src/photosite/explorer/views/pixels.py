"""One pixel of a photo as `photosite pixels` gives it: what a page does not compute itself is the sensor."""

from __future__ import annotations

from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.recipes import chosen_recipe, model_input
from photosite.explorer.workspace import Workspace
from photosite.sensor import PATTERNS
from photosite.trace.pixel import pixel_at, pixel_json


def pixels(workspace: Workspace, question: Question) -> Answer:
    """Everything about one pixel.

    Args:
        workspace: has the photo.
        question: `photo`, `x`, `y`; `recipe` or `model`; `pattern` of the mosaic.
    Returns:
        What `photosite.trace.pixel.pixel_json` says.
    """
    photo = workspace.photo(question.text("photo"))
    height, width = photo.picture.shape[:2]
    at_xy = question.integer("x", 0, width - 1), question.integer("y", 0, height - 1)
    pattern = question.choice("pattern", tuple(PATTERNS), "RGGB")
    recipe = chosen_recipe(workspace, question)
    x = model_input(workspace, photo, recipe)
    question.check()
    return pack(pixel_json(pixel_at(photo.picture, at_xy, recipe, pattern=pattern, model_input=x)))
