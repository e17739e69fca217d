"""What the page computes itself is what the library computes."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photosite.color import rgb_to_hsv, rgb_to_lab, rgb_to_ycbcr, srgb_to_linear
from photosite.explorer.message import Question, pack, unpack
from photosite.explorer.server import PAGE, page_files
from photosite.explorer.views import VIEWS
from photosite.explorer.views.recipes import level_table
from photosite.explorer.workspace import Workspace
from photosite.prep.recipes import RECIPES, get_recipe
from photosite.sensor import PATTERNS, photosite_color
from photosite.trace.canvas import DIVERGING, VIRIDIS
from photosite.trace.pixel import normalized_at

HERE = Path(__file__).parent / "page"
GZIPPED_AT_MOST = 120_000
"""Bytes of all JavaScript together, as it could travel."""


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on PATH; install Node 20 or newer to compute what the page computes")
    return found


def answers(node: str, asked: list[dict[str, Any]]) -> list[Any]:
    """What the page's own modules compute, one answer a question."""
    done = subprocess.run(
        [node, str(HERE / "answer.js")], input=json.dumps(asked), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_the_pages_own_tests(node: str) -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    assert len(files) >= 3
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-4000:]


def test_colors(node: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2000, 3)).astype(np.uint8)
    levels[:256] = np.arange(256, dtype=np.uint8)[:, None]  # all grays
    (found,) = answers(node, [{"kind": "colors", "levels": levels.tolist()}])
    spaces = [srgb_to_linear(levels), rgb_to_hsv(levels), rgb_to_ycbcr(levels), rgb_to_lab(levels)]
    # the same formulas in the same order; powers and roots of two libraries differ in their last bits
    np.testing.assert_allclose(np.array(found).transpose(1, 0, 2), np.stack(spaces), rtol=1e-12, atol=1e-11)


def test_convolution_over_random_settings(node: str) -> None:
    rng = np.random.default_rng(1)
    asked, wanted = [], []
    while len(asked) < 150:
        height, width = rng.integers(4, 14, 2).tolist()
        picture = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        channels, rows, columns = ("gray", "rgb")[rng.integers(2)], *rng.integers(1, 6, 2).tolist()
        kernel = rng.normal(size=(1 if channels == "gray" else 3) * rows * columns).round(3).tolist()
        numbers = ("levels", "unit", "normalized")[rng.integers(3)]
        options: dict[str, Any] = {
            "stride": rng.integers(1, 4, 2).tolist(),
            "padding": rng.integers(0, 4, 2).tolist(),
            "mode": ("zero", "reflect", "replicate")[rng.integers(3)],
            "dilation": rng.integers(1, 3, 2).tolist(),
        }
        sides = zip((height, width), (rows, columns), options["padding"], options["dilation"], strict=True)
        if any(dilation * (taps - 1) + 1 > side + 2 * pad for side, taps, pad, dilation in sides):
            continue
        workspace = Workspace()
        key = workspace.add_photo(picture, "random").key
        query = {"photo": key, "side": str(max(height, width)), "channels": channels, "numbers": numbers, "bias": "0.5"}
        query |= {"kernel": ",".join(map(str, kernel)), "rows": str(rows)}
        query |= {key: one if isinstance(one, str) else "x".join(map(str, one)) for key, one in options.items()}
        answer = VIEWS["convolution"](workspace, Question("convolution", query))
        y = unpack(answer.body)[1]["y"]
        wanted.append(y)
        asked.append(
            {
                "kind": "convolution",
                "patch": {"height": height, "width": width, "bytes": picture.ravel().tolist()},
                "channels": channels,
                "numbers": numbers,
                "table": level_table(RECIPES["imagenet"]).ravel().tolist(),
                "kernel": {
                    "channels": 1 if channels == "gray" else 3,
                    "rows": rows,
                    "columns": columns,
                    "values": kernel,
                    "bias": 0.5,
                },
                "options": options,
                "at": [int(rng.integers(y.shape[0])), int(rng.integers(y.shape[1]))],
            }
        )
    for found, y, one in zip(answers(node, asked), wanted, asked, strict=True):
        assert (found["height"], found["width"]) == y.shape
        # sums of up to 75 products in another order; levels reach 255
        np.testing.assert_allclose(np.array(found["values"]).reshape(y.shape), y, rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(found["result"], y[tuple(one["at"])], rtol=1e-12, atol=1e-10)


def test_messages(node: str) -> None:
    arrays = {
        "odd": np.arange(7, dtype=np.uint8),
        "negative": np.array([[-(2**31), 5]], np.int32),
        "half": np.array([0.5, -1.25], np.float32),
        "double": np.array([[1 / 3], [1e300]]),
        "none": np.zeros((0, 3), np.float32),
    }
    body = pack({"ü": [1, None, "x"]}, arrays).body
    (found,) = answers(node, [{"kind": "message", "base64": base64.b64encode(body).decode()}])
    assert found["data"] == {"ü": [1, None, "x"]}
    for name, array in arrays.items():
        assert found["arrays"][name] == {"shape": list(array.shape), "values": array.ravel().tolist()}


@pytest.mark.parametrize("name", ["imagenet", "clip", "siglip", "cifar10"])
def test_where_a_pixel_lands(node: str, name: str) -> None:
    recipe, rng = get_recipe(name), np.random.default_rng(2)
    asked, wanted = [], []
    for height, width in ((300, 451), (64, 64), (33, 500), (1, 7)):
        geometry = recipe.geometry((height, width))
        points = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(100)]
        keys = ("picture_hw", "resized_hw", "start_hw", "input_hw")
        asked.append({"kind": "places", "points": points, "map": {key: getattr(geometry, key) for key in keys}})
        picture, x = np.zeros((height, width, 3), np.uint8), np.zeros((1, 3, *geometry.input_hw), np.float32)
        wanted.append([normalized_at(picture, point, recipe, x).row_column for point in points])
    for found, places in zip(answers(node, asked), wanted, strict=True):
        assert [None if one is None else tuple(one) for one in found] == places


