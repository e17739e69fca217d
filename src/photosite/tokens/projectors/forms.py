"""The forms in which projectors are published: names of their tensors, and how a module is built from its shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from photosite.errors import WeightsError
from photosite.tokens.projectors.asking import GatedResampler, PerceiverResampler, QFormer
from photosite.tokens.projectors.joined import LinearProjector, MeanProjector, MLPProjector, Norm

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Form:
    """One way in which projectors are published.

    Attributes:
        said: whose it is, in words.
        names: regular expressions of all their tensors' names, behind a prefix of the model, and our names for them.
        needs: our names that have to be there.
        build: makes the module from the renamed tensors, and the heads of attention that a caller gave.
        change: makes a tensor, given our name for it, what our module has there.
    """

    said: str
    names: Mapping[str, str]
    needs: tuple[str, ...]
    build: Callable[[Tensors, Mapping[str, int]], nn.Module]
    change: Callable[[str, Tensor], Tensor] = lambda _, tensor: tensor


def _width(tensors: Tensors, name: str) -> int:
    return int(tensors[name].shape[-1])


def _linear(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
    out, width = tensors["linear.weight"].shape
    return LinearProjector(int(width), int(out), bias="linear.bias" in tensors)


def _mlp(norm: Norm | None, joined: bool = False) -> Callable[[Tensors, Mapping[str, int]], nn.Module]:
    def build(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
        inner, width = (int(side) for side in tensors["inner.weight"].shape)
        patches = 1
        if norm is not None and not joined:
            patches = width // _width(tensors, "norm.weight")
        return MLPProjector(
            width // patches,
            int(tensors["outer.weight"].shape[0]),
            patches,
            inner=inner,
            norm=norm,
            norm_joined=joined,
            bias="inner.bias" in tensors,
            eps=1e-5 if joined else 1e-6,  # nn.LayerNorm's own, which InternVL takes
        )

    return build


def _mean(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
    out, width = tensors["linear.weight"].shape
    return MeanProjector(int(width), int(out))


def _count(tensors: Tensors, pattern: str) -> int:
    numbers = {int(found[1]) for name in tensors if (found := re.match(pattern, name))}
    return len(numbers)


def _heads_given(given: Mapping[str, int]) -> int:
    if "heads" not in given:
        raise WeightsError("projector: weights do not say how many heads its attention has; give heads=")
    return given["heads"]


def _perceiver(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
    heads, (questions, width) = _heads_given(given), tensors["questions"].shape
    return PerceiverResampler(
        int(width),
        int(questions),
        _count(tensors, r"blocks\.(\d+)\."),
        heads,
        tensors["blocks.0.attention.question.weight"].shape[0] // heads,
        norm_heads="blocks.0.attention.norm_key.weight" in tensors,
        inner=int(tensors["blocks.0.thinking.inner.weight"].shape[0]),
    )


def _gated(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
    heads, (questions, out) = _heads_given(given), tensors["questions"].shape
    head_width = tensors["blocks.0.attention.question.weight"].shape[0] // heads
    return GatedResampler(
        _width(tensors, "projection.gate.weight"),
        int(out),
        int(questions),
        _count(tensors, r"blocks\.(\d+)\."),
        heads,
        tensors["blocks.0.attention.key.weight"].shape[0] // head_width,
        head_width,
        inner=int(tensors["projection.gate.weight"].shape[0]),
    )


def _qformer(tensors: Tensors, given: Mapping[str, int]) -> nn.Module:
    questions, width = tensors["questions"].shape
    return QFormer(
        _width(tensors, "blocks.0.across.key.weight"),
        int(tensors["out.weight"].shape[0]) if "out.weight" in tensors else None,
        int(questions),
        width=int(width),
        depth=_count(tensors, r"blocks\.(\d+)\."),
        heads=_heads_given(given),
        inner=int(tensors["blocks.0.inner.weight"].shape[0]),
        every=given["every"],
    )


_MLP = ("inner.weight", "outer.weight")
_NORMED = (*_MLP, "norm.weight")
_PARTS = r"\.(weight|bias)"
_ATTENTION = {"question": "query", "key": "key", "value": "value"}

FORMS: tuple[Form, ...] = (
    Form(
        "InternVL",
        {
            rf"multi_modal_projector\.layer_norm{_PARTS}": r"norm.\g<2>",
            rf"multi_modal_projector\.linear_1{_PARTS}": r"inner.\g<2>",
            rf"multi_modal_projector\.linear_2{_PARTS}": r"outer.\g<2>",
            rf"mlp1\.0{_PARTS}": r"norm.\g<2>",
            rf"mlp1\.1{_PARTS}": r"inner.\g<2>",
            rf"mlp1\.3{_PARTS}": r"outer.\g<2>",
        },
        _NORMED,
        _mlp("layer", joined=True),
    ),
    Form(
        "Qwen2-VL",
        {
            rf"merger\.ln_q{_PARTS}": r"norm.\g<2>",
            rf"merger\.mlp\.0{_PARTS}": r"inner.\g<2>",
            rf"merger\.mlp\.2{_PARTS}": r"outer.\g<2>",
        },
        (*_NORMED, "norm.bias"),
        _mlp("layer"),
    ),
    Form(
        "Qwen2.5-VL",
        {
            rf"merger\.ln_q{_PARTS}": r"norm.\g<2>",
            rf"merger\.mlp\.0{_PARTS}": r"inner.\g<2>",
            rf"merger\.mlp\.2{_PARTS}": r"outer.\g<2>",
        },
        _NORMED,
        _mlp("rms"),
    ),
    Form(
        "Qwen3-VL",
        {
            rf"merger\.norm{_PARTS}": r"norm.\g<2>",
            rf"merger\.linear_fc1{_PARTS}": r"inner.\g<2>",
            rf"merger\.linear_fc2{_PARTS}": r"outer.\g<2>",
        },
        _NORMED,
        _mlp("layer"),
    ),
    Form(
        "LLaVA, LLaVA-NeXT, Pixtral",
        {
            rf"multi_modal_projector\.linear_1{_PARTS}": r"inner.\g<2>",
            rf"multi_modal_projector\.linear_2{_PARTS}": r"outer.\g<2>",
            rf"mm_projector\.0{_PARTS}": r"inner.\g<2>",
            rf"mm_projector\.2{_PARTS}": r"outer.\g<2>",
            rf"vision_language_adapter\.w_in{_PARTS}": r"inner.\g<2>",
            rf"vision_language_adapter\.w_out{_PARTS}": r"outer.\g<2>",
        },
        _MLP,
        _mlp(None),
    ),
    Form(
        "PaliGemma, Idefics3, SmolVLM, nanoVLM",
        {
            rf"multi_modal_projector\.linear{_PARTS}": r"linear.\g<2>",
            rf"connector\.modality_projection\.proj{_PARTS}": r"linear.\g<2>",
            rf"MP\.proj{_PARTS}": r"linear.\g<2>",
        },
        ("linear.weight",),
        _linear,
    ),
    Form(
        "Gemma 3",
        {
            r"multi_modal_projector\.mm_soft_emb_norm\.weight": "norm.weight",
            r"multi_modal_projector\.mm_input_projection_weight": "linear.weight",
        },
        ("norm.weight", "linear.weight"),
        _mean,
        lambda name, tensor: tensor.T if name == "linear.weight" else tensor,
    ),
    Form(
        "Idefics",
        {
            r"perceiver_resampler\.latents": "questions",
            rf"perceiver_resampler\.layer_norm{_PARTS}": r"norm.\g<2>",
            rf"perceiver_resampler\.blocks\.(\d+)\.0\.context_layer_norm{_PARTS}": r"blocks.\g<2>.norm_places.\g<3>",
            rf"perceiver_resampler\.blocks\.(\d+)\.0\.latents_layer_norm{_PARTS}": r"blocks.\g<2>.norm_questions.\g<3>",
            rf"perceiver_resampler\.blocks\.(\d+)\.0\.q_layer_norm{_PARTS}": (
                r"blocks.\g<2>.attention.norm_question.\g<3>"
            ),
            rf"perceiver_resampler\.blocks\.(\d+)\.0\.k_layer_norm{_PARTS}": r"blocks.\g<2>.attention.norm_key.\g<3>",
            r"perceiver_resampler\.blocks\.(\d+)\.0\.q_proj\.weight": r"blocks.\g<2>.attention.question.weight",
            r"perceiver_resampler\.blocks\.(\d+)\.0\.k_proj\.weight": r"blocks.\g<2>.attention.key.weight",
            r"perceiver_resampler\.blocks\.(\d+)\.0\.v_proj\.weight": r"blocks.\g<2>.attention.value.weight",
            r"perceiver_resampler\.blocks\.(\d+)\.0\.output_proj\.weight": r"blocks.\g<2>.attention.out.weight",
            rf"perceiver_resampler\.blocks\.(\d+)\.1\.ln{_PARTS}": r"blocks.\g<2>.thinking.norm.\g<3>",
            r"perceiver_resampler\.blocks\.(\d+)\.1\.fc\.weight": r"blocks.\g<2>.thinking.inner.weight",
            r"perceiver_resampler\.blocks\.(\d+)\.1\.c_proj\.weight": r"blocks.\g<2>.thinking.outer.weight",
        },
        ("questions", "blocks.0.norm_places.weight"),
        _perceiver,
    ),
    Form(
        "Idefics2",
        {
            r"connector\.perceiver_resampler\.latents": "questions",
            r"connector\.perceiver_resampler\.norm\.weight": "norm.weight",
            r"connector\.modality_projection\.(gate|up|down)_proj\.weight": r"projection.\g<2>.weight",
            r"connector\.perceiver_resampler\.layers\.(\d+)\.input_latents_norm\.weight": (
                r"blocks.\g<2>.norm_questions.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.input_context_norm\.weight": (
                r"blocks.\g<2>.norm_places.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.self_attn\.q_proj\.weight": (
                r"blocks.\g<2>.attention.question.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.self_attn\.k_proj\.weight": (
                r"blocks.\g<2>.attention.key.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.self_attn\.v_proj\.weight": (
                r"blocks.\g<2>.attention.value.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.self_attn\.o_proj\.weight": (
                r"blocks.\g<2>.attention.out.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.post_attention_layernorm\.weight": (
                r"blocks.\g<2>.thinking.0.weight"
            ),
            r"connector\.perceiver_resampler\.layers\.(\d+)\.mlp\.(gate|up|down)_proj\.weight": (
                r"blocks.\g<2>.thinking.1.\g<3>.weight"
            ),
        },
        ("questions", "projection.gate.weight"),
        _gated,
    ),
    Form(
        "BLIP-2",
        {
            r"query_tokens": "questions",
            rf"qformer\.layernorm{_PARTS}": r"norm.\g<2>",
            rf"language_projection{_PARTS}": r"out.\g<2>",
            **{
                rf"qformer\.encoder\.layer\.(\d+)\.{theirs}\.attention\.{name}{_PARTS}": (
                    rf"blocks.\g<2>.{ours}.{part}.\g<3>"
                )
                for theirs, ours in (("attention", "among"), ("crossattention", "across"))
                for part, name in _ATTENTION.items()
            },
            **{
                rf"qformer\.encoder\.layer\.(\d+)\.{theirs}\.output\.{name}{_PARTS}": (
                    rf"blocks.\g<2>.{ours}.{part}.\g<3>"
                )
                for theirs, ours in (("attention", "among"), ("crossattention", "across"))
                for part, name in (("out", "dense"), ("norm", "LayerNorm"))
            },
            rf"qformer\.encoder\.layer\.(\d+)\.intermediate_query\.dense{_PARTS}": r"blocks.\g<2>.inner.\g<3>",
            rf"qformer\.encoder\.layer\.(\d+)\.output_query\.dense{_PARTS}": r"blocks.\g<2>.outer.\g<3>",
            rf"qformer\.encoder\.layer\.(\d+)\.output_query\.LayerNorm{_PARTS}": r"blocks.\g<2>.norm.\g<3>",
        },
        ("questions", "norm.weight", "blocks.0.across.key.weight"),
        _qformer,
        lambda name, tensor: tensor[0] if name == "questions" else tensor,
    ),
)
