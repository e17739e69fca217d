"""How much the channels of a network prefer one direction of stripes, told by gratings that drift over the input.

The protocol of recordings from visual cortex, with a channel in place of a cell: stripes of all directions, fine and
coarse, in several phases; the tuning at the fineness that the channel answers to most; its circular variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.analysis.dreaming.preparation import Preparation
from photosite.analysis.features import Place
from photosite.analysis.layer_values import LayerValues, like
from photosite.analysis.representation.gratings import even_orientations, frequencies_for, grating
from photosite.errors import RangeError, ShapeError
from photosite.prep.recipe import Recipe

Array = npt.NDArray[np.float64]
Tuning = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Selectivity and orientation, (C,) each."""

LEAST_PHASES = 4
ROUNDING = 1e-5
"""Answers below this share of what a channel, or the strongest of its layer, gives at all are rounding."""
GRAY = 0.5


def orientation_selectivity(
    model: nn.Module,
    nodes: Sequence[str],
    shape: tuple[int, ...],
    recipe: Recipe | Preparation | None = None,
    *,
    orientations: int = 12,
    frequencies: Sequence[float] | None = None,
    phases: int = 8,
    contrast: float = 1.0,
    batch: int = 32,
) -> dict[str, Tuning]:
    """How selective each channel is for the direction of stripes, and for which.

    The whole input shows a gray grating. Of each place the answer over the phases has a mean, less what the place gives
    to plain gray (F0), and an amplitude at the rate at which the stripes pass (F1). Both are averaged over the places
    in the middle half of rows and columns: there, as in a recording, the stripes fill what the channel sees, while
    at the border what stands beyond is an edge of its own. (The amplitude of an average would be 0: phases differ from
    place to place.) A channel's answer is F1 or F0, whichever is larger at its best grating, as for simple and complex
    cells: values without a rectifier swing around gray and have F1, rectified ones both. Below 0 an answer counts as 0:
    a channel that stripes only silence is not told. Of the frequencies that one counts at which the channel answers
    most to some direction.

    Args:
        model: any vision model of one input, left as it was; run as in evaluation.
        nodes: names of nodes or paths of modules, whose last value is taken: maps, tokens, or (B, D).
        shape: of one input as the model takes it, without the batch: (C, H, W), or (H, W, C).
        recipe: whose mean, deviation and layout make an input of gray levels; resizing and cropping are left out. None
            where the model takes 0 … 1 as it is, channels first.
        orientations: how many, evenly spread over 180 degrees.
        frequencies: in cycles a pixel of the input; by default from two periods in the shorter side to 0.4.
        phases: how many; with 4, a third harmonic would be taken for F1.
        contrast: of the gratings, 0 … 1.
        batch: how many inputs at once, rounded up to whole sets of phases.
    Returns:
        By the names that were given: selectivity and orientation, (C,) each. Selectivity is 1 less the circular
        variance, abs(sum r exp(2 i theta)) / sum r: 0 where all directions get the same, 1 for one direction only; a
        tuning of 1 + cos 2 theta has 0.5. Orientation is half the angle of that sum, in degrees in [0, 180). Both are
        NaN for a channel that answers to no grating.
    Raises:
        UnknownNameError: there is no such node or module.
        ShapeError: shape is no picture's, or a value has no channels.
        RangeError: counts, frequencies or contrast make no sense, the input is too small, or a value is not finite.
        CaptureError: the model cannot be read.
    Convention: orientation of the stripes, counterclockwise, 0 lying and 90 standing, as in `photosite.analysis.gabor`.
    Source: circular variance, and F1 for simple and F0 for complex cells: Ringach, Shapley, Hawken 2002; tuning at the
        preferred spatial frequency: De Valois, Yund, Hepler 1982; F1/F0: Skottun et al. 1991.

    >>> edges = nn.Conv2d(1, 2, 3, bias=False)
    >>> edges.weight.data = torch.tensor([[[-1.0, 0, 1]] * 3, [[-1.0] * 3, [0] * 3, [1] * 3]])[:, None]
    >>> selectivity, orientation = orientation_selectivity(edges, ["conv2d"], (1, 16, 16))["conv2d"]
    >>> orientation.round(2).tolist()
    [90.0, 0.0]
    """
    if phases < LEAST_PHASES:
        raise RangeError(f"orientation selectivity: wants at least {LEAST_PHASES} phases, got {phases}")
    if batch < 1:
        raise RangeError(f"orientation selectivity: wants batch of at least 1, got {batch}")
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"orientation selectivity: wants the shape of one input, (C, H, W) or (H, W, C), got {shape}")
    prepare = Preparation.of(recipe) if isinstance(recipe, Recipe) else recipe or Preparation()
    _, C, H, W = prepare.sides((1, *shape))
    directions = even_orientations(orientations)
    fineness = frequencies_for((H, W)) if frequencies is None else np.asarray(frequencies, np.float64)
    if fineness.ndim != 1 or not len(fineness):
        raise RangeError("orientation selectivity: wants at least 1 frequency, got none")
    at_once = max(1, -(-batch // phases))
    kind = like(model)
    values = LayerValues(model, (at_once * phases, *shape), kind.dtype, nodes, "orientation selectivity")
    answers = {name: _Answers(place, (len(directions), len(fineness)), phases) for name, place in values.places.items()}

    def inputs(levels: Array | npt.NDArray[np.float32]) -> Tensor:
        pictures = torch.zeros(at_once * phases, 1, H, W)
        pictures[: len(levels), 0] = torch.from_numpy(levels)
        return prepare(pictures.expand(-1, C, -1, -1)).to(kind.device, kind.dtype)

    values(inputs(np.full((1, H, W), GRAY)), lambda name, value: answers[name].see_gray(value))
    turns = np.arange(phases) * (360 / phases)
    which = list(np.ndindex(len(directions), len(fineness)))
    for start in range(0, len(which), at_once):
        some = which[start : start + at_once]
        shown = [grating((H, W), float(directions[o]), float(fineness[f]), turns, contrast) for o, f in some]
        values(inputs(np.concatenate(shown)), lambda name, value, some=some: answers[name].see(some, value))  # type: ignore[misc]
    return {name: held.tuning(directions) for name, held in answers.items()}


class _Answers:
    """What the channels of one value answer to each grating."""

    def __init__(self, place: Place, gratings: tuple[int, int], phases: int) -> None:
        self.name, self.places, self.phases = place.node, middle(place), phases
        self.still = np.zeros((*gratings, place.width))  # F0
        self.swing = np.zeros((*gratings, place.width))  # F1
        self.largest = np.zeros(place.width)
        angle = torch.arange(phases, dtype=torch.float64) * (2 * torch.pi / phases)
        self.wave = torch.stack([angle.cos(), angle.sin()]) * (2 / phases)  # (2, phases)

    def see_gray(self, value: Tensor) -> None:
        """Take in what plain gray gives, in the first row of the batch."""
        self.gray = self._finite(value[0][:, self.places])  # (C, P)

    def see(self, which: Sequence[tuple[int, int]], value: Tensor) -> None:
        """Take in some gratings, phase by phase in the first rows of the batch."""
        kept = self._finite(value[: len(which) * self.phases][:, :, self.places])
        kept = kept.reshape(len(which), self.phases, *kept.shape[1:])  # (G, phases, C, P)
        still = (kept.mean(1) - self.gray).mean(2)
        swing = torch.tensordot(self.wave.to(kept.device), kept, ([1], [1])).square().sum(0).sqrt().mean(2)  # (G, C)
        for row, (orientation, frequency) in enumerate(which):
            self.still[orientation, frequency] = still[row].cpu().numpy()
            self.swing[orientation, frequency] = swing[row].cpu().numpy()
        self.largest = np.maximum(self.largest, kept.abs().amax((0, 1, 3)).cpu().numpy())

    def tuning(self, directions: Array) -> Tuning:
        """Selectivity and orientation of each channel."""
        still = self.still.clip(0)
        simple = self.swing.max((0, 1)) >= still.max((0, 1))
        answer = np.where(simple, self.swing, still)  # (O, F, C)
        best = answer.max(0).argmax(0)
        curve = np.take_along_axis(answer, best[None, None], 1)[:, 0]  # (O, C)
        least = ROUNDING * np.maximum(self.largest, answer.max())
        dead = (curve.max(0) <= least) | (curve.max(0) == 0)
        total = np.where(dead, 1, curve.sum(0))
        mean = np.exp(2j * np.radians(directions)) @ curve / total
        orientation = np.degrees(np.angle(mean)) / 2 % 180
        orientation[orientation.astype(np.float32) >= 180] = 0
        return tuple(np.where(dead, np.nan, one).astype(np.float32) for one in (np.abs(mean), orientation))  # type: ignore[return-value]

    def _finite(self, value: Tensor) -> Tensor:
        wide = value.double()
        if not wide.isfinite().all():
            raise RangeError(f"orientation selectivity: {self.name} gives numbers that are not finite")
        return wide


def middle(place: Place) -> list[int]:
    """Which places lie in the middle half of the rows and of the columns; the one of a value without places.

    >>> middle(Place("conv2d", "NCHW", (4, 4), 8, 0))
    [5, 6, 9, 10]
    """
    rows, columns = place.grid if place.layout else (1, 1)
    down, across = (range(side // 4, side - side // 4) for side in (rows, columns))
    return [row * columns + column for row, column in product(down, across)]
