"""Make a graph functional: no operation overwrites anything, so a value, once there, stays what it is.

`relu_(x)` becomes `relu(x)`, and whoever reads x afterwards reads that result. Where only a part of a value is
overwritten (a slice, one channel) a new whole is put together from the old one and the part. Knows no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from photosite.errors import CaptureError
from photosite.graph.ir import Argument, FrozenMap, Graph, Node, Ref

_DROPOUT = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
SAME_MEMORY = frozenset(("alias", "contiguous", "detach", "lift_fresh", "to", "type_as", *_DROPOUT))
"""Operations that can give back the very value that they are given."""
RESHAPING = frozenset(
    ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as")
)
"""Views of all of a value that keep the order of its numbers."""
SWAPPING = frozenset(("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "permute", "movedim", "moveaxis"))
"""Views of all of a value that change the order of its axes."""
SPLITTING = frozenset(("chunk", "split", "split_with_sizes", "unbind"))
"""Views that give several parts along one axis, of which `getitem` takes one."""


def functional(graph: Graph) -> Graph:
    """The same network without in-place operations; nodes that were there keep their names.

    Batch norm in training, which overwrites its running statistics, gives them as further results; `Graph.updates`
    says what a buffer holds after a run.

    Args:
        graph: from `capture`.
    Returns:
        A graph with the same outputs, whose nodes write nothing and share nothing.
    Raises:
        CaptureError: a part of a value is overwritten in a way that has no rule here; the line is named.
    Matches: running the graph as it is, bit for bit.
    """
    return _Rewriting(graph).result()


@dataclass(frozen=True)
class _Place:
    """Where a value lies: in the memory of `root`, as `view` shows it of `parent`.

    Without a parent it is the root itself; without a view it is all of its parent.
    """

    root: str
    parent: str = ""
    view: Node | None = None


class _Rewriting:
    """One graph on its way. Keys are names in the graph as it was, values names in the graph as it will be."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.places: dict[str, _Place] = {}
        self.now: dict[str, str] = {}  # what holds a value
        self.seen: dict[str, int] = {}  # as of which write to its root
        self.writes: dict[str, int] = {}  # how often a root was written to
        self.taken = {*(node.name for node in graph), *graph.inputs, *graph.parameters, *graph.constants}

    def result(self) -> Graph:
        for node in self.graph:
            if not node.writes:
                self._keep(node)
            elif node.kind == "batch_norm":
                self._batch_norm(node)
            else:
                self._overwrite(node)
        outputs = tuple(self._current(name) for name in self.graph.outputs)
        updates = {root: self._current(root) for root in self.writes if root in self.graph.parameters}
        return replace(self.graph, nodes=tuple(self.nodes), outputs=outputs, updates=FrozenMap(updates))

    def _keep(self, node: Node) -> None:
        """A node that writes nothing stays."""
        self._add(self._brought_up(node), node.name, tuple(self._current(name) for name in node.shares))
        parent = node.shares[0] if node.shares else ""
        if parent and not (
            node.kind == "getitem" and not self._place(parent).parent
        ):  # of several new results: its own
            whole = node.kind in SAME_MEMORY and self.graph.shape_of(parent) == node.shape
            self.places[node.name] = _Place(self._place(parent).root, parent, None if whole else node)
        self._hold(node.name, node.name)

    def _overwrite(self, node: Node) -> None:
        """A node that writes becomes one that does not, and what it wrote to holds its result from now on."""
        namespace, name, overload = node.op.split(".", 2)
        if len(node.writes) != 1 or not name.endswith("_"):
            raise CaptureError(f"functional: {node.op} overwrites {', '.join(node.writes)}; no rule for it{_at(node)}")
        written = node.writes[0]
        plain = self._brought_up(replace(node, op=f"{namespace}.{name.removesuffix('_')}.{overload}"))
        value = self._add(plain, node.name)
        dtype = self.graph.dtype_of(written)  # in place it stays; a new value could become wider
        if any(self.graph.dtype_of(read) not in ("", dtype) for read in node.inputs):
            value = self._make(node, "aten.to.dtype", (Ref(value), f"torch.{dtype}"), node.shape, dtype)
        self.places[node.name] = _Place(self._place(written).root, written)
        self._write(written, value, node)
        self._hold(node.name, value)

    def _batch_norm(self, node: Node) -> None:
        """Batch norm in training: its output and its new statistics become results of one operation."""
        changed = node.writes  # running mean and running variance
        sides = self.graph.shape_of(changed[0])
        everything = self._free(node.name)
        self._add(
            replace(
                self._brought_up(node),
                op="aten._native_batch_norm_legit_functional.default",
                args=self._brought_up(node).args[:8],  # without the last, which is about cuDNN
                shapes=(node.shape, sides, sides, sides, sides),
                dtypes=(node.dtype,) * 5,
            ),
            everything,
        )
        self._add(self._piece(node, everything, 0, node.shape), node.name)
        self._hold(node.name, node.name)
        for number, name in enumerate(changed, 3):
            piece = self._piece(node, everything, number, sides)
            self._write(name, self._add(piece, self._free(node.name)), node)

    # --- where values lie --------------------------------------------------------------------------------------------

    def _place(self, name: str) -> _Place:
        return self.places.setdefault(name, _Place(name))

    def _hold(self, name: str, value: str) -> None:
        """From now on `value` stands for `name`."""
        self.now[name] = value
        self.seen[name] = self.writes.get(self._place(name).root, 0)

    def _current(self, name: str) -> str:
        """What stands for a name at present; a view of something overwritten since is taken again."""
        place = self._place(name)
        if self.seen.get(name, 0) == self.writes.get(place.root, 0):
            return self.now.get(name, name)
        assert place.parent, "a root is brought up to date as it is written to"
        if place.view is None:
            self._hold(name, self._current(place.parent))
        else:
            self._hold(name, self._add(self._brought_up(place.view), self._free(name)))
        return self.now[name]

    def _write(self, name: str, value: str, node: Node) -> None:
        """Let `value` stand for a name, and put it into all that the name is a part of."""
        changed = [(name, value)]
        place = self._place(name)
        while place.parent:
            name, value = self._whole(place, value, node)
            changed.append((name, value))
            place = self._place(name)
        self.writes[place.root] = self.writes.get(place.root, 0) + 1
        for name, value in changed:
            self._hold(name, value)

    def _whole(self, place: _Place, part: str, node: Node) -> tuple[str, str]:
        """What a view was taken of, and a new value for it with the view's new value in it."""
        parent, view = place.parent, place.view
        if view is None:
            return parent, part
        if view.kind == "getitem":
            several = self._place(parent)
            assert several.view is not None
            return several.parent, self._with_piece(several.view, view, part, several.parent)
        shape, dtype = self.graph.shape_of(parent), self.graph.dtype_of(parent)
        if view.kind in RESHAPING:
            return parent, self._make(view, "aten.reshape.default", (Ref(part), shape), shape, dtype)
        if view.kind in SWAPPING:
            back = _inverse(_order(view, len(shape)))
            return parent, self._make(view, "aten.permute.default", (Ref(part), back), shape, dtype)
        if view.kind in ("select", "slice"):
            args = (Ref(self._current(parent)), Ref(part), *view.args[1:])
            return parent, self._make(view, f"aten.{view.kind}_scatter.default", args, shape, dtype)
        raise CaptureError(f"functional: {node.op} writes through {view.op}, for which there is no rule{_at(node)}")

    def _with_piece(self, splitting: Node, taking: Node, part: str, whole: str) -> str:
        """A new value of what was split, with one of its pieces replaced."""
        if splitting.kind not in SPLITTING:
            raise CaptureError(f"functional: a result of {splitting.op} is overwritten; no rule for it{_at(taking)}")
        shape, dtype = self.graph.shape_of(whole), self.graph.dtype_of(whole)
        index = _number(taking.args[1])
        given = splitting.args[1 if splitting.kind == "unbind" else 2 :]
        dim = _number(given[0] if given else splitting.kwargs.get("dim", 0)) % len(shape)
        ends: tuple[Argument, ...] = (dim, index)
        if splitting.kind != "unbind":
            start = sum(piece[dim] for piece in splitting.shapes[:index])
            ends = (dim, start, start + splitting.shapes[index][dim])
        op = "aten.select_scatter.default" if splitting.kind == "unbind" else "aten.slice_scatter.default"
        return self._make(taking, op, (Ref(self._current(whole)), Ref(part), *ends), shape, dtype)

    # --- nodes of the new graph --------------------------------------------------------------------------------------

    def _brought_up(self, node: Node) -> Node:
        """A node of the old graph that reads what stands for its operands at present."""
        args = tuple(_renamed(argument, self._current) for argument in node.args)
        kwargs = {key: _renamed(argument, self._current) for key, argument in node.kwargs.items()}
        read = dict.fromkeys(ref.name for argument in (*args, *kwargs.values()) for ref in _refs(argument))
        parameters = {role: name for role, name in node.parameters.items() if name in read}
        return replace(node, args=args, kwargs=FrozenMap(kwargs), inputs=tuple(read), parameters=FrozenMap(parameters))

    def _add(self, node: Node, name: str, shares: tuple[str, ...] = ()) -> str:
        self.nodes.append(replace(node, name=name, writes=(), shares=shares))
        return name

    def _make(self, like: Node, op: str, args: tuple[Argument, ...], shape: tuple[int, ...], dtype: str) -> str:
        """Add a new operation at the place of another one; its arguments name values of the new graph."""
        read = tuple(dict.fromkeys(ref.name for argument in args for ref in _refs(argument)))
        node = replace(
            like,
            op=op,
            args=args,
            kwargs=FrozenMap(),
            inputs=read,
            parameters=FrozenMap(),
            shapes=(shape,),
            dtypes=(dtype,),
        )
        return self._add(node, self._free(like.name))

    def _piece(self, like: Node, several: str, index: int, shape: tuple[int, ...]) -> Node:
        """One of several results."""
        return replace(
            like,
            op="getitem",
            args=(Ref(several), index),
            kwargs=FrozenMap(),
            inputs=(several,),
            parameters=FrozenMap(),
            shapes=(shape,),
            dtypes=(like.dtype,),
        )

    def _free(self, name: str) -> str:
        """A name that nothing has yet."""
        number = 1
        while (free := f"{name}_v{number}") in self.taken:
            number += 1
        self.taken.add(free)
        return free


