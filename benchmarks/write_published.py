"""Write nets/checkpoints/published.json anew: whose weights fit our networks, where they are, under which license.

Read from torchvision and timm as they are installed, but for what is marked as read from a model's page. Run it as
`python benchmarks/write_published.py`; nothing is downloaded.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from photosite.files import write_whole
from photosite.nets import list_models
from photosite.nets.sources import import_torchvision

TO = Path(__file__).parent.parent / "src" / "photosite" / "nets" / "checkpoints" / "published.json"
TORCHVISION_NAMES = {
    "vit_base_patch16_224": "vit_b_16",
    "vit_base_patch32_224": "vit_b_32",
    "vit_large_patch16_224": "vit_l_16",
    "vit_large_patch32_224": "vit_l_32",
}
TORCHVISION_LICENSE = "BSD-3-Clause as torchvision's code; trained on ImageNet-1K, whose terms may apply"
TIMM_FIELDS = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
FIRST = ("laion2b", "webli")
"""Tags of towers that stand by themselves; else "openai" where OpenAI's activation is, or timm's own first one."""
PAGES: dict[str, tuple[tuple[str, str | None], ...]] = {
    "vit_base_patch32_clip_quickgelu_224": (("openai/clip-vit-base-patch32", None),),
    "vit_base_patch16_clip_quickgelu_224": (("openai/clip-vit-base-patch16", None),),
    "vit_large_patch14_clip_quickgelu_224": (("openai/clip-vit-large-patch14", None),),
    "vit_large_patch14_clip_quickgelu_336": (("openai/clip-vit-large-patch14-336", None),),
    "vit_base_patch16_siglip_224": (("google/siglip-base-patch16-224", "apache-2.0"),),
    "vit_so400m_patch14_siglip_384": (("google/siglip-so400m-patch14-384", "apache-2.0"),),
    "vit_base_patch16_224": (("google/vit-base-patch16-224", "apache-2.0"),),
    **{
        f"vit_{size}_patch14{ours}_dinov2": ((f"facebook/dinov2-{theirs}{size}", "apache-2.0"),)
        for size in ("small", "base", "large", "giant")
        for ours, theirs in (("", ""), ("_reg4", "with-registers-"))
    },
}
"""Repositories of transformers' checkpoints and the license on their pages; None where the page names none."""


def main() -> None:
    """Write the file."""
    found = {name: entries for name in list_models() if (entries := _torchvision(name) + _timm(name) + _pages(name))}
    kept = {name: _without_doubles(name, entries, found) for name, entries in found.items()}
    networks = (f'"{name}": [\n{_lines(entries)}\n]' for name, entries in kept.items())
    write_whole(TO, ("{\n" + ",\n".join(networks) + "\n}\n").encode())
    print(f"{TO}: {sum(map(len, kept.values()))} weights for {len(kept)} networks")


def _lines(entries: list[dict[str, Any]]) -> str:
    """An entry a line, without what is not known."""
    known = ({key: value for key, value in entry.items() if value is not None} for entry in entries)
    return ",\n".join(json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in known)


def _torchvision(name: str) -> list[dict[str, Any]]:
    models = import_torchvision().models
    theirs = TORCHVISION_NAMES.get(name, name)
    if theirs not in models.list_models():
        return []
    entries: list[dict[str, Any]] = []
    kind = models.get_model_weights(theirs)
    for entry in kind:
        preset, meta = entry.transforms(), entry.meta
        metrics = meta["_metrics"].get("ImageNet-1K", {})
        entries.append(
            {
                "name": f"{kind.__name__}.{entry.name}",
                "url": entry.url,
                "sha256_prefix": Path(entry.url).stem.rpartition("-")[2],
                "megabytes": meta["_file_size"],
                "num_classes": len(meta.get("categories") or []) or None,
                "parameters": meta["num_params"],
                "gmacs": meta["_ops"],
                "top1": top1 if (top1 := metrics.get("acc@1")) and math.isfinite(top1) else None,
                "license": meta.get("license", TORCHVISION_LICENSE),
                "origin": meta.get("recipe"),
                "default": entry is kind.DEFAULT and theirs == name,
                "torchvision": {
                    "resize_size": preset.resize_size,
                    "crop_size": preset.crop_size,
                    "interpolation": preset.interpolation.value,
                    "antialias": preset.antialias,
                    "mean": preset.mean,
                    "std": preset.std,
                },
            }
        )
    return entries


def _timm(name: str) -> list[dict[str, Any]]:
    import timm

    if not name.startswith("vit_") or not timm.is_model(name):
        return []
    tags = {tag.partition(".")[2]: timm.get_pretrained_cfg(tag) for tag in timm.list_pretrained(f"{name}.*")}
    order = ("openai",) if "_quickgelu_" in name else FIRST
    first = next((tag for tag in order if tag in tags), timm.get_pretrained_cfg(name).tag)
    return [
        {
            "name": f"hf-hub:{cfg.hf_hub_id}",
            "num_classes": cfg.num_classes,
            "license": cfg.license,
            "origin": cfg.origin_url or cfg.url or None,
            "default": tag == first,
            "timm": {key: value for key in TIMM_FIELDS if (value := getattr(cfg, key)) is not None},
        }
        for tag, cfg in tags.items()
        if cfg.hf_hub_id
    ]


def _pages(name: str) -> list[dict[str, Any]]:
    return [
        {"name": f"hf-hub:{repo}", "license": license, "origin": f"https://huggingface.co/{repo}", "default": False}
        for repo, license in PAGES.get(name, ())
    ]


def _without_doubles(name: str, entries: list[dict[str, Any]], found: dict[str, Any]) -> list[dict[str, Any]]:
    """Leave out what a twin with the other activation was trained with: timm lists the same file for both."""
    twin = found.get(name.replace("_clip_", "_clip_quickgelu_"), []) if "_quickgelu_" not in name else []
    twin = twin if "_clip_" in name else []
    theirs = {entry["name"] for entry in twin}
    return [entry for entry in entries if entry["name"] not in theirs]


if __name__ == "__main__":
    main()
