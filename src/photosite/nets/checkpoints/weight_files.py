"""Weights files: read from strangers without running their code, written whole or not at all.

A file is read once, so the bytes that were hashed are the bytes that are used; its content decides what it is, not its
name. Knows nothing of models: `weights` compares and copies.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import safetensors.torch
import torch
from torch import Tensor

from photosite.errors import CorruptWeightsError, UnsafeWeightsError, WeightsError
from photosite.files import write_whole
from photosite.nets.checkpoints.keymaps import PREFIXES
from photosite.nets.checkpoints.pickle_scan import check_pickle
from photosite.nets.checkpoints.safetensors_file import tensors_in

MAX_FILE_BYTES = 8 << 30
"""Files above are refused unless the caller allows more: no vision tower of today is larger."""

MAX_TENSORS = 50_000
"""A safetensors header of 200,000 empty tensors takes seconds to read; real ones have a few thousand."""

MAX_PICKLE_BYTES = 16 << 20
"""Of the list of tensors inside a torch file, which takes about 200 bytes a tensor."""

WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network", "model_ema", "state_dict_ema")
"""Where training scripts put the tensors inside a checkpoint; the first that is there is taken."""

_AT_ONCE = 4 << 20
_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_LEGACY_PICKLES = 5  # magic number, protocol, system, the tensors, the names of the storages that follow


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors of one file, and where they came from.

    Attributes:
        tensors: name to tensor, on the CPU, in the file's own dtypes.
        sha256: of the whole file, in hexadecimal.
        format: what the content was.
        path: the file.
        metadata: what the file says of itself: a safetensors header's texts; a training checkpoint's plain values.
        notes: what a person should know of the reading: wrappers opened, prefixes and entries left out.
    """

    tensors: Mapping[str, Tensor] = field(repr=False)
    sha256: str
    format: Literal["safetensors", "torch"]
    path: Path
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_weights(path: str | os.PathLike[str], *, max_bytes: int | None = None, sha256: str | None = None) -> Weights:
    """Read a weights file that may come from anyone; nothing in it can run.

    Args:
        path: safetensors, or what `torch.save` wrote: a state dict, plain or inside a training checkpoint, in the zip
            format or the older one, saved on any device. The content decides, not the ending.
        max_bytes: largest file to read; `MAX_FILE_BYTES` if not given. Twice the model's own size is a good bound.
        sha256: what the file must hash to, where it is known.

    Raises:
        CorruptWeightsError: not a regular file, empty, damaged, cut short, not weights, or not the file wanted.
        UnsafeWeightsError: it would run code, is a whole model, or unpacks into more than it is.
        WeightsError: there is no such file, it may not be read, or it is larger than `max_bytes`.

    Matches: `torch.load(path, map_location="cpu", weights_only=True)` and `safetensors.torch.load_file(path)`.
    """
    path = Path(path)
    source = _printable(str(path))
    buffer, digest = _read_whole(path, source, MAX_FILE_BYTES if max_bytes is None else max_bytes)
    size, start = len(buffer), bytes(buffer[:512].numpy())
    if sha256 is not None and digest != sha256.lower():
        raise CorruptWeightsError(
            f"{source}: wanted sha256 {sha256}, got {digest} ({size:,} bytes); "
            "the download is incomplete or the file is another one: fetch it again"
        )
    if start.startswith(b"PK\x03\x04"):
        stream = _checked_zip(bytes(buffer.numpy()), source, digest)
    elif start.startswith(b"\x80") and start[8:9] != b"{":  # else the length of a safetensors header that ends in 0x80
        stream = _checked_legacy(bytes(buffer.numpy()), source)
    else:
        tensors, metadata = _read_safetensors(buffer, start, source)
        tensors, prefix_notes = _without_prefixes(tensors)
        return Weights(tensors, digest, "safetensors", path, metadata, tuple(prefix_notes))
    del buffer  # the checked copy is enough
    root = _load_torch(stream, source)
    tensors, metadata, notes = _state_dict(root, source)
    _check_storages(tensors, size, source)
    tensors, prefix_notes = _without_prefixes(tensors)
    return Weights(tensors, digest, "torch", path, metadata, (*notes, *prefix_notes))


