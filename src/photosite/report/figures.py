"""Arrays of a trace become pictures of a page: data URIs, the crop over the photo, histograms.

Every picture of values is a lossless PNG; only photos, drawn for orientation, and sheets of many patches may be JPEGs.
Knows no template; what it returns is plain text and numbers.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from photosite.trace.notation import limits, number
from photosite.trace.values import Tile

Rgb = npt.NDArray[np.uint8]

_PHOTO_AS_PNG = 150_000  # bytes; a larger photo is drawn as JPEG, quality 88
_BINS = 64

CHANNELS: tuple[tuple[str, str, str], ...] = (
    ("R", "red", "c2384d"),
    ("G", "green", "2f8052"),
    ("B", "blue", "2f66b0"),
)
"""Letter, word and color of the three channels, in the order of the array."""


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; `width` and `height` are in values, before any enlargement."""

    uri: str
    width: int
    height: int
    caption: str
    scale: str


@dataclass(frozen=True)
class Histogram:
    """How often each value of a channel occurs: `path` is drawn in a box of 64 × 24, higher is more often."""

    word: str
    path: str
    note: str


@dataclass(frozen=True)
class Crop:
    """The photo with the part that the model saw, in pixels of the photo.

    `view` is the box around photo and crop (x, y, width, height); `box` the crop; `outside` a path over everything
    but the crop; `padding` a path over what lies beyond the photo, empty where nothing does.
    """

    uri: str
    width: int
    height: int
    view: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    outside: str
    padding: str
    whole: bool


class Album:
    """Hands out figures until a number of bytes is spent, so that a page stays quick."""

    def __init__(self, limit: int) -> None:
        """Start with nothing spent.

        Args:
            limit: bytes that all data URIs together may have.
        """
        self.left = limit
        self.refused = 0

    def figure(self, tile: Tile) -> Figure | None:
        """Encode a tile; None where it does not fit any more, and `refused` counts it."""
        made = figure(tile)
        if len(made.uri) > self.left:
            self.refused += 1
            return None
        self.left -= len(made.uri)
        return made


def figure(tile: Tile) -> Figure:
    """Encode a tile as it is, one value a pixel."""
    height, width = tile.pixels.shape[:2]
    return Figure(png_uri(tile.pixels), width, height, tile.caption, tile.scale)


def png_uri(pixels: Rgb) -> str:
    """Encode pixels as a PNG in a data URI, without loss; at most 256 colors become a palette, a third of the size.

    Args:
        pixels: (H, W, 3) uint8.

    >>> png_uri(np.zeros((1, 1, 3), np.uint8))[:32]
    'data:image/png;base64,iVBORw0KGg'
    """
    packed = pixels.astype(np.uint32)
    codes, places = np.unique(
        (packed[..., 0] << 16 | packed[..., 1] << 8 | packed[..., 2]).ravel(), return_inverse=True
    )
    if len(codes) <= 256:
        image = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8), "P")
        colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.uint8)
        image.putpalette(colors.tobytes())
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels))
    return _uri(image, "PNG", optimize=True)


def veil_uri(values: npt.NDArray[Any]) -> str:
    """Encode magnitudes as a veil of light to lay over a photo: clear at 0, dense at the largest.

    Density goes with the square root, so that what is small can still be seen; the largest values, which hold 5 % of
    all, are equally dense.

    Args:
        values: (H, W), at least 0.
    """
    ordered = np.sort(values, axis=None)[::-1].astype(np.float64)
    held = int(np.searchsorted(np.cumsum(ordered), 0.05 * ordered.sum()))
    top = float(ordered[held]) or 1.0
    dense = 225 * np.sqrt(np.clip(values / top, 0, 1))
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = (242, 184, 75)
    pixels[..., 3] = dense.round()
    return _uri(Image.fromarray(pixels), "PNG", optimize=True)


def photo_uri(photo: Rgb) -> str:
    """Encode the photo for orientation: PNG where that is small, else JPEG.

    Args:
        photo: (H, W, 3) uint8.
    """
    image = Image.fromarray(np.ascontiguousarray(photo))
    if photo.size <= 400_000:
        lossless = _uri(image, "PNG", optimize=True)
        if len(lossless) <= _PHOTO_AS_PNG:
            return lossless
    return _uri(image, "JPEG", quality=88, optimize=True)


