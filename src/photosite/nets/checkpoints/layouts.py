"""How publishers write networks down, and how that becomes ours: names, fused layers, shapes.

A tower inside a larger checkpoint (a text tower beside it, a language model around it) is found by names that only it
has. Knows tensors and names, no files and no networks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
Ours = str | Callable[[re.Match[str]], str] | None


@dataclass(frozen=True)
class Layout:
    """How one publisher writes a vision tower down.

    Attributes:
        publisher: in words.
        signs: names that are there, all of them behind the same prefix, and tell it from the others.
        names: regular expressions for whole names behind the prefix, and ours, or what makes ours of a match; None for
            a tensor that is not wanted.
        interpolation: of `photosite.nets.vit.INTERPOLATIONS`; "" for what has no positions.
        beside: names outside the prefix that belong to the tower, and ours.
        activation_unknown: whether towers of either activation have these names and shapes.
    """

    publisher: str
    signs: tuple[str, ...]
    names: tuple[tuple[str, Ours], ...]
    interpolation: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    activation_unknown: bool = False


@dataclass(frozen=True)
class Converted:
    """A checkpoint by our names.

    Attributes:
        tensors: name to tensor.
        layout: whose names they were.
        notes: what a person should know: what lay beside the tower and was left out.
    """

    tensors: Tensors
    layout: Layout
    notes: tuple[str, ...]


_TRANSFORMERS_BLOCK: tuple[tuple[str, str], ...] = (
    (r"self_attn\.([qkv])_proj\.(.*)", r"attn.\1.\2"),
    (r"self_attn\.out_proj\.(.*)", r"attn.proj.\1"),
    (r"layer_norm([12])\.(.*)", r"norm\1.\2"),
    (r"mlp\.(.*)", r"mlp.\1"),
)
_NEWER_BLOCK: tuple[tuple[str, str], ...] = (
    (r"attention\.([qkv])_proj\.(.*)", r"attn.\1.\2"),
    (r"attention\.o_proj\.(.*)", r"attn.proj.\1"),
    (r"attention\.attention\.([qkv])(?:uery|ey|alue)\.(.*)", r"attn.\1.\2"),
    (r"attention\.output\.dense\.(.*)", r"attn.proj.\1"),
    (r"norm([12])\.(.*)", r"norm\1.\2"),
    (r"layernorm_before\.(.*)", r"norm1.\1"),
    (r"layernorm_after\.(.*)", r"norm2.\1"),
    (r"layer_scale([12])\.lambda1", r"ls\1.gamma"),
    (r"intermediate\.dense\.(.*)", r"mlp.fc1.\1"),
    (r"output\.dense\.(.*)", r"mlp.fc2.\1"),
    (r"mlp\.weights_in\.(.*)", r"mlp.fc1.\1"),
    (r"mlp\.(?:weights_out|down_proj)\.(.*)", r"mlp.fc2.\1"),
    (r"mlp\.(.*)", r"mlp.\1"),
)


def _blocks(where: str, rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Ours], ...]:
    """Rules for what stands in a block, as rules for whole names; `where` has one group, the block's number."""

    def further(group: re.Match[str]) -> str:
        return f"\\{int(group[1]) + 1}"

    return tuple((where + r"\." + wanted, r"blocks.\1." + re.sub(r"\\(\d)", further, ours)) for wanted, ours in rules)


