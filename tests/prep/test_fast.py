"""The compiled kernels and the choice between them and Pillow: the same bits either way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep import fast
from photosite.prep.geometry import FILTER_SUPPORT
from tests.peers import import_peer
from tests.prep.test_resample import noise, pillow


@pytest.fixture(autouse=True)
def _kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    import_peer("numba")
    monkeypatch.setenv("PHOTOSITE_KERNELS", "1")


ROOT = Path(__file__).parents[2]
SIDES = st.one_of(st.integers(1, 30), st.integers(30, 400))


@settings(max_examples=200, deadline=None)
@given(
    interpolation=st.sampled_from(sorted(FILTER_SUPPORT)),
    sides=st.tuples(SIDES, SIDES, SIDES, SIDES),
    seed=st.integers(0, 2**32 - 1),
    contrast=st.sampled_from(["gray", "hard"]),
)
def test_resize_is_pillow_bit_for_bit(
    interpolation: str, sides: tuple[int, int, int, int], seed: int, contrast: str
) -> None:
    picture = noise(*sides[:2], seed, contrast)
    np.testing.assert_array_equal(
        fast.resize(picture, sides[2:], interpolation), pillow(picture, sides[2:], interpolation)
    )


@pytest.mark.parametrize("interpolation", sorted(FILTER_SUPPORT))
@pytest.mark.parametrize("picture_hw", [(1, 1), (1, 4000), (4000, 1), (2, 70), (333, 1000)])
@pytest.mark.parametrize("size_hw", [(1, 1), (224, 224), (3, 513)])
def test_thin_and_long_pictures(interpolation: str, picture_hw: tuple[int, int], size_hw: tuple[int, int]) -> None:
    picture = noise(*picture_hw, 3, "hard")
    np.testing.assert_array_equal(fast.resize(picture, size_hw, interpolation), pillow(picture, size_hw, interpolation))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), sides=st.tuples(SIDES, SIDES, SIDES, SIDES), interpolation=st.sampled_from(fast.KINDS))
def test_a_window_is_a_piece_of_the_whole(
    data: st.DataObject, sides: tuple[int, int, int, int], interpolation: str
) -> None:
    picture, size_hw = noise(*sides[:2], 5), sides[2:]
    top, left = (data.draw(st.integers(0, side - 1)) for side in size_hw)
    rows, columns = (data.draw(st.integers(1, side - at)) for side, at in zip(size_hw, (top, left), strict=True))
    whole = pillow(picture, size_hw, interpolation)[top : top + rows, left : left + columns]
    levels = np.empty((rows, columns, 3), np.uint8)
    fast.window(picture, size_hw, (top, left), interpolation, levels=levels)
    np.testing.assert_array_equal(levels, whole)
    table = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
    numbers = np.empty((3, rows, columns), np.float32)
    fast.window(picture, size_hw, (top, left), interpolation, numbers=numbers, table=table)
    looked_up = np.stack([table[channel][whole[..., channel]] for channel in range(3)])
    np.testing.assert_array_equal(numbers, looked_up)


def test_nothing_is_read_or_written_beyond_the_arrays() -> None:
    # canaries on both sides of source and target; 500 sizes so that the ends fall on every place of a vector
    rng = np.random.default_rng(7)
    for _ in range(500):
        height, width, rows, columns = (int(side) for side in rng.integers(1, 40, 4))
        store = np.full(height * width * 3 + 256, 255, np.uint8)
        picture = store[128:-128].reshape(height, width, 3)
        picture[:] = 0
        target = np.full(rows * columns * 3 + 256, 77, np.uint8)
        levels = target[128:-128].reshape(rows, columns, 3)
        fast.window(picture, (rows, columns), (0, 0), "lanczos", levels=levels)
        assert not levels.any()
        assert (target[:128] == 77).all()
        assert (target[-128:] == 77).all()


def test_numbers_are_written_where_they_belong_and_nowhere_else() -> None:
    rng = np.random.default_rng(8)
    table = np.zeros((3, 256), np.float32)
    for _ in range(300):
        height, width, rows, columns = (int(side) for side in rng.integers(1, 150, 4))
        picture = np.zeros((height, width, 3), np.uint8)
        target = np.full(rows * columns * 3 + 256, 77, np.float32)
        numbers = target[128:-128].reshape(3, rows, columns)
        fast.window(picture, (rows, columns), (0, 0), "box", numbers=numbers, table=table)
        assert not numbers.any()
        assert (target[:128] == 77).all()
        assert (target[-128:] == 77).all()


def test_views_are_taken_as_they_are_seen() -> None:
    picture = noise(90, 120, 1)[::-2, 10:100:3]
    np.testing.assert_array_equal(fast.resize(picture, (20, 17)), pillow(picture.copy(), (20, 17), "bilinear"))


def test_without_numba_the_bits_are_the_same() -> None:
    picture = noise(75, 100, 2)
    for interpolation in FILTER_SUPPORT:
        compiled = fast.resize(picture, (40, 30), interpolation)
        with patch.object(fast, "kernels", lambda: None):
            np.testing.assert_array_equal(fast.resize(picture, (40, 30), interpolation), compiled)


def test_an_older_pillow_is_led_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOSITE_KERNELS", "0")
    monkeypatch.setattr(fast, "PILLOW_MIXES_ROWS_FIRST", False)
    sizes: list[tuple[int, int]] = []
    real = Image.Image.resize

    def resize(image: Image.Image, size: tuple[int, int], *rest: Any) -> Image.Image:
        sizes.append(size)
        return real(image, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", resize)
    picture = noise(400, 40, 0)
    for interpolation in sorted(FILTER_SUPPORT):
        sizes.clear()
        tall = fast.resize(picture, (100, 30), interpolation)
        assert sizes == ([(30, 100)] if interpolation == "nearest" else [(40, 100), (30, 100)])
        np.testing.assert_array_equal(tall, pillow(picture, (100, 30), interpolation))
        wide = fast.resize(picture.swapaxes(0, 1).copy(), (30, 100), interpolation)
        np.testing.assert_array_equal(wide, pillow(picture.swapaxes(0, 1).copy(), (30, 100), interpolation))


_ON_ANOTHER_PROCESSOR = """
import numpy as np
from photosite.prep import fast, kernels
from tests.prep.test_resample import noise, pillow
assert not kernels.HAS_BYTE_DOTS
table = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
for number, interpolation in enumerate(fast.KINDS):
    for height, width, size_hw in ((90, 130, (71, 99)), (50, 60, (70, 111)), (300, 40, (20, 33)), (9, 500, (9, 70))):
        picture = noise(height, width, number, "hard")
        wanted = pillow(picture, size_hw, interpolation)
        np.testing.assert_array_equal(fast.resize(picture, size_hw, interpolation), wanted)
        numbers = np.empty((3, *size_hw), np.float32)
        fast.window(picture, size_hw, (0, 0), interpolation, numbers=numbers, table=table)
        np.testing.assert_array_equal(numbers, np.stack([table[c][wanted[..., c]] for c in range(3)]))
