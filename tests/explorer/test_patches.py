"""Patches of a collection, held to the functions that a person would call; what takes long says how far it is."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import photosite
from photosite.analysis.cam.audit import audit
from photosite.analysis.cam.explain import Explainer
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.top_activations import top_activations
from photosite.analysis.top_patches import top_patches
from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.explorer.api import Api
from photosite.explorer.collection import folder
from photosite.explorer.jobs import CancelledError
from photosite.explorer.message import Question, pack, unpack
from photosite.explorer.server import Server
from photosite.explorer.session import explore
from photosite.explorer.views import VIEWS
from photosite.explorer.views import top_patches as patches_view
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe
from tests.explorer.client import Client

RECIPE = get_recipe("imagenet").at(32)


class Net(nn.Module):
    """Two convolutions, a mean, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.Conv2d(8, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(torch.relu_(self.body(torch.relu(self.stem(x)))).mean((2, 3)))
        return y


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = Net().eval()
    made.photo_recipe = RECIPE  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos in two folders, and two files that are none."""
    made = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(0)
    for number in range(12):
        below = made / ("a", "b")[number % 2]
        below.mkdir(exist_ok=True)
        picture = rng.integers(0, 256, (40 + number, 60 - number, 3)).astype(np.uint8)
        Image.fromarray(picture).save(below / f"{number:02}.png")
    (made / "a" / "05 broken.jpg").write_bytes(b"no picture")
    (made / "notes.txt").write_text("no picture either")
    return made


def workspace_of(network: nn.Module, place: Path | None = None) -> Workspace:
    made = Workspace()
    made.add_model("net", network)
    made.add_photo(np.random.default_rng(9).integers(0, 256, (50, 40, 3)).astype(np.uint8), "noise")
    if place is not None:
        made.collection = folder(place)
    return made


def noise(workspace: Workspace) -> str:
    return next(one.key for one in workspace.photos() if one.title == "noise")


def ask(workspace: Workspace, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    keys = {"photo": noise(workspace), "model": workspace.models()[0].key}
    asked = Question(name, {**keys, **{key: str(value) for key, value in query.items()}})
    return unpack(VIEWS[name](workspace, asked).body)


def whole(workspace: Workspace, **query: object) -> tuple[Any, dict[str, Any]]:
    """Ask until it has ended."""
    for _ in range(100):
        data, arrays = ask(workspace, "patches", **query)
        if data["ended"]:
            return data, arrays
    raise AssertionError("it does not end")


@pytest.mark.parametrize("node", ["conv2d_1", "relu", "mean"])
def test_patches_are_those_of_the_functions(network: nn.Module, place: Path, node: str) -> None:
    workspace = workspace_of(network, place)
    data, arrays = whole(workspace, node=node, channel=3)
    titles = [one.relative_to(place).as_posix() for one in sorted(place.rglob("*.png"))]
    pictures = [load(place / title) for title in titles]
    found = top_activations(network, pictures, RECIPE, [node], 8, batch=1)
    fields = {node: ReceptiveFields(functional(capture(network, torch.zeros(1, 3, 32, 32))))[node]}
    wanted = sorted(
        top_patches(found, {node: [3]}, lambda some: [(n, pictures[n]) for n in some], RECIPE, fields),
        key=lambda one: one.rank,
    )
    assert len(wanted) > 5
    assert [one["title"] for one in data["patches"]] == [titles[one.top.picture] for one in wanted]
    assert [one["value"] for one in data["patches"]] == [one.top.value for one in wanted]
    for at, (one, its) in enumerate(zip(data["patches"], wanted, strict=True)):
        np.testing.assert_array_equal(arrays[str(at)], its.pixels)
        assert its.top.box is not None
        assert one["box"] == [float(edge) for edge in its.top.box]
        assert (one["whole"], one["place"]) == (its.whole, None if its.top.place is None else list(its.top.place))
    assert (data["of"], data["read"], data["named"]) == (13, 13, True)
    assert [line.split(":")[0] for line in data["left_out"]] == ["a/05 broken.jpg"]


def test_it_goes_on_where_it_was_and_a_channel_more_costs_no_pass(
    network: nn.Module, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_of(network, place)
    monkeypatch.setattr(patches_view, "SECONDS", 0.0)
    first, _ = ask(workspace, "patches", node="relu", channel=0)
    assert (first["read"], first["ended"]) == (2, False)  # one, and one more
    monkeypatch.undo()
    last, _ = whole(workspace, node="relu", channel=0)
    assert last["read"] == 13
    monkeypatch.setattr(patches_view.Pass, "_inputs", None)  # who opens the collection anew fails
    assert whole(workspace, node="relu", channel=5)[0]["channel"] == 5


def test_without_a_collection_it_is_the_photos_that_are_open(network: nn.Module) -> None:
    workspace = workspace_of(network)
    other = workspace.add_photo(np.random.default_rng(3).integers(0, 256, (40, 70, 3)).astype(np.uint8), "other")
    data, _ = whole(workspace, node="conv2d_1", channel=1)
    assert (data["of"], data["named"]) == (2, False)
    keys = {one["title"]: one["photo"] for one in data["patches"]}
    assert keys == {"noise": noise(workspace), "other": other.key}
    _, arrays = ask(workspace, "feature-maps", node="conv2d_1", all=1)
    of_noise = arrays["maps"][arrays["order"].tolist().index(1)]
    value = next(one["value"] for one in data["patches"] if one["title"] == "noise")
    assert value == float(of_noise.max())  # the number that the page shows in that cell
    with pytest.raises(RangeError, match="no collection was named"):
        ask(workspace, "collected", number=0)


def test_a_photo_of_the_collection_is_opened_and_no_other(network: nn.Module, place: Path) -> None:
    workspace = workspace_of(network, place)
    data, _ = ask(workspace, "collected", number=2)
    title = sorted(place.rglob("*.*g"))[2].relative_to(place).as_posix()
    assert data["title"] == title
    np.testing.assert_array_equal(workspace.photo(data["key"]).picture, load(place / title))
    with pytest.raises(RangeError, match="number wants a whole number 0 … 12, got '13'"):
        ask(workspace, "collected", number=13)


def test_what_cannot_be_is_said(network: nn.Module, place: Path, tmp_path: Path) -> None:
    workspace = workspace_of(network, place)
    with pytest.raises(UnknownNameError, match="nothing"):
        ask(workspace, "patches", node="nothing", channel=0)
    with pytest.raises(RangeError, match="channel wants a whole number 0 … 5, got '6'"):
        ask(workspace, "patches", node="conv2d_1", channel=6)
    with pytest.raises(PhotositeError, match="is no folder"):
        folder(place / "notes.txt")
    with pytest.raises(PhotositeError, match="has no photos in it"):
        explore(np.zeros((2, 2, 3), np.uint8), collection=tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(RangeError, match="wants at least 1 picture, got none"):
        ask(workspace_of(network, tmp_path), "patches", node="relu", channel=0)


def test_it_stops_between_two_photos_and_nothing_is_lost_by_that(
    network: nn.Module, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_of(network, place)
    monkeypatch.setattr(patches_view, "SECONDS", 0.0)
    assert ask(workspace, "patches", node="relu", channel=0)[0]["read"] == 2
    monkeypatch.undo()
    asked = 0

    def gone() -> None:
        nonlocal asked
        asked += 1
        if asked > 3:  # the model is there after two, and one photo more was looked at
            raise CancelledError

    query = {"photo": noise(workspace), "model": workspace.models()[0].key, "node": "relu", "channel": "0"}
    with pytest.raises(CancelledError):
        VIEWS["patches"](workspace, Question("patches", query, check=gone))
    monkeypatch.setattr(patches_view, "SECONDS", 0.0)
    # three photos, a file that is none, and the photo behind it
    assert ask(workspace, "patches", node="relu", channel=0)[0]["read"] == 5
    monkeypatch.undo()
    assert whole(workspace, node="relu", channel=0)[0]["read"] == 13


def test_a_collection_from_python(network: nn.Module, place: Path) -> None:
    with photosite.explore(np.zeros((40, 40, 3), np.uint8), network, collection=place) as session:
        assert len(session.workspace.collection) == 13
        assert [one.title for one in session.workspace.photos()] == ["a picture"]  # none of it is opened


def test_an_audit_is_the_librarys_and_stays_with_the_map(network: nn.Module) -> None:
    workspace = workspace_of(network)
    query: dict[str, Any] = {"node": "relu", "method": "eigencam", "class": 1}
    assert ask(workspace, "activation-map", **query)[0]["audit"] is None
    data, _ = ask(workspace, "map-audit", **query)
    x = torch.from_numpy(RECIPE(workspace.photos()[0].picture))
    explainer = Explainer(network, x, layers="relu")
    one, checks = audit(explainer, x, explainer(x, "eigencam", 1)[0][0])
    assert data["audit"]["refused"] == one.refused
    assert [(c["name"], c["verdict"], c["said"]) for c in data["audit"]["checks"]] == [
        (c.name, c.verdict, c.said) for c in checks
    ]
    assert ask(workspace, "activation-map", **query)[0]["audit"] == data["audit"]
    assert ask(workspace, "activation-map", **{**query, "class": 2})[0]["audit"] is None


def test_progress_is_told_while_it_is_computed_and_a_newer_question_ends_it() -> None:
    go_on, told = threading.Event(), threading.Event()
    ended: list[str] = []

    def slow(workspace: Workspace, question: Question) -> Any:
        question.tell(3, 10)
        told.set()
        assert go_on.wait(30)
        try:
            question.check()
        except CancelledError:
            ended.append(question.query["n"])
            raise
        return pack({"ok": True})

    server = Server(Api(Workspace(), {"slow": slow}))
    try:
        client, found = Client(server), []
        first = threading.Thread(target=lambda: found.append(client.ask("slow", n=1)[0]))
        first.start()
        assert told.wait(30)
        assert client.ask("progress", of="slow")[1] == {"progress": [3, 10]}
        assert client.ask("progress", of="other")[1] == {"progress": None}
        second = threading.Thread(target=lambda: found.append(client.ask("slow", n=2)[0]))
        second.start()
        while not server.jobs._newest["slow"] or server.jobs._waiting < 2:
            time.sleep(0.002)
        go_on.set()
        first.join(30)
        second.join(30)
        assert (sorted(found), ended) == ([200, 409], ["1"])
        assert client.ask("progress", of="slow")[1] == {"progress": None}
    finally:
        server.close()
