"""A name for every way that opening a picture can fail, whatever exception a decoder has for it."""

from __future__ import annotations

import io

from PIL import Image

from photosite.errors import PictureError, RangeError
from photosite.prep.source import display_text


class named_faults:  # noqa: N801 - used like a function
    """Turn whatever a decoder raises into a PictureError of the closed list.

    `Exception`, not `OSError`: hostile files make Pillow raise IndexError, TypeError, KeyError and struct.error too.
    A class, since a generator's context costs four times as much, and every picture passes one.
    """

    def __init__(self, name: str, doing: str, found: str = "", stream: io.BytesIO | None = None):
        self.name, self.doing, self.found, self.stream = name, doing, found, stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if not isinstance(fault, Exception) or isinstance(fault, (PictureError, RangeError)):
            return
        stream = self.stream
        at_end = stream is not None and not stream.closed and stream.tell() >= len(stream.getbuffer())
        said = display_text(" ".join(str(fault).split()))[:200] or type(fault).__name__
        code = _code_of(fault, said, self.doing, at_end)
        if code == "truncated" and "truncated" not in said.lower():
            said = f"the file ends too early ({said})"
        detail = f"{self.found} {self.doing}: {said}" if self.found else said
        raise PictureError(code, self.name, detail) from fault


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
