"""Pictures brought to another size: nearest, linear, cubic, with and without a filter that widens when shrinking.

Each axis is resampled by itself: output i looks at the input around

    s (i + 1/2) - 1/2       the centers of the pixels lie between their borders (align_corners=False)
    s i                     the first and last centers lie on each other (align_corners=True)

where s is the input's side over the output's, or the reciprocal of the scale factor where one is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, flows
from photosite.ops.reals import as_real, rounded, widened
from photosite.ops.windows import as_sides
from photosite.shapes import shape_text

Scales = Sequence[float] | None

CUBIC_A = -0.75
"""The slope of the cubic kernel at distance 1 in OpenCV and PyTorch; Keys 1981 has -0.5, as has the widened one."""


class Goal(NamedTuple):
    """What an axis becomes: its side, and how far apart the outputs' places are in the input."""

    side: int
    step: float


def upsample_nearest(
    axes: int, x: Array, output_size: Sequence[int] | None, scale_factors: Scales = None, *, exact: bool = False
) -> Array:
    """Each output is the input that it falls into: x[floor(s i)].

    Args:
        axes: how many spatial axes; `upsample_nearest1d`, `2d` and `3d` have it built in.
        x: (B, C, *sides).
        output_size: the new sides; None where scale factors are given.
        scale_factors: by how much each side grows.
        exact: x[floor(s (i + 1/2))], as Pillow and scikit-image do it.
    Returns:
        (B, C, *sides), x's dtype.
    Raises:
        ShapeError: the axes do not fit, or a new side is 0.
        RangeError: neither or both of size and factors.
    Matches: torch `upsample_nearest2d`, `_upsample_nearest_exact2d` and their siblings, exactly.

    >>> upsample_nearest(1, np.array([[[1, 2, 3]]]), [5]).tolist()
    [[[1, 1, 2, 2, 3]]]
    """
    goals = _goals(f"upsample_nearest{axes}d", axes, x, output_size, scale_factors, False)
    for axis, goal in enumerate(goals, -axes):
        x = np.take(x, _nearest(goal, x.shape[axis], exact), axis)
    return x


def upsample_nearest_vjp(
    axes: int,
    grad: Array,
    result: Array,
    x: Array,
    output_size: Sequence[int] | None,
    scale_factors: Scales = None,
    *,
    exact: bool = False,
) -> tuple[Array | None]:
    """To each input the sum over the outputs that took it."""
    if not flows(x):
        return (None,)
    for axis, goal in enumerate(_goals("upsample_nearest", axes, x, output_size, scale_factors, False), -axes):
        taken = np.zeros((goal.side, x.shape[axis]), grad.dtype)
        taken[np.arange(goal.side), _nearest(goal, x.shape[axis], exact)] = 1
        grad = _along(taken.T, grad, axis)
    return (grad,)


def upsample(
    axes: int,
    kind: str,
    x: Array,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Scales = None,
) -> Array:
    """Each output is a weighted mean of the inputs around its place.

    Args:
        axes: how many spatial axes.
        kind: "linear": the two neighbors, by nearness; "cubic": four of them, by Keys' kernel; "linear_aa" and
            "cubic_aa": the same kernels, widened by s where the picture shrinks, so that every input counts.
        x: (B, C, *sides), real numbers.
        output_size: the new sides; None where scale factors are given.
        align_corners: see the top of this file.
        scale_factors: by how much each side grows.
    Returns:
        (B, C, *sides), x's dtype.
    Raises:
        ShapeError: the axes do not fit, or a new side is 0.
        RangeError: neither or both of size and factors; no real numbers.
    Matches: torch `upsample_bilinear2d`, `upsample_bicubic2d`, `_upsample_bilinear2d_aa`, `_upsample_bicubic2d_aa`,
        `upsample_linear1d`, `upsample_trilinear3d`, to the rounding of sums. PyTorch 2.13 is wrong for the "_aa" kinds
        where the result is one pixel wide: it then copies the first row into all.
    Source: Keys 1981.

    >>> upsample(1, "linear", np.array([[[0.0, 4.0]]]), [4], False).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    >>> upsample(1, "linear_aa", np.array([[[0.0, 4.0, 8.0, 0.0]]]), [2], False).round(4).tolist()
    [[[2.8571, 4.0]]]
    """
    as_real(x, f"upsample_{kind}")
    goals = _goals(f"upsample_{kind}", axes, x, output_size, scale_factors, align_corners)
    wide = widened(x)
    for axis, goal in reversed(list(enumerate(goals, -axes))):
        wide = _along(_weights(kind, goal, x.shape[axis], align_corners).astype(wide.dtype), wide, axis)
    return rounded(wide, x)


