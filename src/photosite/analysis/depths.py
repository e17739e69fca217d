"""Which values of a network to look at when none is named: a few along its main line, from first layer to last map.

The main line is what no way from the picture to the last map goes around. It is read off the graph, never off names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from photosite.analysis.feature_map import find_feature_map, picture_layout
from photosite.analysis.receptive_field import ReceptiveField, ReceptiveFields
from photosite.errors import RangeError
from photosite.graph.functional import RESHAPING, SAME_MEMORY, SWAPPING
from photosite.graph.ir import Graph, Node

AT_MOST = 6
MOVING = RESHAPING | SWAPPING | SAME_MEMORY | frozenset(["cat", "concat", "stack", "pad", "constant_pad_nd", "clone"])
"""Kinds of operation that compute nothing."""


@dataclass(frozen=True)
class Depth:
    """A value on the way from the picture to the last map.

    Attributes:
        name: the shortest path of a module whose last value it is; the node's own name where there is none.
        node: whose value.
        layers: layers with weights on the longest way that leads to it.
        layout: "NCHW", "NHWC", "tokens", or "" where it has no places.
        grid: rows and columns of places; (0, 0) without places.
        channels: numbers for each place.
        field: how far each place sees.
        reason: why it was chosen, in words.
    """

    name: str
    node: Node
    layers: int
    layout: str
    grid: tuple[int, int]
    channels: int
    field: ReceptiveField
    reason: str

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the field, as if the picture had no borders; None where it is not known."""
        return self.field.size

    @property
    def jump(self) -> tuple[Fraction, Fraction] | None:
        """Pixels from one place to the next; None where that is not known, or it has no places."""
        return self.field.jump if self.field.known and all(self.field.jump) else None


def main_depths(graph: Graph, at_most: int = AT_MOST, fields: ReceptiveFields | None = None) -> tuple[Depth, ...]:
    """A few values along the main line of any model.

    The first layer, and of each resolution the last value that ends a module as near to the root as any there. Where
    these are fewer than may be, values between them are added, as evenly spread over the layers as can be; where they
    are more, those leave that stand closest behind another one.

    Args:
        graph: functional.
        at_most: how many, at least 2.
        fields: of the graph, where somebody has them already.
    Returns:
        From the first to the last; fewer than `at_most` where the main line has no more.
    Raises:
        RangeError: at_most is below 2; or no value has rows and columns that are known.
    """
    if at_most < 2:
        raise RangeError(f"depths: wants at least 2, got {at_most}")
    fields = ReceptiveFields(graph) if fields is None else fields
    line = _candidates(graph, fields)
    if not line:
        raise RangeError("depths: no value of this model has rows and columns that are known; name the layers")
    kept = [line[0]]
    for grid in dict.fromkeys(one.grid for one in line):
        here = [one for one in line if one.grid == grid]
        nearest = min(_level(one) for one in here)
        last = next(one for one in reversed(here) if _level(one) == nearest)
        if last.layers > kept[-1].layers:  # else only a pool stands between them
            kept.append(replace(last, reason=f"the last value of {grid[0]} × {grid[1]} places"))
    while len(kept) > at_most:
        gaps = [(kept[k].layers - kept[k - 1].layers, k) for k in range(1, len(kept) - 1)]
        kept.pop(min(gaps)[1])
    return tuple(_filled(kept, line, at_most))


def depths_of(graph: Graph, names: Sequence[str], fields: ReceptiveFields | None = None) -> tuple[Depth, ...]:
    """What is known of values that were named.

    Args:
        graph: functional.
        names: of nodes or paths of modules, whose last value is taken.
        fields: of the graph, where somebody has them already.
    Raises:
        UnknownNameError: there is neither.
    """
    fields = ReceptiveFields(graph) if fields is None else fields
    count, batch = _layers(graph), graph.input_shapes[0][0]
    found = []
    for name in names:
        node = graph.find(name)
        layout = picture_layout(fields[node.name].field, batch) or ("", (0, 0), node.shape[-1] if node.shape else 0, 0)
        found.append(Depth(name, node, count.get(node.name, 0), *layout[:3], fields[node.name], "one that was named"))
    return tuple(found)


