"""`photosite models`: the list, as table and as JSON."""

from __future__ import annotations

import json

import pytest

from photosite.cli import main
from photosite.nets import list_models


def test_json_lists_every_network_with_its_size(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)["models"]
    assert [row["name"] for row in rows] == list_models()
    known = {row["name"]: row for row in rows}
    assert known["resnet50"]["parameters"] == 25_557_032
    assert known["resnet50"]["input_size_hw"] == [224, 224]
    assert known["photosite_resnet12"]["weights"] == "in the package"


def test_the_table_filters_by_wildcard(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "resnet1*"]) == 0
    out = capfd.readouterr().out
    assert "resnet18" in out
    assert "cifar" not in out


def test_a_pattern_without_a_match_gets_near_names(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "resnet5O"]) == 2
    assert "did you mean resnet50" in capfd.readouterr().err
