"""Signal and gradient by depth, blocks to normalize, and statistics around a model's norms."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.errors import PhotositeError, RangeError
from photosite.explorer.message import Question, unpack
from photosite.explorer.views import VIEWS
from photosite.explorer.views.normalization import CROP, SIZES, error_of_means
from photosite.explorer.views.residual import VARIANCES, inputs, signals
from photosite.explorer.workspace import Workspace
from photosite.ops.batch_normalization import batch_norm, instance_norm
from photosite.ops.normalization import group_norm, layer_norm, rms_norm
from photosite.prep.recipes import get_recipe


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)


@pytest.fixture
def workspace(picture: np.ndarray) -> Workspace:
    made = Workspace()
    made.add_photo(picture, "noise")
    return made


def ask(workspace: Workspace, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    key = workspace.photos()[0].key
    return unpack(VIEWS[name](workspace, Question(name, {"photo": key, **{k: str(v) for k, v in query.items()}})).body)


def by_autograd(x: np.ndarray, blocks: Any, cotangent: np.ndarray, shortcut: bool, norm: bool) -> tuple[Any, Any, Any]:
    """The same stack in torch."""
    value = torch.from_numpy(x).requires_grad_()
    values, weights = [value], []
    for pair in blocks:
        first, second = (torch.from_numpy(one).requires_grad_() for one in pair)
        normed = (lambda y: nn.functional.batch_norm(y, None, None, training=True)) if norm else (lambda y: y)
        result = normed(torch.relu(normed(value @ first.T)) @ second.T)
        value = torch.relu(result + value if shortcut else result)
        values.append(value)
        weights.append((first, second))
    for one in values[1:]:
        one.retain_grad()
    value.backward(torch.from_numpy(cotangent))
    size = lambda *all: float(torch.cat([one.grad.flatten() for one in all]).square().mean().sqrt())  # noqa: E731
    return (
        [float(one.detach().var(correction=0)) for one in values],
        [size(one) for one in values],
        [size(*w) for w in weights],
    )


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("shortcut", [False, True])
def test_signals_are_those_of_autograd(shortcut: bool, norm: bool) -> None:
    rng = np.random.default_rng(1)
    for width, depth in ((1, 1), (5, 3), (16, 12)):
        x, cotangent = rng.normal(size=(2, 9, width))
        blocks = [tuple(rng.normal(0, (2 / width) ** 0.5, (2, width, width))) for _ in range(depth)]
        found = signals(x, blocks, cotangent, shortcut, norm)
        wanted = by_autograd(x, blocks, cotangent, shortcut, norm)
        # sums in another order; a norm over a batch of 9 takes differences of numbers that nearly agree
        for one, other in zip((found.variance, found.gradient, found.of_weights), wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-12)


def test_a_block_by_hand() -> None:
    # 1 and 3 become 2 and 6, then 6 and 18; with the shortcut 7 and 21. Back: 3 · 2 = 6, and 1 more
    two = np.array([[2.0]]), np.array([[3.0]])
    x, one = np.array([[1.0], [3.0]]), np.ones((2, 1))
    plain, shortcut = (signals(x, [two], one, with_it, False) for with_it in (False, True))
    assert plain.variance.tolist() == [1, 36]
    assert shortcut.variance.tolist() == [1, 49]
    assert (plain.gradient.tolist(), shortcut.gradient.tolist()) == ([6, 1], [7, 1])
    # of W1: 3 · (1 + 3) = 12; of W2: 2 + 6 = 8
    np.testing.assert_allclose(plain.of_weights, [((144 + 64) / 2) ** 0.5], rtol=1e-15)


def test_without_weights_a_shortcut_changes_nothing() -> None:
    x = np.abs(np.random.default_rng(2).normal(size=(8, 4)))
    none = [(np.zeros((4, 4)), np.zeros((4, 4)))] * 5
    found = signals(x, none, np.ones((8, 4)), True, False)
    assert found.gradient.tolist() == [1.0] * 6
    assert found.variance.tolist() == [float(np.var(x))] * 6
    assert signals(x, none, np.ones((8, 4)), False, False).gradient.tolist() == [0.0] * 5 + [1.0]


def test_a_residual_question(workspace: Workspace) -> None:
    data, arrays = ask(workspace, "residual", layers=12, width=16, begin="he", side=64)
    assert (data["blocks"], data["width"], data["batch"]) == (6, 16, 64)
    assert {name: one.shape for name, one in arrays.items()} == {
        "variance": (2, 7),
        "gradient": (2, 7),
        "of_weights": (2, 6),
    }
    np.testing.assert_allclose(arrays["gradient"][:, -1], 1, rtol=1e-12)
    assert arrays["variance"][0, 0] == arrays["variance"][1, 0]
    again, other = (ask(workspace, "residual", layers=12, width=16, seed=k, begin="he", side=64)[1] for k in (0, 1))
    np.testing.assert_array_equal(again["gradient"], arrays["gradient"])
    assert not np.array_equal(other["gradient"], arrays["gradient"])


def test_the_table_is_every_setting(workspace: Workspace) -> None:
    data, arrays = ask(workspace, "residual-table", layers=10, width=8, side=64)
    assert data["settings"] == [[begin, norm] for begin in VARIANCES for norm in (False, True)]
    for (begin, norm), reach in zip(data["settings"], arrays["reach"], strict=True):
        one = ask(workspace, "residual", layers=10, width=8, begin=begin, norm=int(norm), side=64)[1]["gradient"]
        np.testing.assert_array_equal(reach, one[:, 0] / one[:, -1])


def test_xavier_halves_the_variance_of_a_layer_and_he_keeps_it() -> None:
    rng, width, layers = np.random.default_rng(3), 128, 16
    for begin, each in (("xavier", 0.5), ("he", 1.0), ("large", 4.0)):
        deviation = VARIANCES[begin](width) ** 0.5
        blocks = [tuple(rng.normal(0, deviation, (2, width, width))) for _ in range(layers // 2)]
        found = signals(rng.normal(size=(64, width)), blocks, rng.normal(size=(64, width)), False, False).gradient
        # a product of 16 random factors, each within a tenth
        assert 0.5 < (found[0] / found[-1]) ** 2 / each**layers < 2, begin


def test_inputs_are_standardized_crops(picture: np.ndarray) -> None:
    x = inputs(picture, 0)
    assert x.shape == (64, 192)
    np.testing.assert_allclose([x.mean(), x.var()], [0, 1], atol=1e-12)
    assert inputs(np.full((3, 5, 3), 9, np.uint8), 0).shape == (64, 45)
    assert not inputs(np.full((3, 5, 3), 9, np.uint8), 0).any()


@pytest.mark.parametrize(
    ("query", "words"),
    [({"layers": 66}, "layers wants a whole number 2 … 64"), ({"begin": "ones"}, "begin wants one of he, xavier")],
)
def test_what_a_stack_cannot_be_is_said(workspace: Workspace, query: dict[str, object], words: str) -> None:
    with pytest.raises(RangeError, match=words):
        ask(workspace, "residual", **query)


def test_a_block_is_the_photos_crops(workspace: Workspace, picture: np.ndarray) -> None:
    data, arrays = ask(workspace, "normalization", side=80)
    x = arrays["x"]
    assert x.shape == (4, len(data["channels"]), CROP, CROP)
    shares = np.moveaxis(picture / 255.0, -1, 0)
    windows = np.lib.stride_tricks.sliding_window_view(shares, (3, CROP, CROP))[0]
    for one in x:
        ((top, left),) = np.argwhere((windows == one[:3]).all((2, 3, 4)))  # of noise each crop is found once
        luma = np.tensordot([0.299, 0.587, 0.114], shares, 1)[top : top + CROP, left : left + CROP]
        inner = slice(1, -1)
        np.testing.assert_allclose(
            one[5, inner, inner],
            luma[:-2, inner] + luma[2:, inner] + luma[inner, :-2] + luma[inner, 2:] - 4 * luma[inner, inner],
            atol=1e-12,
        )
        right = luma[:-2, 2:] + 2 * luma[inner, 2:] + luma[2:, 2:]
        left_side = luma[:-2, :-2] + 2 * luma[inner, :-2] + luma[2:, :-2]
        np.testing.assert_allclose(one[3, inner, inner], right - left_side, atol=1e-12)


def test_of_noise_both_formulas_hold_and_of_a_ramp_only_one() -> None:
    noise = np.random.default_rng(4).normal(size=(1, 250, 250))
    measured, by_pixels, by_pictures, count = error_of_means(noise, 0)
    assert (measured.shape, count) == ((len(SIZES), 1), CROP * CROP)
    # 400 batches say a deviation to 3.5 %; crops of 62 500 numbers overlap
    np.testing.assert_allclose(measured, by_pictures, rtol=0.12)
    np.testing.assert_allclose(measured, by_pixels, rtol=0.15)
    ramp = np.broadcast_to(np.arange(250.0), (1, 250, 250))
    measured, by_pixels, by_pictures, _ = error_of_means(ramp, 0)
    np.testing.assert_allclose(measured, by_pictures, rtol=0.12)
    assert (measured / by_pixels > 5).all()  # σ is all between the crops: √36 = 6 times
    assert not error_of_means(np.ones((2, 9, 9)), 0)[0].any()


def test_batch_errors_are_asked_for_at_every_size(workspace: Workspace) -> None:
    data, arrays = ask(workspace, "batch-error", side=80)
    assert data["sizes"] == list(SIZES)
    assert {one.shape for one in arrays.values()} == {(len(SIZES), 6)}


class Hybrid(nn.Module):
    """A convolution's maps become tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.BatchNorm2d(4), nn.ReLU())
        self.norm = nn.LayerNorm(4)
        self.last = nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.norm(self.stem(x).flatten(2).transpose(1, 2))
        return self.last(tokens.mean(1, keepdim=True)[:, None])  # one place: (B, 1, 1, D)


