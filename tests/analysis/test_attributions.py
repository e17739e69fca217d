"""Saliency, gradient times input, integrated gradients: captum's numbers, what must add up, any state of a model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from photosite.analysis.aim import Aim
from photosite.analysis.attributions import gradient_times_input, integrated_gradients, saliency
from photosite.analysis.backward import Attribution, Backward
from photosite.analysis.deconvolution import deconvnet, guided_backpropagation
from photosite.errors import CaptureError, RangeError, ShapeError, UnknownNameError
from tests.analysis.rectified_networks import network, pictures
from tests.analysis.test_deconvolution import OF_THE_LARGEST, apart
from tests.peers import import_captum

METHODS: list[Callable[..., Attribution]] = [
    *(saliency, gradient_times_input, integrated_gradients, deconvnet, guided_backpropagation),
]


def test_captum_says_the_same() -> None:
    captum, model, x = import_captum(), network(), pictures()
    backward = Backward(model, x)

    def given() -> Tensor:
        return x.clone().requires_grad_()  # captum warns of what does not

    for logit in (0, 3):
        for found, wanted in (
            (saliency(backward, x, aim=logit), captum.Saliency(model).attribute(given(), logit, abs=False)),
            (gradient_times_input(backward, x, aim=logit), captum.InputXGradient(model).attribute(given(), logit)),
            (
                integrated_gradients(backward, x, aim=logit, baseline=0.25, steps=20),
                captum.IntegratedGradients(model).attribute(x, 0.25, logit, n_steps=20),
            ),
        ):
            assert apart(found.values, wanted.detach()) < OF_THE_LARGEST
            assert_close(found.outputs, model(x)[:, logit])


def test_captum_says_the_same_of_a_unit_inside() -> None:
    captum, model, x = import_captum(), network(), pictures()
    found = saliency(model, x, "conv3", Aim(7, (1, 2)))

    def unit(given: Tensor) -> Tensor:
        y = model.pool(model.relu1(model.norm(model.conv1(given))))  # type: ignore[operator]
        y = model.conv3(model.relu2(model.conv2(y) + y))  # type: ignore[operator]
        return torch.as_tensor(y[:, 7, 1, 2])

    assert apart(found.values, captum.Saliency(unit).attribute(x.requires_grad_(), abs=False)) < OF_THE_LARGEST
    assert_close(found.heat, found.values.abs().amax(1))


@pytest.mark.slow
def test_all_that_is_attributed_is_the_difference_of_the_outputs() -> None:
    """Rectifiers make the gradient jump on the way, and every jump costs a part of a step.

    With 50 steps, captum's default, up to 1.7% of the difference are missing here; with 2000, 0.02%.
    """
    model, x = network(), pictures()
    backward = Backward(model, pictures(60))
    found = integrated_gradients(backward, x, aim=3, steps=2000)
    difference = found.outputs - found.baseline_outputs
    assert_close(found.baseline_outputs, model(torch.zeros(1, 3, 14, 14))[:, 3].detach().expand(3))
    summed = found.values.double().flatten(1).sum(1)
    assert_close(found.completeness_error, summed - difference.double(), atol=1e-6, rtol=0)
    assert (found.completeness_error.abs() < 1e-3 * difference.abs()).all()
    rough = integrated_gradients(backward, x, aim=3)
    assert rough.steps == 50
    assert (rough.completeness_error.abs() > 3e-3 * difference.abs()).all()


def test_without_jumps_ten_steps_are_enough() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 8, 3, 2), nn.GELU(), nn.Flatten(), nn.Linear(200, 4)]
    found = integrated_gradients(nn.Sequential(*layers), pictures(), steps=10)
    difference = found.outputs - found.baseline_outputs
    assert (found.completeness_error.abs() < 1e-5 * difference.abs()).all()


def test_the_largest_is_followed_from_the_picture() -> None:
    model, x = network(), pictures()
    found = integrated_gradients(model, x, baseline=x.flip(0), steps=2)
    assert found.channels == tuple(model(x).argmax(1).tolist())
    logits = model(x.flip(0)).detach()
    assert_close(found.baseline_outputs, logits.gather(1, torch.tensor(found.channels)[:, None])[:, 0])


def test_a_linear_network_is_exact_in_one_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).double()
    x, base = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(3, 1, 1, dtype=torch.float64)
    found = integrated_gradients(model, x, aim=1, baseline=base, steps=1)
    assert_close(found.values, saliency(model, x, aim=1).values * (x - base))
    assert found.completeness_error.abs().max() < 1e-12
    assert found.values.dtype == torch.float64


def test_without_biases_gradient_times_input_adds_up_to_the_output() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 3, bias=False)]
    found = gradient_times_input(nn.Sequential(*layers), torch.randn(4, 3, 8, 8))
    assert_close(found.values.flatten(1).sum(1), found.outputs)


def test_batches_do_not_matter() -> None:
    model, x = network(), pictures(5)
    one, two, nine = (Backward(model, pictures(size)) for size in (1, 2, 9))
    for method in METHODS:
        wanted = method(one, x, aim=3)
        for other in (two, nine):
            found = method(other, x, aim=[3] * 5)
            assert apart(found.values, wanted.values) < OF_THE_LARGEST
            assert found.channels == wanted.channels


@pytest.mark.parametrize("method", METHODS)
def test_the_model_is_left_as_it_was(method: Callable[..., Attribution]) -> None:
    model, x = network("modules in place").train(), pictures()
    nn.Module.requires_grad_(model.get_submodule("conv1"), False)
    model(x).sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    grads = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    flags = [(module.training, len(module._forward_hooks), len(module._backward_hooks)) for module in model.modules()]
    given = x.clone()
    found = method(model, given, aim=1)
    for name, tensor in model.state_dict().items():
        assert_close(tensor, before[name], rtol=0, atol=0)
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (grads[name] is None)
        if parameter.grad is not None:
            assert_close(parameter.grad, grads[name], rtol=0, atol=0)
        assert parameter.requires_grad == (not name.startswith("conv1"))
    assert flags == [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in model.modules()]
    assert torch.equal(given, x)
    assert given.grad is None
    assert not found.values.requires_grad
    assert apart(found.values, method(model.eval(), x, aim=1).values) == 0  # read as in evaluation


@pytest.mark.parametrize("method", METHODS)
def test_any_state_of_pytorch(method: Callable[..., Attribution]) -> None:
    model, x = network("in place"), pictures()
    wanted = method(model, x, aim=1).values
    with torch.no_grad():
        assert apart(method(model, x, aim=1).values, wanted) == 0
    with torch.inference_mode():
        assert apart(method(model, x.clone(), aim=1).values, wanted) == 0
        with pytest.raises(CaptureError, match="inference tensor"):  # weights made here cannot be exported
            method(network("in place"), x, aim=1)
    assert apart(method(model.requires_grad_(False), x.requires_grad_(), aim=1).values, wanted) == 0
    compiled = torch.compile(network("in place"), backend="eager")
    assert apart(method(compiled, pictures(), aim=1).values, wanted) == 0
    # fewer bits: a rectifier or a switch whose numbers are close decides otherwise, in some places
    for dtype, much in ((torch.bfloat16, 0.5), (torch.float16, 0.2), (torch.float64, 1e-3)):
        found = method(network("in place").to(dtype), pictures().to(dtype), aim=1)
        assert found.values.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert float((found.values - wanted).norm() / wanted.norm()) < much


def test_what_is_refused() -> None:
    model, x = network(), pictures()
    backward = Backward(model, x)
    with pytest.raises(UnknownNameError, match="did you mean conv3"):
        saliency(backward, x, "conv4")
    with pytest.raises(RangeError, match="5 channels, none at 5"):
        saliency(backward, x, aim=5)
    with pytest.raises(RangeError, match="one for each of 3 pictures, got 2"):
        saliency(backward, x, aim=[1, 2])
    with pytest.raises(RangeError, match=r"3 × 3 places, none at 0,3"):
        saliency(backward, x, "conv3", Aim(0, (0, 3)))
    with pytest.raises(ShapeError, match=r"pictures \(3, 14, 14\), at least one, got \(1, 3, 15, 14\)"):
        saliency(backward, torch.zeros(1, 3, 15, 14))
    with pytest.raises(RangeError, match=r"floating-point numbers.*uint8"):
        saliency(model, torch.zeros(1, 3, 14, 14, dtype=torch.uint8))
    with pytest.raises(RangeError, match="at least 1 step, got 0"):
        integrated_gradients(backward, x, steps=0)
    with pytest.raises(ShapeError, match=r"baseline \(2, 14, 14\) does not fit \(3, 3, 14, 14\)"):
        integrated_gradients(backward, x, baseline=torch.zeros(2, 14, 14))
    with pytest.raises(CaptureError, match="Half"):
        saliency(network().half(), x)

    class Step(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float().flatten(1)

    with pytest.raises(ShapeError, match="no gradient leads from"):
        saliency(Step(), x, aim=0)

    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises((ShapeError, CaptureError), match="y"):
        saliency(Two(), x)
