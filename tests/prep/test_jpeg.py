"""The same picture from either decoder: every kind of JPEG with simplejpeg and without; and what scaling promises."""

from __future__ import annotations

import io
import random
import struct
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image, ImageFile, ImageOps

from photosite.errors import PhotositeError, PictureError, RangeError
from photosite.prep import jpeg as module
from photosite.prep.decode import Wanted, open_encoded
from photosite.prep.jpeg import count_scans, decode_rgb, factor_for
from photosite.prep.load import load, load_with_info
from tests.peers import import_peer
from tests.prep.cases import (
    TABLE,
    animated,
    encode,
    exif,
    jpeg,
    jpeg_of_many_scans,
    picture,
    pixels,
    profile,
    rotten_jpeg,
    stored_for,
    swapped_profile,
)
from tests.security.test_hostile_pictures import BASES, mutate


@pytest.fixture
def simplejpeg() -> Any:
    """The decoder of the extra `fast`; skipped where it is missing."""
    return import_peer("simplejpeg")


# --- JPEGs by hand ---------------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def arithmetic(width: int, height: int, scans: list[list[int]], components: int = 3) -> bytes:
    """A sequential JPEG in arithmetic coding, where no bits at all are a sound scan; `scans` list component numbers."""
    frame = struct.pack(">BHHB", 8, height, width, components)
    frame += b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    body = segment(0xDB, b"\0" + bytes([16]) * 64) + segment(0xC9, frame)
    for numbers in scans:
        chosen = b"".join(bytes([number, 0]) for number in numbers)
        body += segment(0xDA, bytes([len(numbers)]) + chosen + bytes([0, 63, 0]))
    return b"\xff\xd8" + body + b"\xff\xd9"


def frame_header(data: bytes) -> tuple[int, int]:
    """Where the frame header of a JPEG begins and ends."""
    at = min(found for found in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if found > 0)
    return at, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def twelve_bits() -> bytes:
    data = jpeg()
    at, _ = frame_header(data)
    return data[: at + 4] + b"\x0c" + data[at + 5 :]


def two_frames(*, larger_first: bool) -> bytes:
    """Two frame headers that disagree about the size."""
    data = jpeg()
    at, end = frame_header(data)
    other = data[at : at + 5] + struct.pack(">HH", 200, 300) + data[at + 9 : end]
    headers = other + data[at:end] if larger_first else data[at:end] + other
    return data[:at] + headers + data[end:]


def no_height() -> bytes:
    """A frame header that leaves the height to be told later, which libjpeg does not follow."""
    data = jpeg()
    at, _ = frame_header(data)
    return data[: at + 5] + b"\0\0" + data[at + 7 :]


def ycck() -> bytes:
    """A CMYK JPEG that says it is YCCK: the transform of its Adobe marker is 2."""
    data = encode(picture("CMYK"), "JPEG")
    at = data.index(b"Adobe") + 11
    return data[:at] + b"\x02" + data[at + 1 :]