_TRANSFORMERS_TOWER: tuple[tuple[str, Ours], ...] = (
    (r"embeddings\.class_embedding", "cls_token"),
    (r"embeddings\.patch_embedding\.(.*)", r"patch_embed.proj.\1"),
    (r"embeddings\.position_embedding\.weight", "pos_embed"),
    (r"embeddings\.position_ids", None),
    (r"pre_layrnorm\.(.*)", r"norm_pre.\1"),
    *_blocks(r"encoder\.layers\.(\d+)", _TRANSFORMERS_BLOCK),
    (r"post_layernorm\.(.*)", r"norm.\1"),
    (r"head\.probe", "attn_pool.latent"),
    (r"head\.attention\.in_proj_(.*)", r"attn_pool.in_proj.\1"),
    (r"head\.attention\.out_proj\.(.*)", r"attn_pool.proj.\1"),
    (r"head\.layernorm\.(.*)", r"attn_pool.norm.\1"),
    (r"head\.mlp\.(.*)", r"attn_pool.mlp.\1"),
)
_NEWER_TOWER: tuple[tuple[str, Ours], ...] = (
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.register_tokens", "reg_token"),
    (r"embeddings\.mask_token", None),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(.*)", r"patch_embed.proj.\1"),
    *_blocks(r"(?:encoder\.)?layers?\.(\d+)", _NEWER_BLOCK),
    (r"layernorm\.(.*)", r"norm.\1"),
    (r"pooler\..*", None),
)
_OPENAI_BLOCK: tuple[tuple[str, str], ...] = (
    (r"attn\.in_proj_(.*)", r"attn.qkv.\1"),
    (r"attn\.out_proj\.(.*)", r"attn.proj.\1"),
    (r"ln_([12])\.(.*)", r"norm\1.\2"),
    (r"mlp\.c_fc\.(.*)", r"mlp.fc1.\1"),
    (r"mlp\.c_proj\.(.*)", r"mlp.fc2.\1"),
)
_OPENAI_TOWER: tuple[tuple[str, Ours], ...] = (
    (r"conv1\.weight", "patch_embed.proj.weight"),
    (r"class_embedding", "cls_token"),
    (r"positional_embedding", "pos_embed"),
    (r"ln_pre\.(.*)", r"norm_pre.\1"),
    *_blocks(r"transformer\.resblocks\.(\d+)", _OPENAI_BLOCK),
    (r"ln_post\.(.*)", r"norm.\1"),
    (r"proj", "head.projection"),
)
_TORCHVISION_BLOCK: tuple[tuple[str, str], ...] = (
    (r"self_attention\.in_proj_(.*)", r"attn.qkv.\1"),
    (r"self_attention\.out_proj\.(.*)", r"attn.proj.\1"),
    (r"ln_([12])\.(.*)", r"norm\1.\2"),
    (r"mlp\.(?:linear_1|0)\.(.*)", r"mlp.fc1.\1"),
    (r"mlp\.(?:linear_2|3)\.(.*)", r"mlp.fc2.\1"),
)

_CONVNEXT_PARTS = {
    "conv_dw": "0",
    "dwconv": "0",
    "norm": "2",
    "mlp.fc1": "3",
    "pwconv1": "3",
    "mlp.fc2": "5",
    "pwconv2": "5",
}
"""Of a block, by the names of timm and of its authors."""


def _convnext_block(found: re.Match[str]) -> str:
    stage, block, part, rest = found.groups()
    return f"features.{2 * int(stage) + 1}.{block}.block.{_CONVNEXT_PARTS[part]}.{rest}"


def _convnext_scale(found: re.Match[str]) -> str:
    return f"features.{2 * int(found[1]) + 1}.{found[2]}.layer_scale"


def _convnext_step(found: re.Match[str]) -> str:
    return f"features.{2 * int(found[1])}.{found[2]}"


_CONVNEXT: tuple[tuple[str, Ours], ...] = (
    (r"stages\.(\d)\.(?:blocks\.)?(\d+)\.(conv_dw|dwconv|norm|mlp\.fc[12]|pwconv[12])\.(.*)", _convnext_block),
    (r"stages\.(\d)\.(?:blocks\.)?(\d+)\.gamma", _convnext_scale),
    (r"stages\.(\d)\.downsample\.(.*)", _convnext_step),
    (r"downsample_layers\.(\d)\.(.*)", _convnext_step),
    (r"stem\.(.*)", r"features.0.\1"),
    (r"(?:head\.norm|norm)\.(.*)", r"classifier.0.\1"),
    (r"(?:head\.fc|head)\.(.*)", r"classifier.2.\1"),
)

