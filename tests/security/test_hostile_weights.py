"""Weights from strangers: nothing in a file runs, nothing small becomes huge, and each refusal is one clear line."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.errors import CorruptWeightsError, MismatchedWeightsError, UnsafeWeightsError, WeightsError
from photosite.nets import weight_files
from photosite.nets.weight_files import read_weights
from photosite.nets.weights import load_weights


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"mkdir {self.mark}",)


class OwnNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)


def refused(path: Path, kind: type[WeightsError], words: str) -> str:
    """Read the file, hold the error to our manners, and give its words."""
    start = time.process_time()
    with pytest.raises(kind, match=words) as caught:
        read_weights(path)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 600
    # no way around the lock is offered, neither in our words nor in those of the chain that a traceback shows
    error: BaseException | None = caught.value
    while error is not None:
        for advice in ("weights_only", "add_safe_globals", "unsafe switch"):
            assert advice not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert time.process_time() - start < 5, "a refusal is quick (of CPU time, since machines can be busy)"
    return text


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def rezipped(
    data: bytes, change: Callable[[str, bytes], bytes] = lambda _, b: b, method: int = zipfile.ZIP_STORED
) -> bytes:
    """Write a torch file anew, each member changed or compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


def header(text: bytes | str | dict[str, Any], data: bytes = b"") -> bytes:
    """Write a safetensors file by hand."""
    raw = json.dumps(text).encode() if isinstance(text, dict) else text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw + data


def entry(dtype: str = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


# ------------------------------------------------------------------------------------------------------ code in pickles


@pytest.mark.parametrize("force", [False, True], ids=["plain", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
@pytest.mark.parametrize("form", ["zip", "legacy", "raw", "raw5", "wrapped", "zip4"])
def test_code_never_runs_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, force: bool) -> None:
    if force:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    mark = tmp_path / "it_ran"
    evil = {"fc.weight": torch.ones(2), "x": Evil(mark)}
    data = {
        "zip": lambda: saved(evil),
        "legacy": lambda: saved(evil, _use_new_zipfile_serialization=False),
        "raw": lambda: pickle.dumps(Evil(mark), 2),
        "raw5": lambda: pickle.dumps(Evil(mark), 5),
        "wrapped": lambda: saved({"state_dict": evil}),
        "zip4": lambda: saved(evil, pickle_protocol=4),
    }[form]()
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    text = refused(path, UnsafeWeightsError, r"w\.pt: asks Python for (posix|nt)\.system")
    assert "save model.state_dict() with torch.save or as safetensors" in text
    assert not mark.exists()


def test_the_bait_is_real(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Evil(tmp_path / "it_ran")))
    assert (tmp_path / "it_ran").is_dir(), "else the test above proves nothing"


def test_old_pickles_without_a_protocol_mark_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "it_ran"), 0))
    refused(path, CorruptWeightsError, "not a weights file")
    assert not (tmp_path / "it_ran").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_whole_module(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(saved(nn.Linear(2, 1), _use_new_zipfile_serialization=zipped))
    text = refused(path, UnsafeWeightsError, r"asks Python for torch\.nn\.modules\.linear\.Linear.*holds a whole model")
    assert "save model.state_dict()" in text


def test_a_whole_module_of_ones_own_in_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnNet, "__module__", "their_project")
    module = type(sys)("their_project")
    module.OwnNet = OwnNet  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_project", module)
    path = tmp_path / "w.pt"
    path.write_bytes(saved({"model": OwnNet(), "epoch": 3}))
    refused(path, UnsafeWeightsError, r"asks Python for their_project\.OwnNet \(and \d+ more\)")