def of_size(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    return encode(picture(mode, (width, height)), "JPEG", **options)


def noise(width: int = 70, height: int = 50, mode: str = "RGB", **options: Any) -> bytes:
    samples = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return encode(Image.fromarray(samples).convert(mode), "JPEG", **options)


SOUND: dict[str, bytes] = {
    "4:4:4": noise(subsampling=0),
    "4:2:2": noise(subsampling=1),
    "4:2:0": noise(subsampling=2),
    "gray": noise(mode="L"),
    "progressive": noise(progressive=True),
    "gray progressive": noise(mode="L", progressive=True),
    "optimized": noise(optimize=True),
    "quality 1": noise(quality=1),
    "quality 100": noise(quality=100),
    "restart every block": noise(restart_marker_blocks=1),
    "restart every row": noise(restart_marker_rows=1),
    "progressive with restarts": noise(restart_marker_blocks=3, progressive=True),
    "RGB without a transform": noise(keep_rgb=True),
    "arithmetic": arithmetic(21, 13, [[1, 2, 3]]),
    "arithmetic gray": arithmetic(21, 13, [[1]], components=1),
    "a scan for each channel": arithmetic(21, 13, [[1], [2], [3]]),
    "trailing zeros": noise() + bytes(5000),
    "trailing web page": noise() + b"<html></html>",
    "another JPEG behind it": noise() + of_size(8, 8),
    "MPO": animated("MPO", 2),
    "a comment": noise(comment=b"\xff\xda" * 300),
    "sRGB profile": noise(icc_profile=profile("sRGB")),
    "other profile": noise(icc_profile=swapped_profile()),
    "other profile, gray": noise(mode="L", icc_profile=swapped_profile()),
    "Lab profile": noise(icc_profile=profile("LAB")),
    "no profile": noise(icc_profile=b"not a profile"),
    "broken EXIF": noise(exif=b"Exif\0\0" + b"\xff" * 40),
    **{f"{w} wide, {h} high": of_size(w, h) for w, h in ((1, 1), (1, 9), (17, 1), (8, 8), (9, 7), (63, 47), (1, 4000))},
    **{f"gray, {w} wide": of_size(w, 3, "L") for w in (1, 7, 8)},
    **{f"orientation {o}": noise(exif=exif(o)) for o in (0, 1, 2, 3, 4, 5, 6, 7, 8, 99)},
    **{f"gray, orientation {o}": noise(mode="L", exif=exif(o)) for o in (6, 7)},
}
OTHERS: dict[str, bytes] = {
    "CMYK": encode(picture("CMYK"), "JPEG"),
    "YCCK": ycck(),
    "12 bits": twelve_bits(),
    "no height": no_height(),
    "two channels": arithmetic(8, 8, [[1, 2]], components=2),
    "a channel missing": arithmetic(21, 13, [[1], [2]]),
    "a scan too many": arithmetic(21, 13, [[1, 2, 3]] * 2),
    "two frames, the larger first": two_frames(larger_first=True),
    "two frames, the larger last": two_frames(larger_first=False),
    "rotten": rotten_jpeg(),
    "unknown JFIF": jpeg().replace(b"JFIF\0\1\1", b"JFIF\0\7\1"),
    "no pixels": jpeg()[: jpeg().rindex(b"\xff\xda")],
    "no end": noise()[:-2],
    "no end, progressive": noise(progressive=True)[:-2],
    **{f"cut at {share:.0%}": noise()[: int(len(noise()) * share)] for share in (0.05, 0.2, 0.5, 0.9, 0.99)},
    **{f"progressive cut at {share:.0%}": noise(progressive=True)[: int(8000 * share)] for share in (0.1, 0.5, 0.9)},
    **{f"table: {case.id}": case.make() for case in TABLE if case.make()[:3] == b"\xff\xd8\xff"},
}


def outcome(data: bytes, **options: Any) -> tuple[Any, ...]:
    """All that a caller can see of opening a file, but for the note that only simplejpeg can give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow says much about damaged EXIF
        try:
            loaded, info = load_with_info(data, **options)
        except PhotositeError as fault:
            return type(fault), str(fault)
    notes = tuple(note for note in info.notes if not note.startswith("jpeg_corrupt_data: "))
    return (
        loaded.shape,
        loaded.tobytes(),
        loaded.flags.c_contiguous,
        loaded.flags.writeable,
        {**vars(info), "notes": notes},
    )


def assert_same_without(data: bytes, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, ...]:
    fast = outcome(data, **options)
    with monkeypatch.context() as patch:
        patch.setattr(module, "simplejpeg", None)
        assert outcome(data, **options) == fast
    return fast


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
    assert asked == [jpeg()]


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


# --- scaled decoding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_hw", "wanted_hw", "factor"),
    [
        ((448, 448), (224, 224), 2),
        ((447, 448), (224, 224), 1),  # half of 447 is 223.5
        ((448, 447), (224, 224), 1),
        ((895, 2000), (224, 224), 2),
        ((896, 2000), (224, 224), 4),
        ((1792, 1792), (224, 224), 8),
        ((100_000, 100_000), (1, 1), 8),
        ((7, 7), (1, 1), 1),  # 7/4 and 7/8 of a pixel would be hard to tell apart from sizes alone
        ((8, 1), (1, 1), 1),
        ((8, 8), (1, 1), 8),
    ],
)
def test_factor_for(size_hw: tuple[int, int], wanted_hw: tuple[int, int], factor: int) -> None:
    assert factor_for(size_hw, wanted_hw) == factor


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    wanted_h=st.integers(1, 40),
    wanted_w=st.integers(1, 40),
    orientation=st.integers(1, 8),
    subsampling=st.sampled_from([0, 1, 2]),
)
def test_scaled_decoding_matches_pillows_draft(
    height: int, width: int, wanted_h: int, wanted_w: int, orientation: int, subsampling: int
) -> None:
    data = encode(picture(size=(width, height)), "JPEG", exif=exif(orientation), subsampling=subsampling)
    scaled, info = load_with_info(data, jpeg_scale_for_hw=(wanted_h, wanted_w))
    full = load(data)
    factor = info.scaled_by
    assert info.size_hw == full.shape[:2]
    assert scaled.shape[:2] == tuple(-(-side // factor) for side in full.shape[:2])
    assert info.decoded_hw == (-(-height // factor), -(-width // factor))
    if factor == 1:
        assert_array_equal(scaled, full)
        assert info.notes == ()
        return
    assert scaled.shape[0] >= wanted_h
    assert scaled.shape[1] >= wanted_w
    assert info.notes == (f"decoded to 1/{factor} of its height and width by scaling in the DCT: values are not exact",)
    with Image.open(io.BytesIO(data)) as peer:
        peer.draft(None, (width // factor, height // factor))
        assert_array_equal(scaled, np.asarray(ImageOps.exif_transpose(peer).convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_full_box_follows_the_orientation(orientation: int) -> None:
    """A bright picture with one dark corner; half of the last stored column and row of the scaled one lies outside."""
    upright = np.full((64 + 1, 96 + 1, 3), 220, np.uint8)
    upright[:16, :16] = 30
    stored = stored_for(orientation, upright)
    data = encode(Image.fromarray(stored), "JPEG", quality=100, subsampling=0, exif=exif(orientation))
    scaled, info = load_with_info(data, jpeg_scale_for_hw=(32, 48))
    assert (info.scaled_by, info.size_hw, scaled.shape) == (2, (65, 97), (33, 49, 3))
    left, top, right, bottom = info.full_box_xyxy
    assert (right - left, bottom - top) == (48.5, 32.5)
    assert {left, top} <= {0.0, 0.5}
    # the dark corner is 8 pixels of the 48.5 x 32.5, counted from the box's own corner: to pixel 8, or half of the next
    dark = scaled[..., 0].astype(float)
    share = (220 - dark) / 190
    assert share[20 // 2].sum() == pytest.approx(0, abs=0.5)
    assert share[4].sum() == pytest.approx(
        8 + left, abs=0.35
    )  # half of the edge column stands for nothing, and is dark
    assert share[:, 4].sum() == pytest.approx(8 + top, abs=0.35)


def test_the_full_box_of_an_unscaled_picture_is_the_picture() -> None:
    for orientation in range(1, 9):
        data = encode(picture(), "JPEG", exif=exif(orientation))
        loaded, info = load_with_info(data)
        assert info.full_box_xyxy == (0, 0, loaded.shape[1], loaded.shape[0])


def test_only_jpegs_are_scaled() -> None:
    for source in (encode(picture(), "PNG"), Image.open(io.BytesIO(jpeg())), pixels()):
        loaded, info = load_with_info(source, jpeg_scale_for_hw=(3, 3))
        assert (loaded.shape, info.scaled_by, info.notes) == ((24, 40, 3), 1, ())


def test_cmyk_and_truncated_jpegs_are_scaled_too() -> None:
    loaded, info = load_with_info(OTHERS["CMYK"], jpeg_scale_for_hw=(6, 10))
    assert (loaded.shape, info.scaled_by, info.size_hw) == ((6, 10, 3), 4, (24, 40))
    cut = noise()[: len(noise()) // 2]
    loaded, info = load_with_info(cut, jpeg_scale_for_hw=(25, 35), tolerate_truncated=True)
    assert (loaded.shape, info.scaled_by, info.size_hw) == ((25, 35, 3), 2, (50, 70))
    assert [note.split(":")[0] for note in info.notes] == [
        "truncated",
        "decoded to 1/2 of its height and width by scaling in the DCT",
    ]


def test_the_pixel_limit_is_of_the_full_size() -> None:
    with pytest.raises(PictureError, match="40 wide and 24 high is 960 pixels, the limit is 959"):
        load(jpeg(), jpeg_scale_for_hw=(3, 5), max_pixels=959)


@pytest.mark.parametrize("wanted", [(0, 4), (4, -1), (4,), (4, 4, 4)])
def test_a_size_to_scale_for_is_checked(wanted: tuple[int, ...]) -> None:
    with pytest.raises(RangeError, match=r"jpeg_scale_for_hw wants \(height, width\)"):
        load(jpeg(), jpeg_scale_for_hw=wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "options", "area"),
    [
        (jpeg(), {}, 960),
        (jpeg(), {"jpeg_scale_for_hw": (12, 20)}, 240),
        (jpeg(), {"jpeg_scale_for_hw": (3, 5)}, 15),
        (jpeg(progressive=True), {"jpeg_scale_for_hw": (3, 5)}, 960),  # its coefficients are held whole
        (encode(picture(), "PNG"), {"jpeg_scale_for_hw": (3, 5)}, 960),
    ],
)
def test_opening_tells_what_decoding_will_hold(data: bytes, options: dict[str, Any], area: int) -> None:
    assert open_encoded(data, "<bytes>", Wanted(10**6, **options)).area == area


def test_opening_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(module, "decode_rgb", fail)
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    for name, data in {**SOUND, "cmyk": OTHERS["CMYK"], "png": encode(picture(), "PNG")}.items():
        assert open_encoded(data, name, Wanted(10**6)).area > 0


# The table of `load`: (asked for, target), photos, mean and worst mean and largest difference, whole and by the box.
ACCURACY = {
    (224, 224): (20, (1.60, 3.89, 80), (1.16, 3.89, 49)),
    (448, 224): (2, (0.39, 0.44, 7), (0.39, 0.44, 7)),
    (64, 64): (198, (1.92, 6.14, 80), (1.05, 3.14, 34)),
    (128, 64): (183, (0.96, 2.40, 52), (0.34, 0.91, 18)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "target"), ACCURACY)
def test_accuracy_of_scaled_decoding_is_as_documented(asked: int, target: int, photos: list[Path]) -> None:
    whole, boxed = [], []
    for path in photos:
        data = path.read_bytes()
        scaled, info = load_with_info(data, jpeg_scale_for_hw=(asked, asked))
        if info.scaled_by == 1:
            continue
        exact = _resized(load(data), target)
        whole.append(np.abs(exact - _resized(scaled, target)))
        boxed.append(np.abs(exact - _resized(scaled, target, info.full_box_xyxy)))
    count, *rows = ACCURACY[asked, target]
    assert len(whole) == count
    for differences, (mean, worst_mean, largest) in zip((whole, boxed), rows, strict=True):
        means = [difference.mean() for difference in differences]
        # two decimals are written; another libjpeg may round single values otherwise, which moves a mean by less
        assert np.mean(means) == pytest.approx(mean, abs=0.01)
        assert max(means) == pytest.approx(worst_mean, abs=0.01)
        assert max(difference.max() for difference in differences) == pytest.approx(largest, abs=1)


def _resized(loaded: np.ndarray, side: int, box: tuple[float, ...] | None = None) -> np.ndarray:
    resized = Image.fromarray(loaded).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized).astype(int)
