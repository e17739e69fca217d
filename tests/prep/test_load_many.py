"""Many pictures in threads: all rows, in order, within their budget, and nothing left behind."""

from __future__ import annotations

import inspect
import io
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from photosite.errors import PhotositeError, PictureError, RangeError, ShapeError, UnknownNameError
from photosite.prep import load_many as module
from photosite.prep.fast import resize
from photosite.prep.load import OpenSource, Options, load, load_with_info
from photosite.prep.load_many import LoadOptions, load_many
from photosite.prep.recipes import get_recipe
from tests.prep.cases import TABLE, encode, jpeg, picture


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("photosite-load")]


def flat(width: int, height: int, value: int = 0) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


class Watch:
    """Counts the pixels from the moment that a decoder begins until `seen` says that the consumer is done with them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, delay: float = 0.0) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.running = self.most_running = self.begun = 0
        real = module._picture

        def picture_of(opened: OpenSource) -> Any:
            with self.lock:
                self.now += opened.area
                self.running += 1
                self.begun += 1
                self.most = max(self.most, self.now)
                self.most_running = max(self.most_running, self.running)
            time.sleep(delay)
            try:
                return real(opened)
            finally:
                with self.lock:
                    self.running -= 1

        monkeypatch.setattr(module, "_picture", picture_of)

    def seen(self, area: int) -> None:
        with self.lock:
            self.now -= area


# --- every row, in order ---------------------------------------------------------------------------------------------


def test_three_sources_by_hand() -> None:
    sources = [flat(1, 1, 7), b"no picture", flat(2, 1, 9)]
    (first, seven), (second, fault), (third, nine) = load_many(sources)
    assert (first, second, third) == (0, 1, 2)
    assert np.asarray(seven).tolist() == [[[7, 7, 7]]]
    assert np.asarray(nine).tolist() == [[[9, 9, 9], [9, 9, 9]]]
    assert isinstance(fault, PictureError)
    assert fault.code == "not_an_image"


def loaded_or_fault(source: Any) -> Any:
    try:
        return load(source, icc=True)
    except PhotositeError as fault:
        return fault


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_load_many_matches_load(threads: int, tmp_path: Path) -> None:
    """Odd and hostile files, as bytes and as paths, and a few sources that are no files."""
    cases = [case for case in TABLE if case.suffix == ".jpg"]
    contents = [case.make() for case in cases]
    paths = [tmp_path / case.id for case in cases]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    sources = [*paths, *contents, flat(3, 2), picture(), tmp_path / "missing", np.zeros((3, 0))]
    rows = list(load_many(iter(sources), threads=threads, max_megapixels_in_flight=0.002, icc=True))
    assert [index for index, _ in rows] == list(range(len(sources)))
    for source, (_, found) in zip(sources, rows, strict=True):
        expected = loaded_or_fault(source)
        assert type(found) is type(expected)
        if isinstance(expected, PhotositeError):
            assert str(found) == str(expected)
        else:
            assert_array_equal(found, expected)
    assert ours() == []


def test_real_photos_match_load(photos: list[Path]) -> None:
    for index, found in load_many(photos[:20]):
        assert_array_equal(found, load(photos[index]))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.one_of(st.none(), st.tuples(st.integers(1, 60), st.integers(1, 60))), max_size=40),
    threads=st.integers(1, 4),
    budget=st.sampled_from([1e-9, 0.0005, 0.002, 64]),
    delays=st.lists(st.sampled_from([0.0, 0.0, 0.002]), min_size=1, max_size=5),
)
def test_no_row_is_lost(rows: list[Any], threads: int, budget: float, delays: list[float]) -> None:
    """N in, N ok plus N failed out, each in its place, whatever the sizes, the budget and the consumer's pace."""
    sources = [b"?" if size is None else flat(*size, value=at % 256) for at, size in enumerate(rows)]
    pace = itertools.cycle(delays)
    seen = 0
    for (index, found), expected in zip(
        load_many(sources, threads=threads, max_megapixels_in_flight=budget), rows, strict=True
    ):
        assert index == seen
        assert (expected is None) == isinstance(found, PictureError)
        if expected is not None:
            assert_array_equal(found, sources[index])
        seen += 1
        time.sleep(next(pace))
    assert seen == len(rows)


@pytest.mark.parametrize("sources", [[], (), iter([]), (source for source in ())], ids=["list", "tuple", "iter", "gen"])
def test_no_sources_give_no_rows(sources: Any) -> None:
    assert list(load_many(sources)) == []
    assert ours() == []


def test_a_batch_is_many_pictures() -> None:
    batch = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    assert_array_equal(np.stack([np.asarray(found) for _, found in load_many(batch)]), batch)


