"""Files that are no weights, or were once: each is refused in one line, whatever bytes it holds."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.errors import CorruptWeightsError, UnsafeWeightsError, WeightsError
from photosite.nets.checkpoints.weight_files import read_weights
from tests.security.weights_cases import Evil, entry, header, refused, saved

# ----------------------------------------------------------------------------------------------------- not the weights


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty; fetch it again"),
        (b"\0", "not a weights file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n", "git-lfs pointer.*git lfs pull"),
        (b"<!DOCTYPE html><html><title>404</title>", "a web page, not weights"),
        (b"\n\n  <html>", "a web page"),
        (b"Hello, this is some text", r"not a weights file.*24 bytes that start with b'Hello, this is s'"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '|O', }", "not a weights file"),
        (pickle.dumps({"a": 1}, 2), r"a Python pickle, but none that torch\.save wrote"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "not a weights file"),
        (b"\x1f\x8b\x08" + b"\0" * 100, "not a weights file"),
    ],
)
def test_what_is_not_weights(tmp_path: Path, data: bytes, words: str) -> None:
    for name in ("w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, CorruptWeightsError, words)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pt")
    refused(tmp_path / "w.pt", CorruptWeightsError, "wants a weights file, got a FIFO")
    refused(tmp_path, CorruptWeightsError, "wants a weights file, got a directory")
    refused(Path("/dev/zero"), CorruptWeightsError, "wants a weights file, got a device")
    (tmp_path / "link.pt").symlink_to(tmp_path / "w.pt")
    refused(tmp_path / "link.pt", CorruptWeightsError, "got a FIFO")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "no.pt", WeightsError, r"no\.pt: cannot read: No such file or directory")
    refused(tmp_path / "a\0b", WeightsError, "cannot read: .*null")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop", WeightsError, "cannot read: Too many levels of symbolic links")


def test_a_regular_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(saved({"w": torch.ones(1)}))
    (tmp_path / "link.pt").symlink_to(tmp_path / "w.pt")
    assert list(read_weights(tmp_path / "link.pt").tensors) == ["w"]


# --------------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_files_cut_short(tmp_path: Path, form: str, share: float) -> None:
    tensors = {f"layer{number}.weight": torch.randn(20, 20) for number in range(10)}
    data = (
        safetensors.torch.save(tensors)
        if form == "safetensors"
        else saved(tensors, _use_new_zipfile_serialization=form == "zip")
    )
    path = tmp_path / "w"
    path.write_bytes(data[: int(len(data) * share)])
    text = refused(path, CorruptWeightsError, "w: ")
    if form == "zip":
        assert "cut short" in text
        assert "sha256" in text


def test_a_flipped_bit_in_a_zip_is_seen(tmp_path: Path) -> None:
    data = bytearray(saved({"w": torch.ones(1000)}))
    data[len(data) // 2] ^= 1
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    refused(path, CorruptWeightsError, r"Bad CRC-32 for file 'archive/data/0'")


F32 = b"\0\0\x80\x3f"
SAFETENSORS_FAULTS: dict[str, bytes] = {
    "seven bytes": b"\1\0\0\0\0\0\0",
    "header past the end": struct.pack("<Q", 1000) + b"{}" + b" " * 20,
    "header of 2^63": struct.pack("<Q", 1 << 63) + b"{}" + b" " * 20,
    "header of 200 MB": struct.pack("<Q", 200_000_000) + b"{}" + b" " * 20,
    "not JSON": header("{not json}"),
    "not UTF-8": header(b'{"\xff\xfe": 3}'),
    "an array": header("[1, 2]"),
    "starts with a space": header(" " + json.dumps({"w": entry()}), F32),
    "data cut short": header({"w": entry()}, F32[:2]),
    "trailing bytes": header({"w": entry()}, F32 + b"more"),
    "a hole": header({"a": entry(), "b": entry(offsets=(8, 12))}, F32 * 3),
    "overlap": header({"a": entry(shape=(2,), offsets=(0, 8)), "b": entry(shape=(2,), offsets=(4, 12))}, F32 * 3),
    "negative offset": header({"w": entry(offsets=(-4, 0))}, F32),
    "shape and size differ": header({"w": entry(shape=(2,))}, F32),
    "shape overflows": header({"w": entry(shape=(1 << 40, 1 << 40))}, F32),
    "negative shape": header({"w": entry(shape=(-1,))}, F32),
    "unknown dtype": header({"w": entry(dtype="F33")}, F32),
    "metadata of numbers": header({"__metadata__": {"a": 1}, "w": entry()}, F32),
    "metadata of lists": header({"__metadata__": [1], "w": entry()}, F32),
    "the same name twice": header(f'{{"w": {json.dumps(entry())}, "w": {json.dumps(entry())}}}', F32),
    "no tensor": header("{}"),
    "only metadata": header({"__metadata__": {"a": "b"}}),
}


@pytest.mark.parametrize("fault", SAFETENSORS_FAULTS)
def test_damaged_safetensors(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(SAFETENSORS_FAULTS[fault])
    refused(path, CorruptWeightsError, r"w\.safetensors: ")


def test_json_nested_100_000_deep(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(header('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"))
    refused(path, CorruptWeightsError, "not valid safetensors")
    path.write_bytes(header('{"a":' * 100_000 + "1" + "}" * 100_000))
    refused(path, UnsafeWeightsError, "more than 50,000 tensors")


BASES = {
    "zip": saved(OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.ones(2))),
    "legacy": saved({"a": torch.ones(2, 3), "b": nn.Parameter(torch.ones(2))}, _use_new_zipfile_serialization=False),
    "safetensors": safetensors.torch.save({"a": torch.ones(2, 3), "b": torch.ones(2)}, {"k": "v"}),
}


def held(path: Path, data: bytes) -> None:
    """Any bytes end as weights no larger than the file, or as one printable line."""
    path.write_bytes(data)
    line, size = "", 0
    try:
        size = sum(value.numel() * value.itemsize for value in read_weights(path).tensors.values())
    except WeightsError as error:
        line = str(error)
    assert line.isprintable()
    assert size <= 8 * len(data)


@pytest.mark.parametrize("form", BASES)
def test_mutants(tmp_path: Path, form: str) -> None:
    """Seeded: 400 files of each form with bits flipped, parts cut out, doubled, or lengths overwritten."""
    draw = random.Random(1)
    for _ in range(400):
        data = bytearray(BASES[form])
        for _ in range(draw.randint(1, 4)):
            at, length = draw.randrange(len(data)), draw.randint(1, 16)
            match draw.randrange(4):
                case 0:
                    data[at] ^= 1 << draw.randrange(8)
                case 1:
                    del data[at : at + length]
                case 2:
                    data[at:at] = data[at : at + length]
                case _:
                    data[at : at + 4] = draw.choice(
                        [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"]
                    )
            data = data or bytearray(b"x")
        held(tmp_path / "w", bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BASES)), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4))
def test_a_valid_file_with_a_few_bytes_changed(
    tmp_path_factory: pytest.TempPathFactory, form: str, edits: list[Any]
) -> None:
    data = bytearray(BASES[form])
    for place, value in edits:
        data[place % len(data)] = value
    held(tmp_path_factory.getbasetemp() / "edited", bytes(data))


def test_reading_starts_no_program_and_opens_no_socket(tmp_path: Path) -> None:
    """In a process of its own, with Python's audit events as witness."""
    for form, data in BASES.items():
        (tmp_path / form).write_bytes(data)
    (tmp_path / "evil").write_bytes(saved({"x": Evil(tmp_path / "it_ran")}))
    code = """
import sys
from photosite.errors import WeightsError
from photosite.nets.checkpoints.weight_files import read_weights
bad = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"}
bad |= {"socket.connect", "pickle.find_class", "exec", "compile"}
def read_all():
    for path in sys.argv[1:]:
        try:
            read_weights(path)
        except WeightsError:
            pass
read_all()  # once before, since importing torch's own modules late counts as exec
seen = []
sys.addaudithook(lambda event, args: seen.append(event))
read_all()
assert "open" in seen
print(sorted(bad & set(seen)))
"""
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
