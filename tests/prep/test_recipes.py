"""The named recipes: found by name, near names suggested, and numbers that are what their sources say."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.errors import RangeError, UnknownNameError
from photosite.prep.recipes import CIFAR10_MEAN, CIFAR10_STD, RECIPES, get_recipe, list_recipes
from tests.peers import import_torchvision


def test_every_recipe_is_found_under_its_own_name() -> None:
    assert list_recipes() == sorted(RECIPES)
    for name in list_recipes():
        assert get_recipe(name) is RECIPES[name]
        assert get_recipe(name.upper()) is RECIPES[name]
        assert RECIPES[name].name == name
        assert RECIPES[name].source


def test_a_size_behind_the_name() -> None:
    assert get_recipe("imagenet@448") == RECIPES["imagenet"].at(448)
    assert get_recipe("imagenet@224") is RECIPES["imagenet"]
    assert get_recipe("cifar10@64").input_hw == (64, 64)


@pytest.mark.parametrize("name", ["imagent", "imagent@448", "IMAGNET"])
def test_near_names_are_suggested(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"no recipe named '.*'; did you mean imagenet") as caught:
        get_recipe(name)
    assert "imagenet" in caught.value.near


@pytest.mark.parametrize("size", ["", "0", "-1", "2.5", "4_4_8", " 448", "４４８", "448@2", "99999", "9" * 5000])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(RangeError):
        get_recipe(f"imagenet@{size}")


def test_the_list_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        RECIPES["mine"] = RECIPES["imagenet"]  # type: ignore[index]


def test_imagenet_is_what_torchvision_publishes_with_the_weights() -> None:
    published = import_torchvision().models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    recipe = RECIPES["imagenet"]
    assert recipe.size_hw == (published.resize_size[0],) * 2
    assert recipe.crop_hw == (published.crop_size[0],) * 2
    assert (list(recipe.mean), list(recipe.std)) == (published.mean, published.std)
    assert recipe.interpolation == published.interpolation.value


def measured(archive: Path, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of R, G, B over every `step`-th picture, from exact counts of levels."""
    counts = np.zeros((3, 256), np.int64)
    with zipfile.ZipFile(archive) as pictures:
        for name in sorted(name for name in pictures.namelist() if name.endswith(".jpg"))[::step]:
            with Image.open(io.BytesIO(pictures.read(name))) as image:
                pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
            for channel in range(3):
                counts[channel] += np.bincount(pixels[:, channel], minlength=256)
    levels, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    return mean, np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))


def test_cifar10_numbers_on_a_sample(shared_data: Path) -> None:
    mean, std = measured(shared_data / "cifar10" / "train.zip", step=50)
    # 1,000 of 50,000 pictures, whose own means spread by 0.13: the mean of these is good to 0.13 / sqrt(1000) = 0.004,
    # and four times that is what chance does not reach
    np.testing.assert_allclose(mean, CIFAR10_MEAN, atol=0.016)
    np.testing.assert_allclose(std, CIFAR10_STD, atol=0.016)


@pytest.mark.slow
def test_cifar10_numbers_are_measured(shared_data: Path) -> None:
    mean, std = measured(shared_data / "cifar10" / "train.zip", step=1)
    assert tuple(mean.round(4)) == CIFAR10_MEAN
    assert tuple(std.round(4)) == CIFAR10_STD
