"""The values of a graph without holding all of them: what was dear to compute is kept, the rest made when asked for.

Kept are the values of convolutions and products of matrices, up to a number of bytes, and everywhere the one value that
all later ones are made of, such as the sum behind a block: so that nothing is ever more than a block away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from photosite.analysis.terms.closed import CONVOLUTIONS
from photosite.errors import PhotositeError
from photosite.graph.capture import unwrap
from photosite.graph.execute import execute, run
from photosite.graph.ir import Graph, Node
from photosite.graph.read import model_tensors

DEAR = CONVOLUTIONS | {"linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention"}
"""Kinds of operations whose values are kept."""
DEAR_BYTES = 320 << 20
"""So many bytes of them at most."""
RECENT_BYTES = 64 << 20
"""So many bytes of what was computed anew are held."""


class Values(Mapping[str, Any]):
    """A graph's values by name, as arrays.

    Args:
        graph: functional.
        network: whose graph it is.
        x: its input.
        check: called after each operation.
        dear_bytes: as `DEAR_BYTES`.
    """

    def __init__(
        self, graph: Graph, network: nn.Module, x: Tensor, check: Callable[[], None], dear_bytes: int = DEAR_BYTES
    ) -> None:
        self.graph = graph
        wanted = narrow(graph)
        for node in graph:
            size = _bytes(node)
            if node.kind in DEAR and size <= dear_bytes:
                dear_bytes -= size
                wanted.add(node.name)
        inner = unwrap(network)[0]
        self._kept: dict[str, Any] = execute(graph, inner, x, keep=wanted, on_node=lambda *_: check()).kept
        self._leaves: dict[str, Any] = {**dict(model_tensors(inner)), graph.inputs[0]: x}
        for name, constant in graph.constants.items():
            self._leaves[name] = torch.tensor(constant.array, dtype=getattr(torch, constant.dtype))
        self._recent: OrderedDict[str, Any] = OrderedDict()
        self._recent_bytes = 0

    @property
    def size(self) -> int:
        """Bytes that are held, or will be."""
        return sum(_bytes(self.graph.node(name)) for name in self._kept) + RECENT_BYTES

    def __getitem__(self, name: str) -> Any:
        found = self._tensor(name)
        try:
            return (
                [part.detach().numpy() for part in found] if isinstance(found, list | tuple) else found.detach().numpy()
            )
        except (TypeError, AttributeError) as error:
            raise PhotositeError(f"why: {name} cannot be read as numbers: {error}") from error

    def __iter__(self) -> Iterator[str]:
        yield from self._leaves
        yield from (node.name for node in self.graph)

    def __len__(self) -> int:
        return len(self._leaves) + len(self.graph)

    def _tensor(self, name: str) -> Any:
        """A value; the ones that it is made of are computed first, without recursion, as chains are long."""
        wait = [name]
        while wait:
            now = wait[-1]
            if self._at_hand(now) is not None:
                wait.pop()
                continue
            node = self.graph.node(now)
            missing = [one for one in node.inputs if self._at_hand(one) is None]
            if missing:
                wait += missing
                continue
            with torch.no_grad():
                made = run(node, {one: self._at_hand(one) for one in node.inputs})
            self._recent[now] = made
            self._recent_bytes += _bytes(node)
            wait.pop()
        found = self._at_hand(name)
        self._forget(name)
        return found

    def _at_hand(self, name: str) -> Any:
        for held in (self._leaves, self._kept, self._recent):
            if name in held:
                return held[name]
        return None

    def _forget(self, but: str) -> None:
        """Let go of what was computed longest ago, once nothing is being computed."""
        if but in self._recent:
            self._recent.move_to_end(but)
        while self._recent_bytes > RECENT_BYTES and len(self._recent) > 1:
            gone, _ = self._recent.popitem(last=False)
            self._recent_bytes -= _bytes(self.graph.node(gone))


def narrow(graph: Graph) -> set[str]:
    """The values that everything behind them is made of, alone.

    Args:
        graph: functional.
    """
    alive: set[str] = set(graph.inputs)
    found: set[str] = set()
    for number, node in enumerate(graph.nodes):
        alive.add(node.name)
        alive -= set(graph.last_uses.get(number, ()))
        if alive == {node.name} and len(node.shapes) == 1:
            found.add(node.name)
    return found


def _bytes(node: Node) -> int:
    sizes = zip(node.shapes, node.dtypes, strict=True)
    return sum(prod(shape) * np.dtype(_PLAIN.get(dtype, dtype)).itemsize for shape, dtype in sizes)


_PLAIN = {"bfloat16": "float16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}
