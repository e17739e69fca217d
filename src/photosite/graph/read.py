"""Turn what torch.export returns into our own frozen `Graph`.

Regions that only switch gradients are read as if they were not there; whatever cannot be held as plain data is refused
by name. Knows nothing of how the model was exported.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from photosite.errors import CaptureError
from photosite.graph.ir import Argument, Constant, FrozenMap, Graph, Node, Ref, TensorInfo

NOT_THE_USERS = tuple(
    str(Path(folder).resolve()) + "/" for folder in (Path(torch.__file__).parent, Path(__file__).parent)
)
ASSERTIONS = frozenset({"aten._assert_tensor_metadata.default"})
"""Checks that export adds behind a change of dtype; they compute nothing."""
MAY_RETURN_ITS_INPUT = frozenset({"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"})
"""Operations that give back their very input in evaluation, which their ATen schemas do not say."""
STATISTICS_SWITCH = {"batch_norm": "training", "instance_norm": "use_input_stats"}
"""Operations that overwrite running_mean and running_var when the switch is on, which their schemas do not say."""


def read_program(program: torch.export.ExportedProgram, model: nn.Module, notes: Iterable[str] = ()) -> Graph:
    """Turn an exported program into a `Graph`.

    Args:
        program: what `torch.export.export` gave, before any decomposition.
        model: the module that was exported; its parameter names are used, none of its values.
        notes: sentences for `Graph.notes`.

    Raises:
        CaptureError: something is in it that plain data cannot hold; the message names it and its line.
    """
    return _Reader(program, model, notes).graph()


def deepest_line(stack: str) -> tuple[str, int] | None:
    """File and line of the deepest frame of a printed stack that is the user's; None where there is none."""
    found = re.findall(r'File "([^"]+)", line (\d+)', stack)
    return next(((file, int(line)) for file, line in reversed(found) if is_users(file)), None)


def is_users(file: str) -> bool:
    """Whether code of that file belongs to the model's author: not torch, not photosite's capture, not generated."""
    return not file.startswith("<") and not str(Path(file).resolve()).startswith(NOT_THE_USERS)


