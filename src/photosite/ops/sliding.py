"""Where a sliding kernel lies: how many places it has, what is under it at each, and the zeros around."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.ops.arrays import Array
from photosite.ops.windows import as_sides
from photosite.shapes import shape_text

Numbers = int | Sequence[int]
"""One number for all spatial axes, or one for each."""


@dataclass(frozen=True)
class Sliding:
    """A convolution's geometry: from (B, C, *sides), padded, to (B, O, *places)."""

    sides: tuple[int, ...]
    places: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    has_batch: bool

    def batched(self, x: Array) -> Array:
        """With an axis for the batch."""
        return x if self.has_batch else x[None]

    def unbatched(self, x: Array) -> Array:
        """Without it where there was none."""
        return x if self.has_batch else x[0]

    @property
    def padded_sides(self) -> tuple[int, ...]:
        """The sides with the zeros around."""
        return tuple(a + side + b for a, side, b in zip(self.before, self.sides, self.after, strict=True))

    def padded(self, x: Array) -> Array:
        """(B, C, *sides) to (B, *padded sides, C): zeros around, and channels last, where the sums run over them."""
        last = np.moveaxis(x, 1, -1)
        if self.padded_sides == self.sides:
            return np.ascontiguousarray(last)
        padded = np.zeros((x.shape[0], *self.padded_sides, x.shape[1]), x.dtype)
        self.cropped(padded)[...] = last
        return padded

    def cropped(self, padded: Array) -> Array:
        """The way back, as a view: (B, *padded sides, C) to (B, *sides, C)."""
        inside = tuple(slice(a, a + side) for a, side in zip(self.before, self.sides, strict=True))
        return padded[(slice(None), *inside)]

    def under(self) -> Iterator[tuple[Any, ...]]:
        """For each position in the kernel, in C order, what of (…, *padded sides, C) lies under it at all places."""
        for position in np.ndindex(*self.kernel):
            starts = (k * d for k, d in zip(position, self.dilation, strict=True))
            slices = (
                slice(start, start + (n - 1) * step + 1, step)
                for start, n, step in zip(starts, self.places, self.stride, strict=True)
            )
            yield (..., *slices, slice(None))