def test_a_torchscript_archive(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    buffer = io.BytesIO(saved({"w": torch.ones(1)}))
    with zipfile.ZipFile(buffer, "a") as archive:  # what torch.jit.save adds; it is on its way out of torch itself
        archive.writestr("archive/constants.pkl", pickle.dumps((), 2))
        archive.writestr("archive/code/__torch__.py", "def forward(self): ...")
    path.write_bytes(buffer.getvalue())
    refused(path, UnsafeWeightsError, "TorchScript archive, which holds a program")


@pytest.mark.parametrize(
    "name",
    ["builtins bytearray", "torch Tensor", "torch FloatTensor", "_codecs encode", "numpy.core.multiarray scalar"],
)
def test_what_torch_or_a_user_allowed_but_weights_do_not_need(tmp_path: Path, name: str) -> None:
    module, attribute = name.split()
    code = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"\x8a\x06\0\0\0\0\0\x01\x85R."  # f(2**40)
    data = rezipped(saved({"w": torch.ones(1)}), lambda member, old: code if member.endswith("data.pkl") else old)
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    refused(path, UnsafeWeightsError, f"asks Python for {module}.{attribute}")


def test_a_class_that_someone_allowed_elsewhere_in_the_process(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(saved({"x": Evil(tmp_path / "it_ran")}))
    with torch.serialization.safe_globals([os.system]):
        refused(path, UnsafeWeightsError, "system")
    assert not (tmp_path / "it_ran").exists()


# ---------------------------------------------------------------------------------------------------------------- bombs


def test_compressed_members(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    path.write_bytes(rezipped(saved({"w": torch.zeros(4 << 20)}), method=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 64 << 10, "16 MiB in 64 kB"
    refused(path, UnsafeWeightsError, "has compressed members")


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    buffer = io.BytesIO(saved({"w": torch.zeros(1000)}))
    with zipfile.ZipFile(buffer, "a") as archive:
        first = archive.getinfo("archive/data/0")
        for number in range(1, 50):  # 50 entries of the directory, one content
            copy = zipfile.ZipInfo(f"archive/data/{number}")
            copy.header_offset, copy.CRC = first.header_offset, first.CRC
            copy.file_size = copy.compress_size = first.file_size
            archive.filelist.append(copy)
        archive._didModify = True  # type: ignore[attr-defined]
    path = tmp_path / "bomb.pt"
    path.write_bytes(buffer.getvalue())
    refused(path, UnsafeWeightsError, r"members claim more bytes than the file's")


def test_expanded_storage(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    path.write_bytes(saved({"w": torch.ones(1).expand(1 << 20, 1 << 14)}))
    assert path.stat().st_size < 2000
    refused(path, UnsafeWeightsError, r"'w' claims 68,719,476,736 bytes and has 4")
    path.write_bytes(saved({"w": torch.ones(1).expand(1 << 20, 1 << 14)}, _use_new_zipfile_serialization=False))
    refused(path, UnsafeWeightsError, r"'w' claims 68,719,476,736 bytes and has 4")


def test_windows_that_overlap_themselves(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    path.write_bytes(saved({"w": torch.ones(1000).as_strided((500, 500), (1, 1))}))
    refused(path, UnsafeWeightsError, r"'w' claims 1,000,000 bytes and has 4,000")


@pytest.mark.parametrize("size", [1 << 29, (1 << 31) - 1])
def test_a_storage_larger_than_its_member(tmp_path: Path, size: int) -> None:
    def enlarge(name: str, old: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return old
        assert old.count(b"K\x03t") == 1
        return old.replace(b"K\x03t", b"J" + struct.pack("<i", size) + b"t")

    path = tmp_path / "bomb.pt"
    path.write_bytes(rezipped(saved({"w": torch.ones(3)}), enlarge))
    refused(path, CorruptWeightsError, "torch cannot read it")


def test_a_legacy_storage_that_the_file_does_not_hold(tmp_path: Path) -> None:
    data = saved({"w": torch.ones(3)}, _use_new_zipfile_serialization=False)
    # the pickle claims 2^27 numbers (0.5 GiB), and the list of storages that follow is empty
    start = data.index(b"K\x03Ntq")
    data = data[:start] + b"J" + struct.pack("<i", 1 << 27) + data[start + 2 :]
    end = data.index(b"]q\x00", start)
    path = tmp_path / "bomb.pt"
    path.write_bytes(data[:end] + b"].")
    refused(path, UnsafeWeightsError, r"its tensors claim 536,870,912 bytes, the file has \d+")


def test_a_list_of_tensors_too_large_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "MAX_PICKLE_BYTES", 1 << 20)
    path = tmp_path / "bomb.pt"
    path.write_bytes(saved({"w": torch.ones(1), "text": "a" * (1 << 20)}))
    refused(path, UnsafeWeightsError, "its list of tensors is larger than 1 MiB")


def test_a_million_empty_lists(tmp_path: Path) -> None:
    code = b"\x80\x02(" + b"]" * 1_200_000 + b"t."
    path = tmp_path / "bomb.pt"
    path.write_bytes(rezipped(saved({}), lambda name, old: code if name.endswith("data.pkl") else old))
    refused(path, UnsafeWeightsError, "over 1,000,000 instructions")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "raw"])
def test_a_key_whose_hash_never_ends(tmp_path: Path, zipped: bool) -> None:
    code = b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s."
    data = rezipped(saved({}), lambda name, old: code if name.endswith("data.pkl") else old) if zipped else code
    path = tmp_path / "bomb.pt"
    path.write_bytes(data)
    refused(path, UnsafeWeightsError, "tuple of more than 10,000 values")


def test_safetensors_with_60_000_empty_tensors(tmp_path: Path) -> None:
    path = tmp_path / "bomb.safetensors"
    empty = json.dumps(entry(shape=(0,), offsets=(0, 0)))
    path.write_bytes(header("{" + ",".join(f'"k{number}":{empty}' for number in range(60_000)) + "}"))
    refused(path, UnsafeWeightsError, "lists more than 50,000 tensors")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with path.open("wb") as file:
        file.truncate(20 << 30)  # sparse
    refused(path, WeightsError, r"wants at most 8,589,934,592 bytes, got 21,474,836,480; max_bytes allows more")
    path.write_bytes(saved({"w": torch.ones(1000)}))
    with pytest.raises(WeightsError, match="wants at most 1,000 bytes"):
        read_weights(path, max_bytes=1000)
    assert read_weights(path, max_bytes=path.stat().st_size).tensors["w"].shape == (1000,)


def test_npz_and_other_zips(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, w=np.zeros(8 << 20, np.float64))
    refused(path, CorruptWeightsError, r"a zip file, but none that torch\.save wrote \(no data\.pkl")


def test_a_wrong_size_costs_no_memory(tmp_path: Path) -> None:
    """Every shape is compared before anything is copied, so 64 GiB of claimed weights end as a line of text."""
    big = torch.ones(1).expand(1 << 20, 1 << 14)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MismatchedWeightsError, match=r"'weight' is 1048576 × 16384, wanted 1 × 2"):
        load_weights(nn.Linear(2, 1), {"weight": big, "bias": torch.ones(1)})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "kB; Linux counts this way"


# ------------------------------------------------------------------------------------------------ two readers, one zip


def test_torch_reads_only_what_was_checked(tmp_path: Path) -> None:
    """A second archive in front: Python's reader sees the last directory, others may follow absolute offsets."""
    harmless, other = saved({"w": torch.ones(2)}), saved({"w": torch.full((2,), 666.0)})
    path = tmp_path / "w.pt"
    path.write_bytes(other + harmless)
    assert read_weights(path).tensors["w"].tolist() == [1, 1]


def test_a_member_named_twice(tmp_path: Path) -> None:
    buffer = io.BytesIO(saved({"w": torch.ones(1)}))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(tmp_path / "it_ran"), 2))
    path = tmp_path / "w.pt"
    path.write_bytes(buffer.getvalue())
    refused(path, CorruptWeightsError, "names a member twice")


def test_two_archives_in_one(tmp_path: Path) -> None:
    buffer = io.BytesIO(saved({"w": torch.ones(1)}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("other/data.pkl", pickle.dumps(Evil(tmp_path / "it_ran"), 2))
    path = tmp_path / "w.pt"
    path.write_bytes(buffer.getvalue())
    refused(path, CorruptWeightsError, "more than one folder")


# -------------------------------------------------------------------------------------------------------- tensor tricks


def test_attributes_hung_on_a_parameter_are_gone(tmp_path: Path) -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.detach = parameter.numel = "not a method"  # type: ignore[method-assign,assignment]
    path = tmp_path / "w.pt"
    path.write_bytes(saved({"w": parameter}))
    found = read_weights(path).tensors["w"]
    assert vars(found) == {}
    assert found.numel() == 2


@pytest.mark.parametrize("kind", ["sparse", "meta", "quantized", "nested"])
@pytest.mark.filterwarnings("ignore")  # torch warns of prototypes and deprecations while we make these
def test_tensors_that_are_no_plain_arrays(tmp_path: Path, kind: str) -> None:
    tensor = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "meta": lambda: torch.empty(1 << 40, device="meta"),
        "quantized": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }[kind]()
    path = tmp_path / "w.pt"
    path.write_bytes(saved({"w": tensor}))
    refused(path, UnsafeWeightsError, r"asks Python for torch\.|is not a plain tensor")


def test_names_that_would_move_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\n\u202eevil.pt"
    path.write_bytes(saved({"w": torch.ones(1).expand(9)}))
    refused(path, UnsafeWeightsError, r"\\x1b\[2J\\n\\u202eevil\.pt")
    path.write_bytes(saved({"\x1b[2J\n" + "a" * 1000: torch.ones(1).expand(9)}))
    refused(path, UnsafeWeightsError, r"'\\x1b\[2J\\naaa")
    path.write_bytes(saved({"\x1b[2J\n" + "a" * 1000: torch.ones(9)}))
    with pytest.raises(MismatchedWeightsError) as caught:
        load_weights(nn.Linear(2, 1), read_weights(path))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not UTF-8")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.pt"))
    path.write_bytes(b"")
    refused(path, CorruptWeightsError, r"caf\\udce9\.pt: the file is empty").encode()


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
from photosite.nets.weight_files import read_weights
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