def save_weights(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> str:
    """Write tensors as safetensors: beside the final name first, so that no half of a file ever has that name.

    The same tensors and metadata give the same bytes.

    Args:
        path: the file to make or replace.
        tensors: name to tensor, on any device.
        metadata: texts to keep in the header.

    Returns:
        The sha256 of the file, in hexadecimal.

    Raises:
        WeightsError: it cannot be written (the disk is full, say), or something given is not a text or a tensor.
    """
    path = Path(path)
    source = _printable(str(path))
    try:
        plain = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
        }
        data = safetensors.torch.save(plain, {"format": "pt", **(metadata or {})})
    except Exception as error:
        raise WeightsError(
            f"save_weights: {source}: wants named tensors and metadata of texts; {_reason(error)}"
        ) from error
    # safetensors keeps metadata in a table without order, so the same call would give other bytes each time
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors start on a multiple of 8 bytes
    data = len(text).to_bytes(8, "little") + text + data[8 + size :]
    try:
        write_whole(path, data)
    except OSError as error:
        raise WeightsError(f"save_weights: {source}: cannot write: {error.strerror or error}") from error
    return hashlib.sha256(data).hexdigest()


def _read_whole(path: Path, source: str, max_bytes: int) -> tuple[Tensor, str]:
    """Read a regular file whole, and hash it on the way: (n,) uint8, and the sha256 in hexadecimal.

    A FIFO would hang the open, so it is looked at first, and not waited for.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CorruptWeightsError(f"{source}: wants a weights file, got {_kind(path.stat().st_mode)}")
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 (flags that Path.open does not take)
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CorruptWeightsError(f"{source}: wants a weights file, got {_kind(status.st_mode)}")
            if status.st_size > max_bytes:
                raise WeightsError(
                    f"{source}: wants at most {max_bytes:,} bytes, got {status.st_size:,}; max_bytes allows more"
                )
            buffer, digest = _read_and_hash(file, status.st_size)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{source}: cannot read: {getattr(error, 'strerror', None) or error}") from error
    if not len(buffer):
        raise CorruptWeightsError(f"{source}: the file is empty; fetch it again")
    return buffer, digest


def _read_and_hash(file: BinaryIO, size: int) -> tuple[Tensor, str]:
    """Read so many bytes, those that are there; one thread hashes what the other has read."""
    buffer = torch.empty(size, dtype=torch.uint8)
    view: Any = memoryview(buffer.numpy())  # type: ignore[arg-type]
    digest, at = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as hashing:
        while at < size and (count := file.readinto(view[at : at + _AT_ONCE])):  # type: ignore[attr-defined]
            hashing.submit(digest.update, view[at : at + count])
            at += count
    return buffer[:at], digest.hexdigest()


def _kind(mode: int) -> str:
    return {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO"}.get(stat.S_IFMT(mode), "a device or socket")


def _read_safetensors(buffer: Tensor, head: bytes, source: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read safetensors; here also ends what is no weights file at all, with a word on what it looks like."""
    start, length = head.lstrip().lower(), len(buffer)
    if start.startswith(b"version https://git-lfs"):
        raise CorruptWeightsError(f"{source}: a git-lfs pointer, not the weights themselves; run git lfs pull")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        raise CorruptWeightsError(f"{source}: a web page, not weights; the download link asked for something first")
    size = int.from_bytes(head[:8], "little")
    if length < 10 or head[8:9] != b"{":
        raise CorruptWeightsError(
            f"{source}: not a weights file; wants safetensors or what torch.save wrote, got {length:,} bytes "
            f"that start with {head[:16]!r}"
        )
    if size > length - 8:
        raise CorruptWeightsError(
            f"{source}: cut short, or not safetensors: its header wants {size:,} bytes, the file has {length:,}"
        )
    if bytes(buffer[8 : 8 + size].numpy()).count(b"{") > MAX_TENSORS:
        raise UnsafeWeightsError(
            f"{source}: its header lists more than {MAX_TENSORS:,} tensors, far more than weights need"
        )
    try:
        tensors, metadata = tensors_in(buffer)
    except (ValueError, RecursionError) as error:  # text that is no JSON, or no UTF-8, is a ValueError too
        raise CorruptWeightsError(f"{source}: not valid safetensors: {_reason(error)}") from error
    if not tensors:
        raise CorruptWeightsError(f"{source}: safetensors without a single tensor")
    return tensors, metadata


