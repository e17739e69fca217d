"""Vectors for language models: those of transformers' models, built here with random weights, on real pixels."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from photosite.errors import RangeError, ShapeError, WeightsError
from photosite.nets import create_model
from photosite.tokens import front_end
from photosite.tokens.projectors import TokenLearner, load_projector, newline_of
from tests.peers import import_peer, import_torchvision
from tests.tokens.peers import photo

SMALL = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
TEXT = {
    "hidden_size": 40,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
ROPE = {"rope_type": "default", "mrope_section": [2, 2, 1], "rope_theta": 10000.0}


def peer(module: str, name: str, **config: Any) -> Any:
    """A model of transformers with random weights, in evaluation mode."""
    import_torchvision()
    import_peer("transformers")
    code = import_module(f"transformers.models.{module}")
    torch.manual_seed(0)
    model = getattr(code, f"{name}Model")(getattr(code, f"{name}Config")(**config)).eval()
    for one in model.parameters():  # norms and projections that start at 0 or 1 would hide mistakes
        if one.ndim == 1 or float(one.detach().abs().max()) == 0:
            nn.init.normal_(one, 0.5, 0.2)
    return model


def clip(side: int, patch: int = 14) -> dict[str, Any]:
    return {"model_type": "clip_vision_model", "image_size": side, "patch_size": patch, **SMALL}


def siglip(side: int, patch: int = 14) -> dict[str, Any]:
    return {"model_type": "siglip_vision_model", "image_size": side, "patch_size": patch, **SMALL}


def text(kind: str, **more: Any) -> dict[str, Any]:
    return {"model_type": kind, **TEXT, **more}


def llava(layer: Any = -2) -> Any:
    return peer("llava", "Llava", vision_config=clip(336), text_config=text("llama"), vision_feature_layer=layer)


def saved(model: Any, folder: Path) -> Path:
    """Its weights as their own library writes them."""
    model.save_pretrained(folder)
    return folder / "model.safetensors"


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-4)
    assert float(wanted.std()) > 1e-3


@pytest.mark.parametrize("layer", [-2, [0, -1, 1]])
@torch.no_grad()
def test_llava(layer: Any, tmp_path: Path) -> None:
    model, one, picture = llava(layer), front_end("llava-1.5"), photo(300, 500)
    projector = load_projector(saved(model, tmp_path))
    wanted = model.get_image_features(torch.from_numpy(one.prepare(picture).values), vision_feature_layer=layer)
    found = one.tokens(picture, model.vision_tower, projector=projector, layers=None if layer == -2 else layer)
    close(found.values, wanted.pooler_output[0])
    assert len(found.places) == 576


@pytest.mark.parametrize("size_hw", [(336, 400), (900, 500), (300, 1500)])
@torch.no_grad()
def test_llava_next(size_hw: tuple[int, int], tmp_path: Path) -> None:
    pinpoints = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    model = peer(
        "llava_next",
        "LlavaNext",
        vision_config=clip(336),
        text_config=text("llama"),
        image_grid_pinpoints=pinpoints,
    )
    one, picture, path = front_end("llava-next"), photo(*size_hw), saved(model, tmp_path)
    values = torch.from_numpy(one.prepare(picture).values)
    wanted = model.get_image_features(values[None], torch.tensor([size_hw]))
    found = one.tokens(picture, model.vision_tower, projector=load_projector(path), newline=newline_of(path))
    close(found.values, wanted.pooler_output[0])
    with pytest.raises(ShapeError, match="learned vector"):
        one.tokens(picture, model.vision_tower, projector=load_projector(path))


@pytest.mark.parametrize("size_hw", [(448, 448), (300, 700)])
@torch.no_grad()
def test_internvl(size_hw: tuple[int, int], tmp_path: Path) -> None:
    vision = {"image_size": [448, 448], "patch_size": [14, 14], "model_type": "internvl_vision", **SMALL}
    model = peer("internvl", "InternVL", vision_config=vision, text_config=text("qwen2"))
    one, picture = front_end("internvl2"), photo(*size_hw)
    wanted = model.get_image_features(torch.from_numpy(one.prepare(picture).values))
    found = one.tokens(picture, model.vision_tower, projector=load_projector(saved(model, tmp_path)))
    close(found.values, wanted.pooler_output.flatten(0, 1))


@pytest.mark.parametrize(("name", "side", "patch", "merge"), [("idefics3", 364, 14, 2), ("smolvlm-256m", 512, 16, 4)])
@torch.no_grad()
def test_idefics3_and_smolvlm(name: str, side: int, patch: int, merge: int, tmp_path: Path) -> None:
    kind = "Idefics3" if name == "idefics3" else "SmolVLM"
    vision = {"image_size": side, "patch_size": patch, **SMALL}
    model = peer(
        kind.lower(), kind, vision_config=vision, text_config=text("llama", pad_token_id=0), scale_factor=merge
    )
    one, picture = front_end(name), photo(200, 500)
    wanted = model.get_image_features(torch.from_numpy(one.prepare(picture).values)[None])
    found = one.tokens(picture, model.vision_model, projector=load_projector(saved(model, tmp_path)))
    close(found.values, torch.cat(list(wanted.pooler_output)))


@torch.no_grad()
def test_paligemma(tmp_path: Path) -> None:
    vision = {**siglip(224), "projection_dim": 40, "vision_use_head": False}
    model = peer("paligemma", "PaliGemma", vision_config=vision, text_config=text("gemma", head_dim=10))
    one, picture = front_end("paligemma-224"), photo(300, 200)
    wanted = model.get_image_features(torch.from_numpy(one.prepare(picture).values))
    found = one.tokens(picture, model.vision_tower, projector=load_projector(saved(model, tmp_path)))
    close(found.values, wanted.pooler_output[0])


@torch.no_grad()
def test_gemma3(tmp_path: Path) -> None:
    vision = {**siglip(896), "vision_use_head": False}
    words = text("gemma3_text", head_dim=10)
    model = peer("gemma3", "Gemma3", vision_config=vision, text_config=words, mm_tokens_per_image=256)
    one, picture = front_end("gemma3"), photo(300, 200)
    wanted = model.get_image_features(torch.from_numpy(one.prepare(picture).values))
    found = one.tokens(picture, model.vision_tower, projector=load_projector(saved(model, tmp_path)))
    close(found.values, wanted.pooler_output[0])


@pytest.mark.parametrize("size_hw", [(150, 300), (411, 222)])
@pytest.mark.parametrize("name", ["qwen2-vl", "qwen2.5-vl", "qwen3-vl"])
@torch.no_grad()
def test_qwen(name: str, size_hw: tuple[int, int], tmp_path: Path) -> None:
    words = text("qwen2", rope_parameters=ROPE, rope_scaling=ROPE)
    if name == "qwen2-vl":
        vision = {"depth": 3, "embed_dim": 48, "hidden_size": 40, "num_heads": 4, "mlp_ratio": 2}
        model = peer("qwen2_vl", "Qwen2VL", vision_config=vision, text_config=words)
    elif name == "qwen2.5-vl":
        vision = {"depth": 3, "hidden_size": 48, "out_hidden_size": 40, "num_heads": 4, "intermediate_size": 64}
        model = peer(
            "qwen2_5_vl", "Qwen2_5_VL", vision_config={**vision, "fullatt_block_indexes": [1]}, text_config=words
        )
    else:
        vision = {"depth": 3, "hidden_size": 48, "out_hidden_size": 40, "num_heads": 4, "intermediate_size": 64}
        words = text("qwen3", head_dim=10, rope_parameters=ROPE, rope_scaling=ROPE)
        model = peer(
            "qwen3_vl", "Qwen3VL", vision_config={**vision, "deepstack_visual_indexes": [1]}, text_config=words
        )
    one, picture = front_end(name), photo(*size_hw)
    rows, columns = one.patch_grid(one.tiles(size_hw)[0].size_hw)
    values = torch.from_numpy(one.prepare(picture).values)
    wanted = model.get_image_features(values, torch.tensor([[1, rows, columns]]))
    found = one.tokens(picture, model.visual, projector=load_projector(saved(model, tmp_path)))
    close(found.values, torch.cat(list(wanted.pooler_output)))


@torch.no_grad()
def test_pixtral(tmp_path: Path) -> None:
    vision = {"model_type": "pixtral", "image_size": 1024, "patch_size": 16, "head_dim": 12, **SMALL}
    model = peer(
        "llava",
        "Llava",
        vision_config=vision,
        text_config=text("mistral", head_dim=10),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    one, picture = front_end("pixtral"), photo(150, 230)
    values = torch.from_numpy(one.prepare(picture).values)
    wanted = model.get_image_features(values, image_sizes=torch.tensor([values.shape[2:]]))
    found = one.tokens(picture, model.vision_tower, projector=load_projector(saved(model, tmp_path)), layers=-1)
    close(found.values, torch.cat(list(wanted.pooler_output)))


def test_towers_of_ours_and_of_timm_give_the_same_as_layers() -> None:
    """A tower of ours by number, and by the names of its modules, as any model."""
    model = create_model("vit_tiny_patch16_224", img_size=384).eval()
    one, picture = front_end("nanovlm-222m"), photo(200, 300)
    model = create_model("vit_tiny_patch16_224").eval()
    by_number = one.tokens(picture, model, layers=[3, -1]).values
    by_name = one.tokens(picture, model, layers=["blocks.2", "blocks.11"]).values
    assert by_number.shape == (49, 4 * 2 * 192)
    # patches of a token side by side, of each the layers side by side
    torch.testing.assert_close(by_number, by_name, atol=1e-5, rtol=1e-5)
    last = one.tokens(picture, model).values
    assert last.shape == (49, 4 * 192)
    with pytest.raises(RangeError, match="layer 13: there are 13"):
        one.tokens(picture, model, layers=13)


@torch.no_grad()
def test_a_convolutional_grid_and_a_token_learner() -> None:
    model = create_model("resnet18").eval()
    one, picture = front_end("resnet50-224"), photo(300, 260)
    found = one.tokens(picture, model)
    maps = model.forward_features(torch.from_numpy(one.prepare(picture).values))  # type: ignore[operator]
    torch.testing.assert_close(found.values, maps[0].flatten(1).T)
    learner = TokenLearner(512, 8).eval()
    learned = one.tokens(picture, model, projector=learner)
    close(learned.values, learner(found.values[None])[0])
    assert learned.places.box(5) == (0, 0, 224, 224)


@torch.no_grad()
def test_token_learner_is_its_formula() -> None:
    """Version 1.1 of its publisher, written out in NumPy in double precision."""
    torch.manual_seed(0)
    learner, places = TokenLearner(24, 8, inner=16).eval(), torch.randn(2, 81, 24)
    nn.init.normal_(learner.norm.weight), nn.init.normal_(learner.norm.bias)
    x = places.double().numpy()
    parts = {name: one.double().numpy() for name, one in learner.state_dict().items()}
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    normed = normed * parts["norm.weight"] + parts["norm.bias"]
    inner = normed @ parts["inner.weight"].T + parts["inner.bias"]
    inner = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
    scores = np.exp(inner @ parts["outer.weight"].T + parts["outer.bias"])
    wanted = np.einsum("bns,bnd->bsd", scores / scores.sum(1, keepdims=True), x)
    np.testing.assert_allclose(learner(places).numpy(), wanted, atol=1e-5)
    assert torch.allclose(learner.weights(places).sum(-1), torch.ones(2, 8))


@torch.no_grad()
def test_perceivers() -> None:
    import_peer("transformers")
    torch.manual_seed(0)
    idefics = import_module("transformers.models.idefics")
    code = import_module("transformers.models.idefics.perceiver")
    config = idefics.IdeficsConfig(vision_config={"embed_dim": 48}, perceiver_config={"qk_layer_norms_perceiver": True})
    theirs = code.IdeficsPerceiverResampler(config, 48, 2, 3, 16, 9).eval()
    for one in theirs.parameters():
        nn.init.normal_(one, 0.1, 0.3)
    weights = {f"model.perceiver_resampler.{name}": one for name, one in theirs.state_dict().items()}
    places = torch.randn(2, 50, 48)
    close(load_projector(weights, heads=3)(places), theirs(places))
    with pytest.raises(WeightsError, match="how many heads"):
        load_projector(weights)

    second = import_module("transformers.models.idefics2")
    config = second.Idefics2Config(
        vision_config={"hidden_size": 48},
        text_config={"model_type": "mistral", **TEXT, "hidden_act": "silu"},
        perceiver_config={
            "hidden_size": 40,
            "resampler_n_latents": 7,
            "resampler_depth": 2,
            "resampler_n_heads": 4,
            "num_key_value_heads": 2,
            "resampler_head_dim": 10,
        },
    )
    module = import_module("transformers.models.idefics2.modeling_idefics2")
    theirs = module.Idefics2Connector(config).eval()
    for one in theirs.parameters():
        nn.init.normal_(one, 0.1, 0.3)
    weights = {f"model.connector.{name}": one for name, one in theirs.state_dict().items()}
    wanted = theirs(places, torch.ones(2, 50))
    close(load_projector(weights, heads=4)(places), wanted)


@torch.no_grad()
def test_q_former() -> None:
    import_peer("transformers")
    torch.manual_seed(0)
    blip = import_module("transformers.models.blip_2")
    config = blip.Blip2QFormerConfig(
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        encoder_hidden_size=56,
        cross_attention_frequency=2,
        use_qformer_text_input=False,
    )
    theirs = blip.Blip2QFormerModel(config).eval()
    asked, last = torch.randn(1, 6, 48), nn.Linear(48, 30)
    for one in theirs.parameters():
        nn.init.normal_(one, 0.1, 0.3)
    weights = {f"qformer.{name}": one for name, one in theirs.state_dict().items()}
    weights |= {f"language_projection.{name}": one for name, one in last.state_dict().items()}
    places = torch.randn(2, 50, 56)
    wanted = last(theirs(asked.expand(2, -1, -1), encoder_hidden_states=places).last_hidden_state)
    close(load_projector(weights | {"query_tokens": asked}, heads=4)(places), wanted)


def test_projectors_of_original_checkpoints(tmp_path: Path) -> None:
    """The names that publishers give, where they are not transformers'."""
    torch.manual_seed(0)
    first, second, norm = nn.Linear(48, 40), nn.Linear(40, 40), nn.LayerNorm(48)
    x = torch.randn(5, 1, 48)
    plain = {"model.mm_projector.0": first, "model.mm_projector.2": second}
    nanovlm, internvl = {"MP.proj": nn.Linear(48, 40, bias=False)}, {"mlp1.0": norm, "mlp1.1": first, "mlp1.3": second}
    gelu = nn.GELU()
    for modules, wanted in (
        (plain, second(gelu(first(x[:, 0])))),
        (internvl, second(gelu(first(norm(x[:, 0]))))),
        (nanovlm, nanovlm["MP.proj"](x[:, 0])),
    ):
        weights = {
            f"{name}.{part}": one.detach()
            for name, module in modules.items()
            for part, one in module.named_parameters()
        }
        save_file(weights | {"lm_head.weight": torch.zeros(3, 3)}, tmp_path / "a.safetensors")
        torch.testing.assert_close(load_projector(tmp_path / "a.safetensors")(x), wanted)


