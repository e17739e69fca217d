"""What decoding promises: frames, files cut short, limits before pixels, and that nothing else is started."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile

from photosite.errors import PictureError, RangeError
from photosite.prep.load import load, load_with_info
from photosite.prep.modes import Conversion
from tests.prep.cases import TABLE, animated, encode, frames, huge_png, jpeg, long_gif, picture, pixels, profile

ROWS = {case.id: case for case in TABLE}


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_chosen_by_number(format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = animated(format_, 4, **options)
    for k, frame in enumerate(frames(4)):
        loaded, info = load_with_info(data, frame=k)
        assert_array_equal(loaded, np.asarray(frame))
        assert info.frames == (4 if format_ in ("PNG", "WEBP") else None)
        which = "the first" if k == 0 else f"number {k + 1}"
        assert info.notes[0].startswith(f"animated or several pages: {which} of ")
    with pytest.raises(RangeError, match=r"frame 4 is wanted .* the file ends before it"):
        load(data, frame=4)


def test_frames_of_an_mpo() -> None:
    loaded, info = load_with_info(animated("MPO", 3), frame=2)
    assert loaded.shape == (8, 12, 3)
    assert (info.format, info.frames) == ("MPO", 3)


def test_a_single_picture_has_no_second_frame() -> None:
    with pytest.raises(RangeError, match="frame 1 is wanted"):
        load(jpeg(), frame=1)


def test_a_long_gif_is_not_walked() -> None:
    data = long_gif(200_000)
    started = time.thread_time()
    assert load_with_info(data)[1].frames is None
    # counting its frames takes over 2 s of processor time; looking at the first two takes about a millisecond
    assert time.thread_time() - started < 0.5


# --- cut short -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["JPEG", "progressive", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_tolerated_truncation_matches_pillows_own(format_: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8))
    data = (
        jpeg_of(noise, progressive=True)
        if format_ == "progressive"
        else encode(noise.convert("P") if format_ == "GIF" else noise, format_)
    )
    cut = data[: int(len(data) * share)]
    with pytest.raises(PictureError) as caught:
        load(cut)
    assert caught.value.code == "truncated"
    loaded, info = load_with_info(cut, tolerate_truncated=True)
    assert info.notes[0].startswith("truncated: missing rows are ")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # the peer's way: a switch for the whole process
    assert_array_equal(loaded, np.asarray(Image.open(io.BytesIO(cut)).convert("RGB")))


def jpeg_of(image: Image.Image, **options) -> bytes:
    return encode(image, "JPEG", **options)


def test_missing_rows_are_gray_in_a_jpeg_and_black_in_a_png() -> None:
    white = Image.new("RGB", (256, 256), (255, 255, 255))
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (256, 256, 3), np.uint8))
    half = jpeg_of(noise)[: len(jpeg_of(noise)) // 2]
    assert (load(half, tolerate_truncated=True)[-8:] == 128).all()
    half = encode(noise, "PNG")[: len(encode(noise, "PNG")) // 2]
    assert (load(half, tolerate_truncated=True)[-8:] == 0).all()
    assert (load(jpeg_of(white), tolerate_truncated=True) == 255).all()  # a whole file is not touched


@pytest.mark.parametrize("row", ["truncated-jpeg-20-bytes", "truncated-webp", "truncated-avif", "bad-idat", "bad-crc"])
def test_what_cannot_be_tolerated_keeps_its_code(row: str) -> None:
    with pytest.raises(PictureError) as caught:
        load(ROWS[row].make(), tolerate_truncated=True)
    assert caught.value.code == ROWS[row].code


def test_pillows_switch_for_the_whole_process_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for data in (encode(picture(), "PNG"), jpeg(progressive=True), jpeg()[:-2]):
        assert "LOAD_TRUNCATED_IMAGES is on" in load_with_info(data)[1].notes[0]


# --- bombs -----------------------------------------------------------------------------------------------------------

_MEASURE = """
import sys, time
from resource import RUSAGE_SELF, getrusage
from photosite.errors import PictureError
from photosite.prep.load import load
data = sys.stdin.buffer.read()
before, started = getrusage(RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    load(data)
except PictureError as fault:
    print(fault.code, (getrusage(RUSAGE_SELF).ru_maxrss - before) // 1024, time.process_time() - started)
"""


@pytest.mark.parametrize(
    "row", ["header-bomb", "real-bomb", "tiff-tile-bomb", "webp-canvas-bomb", "ztxt-bomb", "iccp-bomb"]
)
def test_bombs_cost_neither_memory_nor_time(row: str) -> None:
    done = subprocess.run([sys.executable, "-c", _MEASURE], input=ROWS[row].make(), capture_output=True, check=True)
    code, megabytes, seconds = done.stdout.split()
    assert code.decode() == ROWS[row].code
    assert int(megabytes) < 16  # unpacked they take 80 MB to 3.6 GB
    assert float(seconds) < 0.1  # of processor time; measured: under 10 ms


def test_scans_in_metadata_do_not_count() -> None:
    data = jpeg()
    comment = b"\xff\xfe" + (2 + 2 * 300).to_bytes(2, "big") + b"\xff\xda" * 300
    assert_array_equal(load(data[:2] + comment + data[2:]), load(data))


def test_out_of_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(PictureError, match="MemoryError") as caught:
        load(encode(picture(), "PNG"))
    assert caught.value.code == "out_of_memory"


@pytest.mark.parametrize(
    "fault", [ValueError, IndexError, TypeError, SyntaxError, RuntimeError, KeyError, OSError, EOFError]
)
def test_whatever_a_decoder_raises_is_named(fault: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise fault("odd\nwords \x1b[31m")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(PictureError) as caught:
        load(encode(picture(), "PNG"))
    assert caught.value.code == "corrupt"
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("fault", [KeyError, ValueError, MemoryError])
def test_whatever_conversion_raises_is_named(fault: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault("odd")

    for method in ("to_rgb", "of_pixels"):
        monkeypatch.setattr(Conversion, method, fail)
    for data in (jpeg(icc_profile=profile("sRGB")), encode(picture(), "PNG")):
        with pytest.raises(PictureError, match=r"converting RGB to RGB: .*odd") as caught:
            load(data)
        assert caught.value.code == ("out_of_memory" if fault is MemoryError else "corrupt")


# --- other programs and packages -------------------------------------------------------------------------------------


def test_ghostscript_is_never_started(tmp_path: Path) -> None:
    trap = tmp_path / "gs"
    trap.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    path = tmp_path / "a.jpg"
    path.write_bytes(ROWS["eps"].make())
    code = f"from photosite.prep.load import load; load({str(path)!r})"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ.get('PATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert b"format_not_allowed" in done.stderr
    assert not (tmp_path / "started").exists()


def test_formats_outside_the_list_are_never_imported() -> None:
    code = (
        "import sys; from photosite.prep.load import load; from photosite.errors import PictureError\n"
        "try: load(b'%!PS-Adobe-3.0')\n"
        "except PictureError: pass\n"
        "print([p for p in ('Eps', 'Psd', 'Fli', 'Dds', 'Jpeg2K') if f'PIL.{p}ImagePlugin' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_heic_opens_where_its_extra_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Heif:
        size = (40, 24)

        def __len__(self) -> int:
            return 1

        def to_pillow(self) -> Image.Image:
            return picture()

    stand_in = types.ModuleType("pillow_heif")
    stand_in.open_heif = lambda file, convert_hdr_to_8bit: Heif()
    monkeypatch.setitem(sys.modules, "pillow_heif", stand_in)
    loaded, info = load_with_info(ROWS["heic"].make())
    assert_array_equal(loaded, pixels())
    assert (info.format, info.frames) == ("HEIF", 1)
    with pytest.raises(PictureError, match="too_many_pixels"):
        load(ROWS["heic"].make(), max_pixels=100)


@pytest.mark.slow
def test_a_picture_at_the_limit_opens() -> None:
    assert load(huge_png(9459)).shape == (9459, 9459, 3)  # the largest square under 89,478,485
