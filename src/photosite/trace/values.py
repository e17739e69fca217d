"""What a trace is: plain data that report, explorer and terminal only read.

Knows no torch, no model and no file format; arrays are NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

STATIONS = ("file", "color", "tensor", "convolution", "features", "tokens")
"""The stations of the light's path, in order; each step belongs to one."""


@dataclass(frozen=True)
class Statistics:
    """Range and spread of an array; None where the array has no finite value."""

    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    nonfinite: int = 0


@dataclass(frozen=True)
class Tile:
    """A small picture of values, ready to be drawn, with what it shows.

    `pixels` is (h, w, 3) uint8. `caption` is "name · shape dtype · min … max". `scale` says how numbers became
    colors ("as they are", "viridis 0 … 2.48", "diverging −1.5 … 1.5"); `low` and `high` are the limits drawn, None for
    plain pixels.
    """

    caption: str
    pixels: npt.NDArray[np.uint8]
    scale: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Step:
    """One operation that the picture went through.

    `shape` has no batch axis. `parameters` counts what this step itself holds. `ms` is the median wall-clock time, or
    None where it was not timed. `tiles` are pictures of the result, the first being the step's own; `shown`
    of `channels` channels are in it. `formula` and `did` are for people: what was done, in a line each.
    """

    name: str
    op: str
    module: str
    station: str
    shape: tuple[int, ...]
    dtype: str
    statistics: Statistics
    parameters: int = 0
    ms: float | None = None
    did: str = ""
    formula: str = ""
    tiles: tuple[Tile, ...] = ()
    channels: int | None = None
    shown: int | None = None


@dataclass(frozen=True)
class Tokens:
    """The visual tokens, in reading order.

    `values` is (N, D) float32, patch tokens only. `grid` is (rows, columns) with rows * columns = N, or None where it
    is not known. `prefix` counts tokens in front (class token, registers) that are left out. `layout` is how the
    network held them: "NCHW", "NHWC" or "tokens"; `node` is the step whose output they are. `norms` and `components`
    show them on their grid; `explained` is the share of variance of the three principal components.
    """

    values: npt.NDArray[np.float32]
    grid: tuple[int, int] | None
    prefix: int
    layout: str
    node: str
    norms: Tile | None = None
    components: Tile | None = None
    explained: tuple[float, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """One class with its probability (softmax over all classes)."""

    label: str
    probability: float


@dataclass(frozen=True)
class Trace:
    """One picture's way through everything.

    `picture` has path, path_bytes (base64), size_hw, decoded_hw, sha256, bytes, format, mode, orientation, frames and
    notes. `model` has name, source, parameters, weights (where from), weights_sha256, trained (None where it is not
    known), classes (count or None) and input_shape. `recipe` has the recipe's fields. `photo` is the upright picture,
    at most 1024 px a side, and `crop_box` the part of it that the model saw, as shares (top, left, bottom, right) in
    [0, 1]. `kernels` shows the first convolution's learned kernels. `notes` is what a person should know.
    """

    picture: dict[str, Any]
    model: dict[str, Any]
    recipe: dict[str, Any]
    steps: tuple[Step, ...]
    photo: npt.NDArray[np.uint8]
    crop_box: tuple[float, float, float, float]
    tokens: Tokens | None
    predictions: tuple[Prediction, ...] = ()
    kernels: tuple[Tile, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = ""
    versions: dict[str, str] = field(default_factory=dict)
