"""How much of a kernel answers to differences of color instead of gray, and to which difference.

A kernel of three channels has at each place an arrow in red, green and blue. Its part along gray (all channels alike)
is what the kernel makes of a gray picture; the rest lies in the plane of color differences, where an axis can be named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.errors import ShapeError

Array = npt.NDArray[np.float64]

GRAY: Array = np.ones(3) / np.sqrt(3)
"""All channels alike: what a gray picture has, since channels are normalized each by itself."""
RED_GREEN: Array = np.array([1.0, -1.0, 0.0]) / np.sqrt(2)
YELLOW_BLUE: Array = np.array([1.0, 1.0, -2.0]) / np.sqrt(6)
"""With gray and red - green an orthonormal basis: energies of the three add to that of the kernel."""
AXES = ("red–green", "red–cyan", "red–blue", "yellow–blue", "green–blue", "green–magenta")
"""Every 30 degrees of the plane, from red - green on; at 90 degrees yellow - blue."""
COLORED = 0.1
"""A kernel with a smaller share of its energy in color differences names no axis."""
ALONG = 0.75
"""Of the energy in color differences so much has to lie along one axis; else there are several."""


@dataclass(frozen=True)
class Opponency:
    """How a kernel answers to color.

    Attributes:
        share: of its energy in color differences, 0 … 1; 0 answers to gray alone, 2/3 to one channel alone.
        angle: of the main axis in the plane of color differences, 0 … 180 degrees; None where there is none to name.
        along: of the energy in color differences, the share along that axis, 1/2 … 1; 0 where there is no such energy.
    """

    share: float
    angle: float | None
    along: float

    @property
    def axis(self) -> str:
        """The nearest of `AXES`; "" where none is named."""
        return "" if self.angle is None else AXES[round(self.angle / 30) % 6]


def opponency(kernels: npt.NDArray[np.floating]) -> list[Opponency]:
    """Split the energy of kernels between gray and color differences.

    Args:
        kernels: (O, 3, K, K), channels red, green, blue; finite.
    Returns:
        One for each kernel.
    Raises:
        ShapeError: not three channels.

    >>> gray, red, against = np.ones((3, 1, 1)), np.eye(3)[0][:, None, None], np.array([1.0, -1, 0])[:, None, None]
    >>> [(round(one.share, 3), one.axis) for one in opponency(np.stack([gray, red, against]))]
    [(0.0, ''), (0.667, 'red–cyan'), (1.0, 'red–green')]
    """
    if kernels.ndim != 4 or kernels.shape[1] != 3:
        raise ShapeError(f"opponency: wants kernels (O, 3, K, K), got {kernels.shape}")
    flat = kernels.astype(np.float64).reshape(len(kernels), 3, -1)
    flat = flat / np.maximum(np.abs(flat).max(axis=(1, 2), keepdims=True), 1e-300)
    plane = np.stack([RED_GREEN, YELLOW_BLUE]) @ flat  # (O, 2, K K)
    values, vectors = np.linalg.eigh(plane @ plane.transpose(0, 2, 1))
    colored, whole = values.sum(1), (flat**2).sum((1, 2))
    shares = np.divide(colored, whole, out=np.zeros(len(flat)), where=whole > 0).clip(0, 1)
    along = np.divide(values[:, 1], colored, out=np.zeros(len(flat)), where=shares > 1e-12)
    angles = np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1])) % 180
    return [
        Opponency(float(share), float(angle) if share >= COLORED and part >= ALONG else None, float(part))
        for share, angle, part in zip(shares, angles, along, strict=True)
    ]
