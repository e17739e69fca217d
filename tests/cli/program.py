"""The program as a person runs it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*words: str | os.PathLike[str], cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the command line; one thread, since several of these run beside each other."""
    return subprocess.run(
        [sys.executable, "-m", "photosite", *words],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


def assert_hostile_name_harms_nobody(command: str, photo: Path, folder: Path, page: str) -> None:
    """Run a command on a photo whose name has control characters, markup and bytes that are not UTF-8."""
    hostile = folder / os.fsdecode(b"\x1b[31m<script>alert(1)<!-- \xff" + photo.suffix.encode())
    hostile.write_bytes(photo.read_bytes())
    done = run(command, hostile, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert b"\x1b[31m" not in done.stdout + done.stderr
    written = next((folder / "photosite-out").rglob(page)).read_text(encoding="utf-8")
    assert "<script>alert" not in written