LAYOUTS: tuple[Layout, ...] = (
    Layout("timm's ConvNeXt", ("stages.0.blocks.0.conv_dw.weight", "stem.0.weight"), _CONVNEXT),
    Layout("ConvNeXt's authors", ("stages.0.0.dwconv.weight", "downsample_layers.0.0.weight"), _CONVNEXT),
    Layout(
        "timm's VGG",
        ("pre_logits.fc1.weight", "features.0.weight"),
        (
            (r"features\.(.*)", r"features.\1"),
            (r"pre_logits\.fc1\.(.*)", r"classifier.0.\1"),
            (r"pre_logits\.fc2\.(.*)", r"classifier.3.\1"),
            (r"head\.fc\.(.*)", r"classifier.6.\1"),
        ),
    ),
    Layout(
        "torchvision",
        ("conv_proj.weight", "encoder.pos_embedding", "class_token"),
        (
            (r"class_token", "cls_token"),
            (r"conv_proj\.(.*)", r"patch_embed.proj.\1"),
            (r"encoder\.pos_embedding", "pos_embed"),
            *_blocks(r"encoder\.layers\.encoder_layer_(\d+)", _TORCHVISION_BLOCK),
            (r"encoder\.ln\.(.*)", r"norm.\1"),
            (r"heads\.head\.(.*)", r"head.\1"),
        ),
        "torchvision",
    ),
    Layout(
        "transformers",
        ("embeddings.patch_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight"),
        _TRANSFORMERS_TOWER,
        "transformers",
        {"visual_projection.weight": "head.weight"},
        activation_unknown=True,
    ),
    Layout(
        "transformers, with registers",
        ("embeddings.patch_embeddings.projection.weight", "embeddings.register_tokens"),
        _NEWER_TOWER,
        "dinov2 with registers",
    ),
    Layout(
        "transformers",
        ("embeddings.patch_embeddings.projection.weight", "embeddings.position_embeddings"),
        _NEWER_TOWER,
        "transformers",
        {"classifier.weight": "head.weight", "classifier.bias": "head.bias"},
    ),
    Layout(
        "OpenAI's CLIP",
        ("conv1.weight", "class_embedding", "ln_pre.weight"),
        _OPENAI_TOWER,
        "open_clip",
        activation_unknown=True,
    ),
    Layout("open_clip around timm", ("trunk.patch_embed.proj.weight",), ((r"trunk\.(.*)", r"\1"),), "open_clip"),
    *(
        Layout(
            f"DINOv2's hub{words}",
            ("mask_token", "blocks.0.ls1.gamma", *signs),
            (
                (r"mask_token", None),
                (r"register_tokens", "reg_token"),
                (r"(blocks\.\d+\.mlp)\.w12\.(.*)", r"\1.fc1.\2"),
                (r"(blocks\.\d+\.mlp)\.w3\.(.*)", r"\1.fc2.\2"),
                (r"(.*)", r"\1"),
            ),
            interpolation,
        )
        for words, signs, interpolation in (
            (", with registers", ("register_tokens",), "dinov2 with registers"),
            ("", (), "dinov2"),
        )
    ),
)
"""In the order in which they are tried: the more special ones first."""


