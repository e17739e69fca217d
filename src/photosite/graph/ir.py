"""A network as plain data: nodes in the order they run, and the names of everything they read.

Knows no torch: shapes, dtypes and arguments are tuples, numbers and strings, and nothing can be changed once made.
Nodes, graph inputs, parameters, buffers and constants share one namespace, so one name means one thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from photosite.errors import UnknownNameError

Value = TypeVar("Value")


class FrozenMap(Mapping[str, Value]):
    """A mapping that nobody can change; unlike `MappingProxyType` it can be hashed, pickled and copied.

    >>> FrozenMap({"weight": "conv1.weight"})["weight"]
    'conv1.weight'
    """

    __slots__ = ("_items",)
    _items: dict[str, Value]

    def __init__(self, items: Mapping[str, Value] | None = None) -> None:
        """Copy `items`, in their order."""
        object.__setattr__(self, "_items", dict(items or {}))

    def __getitem__(self, key: str) -> Value:
        """The value under `key`."""
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order they were given."""
        return iter(self._items)

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._items)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: it is frozen."""
        raise AttributeError(f"FrozenMap: cannot set {name!r}, it is frozen")

    def __hash__(self) -> int:
        """Equal maps hash alike, whatever the order of their keys."""
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        """Written like a dict."""
        return repr(self._items)

    def __reduce__(self) -> tuple[type[FrozenMap[Any]], tuple[dict[str, Value]]]:
        """Travel as a dict."""
        return FrozenMap, (dict(self._items),)


@dataclass(frozen=True)
class Ref:
    """Stands in arguments for the value of that name: a node, a graph input, a parameter, a buffer or a constant."""

    name: str


Argument: TypeAlias = "Ref | bool | int | float | complex | str | tuple[Argument, ...] | None"
"""What a node's arguments are made of; dtypes, layouts and memory formats read `"torch.float32"`, devices `"cpu"`."""


