"""The pages of `tokens` and `lightpath`: whole, escaped, self-contained, with numbers and boxes where they belong."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photosite.errors import RangeError
from photosite.lightpath import coverage, light_path, photosites, tokens_of
from photosite.prep.load import PictureInfo, load_with_info
from photosite.report import lightpath as lightpath_page
from photosite.report import tokens as tokens_page
from photosite.report.cells import beyond
from photosite.report.numbers import count, number, percent
from photosite.tokens import front_end, list_front_ends
from photosite.tokens.tile import Resized, Tile, Window, run
from photosite.trace.cells import lying, tile_cells
from photosite.trace.record_lightpath import LightpathTrace, record_lightpath
from photosite.trace.record_tokens import FrontEndTokens, Refused, TokensTrace, record_tokens
from tests.report.reader import HOSTILE, Reader

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)


@cache
def info() -> PictureInfo:
    return load_with_info(PHOTO)[1]


@cache
def all_tokens() -> TokensTrace:
    return record_tokens([front_end(name) for name in list_front_ends()], PHOTO, 7e9, "a/fish.jpg", pictures=True)


def tokens_of_one(name: str, photo: np.ndarray[Any, Any] = PHOTO) -> tuple[FrontEndTokens, Reader]:
    trace = record_tokens([front_end(name)], photo, 7e9, "fish.jpg", pictures=True)
    (one,) = trace.front_ends
    assert isinstance(one, FrontEndTokens)
    return one, Reader(tokens_page.render(trace))


@cache
def a_path(name: str, token: int | None = None, pixel: tuple[int, int] | None = None) -> LightpathTrace:
    return record_lightpath(front_end(name), PHOTO, info(), token=token, pixel=pixel, pictures=True)


@cache
def page_of(name: str, token: int | None = None, pixel: tuple[int, int] | None = None) -> Reader:
    return Reader(lightpath_page.render(a_path(name, token, pixel)))


def plain(text: str) -> str:
    """With spaces as the reader gives them."""
    return " ".join(text.split())


def drawn(reader: Reader, tag: str, kind: str) -> list[dict[str, str | None]]:
    return [a for name, a in reader.tags if name == tag and a.get("class") == kind]


def rectangles(reader: Reader, kind: str) -> list[list[float]]:
    return [[float(a[side] or 0) for side in ("x", "y", "width", "height")] for a in drawn(reader, "rect", kind)]


PATHS: dict[str, tuple[str, int | None, tuple[int, int] | None]] = {
    "one picture": ("qwen2-vl", 4, None),
    "tiles": ("llava-next", 700, None),
    "padding alone": ("llava-1.5", 0, None),
    "no place": ("clip-l-336", 0, None),
    "a pixel": ("llava-next", None, (30, 50)),
    "a pixel that nobody sees": ("clip-l-336", None, (30, 2)),
}


@pytest.mark.parametrize("case", ["tokens", *PATHS])
def test_pages_are_whole_and_fetch_nothing(case: str) -> None:
    reader = Reader(tokens_page.render(all_tokens())) if case == "tokens" else page_of(*PATHS[case])
    reader.assert_fetches_nothing()
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {(a["href"] or "")[1:] for tag, a in reader.tags if tag in ("a", "use") and a.get("href")}
    links |= {(a["fill"] or "")[5:-1] for _, a in reader.tags if (a.get("fill") or "").startswith("url(#")}
    assert links <= set(ids)
    assert "None" not in reader.text
    assert not re.search(r"\bnan\b|\.\d{9,}", reader.text)
    for tag, attributes in reader.tags:
        if tag == "path":
            assert (attributes.get("d") or "").startswith("M"), attributes
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden"), attributes


def test_hostile_names_harm_nobody() -> None:
    one = dataclasses.replace(front_end("llava-next"), name=HOSTILE, source=HOSTILE)
    tokens = record_tokens([one, front_end("clip-l-336")], PHOTO, 7e9, HOSTILE, pictures=True)
    refused = dataclasses.replace(tokens, front_ends=(*tokens.front_ends, Refused(HOSTILE, HOSTILE)))
    spoiled = record_lightpath(one, PHOTO, dataclasses.replace(info(), path=HOSTILE), token=700, pictures=True)
    for text in (
        tokens_page.render(refused),
        lightpath_page.render(spoiled),
        lightpath_page.render(dataclasses.replace(spoiled, global_by=(HOSTILE,))),
    ):
        Reader(text).assert_fetches_nothing()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\x1b" not in text
        assert "{{7*7}}" in text  # written as it is, never filled in


def test_each_front_end_says_its_numbers_fewest_tokens_first() -> None:
    reader = Reader(tokens_page.render(all_tokens()))
    said = sorted(
        (one for one in all_tokens().front_ends if isinstance(one, FrontEndTokens)),
        key=lambda one: (one.total, one.name),
    )
    assert len(said) == len(list_front_ends())
    rows = reader.text[reader.text.index("Counts The same photo") :]
    at = 0
    for one in said:
        words = f"{one.name} {count(one.total)} {number(one.photo_pixels_per_token)} {number(one.readable_text_px)} px"
        at = rows.index(plain(words), at)  # raises where a row is missing or out of order
    cards = reader.text[reader.text.index("Each front end's tokens where they lie") :]
    for one in said:
        at = cards.index(plain(f"{one.name} tokens {count(one.total)}") + " ")
        card = cards[at : cards.index("prefill", at)]
        assert f"tiles {one.tiles} " in card
        assert f"unseen {percent(one.unseen_share) + ' of the photo' if one.unseen_share else 'nothing'}" in card
        assert ("padding" in card) == bool(one.padding_share)


def test_padding_is_hatched_where_it_lies() -> None:
    one, reader = tokens_of_one("llava-1.5")
    # 60 × 100 is padded to 100 × 100, which begins at row -20; of its 24 × 24 cells 40 % of the area is padding
    assert one.padding_share == pytest.approx(0.4)
    (outline,) = [a["d"] for a in drawn(reader, "path", "outline")]
    assert outline == "M0 -20h100v100h-100Z"
    (padding,) = [a["d"] for tag, a in reader.tags if tag == "path" and (a.get("fill") or "").startswith("url(#hatch")]
    assert padding == "M0 -20h100v20h-100ZM0 60h100v20h-100Z"
    assert "padding 40 % of the cells" in reader.text
    assert "hatched: padding" in reader.text


def test_cells_are_lines_of_one_path() -> None:
    _, reader = tokens_of_one("paligemma-224")
    (lines,) = drawn(reader, "path", "line")
    steps = re.findall(r"M([\d.]+) ([\d.]+)([hv])([\d.]+)", lines["d"] or "")
    across = [float(y) for _, y, way, _ in steps if way == "h"]
    down = [float(x) for x, _, way, _ in steps if way == "v"]
    # 16 × 16 tokens: 60 / 16 and 100 / 16 pixels from one line to the next
    assert across == pytest.approx([3.75 * k for k in range(1, 16)], abs=0.006)
    assert down == pytest.approx([6.25 * k for k in range(1, 16)], abs=0.006)
    assert {float(length) for _, _, way, length in steps if way == "h"} == {100}


def test_tiles_and_the_whole_photo_are_drawn_apart() -> None:
    one, reader = tokens_of_one("internvl2", np.zeros((400, 800, 3), np.uint8))
    # 400 × 800 is nearest to 1 : 2, and of the arrangements with that shape 2 × 4 would have too many pixels
    assert [tile.role for tile in one.tiles_of] == ["tile", "tile", "base"]
    tiles, base = [a["d"] for a in drawn(reader, "path", "outline")]
    assert tiles == "M0 0h400v400h-400ZM400 0h400v400h-400Z"
    assert base == "M0 0h800v400h-800Z"
    assert "256 of the whole photo" in reader.text
    assert "512 of its parts" in reader.text


@pytest.mark.parametrize(
    ("name", "size_hw"), [("siglip-so400m-384", (300, 451)), ("clip-l-336", (300, 451)), ("smolvlm", (200, 900))]
)
def test_what_no_token_sees_is_dimmed_pixel_by_pixel(name: str, size_hw: tuple[int, int]) -> None:
    photo = np.zeros((*size_hw, 3), np.uint8)
    one, reader = tokens_of_one(name, photo)
    gone = np.zeros(photo.shape[:2], int)
    for top, left, bottom, right in one.unseen_boxes or ():
        gone[top:bottom, left:right] += 1
    np.testing.assert_array_equal(gone, coverage(front_end(name), size_hw) == 0)
    assert gone.mean() == pytest.approx(one.unseen_share, abs=1e-6)
    lost = drawn(reader, "path", "lost")
    assert len(lost) == len({tile.role for tile in one.tiles_of})
    assert (lost[0]["d"] or "").count("M") == len(one.unseen_boxes or ())
    assert "dimmed and finely lined: what no token sees" in reader.text
    assert f"unseen {percent(one.unseen_share)} of the photo" in reader.text


def test_refusals_stand_on_the_page_with_their_reason() -> None:
    photo = np.full((20, 4200, 3), 90, np.uint8)
    trace = record_tokens([front_end("qwen2-vl"), front_end("siglip-so400m-384")], photo, 7e9, pictures=True)
    text = Reader(tokens_page.render(trace)).text
    assert "refused by 1 of 2" in text
    assert "qwen2-vl refused: qwen2-vl: takes sides up to 1 : 200, got 20 × 4200" in text
    alone = record_tokens([front_end("qwen2-vl")], photo, 7e9, pictures=True)
    text = Reader(tokens_page.render(alone)).text
    assert "takes sides up to 1 : 200" in text
    assert "Cells" not in text
    with pytest.raises(RangeError, match="a number above 0"):
        record_tokens([], photo, 0)


def test_a_page_of_all_front_ends_stays_small() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (1600, 2400, 3), np.uint8)  # noise: the largest JPEG there is
    chosen = [front_end(name) for name in list_front_ends()]
    trace = record_tokens(chosen, photo, 7e9, pictures=True)
    text = tokens_page.render(trace)
    assert text.count("data:image/jpeg") == 1
    assert len(text) < 1_500_000
    # without the photo: what lines and words take
    assert len(re.sub(r"data:image/jpeg;base64,[^\"]*", "", text)) < 500_000


def test_steps_are_laid_back_over_the_photo() -> None:
    steps = (Window((10, -20), (80, 240)), Resized((40, 60), "bicubic"), Window((0, 30), (40, 30)))
    # columns: 30 of the last begin at 30 of 60, which are 4 pixels each of what begins at -20
    assert lying(steps, (100, 200)) == (2, 4, 10, 100)
    assert lying((), (100, 200)) == (1, 1, 0, 0)


def test_cells_of_networks_whose_places_do_not_fill_the_picture() -> None:
    tile = Tile("base", (Resized((100, 100), "bilinear"),))

    def places(rows: list[int], columns: list[int], box: tuple[int, int, int, int]) -> Any:
        none = np.zeros(len(rows), np.int64)
        return SimpleNamespace(
            tiles=(tile,), cell=32, tile=none, row=np.array(rows), column=np.array(columns), box=lambda _: box
        )

    (grid,) = tile_cells(places([0, 0, 3, 3], [0, 3, 0, 3], (0, 0, 90, 100)), (200, 200))
    assert grid.box == (0, 0, 100, 100)  # not 128
    assert grid.made_of == (90, 100)
    assert grid.block == (0, 0, 200, 200)
    (learned,) = tile_cells(places([0] * 8, [0] * 8, (0, 0, 100, 100)), (200, 200))
    assert not learned.apart
    assert learned.box == (0, 0, 100, 100)


def test_what_lies_beyond_is_told_from_rounding() -> None:
    assert beyond((0, 0, 10 + 1e-9, 10), (0, 0, 10, 10)) == ""
    assert beyond((-1, -2, 10, 12), (0, 0, 10, 10)) == "M-2 -1h14v1h-14ZM-2 0h2v10h-2ZM10 0h2v10h-2Z"


def test_a_tokens_box_is_drawn_where_the_path_says() -> None:
    trace, reader = a_path("llava-next", 700), page_of("llava-next", 700)
    path = light_path(front_end("llava-next"), (60, 100), 700)
    assert [stage.name for stage in trace.stages] == [stage.name for stage in path.stages][::-1]
    boxes = rectangles(reader, "reach") + rectangles(reader, "place")
    for stage, found in zip(trace.stages, path.stages[::-1], strict=True):
        assert stage.box == found.box is not None
        top, left, bottom, right = found.box or (0, 0, 0, 0)
        assert [left, top, right - left, bottom - top] in boxes
        assert f"rows {top} … {bottom - 1} " in reader.text
        assert plain(stage.text) in reader.text
    header = rectangles(reader, "reach")[0]
    top, left, bottom, right = path.photo_box or (0, 0, 0, 0)
    assert header == [left, top, right - left, bottom - top]
    # the cell: of the tile, and so of every picture, 14 pixels of what 60 × 100 was enlarged to
    assert trace.stages[-1].cell == pytest.approx(path.stages[0].box)
    down = trace.stages[-1].lying[0]
    assert trace.stages[0].cell[2] - trace.stages[0].cell[0] == pytest.approx(14 * down)


def test_each_row_and_column_has_a_bar_as_long_as_it_counts() -> None:
    trace, reader = a_path("qwen2-vl", 4), page_of("qwen2-vl", 4)
    first = trace.stages[0]
    for weights, along in ((first.down, "v"), (first.across, "h")):
        bars = [
            re.findall(rf"M[\d.]+ [\d.]+{along}[\d.]+[vh](-?[\d.]+)", a["d"] or "")
            for kind in ("more", "less")
            for a in drawn(reader, "path", kind)
        ]
        lengths = [np.array([float(length) for length in one]) for one in bars if one]
        found = np.concatenate(lengths)
        assert len(found) == len(weights)
        expected = np.concatenate([weights[weights > 0], weights[weights <= 0]])
        np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=2e-4)
    assert f"{number(first.down.min())} … {number(first.down.max())}" in reader.text


def test_pictures_on_the_way_are_the_real_pixels() -> None:
    trace = a_path("llava-next", 700)
    tile = front_end("llava-next").tiles((60, 100))[trace.tile]
    for steps, stage in enumerate(trace.stages):
        made = run(PHOTO, (Tile(tile.role, tile.steps[:steps]),))[0] if steps else PHOTO
        assert stage.close is not None
        assert stage.close_box is not None
        top, left, bottom, right = stage.close_box
        np.testing.assert_array_equal(stage.close.pixels, made[top:bottom, left:right])
        low, high = made.min(), made.max()
        assert stage.text == f"{stage.name} · {made.shape[0]} × {made.shape[1]} × 3 uint8 · {low} … {high}"


def test_photosites_have_the_colors_of_their_filters() -> None:
    trace, reader = a_path("qwen2-vl", 4), page_of("qwen2-vl", 4)
    assert trace.photo_box is not None
    made_of = photosites(trace.photo_box, (60, 100))
    assert trace.sensor is not None
    assert (trace.sensor.box, trace.sensor.count) == (made_of.box, made_of.count)
    places = {}
    for letter in "rgb":
        (cells,) = drawn(reader, "path", f"f{letter}")
        found = re.findall(r"M(\d+) (\d+)h1v1h-1Z", cells["d"] or "")
        places[letter] = {(int(y), int(x)) for x, y in found}
    assert sum(map(len, places.values())) == made_of.count
    assert all((y % 2, x % 2) == (0, 0) for y, x in places["r"])
    assert all((y % 2, x % 2) == (1, 1) for y, x in places["b"])
    top, left = made_of.box[:2]
    assert set().union(*places.values()) == {(top + y, left + x) for y, x in np.argwhere(made_of.mask).tolist()}


def test_a_large_box_of_photosites_is_counted_and_not_drawn() -> None:
    photo = np.zeros((900, 900, 3), np.uint8)
    trace = record_lightpath(front_end("paligemma-224"), photo, load_with_info(photo)[1], token=20, pictures=True)
    reader = Reader(lightpath_page.render(trace))
    assert trace.sensor is not None
    assert trace.sensor.mask is None
    assert plain(f"photosites {count(trace.sensor.count)}") in reader.text
    assert "too many to be drawn one by one" in reader.text
    assert not drawn(reader, "path", "fg")


def test_a_turned_photo_has_its_photosites_as_they_are_stored() -> None:
    turned = dataclasses.replace(info(), orientation=6)
    trace = record_lightpath(front_end("qwen2-vl"), PHOTO, turned, token=0, pictures=True)
    assert trace.sensor is not None
    assert trace.sensor.stored_hw == (100, 60)
    reader = Reader(lightpath_page.render(trace))
    top, left, bottom, right = trace.sensor.stored_box
    assert [left, top, right - left, bottom - top] in rectangles(reader, "reach")
    assert "6 of EXIF: stored turned or mirrored" in reader.text


def test_patches_stand_in_their_cell_with_their_numbers() -> None:
    trace, reader = a_path("qwen2-vl", 4), page_of("qwen2-vl", 4)
    assert len(trace.patches) == 4
    texts = [a for tag, a in reader.tags if tag == "text"]
    assert reader.inside["text"] == [str(number) for number in trace.patches]
    assert trace.stages[-1].box is not None
    top, left = trace.stages[-1].box[:2]
    middles = [(float(a["y"] or 0) - top, float(a["x"] or 0) - left) for a in texts]
    assert middles == [(7, 7), (7, 21), (21, 7), (21, 21)]


@pytest.mark.parametrize(
    ("name", "token", "said"),
    [("clip-l-336", 0, "a learned token in front of the others"), ("llava-next", 576 + 40, "a learned newline")],
)
def test_a_token_without_a_place_says_so(name: str, token: int, said: str) -> None:
    trace, reader = a_path(name, token), page_of(name, token)
    places = front_end(name).token_map((60, 100))
    assert places.tile[token] == -1
    assert trace.stages == ()
    assert "which stands for no place of the photo" in reader.text
    assert said in reader.text
    assert not rectangles(reader, "reach")
    (here,) = drawn(reader, "path", "here")
    assert here["d"] == f"M{token + 0.5} 0v12"


def test_a_token_of_padding_alone_says_so() -> None:
    reader = page_of("llava-1.5", 0)
    assert "made of padding alone" in reader.text
    assert "On the sensor There are none: the token is made of padding alone." in reader.text
    assert a_path("llava-1.5", 0).sensor is None
    assert not drawn(reader, "path", "fr")
    assert "Padding alone: no pixel of this picture counts for the token." in reader.text


def test_all_tokens_that_see_a_pixel_are_drawn() -> None:
    trace, reader = a_path("llava-next", None, (30, 50)), page_of("llava-next", None, (30, 50))
    named = tokens_of(front_end("llava-next"), (60, 100), (30, 50))
    assert list(trace.tokens) == named
    assert trace.token == named[0]
    cells = {a["d"] for a in drawn(reader, "path", "cells-seeing")}
    assert len(cells) == 1
    (path,) = cells
    assert (path or "").count("M") == len(named)
    assert plain(", ".join(map(count, named))) in reader.text
    for token, spot in zip(named, trace.spots, strict=True):
        top, left, bottom, right = light_path(front_end("llava-next"), (60, 100), token).photo_box or (0, 0, 0, 0)
        assert top <= spot[0] < spot[2] <= bottom  # a cell lies inside of what counts for it
        assert left <= spot[1] < spot[3] <= right


def test_a_pixel_that_nobody_sees_has_no_path() -> None:
    reader = page_of("clip-l-336", None, (30, 2))
    assert "no token of clip-l-336 sees it" in reader.text
    assert "seen by 0 of 577 tokens" in reader.text
    assert not any(a.get("id") in ("photosites", "token") for _, a in reader.tags)


def test_the_order_of_tokens_is_drawn_whole() -> None:
    trace = a_path("llava-next", 700)
    runs = trace.runs
    assert [run.start for run in runs] == [0, *(run.stop for run in runs[:-1])]
    assert runs[-1].stop == trace.total == front_end("llava-next").count((60, 100)).total
    places = front_end("llava-next").token_map((60, 100))
    assert sum(run.stop - run.start for run in runs if run.kind == "newline") == int(places.newline.sum())


def test_pages_are_written_without_torch() -> None:
    code = "import sys, photosite.report.tokens, photosite.report.lightpath; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.browser
@pytest.mark.parametrize("case", ["tokens", "tiles", "a pixel"])
def test_a_browser_shows_the_pages_under_their_policy(case: str, tmp_path: Path) -> None:
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        pytest.skip("no Chromium here")
    text = tokens_page.render(all_tokens()) if case == "tokens" else lightpath_page.render(a_path(*PATHS[case]))
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'p'}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    assert "Theme is auto" in done.stdout