def model_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers, tied ones under each of their names, non-persistent buffers included."""
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


class _Reader:
    """Reads one program; `env` says for each FX node what stands for it in our graph."""

    def __init__(self, program: torch.export.ExportedProgram, model: nn.Module, notes: Iterable[str]) -> None:
        self.program = program
        self.model = model
        self.notes = list(notes)
        self.env: dict[fx.Node, Any] = {}
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}
        self.storages: dict[str, frozenset[int]] = {}
        self.state, self.tied = _state_of(model)
        self.taken = set(self.state)

    def graph(self) -> Graph:
        inputs = self._placeholders()
        returned = self._body(self.program.graph_module)
        keys = _keys(self.program.call_spec.out_spec)
        outputs = []
        for key, value in zip(keys, returned, strict=True):
            if isinstance(value, Ref):
                outputs.append((key, value.name))
            else:
                self.notes.append(f"output {key!r} is {value!r}, not a tensor: left out")
        return Graph(
            nodes=tuple(self.nodes),
            inputs=tuple(name for name, _ in inputs),
            input_shapes=tuple(_shape(value) for _, value in inputs),
            input_dtypes=tuple(_dtype(value) for _, value in inputs),
            outputs=tuple(name for _, name in outputs),
            output_keys=tuple(key for key, _ in outputs),
            parameters=FrozenMap(self.state),
            constants=FrozenMap(self.constants),
            model_type=type(self.model).__name__,
            notes=tuple(self.notes),
        )

    def _placeholders(self) -> list[tuple[str, torch.Tensor]]:
        """Give every placeholder its meaning; return the tensors that the user passes in."""
        inputs = []
        placeholders = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        for node, spec in zip(placeholders, self.program.graph_signature.input_specs, strict=True):
            kind, value = spec.kind.name, node.meta.get("val")
            if kind in ("PARAMETER", "BUFFER") and spec.target in self.state:
                self.env[node] = Ref(str(spec.target))
            elif kind in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR"):
                tensor = self.program.constants[str(spec.target)]
                self.env[node] = Ref(self._free(str(spec.target)))
                self.constants[self.env[node].name] = _constant(cast(torch.Tensor, tensor))
            elif kind == "USER_INPUT" and isinstance(value, torch.Tensor):
                self.env[node] = Ref(self._free(node.name))
                inputs.append((self.env[node].name, value))
            elif kind == "USER_INPUT":
                self.env[node] = value
                self.notes.append(f"input {node.name!r} was {value!r} and is fixed to it")
            else:
                raise CaptureError(
                    f"capture: the model reads {spec.target or node.name!r}, a {kind.lower()}; no tensor"
                )
            if isinstance(self.env[node], Ref):
                self.storages[self.env[node].name] = _storages(value)
        return inputs

    def _body(self, module: fx.GraphModule) -> tuple[Any, ...]:
        """Read the operations of a graph whose placeholders already have their meaning; return what it returns."""
        for node in module.graph.nodes:
            if node.op == "get_attr":
                self.env[node] = operator.attrgetter(node.target)(module)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                return cast(tuple[Any, ...], self._freeze(node.args[0], node))
            elif node.op != "placeholder":
                raise CaptureError(f"capture: cannot read {node.op} {node.target!r}{_at(node)}")
        raise AssertionError("an FX graph ends with its output")

    def _call(self, node: fx.Node) -> None:
        target = node.target
        if isinstance(target, torch._ops.OpOverload):
            if str(target) not in ASSERTIONS and not _is_write_back(node):
                self._operation(node, str(target), _named(target, node))
        elif target is operator.getitem and isinstance(self.env.get(cast(fx.Node, node.args[0])), tuple):
            self.env[node] = self.env[cast(fx.Node, node.args[0])][cast(int, node.args[1])]
        elif target is operator.getitem:
            self._operation(node, "getitem", {"value": node.args[0], "index": node.args[1]})
        elif str(target) == "wrap_with_set_grad_enabled":
            self._inline(node, node.args[1], node.args[2:])
        elif str(target) == "wrap_with_autocast" and not node.args[2]:
            self._inline(node, node.args[4], node.args[5:])
        else:
            name = getattr(target, "__name__", None) or str(target)
            raise CaptureError(f"capture: {name!r} is a construct that this graph cannot hold{self._at_region(node)}")

    def _at_region(self, node: fx.Node) -> str:
        """Where a construct stands in the user's code; export may tell that only of the operations inside it."""
        operands = [self.env.get(operand) for operand in node.all_input_nodes]
        regions = [operand for operand in operands if isinstance(operand, fx.GraphModule)]
        inside = [inner for region in regions for inner in region.graph.nodes]
        return next(filter(None, map(_at, [node, *inside])), "")

    def _inline(self, node: fx.Node, region: Any, operands: tuple[Any, ...]) -> None:
        """Read a region that changes no value as part of the graph around it."""
        inner = cast(fx.GraphModule, self.env[region])
        placeholders = [n for n in inner.graph.nodes if n.op == "placeholder"]
        for placeholder, operand in zip(placeholders, operands, strict=True):
            self.env[placeholder] = self._freeze(operand, node)
        self.env[node] = self._body(inner)

    def _operation(self, node: fx.Node, op: str, named: Mapping[str, Any]) -> None:
        module, module_type = _module(node)
        value = node.meta.get("val")
        if _depends_on_values(value):
            raise CaptureError(
                f"capture: the result of {op} depends on the picture's values, not on its shape alone{_at(node)}"
            )
        rename = self._renamer(module)
        frozen = {role: rename(self._freeze(argument, node)) for role, argument in named.items()}
        reads = list(dict.fromkeys(ref.name for argument in frozen.values() for ref in _refs(argument)))
        name = self._free(node.name)
        self.storages[name] = _storages(value)
        writes = _written(node, op, frozen)
        lends = {*writes, *_viewed(node, op, frozen)}
        where = deepest_line(node.meta.get("stack_trace") or "")
        self.env[node] = Ref(name)
        self.nodes.append(
            Node(
                name=name,
                op=op,
                module=module,
                module_type=module_type,
                inputs=tuple(reads),
                args=tuple(rename(self._freeze(argument, node)) for argument in node.args),
                kwargs=FrozenMap({key: rename(self._freeze(argument, node)) for key, argument in node.kwargs.items()}),
                parameters=FrozenMap(
                    {role: ref.name for role, ref in _roles(frozen) if ref.name in self.state},
                ),
                shapes=tuple(_shape(tensor) for tensor in _tensors(value)),
                dtypes=tuple(_dtype(tensor) for tensor in _tensors(value)),
                source=f"{where[0]}:{where[1]}" if where else "",
                writes=tuple(read for read in reads if read in writes),
                shares=tuple(r for r in reads if r in lends or self.storages[r] & self.storages[name]),
            )
        )

    def _renamer(self, module: str) -> Callable[[Argument], Argument]:
        """Of several names of a tied tensor, the one inside the module that reads it."""

        def rename(argument: Argument) -> Argument:
            if isinstance(argument, tuple):
                return tuple(rename(part) for part in argument)
            if isinstance(argument, Ref) and argument.name in self.tied:
                group = self.tied[argument.name]
                own = next((name for name in group if name.rpartition(".")[0] == module), argument.name)
                self.storages[own] = self.storages[argument.name]
                return Ref(own)
            return argument

        return rename

    def _freeze(self, argument: Any, node: fx.Node) -> Any:
        if isinstance(argument, fx.Node):
            return self.env[argument]
        if isinstance(argument, (list, tuple)):
            return tuple(self._freeze(part, node) for part in argument)
        if isinstance(argument, (torch.dtype, torch.layout, torch.memory_format, torch.device)):
            return str(argument)
        if argument is None or isinstance(argument, (bool, int, float, complex, str)):
            return argument
        raise CaptureError(f"capture: {node.target} has the argument {argument!r}, which is not plain data{_at(node)}")

    def _free(self, name: str) -> str:
        """That name, with a number if something else already has it."""
        free, number = name, 0
        while free in self.taken:
            number += 1
            free = f"{name}_{number}"
        self.taken.add(free)
        return free


