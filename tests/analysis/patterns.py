"""Kernels made on purpose, by formulas of their own: stripes under a Gaussian, patches, noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def stripes(
    side: int, degrees: float, frequency: float, phase: float, spread: float, center: tuple[float, float] = (0, 0)
) -> Array:
    """Stripes of a direction (0° lies, 90° stands, counterclockwise) under a round Gaussian, (side, side)."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    up, right = -(rows - center[0]), columns - center[1]
    angle = np.radians(degrees)
    across = up * np.cos(angle) - right * np.sin(angle)
    wave = np.cos(2 * np.pi * frequency * across + phase)
    found: Array = wave * np.exp(-(up**2 + right**2) / (2 * spread**2))
    return found


def patch(side: int, spread: float, center: tuple[float, float] = (0, 0)) -> Array:
    """A round Gaussian, (side, side)."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    found: Array = np.exp(-((rows - center[0]) ** 2 + (columns - center[1]) ** 2) / (2 * spread**2))
    return found


def colored(pattern: Array, color: Array) -> Array:
    """A pattern in one color, (C, side, side)."""
    return np.asarray(color)[:, None, None] * pattern


def noisy(kernel: Array, share: float, seed: int) -> Array:
    """A kernel with noise of a share of its energy."""
    noise = np.random.default_rng(seed).normal(size=kernel.shape)
    found: Array = kernel + np.sqrt(share) * np.linalg.norm(kernel) / np.linalg.norm(noise) * noise
    return found


def turn(one: float, other: float) -> float:
    """The angle between two directions of stripes, in degrees, 0 … 90."""
    return abs((one - other + 90) % 180 - 90)
