"""What page and library say to each other: numbers as text, arrays as the bytes that they are.

A message is one JSON object, and behind it the arrays, each beginning at a multiple of 8 bytes:

    4 bytes   length of the JSON, little-endian
    n bytes   {"data": …, "arrays": [{"name", "dtype", "shape", "offset", "bytes"}, …]}
    …         zeros up to a multiple of 8, from where offsets are counted; the array, zeros, the next one, …

Knows no socket.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from photosite.errors import RangeError

MEDIA_TYPE = "application/x-photosite"
DTYPES = ("uint8", "int32", "float32", "float64")
"""What a page has typed arrays for."""


@dataclass(frozen=True)
class Question:
    """What a page asks.

    Attributes:
        name: of what is asked, as `pixels` or `photo`.
        query: everything that is chosen, as text.
        body: bytes of a picture that was brought along; else empty.
        check: raises `Cancelled` where nobody waits for the answer any more; to be called now and then.
        tell: says how much is done, of how much; to be called now and then where an answer takes seconds.
    """

    name: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    check: Callable[[], None] = lambda: None
    tell: Callable[[int, int], None] = lambda done, of: None

    def text(self, key: str, default: str | None = None) -> str:
        """What was chosen for a key.

        Raises:
            RangeError: nothing was, and there is no default.
        """
        found = self.query.get(key, default)
        if found is None:
            raise RangeError(f"{self.name}: wants {key}=…")
        return found

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number.

        Raises:
            RangeError: none, or one outside of low … high.
        """
        text = self.text(key, None if default is None else str(default))
        try:
            found = int(text)
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            raise RangeError(f"{self.name}: {key} wants a whole number {low} … {high}, got {text[:40]!r}")
        return found

    def pair(self, key: str, low: int, high: int, default: int) -> tuple[int, int]:
        """Two whole numbers, for rows and columns: 2x1, or 2 for both.

        Raises:
            RangeError: none, or one outside of low … high.

        >>> Question("", {"stride": "2x1"}).pair("stride", 1, 9, 1), Question("").pair("stride", 1, 9, 3)
        ((2, 1), (3, 3))
        """
        text = self.text(key, str(default))
        words = text.split("x") if text.count("x") == 1 else [text, text]
        try:
            down, across = (int(word) for word in words)
        except ValueError:
            down = across = low - 1
        if not (low <= down <= high and low <= across <= high):
            raise RangeError(
                f"{self.name}: {key} wants a whole number {low} … {high}, or two such as 2x1, got {text[:40]!r}"
            )
        return down, across

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number.

        Raises:
            RangeError: none, or one outside of low … high.
        """
        text = self.text(key, None if default is None else str(default))
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not low <= found <= high:  # false for NaN
            raise RangeError(f"{self.name}: {key} wants a number {low:g} … {high:g}, got {text[:40]!r}")
        return found

    def choice(self, key: str, among: tuple[str, ...], default: str | None = None) -> str:
        """One of some words.

        Raises:
            RangeError: none of them.
        """
        found = self.text(key, default)
        if found not in among:
            raise RangeError(f"{self.name}: {key} wants one of {', '.join(among)}, got {found[:40]!r}")
        return found


@dataclass(frozen=True)
class Answer:
    """What the page gets.

    Attributes:
        status: as in HTTP.
        media_type: of the body.
        body: its bytes.
    """

    status: int
    media_type: str
    body: bytes


def pack(data: Any, arrays: Mapping[str, npt.NDArray[Any]] | None = None) -> Answer:
    """Write a message.

    Args:
        data: anything that JSON holds; what is not finite becomes null.
        arrays: by name, of one of `DTYPES`.
    Raises:
        RangeError: an array of another type.

    >>> unpack(pack({"k": 3}, {"x": np.arange(3, dtype=np.int32)}).body)
    ({'k': 3}, {'x': array([0, 1, 2], dtype=int32)})
    """
    listed: list[dict[str, Any]] = []
    parts: list[bytes] = []
    offset = 0
    for name, given in (arrays or {}).items():
        array = np.ascontiguousarray(given)
        if array.dtype.name not in DTYPES:
            raise RangeError(f"message: {name} is {array.dtype.name}; a page takes {', '.join(DTYPES)}")
        octets = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        shape = list(given.shape)  # what is contiguous has at least one axis
        listed.append({"name": name, "dtype": array.dtype.name, "shape": shape, "offset": offset, "bytes": len(octets)})
        parts.append(octets + bytes(-len(octets) % 8))
        offset += len(parts[-1])
    head = json.dumps({"data": finite(data), "arrays": listed}, ensure_ascii=False, allow_nan=False).encode()
    parts.insert(0, len(head).to_bytes(4, "little") + head + bytes(-(4 + len(head)) % 8))
    return Answer(200, MEDIA_TYPE, b"".join(parts))


def unpack(body: bytes) -> tuple[Any, dict[str, npt.NDArray[Any]]]:
    """Read a message, as the page does.

    Args:
        body: what `pack` wrote.
    """
    length = int.from_bytes(body[:4], "little")
    said = json.loads(body[4 : 4 + length])
    start = -(-(4 + length) // 8) * 8
    arrays = {
        one["name"]: np.frombuffer(body, one["dtype"], math.prod(one["shape"]), start + one["offset"]).reshape(
            one["shape"]
        )
        for one in said["arrays"]
    }
    return said["data"], arrays


def refusal(status: int, words: str) -> Answer:
    """An error, as the page reads it: one line."""
    return Answer(status, "application/json", json.dumps({"error": words}).encode())


def finite(data: Any) -> Any:
    """The same without numbers that JSON has no name for.

    >>> finite({"a": [1.0, float("nan")], "b": np.float32(2)})
    {'a': [1.0, None], 'b': 2.0}
    """
    if isinstance(data, Mapping):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    if isinstance(data, np.generic):
        data = data.item()
    return None if isinstance(data, float) and not math.isfinite(data) else data