def convert(tensors: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> Converted | None:
    """Bring a checkpoint of another publisher to our names and shapes.

    Args:
        tensors: by the publisher's names; nothing in them is changed.
        wanted: names and shapes of the network that is to take them.
    Returns:
        The tensors by our names, those of no rule by their own; None where no layout is recognized.

    >>> theirs = {
    ...     "visual.conv1.weight": torch.zeros(8, 3, 4, 4),
    ...     "visual.class_embedding": torch.zeros(8),
    ...     "visual.ln_pre.weight": torch.ones(8),
    ...     "token_embedding.weight": torch.zeros(9, 8),
    ... }
    >>> found = convert(theirs, {})
    >>> found.layout.publisher, sorted(found.tensors)
    ("OpenAI's CLIP", ['cls_token', 'norm_pre.weight', 'patch_embed.proj.weight'])
    """
    recognized = _recognized(tensors)
    if recognized is None:
        return None
    layout, found, left = recognized
    _fuse(found)
    _shape(found, wanted)
    _head(found)
    notes = [f"names and shapes of {layout.publisher} brought to ours"]
    if left:
        notes.append(f"{len(left)} tensors beside the vision tower left out, such as {sorted(left)[0]!r:.80}")
    return Converted(found, layout, tuple(notes))


def positions_in(tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The position embeddings of a checkpoint, (..., N, D), by whatever names; None where it has none."""
    recognized = _recognized(tensors)
    return (tensors if recognized is None else recognized[1]).get("pos_embed")


def _recognized(tensors: Mapping[str, Tensor]) -> tuple[Layout, Tensors, list[str]] | None:
    """Whose names they are, the tower's tensors by ours, and the names of what lies beside it."""
    for layout in LAYOUTS:
        prefix = _prefix(layout, tensors)
        if prefix is not None:
            return layout, *_renamed(layout, tensors, prefix)
    return None


def _prefix(layout: Layout, tensors: Mapping[str, Tensor]) -> str | None:
    """What stands in front of all signs of a layout; None where they are not all there."""
    first, *others = layout.signs
    for name in tensors:
        if name.endswith(first):
            prefix = name.removesuffix(first)
            if (not prefix or prefix.endswith(".")) and all(f"{prefix}{other}" in tensors for other in others):
                return prefix
    return None


def _renamed(layout: Layout, tensors: Mapping[str, Tensor], prefix: str) -> tuple[Tensors, list[str]]:
    """The tower's tensors by our names, and the names of what lay beside it."""
    found: Tensors = {}
    left: list[str] = []
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            ours = _ours(layout, name.removeprefix(prefix))
            if ours is not None and not prefix:
                ours = layout.beside.get(ours, ours)
        else:
            ours = layout.beside.get(name)
            left += [] if ours else [name]
        if ours is not None:
            found[ours] = tensor
    return found, left


def _ours(layout: Layout, name: str) -> str | None:
    for pattern, ours in layout.names:
        match = re.fullmatch(pattern, name)
        if match:
            return ours(match) if callable(ours) else None if ours is None else match.expand(ours)
    return name


def _fuse(found: Tensors) -> None:
    """One layer for query, key and value; one for the two halves of a gated MLP; two for the pool's question."""
    for joined, parts in (("attn.qkv", ("attn.q", "attn.k", "attn.v")), ("mlp.fc1", ("mlp.gate_proj", "mlp.up_proj"))):
        for name in [name for name in found if f".{parts[0]}." in name]:
            names = [name.replace(f".{parts[0]}.", f".{part}.") for part in parts]
            if all(one in found for one in names):
                found[name.replace(f".{parts[0]}.", f".{joined}.")] = torch.cat([found.pop(one) for one in names])
    for name in [name for name in found if name.startswith("attn_pool.in_proj.")]:
        tensor, kind = found.pop(name), name.rpartition(".")[2]
        third = len(tensor) // 3
        found[f"attn_pool.q.{kind}"], found[f"attn_pool.kv.{kind}"] = tensor[:third], tensor[third:]


def _shape(found: Tensors, wanted: Mapping[str, torch.Size]) -> None:
    """Tokens, scales and flattened kernels with our axes; a class token's position added to it where ours has none."""
    for name, shape in wanted.items():
        layer = name.endswith("layer_scale") or name in ("classifier.0.weight", "classifier.3.weight")
        if layer and name in found and found[name].shape != shape and found[name].numel() == shape.numel():
            found[name] = found[name].reshape(shape)
    for name in ("cls_token", "pos_embed", "reg_token"):
        if name in found and found[name].ndim < 3:
            found[name] = found[name].reshape(1, -1, found[name].shape[-1])
    if "reg_token" in found and "cls_token" in found and "pos_embed" in found:
        positions, places = found["pos_embed"], wanted.get("pos_embed")
        if places is not None and positions.shape[1] == places[1] + 1:
            found["cls_token"] = found["cls_token"] + positions[:, :1]
            found["pos_embed"] = positions[:, 1:]


def _head(found: Tensors) -> None:
    """A projection as a linear layer whose bias is 0."""
    if "head.projection" in found:
        found["head.weight"] = found.pop("head.projection").T.contiguous()
    if "head.weight" in found and "head.bias" not in found:
        found["head.bias"] = found["head.weight"].new_zeros(len(found["head.weight"]))
