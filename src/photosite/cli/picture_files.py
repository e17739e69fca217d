"""Pictures by the names of files, folders and zips, not yet opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zipfile import ZipFile


class PictureFile(NamedTuple):
    """A picture that is not yet opened: what it is called, and how to get at it."""

    name: str
    source: Callable[[], Path | bytes]


def picture_files(path: Path, who: str, *, full: bool = False) -> Iterator[PictureFile]:
    """All pictures of a file, a folder (with all that lies below) or a zip, in the order of their names.

    Args:
        path: of the file, the folder or the zip.
        who: the command, for what is said of an error.
        full: whether names begin with `path`, as where several are given.
    Raises:
        PhotositeError: a folder or zip without pictures, or a zip that does not open.
    """
    import zipfile

    from photosite.cli.photo import printable
    from photosite.errors import PhotositeError
    from photosite.train.dataset import PICTURE_SUFFIXES

    def named(inside: Path) -> str:
        return printable(path / inside if full else inside)

    if path.is_dir():
        inside = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in PICTURE_SUFFIXES]
        found = [PictureFile(named(one.relative_to(path)), lambda one=one: one) for one in inside]  # type: ignore[misc]
    elif path.suffix.lower() == ".zip":
        try:
            archive = zipfile.ZipFile(path)  # closed when the last of its pictures is forgotten
        except (OSError, zipfile.BadZipFile) as error:
            raise PhotositeError(f"{who}: {printable(path)} is no zip that opens: {error}") from error
        names = sorted(archive.namelist())
        names = [name for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES and "__MACOSX" not in name]
        found = [PictureFile(named(Path(name)), lambda name=name: _member(archive, name)) for name in names]  # type: ignore[misc]
    else:
        found = [PictureFile(printable(path if full else Path(path.name)), lambda: path)]
    if not found:
        raise PhotositeError(f"{who}: {printable(path)} has no pictures in it")
    yield from found


def _member(archive: ZipFile, name: str) -> bytes:
    """A picture's bytes out of a zip; none where they do not come out, which no decoder takes."""
    import zipfile
    import zlib

    from photosite.train.dataset import MAX_MEMBER_BYTES

    try:
        return b"" if archive.getinfo(name).file_size > MAX_MEMBER_BYTES else archive.read(name)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError):  # encrypted, or packed in a way zipfile lacks
        return b""
