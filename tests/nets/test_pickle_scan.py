"""The look at a pickle before it is loaded: what it asks for, how long it is, how deep its tuples are."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from photosite.errors import CorruptWeightsError, UnsafeWeightsError, WeightsError
from photosite.nets.checkpoints import pickle_scan
from photosite.nets.checkpoints.pickle_scan import check_pickle


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo no",)


@pytest.mark.parametrize("protocol", range(6))
def test_names_the_function_in_every_protocol(protocol: int) -> None:
    with pytest.raises(UnsafeWeightsError, match=r"x\.pt: asks Python for (posix|nt)\.system"):
        check_pickle(io.BytesIO(pickle.dumps({"a": [1, Evil()]}, protocol)), "x.pt")


def test_names_a_class_whose_strings_come_from_the_memo() -> None:
    code = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94" + b"00" + b"h\x00h\x01\x93."
    with pytest.raises(UnsafeWeightsError, match=r"os\.system"):
        check_pickle(io.BytesIO(code), "x.pt")


def test_plain_values_and_state_dicts_pass_and_the_stream_stands_behind_them() -> None:
    values = {
        "a": (1, 2.5, None, True),
        "b": collections.OrderedDict(c=[torch.Size([2])]),
        "d": 2**70,
        "e": torch.float32,
    }
    stream = io.BytesIO(pickle.dumps(values, 2) + b"rest")
    check_pickle(stream, "x.pt")
    assert stream.read() == b"rest"


def test_a_later_protocol_is_refused_with_what_to_do() -> None:
    with pytest.raises(CorruptWeightsError, match=r"protocol 4.*save it again"):
        check_pickle(io.BytesIO(pickle.dumps({"a": 1}, 4)), "x.pt")


def test_the_number_of_instructions_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "MAX_INSTRUCTIONS", 1000)
    check_pickle(io.BytesIO(b"\x80\x02(" + b"]" * 990 + b"t."), "x.pt")
    with pytest.raises(UnsafeWeightsError, match="over 1,000 instructions"):
        check_pickle(io.BytesIO(b"\x80\x02(" + b"]" * 1000 + b"t."), "x.pt")


def test_a_tuple_of_tuples_whose_hash_never_ends() -> None:
    # ((((), ()), ...)) doubled 40 times: 124 bytes, and 2^40 steps to use it as a key
    code = b"\x80\x02})" + b"q\x00h\x00\x86" * 40 + b"K\x01s."
    with pytest.raises(UnsafeWeightsError, match="tuple of more than 10,000 values"):
        check_pickle(io.BytesIO(code), "x.pt")


def test_a_tuple_nested_deeper_than_the_stack() -> None:
    with pytest.raises(UnsafeWeightsError, match="tuple of more than"):
        check_pickle(io.BytesIO(b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s."), "x.pt")


@pytest.mark.parametrize(
    "code", [b"", b"\x80", b"\x80\x02", b"\x80\x02}", b"\x80\x02h\x07.", b"\x80\x020.", b"\x80\x02t.", b"\xff"]
)
def test_damaged_pickles(code: bytes) -> None:
    with pytest.raises(CorruptWeightsError, match="damaged or cut short"):
        check_pickle(io.BytesIO(code), "x.pt")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_end_in_an_answer(code: bytes, start: bool) -> None:
    with contextlib.suppress(WeightsError):
        check_pickle(io.BytesIO((b"\x80\x02" if start else b"") + code), "x.pt")
