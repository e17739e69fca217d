"""Patches and tokens: the page looks up what the library finds, patches are torch's convolution."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from photosite.errors import RangeError, UnknownNameError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views.front_ends import KINDS, MANY, ROLES, mosaic_counts
from photosite.explorer.views.patch_embedding import RANDOM_FILTERS, random_embedding
from photosite.explorer.workspace import Workspace
from photosite.exploring import ShownFrontEnd
from photosite.lightpath import light_path, photosites, tokens_of
from photosite.prep.recipes import get_recipe
from photosite.tokens import front_end, list_front_ends
from photosite.tokens.tile import run
from photosite.trace.cells import in_photo, lying
from tests.explorer.browsing import picture
from tests.explorer.test_page_numbers import HERE, node  # noqa: F401  # a fixture


def workspace(size_hw: tuple[int, int] = (90, 120), models: dict[str, nn.Module] | None = None) -> Workspace:
    made = Workspace(lambda name: (models or {})[name], tuple(models or ()), [shown(one) for one in list_front_ends()])
    made.add_photo(picture(*size_hw), "soft")
    return made


def shown(name: str) -> ShownFrontEnd:
    return ShownFrontEnd(front_end(name))


def body(given: Workspace, name: str, **query: object) -> bytes:
    words = {"photo": given.photos()[0].key, **{key: str(value) for key, value in query.items()}}
    return VIEWS[name](given, Question(name, words)).body


def ask(given: Workspace, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    return unpack(body(given, name, **query))


def looked_up(node: str, asked: list[dict[str, Any]]) -> list[Any]:  # noqa: F811
    """What the page's own modules find."""
    done = subprocess.run(
        [node, str(HERE / "tokens_answer.js")], input=json.dumps(asked), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_every_front_end_with_its_tokens() -> None:
    given = workspace((300, 451))
    listed = ask(given, "front-ends")[0]["front_ends"]
    assert [one["name"] for one in listed] == list_front_ends()
    for one in listed:
        count = front_end(one["name"]).count((300, 451))
        assert (one["total"], one["tiles"], one["refusal"]) == (count.total, count.tiles, "")


def test_a_front_end_that_refuses_says_so_and_the_others_stay() -> None:
    listed = {one["name"]: one for one in ask(workspace((2, 450)), "front-ends")[0]["front_ends"]}
    assert "sides up to 1 : 200" in listed["qwen2-vl"]["refusal"]
    assert listed["qwen2-vl"]["total"] is None
    assert listed["paligemma-224"]["total"] == 256
    with pytest.raises(RangeError, match="sides up to 1 : 200"):
        ask(workspace((2, 450)), "token-map", front_end="qwen2-vl")


def test_what_the_page_looks_up_is_the_library(node: str) -> None:  # noqa: F811
    draw = np.random.default_rng(1)
    asked, cases = [], []
    for number, name in enumerate(list_front_ends()):
        for size_hw in ((300, 451), tuple(map(int, draw.integers(30, 900, 2)))):
            given, one = workspace(size_hw), front_end(name)
            count = len(one.token_map(size_hw))
            tokens = sorted({0, count - 1, *draw.integers(0, count, 10).tolist()})
            pixels = [[int(draw.integers(side)) for side in size_hw] for _ in range(10)]
            message = base64.b64encode(body(given, "token-map", front_end=name)).decode()
            asked.append({"kind": "tokens", "message": message, "pixels": pixels, "tokens": tokens})
            cases.append((number, one, size_hw, tokens, pixels))
    for (_, one, size_hw, tokens, pixels), found in zip(cases, looked_up(node, asked), strict=True):
        places = one.token_map(size_hw)
        assert found["count"] == len(places)
        assert found["reading"] == [tokens_of(one, size_hw, (y, x)) for y, x in pixels], (one.name, size_hw)
        alone = one.name != "rt-1"  # whose eight tokens are made of the same pixels
        for token, at, cell, reads, place in zip(
            tokens, found["at"], found["cells"], found["reads"], found["places"], strict=True
        ):
            path = light_path(one, size_hw, token)
            assert reads == list(path.photo_box or (0, 0, 0, 0)), (one.name, size_hw, token)
            if path.tile < 0:
                assert (place[0], KINDS[place[4]][:9]) == (-1, "a learned" if places.newline[token] else "a class t")
                continue
            tile = places.tiles[path.tile]
            assert (place[0], ROLES[place[1]], *place[2:4]) == (path.tile, tile.role, *path.place)
            box = places.cell_box(token) if alone else places.box(token)
            assert box is not None
            np.testing.assert_allclose(cell, in_photo(box, lying(tile.steps, size_hw)), rtol=1e-12, atol=1e-9)
            assert at == (token if alone else 0)


@pytest.mark.parametrize("name", ["llava-next", "smolvlm", "qwen2-vl", "clip-l-336", "resnet50-224", "rt-1", "nanovlm"])
def test_one_token_in_words_is_its_light_path(name: str) -> None:
    size_hw, one, draw = (300, 451), front_end(name), np.random.default_rng(2)
    given = workspace(size_hw)
    places, made = one.token_map(size_hw), run(picture(*size_hw), one.tiles(size_hw))
    for token in {0, len(places) - 1, *draw.integers(0, len(places), 12).tolist()}:
        data, arrays = ask(given, "token", front_end=name, token=token)
        path, words = light_path(one, size_hw, token), dict(data["lines"])
        if path.tile < 0:
            assert (data["lines"], arrays) == ([], {})
            continue
        numbers = {what: [float(one) for one in re.findall(r"[\d.]+", said)] for what, said in words.items()}
        box, cell = path.stages[0].box, path.cell if name != "rt-1" else path.stages[0].box
        assert box is not None
        assert cell is not None
        assert numbers["made of"][:4] == [box[0], box[2] - 1, box[1], box[3] - 1]
        assert numbers["place in its grid"] == list(path.place)
        if len(path.patches) <= MANY:
            assert numbers["patches"] == list(path.patches)
        lies = in_photo(cell, lying(places.tiles[path.tile].steps, size_hw))
        said = [float(one) for one in re.findall(r"-?[\d.]+", words["lies in the photo"])]
        np.testing.assert_allclose(said, [lies[0], lies[2], lies[1], lies[3]], rtol=1e-5, atol=1e-9)
        if path.photo_box is None:
            assert words["reads of the photo"] == "nothing: it is all padding"
        else:
            top, left, bottom, right = path.photo_box
            assert numbers["reads of the photo"] == [top, bottom - 1, left, right - 1]
            behind = photosites(path.photo_box, size_hw, pattern="RGGB", method="malvar").count
            counts = [int(re.sub(r"\D", "", part)) for part in re.split("[=+]", words["photosites behind"])]
            assert (counts[0], sum(counts[1:])) == (behind, behind)
        levels = made[path.tile][cell[0] : cell[2], cell[1] : cell[3]]
        assert np.abs(arrays["picture"].astype(float) - levels).max() <= 0.5
        assert arrays["picture"].shape == levels.shape


def test_photosites_by_their_color() -> None:
    # by Malvar's kernels a red pixel is made of itself and four reds two away, four greens beside it, four blues
    assert mosaic_counts((10, 10, 11, 11), (40, 40)) == [5, 2, 2, 4]
    found = photosites((3, 4, 20, 31), (40, 40), pattern="RGGB", method="malvar")
    colors = [0, 0, 0, 0]
    for y, x in np.argwhere(found.mask) + found.box[:2]:
        colors[2 * (y % 2) + x % 2] += 1
    assert mosaic_counts((3, 4, 20, 31), (40, 40)) == colors


class Patchy(nn.Module):
    """Patches of 8, a number each."""

    def __init__(self, bgr: bool = False, padding: int = 0) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 5, 8, stride=8, padding=padding)
        self.photo_recipe = replace(get_recipe("imagenet").at(48), channel_order="BGR" if bgr else "RGB")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.embed(x).flatten(2)
        return y