def jpeg_uri(pixels: Rgb) -> str:
    """Encode many small photos on one sheet, with loss: a quarter of the bytes of a PNG; colors are not subsampled.

    Args:
        pixels: (H, W, 3) uint8.
    """
    return _uri(Image.fromarray(np.ascontiguousarray(pixels)), "JPEG", quality=82, subsampling=0, optimize=True)


def svg_uri(svg: str) -> str:
    """Put a drawing into a data URI; base64, so that its namespace does not read as an address.

    >>> svg_uri("<svg/>")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def crop_drawing(photo: Rgb, crop_box: tuple[float, float, float, float]) -> Crop:
    """Place the crop on the photo.

    Args:
        photo: (H, W, 3) uint8.
        crop_box: (top, left, bottom, right) as shares of the photo; may reach outside it.
    """
    height, width = photo.shape[:2]
    top, left, bottom, right = (
        round(share * side, 2) for share, side in zip(crop_box, (height, width, height, width), strict=True)
    )
    x0, y0, x1, y1 = min(0, left), min(0, top), max(width, right), max(height, bottom)
    view, box = _rectangle(x0, y0, x1, y1), _rectangle(left, top, right, bottom)
    beyond = (x0, y0, x1, y1) != (0, 0, width, height)
    # A slip of half a pixel is rounding, not a crop.
    whole = all(abs(a - b) < 0.5 for a, b in zip((left, top, right, bottom), (0, 0, width, height), strict=True))
    return Crop(
        uri=photo_uri(photo),
        width=width,
        height=height,
        view=(x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)),
        box=(left, top, round(right - left, 2), round(bottom - top, 2)),
        outside=f"{view}{box}",
        padding=f"{box}{_rectangle(0, 0, width, height)}" if beyond else "",
        whole=whole,
    )


def channel_figures(tile: Tile, shape: tuple[int, ...], dtype: str) -> list[tuple[Figure, Histogram]]:
    """Split a picture into red, green and blue, each drawn black - its color - white, with its histogram.

    The histograms share one height, so that they can be compared.

    Args:
        tile: a picture as it is.
        shape: of the array that the tile shows; where the tile is smaller, the caption says so.
        dtype: of that array.
    """
    pixels = tile.pixels
    exact = sorted(shape) == sorted(pixels.shape)
    seen = f"{pixels.shape[0]} × {pixels.shape[1]} {dtype}" + ("" if exact else " (as drawn)")
    counts = np.stack([np.histogram(pixels[..., c], bins=_BINS, range=(0, 256))[0] for c in range(3)])
    # The two end bins hold everything clipped; they may leave the box, else they would flatten the rest.
    top = max(int(counts[:, 1:-1].max()), int(counts.max()) // 4, 1)
    found = []
    for c, (letter, word, color) in enumerate(CHANNELS):
        plane = pixels[..., c]
        text = f"{letter} · {seen} · {limits(int(plane.min()), int(plane.max()))}"
        scale = f"black 0, {word}, white 255"
        drawn = Figure(png_uri(_ramp(color)[plane]), plane.shape[1], plane.shape[0], text, scale)
        note = f"{letter}: mean {number(float(plane.mean()))}, std {number(float(plane.std()))}"
        found.append((drawn, Histogram(word, histogram_path(counts[c], top), note)))
    return found


def histogram_path(counts: npt.NDArray[Any], top: int) -> str:
    """Draw counts as bars in a box of 64 × 24; a bar higher than `top` is cut there.

    >>> histogram_path(np.array([1, 2]), 2)
    'M0 24V12H1V0H2V24Z'
    """
    heights = 24 - 24 * np.minimum(counts, top) / top
    bars = "".join(f"V{height:.4g}H{k + 1}" for k, height in enumerate(heights))
    return f"M0 24{bars}V24Z"


def sheet_side(rows: int, most: int) -> float:
    """Choose how large a grid of `rows` is drawn beside one of `most`: between 18 and 84, by the square root."""
    return round(18 + 66 * math.sqrt(rows / most), 1)


def _ramp(color: str) -> Rgb:
    """Make 256 colors from black over a color to white. Returns (256, 3) uint8."""
    anchors = np.array([[0, 0, 0], list(bytes.fromhex(color)), [255, 255, 255]], np.float64)
    steps = np.linspace(0, 2, 256)
    return np.stack([np.interp(steps, [0, 1, 2], anchors[:, c]) for c in range(3)], -1).round().astype(np.uint8)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> str:
    return f"M{x0:g} {y0:g}H{x1:g}V{y1:g}H{x0:g}Z"


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"
