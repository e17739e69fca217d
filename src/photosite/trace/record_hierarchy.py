"""Put together what the channels of a network answer to: their largest numbers, and patches small enough to show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from photosite import __version__
from photosite.analysis.depths import Depth
from photosite.analysis.representation.by_depth import DepthMeasures
from photosite.analysis.top_activations import TopActivation, TopActivations
from photosite.analysis.top_patches import Patch
from photosite.prep.recipe import Picture
from photosite.trace.hierarchy import Channel, Cut, HierarchyTrace, Layer, Top, order_of

SIDE = 72
"""A patch whose frame is larger is made smaller, to so many pixels at the longer side."""
SAME = 1e-3
"""Two runs on the same picture, in batches of another size, differ by less than this share."""


@dataclass(frozen=True)
class Seen:
    """Which pictures were looked at.

    Attributes:
        source: where they lay.
        names: of those that opened, by their numbers.
        labels: the class of each; () where folders name none.
        left_out: those that did not open, a line each.
    """

    source: str
    names: Sequence[str]
    labels: Sequence[str] = ()
    left_out: Sequence[str] = ()

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many pictures each class has, by name."""
        classes, counts = np.unique(np.array(self.labels, dtype=str), return_counts=True)
        return tuple(zip(classes.tolist(), counts.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of the layers beside their largest numbers.

    Attributes:
        depth: of the layers; None where they were not measured.
        missing: why not, or why a part is missing; "" where nothing is.
        against: another model; "" without one.
        against_layers: its layers.
        alike: (L, M), likeness of the layers to those; None without.
    """

    depth: DepthMeasures | None = None
    missing: str = ""
    against: str = ""
    against_layers: Sequence[str] = field(default=())
    alike: npt.NDArray[np.float64] | None = None


def layers_without_patches(found: TopActivations, depths: Sequence[Depth], seen: Seen) -> tuple[Layer, ...]:
    """The layers with all their channels in the order in which they are to be shown, before any picture is cut.

    Args:
        found: the largest numbers.
        depths: the values, by the names that were asked for.
        seen: the pictures.
    """
    return tuple(_layer(found, one, seen) for one in depths)


def record_hierarchy(
    model_name: str,
    layers: Sequence[Layer],
    patches: Iterable[Patch],
    seen: Seen,
    input_hw: tuple[int, int],
    k: int,
    rule: str | None = None,
    measured: Measured | None = None,
    trained: bool | None = None,
    notes: Sequence[str] = (),
) -> HierarchyTrace:
    """Put together what is known, and make patches small enough to show.

    Args:
        model_name: as it was named.
        layers: from `layers_without_patches`.
        patches: of some channels; each is let go before the next one is taken.
        seen: the pictures.
        input_hw: the input's size.
        k: how many of the largest numbers each channel has, at most.
        rule: how signals go back; None without signals.
        measured: what was measured.
        trained: whether the weights are.
        notes: what a reader should know.
    """
    measured = measured or Measured()
    cuts: dict[tuple[str, int], dict[int, Cut]] = {}
    met: dict[str, dict[str, None]] = {layer.name: {} for layer in layers}
    changed: dict[str, None] = {}
    for patch in patches:
        cuts.setdefault((patch.name, patch.channel), {})[patch.rank] = _cut(patch)
        met[patch.name].update(dict.fromkeys(patch.notes))
        if patch.again is not None and not math.isclose(patch.again, patch.top.value, rel_tol=SAME, abs_tol=1e-6):
            changed[seen.names[patch.top.picture]] = None
    drawn = [
        replace(layer, channels=channels, shown=shown, notes=tuple(met[layer.name]))
        for layer in layers
        for channels, shown in [_with_cuts(layer, cuts)]
    ]
    if changed:
        names = ", ".join(list(changed)[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        notes = [*notes, f"gave another number when opened again, as a changed file would: {names}"]
    return HierarchyTrace(
        model=model_name,
        pictures=len(seen.names),
        source=seen.source,
        left_out=tuple(seen.left_out),
        input_hw=input_hw,
        k=k,
        rule=rule,
        layers=tuple(drawn),
        labels=seen.counts,
        measures=measured.depth,
        unmeasured=measured.missing,
        against=measured.against,
        against_layers=tuple(measured.against_layers),
        alike=measured.alike,
        trained=trained,
        notes=tuple(notes),
        version=__version__,
    )


def _layer(found: TopActivations, depth: Depth, seen: Seen) -> Layer:
    width = found.places[depth.name].width
    channels = [
        Channel(number, tuple(_top(top, seen) for top in found.top(depth.name, number))) for number in range(width)
    ]
    jump = depth.jump
    return Layer(
        name=depth.name,
        node=depth.node.name,
        module=depth.node.module,
        op=depth.node.op,
        shape=depth.node.shape[1:],
        layers=depth.layers,
        grid=depth.grid,
        size=depth.size,
        jump=None if jump is None else (float(jump[0]), float(jump[1])),
        global_by=depth.field.global_by,
        at_most=depth.field.at_most,
        reason=depth.reason,
        channels=tuple(order_of(channels)),
        shown=0,
        notes=(),
        not_numbers=found.largest[depth.name].not_numbers,
    )


def _top(top: TopActivation, seen: Seen) -> Top:
    photo: Any = None if top.box is None else tuple(round(float(edge), 3) for edge in top.box)
    label = seen.labels[top.picture] if seen.labels else None
    return Top(seen.names[top.picture], label, top.value, top.place, top.input_box, photo)


def _with_cuts(layer: Layer, cuts: dict[tuple[str, int], dict[int, Cut]]) -> tuple[tuple[Channel, ...], int]:
    """The channels of a layer, those with patches first, and how many these are."""
    shown = [
        replace(one, cuts=tuple(some.get(rank) for rank in range(len(one.tops))))
        for one in layer.channels
        if (some := cuts.get((layer.name, one.number)))
    ]
    return (*shown, *(one for one in layer.channels if (layer.name, one.number) not in cuts)), len(shown)


def _cut(patch: Patch) -> Cut:
    top, left, bottom, right = patch.frame
    scale = min(1.0, SIDE / max(bottom - top, right - left))
    height, width = patch.pixels.shape[:2]
    small = (max(1, round(height * scale)), max(1, round(width * scale))) if height and width else (height, width)
    pixels = np.clip(np.rint(_smaller(patch.pixels.astype(np.float32), small)), 0, 255).astype(np.uint8)
    signal, limit = None, None
    if patch.signal is not None:
        values = _smaller(patch.signal, small)
        limit = float(np.abs(values).max()) if values.size else 0.0
        signal = _gray_centered(values, limit)
    return Cut(patch.frame, patch.box, patch.sees, patch.whole, pixels, scale, signal, limit, patch.again)


def _smaller(values: npt.NDArray[np.float32], size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Values (h, w, 3), averaged over boxes."""
    if values.shape[:2] == size_hw:
        return values
    planes = [
        np.asarray(Image.fromarray(values[..., c]).resize((size_hw[1], size_hw[0]), Image.Resampling.BOX))
        for c in range(values.shape[2])
    ]
    return np.stack(planes, -1)


def _gray_centered(values: npt.NDArray[np.float32], limit: float) -> Picture:
    """Signed values as a color: mid gray for 0, the largest size of all black or white."""
    share = values / limit if limit else np.zeros_like(values)
    made: Picture = np.clip(np.rint(127.5 + 127.5 * share), 0, 255).astype(np.uint8)
    return made
