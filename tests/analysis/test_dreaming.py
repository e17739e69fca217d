"""What a search is made of: gates that let gradients through, spectra, moves, preparation, likeness, comparisons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from photosite.analysis.dreaming.measure import measure, same_spectrum
from photosite.analysis.dreaming.objective import Objective, Target, likeness
from photosite.analysis.dreaming.parameterization import COLORS, Canvas
from photosite.analysis.dreaming.part import Part
from photosite.analysis.dreaming.preparation import Preparation, as_levels
from photosite.analysis.dreaming.relaxation import relaxed
from photosite.analysis.dreaming.robustness import moved
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph, Node, Ref
from photosite.prep.recipes import get_recipe


def read(model: nn.Module, *shape: int) -> Graph:
    return functional(capture(model, torch.zeros(shape)))


def passed(op: str, args: tuple[float, ...], x: list[list[float]], gradient: list[list[float]]) -> list[list[float]]:
    """What a relaxed gate gives back for a gradient of a loss."""
    given = torch.tensor(x, requires_grad=True)
    node = Node("gate", op, inputs=("x",), args=(Ref("x"), *args))
    relaxed(node, {"x": given}).backward(torch.tensor(gradient))  # type: ignore[no-untyped-call]
    assert given.grad is not None
    found: list[list[float]] = given.grad.tolist()
    return found


def test_a_closed_gate_passes_what_opens_it_and_only_where_nothing_else_passes() -> None:
    # row 0: something is open and counts, so the usual gradient; row 1: all closed; row 2: the open one does not count
    x = [[1.0, -2.0, -3.0], [-1.0, -2.0, -3.0], [5.0, -2.0, -3.0]]
    gradient = [[-7.0, -8.0, 9.0], [-7.0, 8.0, -9.0], [0.0, -8.0, 9.0]]
    assert passed("aten.relu.default", (), x, gradient) == [[-7, 0, 0], [-7, 0, -9], [0, -8, 0]]


def test_a_ceiling_passes_what_leads_back_under_it() -> None:
    assert passed("aten.hardtanh.default", (0, 6), [[9.0, 8.0]], [[-1.0, 2.0]]) == [[0, 2]]
    assert passed("aten.clamp.default", (0, 6), [[9.0, 3.0]], [[2.0, -1.0]]) == [[0, -1]]


def test_the_values_of_relaxed_gates_are_their_own_and_smooth_gates_are_left_alone() -> None:
    class Gates(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.leaky_relu(F.hardswish(F.gelu(x))) + F.relu(x + 3).clamp_(min=0) + F.hardtanh(x)

    part = Part(read(Gates(), 2, 3, 8, 8), Gates(), "add_2")
    assert [part.graph.node(name).kind for name in part.relus] == ["relu", "clamp"]
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    plain, other = part(x), part(x, relax=True)
    assert torch.equal(plain, other)
    assert torch.equal(plain, Gates()(x))
    both = [torch.autograd.grad(value.sum(), x)[0] for value in (plain, other)]
    assert torch.equal(*both)  # x + 3 is open nearly everywhere, so what passes is the usual


def test_colors_vary_without_each_other_and_the_first_is_gray() -> None:
    columns = np.array(COLORS)
    lengths = np.linalg.norm(columns, axis=0)
    np.testing.assert_allclose((columns.T @ columns) / np.outer(lengths, lengths), np.eye(3), atol=2e-3)
    assert columns[:, 0].min() > 0.9 * columns[:, 0].max()
    assert lengths.tolist() == sorted(lengths, reverse=True)


@pytest.mark.parametrize("side", [32, 33, 224])
def test_the_start_is_faint_and_has_the_spectrum_of_photos(side: int) -> None:
    pictures = Canvas((4, 1, side, side), "fourier", 0)().detach()
    assert pictures.shape == (4, 1, side, side)
    assert 0.05 < float(pictures.std()) < 0.15
    amplitude = np.abs(np.fft.fft2(pictures[:, 0].numpy())).mean(0)
    assert amplitude[0, 2] / amplitude[0, 8] == pytest.approx(4, rel=0.9)
    assert amplitude[1:4, 1:4].mean() > 4 * amplitude[10:14, 10:14].mean()
    assert torch.equal(pictures, Canvas((4, 1, side, side), "fourier", 0)())


def test_a_bound_on_contrast_holds_and_is_a_bound() -> None:
    canvas = Canvas((2, 3, 16, 16), "pixels", 0, contrast=0.2)
    with torch.no_grad():
        canvas.numbers *= 0.1
    small = (canvas().detach() - 0.5).square().mean((1, 2, 3)).sqrt()
    with torch.no_grad():
        canvas.numbers *= 500
    large = (canvas().detach() - 0.5).square().mean((1, 2, 3)).sqrt()
    assert bool((small < 0.1).all())  # not blown up
    assert bool(((large > 0.15) & (large <= 0.2 + 1e-6)).all())
    with pytest.raises(RangeError, match=r"contrast wants a number above 0, at most 0.5, got 0.6"):
        Canvas((1, 3, 4, 4), contrast=0.6)
    with pytest.raises(UnknownNameError, match="fourier"):
        Canvas((1, 3, 4, 4), "furier")  # type: ignore[arg-type]


def test_moves_move_by_little_and_let_gradients_pass() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    spot = torch.exp(-((y - 31.5) ** 2 + (x - 31.5) ** 2) / 50)[None, None].repeat(64, 1, 1, 1).requires_grad_()
    whole = moved(spot, torch.Generator().manual_seed(0))
    found = whole.detach()
    mass = found.sum((2, 3), keepdim=True)
    centers = torch.stack([(found * y).sum((2, 3)) / mass[..., 0, 0], (found * x).sum((2, 3)) / mass[..., 0, 0]])
    far = (centers - 31.5).abs().amax()
    assert 2 < float(far) < 4.3  # a sixteenth of 64, scaled by up to 1.06
    whole.square().sum().backward()  # type: ignore[no-untyped-call]
    assert spot.grad is not None
    assert bool((spot.grad.flatten(1).abs().sum(1) > 0).all())
    assert moved(spot, torch.Generator(), 0) is spot


def test_a_turn_keeps_shapes_in_pictures_that_are_not_square() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(96.0), indexing="ij")
    disk = torch.exp(-((y - 15.5) ** 2 + (x - 47.5) ** 2) / 18)[None, None].repeat(32, 1, 1, 1)
    found = moved(disk, torch.Generator().manual_seed(1))
    mass = found.sum((2, 3))
    cy, cx = (found * y).sum((2, 3)) / mass, (found * x).sum((2, 3)) / mass
    down = (found * (y - cy[..., None, None]) ** 2).sum((2, 3)) / mass
    across = (found * (x - cx[..., None, None]) ** 2).sum((2, 3)) / mass
    torch.testing.assert_close(down, across, rtol=0.02, atol=0)


@pytest.mark.parametrize(("order", "layout"), [("RGB", "BCHW"), ("BGR", "BCHW"), ("RGB", "BHWC"), ("BGR", "BHWC")])
def test_levels_become_the_input_that_the_recipe_makes_of_them(order: str, layout: str) -> None:
    recipe = replace(get_recipe("imagenet@16"), channel_order=order, layout=layout)  # type: ignore[arg-type]
    levels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    how = Preparation.of(recipe)
    found = how.of_levels(levels).numpy()
    assert np.array_equal(found, np.concatenate([recipe.normalized(one) for one in levels]))
    pictures = torch.from_numpy(levels).movedim(-1, 1).float() / 255
    np.testing.assert_allclose(how(pictures).numpy(), found, atol=2e-6)  # another order of the same float32 products
    assert np.array_equal(as_levels(pictures), levels)
    assert how.sides(found.shape) == (2, 3, 16, 16)


def test_means_for_another_number_of_channels_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"mean wants 1 number or 13"):
        Preparation((0.1, 0.2, 0.3)).sides((1, 13, 8, 8))


def test_random_pictures_have_the_spectrum_and_the_mean_of_the_picture() -> None:
    rng = np.random.default_rng(3)
    waves = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(24, 30))) / (1 + np.arange(16)))
    picture = np.stack([128 + 80 * waves, 90 + 40 * waves, np.full_like(waves, 40)], -1).round().astype(np.uint8)
    random = same_spectrum(picture, 5, 0)
    assert random.shape == (5, 24, 30, 3)
    for one in random:
        ours, theirs = (np.abs(np.fft.fft2(p.astype(float), axes=(0, 1))) for p in (one, picture))
        np.testing.assert_allclose(ours, theirs, atol=40)  # rounding to levels: 24 * 30 values, deviation 0.29
        assert np.abs(one.astype(float) - picture).mean() > 1
        red, green = (one[..., c].astype(float) - one[..., c].mean() for c in (0, 1))
        assert (red * green).sum() / np.sqrt((red**2).sum() * (green**2).sum()) > 0.98  # colors stay together
    assert len({one.tobytes() for one in random}) == 5
    assert np.array_equal(random, same_spectrum(picture, 5, 0))


def test_likeness_by_hand_and_the_same_by_either_way() -> None:
    a, b = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    assert likeness(torch.stack([a, a, b])).tolist() == [0.5, 0.5, 0.0]
    assert likeness(torch.stack([a, 3 * a])).tolist() == [1.0, 1.0]
    assert likeness(torch.zeros(2, 3, 4)).tolist() == [0.0, 0.0]
    assert likeness(torch.zeros(2, 4, 3)).tolist() == [0.0, 0.0]
    maps = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0))
    wide = torch.cat([maps, torch.zeros(3, 6, 3)], 2)  # empty places change nothing but the way
    torch.testing.assert_close(likeness(maps), likeness(wide))


def test_real_pictures_are_measured_in_any_number_with_the_place_that_answers_most() -> None:
    model = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(model.weight)
    levels = np.zeros((5, 6, 6, 1), np.uint8)
    levels[1, 2, 3], levels[4, 5, 0] = 255, 51
    graph = read(model, 2, 1, 6, 6)
    found = measure(graph, model, Target("conv2d", 0), levels, Preparation())
    assert found.values.tolist() == pytest.approx([0, 1 / 36, 0, 0, 0.2 / 36])
    assert (found.places[1], found.places[4]) == ((2, 3), (5, 0))
    assert found.best(2) == [1, 4]
    at = measure(graph, model, Target("conv2d", 0, (5, 0)), levels, Preparation())
    assert at.values.tolist() == pytest.approx([0, 0, 0, 0, 0.2])
    assert set(at.places) == {(5, 0)}
    with pytest.raises(ShapeError, match=r"wants pictures \(N, 6, 6, 1\) uint8, got \(5, 6, 6\) uint8"):
        measure(graph, model, Target("conv2d", 0), levels[..., 0], Preparation())


class Last(nn.Module):
    """Channels last, in and out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x.permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1)


def test_channels_last_are_read_as_channels() -> None:
    model, x = Last(), torch.rand(1, 8, 8, 3)
    part = Part(read(model, 1, 8, 8, 3), model, "permute_1")
    objective = Objective(part.graph, Target("permute_1", 4, (2, 7)))
    with torch.no_grad():
        maps = objective.maps(part(x))
        assert float(objective.activation(maps)) == float(model(x)[0, 2, 7, 4])
    assert objective.grid == (8, 8)


def test_a_value_that_mixes_pictures_is_refused() -> None:
    class Mixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(4, -1)

    with pytest.raises(ShapeError, match="one axis for pictures"):
        Objective(read(Mixed(), 2, 3, 8, 8), Target("reshape", 0))