def _checked_zip(data: bytes, source: str, digest: str) -> io.BytesIO:
    """Check what torch.save's zip holds, and write the checked members into a plain zip of our own.

    Two readers of zip files can see different members in the same bytes; torch gets to read only what was checked.
    """
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as plain:
            members = archive.infolist()
            _check_members(members, len(data), source)
            for member in members:
                top, _, name = member.filename.partition("/")
                content = _stored(archive, data, member)
                if name == "data.pkl":
                    check_pickle(io.BytesIO(content), source)
                if name not in (".format_version", ".storage_alignment"):  # true of the original's layout only
                    plain.writestr(f"{top}/{name}", content)
    except WeightsError:
        raise
    except Exception as error:
        raise CorruptWeightsError(
            f"{source}: damaged or cut short: {_reason(error)}; {len(data):,} bytes, sha256 {digest}; fetch it again"
        ) from error
    copy.seek(0)
    return copy


def _check_members(members: list[zipfile.ZipInfo], size: int, source: str) -> None:
    names = [member.filename for member in members]
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner:
        raise UnsafeWeightsError(
            f"{source}: a TorchScript archive, which holds a program; where it was made, save model.state_dict() "
            "with torch.save or as safetensors, and load that"
        )
    if "data.pkl" not in inner:
        raise CorruptWeightsError(f"{source}: a zip file, but none that torch.save wrote (no data.pkl in it)")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise UnsafeWeightsError(
            f"{source}: has compressed members, which torch.save never writes and which can unpack into anything; "
            "save it again with torch.save"
        )
    if sum(member.file_size for member in members) > size:
        raise UnsafeWeightsError(f"{source}: its members claim more bytes than the file's {size:,}")
    if len(set(names)) < len(names) or len({name.partition("/")[0] for name in names}) > 1:
        raise CorruptWeightsError(f"{source}: its zip directory names a member twice, or more than one folder")
    if any(member.file_size > MAX_PICKLE_BYTES for member in members if member.filename.endswith("/data.pkl")):
        raise UnsafeWeightsError(f"{source}: its list of tensors is larger than {MAX_PICKLE_BYTES >> 20} MiB")


def _stored(archive: zipfile.ZipFile, data: bytes, member: zipfile.ZipInfo) -> bytes:
    """Get a member's bytes and check their checksum, unless torch was told to leave checksums out and wrote 0."""
    if member.CRC:
        return archive.read(member)
    header = data[member.header_offset : member.header_offset + 30]
    start = (
        member.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    )
    return data[start : start + member.file_size]


def _checked_legacy(data: bytes, source: str) -> io.BytesIO:
    """Check the pickles of torch's older format; a pickle that is not torch's ends here."""
    stream = io.BytesIO(data)
    ours = data.startswith(_LEGACY_MAGIC)
    for _ in range(_LEGACY_PICKLES if ours else 1):
        check_pickle(stream, source)
    if not ours:
        raise CorruptWeightsError(f"{source}: a Python pickle, but none that torch.save wrote; save it as safetensors")
    stream.seek(0)
    return stream