def _state_of(model: nn.Module) -> tuple[dict[str, TensorInfo], dict[str, tuple[str, ...]]]:
    """Every tensor of the state dict by name, and for each tied name all names of its tensor."""
    passing = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules(remove_duplicate=False)
        for name in module._non_persistent_buffers_set
    }
    buffers = dict(model.named_buffers(remove_duplicate=False))
    state: dict[str, TensorInfo] = {}
    names: dict[int, list[str]] = {}
    for name, tensor in model_tensors(model).items():
        if name not in passing:
            group = names.setdefault(id(tensor), [])
            state[name] = TensorInfo(_shape(tensor), _dtype(tensor), name in buffers, group[0] if group else None)
            group.append(name)
    tied = {name: tuple(group) for group in names.values() if len(group) > 1 for name in group}
    return state, tied


def _named(target: torch._ops.OpOverload, node: fx.Node) -> dict[str, Any]:
    """The arguments of a call under the names of the ATen schema."""
    names = [argument.name for argument in target._schema.arguments]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _written(node: fx.Node, op: str, frozen: Mapping[str, Argument]) -> set[str]:
    """Names of the inputs that a call overwrites."""
    schema = getattr(node.target, "_schema", None)
    roles = {a.name for a in schema.arguments if a.alias_info and a.alias_info.is_write} if schema else set()
    switch = STATISTICS_SWITCH.get(op.split(".")[1]) if schema else None
    if switch and frozen.get(switch):
        roles |= {"running_mean", "running_var"}
    return {ref.name for role in roles for ref in _refs(frozen.get(role))}