def upsample_vjp(
    axes: int,
    kind: str,
    grad: Array,
    result: Array,
    x: Array,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Scales = None,
) -> tuple[Array | None]:
    """The same weights, read the other way: to each input its share of all outputs that it counted for."""
    if not flows(x):
        return (None,)
    goals = _goals(f"upsample_{kind}", axes, x, output_size, scale_factors, align_corners)
    wide = widened(grad)
    for axis, goal in enumerate(goals, -axes):
        wide = _along(_weights(kind, goal, x.shape[axis], align_corners).T.astype(wide.dtype), wide, axis)
    return (rounded(wide, x),)


def triangle(distance: Array) -> Array:
    """The linear kernel: 1 at distance 0, 0 from 1 on.

    >>> triangle(np.array([0.0, 0.25, 2.0])).tolist()
    [1.0, 0.75, 0.0]
    """
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def keys(distance: Array, a: float) -> Array:
    """Keys' cubic kernel, 1 at distance 0, 0 at 1 and from 2 on, with slope `a` at 1.

    >>> keys(np.array([0.0, 0.5, 1.5, 2.0]), -0.5).tolist()
    [1.0, 0.5625, -0.0625, 0.0]
    """
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = a * (((d - 5) * d + 8) * d - 4)
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0.0)))


def _goals(
    who: str,
    axes: int,
    x: Array,
    output_size: Sequence[int] | None,
    scale_factors: Scales,
    align_corners: bool,
) -> list[Goal]:
    """What each spatial axis becomes."""
    if x.ndim != axes + 2:
        raise ShapeError(f"{who}: wants (B, C, *sides) with {axes} sides, got {shape_text(x.shape)}")
    if (output_size is None) == (scale_factors is None):
        raise RangeError(f"{who}: wants either a size or scale factors")
    sides = x.shape[2:]
    if output_size is not None:
        new = as_sides(output_size, axes, who, "output_size")
        steps: list[float | None] = [None] * axes
    else:
        assert scale_factors is not None
        if len(scale_factors) != axes or min(scale_factors) <= 0:
            raise RangeError(f"{who}: wants {axes} scale factors above 0, got {tuple(scale_factors)}")
        new = tuple(int(side * factor) for side, factor in zip(sides, scale_factors, strict=True))
        steps = [1 / factor for factor in scale_factors]
    if min(new) < 1 or min(x.shape[1:]) < 1:
        raise ShapeError(f"{who}: nothing can become or come from no pixels: {shape_text(x.shape)} to {tuple(new)}")
    if align_corners:
        steps = [(side - 1) / (goal - 1) if goal > 1 else 0 for side, goal in zip(sides, new, strict=True)]
    return [
        Goal(goal, side / goal if step is None else step) for side, goal, step in zip(sides, new, steps, strict=True)
    ]


