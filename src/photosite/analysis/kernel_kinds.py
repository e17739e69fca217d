"""What a kernel that reads the picture answers to: stripes of which direction, how fine, in which color; or none.

Takes kernels as arrays; knows no graph and no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.analysis.color_opponency import Opponency, opponency
from photosite.analysis.filters import Filters
from photosite.analysis.gabor import GaborFit, fit_gabors

KINDS = ("oriented", "color blob", "other", "dead")
"""Every kernel is one of these; being the same as another comes on top."""
COLOR_BLOB = 0.5
"""A blob with at least this share of its energy in color differences is a color blob."""
SECTOR = 15.0
"""Degrees: kernels are sorted by orientation in steps of this, and within a step by frequency."""


@dataclass(frozen=True)
class Kernel:
    """What is known of one kernel that reads the picture.

    Attributes:
        number: of its filter.
        kind: of `KINDS`.
        norm: of its weights; with the factor of the batch norm behind it, where there is one.
        fit: stripes or a blob; None where it is dead or has weights that are not finite.
        color: None unless the picture has three channels; likewise.
    """

    number: int
    kind: str
    norm: float
    fit: GaborFit | None
    color: Opponency | None


def describe(
    pictures: npt.NDArray[np.floating], measured: Filters, dilation: tuple[int, ...] = (1, 1)
) -> tuple[Kernel, ...]:
    """Say of each kernel what it answers to.

    Args:
        pictures: (O, C, K, K).
        measured: of the same kernels.
        dilation: pixels from one weight to the next, down and across.
    Returns:
        One for each kernel.
    """
    dead = set(measured.dead)
    alive = [n for n in range(len(pictures)) if n not in dead and np.isfinite(pictures[n]).all()]
    fits = dict(zip(alive, fit_gabors(pictures[alive], (dilation[0], dilation[1])), strict=True)) if alive else {}
    colors = dict(zip(alive, opponency(pictures[alive]), strict=True)) if alive and pictures.shape[1] == 3 else {}
    return tuple(
        Kernel(n, _kind(n in dead, fits.get(n), colors.get(n)), float(norm), fits.get(n), colors.get(n))
        for n, norm in enumerate(measured.strength)
    )


def by_orientation(found: tuple[Kernel, ...], kind: str = "oriented") -> list[Kernel]:
    """Kernels of a kind, sorted: those with stripes by orientation, then frequency; others by color, then strength."""

    def key(one: Kernel) -> tuple[float, float, int]:
        if one.fit is not None and one.fit.orientation is not None and one.fit.frequency is not None:
            return (one.fit.orientation + SECTOR / 2) % 180 // SECTOR, one.fit.frequency, one.number
        angle = one.color.angle if one.color is not None and one.color.angle is not None else 180.0
        return angle // SECTOR, -one.norm, one.number

    return sorted((one for one in found if one.kind == kind), key=key)


def _kind(dead: bool, fit: GaborFit | None, color: Opponency | None) -> str:
    if dead:
        return "dead"
    if fit is not None and fit.kind == "oriented":
        return "oriented"
    if fit is not None and fit.kind == "blob" and color is not None and color.share >= COLOR_BLOB:
        return "color blob"
    return "other"
