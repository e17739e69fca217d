"""The light path is held to the pixels: change some of the photo, and exactly the tokens that it names change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import RangeError
from photosite.lightpath import coverage, light_path, tokens_of
from photosite.lightpath.axis import after, back, before, whole
from photosite.tokens import front_end, list_front_ends
from photosite.tokens.tile import Resized, Step, Window, run
from tests.tokens.peers import photo

SIZES = st.tuples(st.integers(30, 700), st.integers(30, 700))
NAMES = st.sampled_from(list_front_ends())


def changed_tokens(name: str, before_: np.ndarray, after_: np.ndarray) -> set[int]:
    """Which tokens' pixels differ between two photos of one size."""
    one = front_end(name)
    places = one.token_map(before_.shape[:2])
    found: set[int] = set()
    pairs = zip(run(before_, places.tiles), run(after_, places.tiles), strict=True)
    for number, (a, b) in enumerate(pairs):
        rows, columns = np.nonzero((a != b).any(-1))
        cells = set(zip((rows // places.cell).tolist(), (columns // places.cell).tolist(), strict=True))
        for token in np.flatnonzero(places.tile == number):
            if (int(places.row[token]), int(places.column[token])) in cells:
                found.add(int(token))
    return found


@settings(deadline=None, max_examples=60)
@given(name=NAMES, size_hw=SIZES, data=st.data())
def test_a_pixel_changes_no_token_but_those_that_see_it(
    name: str, size_hw: tuple[int, int], data: st.DataObject
) -> None:
    y, x = (data.draw(st.integers(0, side - 1)) for side in size_hw)
    picture = photo(*size_hw)
    other = picture.copy()
    other[y, x] = np.where(other[y, x] > 127, 0, 255)
    named = tokens_of(front_end(name), size_hw, (y, x))
    assert changed_tokens(name, picture, other) <= set(named)
    for token in named[:: max(len(named) // 6, 1)]:
        path = light_path(front_end(name), size_hw, token)
        down, across = path.stages[-1].down, path.stages[-1].across
        assert down.seen[y - down.start]
        assert across.seen[x - across.start]


def changed_patches(name: str, before_: np.ndarray, after_: np.ndarray) -> set[tuple[int, int]]:
    """Which patches of which tiles differ in the encoder's input, by their numbers there."""
    one = front_end(name)
    made = one.prepare(before_)
    differs = made.values != one.prepare(after_).values
    if one.packed:
        return {(0, int(patch)) for patch in np.flatnonzero(differs.any(1))}
    found = set()
    for number, tile in enumerate(differs.any(1)):
        rows, columns = one.patch_grid(made.tiles[number].size_hw)
        inside = tile[: rows * one.patch, : columns * one.patch]
        patches = inside.reshape(rows, one.patch, columns, one.patch).any((1, 3))
        found |= {(number, int(patch)) for patch in np.flatnonzero(patches)}
    return found


@pytest.mark.parametrize("name", [name for name in list_front_ends() if front_end(name).window[0] == 0])
@pytest.mark.parametrize("size_hw", [(97, 400), (448, 448)])
def test_a_pixel_changes_the_input_of_its_tokens_alone(name: str, size_hw: tuple[int, int]) -> None:
    """Through `prepare`, to the last number; black around a white pixel, so that every weight shows."""
    one, picture = front_end(name), np.full((*size_hw, 3), 128, np.uint8)
    for y, x in ((0, 0), (size_hw[0] // 2, size_hw[1] // 3), (size_hw[0] - 1, size_hw[1] - 1)):
        other = picture.copy()
        other[y, x] = 255
        places, expected = one.token_map(size_hw), set()
        for token in tokens_of(one, size_hw, (y, x)):
            path = light_path(one, size_hw, token)
            expected |= {(path.tile, patch) for patch in path.patches}
        read = {
            (int(places.tile[token]), patch)
            for token in range(len(places))
            if places.tile[token] >= 0
            for patch in one.patches(
                size_hw, int(places.tile[token]), (int(places.row[token]), int(places.column[token]))
            )
        }
        found = changed_patches(name, picture, other) & read  # LLaVA-NeXT reads no tokens of padding
        assert found <= expected
        assert bool(found) == bool(expected)


@settings(deadline=None, max_examples=15)
@given(name=NAMES, size_hw=SIZES, data=st.data())
def test_a_row_changes_all_tokens_that_see_it_well(name: str, size_hw: tuple[int, int], data: st.DataObject) -> None:
    """Of a row of the photo that changes everywhere, each token shows it whose kernel gives it enough weight."""
    y = data.draw(st.integers(0, size_hw[0] - 1))
    one, gray = front_end(name), np.full((*size_hw, 3), 100, np.uint8)
    other = gray.copy()
    other[y] = 250
    changed = changed_tokens(name, gray, other)
    places = one.token_map(size_hw)
    named = {token for x in range(0, size_hw[1], 7) for token in tokens_of(one, size_hw, (y, x))}
    assert (
        changed <= {token for x in range(size_hw[1]) for token in tokens_of(one, size_hw, (y, x))} or changed <= named
    )
    for token in named:
        tile = places.tiles[places.tile[token]]
        row = int(places.row[token]) * places.cell
        column = int(places.column[token]) * places.cell
        most = max(_weight(tile.steps, size_hw[0], 0, line, y) for line in range(row, row + places.cell))
        inside = max(
            _inside(tile.steps, size_hw[1], 1, line) for line in range(column, column + places.cell, places.cell // 2)
        )
        if most * 150 >= 2 and inside > 0.99:
            assert token in changed


def _share(steps: tuple[Step, ...], side: int, axis: int, line: int) -> tuple[int, np.ndarray]:
    share = back(whole(line, line + 1), steps, axis, side)
    return share.start, share.weights


def _weight(steps: tuple[Step, ...], side: int, axis: int, line: int, pixel: int) -> float:
    start, weights = _share(steps, side, axis, line)
    return abs(float(weights[pixel - start])) if 0 <= pixel - start < len(weights) else 0.0


def _inside(steps: tuple[Step, ...], side: int, axis: int, line: int) -> float:
    return float(_share(steps, side, axis, line)[1].sum())


@settings(deadline=None, max_examples=25)
@given(name=NAMES, size_hw=SIZES, data=st.data())
def test_there_and_back_agree(name: str, size_hw: tuple[int, int], data: st.DataObject) -> None:
    one = front_end(name)
    count = one.count(size_hw).total
    token = data.draw(st.integers(0, count - 1))
    path = light_path(one, size_hw, token)
    seen = coverage(one, size_hw)
    if path.photo_box is None:
        assert path.padding_share == pytest.approx(1)
        return
    top, left, bottom, right = path.photo_box
    for y, x in ((top, left), (bottom - 1, right - 1), ((top + bottom) // 2, (left + right) // 2)):
        named = tokens_of(one, size_hw, (y, x))
        down, across = path.stages[-1].down, path.stages[-1].across
        # without antialiasing there are pixels in between that nothing looks at
        assert (token in named) == (down.seen[y - top] and across.seen[x - left])
        assert seen[y, x] == len(named)
    for y, x in ((top - 1, left), (bottom, left), (top, right)):
        if 0 <= y < size_hw[0] and 0 <= x < size_hw[1]:
            assert token not in tokens_of(one, size_hw, (y, x))
    assert path.stages[0].name == "tile"
    assert path.stages[-1].size_hw == size_hw


def test_weights_are_the_resize_kernels() -> None:
    """The mean of a token's pixels is the sum of the photo's pixels times the weights, up to the rounding of levels."""
    for name in ("siglip-so400m-384", "llava-1.5", "smolvlm-256m", "qwen2-vl"):
        one, picture = front_end(name), photo(240, 330, 3)
        places = one.token_map((240, 330))
        tiles = run(picture, places.tiles)
        for token in range(5, len(places), max(len(places) // 7, 1)):
            path = light_path(one, (240, 330), token)
            top, left, bottom, right = path.stages[0].box or (0, 0, 1, 1)
            last = path.stages[-1]
            if last.box is None or path.padding_share > 1e-6:
                continue
            part = picture[last.box[0] : last.box[2], last.box[1] : last.box[3]].astype(float)
            found = np.einsum("y,x,yxc->c", last.down.weights, last.across.weights, part)
            wanted = tiles[path.tile][top:bottom, left:right].reshape(-1, 3).mean(0)
            np.testing.assert_allclose(found, wanted, atol=1.5)


def test_what_siglip_at_384_never_sees() -> None:
    seen = coverage(front_end("siglip-so400m-384"), (384, 384))
    assert (seen[378:] == 0).all()
    assert (seen[:, 378:] == 0).all()
    assert (seen[:378, :378] == 1).all()


def test_patches_of_a_token_are_those_that_change() -> None:
    one, size_hw = front_end("qwen2-vl"), (168, 224)
    for token in (0, 7, 30, 47):
        path = light_path(one, size_hw, token)
        top, left, bottom, right = path.photo_box or (0, 0, 0, 0)
        picture = np.zeros((*size_hw, 3), np.uint8)
        other = picture.copy()
        other[top:bottom, left:right] = 200
        changed = np.flatnonzero((one.prepare(picture).values != one.prepare(other).values).any(1))
        assert tuple(changed) == path.patches


def test_tokens_without_a_place_have_no_path() -> None:
    path = light_path(front_end("clip-l-336"), (400, 500), 0)
    assert (path.tile, path.stages, path.photo_box, path.padding_share) == (-1, (), None, 1.0)
    padded = light_path(front_end("llava-1.5"), (100, 600), 0)
    assert padded.photo_box is None
    assert padded.padding_share == 1.0
    with pytest.raises(RangeError, match="token 577: there are 577"):
        light_path(front_end("clip-l-336"), (400, 500), 577)
    with pytest.raises(RangeError, match="pixel 400,0: the photo has 400 × 500"):
        tokens_of(front_end("clip-l-336"), (400, 500), (400, 0))


@given(
    size=st.integers(1, 60),
    resized=st.integers(1, 60),
    kind=st.sampled_from(["bilinear", "bicubic", "lanczos", "box"]),
    start=st.integers(-20, 20),
    side=st.integers(1, 50),
)
def test_back_and_forth_along_one_axis(size: int, resized: int, kind: str, start: int, side: int) -> None:
    for step, length in ((Resized((resized, resized), kind), resized), (Window((start, start), (side, side)), side)):
        made = [before(whole(out, out + 1), step, 0, size) for out in range(length)]
        for pixel in range(size):
            wanted = [
                out
                for out, share in enumerate(made)
                if share.start <= pixel < share.stop and share.seen[pixel - share.start]
            ]
            found = list(after(range(pixel, pixel + 1), step, 0, size))
            assert set(wanted) <= set(found)
            if wanted:
                assert (found[0], found[-1]) == (wanted[0], wanted[-1])
            else:
                assert not found
