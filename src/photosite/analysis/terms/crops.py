"""What one number of a value needs of the operands: the smallest pieces of them that give the same number.

An element for operations place by place, a row for a linear layer, a line for a softmax, a plane for a pool. Knows no
operation's arithmetic: only along which axes its numbers are independent, by kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from photosite.analysis.terms.term import Index
from photosite.graph.ir import Argument, Node, Ref
from photosite.graph.reach import mixing
from photosite.graph.table import TABLE

Box = tuple[slice, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Crop:
    """Pieces of operands.

    Attributes:
        index: where the number stands in the result for those pieces.
        boxes: of each operand that is cut, by name, a slice for each axis; the others are taken whole.
    """

    index: Index
    boxes: Mapping[str, Box] = field(default_factory=dict)

    def of(self, name: str, array: Any) -> Any:
        """The piece of an operand."""
        return np.asarray(array[self.boxes[name]]) if name in self.boxes else array

    def start(self, name: str) -> Index:
        """Where a piece begins in the whole operand; () for one that is taken whole."""
        return tuple(box.start or 0 for box in self.boxes.get(name, ()))

    def place(self, name: str, index: Index) -> Index:
        """Where a number of a piece stands in the whole operand."""
        return (
            tuple(i + start for i, start in zip(index, self.start(name), strict=True)) if name in self.boxes else index
        )


def crop(node: Node, values: Mapping[str, Any], index: Index) -> Crop:
    """What a number needs.

    Args:
        node: of a functional graph.
        values: of what it reads.
        index: of the number, in the node's value.
    Returns:
        Pieces for which the operation gives the number at `Crop.index`; of operations that nothing is known of, all.
    """
    rule = _KINDS.get(node.kind)
    row = TABLE.get(node.op)
    apart = row is not None and row.reach in (mixing.pointwise, mixing.same) and node.kind not in _BY_POSITION
    if rule is None and apart:
        rule = _place_by_place
    found = rule(node, values, index) if rule is not None else None
    return found or Crop(index)


def _place_by_place(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
    boxes = {name: _box(values[name].shape, index) for name in node.inputs}
    return Crop((0,) * len(index), boxes)


def _box(shape: Shape, index: Index) -> Box:
    """The element of an operand that is repeated to the result's shape."""
    own = index[len(index) - len(shape) :]
    return tuple(slice(0, 1) if side == 1 else slice(i, i + 1) for i, side in zip(own, shape, strict=True))


def _linear(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
    x, weight = node.args[:2]
    if not isinstance(x, Ref) or not isinstance(weight, Ref) or x == weight or values[weight.name].ndim != 2:
        return None
    boxes = {x.name: (*(slice(i, i + 1) for i in index[:-1]), slice(None)), weight.name: (_one(index[-1]), slice(None))}
    bias = node.args[2] if len(node.args) > 2 else None
    if isinstance(bias, Ref):
        boxes[bias.name] = (_one(index[-1]),)
    return Crop((0,) * len(index), boxes)


def _matmul(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
    a, b = node.args[:2]
    if not isinstance(a, Ref) or not isinstance(b, Ref) or a == b:
        return None
    left, right = values[a.name].shape, values[b.name].shape
    if len(left) < 2 or len(right) < 2:
        return None
    boxes = {
        a.name: (*_box(left[:-2], index[:-2]), _one(index[-2]), slice(None)),
        b.name: (*_box(right[:-2], index[:-2]), slice(None), _one(index[-1])),
    }
    return Crop((0,) * len(index), boxes)


def _attention(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
    refs = node.args[:3]
    names = [ref.name for ref in refs if isinstance(ref, Ref)]
    special = [*node.args[3:], *(value for role, value in node.kwargs.items() if role != "scale")]
    if any(special) or len(set(names)) < 3 or len({values[name].shape[:-2] for name in names}) > 1:
        return None
    front = tuple(_one(i) for i in index[:-2])
    boxes = {
        names[0]: (*front, _one(index[-2]), slice(None)),
        names[1]: (*front, slice(None), slice(None)),
        names[2]: (*front, slice(None), _one(index[-1])),
    }
    return Crop((0,) * len(index), boxes)


def _last_axes(count: int) -> Callable[[Node, Mapping[str, Any], Index], Crop | None]:
    """Batch and channels are independent, all of the last axes count."""

    def rule(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
        x = node.args[0]
        assert isinstance(x, Ref)
        front = len(index) - count
        box = (*(_one(i) for i in index[:front]), *(slice(None),) * count)
        return Crop((*(0,) * front, *index[front:]), {x.name: box})

    return rule


def _line(number: int, role: str) -> Callable[[Node, Mapping[str, Any], Index], Crop | None]:
    """All of one axis counts, and one place of each other."""

    def rule(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
        x, dim = node.args[0], _argument(node, number, role)
        if not isinstance(x, Ref) or not isinstance(dim, int) or not index:
            return None
        dim %= len(index)
        box = tuple(slice(None) if axis == dim else _one(i) for axis, i in enumerate(index))
        return Crop(tuple(i if axis == dim else 0 for axis, i in enumerate(index)), {x.name: box})

    return rule


def _reduction(node: Node, values: Mapping[str, Any], index: Index) -> Crop | None:
    """All of some axes counts, which the result lacks or has with one index."""
    x = node.args[0]
    dims = _argument(node, 2 if node.kind in ("linalg_vector_norm", "norm") else 1, "dim")
    if not isinstance(x, Ref):
        return None
    shape = values[x.name].shape
    if not shape:
        return None
    if isinstance(dims, int) and not isinstance(dims, bool):
        dims = (dims,)
    if not isinstance(dims, tuple) or not dims:
        return None
    gone = {dim % len(shape) for dim in dims if isinstance(dim, int)}
    left = list(index) if len(index) == len(shape) else None
    rest = iter(index)
    box = []
    for axis in range(len(shape)):
        if left is not None:
            box.append(slice(None) if axis in gone else _one(left[axis]))
        else:
            box.append(slice(None) if axis in gone else _one(next(rest)))
    return Crop((0,) * len(index), {x.name: tuple(box)})


def _argument(node: Node, number: int, role: str) -> Argument:
    return node.args[number] if number < len(node.args) else node.kwargs.get(role)


def _one(index: int) -> slice:
    return slice(index, index + 1)


_BY_POSITION = frozenset(("prelu", "_prelu_kernel", "tril", "triu", "channel_shuffle"))
"""Operations in which the place of a number says what is done to it."""

_KINDS: dict[str, Callable[[Node, Mapping[str, Any], Index], Crop | None]] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "bmm", "mm"), _matmul),
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(("softmax", "log_softmax", "_softmax", "_log_softmax", "cumsum"), _line(1, "dim")),
    **dict.fromkeys(("special_softmax", "special_log_softmax"), _line(1, "dim")),
    **dict.fromkeys(("sum", "mean", "prod", "logsumexp", "any", "all", "amax", "amin", "argmax", "argmin"), _reduction),
    **dict.fromkeys(("linalg_vector_norm", "norm", "std", "var"), _reduction),
    **{f"{pool}{n}d": _last_axes(n) for pool in ("max_pool", "avg_pool", "adaptive_avg_pool") for n in (1, 2, 3)},
    **{f"{kind}{n}d": _last_axes(n) for kind in ("upsample_nearest", "_upsample_nearest_exact") for n in (1, 2, 3)},
    **dict.fromkeys(("upsample_bilinear2d", "upsample_bicubic2d"), _last_axes(2)),
    **dict.fromkeys(("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"), _last_axes(2)),
}
