"""Photosites behind pixels: change one photosite, and exactly the pixels change that name it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError, UnknownNameError
from photosite.lightpath import light_path, tokens_of
from photosite.lightpath.sensor import LINEAR, photosites, stored_box
from photosite.prep.upright import swapped, upright_array
from photosite.sensor.demosaic import demosaic
from photosite.tokens import front_end, list_front_ends
from photosite.tokens.tile import run

PATTERNS = st.sampled_from(["RGGB", "BGGR", "GRBG", "GBRG"])
METHODS = st.sampled_from(LINEAR)


@settings(deadline=None)
@given(
    size_hw=st.tuples(st.integers(6, 20), st.integers(6, 20)),
    pattern=PATTERNS,
    method=METHODS,
    orientation=st.integers(1, 8),
    data=st.data(),
)
def test_a_photosite_changes_exactly_the_pixels_that_name_it(
    size_hw: tuple[int, int], pattern: str, method: str, orientation: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    stored_hw = swapped(size_hw, orientation)
    raw = rng.uniform(1, 2, stored_hw)
    y, x = (data.draw(st.integers(0, side - 1)) for side in stored_hw)
    other = raw.copy()
    other[y, x] += 7
    changed = (np.abs(demosaic(raw, pattern, method) - demosaic(other, pattern, method)) > 1e-9).any(-1, keepdims=True)
    upright = upright_array(changed.astype(np.uint8), orientation)[..., 0] > 0
    for row in range(size_hw[0]):
        for column in range(size_hw[1]):
            found = photosites(
                (row, column, row + 1, column + 1), size_hw, orientation=orientation, pattern=pattern, method=method
            )
            top, left, bottom, right = found.box
            named = top <= y < bottom and left <= x < right and bool(found.mask[y - top, x - left])
            assert named == bool(upright[row, column]), (row, column)


@settings(deadline=None)
@given(orientation=st.integers(1, 8), size_hw=st.tuples(st.integers(2, 9), st.integers(2, 9)), data=st.data())
def test_boxes_are_stored_where_their_pixels_are(
    orientation: int, size_hw: tuple[int, int], data: st.DataObject
) -> None:
    stored = np.arange(size_hw[0] * size_hw[1], dtype=np.uint8).reshape(*swapped(size_hw, orientation), 1)
    upright = upright_array(stored, orientation)
    assert upright.shape[:2] == size_hw
    top, left = data.draw(st.integers(0, size_hw[0] - 1)), data.draw(st.integers(0, size_hw[1] - 1))
    bottom, right = data.draw(st.integers(top + 1, size_hw[0])), data.draw(st.integers(left + 1, size_hw[1]))
    box = stored_box((top, left, bottom, right), size_hw, orientation)
    assert set(stored[box[0] : box[2], box[1] : box[3]].ravel()) == set(upright[top:bottom, left:right].ravel())


@settings(deadline=None, max_examples=25)
@given(name=st.sampled_from(list_front_ends()), pattern=PATTERNS, data=st.data())
def test_a_photosite_changes_no_token_that_does_not_name_it(name: str, pattern: str, data: st.DataObject) -> None:
    """From raw counts through demosaicing, preparing and tiles."""
    size_hw, one = (90, 130), front_end(name)
    rng = np.random.default_rng(5)
    raw = rng.uniform(20, 200, size_hw)
    y, x = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 129))
    other = raw.copy()
    other[y, x] = 20 if raw[y, x] > 110 else 250
    photos = [np.clip(np.rint(demosaic(each, pattern, "malvar")), 0, 255).astype(np.uint8) for each in (raw, other)]
    places = one.token_map(size_hw)
    for number, (a, b) in enumerate(zip(*(run(photo, places.tiles) for photo in photos), strict=True)):
        rows, columns = np.nonzero((a != b).any(-1))
        cells = sorted(set(zip((rows // places.cell).tolist(), (columns // places.cell).tolist(), strict=True)))
        for row, column in cells[:: max(len(cells) // 4, 1)]:
            (tokens,) = np.nonzero((places.tile == number) & (places.row == row) & (places.column == column))
            for token in tokens:
                path = light_path(one, size_hw, int(token))
                assert path.photo_box is not None
                top, left, bottom, right = photosites(path.photo_box, size_hw, pattern=pattern).box
                assert top <= y < bottom
                assert left <= x < right


def test_the_way_back_from_a_token_ends_at_photosites() -> None:
    one, size_hw = front_end("qwen2-vl"), (560, 840)
    path = light_path(one, size_hw, 100)
    assert path.photo_box is not None
    found = photosites(path.photo_box, size_hw, method="bilinear")
    height, width = (path.photo_box[2] - path.photo_box[0], path.photo_box[3] - path.photo_box[1])
    assert found.mask.shape == (height + 2, width + 2)
    assert height * width < found.count <= (height + 2) * (width + 2)
    assert 100 in tokens_of(one, size_hw, (path.photo_box[0], path.photo_box[1]))


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="demosaicing with fixed weights named 'menon'"):
        photosites((0, 0, 1, 1), (8, 8), method="menon")
    with pytest.raises(UnknownNameError):
        photosites((0, 0, 1, 1), (8, 8), pattern="XYZW")
    with pytest.raises(RangeError, match="does not lie in a photo of 8 × 8"):
        photosites((0, 0, 9, 1), (8, 8))
    with pytest.raises(RangeError, match="wants 1 … 8"):
        photosites((0, 0, 1, 1), (8, 8), orientation=9)
