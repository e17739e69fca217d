"""Where a vision model last holds a picture: the value whose positions are still places in the input.

Told by following rows and columns through the graph, never by names of layers; knows nothing of what the values are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import CaptureError
from photosite.graph.functional import functional
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.reach.field import Field, Part, side_of, ways_of

MOVES = frozenset(
    [
        *("view", "reshape", "permute", "transpose", "unbind", "getitem", "chunk", "split", "select", "slice"),
        *("unflatten", "contiguous", "clone", "alias"),
    ]
)
"""Kinds of operation that stand between a linear layer and the attention that it is for."""


@dataclass(frozen=True)
class FeatureMap:
    """The last value of a network that is still a picture.

    `layout` is "NCHW", "NHWC" or "tokens" (B, N, D). `grid` is (rows, columns), or None where the graph does not say
    which places tokens belong to. `width` is the number of channels of one place. Of tokens, the places are
    `values[:, prefix : prefix + rows * columns]`, row by row; `prefix` counts what stands in front (class token,
    registers), None with an unknown grid. `reason` says in one line how it was found.
    """

    node: str
    layout: str
    grid: tuple[int, int] | None
    width: int
    prefix: int | None
    reason: str


def find_feature_map(graph: Graph, fields: Mapping[str, Field] | None = None) -> FeatureMap | None:
    """The last value of a vision model that holds a picture, before its places are pooled, flattened or picked away.

    An average over all places ends a map, and so does taking one token out of many, or asking all tokens one question:
    the keys and values of such a question are part of the head. Pooling to a fixed grid directly
    before the map is flattened (AlexNet, VGG) is part of the head. A grid of 1x1 counts where convolutions made it.

    Args:
        graph: from `photosite.graph.capture`.
        fields: what `known_fields` says of it, where somebody has asked already.

    Returns:
        The map; None where the model never holds one (a perceptron on flattened pixels, say).
    """
    fields = known_fields(graph) if fields is None else fields
    used = [node for node in _used(graph) if node.dtype.startswith(("float", "bfloat")) and len(node.shapes) == 1]
    found = [
        (node, held)
        for node in used
        if (held := picture_layout(fields.get(node.name), graph.input_shapes[0][0])) is not None
    ]
    if found and found[-1][0].kind.startswith("adaptive_"):
        before = {node.name for node in graph.producers(found[-1][0].name)}
        found = [entry for entry in found if entry[0].name in before] or found
    while len(found) > 1 and _is_only_asked(graph, found[-1][0]):
        found.pop()
    last = found[-1][0] if found else None
    later = used[used.index(last) + 1 :] if last else used
    unknown = [node for node in later if _could_be_tokens(node, fields.get(node.name))]
    if unknown:
        return _of_unknown_places(unknown[-1], last)
    if not found:
        return None
    node, (layout, grid, width, prefix) = found[-1]
    reason = f"{node.name} is the last value with rows and columns; {_what_follows(graph, node)}"
    if layout == "tokens":
        behind = node.shape[1] - prefix - prod(grid)
        counts = ((prefix, f"{prefix} in front"), (1, f"{grid[0]} x {grid[1]} places"), (behind, f"{behind} behind"))
        reason += f"; its {node.shape[1]} tokens are {' and '.join(text for count, text in counts if count)}"
    return FeatureMap(node.name, layout, grid, width, prefix, reason)


def _used(graph: Graph) -> list[Node]:
    """The nodes that some output depends on, through in-place operations on views too; in order."""
    wanted = {alias for name in graph.outputs for alias in graph.aliases(name)}
    nodes = []
    for node in reversed(graph.nodes):
        if node.name in wanted or any(written in wanted for written in node.writes):
            nodes.append(node)
            wanted.update(alias for name in node.inputs for alias in graph.aliases(name))
    return nodes[::-1]


def _is_only_asked(graph: Graph, node: Node) -> bool:
    """Whether a value is nothing but keys and values of attention, moved about."""
    readers = graph.consumers(node.name)
    return bool(readers) and all(
        node.name not in _names(reader.args[:1])
        if reader.kind == "scaled_dot_product_attention"
        else reader.kind in MOVES and _is_only_asked(graph, reader)
        for reader in readers
    )


def _names(arguments: tuple[Argument, ...]) -> list[str]:
    return [argument.name for argument in arguments if isinstance(argument, Ref)]


def known_fields(graph: Graph) -> dict[str, Field]:
    """What is known of each value's dependence on the picture, by the name of the node.

    Args:
        graph: from `photosite.graph.capture`, with operations in place or without.
    """
    try:
        fields = ReceptiveFields(functional(graph))
    except CaptureError:  # something is overwritten in a way that has no rule: then nothing is known
        return {}
    return {node.name: fields[node.name].field for node in graph if node.name in fields.graph}


def picture_layout(field: Field | None, batch: int) -> tuple[str, tuple[int, int], int, int] | None:
    """Layout, grid, width and prefix of a value that holds a picture for each of a batch; None if it holds none."""
    if field is None or not field.axes or side_of(field.axes[0]) != batch:
        return None
    axes, shape = field.axes, field.shape
    ways = [".".join("".join(part.way for part in segment if not _inside(part)) for segment in axis) for axis in axes]
    if ways == ["", "", "y", "x"]:
        return "NCHW", (shape[2], shape[3]), shape[1], 0
    if ways == ["", "y", "x", ""]:
        return "NHWC", (shape[1], shape[2]), shape[3], 0
    if len(axes) != 3 or ways[0] or ways[2] or ways[1].strip(".") != "yx":
        return None
    place = next(number for number, segment in enumerate(axes[1]) if ways_of((segment,)))
    parts = axes[1][place]
    if [part.way for part in parts] != ["y", "x"]:
        return None
    return "tokens", (parts[0].side, parts[1].side), shape[2], side_of(axes[1][:place])


def _inside(part: Part) -> bool:
    """Whether this is the inside of a window, as where pixels were folded into channels."""
    return part.line.half is not None and not part.line.half.outer


def _could_be_tokens(node: Node, field: Field | None) -> bool:
    """Whether this is a sequence in a transformer's main line whose places are not known."""
    if node.kind not in ("add", "layer_norm", "rms_norm") or len(node.shape) != 3 or node.shape[1] < 2:
        return False
    return field is None or bool(field.unknown)


def _of_unknown_places(node: Node, last: Node | None) -> FeatureMap:
    since = f"after {last.name} " if last else ""
    reason = f"{node.name} is the last sequence of tokens; {since}the graph does not say which places they belong to"
    return FeatureMap(node.name, "tokens", None, node.shape[2], None, reason)


def _what_follows(graph: Graph, node: Node) -> str:
    if node.name in graph.outputs:
        return "it is what the model returns"
    readers = graph.consumers(node.name)
    if not readers:
        return "nothing reads it"
    module = f" ({readers[-1].module})" if readers[-1].module else ""
    return f"{readers[-1].kind}{module} follows"