print("same")
"""


def test_a_processor_without_byte_products_makes_the_same_bits() -> None:
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    run = subprocess.run(
        [sys.executable, "-c", _ON_ANOTHER_PROCESSOR], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    assert run.stdout == "same\n", run.stderr


def test_threads_do_not_disturb_each_other() -> None:
    pictures = [noise(200 + seed, 300, seed) for seed in range(8)]
    wanted = [pillow(picture, (100, 90), "bicubic") for picture in pictures]
    got: list[list[bool]] = [[] for _ in pictures]

    def work(index: int) -> None:
        for _ in range(20):
            got[index].append(np.array_equal(fast.resize(pictures[index], (100, 90), "bicubic"), wanted[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[True] * 20] * 8


def test_one_photo_does_not_load_numba() -> None:
    code = (
        "import sys, numpy as np; from photosite.prep import fast; p = np.zeros((9, 9, 3), np.uint8)\n"
        "for _ in range(fast.PATIENCE): fast.resize(p, (4, 4))\n"
        "print('numba' in sys.modules); fast.resize(p, (4, 4)); print('photosite.prep.kernels' in sys.modules)"
    )
    environment = {"PATH": "", "HOME": str(Path.home())}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("picture", "size_hw", "interpolation", "error", "words"),
    [
        (np.zeros((4, 4), np.uint8), (2, 2), "box", ShapeError, r"wants a picture \(H, W, 3\), got 4 × 4"),
        (np.zeros((0, 4, 3), np.uint8), (2, 2), "box", ShapeError, "got 0 × 4 × 3"),
        (np.zeros((4, 4, 3), np.float32), (2, 2), "box", RangeError, "wants a uint8 picture, got float32"),
        (np.zeros((4, 4, 3), np.uint8), (0, 2), "box", RangeError, "at least 1, got 0 x 2"),
        (np.zeros((4, 4, 3), np.uint8), (2, 2), "cubic", UnknownNameError, "bicubic"),
    ],
)
def test_what_cannot_be_resized_is_said(
    picture: np.ndarray, size_hw: tuple[int, int], interpolation: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fast.resize(picture, size_hw, interpolation)


@pytest.mark.slow
@pytest.mark.parametrize("interpolation", sorted(FILTER_SUPPORT))
def test_every_photo_at_five_sizes(interpolation: str, photos: list[Path]) -> None:
    for path in photos:
        with Image.open(path) as image:
            picture = np.array(image.convert("RGB"))
        height, width = picture.shape[:2]
        for size_hw in ((224, 224), (256, 341), (32, 32), (height * 3 // 2, width + 1), (height, max(width // 2, 1))):
            np.testing.assert_array_equal(
                fast.resize(picture, size_hw, interpolation), pillow(picture, size_hw, interpolation), str(path)
            )
