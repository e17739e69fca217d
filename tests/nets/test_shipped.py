"""The weights in the package: small enough, and as good as their card says."""

from __future__ import annotations

import json
from pathlib import Path

from photosite.nets import create_model, model_info
from photosite.nets.checkpoints.weights import read_weights
from photosite.nets.create import shipped_file
from photosite.nets.encoder import DEFAULT_MODEL
from photosite.train.card import confusion, model_card
from photosite.train.dataset import read_dataset
from photosite.train.loop import predict


def test_the_weights_are_small_and_float32_and_carry_their_facts() -> None:
    path = shipped_file(model_info(DEFAULT_MODEL))
    assert path.stat().st_size <= 4_000_000
    facts = json.loads(read_weights(path).metadata["photosite"])
    assert facts["architecture"] == DEFAULT_MODEL
    assert facts["test_accuracy"] >= 0.89
    assert facts["seconds"] <= 90 * 60
    assert facts["command"].startswith(f"photosite train {DEFAULT_MODEL} ")


def test_the_accuracy_is_that_of_the_card(shared_data: Path) -> None:
    model = create_model(DEFAULT_MODEL, "default")
    test = read_dataset(shared_data / "cifar10" / "test.zip", model.recipe)
    answers = predict(model, test, model.recipe)
    card = shipped_file(model_info(DEFAULT_MODEL)).with_suffix(".md").read_text(encoding="utf-8")
    facts = json.loads(read_weights(shipped_file(model_info(DEFAULT_MODEL))).metadata["photosite"])
    accuracy = float((answers == test.labels).mean())
    # another processor adds in another order: a handful of the 10,000 pictures may fall on the other side
    assert abs(accuracy - facts["test_accuracy"]) <= 0.001
    written = model_card(facts, confusion(test.labels, answers, len(test.classes)))
    assert written.split("## Accuracy")[0] == card.split("## Accuracy")[0]
    assert f"**{facts['test_accuracy']:.2%} top-1**" in card
