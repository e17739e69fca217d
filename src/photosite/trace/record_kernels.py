"""Put together what is known of a layer's kernels, and draw those that read the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite import __version__
from photosite.analysis.kernel_kinds import KINDS, by_orientation
from photosite.analysis.kernels import LayerKernels
from photosite.trace.canvas import DIVERGING, NONFINITE, PAPER, Rgb, grid_of, pick
from photosite.trace.kernels import KernelsTrace, KernelTile
from photosite.trace.notation import limits, number
from photosite.trace.pictures import CLIPPED_SHARE, caption
from photosite.trace.values import Tile

BINS = 32
"""Steps of the histogram of strengths."""
PLANES_AT_MOST = 16
"""Of kernels that are not in color, so many channels are drawn."""
RULE: Rgb = np.array([227, 224, 216], np.uint8)
"""Between the channels of a kernel: their zero is paper, and they are too small for a darker line."""


def record_kernels(
    model: str, found: LayerKernels, notes: Sequence[str] = (), trained: bool | None = None
) -> KernelsTrace:
    """Put together what is known of a layer's kernels.

    Args:
        model: as it was named.
        found: what was measured.
        notes: on the weights.
        trained: whether the weights come from a training; None where that is not known.
    """
    layer, measured = found.layer, found.filters
    weight = layer.weight.astype(np.float32)
    finite = weight[np.isfinite(weight)]
    order = [one.number for kind in KINDS for one in by_orientation(found.kernels, kind)]
    tiles: list[KernelTile] = []
    sheet = None
    if found.pictures is not None:
        drawn, limit = _drawn(found.pictures)
        own = [_drawn(one[None], 0.0) for one in found.pictures]
        values = found.pictures.astype(np.float32)
        for n, colors in enumerate(drawn):
            text = caption(f"kernel {n}", values[n])
            tiles.append(
                KernelTile(
                    Tile(text, colors, _scale(values.shape[1], limit, "all kernels"), -limit, limit),
                    Tile(text, own[n][0][0], _scale(values.shape[1], own[n][1], "this kernel"), -own[n][1], own[n][1]),
                    float(values[n].min()),
                    float(values[n].max()),
                )
            )
        large = drawn[order].repeat(4, 1).repeat(4, 2)
        sheet = Tile(
            caption(layer.name, weight).replace("float32", layer.dtype),
            grid_of(large, PAPER, gap=2 if values.shape[1] == 3 else 8, aspect=1.3),
            _scale(values.shape[1], limit, "all kernels") + _beyond(found.pictures, limit),
            -limit,
            limit,
        )
    strength = measured.strength[np.isfinite(measured.strength)]
    counts = np.histogram(strength, BINS, (0.0, float(strength.max(initial=0.0)) or 1.0))[0]
    return KernelsTrace(
        model=model,
        notes=tuple(notes),
        trained=trained,
        name=layer.name,
        node=layer.node.name,
        module=layer.node.module,
        op=layer.node.op,
        shape=layer.weight.shape,
        dtype=layer.dtype,
        low=float(finite.min()) if finite.size else None,
        high=float(finite.max()) if finite.size else None,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        way=layer.way,
        reads_picture=layer.reads_picture,
        channels=0 if found.pictures is None else found.pictures.shape[1],
        folded=measured.folded is not None,
        filters=measured,
        kernels=found.kernels,
        tiles=tuple(tiles),
        sheet=sheet,
        order=tuple(order),
        counts=tuple(int(one) for one in counts),
        version=__version__,
    )


def _drawn(kernels: npt.NDArray[Any], clipped: float = CLIPPED_SHARE) -> tuple[Rgb, float]:
    """Colors of all kernels (O, h, w, 3) by one limit, and that limit: all but a share of the weights reach it.

    Three channels are the color that the kernel answers to, 0 mid gray; any other number stands side by side as maps.
    """
    finite = np.isfinite(kernels)
    sizes = np.abs(kernels[finite])
    limit = float(np.quantile(sizes, 1 - clipped, method="higher")) if sizes.size else 0.0
    limit = limit or float(sizes.max(initial=0.0))
    shares = np.where(finite, kernels, 0) / (limit or 1.0)
    if kernels.shape[1] == 3:
        colors = np.clip(shares * 127.5 + 127.5, 0, 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        colors[~finite.all(1)] = NONFINITE
        return colors, limit
    maps = pick(shares, -1.0, 1.0, DIVERGING)
    maps[~finite] = NONFINITE
    maps = maps[:, :PLANES_AT_MOST]
    return np.stack([grid_of(one, RULE, aspect=1.0) for one in maps]), limit


def _scale(channels: int, limit: float, whose: str) -> str:
    if channels == 3:
        return f"R, G, B weights, zero mid gray, {whose} by {number(limit)}"
    shown = f", the first {PLANES_AT_MOST} of {channels} channels" if channels > PLANES_AT_MOST else ""
    return f"diverging {limits(-limit, limit)}, {whose}{shown}"


def _beyond(kernels: npt.NDArray[Any], limit: float) -> str:
    beyond = int((np.abs(kernels) > limit * (1 + 1e-9)).sum())
    return f", {beyond} of {kernels.size} weights beyond" if beyond else ""
