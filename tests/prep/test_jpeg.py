"""The same picture from either decoder: every kind of JPEG with simplejpeg and without."""

from __future__ import annotations

import io
import random
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile, ImageOps

from photosite.errors import PictureError
from photosite.prep import jpeg as module
from photosite.prep.jpeg import PlainHeader, count_scans, decode_rgb, plain_header
from photosite.prep.load import load, load_with_info
from tests.peers import import_peer
from tests.prep.cases import (
    animated,
    encode,
    exif,
    jpeg,
    jpeg_of_many_scans,
    pixels,
    rotten_jpeg,
    stored_for,
)
from tests.prep.jpegs import (
    OTHERS,
    SOUND,
    arithmetic,
    assert_same_without,
    segment,
)
from tests.security.test_hostile_pictures import BASES, mutate


@pytest.fixture
def simplejpeg() -> Any:
    """The decoder of the extra `fast`; skipped where it is missing."""
    return import_peer("simplejpeg")


# --- the same, whichever decoder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOUND)
def test_decode_rgb_matches_pillow(name: str, simplejpeg: Any) -> None:
    with Image.open(io.BytesIO(SOUND[name])) as peer:
        found, said = decode_rgb(SOUND[name], (peer.height, peer.width))
        assert said == ""
        assert_array_equal(found, np.asarray(peer.convert("RGB")))


