"""JPEG through simplejpeg where it is installed: Pillow's very pixels in half the time, and libjpeg's word on damage.

The header of a plain file is read here too. Whatever a file says beyond size and tables (orientation, profile, several
pictures) Pillow reads, and decode.py decides.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from photosite.prep.source import display_text

try:  # extra "fast"
    import simplejpeg
except ImportError:
    simplejpeg = None

MAX_SCANS = 100
"""Scans above which a JPEG is refused: encoders write about ten; each is a walk over all pixels, 80 ms at the limit."""

END = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # a marker that ends a scan: not stuffing, not a restart
_FACTORS = (8, 4, 2)
_BLOCK = 8
_PLAIN_SEGMENTS = frozenset((0xDB, 0xC4, 0xDD, 0xFE))  # tables, restart interval, comment: nothing that Pillow acts on
_MAX_PLAIN_SEGMENTS = 50


def is_installed() -> bool:
    """Whether there is simplejpeg."""
    return simplejpeg is not None


class PlainHeader(NamedTuple):
    """All there is to know of a JPEG with nothing special to it: one baseline scan of 8-bit gray or color, upright."""

    size_hw: tuple[int, int]
    components: int


def plain_header(data: bytes) -> PlainHeader | None:
    r"""Read the header of a plain JPEG; None is no verdict but says that Pillow must look at it.

    Plain is what has a JFIF segment or none, tables, comments, one sequential frame of 8 bits with one or three
    components, and all of those in its first scan. Pillow takes ten times as long to see the same: a tenth of a
    millisecond that counts where a photo takes one and a half.

    Args:
        data: the whole file.

    >>> plain_header(b"\xff\xd8\xff\xe1 and so on")
    """
    at, frame = 2, b""
    for _ in range(_MAX_PLAIN_SEGMENTS):
        start = data[at : at + 4]
        if len(start) < 4 or start[0] != 0xFF:
            return None
        marker, length = start[1], start[2] << 8 | start[3]
        if marker in _PLAIN_SEGMENTS:
            pass
        elif marker == 0xE0:
            if data[at + 4 : at + 9] not in (b"JFIF\0", b"JFXX\0"):
                return None
        elif marker == 0xC0 and not frame:
            frame = data[at + 4 : at + 2 + length]
        elif marker == 0xDA and frame:
            break
        else:
            return None
        at += 2 + length
    else:
        return None
    components = frame[5] if len(frame) > 5 else 0
    whole = components in (1, 3) and len(frame) == 6 + 3 * components and frame[0] == 8
    if not (whole and length == 6 + 2 * components and data[at + 4 : at + 5] == frame[5:6]):
        return None
    height, width = frame[1] << 8 | frame[2], frame[3] << 8 | frame[4]
    return PlainHeader((height, width), components) if height and width else None


def decode_rgb(data: bytes, size_hw: tuple[int, int], factor: int = 1) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Decode a gray or three-channel JPEG to RGB with simplejpeg, or say why not.

    Args:
        data: the whole file; what stands behind its first picture is ignored.
        size_hw: height and width as stored, by the header that was checked against the pixel limit.
        factor: 1, 2, 4 or 8: decode each 8x8 block to that many times fewer pixels a side. Sides are rounded up.

    Returns:
        The pixels, a new (H, W, 3) uint8, and ""; or None and what libjpeg says of damaged data, "" where it says
        nothing, where its header tells another size, or where simplejpeg is not installed. No pixels are no verdict:
        Pillow decodes much that is damaged, and then its pixels count.

    Matches: Pillow `Image.open(file).convert("RGB")` bit for bit, with `draft` to the same size for a factor.
    """
    if simplejpeg is None:
        return None, ""
    height, width = -(-size_hw[0] // factor), -(-size_hw[1] // factor)
    pixels = np.empty((height, width, 3), np.uint8)  # ours: a header that promises more finds no room to decode to
    bounds = {"min_height": height, "min_width": width, "min_factor": factor} if factor > 1 else {}
    try:
        decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=pixels, **bounds)
    except MemoryError:
        raise
    except ValueError as fault:  # what it cannot decode, and what libjpeg only warns of
        return None, display_text(str(fault))
    except Exception:  # a kind of JPEG that it has no word for
        return None, ""
    return (pixels, "") if decoded.shape == pixels.shape else (None, "")


def factor_for(size_hw: tuple[int, int], wanted_hw: tuple[int, int]) -> int:
    """By how much a JPEG can be scaled in decoding without becoming smaller than wanted: 8, 4, 2 or 1.

    libjpeg knows all eighths; these alone are faster than decoding whole, and all that Pillow's `draft` offers.

    >>> factor_for((3000, 4000), (224, 224)), factor_for((375, 500), (224, 224))
    (8, 1)
    """
    if max(size_hw) < _BLOCK:  # two factors would round to one size, which is all that simplejpeg can be asked for
        return 1
    times = min(side // wanted for side, wanted in zip(size_hw, wanted_hw, strict=True))
    return next((factor for factor in _FACTORS if times >= factor), 1)


def has_too_many_scans(data: bytes, header_end: int, components: int, *, progressive: bool) -> bool:
    """Whether a JPEG is made to take long: more than `MAX_SCANS` scans, each a walk over the whole picture.

    Args:
        data: the whole file.
        header_end: where the header of the first scan ends.
        components: channels as stored: 1, 3 or 4.
        progressive: False where the frame header says sequential; with all components in the first scan, libjpeg
            then reads no second one.
    """
    length = 6 + 2 * components
    whole = _START_OF_SCAN + length.to_bytes(2, "big") + bytes([components])
    if not progressive and data.startswith(whole, max(header_end - 2 - length, 0)):
        return False
    return data.count(_START_OF_SCAN) > MAX_SCANS and count_scans(data) > MAX_SCANS


def count_scans(data: bytes) -> int:
    """Count a JPEG's scans, up to one over `MAX_SCANS`, by walking its segments: 0xFFDA in metadata does not count."""
    scans, at = 0, 2
    while (marker := _MARKER.search(data, at)) and marker.group() != END:
        scans += marker.group() == _START_OF_SCAN
        if scans > MAX_SCANS:
            break
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans
