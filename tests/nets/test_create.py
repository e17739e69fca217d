"""`create_model` with weights of other classes, channels and sizes, and maps of several levels, against timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from photosite.errors import MismatchedWeightsError, RangeError, ShapeError, UnknownNameError, WeightsError
from photosite.nets import create_model, list_models
from photosite.nets.checkpoints.weights import read_weights, save_weights
from photosite.prep.published import recipe_from_timm
from tests.nets.publishers import DEPTH, HEADS, PATCH, SIDE, WIDTH, drawn, library, transformers_tower

SMALL: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "vit_tiny_patch16_224": {"depth": 3, "img_size": 64},
    "vit_tiny_r_s16_p8_224": {"depth": 2},
}


def saved(model: nn.Module, folder: Path) -> str:
    save_weights(folder / "w.safetensors", model.state_dict())
    return str(folder / "w.safetensors")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_other_channels_are_adapted_as_timm_does(name: str, channels: int, tmp_path: Path) -> None:
    timm = library("timm")
    peer = drawn(timm.create_model(name, **SMALL[name]))
    path = saved(peer, tmp_path)
    ours = create_model(name, path, in_chans=channels, **SMALL[name])
    wanted = timm.models._manipulate.adapt_input_conv(
        channels, peer.get_parameter(f"{ours.first_layer}.weight").detach()
    )
    assert_close(ours.get_parameter(f"{ours.first_layer}.weight").detach(), wanted)
    assert any("red, green and blue" in note for note in ours.weights_notes)
    side = 64
    with torch.inference_mode():
        assert ours(torch.zeros(1, channels, side, side)).shape == (1, 1000)
        with pytest.raises(ShapeError, match=rf"wants \(B, {channels}, H, W\)"):
            ours(torch.zeros(1, channels + 1, side, side))


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        pytest.param("vgg11", marks=pytest.mark.slow),
        "alexnet",
        "convnext_tiny",
        "efficientnet_b0",
        "vit_tiny_patch16_224",
    ],
)
def test_another_number_of_classes_leaves_the_last_layer_drawn_and_says_so(name: str, tmp_path: Path) -> None:
    first = create_model(name)
    path = saved(first, tmp_path)
    ours = create_model(name, path, num_classes=10)
    assert ours.get_parameter(f"{ours.last_layer}.weight").shape[0] == 10
    assert any("1000 classes, 10 were asked for" in note for note in ours.weights_notes)
    same = [
        key
        for key, value in first.state_dict().items()
        if torch.equal(ours.state_dict().get(key, value * 0 - 1), value)
    ]
    assert len(same) == len(first.state_dict()) - 2
    with pytest.raises(MismatchedWeightsError, match="misshapen"):
        create_model(name, read_weights(saved(ours, tmp_path)))


def test_positions_of_another_size_are_brought_over_as_timm_does(tmp_path: Path) -> None:
    timm = library("timm")
    peer = drawn(timm.create_model("vit_tiny_patch16_224", depth=3))
    ours = create_model("vit_tiny_patch16_224", saved(peer, tmp_path), depth=3, img_size=96)
    larger = timm.create_model("vit_tiny_patch16_224", depth=3, img_size=96).eval()
    larger.load_state_dict(timm.models.vision_transformer.checkpoint_filter_fn(peer.state_dict(), larger))
    x = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        wanted = larger(x)
        assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    assert any("14 × 14 to 6 × 6" in note for note in ours.weights_notes)
    assert ours.recipe.input_hw == (96, 96)


def test_weights_are_taken_without_a_copy_and_belong_to_one_model(tmp_path: Path) -> None:
    path = saved(create_model("resnet18"), tmp_path)
    read = read_weights(path)
    size = (tmp_path / "w.safetensors").stat().st_size
    model = create_model("resnet18", path)
    for tensors in (list(read.tensors.values()), list(model.state_dict().values())):
        places = [value.data_ptr() for value in tensors if value.numel()]
        assert max(places) - min(places) < size  # all in the memory of one file
    one, other = create_model("resnet18", read), create_model("resnet18", read)
    with torch.no_grad():
        one.conv1.weight.zero_()
    assert other.conv1.weight.abs().max() > 0
    model.train()
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_counters_that_old_checkpoints_lack_are_zeros(tmp_path: Path) -> None:
    state = {key: value for key, value in create_model("resnet18").state_dict().items() if "num_batches" not in key}
    save_weights(tmp_path / "old.safetensors", state)
    model = create_model("resnet18", str(tmp_path / "old.safetensors"))
    assert model.bn1.num_batches_tracked.item() == 0
    assert not any(value.is_meta for value in model.state_dict().values())


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module."])
def test_prefixes_are_taken_off_in_any_format(prefix: str, tmp_path: Path) -> None:
    state = {f"{prefix}{key}": value for key, value in create_model("resnet18").state_dict().items()}
    save_weights(tmp_path / "w.safetensors", state)
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pth")
    for path in ("w.safetensors", "w.pth"):
        model = create_model("resnet18", str(tmp_path / path))
        assert_close(model.fc.bias, state[f"{prefix}fc.bias"], rtol=0, atol=0)


def test_options_are_the_familys_own_and_near_names_are_suggested() -> None:
    model = create_model("vit_base_patch16_224", embed_dim=96, depth=2, num_heads=3, img_size=48, patch_size=8)
    assert (model.width, len(model.blocks), model.grid) == (96, 2, (6, 6))
    with pytest.raises(UnknownNameError, match="embed_dim"):
        create_model("vit_base_patch16_224", embed_dims=96)
    with pytest.raises(UnknownNameError, match="stride_on"):
        create_model("resnet18", stride_one="1x1")
    with pytest.raises(RangeError, match="in_chans"):
        create_model("resnet18", in_chans=0)


def test_what_looks_like_a_repository_is_not_guessed() -> None:
    with pytest.raises(WeightsError, match="write hf-hub:facebook/dinov2-base"):
        create_model("vit_base_patch14_dinov2", "facebook/dinov2-base")


@pytest.mark.parametrize(
    "name",
    ["resnet50", "resnext50_32x4d", "wide_resnet50_2", "vgg16", "convnext_tiny", "efficientnet_b0", "efficientnet_b5"],
)
def test_levels_are_timms(name: str) -> None:
    timm = library("timm")
    peer_name = {"efficientnet_b5": "tf_efficientnet_b5"}.get(name, name)
    peer = timm.create_model(peer_name, features_only=True)
    ours = create_model(name, features_only=True)
    assert ours.feature_info.channels() == peer.feature_info.channels()
    assert ours.feature_info.reduction() == peer.feature_info.reduction()
    x = torch.zeros(1, 3, 96, 128)
    with torch.inference_mode():
        assert [one.shape for one in ours.eval()(x)] == [one.shape for one in peer.eval()(x)]


def test_intermediates_are_timms() -> None:
    timm = library("timm")
    peer = drawn(timm.create_model("vit_tiny_patch16_224", depth=5, dynamic_img_size=True))
    ours = create_model("vit_tiny_patch16_224", depth=5)
    ours.load_state_dict(peer.state_dict())
    x = torch.randn(2, 3, 64, 96)
    for options in (
        {"indices": [1, 3]}, {"indices": 2, "norm": True}, {"indices": [-1], "return_prefix_tokens": True},
        {"indices": None, "output_fmt": "NLC"}, {"indices": [0], "intermediates_only": True},
    ):  # fmt: skip
        with torch.inference_mode():
            wanted, found = peer.forward_intermediates(x, **options), ours.forward_intermediates(x, **options)
        assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    three = timm.create_model("vit_tiny_patch16_224", features_only=True).feature_info
    assert create_model("vit_tiny_patch16_224", features_only=True).feature_info.channels() == three.channels()
    with pytest.raises(RangeError, match="has levels 0 to 4"):
        ours.forward_intermediates(x, [5])


def test_intermediates_of_residual_networks_are_timms() -> None:
    peer = drawn(library("timm").create_model("resnet18"))
    ours = create_model("resnet18")
    ours.load_state_dict(peer.state_dict())
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        wanted, theirs = peer.forward_intermediates(x)
        found, maps = ours.forward_intermediates(x)
        last, _ = ours.forward_intermediates(x, 1, output_fmt="NLC")
        only = ours.forward_intermediates(x, [0, 2], intermediates_only=True)
    assert_close(found, wanted, rtol=1e-5, atol=1e-4)
    assert_close(maps, theirs, rtol=1e-5, atol=1e-4)
    assert_close(only, [maps[0], maps[2]])
    assert last.shape == found.shape


@pytest.mark.parametrize("name", [name for name in list_models() if not name.startswith("vit_")])
def test_each_level_is_where_it_says(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, features_only=True)
        maps = model(torch.zeros(1, 3, 128, 192))
    for one, level in zip(maps, model.net.levels, strict=True):
        height, width = (np.ceil(side / level.reduction) for side in (128, 192))
        assert one.shape[1] == level.channels
        assert abs(one.shape[2] - height) <= 1 and abs(one.shape[3] - width) <= 1  # noqa: PT018
    assert model.net.levels[-1].reduction == model.net.reduction


def test_a_state_dict_of_another_library_is_taken_as_a_file_is() -> None:
    peer = transformers_tower("dinov2")
    ours = create_model("vit_small_patch14_dinov2", peer.state_dict(), img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH,
                        depth=DEPTH, num_heads=HEADS)  # fmt: skip
    x = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        wanted = peer(x).last_hidden_state
        assert_close(ours.forward_features(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
        ours.cls_token.zero_()
        assert peer.embeddings.cls_token.abs().max() > 0, "the state dict is somebody else's"
    assert ours.weights_source == "a state dict"


def test_weights_of_another_size_keep_their_own_grid_unless_one_is_asked_for(tmp_path: Path) -> None:
    timm = library("timm")
    peer = drawn(timm.create_model("vit_tiny_patch16_384", depth=2))
    ours = create_model("vit_tiny_patch16_224", saved(peer, tmp_path), depth=2)
    assert ours.grid == (24, 24)
    assert ours.recipe.input_hw == (384, 384)
    assert not any("brought" in note for note in ours.weights_notes)
    x = torch.randn(1, 3, 384, 384)
    with torch.inference_mode():
        wanted = peer(x)
        assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    asked = create_model("vit_tiny_patch16_224", str(tmp_path / "w.safetensors"), depth=2, img_size=224)
    assert asked.grid == (14, 14)
    assert any("24 × 24 to 14 × 14" in note for note in asked.weights_notes)


def test_sides_can_differ(tmp_path: Path) -> None:
    timm = library("timm")
    peer = drawn(timm.create_model("vit_tiny_patch16_224", depth=2, img_size=(96, 160)))
    ours = create_model("vit_tiny_patch16_224", saved(peer, tmp_path), depth=2, img_size=(96, 160))
    assert ours.grid == (6, 10)
    x = torch.randn(1, 3, 96, 160)
    with torch.inference_mode():
        wanted = peer(x)
        assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    theirs = recipe_from_timm({"input_size": (3, 96, 160), "crop_pct": 0.875, "interpolation": "bilinear"})
    assert (ours.recipe.resize, ours.recipe.crop_hw) == (theirs.resize, theirs.crop_hw)
    assert all(abs(a - b) <= 1 for a, b in zip(ours.recipe.size_hw, theirs.size_hw, strict=True))  # they round down
    assert ours.recipe.name == "imagenet@96x160"


def test_a_repository_brings_its_own_weights(tmp_path: Path) -> None:
    transformers_tower("dinov2").save_pretrained(tmp_path)
    with pytest.raises(RangeError, match="brings its own weights"):
        create_model(f"local-dir:{tmp_path}", str(tmp_path / "model.safetensors"))
    larger = create_model(f"local-dir:{tmp_path}", img_size=128)
    assert larger.recipe.input_hw == (128, 128)
    assert any("imagenet@128 is used" in note for note in larger.weights_notes)
