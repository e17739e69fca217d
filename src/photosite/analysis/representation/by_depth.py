"""What a network holds at each depth, trained and untrained, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Probe:
    """How well a linear layer tells classes from a layer's channels, each averaged over all places.

    Attributes:
        accuracy: share of pictures that it had not seen and told right, 0 … 1.
        interval: (low, high), where that share lies with 95 %, by Wilson's formula.
        chance: the share that the commonest class would get.
        train_accuracy: of the pictures it was fitted to.
        train: how many these were.
        test: how many it had not seen.
        strength: the C that was chosen: what the sum of the losses is multiplied by beside half the squared weights.
            None where that is not known.
    """

    accuracy: float
    interval: tuple[float, float]
    chance: float
    train_accuracy: float
    train: int
    test: int
    strength: float | None = None


@dataclass(frozen=True, eq=False)
class LayerMeasures:
    """What one layer holds.

    Attributes:
        name: as it was asked for.
        selectivity: (C,), of each channel 1 less the circular variance of its answers to gratings of all directions: 0
            all directions alike, 1 one direction only. NaN where the channel answers to none.
        orientation: (C,), degrees in [0, 180) of the stripes that it answers to most, 0 lying and 90 standing. NaN
            likewise.
        probe: None without classes.
    """

    name: str
    selectivity: npt.NDArray[np.float32]
    orientation: npt.NDArray[np.float32]
    probe: Probe | None


@dataclass(frozen=True, eq=False)
class DepthMeasures:
    """What a network holds at each depth.

    Attributes:
        trained: of the network as it is, layer by layer.
        untrained: of the same network with fresh random weights; () where there is none.
        cka: (L, L), how alike its layers are, linear CKA.
        cka_untrained: (L, L), its layers (rows) against those of the untrained one (columns); None where there is none.
        pictures: how many were looked at.
        classes: names; () where they are not known.
    """

    trained: tuple[LayerMeasures, ...]
    untrained: tuple[LayerMeasures, ...]
    cka: npt.NDArray[np.float64]
    cka_untrained: npt.NDArray[np.float64] | None
    pictures: int
    classes: tuple[str, ...]