@pytest.mark.parametrize("side", [4, 13, 16, 64])
def test_random_patches_are_torchs_convolution(node: str, side: int) -> None:  # noqa: F811
    given = workspace()
    data, arrays = ask(given, "patch-embedding", patch=side, filter=7)
    x, embedding = torch.from_numpy(arrays["x"].astype(np.float64)), random_embedding(side)
    np.testing.assert_array_equal(arrays["x"], get_recipe("imagenet")(given.photos()[0].picture)[0])
    wanted = conv2d(x[None], torch.from_numpy(embedding.weight), stride=side)[0]
    assert wanted.shape == (RANDOM_FILTERS, 224 // side, 224 // side)
    for way in ("by_convolution", "by_rows"):
        np.testing.assert_allclose(arrays[way], wanted[7].numpy(), rtol=1e-10, atol=1e-10)  # sums in another order
    np.testing.assert_array_equal(arrays["weight"], embedding.weight[7])
    assert (data["own"], data["words"]) == (0, "64 random filters, seed 0")
    assert data["even"] == [4, 7, 8, 14, 16, 28, 32, 56]
    assert ("cut off" in data["left"]) == (side in (13, 64))
    tokens = (224 // side) ** 2
    costs = {what: int(re.sub(r"\D", "", much)) for what, _, much, _ in data["costs"]}
    assert costs == {
        "tokens": tokens,
        "numbers of a patch": 3 * side**2,
        "parameters": 64 * (3 * side**2 + 1),
        "multiply-adds of the embedding": tokens * 3 * side**2 * 64,
        "pairs that attention looks at": tokens**2,
    }
    # and the page's row of a patch, times the weights
    at = [224 // side - 1, 0]
    plane = {"height": 224, "width": 224, "values": arrays["x"].ravel().tolist()}
    (row,) = looked_up(node, [{"kind": "row", "x": plane, "side": side, "at": at}])
    y = at[0] * side
    assert row == arrays["x"][:, y : y + side, :side].ravel().tolist()
    assert np.dot(row, arrays["weight"].ravel()) == pytest.approx(wanted[7, at[0], 0].item(), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("bgr", [False, True])
def test_a_models_own_patches(bgr: bool) -> None:
    torch.manual_seed(0)
    model = Patchy(bgr).eval()
    given = workspace(models={"patchy": model})
    data, arrays = ask(given, "patch-embedding", model="patchy", filter=3)
    assert (data["patch"], data["own"], data["filters"]) == (8, 8, 5)
    assert data["words"] == "patchy learned 5 filters of 3 × 8 × 8: embed.weight"
    x = model.photo_recipe(given.photos()[0].picture)  # channels as the model wants them; the page has red first
    np.testing.assert_array_equal(arrays["x"], x[0, ::-1] if bgr else x[0])
    wanted = model.embed(torch.from_numpy(x))[0, 3].detach()
    np.testing.assert_allclose(
        arrays["by_convolution"], wanted.numpy(), rtol=1e-4, atol=1e-5
    )  # torch's single precision
    np.testing.assert_allclose(arrays["by_rows"], arrays["by_convolution"], rtol=1e-12, atol=1e-12)
    assert np.abs(arrays["picture"].astype(int) - picture_of(given, model)).max() == 0
    # the one that is open is taken, unless something else is asked for; another size has random filters
    assert ask(given, "patch-embedding")[0]["model"] == "patchy"
    assert ask(given, "patch-embedding", model="none")[0]["model"] == "none"
    other = ask(given, "patch-embedding", patch=12)[0]
    assert other["words"] == "64 random filters, seed 0; the model's own are 8 × 8"


def picture_of(given: Workspace, model: Patchy) -> np.ndarray:
    """The levels that a model's input is made of."""
    recipe = model.photo_recipe
    x = replace(recipe, channel_order="RGB")(given.photos()[0].picture)[0]
    mean, std = (np.array(each)[:, None, None] for each in (recipe.mean, recipe.std))
    return np.rint(255 * (x * std + mean)).transpose(1, 2, 0).astype(int)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.ReLU()),
            "0.weight makes no patches, kernel 7 × 7, stride 2 × 2, padding 3 × 3",
        ),
        (Patchy(padding=1), "embed.weight makes no patches, kernel 8 × 8, stride 8 × 8, padding 1 × 1"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)), "no convolution reads the picture itself"),
    ],
)
def test_a_model_without_patches_says_why(model: nn.Module, words: str) -> None:
    given = workspace(models={"other": model.eval()})
    data, _ = ask(given, "patch-embedding", model="other")
    assert data["own"] == 0
    assert data["words"].startswith("64 random filters, seed 0; other: ")
    assert words in data["words"]


def test_what_a_page_can_get_wrong() -> None:
    given = workspace()
    with pytest.raises(UnknownNameError, match=r"front end.*'nope'"):
        ask(given, "token-map", front_end="nope")
    for name, query, words in (
        ("token", {"front_end": "gemma3", "token": 256}, r"token wants a whole number 0 … 255"),
        ("token", {"front_end": "gemma3", "token": -1}, r"token wants a whole number 0 … 255"),
        ("patch-embedding", {"patch": 3}, r"patch wants a whole number 4 … 64"),
        ("patch-embedding", {"patch": 65}, r"patch wants a whole number 4 … 64"),
    ):
        with pytest.raises(RangeError, match=words):
            ask(given, name, **query)
    with pytest.raises(UnknownNameError, match="nope"):
        ask(given, "patch-embedding", model="nope")
