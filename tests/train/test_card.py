"""The model card says what was measured."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photosite.train.card import confusion, model_card

FACTS = {
    "architecture": "net",
    "parameters": 1234,
    "recipe": "cifar10",
    "classes": ["cat", "dog"],
    "pictures": 10,
    "data_sha256": "ab",
    "seconds": 120.0,
    "threads": 2,
    "bfloat16": True,
    "config": {"seed": 7, "epochs": 3},
    "command": "photosite train net data",
    "photosite": "0",
    "torch": "2",
}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_confusion_counts_every_picture_in_its_place(pairs: list[tuple[int, int]]) -> None:
    labels, answers = (np.array(column) for column in zip(*pairs, strict=True))
    counts = confusion(labels, answers, 3)
    assert counts.tolist() == [[pairs.count((row, column)) for column in range(3)] for row in range(3)]


def test_the_card_has_accuracy_matrix_and_command() -> None:
    card = model_card(FACTS, np.array([[3, 1], [0, 4]]))
    assert "**87.50% top-1** on 8 test pictures (7 right)" in card
    assert "| cat | 75.0% | 4 |" in card
    assert "| **cat** | 3 | 1 |" in card
    assert "| **dog** | · | 4 |" in card
    assert "`photosite train net data`" in card
    assert "2 minutes for 3 epochs, 2 threads, convolutions in bfloat16" in card
    assert "What it is not for" in card
    assert "top-1" not in model_card(FACTS, None)
