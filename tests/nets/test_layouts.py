"""Checkpoints of other publishers in networks of ours: built there with random weights, saved, loaded, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from photosite.errors import MismatchedWeightsError
from photosite.nets import create_model
from photosite.nets.checkpoints.weights import save_weights
from photosite.prep.load import load
from photosite.prep.samples import sample_path
from tests.nets.publishers import DEPTH, HEADS, PATCH, SIDE, WIDTH, drawn, library, transformers_tower

TOWER: dict[str, Any] = {"img_size": SIDE, "patch_size": PATCH, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS}


def photos(side: int, count: int = 2, columns: int | None = None) -> Tensor:
    """Pieces of a real photo, normalized."""
    picture = np.asarray(load(sample_path("chelsea")), np.float32) / 127.5 - 1
    width = columns or side
    pieces = [picture[40 * n : 40 * n + side, 90 * n : 90 * n + width] for n in range(count)]
    return torch.from_numpy(np.stack(pieces).transpose(0, 3, 1, 2).copy())


def check_close(found: Tensor, wanted: Tensor) -> None:
    assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


def saved(model: nn.Module, folder: Path) -> str:
    model.save_pretrained(folder)  # type: ignore[operator]
    return f"local-dir:{folder}"


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu"}, {"num_hidden_layers": 5, "image_size": 96}])
def test_clip_of_transformers(changes: dict[str, Any], tmp_path: Path) -> None:
    peer = transformers_tower("clip", projection_dim=20, **changes)
    ours = create_model(saved(peer, tmp_path), num_classes=20)
    x = photos(ours.tower.side)
    with torch.inference_mode():
        wanted = peer(x)
        check_close(ours(x), wanted.image_embeds)
        before = ours.norm_pre(torch.zeros(1, 1, WIDTH))
        assert before.abs().max() > 0
        check_close(ours.blocks(ours.embed(x)[0]), wanted.last_hidden_state)
        larger = photos(112, columns=144)
        check_close(ours(larger), peer(larger, interpolate_pos_encoding=True).image_embeds)
    assert ours.interpolation == "transformers"


def test_a_projection_that_is_not_wanted_is_left_out_and_said(tmp_path: Path) -> None:
    peer = transformers_tower("clip", projection_dim=20)
    ours = create_model(saved(peer, tmp_path))
    assert any("num_classes=20 keeps it" in note for note in ours.weights_notes)
    with torch.inference_mode():
        pooled = peer.vision_model(photos(SIDE)).pooler_output
        check_close(ours(photos(SIDE)), pooled)


def test_clip_with_its_text_tower_beside_it(tmp_path: Path) -> None:
    transformers = library("transformers")
    small = {"hidden_size": WIDTH, "intermediate_size": 90, "num_hidden_layers": 2, "num_attention_heads": HEADS}
    vision = {**small, "image_size": SIDE, "patch_size": PATCH}
    peer = drawn(transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=small)))
    ours = create_model(saved(peer, tmp_path), num_classes=512)
    x = photos(SIDE)
    with torch.inference_mode():
        check_close(ours(x), peer.visual_projection(peer.vision_model(x).pooler_output))
    assert any("beside the vision tower left out" in note for note in ours.weights_notes)


def test_siglip_of_transformers(tmp_path: Path) -> None:
    peer = transformers_tower("siglip")
    ours = create_model(saved(peer, tmp_path))
    x, larger = photos(SIDE), photos(80, columns=112)
    with torch.inference_mode():
        check_close(ours.forward_features(x), peer(x).last_hidden_state)
        check_close(ours(x), peer(x).pooler_output)
        check_close(ours(larger), peer(larger, interpolate_pos_encoding=True).pooler_output)


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers"])
@pytest.mark.parametrize("gated", [False, True])
def test_dinov2_of_transformers(kind: str, gated: bool, tmp_path: Path) -> None:
    peer = transformers_tower(kind, use_swiglu_ffn=gated)
    ours = create_model(saved(peer, tmp_path))
    with torch.inference_mode():
        for x in (photos(SIDE), photos(32, columns=48), photos(96, columns=112)):
            check_close(ours.forward_features(x), peer(x).last_hidden_state)
    assert ours.num_prefix_tokens == (5 if "registers" in kind else 1)


def test_vit_of_transformers_with_its_classes(tmp_path: Path) -> None:
    labels = {number: f"thing {number}" for number in range(7)}
    peer = transformers_tower("vit", id2label=labels, label2id={label: n for n, label in labels.items()})
    ours = create_model(saved(peer, tmp_path))
    with torch.inference_mode():
        check_close(ours(photos(SIDE)), peer(photos(SIDE)).logits)
    assert ours.classes == tuple(labels.values())


@pytest.mark.parametrize("quick", [False, True])
def test_clip_of_open_clip_and_openai(quick: bool, tmp_path: Path) -> None:
    open_clip = library("open_clip")
    act = open_clip.transformer.QuickGELU if quick else nn.GELU
    peer = drawn(
        open_clip.transformer.VisionTransformer(SIDE, PATCH, WIDTH, DEPTH, HEADS, 4.0, output_dim=20, act_layer=act)
    )
    beside = {"token_embedding.weight": torch.zeros(9, 8), "logit_scale": torch.ones(())}
    tensors = {**{f"visual.{key}": value for key, value in peer.state_dict().items()}, **beside}
    save_weights(tmp_path / "clip.safetensors", tensors)
    name = f"vit_base_patch16_clip{'_quickgelu' if quick else ''}_224"
    ours = create_model(name, str(tmp_path / "clip.safetensors"), num_classes=20, **TOWER)
    with torch.inference_mode():
        check_close(ours(photos(SIDE)), peer(photos(SIDE)))
        assert any(f"activation: {ours.tower.activation}, as the network has it" in one for one in ours.weights_notes)
        larger = photos(96)
        open_clip.model.resize_pos_embed(
            holder := {"visual.positional_embedding": peer.positional_embedding.detach()}, _Visual(96)
        )
        check_close(ours.positions(6, 6)[0], holder["visual.positional_embedding"])
        assert ours(larger).shape == (2, 20)


class _Visual:
    """What open_clip's resizing looks at: the grid that is wanted."""

    def __init__(self, side: int) -> None:
        self.visual = self
        self.grid_size = (side // PATCH, side // PATCH)


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("gated", [False, True])
def test_dinov2_of_the_hub_as_timm_reads_it(registers: int, gated: bool, tmp_path: Path) -> None:
    timm = library("timm")
    torch.manual_seed(0)
    name = f"vit_{'giant' if gated else 'small'}_patch14{'_reg4' if registers else ''}_dinov2"
    sizes = {**TOWER, "patch_size": 14, "img_size": 70}
    peer = timm.create_model(name, dynamic_img_size=True, **sizes)
    places = 25 + 1
    state = {
        key: value for key, value in drawn(peer).state_dict().items() if not key.startswith(("pos_", "reg_", "cls_"))
    }
    for old, new in ((".mlp.fc1.", ".mlp.w12."), (".mlp.fc2.", ".mlp.w3.")) if gated else ():
        state = {key.replace(old, new): value for key, value in state.items()}
    state |= {"pos_embed": torch.randn(1, places, WIDTH), "cls_token": torch.randn(1, 1, WIDTH)}
    state |= {"mask_token": torch.zeros(1, WIDTH)}
    if registers:
        state["register_tokens"] = torch.randn(1, registers, WIDTH)
    save_weights(tmp_path / "hub.safetensors", state)
    peer.load_state_dict(timm.models.vision_transformer.checkpoint_filter_fn(dict(state), peer))
    ours = create_model(name, str(tmp_path / "hub.safetensors"), hidden=peer.blocks[0].mlp.fc2.in_features, **sizes)
    with torch.inference_mode():
        check_close(ours.forward_features(photos(70)), peer.forward_features(photos(70)))
    assert ours.interpolation == ("dinov2 with registers" if registers else "dinov2")


@pytest.mark.parametrize(("rows", "columns"), [(3, 7), (9, 9), (16, 4)])
def test_positions_of_the_hub_are_those_of_its_scale(rows: int, columns: int) -> None:
    from photosite.ops.resampling import upsample_bicubic2d

    model = create_model("vit_small_patch14_dinov2", interpolation="dinov2", **{**TOWER, "img_size": 112})
    grid = model.pos_embed.detach()[:, 1:].reshape(1, *model.grid, WIDTH).permute(0, 3, 1, 2).numpy()
    scales = [(to + 0.1) / have for to, have in zip((rows, columns), model.grid, strict=True)]
    wanted = upsample_bicubic2d(grid, None, False, scales)
    with torch.inference_mode():
        found = model.positions(rows, columns)[:, 1:].transpose(1, 2).reshape(1, WIDTH, rows, columns)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


def test_a_tower_of_timm_inside_open_clip(tmp_path: Path) -> None:
    peer = drawn(library("timm").create_model("vit_base_patch16_224", num_classes=0, **TOWER))
    save_weights(tmp_path / "w.safetensors", {f"visual.trunk.{key}": value for key, value in peer.state_dict().items()})
    ours = create_model("vit_base_patch16_224", str(tmp_path / "w.safetensors"), num_classes=0, **TOWER)
    with torch.inference_mode():
        check_close(ours(photos(SIDE)), peer(photos(SIDE)))


def test_a_tensor_that_is_missing_or_strange_is_named(tmp_path: Path) -> None:
    peer = transformers_tower("dinov2")
    state = {**peer.state_dict(), "encoder.layer.0.strange": torch.zeros(1)}
    del state["encoder.layer.1.norm1.weight"]
    save_weights(tmp_path / "w.safetensors", state)
    with pytest.raises(MismatchedWeightsError) as caught:
        create_model("vit_small_patch14_dinov2", str(tmp_path / "w.safetensors"), **TOWER)
    assert caught.value.missing == ("blocks.1.norm1.weight",)
    assert caught.value.unexpected == ("encoder.layer.0.strange",)


@pytest.mark.parametrize("classes", [None, 10, 0])
@pytest.mark.parametrize(
    "name",
    ["convnext_tiny", pytest.param("vgg11", marks=pytest.mark.slow), pytest.param("vgg11_bn", marks=pytest.mark.slow)],
)
def test_timms_names_of_convolutional_networks(name: str, classes: int | None, tmp_path: Path) -> None:
    small: dict[str, Any] = {"depths": (1, 2, 2, 1), "dims": (16, 32, 48, 64)} if name == "convnext_tiny" else {}
    peer = drawn(library("timm").create_model(name, **small, **({} if classes is None else {"num_classes": classes})))
    save_weights(tmp_path / "w.safetensors", peer.state_dict())
    options = {"depths": small["depths"], "widths": small["dims"]} if small else {}
    ours = create_model(name, str(tmp_path / "w.safetensors"), num_classes=classes, **options)
    x = photos(224 if "vgg" in name else 96, 1)
    with torch.inference_mode():
        check_close(ours(x), peer(x))


def test_convnext_as_its_authors_name_it(tmp_path: Path) -> None:
    options: dict[str, Any] = {"depths": (1, 1, 2, 1), "widths": (16, 32, 48, 64)}
    first = drawn(create_model("convnext_tiny", **options))
    theirs: dict[str, Tensor] = {}
    for key, value in first.state_dict().items():
        part, *rest = key.split(".")
        if part == "classifier":
            theirs[f"{'norm' if rest[0] == '0' else 'head'}.{rest[1]}"] = value
        elif int(rest[0]) % 2 == 0:
            theirs[f"downsample_layers.{int(rest[0]) // 2}.{'.'.join(rest[1:])}"] = value
        elif rest[2] == "layer_scale":
            theirs[f"stages.{int(rest[0]) // 2}.{rest[1]}.gamma"] = value.flatten()
        else:
            names = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}
            theirs[f"stages.{int(rest[0]) // 2}.{rest[1]}.{names[rest[3]]}.{rest[4]}"] = value
    save_weights(tmp_path / "w.safetensors", theirs)
    ours = create_model("convnext_tiny", str(tmp_path / "w.safetensors"), **options)
    for key, value in first.state_dict().items():
        assert_close(ours.state_dict()[key], value, rtol=0, atol=0)
