"""Odd and hostile pictures, made in code: one function for each, and the table of what must become of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms


def pixels(height: int = 24, width: int = 40, channels: int = 3) -> npt.NDArray[np.uint8]:
    """A smooth picture with a corner marked, (H, W, C) or (H, W) for one channel; each orientation looks different."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) * 255 // max(height + width - 2, 1)]
    planes.append(np.full_like(x, 128))
    array = np.stack(planes[:channels], axis=-1).astype(np.uint8)
    array[: height // 4, : width // 4] = 0
    return array[..., 0] if channels == 1 else array


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    return Image.fromarray(pixels(size[1], size[0])).convert(mode)


def encode(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def jpeg(**options: Any) -> bytes:
    return encode(picture(), "JPEG", **options)


# --- PNG by hand -----------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, bits: int = 8, color: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))


def png(width: int, height: int, bits: int, color: int, rows: bytes, *before: bytes, after: bytes = b"") -> bytes:
    """A PNG from packed rows (no filter bytes), with chunks before and after the pixels."""
    stride = len(rows) // height
    lines = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    body = chunk(b"IDAT", zlib.compress(lines))
    start = b"\x89PNG\r\n\x1a\n" + header(width, height, bits, color)
    return start + b"".join(before) + body + after + chunk(b"IEND", b"")


def gray_png(*before: bytes, after: bytes = b"") -> bytes:
    return png(8, 4, 8, 0, bytes(range(32)), *before, after=after)


def deep_png(samples: npt.NDArray[np.uint16], *before: bytes) -> bytes:
    """A PNG of 16 bits: (H, W) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB, (H, W, 4) RGB and alpha."""
    color = {1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    return png(samples.shape[1], samples.shape[0], 16, color, samples.astype(">u2").tobytes(), *before)


@cache
def huge_png(side: int) -> bytes:
    """A real PNG of side x side gray pixels, all black; compressed in rows, never held whole."""
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header(side, side) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# --- TIFF by hand ----------------------------------------------------------------------------------------------------


def tiff(tags: dict[int, tuple[int, ...]], strip: bytes, *, offset_tag: int = 273) -> bytes:
    """A little-endian TIFF of one strip (or tile); `tags` hold whole numbers, written as SHORT where that is enough."""
    tags = {**tags, offset_tag: (0,), {273: 279, 324: 325}[offset_tag]: (len(strip),)}
    at = 8 + 2 + 12 * len(tags) + 4
    extra = b""
    entries = b""
    strip_at = at + sum(2 * len(v) for v in tags.values() if len(v) > 2)
    tags[offset_tag] = (strip_at,)
    for tag, values in sorted(tags.items()):
        if len(values) == 1 and values[0] > 65535:
            entries += struct.pack("<HHII", tag, 4, 1, values[0])
        elif len(values) <= 2:
            entries += struct.pack("<HHI", tag, 3, len(values)) + struct.pack(f"<{len(values)}H", *values).ljust(
                4, b"\0"
            )
        else:
            entries += struct.pack("<HHII", tag, 3, len(values), at + len(extra))
            extra += struct.pack(f"<{len(values)}H", *values)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + extra + strip


def gray_tiff(samples: bytes, width: int, height: int, bits: int, *, photometric: int = 1) -> bytes:
    return tiff(
        {256: (width,), 257: (height,), 258: (bits,), 259: (1,), 262: (photometric,), 277: (1,), 278: (height,)},
        samples,
    )


def tiff_tile_bomb() -> bytes:
    """16 x 16 pixels, in a tile of 40000 x 40000: 1.6 GB when it is unpacked."""
    return tiff(
        {256: (16,), 257: (16,), 258: (8,), 259: (8,), 262: (1,), 277: (1,), 322: (40000,), 323: (40000,)},
        zlib.compress(bytes(1 << 16)),
        offset_tag=324,
    )


# --- JPEG ------------------------------------------------------------------------------------------------------------


def rotten_jpeg() -> bytes:
    """A JPEG with some 20 bytes of its scan overwritten: decoders go on and say nothing."""
    data = bytearray(encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG"))
    middle = len(data) // 2
    data[middle : middle + 20] = b"\xaa" * 20
    return bytes(data)


def jpeg_of_many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated; each one costs a walk over the whole picture."""
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def stored_for(orientation: int, upright: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """How a camera would store an upright picture under an orientation: the inverse of each turn, by NumPy alone."""
    turns: dict[int, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),  # to be turned clockwise, so it lies turned the other way
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(turns[orientation](upright))


# --- several pictures ------------------------------------------------------------------------------------------------


def frames(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (12, 8), (i * 40 % 256, 255 - i, i * 7 % 256)) for i in range(count)]


def animated(format_: str, count: int, **options: Any) -> bytes:
    first, *others = [frame.copy() for frame in frames(count)]  # copies: encoder settings stick to an image
    return encode(first, format_, save_all=True, append_images=others, **options)


def long_gif(count: int = 3000) -> bytes:
    """Many 1x1 frames: counting them walks the file."""
    one = encode(Image.new("P", (1, 1)), "GIF")
    body = one[one.index(b",") : -1]
    return one[: one.index(b",")] + body * count + b";"


# --- color profiles --------------------------------------------------------------------------------------------------


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def _profile_file(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += padded
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, kind, space, connection)
    date = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head += date + b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + body


def _white_and_name(title: bytes) -> dict[bytes, bytes]:
    text = title + b"\0"
    return {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D),
    }


def cmyk_profile() -> bytes:
    """A printer profile made by hand, unlike any real one: black ink makes gray, the colored inks do nothing."""
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table += ramp * 4 + bytes([255, 128, 128, 0, 128, 128]) * 8 + ramp * 3
    return _profile_file(b"prtr", b"CMYK", b"Lab ", {**_white_and_name(b"Black only"), b"A2B0": table})


def swapped_profile() -> bytes:
    """An RGB profile whose red primary is sRGB's blue and the other way round; applied, it swaps the two."""
    red, green, blue = (0x6FA2, 0x38F5, 0x390), (0x6299, 0xB785, 0x18DA), (0x24A0, 0xF84, 0xB6CF)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233)  # gamma 2.2
    tags = {
        **_white_and_name(b"Swapped"),
        **{
            name: b"XYZ " + bytes(4) + struct.pack(">3I", *xyz)
            for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), (blue, green, red), strict=True)
        },
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile_file(b"mntr", b"RGB ", b"XYZ ", tags)


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A file and what must become of it.

    Either a failure `code` with `words` in its message; or, where `code` is "", a picture of `size_hw` with `words` in
    one of its notes, no notes at all where `words` is "".
    """

    id: str
    make: Callable[[], bytes]
    code: str = ""
    words: str = ""
    size_hw: tuple[int, int] = (24, 40)
    suffix: str = ".jpg"


def _text_png(kind: bytes, body: bytes, *, after: bool = False) -> bytes:
    return gray_png(after=chunk(kind, body)) if after else gray_png(chunk(kind, body))


@cache
def _bomb() -> bytes:
    """80 MB of one letter in 350 kB."""
    return zlib.compress(b"a" * 80_000_000, 1)


_HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>no</body></html>"
_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2\n"
_SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
_HEIC = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(100)
_BROKEN_EXIF = b"Exif\0\0" + b"\xff" * 40

TABLE: tuple[Case, ...] = (
    # a JPEG cut short
    Case("truncated-jpeg-half", lambda: jpeg()[: len(jpeg()) // 2], "truncated", "ends too early"),
    Case("truncated-jpeg-in-scan", lambda: jpeg()[:-60], "truncated", "bytes not processed"),
    Case("truncated-jpeg-no-eoi", lambda: jpeg()[:-2], "truncated", "truncated"),
    Case("truncated-jpeg-20-bytes", lambda: jpeg()[:20], "truncated", "JPEG opening: the file ends too early"),
    Case("truncated-jpeg-2-bytes", lambda: jpeg()[:2], "truncated", "2 bytes"),
    Case("trailing-garbage", lambda: jpeg() + b"\0" * 5000),
    # kinds of JPEG
    Case("cmyk-jpeg", lambda: encode(picture("CMYK"), "JPEG"), words="CMYK converted without a profile"),
    Case(
        "cmyk-jpeg-with-profile",
        lambda: encode(picture("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        words="through its embedded ICC profile",
    ),
    Case("gray-jpeg", lambda: encode(picture("L"), "JPEG")),
    Case("progressive-jpeg", lambda: jpeg(progressive=True)),
    Case("odd-size-420", lambda: encode(picture(size=(63, 47)), "JPEG", subsampling=2), size_hw=(47, 63)),
    # more than 8 bits
    Case("gray-16-png", lambda: deep_png(np.full((3, 5), 300, np.uint16)), "", "16-bit", (3, 5), ".png"),
    Case("rgb-16-png", lambda: deep_png(np.full((3, 5, 3), 300, np.uint16)), "", "high byte", (3, 5), ".png"),
    Case("gray-12-tiff", lambda: gray_tiff(b"\xff\xff\xff" * 2, 4, 1, 12), "", "12-bit", (1, 4), ".tif"),
    Case("gray-16-pgm", lambda: b"P5 2 1 65535\n\0\0\xff\xff", "", "16-bit", (1, 2), ".pgm"),
    Case("float-tiff", lambda: encode(picture("F"), "TIFF"), "unsupported_range", "value_range", suffix=".tif"),
    Case("int32-tiff", lambda: encode(picture("I"), "TIFF"), "unsupported_range", "value_range", suffix=".tif"),
    Case("float-pfm", lambda: encode(picture("F"), "PPM"), "unsupported_range", "0 to 255", suffix=".pfm"),
    # palettes and transparency
    Case(
        "palette-alpha-index",
        lambda: encode(picture().quantize(16), "PNG", transparency=3),
        words="composited over white",
        suffix=".png",
    ),
    Case(
        "palette-alpha-bytes",
        lambda: encode(picture().quantize(16), "PNG", transparency=bytes(range(0, 240, 15))),
        words="composited over white",
        suffix=".png",
    ),
    Case("gray-alpha", lambda: encode(picture("LA"), "PNG"), suffix=".png"),
    Case("rgba", lambda: encode(Image.fromarray(pixels(channels=4)), "PNG"), words="composited over", suffix=".png"),
    Case("bilevel", lambda: encode(picture("1"), "PNG"), suffix=".png"),
    Case("bilevel-tiff", lambda: encode(picture("1"), "TIFF", compression="group4"), suffix=".tif"),
    Case(
        "lab-tiff",
        lambda: encode(Image.frombytes("LAB", (40, 24), pixels().tobytes()), "TIFF"),
        words="Lab converted to sRGB",
        suffix=".tif",
    ),
    # orientation that cannot be used
    Case("orientation-99", lambda: jpeg(exif=exif(99))),
    Case("broken-exif", lambda: jpeg(exif=_BROKEN_EXIF)),
    # several pictures
    Case("animated-gif", lambda: animated("GIF", 5), "", "the first of several", (8, 12), ".gif"),
    Case("animated-webp", lambda: animated("WEBP", 5), "", "the first of 5", (8, 12), ".webp"),
    Case("animated-png", lambda: animated("PNG", 5), "", "the first of 5", (8, 12), ".png"),
    Case("mpo", lambda: animated("MPO", 3), "", "the first of 3", (8, 12), ".jpg"),
    Case("pages-tiff", lambda: animated("TIFF", 5), "", "the first of several", (8, 12), ".tif"),
    Case("gif-3000-frames", long_gif, "", "the first of several", (1, 1), ".gif"),
    # sizes
    Case("size-1x1", lambda: encode(picture(size=(1, 1)), "PNG"), size_hw=(1, 1), suffix=".png"),
    Case("size-1x4000", lambda: encode(picture(size=(4000, 1)), "JPEG"), size_hw=(1, 4000)),
    Case("size-4000x1", lambda: encode(picture(size=(1, 4000)), "PNG"), size_hw=(4000, 1), suffix=".png"),
    Case("zero-width", lambda: png(0, 10, 8, 0, bytes(10)), "invalid_header", "PNG opening", suffix=".png"),
    Case(
        "header-bomb",
        lambda: b"\x89PNG\r\n\x1a\n" + header(60000, 60000) + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        "too_many_pixels",
        "60000 wide and 60000 high",
        suffix=".png",
    ),
    Case("real-bomb", lambda: huge_png(20000), "too_many_pixels", "400,000,000 pixels", suffix=".png"),
    Case("warning-zone", lambda: huge_png(10000), "too_many_pixels", "100,000,000 pixels", suffix=".png"),
    Case("tiff-tile-bomb", tiff_tile_bomb, "too_many_pixels", "40000 wide and 40000 high", suffix=".tif"),
    Case(
        "webp-canvas-bomb",
        lambda: b"RIFF" + struct.pack("<I4s4sI", 22, b"WEBP", b"VP8X", 10) + bytes(4) + b"\xff\x3f\0\xff\x3f\0",
        "too_many_pixels",
        "16384 wide",
        suffix=".webp",
    ),
    Case("scan-bomb", lambda: jpeg_of_many_scans(120), "corrupt", "100 progressive scans"),
    # metadata
    Case(
        "ztxt-bomb", lambda: _text_png(b"zTXt", b"a\0\0" + _bomb()), "invalid_metadata", "MAX_TEXT_CHUNK", suffix=".png"
    ),
    Case(
        "ztxt-bomb-behind-pixels",
        lambda: _text_png(b"zTXt", b"a\0\0" + _bomb(), after=True),
        "invalid_metadata",
        "MAX_TEXT_CHUNK",
        suffix=".png",
    ),
    Case(
        "itxt-bomb",
        lambda: _text_png(b"iTXt", b"a\0\1\0\0\0" + _bomb()),
        "invalid_metadata",
        "MAX_TEXT_CHUNK",
        suffix=".png",
    ),
    Case(
        "iccp-bomb", lambda: _text_png(b"iCCP", b"a\0\0" + _bomb()), "invalid_metadata", "MAX_TEXT_CHUNK", suffix=".png"
    ),
    Case(
        "100-text-chunks",
        lambda: gray_png(*[chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(b"a" * 1_000_000)) for i in range(100)]),
        "invalid_metadata",
        "text chunks",
        suffix=".png",
    ),
    Case("corrupt-icc", lambda: jpeg(icc_profile=b"not a profile" * 10), words="ignored: invalid"),
    Case("lab-icc", lambda: jpeg(icc_profile=profile("LAB")), words="it is for Lab, the picture is RGB"),
    Case("srgb-icc", lambda: jpeg(icc_profile=profile("sRGB"))),
    Case("other-icc", lambda: jpeg(icc_profile=swapped_profile()), words="(Swapped) not applied"),
    # damage
    Case(
        "bad-crc",
        lambda: gray_png().replace(header(8, 4)[-4:], b"\0\0\0\0"),
        "corrupt",
        "checksum",
        suffix=".png",
    ),
    Case(
        "bad-idat",
        lambda: b"\x89PNG\r\n\x1a\n" + header(8, 4) + chunk(b"IDAT", b"\xff" * 40) + chunk(b"IEND", b""),
        "corrupt",
        "PNG decoding",
        suffix=".png",
    ),
    Case("truncated-png", lambda: encode(picture(), "PNG")[:120], "truncated", "PNG decoding", suffix=".png"),
    Case("truncated-webp", lambda: encode(picture(), "WEBP")[:-20], "truncated", "promises more", suffix=".webp"),
    Case("truncated-gif", lambda: encode(picture(), "GIF")[:-200], "truncated", "GIF decoding", suffix=".gif"),
    Case("truncated-bmp", lambda: encode(picture(), "BMP")[:-200], "truncated", "BMP decoding", suffix=".bmp"),
    Case("truncated-ppm", lambda: encode(picture(), "PPM")[:-200], "truncated", "PPM decoding", suffix=".ppm"),
    Case("truncated-avif", lambda: encode(picture(), "AVIF")[:-50], "truncated", "AVIF", suffix=".avif"),
    # no picture at all
    Case("zero-bytes", lambda: b"", "empty", "no bytes"),
    Case("text", lambda: b"hello, this is a text\n" * 3, "not_an_image", "text, not a picture"),
    Case("html-404", lambda: _HTML, "not_an_image", "HTML page"),
    Case("git-lfs-pointer", lambda: _LFS, "not_an_image", "git lfs pull"),
    Case("noise", lambda: bytes(range(128, 256)), "not_an_image", "80 81 82"),
    Case("video", lambda: b"\0\0\0\x18ftypisom" + bytes(40), "not_an_image", "video"),
    Case("png-named-jpg", lambda: encode(picture(), "PNG"), words="PNG named .jpg: read by content"),
    Case("eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "format_not_allowed", "PostScript"),
    Case("svg", lambda: _SVG, "format_not_allowed", "SVG"),
    Case("psd", lambda: b"8BPS\0\1" + bytes(60), "format_not_allowed", "Photoshop"),
    Case("jpeg2000", lambda: encode(picture(), "JPEG2000"), "format_not_allowed", "JPEG 2000"),
    Case("heic", lambda: _HEIC, "heic_needs_extra", "pip install 'photosite[heif]'", suffix=".heic"),
    # formats that are fine
    Case("bmp", lambda: encode(picture(), "BMP"), suffix=".bmp"),
    Case("webp", lambda: encode(picture(), "WEBP", lossless=True), suffix=".webp"),
    Case("avif", lambda: encode(picture(), "AVIF"), suffix=".avif"),
    Case("tiff-deflate", lambda: encode(picture(), "TIFF", compression="tiff_deflate"), suffix=".tif"),
    Case("polyglot-zip", lambda: jpeg() + b"PK\3\4" + bytes(200)),
    Case("polyglot-html", lambda: jpeg() + b"<html><script>alert(1)</script></html>"),
)