def test_projectors_that_are_not_known_are_refused(tmp_path: Path) -> None:
    weights = {f"multi_modal_projector.linear_{n}.weight": torch.zeros(40, 40) for n in (1, 2)}
    with pytest.raises(WeightsError, match="no projector found among 3 tensors"):
        load_projector({**weights, "multi_modal_projector.patch_merger.merging_layer.weight": torch.zeros(4, 4)})
    with pytest.raises(WeightsError, match="there are 2, behind"):
        load_projector(weights | {f"ema.{name}": one for name, one in weights.items()})
    with pytest.raises(WeightsError, match=r"linear_2|outer\.weight"):
        load_projector({**weights, "multi_modal_projector.linear_2.weight": torch.zeros(40, 41)})
    with pytest.raises(WeightsError, match="no image_newline"):
        newline_of(weights)


def test_encoders_that_do_not_fit_are_refused() -> None:
    picture = photo(200, 300)
    model = create_model("vit_tiny_patch16_224").eval()
    with pytest.raises(ShapeError, match=r"gives 19\d tokens of a picture"):
        front_end("paligemma-224").tokens(picture, model)  # its patches are 14 pixels, not 16
    with pytest.raises(ShapeError, match="map"):
        front_end("resnet50-224").tokens(photo(100, 100), nn.Conv2d(3, 8, 3, 16))
    with pytest.raises(RangeError, match="name nodes or modules"):
        front_end("resnet50-224").tokens(picture, nn.Conv2d(3, 8, 3, 32), layers=2)
    with pytest.raises(ShapeError, match="gives dict"):
        front_end("resnet50-224").tokens(picture, Weird())


class Weird(nn.Module):
    """Gives no tensor."""

    def forward(self, x: Tensor) -> Any:
        return {"x": x}
