"""A kernel over a photo's patch, by the library's own convolution: what the page holds its numbers against."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from photosite.color import rgb_to_ycbcr
from photosite.color.ycbcr import ycbcr_to_levels
from photosite.errors import RangeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.patch import patch_of
from photosite.explorer.views.recipes import chosen_recipe, level_table
from photosite.explorer.workspace import Workspace
from photosite.ops.convolution import conv
from photosite.ops.padding import padded
from photosite.prep.recipe import Picture

Array = npt.NDArray[np.float64]
PADDINGS = {"zero": "constant", "reflect": "reflect", "replicate": "replicate"}
"""The page's words for what stands beyond the border, and the library's."""
NUMBERS = ("levels", "unit", "normalized")
KERNEL_AT_MOST = 32
"""Rows and columns of a kernel."""


def convolution(workspace: Workspace, question: Question) -> Answer:
    """Slide a kernel over a patch.

    Args:
        workspace: has the photo.
        question: as for `patch_of` and `input_planes`; `kernel`, C · K · L numbers with commas between; `rows` K;
            `bias`; `stride`; `padding` and `mode` of it; `dilation`; these three as `Question.pair` reads them.
    Returns:
        `y` (h, w) float64.
    Raises:
        RangeError: a number out of range, or not as many as C times `rows` times a whole number.
        ShapeError: the kernel does not fit.
    """
    picture, _ = patch_of(workspace, question)
    x = input_planes(workspace, question, picture)
    weight = weight_of(question, len(x))
    down, across = question.pair("padding", 0, 64, 0)
    mode = PADDINGS[question.choice("mode", tuple(PADDINGS), "zero")]
    y = conv(
        padded(x, (across, across, down, down), mode),
        weight,
        np.array([question.number("bias", -1e9, 1e9, 0)]),
        stride=question.pair("stride", 1, 64, 1),
        dilation=question.pair("dilation", 1, 64, 1),
    )
    return pack({"shape": list(y.shape)}, {"y": y[0]})


def input_planes(workspace: Workspace, question: Question, picture: Picture) -> Array:
    """A patch as the numbers that are convolved: (C, h, w) float64.

    Args:
        workspace: has the model.
        question: `channels`, gray (luma) or rgb; `numbers`: levels 0 … 255, unit 0 … 1, or normalized by `recipe` or
            that of `model` (of gray by the mean of what the three channels become).
        picture: (h, w, 3) uint8.
    """
    gray = question.choice("channels", ("gray", "rgb"), "rgb") == "gray"
    levels = ycbcr_to_levels(rgb_to_ycbcr(picture))[..., :1] if gray else picture
    planes = np.moveaxis(levels, -1, 0)  # (C, h, w)
    numbers = question.choice("numbers", NUMBERS, "levels")
    if numbers == "normalized":
        table = level_table(chosen_recipe(workspace, question)).astype(np.float64)
        if gray:
            table = table.sum(0, keepdims=True) / 3
        return np.stack([row[plane] for row, plane in zip(table, planes, strict=True)])
    return planes / (255.0 if numbers == "unit" else 1.0)


def weight_of(question: Question, channels: int) -> Array:
    """(1, C, K, L) of the numbers in the question."""
    text, rows = question.text("kernel"), question.integer("rows", 1, KERNEL_AT_MOST)
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = [math.nan]
    if not all(abs(value) <= 1e9 for value in values):  # true for NaN
        raise RangeError(f"convolution: kernel wants numbers within ±1e9 with commas between, got {text[:40]!r}")
    columns, left = divmod(len(values), channels * rows)
    if left or not 1 <= columns <= KERNEL_AT_MOST:
        raise RangeError(
            f"convolution: kernel wants {channels} channels × {rows} rows × 1 … {KERNEL_AT_MOST} columns, "
            f"got {len(values)} numbers"
        )
    return np.array(values).reshape(1, channels, rows, columns)
