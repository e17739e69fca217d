"""A model as a graph, for the input that a photo becomes: its values, and how far each of them sees; read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from photosite.analysis.depths import Depth, main_depths
from photosite.analysis.feature_map import picture_layout
from photosite.analysis.features import Place
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import PhotositeError, RangeError
from photosite.explorer.message import Question
from photosite.explorer.views.recipes import chosen_recipe, model_input
from photosite.explorer.workspace import Model, Photo, Workspace
from photosite.graph.capture import unwrap
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node
from photosite.graph.reach.field import Field
from photosite.prep.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Captured:
    """A model for one size of input.

    Attributes:
        model: whose graph it is.
        graph: functional: what is overwritten in place is a value of its own.
    """

    model: Model
    graph: Graph

    @cached_property
    def fields(self) -> ReceptiveFields:
        """How far each value sees."""
        return ReceptiveFields(self.graph)

    @cached_property
    def depths(self) -> tuple[Depth, ...]:
        """The main depths; none where no value has rows and columns that are known."""
        try:
            return main_depths(self.graph, fields=self.fields)
        except RangeError:
            return ()

    def place(self, node: Node) -> Place:
        """Where the places of a value lie."""
        known: Field | None = self.fields[node.name].field if len(node.shapes) == 1 else None
        found = picture_layout(known, self.graph.input_shapes[0][0])
        return Place(node.name, *(found or ("", (0, 0), node.shape[-1] if node.shape else 0, 0)))


@dataclass(frozen=True, eq=False)
class Looked:
    """A photo in front of a model.

    Attributes:
        photo: that is looked at.
        captured: the model for the input that the photo becomes.
        x: that input, B = 1.
        geometry: from the photo to the input.
    """

    photo: Photo
    captured: Captured
    x: Tensor
    geometry: Geometry


def looked(workspace: Workspace, question: Question) -> Looked:
    """The photo and the model of a question.

    Args:
        workspace: has both.
        question: `photo`, `model`.
    Raises:
        UnknownNameError: there is no such photo or model.
        CaptureError: the model cannot be read as a graph.
    """
    photo, model = workspace.photo(question.text("photo")), workspace.model(question.text("model"))
    recipe = chosen_recipe(workspace, question)
    x = torch.from_numpy(model_input(workspace, photo, recipe).copy())
    question.check()
    shape = tuple(x.shape)
    key = ("captured", model.key, shape)
    found = workspace.once(key, lambda: Captured(model, functional(workspace.graph(model, shape))), 4 << 20)
    question.check()
    return Looked(photo, found, x, recipe.geometry((photo.picture.shape[0], photo.picture.shape[1])))


def value_of(workspace: Workspace, question: Question, seen: Looked, node: Node) -> Tensor:
    """What a node gives for the photo; as `values_of`."""
    return values_of(workspace, question, seen, (node,))[0]


def values_of(workspace: Workspace, question: Question, seen: Looked, nodes: Sequence[Node]) -> list[Tensor]:
    """What nodes give for the photo, in one run.

    Args:
        workspace: keeps each of them.
        question: whose they are.
        seen: photo and model.
        nodes: of the graph, with one result each.
    Raises:
        PhotositeError: one gives several results, or one that is no number.
    """
    for node in nodes:
        if len(node.shapes) != 1 or node.dtype.startswith("complex"):
            what = f"{len(node.shapes)} values" if len(node.shapes) != 1 else node.dtype
            raise PhotositeError(f"{node.name} gives {what}: look at the operations that read it")
    ran: dict[str, Tensor] = {}

    def made(name: str) -> Tensor:
        if not ran:
            network, graph = unwrap(seen.captured.model.network)[0], seen.captured.graph
            keep = [node.name for node in nodes]
            ran.update(execute(graph, network, seen.x, keep=keep, on_node=lambda *_: question.check()).kept)
        return ran[name].clone()

    key = ("value", seen.photo.key, seen.captured.model.key, tuple(seen.x.shape))
    return [
        workspace.once((*key, node.name), partial(made, node.name), lambda one: one.numel() * one.element_size())
        for node in nodes
    ]
