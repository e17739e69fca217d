"""Linear maps: by hand, against torch in value and gradients, einsum over random equations, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from photosite.graph.table import TABLE
from photosite.ops.linear import einsum, linear
from tests.ops.rows import as_torch, check_refusal, check_row, noise, torch_operation

DTYPES = st.sampled_from(["float32", "float64"])
SIDES = st.integers(1, 5)


def test_by_hand() -> None:
    assert linear(np.array([1.0, 2.0]), np.array([[0.0, 1.0], [10.0, 100.0]])).tolist() == [2, 210]
    assert einsum("ii->i", [np.arange(9.0).reshape(3, 3)]).tolist() == [0, 4, 8]


@settings(max_examples=40, deadline=None)
@given(batch=st.lists(SIDES, max_size=3), sides=st.tuples(SIDES, SIDES), bias=st.booleans(), dtype=DTYPES)
def test_linear(batch: list[int], sides: tuple[int, int], bias: bool, dtype: str) -> None:
    x, weight = noise(*batch, sides[0], dtype=dtype), noise(sides[1], sides[0], dtype=dtype)
    check_row("aten.linear.default", x, weight, noise(sides[1], dtype=dtype) if bias else None)


def test_linear_to_a_single_number() -> None:
    check_row("aten.linear.default", noise(2, 3, 4), noise(4))
    check_row("aten.linear.default", noise(2, 3, 4), noise(4), noise())


@settings(max_examples=80, deadline=None)
@given(data=st.data(), dtype=DTYPES)
def test_matmul(data: st.DataObject, dtype: str) -> None:
    n, k, m = (data.draw(SIDES) for _ in range(3))
    batch = data.draw(st.lists(SIDES, max_size=2))
    ones = [[side if data.draw(st.booleans()) else 1 for side in batch] for _ in range(2)]
    shapes = [(*ones[0], n, k), (*ones[1], k, m)]
    if data.draw(st.booleans()):
        shapes[1] = shapes[1][data.draw(st.integers(0, len(batch))) :]  # fewer axes for batches
    if data.draw(st.integers(0, 3)) == 0:
        shapes[data.draw(st.integers(0, 1))] = (k,)
    check_row("aten.matmul.default", *(noise(*shape, dtype=dtype) for shape in shapes))


def test_products_by_other_names() -> None:
    check_row("aten.mm.default", noise(2, 3), noise(3, 4))
    check_row("aten.bmm.default", noise(5, 2, 3), noise(5, 3, 4))
    check_row("aten.mv.default", noise(2, 3), noise(3))
    check_row("aten.dot.default", noise(3), noise(3, seed=1))
    check_row("aten.outer.default", noise(3), noise(4))
    for options in ({}, {"beta": 0.5, "alpha": 2.0}, {"beta": 0}):
        check_row("aten.addmm.default", noise(4), noise(2, 3), noise(3, 4), **options)
        check_row("aten.addmm.default", noise(2, 4, dtype="float32"), noise(2, 3, dtype="float32"),
                  noise(3, 4, dtype="float32"), **options)  # fmt: skip
        check_row("aten.baddbmm.default", noise(5, 1, 4), noise(5, 2, 3), noise(5, 3, 4), **options)


EQUATIONS = [
    "ij,jk->ik", "ij,jk", "bhqd,bhkd->bhqk", "B G H I D, B G H J D -> B G H I J", "bhwc,hkc->bhwk",
    "...ij,...jk->...ik", "i,j->ij", "ij->ji", "ij->", "ii->i", "ii", "ij,ij->", "ij,ij->ij", "ab,bc,cd->ad",
    "bi,oi,bo->", "i,i,i->i", "...a,...a->...", "abc,cd->abd", "a...,b->ab...", "iij,jk->ik", "b...->...", "ab,c->ac",
]  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), dtype=DTYPES)
def test_einsum(equation: str, data: st.DataObject, dtype: str) -> None:
    sides = {letter: data.draw(st.integers(1, 4)) for letter in equation if letter.isalpha()}
    dots = [data.draw(st.integers(1, 3)) for _ in range(data.draw(st.integers(0, 2)))]
    operands = []
    for number, term in enumerate(equation.replace(" ", "").split("->")[0].split(",")):
        before, more, after = term.partition("...")
        spread = [side if data.draw(st.booleans()) else 1 for side in dots] if more else []
        shape = [*(sides[x] for x in before), *spread, *(sides[x] for x in after)]
        operands.append(noise(*shape, seed=number, dtype=dtype))
    check_row("aten.einsum.default", equation, operands)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("aten.linear.default", (noise(2, 7, 5), noise(3, 5))),
        ("aten.matmul.default", (noise(2, 7, 5), noise(2, 5, 3))),
        ("aten.matmul.default", (noise(2, 7, 5), noise(5, 3))),
        ("aten.addmm.default", (noise(3), noise(7, 5), noise(5, 3))),
        ("aten.bmm.default", (noise(2, 7, 5), noise(2, 5, 3))),
        ("aten.einsum.default", ("bhqd,bhkd->bhqk", [noise(2, 3, 4, 5), noise(2, 3, 6, 5)])),
        ("aten.einsum.default", ("ab,bc,cd->ad", [noise(2, 3), noise(3, 4), noise(4, 5)])),
    ],
)
def test_multiply_adds_are_those_that_torch_counts(op: str, arguments: tuple) -> None:
    ours = TABLE[op].value(*arguments)
    with FlopCounterMode(display=False) as counter:
        torch_operation(op)(*(as_torch(argument) for argument in arguments))
    assert 2 * TABLE[op].macs(ours, *arguments) == counter.get_total_flops()


def test_what_does_not_meet_is_said() -> None:
    check_refusal(
        "aten.linear.default", noise(2, 3), noise(4, 5), match="linear: the sides do not meet: 2 × 3 and 4 × 5"
    )
    check_refusal("aten.matmul.default", noise(2, 3), noise(4, 5), match="the sides do not meet")
    check_refusal("aten.matmul.default", noise(), noise(4), match="want an axis")
    check_refusal("aten.matmul.default", noise(2, 2, 3), noise(3, 3, 2), match="shapes do not fit: 2, 3")
    check_refusal("aten.matmul.default", noise(2, 3), noise(3, 5, dtype="float32"), match="one dtype")
    check_refusal("aten.linear.default", noise(2, 3), noise(4, 3, dtype="float32"), match="one dtype")
    check_refusal("aten.einsum.default", "ij,jk->ik", [noise(2, 3), noise(4, 5)], match="does not fit 2 × 3, 4 × 5")
    check_refusal("aten.einsum.default", "ij->ik", [noise(2, 3)], match="einsum: 'ij->ik'")
    check_refusal("aten.outer.default", noise(2, 3), noise(4), match="two vectors")


def test_beta_0_drops_what_is_not_a_number() -> None:
    base = np.full((2, 2), np.nan)
    found = check_row("aten.addmm.default", base, noise(2, 2), noise(2, 2), beta=0, gradients=False)
    assert np.isfinite(found).all()
    assert torch.is_tensor(as_torch(found))
