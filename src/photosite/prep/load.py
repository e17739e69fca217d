"""Open a picture from anywhere, untrusted files included, as upright RGB uint8 (H, W, 3).

The way: source.py gets the bytes, signature.py and decode.py the picture as stored, upright.py turns it, modes.py makes
it RGB. Knows nothing of models: sizes and values stay as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from photosite.errors import PhotositeError, PictureError, RangeError, ShapeError
from photosite.prep.decode import Decoded, decode, load_open_image
from photosite.prep.modes import Conversion, Rules
from photosite.prep.source import Contents, Encoded, display_text, read_contents
from photosite.prep.upright import upright

Picture = npt.NDArray[np.uint8]
"""A picture: (H, W, 3), uint8, sRGB, upright."""

Source = Encoded | Image.Image | npt.NDArray[np.generic]
"""What `load` opens."""

MAX_PIXELS = 89_478_485
"""Height times width above which a picture is refused: Pillow's own limit, 256 MiB of RGB."""

MAX_BYTES = 512 * 2**20
"""Size of a file above which it is refused unread."""

_SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".apng": "PNG",
    ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
    ".pbm": "PPM", ".pnm": "PPM", ".pfm": "PPM", ".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF",
}  # fmt: skip
_LAYOUTS = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"


@dataclass(frozen=True)
class PictureInfo:
    """Where a picture came from and what was done to it; safe to print and to write as JSON.

    Attributes:
        path: for people: control characters and bytes that are not UTF-8 are backslash escapes. "<bytes>",
            "<file NAME>", "<PIL image>" or "<array>" where there is no path.
        path_bytes: base64 of the path's exact bytes, "" where there is no path.
        sha256: of the very bytes that were decoded; for arrays and PIL images of their pixel data in row order.
        bytes: how many bytes those are.
        format: Pillow's name of the format, as "JPEG"; "array"; "PIL image" if it was never in a file.
        mode: Pillow's mode before conversion, as "RGB", "P" or "I;16"; the dtype for arrays.
        size_hw: height and width of the upright picture.
        decoded_hw: height and width as stored, before the orientation is applied.
        orientation: EXIF orientation, 1 to 8; 5 to 8 swap height and width.
        frames: how many pictures the file has; None where only reading all of it would tell.
        notes: what a person should know, a line each.
    """

    path: str
    path_bytes: str
    sha256: str
    bytes: int
    format: str
    mode: str
    size_hw: tuple[int, int]
    decoded_hw: tuple[int, int]
    orientation: int
    frames: int | None
    notes: tuple[str, ...]


