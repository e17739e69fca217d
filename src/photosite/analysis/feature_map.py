"""Where a vision model last holds a picture: the value whose positions are still places in the input.

Told by following rows and columns through the graph, never by names of layers; knows nothing of what the values are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from photosite.analysis.axes import Axes, fused, has_space, space_label, token_part
from photosite.analysis.follow_axes import follow_axes
from photosite.graph.ir import Graph, Node


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


def find_feature_map(graph: Graph) -> FeatureMap | None:
    """The last value of a vision model that holds a picture, before its places are pooled, flattened or picked away.

    An average over all places ends a map, and so does taking one token out of many. Pooling to a fixed grid directly
    before the map is flattened (AlexNet, VGG) is part of the head. A grid of 1x1 counts where convolutions made it.

    Args:
        graph: from `photosite.graph.capture`.

    Returns:
        The map; None where the model never holds one (a perceptron on flattened pixels, say).
    """
    axes = follow_axes(graph)
    used = [node for node in _used(graph) if node.dtype.startswith(("float", "bfloat")) and len(node.shapes) == 1]
    found = [(node, held) for node in used if (held := picture_layout(axes.get(node.name), node)) is not None]
    if found and found[-1][0].kind.startswith("adaptive_"):
        before = {node.name for node in graph.producers(found[-1][0].name)}
        found = [entry for entry in found if entry[0].name in before] or found
    last = found[-1][0] if found else None
    later = used[used.index(last) + 1 :] if last else used
    unknown = [node for node in later if _could_be_tokens(node, axes)]
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


def picture_layout(axes: Axes | None, node: Node) -> tuple[str, tuple[int, int], int, int] | None:
    """Layout, grid, width and prefix of a value that holds a picture; None if it holds none."""
    if axes is None or len(axes) not in (3, 4) or any(part.label != "B" for part in fused(axes[0]) if part.size > 1):
        return None
    labels = "".join(space_label(axis) or "." for axis in axes)
    if labels == "..HW" and not has_space(axes[1]):
        return "NCHW", (node.shape[2], node.shape[3]), node.shape[1], 0
    if labels == ".HW." and not has_space(axes[3]):
        return "NHWC", (node.shape[1], node.shape[2]), node.shape[3], 0
    tokens = token_part(axes[1]) if len(axes) == 3 and not has_space(axes[2]) else None
    if tokens is not None and tokens.grid is not None:
        return "tokens", tokens.grid, node.shape[2], tokens.prefix
    return None


def _could_be_tokens(node: Node, axes: dict[str, Axes]) -> bool:
    """Whether this is a sequence in a transformer's main line whose places are not known."""
    if node.kind not in ("add", "layer_norm", "rms_norm") or len(node.shape) != 3 or node.shape[1] < 2:
        return False
    known = axes.get(node.name)
    return known is None or (not any(map(has_space, known)) and any(part.label == "?" for part in known[1]))


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