def test_statistics_on_both_sides_of_a_norm(workspace: Workspace, picture: np.ndarray) -> None:
    torch.manual_seed(0)
    model = Hybrid().eval()
    model.stem[1].running_mean += 0.5
    recipe = get_recipe("imagenet").at(32)
    key = workspace.add_model("hybrid", model, recipe).key
    x = torch.from_numpy(recipe(picture))
    with torch.no_grad():
        maps = model.stem[0](x)
        normed = model.stem[1](maps)
        tokens = torch.relu(normed).flatten(2).transpose(1, 2)
        pairs = [[one.flatten(2)[0].T for one in (maps, normed)], [tokens[0], model.norm(tokens)[0]]]
    for number, sides in enumerate(pairs):
        data, arrays = ask(workspace, "norm-statistics", model=key, norm=number)
        assert [one[:2] for one in data["norms"]] == [["stem.1", "batch_norm"], ["norm", "layer_norm"]]
        for side, value in zip(("before", "behind"), sides, strict=True):
            # the graph sums in float32 as the model does
            for axis, name in ((0, "channel"), (1, "place")):
                np.testing.assert_allclose(arrays[f"{side} {name}_mean"], value.mean(axis), rtol=1e-4, atol=1e-6)
                variance = value.var(axis, correction=0)
                np.testing.assert_allclose(arrays[f"{side} {name}_variance"], variance, rtol=1e-4, atol=1e-6)
    assert ask(workspace, "norm-statistics", model=key)[0]["number"] == 1
    np.testing.assert_allclose(arrays["behind place_mean"], 0, atol=1e-6)


