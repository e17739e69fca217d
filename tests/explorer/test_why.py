"""Numbers of models that are opened: held to the values that PyTorch finds, and to their own sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views.why import model_numbers
from photosite.explorer.views.why_number import Numbers, chain_of, parts_of
from photosite.explorer.views.why_values import Values, narrow
from photosite.explorer.workspace import Workspace
from photosite.graph.capture import capture
from photosite.graph.execute import execute
from photosite.graph.functional import functional
from photosite.nets.create import create_model
from photosite.prep.recipes import get_recipe
from tests.explorer import browsing

HEIGHT, WIDTH = 60, 40
RECIPE = get_recipe("imagenet").at(32)
PICTURE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


class Attending(nn.Module):
    """Patches as tokens behind a class token, one block of attention, scores; and an operation without a row."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cls = nn.Conv2d(3, 16, 8, stride=8), nn.Parameter(torch.randn(1, 1, 16))
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.embed(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.cls.expand(len(y), -1, -1), y], 1)
        q, k, v = self.qkv(self.norm(y)).reshape(len(y), -1, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        shares = (q @ k.transpose(-1, -2) / 2).softmax(-1)
        y = y + self.out((shares @ v).transpose(1, 2).flatten(2))
        z: torch.Tensor = self.head(nn.functional.gelu(y)[:, 1:].mean(1))
        return z + torch.linalg.svdvals(z).sum() * 0


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    made = {"net": browsing.Net(), "resnet": create_model("cifar_resnet20"), "attending": Attending()}
    return {name: one.eval() for name, one in made.items()}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    made = Workspace()
    made.add_photo(PICTURE, "noise")
    for name, network in networks().items():
        network.classes = tuple("abcd"[: 3 if name == "net" else 4])  # type: ignore[assignment]
        made.add_model(name, network, RECIPE)
    return made


def question(workspace: Workspace, **query: object) -> Question:
    words = {"photo": workspace.photos()[0].key, **{key: str(value) for key, value in query.items()}}
    if "model" in words:
        words["model"] = next(one.key for one in workspace.models() if one.name == words["model"])
    return Question("why", words)


def ask(workspace: Workspace, view: str = "why", **query: object) -> tuple[Any, dict[str, Any]]:
    return unpack(VIEWS[view](workspace, question(workspace, **query)).body)


def total(data: Any, arrays: dict[str, Any]) -> float:
    """What all terms make, those that were not sent too, and what is left over."""
    return math.fsum([*arrays["product"], data["rest"], data["residual"]])


def ends(data: Any) -> tuple[str, list[int], float]:
    last = data["chain"][-1]
    return last["node"], last["index"], last["value"]


@pytest.mark.parametrize("model", ["net", "resnet", "attending"])
def test_from_the_highest_score_to_a_pixel(workspace: Workspace, model: str) -> None:
    whole, _ = ask(workspace, model=model, path=">999")
    chain = whole["chain"]
    network = next(one.network for one in workspace.models() if one.name == model)
    x = torch.from_numpy(RECIPE(PICTURE))
    graph = functional(capture(network, x))
    found = execute(graph, network, x, keep=[node.name for node in graph])
    score = found.output[0]
    assert chain[0]["value"] == pytest.approx(float(score.max()), rel=1e-5)
    for at, step in enumerate(chain):
        data, arrays = ask(workspace, model=model, path=">999", at=at)
        assert data["at"] == at
        if step["node"] in graph and graph.node(step["node"]).shapes and not isinstance(found.kept[step["node"]], list):
            value = float(found.kept[step["node"]][tuple(step["index"])])
            assert step["value"] == pytest.approx(value, rel=1e-5, abs=1e-6)
        if data["is_sum"]:
            assert total(data, arrays) == pytest.approx(step["value"], abs=1e-12)
            if data["op"] not in ("resize", "photosite"):  # what is not rounded to levels leaves float32's rounding
                assert abs(data["residual"]) <= 2e-6 * (1 + np.abs(arrays["product"]).sum())
            assert (np.diff(np.abs(arrays["product"])) <= 0).all()
            np.testing.assert_array_equal(arrays["product"], arrays["value"] * arrays["factor"])
    node, index, value = ends(whole)
    if model != "attending":  # there it can end at the class token, which was learned
        assert node == "photo"
        assert value == PICTURE[tuple(index)]
    assert not whole["largest"]
    assert whole["why_not"]


def test_a_score_has_the_name_of_its_class(workspace: Workspace) -> None:
    first, _ = ask(workspace, model="net")
    assert first["title"] == "abc"[first["chain"][0]["index"][1]]
    second, _ = ask(workspace, model="net", path=">1")
    assert second["title"] == ""
    assert second["chain"][1]["through"] == []


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_number_of_a_model_is_what_its_terms_make(workspace: Workspace, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(["net", "resnet", "attending"]))
    numbers = model_numbers(workspace, question(workspace, model=model))
    graph = numbers.graph
    node = data.draw(st.sampled_from([one for one in graph if len(one.shapes) == 1 and "svd" not in one.name]))
    index = tuple(data.draw(st.integers(0, side - 1)) for side in node.shape)
    found = numbers.open(node.name, index)
    assert found.value == pytest.approx(float(numbers.values[node.name][index]), abs=1e-12)
    if found.is_sum and found.terms:
        made = math.fsum(term.product for term in found.terms)
        assert made == pytest.approx(found.value, abs=2e-6 * (1 + sum(abs(term.product) for term in found.terms)))
    for term in found.terms[:3]:
        if term.source:
            assert numbers.open(term.source, term.index).value == pytest.approx(term.value, rel=1e-6, abs=1e-6)


def test_what_only_passes_numbers_on_is_passed_over(workspace: Workspace) -> None:
    numbers = model_numbers(workspace, question(workspace, model="attending"))
    graph = numbers.graph
    moved = next(node for node in graph if node.kind == "transpose")
    found = numbers.open(moved.name, (0, 5, 7))  # the flattened patches, turned: row 1, column 1 of 4 × 4
    assert (found.node, found.index) == ("conv2d", (0, 7, 1, 1))
    assert found.through[0] == moved.name
    assert len(found.through) == 2
    cat = next(node for node in graph if node.kind == "cat")
    found = numbers.open(cat.name, (0, 0, 3))
    assert found.node == "cls"
    assert found.terms == ()
    assert "training" in found.why_not


def test_the_mean_that_a_norm_takes_away_can_be_opened(workspace: Workspace) -> None:
    numbers = model_numbers(workspace, question(workspace, model="attending"))
    norm = next(node for node in numbers.graph if node.kind == "layer_norm")
    found = numbers.open(norm.name, (0, 2, 5))
    mean = next(term for term in found.terms if term.source == f"{norm.name} mean")
    opened = numbers.open(mean.source, mean.index)
    line = numbers.values[norm.inputs[0]][0, 2]
    assert opened.value == pytest.approx(float(line.mean(dtype=np.float64)), rel=1e-6)
    assert sorted(term.index for term in opened.terms) == [(0, 2, c) for c in range(16)]
    assert {term.factor for term in opened.terms} == {1 / 16}


def test_places_whatever_the_layout(workspace: Workspace) -> None:
    numbers = model_numbers(workspace, question(workspace, model="attending"))
    cat = next(node.name for node in numbers.graph if node.kind == "cat")
    assert chain_of(numbers, "conv2d@7,1,2") == [("conv2d:0,7,1,2", ("conv2d", (0, 7, 1, 2)))]
    assert chain_of(numbers, f"{cat}@7,1,2")[0][1] == (cat, (0, 1 + 4 + 2, 7))  # behind the class token
    assert chain_of(numbers, "conv2d#17;>0") == [("conv2d:0,1,0,1", ("conv2d", (0, 1, 0, 1)))]
    for path in ("conv2d@7,1", "conv2d@7,9,9", "conv2d#999999"):
        with pytest.raises(PhotositeError):
            chain_of(numbers, path)


def test_boxes_and_tiles(workspace: Workspace) -> None:
    numbers = model_numbers(workspace, question(workspace, model="net"))
    scale = np.array(RECIPE.geometry((HEIGHT, WIDTH)).scale, float)
    offset = np.array(RECIPE.geometry((HEIGHT, WIDTH)).offset, float)
    box = numbers.box("conv2d", (0, 3, 2, 4))  # 5 × 5, stride 4, padding 2: rows 6 … 10, columns 14 … 18
    np.testing.assert_allclose(box, [*(offset + scale * [6, 14]), *(offset + scale * [11, 19])])
    tile = numbers.tile("conv2d", (0, 3, 2, 4))
    np.testing.assert_allclose(tile, [*(offset + scale * [6.5, 14.5]), *(offset + scale * [10.5, 18.5])])
    name = numbers.graph.inputs[0]
    np.testing.assert_allclose(
        numbers.box(name, (0, 1, 5, 6)), [*(offset + scale * [5, 6]), *(offset + scale * [6, 7])]
    )
    assert numbers.box("photo", (7, 8, 1)) == (7, 8, 8, 9)
    assert numbers.box("linear", (0, 1)) is None
    assert numbers.sees_all_by("linear")


def test_an_operation_without_a_row_says_so(workspace: Workspace) -> None:
    name = next(
        node.name
        for node in model_numbers(workspace, question(workspace, model="attending")).graph
        if "svd" in node.name
    )
    data, arrays = ask(workspace, model="attending", path=f"{name}:0")
    assert "no row" in data["why_not"]
    assert data["count"] == 0
    assert len(arrays["value"]) == 0


def test_values_are_the_same_however_little_is_kept(workspace: Workspace) -> None:
    x = torch.from_numpy(RECIPE(PICTURE))
    for network in networks().values():
        graph = functional(capture(network, x))
        rich, poor = (Values(graph, network, x, lambda: None, dear) for dear in (1 << 30, 0))
        assert set(poor._kept) == narrow(graph) <= set(rich._kept)
        for node in reversed(graph.nodes):
            a, b = rich[node.name], poor[node.name]
            for one, other in zip(*(part if isinstance(part, list) else [part] for part in (a, b)), strict=True):
                np.testing.assert_array_equal(one, other)


def test_what_is_made_anew_is_let_go_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photosite.explorer.views.why_values.RECENT_BYTES", 1000)
    x = torch.from_numpy(RECIPE(PICTURE))
    network = networks()["net"]
    graph = functional(capture(network, x))
    values = Values(graph, network, x, lambda: None, 0)
    for node in graph:
        assert np.asarray(values[node.name]).shape == node.shape
    assert values._recent_bytes <= 1000 or len(values._recent) == 1


@pytest.mark.parametrize("path", ["", ">3", "linear:0,2;>3;photo:1,2,0", ">0;linear:0,1;>2"])
def test_each_number_of_a_way_has_its_own_path(workspace: Workspace, path: str) -> None:
    whole, _ = ask(workspace, model="net", path=path)
    for at, step in enumerate(whole["chain"]):
        data, _ = ask(workspace, model="net", path=step["path"])
        assert data["chain"] == whole["chain"][: at + 1]
    name, part = whole["terms"][0] if whole["terms"] else ("", "")
    if part:
        down, _ = ask(workspace, model="net", path=f"{whole['chain'][-1]['path']};{part}")
        assert down["chain"][:-1] == whole["chain"]
        assert down["chain"][-1]["name"] == name


def test_terms_of_one_place_are_added_up(workspace: Workspace) -> None:
    data, arrays = ask(workspace, model="net", path="conv2d_1:0,1,2,1")
    assert data["count"] == 16 * 9 + 1  # and a bias, which has no place
    numbers = model_numbers(workspace, question(workspace, model="net"))
    found = numbers.open("conv2d_1", (0, 1, 2, 1))
    wanted: dict[Any, float] = {}
    for term in found.terms:
        if term.source != "body.bias":
            tile = numbers.tile(term.source, term.index)
            wanted[tile] = wanted.get(tile, 0) + term.product
    assert len(wanted) == 9 == len(arrays["tiles"])
    for tile, made in zip(arrays["tiles"], arrays["sums"], strict=True):
        assert made == pytest.approx(wanted[tuple(tile)], abs=1e-12)
    assert "sees y" in data["sight"]


def test_paths() -> None:
    assert parts_of("a.b mean:;>3;c:1,22") == [("a.b mean", ":", ()), 3, ("c", ":", (1, 22))]
    for path in ("", "a", "a:b", ":1", "a:1,,2", ">x", "a:1;"):
        with pytest.raises(RangeError, match="wants parts such as linear:0,281 or >3"):
            parts_of(path)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("nothing:0", UnknownNameError, "nothing"),
        ("linear:0,99", RangeError, "none at"),
        ("linear:0", RangeError, "none at"),
        ("photo:0,0,3", RangeError, "the photo has"),
        ("head.weight:9,0", RangeError, "none at"),
        (";".join(["linear:0,0"] * 1001), RangeError, "at most 1000 numbers"),
    ],
)
def test_numbers_that_are_not_there(workspace: Workspace, path: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask(workspace, model="net", path=path)


def test_subjects_and_places_are_checked(workspace: Workspace) -> None:
    with pytest.raises(RangeError, match="of wants one of model, input, convolution, pooling, normalization, patch"):
        ask(workspace, of="else")
    with pytest.raises(RangeError, match="at wants a whole number 0 … 0"):
        ask(workspace, model="net", at=1)
    with pytest.raises(RangeError, match="groups wants a divisor of 6"):
        ask(workspace, of="normalization", side=40, groups=4)


def test_a_model_by_its_name(workspace: Workspace) -> None:
    named = Question("why", {"photo": workspace.photos()[0].key, "model": "resnet"})
    by_name, by_key = (
        unpack(VIEWS["why"](workspace, one).body)[0] for one in (named, question(workspace, model="resnet"))
    )
    assert by_name == by_key
    assert by_name["model"] == "resnet"
    first, _ = unpack(VIEWS["why"](workspace, Question("why", {"photo": named.query["photo"]})).body)
    assert (first["of"], first["model"]) == ("model", "net")
    alone = Workspace()
    alone.add_photo(PICTURE, "noise")
    data, _ = ask(alone)
    assert (data["of"], data["chain"][0]["name"]) == ("input", "input[0, 0, 112, 112]")


def test_numbers_are_kept(workspace: Workspace) -> None:
    first = model_numbers(workspace, question(workspace, model="net"))
    assert model_numbers(workspace, question(workspace, model="net", path=">1", at=1)) is first
    assert isinstance(first, Numbers)
