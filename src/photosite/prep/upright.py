"""Turn a picture as its EXIF orientation says, once and in one place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SQUARE = 512  # pixels a side
_VIEWS: dict[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}


def orientation_of(image: Image.Image) -> int:
    """Read how a picture was stored, 1 (upright) to 8; anything else, broken EXIF included, counts as 1.

    Orientations 5 to 8 swap height and width.

    Source: EXIF 2.3, tag 0x0112; where it is missing, XMP's tiff:Orientation.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is a stranger's bytes: Pillow raises five kinds of error on them
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn and mirror a picture that was stored in the given orientation; 1 gives it back as it is.

    Matches: Pillow `ImageOps.exif_transpose`, bit for bit.
    """
    method = _METHODS.get(orientation)
    return image if method is None else image.transpose(method)


def upright_array(stored: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turn and mirror a picture (H, W, C) that was stored in the given orientation; 1 gives it back as it is.

    Returns:
        The upright picture, C-contiguous; a new array but for orientation 1.

    Matches: Pillow `ImageOps.exif_transpose`, bit for bit.

    >>> upright_array(np.array([[[1], [2], [3]]], np.uint8), 6).tolist()
    [[[1]], [[2]], [[3]]]
    """
    view = _VIEWS.get(orientation)
    if view is None:
        return stored
    turned = view(stored)
    height, width, channels = turned.shape
    picture = np.empty(turned.shape, np.uint8)
    # Squares, since rows become columns and a square of each fits a processor's cache; in it channel by channel, since
    # NumPy turns a plane several times faster than pixels of three bytes.
    for top in range(0, height, _SQUARE):
        for left in range(0, width, _SQUARE):
            square = slice(top, top + _SQUARE), slice(left, left + _SQUARE)
            for channel in range(channels):
                picture[*square, channel] = turned[*square, channel]
    return picture


def swapped(size_hw: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Height and width on the other side of an orientation, from stored to upright or back: 5 to 8 swap them.

    >>> swapped((2, 3), 6), swapped((2, 3), 3)
    ((3, 2), (2, 3))
    """
    return (size_hw[1], size_hw[0]) if orientation >= 5 else size_hw
