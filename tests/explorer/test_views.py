"""What the views answer, held against the functions that a person would call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.errors import PhotositeError, RangeError, UnknownNameError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.workspace import Workspace
from photosite.prep.fast import resize
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.trace.pixel import pixel_at, pixel_json


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)


@pytest.fixture
def workspace(picture: np.ndarray) -> Workspace:
    made = Workspace()
    made.add_photo(picture, "noise")
    return made


def ask(workspace: Workspace, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    key = workspace.photos()[0].key if workspace.photos() else ""
    return unpack(VIEWS[name](workspace, Question(name, {"photo": key, **{k: str(v) for k, v in query.items()}})).body)


def test_a_pixel_is_the_librarys(workspace: Workspace, picture: np.ndarray) -> None:
    data, _ = ask(workspace, "pixels", x=39, y=7, recipe="clip", pattern="GBRG")
    assert data == pixel_json(pixel_at(picture, (39, 7), get_recipe("clip"), pattern="GBRG"))


@pytest.mark.parametrize(
    "recipe",
    [
        get_recipe("imagenet"),
        get_recipe("siglip"),
        replace(get_recipe("imagenet").at(32), channel_order="BGR", layout="BHWC"),
    ],
    ids=lambda recipe: recipe.name,
)
def test_the_tensor_is_the_recipes(workspace: Workspace, picture: np.ndarray, recipe: Recipe) -> None:
    data, arrays = ask(workspace, "tensor", model=workspace.add_model("any", nn.Identity(), recipe).key)
    x = recipe(picture)[0] if recipe.layout == "BCHW" else recipe(picture)[0].transpose(2, 0, 1)
    np.testing.assert_array_equal(arrays["x"], x if recipe.channel_order == "RGB" else x[::-1])
    assert (data["recipe"], data["channel_order"]) == (recipe.name, recipe.channel_order)
    flat = np.full((2, 2, 3), (200, 100, 50), np.uint8)
    alone = recipe.normalized(flat)[0]
    alone = alone[:, 0, 0] if recipe.layout == "BCHW" else alone[0, 0]
    ours = [arrays["table"][c][level] for c, level in enumerate((200, 100, 50))]
    assert ours == list(alone if recipe.channel_order == "RGB" else alone[::-1])


def test_an_overview_keeps_the_proportions(workspace: Workspace, picture: np.ndarray) -> None:
    data, arrays = ask(workspace, "overview", side=20)
    np.testing.assert_array_equal(arrays["picture"], resize(picture, (15, 20), "bilinear"))
    assert data["size_hw"] == [30, 40]
    assert data["range"] == [int(picture.min()), int(picture.max())]
    np.testing.assert_array_equal(ask(workspace, "overview", side=40)[1]["picture"], picture)


def test_a_patch_is_the_whole_photo_or_a_square_of_it(workspace: Workspace, picture: np.ndarray) -> None:
    np.testing.assert_array_equal(ask(workspace, "patch", side=8)[1]["picture"], resize(picture, (6, 8), "bilinear"))
    data, arrays = ask(workspace, "patch", side=8, cut="square", cx=39, cy=0)
    assert data["box"] == [0, 32, 8, 40]
    np.testing.assert_array_equal(arrays["picture"], picture[0:8, 32:40])
    assert ask(workspace, "patch", side=200, cut="square")[0]["box"] == [0, 0, 30, 40]


@pytest.mark.parametrize("mode", ["zero", "reflect", "replicate"])
def test_convolution_is_torchs(workspace: Workspace, mode: str) -> None:
    patch = ask(workspace, "patch", side=12)[1]["picture"]
    kernel = np.random.default_rng(1).normal(size=(3, 2, 3))
    words = ",".join(map(str, kernel.ravel()))
    given = {"side": 12, "kernel": words, "rows": 2, "stride": 2, "padding": 2, "mode": mode, "dilation": 2, "bias": 4}
    y = ask(workspace, "convolution", **given)[1]["y"]
    x = torch.from_numpy(patch.transpose(2, 0, 1)[None].astype(np.float64))
    x = nn.functional.pad(x, (2, 2, 2, 2), {"zero": "constant"}.get(mode, mode))
    wanted = nn.functional.conv2d(x, torch.from_numpy(kernel[None]), torch.tensor([4.0]).double(), 2, 0, 2)
    np.testing.assert_allclose(y, wanted[0, 0].numpy(), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("pixels", {"x": 40, "y": 0}, "pixels: x wants a whole number 0 … 39, got '40'"),
        ("pixels", {"x": 0, "y": 0, "pattern": "XXXX"}, "pattern wants one of RGGB"),
        ("tensor", {"recipe": "nothing"}, "recipe wants one of"),
        ("patch", {"side": 100000}, "side wants a whole number 4 … 256"),
        (
            "convolution",
            {"kernel": "1,2", "rows": 1},
            "kernel wants 3 channels × 1 rows × 1 … 32 columns, got 2 numbers",
        ),
        ("convolution", {"kernel": "1,nan,3", "rows": 1}, "kernel wants numbers within ±1e9"),
        ("convolution", {"kernel": ",".join("1" * 300), "rows": 1}, "got 300 numbers"),
        ("convolution", {"kernel": "1,1,1", "rows": 1, "padding": 40, "mode": "reflect"}, "can repeat at most"),
    ],
)
def test_what_a_page_can_get_wrong(workspace: Workspace, name: str, query: dict[str, Any], words: str) -> None:
    with pytest.raises(PhotositeError, match=words.replace("(", r"\(")):
        ask(workspace, name, **query)


def test_an_unknown_photo_or_model(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError):
        ask(workspace, "tensor", photo="x")
    with pytest.raises(UnknownNameError):
        ask(workspace, "first-layer", model="x")


def test_an_input_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    monkeypatch.setattr("photosite.explorer.views.recipes.INPUT_PIXELS_AT_MOST", 100)
    with pytest.raises(RangeError, match="the recipe imagenet makes 224 × 224 of this photo, more than is shown"):
        ask(workspace, "tensor")


def test_the_kernels_that_a_model_learned(workspace: Workspace) -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, (3, 5), stride=(2, 1), padding=(1, 2)), nn.ReLU(), nn.Conv2d(5, 2, 1)).eval()
    key = workspace.add_model("ours", model, get_recipe("imagenet")).key
    data, arrays = ask(workspace, "first-layer", model=key)
    np.testing.assert_array_equal(arrays["weight"], model[0].weight.detach().numpy())
    np.testing.assert_array_equal(arrays["bias"], model[0].bias.detach().numpy())
    assert (data["stride"], data["padding"], data["dilation"], data["has_bias"]) == ([2, 1], [1, 2], [1, 1], True)
    same = nn.Sequential(nn.Conv2d(3, 2, 5, padding="same", dilation=2, bias=False)).eval()
    data, arrays = ask(workspace, "first-layer", model=workspace.add_model("same", same).key)
    assert (data["padding"], data["has_bias"], arrays["bias"].tolist()) == ([4, 4], False, [0, 0])


def test_a_layer_that_reads_no_photo_is_said(workspace: Workspace) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)).eval()
    with pytest.raises(PhotositeError, match="no convolution reads the picture itself"):
        ask(workspace, "first-layer", model=workspace.add_model("flat", flat).key)
    uneven = nn.Sequential(nn.Conv2d(3, 2, 4, padding="same")).eval()
    with pytest.raises(PhotositeError, match="is padded by 'same', more on one side than on the other"):
        ask(workspace, "first-layer", model=workspace.add_model("uneven", uneven).key)
