"""Encoded bytes to a decoded picture in its own mode.

Only the eight formats of `signature.FORMATS` (and HEIC with its extra) reach a decoder, the one that a file's first
bytes choose; sizes are checked before pixels exist. Nothing here changes a setting of Pillow, so
threads can decode side by side.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
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
from photosite.prep import jpeg
from photosite.prep.faults import named_faults
from photosite.prep.signature import format_of
from photosite.prep.upright import orientation_of, swapped

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
_TILE_SIDES = (322, 323)  # TIFF tags TileWidth, TileLength
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_T = TypeVar("_T")


class Wanted(NamedTuple):
    """What a caller decides about decoding: see `photosite.prep.load.load`."""

    max_pixels: int
    tolerate_truncated: bool = False
    frame: int = 0
    jpeg_scale_for_hw: tuple[int, int] | None = None


class Decoded(NamedTuple):
    """A picture decoded but not yet turned or converted.

    Attributes:
        image: loaded, in its own mode; only its header where there are `pixels`; None for a plain JPEG, which says
            nothing beyond what stands here.
        pixels: a JPEG's RGB, (H, W, 3) uint8, where simplejpeg decoded it; None where Pillow did, into `image`.
        format: Pillow's name, as "JPEG" or "MPO".
        mode: Pillow's mode.
        rawmode: how the file packs its samples, as "RGB;16B"; "" where unknown.
        white: the sample that means white in modes I and I;16 (65535, or 4095 for 12 bits); None where nobody says;
            negative where that sample is black (TIFF WhiteIsZero).
        orientation: 1..8, as stored in the file; what remains to be done, unless `turned`.
        turned: True where Pillow has turned the image already (TIFF).
        stored_hw: height and width as stored.
        decoded_hw: height and width as decoded: those, or scaled down and rounded up.
        scaled_by: 1, or 2, 4, 8 where a JPEG was decoded to so many times smaller sides.
        frames: how many pictures the file has, None where only a walk through the file would tell.
        notes: what a person should know.
    """

    image: Image.Image | None
    pixels: npt.NDArray[np.uint8] | None
    format: str
    mode: str
    rawmode: str
    white: int | None
    orientation: int
    turned: bool
    stored_hw: tuple[int, int]
    decoded_hw: tuple[int, int]
    scaled_by: int
    frames: int | None
    notes: tuple[str, ...]


class Opened(NamedTuple):
    """A picture whose header is read and found good, and whose pixels are still encoded.

    Attributes:
        area: how many pixels decoding will hold.
        decode: decodes them, in any thread, once; raises PictureError and nothing else.
    """

    area: int
    decode: Callable[[], Decoded]


@dataclass(frozen=True)
class _Header:
    """A file as Pillow opened it, with what is decided before its pixels are decoded."""

    data: bytes
    stream: io.BytesIO
    image: ImageFile.ImageFile
    format: str
    name: str
    frame: int
    frames: int | None
    notes: tuple[str, ...]
    scale: int
    lenient: bool


def open_encoded(data: bytes, name: str, wanted: Wanted) -> Opened:
    """Read the header of a picture from the bytes of a file, and judge it; no pixel is decoded yet.

    Args:
        data: the whole file, not empty.
        name: what to call it in errors, safe to print.
        wanted: limits and choices; the area by the header is checked against `max_pixels` here.

    Raises:
        PictureError: whatever the bytes are, nothing else is raised.
        RangeError: the file has no such frame.
    """
    format_ = format_of(data, name)
    if format_ == "HEIC":
        return _open_heic(data, name, wanted.max_pixels)
    if format_ == "JPEG" and jpeg.is_installed() and wanted.frame == 0:
        plain = jpeg.plain_header(data)
        if plain is not None:
            return _open_plain_jpeg(plain, data, name, wanted)
    return _open_with_pillow(data, format_, name, wanted)


def _open_plain_jpeg(plain: jpeg.PlainHeader, data: bytes, name: str, wanted: Wanted) -> Opened:
    """Open a JPEG that Pillow need not see, unless something is wrong with its data."""
    size_hw = height, width = plain.size_hw
    _check_area(width, height, name, wanted.max_pixels)
    factor = 1 if wanted.jpeg_scale_for_hw is None else jpeg.factor_for(size_hw, wanted.jpeg_scale_for_hw)

    def decode() -> Decoded:
        with named_faults(name, "decoding", "JPEG"):
            pixels, said = jpeg.decode_rgb(data, size_hw, factor)
        if pixels is None:
            return _open_with_pillow(data, "JPEG", name, wanted, said).decode()
        return Decoded(
            image=None,
            pixels=pixels,
            format="JPEG",
            mode="L" if plain.components == 1 else "RGB",
            rawmode="",
            white=None,
            orientation=1,
            turned=False,
            stored_hw=size_hw,
            decoded_hw=(pixels.shape[0], pixels.shape[1]),
            scaled_by=factor,
            frames=1,
            notes=tuple(_note_on_scale(factor)),
        )

    return Opened(-(-width // factor) * -(-height // factor), decode)


def _open_with_pillow(data: bytes, format_: str, name: str, wanted: Wanted, said: str | None = None) -> Opened:
    """Open a file by Pillow's reading of its header; `said` is simplejpeg's word on it, None if not yet asked."""
    _check_canvas(data, format_, name, wanted.max_pixels)
    header = _leniently(lambda lenient: _read_header(data, format_, name, wanted, lenient=lenient), wanted)

    def decode() -> Decoded:
        if header.lenient:
            return _decode(header, said)
        return _leniently(
            lambda lenient: _decode(
                _read_header(data, format_, name, wanted, lenient=True) if lenient else header, said
            ),
            wanted,
        )

    return Opened(_area_of(header), decode)


def open_image(image: Image.Image, name: str, *, max_pixels: int) -> Opened:
    """Take a PIL image that someone else opened, at its current frame, with the same checks.

    Raises:
        PictureError: it is too large; when decoding, its file cannot be decoded.
    """
    _check_pixels(image, name, max_pixels)

    def decode() -> Decoded:
        with named_faults(name, "decoding"):
            return _load(image, image.format or "PIL image", frames=None, notes=(), lenient=False)

    return Opened(image.width * image.height, decode)


def _leniently(attempt: Callable[[bool], _T], wanted: Wanted) -> _T:
    """Try strictly; a file cut short gets a second try where that is tolerated, and keeps its fault if that fails."""
    try:
        return attempt(False)
    except PictureError as fault:
        if not (wanted.tolerate_truncated and fault.code == "truncated"):
            raise
        try:
            return attempt(True)
        except PictureError:
            raise fault from None


def _read_header(data: bytes, format_: str, name: str, wanted: Wanted, *, lenient: bool) -> _Header:
    frame = wanted.frame
    stream = io.BytesIO(data + jpeg.END if lenient and format_ == "JPEG" else data)
    with named_faults(name, "opening", format_, stream):
        image = _OPENERS[format_](stream)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        _check_scans(image, data, stream.tell(), name)
    _check_pixels(image, name, wanted.max_pixels)
    frames, several = _frames(image, data)
    if frame:
        with named_faults(name, "seeking", format_, stream):
            try:
                image.seek(frame)
            except EOFError:
                raise RangeError(f"{name}: frame {frame} is wanted (counted from 0), the file ends before it") from None
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                _check_scans(image, data[image.tile[0][2] :], 0, name)
        _check_pixels(image, name, wanted.max_pixels)
    notes = []
    if several:
        which = "the first" if frame == 0 else f"number {frame + 1}"
        notes.append(f"animated or several pages: {which} of {frames if frames else 'several'} pictures taken")
    if lenient:
        notes.append(f"truncated: missing rows are {'gray' if format_ == 'JPEG' else 'black'}")
    elif ImageFile.LOAD_TRUNCATED_IMAGES:
        notes.append("PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on in this process: a file cut short is not noticed")
    scale = 1
    if format_ == "JPEG" and wanted.jpeg_scale_for_hw is not None:
        scale = jpeg.factor_for((image.height, image.width), swapped(wanted.jpeg_scale_for_hw, orientation_of(image)))
    notes += _note_on_scale(scale)
    return _Header(data, stream, image, format_, name, frame, frames, tuple(notes), scale, lenient)


def _note_on_scale(scale: int) -> list[str]:
    if scale == 1:
        return []
    return [f"decoded to 1/{scale} of its height and width by scaling in the DCT: values are not exact"]


def _decode(header: _Header, said: str | None) -> Decoded:
    """Decode the pixels: those of a sound gray or RGB JPEG with simplejpeg, all others with Pillow."""
    image, format_, scale = header.image, header.format, header.scale
    stored_hw = image.height, image.width
    with named_faults(header.name, "decoding", format_, header.stream):
        if said is None and format_ == "JPEG" and image.mode != "CMYK" and not (header.frame or header.lenient):
            pixels, said = jpeg.decode_rgb(header.data, stored_hw, scale)
            if pixels is not None:
                return Decoded(
                    image=image,
                    pixels=pixels,
                    format=image.format or format_,
                    mode=image.mode,
                    rawmode="",
                    white=None,
                    orientation=orientation_of(image),
                    turned=False,
                    stored_hw=stored_hw,
                    decoded_hw=pixels.shape[:2],
                    scaled_by=scale,
                    frames=header.frames,
                    notes=header.notes,
                )
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        decoded = _load(image, image.format or format_, header.frames, header.notes, lenient=header.lenient)
    if scale > 1:
        decoded = decoded._replace(stored_hw=stored_hw, scaled_by=scale)
    if said and not header.lenient:  # of a file cut short there is a note already
        decoded = decoded._replace(notes=(*decoded.notes, f"jpeg_corrupt_data: {said}"))
    return decoded


def _load(image: Image.Image, format_: str, frames: int | None, notes: tuple[str, ...], *, lenient: bool) -> Decoded:
    """Let Pillow decode."""
    mode, rawmode, white = image.mode, _rawmode(image), _white(image, format_)
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
    stored_hw = swapped((image.height, image.width), orientation if turned else 1)
    return Decoded(
        image=image,
        pixels=None,
        format=format_,
        mode=mode,
        rawmode=rawmode,
        white=white,
        orientation=orientation,
        turned=turned,
        stored_hw=stored_hw,
        decoded_hw=stored_hw,
        scaled_by=1,
        frames=frames,
        notes=notes,
    )


def _check_canvas(data: bytes, format_: str, name: str, max_pixels: int) -> None:
    """Refuse what would cost memory in a decoder's own opening: WebP makes its canvas then."""
    if format_ != "WEBP":
        return
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise PictureError("truncated", name, f"the header promises more than its {len(data):,} bytes")
    if data[12:16] == b"VP8X" and len(data) >= 30:
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        _check_area(width, height, name, max_pixels)


