"""What a target gets from pictures that nobody made for it: real ones, and random ones with the spectrum of a dream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.analysis.dreaming.objective import Objective, Target
from photosite.analysis.dreaming.part import Part
from photosite.analysis.dreaming.preparation import Levels, Preparation
from photosite.errors import ShapeError
from photosite.graph.ir import Graph


@dataclass(frozen=True, eq=False)
class Answers:
    """What some pictures give.

    Attributes:
        values: (N,) float64, the target for each picture.
        places: for each the place where it is largest, row and column, or the one asked for; None without places.
    """

    values: npt.NDArray[np.float64]
    places: tuple[tuple[int, int] | None, ...]

    def best(self, count: int) -> list[int]:
        """The pictures with the largest values, the first one first; what is not finite is left out."""
        order = np.argsort(-self.values, kind="stable")
        return [int(number) for number in order if np.isfinite(self.values[number])][:count]


def measure(graph: Graph, model: nn.Module, target: Target, levels: Levels, preparation: Preparation) -> Answers:
    """What a target gets from pictures.

    Args:
        graph: captured with as many pictures at once as are to be worked on.
        model: as it was captured.
        target: what is measured.
        levels: (N, H, W, C) uint8, of the input's size.
        preparation: how they become the input.
    Raises:
        ShapeError: pictures of another size; or as for `Part` and `Objective`.
        RangeError, UnknownNameError, MismatchedWeightsError: as for `Part` and `Objective`.
    """
    part = Part(graph, model, target.node)
    return answers(part, Objective(part.graph, target), levels, preparation)


def answers(part: Part, objective: Objective, levels: Levels, preparation: Preparation) -> Answers:
    """As `measure`, of what was put together before."""
    B, C, H, W = preparation.sides(part.shape)
    if levels.dtype != np.uint8 or levels.ndim != 4 or levels.shape[1:] != (H, W, C):
        raise ShapeError(f"dream: wants pictures (N, {H}, {W}, {C}) uint8, got {levels.shape} {levels.dtype}")
    values: list[float] = []
    places: list[tuple[int, int] | None] = []
    for start in range(0, len(levels), B):
        some = levels[start : start + B]
        filled = np.concatenate([some, np.repeat(some[-1:], B - len(some), 0)])
        maps = maps_of(part, objective, preparation.of_levels(filled))
        values += objective.activation(maps)[: len(some)].double().tolist()
        places += [objective.place(one) for one in objective.by_place(maps)[: len(some)]]
    return Answers(np.array(values, np.float64), tuple(places))


def maps_of(part: Part, objective: Objective, x: Tensor) -> Tensor:
    """The features at a target's node, without gradients."""
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(part.device.type, enabled=False):
        return objective.maps(part(x.to(part.device)))


def same_spectrum(picture: Levels, count: int, seed: int) -> Levels:
    """Random pictures with the spectrum of one: as much of every frequency, its mean and its colors, no structure.

    Args:
        picture: (H, W, C) uint8.
        count: how many.
        seed: of the phases; the same for all channels, so that colors stay together.
    Returns:
        (N, H, W, C) uint8. What falls beyond 0 … 255 is cut off, as it is in every picture, which costs some contrast.
    """
    H, W, _ = picture.shape
    spectrum = np.fft.rfft2(picture.astype(np.float64), axes=(0, 1))
    noise = np.fft.rfft2(np.random.default_rng(seed).normal(size=(count, H, W)), axes=(1, 2))
    turn = noise / np.maximum(np.abs(noise), 1e-300)
    turn[:, 0, 0] = 1
    random = np.fft.irfft2(spectrum[None] * turn[..., None], s=(H, W), axes=(1, 2))
    return np.rint(np.clip(random, 0, 255)).astype(np.uint8)
