"""Put together how far one unit of a network sees: its field in the input and in the photo, and what it looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from photosite import __version__
from photosite.analysis.effective_field import SHARES, EffectiveField
from photosite.analysis.receptive_field import ReceptiveField
from photosite.errors import RangeError
from photosite.graph.ir import Node
from photosite.graph.reach.field import DIRECTIONS
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture
from photosite.trace.canvas import Array
from photosite.trace.field import PHOTO_SIDE, Asked, FieldTrace, Heat, times
from photosite.trace.light import thumbnail
from photosite.trace.pictures import magnitude


def record_field(
    model: str,
    node: Node,
    one: ReceptiveField,
    unit: tuple[int, int] | None,
    input_hw: tuple[int, int],
    photo: Picture | None = None,
    geometry: Geometry | None = None,
    pixel: tuple[int, int] | None = None,
    effective: Sequence[tuple[str, EffectiveField]] = (),
    name: str = "",
) -> FieldTrace:
    """Put together what is known of one unit.

    Args:
        model: as it was named.
        node: whose unit.
        one: its field.
        unit: row and column; the middle for None.
        input_hw: the input's size.
        photo: (H, W, 3) uint8, or None.
        geometry: from the photo to the input, where there is a photo.
        pixel: a pixel of the photo (of the input without one) of which is asked which units see it.
        effective: what it looks at, each with the pictures in words.
        name: of the module that was asked for, where it was one.
    Raises:
        RangeError: there is no such unit, or no such pixel.
        ShapeError: a unit or a pixel is asked for, and the value has no map of places.
    """
    if one.grid is not None and unit is None:
        unit = (one.grid[0] // 2, one.grid[1] // 2)
    elif one.grid is None and (unit is not None or pixel is not None):
        one.index(unit or (0, 0))  # says why there are none
    has = unit is not None and one.grid is not None
    box = one.unit_box(unit) if has and unit else None
    phases = (one.phases("y"), one.phases("x")) if has else None
    return FieldTrace(
        model=model,
        name=name or node.name,
        node=node.name,
        module=node.module,
        op=node.op,
        shape=node.shape,
        grid=one.grid,
        without="" if has else _without(one),
        unit=unit if has else None,
        input_hw=input_hw,
        size=one.size,
        jump=one.jump if one.known else (Fraction(0), Fraction(0)),
        phases=phases if phases and any(len(set(found)) > 1 for found in phases) else None,
        center=one.center(unit) if has and unit else None,
        padding_share=_beyond(one, unit) if has and unit else None,
        box=box,
        rows=one.pixels("y", unit[0]) if has and unit else None,
        columns=one.pixels("x", unit[1]) if has and unit else None,
        global_by=one.global_by,
        unaligned=one.field.unaligned,
        at_most=one.at_most,
        unknown=one.unknown,
        photo=None if photo is None else thumbnail(photo, PHOTO_SIDE),
        photo_hw=None if photo is None else (photo.shape[0], photo.shape[1]),
        photo_box=geometry.clipped_box(*box) if geometry is not None and box is not None else None,
        scale=(*geometry.scale, *geometry.offset) if geometry is not None else None,
        asked=None if pixel is None else _asked(one, pixel, input_hw, geometry),
        heats=record_heats(effective),
        version=__version__,
    )


def _beyond(one: ReceptiveField, unit: tuple[int, int]) -> float | None:
    """The share of a field beyond the borders; None where some of it went around a border, to the other end."""
    for way, place in zip(DIRECTIONS, unit, strict=True):
        (low, high), box = one.interval(way, place), one.box(way, place)
        if box is None or box[0] < low or box[1] > high:
            return None
    return one.padding_share(unit)


def _without(one: ReceptiveField) -> str:
    """Why a value has no units."""
    if one.unknown or not one.depends:
        return one.unknown or "it does not depend on the picture"
    if one.field.whole:
        return "it sees everything" + (f", by {one.global_by[-1]}" if one.global_by else "")
    return "its axes hold no map"


def _asked(one: ReceptiveField, pixel: tuple[int, int], input_hw: tuple[int, int], geometry: Geometry | None) -> Asked:
    """Which units see a pixel: by the pixel of the input that its center falls into."""
    place, sides = pixel, geometry.picture_hw if geometry is not None else input_hw
    if not all(0 <= p < side for p, side in zip(pixel, sides, strict=True)):
        what = "photo" if geometry is not None else "input"
        raise RangeError(f"the {what} has {times(sides)} pixels, none at {pixel[0]},{pixel[1]}")
    if geometry is not None:
        y, x = geometry.input_point(pixel[0] + Fraction(1, 2), pixel[1] + Fraction(1, 2))
        place = (int(y // 1), int(x // 1))
    if not all(0 <= p < side for p, side in zip(place, input_hw, strict=True)):
        return Asked(pixel, None, None, None)
    return Asked(pixel, place, one.places_seeing("y", place[0]), one.places_seeing("x", place[1]))


def record_heats(effective: Sequence[tuple[str, EffectiveField]]) -> tuple[Heat, ...]:
    """Put together what a unit looks at, over some pictures.

    Args:
        effective: what was measured, each with the pictures in words.
    """
    return tuple(_heat(over, found) for over, found in effective)


def _heat(over: str, found: EffectiveField) -> Heat:
    values = found.heat.astype(np.float32)
    top, left, bottom, right = part = _part(found)
    name = f"effective field, {over}"
    if (bottom - top, right - left) != values.shape:
        name += f", rows {top} … {bottom - 1}, columns {left} … {right - 1}"
    return Heat(
        over,
        values,
        magnitude(name, values[top:bottom, left:right], low=0.0),
        part,
        (found.profile("y"), found.profile("x")),
        (_normal(found, 0), _normal(found, 1)),
        found.center,
        found.deviation,
        {words: found.width(share) for words, share in SHARES.items()},
        found.ratio,
        found.misfit,
    )


def _part(found: EffectiveField) -> tuple[int, int, int, int]:
    """The part of the input that holds 99 % of all, where it is less than half as high and as wide; else all of it."""
    ends = []
    for way in DIRECTIONS:
        so_far = np.cumsum(found.profile(way))
        ends.append((int(np.searchsorted(so_far, 0.0025)), int(np.searchsorted(so_far, 0.9975)) + 1))
    (top, bottom), (left, right) = ends
    height, width = found.heat.shape
    if 2 * (bottom - top) > height or 2 * (right - left) > width:
        return 0, 0, height, width
    return top, left, min(bottom, height), min(right, width)


def _normal(found: EffectiveField, axis: int) -> Array:
    """The share of each row or column of the normal distribution with the same mean and variance."""
    mean, scale = found.center[axis], max(found.deviation[axis], 1e-9) * math.sqrt(2)
    side = len(found.profile(DIRECTIONS[axis]))
    return np.diff([math.erf((edge - 0.5 - mean) / scale) / 2 for edge in range(side + 1)])