def _viewed(node: fx.Node, op: str, frozen: Mapping[str, Argument]) -> set[str]:
    """Names of the inputs in whose memory the result may lie, going by the schema."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {ref.name for ref in _refs(frozen.get("value"))}
    roles = {a.name for a in schema.arguments if a.alias_info}
    if op.split(".")[1] in MAY_RETURN_ITS_INPUT:
        roles.add("input")
    return {ref.name for role in roles for ref in _refs(frozen.get(role))}


def _is_write_back(node: fx.Node) -> bool:
    """Whether a copy goes from a memory to itself: export adds one for each buffer that was changed in place."""
    if str(node.target) != "aten.copy_.default":
        return False
    to, source = (cast(fx.Node, operand).meta["val"] for operand in node.args[:2])
    return bool(_storages(to) & _storages(source)) and all(
        of(to) == of(source) for of in (torch.Tensor.size, torch.Tensor.stride, torch.Tensor.storage_offset)
    )


def _refs(argument: Argument) -> Iterator[Ref]:
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, tuple):
        for part in argument:
            yield from _refs(part)


def _roles(frozen: Mapping[str, Argument]) -> Iterator[tuple[str, Ref]]:
    for role, argument in frozen.items():
        found = list(_refs(argument))
        for number, ref in enumerate(found):
            yield (role if isinstance(argument, Ref) else f"{role}.{number}"), ref


def _module(node: fx.Node) -> tuple[str, str]:
    """Dotted path and class of the module that made the call; torch marks a module's second call with "@1"."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    return re.sub(r"@\d+", "", path), kind.rpartition(".")[2]


def _at(node: fx.Node) -> str:
    where = deepest_line(node.meta.get("stack_trace") or "")
    module, kind = _module(node)
    inside = f" in {module} ({kind})" if module else ""
    return f"{inside}, at {where[0]}:{where[1]}" if where else inside


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for part in value for tensor in _tensors(part)] if isinstance(value, (list, tuple)) else []


def _depends_on_values(value: Any) -> bool:
    """Whether a shape or number is only known once the picture is."""
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return True
    return any(isinstance(side, torch.SymInt) for tensor in _tensors(value) for side in tensor.shape)


def _storages(value: Any) -> frozenset[int]:
    """Identities of the memory that a (fake) value lies in; views of it have the same."""
    return frozenset(t.untyped_storage()._cdata for t in _tensors(value) if t.layout == torch.strided)


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(int(side) for side in tensor.shape)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _constant(tensor: torch.Tensor) -> Constant:
    held = tensor.detach().cpu()
    if held.dtype.is_floating_point and held.dtype not in (torch.float16, torch.float32, torch.float64):
        held = held.float()
    return Constant(held.numpy(), _dtype(tensor))


def _keys(spec: pytree.TreeSpec) -> list[str]:
    """Where each returned value stood: "output", "0", "logits", "aux.0"; in the order of the flattened values."""
    keys = [""] * spec.num_leaves
    for path, leaf in _leaves(pytree.tree_unflatten(list(range(spec.num_leaves)), spec)):
        keys[leaf] = ".".join(path) or "output"
    return [key or str(number) for number, key in enumerate(keys)]


def _leaves(structure: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(structure, int):
        yield path, structure
        return
    if isinstance(structure, Mapping):
        parts = [(str(key), part) for key, part in structure.items()]
    elif isinstance(structure, tuple) and hasattr(structure, "_fields"):
        parts = list(zip(structure._fields, structure, strict=True))
    elif isinstance(structure, (list, tuple)):
        parts = [(str(number), part) for number, part in enumerate(structure)]
    elif is_dataclass(structure):
        parts = [(field.name, getattr(structure, field.name)) for field in fields(structure)]
    else:
        parts = []
    for key, part in parts:
        yield from _leaves(part, (*path, key))
