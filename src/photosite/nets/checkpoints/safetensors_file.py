"""Safetensors out of a buffer: every tensor lies in it, and nothing is copied.

The format is so small that it is read here: the library's reader of bytes copies them, and its reader of files maps
them, so that whoever changes the file later changes the weights. The tests hold both to the same verdict.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
"""By the format's names."""
MOST_AXES = 32


def tensors_in(buffer: Tensor) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the texts of a safetensors file.

    Args:
        buffer: all of its bytes, (n,) uint8; at least 8, which give the length of the header.
    Returns:
        Name to tensor, in the buffer's memory wherever their place allows it; and the metadata. To autograd they are
        tensors of their own, so that one can be written to without the others counting as changed.
    Raises:
        ValueError: it is not valid, in words.
    Source: the format's own page, github.com/huggingface/safetensors.
    """
    size = int.from_bytes(bytes(buffer[:8].numpy()), "little")
    header = json.loads(bytes(buffer[8 : 8 + size].numpy()).decode(), object_pairs_hook=_once, parse_constant=_refused)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not texts")
    data = buffer[8 + size :]
    entries = sorted(((*_entry(name, entry), name) for name, entry in header.items()), key=lambda entry: entry[:2])
    end = 0
    found: dict[str, Tensor] = {}
    for start, stop, dtype, shape, name in entries:
        if start != end:
            raise ValueError(f"the bytes of {name!r:.80} start at {start:,}, those before it end at {end:,}")
        end = stop
        if end > len(data):
            raise ValueError(f"the bytes of {name!r:.80} end at {end:,}, there are {len(data):,}")
        found[name] = _view(data, start, stop, dtype, shape)
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes belong to no tensor")
    return {name: found[name] for name in header}, metadata


def _entry(name: str, entry: Any) -> tuple[int, int, torch.dtype, list[int]]:
    """Read what the header says of a tensor: where its bytes are, dtype and shape, which must agree."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r:.80} wants dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in tuple(DTYPES):
        raise ValueError(f"the dtype of {name!r:.80} is {str(dtype)[:20]!r}, which torch lacks")
    if not _counts(shape) or len(shape) > MOST_AXES or not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"the shape or the place of {name!r:.80} is no list of whole numbers")
    start, stop = offsets
    if math.prod(shape) * DTYPES[dtype].itemsize != stop - start:
        raise ValueError(f"{name!r:.80} has {stop - start:,} bytes, its shape wants {math.prod(shape):,} numbers")
    return start, stop, DTYPES[dtype], shape


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 63 for one in value)


def _view(data: Tensor, start: int, stop: int, dtype: torch.dtype, shape: list[int]) -> Tensor:
    if start == stop:
        return torch.empty(shape, dtype=dtype)
    part = torch.from_numpy(data.numpy()[start:stop])
    if part.data_ptr() % dtype.itemsize:
        part = part.clone()  # its place does not allow a view
    return part.view(dtype).reshape(shape)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a JSON object that has a name twice: of two such tensors every reader could take another."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
