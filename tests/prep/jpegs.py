"""JPEGs of every kind, made by hand where no encoder makes them, and what becomes of one in words that compare."""

from __future__ import annotations

import struct
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photosite.errors import PhotositeError
from photosite.prep import jpeg as module
from photosite.prep.load import load_with_info
from tests.prep.cases import (
    TABLE,
    animated,
    encode,
    exif,
    jpeg,
    picture,
    profile,
    rotten_jpeg,
    swapped_profile,
)


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
