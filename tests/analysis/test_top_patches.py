"""Patches of top activations: exactly what the unit sees, what it sends back, what lies beyond the photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.analysis.aim import Aim
from photosite.analysis.backward import Backward
from photosite.analysis.deconvolution import deconvnet, guided_backpropagation
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.top_activations import TopActivations, top_activations
from photosite.analysis.top_patches import Patch, top_patches
from photosite.errors import RangeError
from photosite.prep.recipe import Picture, Recipe
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network

RECIPE = replace(get_recipe("cifar10"), resize="squash", size_hw=(32, 32), crop_hw=None)
PICTURES = [np.random.default_rng(seed).integers(0, 256, (30 + seed, 40, 3), np.uint8) for seed in range(8)]


@cache
def positive() -> nn.Module:
    """7 pixels, then 15, every second of them; nothing is blocked and nothing cancels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.ReLU(), nn.Conv2d(4, 5, 5, 1, 2), nn.ReLU())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_().add_(0.01)
    return model.eval()


class Gated(nn.Module):
    """A gate behind a mean, as squeeze and excite has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 5, 1, 2), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


class Opener:
    """Opens pictures again, and remembers which."""

    def __init__(self, pictures: Sequence[Picture] = PICTURES) -> None:
        self.pictures, self.asked = pictures, list[int]()

    def __call__(self, numbers: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        for number in numbers:
            self.asked.append(number)
            yield number, self.pictures[number]


def made(
    model: nn.Module,
    node: str,
    rule: Any = None,
    recipe: Recipe = RECIPE,
    opener: Opener | None = None,
    k: int = 3,
) -> tuple[list[Patch], TopActivations]:
    found = top_activations(model, PICTURES, recipe, [node], k, batch=4)
    backward = Backward(model, torch.from_numpy(recipe(PICTURES[0])).repeat(4, 1, 1, 1))
    patches = top_patches(
        found,
        {node: range(found.places[node].width)},
        opener or Opener(),
        recipe,
        {node: ReceptiveFields(backward.graph)[node]},
        None if rule is None else backward,
        rule or "gradient",
    )
    return list(patches), found


def activation(model: nn.Module, pixels: Picture, patch: Patch) -> float:
    with torch.no_grad():
        value = model[:3](torch.from_numpy(RECIPE.normalized(pixels)))  # type: ignore[index]
    assert patch.top.place is not None
    return float(value[0, patch.channel][patch.top.place])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 14), st.data())
def test_a_crop_holds_exactly_the_pixels_that_the_unit_depends_on(which: int, data: st.DataObject) -> None:
    patch = _patches()[which]
    pixels = RECIPE.cropped(RECIPE.resized(PICTURES[patch.top.picture]))
    before = activation(positive(), pixels, patch)
    assert before == pytest.approx(patch.top.value, rel=1e-5)
    top, left, bottom, right = patch.box
    assert np.array_equal(pixels[top:bottom, left:right], patch.pixels)
    outside = pixels ^ 255
    outside[top:bottom, left:right] = patch.pixels
    assert activation(positive(), outside, patch) == before
    row, column = data.draw(st.integers(top, bottom - 1)), data.draw(st.integers(left, right - 1))
    inside = pixels.copy()
    inside[row, column] ^= 255
    assert activation(positive(), inside, patch) != before


@cache
def _patches() -> list[Patch]:
    return made(positive(), "2")[0]


def test_by_hand() -> None:
    """A unit at y, x of the second layer sees 15 pixels from 2 y - 7 on; in a corner 8 of them are photo."""
    patches, found = made(positive(), "2", k=8)
    assert len(patches) == 5 * 8
    for patch in patches:
        assert patch.top == found.top("2", patch.channel)[patch.rank]
        assert patch.top.place is not None
        y, x = patch.top.place
        assert patch.frame == (2 * y - 7, 2 * x - 7, 2 * y + 8, 2 * x + 8)
        assert patch.box == patch.sees == patch.top.input_box
        assert patch.box == tuple(min(max(edge, 0), 32) for edge in patch.frame)
        assert not patch.whole


@pytest.mark.parametrize(
    ("rule", "peer"), [("deconvnet", deconvnet), ("guided backpropagation", guided_backpropagation)]
)
def test_the_signal_is_that_of_the_very_unit_in_the_very_box(rule: str, peer: Any) -> None:
    model, small = network(), RECIPE.at(14)
    patches, _ = made(model, "relu2", rule, small)
    once = Backward(model, torch.from_numpy(small(PICTURES[0])))
    assert len(patches) == 8 * 3
    for patch in patches[::4]:
        x = torch.from_numpy(small(PICTURES[patch.top.picture]))
        whole = peer(once, x, "relu2", Aim(patch.channel, patch.top.place)).values[0].permute(1, 2, 0)
        top, left, bottom, right = patch.box
        assert patch.signal is not None
        np.testing.assert_allclose(patch.signal, whole[top:bottom, left:right], rtol=1e-4, atol=1e-6)
        outside = whole.clone()
        outside[top:bottom, left:right] = 0
        assert not outside.any()
    for patch in patches:
        assert patch.again == pytest.approx(patch.top.value, rel=1e-5)


def test_smooth_activations_fall_back_to_the_gradient_and_say_so() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 5), nn.GELU(), nn.Conv2d(4, 4, 3)).eval()
    patches, _ = made(model, "2", "deconvnet")
    plain, _ = made(model, "2", "gradient")
    assert patches[0].notes == (
        "plain gradient through gelu (1)",
        "no rectifier on the way: deconvnet is the plain gradient here",
    )
    assert plain[0].notes == ()
    for a, b in zip(patches, plain, strict=True):
        assert np.array_equal(a.signal, b.signal)  # type: ignore[arg-type]


def test_blue_for_red_is_shown_as_red() -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(3, 2, 3)
    with torch.no_grad():
        model.weight.zero_()
        model.weight[:, 2] = 1  # the last of the input's channels
    turned = replace(RECIPE, channel_order="BGR")
    patches, _ = made(nn.Sequential(model), "0", "gradient", turned)
    signal = patches[0].signal
    assert signal is not None
    assert signal[..., 0].min() == 1  # in this order it is red
    assert not signal[..., 1:].any()


def test_a_unit_that_sees_everything_is_shown_whole_with_its_local_box() -> None:
    patches, _ = made(Gated().eval(), "mul")
    assert patches
    for patch in patches:
        assert patch.whole
        assert patch.frame == patch.box == (0, 0, 32, 32)
        assert patch.top.global_by
        assert patch.top.place is not None
        y, x = patch.top.place
        assert patch.sees == (max(y - 2, 0), max(x - 2, 0), min(y + 3, 32), min(x + 3, 32))


def test_a_value_without_places_is_shown_whole() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    patches, _ = made(model, "3", "gradient")
    assert {(patch.whole, patch.sees, patch.box) for patch in patches} == {(True, None, (0, 0, 32, 32))}


def test_a_field_larger_than_the_input_is_shown_whole() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 33, padding=16)).eval()
    assert all(patch.whole for patch in made(model, "0")[0])


def test_what_the_recipe_put_around_the_photo_is_no_part_of_it() -> None:
    padded = replace(get_recipe("cifar10"), resize="squash", size_hw=(20, 24), crop_hw=(32, 32), pad_color=(9, 9, 9))
    torch.manual_seed(0)
    patches, _ = made(nn.Sequential(nn.Conv2d(3, 8, 15, 2, 7)).eval(), "0", recipe=padded, k=8)
    clipped = 0
    for patch in patches:
        top, left, bottom, right = patch.box
        assert (top, left) >= (6, 4)
        assert (bottom, right) <= (26, 28)
        assert patch.frame[2] - patch.frame[0] == 15
        clipped += patch.top.input_box != patch.box
        assert patch.pixels.shape == (bottom - top, right - left, 3)
    assert clipped


def test_each_picture_is_opened_once_and_in_order() -> None:
    opener = Opener()
    patches, found = made(positive(), "2", "deconvnet", opener=opener)
    assert opener.asked == sorted({patch.top.picture for patch in patches})
    assert len(patches) == 5 * 3
    assert {(patch.channel, patch.rank) for patch in patches} == {(c, r) for c in range(5) for r in range(3)}
    assert found.pictures == 8


def test_closed_channels_have_no_patches() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    with torch.no_grad():
        model[0].weight[2], model[0].bias[2] = 0, -1
    assert {patch.channel for patch in made(model, "1")[0]} == {0, 1, 3}


def test_a_picture_that_does_not_come_back_is_named() -> None:
    class Losing(Opener):
        def __call__(self, numbers: Sequence[int]) -> Iterator[tuple[int, Picture]]:
            return ((number, self.pictures[number]) for number in numbers if number != 5)

    with pytest.raises(RangeError, match="top patches: picture 5 was not opened again"):
        made(positive(), "2", opener=Losing(), k=8)
