"""A network module by module: what comes out, what it costs, how far it sees, and what makes it see everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from photosite.analysis.cost import Cost, cost
from photosite.analysis.receptive_field import ReceptiveField, ReceptiveFields
from photosite.errors import UnknownNameError
from photosite.graph.ir import Graph, Node


@dataclass(frozen=True)
class ModuleReport:
    """What is known of one module, by the last value that it made.

    Attributes:
        path: of the module; "" for the model itself.
        type: its class.
        output_shape: of the value.
        parameters: numbers that a training would change, of this module and those inside it; tied ones once.
        macs: multiply-adds of all operations inside it.
        field: how far the value sees.
    """

    path: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    field: ReceptiveField

    @property
    def receptive_field(self) -> tuple[int, int] | None:
        """Height and width in pixels; None where it is unknown, or there is no local field."""
        return self.field.size

    @property
    def jump(self) -> tuple[Fraction, Fraction] | None:
        """Pixels from one place to the next; None where the field is unknown or the value no map."""
        return self.field.jump if self.field.known and all(self.field.jump) else None


@dataclass(frozen=True)
class Inspection:
    """A network's modules in the order in which they were first called.

    Attributes:
        modules: what is known of each.
        cost: by node and in all.
        unknown: values of which no field is known, and why.
    """

    modules: tuple[ModuleReport, ...]
    cost: Cost
    unknown: dict[str, str]


def inspect(graph: Graph, module: str = "", types: Mapping[str, str] | None = None) -> Inspection:
    """Say what is known of all modules of a graph, or of one and those inside it.

    Args:
        graph: functional.
        module: the path of a module; everything for "".
        types: classes by path, of modules that only call others too; a graph knows those of modules that compute.
    Raises:
        UnknownNameError: no operation was called by such a module.
    """
    counted, fields = cost(graph), ReceptiveFields(graph)
    last: dict[str, Node] = {}
    known = dict(types or {})
    order: dict[str, None] = {}
    for node in graph:
        parts = node.module.split(".") if node.module else []
        for count in range(len(parts) + 1):
            path = ".".join(parts[:count])
            order.setdefault(path)
            last[path] = node
        known.setdefault(node.module, node.module_type)
    reports = [
        ModuleReport(
            path,
            known.get(path, "") or (graph.model_type if not path else ""),
            last[path].shape,
            counted.modules[path].parameters,
            counted.modules[path].macs,
            fields[last[path].name],
        )
        for path in order
        if not module or path == module or path.startswith(f"{module}.")
    ]
    if not reports:
        raise UnknownNameError("module", module, [path for path in order if path])
    return Inspection(tuple(reports), counted, fields.unknown)