def test_a_slow_picture_is_waited_for_while_others_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    release, decoded = threading.Event(), []
    real = module._picture

    def picture_of(opened: OpenSource) -> Any:
        if opened.area == 100:
            assert release.wait(20)
        found = real(opened)
        decoded.append(opened.area)
        if len(decoded) == 3:
            release.set()
        return found

    monkeypatch.setattr(module, "_picture", picture_of)
    rows = list(load_many([flat(10, 10), flat(1, 1), flat(2, 1), flat(3, 1)], threads=2))
    assert decoded == [1, 2, 3, 100]
    assert [np.asarray(found).shape[1] for _, found in rows] == [10, 1, 2, 3]


# --- failures --------------------------------------------------------------------------------------------------------


def test_on_error_raise_comes_in_its_turn() -> None:
    rows = load_many([flat(1, 1), b"", flat(2, 2), b"?"], on_error="raise")
    assert next(rows)[0] == 0
    with pytest.raises(PictureError, match="it has no bytes"):
        next(rows)
    assert list(rows) == []
    assert ours() == []


def test_a_user_mistake_in_one_row_is_a_row_too() -> None:
    channels_first, no_such_frame = [found for _, found in load_many([np.zeros((3, 4, 5), np.uint8), jpeg()], frame=0)]
    assert isinstance(channels_first, ShapeError)
    assert np.asarray(no_such_frame).shape == (24, 40, 3)
    ((_, no_such_frame),) = load_many([jpeg()], frame=1)
    assert isinstance(no_such_frame, RangeError)


def test_errors_hold_no_file_in_memory() -> None:
    for data in (jpeg()[:-60], b"?", encode(picture(), "PNG")[:90]):
        ((_, fault),) = load_many([data])
        assert isinstance(fault, PictureError)
        assert (fault.__traceback__, fault.__cause__, fault.__context__) == (None, None, None)


def test_what_is_no_fault_of_a_picture_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_picture", lambda opened: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        list(load_many([flat(1, 1)]))
    assert ours() == []


def test_a_source_iterable_that_breaks_gives_its_rows_first() -> None:
    def sources() -> Iterator[np.ndarray]:
        yield flat(1, 1)
        yield flat(2, 1)
        raise OSError("the list of files is gone")

    rows = load_many(sources())
    assert [np.asarray(next(rows)[1]).shape for _ in range(2)] == [(1, 1, 3), (1, 2, 3)]
    with pytest.raises(OSError, match="the list of files is gone"):
        next(rows)
    assert ours() == []


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [100, 250, 1000])
def test_the_bound_is_never_exceeded(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch, delay=0.0005)
    sides = [10, 7, 3, 9, 1, 10, 10, 5, 2, 8] * 8
    for index, found in load_many([flat(s, s) for s in sides], threads=4, max_megapixels_in_flight=budget / 1e6):
        assert np.asarray(found).shape[0] == sides[index]
        time.sleep(0.001)  # the picture in hand counts too
        watch.seen(sides[index] ** 2)
    assert watch.now == 0
    assert 100 <= watch.most <= budget
    assert watch.most_running > 1  # small ones fit side by side


def test_a_picture_larger_than_the_budget_passes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch, delay=0.001)
    sides = [5, 5, 20, 5, 30, 30, 5, 5]
    for index, found in load_many([flat(s, s) for s in sides], threads=3, max_megapixels_in_flight=60e-6):
        assert np.asarray(found).shape[0] == sides[index]
        time.sleep(0.002)
        assert watch.now <= 60 or watch.now == sides[index] ** 2
        watch.seen(sides[index] ** 2)
    assert watch.most == 900


