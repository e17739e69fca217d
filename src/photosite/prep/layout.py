"""Layouts by name, and what an input looks like that was made the wrong way.

A layout is a word of the letters B (batch), C (channels), H (rows), W (columns), outermost axis first. `check_input`
raises for what is certain; `suspicions` lists what is only likely, with the numbers that speak for it.
Arrays are NumPy's or torch's: torch is never imported, its tensors are asked for what they can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError
from photosite.prep.recipe import Picture, Recipe
from photosite.prep.recipes import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD

Array = TypeVar("Array")
Floats = npt.NDArray[np.float64]
Normalization = tuple[float, Sequence[float], Sequence[float]]
"""From levels to numbers: scale, mean and std, as a recipe has them."""

BEYOND = 1 / 3
"""By how much of its range an input may leave what levels become. Where floats are resized, filters with negative lobes
overshoot, bicubic by up to 0.22 on photos and 0.25 at a corner; what was not normalized, or twice, lies farther out."""
WHOLE = 0.1
"""How far from whole numbers levels may be on average and still count as whole: those of half precision are 0.02 off,
those undone with a wrong mean and std 0.25."""

KNOWN: dict[str, Normalization] = {
    "0 … 255, not normalized": (1.0, (0.0,) * 3, (1.0,) * 3),
    "0 … 1, not normalized": (1 / 255, (0.0,) * 3, (1.0,) * 3),
    "-1 … 1": (1 / 255, HALF, HALF),
    "ImageNet's mean and std": (1 / 255, IMAGENET_MEAN, IMAGENET_STD),
    "CLIP's mean and std": (1 / 255, CLIP_MEAN, CLIP_STD),
}
"""The usual ways to make numbers of levels, by name; mean and std in the order R, G, B."""


def to_layout(x: Array, have: str, want: str) -> Array:
    """Put the axes of an array into another order, both orders given by name.

    Args:
        x: any NumPy array or torch tensor, its axes in the order of `have`.
        have: the layout of x: letters of B, C, H, W, each at most once, like 'BHWC', 'HWC' or 'HW'.
        want: the same letters in the order that is wanted.
    Returns:
        Always a view: it shares x's memory, and is contiguous only where no axis moved.
    Raises:
        ShapeError: a layout is none, the two have different letters, or x has another number of axes.
    Matches: NumPy `transpose`, torch `permute`.

    >>> to_layout(np.zeros((8, 224, 320, 3)), "BHWC", "BCHW").shape
    (8, 3, 224, 320)
    """
    shape = _shape_of(x, "to_layout")
    who = f"to_layout: {have!r} to {want!r}, x {shape}:"
    for layout in (have, want):
        if not layout or len(set(layout)) != len(layout) or not set(layout) <= set("BCHW"):
            raise ShapeError(f"{who} wants layouts of the letters B, C, H, W, each at most once, got {layout!r}")
    if set(have) != set(want):
        raise ShapeError(f"{who} wants the same letters in both layouts")
    if len(shape) != len(have):
        raise ShapeError(f"{who} wants {len(have)} axes, x has {len(shape)}")
    order = [have.index(letter) for letter in want]
    moved: Any = x
    # A tensor's transpose swaps two axes; what NumPy calls transpose it calls permute.
    return moved.permute(*order) if hasattr(x, "permute") else moved.transpose(order)  # type: ignore[no-any-return]


def check_input(x: Any, recipe: Recipe) -> None:
    """Raise where x cannot be an input that the recipe makes; silent where it can.

    Args:
        x: what is about to go into a network, NumPy array or torch tensor.
        recipe: how the network's inputs are made.
    Raises:
        ShapeError: other axes than the recipe's layout has, or another size; a layout that would fit is named.
        RangeError: not floating point, not finite, or farther beyond what levels 0 … 255 become than a third of
            their range.

    >>> recipe = Recipe(name="a", resize="none", size_hw=None, interpolation="box", mean=HALF, std=HALF)
    >>> check_input(recipe(np.zeros((4, 5, 3), np.uint8)), recipe)
    """
    shape = _shape_of(x, "check_input")
    wanted = _wanted_shape(recipe, recipe.layout)
    words = f"({', '.join(str(side) for side in wanted)})"
    who = f"check_input: recipe {recipe.name!r} wants {recipe.layout} {words} floating point, got {shape} {x.dtype}"
    if len(shape) != 4 or 0 in shape:
        raise ShapeError(who + ("; a single input needs a batch axis, x[None]" if len(shape) == 3 else ""))
    if not _fits(shape, wanted):
        fitting = [layout for layout in ("BHWC", "BCHW", "BWHC", "BCWH") if _fits(shape, _wanted_shape(recipe, layout))]
        hint = f"; it fits {fitting[0]}: to_layout(x, {fitting[0]!r}, {recipe.layout!r})" if fitting else ""
        raise ShapeError(who + hint)
    values, _ = _as_numpy(x)
    if values.dtype.kind != "f":
        spread = f" from {values.min()} to {values.max()}" if values.dtype.kind in "biu" else ""
        hint = "; the recipe makes numbers of levels: recipe(picture)" if values.dtype.kind in "iu" else ""
        raise RangeError(who + spread + hint)
    if not np.isfinite(values).all():
        raise RangeError(f"{who}, {np.sum(~np.isfinite(values))} of {values.size} numbers not finite")
    low, high = _limits(recipe)
    if values.min() < low - BEYOND * (high - low) or values.max() > high + BEYOND * (high - low):
        way = _way_to_whole_levels(_channels_last(values, recipe), recipe)
        raise RangeError(
            f"{who} from {values.min():.4g} to {values.max():.4g}, where levels 0 … 255 become {low:.4g} … {high:.4g}"
            + (f"; it fits {way[0]}" if way else "")
        )


def suspicions(x: Any, recipe: Recipe, picture: Picture | Sequence[Picture] | None = None) -> list[str]:
    """What is likely wrong with an input that `check_input` lets pass.

    Args:
        x: what is about to go into a network, NumPy array or torch tensor.
        recipe: how the network's inputs are made.
        picture: what x was made from, if that is known: (H, W, 3) uint8, or one for each input of the batch.
    Returns:
        A line for each suspicion, with its evidence; none for what the recipe itself made.
    Raises:
        ShapeError, RangeError: as `check_input`; also where the pictures are not as many as the inputs.
    Convention: all evidence is in levels 0 … 255.
        Another normalization, or one in the order B, G, R, is suspected where with it the numbers are whole levels, and
        with the recipe's they are not: pictures have whole levels. Where mean and std are the same for all channels, or
        floats were resized, or bfloat16 has rounded, this cannot tell.
        With the picture, BGR, exchanged rows and columns, and reshaping instead of transposing are suspected where
        undoing them brings x to less than half its distance from what the recipe makes.

    >>> recipe = Recipe(name="a", resize="none", size_hw=None, interpolation="box", mean=HALF, std=HALF)
    >>> x = np.linspace(0, 255, 27).round().reshape(1, 3, 3, 3) / 255
    >>> suspicions(x, recipe)[0].split(":")[0]
    'suspected 0 … 1, not normalized'
    """
    check_input(x, recipe)
    values, precision = _as_numpy(x)
    pixels = _channels_last(values, recipe)
    own = (recipe.scale, recipe.mean, recipe.std)
    off = _off_whole(pixels, own)
    found = []
    if off >= WHOLE:
        rounding = precision / 2 * np.abs(pixels).max() * max(recipe.std) / recipe.scale
        way = _way_to_whole_levels(pixels, recipe) if rounding < WHOLE else None
        low, high = _limits(recipe)
        if way:
            found.append(
                f"suspected {way[0]}: with it the levels are {way[1]:.3f} off whole ones on average, "
                f"with recipe {recipe.name!r} {off:.3f}"
            )
        elif values.min() >= 0 and values.max() <= 1 and max(-low, high - 1) > 0.5:
            found.append(
                f"suspected 0 … 1, not normalized: x goes from {values.min():.4g} to {values.max():.4g}, "
                f"recipe {recipe.name!r} from {low:.4g} to {high:.4g}"
            )
    if picture is not None:
        found += _against(pixels, recipe, picture)
    return found


def _against(pixels: Floats, recipe: Recipe, picture: Picture | Sequence[Picture]) -> list[str]:
    """What brings the input much closer to the one that the recipe makes of the picture."""
    own = (recipe.scale, recipe.mean, recipe.std)
    seen, made = _levels(pixels, own), _levels(_channels_last(recipe(picture), recipe), own)
    if seen.shape != made.shape:
        raise ShapeError(
            f"suspicions: wants one picture for each input, recipe {recipe.name!r} makes {made.shape} of those given, "
            f"x has {seen.shape} (channels last)"
        )
    other = "BHWC" if recipe.layout == "BCHW" else "BCHW"
    in_memory = np.ascontiguousarray(to_layout(seen, "BHWC", recipe.layout))
    reshaped = in_memory.reshape(to_layout(seen, "BHWC", other).shape)
    reshape = f"a reshape from {other} instead of to_layout(x, {other!r}, {recipe.layout!r})"
    undone = {
        "channels in reverse order, RGB for BGR or BGR for RGB": seen[..., ::-1],
        reshape: to_layout(reshaped, other, "BHWC"),
    }
    if seen.shape[1] == seen.shape[2]:
        undone["rows and columns exchanged"] = to_layout(seen, "BWHC", "BHWC")
    apart = {name: float(np.abs(levels - made).mean()) for name, levels in undone.items()}
    as_given = float(np.abs(seen - made).mean())
    nearest = min(apart, key=lambda name: apart[name])
    if as_given < 1 or apart[nearest] > as_given / 2:
        return []
    return [
        f"suspected {nearest}: undone, x is {apart[nearest]:.1f} levels on average from what recipe {recipe.name!r} "
        f"makes of the picture, as given {as_given:.1f}"
    ]


def _way_to_whole_levels(pixels: Floats, recipe: Recipe) -> tuple[str, float] | None:
    """A usual normalization under which the levels are whole, and how far off they are then; None if there is none."""
    step = 1 if recipe.channel_order == "RGB" else -1
    reverse = "channels in reverse order (mean and std fit the other way round)"
    ways: dict[str, Normalization] = {reverse: (recipe.scale, recipe.mean[::-1], recipe.std[::-1])}
    ways |= {name: (scale, mean[::step], std[::step]) for name, (scale, mean, std) in KNOWN.items()}
    for name, way in ways.items():
        off = _off_whole(pixels, way)
        if off < WHOLE:
            return name, off
    return None


def _levels(pixels: Floats, way: Normalization) -> Floats:
    """Numbers back to levels, channels last; mean and std as the float32 that networks are given."""
    scale, mean, std = way
    levels: Floats = (pixels * np.array(std, np.float32) + np.array(mean, np.float32)) / scale
    return levels


def _off_whole(pixels: Floats, way: Normalization) -> float:
    """How far from whole numbers the levels are on average, 0 … 0.5; 0.5 where some are no levels at all."""
    levels = _levels(pixels, way)
    if levels.min() < -0.5 or levels.max() > 255.5:
        return 0.5
    return float(np.abs(levels - np.rint(levels)).mean())


def _limits(recipe: Recipe) -> tuple[float, float]:
    """The lowest and the highest number that the recipe makes, over all channels."""
    black, white = (recipe.normalized(np.full((1, 1, 3), level, np.uint8)) for level in (0, 255))
    return float(black.min()), float(white.max())


def _wanted_shape(recipe: Recipe, layout: str) -> tuple[int | str, ...]:
    """The shape of the recipe's inputs in a layout; a letter where any number will do."""
    height, width = recipe.input_hw or ("H", "W")
    sides: dict[str, int | str] = {"B": "B", "C": 3, "H": height, "W": width}
    return tuple(sides[letter] for letter in layout)


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return all(isinstance(word, str) or side == word for side, word in zip(shape, wanted, strict=True))


def _channels_last(values: npt.NDArray[Any], recipe: Recipe) -> Floats:
    return to_layout(values.astype(np.float64), recipe.layout, "BHWC")


def _shape_of(x: Any, who: str) -> tuple[int, ...]:
    if not all(hasattr(x, name) for name in ("shape", "dtype", "transpose")):
        raise ShapeError(f"{who}: wants a NumPy array or a torch tensor, got {type(x).__name__}")
    return tuple(int(side) for side in x.shape)


def _as_numpy(x: Any) -> tuple[npt.NDArray[Any], float]:
    """The values as NumPy's, and the relative step between neighbors in x's own type (0 for whole numbers)."""
    if hasattr(x, "detach"):  # a tensor
        x = x.detach().cpu()
        if str(x.dtype).startswith(("torch.bfloat16", "torch.float8")):  # NumPy has neither
            return x.float().numpy(), 2.0**-7
    values = np.asarray(x)
    return values, float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
