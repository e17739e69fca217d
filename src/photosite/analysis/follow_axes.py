"""Follow a picture's rows and columns through a graph: what each axis of each value means.

Nothing is told from a layer's name, or from a number that happens to be a square. What cannot be followed is unknown; a
residual addition finds the axes again, as both sides have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeAlias, cast

from photosite.analysis.axes import Axes, Axis, Part, fused, has_space, regroup, space_label, token_part
from photosite.graph.ir import Graph, Node, Ref

MOVE_POSITIONS = frozenset(("affine_grid_generator", "argsort", "cumsum", "einsum", "embedding", "flip", "gather")) | {
    *("grid_sampler", "index", "index_put", "index_select", "repeat", "repeat_interleave", "rot90", "scatter", "sort"),
    *("stack", "take_along_dim", "tile"),
}
"""Operations whose result can have its input's shape with other positions in it: nothing is claimed of it."""


def follow_axes(graph: Graph) -> dict[str, Axes]:
    """What the axes of each value are, by the name of the node; values whose axes cannot be followed are absent.

    A four-dimensional input is taken as (B, C, H, W), or as (B, H, W, C) where only its last axis is short enough for
    color; a convolution knows better and says so.
    """
    known = _Known(graph)
    for name, shape in zip(graph.inputs, graph.input_shapes, strict=True):
        if len(shape) == 4:
            order = "BHWC" if shape[3] <= 4 < shape[1] else "BCHW"
            known.axes[name] = tuple(_plain(label, side) for label, side in zip(order, shape, strict=True))
    for node in graph:
        if node.kind in SEVERAL:
            known.several[node.name] = [_piece(node, known, number) for number in range(len(node.shapes))]
        elif node.kind == "getitem" and (pieces := known.several.get(node.inputs[0])):
            known.set(node, pieces[cast(int, node.args[1])])
        elif node.kind not in MOVE_POSITIONS and len(node.shapes) == 1:
            known.set(node, RULES.get(node.kind, _alike)(node, known))
    return known.axes


@dataclass
class _Known:
    """What has been found so far."""

    graph: Graph
    axes: dict[str, Axes] = field(default_factory=dict)
    several: dict[str, list[Axes | None]] = field(default_factory=dict)

    def of(self, argument: Any) -> Axes | None:
        return self.axes.get(argument.name) if isinstance(argument, Ref) else None

    def set(self, node: Node, axes: Axes | None) -> None:
        """Remember axes, unless their sizes contradict the shape."""
        if axes is not None and tuple(prod(part.size for part in axis) for axis in axes) == node.shape:
            self.axes[node.name] = axes


def _argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    return node.kwargs.get(name, node.args[position] if len(node.args) > position else default)


def _numbers(value: Any) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value]


def _plain(label: str, size: int) -> Axis:
    return (Part(label, size),)


def _replaced(axes: Axes, position: int, axis: Axis) -> Axes:
    changed = list(axes)
    changed[position] = axis
    return tuple(changed)


def _convolved(node: Node, known: _Known) -> Axes | None:
    """A convolution reads (B, C, H, W), whatever was known; a 1x1 one leaves alone what was averaged to one place."""
    if len(node.shape) != 4:
        return None
    before = known.of(node.args[0])
    channels = _plain("C", node.shape[1])
    if before is None:
        return (_plain("B", node.shape[0]), channels, _plain("H", node.shape[2]), _plain("W", node.shape[3]))
    kernel = known.graph.shape_of(node.args[1].name)[2:] if isinstance(node.args[1], Ref) else ()
    if before[2:] == ((), ()) and kernel == (1, 1):
        return (before[0], channels, (), ())
    rows, columns = space_label(before[2]) or "H", space_label(before[3]) or "W"
    return (before[0], channels, _plain(rows, node.shape[2]), _plain(columns, node.shape[3]))


def _pooled(node: Node, known: _Known) -> Axes | None:
    """Pooling makes the map smaller; an average over all of it leaves no map."""
    before = known.of(node.args[0])
    if before is None or len(before) < 2:
        return None
    seen = known.graph.shape_of(node.inputs[0])[-2:]
    window = _numbers(_argument(node, 1, "kernel_size"))
    everywhere = node.kind.startswith("adaptive") or (node.kind == "avg_pool2d" and tuple(window * 2)[:2] == seen)
    if node.shape[-2:] == (1, 1) and everywhere:
        return (*before[:-2], (), ())
    return (*before[:-2], *(_plain(space_label(before[i]) or "?", node.shape[i]) for i in (-2, -1)))


