"""Which picture pixels a model's input pixel stands for, and which ones Pillow read to make it, as exact fractions.

Coordinates are those of pixel edges: pixel i covers [i, i + 1), and a picture of height H covers [0, H].
Points are (y, x), boxes (top, left, bottom, right), sizes (height, width). Knows nothing of the values of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from numbers import Rational

import numpy as np

from photosite.errors import RangeError
from photosite.shapes import as_size_hw

FILTER_SUPPORT: dict[str, Fraction] = {
    "nearest": Fraction(0),
    "box": Fraction(1, 2),
    "bilinear": Fraction(1),
    "hamming": Fraction(1),
    "bicubic": Fraction(2),
    "lanczos": Fraction(3),
}
"""Half the width of each of Pillow's resampling filters, in pixels of the coarser side (src/libImaging/Resample.c)."""

RESIZE_RULES = ("shortest", "longest", "squash", "cover", "contain", "none")
"""The ways to choose the size that a picture is resized to; `resized_size` says what each does."""

Box = tuple[Fraction, Fraction, Fraction, Fraction]
Point = tuple[Fraction, Fraction]
Number = int | float | Fraction


@dataclass(frozen=True)
class Geometry:
    """The exact map between a model's input and the picture it was made from.

    On each axis `picture = scale * input + offset`, and input pixel i covers the picture from
    scale * i + offset to scale * (i + 1) + offset.

    Args:
        picture_hw: size of the picture.
        resized_hw: size of the whole picture after resizing, without any padding.
        input_hw: size of the input.
        start_hw: row and column of the resized picture at which the input begins; negative where padding comes first.
        interpolation: one of `FILTER_SUPPORT`.

    Raises:
        RangeError: a side is below 1.

    >>> Geometry((500, 375), (341, 256), (224, 224), (58, 16), "bilinear").picture_box(0, 0, 224, 224)[0]
    Fraction(29000, 341)
    """

    picture_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    input_hw: tuple[int, int]
    start_hw: tuple[int, int]
    interpolation: str

    def __post_init__(self) -> None:
        """Refuse sizes without a pixel."""
        for size_hw in (self.picture_hw, self.resized_hw, self.input_hw):
            as_size_hw(size_hw)

    @property
    def scale(self) -> Point:
        """Picture pixels per input pixel, down and across; above 1 where the picture was made smaller."""
        return Fraction(self.picture_hw[0], self.resized_hw[0]), Fraction(self.picture_hw[1], self.resized_hw[1])

    @property
    def offset(self) -> Point:
        """Where the input's top left corner lies in the picture, (y, x); negative where padding stands before it."""
        return self.scale[0] * self.start_hw[0], self.scale[1] * self.start_hw[1]

    @property
    def support(self) -> Point:
        """How far the resampling reads on each side of an input pixel's center, down and across, in picture pixels.

        A picture pixel whose center lies farther away has no say. It is the filter's support times max(scale, 1);
        where that exceeds half of `scale`, an input pixel reads beyond its own cell. Where pixels are only copied
        (nearest, or an axis whose size does not change) it is 1/2: the copied pixel's center can be that far.
        """
        down, across = (
            Fraction(1, 2)
            if self._copies(axis)
            else FILTER_SUPPORT[self.interpolation] * max(self.scale[axis], Fraction(1))
            for axis in (0, 1)
        )
        return down, across

    def picture_point(self, y: Number, x: Number) -> Point:
        """Where the input's point (y, x) lies in the picture; can be outside of it where the input is padding."""
        return self.scale[0] * _exact(y) + self.offset[0], self.scale[1] * _exact(x) + self.offset[1]

    def input_point(self, y: Number, x: Number) -> Point:
        """Where the picture's point (y, x) lies in the input; can be outside of it where the picture was cropped."""
        return (_exact(y) - self.offset[0]) / self.scale[0], (_exact(x) - self.offset[1]) / self.scale[1]

    def picture_box(self, top: Number, left: Number, bottom: Number, right: Number) -> Box:
        """Where a box of the input lies in the picture, not clipped.

        Input pixel (row, column) is `picture_box(row, column, row + 1, column + 1)`.

        Raises:
            RangeError: bottom is above top, right is left of left, or a number is not finite.
        """
        box = (*self.picture_point(top, left), *self.picture_point(bottom, right))
        if box[0] > box[2] or box[1] > box[3]:
            raise RangeError(
                f"picture_box: wants top <= bottom and left <= right, got {_text((top, left, bottom, right))}"
            )
        return box

    def clipped_box(self, top: Number, left: Number, bottom: Number, right: Number) -> Box:
        """The part of `picture_box` that lies inside the picture; without area where the box is all padding."""
        y0, x0, y1, x1 = self.picture_box(top, left, bottom, right)
        height, width = map(Fraction, self.picture_hw)
        return _clip(y0, height), _clip(x0, width), _clip(y1, height), _clip(x1, width)

    @property
    def crop_box(self) -> Box:
        """The part of the picture that the input shows, in picture pixels."""
        return self.clipped_box(0, 0, *self.input_hw)

    @property
    def crop_shares(self) -> tuple[float, float, float, float]:
        """`crop_box` as shares of the picture's height and width, in [0, 1]."""
        (top, left, bottom, right), (height, width) = self.crop_box, self.picture_hw
        return float(top / height), float(left / width), float(bottom / height), float(right / width)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """How many rows and columns of the input are padding: at its top, left, bottom and right."""
        (top, bottom), (left, right) = (self._padding(axis) for axis in (0, 1))
        return top, left, bottom, right

    def reads(self, row: int, column: int) -> tuple[int, int, int, int]:
        """The half-open box of picture pixels that Pillow's resampling reads for one input pixel.

        Args:
            row: row of the input, 0 … input height - 1.
            column: column of the input, 0 … input width - 1.
        Returns:
            top, left, bottom, right in whole picture pixels; (0, 0, 0, 0) for a pixel of padding.
        Raises:
            RangeError: the input has no such pixel.
        Matches: Pillow `Image.resize`: no picture pixel outside the box can change the input pixel.
        Source: Pillow, src/libImaging/Resample.c `precompute_coeffs`, Geometry.c `ImagingScaleAffine`.

        >>> Geometry((8, 8), (4, 4), (4, 4), (0, 0), "bilinear").reads(0, 1)
        (0, 1, 3, 5)
        """
        for name, index, side in (("row", row, self.input_hw[0]), ("column", column, self.input_hw[1])):
            if not 0 <= index < side:
                raise RangeError(
                    f"reads: wants a {name} from 0 to {side - 1}, got {index}; input {_text(self.input_hw)}"
                )
        (top, bottom), (left, right) = self._span(0, row), self._span(1, column)
        if top == bottom or left == right:
            return 0, 0, 0, 0
        return top, left, bottom, right

    def _copies(self, axis: int) -> bool:
        """Whether resizing copies pixels on this axis; Pillow leaves out the pass over an axis that keeps its size."""
        return self.interpolation == "nearest" or self.picture_hw[axis] == self.resized_hw[axis]

    def _padding(self, axis: int) -> tuple[int, int]:
        """Pixels of padding before and after the picture on one axis of the input."""
        start, side, resized = self.start_hw[axis], self.input_hw[axis], self.resized_hw[axis]
        return max(-start, 0), max(start + side - resized, 0)

    def _span(self, axis: int, index: int) -> tuple[int, int]:
        """Half-open range of picture pixels read on one axis, in the floats in which Pillow itself computes it."""
        size, resized = self.picture_hw[axis], self.resized_hw[axis]
        index += self.start_hw[axis]
        if not 0 <= index < resized:
            return 0, 0
        if size == resized:
            return index, index + 1
        scale = size / resized
        if self.interpolation == "nearest":
            # Pillow adds the step again and again rather than multiply, and with it the step's rounding error.
            steps = np.full(index + 1, scale)
            steps[0] = scale * 0.5
            nearest = min(int(np.add.accumulate(steps)[-1]), size - 1)
            return nearest, nearest + 1
        support = float(FILTER_SUPPORT[self.interpolation]) * max(scale, 1.0)
        center = (index + 0.5) * scale
        return max(int(center - support + 0.5), 0), min(int(center + support + 0.5), size)


