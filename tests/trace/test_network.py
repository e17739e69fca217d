"""Every operation of a network as a step: values, names, counts, tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from photosite.graph.capture import capture
from photosite.nets import create_model
from photosite.trace.network import follow_network, step_names
from tests.peers import import_torchvision


def _passage(model: nn.Module, x: torch.Tensor, runs: int = 0):
    return follow_network(capture(model, x), model, x.numpy(), runs)


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    torch.manual_seed(0)
    model = create_model("photosite_resnet12")
    for module in model.modules():  # a trained network's residual branches are not zero
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
    return model


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_tokens_are_the_feature_map_row_by_row(encoder: nn.Module, x: torch.Tensor) -> None:
    tokens = _passage(encoder, x).tokens
    assert tokens is not None
    assert tokens.values.shape == (256, 160)
    assert tokens.grid == (16, 16)
    with torch.inference_mode():
        features = encoder.forward_features(x)[0].numpy()
    # the very same operations one by one: bit for bit
    assert_array_equal(tokens.values[3 * 16 + 5], features[:, 3, 5])
    assert_array_equal(tokens.values.T.reshape(features.shape), features)


def test_every_parameter_is_counted_once(encoder: nn.Module, x: torch.Tensor) -> None:
    steps = _passage(encoder, x).steps
    assert sum(step.parameters for step in steps) == sum(p.numel() for p in encoder.parameters())


def test_steps_agree_with_hooks_though_relu_works_in_place(encoder: nn.Module, x: torch.Tensor) -> None:
    seen: dict[str, np.ndarray] = {}
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.register_forward_hook(lambda m, i, out, name=name: seen.__setitem__(name, out.clone().numpy()))
    with torch.inference_mode():
        encoder(x)
    for module in encoder.modules():
        module._forward_hooks.clear()
    steps = {step.name: step for step in _passage(encoder, x).steps}
    assert len(seen) == 26  # 13 convolutions, 13 norms
    for name, value in seen.items():
        # bn1 is overwritten by the ReLU behind it; its recorded minimum must still be negative
        assert steps[name].statistics.min == value.min()
        assert steps[name].statistics.max == value.max()
        assert steps[name].shape == value.shape[1:]
    assert steps["bn1"].statistics.min < 0


def test_the_output_is_the_models_and_the_model_is_as_it_was(encoder: nn.Module, x: torch.Tensor) -> None:
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    output = _passage(encoder, x, runs=1).output
    with torch.inference_mode():
        assert_array_equal(output, encoder(x)[0].numpy())
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[key])
    assert not encoder.training


def test_names_are_module_paths_and_never_twice_the_same(encoder: nn.Module, x: torch.Tensor) -> None:
    names = list(step_names(capture(encoder, x)).values())
    assert len(set(names)) == len(names)
    assert names[:3] == ["conv1", "bn1", "relu"]
    assert "layer1.0.add" in names
    assert "layer1.0.relu#2" in names


def test_stations_follow_the_light(encoder: nn.Module, x: torch.Tensor) -> None:
    stations = [step.station for step in _passage(encoder, x).steps]
    order = ["convolution", "features", "tokens"]
    assert sorted(stations, key=order.index) == stations
    assert set(stations) == set(order)


def test_times_are_measured(encoder: nn.Module, x: torch.Tensor) -> None:
    assert all(step.ms is not None and step.ms >= 0 for step in _passage(encoder, x, runs=2).steps)


def test_a_transformers_tokens_leave_the_class_token_out() -> None:
    torchvision = import_torchvision()
    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5).eval()
    x = torch.rand(1, 3, 32, 32)
    tokens = _passage(model, x).tokens
    assert tokens is not None
    assert (tokens.grid, tokens.prefix, tokens.layout) == ((4, 4), 1, "tokens")
    kept: list[torch.Tensor] = []
    model.encoder.ln.register_forward_hook(lambda m, i, out: kept.append(out))
    with torch.inference_mode():
        model(x)
    # attention runs in its explicit form here and fused there; float32 rounding between the two
    assert_allclose(tokens.values, kept[0][0, 1:].numpy(), rtol=1e-4, atol=1e-5)


class _Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def test_what_is_not_known_is_said() -> None:
    passage = _passage(_Perceptron(), torch.rand(1, 3, 8, 8))
    assert passage.tokens is None
    assert any(note.startswith("tokens: not known") for note in passage.notes)
    assert passage.kernels == ()


class _Halves(nn.Module):
    """bfloat16 inside, several values from one operation, a dict at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        left, right = self.conv(x).to(torch.bfloat16).chunk(2, dim=1)
        return {"map": left * right, "logits": (left + right).float().mean((2, 3))}


def test_odd_dtypes_and_outputs_are_recorded() -> None:
    passage = _passage(_Halves(), torch.rand(1, 3, 8, 8))
    assert "bfloat16" in {step.dtype for step in passage.steps}
    assert passage.tokens is not None
    assert passage.tokens.grid == (8, 8)
