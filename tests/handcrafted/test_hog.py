"""HOG against scikit-image, number for number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.handcrafted.hog import NORMS, hog
from photosite.prep.load import load
from tests.peers import import_peer


def peer(picture: Any, orientations: int, cell: tuple[int, int], block: tuple[int, int], norm: str, root: bool) -> Any:
    return import_peer("skimage.feature").hog(
        picture,
        orientations=orientations,
        pixels_per_cell=cell,
        cells_per_block=block,
        block_norm=norm,
        transform_sqrt=root,
        feature_vector=False,
        channel_axis=2 if picture.ndim == 3 else None,
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data(), norm=st.sampled_from(sorted(NORMS)), root=st.booleans())
def test_any_picture_is_described_as_scikit_image_does(data: st.DataObject, norm: str, root: bool) -> None:
    cell = data.draw(st.tuples(st.integers(2, 9), st.integers(2, 9)))
    block = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    sides = [c * b + data.draw(st.integers(1, 20)) for c, b in zip(cell, block, strict=True)]
    channels = data.draw(st.sampled_from([(), (1,), (3,)]))
    shape = (max(sides[0], 3), max(sides[1], 3), *channels)
    picture = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape)
    count = data.draw(st.integers(1, 12))
    found = hog(picture, orientations=count, cell_hw=cell, block_hw=block, norm=norm, square_root=root)
    np.testing.assert_allclose(found, peer(picture, count, cell, block, norm, root), rtol=1e-6, atol=1e-6)


def test_real_photos(photos: list[Path]) -> None:
    for path in photos[::40]:
        picture = load(path)
        np.testing.assert_allclose(
            hog(picture), peer(picture.astype(float), 9, (8, 8), (3, 3), "L2-Hys", False), rtol=1e-6, atol=1e-6
        )


def test_an_upright_edge_points_across() -> None:
    picture = np.zeros((24, 24))
    picture[:, 12:] = 1
    found = hog(picture, norm="L2")
    assert found.shape == (1, 1, 3, 3, 9)
    assert (found[..., 0] > 0).any()  # its gradient runs at 0 degrees
    assert not found[..., 1:].any()


@pytest.mark.parametrize(
    ("picture", "options", "error", "says"),
    [
        (np.zeros(9), {}, ShapeError, r"wants \(H, W\)"),
        (np.zeros((20, 40)), {}, ShapeError, "2 × 5 cells"),
        (np.zeros((40, 40)), {"norm": "L3"}, UnknownNameError, "L1"),
        (np.zeros((40, 40)), {"orientations": 0}, RangeError, "at least 1"),
        (np.full((40, 40), -1.0), {"square_root": True}, RangeError, "at least 0"),
    ],
)
def test_what_is_refused(picture: Any, options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        hog(picture, **options)
