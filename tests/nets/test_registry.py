"""Networks by name: what users of timm and torchvision expect."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from photosite.errors import CorruptWeightsError, MismatchedWeightsError, UnknownNameError, WeightsError
from photosite.nets import create_model, list_models
from photosite.nets.checkpoints.weights import save_weights
from photosite.prep.recipes import get_recipe


def test_wildcards_order_and_exclusion() -> None:
    assert list_models("ResNet*") == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert list_models("cifar_*", exclude="*plain*") == [f"cifar_resnet{n}" for n in (20, 32, 44, 56, 110)]
    assert "photosite_resnet12" in list_models(pretrained=True)
    assert not list_models("cifar_*", pretrained=True)


def test_a_typo_gets_near_names() -> None:
    with pytest.raises(UnknownNameError) as caught:
        create_model("resnet5O")
    assert "resnet50" in caught.value.near
    assert "did you mean" in str(caught.value)


def test_case_does_not_matter_and_unset_options_are_dropped() -> None:
    assert type(create_model("RESNET18", stride_on=None)).__name__ == "ResNet"


def test_models_come_in_evaluation_mode_with_their_facts() -> None:
    model = create_model("resnet18")
    assert not model.training
    assert model.recipe == get_recipe("imagenet")
    assert model.classes is None
    assert model.weights_sha256 is None
    assert not model.trained
    assert "recipe" not in model.state_dict()


def test_no_weights_in_the_package_is_said() -> None:
    with pytest.raises(WeightsError, match="no weights are known for cifar_plain20"):
        create_model("cifar_plain20", pretrained=True)


def test_weights_from_a_file_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = create_model("cifar_resnet20")
    save_weights(tmp_path / "w.safetensors", first.state_dict(), {})
    second = create_model("cifar_resnet20", tmp_path / "w.safetensors")
    for key, value in first.state_dict().items():
        assert_close(second.state_dict()[key], value, rtol=0, atol=0)
    assert second.trained
    assert len(second.weights_sha256) == 64


def test_wrong_shapes_are_listed_with_both(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", create_model("cifar_resnet20", num_classes=7).state_dict(), {})
    with pytest.raises(MismatchedWeightsError) as caught:
        create_model("cifar_resnet20", tmp_path / "w.safetensors")
    message = str(caught.value)
    assert "fc.weight" in message
    assert "7 × 64" in message
    assert "10 × 64" in message


def test_a_last_layer_can_be_left_out(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", create_model("cifar_resnet20").state_dict(), {})
    model = create_model("cifar_resnet20", tmp_path / "w.safetensors", num_classes=0)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 64)


def test_a_last_layer_of_another_name_can_be_left_out(tmp_path: Path) -> None:
    state = create_model("cifar_resnet20").state_dict()
    renamed = {f"module.{key.replace('fc.', 'linear.')}": value for key, value in state.items()}
    save_weights(tmp_path / "w.safetensors", renamed)
    model = create_model("cifar_resnet20", tmp_path / "w.safetensors", num_classes=0)
    assert_close(model.conv1.weight, state["conv1.weight"], rtol=0, atol=0)
    assert any("fc" in note or "linear" in note for note in model.weights_notes)


@pytest.mark.parametrize(
    "text", ["not json", "[1]", '{"recipe": 3, "classes": []}', '{"classes": ["a"]}', "[" * 100_000]
)
def test_metadata_of_a_stranger_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    save_weights(tmp_path / "w.safetensors", create_model("cifar_resnet20").state_dict(), {"photosite": text})
    with pytest.raises(CorruptWeightsError, match="is not what `photosite train` writes"):
        create_model("cifar_resnet20", tmp_path / "w.safetensors")


@pytest.mark.slow
def test_real_resnet20_has_its_published_accuracy_on_these_jpegs(shared_data: Path) -> None:
    from photosite.train.dataset import read_dataset
    from photosite.train.loop import accuracy

    model = create_model("cifar_resnet20", shared_data / "weights" / "cifar10-resnet20.th")
    test = read_dataset(shared_data / "cifar10" / "test.zip", model.recipe)
    # 81.03% measured once with torch alone; the tenth of a point is what another CPU's rounding may turn
    assert accuracy(model, test, model.recipe) == pytest.approx(0.8103, abs=0.001)