def _nearest(goal: Goal, side: int, exact: bool) -> Array:
    """Which input each output takes; computed in float32, as in torch, so that it falls on the same side."""
    places = np.arange(goal.side, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return np.asarray(np.minimum(np.floor(places * np.float32(goal.step)).astype(np.int64), side - 1))


@lru_cache(maxsize=64)
def _weights(kind: str, goal: Goal, side: int, align_corners: bool) -> Array:
    """What each input counts for in each output: (outputs, inputs), each row of sum 1."""
    outputs = np.arange(goal.side, dtype=np.float64)
    if kind.endswith("_aa"):
        return _widened_weights(
            triangle if kind == "linear_aa" else partial(keys, a=-0.5), 1 if kind == "linear_aa" else 2, goal, side
        )
    places = outputs * goal.step if align_corners else (outputs + 0.5) * goal.step - 0.5
    if kind == "linear":
        places = np.maximum(places, 0)
    first = np.floor(places).astype(np.int64)
    reach = range(2) if kind == "linear" else range(-1, 3)
    kernel: Callable[[Array], Array] = triangle if kind == "linear" else partial(keys, a=CUBIC_A)
    weights = np.zeros((goal.side, side))
    for offset in reach:
        at = np.clip(first + offset, 0, side - 1)  # beyond the border the last pixel goes on
        np.add.at(weights, (np.arange(goal.side), at), kernel(places - (first + offset)))
    return weights


def _widened_weights(kernel: Callable[[Array], Array], reach: int, goal: Goal, side: int) -> Array:
    """As `_weights`, with a kernel that is as wide as the step between outputs, cut off at the borders."""
    wider = max(goal.step, 1.0)
    weights = np.zeros((goal.side, side))
    for output in range(goal.side):
        center = goal.step * (output + 0.5)
        start = max(int(center - reach * wider + 0.5), 0)
        stop = min(int(center + reach * wider + 0.5), side)
        own = kernel((np.arange(start, stop) - center + 0.5) / wider)
        weights[output, start:stop] = own / own.sum()
    return weights


def _along(matrix: Array, x: Array, axis: int) -> Array:
    """A matrix times every line of an axis."""
    if axis == -1:
        return np.asarray(np.matmul(x, matrix.T))
    front, behind = x.shape[: x.ndim + axis], x.shape[x.ndim + axis + 1 :]
    lines = x.reshape(*front, x.shape[axis], math.prod(behind))
    return np.asarray(np.matmul(matrix, lines)).reshape(*front, len(matrix), *behind)


upsample_nearest1d = partial(upsample_nearest, 1)
upsample_nearest1d_vjp = partial(upsample_nearest_vjp, 1)
upsample_nearest2d = partial(upsample_nearest, 2)
upsample_nearest2d_vjp = partial(upsample_nearest_vjp, 2)
upsample_nearest3d = partial(upsample_nearest, 3)
upsample_nearest3d_vjp = partial(upsample_nearest_vjp, 3)
upsample_exact1d = partial(upsample_nearest, 1, exact=True)
upsample_exact1d_vjp = partial(upsample_nearest_vjp, 1, exact=True)
upsample_exact2d = partial(upsample_nearest, 2, exact=True)
upsample_exact2d_vjp = partial(upsample_nearest_vjp, 2, exact=True)
upsample_exact3d = partial(upsample_nearest, 3, exact=True)
upsample_exact3d_vjp = partial(upsample_nearest_vjp, 3, exact=True)
upsample_linear1d = partial(upsample, 1, "linear")
upsample_linear1d_vjp = partial(upsample_vjp, 1, "linear")
upsample_bilinear2d = partial(upsample, 2, "linear")
upsample_bilinear2d_vjp = partial(upsample_vjp, 2, "linear")
upsample_trilinear3d = partial(upsample, 3, "linear")
upsample_trilinear3d_vjp = partial(upsample_vjp, 3, "linear")
upsample_bicubic2d = partial(upsample, 2, "cubic")
upsample_bicubic2d_vjp = partial(upsample_vjp, 2, "cubic")
upsample_bilinear2d_aa = partial(upsample, 2, "linear_aa")
upsample_bilinear2d_aa_vjp = partial(upsample_vjp, 2, "linear_aa")
upsample_bicubic2d_aa = partial(upsample, 2, "cubic_aa")
upsample_bicubic2d_aa_vjp = partial(upsample_vjp, 2, "cubic_aa")
