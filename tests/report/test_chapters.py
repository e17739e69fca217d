"""Steps stand together as the modules do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosite.report.chapters import CHAPTER_AT_MOST, chapters, kind
from photosite.trace.values import Statistics, Step


def step(module: str, op: str = "relu") -> Step:
    return Step(f"{module}:{op}", op, module, "features", (1,), "float32", Statistics(0, 1, 0, 1))


@pytest.mark.parametrize(
    ("op", "word"),
    [
        ("aten.convolution.default", "convolution"),
        ("aten._native_batch_norm_legit_no_training.default", "norm"),
        ("aten.adaptive_avg_pool2d.default", "pooling"),
        ("aten.mean.dim", "pooling"),
        ("aten.add_.Tensor", "addition"),
        ("aten.addmm.default", "linear"),
        ("aten.scaled_dot_product_attention.default", "attention"),
        ("aten.upsample_bilinear2d.vec", "other"),
        ("hardswish", "activation"),
        ("aten.view.default", "other"),
    ],
)
def test_kinds(op: str, word: str) -> None:
    assert kind(op) == word


def test_a_residual_network_is_divided_by_stage() -> None:
    names = ["bn1", "relu", *(f"layer{k}.{b}.conv" for k in (1, 2) for b in range(4)), "avgpool", "fc"]
    assert [(c.name, len(c.steps)) for c in chapters([step(n) for n in names])] == [
        ("bn1 … relu", 2),
        ("layer1", 4),
        ("layer2", 4),
        ("avgpool … fc", 2),
    ]


def test_a_long_stage_is_divided_by_block() -> None:
    steps = [step(f"blocks.{b}.part{k}") for b in range(6) for k in range(8)]
    assert [c.name for c in chapters(steps)] == [f"blocks.{b}" for b in range(6)]


def test_one_outer_module_is_opened() -> None:
    steps = [step(f"backbone.layer{k}.{b}") for k in range(4) for b in range(12)]
    assert [c.name for c in chapters(steps)] == [f"backbone.layer{k}" for k in range(4)]


def test_steps_of_no_module_stay_with_those_before() -> None:
    assert [c.name for c in chapters([step("a")] * 5 + [step("", "flatten")])] == ["a"]


def test_rows_open_with_what_matters() -> None:
    steps = [step("a", op) for op in ("relu", "conv2d", "batch_norm", "relu", "add")]
    rows = chapters(steps)[0].rows
    assert [(row.lead.op if row.lead else None, [s.op for s in row.rest]) for row in rows] == [
        (None, ["relu"]),
        ("conv2d", ["batch_norm", "relu"]),
        ("add", []),
    ]


MODULE = st.lists(st.sampled_from(["a", "b", "0", "1"]), max_size=4).map(".".join)


@given(st.lists(st.tuples(MODULE, st.sampled_from(["conv2d", "relu", "view"])), max_size=3 * CHAPTER_AT_MOST))
def test_no_step_is_lost_or_moved(pairs: list[tuple[str, str]]) -> None:
    steps = [step(*pair) for pair in pairs]
    found = chapters(steps)
    assert [s for chapter in found for s in chapter.steps] == steps
    for chapter in found:
        rows = [s for row in chapter.rows for s in ((row.lead,) if row.lead else ()) + row.rest]
        assert rows == list(chapter.steps)
