"""Encoded bytes to a decoded Pillow image in its own mode, and a name for every way that this can fail.

Only the eight formats of `signature.FORMATS` (and HEIC with its extra) reach a decoder, the one that a file's first
bytes choose; sizes are checked before pixels exist. Nothing here changes a setting of Pillow, so
threads can decode side by side.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from photosite.errors import PictureError, RangeError
from photosite.prep.signature import format_of
from photosite.prep.source import display_text
from photosite.prep.upright import orientation_of

try:  # extra "fast"; here it only looks for damage that Pillow passes over
    import simplejpeg
except ImportError:
    simplejpeg = None

_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,  # also MPO, several JPEGs in one
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_END_OF_JPEG = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # a marker that ends a scan: not stuffing, not a restart
_MAX_SCANS = 100  # an encoder writes about ten; each one costs a walk over all pixels, 80 ms at the pixel limit
_TILE_SIDES = (322, 323)  # TIFF tags TileWidth, TileLength
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262


@dataclass(frozen=True)
class Decoded:
    """A picture decoded but not yet turned or converted.

    Attributes:
        image: loaded, in its own mode; `orientation` is what remains to be done to it.
        format: Pillow's name, as "JPEG" or "MPO".
        mode: Pillow's mode.
        rawmode: how the file packs its samples, as "RGB;16B"; "" where unknown.
        white: the sample that means white in modes I and I;16 (65535, or 4095 for 12 bits); None where nobody says;
            negative where that sample is black (TIFF WhiteIsZero).
        orientation: 1..8, as stored in the file.
        turned: True where Pillow has turned the image already (TIFF).
        decoded_hw: height and width as stored.
        frames: how many pictures the file has, None where only a walk through the file would tell.
        notes: what a person should know.
    """

    image: Image.Image
    format: str
    mode: str
    rawmode: str
    white: int | None
    orientation: int
    turned: bool
    decoded_hw: tuple[int, int]
    frames: int | None
    notes: tuple[str, ...]


def decode(data: bytes, name: str, *, max_pixels: int, tolerate_truncated: bool = False, frame: int = 0) -> Decoded:
    """Decode one picture from the bytes of a file.

    Args:
        data: the whole file, not empty.
        name: what to call it in errors, safe to print.
        max_pixels: height times width may not exceed this; checked on what the header says, before pixels are decoded.
        tolerate_truncated: give what there is of a file cut short; missing rows are gray in a JPEG, black elsewhere.
        frame: which picture of several, from 0.

    Raises:
        PictureError: whatever the bytes are, nothing else is raised.
        RangeError: the file has no such frame.
    """
    found = format_of(data, name)
    if found == "HEIC":
        return _decode_heic(data, name, max_pixels)
    _check_before_opening(data, found, name, max_pixels)
    try:
        return _decode(data, found, name, max_pixels, frame, lenient=False)
    except PictureError as fault:
        if not (tolerate_truncated and fault.code == "truncated"):
            raise
        try:
            return _decode(data, found, name, max_pixels, frame, lenient=True)
        except PictureError:
            raise fault from None


def load_open_image(image: Image.Image, name: str, *, max_pixels: int) -> Decoded:
    """Load the pixels of a PIL image that someone else opened (at its current frame), with the same checks.

    Raises:
        PictureError: it is too large, or its file cannot be decoded.
    """
    _check_pixels(image, name, max_pixels)
    with _named_faults(name, "decoding"):
        return _load(image, image.format or "PIL image", frames=None, notes=(), lenient=False)


def _decode(data: bytes, found: str, name: str, max_pixels: int, frame: int, *, lenient: bool) -> Decoded:
    stream = io.BytesIO(data + _END_OF_JPEG if lenient and found == "JPEG" else data)
    with _named_faults(name, "opening", found, stream):
        image = _OPENERS[found](stream)
    _check_pixels(image, name, max_pixels)
    frames, several = _frames(image, data)
    if frame:
        with _named_faults(name, "seeking", found, stream):
            try:
                image.seek(frame)
            except EOFError:
                raise RangeError(f"{name}: frame {frame} is wanted (counted from 0), the file ends before it") from None
        _check_pixels(image, name, max_pixels)
    notes = []
    if several:
        which = "the first" if frame == 0 else f"number {frame + 1}"
        notes.append(f"animated or several pages: {which} of {frames if frames else 'several'} pictures taken")
    if lenient:
        notes.append(f"truncated: missing rows are {'gray' if found == 'JPEG' else 'black'}")
    elif ImageFile.LOAD_TRUNCATED_IMAGES:
        notes.append("PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on in this process: a file cut short is not noticed")
    with _named_faults(name, "decoding", found, stream):
        decoded = _load(image, image.format or found, frames, tuple(notes), lenient=lenient)
    damage = _damage_of_jpeg(data) if found == "JPEG" and not lenient and decoded.mode != "CMYK" else ""
    if damage:
        return Decoded(**{**vars(decoded), "notes": (*decoded.notes, f"jpeg_corrupt_data: {damage}")})
    return decoded


def _load(image: Image.Image, found: str, frames: int | None, notes: tuple[str, ...], *, lenient: bool) -> Decoded:
    mode, rawmode, white = image.mode, _rawmode(image), _white(image, found)
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    orientation = orientation_of(image) if is_tiff else 1  # loading a TIFF turns it and takes the tag away
    try:
        image.load()
    except Exception:
        if not (lenient and isinstance(image, ImageFile.ImageFile)):
            raise
        image.tile = []  # no more to decode: keep the rows that came out (raises if there are none)
        image.load()
    remaining = orientation_of(image)
    turned = is_tiff and remaining == 1
    orientation = orientation if turned else remaining
    width, height = image.size
    decoded_hw = (width, height) if turned and orientation >= 5 else (height, width)
    return Decoded(image, found, mode, rawmode, white, orientation, turned, decoded_hw, frames, notes)


def _check_before_opening(data: bytes, found: str, name: str, max_pixels: int) -> None:
    """Refuse what would cost memory or time in a decoder's own opening or scanning."""
    if found == "WEBP":
        if len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise PictureError("truncated", name, f"the header promises more than its {len(data):,} bytes")
        if data[12:16] == b"VP8X" and len(data) >= 30:  # the decoder makes its canvas when it is opened
            width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
            _check_area(width, height, name, max_pixels)
    elif found == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS and _scans_of_jpeg(data) > _MAX_SCANS:
        raise PictureError("corrupt", name, f"more than {_MAX_SCANS} progressive scans: made to take long")


