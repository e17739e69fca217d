"""Models of every awkward kind become graphs, or a message with the line to blame; and stay as they were."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

from photosite.errors import CaptureError
from photosite.graph.capture import capture
from tests.graph import models

PICTURE = torch.zeros(1, 3, 8, 8)


def line_of(mark: str) -> int:
    """Number of the line of models.py that has this comment."""
    lines = Path(inspect.getfile(models)).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if f"# {mark}" in line)


def test_a_node_says_module_parameters_shape_and_source() -> None:
    graph = capture(models.InPlace(), PICTURE)
    assert [node.kind for node in graph][:4] == ["conv2d", "batch_norm", "relu", "flatten"]
    conv, bn, relu = graph.nodes[:3]
    assert (conv.op, conv.module, conv.module_type) == ("aten.conv2d.default", "conv", "Conv2d")
    assert dict(conv.parameters) == {"weight": "conv.weight", "bias": "conv.bias"}
    assert conv.inputs == ("x", "conv.weight", "conv.bias")
    assert (conv.shapes, conv.dtypes) == (((1, 4, 6, 6),), ("float32",))
    file, _, line = conv.source.rpartition(":")
    assert Path(file).name == "models.py"
    assert "self.conv(x)" in Path(file).read_text().splitlines()[int(line) - 1]
    assert set(bn.parameters) == {"weight", "bias", "running_mean", "running_var"}
    assert graph.parameters["bn.running_mean"].is_buffer
    assert not graph.parameters["bn.weight"].is_buffer
    assert relu.in_place
    assert relu.writes == (bn.name,)
    assert graph.model_type == "InPlace"
    assert (graph.inputs, graph.input_shapes, graph.output_keys) == (("x",), ((1, 3, 8, 8),), ("output",))


def test_views_and_in_place_operations_share_memory() -> None:
    graph = capture(models.InPlace(), PICTURE)
    assert {"batch_norm", "relu_", "flatten"} <= graph.aliases("batch_norm")
    assert "conv2d" not in graph.aliases("batch_norm")


def test_functional_calls_and_a_name_clash() -> None:
    graph = capture(models.Functional(), PICTURE)
    add = next(node for node in graph if node.kind == "add")
    assert dict(add.parameters) == {"other": "add"}
    assert add.name != "add", "a parameter has that name"
    assert graph.consumers("add") == (add,)
    gelu = next(node for node in graph if node.kind == "gelu")
    assert gelu.kwargs == {"approximate": "tanh"}
    assert gelu.module == ""


def test_a_module_used_twice_keeps_its_path() -> None:
    graph = capture(models.Twice(), torch.zeros(1, 4))
    assert [(node.kind, node.module) for node in graph] == [("linear", "layer"), ("linear", "layer")]
    assert [dict(node.parameters)["weight"] for node in graph] == ["layer.weight", "layer.weight"]


def test_tied_weights_go_by_the_name_of_the_module_that_reads_them() -> None:
    graph = capture(models.Tied(), torch.zeros(1, 4))
    assert [node.parameters["weight"] for node in graph] == ["encode.weight", "decode.weight"]
    assert graph.parameters["encode.weight"].same_as is None
    assert graph.parameters["decode.weight"].same_as == "encode.weight"


def test_tuples_dicts_and_numbers_go_in_and_come_out() -> None:
    graph = capture(models.Structured(), (torch.zeros(1, 4), torch.ones(3)), {"shift": torch.ones(4)}, 3)
    assert graph.input_shapes == ((1, 4), (3,), (4,))
    assert graph.output_keys == ("halves.0", "halves.1", "same")
    assert graph.outputs[2] == graph.inputs[1]
    assert "input 'times' was 3 and is fixed to it" in graph.notes
    assert "output 'times' is 3, not a tensor: left out" in graph.notes


@pytest.mark.parametrize("wrap", [torch.compile, lambda model: nn.Sequential(torch.compile(model))])
def test_compiled_models_are_read_uncompiled(wrap) -> None:  # type: ignore[no-untyped-def]
    graph = capture(wrap(models.Twice()), torch.zeros(1, 4))
    assert [node.kind for node in graph] == ["linear", "linear"]
    outer = "" if graph.model_type == "Twice" else "0._orig_mod."
    assert graph.nodes[0].parameters["weight"] == f"{outer}layer.weight"
    assert bool(graph.notes) == (outer == "")


def test_evaluation_by_default_and_training_on_request() -> None:
    model = models.InPlace().train()
    evaluation, training = capture(model, PICTURE), capture(model, PICTURE, training=True)
    assert evaluation.node("batch_norm").args[5] is False
    assert evaluation.node("batch_norm").writes == ()
    assert training.node("batch_norm").args[5] is True
    assert training.node("batch_norm").writes == ("bn.running_mean", "bn.running_var")


@pytest.mark.parametrize("strict", [False, True])
def test_attention_is_never_the_fused_fast_path(strict: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).requires_grad_(False)
    kinds = [node.kind for node in capture(layer, torch.zeros(1, 4, 8), strict=strict)]
    assert "scaled_dot_product_attention" in kinds
    assert kinds.count("layer_norm") == 2


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "make", [models.InPlace, models.Misfit, models.Branches, models.Remembers, models.Counts, models.Functional]
)
def test_the_model_is_left_as_it_was(make, training: bool) -> None:  # type: ignore[no-untyped-def]
    model = make()
    for child in list(model.children())[:1]:
        child.train(False)
    hook = model.register_forward_hook(lambda *_: None)
    for number, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(number % 2 == 0)
    flags = [module.training for module in model.modules()]
    attributes = [{key: repr(value) for key, value in vars(module).items()} for module in model.modules()]
    tensors = {name: (value, value.clone(), value.requires_grad) for name, value in state(model).items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fast = torch.backends.mha.get_fastpath_enabled()
    picture = torch.ones(1, 3, 8, 8)
    try:
        capture(model, picture, training=training)
    except CaptureError:
        assert make in (models.Misfit, models.Branches)
    assert torch.rand(1) == expected, "the random state moved"
    assert [module.training for module in model.modules()] == flags
    assert [{key: repr(value) for key, value in vars(module).items()} for module in model.modules()] == attributes
    assert hook.id in model._forward_hooks
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled() == fast
    torch.testing.assert_close(picture, torch.ones(1, 3, 8, 8), rtol=0, atol=0)
    for name, (value, copy, requires_grad) in tensors.items():
        assert state(model)[name] is value
        assert value.requires_grad == requires_grad
        assert value.grad is None
        torch.testing.assert_close(value, copy, rtol=0, atol=0)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@pytest.mark.parametrize("strict", [False, True])
def test_a_branch_on_the_picture_is_refused_with_its_line(strict: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CaptureError) as caught:
        capture(models.Branches(), torch.ones(2), strict=strict)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("capture: Branches stopped at ")
    assert f"models.py:{line_of('THE BRANCH')} `if x.sum() > 0:" in message
    assert strict or "depends on the picture's values" in message
    assert capfd.readouterr().err == "", "torch's own pages about it stay off the terminal"


def test_a_misfit_is_refused_with_its_line_and_module() -> None:
    with pytest.raises(CaptureError) as caught:
        capture(models.Misfit(), PICTURE)
    message = str(caught.value)
    assert "in body.1 (Conv2d)" in message
    assert f"models.py:{line_of('THE MISFIT')} `y: Tensor = body(x)" in message
    assert "expected input[1, 4, 6, 6] to have 3 channels, but got 4 channels" in message


def test_torchs_own_modules_have_no_line_but_a_path() -> None:
    with pytest.raises(CaptureError, match=r"^capture: Sequential stopped in 1 \(Conv2d\): RuntimeError: Given groups"):
        capture(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)), PICTURE)


def test_a_shape_that_depends_on_the_picture_is_refused_by_name() -> None:
    with pytest.raises(CaptureError, match=rf"aten.nonzero.default depends on .*models.py:{line_of('THE SIZE')}$"):
        capture(models.Counting(), torch.ones(2))


def test_not_a_model() -> None:
    with pytest.raises(CaptureError, match=r"^capture: wants a torch.nn.Module, got function$"):
        capture(lambda x: x, PICTURE)  # type: ignore[arg-type]
