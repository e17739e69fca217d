"""What a network costs: multiply-adds, parameters, bytes and arithmetic intensity, by node and by module.

Counts come from shapes alone, so nothing is run. An operation without a row is unknown and listed, never counted as 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from photosite.analysis.replay import thawed, unknown_ops
from photosite.graph.ir import Graph, Node
from photosite.graph.table import TABLE

ITEM_BYTES = {"bool": 1, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
"""Bytes of a number, where NumPy does not know the dtype or calls it otherwise."""


@dataclass(frozen=True)
class NodeCost:
    """What one operation costs.

    Attributes:
        name: the node.
        op: its operation.
        module: the module that called it.
        macs: multiply-adds; None where the operation has no row. 1 MAC is 2 FLOPs.
        parameters: numbers of the model's that it reads, buffers not counted.
        activation_bytes: bytes of its value; 0 where it is a view of its operand.
        read_bytes: bytes of everything that it reads, parameters too.
    """

    name: str
    op: str
    module: str
    macs: int | None
    parameters: int
    activation_bytes: int
    read_bytes: int

    @property
    def intensity(self) -> float | None:
        """Multiply-adds for each byte that is read or written; a processor that can do more waits for memory."""
        moved = self.read_bytes + self.activation_bytes
        return None if self.macs is None or not moved else self.macs / moved


@dataclass(frozen=True)
class ModuleCost:
    """What all operations inside a module cost together; a parameter that several of them read counts once."""

    module: str
    macs: int
    parameters: int
    activation_bytes: int


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        nodes: by node, in the order they run.
        modules: by module path, "" for all of the model; a module holds those inside it.
        unknown_ops: operations without a row, and how often each occurs; their multiply-adds are missing above.
        parameters: numbers that a training would change, of the whole model, used or not; tied ones once.
    """

    nodes: tuple[NodeCost, ...]
    modules: Mapping[str, ModuleCost]
    unknown_ops: Counter[str]
    parameters: int

    @property
    def macs(self) -> int:
        """Multiply-adds of all operations that are known."""
        return self.modules[""].macs


def cost(graph: Graph) -> Cost:
    """Count what a network costs.

    Args:
        graph: from `capture`; in-place operations cost what their ordinary forms cost.
    Matches: `torch.utils.flop_counter` halved; torchvision's published "_ops" and parameters.
    """
    nodes = tuple(_node_cost(graph, node) for node in graph)
    paths = {""} | {prefix for node in graph for prefix in _prefixes(node.module)}
    inside: dict[str, list[tuple[Node, NodeCost]]] = {path: [] for path in paths}
    for node, found in zip(graph, nodes, strict=True):
        for path in ("", *_prefixes(node.module)):
            inside[path].append((node, found))
    modules = {path: _module_cost(graph, path, inside[path]) for path in sorted(paths)}
    total = sum(math.prod(info.shape) for info in graph.parameters.values() if not (info.is_buffer or info.same_as))
    return Cost(nodes, modules, _unknown(graph), total)


def _node_cost(graph: Graph, node: Node) -> NodeCost:
    owned = {name: graph.parameters[name] for name in node.inputs if name in graph.parameters}
    parameters = sum(math.prod(info.shape) for info in owned.values() if not info.is_buffer)
    written = 0
    if node.op != "getitem" and not (node.shares and not node.writes):
        written = sum(_bytes(shape, dtype) for shape, dtype in zip(node.shapes, node.dtypes, strict=True))
    read = sum(_bytes(graph.shape_of(name), graph.dtype_of(name)) for name in node.inputs)
    return NodeCost(node.name, node.op, node.module, _macs(graph, node), parameters, written, read)


def _macs(graph: Graph, node: Node) -> int | None:
    if node.op == "getitem":
        return 0
    row = TABLE.get(_ordinary(node.op))
    if row is None:
        return None
    values = {name: _stand_in(graph, name) for name in node.inputs}
    results = [_of_shape(shape, dtype) for shape, dtype in zip(node.shapes, node.dtypes, strict=True)]
    args, kwargs = thawed(node, values)
    return int(row.macs(results if len(results) > 1 else results[0] if results else None, *args, **kwargs))


def _ordinary(op: str) -> str:
    """The name of an operation without "in place"."""
    namespace, name, *overload = op.split(".")
    return ".".join((namespace, name.removesuffix("_") or name, *overload))


def _stand_in(graph: Graph, name: str) -> Any:
    """Something with the shape of a value; a list for an operation with several results."""
    if name in graph and len(graph.node(name).shapes) > 1:
        node = graph.node(name)
        return [_of_shape(shape, dtype) for shape, dtype in zip(node.shapes, node.dtypes, strict=True)]
    return _of_shape(graph.shape_of(name), graph.dtype_of(name))


def _of_shape(shape: tuple[int, ...], dtype: str) -> Any:
    """An array of that shape that takes no memory."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(np.float32)
    return np.broadcast_to(np.zeros((), kind), shape)


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return math.prod(shape) * (ITEM_BYTES[dtype] if dtype in ITEM_BYTES else np.dtype(dtype).itemsize)


def _prefixes(module: str) -> list[str]:
    """A module's path and those of all that hold it, but for the model itself.

    >>> _prefixes("layer1.0.conv1")
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    parts = module.split(".") if module else []
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _module_cost(graph: Graph, path: str, inside: list[tuple[Node, NodeCost]]) -> ModuleCost:
    read = {name for node, _ in inside for name in node.inputs if name in graph.parameters}
    owned = {graph.parameters[name].same_as or name for name in read if not graph.parameters[name].is_buffer}
    return ModuleCost(
        module=path,
        macs=sum(found.macs or 0 for _, found in inside),
        parameters=sum(math.prod(graph.parameters[name].shape) for name in owned),
        activation_bytes=sum(found.activation_bytes for _, found in inside),
    )


def _unknown(graph: Graph) -> Counter[str]:
    return Counter({op: count for op, count in unknown_ops(graph).items() if _ordinary(op) not in TABLE})