def test_mosaics_and_colors_of_maps(node: str) -> None:
    points = [[x, y] for y in range(3) for x in range(3)]
    asked: list[dict[str, Any]] = [{"kind": "mosaic", "pattern": pattern, "points": points} for pattern in PATTERNS]
    *mosaics, tables = answers(node, [*asked, {"kind": "tables"}])
    for pattern, found in zip(PATTERNS, mosaics, strict=True):
        assert ["RGB"[c] for c in found] == [photosite_color(y, x, pattern) for x, y in points]
    # half levels round up in one language and to even in the other
    for name, table in (("signed", DIVERGING), ("magnitude", VIRIDIS)):
        assert np.abs(np.array(tables[name]).reshape(256, 3) - table).max() <= 1


def test_all_javascript_is_small_and_goes_without_its_documentation(tmp_path: Path) -> None:
    files = {name: octets for name, (octets, kind) in page_files().items() if kind == "text/javascript"}
    assert files.keys() == {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.js")}
    assert sum(len(gzip.compress(octets, mtime=0)) for octets in files.values()) <= GZIPPED_AT_MOST
    node = shutil.which("node")
    for name, octets in files.items():
        text, whole = octets.decode(), (PAGE / name).read_text(encoding="utf-8")
        assert "@param" not in text
        assert len(text.splitlines()) == len(whole.splitlines()), name
        if node is not None and not name.startswith("vendor"):
            (tmp_path / "one.mjs").write_text(text, encoding="utf-8")
            done = subprocess.run([node, "--check", str(tmp_path / "one.mjs")], capture_output=True, text=True)
            assert done.returncode == 0, (name, done.stderr)


def test_every_module_is_asked_for_at_once() -> None:
    start = (PAGE / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:href|src)="page/([^"]+\.js)"', start))
    assert named == {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.js")}


def test_the_page_names_no_other_host() -> None:
    for path in sorted(PAGE.rglob("*")):
        if path.suffix in (".html", ".css", ".js") and path.parent.name != "vendor":
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert "http" not in text.replace("HTTP", ""), path.name
            assert "innerHTML" not in text, path.name


def test_what_is_not_ours_comes_with_its_license() -> None:
    vendor = PAGE / "vendor"
    readme = (vendor / "README.md").read_text(encoding="utf-8")
    for path in vendor.glob("*.js"):
        assert f"`{path.name}`" in readme
    for license_file in ("LICENSE.preact", "LICENSE.htm", "LICENSE.signals"):
        assert len((vendor / license_file).read_text(encoding="utf-8")) > 1000
        assert license_file in readme