@dataclass(frozen=True)
class Node:
    """One operation.

    `op` is the full ATen name (`aten.conv2d.default`), or `getitem`, which takes one value of an operation that gives
    several. `module` is the dotted path of the module that called it ("" at the root) and `module_type` its class.
    `inputs` are the names it reads, in the order of its arguments, each once. `parameters` maps argument names of the
    ATen schema to state-dict names: {"weight": "conv1.weight"}. `shapes` and `dtypes` have one entry for each tensor
    that comes out. `source` is "file:line" of the deepest line outside torch, "" where there is none.
    `writes` names the inputs that it overwrites, `shares` the inputs in whose memory its own value may lie (a view, or
    the result of an in-place operation).
    """

    name: str
    op: str
    module: str = ""
    module_type: str = ""
    inputs: tuple[str, ...] = ()
    args: tuple[Argument, ...] = ()
    kwargs: FrozenMap[Argument] = field(default_factory=FrozenMap)
    parameters: FrozenMap[str] = field(default_factory=FrozenMap)
    shapes: tuple[tuple[int, ...], ...] = ()
    dtypes: tuple[str, ...] = ()
    source: str = ""
    writes: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The family of the operation: no namespace, no overload, in-place or not.

        >>> Node("a", "aten.relu_.default").kind, Node("b", "aten.add.Tensor").kind, Node("c", "getitem").kind
        ('relu', 'add', 'getitem')
        """
        parts = self.op.split(".")
        name = parts[1] if len(parts) > 1 else parts[0]
        return name.rstrip("_") or name

    @property
    def in_place(self) -> bool:
        """Whether it overwrites something that it reads (batch norm in training overwrites its running statistics)."""
        return bool(self.writes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first tensor that comes out; () where none does."""
        return self.shapes[0] if self.shapes else ()

    @property
    def dtype(self) -> str:
        """Dtype of the first tensor that comes out, "float32" say; "" where none does."""
        return self.dtypes[0] if self.dtypes else ""


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a parameter or buffer without its values; `same_as` names the first of several tied names."""

    shape: tuple[int, ...]
    dtype: str
    is_buffer: bool = False
    same_as: str | None = None


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that is in no state dict, so the graph itself carries it; read-only.

    Non-persistent buffers, plain tensor attributes and tensors written in `forward` are such constants.
    `dtype` is torch's; `array` has it too, except bfloat16 and float8, which NumPy lacks: held as float32, exactly.
    """

    array: npt.NDArray[Any]
    dtype: str

    def __post_init__(self) -> None:
        """Keep a private, read-only copy."""
        array = np.array(self.array, copy=True)
        array.setflags(write=False)
        object.__setattr__(self, "array", array)

    def __reduce__(self) -> tuple[type[Constant], tuple[npt.NDArray[Any], str]]:
        """Be read-only again after a journey (NumPy's own pickle forgets the flag)."""
        return Constant, (self.array, self.dtype)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: nodes in the order they run, frozen.

    `inputs` names the tensors that go in, `input_shapes` their shapes. `outputs` names the values that come out, and
    `output_keys` says where each stood in what the model returned: "output" for a lone tensor, "0" in a tuple, "logits"
    in a dict, "aux.0" nested. `parameters` are all of the model's, used or not, under their state-dict names.
    `updates` names, for a parameter or buffer that running the network overwrites, its value afterwards; only a graph
    without in-place operations says it, see `functional`. `notes` are sentences for people: what was unwrapped, assumed
    or left out.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...] = ()
    input_dtypes: tuple[str, ...] = ()
    output_keys: tuple[str, ...] = ()
    parameters: FrozenMap[TensorInfo] = field(default_factory=FrozenMap)
    constants: FrozenMap[Constant] = field(default_factory=FrozenMap)
    model_type: str = ""
    notes: tuple[str, ...] = ()
    updates: FrozenMap[str] = field(default_factory=FrozenMap)

    def __len__(self) -> int:
        """How many operations there are."""
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        """The nodes, in the order they run."""
        return iter(self.nodes)

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            UnknownNameError: there is none; near names are suggested.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError("node", name, self._by_name) from None

    def find(self, name: str) -> Node:
        """The node of that name; by the path of a module, the last one that ran inside it.

        Raises:
            UnknownNameError: there is neither; near names and paths are suggested.
        """
        if name in self._by_name:
            return self._by_name[name]
        inside = [node for node in self.nodes if name and f"{node.module}.".startswith(f"{name}.")]
        if not inside:
            modules = {node.module for node in self.nodes if node.module}
            raise UnknownNameError("node or module", name, [*self._by_name, *modules])
        return inside[-1]

    def __contains__(self, name: object) -> bool:
        """Whether a node has that name."""
        return name in self._by_name

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read the value of that name (a node, an input, a parameter or a constant), in order.

        Raises:
            UnknownNameError: nothing here has that name.
        """
        self._check(name)
        return self._readers.get(name, ())

    def producers(self, name: str) -> tuple[Node, ...]:
        """The nodes whose values the node of that name reads, in the order of its arguments.

        Raises:
            UnknownNameError: no node has that name.
        """
        return tuple(self._by_name[read] for read in self.node(name).inputs if read in self._by_name)

    def by_module(self, path: str) -> tuple[Node, ...]:
        """All nodes that ran inside the module of that dotted path; "" is the whole model.

        Raises:
            UnknownNameError: no node ran there; near paths are suggested.
        """
        found = tuple(n for n in self.nodes if not path or n.module == path or n.module.startswith(path + "."))
        if not found and path:
            raise UnknownNameError("module", path, {n.module for n in self.nodes if n.module})
        return found

    def aliases(self, name: str) -> frozenset[str]:
        """All names whose values may lie in the same memory as that one, itself included.

        Raises:
            UnknownNameError: nothing here has that name.
        """
        self._check(name)
        return self._alias_groups.get(name, frozenset({name}))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of whatever has that name.

        Raises:
            UnknownNameError: nothing here has that name.
        """
        self._check(name)
        if name in self._by_name:
            return self._by_name[name].shape
        if name in self.parameters:
            return self.parameters[name].shape
        if name in self.constants:
            return self.constants[name].array.shape
        return self.input_shapes[self.inputs.index(name)]

    def dtype_of(self, name: str) -> str:
        """Dtype of whatever has that name.

        Raises:
            UnknownNameError: nothing here has that name.
        """
        self._check(name)
        if name in self._by_name:
            return self._by_name[name].dtype
        if name in self.parameters:
            return self.parameters[name].dtype
        if name in self.constants:
            return self.constants[name].dtype
        return self.input_dtypes[self.inputs.index(name)]

    def _check(self, name: str) -> None:
        if not any(name in names for names in (self._by_name, self.inputs, self.parameters, self.constants)):
            raise UnknownNameError("value", name, [*self._by_name, *self.inputs, *self.parameters, *self.constants])

    @cached_property
    def last_uses(self) -> Mapping[int, tuple[str, ...]]:
        """For each node's number the names that nothing reads after it; outputs are never among them."""
        last: dict[str, int] = {}
        for number, node in enumerate(self.nodes):
            last[node.name] = number
            last.update(dict.fromkeys(node.inputs, number))
        dying: dict[int, list[str]] = {}
        for name, number in last.items():
            if name not in self.outputs:
                dying.setdefault(number, []).append(name)
        return {number: tuple(names) for number, names in dying.items()}

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _readers(self) -> dict[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    @cached_property
    def _alias_groups(self) -> dict[str, frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for node in self.nodes:
            for other in node.shares:
                merged = groups.get(node.name, {node.name}) | groups.get(other, {other})
                groups.update(dict.fromkeys(merged, merged))
        return {name: frozenset(group) for name, group in groups.items()}

    def __str__(self) -> str:
        """A table: one line for each node."""
        head = ("", "node", "op", "module", "shape", "dtype", "reads")
        rows = [
            (
                str(number),
                node.name,
                node.op,
                f"{node.module} ({node.module_type})" if node.module_type else node.module,
                " ".join("x".join(map(str, shape)) or "scalar" for shape in node.shapes),
                node.dtype,
                ", ".join(node.inputs),
            )
            for number, node in enumerate(self.nodes)
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        title = f"{self.model_type or 'Graph'}: {', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        return "\n".join([title, *(line.rstrip() for line in lines)])