def test_a_model_without_norms_says_so(workspace: Workspace) -> None:
    key = workspace.add_model("plain", nn.Conv2d(3, 4, 8, stride=8).eval(), get_recipe("imagenet").at(32)).key
    with pytest.raises(PhotositeError, match="plain: has no norm over a map or tokens"):
        ask(workspace, "norm-statistics", model=key)


def answers(asked: list[dict[str, Any]]) -> list[Any]:
    """What the page's own modules compute."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH; install Node 20 or newer to compute what the page computes")
    script = Path(__file__).parent / "page" / "norm_answer.js"
    done = subprocess.run([node, str(script)], input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def by_ops(norm: str, x: np.ndarray, groups: int) -> np.ndarray:
    last = np.moveaxis(x, 1, -1)
    return {
        "batch": lambda: batch_norm(x, None, None, None, None, True, 0.1, 1e-5),
        "layer": lambda: layer_norm(x, x.shape[1:]),
        "token": lambda: np.moveaxis(layer_norm(last, last.shape[-1:]), -1, 1),
        "instance": lambda: instance_norm(x, None, None, None, None, True, 0.1, 1e-5),
        "group": lambda: group_norm(x, groups),
        "rms": lambda: np.moveaxis(rms_norm(last, last.shape[-1:], eps=1e-5), -1, 1),
    }[norm]()


def test_norms_over_random_shapes() -> None:
    rng = np.random.default_rng(5)
    asked, wanted = [], []
    for norm in ("batch", "layer", "token", "instance", "group", "rms"):
        for _ in range(20):
            groups = int(rng.integers(1, 4))
            sizes = [int(rng.integers(1, 5)), groups * int(rng.integers(1, 4)), *rng.integers(1, 6, 2).tolist()]
            x = rng.normal(rng.normal(), 2, sizes)
            asked.append({"kind": "norm", "norm": norm, "sizes": sizes, "groups": groups, "values": x.ravel().tolist()})
            wanted.append((x, by_ops(norm, x, groups)))
    for one, found, (x, y) in zip(asked, answers(asked), wanted, strict=True):
        # sums in another order; a set of one or two numbers divides rounding by √ε
        np.testing.assert_allclose(np.reshape(found["result"], x.shape), y, rtol=1e-9, atol=1e-10, err_msg=str(one))
        sets = np.array(found["sets"])
        for k, (mean, variance, count) in enumerate(zip(found["mean"], found["variance"], found["count"], strict=True)):
            members = x.ravel()[sets == k]
            assert count == len(members)
            np.testing.assert_allclose([mean, variance], [members.mean(), members.var()], rtol=1e-9, atol=1e-12)


def test_what_the_page_reads_from_curves(workspace: Workspace) -> None:
    for begin, said in (("xavier", "holds"), ("he", "does not hold")):
        gradient = ask(workspace, "residual", layers=32, width=64, begin=begin, side=60)[1]["gradient"]
        (found,) = answers([{"kind": "depth", "two": gradient.tolist()}])
        assert found["found"] == said
        np.testing.assert_allclose(found["without"]["share"], gradient[0, 0] / gradient[0, -1], rtol=1e-12)
        np.testing.assert_allclose(found["shortcut"]["each"] ** 16, gradient[1, 0] / gradient[1, -1], rtol=1e-9)
