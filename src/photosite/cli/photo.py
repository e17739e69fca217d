"""What commands share: where a photo comes from, folders of results, how paths and numbers are shown."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

STDIN = "\0stdin"
"""Stands for standard input, which a person writes as -; no file can have this name."""


def photo_source(photo: Path | None, sample: str | None) -> tuple[Path | bytes, str]:
    """What to open, and a folder name for its results; one of the two is given.

    Args:
        photo: a file, or `STDIN`.
        sample: the name of a photo that comes with scikit-image.
    """
    if sample is not None:
        from photosite.prep.samples import sample_path

        return sample_path(sample), sample.lower()
    assert photo is not None
    if str(photo) == STDIN:
        return sys.stdin.buffer.read(), "stdin"
    return photo, folder_name(photo.name)


def folder_name(name: str) -> str:
    """A folder name that any file system takes; names that had to change keep apart by a hash.

    >>> folder_name("cat.jpg"), folder_name("a cat.jpg")
    ('cat.jpg', 'a_cat.jpg-7b39c9d3')
    """
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".-")[:80]
    if plain == name:
        return plain
    return f"{plain or 'photo'}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def printable(path: Path) -> str:
    """A path without control characters or broken bytes, safe for a terminal."""
    from photosite.prep.source import display_text

    return display_text(str(path))


def write_page(folder: Path, name: str, page: str, data: str) -> str:
    """Write NAME.html and NAME.json, each whole or not at all; gives the line that says where the page is.

    Raises:
        PhotositeError: the folder cannot be written.
    """
    from photosite.errors import PhotositeError
    from photosite.files import write_whole

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{name}.json", f"{data}\n".encode())
        write_whole(folder / f"{name}.html", page.encode())
    except OSError as error:
        raise PhotositeError(f"{name}: cannot write to {printable(folder)}: {error.strerror or error}") from error
    return f"report: {printable(folder / f'{name}.html')}"


def answer(data: dict[str, Any], show: Callable[[], None], json: bool, written: str) -> None:
    """Print what a command found: one JSON object, or words for people and where the page is.

    Args:
        data: what `--json` prints.
        show: prints the words.
        json: whether it was asked for.
        written: the line that says where the page is; "" where none was written.
    """
    from photosite.trace.save import dumps

    if json:
        print(dumps(data))
        return
    show()
    if written:
        print(written)


def print_lines(lines: Sequence[tuple[str, str]], console: Console) -> None:
    """Print names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in lines:
        table.add_row(Text(name), Text(value))
    console.print(table)
