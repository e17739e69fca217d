"""What the channels of a network answer to, from edges to objects, as plain data that page and terminal only read.

Knows no torch and no model: `record_hierarchy` puts it together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.analysis.representation.by_depth import DepthMeasures, LayerMeasures
from photosite.prep.recipe import Picture
from photosite.trace.notation import UNKNOWN, limits, number

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Top:
    """One of the largest numbers of a channel.

    Attributes:
        name: of the picture's file.
        label: the class that its folder names; None where it names none.
        value: the number.
        place: row and column in the map; None without places.
        input_box: what the place sees of the input: top, left, bottom, right, half open; None for all of it, or where
            that is not known.
        photo_box: the same in pixels of the photo.
    """

    name: str
    label: str | None
    value: float
    place: tuple[int, int] | None
    input_box: Box | None
    photo_box: tuple[float, float, float, float] | None


@dataclass(frozen=True, eq=False)
class Cut:
    """What a unit sees, cut out.

    Attributes:
        frame: the box of the input that is shown, which may reach beyond the photo.
        box: the part of it that is photo.
        sees: what the unit sees; None for all of the input, or where that is not known.
        whole: the frame is all of the input.
        pixels: (h, w, 3) uint8, the photo in `box`, made smaller by `scale`.
        scale: pixels here for one of the input; 1 where nothing was made smaller.
        signal: (h, w, 3) uint8, what the unit sends back to `box`, mid gray for 0; None where there is none.
        limit: the largest size of the signal, as it is drawn: white or black.
        again: the number in the run that the signal is from.
    """

    frame: Box
    box: Box
    sees: Box | None
    whole: bool
    pixels: Picture
    scale: float
    signal: Picture | None
    limit: float | None
    again: float | None


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a layer.

    Attributes:
        number: which.
        tops: its largest numbers, the largest first.
        cuts: by rank, for channels that are shown; None where the number is 0.
    """

    number: int
    tops: tuple[Top, ...]
    cuts: tuple[Cut | None, ...] = ()

    @property
    def open(self) -> tuple[Top, ...]:
        """Those of its largest numbers that are not exactly 0, as a closed rectifier gives it."""
        return tuple(top for top in self.tops if top.value)

    @property
    def class_counts(self) -> tuple[tuple[str, int], ...]:
        """How many of `open` lie in which class, the commonest first, then by name; () without classes."""
        counts = Counter(top.label for top in self.open if top.label is not None)
        return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

    @property
    def agreement(self) -> float | None:
        """How often two of `open` are of one class, 0 … 1; None for fewer than two, or without classes."""
        counts = [count for _, count in self.class_counts]
        pairs = math.comb(sum(counts), 2)
        return sum(math.comb(count, 2) for count in counts) / pairs if pairs else None


@dataclass(frozen=True, eq=False)
class Layer:
    """One depth of a network.

    Attributes:
        name: the path of a module, or the name of a node.
        node: whose value, with `module`, `op` and `shape`.
        layers: layers with weights on the longest way that leads to it.
        grid: rows and columns of places; (0, 0) without.
        size: of the field of each place, as if the picture had no borders; None where that is not known.
        jump: pixels from one place to the next, down and across; None likewise.
        global_by: operations that make it see everything, beyond the field.
        at_most: operations behind which the field is an upper bound.
        reason: why it is looked at.
        channels: all of them, those that are shown first, in their order.
        shown: how many have cuts.
        notes: what the signals met that their rule was not made for.
        not_numbers: in how many pictures some channel was not a number.
    """

    name: str
    node: str
    module: str
    op: str
    shape: tuple[int, ...]
    layers: int
    grid: tuple[int, int]
    size: tuple[int, int] | None
    jump: tuple[float, float] | None
    global_by: tuple[str, ...]
    at_most: tuple[str, ...]
    reason: str
    channels: tuple[Channel, ...]
    shown: int
    notes: tuple[str, ...]
    not_numbers: int

    @property
    def silent(self) -> tuple[int, ...]:
        """The numbers of channels that are 0 in every picture."""
        return tuple(sorted(one.number for one in self.channels if not one.open))

    @property
    def agreement(self) -> float | None:
        """The mean over its channels of how often two of their best pictures are of one class."""
        found = [one.agreement for one in self.channels if one.agreement is not None]
        return sum(found) / len(found) if found else None


