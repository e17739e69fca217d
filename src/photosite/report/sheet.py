"""What an explanation is drawn on: the photo with the part that the model gets, or an empty sheet of the input's size.

Boxes are given in pixels of the input and drawn in those of the photo. Knows no template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from photosite.prep.recipe import Picture
from photosite.report.figures import photo_uri

Rectangle = tuple[float, float, float, float]
"""x, y, width, height."""
LEAST_SHARE = 0.3
"""What takes a smaller share of the sheet's sides is drawn closer, until it takes so much."""
LEAST_VIEW = 24.0
"""A closer view shows at least so many pixels."""


@dataclass(frozen=True)
class Sheet:
    """A photo, or an empty sheet.

    Attributes:
        uri: of the photo; "" for an empty sheet.
        width: of the photo, or of the input where there is none, in pixels of it; likewise `height`.
        view: what is shown: the photo, and the input where it reaches beyond.
        input: of the model's input.
        dim: a path over what the model does not get; "" for none.
        padding: a path over what the model gets beyond the photo; "" for none.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it.
    """

    uri: str
    width: int
    height: int
    view: Rectangle
    input: Rectangle
    dim: str
    padding: str
    scale: tuple[float, float, float, float]

    def box(self, box: Sequence[float]) -> Rectangle:
        """Where a box of the input, (top, left, bottom, right), is drawn."""
        top, left, bottom, right = box
        down, across, start_y, start_x = self.scale
        found = (start_x + across * left, start_y + down * top, across * (right - left), down * (bottom - top))
        return tuple(round(part, 6) for part in found)  # type: ignore[return-value]

    def gaps(self, box: Sequence[int], rows: Sequence[Sequence[int]], columns: Sequence[Sequence[int]]) -> str:
        """A path over the pixels inside a box that lie between intervals of rows, or of columns; "" for none."""
        top, left, bottom, right = box
        between = [(a[1] + 1, left, b[0], right) for a, b in pairwise(rows)]
        between += [(top, a[1] + 1, bottom, b[0]) for a, b in pairwise(columns)]
        return "".join(path(self.box(gap)) for gap in between)

    def near(self, rectangle: Rectangle) -> Rectangle:
        """What to show of the sheet so that a rectangle can be seen: what the model gets, or a part around."""
        inside = all(
            a >= b - 0.5 and a + length <= b + side + 0.5
            for a, length, b, side in zip(rectangle[:2], rectangle[2:], self.input[:2], self.input[2:], strict=True)
        )
        x, y, width, height = whole = self.input if inside else self.view
        share = max(rectangle[2] / width, rectangle[3] / height)
        if share >= LEAST_SHARE:
            return whole
        zoom = max(share / LEAST_SHARE, min(1.0, LEAST_VIEW / min(width, height)))
        across, down = width * zoom, height * zoom
        left = min(max(rectangle[0] + rectangle[2] / 2 - across / 2, x), x + width - across)
        top = min(max(rectangle[1] + rectangle[3] / 2 - down / 2, y), y + height - down)
        return round(left, 3), round(top, 3), round(across, 3), round(down, 3)


def sheet(
    photo: Picture | None,
    photo_hw: tuple[int, int] | None,
    input_hw: tuple[int, int],
    scale: Sequence[float | Fraction] | None,
) -> Sheet:
    """Lay out what boxes of the input are drawn on.

    Args:
        photo: (H, W, 3) uint8, possibly made smaller; None for an empty sheet.
        photo_hw: size of the whole photo.
        input_hw: size of the input.
        scale: pixels of the photo for one of the input, down and across, and where the input begins in it, y and x.
    """
    height, width = photo_hw or input_hw
    down, across, top, left = (float(part) for part in scale) if scale is not None else (1.0, 1.0, 0.0, 0.0)
    shown = (left, top, across * input_hw[1], down * input_hw[0])
    x0, y0 = min(0.0, left), min(0.0, top)
    view = (x0, y0, max(width, left + shown[2]) - x0, max(height, top + shown[3]) - y0)
    view = tuple(round(part, 6) for part in view)  # type: ignore[assignment]
    shown = tuple(round(part, 6) for part in shown)  # type: ignore[assignment]
    whole = (0.0, 0.0, float(width), float(height))
    cropped = any(abs(a - b) >= 0.5 for a, b in zip(view, shown, strict=True))
    beyond = any(abs(a - b) >= 0.5 for a, b in zip(view, whole, strict=True))
    return Sheet(
        uri="" if photo is None else photo_uri(photo),
        width=width,
        height=height,
        view=view,
        input=shown,
        dim=path(view) + path(shown) if cropped else "",
        padding=path(shown) + path(whole) if beyond else "",
        scale=(down, across, top, left),
    )


def path(rectangle: Rectangle) -> str:
    """Write a rectangle as a path.

    >>> path((1, 2, 10, 20))
    'M1 2h10v20h-10Z'
    """
    x, y, width, height = (f"{part:.8g}" for part in rectangle)
    return f"M{x} {y}h{width}v{height}h-{width}Z"
