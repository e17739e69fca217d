"""Two photos side by side, with a line between each two places that were matched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from photosite.errors import RangeError, ShapeError
from photosite.shapes import shape_text
from photosite.trace.canvas import PAPER, Rgb

GAP = 12
"""Pixels of paper between the photos."""
FINER = 2
"""Lines are drawn so many times larger, so that their edges are smooth."""
LARGE = 8_000_000
"""Pixels of a picture above which they are not."""
WIDE = 900
"""Columns above which lines get wider in proportion."""
LINE = (242, 184, 75)
UNDER = (28, 30, 34)
"""The accent on dark, and a dark seam below it, to be seen on any photo."""


def matching_picture(a: Rgb, b: Rgb, places_a: npt.ArrayLike, places_b: npt.ArrayLike, most: int = 100) -> Rgb:
    """Draw matches.

    Args:
        a: (H, W, 3) uint8, stands on the left.
        b: (H, W, 3) uint8, of any size.
        places_a: (K, 2): x and y in pixels of `a`, the best match first.
        places_b: (K, 2) in `b`.
        most: so many matches are drawn.
    Returns:
        (max of the heights, sum of the widths and a gap, 3) uint8.
    Raises:
        ShapeError: no photos, no places, or not as many places in both.
        RangeError: a place is not finite.
    """
    if any(one.ndim != 3 or one.shape[2] != 3 or one.dtype != np.uint8 for one in (a, b)):
        raise ShapeError(
            f"matching_picture: wants (H, W, 3) uint8, got {shape_text(a.shape)} and {shape_text(b.shape)}"
        )
    ends = [_places(places) for places in (places_a, places_b)]
    if len(ends[0]) != len(ends[1]):
        raise ShapeError(f"matching_picture: {len(ends[0])} places on the left, {len(ends[1])} on the right")
    canvas = np.full((max(a.shape[0], b.shape[0]), a.shape[1] + GAP + b.shape[1], 3), PAPER, np.uint8)
    canvas[: a.shape[0], : a.shape[1]] = a
    canvas[: b.shape[0], a.shape[1] + GAP :] = b
    height, width = canvas.shape[:2]
    finer = FINER if height * width <= LARGE else 1
    stroke = finer * max(1.0, width / WIDE)  # seen as well where a large picture is shown small
    large = Image.fromarray(canvas).resize((width * finer, height * finer), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    lines = [
        [_place(left, 0, finer), _place(right, a.shape[1] + GAP, finer)]
        for left, right in zip(ends[0][:most], ends[1][:most], strict=True)
    ][::-1]  # the best on top
    for line in lines:
        for share, color in ((2.6, UNDER), (1.4, LINE)):
            draw.line([*line[0], *line[1]], color, round(share * stroke))
    for line in lines:
        for x, y in line:
            for radius, color in ((3 * stroke, UNDER), (2 * stroke, LINE)):
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), color)
    return np.asarray(large.reduce(finer) if finer > 1 else large)


def _places(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Places as (K, 2); an empty list is none."""
    places = np.asarray(given, np.float64)
    if not places.size:
        return np.zeros((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise ShapeError(f"matching_picture: wants places (K, 2), got {shape_text(places.shape)}")
    if not np.isfinite(places).all():
        raise RangeError("matching_picture: a place is not finite")
    return places


def _place(place: Sequence[float], shift: int, finer: int) -> tuple[float, float]:
    """The center of a pixel, on the finer canvas."""
    return ((place[0] + 0.5 + shift) * finer, (place[1] + 0.5) * finer)
