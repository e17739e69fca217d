"""What a path can be: pipes, folders, devices, links, forbidden and vanishing files, and names of every kind."""

from __future__ import annotations

import base64
import builtins
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest

from photosite.errors import PictureError
from photosite.prep import source as module
from photosite.prep.load import load, load_with_info
from photosite.prep.source import display_text, read_contents
from tests.prep.cases import gray_png

PICTURE = gray_png()


def fault_of(path: object, **options: int) -> PictureError:
    with pytest.raises(PictureError) as caught:
        read_contents(path, **{"max_bytes": 1 << 20, **options})
    assert "\n" not in str(caught.value)
    return caught.value


# --- what is not a regular file --------------------------------------------------------------------------------------


def test_a_pipe_never_hangs(tmp_path: Path) -> None:
    pipe = tmp_path / "x.jpg"
    os.mkfifo(pipe)
    code = f"from photosite.prep.load import load; load({str(pipe)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=120)
    assert b"not_regular: wants a regular file, got a pipe" in done.stderr


def test_a_file_that_becomes_a_pipe_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(PICTURE)
    opener = module._open_without_waiting

    def swap(name: str, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return opener(name, flags)

    monkeypatch.setattr(module, "_open_without_waiting", swap)
    fault = fault_of(path)
    assert (fault.code, fault.detail) == ("not_regular", "wants a regular file, got a pipe")


def test_folders_devices_and_sockets(tmp_path: Path) -> None:
    folder = tmp_path / "x.jpg"
    folder.mkdir()
    assert fault_of(folder).detail == "wants a regular file, got a folder"
    assert fault_of("/dev/zero").detail == "wants a regular file, got a device"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        fault = fault_of(tmp_path / "s")
    assert (fault.code, fault.detail) == ("not_regular", "wants a regular file, got a socket")


def test_links(tmp_path: Path) -> None:
    target, link = tmp_path / "a.png", tmp_path / "b.png"
    target.write_bytes(PICTURE)
    link.symlink_to(target)
    assert load(link).shape == (4, 8, 3)
    target.unlink()
    fault = fault_of(link)
    assert (fault.code, fault.detail) == ("vanished", f"it is a symbolic link to {target}, which is not there")
    target.symlink_to(link)
    fault = fault_of(link)
    assert (fault.code, fault.detail) == ("not_regular", "its symbolic links form a circle")
    folder = tmp_path / "folder.jpg"
    folder.symlink_to(tmp_path)
    assert fault_of(folder).code == "not_regular"


# --- what cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["none.jpg", "a.png/b.jpg", "", "nul\0.jpg", "\ud800.jpg"])
def test_what_is_not_there(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(PICTURE)
    assert fault_of(path).code == "vanished"


def test_a_name_longer_than_the_system_allows() -> None:
    fault = fault_of("x" * 300 + ".jpg")
    assert (fault.code, fault.detail) == ("unreadable", "file name too long")


def test_forbidden_files() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folder lets nobody else in
        Path(folder).chmod(0o755)
        path = Path(folder) / "x.jpg"
        path.write_bytes(PICTURE)
        path.chmod(0)
        if os.getuid() != 0:
            assert _exit_code(path) == 0
            return
        child = os.fork()  # root reads everything: open it as nobody, in a child
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            os._exit(_exit_code(path))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _exit_code(path: Path) -> int:
    """0 if the path is `unreadable` with the system's words, 1 if it is anything else."""
    try:
        read_contents(path, max_bytes=1000)
    except PictureError as fault:
        return int((fault.code, fault.detail) != ("unreadable", "permission denied"))
    return 1


def test_a_disk_that_fails_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(PICTURE)
    plain = builtins.open

    class Failing(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    def opened(name: object, mode: str, opener: object) -> io.FileIO:
        plain(path, "rb").close()
        return Failing(name, mode, opener=opener)

    monkeypatch.setattr(module, "open", opened, raising=False)
    fault = fault_of(path)
    assert (fault.code, fault.detail) == ("unreadable", "input/output error")


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_size_limits(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(PICTURE)
    size = len(PICTURE)
    for source in (path, PICTURE, bytearray(PICTURE), memoryview(PICTURE)):
        assert read_contents(source, max_bytes=size).data == PICTURE
        assert fault_of(source, max_bytes=size - 1).code == "too_large_file"
    assert read_contents(io.BytesIO(PICTURE), max_bytes=size).data == PICTURE
    assert fault_of(io.BytesIO(PICTURE), max_bytes=size - 1).code == "too_large_file"
    detail = fault_of(path, max_bytes=10).detail
    assert detail == f"{size} bytes or more, the limit is 10; raise max_bytes if you trust it"


def test_a_sparse_terabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    fault = fault_of(path)
    assert fault.code == "too_large_file"
    assert fault.detail.startswith("1,099,511,627,776 bytes")


def test_an_endless_file_object_is_refused() -> None:
    class Endless:
        def read(self, size: int) -> bytes:
            return bytes(size)

    assert fault_of(Endless()).code == "too_large_file"


def test_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.touch()
    for source in (path, b"", io.BytesIO(), memoryview(b"")):
        fault = fault_of(source)
        assert (fault.code, fault.detail) == ("empty", "it has no bytes")


# --- file objects ----------------------------------------------------------------------------------------------------


def test_a_file_object_is_read_from_where_it_stands_in_any_portions() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

    file = Dripping(b"before" + PICTURE)
    file.seek(6)
    assert read_contents(file, max_bytes=1000).data == PICTURE
    assert not file.closed


def test_file_objects_that_fail(tmp_path: Path) -> None:
    closed = io.BytesIO(PICTURE)
    closed.close()
    assert fault_of(closed).code == "unreadable"
    path = tmp_path / "a.txt"
    path.write_text("text")
    with path.open() as text:
        fault = fault_of(text)
    assert fault.code == "not_an_image"
    assert fault.detail == "read() gave str, bytes are wanted; open it with mode 'rb'"
    assert fault.source == f"<file {path}>"


@pytest.mark.parametrize("thing", [None, 3, [b""], object()], ids=["None", "int", "list", "object"])
def test_what_is_no_source_at_all(thing: object) -> None:
    with pytest.raises(
        PictureError, match=r"<builtins\.\w+>: not_an_image: wants a path, bytes, .* got builtins\.\w+$"
    ):
        load(thing)  # type: ignore[arg-type]


# --- names -----------------------------------------------------------------------------------------------------------

NAMES = {
    "not UTF-8": (b"caf\xe9.png", "caf\\xe9.png"),
    "newline": (b"a\nb.png", "a\\nb.png"),
    "tab": (b"a\tb.png", "a\\tb.png"),
    "escape": (b"\x1b[31mred.png", "\\x1b[31mred.png"),
    "C1 control": ("a\x9b31m.png".encode(), "a\\x9b31m.png"),
    "right to left": ("a\u202egnp.exe".encode(), "a\\u202egnp.exe"),
    "line separator": ("a\u2028b.png".encode(), "a\\u2028b.png"),
    "script": (b"<script>alert(1)<script>.png", "<script>alert(1)<script>.png"),
    "dash": (b"-rf.png", "-rf.png"),
    "quotes": (b'it\'s "it".png', 'it\'s "it".png'),
    "other letters": ("写真 été 🐈.png".encode(), "写真 été 🐈.png"),
    "255 bytes": (b"x" * 251 + b".png", "x" * 251 + ".png"),
}


@pytest.mark.parametrize("raw", [raw for raw, _ in NAMES.values()], ids=NAMES)
def test_every_name_opens_and_can_be_shown(raw: bytes, tmp_path: Path) -> None:
    shown = dict(NAMES.values())[raw]
    path = tmp_path / os.fsdecode(raw)
    try:
        path.write_bytes(PICTURE)
    except OSError as fault:
        pytest.skip(f"this file system does not take the name: {fault}")
    info = load_with_info(path)[1]
    assert info.path == f"{tmp_path}/{shown}"
    assert base64.b64decode(info.path_bytes) == os.fsencode(path)
    json.dumps([info.path, info.path_bytes], ensure_ascii=False).encode()
    path.write_bytes(b"no picture")
    with pytest.raises(PictureError) as caught:
        load(str(path))
    assert str(caught.value) == f"{tmp_path}/{shown}: not_an_image: text, not a picture"


def test_path_like_bytes_are_a_path(tmp_path: Path) -> None:
    class BytesPath:
        def __fspath__(self) -> bytes:
            return os.fsencode(tmp_path / "a.png")

    (tmp_path / "a.png").write_bytes(PICTURE)
    assert load_with_info(BytesPath())[1].path == str(tmp_path / "a.png")


def test_twins_stay_two_files(tmp_path: Path) -> None:
    for one, other in (
        ("A.png", "a.png"),
        (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
    ):
        (tmp_path / one).write_bytes(PICTURE)
        (tmp_path / other).write_bytes(PICTURE)
        paths = {load_with_info(tmp_path / name)[1].path_bytes for name in (one, other)}
        assert len(paths) == 2


def test_an_ending_that_says_otherwise_is_noted(tmp_path: Path) -> None:
    for name, notes in (("a.JPG", ("PNG named .jpg: read by content",)), ("a.PNG", ()), ("a.dat", ()), ("a", ())):
        (tmp_path / name).write_bytes(PICTURE)
        assert load_with_info(tmp_path / name)[1].notes == notes
        with (tmp_path / name).open("rb") as file:
            assert load_with_info(file)[1].notes == notes


def test_display_text_keeps_what_is_harmless() -> None:
    assert display_text("C:\\photos\\é.jpg") == "C:\\photos\\é.jpg"
    assert display_text("a\udce9b") == "a\\xe9b"
    assert display_text("\ud800") == "\\ud800"


def test_bytes_are_read_once_and_hashed_as_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PICTURE)
    opened: list[str] = []
    opener = module._open_without_waiting

    def count(name: str, flags: int) -> int:
        opened.append(name)
        return opener(name, flags)

    monkeypatch.setattr(module, "_open_without_waiting", count)
    _, info = load_with_info(path)
    assert len(opened) == 1
    assert info.sha256 == load_with_info(PICTURE)[1].sha256
