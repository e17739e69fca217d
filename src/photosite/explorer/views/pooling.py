"""A photo made smaller in six ways by the library's own pools and convolution: what the page holds its maps against."""

from __future__ import annotations

import numpy as np

from photosite.errors import RangeError
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.convolution import input_planes
from photosite.explorer.views.patch import patch_of
from photosite.explorer.workspace import Workspace
from photosite.ops.arrays import Array
from photosite.ops.averaging import avg_pool2d
from photosite.ops.convolution import conv
from photosite.ops.pooling import max_pool

BLUR = np.outer([1.0, 2, 1], [1, 2, 1])[None, None] / 16
"""The binomial kernel that goes before the stride (Zhang 2019)."""
WAYS = ("max", "average", "conv", "max-blur", "blur", "conv-blur")


def pooling(workspace: Workspace, question: Question) -> Answer:
    """Six smaller maps of some columns of a patch.

    Args:
        workspace: has the photo.
        question: as for `patch_of`; `left` and `width`, the columns; `times` each way is taken, one after the other;
            `kernel`, 9 numbers with commas between, of the convolution.
    Returns:
        For each of `WAYS` its map of the luma 0 … 1, (h, w) float64.
    Raises:
        RangeError: a number out of range.
        ShapeError: too little is left for a window.
    """
    picture, _ = patch_of(workspace, question)
    planes = input_planes(workspace, Question("pooling", {"channels": "gray", "numbers": "unit"}), picture)
    left = question.integer("left", 0, picture.shape[1] - 1, 0)
    width = question.integer("width", 1, picture.shape[1] - left, picture.shape[1] - left)
    times = question.integer("times", 1, 3, 1)
    kernel = kernel_of(question)
    made = {}
    for way in WAYS:
        x = planes[:, :, left : left + width]
        for _ in range(times):
            x = halved(x, way, kernel)
        made[way] = x[0]
    return pack({"ways": WAYS}, made)


def halved(x: Array, way: str, kernel: Array) -> Array:
    """A map half as high and wide; windows lie within it whole.

    Args:
        x: (1, h, w).
        way: of `WAYS`.
        kernel: (1, 1, 3, 3), of the convolution.
    """
    if way == "max":
        return max_pool(2, x, 2)
    if way == "average":
        return avg_pool2d(x, 2)
    if way == "conv":
        return conv(x, kernel, stride=2)
    if way == "max-blur":
        x = max_pool(2, x, 2, 1)
    elif way == "conv-blur":
        x = conv(x, kernel)
    return conv(x, BLUR, stride=2)


def kernel_of(question: Question) -> Array:
    """(1, 1, 3, 3) of the numbers in the question."""
    try:
        values = [float(word) for word in question.text("kernel", "0,0,0,0,1,0,0,0,0").split(",")]
    except ValueError:
        values = []
    if len(values) != 9 or not all(abs(value) <= 1e9 for value in values):
        raise RangeError("pooling: kernel wants 9 numbers within ±1e9 with commas between")
    return np.array(values).reshape(1, 1, 3, 3)