def _scans_of_jpeg(data: bytes) -> int:
    """Count the scans of a JPEG by walking its segments, so that 0xFFDA inside metadata does not count."""
    scans, at = 0, 2
    while (marker := _MARKER.search(data, at)) and marker.group() != _END_OF_JPEG:
        scans += marker.group() == b"\xff\xda"
        if scans > _MAX_SCANS:
            break
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _check_pixels(image: Image.Image, name: str, max_pixels: int) -> None:
    _check_area(*image.size, name, max_pixels)
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # a tile can be larger than its picture, and is decoded whole
        width, height = (image.tag_v2.get(tag) for tag in _TILE_SIDES)
        if isinstance(width, int) and isinstance(height, int):
            _check_area(width, height, name, max_pixels)


def _check_area(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        size = f"{width} wide and {height} high is {width * height:,} pixels"
        detail = f"{size}, the limit is {max_pixels:,}; raise max_pixels if you trust it"
        raise PictureError("too_many_pixels", name, detail)


def _frames(image: ImageFile.ImageFile, data: bytes) -> tuple[int | None, bool]:
    """How many pictures the header says there are (None if it does not), and whether there are several."""
    if image.format in ("PNG", "WEBP", "AVIF", "MPO"):
        frames = int(getattr(image, "n_frames", 1))
        return frames, frames > 1
    if image.format == "GIF":
        try:  # looks for a second picture only; on a copy, because it moves and a broken second one would leave it so
            return None, GifImagePlugin.GifImageFile(io.BytesIO(data)).is_animated
        except Exception:
            return None, False
    if image.format == "TIFF":
        return None, bool(getattr(image, "is_animated", False))
    return 1, False


def _rawmode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _white(image: Image.Image, found: str) -> int | None:
    """Which whole number means white in a mode of more than 8 bits."""
    if image.mode == "I":
        return 65535 if found == "PPM" else None  # Pillow scales any PGM of more than 8 bits to 65535
    if not image.mode.startswith("I;16"):
        return None
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 65535
    white = 4095 if image.tag_v2.get(_BITS_PER_SAMPLE) == (12,) else 65535
    return -white if image.tag_v2.get(_PHOTOMETRIC) == 0 else white


def _damage_of_jpeg(data: bytes) -> str:
    """What libjpeg says of data that Pillow decodes without a word; "" if nothing, or without simplejpeg."""
    if simplejpeg is None:
        return ""
    try:  # an eighth of the size: all bits are read, few pixels made; about a quarter of the time of decoding
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as fault:
        return display_text(str(fault))
    except Exception:  # a color space it does not know: nothing is said about damage
        return ""
    return ""


def _decode_heic(data: bytes, name: str, max_pixels: int) -> Decoded:
    try:
        import pillow_heif
    except ImportError:
        detail = "HEIC pictures need pillow-heif: pip install 'photosite[heif]'"
        raise PictureError("heic_needs_extra", name, detail) from None
    with _named_faults(name, "opening"):
        heif = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        width, height = heif.size
    _check_area(width, height, name, max_pixels)
    with _named_faults(name, "decoding"):
        image: Image.Image = heif.to_pillow()  # turned already, its orientation set to 1
        return _load(image, "HEIF", frames=len(heif), notes=(), lenient=False)


@contextmanager
def _named_faults(name: str, doing: str, found: str = "", stream: io.BytesIO | None = None) -> Iterator[None]:
    """Turn whatever a decoder raises into a PictureError of the closed list.

    `Exception`, not `OSError`: hostile files make Pillow raise IndexError, TypeError, KeyError and struct.error too.
    """
    try:
        yield
    except (PictureError, RangeError):
        raise
    except Exception as fault:
        at_end = stream is not None and not stream.closed and stream.tell() >= len(stream.getbuffer())
        said = display_text(" ".join(str(fault).split()))[:200] or type(fault).__name__
        code = _code_of(fault, said, doing, at_end)
        if code == "truncated" and "truncated" not in said.lower():
            said = f"the file ends too early ({said})"
        raise PictureError(code, name, f"{found} {doing}: {said}" if found else said) from fault


def _code_of(fault: Exception, said: str, doing: str, at_end: bool) -> str:
    """Choose the failure code for an exception of a decoder; `at_end` says that it had read to the end of the file."""
    words = said.lower()
    if isinstance(fault, MemoryError):
        return "out_of_memory"
    if isinstance(fault, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return "too_many_pixels"
    if "text chunks" in words or "max_text_chunk" in words:
        return "invalid_metadata"
    if "not a ppm file" in words:
        return "not_an_image"
    if "checksum" in words:
        return "corrupt"
    if any(sign in words for sign in ("truncated", "not enough image data", "reached eof", "end of file")):
        return "truncated"
    if doing == "opening":
        return "truncated" if at_end else "invalid_header"
    return "truncated" if "cannot load this image" in words and at_end else "corrupt"
