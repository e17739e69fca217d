"""Dreamed pictures: closed forms, units that start dead, any channels and sizes, and that what is claimed is true."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from photosite.analysis.activation_maximization import Dreams, Search, _notes, gain, maximize
from photosite.analysis.dreaming.objective import Target
from photosite.analysis.dreaming.parameterization import KINDS, Kind
from photosite.analysis.dreaming.preparation import Preparation
from photosite.errors import MismatchedWeightsError, PhotositeError, RangeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from photosite.nets import create_model
from photosite.prep.load import load
from photosite.prep.recipes import get_recipe

STILL = Search(steps=200, moves=0, contrast=0.02)
"""Pictures that are not moved, of bounded contrast: what a closed form speaks of."""


@pytest.fixture(autouse=True)
def one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def read(model: nn.Module, *shape: int, dtype: torch.dtype = torch.float32) -> Graph:
    return functional(capture(model, torch.zeros(shape, dtype=dtype)))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


def deviation(found: Dreams, number: int = 0) -> np.ndarray:
    """How far a picture is from mid gray, (C, H, W)."""
    return np.moveaxis(found.found[number].picture / 255 - 0.5, -1, 0)


def small(seed: int = 0, channels: int = 3) -> nn.Module:
    """Two convolutions with ReLUs in place, and a head."""
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(channels, 8, 5, 2, 2), nn.ReLU(inplace=True), nn.Conv2d(8, 6, 3, 1, 1), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_of_pictures_of_one_norm_a_linear_filter_answers_to_itself_most(kind: Kind, channels: int) -> None:
    torch.manual_seed(1)
    model = nn.Conv2d(channels, 2, 24, bias=False)
    search = Search(steps=400, moves=0, contrast=0.1, kind=kind)
    found = maximize(read(model, 1, channels, 24, 24), model, Target("conv2d", 1), search=search)
    assert cosine(deviation(found), model.weight[1].detach().numpy()) > 0.95
    # Cauchy-Schwarz: no picture of that contrast gives more than norm times norm, beside what mid gray gives
    weight = model.weight[1].detach().double()
    most = 0.1 * np.sqrt(weight.numel()) * float(weight.norm()) + 0.5 * float(weight.sum())
    assert 0.95 * most < found.found[0].reached <= most * (1 + 1e-5)  # float32


def gabor(angle: float, wave: float = 5.0, side: int = 11) -> torch.Tensor:
    """A wave under a bell, of one color against another."""
    y, x = torch.meshgrid(*[torch.arange(side) - side // 2.0] * 2, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    plane = torch.exp(-(x**2 + y**2) / (2 * 2.5**2)) * torch.cos(2 * np.pi * along / wave)
    return torch.stack([plane, 0.5 * plane, -plane])


def test_a_gabor_filter_of_a_first_layer_is_found_where_the_unit_looks() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 11, padding=5, bias=False), nn.ReLU(inplace=True))
    with torch.no_grad():
        for number in range(4):
            model[0].weight[number] = gabor(number * np.pi / 4)
    recipe = get_recipe("imagenet@32")
    found = maximize(read(model, 1, 3, 32, 32), model, Target("1", 2, (9, 20)), Preparation.of(recipe), STILL)
    wanted = gabor(np.pi / 2).numpy() / np.array(recipe.std).reshape(3, 1, 1)  # the picture's numbers come over std
    seen = deviation(found)[:, 4:15, 15:26]
    assert cosine(seen - seen.mean(), wanted - wanted.mean()) > 0.95
    others = [cosine(seen, gabor(number * np.pi / 4).numpy()) for number in (0, 1, 3)]
    assert max(map(abs, others)) < 0.6
    assert found.found[0].place == (9, 20)


class Closed(nn.Module):
    """A unit whose ReLU is closed for all faint noise; the gate is written in the way that is asked for."""

    def __init__(self, gate: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.gate, self.conv, self.next = gate, nn.Conv2d(3, 4, 7, 2), nn.Conv2d(4, 2, 3)
        nn.init.constant_(self.conv.bias, -0.7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.next(self.gate(self.conv(x)))
        return self.gate(y)


RELUS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "relu_": lambda x: x.relu_(),
    "relu6": F.relu6,
    "clamp": lambda x: x.clamp(min=0),
    "clamp_": lambda x: x.clamp_(0, 4),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
}


@pytest.mark.parametrize("gate", RELUS)
def test_a_unit_that_is_closed_for_every_picture_at_the_start_is_reached(gate: str) -> None:
    model = Closed(RELUS[gate])
    graph = read(model, 1, 3, 32, 32)
    target, search = Target(graph.nodes[1].name, 2), Search(steps=80, moves=0)
    found = maximize(graph, model, target, search=search)
    assert (found.closed, found.found[0].start) == (1, 0.0)
    assert found.found[0].shown > 0.01
    assert found.found[0].above_random
    with pytest.raises(
        RangeError, match=r"nothing changes this target.*gives 0 in all of 80 steps.*no gradient came through"
    ):
        maximize(graph, model, target, search=Search(steps=80, moves=0, relax=False))


def test_a_logit_behind_a_layer_that_is_closed_is_reached_too() -> None:
    model = Closed(F.relu)
    nn.init.constant_(model.next.bias, 0.2)
    graph = read(model, 1, 3, 32, 32)
    found = maximize(graph, model, Target("next", 0), search=Search(steps=120))
    assert found.closed == 1
    assert found.found[0].shown > found.found[0].start + 0.003
    with pytest.raises(RangeError, match="nothing changes this target"):
        maximize(graph, model, Target("next", 0), search=Search(steps=120, relax=False))


def test_a_unit_that_no_picture_reaches_is_refused_with_the_reason() -> None:
    model = small()
    with torch.no_grad():
        model[2].weight[3], model[2].bias[3] = 0, -1
    with pytest.raises(RangeError, match=r"nothing changes this target: relu__1 gives 0 in all of 40 steps.*is dead"):
        maximize(read(model, 1, 3, 32, 32), model, Target("3", 3), search=Search(steps=40))


def test_a_seed_gives_the_same_picture_bit_for_bit_and_another_seed_another() -> None:
    model = small()
    graph = read(model, 1, 3, 32, 32)

    def found(seed: int) -> Dreams:
        torch.manual_seed(seed * 7)  # the caller's random state does not matter
        torch.rand(3)
        return maximize(graph, model, Target("2", 1), search=Search(steps=30, seed=seed))

    first, again, other = found(3), found(3), found(4)
    assert first.found[0].picture.tobytes() == again.found[0].picture.tobytes()
    assert first.found[0].reached == again.found[0].reached
    assert first.curve.tolist() == again.curve.tolist()
    assert first.found[0].picture.tobytes() != other.found[0].picture.tobytes()


def test_several_results_are_pushed_apart() -> None:
    model = create_model("photosite_resnet12", weights="default").eval()
    how, graph = Preparation.of(get_recipe("cifar10@32")), read(model, 3, 3, 32, 32)
    target = Target("layer2", 3)
    apart, free = (maximize(graph, model, target, how, Search(steps=40, diversity=d)) for d in (2.0, 0.0))
    alike = [[one.alike or 0.0 for one in found.found] for found in (apart, free)]
    assert max(alike[0]) < 0.8 * min(alike[1])
    pictures = [one.picture.astype(float) for one in apart.found]
    assert min(np.abs(a - b).mean() for a, b in zip(pictures, pictures[1:] + pictures[:1], strict=True)) > 20


@pytest.mark.parametrize(
    ("channels", "side", "kind"),
    [(1, 32, "fourier"), (4, 64, "fourier"), (13, 48, "pixels"), (3, 128, "pixels"), (13, 224, "fourier")],
)
def test_any_number_of_channels_and_any_size(channels: int, side: int, kind: Kind) -> None:
    model = small(channels=channels)
    graph = read(model, 1, channels, side, side + 2)
    found = maximize(graph, model, Target("6", 2), search=Search(steps=16, kind=kind)).found[0]
    assert found.picture.shape == (side, side + 2, channels)
    assert found.shown > found.start
    assert found.above_random


def test_the_model_is_left_as_it_was_and_its_relus_in_place_do_no_harm() -> None:
    model = nn.Sequential(small(), nn.Dropout(0.5), nn.BatchNorm1d(4)).train()
    model[0][0].bias.requires_grad_(False)
    model[0][0].weight.grad = torch.ones_like(model[0][0].weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [(one.training, [p.requires_grad for p in one.parameters(recurse=False)]) for one in model.modules()]
    random = torch.get_rng_state()
    found = maximize(read(model, 1, 3, 32, 32), model, Target("0", 1), search=Search(steps=20))
    assert found.found[0].shown > found.found[0].start
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [(o.training, [p.requires_grad for p in o.parameters(recurse=False)]) for o in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(model[0][0].weight.grad, torch.ones_like(model[0][0].weight))
    assert not any(one._forward_hooks or one._backward_hooks for one in model.modules())


@pytest.mark.parametrize("recipe", ["cifar10@64", "clip@64"])
def test_the_claim_is_what_the_model_gives_for_the_saved_png(recipe: str) -> None:
    model, how = create_model("photosite_resnet12", weights="default").eval(), get_recipe(recipe)
    found = maximize(read(model, 1, 3, 64, 64), model, Target("layer1", 5), Preparation.of(how), Search(steps=40))
    one, file = found.found[0], io.BytesIO()
    Image.fromarray(one.picture).save(file, "PNG")
    with torch.no_grad():
        seen: list[torch.Tensor] = []
        hook = model.layer1.register_forward_hook(lambda _m, _x, y: seen.append(y))  # type: ignore[union-attr]
        model(torch.from_numpy(how.normalized(load(file.getvalue()))))
        hook.remove()
    assert float(seen[0][0, 5].double().mean()) == pytest.approx(one.shown, rel=1e-6)
    assert one.true
    assert one.shown == pytest.approx(one.reached, rel=0.01)


@pytest.mark.parametrize(
    ("node", "channel", "least"), [("relu", 4, 1.2), ("layer2", 3, 1.5), ("layer3", 5, 3), ("fc", 3, 5)]
)
def test_the_shipped_encoder_gives_more_than_for_the_best_random_picture(node: str, channel: int, least: float) -> None:
    model = create_model("photosite_resnet12", weights="default").eval()
    how = Preparation.of(get_recipe("cifar10@32"))
    one = maximize(read(model, 1, 3, 32, 32), model, Target(node, channel), how, Search(steps=96)).found[0]
    assert one.true
    assert (gain(one.shown, one.random_max) or 0) > least
    assert one.random_mean <= one.random_max


def test_a_direction_is_the_sum_of_its_channels_and_tokens_have_units() -> None:
    model = small()
    graph = read(model, 1, 3, 32, 32)
    factors = [0.0, 1.0, 0.0, -2.0, 0.0, 0.5]
    one = maximize(graph, model, Target("2", factors, (3, 4)), search=Search(steps=20)).found[0]
    with torch.no_grad():
        value = model[:3](Preparation().of_levels(one.picture[None]))[0, :, 3, 4]
    assert one.shown == pytest.approx(float(value @ torch.tensor(factors)), rel=1e-5)


class Tokens(nn.Module):
    """Patches as tokens behind a class token, with a smooth gate."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.mlp = nn.Conv2d(3, 12, 8, 8), nn.Linear(12, 12)
        self.first = nn.Parameter(torch.zeros(1, 1, 12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens], 1)
        y: torch.Tensor = F.gelu(self.mlp(tokens))
        return y


