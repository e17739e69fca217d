"""The table of sizes: what it says is what is measured, and what the publishers say."""

from __future__ import annotations

import pytest
import torch

from benchmarks.write_networks import measure
from photosite.nets import create_model, list_models
from photosite.nets.checkpoints.published import default_weights, published_weights
from photosite.nets.sizes import model_size
from tests.nets.publishers import library
from tests.peers import import_torchvision

FAST = ("photosite_resnet12", "resnet50", "efficientnet_b1", "vit_tiny_r_s16_p8_224", "vit_base_patch16_siglip_224")
PUBLISHED = [
    (name, entry.name) for name in list_models() for entry in published_weights(name) if entry.gmacs is not None
]


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in list_models()]
)
def test_every_network_is_in_the_table_as_it_is_measured(name: str) -> None:
    assert measure(name) == model_size(name)


def test_the_table_has_all_and_no_others() -> None:
    assert all(model_size(name) is not None for name in list_models())


@pytest.mark.parametrize("name", list_models())
def test_grids_are_those_of_the_recipe(name: str) -> None:
    size = model_size(name)
    assert size is not None
    with torch.device("meta"):
        model = create_model(name)
    assert size.input_hw == model.recipe.input_hw
    assert size.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert size.reductions[-1] == model.reduction
    if name.startswith("vit_"):
        assert size.grid == model.grid
        assert size.prefix == model.num_prefix_tokens
    assert (size.width, model.width) == (model.width, size.width)


@pytest.mark.parametrize(("name", "entry_name"), PUBLISHED)
def test_parameters_and_multiply_adds_are_the_publishers(name: str, entry_name: str) -> None:
    entry = next(one for one in published_weights(name) if one.name == entry_name)
    size = model_size(name)
    assert size is not None
    recipe = entry.recipe
    assert recipe is not None
    if recipe.input_hw == size.input_hw:
        assert size.parameters == entry.parameters
        assert round(size.macs / 1e9, 3) == entry.gmacs
    else:  # weights for larger pictures
        assert name.startswith(("vit_", "resnext", "efficientnet")), (name, entry_name)


def test_recipes_of_entries_are_what_torchvision_prepares() -> None:
    from photosite.nets.sources import find_recipe

    import_torchvision()
    for name, entry_name in PUBLISHED:
        ours = next(one for one in published_weights(name) if one.name == entry_name).recipe
        theirs = find_recipe(f"torchvision:{entry_name}")
        assert ours is not None
        assert {**ours.to_dict(), "source": ""} == {**theirs.to_dict(), "source": ""}


def test_entries_are_those_of_the_libraries() -> None:
    models, timm = import_torchvision().models, library("timm")
    for name in list_models():
        for entry in published_weights(name):
            if entry.url:
                theirs = models.get_weight(entry.name)
                assert (entry.url, entry.parameters) == (theirs.url, theirs.meta["num_params"])
                assert entry.sha256_prefix in entry.url
            elif entry.timm:
                tag = entry.name.rpartition(".")[2]
                cfg = timm.get_pretrained_cfg(f"{name}.{tag}")
                assert (entry.name, entry.license) == (f"hf-hub:{cfg.hf_hub_id}", cfg.license)
        first = default_weights(name)
        assert (first is None) == (not published_weights(name))
