"""What the commands on one photo share: where it comes from, its folder of results, and how a path is shown."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

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
