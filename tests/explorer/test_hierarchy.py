"""The map of a network and its feature maps, held against the functions that a person would call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.cam.explain import Explainer
from photosite.analysis.depths import main_depths
from photosite.analysis.features import features
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import PhotositeError, UnknownNameError
from photosite.explorer.jobs import CancelledError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS, captured
from photosite.explorer.views.captured import looked, value_of
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from photosite.prep.recipes import get_recipe

RECIPE = get_recipe("imagenet").at(32)


class Net(nn.Module):
    """A stem that reads the picture, a shortcut, a mean, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 70, 5, stride=2, padding=2)
        self.body = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(70, 70, 3, padding=1, groups=2))
        self.head = nn.Linear(70, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        z: torch.Tensor = self.head((self.body(y) + y).mean((2, 3)))
        return z


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = Net().eval()
    made.classes = ("a", "b", "c", "d")  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 40, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def workspace(network: nn.Module, picture: np.ndarray) -> Workspace:
    made = Workspace()
    made.add_photo(picture, "noise")
    made.add_model("net", network, RECIPE)
    return made


def asked(workspace: Workspace, name: str, **query: object) -> Question:
    keys = {"photo": workspace.photos()[0].key, "model": workspace.models()[0].key}
    return Question(name, {**keys, **{key: str(value) for key, value in query.items()}})


def ask(workspace: Workspace, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    return unpack(VIEWS[name](workspace, asked(workspace, name, **query)).body)


def test_the_map_is_the_graph(workspace: Workspace, network: nn.Module) -> None:
    data, _ = ask(workspace, "hierarchy")
    graph = functional(capture(network, torch.zeros(1, 3, 32, 32)))
    fields = ReceptiveFields(graph)
    assert [one["name"] for one in data["nodes"]] == [node.name for node in graph]
    main = {one["name"]: (one["main_name"], one["main"]) for one in data["nodes"] if one["main"]}
    assert main == {depth.node.name: (depth.name, depth.reason) for depth in main_depths(graph)}
    by = {one["name"]: one for one in data["nodes"]}
    assert by["conv2d"]["size"] == [5, 5] == list(fields["conv2d"].size or ())
    assert by["add"]["size"] == [9, 9]
    assert by["conv2d"]["jump"] == [2, 2]
    assert [name for name, one in by.items() if one["reads_picture"]] == ["conv2d"]
    assert (by["conv2d"]["parameters"], by["conv2d"]["grid"]) == (70 * (3 * 5 * 5 + 1), [16, 16])
    assert by["add"]["inputs"][0] == "conv2d_1"
    # 60 × 40 becomes 55 × 37, of which rows from 12 and columns from 2 are kept
    np.testing.assert_allclose(data["crop"], [12 * 60 / 55, 2 * 40 / 37, 44 * 60 / 55, 34 * 40 / 37], rtol=1e-15)


def test_feature_maps_are_the_models(workspace: Workspace, network: nn.Module, picture: np.ndarray) -> None:
    data, arrays = ask(workspace, "feature-maps", node="add", all=1)
    wanted = features(network, torch.from_numpy(RECIPE(picture)), ["add"])["add"][0].numpy()
    spread = wanted.reshape(70, -1).astype(np.float64).var(1)
    assert arrays["order"].tolist() == sorted(range(70), key=lambda c: (-spread[c], c))
    np.testing.assert_array_equal(arrays["maps"], wanted[arrays["order"]])
    first, some = ask(workspace, "feature-maps", node="add")
    assert (data["channels"], first["channels"], len(some["maps"])) == (70, 70, 64)
    np.testing.assert_array_equal(some["maps"], arrays["maps"][:64])


def test_what_a_cell_sees_is_its_unit_box(workspace: Workspace, network: nn.Module) -> None:
    field = ReceptiveFields(functional(capture(network, torch.zeros(1, 3, 32, 32))))["add"]
    geometry = RECIPE.geometry((60, 40))
    _, arrays = ask(workspace, "feature-maps", node="add")
    for row in range(16):
        for column in range(16):
            box = field.unit_box((row, column))
            assert box is not None
            (top, bottom), (left, right) = arrays["rows"][row], arrays["columns"][column]
            assert (top, left, bottom, right) == box
            (top, bottom), (left, right) = arrays["photo_rows"][row], arrays["photo_columns"][column]
            assert (top, left, bottom, right) == tuple(map(float, geometry.clipped_box(*box)))
    assert arrays["rows"][0].tolist() == [0, 5]  # by hand: 2 · 0 ± 4, clipped


def test_a_value_without_places_names_its_largest_numbers(
    workspace: Workspace, network: nn.Module, picture: np.ndarray
) -> None:
    data, arrays = ask(workspace, "feature-maps", node="linear")
    with torch.no_grad():
        scores = network(torch.from_numpy(RECIPE(picture)))[0]
    order = scores.argsort(descending=True).tolist()
    assert data["largest"] == [[i, float(scores[i]), "abcd"[i]] for i in order]
    assert (data["layout"], arrays) == ("", {})


def test_the_steps_are_the_most_varied_channels_of_the_main_depths_from_one_run(
    network: nn.Module, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace()
    workspace.add_photo(picture, "noise")
    workspace.add_model("net", network, RECIPE)
    runs = []
    monkeypatch.setattr(captured, "execute", lambda *args, **kwargs: runs.append(1) or execute(*args, **kwargs))
    data, arrays = ask(workspace, "steps")
    x = torch.from_numpy(RECIPE(picture))
    main = [depth.node.name for depth in main_depths(functional(capture(network, x)))]
    assert [one["node"] for one in data["depths"]] == main
    for number, (name, wanted) in enumerate(features(network, x, main).items()):
        channel = int(wanted[0].double().var((1, 2), correction=0).argmax())
        assert data["depths"][number] == {"node": name, "channel": channel}
        np.testing.assert_array_equal(arrays[str(number)], wanted[0, channel].numpy())
        _, maps = ask(workspace, "feature-maps", node=name)
        np.testing.assert_array_equal(maps["maps"][0], arrays[str(number)])  # what a click on the step opens
    with torch.no_grad():
        scores = network(x)[0]
    assert data["largest"][0] == [int(scores.argmax()), float(scores.max()), "abcd"[int(scores.argmax())]]
    assert ask(workspace, "feature-maps", node="linear")[0]["largest"] == data["largest"]
    assert runs == [1]


def test_kernels_of_what_reads_the_picture(workspace: Workspace, network: nn.Module) -> None:
    _, arrays = ask(workspace, "node-kernels", node="conv2d")
    np.testing.assert_array_equal(arrays["weight"], network.stem.weight.detach().numpy())  # type: ignore[union-attr, operator]
    with pytest.raises(PhotositeError, match="conv2d_1: reads features, no picture"):
        ask(workspace, "node-kernels", node="conv2d_1")


@pytest.mark.parametrize("method", ["gradcam", "eigencam", "hirescam"])
def test_a_class_activation_map_is_the_explainers(
    workspace: Workspace, network: nn.Module, picture: np.ndarray, method: str
) -> None:
    x = torch.from_numpy(RECIPE(picture))
    for node in ("add", "conv2d"):  # one explainer for all nodes
        data, arrays = ask(workspace, "activation-map", node=node, method=method, **{"class": 2})
        ((wanted,),) = Explainer(network, x, layers=node)(x, method, 2)
        assert (data["node"], data["class"], data["title"], data["refused"]) == (node, 2, "c", wanted.refused)
        np.testing.assert_allclose(arrays["values"], wanted.values, rtol=1e-6)
        np.testing.assert_allclose(arrays["positive"], wanted.positive, rtol=1e-6)
        assert data["score"] == wanted.score


def test_a_refused_map_has_words_and_no_numbers(workspace: Workspace) -> None:
    data, arrays = ask(workspace, "activation-map", node="conv2d", method="cam")
    assert "CAM is not defined; gradcam is" in data["refused"]
    assert arrays == {}


@pytest.mark.parametrize(
    ("name", "query", "kind", "words"),
    [
        ("feature-maps", {"node": "ad"}, UnknownNameError, "ad"),
        ("activation-map", {"node": "linear"}, PhotositeError, "linear holds no map of places"),
        ("activation-map", {"node": "add", "method": "scorecam"}, PhotositeError, "method wants one of gradcam"),
        ("activation-map", {"node": "add", "class": 4}, PhotositeError, "class wants a whole number 0 … 3, got '4'"),
    ],
)
def test_what_a_page_can_get_wrong(
    workspace: Workspace, name: str, query: dict[str, object], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        ask(workspace, name, **query)


class Halves(nn.Module):
    """Two results of one operation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, 2)
        return a + b


def test_an_operation_with_several_results_is_said() -> None:
    made = Workspace()
    made.add_photo(np.zeros((32, 32, 3), np.uint8), "black")
    made.add_model("halves", Halves().eval(), RECIPE)
    names = [one["name"] for one in ask(made, "hierarchy")[0]["nodes"]]
    with pytest.raises(PhotositeError, match="gives 2 values: look at the operations that read it"):
        ask(made, "feature-maps", node=names[0])


def test_tokens_see_their_patch_and_everything_is_named() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    class Vit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.layer, self.token = nn.Conv2d(3, 8, 8, 8), layer, nn.Parameter(torch.zeros(1, 1, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = torch.cat([self.token, self.patch(x).flatten(2).transpose(1, 2)], 1)
            y: torch.Tensor = self.layer(tokens)
            return y[:, 0]

    made = Workspace()
    made.add_photo(np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8), "noise")
    made.add_model("vit", Vit().train(False), RECIPE)
    nodes = ask(made, "hierarchy")[0]["nodes"]
    last = [one for one in nodes if one["layout"] == "tokens"][-1]
    data, arrays = ask(made, "feature-maps", node=last["name"])
    assert (last["grid"], data["prefix"], arrays["maps"].shape) == ([4, 4], 1, (8, 4, 4))
    assert arrays["rows"].tolist() == [[0, 8], [8, 16], [16, 24], [24, 32]]
    assert last["global_by"]


def test_the_model_runs_once_for_a_value_and_stops_where_nobody_waits(workspace: Workspace, network: nn.Module) -> None:
    seen = looked(workspace, asked(workspace, "hierarchy"))
    node = seen.captured.graph.node("mean")
    first = value_of(workspace, asked(workspace, "x"), seen, node)
    assert value_of(workspace, asked(workspace, "x"), seen, node) is first

    def gone() -> None:
        raise CancelledError

    query = asked(workspace, "x").query
    with pytest.raises(CancelledError):
        value_of(workspace, Question("x", query, check=gone), seen, seen.captured.graph.node("conv2d_1"))
