"""Weighted sums over the neighbors of each photosite, and what stands for neighbors beyond the border."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from photosite.errors import UnknownNameError

Plane = npt.NDArray[np.floating[Any]]
"""(H, W), floating point."""

Border = Literal["mirror", "symmetric", "zero"]
"""What stands beyond the border of 1234.

    mirror      32|1234|32   the photosite at the border is not repeated, so each keeps its neighbors' colors
    symmetric   21|1234|43   it is repeated: beyond a red photosite stands a red one, where a green one should be
    zero        00|1234|00
"""

NUMPY_MODES: dict[Border, Literal["reflect", "symmetric", "constant"]] = {
    "mirror": "reflect",
    "symmetric": "symmetric",
    "zero": "constant",
}
"""The borders as `np.pad` calls them; SciPy calls the first two "mirror" and "reflect"."""


def correlate(plane: Plane, weights: npt.ArrayLike, border: Border = "mirror") -> Plane:
    """The weighted sum of each photosite's neighbors, the weights as one would draw them over the mosaic.

    Args:
        plane: (H, W), floating point.
        weights: (h, w), both odd; not turned around, as a convolution's would be.
        border: what stands beyond the border.
    Returns:
        (H, W), the plane's dtype.
    Raises:
        UnknownNameError: there is no such border.
    Matches: `scipy.ndimage.correlate`, up to the rounding of sums.

    >>> correlate(np.array([[1.0, 2.0, 3.0, 4.0]]), [[1, 0, 0]]).tolist()  # everyone's left neighbor
    [[2.0, 1.0, 2.0, 3.0]]
    """
    if border not in NUMPY_MODES:
        raise UnknownNameError("border", str(border), NUMPY_MODES)
    weights = np.asarray(weights, np.float64)
    height, width = plane.shape
    down, across = weights.shape[0] // 2, weights.shape[1] // 2
    padded = np.pad(plane, ((down, down), (across, across)), NUMPY_MODES[border])
    total = np.zeros_like(plane)
    for (y, x), weight in np.ndenumerate(weights):
        if weight:
            total += float(weight) * padded[y : y + height, x : x + width]  # a plain float keeps float32
    return total
