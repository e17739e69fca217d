"""Weights from strangers: nothing in a file runs, nothing small becomes huge, and each refusal is one clear line."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from photosite.errors import CorruptWeightsError, MismatchedWeightsError, UnsafeWeightsError, WeightsError
from photosite.nets.checkpoints import weight_files
from photosite.nets.checkpoints.weight_files import read_weights
from photosite.nets.checkpoints.weights import load_weights
from tests.security.weights_cases import Evil, OwnNet, entry, header, refused, rezipped, saved

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
