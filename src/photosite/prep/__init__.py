"""Opening pictures, and turning them into what a network takes.

`load` and `load_many` are named after their files, so they stand in `photosite` itself.
"""

from photosite.prep.fast import resize
from photosite.prep.layout import check_input, suspicions, to_layout
from photosite.prep.published import recipe_from_huggingface, recipe_from_timm, recipe_from_torchvision
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe, list_recipes

__all__ = [
    "Recipe",
    "check_input",
    "get_recipe",
    "list_recipes",
    "recipe_from_huggingface",
    "recipe_from_timm",
    "recipe_from_torchvision",
    "resize",
    "suspicions",
    "to_layout",
]
