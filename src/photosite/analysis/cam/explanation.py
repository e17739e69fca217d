"""One class activation map of one picture, with everything that has to be said about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photosite.analysis.cam.placing import Placing, over_input, over_photo
from photosite.prep.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Explanation:
    """One map of one picture.

    Attributes:
        method: how it was made, one of `METHODS`.
        node: the layer's value in the graph.
        module: of the model, where it is computed.
        layout: "NCHW", "NHWC" or "tokens".
        grid: rows and columns of places.
        prefix: tokens in front of those of places.
        target: the class; -1 where a score of one's own is followed.
        score: what the model says for it.
        values: (h, w) float32, with their sign: what lies below 0 speaks against the class.
        placing: where the places lie in the input.
        input_hw: size of the input.
        refused: why there is no map; "" where there is one. `values` is then all NaN.
        notes: what a person should know.
    """

    method: str
    node: str
    module: str
    layout: str
    grid: tuple[int, int]
    prefix: int
    target: int
    score: float
    values: npt.NDArray[np.float32]
    placing: Placing
    input_hw: tuple[int, int]
    refused: str
    notes: tuple[str, ...]

    @property
    def positive(self) -> npt.NDArray[np.float32]:
        """What speaks for the class, (h, w), 0 … 1: cut off at 0, over the largest. All NaN where it is refused."""
        cut = np.maximum(self.values, 0)
        most = float(np.max(cut)) if cut.size else 0.0
        return (cut / most if most > 0 else cut).astype(np.float32)

    def over_input(self) -> npt.NDArray[np.float32]:
        """`positive` at every pixel of the input, linear in between, (H, W)."""
        return over_input(self.positive, self.placing, self.input_hw).astype(np.float32)

    def over_photo(self, geometry: Geometry) -> npt.NDArray[np.float32]:
        """`positive` at every pixel of the photo, (H, W); NaN where the model did not get it.

        Args:
            geometry: from the photo to the input, as `Recipe.geometry` gives it.
        """
        return over_photo(self.positive, self.placing, geometry).astype(np.float32)