def load(
    source: Source,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    tolerate_truncated: bool = False,
    frame: int = 0,
    value_range: tuple[float, float] | None = None,
    icc: bool = False,
) -> Picture:
    """Open a picture as upright sRGB, (H, W, 3) uint8; a new array that is yours to change.

    JPEG, PNG, GIF, WebP, BMP, TIFF, PPM and AVIF are read, told apart by content; HEIC with the extra `heif`.
    Transparency is composited over `background`, 16-bit samples are scaled and not cut off, CMYK goes through its
    embedded profile, EXIF orientation is applied.

    Args:
        source: a path (str or PathLike); the bytes of a file (bytes, bytearray, memoryview); a file open for reading
            bytes; a PIL image, at its current frame; or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of
            bool, uint8, uint16 (0..65535) or float (0..1).
        background: RGB in 0..255, seen through transparency.
        max_pixels: a larger height times width is refused by what the header says, before decoding. A limit on
            pixels, not on memory: decoding takes about 12 bytes a pixel.
        max_bytes: a larger file is refused.
        tolerate_truncated: give what there is of a file cut short; missing rows are gray (JPEG) or black.
        frame: which picture of an animation or of several pages, from 0; files and bytes only.
        value_range: (low, high), the samples that mean black and white where a file cannot say: 32-bit and float
            pictures, and arrays other than uint8; also replaces 0..65535 of 16 bits. Samples outside are clipped.
        icc: convert through an embedded RGB or gray profile that is not sRGB; by default it is noted and not applied.

    Raises:
        PictureError: the file cannot be opened; `.code` is one of `photosite.errors.FAILURE_CODES`.
            Whatever bytes a file holds, no other exception is raised.
        ShapeError: an array has other axes; channels-first is never turned silently.
        RangeError: an argument is out of range, or the file has no such frame.

    Convention: height first; a str is a path, bytes are contents. Compositing blends sRGB values, as browsers do.
    Matches: Pillow `ImageOps.exif_transpose(image).convert("RGB")` bit for bit, for opaque 8-bit gray and RGB.

    >>> load(np.array([[0, 65535]], np.uint16)).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    return load_with_info(
        source,
        background=background,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        tolerate_truncated=tolerate_truncated,
        frame=frame,
        value_range=value_range,
        icc=icc,
    )[0]


def load_with_info(
    source: Source,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    tolerate_truncated: bool = False,
    frame: int = 0,
    value_range: tuple[float, float] | None = None,
    icc: bool = False,
) -> tuple[Picture, PictureInfo]:
    """Open a picture as `load` does, and say where it came from and what was done to it.

    Returns:
        The picture, (H, W, 3) uint8, and its `PictureInfo`.

    >>> picture, info = load_with_info(np.zeros((2, 3), bool))
    >>> picture.shape, info.format, info.mode, info.size_hw
    ((2, 3, 3), 'array', 'bool', (2, 3))
    """
    _check_arguments(background, max_pixels, max_bytes, frame, value_range)
    rules = Rules(background, value_range, icc)
    if isinstance(source, np.ndarray):
        _check_no_frame(frame, "an array")
        return _from_array(source, rules, max_pixels)
    if isinstance(source, Image.Image):
        _check_no_frame(frame, "a PIL image, which is taken at its current frame")
        decoded = load_open_image(source, "<PIL image>", max_pixels=max_pixels)
        contents = Contents("<PIL image>", "", "", decoded.image.tobytes())
    else:
        contents = read_contents(source, max_bytes=max_bytes)
        decoded = decode(
            contents.data, contents.name, max_pixels=max_pixels, tolerate_truncated=tolerate_truncated, frame=frame
        )
    return _finish(decoded, contents, rules)


def _finish(decoded: Decoded, contents: Contents, rules: Rules) -> tuple[Picture, PictureInfo]:
    """Turn, convert and describe what was decoded."""
    conversion = Conversion(list(decoded.notes))
    expected = _SUFFIXES.get(contents.suffix)
    if expected and expected != ("JPEG" if decoded.format == "MPO" else decoded.format):
        conversion.notes.append(f"{decoded.format} named {contents.suffix}: read by content")
    try:
        image = decoded.image if decoded.turned else upright(decoded.image, decoded.orientation)
        rgb = conversion.to_rgb(image, contents.name, rules, rawmode=decoded.rawmode, white=decoded.white)
        picture = np.array(rgb)
    except PhotositeError:
        raise
    except Exception as fault:  # a palette, profile or transparency that only conversion trips over
        code = "out_of_memory" if isinstance(fault, MemoryError) else "corrupt"
        said = display_text(" ".join(str(fault).split()))[:200] or type(fault).__name__
        raise PictureError(code, contents.name, f"converting {decoded.mode} to RGB: {said}") from fault
    info = PictureInfo(
        path=contents.name,
        path_bytes=contents.path_bytes,
        sha256=hashlib.sha256(contents.data).hexdigest(),
        bytes=len(contents.data),
        format=decoded.format,
        mode=decoded.mode,
        size_hw=picture.shape[:2],
        decoded_hw=decoded.decoded_hw,
        orientation=decoded.orientation,
        frames=decoded.frames,
        notes=tuple(conversion.notes),
    )
    return picture, info


def _from_array(array: npt.NDArray[np.generic], rules: Rules, max_pixels: int) -> tuple[Picture, PictureInfo]:
    """Check an array's layout and range, and bring it to (H, W, 3) uint8."""
    _check_layout(array)
    height, width = array.shape[:2]
    if height * width > max_pixels:
        detail = f"{width} wide and {height} high is {height * width:,} pixels, the limit is {max_pixels:,}"
        raise PictureError("too_many_pixels", "<array>", detail)
    conversion = Conversion()
    samples = _to_bytes(array if array.ndim == 3 else array[..., None], conversion, rules)  # (H, W, 1, 3 or 4)
    if samples.shape[2] == 4:
        picture = np.array(conversion.to_rgb(Image.fromarray(np.ascontiguousarray(samples)), "<array>", rules))
    else:
        picture = np.array(np.broadcast_to(samples, (height, width, 3)), order="C")
    raw = np.ascontiguousarray(array)
    info = PictureInfo(
        path="<array>",
        path_bytes="",
        sha256=hashlib.sha256(raw.tobytes()).hexdigest(),
        bytes=raw.nbytes,
        format="array",
        mode=str(array.dtype),
        size_hw=(height, width),
        decoded_hw=(height, width),
        orientation=1,
        frames=1,
        notes=tuple(conversion.notes),
    )
    return picture, info


