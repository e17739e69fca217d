"""Whatever the bytes: a picture (H, W, 3) of uint8, or a PictureError; never anything else, and never slow.

Two ways to damage sound files: a seeded mutator (flips, cuts, splices, edited lengths), and Hypothesis, which shrinks
what it finds. What once broke belongs below as a case of its own.
"""

from __future__ import annotations

import random
import struct
import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from photosite.errors import FAILURE_CODES, PictureError
from photosite.prep.load import load
from tests.prep.cases import (
    TABLE,
    animated,
    chunk,
    deep_png,
    encode,
    exif,
    gray_tiff,
    jpeg,
    picture,
    pixels,
    png,
    swapped_profile,
)

BASES: dict[str, bytes] = {
    "JPEG": jpeg(exif=exif(6), icc_profile=swapped_profile()),
    "progressive": jpeg(progressive=True),
    "CMYK": encode(picture("CMYK"), "JPEG"),
    "MPO": animated("MPO", 2),
    "PNG": encode(Image.fromarray(pixels(channels=4)), "PNG", exif=exif(5), icc_profile=swapped_profile()),
    "16-bit": deep_png(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600, chunk(b"tRNS", b"\0\1")),
    "palette": encode(picture().quantize(16), "PNG", transparency=3),
    "APNG": animated("PNG", 3),
    "GIF": animated("GIF", 3),
    "WebP": encode(picture("RGBA"), "WEBP", exif=exif(8)),
    "animated WebP": animated("WEBP", 3),
    "BMP": encode(picture(), "BMP"),
    "palette BMP": encode(picture("P"), "BMP"),
    "TIFF": encode(picture(), "TIFF", exif=exif(7)),
    "deflate TIFF": encode(picture(), "TIFF", compression="tiff_deflate"),
    "group 4 TIFF": encode(picture("1"), "TIFF", compression="group4"),
    "12-bit TIFF": gray_tiff(bytes(range(36)), 8, 3, 12),
    "PPM": encode(picture(), "PPM"),
    "plain PGM": b"P2 4 2 200 " + b"0 9 200 7 " * 2,
    "AVIF": encode(picture(), "AVIF"),
}


