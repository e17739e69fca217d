"""What a recipe does, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any


def explained(fields: Mapping[str, Any]) -> list[str]:
    """A line for each step of a recipe in order, and last where its numbers come from.

    Args:
        fields: the recipe's fields by name, as `Recipe` has them.
    """
    recipe = SimpleNamespace(**fields)
    height, width = recipe.size_hw or (0, 0)
    how = f"{recipe.interpolation}{'' if recipe.interpolation == 'nearest' else ', antialiased as Pillow does'}"
    first = ", the larger half first" if recipe.pad_first == "larger" else ""
    lines = {
        "shortest": f"resize: the shorter side to {height}, the longer in proportion, rounded down; {how}",
        "longest": f"resize: the longer side to {height}, the shorter in proportion, rounded down; {how}; "
        f"then pad to {height} × {width} with {recipe.pad_color}{first}",
        "squash": f"resize: to {height} × {width}, proportions not kept; {how}",
        "cover": f"resize: in proportion, as small as covers {height} × {width}, sides rounded; {how}",
        "contain": f"resize: in proportion, as large as fits into {height} × {width}, sides rounded; {how}",
        "none": "resize: none, pixels stay as they are",
    }
    halves = "half to even" if recipe.crop_rounding == "round" else "down"
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (recipe.mean, recipe.std))
    return [
        lines[recipe.resize],
        "crop: none"
        if recipe.crop_hw is None
        else f"crop: the center {recipe.crop_hw[0]} × {recipe.crop_hw[1]}, half pixels rounded {halves}; "
        f"{recipe.pad_color} where the picture is smaller{first}",
        f"scale: levels 0 … 255 times {_ratio_text(recipe.scale)}",
        f"normalize: subtract mean ({mean}), divide by std ({std}), channels {', '.join(recipe.channel_order)}",
        f"layout: {recipe.layout}, float32, {recipe.channel_order}",
        f"source: {recipe.source or 'not stated'}",
    ]


def _ratio_text(scale: float) -> str:
    """A scale as people write it: 1/255, 1."""
    return f"1/{round(1 / scale)}" if scale < 1 and 1 / round(1 / scale) == scale else f"{scale:g}"
