"""Reading weights in each form that real ones come in, and writing them whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import event, example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.errors import CorruptWeightsError, WeightsError
from photosite.nets.checkpoints import weight_files
from photosite.nets.checkpoints.safetensors_file import tensors_in
from photosite.nets.checkpoints.weight_files import read_weights, save_weights


def tensors() -> dict[str, Tensor]:
    return {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.tensor([1.0, -1.0])}


def torch_file(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def assert_same(found: Any, wanted: dict[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w"])
def test_content_decides_not_the_name(tmp_path: Path, name: str, legacy: bool) -> None:
    path = torch_file(tmp_path / name, tensors(), _use_new_zipfile_serialization=not legacy)
    read = read_weights(path)
    assert read.format == "torch"
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.path == path
    assert read.notes == ()
    assert_same(read.tensors, tensors())


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_safetensors_with_metadata(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(safetensors.torch.save(tensors(), {"made by": "hand"}))
    read = read_weights(path)
    assert read.format == "safetensors"
    assert read.metadata == {"made by": "hand"}
    assert {key: value.tolist() for key, value in read.tensors.items()} == {k: v.tolist() for k, v in tensors().items()}


def test_every_dtype_comes_back(tmp_path: Path) -> None:
    dtypes = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)
    wanted = {str(dtype): torch.ones(3, dtype=dtype) for dtype in dtypes}
    for legacy in (False, True):
        path = torch_file(tmp_path / "w.pt", wanted, _use_new_zipfile_serialization=not legacy)
        assert_same(read_weights(path).tensors, wanted)


def test_tied_weights_and_parameters_and_views(tmp_path: Path) -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    wanted = {
        "a": nn.Parameter(shared),
        "b": shared,
        "c": shared[1],
        "d": shared.T,
        "e": torch.tensor(3.0),
        "f": torch.empty(0),
    }
    read = read_weights(torch_file(tmp_path / "w.pt", wanted))
    assert_same(read.tensors, {key: value.detach() for key, value in wanted.items()})
    assert all(type(value) is Tensor and not value.requires_grad for value in read.tensors.values())


def test_a_file_saved_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = torch_file(tmp_path / "w.pt", tensors())
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same(read_weights(path).tensors, tensors())


@pytest.mark.parametrize("wrapper", weight_files.WRAPPERS)
def test_wrappers_are_opened_and_named(tmp_path: Path, wrapper: str) -> None:
    content = {"epoch": 7, wrapper: tensors(), "optimizer": {"state": {}}, "best_acc1": torch.tensor(0.5)}
    read = read_weights(torch_file(tmp_path / "w.pt", content))
    assert_same(read.tensors, tensors())
    assert read.notes == (f"tensors taken from '{wrapper}', left out 'epoch', 'optimizer', 'best_acc1'",)
    assert read.metadata == {"epoch": "7"}


def test_of_weights_and_their_average_the_weights_are_taken(tmp_path: Path) -> None:
    average = {key: value + 1 for key, value in tensors().items()}
    read = read_weights(torch_file(tmp_path / "w.pt", {"state_dict_ema": average, "state_dict": tensors()}))
    assert_same(read.tensors, tensors())
    assert "left out 'state_dict_ema'" in read.notes[0]


def test_a_wrapper_in_a_wrapper(tmp_path: Path) -> None:
    read = read_weights(torch_file(tmp_path / "w.pt", {"model": {"state_dict": tensors()}}))
    assert_same(read.tensors, tensors())
    assert len(read.notes) == 2


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_a_prefix_that_all_have_goes(tmp_path: Path, prefix: str) -> None:
    read = read_weights(torch_file(tmp_path / "w.pt", {prefix + key: value for key, value in tensors().items()}))
    assert_same(read.tensors, tensors())
    assert len(read.notes) == prefix.count(".")
    assert "taken off every key" in read.notes[0]


def test_a_prefix_that_only_some_have_stays(tmp_path: Path) -> None:
    some = {"module.fc.weight": torch.ones(1), "fc.bias": torch.ones(1)}
    assert list(read_weights(torch_file(tmp_path / "w.pt", some)).tensors) == list(some)


def test_what_is_no_tensor_is_left_out_and_named(tmp_path: Path) -> None:
    read = read_weights(torch_file(tmp_path / "w.pt", {**tensors(), "note": "hello", 3: torch.ones(1)}))
    assert_same(read.tensors, tensors())
    assert read.notes == ("2 entries are not tensors and were left out: 'note', int",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(1)], "wants a dict of named tensors, got list"),
        (torch.ones(1), "wants a dict of named tensors, got Tensor"),
        ({"epoch": 3}, "holds no named tensors, only 'epoch'"),
        ({}, "holds no named tensors, only nothing"),
    ],
)
def test_torch_files_without_a_state_dict(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(CorruptWeightsError, match=words):
        read_weights(torch_file(tmp_path / "w.pt", content))


def test_a_wanted_hash_is_held(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "w.pt", tensors())
    digest = read_weights(path).sha256
    assert read_weights(path, sha256=digest.upper()).sha256 == digest
    with pytest.raises(
        CorruptWeightsError, match=rf"wanted sha256 {'0' * 64}, got {digest} \([\d,]+ bytes\).*fetch it again"
    ):
        read_weights(path, sha256="0" * 64)


def test_the_real_checkpoint_reads_without_a_gpu(shared_data: Path) -> None:
    path = shared_data / "weights" / "cifar10-resnet20.th"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the real data")
    read = read_weights(path)
    assert read.format == "torch"
    assert {value.device.type for value in read.tensors.values()} == {"cpu"}
    parameters = [value for key, value in read.tensors.items() if "running" not in key]
    # 0.27 M in the paper; by hand: stem 432 + 32, stages 14,016 + 51,072 + 203,520 (shortcut A adds none), linear 650
    assert sum(value.numel() for value in parameters) == 269_722
    assert "prefix 'module.' taken off every key" in read.notes
    assert any(note.startswith("tensors taken from 'state_dict'") for note in read.notes)
    assert read.tensors["linear.weight"].shape == (10, 64)


def test_saved_weights_read_back_in_peer_and_here(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    digest = save_weights(path, {"a": torch.ones(2, 3).T, "b": nn.Parameter(torch.ones(1))}, {"é": "ü", "a": "b"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    peer = safetensors.torch.load_file(path)
    assert peer["a"].tolist() == [[1, 1]] * 3
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"é": "ü", "a": "b", "format": "pt"}
    assert read_weights(path).metadata == {"a": "b", "format": "pt", "é": "ü"}
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_tied_tensors_save(tmp_path: Path) -> None:
    shared = torch.arange(4.0)
    save_weights(tmp_path / "w", {"a": shared, "b": shared[1:], "c": shared.expand(2, 4)})
    assert read_weights(tmp_path / "w").tensors["c"].tolist() == [[0, 1, 2, 3]] * 2


def test_same_weights_same_bytes_in_another_process(tmp_path: Path) -> None:
    code = (
        "import torch, sys; from photosite.nets.checkpoints.weight_files import save_weights;"
        "print(save_weights(sys.argv[1], {'w': torch.ones(3)}, {c: c for c in 'abcdefghij'}))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b")], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert save_weights(tmp_path / "a", {"w": torch.ones(3)}, {c: c for c in "jihgfedcba"}) == other


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_mode_is_what_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        save_weights(tmp_path / "w", tensors())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("fails", ["fsync", "rename"])
def test_a_full_disk_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, tensors())
    before = path.read_bytes()

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    if fails == "fsync":
        monkeypatch.setattr(weight_files.os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WeightsError, match=r"save_weights: .*w\.safetensors: cannot write: No space left on device"):
        save_weights(path, {"other": torch.ones(100)})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


def test_saving_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot write: No such file"):
        save_weights(tmp_path / "no" / "w", tensors())


def test_saving_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="metadata of texts"):
        save_weights(tmp_path / "w", tensors(), {"epochs": 3})  # type: ignore[dict-item]
    with pytest.raises(WeightsError, match="named tensors"):
        save_weights(tmp_path / "w", {"a": 3})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_read_once(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(tensors(), buffer)
    path = tmp_path / "w.pt"
    path.write_bytes(buffer.getvalue())
    read = read_weights(path)
    path.write_bytes(b"changed afterwards")
    assert_same(read.tensors, tensors())  # nothing is mapped from the file


@pytest.mark.parametrize("extra", range(0, 264, 8))
def test_safetensors_of_every_header_length_are_safetensors(tmp_path: Path, extra: int) -> None:
    """One header in 32 has a length whose lowest byte is 0x80, as a pickle's first one."""
    save_weights(tmp_path / "w.safetensors", {"a": torch.ones(2)}, {"pad": "x" * extra})
    read = read_weights(tmp_path / "w.safetensors")
    assert read.format == "safetensors"
    assert read.tensors["a"].tolist() == [1, 1]


