"""Open a picture from anywhere, untrusted files included, as upright RGB uint8 (H, W, 3).

The way: source.py gets the bytes, signature.py and decode.py the picture as stored, upright.py turns it, modes.py makes
it RGB. Knows nothing of models: sizes and values stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from photosite.errors import PhotositeError, PictureError, RangeError, ShapeError
from photosite.prep.decode import Opened, Wanted, open_encoded, open_image
from photosite.prep.modes import Conversion, Rules
from photosite.prep.source import Contents, Encoded, display_text, read_contents
from photosite.prep.upright import swapped, upright, upright_array

Picture = npt.NDArray[np.uint8]
"""A picture: (H, W, 3), uint8, sRGB, upright."""

Source = Encoded | Image.Image | npt.NDArray[np.generic]
"""What `load` opens."""

MAX_PIXELS = 89_478_485
"""Height times width above which a picture is refused: Pillow's own limit, 256 MiB of RGB."""

MAX_BYTES = 512 * 2**20
"""Size of a file above which it is refused unread."""

WHITE = (255, 255, 255)
_SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".apng": "PNG",
    ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
    ".pbm": "PPM", ".pnm": "PPM", ".pfm": "PPM", ".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF",
}  # fmt: skip
_MIRRORED_X, _MIRRORED_Y = (2, 3, 6, 7), (3, 4, 7, 8)  # orientations that bring the stored right or bottom to the front
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
        size_hw: height and width of the upright picture, in full: where it was scaled down in decoding, of what it was
            scaled from.
        decoded_hw: height and width as decoded, before the orientation is applied: as stored, or scaled down.
        orientation: EXIF orientation, 1 to 8; 5 to 8 swap height and width.
        frames: how many pictures the file has; None where only reading all of it would tell.
        notes: what a person should know, a line each.
        scaled_by: 1 for a picture at its full size; 2, 4 or 8 where `jpeg_scale_for_hw` made both sides so many times
            smaller, rounded up.
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
    scaled_by: int = 1

    @property
    def full_box_xyxy(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the full picture, in pixels of the loaded one, as Pillow's `box=` takes it.

        Scaling down rounds up: a side of 7 halved is 4 pixels, of which the full picture covers 3.5. The part that it
        does not cover lies on the right and at the bottom as stored, and turns with the picture. Multiplied by
        `scaled_by`, the distance to left and top is the place in the full picture.
        """
        spans = []
        for side, mirrored in zip(self.size_hw[::-1], (_MIRRORED_X, _MIRRORED_Y), strict=True):
            covered = side / self.scaled_by
            start = -(-side // self.scaled_by) - covered if self.orientation in mirrored else 0.0
            spans.append((start, start + covered))
        (left, right), (top, bottom) = spans
        return left, top, right, bottom


@dataclass(frozen=True)
class Options:
    """What `load` can be told, checked; its docstring says what each field means."""

    background: tuple[int, int, int] = WHITE
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    tolerate_truncated: bool = False
    frame: int = 0
    value_range: tuple[float, float] | None = None
    icc: bool = False
    jpeg_scale_for_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if self.background != WHITE and (
            len(channels := list(self.background)) != 3 or not all(0 <= value <= 255 for value in channels)
        ):
            raise RangeError(f"load: background wants three numbers in 0..255, got {self.background}")
        if self.max_pixels < 1 or self.max_bytes < 1:
            limit = "max_pixels" if self.max_pixels < 1 else "max_bytes"
            raise RangeError(f"load: {limit} wants at least 1, got {getattr(self, limit)}")
        if self.frame < 0:
            raise RangeError(f"load: frame is counted from 0, got {self.frame}")
        if self.value_range is not None:
            low, high = self.value_range
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise RangeError(f"load: value_range wants (low, high) with low < high, got {self.value_range}")
        if self.jpeg_scale_for_hw is not None:
            sides = list(self.jpeg_scale_for_hw)
            if len(sides) != 2 or min(sides) < 1:
                raise RangeError(f"load: jpeg_scale_for_hw wants (height, width), got {self.jpeg_scale_for_hw}")


class Loaded(NamedTuple):
    """A picture, and how to describe it: hashing its bytes takes time that not everyone wants to spend."""

    picture: Picture
    describe: Callable[[], PictureInfo]


class OpenSource(NamedTuple):
    """A source whose header is read and found good, and whose pixels are still to be made.

    Attributes:
        area: how many pixels that will hold.
        load: makes the picture, in any thread, once; raises PictureError and nothing else.
    """

    area: int
    load: Callable[[], Loaded]


def load(
    source: Source,
    *,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    tolerate_truncated: bool = False,
    frame: int = 0,
    value_range: tuple[float, float] | None = None,
    icc: bool = False,
    jpeg_scale_for_hw: tuple[int, int] | None = None,
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
        jpeg_scale_for_hw: **not exact**. Decode a JPEG to 1/2, 1/4 or 1/8 of its height and width where the upright
            picture stays at least this (height, width); other pictures, also PIL images, are decoded whole. On a large
            photo it saves most of the time and memory; `PictureInfo` keeps the full size. Ask for twice the size that
            you resize to, and resize from `PictureInfo.full_box_xyxy`: see Accuracy.

    Raises:
        PictureError: the file cannot be opened; `.code` is one of `photosite.errors.FAILURE_CODES`.
            Whatever bytes a file holds, no other exception is raised.
        ShapeError: an array has other axes; channels-first is never turned silently.
        RangeError: an argument is out of range, or the file has no such frame.

    Convention: height first; a str is a path, bytes are contents. Compositing blends sRGB values, as browsers do.
    Matches: Pillow `ImageOps.exif_transpose(image).convert("RGB")` bit for bit, for opaque 8-bit gray and RGB, whether
        simplejpeg (extra `fast`) decodes or Pillow. Only simplejpeg sees damage that Pillow passes over; the pixels
        are Pillow's then, and a note begins with "jpeg_corrupt_data". Scaled, Pillow with `draft` to the same size.
    Accuracy: of `jpeg_scale_for_hw`, in levels of 255: Pillow's bilinear resize to t x t after scaled decoding, against
        the same after exact decoding; 200 ImageNet photos, those counted that it scales. Mean over all (over the worst
        photo), and the largest difference of one value:

        | asked for | photos | whole picture resized | `full_box_xyxy` resized |
        |---|---|---|---|
        | t, t = 224 | 20 | 1.60 (3.89), 80 | 1.16 (3.89), 49 |
        | 2t, t = 224 | 2 | 0.39 (0.44), 7 | 0.39 (0.44), 7 |
        | t, t = 64 | 198 | 1.92 (6.14), 80 | 1.05 (3.14), 34 |
        | 2t, t = 64 | 183 | 0.96 (2.40), 52 | 0.34 (0.91), 18 |

    >>> load(np.array([[0, 65535]], np.uint16)).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    options = Options(background, max_pixels, max_bytes, tolerate_truncated, frame, value_range, icc, jpeg_scale_for_hw)
    return open_source(source, options).load().picture


def load_with_info(
    source: Source,
    *,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    tolerate_truncated: bool = False,
    frame: int = 0,
    value_range: tuple[float, float] | None = None,
    icc: bool = False,
    jpeg_scale_for_hw: tuple[int, int] | None = None,
) -> tuple[Picture, PictureInfo]:
    """Open a picture as `load` does, and say where it came from and what was done to it.

    Returns:
        The picture, (H, W, 3) uint8, and its `PictureInfo`.

    >>> picture, info = load_with_info(np.zeros((2, 3), bool))
    >>> picture.shape, info.format, info.mode, info.size_hw
    ((2, 3, 3), 'array', 'bool', (2, 3))
    """
    options = Options(background, max_pixels, max_bytes, tolerate_truncated, frame, value_range, icc, jpeg_scale_for_hw)
    loaded = open_source(source, options).load()
    return loaded.picture, loaded.describe()


def open_source(source: Source, options: Options) -> OpenSource:
    """Read and check everything about a picture that comes before its pixels; see `load` for what it raises."""
    rules = Rules(options.background, options.value_range, options.icc)
    if isinstance(source, np.ndarray):
        _check_no_frame(options.frame, "an array")
        return _open_array(source, rules, options.max_pixels)
    if isinstance(source, Image.Image):
        _check_no_frame(options.frame, "a PIL image, which is taken at its current frame")
        contents = Contents("<PIL image>", "", "", b"")
        opened = open_image(source, contents.name, max_pixels=options.max_pixels)
    else:
        contents = read_contents(source, max_bytes=options.max_bytes)
        wanted = Wanted(options.max_pixels, options.tolerate_truncated, options.frame, options.jpeg_scale_for_hw)
        opened = open_encoded(contents.data, contents.name, wanted)
    return OpenSource(opened.area, partial(_finish, opened, contents, rules))


def _finish(opened: Opened, contents: Contents, rules: Rules) -> Loaded:
    """Decode, turn and convert."""
    decoded = opened.decode()
    conversion = Conversion(list(decoded.notes))
    expected = _SUFFIXES.get(contents.suffix)
    if expected and expected != ("JPEG" if decoded.format == "MPO" else decoded.format):
        conversion.notes.append(f"{decoded.format} named {contents.suffix}: read by content")
    try:
        if decoded.pixels is not None:
            picture = upright_array(decoded.pixels, decoded.orientation)
            if decoded.image is not None:
                picture = conversion.of_pixels(picture, decoded.image, rules)
        else:
            assert decoded.image is not None
            image = decoded.image if decoded.turned else upright(decoded.image, decoded.orientation)
            rgb = conversion.to_rgb(image, contents.name, rules, rawmode=decoded.rawmode, white=decoded.white)
            picture = np.array(rgb)
    except PhotositeError:
        raise
    except Exception as fault:  # a palette, profile or transparency that only conversion trips over
        code = "out_of_memory" if isinstance(fault, MemoryError) else "corrupt"
        said = display_text(" ".join(str(fault).split()))[:200] or type(fault).__name__
        raise PictureError(code, contents.name, f"converting {decoded.mode} to RGB: {said}") from fault

    def describe() -> PictureInfo:
        hashed = contents.data
        if not hashed and decoded.image is not None:  # a PIL image has no bytes of a file
            hashed = decoded.image.tobytes()
        return PictureInfo(
            path=contents.name,
            path_bytes=contents.path_bytes,
            sha256=hashlib.sha256(hashed).hexdigest(),
            bytes=len(hashed),
            format=decoded.format,
            mode=decoded.mode,
            size_hw=swapped(decoded.stored_hw, decoded.orientation),
            decoded_hw=decoded.decoded_hw,
            orientation=decoded.orientation,
            frames=decoded.frames,
            notes=tuple(conversion.notes),
            scaled_by=decoded.scaled_by,
        )

    return Loaded(picture, describe)


def _open_array(array: npt.NDArray[np.generic], rules: Rules, max_pixels: int) -> OpenSource:
    """Check an array's layout and size."""
    _check_layout(array)
    height, width = array.shape[:2]
    if height * width > max_pixels:
        detail = f"{width} wide and {height} high is {height * width:,} pixels, the limit is {max_pixels:,}"
        raise PictureError("too_many_pixels", "<array>", detail)
    return OpenSource(height * width, partial(_from_array, array, rules))


def _from_array(array: npt.NDArray[np.generic], rules: Rules) -> Loaded:
    """Check an array's range, and bring it to (H, W, 3) uint8."""
    size_hw = height, width = array.shape[:2]
    conversion = Conversion()
    samples = _to_bytes(array if array.ndim == 3 else array[..., None], conversion, rules)  # (H, W, 1, 3 or 4)
    if samples.shape[2] == 4:
        picture = np.array(conversion.to_rgb(Image.fromarray(np.ascontiguousarray(samples)), "<array>", rules))
    else:
        picture = np.array(np.broadcast_to(samples, (height, width, 3)), order="C")

    def describe() -> PictureInfo:
        raw = np.ascontiguousarray(array)
        return PictureInfo(
            path="<array>",
            path_bytes="",
            sha256=hashlib.sha256(raw.tobytes()).hexdigest(),
            bytes=raw.nbytes,
            format="array",
            mode=str(array.dtype),
            size_hw=size_hw,
            decoded_hw=size_hw,
            orientation=1,
            frames=1,
            notes=tuple(conversion.notes),
        )

    return Loaded(picture, describe)


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


def _check_no_frame(frame: int, what: str) -> None:
    if frame:
        raise RangeError(f"load: frame {frame} is wanted of {what}; frames are chosen in files and bytes only")