def _check_layout(array: npt.NDArray[np.generic]) -> None:
    shape = array.shape
    axes = len(shape)
    fits = axes == 2 or (axes == 3 and shape[2] in (1, 3, 4))
    if fits and array.size:
        return
    advice = ""
    if array.ndim == 3 and shape[0] in (1, 3, 4):
        turned = (*shape[1:], shape[0])
        advice = f"; channels come first here: give array.transpose(1, 2, 0), which is {turned}"
    elif array.ndim == 4:
        advice = "; give one picture, not a batch"
    raise ShapeError(f"load: wants {_LAYOUTS} with no empty side, got {shape}{advice}")


def _to_bytes(array: npt.NDArray[np.generic], conversion: Conversion, rules: Rules) -> Picture:
    """Scale an array's values to uint8 by its dtype: bool, uint8, uint16 in 0..65535, float in 0..1."""
    dtype = array.dtype
    if dtype == np.uint8:
        return cast("Picture", array)
    if dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if dtype.kind in "iuf" and rules.value_range is not None:
        return conversion.scaled(array, "<array>", rules, white=None)
    if dtype.kind == "u" and dtype.itemsize == 2:  # of either byte order
        return conversion.scaled(array, "<array>", rules, white=65535)
    if dtype.kind != "f":
        wanted = "wants bool, uint8, uint16 or float in 0 … 1"
        raise PictureError("unsupported_range", "<array>", f"{wanted}, got {dtype}; say value_range=(low, high)")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        detail = f"floats want 0 … 1, got {low:g} … {high:g}; say value_range=(low, high)"
        raise PictureError("unsupported_range", "<array>", detail)
    unit = Rules(rules.background, (0.0, 1.0), rules.icc)
    return conversion.scaled(array, "<array>", unit, white=None)


def _check_arguments(
    background: tuple[int, int, int],
    max_pixels: int,
    max_bytes: int,
    frame: int,
    value_range: tuple[float, float] | None,
) -> None:
    channels = list(background)
    if len(channels) != 3 or not all(0 <= value <= 255 for value in channels):
        raise RangeError(f"load: background wants three numbers in 0..255, got {background}")
    for limit, value in (("max_pixels", max_pixels), ("max_bytes", max_bytes)):
        if value < 1:
            raise RangeError(f"load: {limit} wants at least 1, got {value}")
    if frame < 0:
        raise RangeError(f"load: frame is counted from 0, got {frame}")
    if value_range is not None:
        low, high = value_range
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise RangeError(f"load: value_range wants (low, high) with low < high, got {value_range}")


def _check_no_frame(frame: int, what: str) -> None:
    if frame:
        raise RangeError(f"load: frame {frame} is wanted of {what}; frames are chosen in files and bytes only")
