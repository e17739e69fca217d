"""The recipes that have a name, and the way from a name to a recipe.

A name is that of an entry in `RECIPES`, or NAME@SIZE for the same recipe at another size.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from photosite.errors import RangeError, UnknownNameError
from photosite.prep.fields import MAX_SIZE
from photosite.prep.recipe import Recipe

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's R, G, B in 0 … 1, as published with torchvision's and most other weights."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's R, G, B in 0 … 1, likewise."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of R, G, B in 0 … 1 over the pictures that CLIP was trained on, as published with its code."""
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Standard deviation over the same pictures, likewise."""
HALF = (0.5, 0.5, 0.5)
"""Mean and standard deviation of all networks that take R, G, B in -1 … 1: SigLIP, the first ViT, Inception."""
CIFAR10_MEAN = (0.4913, 0.4821, 0.4465)
"""Mean of R, G, B in 0 … 1 over all pixels of CIFAR-10's 50,000 training pictures, measured on JPEGs."""
CIFAR10_STD = (0.2452, 0.2428, 0.2606)
"""Standard deviation over the same pixels; the original ones have (0.2470, 0.2435, 0.2616), JPEG takes a little."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="imagenet",
                resize="shortest",
                size_hw=(256, 256),
                interpolation="bilinear",
                crop_hw=(224, 224),
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                source="torchvision's transforms of ResNet50_Weights.IMAGENET1K_V1 (resize_size=256, crop_size=224)",
            ),
            Recipe(
                name="clip",
                resize="shortest",
                size_hw=(224, 224),
                interpolation="bicubic",
                crop_hw=(224, 224),
                mean=CLIP_MEAN,
                std=CLIP_STD,
                source="github.com/openai/CLIP, clip.py: Resize(224, BICUBIC), CenterCrop, Normalize",
            ),
            Recipe(
                name="siglip",
                resize="squash",
                size_hw=(224, 224),
                interpolation="bicubic",
                crop_hw=None,
                mean=HALF,
                std=HALF,
                source="transformers' SiglipImageProcessor of google/siglip-base-patch16-224",
            ),
            Recipe(
                name="cifar10",
                resize="shortest",
                size_hw=(32, 32),
                interpolation="bilinear",
                crop_hw=(32, 32),
                mean=CIFAR10_MEAN,
                std=CIFAR10_STD,
                source="mean and std over all pixels of CIFAR-10's 50,000 training pictures, measured on JPEGs",
            ),
            Recipe(
                name="cifar10-imagenet-norm",
                resize="shortest",
                size_hw=(32, 32),
                interpolation="bilinear",
                crop_hw=(32, 32),
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                source="akamaster/pytorch_resnet_cifar10: CIFAR checkpoints trained with ImageNet's mean and std",
            ),
        )
    }
)
"""Every recipe that has a name."""


def list_recipes() -> list[str]:
    """The names of all recipes, sorted.

    >>> list_recipes()
    ['cifar10', 'cifar10-imagenet-norm', 'clip', 'imagenet', 'siglip']
    """
    return sorted(RECIPES)


def get_recipe(name: str) -> Recipe:
    """The recipe of a name, also at another size.

    Args:
        name: 'imagenet', say, or 'imagenet@448'; upper and lower case are the same.
    Raises:
        UnknownNameError: no recipe has that name; near names are suggested.
        RangeError: what stands behind '@' is not a size.

    >>> get_recipe("imagenet@448").crop_hw
    (448, 448)
    """
    base, at, size = name.lower().partition("@")
    if base not in RECIPES:
        raise UnknownNameError("recipe", base, RECIPES)
    if not at:
        return RECIPES[base]
    if not (size.isascii() and size.isdigit() and len(size) <= len(str(MAX_SIZE))):
        raise RangeError(f"recipe {name!r}: wants NAME@SIZE with a size from 1 to {MAX_SIZE}, got {size!r}")
    return RECIPES[base].at(int(size))
