"""A graph made by hand: what it can be asked, and that nobody can change it."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from photosite.errors import UnknownNameError
from photosite.graph.ir import Constant, FrozenMap, Graph, Node, Ref, TensorInfo


def small() -> Graph:
    """A convolution that is overwritten through a view of it, and an addition that reads a constant."""
    return Graph(
        nodes=(
            Node(
                "conv2d",
                "aten.conv2d.default",
                "stem.conv",
                "Conv2d",
                inputs=("x", "stem.conv.weight"),
                args=(Ref("x"), Ref("stem.conv.weight"), None, (1, 1)),
                parameters=FrozenMap({"weight": "stem.conv.weight"}),
                shapes=((1, 8, 6, 6),),
                dtypes=("float32",),
                source="model.py:7",
            ),
            Node("view", "aten.view.default", "stem", "Stem", ("conv2d",), shapes=((1, 288),), shares=("conv2d",)),
            Node("relu_", "aten.relu_.default", "", "", ("view",), writes=("view",), shares=("view",)),
            Node("add", "aten.add.Tensor", "", "", ("relu_", "offset"), shapes=((1, 288),)),
        ),
        inputs=("x",),
        input_shapes=((1, 3, 8, 8),),
        outputs=("add",),
        output_keys=("output",),
        parameters=FrozenMap({"stem.conv.weight": TensorInfo((8, 3, 3, 3), "float32")}),
        constants=FrozenMap({"offset": Constant(np.ones(288, np.float32), "float32")}),
        model_type="Tiny",
    )


def test_kind_drops_namespace_overload_and_in_place_spelling() -> None:
    assert [node.kind for node in small()] == ["conv2d", "view", "relu", "add"]
    assert Node("a", "aten.adaptive_avg_pool2d.default").kind == "adaptive_avg_pool2d"
    assert Node("a", "aten._unsafe_view.default").kind == "_unsafe_view"


def test_who_reads_and_who_makes() -> None:
    graph = small()
    assert [node.name for node in graph.consumers("x")] == ["conv2d"]
    assert [node.name for node in graph.consumers("stem.conv.weight")] == ["conv2d"]
    assert graph.consumers("add") == ()
    assert [node.name for node in graph.producers("add")] == ["relu_"]
    assert graph.producers("conv2d") == ()


def test_modules_hold_their_descendants_but_not_namesakes() -> None:
    graph = small()
    assert [node.name for node in graph.by_module("stem")] == ["conv2d", "view"]
    assert len(graph.by_module("")) == len(graph) == 4
    with pytest.raises(UnknownNameError, match=r"no module named 'stem.cnv'; did you mean stem.conv"):
        graph.by_module("stem.cnv")
    with pytest.raises(UnknownNameError, match="'ste'"):
        graph.by_module("ste")


def test_a_node_is_found_by_its_name_or_as_the_last_of_a_module() -> None:
    graph = small()
    assert graph.find("conv2d").name == "conv2d"
    assert graph.find("stem").name == "view"
    assert graph.find("stem.conv").name == "conv2d"
    for name in ("stem.con", "ste", ""):
        with pytest.raises(UnknownNameError):
            graph.find(name)


def test_memory_is_shared_through_views_and_in_place_operations() -> None:
    graph = small()
    assert graph.aliases("conv2d") == {"conv2d", "view", "relu_"}
    assert graph.aliases("add") == {"add"}
    assert [node.in_place for node in graph] == [False, False, True, False]


def test_shape_of_anything_with_a_name() -> None:
    graph = small()
    names = ("x", "conv2d", "stem.conv.weight", "offset")
    assert [graph.shape_of(name) for name in names] == [(1, 3, 8, 8), (1, 8, 6, 6), (8, 3, 3, 3), (288,)]


def test_a_typo_is_answered_with_near_names() -> None:
    graph = small()
    with pytest.raises(UnknownNameError, match=r"no node named 'conv2'; did you mean conv2d"):
        graph.node("conv2")
    with pytest.raises(UnknownNameError, match=r"no value named 'offst'; did you mean offset"):
        graph.consumers("offst")
    assert "conv2d" in graph
    assert "x" not in graph, "an input is not a node"


def test_nothing_can_be_changed() -> None:
    graph = small()
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.nodes = ()  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.node("add").op = "aten.sub.Tensor"  # type: ignore[misc]
    with pytest.raises(TypeError):
        graph.parameters["new"] = TensorInfo((1,), "float32")  # type: ignore[index]
    with pytest.raises(AttributeError):
        graph.parameters._items = {}
    with pytest.raises(ValueError, match="read-only"):
        graph.constants["offset"].array[0] = 2


def test_a_constant_keeps_a_copy() -> None:
    array = np.zeros(3)
    constant = Constant(array, "float64")
    array[0] = 7
    assert_array_equal(constant.array, [0, 0, 0])


@pytest.mark.parametrize("journey", [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))])
def test_survives_pickling_and_copying_still_frozen(journey) -> None:  # type: ignore[no-untyped-def]
    graph = journey(small())
    assert graph.nodes == small().nodes
    assert graph.parameters == small().parameters
    with pytest.raises(ValueError, match="read-only"):
        graph.constants["offset"].array[0] = 2


def test_equal_maps_hash_alike() -> None:
    one, other = FrozenMap({"a": 1, "b": 2}), FrozenMap({"b": 2, "a": 1})
    assert one == other
    assert hash(one) == hash(other)
    assert len({small().nodes[0], small().nodes[0]}) == 1


def test_the_table_has_a_line_for_each_node() -> None:
    lines = str(small()).splitlines()
    assert lines[0] == "Tiny: x -> add"
    assert lines[1].split() == ["node", "op", "module", "shape", "dtype", "reads"]
    assert lines[2].split() == [
        *("0", "conv2d", "aten.conv2d.default", "stem.conv", "(Conv2d)", "1x8x6x6", "float32", "x,"),
        "stem.conv.weight",
    ]
    assert len(lines) == 2 + len(small())