@dataclass(frozen=True, eq=False)
class HierarchyTrace:
    """What the channels of a network answer to, layer by layer.

    Attributes:
        model: as it was named.
        pictures: how many were looked at.
        source: where they lay, as it was named.
        left_out: those that did not open, a line each.
        input_hw: the input's size.
        k: how many of the largest numbers each channel has, at most.
        rule: how signals go back: "deconvnet", "guided backpropagation", "gradient"; None without signals.
        layers: from the first to the last.
        labels: how many pictures each class has; () where folders name none.
        measures: what the layers hold; None where that was not measured.
        unmeasured: why not, or why something of it is missing; "" where nothing is.
        against: another model that it is compared with; "" without one.
        against_layers: the layers of that.
        alike: (L, M), how alike its layers (rows) are to those of the other (columns), linear CKA; None without one.
        trained: whether the weights are; None where that is not known.
        notes: what a reader should know, in sentences.
        version: of photosite.
    """

    model: str
    pictures: int
    source: str
    left_out: tuple[str, ...]
    input_hw: tuple[int, int]
    k: int
    rule: str | None
    layers: tuple[Layer, ...]
    labels: tuple[tuple[str, int], ...]
    measures: DepthMeasures | None
    unmeasured: str
    against: str
    against_layers: tuple[str, ...]
    alike: npt.NDArray[np.float64] | None
    trained: bool | None
    notes: tuple[str, ...]
    version: str

    @property
    def chance(self) -> float | None:
        """How often two pictures at random are of one class; None without classes."""
        total = sum(count for _, count in self.labels)
        return sum(math.comb(count, 2) for _, count in self.labels) / math.comb(total, 2) if total > 1 else None

    def measures_of(self, layer: Layer) -> LayerMeasures | None:
        """What was measured of a layer."""
        found = () if self.measures is None else self.measures.trained
        return next((one for one in found if one.name == layer.name), None)


def order_of(channels: Sequence[Channel]) -> list[Channel]:
    """Channels by what matters: how often their best pictures are of one class, then how strong the last of them is.

    Channels that are 0 everywhere come last.
    """

    def key(one: Channel) -> tuple[float, float, int]:
        weakest = one.open[-1].value if one.open else -math.inf
        return -(one.agreement or 0.0), -weakest, one.number

    return sorted(channels, key=key)


def best_words(one: Channel) -> str:
    """Of which class most of a channel's best pictures are.

    >>> best_words(Channel(0, tuple(Top("a", label, 1.0, None, None, None) for label in ("cat", "cat", "dog"))))
    '2 of 3 cat'
    """
    counts = one.class_counts
    return f"{counts[0][1]} of {len(one.open)} {counts[0][0]}" if counts else ""


def sees_words(layer: Layer) -> str:
    """How far a place of a layer sees, in words."""
    size = f"{layer.size[0]} × {layer.size[1]} px" if layer.size else UNKNOWN
    if layer.at_most:
        size = f"at most {size}"
    if layer.global_by:
        return f"all of the input, by {layer.global_by[0]}; {size} without it"
    return size if layer.grid != (0, 0) else "all of the input"


def hierarchy_lines(trace: HierarchyTrace) -> list[tuple[str, str]]:
    """The numbers as lines for people: name and value."""
    lines = [("pictures", f"{trace.pictures}" + (f", {len(trace.left_out)} left out" if trace.left_out else ""))]
    for layer in trace.layers:
        lines.append((layer.name, f"{len(layer.channels)} channels, each place sees {sees_words(layer)}"))
        lines += [("", text) for text in layer_words(trace, layer)]
    if trace.unmeasured:
        lines.append(("not measured", trace.unmeasured))
    lines += [("note", note) for note in trace.notes]
    return lines


def layer_words(trace: HierarchyTrace, layer: Layer) -> list[str]:
    """What is known of a layer, a sentence each."""
    found = []
    if layer.agreement is not None and trace.chance is not None:
        found.append(
            f"two of a channel's best {trace.k} are of one class in {_percent(layer.agreement)}, by chance "
            f"{_percent(trace.chance)}"
        )
    best = layer.channels[0]
    if best.open:
        values = limits(best.open[-1].value, best.open[0].value)
        found.append(", ".join(part for part in (f"channel {best.number} gives {values}", best_words(best)) if part))
    if layer.silent:
        found.append(f"{len(layer.silent)} of {len(layer.channels)} channels are 0 in every picture")
    measured = trace.measures_of(layer)
    if measured is not None:
        middle = quartiles(measured.selectivity)
        if middle is not None:
            found.append(
                f"selective for orientation: {number(middle[1])} in the middle, half in {limits(*middle[::2])}"
            )
        if measured.probe is not None:
            low, high = measured.probe.interval
            found.append(
                f"a linear probe tells {_percent(measured.probe.accuracy)} of the classes "
                f"({_percent(low)} … {_percent(high)}), by chance {_percent(measured.probe.chance)}"
            )
    return found


def quartiles(values: Any) -> tuple[float, float, float] | None:
    """Lower quartile, median and upper quartile of what is a number; None where nothing is.

    >>> quartiles(np.array([0.0, 1, 2, 3, 4, np.nan]))
    (1.0, 2.0, 3.0)
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return None
    low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75]).tolist()
    return low, middle, high


def _percent(share: float) -> str:
    return f"{number(round(100 * share, 1))} %"
