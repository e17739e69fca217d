"""Which operations of a graph can be done in one go: a product, the norm behind it, a shortcut, an activation.

Looks at names and shapes alone, changes no graph and computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from photosite.graph.ir import Graph, Node, Ref

PRODUCTS = frozenset(("aten.conv2d.default", "aten.conv2d.padding", "aten.linear.default"))
NORM = "aten.batch_norm.default"
SUM = "aten.add.Tensor"
_SMOOTH = ("elu", "gelu", "mish", "sigmoid", "silu", "softplus", "tanh")
_BENT = ("hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "relu", "relu6")
ACTIVATIONS = frozenset(f"aten.{name}.default" for name in (*_SMOOTH, *_BENT))
"""Functions of single values, which can be applied to any piece of an array."""


@dataclass(frozen=True)
class Group:
    """Nodes that are done together, in order: only the last one's value is seen by others.

    Attributes:
        head: a convolution, a linear layer, or a batch norm by itself.
        norm: a batch norm in inference behind a convolution; None without.
        sum: an addition; None without.
        residual: the name of what is added, "" without.
        activation: a function of single values; None without.
    """

    head: Node
    norm: Node | None = None
    sum: Node | None = None
    residual: str = ""
    activation: Node | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them, in order."""
        return tuple(node for node in (self.head, self.norm, self.sum, self.activation) if node is not None)

    @property
    def last(self) -> Node:
        """The one whose value is seen."""
        return self.nodes[-1]


def groups(graph: Graph) -> list[Group | Node]:
    """All of a functional graph in an order in which it can be done: groups, and nodes that stand by themselves.

    A group stands where its last node stood, when all that it reads is there.
    """
    found: dict[str, Group] = {}
    taken: set[str] = set()
    for node in graph:
        if node.name not in taken and (node.op in PRODUCTS or _is_inference_norm(node)):
            group = _grown(graph, node, taken)
            found[group.last.name] = group
            taken.update(member.name for member in group.nodes)
    order: list[Group | Node] = []
    for node in graph:
        if node.name in found:
            order.append(found[node.name])
        elif node.name not in taken:
            order.append(node)
    return order


def _grown(graph: Graph, head: Node, taken: set[str]) -> Group:
    """Take what follows as long as nobody else looks at what stands between, and it is not taken yet."""
    norm = total = activation = None
    residual = ""
    last = head
    while (reader := _only_reader(graph, last)) is not None and reader.name not in taken:
        if _is_inference_norm(reader) and last is head and "conv" in head.op and _operand(reader, 0) == last.name:
            norm = reader
        elif reader.op == SUM and total is None and head.op != NORM and _added(graph, reader, last):
            total, residual = reader, _added(graph, reader, last)
        elif reader.op in ACTIVATIONS and reader.inputs == (last.name,):
            activation = last = reader
            break
        else:
            break
        last = reader
    return Group(head, norm, total, residual, activation)


def _only_reader(graph: Graph, node: Node) -> Node | None:
    readers = graph.consumers(node.name)
    return readers[0] if len(readers) == 1 and node.name not in graph.outputs else None


def _is_inference_norm(node: Node) -> bool:
    """A batch norm by fixed statistics, which is a factor and a summand for each channel."""
    return node.op == NORM and node.args[5] is False and "running_mean" in node.parameters


def _added(graph: Graph, total: Node, last: Node) -> str:
    """What an addition adds to a value of the same shape and dtype, one to one; "" where it does something else."""
    first, second = _operand(total, 0), _operand(total, 1)
    other = second if first == last.name else first
    alike = other and other != last.name and graph.shape_of(other) == last.shape == total.shape
    same = alike and graph.dtype_of(other) == last.dtype == total.dtype
    return other if same and total.kwargs.get("alpha", 1) == 1 and len(total.args) == 2 else ""


def _operand(node: Node, number: int) -> str:
    """The name that stands at a place of the arguments, "" where no name does."""
    argument = node.args[number] if number < len(node.args) else None
    return argument.name if isinstance(argument, Ref) else ""