def _check_scans(image: JpegImagePlugin.JpegImageFile, data: bytes, header_end: int, name: str) -> None:
    progressive = "progressive" in image.info
    if jpeg.has_too_many_scans(data, header_end, image.layers, progressive=progressive):
        raise PictureError("corrupt", name, f"more than {jpeg.MAX_SCANS} progressive scans: made to take long")


def _area_of(header: _Header) -> int:
    """How many pixels decoding will hold; a progressive JPEG is held whole, as coefficients, whatever its scale."""
    if header.scale > 1 and "progressive" not in header.image.info:
        width, height = header.image.size
        return -(-width // header.scale) * -(-height // header.scale)
    return max(width * height for width, height in _sizes_wh(header.image))


def _check_pixels(image: Image.Image, name: str, max_pixels: int) -> None:
    for width, height in _sizes_wh(image):
        _check_area(width, height, name, max_pixels)


def _sizes_wh(image: Image.Image) -> list[tuple[int, int]]:
    """Width and height of what decoding holds: the picture; a TIFF's tile can be larger, and is decoded whole."""
    sizes = [image.size]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        width, height = (image.tag_v2.get(tag) for tag in _TILE_SIDES)
        if isinstance(width, int) and isinstance(height, int):
            sizes.append((width, height))
    return sizes


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


def _open_heic(data: bytes, name: str, max_pixels: int) -> Opened:
    try:
        import pillow_heif
    except ImportError:
        detail = "HEIC pictures need pillow-heif: pip install 'photosite[heif]'"
        raise PictureError("heic_needs_extra", name, detail) from None
    with named_faults(name, "opening"):
        heif = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        width, height = heif.size
    _check_area(width, height, name, max_pixels)

    def decode() -> Decoded:
        with named_faults(name, "decoding"):
            image: Image.Image = heif.to_pillow()  # turned already, its orientation set to 1
            return _load(image, "HEIF", frames=len(heif), notes=(), lenient=False)

    return Opened(width * height, decode)
