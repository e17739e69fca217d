"""Colors as arrays: which dtypes, shapes and ranges our functions take, and what the channels are called.

A color is the last axis of an array, (..., 3), as in a picture (H, W, 3); what stands before it may be anything.
uint8 means levels 0 … 255 and is computed in float64; float32 stays float32, float64 stays float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError, ShapeError

Colors = npt.NDArray[np.floating]
"""(..., 3) float32 or float64."""


class Channel(NamedTuple):
    """A channel's name, and the lowest and highest value that an sRGB picture can have in it."""

    name: str
    low: float
    high: float


CHANNELS: dict[str, tuple[Channel, Channel, Channel]] = {
    "rgb": (Channel("R", 0, 1), Channel("G", 0, 1), Channel("B", 0, 1)),
    "linear_rgb": (Channel("R", 0, 1), Channel("G", 0, 1), Channel("B", 0, 1)),
    "xyz": (Channel("X", 0, 0.9505), Channel("Y", 0, 1), Channel("Z", 0, 1.0891)),
    "lab": (Channel("L*", 0, 100), Channel("a*", -86.2, 98.3), Channel("b*", -107.9, 94.5)),
    "hsv": (Channel("H in degrees", 0, 360), Channel("S", 0, 1), Channel("V", 0, 1)),
    "ycbcr": (Channel("Y", 0, 1), Channel("Cb", 0, 1), Channel("Cr", 0, 1)),
    "studio_ycbcr": (Channel("Y", 16, 235), Channel("Cb", 16, 240), Channel("Cr", 16, 240)),
}
"""The spaces by the names that our functions use; what a picture of a channel needs for its caption and its limits."""

HAS_LEVELS = ("rgb", "ycbcr", "studio_ycbcr")
"""Spaces with a customary form in uint8."""
NOT_LEVELS = {
    "linear_rgb": "a uint8 picture is encoded, srgb_to_linear comes first",
    "chroma": "levels_to_ycbcr comes first",
}
"""What to do with uint8 elsewhere."""

FARTHEST = {"rgb": 100.0, "lab": 1e4}
"""How far from 0 a number may lie, elsewhere 1e9: beyond any color, and near enough for float32 not to overflow.

For "rgb" it also catches a picture of levels 0 … 255 that was cast to float and not divided.
"""


def as_colors(
    colors: npt.ArrayLike, who: str, space: str, low: float | None = None, high: float | None = None
) -> Colors:
    """Colors as floats: levels divided by 255, floats as they are, everything else refused.

    Args:
        colors: (..., 3); uint8 for spaces in `HAS_LEVELS`, float32 or float64.
        who: the function that the user called.
        space: the name of the colors' space, a key of `CHANNELS`.
        low: the lowest float for which the formula has a meaning; any without it.
        high: the highest.
    Returns:
        (..., 3), float64 for uint8, else the same dtype; not a copy where nothing changed.
    Raises:
        ShapeError: the last axis is not 3.
        RangeError: a wrong dtype, NaN or infinity, or a number out of range.

    >>> as_colors(np.array([0, 51, 255], np.uint8), "example", "rgb").tolist()
    [0.0, 0.2, 1.0]
    """
    return as_floats(check_colors(colors, who, space, low, high))


def as_floats(values: npt.NDArray[Any]) -> Colors:
    """Checked values as floats: levels divided by 255."""
    return values / 255.0 if values.dtype == np.uint8 else values


def check_colors(
    colors: npt.ArrayLike, who: str, space: str, low: float | None = None, high: float | None = None
) -> npt.NDArray[Any]:
    """The check of `as_colors` alone: the array as it came."""
    array = np.asarray(colors)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ShapeError(f"{who}: wants channels last, (..., 3), got {array.shape}{_advice(array.shape, space)}")
    return check_values(array, who, space, low, high)


def check_values(
    values: npt.ArrayLike, who: str, space: str, low: float | None = None, high: float | None = None
) -> npt.NDArray[Any]:
    """The same check for functions that treat each number on its own, so that any shape will do."""
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64) and not (array.dtype == np.uint8 and space in HAS_LEVELS):
        raise RangeError(_wrong_dtype(array, who, space))
    if array.dtype == np.uint8 or array.size == 0:
        return array
    farthest = FARTHEST.get(space, 1e9)
    low, high = (-farthest if low is None else low), (farthest if high is None else high)
    lowest, highest = array.min(), array.max()
    if not (low <= lowest and highest <= high):  # NaN fails both
        finite = np.isfinite(array)
        if not finite.all():
            raise RangeError(f"{who}: wants finite numbers, {np.sum(~finite)} of {array.size} are not")
        levels = space == "rgb" and lowest >= 0 and highest > 2
        what_to_do = "levels 0 … 255 come as uint8 or divided by 255" if levels else "np.clip cuts off what lies beyond"
        raise RangeError(
            f"{who}: wants {space} in {low:g} … {high:g}, got {lowest:.6g} … {highest:.6g} {array.shape}; {what_to_do}"
        )
    return array


def _wrong_dtype(array: npt.NDArray[Any], who: str, space: str) -> str:
    wanted = f"{'uint8, ' if space in HAS_LEVELS else ''}float32 or float64"
    if array.dtype == np.uint8:
        what_to_do = NOT_LEVELS.get(space, f"{space} has no customary form in levels")
    elif array.dtype.kind in "iu" and space in HAS_LEVELS:
        what_to_do = "levels 0 … 255 by .astype(np.uint8)"
    else:
        what_to_do = "by .astype(np.float64)"
    return f"{who}: wants {wanted}, got {array.dtype} {array.shape}; {what_to_do}"


def _advice(shape: tuple[int, ...], space: str) -> str:
    """What to do about a shape that has other than three channels at its end."""
    if len(shape) >= 3 and shape[-3] == 3:
        return "; channels seem to come first: np.moveaxis(x, -3, -1)"
    if len(shape) >= 3 and shape[-1] == 4:
        return "; without alpha it is x[..., :3]"
    if len(shape) >= 3 and shape[-1] == 1:
        return "; a gray picture becomes one by np.repeat(gray, 3, axis=-1)"
    if len(shape) == 2 and space.endswith("rgb"):
        return "; a gray picture becomes one by np.stack([gray] * 3, axis=-1)"
    return ""
