"""transformers' tensor backends against ours: by how many levels they differ, and why.

They resize columns first, whatever the picture; Pillow 13 mixes rows first where that is less to compute. Between its
two passes a picture is cut to 0 … 255, so that the order shows wherever a filter overshoots. Resized columns first,
ours differ by no more than the coarser weights of the tensor backends make.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from photosite.prep.load import load
from photosite.prep.resample import PRECISION_BITS, rows_first, taps
from photosite.tokens import front_end
from photosite.tokens.front_end import level_table
from photosite.tokens.tile import Picture, Resized, Tile, apply
from tests.peers import import_peer, import_torchvision
from tests.tokens.peers import HALF

BACKENDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "qwen2-vl": ("qwen2_vl", "Qwen2VLImageProcessor", {}),
    "siglip-so400m-384": (
        "siglip",
        "SiglipImageProcessor",
        {"size": {"height": 384, "width": 384}, "resample": 3, "image_mean": HALF, "image_std": HALF},
    ),
    "clip-l-336": (
        "clip",
        "CLIPImageProcessor",
        {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
    ),
    "gemma3": ("gemma3", "Gemma3ImageProcessor", {"size": {"height": 896, "width": 896}}),
    "pixtral": ("pixtral", "PixtralImageProcessor", {}),
}
LEVELS = 2.01
"""Their weights are multiples of 2**-15 at best, ours of 2**-22: each of two passes can round otherwise."""


def columns_first(picture: Picture, step: Resized) -> Picture:
    """Pillow's resizing with its passes in the other order, where it mixes rows first."""
    for axis in (1, 0):
        side = step.size_hw[axis]
        if picture.shape[axis] == side:
            continue
        made = taps(picture.shape[axis], side, step.interpolation)
        weights = np.zeros((side, picture.shape[axis]), np.int64)
        for row, (start, count) in enumerate(zip(made.start, made.count, strict=True)):
            weights[row, start : start + count] = made.weights[row, :count]
        mixed = np.moveaxis(np.tensordot(weights, picture.astype(np.int64), (1, axis)), 0, axis)
        picture = np.clip((mixed + (1 << (PRECISION_BITS - 1))) >> PRECISION_BITS, 0, 255).astype(np.uint8)
    return picture


def made(name: str, picture: Picture) -> Any:
    """What the front end would prepare, were every picture resized columns first."""
    one = front_end(name)
    (tile,) = one.tiles((picture.shape[0], picture.shape[1]))
    assert isinstance(tile, Tile)
    levels = picture
    for step in tile.steps:
        levels = columns_first(levels, step) if isinstance(step, Resized) else apply(levels, step)  # type: ignore[assignment]
    table = level_table(one.mean, one.std)
    return one._pack(np.stack([table[channel][levels[..., channel]] for channel in range(3)])[None])[0]


@pytest.mark.parametrize("name", BACKENDS)
def test_tensor_backends_differ_by_the_order_of_passes(name: str, photos: list[Path]) -> None:
    import_torchvision()
    import_peer("transformers")
    module, kind, options = BACKENDS[name]
    processor = getattr(import_module(f"transformers.models.{module}.image_processing_{module}"), kind)()
    one, orders = front_end(name), set()
    tall = [path for path in photos if Image.open(path).height > 1.2 * Image.open(path).width]
    for path in (*photos[::60], *tall[:3]):
        picture = load(path)
        tensor = torch.from_numpy(picture.transpose(2, 0, 1).copy())
        found = processor(images=tensor, return_tensors="pt", **options)["pixel_values"].numpy()
        per_level = 255 * min(one.std)
        assert np.abs(found - made(name, picture)).max() * per_level <= LEVELS
        size_hw = (picture.shape[0], picture.shape[1])
        (tile,) = one.tiles(size_hw)
        mixes_rows = rows_first(size_hw, tile.steps[0].size_hw)
        orders.add(mixes_rows)
        if not mixes_rows:
            assert np.abs(found - one.prepare(picture).values).max() * per_level <= LEVELS
    if name in ("qwen2-vl", "siglip-so400m-384"):  # the others keep proportions, or enlarge: columns first
        assert orders == {False, True}
