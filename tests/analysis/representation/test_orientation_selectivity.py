"""Orientation selectivity: kernels of known direction, laws, the cells of the literature, layouts, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.analysis.dreaming.preparation import Preparation
from photosite.analysis.gabor import fit_gabors
from photosite.analysis.representation.orientation_selectivity import orientation_selectivity
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.nets import create_model
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network

Array = npt.NDArray[Any]
SIDE = 11
QUICK: dict[str, Any] = {"frequencies": (0.12, 0.2), "batch": 64}


def gabor(orientation: float, frequency: float = 0.2, phase: float = 0.0, spread: float = 2.2) -> Array:
    """A kernel of known direction, written without the code under test: (SIDE, SIDE)."""
    up, right = np.meshgrid(
        np.arange(SIDE // 2, -(SIDE // 2) - 1, -1), np.arange(-(SIDE // 2), SIDE // 2 + 1), indexing="ij"
    )
    turn = np.deg2rad(orientation)
    along, across = right * np.cos(turn) + up * np.sin(turn), right * np.sin(turn) - up * np.cos(turn)
    wave = np.cos(2 * np.pi * frequency * across + phase) * np.exp(-(along**2 + across**2) / (2 * spread**2))
    return wave - wave.mean()


def layer(kernels: Array, *behind: nn.Module, bias: float = 0.0) -> nn.Module:
    """A convolution of one channel with these kernels."""
    conv = nn.Conv2d(1, len(kernels), kernels.shape[-1])
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(kernels)[:, None])
        conv.bias.fill_(bias)  # type: ignore[union-attr]
    return nn.Sequential(conv, *behind).eval()


def measured(model: nn.Module, node: str = "0", side: int = 24, **how: Any) -> tuple[Array, Array]:
    return orientation_selectivity(model, [node], (1, side, side), **{**QUICK, **how})[node]


def apart(a: Array, b: Array) -> Array:
    """Degrees between directions, 0 ... 90."""
    found: Array = np.abs((a - b + 90) % 180 - 90)
    return found


DIRECTIONS = np.array([0.0, 7.0, 15.0, 30.0, 41.0, 60.0, 90.0, 98.0, 120.0, 135.0, 151.0, 177.0])


@pytest.mark.parametrize("rectified", [False, True])
def test_gabors_have_the_direction_that_they_were_made_with(rectified: bool) -> None:
    kernels = np.stack([gabor(direction, phase=n) for n, direction in enumerate(DIRECTIONS)])
    selectivity, orientation = measured(layer(kernels, nn.ReLU()), "1" if rectified else "0")
    assert apart(orientation, DIRECTIONS).max() < 1  # gratings are 15 degrees apart
    assert selectivity.min() > 0.7
    fits = fit_gabors(kernels[:, None])
    assert apart(orientation, np.array([fit.orientation for fit in fits])).max() < 1


def test_a_difference_of_neighbors_by_hand() -> None:
    # the amplitude of x[+1] - x[-1] on cos(2 pi f u) is 2 |sin(2 pi f cos d)| / 2, d the direction of the wave
    d = np.deg2rad(90 - np.arange(12) * 15)
    tuning = np.abs(np.sin(2 * np.pi * 0.1 * np.cos(d)))
    wanted = np.abs(np.sum(tuning * np.exp(2j * d))) / tuning.sum()
    selectivity, orientation = measured(layer(np.array([[[0, 0, 0], [-1.0, 0, 1], [0, 0, 0]]])), frequencies=[0.1])
    assert selectivity == pytest.approx([wanted], abs=1e-5)  # float32 levels
    assert wanted == pytest.approx(1 / 3, abs=0.02)  # of |cos d|, exactly so in the limit
    assert apart(orientation, np.array([90.0])).max() < 1e-3


def test_what_looks_the_same_in_all_directions_selects_none() -> None:
    down, across = np.mgrid[-5:6, -5:6]
    square = down**2 + across**2
    rings = np.exp(-square / 4) / 4 - np.exp(-square / 9) / 9
    blob = np.exp(-square / 8)
    point = (square == 0).astype(float)
    selectivity, _ = measured(layer(np.stack([rings, blob, point]), nn.ReLU()), "1")
    assert selectivity.max() < 0.01


def test_a_quarter_turn_of_the_kernel_turns_the_answer() -> None:
    kernels = np.random.default_rng(0).normal(size=(6, 5, 5))
    selectivity, orientation = measured(layer(kernels))
    turned = measured(layer(np.rot90(kernels, axes=(1, 2)).copy()))
    assert turned[0] == pytest.approx(selectivity, abs=1e-5)
    assert apart(turned[1], orientation + 90).max() < 1e-2


@settings(deadline=None, max_examples=15)
@given(st.floats(0, 180), st.floats(0, 6), st.floats(1e-3, 1e3), st.floats(-3, 3))
def test_direction_whatever_phase_strength_and_bias(
    direction: float, phase: float, strength: float, bias: float
) -> None:
    kernels = np.stack([gabor(direction, phase=phase), strength * gabor(direction, phase=phase)])
    selectivity, orientation = measured(layer(kernels, bias=bias * strength), frequencies=[0.2])
    assert apart(orientation, np.full(2, direction)).max() < 1
    assert selectivity[1] == pytest.approx(selectivity[0], abs=1e-3)


def test_cells_that_do_not_care_for_the_phase_answer_by_their_mean() -> None:
    class Energy(nn.Module):
        """A complex cell: the squares of a quadrature pair (Adelson and Bergen 1985), on top of a constant."""

        def __init__(self) -> None:
            super().__init__()
            self.pair = layer(np.stack([gabor(30), gabor(30, phase=np.pi / 2)]))

        def forward(self, x: Tensor) -> Tensor:
            return (self.pair(x) ** 2).sum(1, keepdim=True) + 5

    selectivity, orientation = orientation_selectivity(Energy(), ["add"], (1, 24, 24), **QUICK)["add"]
    simple, _ = measured(layer(gabor(30)[None]))
    assert apart(orientation, np.array([30.0])).max() < 1
    # squares are more selective than amplitudes: of a tuning exp(k cos 2 d), k becomes 2 k
    assert simple[0] < selectivity[0] < 1


def test_a_threshold_makes_more_selective_and_phases_suffice() -> None:
    model = layer(gabor(60)[None], nn.ReLU(), bias=-1.5)
    linear, rectified = measured(model), measured(model, "1")
    assert rectified[0] > linear[0] + 0.02
    assert apart(rectified[1], linear[1]).max() < 1
    assert measured(model, "1", phases=64)[0] == pytest.approx(rectified[0], abs=0.01)


def test_the_tuning_is_that_of_the_frequency_answered_to_most() -> None:
    kernel = gabor(45, 0.25, spread=2.8)[None]
    best = measured(layer(kernel), frequencies=[0.25])
    assert measured(layer(kernel), frequencies=[0.06, 0.25, 0.4])[0] == pytest.approx(best[0], abs=1e-6)
    assert measured(layer(kernel), frequencies=[0.06, 0.4])[0] != pytest.approx(best[0], abs=1e-3)


def test_places_near_the_border_do_not_count() -> None:
    kernels = np.random.default_rng(1).normal(size=(5, 5, 5))
    model = layer(kernels)
    padded = nn.Sequential(nn.ZeroPad2d(2), model[0])  # type: ignore[index]
    inside, with_border = measured(model, "0", 16), measured(padded, "1", 16)
    # 6 of 12 places in the middle against 8 of 16: other places, the same cells
    assert with_border[0] == pytest.approx(inside[0], abs=2e-3)
    assert apart(with_border[1], inside[1]).max() < 0.5


def test_dead_channels_are_not_a_number() -> None:
    conv = nn.Conv2d(3, 4, 5)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[1, 0], conv.weight[1, 1] = 1.1, -1.1  # red less green: gray stripes are nothing to it
        conv.weight[2] = torch.from_numpy(gabor(0)[3:8, 3:8])
        conv.weight[3] = torch.from_numpy(gabor(0)[3:8, 3:8])
    model = nn.Sequential(conv, nn.ReLU())
    with torch.no_grad():
        conv.bias.copy_(torch.tensor([0.3, 0.3, 0.3, -99]))  # type: ignore[union-attr]
    found = orientation_selectivity(model, ["0", "1"], (3, 16, 16), **QUICK)
    assert np.isnan(found["0"]).T.tolist() == [[True] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert np.isnan(found["1"]).T.tolist() == [[True] * 2, [True] * 2, [False] * 2, [True] * 2]
    assert found["0"][0].dtype == np.float32


def test_gratings_go_through_mean_deviation_order_and_layout() -> None:
    recipe = get_recipe("cifar10")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU())

    class Prepared(nn.Module):
        """The same, with the preparation inside."""

        def __init__(self, last: bool = False, reverse: bool = False, recipe: bool = True) -> None:
            super().__init__()
            self.inner, self.last, self.reverse, self.prepares = model, last, reverse, recipe
            self.register_buffer("mean", torch.tensor(get_recipe("cifar10").mean)[:, None, None])
            self.register_buffer("std", torch.tensor(get_recipe("cifar10").std)[:, None, None])

        def forward(self, x: Tensor) -> Tensor:
            x = x.permute(0, 3, 1, 2) if self.last else x
            x = x.flip(1) if self.reverse else x
            if self.prepares:
                x = (x - self.mean) / self.std
            found: Tensor = self.inner(x)
            return found

    wanted = orientation_selectivity(model, ["1"], (3, 16, 16), recipe, **QUICK)["1"]
    assert orientation_selectivity(model, ["1"], (3, 16, 16), **QUICK)["1"][0] != pytest.approx(wanted[0], abs=1e-3)
    plain = orientation_selectivity(Prepared(), ["relu"], (3, 16, 16), **QUICK)["relu"]
    assert plain[0] == pytest.approx(wanted[0], abs=1e-4)
    order = Preparation(recipe.mean[::-1], recipe.std[::-1], last=True, reverse=True)  # as the model has its channels
    wrapped = Prepared(last=True, reverse=True, recipe=False)
    turned = orientation_selectivity(wrapped, ["relu"], (16, 16, 3), order, **QUICK)["relu"]
    assert turned[0] == pytest.approx(wanted[0], abs=1e-4)
    order = Preparation(recipe.mean, recipe.std, last=True)
    turned = orientation_selectivity(wrapped, ["relu"], (16, 16, 3), order, **QUICK)["relu"]
    assert turned[0] != pytest.approx(wanted[0], abs=1e-3)


def test_tokens_and_channels_last_have_the_same_answers() -> None:
    conv = nn.Conv2d(3, 5, 4, 4)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.first = conv, nn.Parameter(torch.ones(1, 1, 5))

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.conv(x).flatten(2).transpose(1, 2)
            return torch.cat([self.first.expand(len(x), -1, -1), tokens], 1).relu()

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x).permute(0, 2, 3, 1).relu()

    shape = (3, 20, 28)
    wanted = orientation_selectivity(nn.Sequential(conv, nn.ReLU()), ["1"], shape, **QUICK)["1"]
    for model in (Tokens(), Last()):
        found = orientation_selectivity(model, ["relu"], shape, **QUICK)["relu"]
        assert found[0] == pytest.approx(wanted[0], abs=1e-5, nan_ok=True)
        assert found[1] == pytest.approx(wanted[1], abs=1e-2, nan_ok=True)


def test_values_without_places_and_how_much_at_once() -> None:
    model = network()
    wanted = orientation_selectivity(model, ["conv3", "head"], (3, 14, 14), batch=1)
    found = orientation_selectivity(model, ["conv3", "head"], (3, 14, 14), batch=50)  # the last batch is not full
    assert wanted["head"][0].shape == (5,)
    for name in wanted:
        assert found[name][0] == pytest.approx(wanted[name][0], abs=1e-4)
    assert not model.get_submodule("conv3")._forward_hooks


def test_our_encoders_kernels_have_the_directions_of_their_fits() -> None:
    model = create_model("photosite_resnet12", "default")
    gray = model.get_parameter("conv1.weight").detach().numpy() / np.array(get_recipe("cifar10").std)[:, None, None]
    fits = fit_gabors(gray.sum(1, keepdims=True))
    _, orientation = orientation_selectivity(model, ["conv1"], (3, 32, 32), get_recipe("cifar10"))["conv1"]
    striped = [n for n, fit in enumerate(fits) if fit.kind == "oriented"]
    assert len(striped) >= 8
    wanted = np.array([fits[n].orientation for n in striped])
    off = apart(orientation[striped], wanted)
    assert np.median(off) < 3
    assert off.max() < 20  # stripes that curve or overlap have no one direction


def test_what_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(RangeError, match="at least 4 phases, got 3"):
        orientation_selectivity(model, ["0"], (3, 16, 16), phases=3)
    with pytest.raises(RangeError, match="batch of at least 1, got 0"):
        orientation_selectivity(model, ["0"], (3, 16, 16), batch=0)
    with pytest.raises(RangeError, match="at least 3 orientations, got 2"):
        orientation_selectivity(model, ["0"], (3, 16, 16), orientations=2)
    with pytest.raises(RangeError, match="at least 1 frequency, got none"):
        orientation_selectivity(model, ["0"], (3, 16, 16), frequencies=[])
    with pytest.raises(RangeError, match=r"up to 0\.5 cycles a pixel, got 0\.7"):
        orientation_selectivity(model, ["0"], (3, 16, 16), frequencies=[0.7])
    with pytest.raises(RangeError, match="at least 4 × 4"):
        orientation_selectivity(model, ["0"], (3, 3, 3))
    with pytest.raises(ShapeError, match=r"the shape of one input, .*got \(1, 3, 16, 16\)"):
        orientation_selectivity(model, ["0"], (1, 3, 16, 16))
    with pytest.raises(ShapeError, match="mean wants 1 number or 5"):
        orientation_selectivity(model, ["0"], (5, 16, 16), get_recipe("cifar10"))
    with pytest.raises(UnknownNameError, match="no node or module named '2'"):
        orientation_selectivity(model, ["2"], (3, 16, 16))
    with torch.no_grad():
        model.get_parameter("0.bias")[1] = torch.inf
    with pytest.raises(RangeError, match="conv2d gives numbers that are not finite"):
        orientation_selectivity(model, ["0"], (3, 16, 16))
