"""How hostile weights are made, and what every refusal is held to."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from photosite.errors import WeightsError
from photosite.nets.checkpoints.weight_files import read_weights


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
