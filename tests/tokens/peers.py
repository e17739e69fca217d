"""The Pillow processors of transformers that stand behind front ends, with the numbers of their published configs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from PIL import Image

from photosite.prep.recipes import IMAGENET_MEAN, IMAGENET_STD
from tests.peers import import_peer, import_torchvision

HALF = [0.5, 0.5, 0.5]


@cache
def processor(module: str, name: str, **options: Any) -> Any:
    """A processor of transformers."""
    import_torchvision()
    import_peer("transformers")
    return getattr(import_module(f"transformers.models.{module}"), name)(**options)


def _qwen(**size: int) -> Callable[[Any], Any]:
    def run(picture: Any) -> Any:
        one = processor("qwen2_vl.image_processing_pil_qwen2_vl", "Qwen2VLImageProcessorPil")
        return one(images=picture, return_tensors="np", **({"size": size} if size else {}))["pixel_values"]

    return run


def _qwen3(picture: Any) -> Any:
    one = processor("qwen2_vl.image_processing_pil_qwen2_vl", "Qwen2VLImageProcessorPil")
    size = {"shortest_edge": 65_536, "longest_edge": 16_777_216}
    return one(images=picture, return_tensors="np", patch_size=16, image_mean=HALF, image_std=HALF, size=size)[
        "pixel_values"
    ]


def _idefics(side: int) -> Callable[[Any], Any]:
    def run(picture: Any) -> Any:
        one = processor("idefics3.image_processing_pil_idefics3", "Idefics3ImageProcessorPil")
        sizes = {"size": {"longest_edge": 4 * side}, "max_image_size": {"longest_edge": side}}
        return one(images=picture, return_tensors="np", **sizes)["pixel_values"][0]

    return run


def _intern(picture: Any) -> Any:
    one = processor("got_ocr2.image_processing_pil_got_ocr2", "GotOcr2ImageProcessorPil")
    return one(
        images=picture,
        return_tensors="np",
        size={"height": 448, "width": 448},
        crop_to_patches=True,
        image_mean=list(IMAGENET_MEAN),
        image_std=list(IMAGENET_STD),
    )["pixel_values"]


def _llava_next(picture: Any) -> Any:
    one = processor("llava_next.image_processing_pil_llava_next", "LlavaNextImageProcessorPil")
    sizes = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    return one(images=picture, return_tensors="np", **sizes)["pixel_values"][0]


def _llava(picture: Any) -> Any:
    one = processor("llava.image_processing_pil_llava", "LlavaImageProcessorPil")
    sizes = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    return one(images=picture, return_tensors="np", do_pad=True, **sizes)["pixel_values"]


def _clip(picture: Any) -> Any:
    one = processor("clip.image_processing_pil_clip", "CLIPImageProcessorPil")
    sizes = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    return one(images=picture, return_tensors="np", **sizes)["pixel_values"]


def _siglip(side: int) -> Callable[[Any], Any]:
    def run(picture: Any) -> Any:
        one = processor("siglip.image_processing_pil_siglip", "SiglipImageProcessorPil")
        size = {"height": side, "width": side}
        return one(images=picture, return_tensors="np", size=size, resample=3, image_mean=HALF, image_std=HALF)[
            "pixel_values"
        ]

    return run


def _gemma3(picture: Any) -> Any:
    one = processor("gemma3.image_processing_pil_gemma3", "Gemma3ImageProcessorPil")
    return one(images=picture, return_tensors="np", size={"height": 896, "width": 896})["pixel_values"]


def _pan_and_scan(picture: Any) -> Any:
    one = processor("gemma3.image_processing_pil_gemma3", "Gemma3ImageProcessorPil")
    options = {
        "do_pan_and_scan": True,
        "pan_and_scan_min_crop_size": 256,
        "pan_and_scan_max_num_crops": 4,
        "pan_and_scan_min_ratio_to_activate": 1.2,
    }
    return one(images=picture, return_tensors="np", size={"height": 896, "width": 896}, **options)["pixel_values"]


def _pixtral(picture: Any) -> Any:
    one = processor("pixtral.image_processing_pil_pixtral", "PixtralImageProcessorPil")
    return one(images=picture, return_tensors="np")["pixel_values"]


def _nanovlm(side: int, longest: int) -> Callable[[Any], Any]:
    """The publisher's pipeline, of torchvision's own parts; the sizes by the rule of its DynamicResize."""

    def run(picture: Any) -> Any:
        functional = import_torchvision().transforms.functional
        image = Image.fromarray(picture)
        long, short = max(image.size), min(image.size)
        other = max(math.ceil(short * (longest / long) / side) * side, side)
        size = [other, longest] if image.width >= image.height else [longest, other]
        bicubic = functional.InterpolationMode.BICUBIC
        whole = functional.to_tensor(functional.resize(image, size, interpolation=bicubic))
        tiles = [one for row in whole.split(side, 1) for one in row.split(side, 2)]
        return torch.stack([functional.resize(whole, [side, side]), *tiles]).numpy()

    return run


def _first_nanovlm(picture: Any) -> Any:
    functional = import_torchvision().transforms.functional
    return functional.to_tensor(functional.resize(Image.fromarray(picture), [224, 224]))[None].numpy()


PIXELS: dict[str, Callable[[Any], Any]] = {
    "qwen2-vl": _qwen(),
    "qwen2.5-vl": _qwen(),
    "qwen2-vl-utils": _qwen(shortest_edge=4 * 28 * 28, longest_edge=16384 * 28 * 28),
    "qwen3-vl": _qwen3,
    "idefics3": _idefics(364),
    "smolvlm": _idefics(384),
    "smolvlm-256m": _idefics(512),
    "internvl2": _intern,
    "internvl1.5": _intern,
    "llava-next": _llava_next,
    "llava-1.5": _llava,
    "clip-l-336": _clip,
    "siglip-so400m-384": _siglip(384),
    "paligemma-224": _siglip(224),
    "paligemma-448": _siglip(448),
    "paligemma-896": _siglip(896),
    "gemma3": _gemma3,
    "gemma3-pan-and-scan": _pan_and_scan,
    "pixtral": _pixtral,
    "nanovlm": _nanovlm(512, 2048),
    "nanovlm-222m": _first_nanovlm,
}
"""By front end: what the publisher's encoder gets for a picture."""


def photo(height: int, width: int, seed: int = 0) -> Any:
    """A picture with edges, slopes and noise everywhere, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 7 + y / 11 + phase) * 60 + ((x // 9 + y // 5) % 3) * 40 + 60 for phase in range(3)]
    noisy = np.stack(waves, -1) + rng.normal(0, 12, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
