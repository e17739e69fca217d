"""Numbers of the stations' own operations and of the input that are opened: held to what those stations show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.terms.term import Term
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views.pooling import WAYS
from photosite.explorer.views.why import TERMS, recipe_below
from photosite.explorer.views.why_patch import NORMS
from photosite.explorer.workspace import Photo, Workspace
from photosite.prep.geometry import FILTER_SUPPORT
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.sensor import photosite_color
from tests.explorer.test_why import PICTURE, ask, ends, total


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    made = Workspace()
    made.add_photo(PICTURE, "noise")
    return made


def levels_recipe(interpolation: str, size_hw: tuple[int, int], **more: Any) -> Recipe:
    words: dict[str, Any] = {"resize": "squash", **more}
    return Recipe(
        name="r", size_hw=size_hw, interpolation=interpolation, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2), **words
    )


def test_a_level_by_hand() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, 2:, 1] = [[10, 20], [30, 41]]
    below = recipe_below(Workspace(), Photo("k", "t", picture), levels_recipe("box", (2, 2)))
    found = below.open("small photo", (0, 1, 1))
    # rows are mixed behind columns: (10 + 20) / 2 = 15, (30 + 41) / 2 = 35.5, rounded to 36; their mean 25.5 to 26
    assert found.value == 26
    assert found.residual == 26 - 101 / 4
    assert [(term.index, term.value, term.factor) for term in found.terms] == [
        ((1, 3, 1), 41.0, 0.25),
        ((1, 2, 1), 30.0, 0.25),
        ((0, 3, 1), 20.0, 0.25),
        ((0, 2, 1), 10.0, 0.25),
    ]
    number = below.of_input("x", (0, 1, 0, 1), (26 / 255 - 0.4) / 0.25)
    assert number.terms[0] == Term("", (), 0.4, -4.0)
    assert number.terms[1].source == "small photo"
    assert number.residual == pytest.approx(0, abs=1e-12)
    pixel = below.open("photo", (1, 2, 1))
    assert photosite_color(1, 2) == "G"
    assert "counted: " in pixel.why_not
    assert "guessed from its neighbors; it counts green" in below.open("photo", (1, 2, 0)).why_not


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(FILTER_SUPPORT)),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.randoms(use_true_random=False),
)
def test_levels_of_all_filters(
    interpolation: str, picture_hw: tuple[int, int], size_hw: tuple[int, int], random: Any
) -> None:
    picture = np.random.default_rng(random.randrange(1 << 30)).integers(64, 192, (*picture_hw, 3)).astype(np.uint8)
    recipe = levels_recipe(interpolation, size_hw)
    below = recipe_below(Workspace(), Photo("k", "t", picture), recipe)
    geometry = recipe.geometry(picture_hw)
    y, x, c = random.randrange(size_hw[0]), random.randrange(size_hw[1]), random.randrange(3)
    found = below.open("small photo", (y, x, c))
    assert found.value == recipe.resized(picture)[y, x, c]
    top, left, bottom, right = geometry.reads(y, x)
    for term in found.terms:
        row, column, channel = term.index
        assert top <= row < bottom
        assert left <= column < right
        assert channel == c
        assert term.value == picture[term.index]
    made = math.fsum(term.product for term in found.terms)
    assert math.fsum(term.factor for term in found.terms) == pytest.approx(1, abs=1e-4)
    # half a level of the last pass, and half of the first times its weights; these levels are too near the middle of
    # 0 … 255 for a filter that overshoots to leave it
    assert abs(made - found.value) <= 0.5 + 0.5 * math.fsum(abs(term.factor) for term in found.terms) + 1e-3


def test_padding_is_no_pixel(workspace: Workspace) -> None:
    recipe = levels_recipe("bilinear", (16, 16), resize="longest", pad_color=(9, 8, 7))
    below = recipe_below(workspace, Photo("k", "t", PICTURE), recipe)
    found = below.open("small photo", (3, 0, 2))
    assert found.value == 7
    assert found.terms == ()
    assert found.why_not == "padding: the recipe puts blue 7 where the photo ends"


@pytest.mark.parametrize("recipe", ["imagenet", "clip", "cifar10"])
def test_of_the_input_alone(workspace: Workspace, recipe: str) -> None:
    x = get_recipe(recipe)(PICTURE)
    index = (0, 2, 5, 7)
    data, arrays = ask(workspace, of="input", recipe=recipe, path=f"input:{','.join(map(str, index))}")
    assert ends(data)[2] == x[index]
    assert total(data, arrays) == pytest.approx(x[index], abs=1e-12)
    assert abs(data["residual"]) < 1e-6  # float32
    assert data["terms"][arrays["value"].argmax()][0].startswith("small photo y ")
    down, _ = ask(workspace, of="input", recipe=recipe, path=f"input:{','.join(map(str, index))};>9")
    assert [one["node"] for one in down["chain"]] in (["input", "small photo", "photo"], ["input", "photo"])


def kernels() -> st.SearchStrategy[list[list[float]]]:
    side = st.integers(1, 5)
    number = st.integers(-9, 9).map(lambda one: one / 4)
    return side.flatmap(lambda wide: st.lists(st.lists(number, min_size=wide, max_size=wide), min_size=1, max_size=5))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_convolution_is_what_its_station_shows(workspace: Workspace, data: st.DataObject) -> None:
    rows = data.draw(kernels())
    channels, numbers = (
        data.draw(st.sampled_from(["gray", "rgb"])),
        data.draw(st.sampled_from(["levels", "unit", "normalized"])),
    )
    values = [one for row in rows for one in row] * (3 if channels == "rgb" else 1)
    asked = {
        "side": 24,
        "cut": data.draw(st.sampled_from(["whole", "square"])),
        "channels": channels,
        "numbers": numbers,
        "kernel": ",".join(map(str, values)),
        "rows": len(rows),
        "bias": data.draw(st.sampled_from([0, 1.5])),
        "stride": data.draw(st.sampled_from(["1", "2", "2x3"])),
        "padding": data.draw(st.sampled_from(["0", "3", "2x1"])),
        "mode": data.draw(st.sampled_from(["zero", "reflect", "replicate"])),
        "dilation": data.draw(st.sampled_from(["1", "2"])),
    }
    _, shown = ask(workspace, "convolution", **asked)
    y = shown["y"]
    row, column = data.draw(st.integers(0, y.shape[0] - 1)), data.draw(st.integers(0, y.shape[1] - 1))
    found, arrays = ask(workspace, of="convolution", path=f"output:0,0,{row},{column}", **asked)
    assert ends(found)[2] == y[row, column]
    assert total(found, arrays) == pytest.approx(y[row, column], abs=1e-9)
    assert abs(found["residual"]) <= 1e-9
    down, _ = ask(workspace, of="convolution", path=f"output:0,0,{row},{column};>9", **asked)
    for at, step in enumerate(down["chain"]):
        one, parts = ask(workspace, of="convolution", path=f"output:0,0,{row},{column};>9", at=at, **asked)
        if one["is_sum"]:
            assert total(one, parts) == pytest.approx(step["value"], abs=1e-9)
            # a level is rounded once for luma, and in two passes where it is resized
            assert abs(one["residual"]) <= {"luma": 0.5, "resize": 1.001}.get(one["op"], 1e-6)
    node, index, value = ends(down)
    assert node in ("photo", "output", "bias")
    assert node != "photo" or value == PICTURE[tuple(index)]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(WAYS), st.integers(1, 3), st.integers(0, 6), st.integers(0, 99), st.integers(0, 99))
def test_a_pooled_number_is_what_its_station_shows(
    workspace: Workspace, way: str, times: int, left: int, row: int, column: int
) -> None:
    asked = {"side": 60, "times": times, "left": left, "width": 34, "kernel": "1,-2,3,0,5,0.5,-1,2,1"}
    _, shown = ask(workspace, "pooling", **asked)
    y = shown[way]
    row, column = row % y.shape[0], column % y.shape[1]
    found, arrays = ask(workspace, of="pooling", way=way, path=f"output:0,0,{row},{column}", **asked)
    assert ends(found)[2] == y[row, column]
    assert total(found, arrays) == pytest.approx(y[row, column], abs=1e-12)
    assert abs(found["residual"]) < 1e-12
    down, _ = ask(workspace, of="pooling", way=way, path=f"output:0,0,{row},{column};>99", **asked)
    assert ends(down)[0] == "photo"


@pytest.mark.parametrize("norm", NORMS)
def test_a_normalized_number_is_what_its_station_shows(workspace: Workspace, norm: str) -> None:
    _, shown = ask(workspace, "normalization", side=40, seed=3)
    x = shown["x"]
    b, c, h, w = x.shape
    shared = {
        "batch": (0, 2, 3),
        "layer": (1, 2, 3),
        "token": (1,),
        "instance": (2, 3),
        "rms": (1,),
        "group": (2, 3, 4),
    }
    block = x.reshape(b, 3, c // 3, h, w) if norm == "group" else x
    axes = shared[norm]
    mean = 0 if norm == "rms" else block.mean(axes, keepdims=True)
    wanted = ((block - mean) / np.sqrt(np.square(block - mean).mean(axes, keepdims=True) + 1e-5)).reshape(x.shape)
    for index in ((0, 0, 0, 0), (3, 4, 2, 5), (1, 5, 5, 1)):
        path = f"output:{','.join(map(str, index))}"
        data, arrays = ask(workspace, of="normalization", side=40, seed=3, norm=norm, groups=3, path=path)
        assert ends(data)[2] == pytest.approx(wanted[index], abs=1e-9)
        assert abs(data["residual"]) < 1e-9
        own = next(k for k, (name, _) in enumerate(data["terms"]) if " mean[" not in name)
        assert arrays["value"][own] == pytest.approx(x[index])
        if norm != "rms":
            part = next(part for name, part in data["terms"] if " mean[" in name)
            opened, _ = ask(workspace, of="normalization", side=40, seed=3, norm=norm, groups=3, path=part)
            assert ends(opened)[2] == pytest.approx(np.broadcast_to(mean, block.shape).reshape(x.shape)[index])
            assert opened["count"] == x.size / np.size(mean)
    down, _ = ask(workspace, of="normalization", side=40, seed=3, norm=norm, path="output:1,5,2,2;>99")
    assert ends(down)[0] == "photo"


@pytest.mark.parametrize(("model", "side"), [("none", 16), ("none", 30), ("net", 8)])
def test_a_patch_is_what_its_station_shows(workspace: Workspace, model: str, side: int) -> None:
    if model == "net" and not workspace.models():
        torch.manual_seed(0)
        workspace.add_model("net", nn.Sequential(nn.Conv2d(3, 5, 8, stride=8)).eval(), get_recipe("clip").at(32))

    def found(view: str, **query: str) -> tuple[Any, dict[str, Any]]:
        words = {"photo": workspace.photos()[0].key, "model": model, "patch": str(side), "filter": "3"}
        return unpack(VIEWS[view](workspace, Question(view, {**words, **query})).body)

    shown, arrays = found("patch-embedding")
    assert ("learned" in shown["words"]) == (model == "net")
    row, column = (size - 1 for size in arrays["by_rows"].shape)
    path = f"output:0,0,{row},{column}"
    data, parts = found("why", of="patch", path=path)
    for way in ("by_convolution", "by_rows"):
        assert ends(data)[2] == pytest.approx(arrays[way][row, column], abs=1e-9)
    assert total(data, parts) == pytest.approx(ends(data)[2], abs=1e-12)
    assert data["count"] == 3 * side**2 + 1
    down, _ = found("why", of="patch", path=f"{path};>9")
    assert [one["node"] for one in down["chain"]] == ["output", "x", "small photo", "photo"]


def test_many_terms_are_cut_and_their_sum_is_said(workspace: Workspace) -> None:
    asked = {"of": "convolution", "side": 40, "kernel": ",".join(["0.5"] * 400), "rows": 20, "channels": "gray"}
    data, arrays = ask(workspace, **asked)
    assert data["count"] == 401
    assert len(arrays["product"]) == TERMS == len(data["terms"])
    assert data["rest"] != 0
    assert total(data, arrays) == pytest.approx(ends(data)[2])