def _candidates(graph: Graph, fields: ReceptiveFields) -> list[Depth]:
    """The main line's maps behind some layer; of those equally deep and fine the nearest to the root, then the last."""
    batch, count, names = graph.input_shapes[0][0], _layers(graph), _module_ends(graph)
    last = find_feature_map(graph, {node.name: fields[node.name].field for node in graph})
    if last is None:
        return []
    found: dict[tuple[int, tuple[int, int]], Depth] = {}
    for node in _main_line(graph, last.node):
        layout = picture_layout(fields[node.name].field, batch)
        if layout is None or not count[node.name] or len(node.shapes) != 1 or min(layout[1]) < 1:
            continue
        if not node.dtype.startswith(("float", "bfloat")):
            continue
        name = names.get(node.name, node.name)
        made = Depth(name, node, count[node.name], *layout[:3], fields[node.name], "the first layer")
        before = found.pop((made.layers, made.grid), made)
        found[made.layers, made.grid] = made if _level(made) <= _level(before) else before
    return list(found.values())


def _main_line(graph: Graph, last: str) -> list[Node]:
    """The nodes that every way from the input to a node passes, in order."""
    wanted = {last}
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted |= set(node.inputs)
    carrying = set(graph.inputs)
    order = []
    for node in graph:
        if node.name in wanted and carrying & set(node.inputs):
            carrying.add(node.name)
            order.append(node)
    number = dict.fromkeys(graph.inputs, -1) | {node.name: k for k, node in enumerate(order)}
    reach = [0] * (len(order) + 1)  # behind each node, the farthest node that reads something before or at it
    for k, node in enumerate(order):
        for name in node.inputs:
            if name in number:
                reach[number[name] + 1] = max(reach[number[name] + 1], k)
    line, far = [], reach[0]
    for k, node in enumerate(order):
        if far <= k:  # nothing that stands before it is read behind it
            line.append(node)
        far = max(far, reach[k + 1])
    return line


def _layers(graph: Graph) -> dict[str, int]:
    """For each node how many layers with weights are on the longest way to it; what knows no picture counts nothing."""
    count = dict.fromkeys(graph.inputs, 0)
    for node in graph:
        before = [count[name] for name in node.inputs if name in count]
        if before:
            sides = [graph.parameters[name].shape for name in node.parameters.values()]
            count[node.name] = max(before) + any(sum(side > 1 for side in shape) > 1 for shape in sides)
    return count


def _module_ends(graph: Graph) -> dict[str, str]:
    """For each node that is a module's last the shortest such path."""
    last: dict[str, str] = {}
    for node in graph:
        parts = node.module.split(".") if node.module else []
        for count in range(1, len(parts) + 1):
            last[".".join(parts[:count])] = node.name
    ends: dict[str, str] = {}
    for path, name in sorted(last.items(), key=lambda one: (one[0].count("."), len(one[0]))):
        if path not in graph:  # the name of a node is that node's
            ends.setdefault(name, path)
    return ends


def _filled(kept: list[Depth], line: list[Depth], at_most: int) -> list[Depth]:
    """Values between those that are kept, so many that there are enough, evenly in each gap."""
    ends = list(pairwise(kept))
    inside: list[list[Depth]] = [[] for _ in ends]
    full: set[int] = set()
    while len(kept) + sum(map(len, inside)) < at_most and len(full) < len(ends):
        rest = [k for k in range(len(ends)) if k not in full]
        widest = max(rest, key=lambda k: ((ends[k][1].layers - ends[k][0].layers) / (len(inside[k]) + 1), -k))
        more = _spread(*ends[widest], line, len(inside[widest]) + 1)
        if more:
            inside[widest] = more
        else:
            full.add(widest)
    found = [kept[0]]
    for (_, last), some in zip(ends, inside, strict=True):
        found += [replace(one, reason="one of those spread evenly over the layers") for one in some]
        found.append(last)
    return found


def _spread(a: Depth, b: Depth, line: list[Depth], count: int) -> list[Depth]:
    """So many values between two, each near to where it would stand if all gaps were equal; none where that fails."""
    some = [one for one in line if a.layers < one.layers < b.layers]
    some = [one for one in some if one.name != one.node.name] or some
    step = (b.layers - a.layers) / (count + 1)
    found: list[Depth] = []
    for part in range(1, count + 1):
        ideal = a.layers + step * part
        near = [one for one in some if abs(one.layers - ideal) <= step / 2 and one not in found]
        if not near:
            return []
        found.append(min(near, key=lambda one: (abs(one.layers - ideal), _level(one))))
    return found


def _level(one: Depth) -> float:
    """How far from the root of the modules a value is made: that of the module that it ends, or in which it stands.

    What only moves numbers about stands behind all others there.
    """
    if one.name != one.node.name:
        return one.name.count(".")
    return one.node.module.count(".") + (0.5 if one.node.kind in MOVING else 0)
