"""The later stations: every operation of a network on one input, recorded as steps, and the tokens at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from photosite.analysis.feature_map import FeatureMap, find_feature_map, known_fields, picture_layout
from photosite.graph.execute import execute
from photosite.graph.ir import Graph, Node
from photosite.graph.reach.field import Field
from photosite.trace import pictures
from photosite.trace.light import statistics
from photosite.trace.values import Step, Tile, Tokens
from photosite.trace.words import words

Array = npt.NDArray[Any]
LEADING = frozenset({"conv2d", "add", "cat", "max_pool2d", "avg_pool2d", "scaled_dot_product_attention"})
"""Kinds of operation whose picture shows up to 64 maps; the others show 16."""
SIDES = ((60, 48), (120, 28))
"""Up to so many operations a map is drawn with so many pixels a side; with more of them, `SMALL_SIDE`."""
SMALL_SIDE = 20
SLOW_MS = 3000.0
"""A network that takes longer for one picture is timed once, not several times."""


@dataclass(frozen=True)
class Passage:
    """What one pass through a network left behind: steps, tokens (None without a map), and the first output, (K,)."""

    steps: tuple[Step, ...]
    tokens: Tokens | None
    output: npt.NDArray[np.float32] | None
    kernels: tuple[Tile, ...]
    notes: tuple[str, ...]


def follow_network(graph: Graph, model: nn.Module, x: npt.NDArray[np.float32], runs: int) -> Passage:
    """Run the graph on one input and record each operation.

    Recorded values are measured and drawn while they are valid, so an operation that later writes over one of them in
    place changes nothing here.

    Args:
        graph: the captured model.
        model: where the weights are.
        x: the input, (1, C, H, W) float32.
        runs: how often each operation is timed; the median counts.
    """
    value = torch.from_numpy(x)
    times = _times(graph, model, value, runs)
    fields = known_fields(graph)
    found = find_feature_map(graph, fields)
    names = step_names(graph)
    stations = _stations(graph, found)
    steps: list[Step] = []
    kept: dict[str, Array] = {}

    def on_node(node: Node, result: Any, _: float) -> None:
        if not isinstance(result, torch.Tensor):
            return  # an operation that gives several values; each follows as a step of its own
        array = as_array(result)
        if found is not None and node.name == found.node:
            kept["map"] = array.copy()
        steps.append(_step(graph, node, array, fields.get(node.name), names[node.name], stations[node.name], times))

    outcome = execute(graph, model, value, on_node=on_node)
    outputs = list(outcome.outputs.values())
    output = as_array(outputs[0])[0].astype(np.float32) if outputs and outputs[0].ndim == 2 else None
    tokens = None
    notes: tuple[str, ...] = graph.notes
    if found is None:
        notes = (*notes, "tokens: not known; this network holds no picture that could be read as tokens")
    else:
        tokens = replace(_tokens(found, kept["map"]), node=names[found.node])
        if tokens.grid is None:
            notes = (*notes, f"token grid: not known; {found.reason}")
    return Passage(tuple(steps), tokens, output, first_kernels(graph, model), notes)


def as_array(tensor: torch.Tensor) -> Array:
    """Give a tensor as a NumPy array; bfloat16, which NumPy lacks, becomes float32 exactly."""
    tensor = tensor.detach().cpu()
    array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def step_names(graph: Graph) -> dict[str, str]:
    """Name each node for people: the module's path where it stands alone there, else path and kind; all different.

    >>> from photosite.graph.capture import capture
    >>> twice = nn.Sequential(nn.ReLU(), nn.Flatten())
    >>> step_names(capture(twice, torch.zeros(1, 3)))
    {'relu': '0', 'flatten': '1'}
    """
    in_module = Counter(node.module for node in graph)
    whole = {node.module for node in graph if any(_is_inside(node.module, other.module) for other in graph)}
    used: Counter[str] = Counter()
    names: dict[str, str] = {}
    reused = {module for module, count in in_module.items() if count > 1 and _same_kind(graph, module)}
    for node in graph:
        alone = node.module and node.module not in whole and (in_module[node.module] == 1 or node.module in reused)
        name = node.module if alone else ".".join(part for part in (node.module, node.kind) if part)
        used[name] += 1
        names[node.name] = name if used[name] == 1 else f"{name}#{used[name]}"
    return names


def _is_inside(outer: str, inner: str) -> bool:
    return inner.startswith(f"{outer}.") if outer else False


def _same_kind(graph: Graph, module: str) -> bool:
    """Whether a module was called several times for the same operation, as one ReLU in a block is."""
    return len({node.kind for node in graph if node.module == module}) == 1


def _times(graph: Graph, model: nn.Module, x: torch.Tensor, runs: int) -> dict[str, float]:
    """Median milliseconds of each node, after one pass to warm up."""
    passes: list[dict[str, float]] = []
    for number in range(runs + 1):
        times: dict[str, float] = {}

        def on_node(node: Node, _: Any, milliseconds: float, into: dict[str, float] = times) -> None:
            into[node.name] = milliseconds

        execute(graph, model, x, on_node=on_node)
        passes.append(times)
        if number == 0 and sum(times.values()) > SLOW_MS:
            return times
    timed = passes[1:] or passes
    return {name: float(np.median([one[name] for one in timed])) for name in timed[0]}


def _stations(graph: Graph, found: FeatureMap | None) -> dict[str, str]:
    """Which station each node belongs to: the first convolution and what belongs to it, features, tokens."""
    stations: dict[str, str] = {}
    convolutions, passed = 0, False
    for node in graph:
        if node.kind == "conv2d":
            convolutions += 1
        if passed:
            stations[node.name] = "tokens"
        else:
            stations[node.name] = "convolution" if convolutions <= 1 else "features"
        passed = passed or (found is not None and node.name == found.node)
    return stations


def _step(
    graph: Graph, node: Node, array: Array, field: Field | None, name: str, station: str, times: dict[str, float]
) -> Step:
    """Measure and draw one value."""
    plain = array[0] if array.ndim > 1 and array.shape[0] == 1 else array
    own = [graph.parameters[key] for key in node.parameters.values()]
    did, formula = words(graph, node)
    side = next((side for most, side in SIDES if len(graph) <= most), SMALL_SIDE)
    tile, channels = _tile(node, name, array, field, side)
    return Step(
        name=name,
        op=node.kind,
        module=node.module,
        station=station,
        shape=tuple(plain.shape),
        dtype=node.dtype,
        statistics=statistics(array),
        parameters=sum(int(np.prod(info.shape)) for info in own if not info.is_buffer and info.same_as is None),
        ms=times.get(node.name),
        did=did,
        formula=formula,
        tiles=() if tile is None else (tile,),
        channels=channels,
        shown=None if channels is None else min(channels, _maps(node)),
    )


def _maps(node: Node) -> int:
    return pictures.MAPS_AT_MOST if node.kind in LEADING else 16


def _tile(node: Node, name: str, array: Array, field: Field | None, side: int) -> tuple[Tile | None, int | None]:
    """Draw a value the way its axes mean it; gives the picture and the number of channels, if there are any."""
    if array.dtype.kind not in "fiub" or array.size == 0:
        return None, None
    if array.ndim == 0 or array.shape[0] != 1:
        return pictures.of_values(name, array, side=side, at_most=16), None
    layout = picture_layout(field, array.shape[0])
    value = array[0]
    if layout is not None and layout[0] in ("NCHW", "NHWC"):
        maps = value if layout[0] == "NCHW" else np.moveaxis(value, -1, 0)
        drawn = pictures.feature_maps(name, maps, side=side, at_most=_maps(node))
        return Tile(pictures.caption(name, value), drawn.pixels, drawn.scale, drawn.low, drawn.high), len(maps)
    if layout is not None and layout[0] == "tokens":
        rows, columns = layout[1]
        prefix = layout[3] or 0
        norms = pictures.token_norms(name, value[prefix : prefix + rows * columns], (rows, columns))
        return Tile(
            pictures.caption(name, value), norms.pixels, f"length of each token, {norms.scale}", norms.low, norms.high
        ), None
    return pictures.of_values(name, value, side=side, at_most=16), None


def _tokens(found: FeatureMap, value: Array) -> Tokens:
    """Read a map row by row as tokens (N, D) float32."""
    value = value[0].astype(np.float32)
    prefix = found.prefix or 0
    if found.layout == "NCHW":
        rows = value.reshape(value.shape[0], -1).T
    elif found.layout == "NHWC":
        rows = value.reshape(-1, value.shape[-1])
    elif found.grid is None:
        rows = value
    else:
        rows = value[prefix : prefix + found.grid[0] * found.grid[1]]
    rows = np.ascontiguousarray(rows)
    tokens = Tokens(rows, found.grid, prefix, found.layout, found.node)
    if found.grid is None:
        return tokens
    components, explained = pictures.token_components("first three principal components", rows, found.grid)
    norms = pictures.token_norms("token norm", rows, found.grid)
    return replace(tokens, norms=norms, components=components, explained=explained)


def first_kernels(graph: Graph, model: nn.Module) -> tuple[Tile, ...]:
    """Show the learned kernels of the first convolution; none where the network has no such convolution."""
    for node in graph:
        key = node.parameters.get("weight")
        if node.kind == "conv2d" and key is not None:
            weight = as_array(model.state_dict()[key])
            return (pictures.kernels(key, weight, zoom=6 if weight.shape[-1] > 3 else 10),)
    return ()
