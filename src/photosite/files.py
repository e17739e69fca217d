"""Files that are whole or absent: written beside, made sure to be on disk, then renamed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that nobody ever sees half of it, not after a crash or a full disk either.

    Args:
        path: of the file; its folder exists. A file of that name is replaced.
        data: all of its bytes.

    Returns:
        The path.

    Raises:
        OSError: the folder cannot be written, or the disk is full; what was there before is still there.

    Convention: the file's mode is what the umask leaves of 0666, as `open` would make it.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        _sync_folder(target.parent)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power loss; systems that cannot open folders do without."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