def _load_torch(stream: io.BytesIO, source: str) -> Any:
    """Let torch rebuild the tensors, in the mode that runs no code, whatever the environment says."""
    try:
        return torch.load(stream, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:
        reason = _reason(error)
        if isinstance(error, MemoryError) or "allocate" in reason:
            raise UnsafeWeightsError(f"{source}: claims tensors far larger than the file") from None
        # torch's own text recommends switching the safety off, so it is not passed on
        text = "it holds something else than tensors and plain values" if "weights_only" in reason else reason
        raise CorruptWeightsError(f"{source}: torch cannot read it: {text}") from None


def _state_dict(root: Any, source: str) -> tuple[dict[str, Tensor], dict[str, str], list[str]]:
    """Find the tensors in what a torch file held, opening the wrappers that training scripts use."""
    notes: list[str] = []
    metadata: dict[str, str] = {}
    if not isinstance(root, Mapping):
        raise CorruptWeightsError(
            f"{source}: wants a dict of named tensors, got {type(root).__name__}; save model.state_dict()"
        )
    for _ in range(3):  # a checkpoint in a checkpoint is seen, more is not
        found = [name for name in WRAPPERS if _holds_tensors(root.get(name))]
        if not found:
            break
        others = [key for key in root if key != found[0]]
        metadata |= {
            _printable(str(key)): str(root[key])[:200] for key in others if isinstance(root[key], (str, int, float))
        }
        notes.append(f"tensors taken from {found[0]!r}" + (f", left out {_names(others)}" if others else ""))
        root = root[found[0]]
    tensors = {key: value for key, value in root.items() if isinstance(key, str) and isinstance(value, Tensor)}
    left_out = [key for key in root if not (isinstance(key, str) and key in tensors)]
    if not tensors:
        raise CorruptWeightsError(f"{source}: holds no named tensors, only {_names(left_out)}; save model.state_dict()")
    if left_out:
        notes.append(f"{len(left_out)} entries are not tensors and were left out: {_names(left_out)}")
    # the plain tensor of each: a pickle may hang attributes on tensors and parameters, even some named as methods
    return {key: Tensor.detach(value) for key, value in tensors.items()}, metadata, notes


def _holds_tensors(value: Any, depth: int = 2) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(item, Tensor) or (depth > 1 and _holds_tensors(item, depth - 1)) for item in value.values()
    )


def _check_storages(tensors: Mapping[str, Tensor], size: int, source: str) -> None:
    """Refuse tensors that are larger than the bytes behind them: 1.6 kB can claim 64 GiB with strides of 0."""
    behind: dict[int, int] = {}
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized or tensor.is_nested:
            raise UnsafeWeightsError(
                f"{source}: {key!r:.80} is not a plain tensor (layout {tensor.layout}, {tensor.device})"
            )
        storage = tensor.untyped_storage()
        claimed = tensor.numel() * tensor.itemsize
        if claimed > storage.nbytes():
            raise UnsafeWeightsError(
                f"{source}: {key!r:.80} claims {claimed:,} bytes and has {storage.nbytes():,}; "
                "save it again with .contiguous()"
            )
        behind[storage.data_ptr()] = storage.nbytes()
    if sum(behind.values()) > size:
        raise UnsafeWeightsError(f"{source}: its tensors claim {sum(behind.values()):,} bytes, the file has {size:,}")


def _without_prefixes(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Take off a prefix that every key has."""
    notes: list[str] = []
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) and key != p for key in tensors)), None):
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
        notes.append(f"prefix {prefix!r} taken off every key")
    return tensors, notes


def _printable(text: str) -> str:
    """Escape what could move a terminal's cursor or break a line, and bytes that are not UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _names(keys: list[Any]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return (
        ", ".join(f"{key!r:.40}" if isinstance(key, str) else type(key).__name__ for key in keys[:5]) or "nothing"
    ) + more


def _reason(error: Exception) -> str:
    """The first line of another library's message, short enough to stand in ours."""
    lines = str(error).splitlines()
    return _printable(lines[0][:200]) if lines else type(error).__name__
