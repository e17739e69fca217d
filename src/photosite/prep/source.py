"""The bytes of a picture, from a path, bytes or an open file: read once, regular files only, never more than allowed.

Knows nothing of picture formats.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
import unicodedata
from pathlib import Path
from typing import IO, Any, NamedTuple

from photosite.errors import PictureError

Encoded = str | bytes | bytearray | memoryview | os.PathLike[str] | os.PathLike[bytes] | IO[bytes]
"""What can hold an encoded picture: a path (str or PathLike), its bytes, or a file open for reading bytes."""

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi overrides, lone surrogates, line separators
_BLOCK = 1 << 20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Contents(NamedTuple):
    """An encoded picture in memory.

    `name` is for people; `path_bytes` is base64 of the path's bytes, "" without a path; `suffix` is the name's
    ending, in lower case with its dot.
    """

    name: str
    path_bytes: str
    suffix: str
    data: bytes


def display_text(text: str | bytes) -> str:
    r"""Write text from outside (a path, a message) so that it is safe in a terminal, in JSON and in one line.

    Bytes that are not UTF-8, control characters, bidirectional overrides and line separators become backslash escapes;
    letters of any script stay. For HTML it must still be escaped.

    >>> display_text(b"caf\xe9.jpg"), display_text("a\x1b[31m\nb.jpg")
    ('caf\\xe9.jpg', 'a\\x1b[31m\\nb.jpg')
    """
    if isinstance(text, str) and text.isascii() and text.isprintable():
        return text
    raw = os.fsencode(text) if isinstance(text, str) and _is_from_system(text) else text
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSAFE else c for c in text)


def read_contents(source: Encoded, *, max_bytes: int) -> Contents:
    """Read all bytes of an encoded picture, once.

    Args:
        source: a path as str or PathLike; bytes, bytearray or memoryview are the contents themselves; a file open for
            reading bytes is read from where it stands to its end, and not closed.
        max_bytes: more than this is refused, as far as possible before reading.

    Raises:
        PictureError: `vanished` (nothing of that name, also behind a symbolic link), `not_regular` (a folder, pipe,
            device, socket, or links in a circle), `unreadable`, `empty`, `too_large_file`, `not_an_image` (no kind of
            source).
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        size = source.nbytes if isinstance(source, memoryview) else len(source)
        _check_size(size, max_bytes, "<bytes>")
        return Contents("<bytes>", "", "", bytes(source))
    if isinstance(source, (str, os.PathLike)):
        return _read_path(_as_text(source), max_bytes)
    if callable(getattr(source, "read", None)):
        return _read_file(source, max_bytes)
    kind = f"{type(source).__module__}.{type(source).__qualname__}"
    wanted = "wants a path, bytes, a file open for reading bytes, a PIL image or a NumPy array"
    raise PictureError("not_an_image", f"<{kind}>", f"{wanted}, got {kind}")


def _as_text(path: str | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A path as str; bytes that are not UTF-8 become surrogate escapes, as everywhere in Python."""
    plain = os.fspath(path)
    return os.fsdecode(plain) if isinstance(plain, bytes) else plain


def _read_path(given: str, max_bytes: int) -> Contents:
    name = display_text(given)
    if not given:
        raise PictureError("vanished", "''", "the path is empty")
    path = Path(given)
    try:
        _check_regular(path.stat(), name)  # before opening: opening a pipe hangs, opening a device can do anything
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            _check_regular(status, name)  # again: between the two it can have become a pipe
            _check_size(status.st_size, max_bytes, name)
            data = file.read(max_bytes + 1)
    except ValueError as fault:  # a null character, or one that no file name can hold
        raise PictureError("vanished", name, f"no file can have this name: {display_text(str(fault))}") from None
    except OSError as fault:
        raise PictureError(*_fault_of_path(fault, path, name)) from None
    _check_size(len(data), max_bytes, name)
    path_bytes = base64.b64encode(os.fsencode(given)).decode("ascii")
    return Contents(name, path_bytes, display_text(path.suffix).lower(), data)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "something else")
        raise PictureError("not_regular", name, f"wants a regular file, got {kind}")


def _check_size(size: int, max_bytes: int, name: str) -> None:
    if size == 0:
        raise PictureError("empty", name, "it has no bytes")
    if size > max_bytes:
        detail = f"{size:,} bytes or more, the limit is {max_bytes:,}; raise max_bytes if you trust it"
        raise PictureError("too_large_file", name, detail)


def _fault_of_path(fault: OSError, path: Path, name: str) -> tuple[str, str, str]:
    """Code, name and words for what the system said about a path."""
    if fault.errno in (errno.ENOENT, errno.ENOTDIR):
        said = "no such file"
        if path.is_symlink():
            said = f"it is a symbolic link to {display_text(str(path.readlink()))}, which is not there"
        return "vanished", name, said
    if fault.errno == errno.ELOOP:
        return "not_regular", name, "its symbolic links form a circle"
    return "unreadable", name, display_text(fault.strerror or str(fault)).lower()


def _read_file(file: Any, max_bytes: int) -> Contents:
    label = getattr(file, "name", None)  # can be a number, of a file opened by its descriptor
    known = display_text(label) if isinstance(label, (str, bytes)) else ""
    name = f"<file {known}>" if known else "<file>"
    blocks: list[bytes] = []
    size = 0
    try:
        while size <= max_bytes:  # read(n) of a raw file or a socket can give less than n
            block = file.read(min(_BLOCK, max_bytes + 1 - size))
            if not block:
                break
            if not isinstance(block, bytes):
                detail = f"read() gave {type(block).__name__}, bytes are wanted; open it with mode 'rb'"
                raise PictureError("not_an_image", name, detail)
            blocks.append(block)
            size += len(block)
    except PictureError:
        raise
    except Exception as fault:  # a stranger's read() can raise anything
        raise PictureError("unreadable", name, display_text(f"{type(fault).__name__}: {fault}")) from fault
    _check_size(size, max_bytes, name)
    return Contents(name, "", Path(known).suffix.lower(), b"".join(blocks))


def _is_from_system(text: str) -> bool:
    """Whether a str stands for file-name bytes that are not UTF-8 (surrogate escapes, and no other surrogates)."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return any("\udc80" <= c <= "\udcff" for c in text)