def sliding(
    x: Array, weight: Array, bias: Array | None, stride: Numbers, padding: Numbers | str, dilation: Numbers, groups: int
) -> Sliding:
    """The geometry of a convolution, checked; see `photosite.ops.convolution.conv` for the arguments and the errors."""
    axes = weight.ndim - 2
    who = f"conv{axes}d"
    has_batch = _checked(who, x, weight, bias, groups)
    channels, filters = x.shape[-1 - axes], weight.shape[0]
    if channels != weight.shape[1] * groups:
        wanted = f"{weight.shape[1] * groups} input channels (weight.shape[1] * groups = {weight.shape[1]} * {groups})"
        raise ShapeError(f"{who}: weight wants {wanted}, x has {channels}; {_shapes(x, weight)}")
    if filters % groups:
        raise ShapeError(f"{who}: groups wants a divisor of the {filters} filters, got {groups}; {_shapes(x, weight)}")
    if bias is not None and bias.shape != (filters,):
        raise ShapeError(f"{who}: bias wants {filters} values, one a filter, got {shape_text(bias.shape)}")
    sides, kernel = x.shape[-axes:], weight.shape[2:]
    steps, apart = _at_least(who, "stride", stride, axes, 1), _at_least(who, "dilation", dilation, axes, 1)
    reach = tuple(d * (k - 1) for d, k in zip(apart, kernel, strict=True))
    if isinstance(padding, str):
        before, after = _named_padding(who, padding, reach, steps)
    else:
        before = after = _at_least(who, "padding", padding, axes, 0)
    room = tuple(a + s + b - r - 1 for a, s, b, r in zip(before, sides, after, reach, strict=True))
    if min(room) < 0:
        raise ShapeError(
            f"{who}: the kernel reaches over {shape_text([r + 1 for r in reach])}, "
            f"the padded input has only {shape_text([n + r + 1 for n, r in zip(room, reach, strict=True)])}"
        )
    places = tuple(n // s + 1 for n, s in zip(room, steps, strict=True))
    return Sliding(sides, places, kernel, steps, before, after, apart, groups, has_batch)


def sliding_transposed(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Numbers,
    padding: Numbers,
    output_padding: Numbers,
    groups: int,
    dilation: Numbers,
) -> Sliding:
    """The geometry of the convolution whose transpose is meant: its places are x, its input is what comes out."""
    axes = weight.ndim - 2
    who = f"conv_transpose{axes}d"
    has_batch = _checked(who, x, weight, bias, groups)
    channels = x.shape[-1 - axes]
    if channels != weight.shape[0] or channels % groups:
        wanted = f"{weight.shape[0]} input channels (weight.shape[0]), divisible by {groups} groups"
        raise ShapeError(f"{who}: weight wants {wanted}, x has {channels}; {_shapes(x, weight)}")
    filters = weight.shape[1] * groups
    if bias is not None and bias.shape != (filters,):
        raise ShapeError(f"{who}: bias wants {filters} values, one a filter, got {shape_text(bias.shape)}")
    steps, apart = _at_least(who, "stride", stride, axes, 1), _at_least(who, "dilation", dilation, axes, 1)
    cut, more = _at_least(who, "padding", padding, axes, 0), _at_least(who, "output_padding", output_padding, axes, 0)
    for extra, step, gap in zip(more, steps, apart, strict=True):
        if extra >= max(step, gap):
            raise RangeError(f"{who}: output_padding wants less than stride or dilation, got {extra} of {step}, {gap}")
    places, kernel = x.shape[-axes:], weight.shape[2:]
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(places, steps, apart, kernel, strict=True)]
    sides = tuple(f - 2 * c + m for f, c, m in zip(full, cut, more, strict=True))
    if min(sides) < 1:
        raise ShapeError(f"{who}: nothing is left of {shape_text(full)} when {shape_text(cut)} is cut off both ends")
    after = tuple(max(c - m, 0) for c, m in zip(cut, more, strict=True))
    return Sliding(sides, places, kernel, steps, cut, after, apart, groups, has_batch)


def _checked(who: str, x: Array, weight: Array, bias: Array | None, groups: int) -> bool:
    """Whether x has an axis for the batch; what fits no convolution at all is refused."""
    axes = weight.ndim - 2
    if axes < 1 or x.ndim not in (axes + 1, axes + 2):
        wanted = (
            f"{axes + 1} or {axes + 2} axes for a weight of {weight.ndim}" if axes >= 1 else "a weight of 3 or more"
        )
        raise ShapeError(f"{who}: wants {wanted}; {_shapes(x, weight)}")
    if groups < 1:
        raise RangeError(f"{who}: groups wants at least 1, got {groups}")
    dtypes = {x.dtype, weight.dtype} | ({bias.dtype} if bias is not None else set())
    if len(dtypes) > 1:
        raise RangeError(f"{who}: wants operands of one dtype, got {', '.join(sorted(map(str, dtypes)))}")
    if 0 in weight.shape[2:]:
        raise ShapeError(f"{who}: wants a kernel with no empty side; {_shapes(x, weight)}")
    return x.ndim == axes + 2


def _at_least(who: str, what: str, value: Numbers, axes: int, low: int) -> tuple[int, ...]:
    numbers = as_sides(value, axes, who, what)
    if min(numbers) < low:
        raise RangeError(f"{who}: {what} wants at least {low}, got {shape_text(numbers)}")
    return numbers


def _named_padding(
    who: str, padding: str, reach: tuple[int, ...], steps: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if padding == "valid":
        return (0,) * len(reach), (0,) * len(reach)
    if padding != "same":
        raise UnknownNameError(f"padding of {who}", padding, ("same", "valid"))
    if max(steps) > 1:
        raise RangeError(f'{who}: padding "same" wants stride 1, got {shape_text(steps)}')
    return tuple(r // 2 for r in reach), tuple(r - r // 2 for r in reach)


def _shapes(x: Array, weight: Array) -> str:
    return f"x {x.shape}, weight {weight.shape}"
