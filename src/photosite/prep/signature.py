"""What kind of file some bytes are, judged by how they begin, never by a name.

Only eight formats ever reach a decoder; everything else is refused here, in words that say what it is.
"""

from __future__ import annotations

import codecs

from photosite.errors import PictureError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
"""What photosite decodes by itself; HEIC needs an extra."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"%PDF", "PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\1\0", "a Windows icon"),
    (b"\0\0\2\0", "a Windows cursor"),
    (b"icns", "a macOS icon"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"v/1\1", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x01\xda", "SGI"),
)
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})


def format_of(data: bytes, name: str) -> str:
    """Name the picture format that bytes begin like: one of `FORMATS`, or "HEIC".

    Args:
        data: the whole file, not empty.
        name: what to call it in an error.

    Raises:
        PictureError: `format_not_allowed` for pictures that are not decoded here (SVG, EPS, PSD, ...), `truncated` for
            less than a signature, `not_an_image` for everything else (web pages and git-lfs pointers are named).

    >>> format_of(b"GIF89a...", "a.jpg")
    'GIF'
    """
    for start, found in _STARTS:
        if data.startswith(start):
            return found
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _format_of_box(data, name)
    if data[:1] == b"P" and data[1:2] in b"123456f" and data[2:3].isspace():
        return "PPM"
    for start, words in _REFUSED:
        if data.startswith(start):
            raise _not_allowed(words, name)
    if len(data) < 12 and any(start.startswith(data) for start, _ in (*_STARTS, (b"RIFF", "WEBP"))):
        raise PictureError("truncated", name, f"only {len(data)} bytes, the beginning of a signature")
    raise _refusal_of_text(data, name)


def _format_of_box(data: bytes, name: str) -> str:
    """Tell AVIF, HEIC and videos apart by the brands of an ISO media file."""
    end = min(int.from_bytes(data[:4], "big"), len(data), 1024)
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & _HEIF:
        return "HEIC"
    raise PictureError("not_an_image", name, f"an ISO media file of brand {data[8:12]!r}: a video?")


def _refusal_of_text(data: bytes, name: str) -> PictureError:
    """Say what a file is that no decoder here takes."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        return PictureError("not_an_image", name, "a git-lfs pointer, not the picture itself; run: git lfs pull")
    if head.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head:
        return _not_allowed("SVG", name)
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (head[:1] == b"<" and b"<html" in head):
        return PictureError("not_an_image", name, "an HTML page, not a picture: did a download fail?")
    if b"\0" not in head and _is_utf8(data[:4096]):
        return PictureError("not_an_image", name, "text, not a picture")
    return PictureError("not_an_image", name, f"no picture format begins with the bytes {data[:8].hex(' ')}")


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: the last letter can be cut in half
    except UnicodeDecodeError:
        return False
    return True


def _not_allowed(words: str, name: str) -> PictureError:
    allowed = ", ".join(FORMATS)
    return PictureError("format_not_allowed", name, f"it is {words}; only {allowed} are decoded, so convert it first")
