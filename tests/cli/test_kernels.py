"""`photosite kernels` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from photosite.analysis.kernels import kernels
from photosite.cli import main
from photosite.graph.capture import capture
from photosite.nets.sources import find_model
from tests.report.reader import Reader


def one_channel() -> nn.Module:
    """A network for gray pictures."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU())


def no_kernels() -> nn.Module:
    """A network without any."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["kernels", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_numbers_are_those_of_the_analysis(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "photosite_resnet12")
    model = find_model("photosite_resnet12")
    own = kernels(model, capture(model, torch.zeros(1, 3, 64, 64)))
    assert (found["name"], found["shape"], found["trained"]) == ("conv1.weight", [32, 3, 7, 7], True)
    assert found["kinds"] == {"oriented": 12, "color blob": 7, "other": 13, "dead": 0}
    assert [one["orientation"] for one in found["kernels"]] == [
        one.fit.orientation if one.fit else None for one in own.kernels
    ]
    assert found["folded_norms"] == list(own.filters.strength)
    assert found["effective_rank"] == own.filters.rank


def test_a_table_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernels", "photosite_resnet12", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "12 oriented, 7 color blob, 13 other" in shown
    assert str(tmp_path / "out" / "kernels.html") in shown.replace("\n", "")
    Reader((tmp_path / "out" / "kernels.html").read_text("utf-8")).assert_fetches_nothing()
    assert json.loads((tmp_path / "out" / "kernels.json").read_text())["kinds"]["oriented"] == 12


def test_a_deeper_layer_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "photosite_resnet12", "--layer", "layer2")
    assert (found["name"], found["reads_picture"], found["kernels"]) == ("layer2.1.conv2.weight", False, [])
    assert len(found["norms"]) == found["shape"][0] == 64
    assert main(["kernels", "photosite_resnet12", "--layer", "layer2"]) == 0
    assert "photosite dream" in capsys.readouterr().out


def test_gray_networks_get_gray_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "tests.cli.test_kernels:one_channel", "--size", "16")
    assert (found["shape"], found["channels"]) == ([4, 1, 5, 5], 1)


def test_bad_input_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["tests.cli.test_kernels:no_kernels", "--size", "8"], "no convolution reads the picture itself"),
        (["photosite_resnet12", "--layer", "layr2"], "no node or module named 'layr2'"),
        (["photosite_resnet12", "--layer", "bn1"], "bn1 holds no convolution and no linear layer"),
    ):
        assert main(["kernels", *words]) == 2
        assert said in capsys.readouterr().err
