"""Which step does what: the choices of a plan, each made from shapes and weights alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from photosite.analysis.plans.folding import Folded, Scale
from photosite.analysis.plans.fusion import ACTIVATIONS, Group
from photosite.analysis.plans.steps import (
    Affine,
    Apply,
    ByTable,
    Convolve,
    Grouped,
    Multiply,
    Slices,
    Step,
    describe,
    options,
)
from photosite.analysis.replay import thawed
from photosite.graph.ir import Graph, Node, Ref
from photosite.graph.table import TABLE
from photosite.ops import columns, winograd
from photosite.ops.arrays import Array
from photosite.ops.blocks import Finish
from photosite.ops.fast_activation import FAST
from photosite.ops.sliding import Sliding, sliding

FIRST_OPERAND = frozenset(ACTIVATIONS) | frozenset(
    f"aten.{name}"
    for name in (
        *("adaptive_avg_pool2d.default", "avg_pool2d.default", "layer_norm.default", "max_pool2d.default"),
        *("rms_norm.default", "softmax.int"),
    )
)
"""Operations of one picture (or row) after another, along the first axis of their first operand; others are weights."""
FIRST_THREE = frozenset(("aten.scaled_dot_product_attention.default",))
"""Those that take the first axes of three operands together."""
SLICE_NUMBERS = 1 << 17
"""Numbers of a result that such an operation makes at once, half a megabyte."""
WINOGRAD_TILES, WINOGRAD_WASTE, WINOGRAD_BYTES = 17, 1.45, 12 << 20
"""Winograd's way pays where a product has enough rows (tiles of the pictures that one thread does at once), few tiles
reach beyond the border, and the kernel at its 36 points, four times as large, does not fill the last cache."""


class Planner:
    """Chooses steps for one graph.

    Args:
        graph: functional.
        values: parameters, buffers and constants by name.
        pictures: how many of a batch one thread works on.
    """

    def __init__(self, graph: Graph, values: Mapping[str, Any], pictures: int) -> None:
        self.graph = graph
        self.values = values
        self.pictures = max(pictures, 1)

    def steps(self, item: Group | Node) -> list[Step]:
        """The steps for a group, or for a node by itself."""
        if isinstance(item, Node):
            return [self._single(item)]
        step = self._fused(item)
        if step is not None:
            return [step]
        return [self._single(node) for node in item.nodes]

    def _single(self, node: Node) -> Step:
        if node.op in ACTIVATIONS and node.dtype in ("float32", "float64") and len(node.inputs) == 1:
            return Apply(*_about(node), node, _activation(node))
        count = 3 if node.op in FIRST_THREE else 1 if node.op in FIRST_OPERAND else 0
        sliced = tuple(argument.name for argument in node.args[:count] if isinstance(argument, Ref))
        if count and len(sliced) == count and self._can_be_sliced(node, sliced):
            each = max(int(np.prod(node.shape[1:])), 1)
            return Slices(*_about(node), node, sliced, max(SLICE_NUMBERS // each, 1))
        return ByTable(*_about(node), node)

    def _can_be_sliced(self, node: Node, sliced: tuple[str, ...]) -> bool:
        """Whether all first axes are the same one, no operation looks along it, and the rest does not have it."""
        shapes = [self.graph.shape_of(name) for name in sliced]
        if len(node.shapes) != 1 or any(len(shape) < 2 or shape[0] != node.shape[0] for shape in shapes):
            return False
        if node.op == "aten.softmax.int" and node.args[1] in (0, -len(node.shape)):
            return False
        if node.op == "aten.layer_norm.default" and len(_numbers(node.args[1])) == len(node.shape):
            return False
        others = [name for name in node.inputs if name not in sliced]
        return node.op not in FIRST_THREE or all(self._repeats(name, node) for name in others)

    def _repeats(self, name: str, node: Node) -> bool:
        """Whether an operand is the same for everything along the first axis."""
        shape = self.graph.shape_of(name)
        return len(shape) < len(node.shape) or shape[0] == 1

    def _fused(self, group: Group) -> Step | None:
        head = group.head
        source = head.args[0]
        if not isinstance(source, Ref) or head.dtype not in ("float32", "float64"):
            return None
        if group.norm is None and head.op == "aten.batch_norm.default":
            return self._affine(group, source.name)
        weight = head.args[1]
        if not isinstance(weight, Ref) or weight.name not in self.values:
            return None  # a weight that is computed
        bias = _given(head, 2, "bias")
        if bias is not None and not (isinstance(bias, Ref) and bias.name in self.values):
            return None
        weights = Folded.of(weight.name, bias.name if isinstance(bias, Ref) else "", group.norm, self.values)
        kernel = weights.kernel
        own = (self._finish(group, weights.shift), weights, group.activation)
        about = _about(*group.nodes, reads=tuple(filter(None, (source.name, group.residual))))
        if head.op == "aten.linear.default":
            return Multiply(*about, *own, np.ascontiguousarray(kernel.T)) if kernel.ndim == 2 else None
        if len(self.graph.shape_of(source.name)) != 4:
            return None
        geometry = self._geometry(head, self.graph.shape_of(source.name), kernel)
        if geometry.groups > 1:
            return Grouped(*about, *own, geometry)
        sides = (geometry.kernel, geometry.stride, geometry.before, geometry.dilation, geometry.places)
        window = columns.Window(*(_pair(side) for side in sides))
        if self._suits_winograd(window, kernel):
            return Convolve(*about, *own, window, winograd.transformed(kernel), True)
        matrix = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)))
        return Convolve(*about, *own, window, matrix, False)

    def _geometry(self, head: Node, shape: tuple[int, ...], kernel: Array) -> Sliding:
        stand_in = np.broadcast_to(kernel.dtype.type(0), shape)
        args, kwargs = thawed(head, dict.fromkeys(head.inputs, stand_in))
        return _sliding(stand_in, kernel, *args[2:], **kwargs)

    def _suits_winograd(self, window: columns.Window, kernel: Array) -> bool:
        if (window.kernel, window.stride, window.dilation) != ((3, 3), (1, 1), (1, 1)) or min(kernel.shape[:2]) < 16:
            return False
        down, across = (-(-side // winograd.TILE) for side in window.out_hw)
        waste = down * across * winograd.TILE**2 / (window.out_hw[0] * window.out_hw[1])
        small = winograd.READS**2 * kernel.shape[0] * kernel.shape[1] * kernel.itemsize <= WINOGRAD_BYTES
        tiles = self.pictures * down * across
        return waste <= WINOGRAD_WASTE and tiles >= (WINOGRAD_TILES if small else 8 * WINOGRAD_TILES)

    def _affine(self, group: Group, source: str) -> Step | None:
        if len(group.head.shape) != 4:
            return None
        scale = Scale.of(group.head, self.values)
        finish = self._finish(group, scale.shift.astype(group.head.dtype))
        return Affine(*_about(*group.nodes, reads=(source,)), finish, scale, group.activation)

    def _finish(self, group: Group, shift: Array | None) -> Finish:
        finish = Finish(shift)
        node = group.activation
        if node is None:
            return finish
        if node.op == "aten.relu.default":
            return replace(finish, positive=True)
        return replace(finish, activation=_activation(node))


def _about(*nodes: Node, reads: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """What every step says of itself."""
    return tuple(node.name for node in nodes), nodes[0].inputs if reads is None else reads, describe(nodes)


def _activation(node: Node) -> Callable[[Array], Array]:
    """A function of single values with its options, the fast form where there is one."""
    args, kwargs = options(node)
    plain = not args and kwargs.get("approximate", "none") == "none"
    if plain and node.op in FAST and node.dtype == "float32":
        return FAST[node.op]
    function = TABLE[node.op].value
    return lambda x: np.asarray(function(x, *args, **kwargs))


def _sliding(
    x: Array,
    weight: Array,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Sliding:
    """The geometry of a convolution, from its arguments as they stand in a node."""
    return sliding(x, weight, None, stride, padding, dilation, groups)


def _given(node: Node, number: int, role: str) -> Any:
    return node.args[number] if number < len(node.args) else node.kwargs.get(role)


def _numbers(argument: Any) -> tuple[int, ...]:
    return argument if isinstance(argument, tuple) else (argument,)


def _pair(sides: tuple[int, ...]) -> tuple[int, int]:
    first, second = sides
    return first, second
