"""Receptive fields in the explorer: the page's numbers are the library's, and what counts of a field is a gradient."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.effective_field import effective_field
from photosite.analysis.receptive_field import ReceptiveFields, plain_stack
from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.explorer.jobs import CancelledError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views import stack as stack_view
from photosite.explorer.views.stack import Layer, stack_network
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import capture
from photosite.graph.functional import functional

ANSWER = Path(__file__).parent / "page" / "fields_answer.js"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on PATH; install Node 20 or newer to compute what the page computes")
    return found


def answers(node: str, asked: list[dict[str, Any]]) -> list[Any]:
    done = subprocess.run([node, str(ANSWER)], input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def text_of(layers: list[Layer]) -> str:
    return ";".join(f"{one.kind[0]}{'.'.join(map(str, one.numbers))}" for one in layers)


def module_of(layer: Layer) -> nn.Module:
    numbers: Any = layer.numbers
    if layer.kind == "max":
        return nn.MaxPool2d(*numbers)
    return nn.AvgPool2d(*numbers[:3]) if layer.kind == "average" else nn.Conv2d(3, 3, *numbers)


def random_stack(rng: np.random.Generator, side: int) -> list[Layer]:
    """One to six layers that fit."""
    layers: list[Layer] = []
    rows, wanted = side, int(rng.integers(1, 7))
    while len(layers) < wanted:
        kind = ("conv", "max", "average")[rng.integers(3)]
        kernel, stride, dilation = (int(rng.integers(1, most)) for most in (6, 4, 4))
        padding = int(rng.integers(0, 4 if kind == "conv" else kernel // 2 + 1))
        one = Layer(kind, kernel, stride, padding, 1 if kind == "average" else dilation)
        after = (rows + 2 * padding - one.dilation * (kernel - 1) - 1) // stride + 1
        if after >= 1:
            layers.append(one)
            rows = after
        elif rows == 1:
            break
    return layers or [Layer("conv", 3, 1, 1, 1)]


def test_sizes_jumps_centers_and_pixels_are_the_librarys(node: str) -> None:
    rng = np.random.default_rng(0)
    stacks = [(random_stack(rng, side), side) for side in rng.integers(9, 40, 25).tolist()]
    shares = rng.random((len(stacks), 2)).tolist()
    asked = [
        {"kind": "fields", "text": text_of(layers), "side": side, "row": row, "column": column}
        for (layers, side), (row, column) in zip(stacks, shares, strict=True)
    ]
    for (layers, side), found in zip(stacks, answers(node, asked), strict=True):
        assert found["misfit"] == ""
        graph = functional(capture(nn.Sequential(*map(module_of, layers)), torch.zeros(1, 3, side, side)))
        fields = ReceptiveFields(graph)
        for depth, (reach, place) in enumerate(zip(found["reaches"], found["places"], strict=True)):
            field, unit = fields[str(depth)], tuple(place["at"])
            assert field.grid == (reach["places"],) * 2
            if field.size is None:  # all of its places look at padding alone
                assert not any(place["seen"][0])
                continue
            size, jump, (start, _) = plain_stack(one.numbers for one in layers[: depth + 1])
            assert (reach["size"], reach["jump"], reach["start"]) == (size, jump, start)
            assert place["centers"] == [float(one) for one in field.center(unit)]
            for way, at, seen in zip("yx", unit, place["seen"], strict=True):
                pixels = [range(first, last + 1) for first, last in field.pixels(way, at) or []]
                assert [i for i, one in enumerate(seen) if one] == [i for each in pixels for i in each]
            assert place["share"] == pytest.approx(field.padding_share(unit), abs=1e-12)


def test_known_stacks_see_what_is_published(node: str) -> None:
    (stacks,) = answers(node, [{"kind": "stacks"}])
    keys = ("kernel", "stride", "padding", "dilation")
    found = {one["key"]: plain_stack(tuple(each[key] for key in keys) for each in one["layers"]) for one in stacks}
    sizes = {key: (size, jump) for key, (size, jump, _) in found.items()}
    # Araujo, Norris and Sim 2019, table 1, for VGG-16 and the early stride; docs/fields.md
    assert sizes == {
        "vgg16": (212, 32),
        "resnet50": (427, 32),
        "resnet50-early": (483, 32),
        "efficientnet-b0": (851, 32),
    }


def ask(name: str, workspace: Workspace | None = None, **query: object) -> tuple[Any, dict[str, Any]]:
    given = {key: str(value) for key, value in query.items()}
    return unpack(VIEWS[name](workspace or Workspace(), Question(name, given)).body)


def test_equal_weights_make_a_box_of_boxes() -> None:
    data, arrays = ask("stack-field", layers="c3.1.1.1;m3.1.1.1", side=9, y=4, x=4, weights="equal")
    row = np.zeros(9)
    row[2:7] = np.array([1, 2, 3, 2, 1]) / 9
    np.testing.assert_allclose(arrays["heat"], np.outer(row, row), atol=1e-7)  # gradients are float32
    assert (data["draws"], data["of"], data["width95"]) == (1, 1, [5, 5])
    np.testing.assert_allclose(data["deviation"], [(2 * (9 - 1) / 12) ** 0.5] * 2, atol=1e-5)  # n (K² - 1) / 12
    assert data["center"] == pytest.approx([4.5, 4.5])


def test_one_draw_is_the_effective_field_of_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_view, "DRAWS", 1)
    _, arrays = ask("stack-field", layers="c3.2.1.1;m2.2.0.1;c3.1.1.2", side=24, y=2, x=3)
    model = stack_network([Layer("conv", 3, 2, 1, 1), Layer("max", 2, 2, 0, 1), Layer("conv", 3, 1, 1, 2)], False, 0)
    x = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(1000))
    graph = functional(capture(model, x))
    (wanted,) = effective_field(graph, model, graph.nodes[-1].name, [(2, 3)], x)
    np.testing.assert_allclose(arrays["heat"], wanted.heat, rtol=1e-4, atol=1e-7)


def test_all_that_counts_lies_in_the_field_and_draws_are_averaged() -> None:
    data, arrays = ask("stack-field", layers="c3.1.1.1;c3.2.1.1;a2.2.0.1;c3.1.1.1", side=40, y=5, x=5)
    size, jump, (start, _) = plain_stack([(3, 1, 1, 1), (3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)])
    inside = slice(start + 5 * jump, start + 5 * jump + size)
    assert arrays["heat"][inside, inside].sum() == pytest.approx(1)
    assert (arrays["heat"][inside, inside] > 0).all()
    assert (data["draws"], data["of"], data["ratio"][0]) == (16, 16, data["width95"][0] / size)
    assert data["width95"][0] < size


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"layers": "c3.1.1"}, "layers wants words such as c3.1.1.1 with semicolons between, got 'c3.1.1'"),
        ({"layers": "c0.1.0.1"}, "layers wants words"),
        ({"layers": "c3.1.1.32"}, "layers wants words"),
        ({"layers": ";".join(["c1.1.0.1"] * 65)}, "at most 64 layers, got 65"),
        ({"layers": "c31.1.0.1"}, "layer 1 spans 31 and what comes in is 16 wide with its padding"),
        ({"layers": "a2.1.0.2"}, "layer 1: an average pool has no dilation"),
        ({"layers": "m2.1.2.1"}, "layer 1: a pool's padding is at most half of its kernel"),
        ({"layers": "c1.1.31.1;" * 20 + "c1.1.0.1"}, "numbers, more than 33554432: a smaller input"),
        ({"layers": "c3.1.1.1", "y": 16}, "y wants a whole number 0 … 15"),
        ({"layers": "c1.1.1.1", "y": 0}, "no gradient of the unit 0,8 reaches the input, in any draw"),
    ],
)
def test_stacks_that_cannot_be(query: dict[str, Any], words: str) -> None:
    with pytest.raises(RangeError, match=re.escape(words)):
        ask("stack-field", **{"side": 16, "y": 8, "x": 8, **query})


def test_a_heat_that_nobody_waits_for_stops() -> None:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        VIEWS["stack-field"](
            Workspace(), Question("stack-field", {"layers": "c3.1.1.1", "side": "8", "y": "4", "x": "4"}, check=check)
        )
    assert len(calls) == 3


def model() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 5, 3, 1, 1)
    return nn.Sequential(*layers).eval()


def test_a_models_fields_are_the_librarys() -> None:
    workspace, network = Workspace(), model()
    key = workspace.add_model("ours", network).key
    data, _ = ask("network-fields", workspace, model=key)
    fields = ReceptiveFields(functional(capture(network, torch.zeros(1, 3, 224, 224))))
    assert data["input_hw"] == [224, 224]
    assert [row["size"] for row in data["rows"]] == [[3, 3], [7, 7], [15, 15]]
    for row in data["rows"]:
        field, unit = fields[row["node"]], (row["unit"][0], row["unit"][1])
        assert unit == (row["grid"][0] // 2, row["grid"][1] // 2)
        assert row["center"] == [float(one) for one in field.center(unit)]
        assert row["start"] == [field.interval(way, at)[0] for way, at in zip("yx", unit, strict=True)]
        assert (row["padding_share"], row["jump"][0]) == (field.padding_share(unit), float(field.jump[0]))


def test_a_models_heat_is_the_librarys_and_kept() -> None:
    workspace, network = Workspace(), model()
    key = workspace.add_model("ours", network).key
    last = ask("network-fields", workspace, model=key)[0]["rows"][-1]["node"]
    data, arrays = ask("network-heat", workspace, model=key, node=last, y=0, x=9)
    graph = functional(capture(network, torch.zeros(1, 3, 224, 224)))
    (wanted,) = effective_field(graph, network, last, [(0, 9)], 8)
    np.testing.assert_allclose(arrays["heat"], wanted.heat, rtol=1e-6)
    assert (data["draws"], data["start"], data["stop"]) == (8, [-7, 29], [8, 44])
    assert data["padding_share"] == pytest.approx(7 / 15)
    again = ask("network-heat", workspace, model=key, node=last, y=0, x=9)[1]["heat"]
    np.testing.assert_array_equal(again, arrays["heat"])


def test_what_a_model_does_not_have() -> None:
    workspace = Workspace()
    key = workspace.add_model("ours", model()).key
    with pytest.raises(UnknownNameError):
        ask("network-heat", workspace, model=key, node="nothing", y=0, x=0)
    with pytest.raises(RangeError, match="has 56 × 56 places, none at 56,0"):
        ask("network-heat", workspace, model=key, node="4", y=56, x=0)
    flat = workspace.add_model("flat", nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)).eval()).key
    with pytest.raises(PhotositeError, match="no value of this model has rows and columns that are known"):
        ask("network-fields", workspace, model=flat)


def test_the_heat_of_a_model_stops_where_nobody_waits() -> None:
    workspace = Workspace()
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 4, 3, 2)).eval()
    key = workspace.add_model("two", model).key
    asked = 0

    def gone() -> None:
        nonlocal asked
        asked += 1
        if asked > 2:  # behind the first operation of the first picture
            raise CancelledError

    query = {"model": key, "node": "conv2d_1", "y": "20", "x": "20"}
    with pytest.raises(CancelledError):
        VIEWS["network-heat"](workspace, Question("network-heat", query, check=gone))
    assert asked == 3
