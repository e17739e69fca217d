"""The model that a user named, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from photosite.errors import MissingExtraError, PhotositeError, UnknownNameError, WeightsError
from photosite.nets import create_model
from photosite.nets.checkpoints.weights import save_weights
from photosite.nets.sources import RANDOM_NOTE, find_model, find_recipe
from tests.peers import import_peer, import_torchvision

MODULE = """
from torch import nn

def tiny():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def fails():
    return 1 / 0

def other():
    return "not a module"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_nets_for_test.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ours_comes_with_random_weights_and_says_so() -> None:
    model = find_model("cifar_resnet20")
    assert model.weights_notes == (RANDOM_NOTE,)
    assert not model.trained
    again = find_model("cifar_resnet20")
    assert_close(again.fc.weight, model.fc.weight, rtol=0, atol=0)  # always the same


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    find_model("cifar_resnet20")
    assert torch.equal(torch.rand(1), expected)


def test_torchvisions_models_come_with_recipe_and_classes() -> None:
    import_torchvision()
    model = find_model("torchvision:resnet50")
    assert model.recipe.size_hw == (232, 232)  # the V2 weights' recipe, not the article's 256
    assert model.recipe.crop_hw == (224, 224)
    assert model.classes[281] == "tabby"
    assert find_model("torchvision:vit_b_16").recipe.size_hw == (256, 256)
    with pytest.raises(UnknownNameError, match="resnet50"):
        find_model("torchvision:resnet5O")


def test_weights_from_a_file_fit_torchvisions_model(tmp_path: Path) -> None:
    import_torchvision()
    torch.manual_seed(5)
    ours = create_model("resnet18")
    save_weights(tmp_path / "w.safetensors", ours.state_dict())
    model = find_model("torchvision:resnet18", tmp_path / "w.safetensors")
    assert model.trained
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert_close(model(x), ours(x), rtol=0, atol=0)


def test_a_users_function_is_found_in_the_working_directory(folder: Path) -> None:
    model = find_model("my_nets_for_test:tiny")
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 4)
    assert model.recipe.name == "imagenet"
    assert model.weights_notes[0].startswith("recipe: not known")


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("my_nets_for_test:tinny", UnknownNameError, "did you mean tiny"),
        ("my_nets_for_tests:tiny", UnknownNameError, "did you mean my_nets_for_test"),
        ("my_nets_for_test:fails", PhotositeError, "calling it failed: ZeroDivisionError: division by zero"),
        ("my_nets_for_test:other", PhotositeError, "wants a torch.nn.Module, got str"),
    ],
)
def test_what_goes_wrong_is_one_line(folder: Path, spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        find_model(spec)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_default_weights_that_do_not_exist_are_refused() -> None:
    with pytest.raises(WeightsError, match="no weights"):
        find_model("cifar_plain20", "default")


def test_a_missing_package_gets_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    import_torchvision()
    with pytest.raises(MissingExtraError, match="pip install --no-deps timm"):
        find_model("timm:vit_tiny_patch16_224")


def test_recipes_are_found_where_they_are_published(tmp_path: Path) -> None:
    import_torchvision()
    assert find_recipe("imagenet@448").size_hw == (512, 512)
    assert find_recipe("torchvision:ResNet50_Weights.IMAGENET1K_V2").size_hw == (232, 232)
    assert find_recipe("torchvision:ResNet50_Weights.IMAGENET1K_V1").size_hw == (256, 256)
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "CLIPImageProcessor"}')
    for path in (tmp_path, tmp_path / "preprocessor_config.json"):
        assert find_recipe(str(path)).crop_hw == (224, 224)
    import_peer("timm")
    assert find_recipe("timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k").mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("imagnet", "did you mean imagenet"),
        ("torchvision:ResNet50_Weights.IMAGENET1K_V3", "did you mean ResNet50_Weights.IMAGENET1K"),
        ("torchvision:", "no torchvision entry named"),
        ("torchvision:resnet50", "no torchvision entry named"),
        ("timm:vit_tiny_patch16_223", "no timm model named .*did you mean .*vit_tiny"),
        ("nothing/here.json", "here.json"),
    ],
)
def test_recipes_that_are_not_there_are_said(spec: str, words: str) -> None:
    import_torchvision()
    import_peer("timm")
    with pytest.raises(PhotositeError, match=words):
        find_recipe(spec)


def test_a_backbone_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("downloads nothing")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refused)
    monkeypatch.setattr("torch.hub.download_url_to_file", refused)
    model = find_model("torchvision:lraspp_mobilenet_v3_large", "random")
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_221_538
