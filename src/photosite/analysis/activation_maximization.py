"""The picture that a unit, a channel, a direction or a logit of any network answers to most, and how true it is.

Found by following the gradient from a random picture, again and again. Whether it tells anything is measured: what the
picture still gives in 8 bits and without the random moves it was found under, what random pictures of its spectrum
give, and what real ones do. The model is only read.

Source: Erhan, Bengio, Courville and Vincent 2009; Olah, Mordvintsev and Schubert 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from photosite.analysis.dreaming.measure import answers, maps_of, same_spectrum
from photosite.analysis.dreaming.objective import Objective, Target, likeness
from photosite.analysis.dreaming.parameterization import Canvas, Kind
from photosite.analysis.dreaming.part import Part
from photosite.analysis.dreaming.preparation import Levels, Preparation, as_levels
from photosite.analysis.dreaming.robustness import moved
from photosite.errors import RangeError, ShapeError
from photosite.graph.ir import Graph

RANDOM = 64
"""So many random pictures of the same spectrum are asked for each result."""
MOVES = 16
"""So many random moves of a finished picture are asked."""
LOOKS = 32
"""So often the search is measured without random moves; the best of these moments is the result."""
RELAXED_SHARE, RELAXED_LEAST = 0.25, 16
"""So long may gradients pass closed ReLUs: a share of the steps, at least so many, and while nothing changed."""
TRUE_WITHIN = 0.01
"""What 8 bits may take from the activation of a picture that is called true."""


@dataclass(frozen=True)
class Search:
    """How a picture is searched for.

    Attributes:
        steps: of the search.
        seed: of everything random; the same seed gives the same picture, bit for bit, on one thread.
        rate: of Adam.
        kind: what is moved: "fourier", the picture's frequencies, or "pixels".
        contrast: a bound on how far the picture may be from mid gray, see `Canvas`; None for none.
        moves: how far pictures are moved, turned and resized at each step; 0 for not at all.
        diversity: how much results are pushed apart, where the graph takes several pictures at once.
        relax: let gradients pass closed ReLUs during the first steps, and until something changes.
    """

    steps: int = 256
    seed: int = 0
    rate: float = 0.05
    kind: Kind = "fourier"
    contrast: float | None = None
    moves: float = 1.0
    diversity: float = 1.0
    relax: bool = True

    def __post_init__(self) -> None:
        """Refuse what no search can be run with."""
        if self.steps < 1:
            raise RangeError(f"dream: steps wants at least 1, got {self.steps}")
        for name in ("rate", "moves", "diversity"):
            value, wants = getattr(self, name), "above 0" if name == "rate" else "of at least 0"
            if not math.isfinite(value) or value < 0 or (name == "rate" and value == 0):
                raise RangeError(f"dream: {name} wants a finite number {wants}, got {value}")


@dataclass(frozen=True, eq=False)
class Dream:
    """One result. All activations but `reached` and `moved` are of pictures in 8 bits; none but `moved` of moved ones.

    Attributes:
        picture: (H, W, C) uint8.
        reached: the activation of the picture as it was found, before it was rounded.
        shown: that of the picture in 8 bits.
        moved: the mean over random moves of it.
        start: that of the picture that the search began with.
        random_mean: the mean of random pictures of the same spectrum.
        random_max: the largest of them.
        place: row and column where the target is largest in it; None without places.
        alike: how alike its features are to those of the other results, 0 … 1; None for a single one.
    """

    picture: Levels
    reached: float
    shown: float
    moved: float
    start: float
    random_mean: float
    random_max: float
    place: tuple[int, int] | None
    alike: float | None = None

    @property
    def true(self) -> bool:
        """Whether the picture that is shown gives the activation that was reached, to a hundredth."""
        return abs(self.shown - self.reached) <= TRUE_WITHIN * abs(self.reached)

    @property
    def above_random(self) -> bool:
        """Whether it gives more than each of the random pictures."""
        return self.shown > self.random_max


def gain(value: float, base: float) -> float | None:
    """How many times as large a value is; None where the base is not above 0, so that there is no such number.

    >>> gain(6.0, 1.5), gain(6.0, -1.0)
    (4.0, None)
    """
    return value / base if base > 0 else None


@dataclass(frozen=True, eq=False)
class Dreams:
    """What a search found.

    Attributes:
        node: whose values.
        target: what became large.
        grid: rows and columns of places; None without.
        found: one for each picture that the graph takes at once.
        curve: (looks, results) float64, the activation without moves.
        curve_steps: after how many steps each look was.
        closed: of how many results nothing could pass at the start but for the relaxation.
        notes: what a reader should know, in sentences.
        search: how it was found.
    """

    node: str
    target: Target
    grid: tuple[int, int] | None
    found: tuple[Dream, ...]
    curve: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    curve_steps: tuple[int, ...]
    closed: int
    notes: tuple[str, ...]
    search: Search


def maximize(
    graph: Graph,
    model: nn.Module,
    target: Target,
    preparation: Preparation | None = None,
    search: Search | None = None,
) -> Dreams:
    """Find pictures that a target answers to.

    Args:
        graph: captured with as many pictures at once as results are wanted.
        model: gives the weights: any type and device, trained or not, compiled or not; only read.
        target: what is to become large.
        preparation: how a picture becomes the input; by default levels 0 … 1, as they are.
        search: how it is searched for.
    Returns:
        Pictures in 8 bits, with what they give and what they are to be compared with.
    Raises:
        RangeError: no such channel or place; a target that nothing changes (dead), or one that is not finite.
        ShapeError: no gradient leads from the target to the picture; or as for `Part` and `Objective`.
        UnknownNameError: there is no such node.
        MismatchedWeightsError: the model is not the one that was captured.
    """
    preparation, search = preparation or Preparation(last=_channels_last(graph)), search or Search()
    part = Part(graph, model, target.node)
    objective = Objective(part.graph, target)
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(part.device.type, enabled=False):
        canvas = Canvas(preparation.sides(part.shape), search.kind, search.seed, search.contrast, part.device)
        run = _Run(part, objective, canvas, preparation, search)
        run.all_steps()
    found = tuple(_judged(run, number) for number in range(len(run.best)))
    if len(found) > 1:
        maps = maps_of(part, objective, preparation.of_levels(np.stack([one.picture for one in found])))
        found = tuple(replace(one, alike=float(alike)) for one, alike in zip(found, likeness(maps), strict=True))
    _refuse_dead(run, found)
    curve = np.array([values for _, values in run.looks], np.float64)
    steps = tuple(step for step, _ in run.looks)
    notes = (*run.notes, *_notes(found))
    return Dreams(part.node.name, target, objective.grid, found, curve, steps, run.closed, notes, search)


class _Run:
    """A search on its way."""

    def __init__(self, part: Part, objective: Objective, canvas: Canvas, how: Preparation, search: Search) -> None:
        self.part, self.objective, self.canvas, self.how, self.search = part, objective, canvas, how, search
        self.generator = torch.Generator().manual_seed(search.seed)
        self.looks: list[tuple[int, list[float]]] = []
        self.best: list[tuple[float, Tensor]] = []
        self.pulled = False  # whether any gradient came through
        self.closed = 0
        self.notes: list[str] = []

    def all_steps(self) -> None:
        search = self.search
        adam = torch.optim.Adam([self.canvas.numbers], lr=search.rate)
        relaxed = max(int(search.steps * RELAXED_SHARE), RELAXED_LEAST) if search.relax else 0
        every = max(1, search.steps // LOOKS)
        for step in range(search.steps):
            if step % every == 0 and not self._look(step):
                return
            adam.zero_grad()
            loss = self._loss(relax=step < relaxed or (search.relax and self._unchanged()))
            if not loss.requires_grad:
                raise ShapeError(f"dream: no gradient leads from {self.part.node.name} back to the picture")
            loss.backward()  # type: ignore[no-untyped-call]
            gradient = self.canvas.numbers.grad
            if gradient is None or not bool(gradient.isfinite().all()):
                self._give_up(step)
                return
            self.pulled = self.pulled or bool(gradient.any())
            if step == 0 and search.relax and self.part.relus:
                self._count_closed()
            adam.step()
        self._look(search.steps)

    def _loss(self, *, relax: bool) -> Tensor:
        pictures = self.canvas()
        x = self.how(moved(pictures, self.generator, self.search.moves))
        maps = self.objective.maps(self.part(x, relax=relax))
        activation = self.objective.activation(maps)
        loss = -activation
        if len(pictures) > 1 and self.search.diversity:
            loss = loss + self.search.diversity * activation.detach().abs() * likeness(maps)
        return loss.sum()

    def _look(self, step: int) -> bool:
        """Measure the pictures as they are, keep the best of each; false where something is not finite."""
        with torch.no_grad():
            pictures = self.canvas()
        maps = maps_of(self.part, self.objective, self.how(pictures))
        values = self.objective.activation(maps).double().tolist()
        if not all(map(math.isfinite, values)):
            self._give_up(step)
            return False
        self.looks.append((step, values))
        kept = self.best or [(-math.inf, one) for one in pictures]
        self.best = [
            (value, one.clone()) if value > before[0] else before
            for value, one, before in zip(values, pictures, kept, strict=True)
        ]
        return True

    def _unchanged(self) -> bool:
        """Whether some result still has the very activation that it began with."""
        starts = self.looks[0][1]
        return any(best == start for (best, _), start in zip(self.best, starts, strict=True))

    def _count_closed(self) -> None:
        """How many results would not move by the usual gradient."""
        (plain,) = torch.autograd.grad(self._again(), self.canvas.numbers)
        self.closed = int((plain.flatten(1).abs().sum(1) == 0).sum())

    def _again(self) -> Tensor:
        return self.objective.activation(self.objective.maps(self.part(self.how(self.canvas())))).sum()

    def _give_up(self, step: int) -> None:
        name = self.part.node.name
        if not self.best:
            raise RangeError(f"dream: {name} is not finite for faint noise; nothing can be followed")
        self.notes.append(f"the search ended after {step} steps: {name} or its gradient was no longer finite")


def _judged(run: _Run, number: int) -> Dream:
    """Measure one result and what it is to be compared with."""
    part, objective, how = run.part, run.objective, run.how
    reached, picture = run.best[number]
    levels = as_levels(picture[None])[0]
    own = answers(part, objective, levels[None], how)
    random = answers(part, objective, same_spectrum(levels, RANDOM, run.search.seed + 1), how).values
    shown = torch.from_numpy(levels).movedim(-1, 0).float().to(part.device) / 255
    several = shown.expand(len(run.best), *shown.shape)
    generator = torch.Generator().manual_seed(run.search.seed + 2)
    means = []
    for _ in range(math.ceil(MOVES / len(several))):
        maps = maps_of(part, objective, how(moved(several, generator)))
        means += objective.activation(maps).double().tolist()
    random = random[np.isfinite(random)] if np.isfinite(random).any() else np.array([math.nan])
    return Dream(
        levels,
        reached,
        float(own.values[0]),
        float(np.mean(means)),
        run.looks[0][1][number],
        float(random.mean()),
        float(random.max()),
        own.places[0],
    )


def _refuse_dead(run: _Run, found: Sequence[Dream]) -> None:
    """Refuse a target that nothing changed."""
    seen = {value for _, values in run.looks for value in values}
    seen |= {value for one in found for value in (one.shown, one.moved, one.random_mean, one.random_max)}
    finite = [value for value in seen if math.isfinite(value)]
    if max(finite) - min(finite) > 1e-12 * max(map(abs, finite)):
        return
    why = "a gradient came through, and led nowhere" if run.pulled else "no gradient came through"
    steps, seeds = run.looks[-1][0], RANDOM * len(found)
    raise RangeError(
        f"dream: nothing changes this target: {run.part.node.name} gives {finite[0]:.4g} in all of {steps} steps "
        f"and for {seeds} random pictures; {why}. The unit is dead for what was tried"
    )


def _notes(found: Sequence[Dream]) -> list[str]:
    """What a reader should know of the results, in sentences."""

    def said(count: int, one: str, several: str) -> list[str]:
        if not count:
            return []
        return [f"the picture {one}" if len(found) == 1 else f"{count} of {len(found)} pictures {several}"]

    random = f"no more than the best of {RANDOM} random pictures of the same spectrum"
    rounded = f"more than {TRUE_WITHIN:.0%} when rounded to 8 bits"
    return [
        *said(sum(not one.above_random for one in found), f"gives {random}", f"give {random}"),
        *said(sum(not one.true for one in found), f"loses or gains {rounded}", f"lose or gain {rounded}"),
        *said(
            sum(one.moved < one.shown / 2 for one in found if one.shown > 0),
            "loses more than half when moved or turned a little",
            "lose more than half when moved or turned a little",
        ),
    ]


def _channels_last(graph: Graph) -> bool:
    """Whether the input has its channels last, as far as its shape tells."""
    shape = graph.input_shapes[0] if graph.input_shapes else ()
    return len(shape) == 4 and shape[3] <= 4 < shape[1]