@pytest.mark.parametrize("name", [*SOUND, *OTHERS])
def test_either_decoder_gives_the_same(name: str, simplejpeg: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {**SOUND, **OTHERS}[name]
    for options in ({}, {"icc": True}, {"tolerate_truncated": True}, {"jpeg_scale_for_hw": (6, 5)}, {"frame": 1}):
        assert_same_without(data, monkeypatch, **options)


def compare_mutants(name: str, count: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = random.Random(f"{name} {seed}")
    for number in range(count):
        mutant = mutate(BASES[name], seeded)
        options: dict[str, Any] = {"tolerate_truncated": number % 3 == 0, "icc": number % 2 == 0}
        if number % 4 == 0:
            options["jpeg_scale_for_hw"] = (5, 9)
        assert_same_without(mutant, monkeypatch, max_pixels=1_000_000, **options)


@pytest.mark.parametrize("name", ["JPEG", "progressive", "CMYK", "MPO"])
def test_either_decoder_gives_the_same_of_mutants(name: str, simplejpeg: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_mutants(name, 60, 2, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["JPEG", "progressive", "CMYK", "MPO"])
def test_either_decoder_gives_the_same_of_many_mutants(
    name: str, simplejpeg: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_mutants(name, 3000, 3, monkeypatch)


def test_either_decoder_gives_the_same_of_photos(
    photos: list[Path], simplejpeg: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in photos[::10]:
        assert_same_without(path.read_bytes(), monkeypatch)


@pytest.mark.slow
def test_either_decoder_gives_the_same_of_all_photos(
    photos: list[Path], simplejpeg: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(photos) == 200
    for path in photos:
        for options in ({}, {"jpeg_scale_for_hw": (100, 120)}):
            assert_same_without(path.read_bytes(), monkeypatch, **options)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    mode=st.sampled_from(["RGB", "L"]),
    subsampling=st.sampled_from([0, 1, 2]),
    progressive=st.booleans(),
    orientation=st.integers(1, 8),
    quality=st.integers(1, 100),
)
def test_load_matches_exif_transpose(
    width: int, height: int, mode: str, subsampling: int, progressive: bool, orientation: int, quality: int
) -> None:
    stored = stored_for(orientation, pixels(height, width))
    options = {"subsampling": subsampling} if mode == "RGB" else {}
    data = encode(
        Image.fromarray(stored).convert(mode),
        "JPEG",
        progressive=progressive,
        quality=quality,
        exif=exif(orientation),
        **options,
    )
    with Image.open(io.BytesIO(data)) as peer:
        expected = np.asarray(ImageOps.exif_transpose(peer).convert("RGB"))
    assert_array_equal(load(data), expected)
    assert expected.shape == (height, width, 3)


# --- who decodes -----------------------------------------------------------------------------------------------------


def test_a_sound_jpeg_never_reaches_pillows_decoder(simplejpeg: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise AssertionError("Pillow was asked for pixels")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    for name, data in SOUND.items():
        assert load(data).size, name


def test_cmyk_and_later_frames_never_reach_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def refuse(data: bytes, *_: object, **__: object) -> None:
        asked.append(data)
        raise RuntimeError

    monkeypatch.setattr(module, "simplejpeg", types.SimpleNamespace(decode_jpeg=refuse))
    for name in ("CMYK", "YCCK", "table: cmyk-jpeg-with-profile"):
        assert load(OTHERS[name]).shape == (24, 40, 3)
    assert load(SOUND["MPO"], frame=1).shape == (8, 12, 3)
    assert asked == []
    load(jpeg())
    load(jpeg(progressive=True))
    assert asked == [jpeg(), jpeg(progressive=True)]  # once each, whether Pillow reads the header or we do


PLAIN = ("4:4:4", "4:2:2", "4:2:0", "gray", "optimized", "restart every block", "a comment", "trailing zeros")
SPECIAL = (
    "progressive",
    "arithmetic",
    "MPO",
    "sRGB profile",
    "broken EXIF",
    "orientation 6",
    "RGB without a transform",
)


@pytest.mark.parametrize("name", [*SOUND, *OTHERS])
def test_a_plain_header_is_as_pillow_reads_it(name: str) -> None:
    data = {**SOUND, **OTHERS}[name]
    header = plain_header(data)
    if name in PLAIN or name in SPECIAL:
        assert (header is not None) == (name in PLAIN)
    if header is not None:
        with Image.open(io.BytesIO(data)) as image:
            assert header == PlainHeader((image.height, image.width), len(image.getbands()))
            assert (image.format, image.mode in ("L", "RGB"), dict(image.getexif())) == ("JPEG", True, {})
            assert not {"progressive", "icc_profile", "exif", "xmp", "adobe"} & set(image.info)


def test_of_photos_most_are_plain(photos: list[Path]) -> None:
    headers = [plain_header(path.read_bytes()) for path in photos]
    for path, header in zip(photos, headers, strict=True):
        with Image.open(path) as image:
            assert header in (None, PlainHeader((image.height, image.width), len(image.getbands())))
    assert sum(header is not None for header in headers) > len(photos) / 2


@pytest.mark.parametrize("place", ["segment", "length", "cut"])
def test_a_header_that_is_not_plain_to_its_end(place: str) -> None:
    data = jpeg()
    assert plain_header(data) is not None
    if place == "cut":
        assert [end for end in range(data.index(b"\xff\xda") + 5) if plain_header(data[:end])] == []
        return
    many = segment(0xFE, b"") * 60  # a walk through segments is bounded
    odd = many if place == "segment" else b"\xff\xfe\0\1"
    assert plain_header(data[:2] + odd + data[2:]) is None


def test_rotten_jpeg_has_pillows_pixels_and_a_note(simplejpeg: Any) -> None:
    loaded, info = load_with_info(rotten_jpeg())
    assert_array_equal(loaded, np.asarray(Image.open(io.BytesIO(rotten_jpeg())).convert("RGB")))
    assert [note.startswith("jpeg_corrupt_data: Corrupt JPEG data: ") for note in info.notes] == [True]


def test_without_simplejpeg_nothing_is_said_about_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "simplejpeg", None)
    assert load_with_info(rotten_jpeg())[1].notes == ()
    assert decode_rgb(jpeg(), (24, 40)) == (None, "")


@pytest.mark.parametrize("size_hw", [(23, 40), (24, 39), (1, 1)])
def test_a_header_of_a_larger_picture_finds_no_room(size_hw: tuple[int, int], simplejpeg: Any) -> None:
    found, said = decode_rgb(jpeg(), size_hw)
    assert found is None
    assert "too small to decode (24, 40, 3)" in said


def test_a_header_of_a_smaller_picture_is_not_believed(simplejpeg: Any) -> None:
    assert decode_rgb(jpeg(), (24, 41)) == (None, "")


@pytest.mark.parametrize(
    ("fault", "code"), [(ValueError, ""), (RuntimeError, ""), (KeyError, ""), (MemoryError, "out_of_memory")]
)
def test_whatever_simplejpeg_raises(fault: type[Exception], code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault("odd\nwords \x1b[31m")

    monkeypatch.setattr(module, "simplejpeg", types.SimpleNamespace(decode_jpeg=fail))
    if code:
        with pytest.raises(PictureError, match=code):
            load(jpeg())
        return
    loaded, info = load_with_info(jpeg())
    assert_array_equal(loaded, np.asarray(Image.open(io.BytesIO(jpeg()))))
    assert info.notes == (("jpeg_corrupt_data: odd\\nwords \\x1b[31m",) if fault is ValueError else ())


# --- scans -----------------------------------------------------------------------------------------------------------


def test_scans_are_counted_by_segment() -> None:
    assert count_scans(jpeg()) == 1
    assert count_scans(jpeg(progressive=True)) == 10
    assert count_scans(SOUND["a comment"]) == 1
    assert count_scans(SOUND["a scan for each channel"]) == 3
    assert count_scans(jpeg_of_many_scans(500)) == module.MAX_SCANS + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_of_many_scans(120), "more than 100 progressive scans"),
        (arithmetic(640, 480, [[1], [2], [3]] * 40), "more than 100 progressive scans"),
        (arithmetic(640, 480, [[1, 2, 3]] * 120), "broken data stream"),  # libjpeg stops at the second
    ],
    ids=["progressive", "a channel a scan", "all channels"],
)
def test_jpegs_made_to_take_long_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words) as caught:
        load(data)
    assert caught.value.code == "corrupt"


def test_scans_of_a_later_picture_of_an_mpo_are_counted_too() -> None:
    plain = animated("MPO", 2, progressive=True)
    last = plain.rindex(b"\xff\xda")
    data = plain[:-2] + plain[last:-2] * 120 + b"\xff\xd9"
    assert load(data).shape == load(plain, frame=1).shape == (8, 12, 3)
    with pytest.raises(PictureError, match="progressive scans"):
        load(data, frame=1)
