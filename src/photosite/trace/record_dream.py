"""Put together the pictures that a unit answers to most, and what is known of how true they are."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import nn

from photosite import __version__
from photosite.analysis.activation_maximization import RANDOM, Dream, Dreams
from photosite.analysis.dreaming.measure import Answers, measure
from photosite.analysis.dreaming.preparation import Levels, Preparation
from photosite.analysis.receptive_field import ReceptiveField
from photosite.errors import ShapeError
from photosite.graph.ir import Graph, Node
from photosite.prep.load import load
from photosite.prep.recipe import Picture, Recipe
from photosite.trace.dream import Box, Dreamt, DreamTrace, Real, Seen
from photosite.trace.pictures import plain

REAL = 8
"""So many real pictures are kept."""
SAME = 1e-4
"""Two runs of a network on the same numbers, in batches of another size, differ by less than this share."""


@dataclass(frozen=True, eq=False)
class RealPictures:
    """Real pictures and what they give.

    Attributes:
        names: of their files.
        pictures: (N, H, W, 3) uint8, of the input's size.
        answers: what each gives.
        left_out: those that did not open, a line each.
    """

    names: Sequence[str]
    pictures: Levels
    answers: Answers
    left_out: Sequence[str] = ()


def png(picture: Picture) -> bytes:
    """Encode a picture (H, W, 3) as a PNG, without loss."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def record_dream(
    model_name: str,
    name: str,
    node: Node,
    one: ReceptiveField,
    dreams: Dreams,
    graph: Graph,
    model: nn.Module,
    recipe: Recipe | None = None,
    real: RealPictures | None = None,
) -> DreamTrace:
    """Put together what a search found; each picture is written as a PNG, opened again and measured once more.

    Args:
        model_name: as it was named.
        name: of the node or module that was asked for.
        node: whose values.
        one: its field.
        dreams: what was found.
        graph: captured with as many pictures at once as are to be worked on.
        model: as it was captured.
        recipe: how pictures become its input; None for levels 0 … 1, as they are.
        real: real pictures, where there are any.
    Raises:
        ShapeError: pictures of another number of channels than 3.
    """
    first = dreams.found[0].picture
    if first.shape[2] != 3:
        raise ShapeError(f"dream: shows pictures of 3 channels, the model takes {first.shape[2]}")
    order = sorted(range(len(dreams.found)), key=lambda k: -dreams.found[k].shown)
    preparation = Preparation.of(recipe) if recipe is not None else Preparation(last=_last(graph))
    opened = np.stack([load(png(dreams.found[k].picture)) for k in order])
    again = measure(graph, model, dreams.target, opened, preparation).values
    whole = _through(recipe, opened)
    other = [None] * len(order) if whole is None else measure(graph, model, dreams.target, whole, preparation).values
    found = [
        _dreamt(rank, dreams.found[k], float(back), None if through is None else float(through), one)
        for rank, (k, back, through) in enumerate(zip(order, again, other, strict=True), 1)
    ]
    channel = dreams.target.channel
    return DreamTrace(
        model=model_name,
        name=name,
        node=node.name,
        module=node.module,
        op=node.op,
        shape=node.shape,
        target=_target(dreams),
        channel=channel if isinstance(channel, int) else None,
        unit=dreams.target.unit,
        grid=dreams.grid,
        input_hw=(first.shape[0], first.shape[1]),
        size=one.size,
        dreams=tuple(found),
        order=tuple(order),
        real=() if real is None else tuple(_real(real, number, one) for number in real.answers.best(REAL)),
        real_count=0 if real is None else len(real.names),
        left_out=() if real is None else tuple(real.left_out),
        steps=dreams.search.steps,
        seed=dreams.search.seed,
        kind=dreams.search.kind,
        closed=dreams.closed,
        randoms=RANDOM,
        curve=tuple(tuple(float(look[k]) for k in order) for look in dreams.curve),
        curve_steps=dreams.curve_steps,
        notes=(*dreams.notes, *_beaten(dreams.found, real)),
        version=__version__,
    )


def _dreamt(rank: int, found: Dream, back: float, through: float | None, one: ReceptiveField) -> Dreamt:
    same = math.isclose(back, found.shown, rel_tol=SAME, abs_tol=1e-9)
    return Dreamt(
        picture=found.picture,
        tile=plain(f"dream {rank}", found.picture),
        reached=found.reached,
        shown=found.shown,
        read_back=back,
        through_recipe=through,
        moved=found.moved,
        start=found.start,
        random_mean=found.random_mean,
        random_max=found.random_max,
        true=found.true and same,
        place=found.place,
        seen=_seen(one, found.place, found.picture, f"dream {rank}"),
        alike=found.alike,
    )


def _real(real: RealPictures, number: int, one: ReceptiveField) -> Real:
    place, name = real.answers.places[number], real.names[number]
    seen = _seen(one, place, real.pictures[number], name)
    return Real(name, seen, float(real.answers.values[number]), place)


def _seen(one: ReceptiveField, place: tuple[int, int] | None, picture: Picture, name: str) -> Seen:
    """What a place sees of a picture."""
    height, width = picture.shape[:2]
    box = None if place is None or one.grid is None or not one.known else one.unit_box(place)
    if box is None or place is None or box == (0, 0, height, width):
        return Seen(plain(name, picture), None, None)
    top, left, bottom, right = box
    (y0, y1), (x0, x1) = one.interval("y", place[0]), one.interval("x", place[1])
    field: Box = (y0, x0, y1 + 1, x1 + 1)
    holds = y0 <= top < bottom <= y1 + 1 and x0 <= left < right <= x1 + 1  # not so where it goes around a border
    small = y1 - y0 < height and x1 - x0 < width
    return Seen(plain(name, picture[top:bottom, left:right]), box, field if holds and small else None)


def _through(recipe: Recipe | None, opened: Levels) -> Levels | None:
    """Pictures through all of a recipe but its numbers; None where that leaves them as they are."""
    if recipe is None:
        return None
    whole = np.stack([recipe.cropped(recipe.resized(picture)) for picture in opened])
    return None if whole.shape == opened.shape and np.array_equal(whole, opened) else whole


def _beaten(found: Sequence[Dream], real: RealPictures | None) -> list[str]:
    """Say so where a real picture gives more than what was found."""
    best = real.answers.best(1) if real is not None else []
    if real is None or not best or max(one.shown for one in found) >= real.answers.values[best[0]]:
        return []
    return ["a real picture gives more than any that was found: the search ended too early, or in the wrong place"]


def _target(dreams: Dreams) -> str:
    channel, unit = dreams.target.channel, dreams.target.unit
    what = f"channel {channel}" if isinstance(channel, int) else "a direction over channels"
    if unit is not None:
        return f"{what} at row {unit[0]}, column {unit[1]}"
    return f"{what}, the mean over {dreams.grid[0]} × {dreams.grid[1]} places" if dreams.grid else what


def _last(graph: Graph) -> bool:
    shape = graph.input_shapes[0]
    return shape[3] <= 4 < shape[1]