def resized_size(rule: str, size_hw: tuple[int, int] | None, picture_hw: tuple[int, int]) -> tuple[int, int]:
    """Size of the whole picture after a resize rule, without padding.

    Args:
        rule: 'shortest' or 'longest' (that side becomes the size, the other follows in proportion, rounded down);
            'cover' or 'contain' (in proportion, as small as covers `size_hw` or as large as fits into it, sides rounded
            half to even); 'squash' (exactly `size_hw`); 'none'.
        size_hw: the rule's size; equal sides for 'shortest' and 'longest', unused for 'none'.
        picture_hw: size of the picture.
    Matches: torchvision `Resize(size)` for 'shortest', `Resize(None, max_size=size)` for 'longest'; timm
        `ResizeKeepRatio(size_hw)` for 'cover', with `longest=1` for 'contain'. A side that would be 0 there is 1 here.

    >>> resized_size("shortest", (256, 256), (500, 375)), resized_size("longest", (256, 256), (500, 375))
    ((341, 256), (256, 192))
    >>> resized_size("cover", (256, 200), (500, 375)), resized_size("contain", (256, 200), (500, 375))
    ((267, 200), (256, 192))
    """
    if rule == "none" or size_hw is None:
        return picture_hw
    if rule == "squash":
        return size_hw
    if rule in ("cover", "contain"):
        down, across = picture_hw[0] / size_hw[0], picture_hw[1] / size_hw[1]
        ratio = min(down, across) if rule == "cover" else max(down, across)
        # In timm's own floats: what is exactly a half can fall to either side there.
        return max(round(picture_hw[0] / ratio), 1), max(round(picture_hw[1] / ratio), 1)
    size, (height, width) = size_hw[0], picture_hw
    of = min(picture_hw) if rule == "shortest" else max(picture_hw)  # this side becomes `size`
    # torchvision's int(size * long / short), in whole numbers
    return max(size * height // of, 1), max(size * width // of, 1)


def window_start(side: int, window: int, rounding: str, pad_first: str = "smaller") -> int:
    """Where a centered window begins on a side; negative where the window is larger and padding comes first.

    Args:
        side: length of the side.
        window: length of the window.
        rounding: 'round' (half to even) or 'floor', for the half pixel of an odd difference.
        pad_first: 'smaller' or 'larger', the half of an odd padding that comes first.
    Matches: torchvision `center_crop` for 'round' and 'smaller'; transformers' `center_crop` on arrays for 'floor' and
        'larger', on tensors for 'floor' and 'smaller'.

    >>> window_start(343, 224, "round"), window_start(343, 224, "floor")
    (60, 59)
    >>> window_start(5, 8, "floor", "smaller"), window_start(5, 8, "floor", "larger")
    (-1, -2)
    """
    if window > side:
        odd_first = 1 if pad_first == "larger" else 0
        return -((window - side + odd_first) // 2)
    start = (side - window) // 2
    return start + (start & (side - window) & 1) if rounding == "round" else start


def _clip(value: Fraction, high: Fraction) -> Fraction:
    return min(max(value, Fraction(0)), high)


def _exact(value: Number) -> Fraction:
    """A number as a fraction; whole NumPy numbers become Python's, which cannot overflow."""
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not isfinite(value):
        raise RangeError(f"geometry: wants finite coordinates, got {value}")
    return Fraction(float(value))


def _text(numbers: Sequence[Number]) -> str:
    return "(" + ", ".join(str(number) for number in numbers) + ")"