def _resized(node: Node, known: _Known) -> Axes | None:
    """Interpolation of a map; of something that was averaged to one place it makes no map again."""
    before = known.of(node.args[0])
    if before is None or len(before) != 4 or not all(space_label(axis) for axis in before[2:]):
        return None
    return (*before[:2], *(_plain(space_label(before[i]), node.shape[i]) for i in (2, 3)))


def _shuffled(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    if before is None or not all(space_label(axis) for axis in before[-2:]):
        return None
    channels, rows, columns = node.shape[-3:]
    return (*before[:-3], _plain("C", channels), _plain("H", rows), _plain("W", columns))


def _averaged(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    dims = _argument(node, 1, "dim")
    if before is None or dims is None:
        return None
    gone = {dim % len(before) for dim in _numbers(dims)}
    if _argument(node, 2, "keepdim", False):
        return tuple(() if number in gone else axis for number, axis in enumerate(before))
    return tuple(axis for number, axis in enumerate(before) if number not in gone)


def _linear(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    return None if before is None else (*before[:-1], _plain("C", node.shape[-1]))


def _product(node: Node, known: _Known) -> Axes | None:
    """Rows of the first factor, columns of the second: attention weights have the queries' places, then the keys'."""
    left, right = known.of(node.args[0]), known.of(node.args[1])
    if left is None or len(left) != len(node.shape):
        return None
    last = right[-1] if right else _plain("C", 0)
    return (*left[:-1], last if prod(part.size for part in last) == node.shape[-1] else _plain("C", node.shape[-1]))


def _attended(node: Node, known: _Known) -> Axes | None:
    query = known.of(node.args[0])
    return None if query is None else (*query[:-1], _plain("C", node.shape[-1]))


def _reshaped(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    return None if before is None else regroup(before, node.shape)


def _permuted(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    if before is None:
        return None
    order = list(range(len(before)))
    if node.kind == "permute":
        order = [dim % len(before) for dim in _numbers(_argument(node, 1, "dims"))]
    elif len(before) > 1:
        one, other = (-2, -1) if len(node.args) < 3 else cast("tuple[int, int]", node.args[1:3])
        order[one], order[other] = order[other], order[one]
    return tuple(before[dim] for dim in order)


def _cut(axis: Axis, start: int, size: int, step: int = 1) -> Axis:
    """An axis from which `size` positions are taken, beginning at `start`."""
    if size == prod(part.size for part in axis):
        return axis
    tokens = token_part(axis)
    if tokens is not None and tokens.grid is not None:
        patches = prod(tokens.grid)
        if step == 1 and (start, size) == (tokens.prefix, patches):
            return (Part("H", tokens.grid[0]), Part("W", tokens.grid[1]))
        if step == 1 and start <= tokens.prefix and start + size >= tokens.prefix + patches:
            return (replace(tokens, size=size, extent=size, prefix=tokens.prefix - start),)
        return _plain("?", size)
    return _plain(space_label(axis) or ("C" if not has_space(axis) else "?"), size)


def _sliced(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    if before is None:
        return None
    dim = _argument(node, 1, "dim", 0) % len(before)
    length = prod(part.size for part in before[dim])
    start = _argument(node, 2, "start", 0) or 0
    start = max(start + length, 0) if start < 0 else min(start, length)
    return _replaced(before, dim, _cut(before[dim], start, node.shape[dim], _argument(node, 4, "step", 1)))


def _selected(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    if before is None:
        return None
    dim = _argument(node, 1, "dim", 0) % len(before)
    return before[:dim] + before[dim + 1 :]


def _piece(node: Node, known: _Known, number: int) -> Axes | None:
    """One of several pieces that an axis was cut into."""
    before = known.of(node.args[0])
    if before is None:
        return None
    dim = _argument(node, *((1, "dim", 0) if node.kind == "unbind" else (2, "dim", 0))) % len(before)
    if node.kind == "unbind":
        return before[:dim] + before[dim + 1 :]
    start = sum(shape[dim] for shape in node.shapes[:number])
    return _replaced(before, dim, _cut(before[dim], start, node.shapes[number][dim]))


def _joined(node: Node, known: _Known) -> Axes | None:
    """Concatenation: more channels, or tokens behind a class token; only one piece may hold the picture's places."""
    pieces = _numbers(node.args[0])
    found = [(number, axes) for number, piece in enumerate(pieces) if (axes := known.of(piece)) is not None]
    if not found:
        return None
    dim = _argument(node, 1, "dim", 0) % len(node.shape)
    sizes = [known.graph.shape_of(cast(Any, piece).name)[dim] for piece in pieces]
    holders = [(number, axes) for number, axes in found if has_space(axes[dim])]
    if not holders:
        together = _plain("B" if any(part.label == "B" for part in found[0][1][dim]) else "C", sum(sizes))
        return _replaced(_most(found, dim), dim, together)
    number, axes = holders[0]
    tokens = token_part(axes[dim])
    if len(holders) > 1 or tokens is None:
        label = space_label(axes[dim]) if tokens is None else "?"
        return _replaced(axes, dim, _plain(label or "?", sum(sizes)))
    prefix = tokens.prefix + sum(sizes[:number])
    return _replaced(axes, dim, (Part("N", sum(sizes), grid=tokens.grid, prefix=prefix),))


def _most(found: list[tuple[int, Axes]], dim: int) -> Axes:
    """Of several known pieces, the axes on which they agree best: those that hold a place."""
    return max((axes for _, axes in found), key=lambda axes: sum(has_space(a) for i, a in enumerate(axes) if i != dim))


def _padded(node: Node, known: _Known) -> Axes | None:
    before = known.of(node.args[0])
    if before is None:
        return None
    kept = zip(before, node.shape, strict=True)
    return tuple(a if prod(p.size for p in a) == side else _plain(space_label(a) or "?", side) for a, side in kept)


def _patches(node: Node, known: _Known) -> Axes | None:
    """im2col: every place where the window stands is a token."""
    before = known.of(node.args[0])
    if before is None or len(before) != 4 or len(node.shape) != 3:
        return None
    kernel, dilation, padding, stride = (
        (_numbers(_argument(node, position, name)) * 2)[:2]
        for position, name in enumerate(("kernel_size", "dilation", "padding", "stride"), start=1)
    )
    sides = known.graph.shape_of(node.inputs[0])[2:]
    rows, columns = (
        (side + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i, side in enumerate(sides)
    )
    return (before[0], _plain("C", node.shape[1]), (Part("H", rows), Part("W", columns)))


def _windows(node: Node, known: _Known) -> Axes | None:
    """Tensor.unfold: the axis counts windows, and what is inside one becomes a last axis."""
    before = known.of(node.args[0])
    if before is None:
        return None
    dim = _argument(node, 1, "dimension", 0) % len(before)
    label = space_label(before[dim]) or "?"
    return (*_replaced(before, dim, _plain(label, node.shape[dim])), _plain("C", node.shape[-1]))


def _alike(node: Node, known: _Known) -> Axes | None:
    """Everything that works place by place, with broadcasting: each axis means what it means in the operands."""
    operands = [axes for name in node.inputs if (axes := known.axes.get(name)) is not None]
    if not operands or any(len(axes) > len(node.shape) for axes in operands):
        return None
    result: list[Axis] = []
    for position, side in enumerate(node.shape, start=-len(node.shape)):
        meanings = {
            fused(axes[position]): None
            for axes in operands
            if -position <= len(axes) and axes[position] and prod(p.size for p in axes[position]) == side
        }
        places = [axis for axis in meanings if any(part.label in "HWN" for part in axis)]
        if len(places) > 1:
            return None
        result.append((places or list(meanings) or [_plain("?", side) if side > 1 else ()])[0])
    return tuple(result)


SEVERAL = frozenset(("chunk", "split", "split_with_sizes", "tensor_split", "unbind"))
Rule: TypeAlias = Callable[[Node, _Known], Axes | None]
RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv2d", "conv_transpose2d", "convolution"), _convolved),
    **dict.fromkeys(("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "lp_pool2d"), _pooled),
    **dict.fromkeys(("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"), _resized),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), _shuffled),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "logsumexp"), _averaged),
    **dict.fromkeys(("matmul", "bmm", "mm"), _product),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshaped),
    **dict.fromkeys(("permute", "transpose", "t", "swapaxes", "numpy_T", "mT"), _permuted),
    **dict.fromkeys(("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _padded),
    "linear": _linear,
    "scaled_dot_product_attention": _attended,
    "slice": _sliced,
    "narrow": _sliced,
    "select": _selected,
    "cat": _joined,
    "im2col": _patches,
    "unfold": _windows,
}
"""How each kind of operation moves axes; a kind that is not here works place by place or is in `MOVE_POSITIONS`."""