def test_the_bound_counts_pixels_as_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 x 64 at 1/8 is 64 pixels; four of them fit where one at full size would not."""
    watch = Watch(monkeypatch, delay=0.01)
    data = encode(picture(size=(64, 64)), "JPEG")
    rows = load_many([data] * 8, threads=4, max_megapixels_in_flight=256e-6, jpeg_scale_for_hw=(8, 8))
    for _, found in rows:
        assert np.asarray(found).shape == (8, 8, 3)
        watch.seen(64)
    assert 64 < watch.most <= 256


def test_sources_are_read_as_needed() -> None:
    given_out: list[int] = []

    def sources() -> Iterator[np.ndarray]:
        for number in range(10_000):
            given_out.append(number)
            yield flat(1, 1)

    rows = load_many(sources(), threads=2)
    assert given_out == []
    for taken in range(1, 100):
        next(rows)
        assert len(given_out) <= taken + 2 * module._ROWS_AHEAD
    rows.close()


def test_endless_sources_are_fine() -> None:
    rows = load_many(flat(1, 1, k % 256) for k in itertools.count())
    assert [np.asarray(found)[0, 0, 0] for _, found in itertools.islice(rows, 500)] == [k % 256 for k in range(500)]
    rows.close()


# --- the end ---------------------------------------------------------------------------------------------------------


def test_closing_early_leaves_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch, delay=0.05)
    rows = load_many([flat(2, 2)] * 1000, threads=3)
    next(rows)
    assert 0 < len(ours()) <= 3
    rows.close()
    assert ours() == []
    assert watch.begun < 3 * module._ROWS_AHEAD  # what had not begun was dropped
    assert list(rows) == []


def test_leaving_a_loop_leaves_no_threads() -> None:
    for index, _ in load_many([flat(2, 2)] * 1000):
        if index == 5:
            break
    assert ours() == []


def test_a_generator_that_is_never_asked_starts_nothing() -> None:
    load_many([flat(2, 2)])
    assert ours() == []


def test_ctrl_c_while_waiting_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(opened: OpenSource) -> Any:
        time.sleep(0.05)  # until the main thread has started this one and waits for its picture
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)

    monkeypatch.setattr(module, "_picture", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            next(load_many([flat(1, 1)]))
    finally:
        signal.signal(signal.SIGINT, before)
    assert ours() == []


def test_ctrl_c_of_the_sources_gets_through() -> None:
    def sources() -> Iterator[np.ndarray]:
        yield flat(1, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(load_many(sources()))
    assert ours() == []


def test_a_process_ends_with_a_generator_half_read() -> None:
    """Budget used up, nobody asking any more: workers must not wait for room that never comes."""
    code = (
        "import numpy as np\n"
        "from photosite.prep.load_many import load_many\n"
        "rows = load_many([np.zeros((9, 9), np.uint8)] * 1000, threads=2, max_megapixels_in_flight=1e-4)\n"
        "print(next(rows)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": 0}, "threads wants at least 1, got 0"),
        ({"max_megapixels_in_flight": 0}, "max_megapixels_in_flight wants more than 0, got 0"),
        ({"max_megapixels_in_flight": float("nan")}, "wants more than 0, got nan"),
        ({"background": (0, 0, 256)}, "background wants three numbers in 0..255"),
        ({"jpeg_scale_for_hw": (0, 1)}, "jpeg_scale_for_hw wants"),
    ],
)
def test_arguments_out_of_range_are_told_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RangeError, match=words):
        load_many([], **options)


def test_an_unknown_way_with_errors_is_told_at_once() -> None:
    with pytest.raises(UnknownNameError, match="no choice of on_error named 'skip'; known: raise, yield"):
        load_many([], on_error="skip")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["a.jpg", b"bytes", Path("a.jpg"), io.BytesIO(b"x"), Image.new("L", (1, 1)), 3])
def test_one_source_is_not_many(source: Any) -> None:
    with pytest.raises(ShapeError, match=r"wants several sources, got one \w+; give \[source\], or use load"):
        load_many(source)


def test_load_many_takes_every_keyword_of_load() -> None:
    expected = [field.name for field in fields(Options)]
    assert list(LoadOptions.__annotations__) == expected
    for function in (load, load_with_info):
        parameters = inspect.signature(function).parameters
        assert list(parameters)[1:] == expected
        assert {name: parameters[name].default for name in expected} == vars(Options())


def test_what_is_made_of_a_picture_comes_out_in_its_place() -> None:
    recipe = get_recipe("imagenet")
    pictures = [np.random.default_rng(seed).integers(0, 256, (300, 280 + seed, 3), np.uint8) for seed in range(6)]
    sources = [*pictures[:3], b"no picture", *pictures[3:]]
    rows = list(load_many(sources, then=recipe, threads=3))
    assert [index for index, _ in rows] == list(range(7))
    assert isinstance(rows.pop(3)[1], PictureError)
    for (_, made), one in zip(rows, pictures, strict=True):
        np.testing.assert_array_equal(made, recipe(one))


def test_a_fault_of_ours_in_what_is_made_is_handed_out_too() -> None:
    rows = list(load_many([np.zeros((2, 3), np.uint8)] * 2, then=get_recipe("imagenet").normalized, threads=1))
    assert [np.shape(made) for _, made in rows] == [(1, 3, 2, 3)] * 2
    refusing = list(load_many([np.zeros((2, 3), np.uint8)], then=lambda picture: resize(picture, (0, 1))))
    assert isinstance(refusing[0][1], RangeError)
