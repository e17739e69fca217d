"""Attention: by hand, against torch with every kind of mask, in value and gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from photosite.graph.table import TABLE
from photosite.ops.attention import attention
from tests.ops.rows import check_refusal, check_row, noise

OP = "aten.scaled_dot_product_attention.default"
SIDES = st.integers(1, 5)


def test_by_hand() -> None:
    key, value = np.array([[100.0], [-100.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    assert attention(np.array([[10.0]]), key, value).tolist() == [[1, 2]]  # only the first key answers
    assert attention(np.array([[0.0]]), key, value).tolist() == [[2, 3]]  # both answer alike
    causal = attention(np.zeros((2, 1)), key, value, is_causal=True)
    assert causal.tolist() == [[1, 2], [2, 3]]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 99))
def test_matches_torch(data: st.DataObject, dtype: str, seed: int) -> None:
    batch = data.draw(st.lists(SIDES, max_size=2))
    n, m, width, out = (data.draw(SIDES) for _ in range(4))
    query, key, value = (
        noise(*batch, *sides, seed=seed + number, dtype=dtype)
        for number, sides in enumerate(((n, width), (m, width), (m, out)))
    )
    mask, causal = None, False
    kind = data.draw(st.sampled_from(["none", "causal", "bool", "float", "row"]))
    if kind == "causal":
        causal = True
    elif kind == "bool":
        mask = noise(n, m, seed=seed, dtype="bool")
        mask[:, 0] = True
    elif kind != "none":
        mask = noise(*(batch if kind == "float" else ()), 1 if kind == "row" else n, m, seed=seed, dtype=dtype)
    scale = data.draw(st.sampled_from([None, 0.3]))
    check_row(OP, query, key, value, mask, 0.0, causal, scale=scale)


def test_heads_can_share_keys_and_values() -> None:
    check_row(OP, noise(2, 6, 3, 4), noise(2, 2, 5, 4), noise(2, 2, 5, 4, seed=1), enable_gqa=True)


def test_a_token_that_may_ask_nobody_gets_nothing() -> None:
    mask = np.array([[True, False], [False, False]])
    found = check_row(OP, noise(2, 3), noise(2, 3, seed=1), noise(2, 3, seed=2), mask)
    assert found[1].tolist() == [0, 0, 0]


def test_large_scores_do_not_overflow() -> None:
    check_row(OP, 1e3 * noise(3, 4), 1e3 * noise(3, 4, seed=1), noise(3, 2), gradients=False)


def test_multiply_adds_are_those_that_torch_counts() -> None:
    query, key, value = noise(2, 3, 7, 8), noise(2, 3, 5, 8), noise(2, 3, 5, 8, seed=1)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, (query, key, value)))
    ours = attention(query, key, value)
    assert 2 * TABLE[OP].macs(ours, query, key, value) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (((2, 3), (2, 4), (2, 3)), {}, "queries and keys of one width"),
        (((2, 3), (4, 3), (5, 3)), {}, "as many keys as values"),
        (((2, 3), (4, 3), (4, 3)), {"attn_mask": noise(3, 3)}, "shapes do not fit|does not fit"),
        (((1, 4, 2, 3), (1, 3, 4, 3), (1, 3, 4, 3)), {"enable_gqa": True}, "4 query heads cannot share 3"),
        (((3,), (4, 3), (4, 3)), {}, "one width"),
        (((2, 3), (4, 3), (4, 3)), {"attn_mask": noise(2, 4), "is_causal": True}, "got both"),
    ],
)
def test_what_does_not_fit_is_said(shapes, options, words) -> None:
    check_refusal(OP, *(noise(*shape) for shape in shapes), match=words, **options)


def test_dropout_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dropout_p is 0\.1; capture in evaluation"):
        attention(noise(2, 3), noise(2, 3), noise(2, 3), None, 0.1)