HEADERS = st.one_of(
    st.fixed_dictionaries(
        {
            "a": st.fixed_dictionaries(
                {
                    "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "U8", "F4", "NO", "C64"]),
                    "shape": st.lists(st.integers(0, 4) | st.sampled_from([-1, 2**62, 2**63, True, 1.0]), max_size=3),
                    "data_offsets": st.lists(st.integers(0, 40) | st.just(-1), min_size=2, max_size=2),
                }
            )
        },
        optional={
            "b": st.fixed_dictionaries(
                {
                    "dtype": st.just("F32"),
                    "shape": st.just([1]),
                    "data_offsets": st.sampled_from([[0, 4], [4, 8], [8, 12]]),
                }
            ),
            "__metadata__": st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=2),
        },
    ),
    st.recursive(st.none() | st.text(max_size=4), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)


@given(header=HEADERS, size=st.integers(0, 48), spaces=st.integers(0, 8))
@example(header={"a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}}, size=8, spaces=0)
def test_the_verdict_on_safetensors_is_the_librarys(header: Any, size: int, spaces: int) -> None:
    text = json.dumps(header).encode() + b" " * spaces
    data = len(text).to_bytes(8, "little") + text + bytes(range(size))
    try:
        wanted = safetensors.torch.load(data)
    except Exception as error:
        wanted = error
    buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    if isinstance(wanted, Exception):
        with pytest.raises((ValueError, RecursionError)) as caught:
            tensors_in(buffer)
        event(f"refused: {str(caught.value).split(' ')[0]}")
        return
    found, _ = tensors_in(buffer)
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0, equal_nan=True)


def test_tensors_of_one_file_count_their_changes_each_for_itself(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", {"a": torch.ones(2), "b": torch.ones(2)})
    tensors = read_weights(tmp_path / "w.safetensors").tensors
    before = tensors["b"]._version
    tensors["a"].add_(1)
    assert tensors["b"]._version == before
    assert tensors["b"].tolist() == [1, 1]