def test_a_place_among_tokens_counts_behind_the_class_token() -> None:
    model = Tokens()
    one = maximize(read(model, 1, 3, 32, 32), model, Target("gelu", 7, (1, 2)), search=Search(steps=20)).found[0]
    with torch.no_grad():
        value = model(Preparation().of_levels(one.picture[None]))[0, 1 + 1 * 4 + 2, 7]
    assert one.shown == pytest.approx(float(value), rel=1e-5)
    assert one.shown > one.start


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = small().to(dtype)
    one = maximize(read(model, 1, 3, 32, 32, dtype=dtype), model, Target("2", 1), search=Search(steps=20)).found[0]
    assert one.shown > 1.05 * abs(one.start)
    assert one.above_random


def test_whatever_the_caller_switched_off() -> None:
    model = small().requires_grad_(False)
    graph, search = read(model, 1, 3, 32, 32), Search(steps=12)
    plain = maximize(graph, model, Target("2", 1), search=search).found[0].picture
    with torch.no_grad():
        assert np.array_equal(maximize(graph, model, Target("2", 1), search=search).found[0].picture, plain)
    with torch.inference_mode():
        inside = small()
        assert np.array_equal(maximize(graph, inside, Target("2", 1), search=search).found[0].picture, plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert np.array_equal(maximize(graph, model, Target("2", 1), search=search).found[0].picture, plain)
    compiled = torch.compile(model)
    found = maximize(read(compiled, 1, 3, 32, 32), compiled, Target("2", 1), search=search)
    assert np.array_equal(found.found[0].picture, plain)


class Root(nn.Module):
    """Its gradient becomes infinite at 0, its value NaN below."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (0.95 - x).sqrt()


def test_numbers_that_are_not_finite_end_the_search_and_are_said() -> None:
    search = Search(steps=200, moves=0)
    found = maximize(read(Root(), 1, 1, 8, 8), Root(), Target("sqrt", [-1.0]), search=search)
    assert len(found.notes) >= 1
    assert "no longer finite" in found.notes[0]
    assert np.isfinite(found.found[0].shown)
    with pytest.raises(RangeError, match="sqrt is not finite for faint noise"):
        maximize(read(Root(), 1, 1, 8, 8), Root(), Target("sqrt", 0), Preparation(mean=(-1.0,)), Search(steps=5))


class Stepped(nn.Module):
    """Forgets how its values came about, and counts."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = (x > 0.5).float() + x.detach()
        return y, x.argmax(1)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (Target("nowhere", 0), "no node or module named 'nowhere'"),
        (Target("2", 6), "conv2d_1 has channels 0 … 5, no 6"),
        (Target("2", -1), "no -1"),
        (Target("2", [1.0, 2.0]), r"wants 6 factors, got \(2,\)"),
        (Target("2", [0.0] * 6), "not all of them 0"),
        (Target("2", [float("nan")] * 6), "finite factors"),
        (Target("2", 0, (16, 0)), "has 16 × 16 places, none at 16,0"),
        (Target("6", 0, (0, 0)), "has no map of places"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_searched(target: Target, says: str) -> None:
    model = small()
    with pytest.raises((RangeError, ShapeError, UnknownNameError), match=says):
        maximize(read(model, 1, 3, 32, 32), model, target)


def test_what_no_gradient_comes_from_is_refused() -> None:
    model = Stepped()
    graph = read(model, 1, 3, 8, 8)
    with pytest.raises(PhotositeError, match="no gradient leads from add back to the picture"):
        maximize(graph, model, Target("add", 0), search=Search(steps=3))
    with pytest.raises(ShapeError, match="argmax gives int64"):
        maximize(graph, model, Target("argmax", 0))
    with pytest.raises(ShapeError, match="wants a model of one picture"):
        maximize(functional(capture(nn.Linear(3, 2), torch.zeros(1, 3))), nn.Linear(3, 2), Target("linear", 0))
    with pytest.raises(MismatchedWeightsError, match=r"0.weight wants \(8, 3, 5, 5\), got \(8, 1, 5, 5\)"):
        maximize(read(small(), 1, 3, 32, 32), small(channels=1), Target("2", 0))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 0}, "steps wants at least 1"),
        ({"rate": 0.0}, "rate wants a finite number above 0"),
        ({"moves": -1.0}, "moves wants a finite number of at least 0"),
        ({"diversity": float("nan")}, "diversity wants"),
    ],
)
def test_a_search_that_cannot_be_run_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(RangeError, match=says):
        Search(**wrong)  # type: ignore[arg-type]


def test_what_a_reader_should_know_is_said_for_one_and_for_several() -> None:
    model = small()
    one = maximize(read(model, 1, 3, 32, 32), model, Target("2", 1), search=Search(steps=6))
    two = maximize(read(model, 2, 3, 32, 32), model, Target("2", 1), search=Search(steps=6))
    weak = [replace(found.found[0], shown=found.found[0].random_mean, moved=-1.0) for found in (one, two)]
    said = _notes(weak[:1]), _notes([weak[1], two.found[1]])
    assert said[0][0] == "the picture gives no more than the best of 64 random pictures of the same spectrum"
    assert said[1][0].startswith("1 of 2 pictures give no more")
    assert said[0][-1] == "the picture loses more than half when moved or turned a little"
    untrue = _notes([replace(one.found[0], reached=9.0)])
    assert "the picture loses or gains more than 1% when rounded to 8 bits" in untrue