def outcome(data: bytes, **options: object) -> str:
    """The failure code, or "ok"; raises for everything that was promised not to happen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow says much about such files
        try:
            loaded = load(data, max_pixels=1_000_000, **options)  # type: ignore[arg-type]
        except PictureError as fault:
            if fault.code not in FAILURE_CODES or "\n" in str(fault):
                raise
            return fault.code
    assert loaded.dtype == np.uint8
    assert loaded.ndim == 3
    assert loaded.shape[2] == 3
    assert loaded.size > 0
    return "ok"


def mutate(data: bytes, random_: random.Random) -> bytes:
    """Damage a file in one to four places."""
    body = bytearray(data)
    for _ in range(random_.randint(1, 4)):
        # most structure lies near the beginning, so most damage does
        at = random_.randrange(len(body)) if random_.random() < 0.5 else random_.randrange(min(len(body), 160))
        match random_.randrange(7):
            case 0:
                body[at] ^= 1 << random_.randrange(8)
            case 1:
                body[at] = random_.choice((0, 1, 127, 128, 254, 255))
            case 2:
                body[at : at + random_.randint(1, 16)] = random_.randbytes(random_.randint(0, 16))
            case 3:
                body = body[: max(at, 4)]
            case 4:  # splice: a piece again, elsewhere
                there = random_.randrange(len(body))
                body[at:at] = body[there : there + random_.randint(1, 64)]
            case 5:  # a length or an offset becomes extreme
                number = random_.choice(
                    (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(body), random_.getrandbits(32))
                )
                packed = struct.pack(random_.choice("<>") + "I", number)
                body[at : at + 4] = packed[: random_.choice((2, 4))]
            case 6:
                del body[at : at + random_.randint(1, 32)]
        if not body:
            body = bytearray(b"\0")
    return bytes(body)


def sweep(name: str, count: int, seed: int) -> dict[str, int]:
    """Open `count` mutants of a base; each within a second of processor time."""
    random_ = random.Random(f"{name} {seed}")
    seen: dict[str, int] = {}
    for number in range(count):
        mutant = mutate(BASES[name], random_)
        started = time.thread_time()
        options: dict[str, object] = {"tolerate_truncated": number % 3 == 0, "icc": number % 2 == 0}
        options["jpeg_scale_for_hw"] = (5, 9) if number % 4 == 0 else None
        try:
            code = outcome(mutant, **options)
        except Exception as fault:
            raise AssertionError(f"{name}, mutant {number} of seed {seed}: {mutant.hex()}") from fault
        assert time.thread_time() - started < 1, f"{name}, mutant {number} of seed {seed}: {mutant.hex()}"
        seen[code] = seen.get(code, 0) + 1
    return seen


@pytest.mark.parametrize("name", BASES)
def test_bases_are_sound(name: str) -> None:
    assert outcome(BASES[name]) == "ok"


@pytest.mark.parametrize("name", BASES)
def test_mutants(name: str) -> None:
    seen = sweep(name, 100, seed=0)
    assert len(seen) > 1  # damage is done, and not everything is refused


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_many_mutants(name: str) -> None:
    sweep(name, 3000, seed=1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(BASES)),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_sound_picture_with_some_bytes_edited(name: str, edits: list[tuple[float, int]]) -> None:
    body = bytearray(BASES[name])
    for where, value in edits:
        body[int(where * len(body))] = value
    outcome(bytes(body))


@settings(max_examples=150, deadline=None)
@given(start=st.sampled_from([b"", *sorted({base[:12] for base in BASES.values()})]), rest=st.binary(max_size=120))
def test_any_bytes_behind_a_signature(start: bytes, rest: bytes) -> None:
    outcome(start + rest)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WebP", "TIFF", "AVIF", "BMP", "PPM"])
def test_every_cut(name: str) -> None:
    base = BASES[name]
    for end in range(0, len(base), max(1, len(base) // 60)):
        for tolerate in (False, True):
            outcome(base[:end], tolerate_truncated=tolerate)


# --- what Pillow by itself would fall for ----------------------------------------------------------------------------


def test_chunks_with_names_of_methods() -> None:
    """Pillow looks a PNG chunk's handler up by its name."""
    for kind in (
        b"IEND",
        b"fdAT",
        b"acTL",
        b"fcTL",
        b"__cl",
        b"sRGB",
        b"cHRM",
        b"gAMA",
        b"pHYs",
        b"eXIf",
        b"\xff\xfe\xfd\xfc",
    ):
        outcome(png(8, 4, 8, 0, bytes(32), chunk(kind, b"")))
        outcome(png(8, 4, 8, 0, bytes(32), after=chunk(kind, b"")))


@pytest.mark.parametrize("key", [b"bbox", b"interlace", b"default_image", b"blend", b"disposal", b"loop", b"duration"])
def test_text_chunks_with_names_of_settings(key: bytes) -> None:
    outcome(png(8, 4, 8, 0, bytes(32), chunk(b"tEXt", key + b"\0text")))


def test_exif_that_points_everywhere() -> None:
    """Thousands of tags that each claim the whole block, as in a memory bomb."""
    count = 4000
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, count)
    block += b"".join(struct.pack("<HHII", 1000 + i, 7, 48000, 0) for i in range(count)) + bytes(4)
    assert outcome(jpeg(exif=block)) == "ok"


def test_words_of_a_decoder_are_escaped() -> None:
    for data in (b"P6 \x1b[31m\x1b[31m 1 255\n", b"P2 2 2 255 \x1b[31m 3 4 5\n"):
        with pytest.raises(PictureError) as caught:
            load(data)
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("case", [case for case in TABLE if not case.code], ids=lambda case: case.id)
def test_sound_files_pass_any_options(case) -> None:
    options = {"tolerate_truncated": True, "icc": True, "background": (1, 2, 3), "value_range": (0, 1000)}
    assert outcome(case.make(), jpeg_scale_for_hw=(2, 3), **options) == "ok"
