"""Sinusoidal gratings: gray stripes of any direction, fineness and phase, that fill a picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError

LEAST_SIDE = 4
"""Pictures of fewer rows or columns hold no two periods that could be told apart."""
FINEST = 0.4
"""Cycles a pixel of the finest grating: at 0.5 what is left of a wave depends on its phase."""
COARSEST_PERIODS = 2
"""Periods of the coarsest grating in the shorter side."""
OCTAVES = 0.75
"""From one frequency to the next, at most; kernels of a few pixels answer to more than an octave."""


def grating(
    size_hw: tuple[int, int],
    orientation: float,
    frequency: float,
    phases: Sequence[float] | npt.NDArray[np.floating] = (0.0,),
    contrast: float = 1.0,
) -> npt.NDArray[np.float32]:
    """A grating in several phases, as if it drifted.

    Args:
        size_hw: rows and columns.
        orientation: of the stripes in degrees, counterclockwise from horizontal: 0 lies, 90 stands.
        frequency: cycles a pixel, across the stripes.
        phases: in degrees, of the wave in the middle of the picture: 0 is brightest there.
        contrast: 0 … 1, of the darkest and the brightest around mid gray.
    Returns:
        (phases, H, W) float32, 0 … 1.
    Raises:
        RangeError: contrast or frequency make no sense, or a picture is too small.
    Convention: orientations as in `photosite.analysis.gabor`.

    >>> (100 * grating((4, 4), 90, 0.25)[0, 0]).round().tolist()
    [15.0, 85.0, 85.0, 15.0]
    """
    if min(size_hw) < LEAST_SIDE:
        raise RangeError(f"gratings: want pictures of at least {LEAST_SIDE} × {LEAST_SIDE}, got {size_hw}")
    if not 0 < contrast <= 1:
        raise RangeError(f"gratings: want a contrast above 0 and up to 1, got {contrast}")
    if not 0 < frequency <= 0.5:
        raise RangeError(f"gratings: want frequencies above 0 and up to 0.5 cycles a pixel, got {frequency}")
    direction = np.radians(90 - orientation)  # in which the wave runs, rows counted downwards
    y, x = (np.arange(side) - (side - 1) / 2 for side in size_hw)
    across = x[None, :] * np.cos(direction) + y[:, None] * np.sin(direction)  # (H, W)
    angle = 2 * np.pi * frequency * across - np.radians(np.asarray(phases, np.float64))[:, None, None]
    levels: npt.NDArray[np.float32] = (0.5 + 0.5 * contrast * np.cos(angle)).astype(np.float32)
    return levels


def even_orientations(count: int) -> npt.NDArray[np.float64]:
    """So many directions in degrees, from 0, all as far apart.

    Raises:
        RangeError: fewer than three, of which no direction in between can be told.

    >>> even_orientations(4).tolist()
    [0.0, 45.0, 90.0, 135.0]
    """
    if count < 3:
        raise RangeError(f"gratings: want at least 3 orientations, got {count}")
    return np.arange(count, dtype=np.float64) * (180 / count)


def frequencies_for(size_hw: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Frequencies from two periods in the shorter side to 0.4 cycles a pixel, three quarters of an octave apart.

    Raises:
        RangeError: a picture is too small.

    >>> frequencies_for((32, 48)).round(3).tolist()
    [0.062, 0.099, 0.158, 0.251, 0.4]
    """
    if min(size_hw) < LEAST_SIDE:
        raise RangeError(f"gratings: want pictures of at least {LEAST_SIDE} × {LEAST_SIDE}, got {size_hw}")
    coarsest = min(COARSEST_PERIODS / min(size_hw), FINEST / 2)
    return np.geomspace(coarsest, FINEST, 1 + ceil(log2(FINEST / coarsest) / OCTAVES))
