"""The order of tokens and of their patches against the publishers' own functions, on features that say their place."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.tokens import front_end
from photosite.tokens.llava_next import PINPOINTS
from tests.peers import import_peer, import_torchvision

SIZES = st.tuples(st.integers(40, 2500), st.integers(40, 2500))


def model_file(name: str) -> Any:
    import_torchvision()
    import_peer("transformers")
    return import_module(f"transformers.models.{name}.modeling_{name}")


@settings(deadline=None, max_examples=60)
@given(size_hw=SIZES)
def test_llava_next_reads_base_then_rows_with_newlines(size_hw: tuple[int, int]) -> None:
    places = front_end("llava-next").token_map(size_hw)
    count = len(places.tiles)
    tile, cell = torch.meshgrid(torch.arange(count), torch.arange(576), indexing="ij")
    features = torch.stack([tile, cell // 24, cell % 24], -1).float()
    vision = SimpleNamespace(image_size=336, patch_size=14)
    model = SimpleNamespace(
        config=SimpleNamespace(vision_config=vision, image_grid_pinpoints=[list(pair) for pair in PINPOINTS])
    )
    pack = model_file("llava_next").LlavaNextModel.pack_image_features
    (wanted,), _ = pack(model, [features], torch.tensor([size_hw]), "default", torch.tensor([-1.0, -2.0, -2.0]))
    newline = places.newline
    found = np.stack([places.tile, np.where(newline, -2, places.row), np.where(newline, -2, places.column)], 1)
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("name", ["idefics3", "smolvlm", "smolvlm-256m", "internvl2"])
def test_shuffled_patches_are_those_of_the_tokens(name: str) -> None:
    one = front_end(name)
    side, size_hw = one.side, (300, 500)  # type: ignore[attr-defined]
    grid = side // one.patch
    numbers = torch.arange(grid * grid).float()
    if name == "internvl2":
        shuffle = model_file("internvl").InternVLModel.pixel_shuffle
        wanted = shuffle(None, numbers.reshape(1, grid, grid, 1), 0.5).reshape(-1, 4)
    else:
        shuffle = model_file("idefics3").Idefics3Connector.pixel_shuffle
        wanted = shuffle(None, numbers.reshape(1, -1, 1), one.merge)[0]
    places = one.token_map(size_hw)
    last = len(places.tiles) - 1
    own = np.flatnonzero(places.tile == last)
    found = [one.patches(size_hw, last, (int(places.row[token]), int(places.column[token]))) for token in own]
    np.testing.assert_array_equal(np.array(found), wanted.numpy())
    assert (np.diff(places.tile) >= 0).all()


def test_the_first_version_of_internvls_shuffle_is_transposed() -> None:
    """Without its last permutation, the tokens of a tile come column by column."""
    numbers = torch.arange(32 * 32).float().reshape(1, 32, 32, 1)
    rows = numbers.view(1, 32, 16, 2).permute(0, 2, 1, 3).contiguous().view(1, 16, 16, 4)  # and no further
    first = replace(front_end("internvl1.5"), transposed=True)  # type: ignore[call-arg]
    places = first.token_map((448, 448))
    found = [
        first.patches((448, 448), 0, (int(row), int(column)))
        for row, column in zip(places.row, places.column, strict=True)
    ]
    np.testing.assert_array_equal(np.array(found), rows.reshape(-1, 4).numpy())


@settings(deadline=None, max_examples=30)
@given(size_hw=SIZES)
def test_qwens_rotary_places_are_those_of_its_patches(size_hw: tuple[int, int]) -> None:
    """The model numbers its patches by row and column for the rotation; that order is ours."""
    one = front_end("qwen2-vl")
    places = one.token_map(size_hw)
    rows, columns = (side // one.patch for side in places.tiles[0].size_hw)
    down = np.arange(rows)[:, None].repeat(columns, 1)
    across = np.arange(columns)[None].repeat(rows, 0)

    def grouped(values: Any) -> Any:  # transformers 5.23, qwen2_vl, rot_pos_emb
        return values.reshape(rows // 2, 2, columns // 2, 2).transpose(0, 2, 1, 3).ravel()

    order = np.stack([grouped(down), grouped(across)], 1)
    for token in range(0, len(places), max(len(places) // 9, 1)):
        row, column = int(places.row[token]), int(places.column[token])
        inside = [tuple(order[patch]) for patch in one.patches(size_hw, 0, (row, column))]
        assert inside == [(2 * row + i, 2 * column + j) for i in (0, 1) for j in (0, 1)]
