"""How far the units of a model see, along its main line, and what one of them really looks at."""

from __future__ import annotations

from photosite.analysis.depths import main_depths
from photosite.analysis.effective_field import effective_field
from photosite.analysis.receptive_field import ReceptiveField, ReceptiveFields
from photosite.explorer.message import Answer, Question, pack
from photosite.explorer.views.stack import heat_words
from photosite.explorer.workspace import Model, Workspace
from photosite.graph.functional import functional
from photosite.graph.ir import Graph

DEPTHS = 16
"""So many values of the main line are shown."""
PICTURES = 8
"""Pictures of noise whose gradients are averaged."""


def network_fields(workspace: Workspace, question: Question) -> Answer:
    """The exact fields of a model's values, from its first layer to its last map.

    Args:
        workspace: has the model.
        question: `model`.
    Returns:
        `input_hw`, and `rows`: the name, the module, layers in front of it, its grid, and of its middle unit what
        `field_words` says.
    Raises:
        PhotositeError: the model cannot be read, or no value of it has rows and columns that are known.
    """
    model = workspace.model(question.text("model"))
    graph, fields = _fields(workspace, model)
    question.check()
    rows = []
    for one in main_depths(graph, DEPTHS, fields):
        unit = (one.grid[0] // 2, one.grid[1] // 2)
        words = {"node": one.node.name, "name": one.name, "layers": one.layers, "kind": one.node.kind}
        rows.append({**words, **field_words(one.field, unit)})
    return pack({"input_hw": _sides(graph), "rows": rows})


def network_heat(workspace: Workspace, question: Question) -> Answer:
    """The effective field of a unit of a model, by `photosite.analysis.effective_field`.

    Args:
        workspace: has the model.
        question: `model`; `node`; `y` and `x` of the unit.
    Returns:
        `heat` (H, W) float64, sums to 1; `draws`, pictures of noise; what `field_words` and `heat_words` say.
    Raises:
        UnknownNameError: the model has no such node.
        ShapeError: the node has no map, or no gradient.
        RangeError: no such unit.
    """
    model = workspace.model(question.text("model"))
    graph, fields = _fields(workspace, model)
    name = question.text("node")
    unit = question.integer("y", 0, 1 << 16), question.integer("x", 0, 1 << 16)
    question.check()
    found = workspace.once(
        ("network heat", model.key, name, unit),
        lambda: effective_field(graph, model.network, name, [unit], PICTURES, on_node=lambda node: question.check())[0],
        lambda one: one.heat.nbytes,
    )
    words = {"draws": found.pictures, "of": PICTURES, **field_words(fields[name], unit), **heat_words(found)}
    return pack(words, {"heat": found.heat})


def field_words(one: ReceptiveField, unit: tuple[int, int]) -> dict[str, object]:
    """What is said of a unit's field: `start` and `stop` are its borders without those of the input, stop excluded."""
    rows, columns = (one.interval(way, place) for way, place in zip("yx", unit, strict=True))
    return {
        "unit": unit,
        "grid": one.grid,
        "size": one.size,
        "jump": [float(step) for step in one.jump],
        "center": [float(middle) for middle in one.center(unit)],
        "start": [rows[0], columns[0]],
        "stop": [rows[1] + 1, columns[1] + 1],
        "padding_share": one.padding_share(unit),
        "global_by": one.global_by,
    }


def _fields(workspace: Workspace, model: Model) -> tuple[Graph, ReceptiveFields]:
    def make() -> tuple[Graph, ReceptiveFields]:
        graph = functional(workspace.graph(model))
        return graph, ReceptiveFields(graph)

    return workspace.once(("fields", model.key), make, 4 << 20)


def _sides(graph: Graph) -> tuple[int, int]:
    """Rows and columns of the picture that a graph takes."""
    _, *sides = graph.input_shapes[0]
    return (sides[0], sides[1]) if sides[-1] <= 4 < sides[0] else (sides[1], sides[2])
