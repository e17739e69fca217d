"""`photosite explain`: a map, its audit and a page, or one line that says why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from photosite.prep.samples import sample_path


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "<b>cat & co.png"
    Image.open(sample_path("chelsea")).resize((120, 90)).save(path)
    return path


def test_a_map_with_its_audit_and_a_page(cat: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["explain", str(cat), "--target", "Cat", "--json", "--out", str(tmp_path / "page")])
    assert code in (0, 1)
    found = json.loads(capfd.readouterr().out)
    assert (found["model"], found["method"], found["target"], found["label"]) == (
        *("photosite_resnet12", "gradcam", 3, "cat"),
    )
    assert found["layout"] == "NCHW"
    assert found["map"]["shape"] == [16, 16]
    assert np.array(found["map"]["values"]).shape == (16, 16)
    values = np.array(found["map"]["values"])
    row, column = found["strongest"]["place"]
    assert values[row, column] == values.max()
    # 120 x 90 is brought to 85 x 64, and the middle 64 x 64 are taken, in 16 x 16 tiles of 4 x 4
    top, left, bottom, right = found["input_box"]
    assert (top, bottom) == pytest.approx((0, 90))
    assert (left, right) == pytest.approx(((85 - 64) // 2 * 120 / 85, ((85 - 64) // 2 + 64) * 120 / 85), abs=1.5)
    y, x = found["strongest"]["photo_yx"]
    assert y == pytest.approx(top + (row + 0.5) / 16 * (bottom - top))
    assert x == pytest.approx(left + (column + 0.5) / 16 * (right - left))
    assert set(found["audit"]) == {
        *("copies", "layout", "gradient", "occlusion", "deletion", "insertion", "shuffled weights", "model")
    }
    assert set(found["audit"].values()) <= {"good", "bad", "unclear"}
    assert (found["refused"] is None) == (code == 0)
    page = (tmp_path / "page" / "explain.html").read_text(encoding="utf-8")
    assert "<b>cat" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    for said in found["audit_said"].values():
        assert said.replace("'", "&#39;") in page
    assert json.loads((tmp_path / "page" / "explain.json").read_text(encoding="utf-8")) == found


def test_a_refused_map_ends_with_1(cat: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "alexnet", "--size", "128", "--method", "cam", "--no-audit", "--json"]
    assert main(["explain", str(cat), *words]) == 1
    found = json.loads(capfd.readouterr().out)
    assert "more than a mean and a linear layer" in found["refused"]
    assert found["map"]["min"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "catt"), "did you mean cat"),
        (("--target", "10"), "target 10: there are 10 classes"),
        (("--method", "gradcan"), "gradcam"),
        (("--layer", "layer9"), "layer"),
        (("--placing", "middle"), "tiles"),
    ],
)
def test_bad_questions_are_one_line(
    cat: Path, words: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(cat), *words]) == 2
    out, err = capfd.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert out == ""
