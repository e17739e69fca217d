"""Front ends: preparing a photo against transformers' processors, counting a million sizes, following one token."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from harness import Result, compare, publish

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photosite.lightpath import light_path
from photosite.nets.sources import import_torchvision
from photosite.prep.recipes import IMAGENET_MEAN, IMAGENET_STD
from photosite.tokens import front_end, list_front_ends
from tests.tokens import peers

SIZES = 1_000_000


def main() -> None:
    """Measure and publish; one thread."""
    torch.set_num_threads(1)
    os.environ["PHOTOSITE_KERNELS"] = "1"  # as a process that prepares many photos has them
    import_torchvision()
    picture = peers.photo(1200, 1600)
    results: list[Result] = []
    for name in (
        "qwen2-vl",
        "internvl2",
        "llava-next",
        "smolvlm",
        "siglip-so400m-384",
        "clip-l-336",
        "gemma3",
        "pixtral",
    ):
        one = front_end(name)
        fast = _fast(name)
        tensor = torch.from_numpy(picture.transpose(2, 0, 1).copy())
        if fast is not None:
            for said, given in (("", picture), (", given a tensor", tensor)):
                results.append(
                    compare(
                        f"prepare 1200 × 1600 for {name}",
                        f"transformers, tensor backend{said}",
                        lambda one=one: one.prepare(picture),
                        lambda fast=fast, given=given: fast(given),
                        rounds=9,
                    )
                )
        results.append(
            compare(
                f"prepare 1200 × 1600 for {name}",
                "transformers, Pillow backend",
                lambda one=one: one.prepare(picture),
                lambda name=name: peers.PIXELS[name](picture),
                rounds=5,
            )
        )
    sizes = np.random.default_rng(0).integers(30, 4000, (SIZES, 2))
    counted, followed = {}, {}
    for name in list_front_ends():
        one = front_end(name)
        token = one.count((3000, 4000)).total // 2
        counted[name] = _seconds(partial(one.count, sizes))
        followed[name] = 1000 * _seconds(partial(light_path, one, (3000, 4000), token))
    publish(
        "tokens",
        results,
        notes="wanted: prepare at least 2 times the tensor backend's speed; a million sizes in under 2 s: "
        + ", ".join(f"{name} {value:.2f}" for name, value in counted.items())
        + "; the map and one token's path in a 3000 × 4000 photo in under 20 ms: "
        + ", ".join(f"{name} {value:.1f}" for name, value in followed.items()),
    )


def _seconds(call: object) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        call()  # type: ignore[operator]
        best = min(best, time.perf_counter() - began)
    return best


def _fast(name: str) -> object | None:
    """The processor on tensors, with the numbers of the Pillow one; None where it has none."""
    from importlib import import_module

    where = {
        "qwen2-vl": ("qwen2_vl.image_processing_qwen2_vl", "Qwen2VLImageProcessor", {}),
        "internvl2": (
            "got_ocr2.image_processing_got_ocr2",
            "GotOcr2ImageProcessor",
            {
                "size": {"height": 448, "width": 448},
                "crop_to_patches": True,
                "image_mean": list(IMAGENET_MEAN),
                "image_std": list(IMAGENET_STD),
            },
        ),
        "llava-next": (
            "llava_next.image_processing_llava_next",
            "LlavaNextImageProcessor",
            {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
        ),
        "smolvlm": (
            "idefics3.image_processing_idefics3",
            "Idefics3ImageProcessor",
            {"size": {"longest_edge": 4 * 384}, "max_image_size": {"longest_edge": 384}},
        ),
        "siglip-so400m-384": (
            "siglip.image_processing_siglip",
            "SiglipImageProcessor",
            {"size": {"height": 384, "width": 384}, "resample": 3},
        ),
        "clip-l-336": (
            "clip.image_processing_clip",
            "CLIPImageProcessor",
            {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
        ),
        "gemma3": ("gemma3.image_processing_gemma3", "Gemma3ImageProcessor", {"size": {"height": 896, "width": 896}}),
        "pixtral": ("pixtral.image_processing_pixtral", "PixtralImageProcessor", {}),
    }
    module, kind, options = where[name]
    try:
        processor = getattr(import_module(f"transformers.models.{module}"), kind)()
    except (ImportError, AttributeError) as error:
        print(f"{name}: no tensor backend here: {error}")
        return None
    return lambda photo: processor(images=photo, return_tensors="pt", **options)


if __name__ == "__main__":
    main()
