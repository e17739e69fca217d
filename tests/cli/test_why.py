"""`photosite why` as a person runs it."""

from __future__ import annotations

import json

import pytest

from photosite.cli import main


def test_json_down_to_the_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["why", "photosite_resnet12", "layer1.0.conv1", "0,3,10,12", "--depth", "9", "--json", "--terms", "3"])
        == 0
    )
    steps = json.loads(capsys.readouterr().out)["steps"]
    first = steps[0]
    assert (first["node"], first["op"], first["index"]) == ("conv2d_1", "aten.conv2d.default", [0, 3, 10, 12])
    assert first["is_sum"]
    assert len(first["terms"]) == 3 < first["terms_in_all"]
    assert abs(first["residual"]) < 1e-5
    largest = first["terms"][0]
    assert largest["product"] == pytest.approx(largest["value"] * largest["factor"])
    assert (steps[1]["node"], steps[1]["index"]) == (largest["source"], largest["index"])
    assert steps[1]["value"] == largest["value"]
    assert steps[-1]["terms"][0]["source"] not in {step["node"] for step in steps}  # the input itself


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "photosite_resnet12", "fc", "0,3"]) == 0
    text = capsys.readouterr().out
    assert "more, which add" in text
    assert "sum of all 161" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fc", "0,x"], "INDEX wants whole numbers"),
        (["fc", "0,99"], "none at (0, 99)"),
        (["nowhere", "0"], "nowhere"),
        (["fc", "0,1", "--terms", "0"], "at least 1"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "photosite_resnet12", *words]) == 2
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
