"""`photosite match`: pairs of two photos as a picture and as JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosite.cli import main
from photosite.errors import ShapeError
from photosite.prep.samples import sample_path
from photosite.trace.matching import GAP, LINE, matching_picture


def test_a_turned_photo_is_found_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = Image.open(sample_path("chelsea")).convert("RGB")
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png")
    out = tmp_path / "m.png"
    assert main(["match", str(sample_path("chelsea")), str(tmp_path / "turned.png"), "-o", str(out), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert min(found["keypoints"]) > 400
    x, y, other_x, other_y = np.array(found["matches"]).T
    right = np.hypot(other_x - y, other_y - (photo.width - 1 - x)) < 2
    assert len(x) > 300
    assert right.mean() > 0.95
    picture = Image.open(out)
    assert picture.size == (photo.width + GAP + photo.height, max(photo.height, photo.width))


def test_the_line_says_how_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = str(sample_path("chelsea"))
    assert main(["match", photo, photo, "-o", str(tmp_path / "m.png"), "--mutual"]) == 0
    assert "places" in capfd.readouterr().out


def test_a_line_goes_from_place_to_place() -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    picture = matching_picture(black, black[:20], [[10, 10]], [[30, 10]])
    assert picture.shape == (40, 60 + GAP + 60, 3)
    assert tuple(picture[10, 40]) == pytest.approx(LINE, abs=60)
    assert not picture[30, :60].any()
    assert matching_picture(black, black, [], []).shape == picture.shape
    with pytest.raises(ShapeError, match="1 places on the left, 0 on the right"):
        matching_picture(black, black, [[1, 1]], [])
    with pytest.raises(ShapeError, match=r"wants \(H, W, 3\) uint8"):
        matching_picture(black[..., 0], black, [], [])


def test_bad_words_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = str(sample_path("chelsea"))
    assert main(["match", photo, photo, "--ratio", "0"]) == 2
    assert "--ratio wants" in capfd.readouterr().err
    assert main(["match", photo, str(tmp_path / "none.png")]) == 2
    assert main(["match", photo, photo, "-o", str(tmp_path / "no" / "m.png")]) == 2
    assert "cannot write" in capfd.readouterr().err
