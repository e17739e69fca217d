"""The page: whole, escaped, self-contained, and honest about what is missing."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import re
import shutil
import subprocess
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photosite.report import page
from photosite.trace.values import Prediction, Statistics, Tile, Trace
from tests.report import example
from tests.report.reader import HOSTILE, Reader


@cache
def small() -> Trace:
    return example.trace(blocks=1)


@cache
def rendered() -> str:
    return page.render(small())


def replaced(**fields: Any) -> Trace:
    return dataclasses.replace(small(), **fields)


def test_the_page_parses_and_closes_what_it_opens() -> None:
    reader = Reader(rendered())
    assert [tag for tag, _ in reader.tags][:2] == ["html", "head"]
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {
        attributes["href"][1:] for tag, attributes in reader.tags if tag in ("a", "use") and attributes.get("href")
    }
    assert links <= set(ids)


def test_stations_stand_in_the_order_of_the_light() -> None:
    stations = [a["id"] for tag, a in Reader(rendered()).tags if tag == "section"]
    assert stations == ["file", "color", "tensor", "convolution", "features", "tokens", "steps"]


def test_every_picture_has_its_caption_and_scale() -> None:
    text = Reader(rendered()).text
    tiles = [tile for step in small().steps for tile in step.tiles] + list(small().kernels)
    assert small().tokens is not None
    tiles += [small().tokens.norms, small().tokens.components]
    for tile in tiles:
        assert " ".join(tile.caption.split()) in text
        assert " ".join(tile.scale.split()) in text
    for tag, attributes in Reader(rendered()).tags:
        if tag == "img" and "src" in attributes:
            assert attributes["alt"], "a picture without words"


def test_every_step_stands_in_the_table() -> None:
    table = rendered().partition('id="steps"')[2]
    for step in small().steps:
        assert f'<th scope="row">{step.name}</th>' in table


def test_the_policy_names_exactly_what_is_inlined() -> None:
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', rendered()).group(1))

    def hashed(tag: str) -> str:
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", rendered(), re.DOTALL)
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": hashed("style"),
        "script-src": hashed("script"),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_policy_stands_before_anything_it_rules() -> None:
    head = rendered().partition("<style>")[0]
    assert "Content-Security-Policy" in head
    assert "<script" not in head


def test_nothing_is_fetched() -> None:
    reader = Reader(rendered())
    reader.assert_fetches_nothing()
    inlined = "".join(reader.inside["style"] + reader.inside["script"])
    assert not re.search(
        r"https?://|@import|url\(|fetch\(|XMLHttpRequest|import\(|WebSocket|innerHTML|eval\(",
        inlined.replace("url(#", ""),
    )


def test_hostile_text_is_spelled_out_everywhere() -> None:
    trace = small()
    steps = tuple(
        dataclasses.replace(s, name=HOSTILE, op=HOSTILE, module=HOSTILE, did=HOSTILE, formula=HOSTILE)
        for s in trace.steps
    )
    tile = Tile(HOSTILE, np.zeros((1, 1, 3), np.uint8), HOSTILE)
    assert trace.tokens is not None
    text = page.render(
        replaced(
            picture={**trace.picture, "path": HOSTILE, "format": HOSTILE, "mode": HOSTILE, "notes": [HOSTILE]},
            model={**trace.model, "name": HOSTILE, "weights": HOSTILE, "weights_sha256": HOSTILE, "source": HOSTILE},
            recipe={HOSTILE: HOSTILE, "name": HOSTILE},
            steps=(*steps, dataclasses.replace(steps[-2], tiles=(tile,))),
            tokens=dataclasses.replace(trace.tokens, layout=HOSTILE, node=HOSTILE),
            predictions=(Prediction(HOSTILE, 0.5),),
            kernels=(tile,),
            notes=(HOSTILE,),
            version=HOSTILE,
            versions={HOSTILE: HOSTILE},
        )
    )
    text.encode()  # a lone surrogate would not become UTF-8
    reader = Reader(text)
    assert text.count("<script") == rendered().count("<script")
    assert "alert(1)" not in "".join(reader.inside["script"])
    assert not any(attributes.get("src") == "x" for _, attributes in reader.tags)
    assert "{{7*7}}" in reader.text
    assert not set(text) & {"\x1b", "\u202e", "\udcff"}
    assert "\\x1b[31m\\u202egpj\\xff" in reader.text


def test_only_the_last_part_of_a_path_is_the_title() -> None:
    for path in ("a/b/cat.jpg", "C:\\pictures\\cat.jpg", "cat.jpg"):
        assert "<h1>cat.jpg</h1>" in page.render(replaced(picture={**small().picture, "path": path}))


def test_what_is_missing_is_named() -> None:
    trace = small()
    step = trace.steps[0]
    bare = dataclasses.replace(
        step, station="features", statistics=Statistics(None, None, None, None, 4), tiles=(), ms=None
    )
    text = Reader(
        page.render(
            replaced(
                picture={},
                model={},
                recipe={},
                steps=(bare,),
                tokens=None,
                predictions=(),
                kernels=(),
                notes=(),
                version="",
            )
        )
    ).text
    for words in (
        "a picture without a name",
        "sha256 not known",
        "weights not known",
        "not timed",
        "no picture",
        "4 not finite",
        "This network gives no tokens",
        "No predictions",
        "The kernels are not known",
    ):
        assert words in text
    assert "None" not in text
    assert "nan" not in text


def test_no_steps_at_all() -> None:
    Reader(page.render(replaced(steps=())))


def test_tokens_without_a_grid() -> None:
    assert small().tokens is not None
    tokens = dataclasses.replace(small().tokens, grid=None, norms=None, components=None, prefix=5)
    text = Reader(page.render(replaced(tokens=tokens))).text
    assert "grid not known" in text
    assert "5 in front" in text


def test_padding_is_hatched_and_said() -> None:
    text = page.render(replaced(crop_box=(-0.2, 0.0, 1.2, 1.0)))
    assert 'fill="url(#hatch)"' in text
    assert "padding around it (hatched)" in Reader(text).text


def test_the_ladder_has_a_rung_for_each_smaller_grid() -> None:
    text = Reader(rendered()).text
    rungs = "3 × 64 × 64 32 × 64 × 64 64 × 32 × 32 128 × 16 × 16 channels × rows × columns"
    assert rungs in text


def test_large_networks_are_folded_but_for_first_and_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(re.findall(r'<details class="chapter" open', rendered())) == len(re.findall("<details", rendered()))
    monkeypatch.setattr(page, "ALL_OPEN_BELOW", 10)
    found = re.findall(r'<details class="chapter"( open)?', page.render(small()))
    assert found[0] == found[-1] == " open"
    assert not any(found[1:-1])


def test_pictures_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PICTURES_AT_MOST", 200_000)
    text = page.render(small())
    assert len(text) < 600_000
    assert "picture left out, to keep this page small" in text
    assert re.search(r"\d+ pictures, to keep this page small", text)


def test_both_dark_themes_are_the_same() -> None:
    style = resources.files("photosite.report").joinpath("style.css").read_text("utf-8")
    first, second = re.findall(r"color-scheme: dark;(.*?)\}", style, re.DOTALL)
    assert first.split() == second.split()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme: str) -> None:
    style = resources.files("photosite.report").joinpath("style.css").read_text("utf-8")
    block = re.search(rf"color-scheme: {theme};(.*?)\}}", style, re.DOTALL).group(1)
    colors = dict(re.findall(r"--(\w+): (#\w+);", block))

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(c * 2 for c in color[1:])
        linear = [((v / 255 + 0.055) / 1.055) ** 2.4 if v > 10 else v / 255 / 12.92 for v in bytes.fromhex(digits)]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    pairs = [(name, ground) for name in ("ink", "muted", "bad") for ground in ("paper", "panel")]
    for name, ground in [*pairs, ("light", "panel")]:
        dark, bright = sorted((luminance(colors[name]), luminance(colors[ground])))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, ground)  # WCAG 2.2, AA


def test_write_leaves_a_whole_page_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    assert page.write(small(), target) == target
    assert target.read_text("utf-8") == rendered()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        page.write(small(), target)
    assert target.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.browser
def test_a_browser_runs_the_page_under_its_policy(tmp_path: Path) -> None:
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        pytest.skip("no Chromium here")
    target = page.write(small(), tmp_path / "report.html")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", target.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    # What only the script does: the theme button shows, the cursors lie over the four pictures of tokens.
    assert re.search(r'<button type="button" id="theme"[^>]*aria-label="Theme is auto, change it"', done.stdout)
    assert done.stdout.count('class="cursor"') == 4
    assert "no token chosen" in done.stdout
