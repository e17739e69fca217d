"""Cropping, flipping and erasing, against the same done one picture at a time."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photosite.train.augment import crop_and_flip, enlarge, erase, pad_pictures


def test_padding_mirrors_without_repeating_the_edge() -> None:
    row = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 4, 1).expand(1, 4, 4, 3)
    # 0123 -> 21|0123|21
    assert pad_pictures(row, 2)[0, 0, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


@given(seed=st.integers(0, 10_000), padding=st.integers(0, 3), side=st.integers(4, 9))
def test_every_crop_is_a_window_of_its_own_picture(seed: int, padding: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = torch.from_numpy(rng.integers(0, 256, (3, side, side, 3), np.uint8))
    padded = pad_pictures(pictures, padding)
    index = torch.tensor([2, 0, 2])
    crops = crop_and_flip(padded, index, padding, torch.Generator().manual_seed(seed))
    for crop, number in zip(crops.numpy(), index.tolist(), strict=True):
        windows = [
            padded[number, top : top + side, left : left + side].numpy()
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
        ]
        assert any(np.array_equal(crop, window) or np.array_equal(crop, window[:, ::-1]) for window in windows)


def test_shifts_and_flips_are_uniform() -> None:
    picture = torch.arange(25, dtype=torch.uint8).reshape(1, 5, 5, 1).expand(1, 5, 5, 3)
    padded = pad_pictures(picture.contiguous(), 1)
    crops = crop_and_flip(padded, torch.zeros(9000, dtype=torch.int64), 1, torch.Generator().manual_seed(0))
    found, counts = np.unique(crops.numpy().reshape(9000, -1), axis=0, return_counts=True)
    assert len(found) == 18  # 3 x 3 shifts, flipped or not
    # 500 each are expected; six standard deviations of a binomial count are 130
    assert counts.min() > 370
    assert counts.max() < 630


def test_erased_squares_are_zero_and_of_their_size() -> None:
    batch = torch.ones(200, 2, 8, 8)
    erase(batch, 4, torch.Generator().manual_seed(0))
    holes = (batch == 0).sum((2, 3))
    assert torch.equal(holes[:, 0], holes[:, 1])  # the same square in every channel
    assert int(holes.max()) == 16
    assert int(holes.min()) >= 4  # a corner of the square at least


def test_enlarging_is_pillows_bilinear_and_as_frequent_as_asked() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    batch = torch.from_numpy(picture).float()[None, None].expand(2, 3, 6, 8)
    generator = torch.Generator().manual_seed(0)
    widths = []
    for _ in range(400):
        larger = enlarge(batch, 0.25, generator)
        height, width = larger.shape[2:]
        peer = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        # Pillow rounds to whole levels after each of its two passes
        np.testing.assert_allclose(larger[1, 2].numpy(), peer, atol=1.0)
        widths.append(width)
    # 100 of 400 are expected, 50 at each size; five standard deviations are 43 and 33
    assert set(widths) == {8, 12, 16}
    assert abs(widths.count(8) - 300) < 43
    assert abs(widths.count(12) - 50) < 33