def _renamed(argument: Argument, rename: Callable[[str], str]) -> Argument:
    if isinstance(argument, Ref):
        return Ref(rename(argument.name))
    if isinstance(argument, tuple):
        return tuple(_renamed(part, rename) for part in argument)
    return argument


def _refs(argument: Argument) -> Iterator[Ref]:
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, tuple):
        for part in argument:
            yield from _refs(part)


def _number(argument: Argument) -> int:
    assert isinstance(argument, int)
    return argument


def _order(view: Node, ndim: int) -> tuple[int, ...]:
    """Which axis of its operand each axis of a view is, for an operation of `SWAPPING`."""
    order = list(range(ndim))
    dims = view.args[1:]
    if view.kind == "permute":
        return tuple(_number(dim) % ndim for dim in _several(dims[0]))
    if view.kind in ("movedim", "moveaxis"):
        return tuple(int(axis) for axis in np.moveaxis(np.empty(order), *map(_several, dims[:2])).shape)
    if view.kind == "numpy_T":
        return tuple(reversed(order))
    first, second = (_number(dim) % ndim for dim in dims) if dims else (ndim - 2, ndim - 1)
    if ndim > 1 or dims:
        order[first], order[second] = order[second], order[first]
    return tuple(order)


def _several(argument: Argument) -> tuple[int, ...]:
    return tuple(_number(part) for part in (argument if isinstance(argument, tuple) else (argument,)))


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(axis) for axis in range(len(order)))


def _at(node: Node) -> str:
    return f" at {node.source}" if node.source else ""
