"""The page of a pixel: whole, escaped, self-contained, with the numbers that were recorded."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photosite.prep.load import load_with_info
from photosite.prep.recipes import get_recipe
from photosite.report.pixels import STATIONS, render
from photosite.trace.notation import number
from photosite.trace.record_pixel import PixelTrace, record_pixel
from tests.report import example
from tests.report.reader import HOSTILE, Reader

MOST_BYTES = 5_000_000


def recorded(photo: np.ndarray, at_xy: tuple[int, int] | None = None) -> PixelTrace:
    picture, info = load_with_info(photo)
    return record_pixel(picture, info, at_xy, get_recipe("imagenet@64"))


@cache
def chelsea() -> PixelTrace:
    return recorded(example.photo(), (225, 120))


@cache
def rendered() -> str:
    return render(chelsea())


@cache
def text() -> str:
    return Reader(rendered()).text


def test_the_page_parses_and_its_links_lead_somewhere() -> None:
    reader = Reader(rendered())
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in reader.tags if tag in ("a", "use") and a.get("href")}  # type: ignore[index]
    assert links <= set(ids)


def test_stations_stand_in_the_order_of_the_light() -> None:
    assert [a["id"] for tag, a in Reader(rendered()).tags if tag == "section"] == list(STATIONS)


def test_nothing_is_fetched_and_nothing_styles_itself() -> None:
    reader = Reader(rendered())
    reader.assert_fetches_nothing()
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in str(policy)


def test_the_page_is_small() -> None:
    assert len(rendered().encode()) < MOST_BYTES


def test_pictures_are_at_most_800_px_wide() -> None:
    found = re.findall(r'(?:src|href)="data:image/(?:png|jpeg);base64,([^"]+)"', rendered())
    assert len(found) > 30
    for data in found:
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 800


def test_every_picture_has_its_caption_and_scale() -> None:
    pictures = chelsea().pictures
    assert pictures.demosaicing is not None
    tiles = [pictures.near, pictures.near_mosaic, pictures.mosaic, pictures.input_picture, *pictures.input_channels]
    tiles += [plane for space in pictures.spaces for plane in space.planes]
    tiles += [loss.error for loss in (*pictures.demosaicing.losses, *pictures.subsampling.losses[1:])]
    tiles += [loss.close_up for loss in (*pictures.demosaicing.losses, *pictures.subsampling.losses)]
    for tile in tiles:
        assert " ".join(tile.caption.split()) in text()
        assert " ".join(tile.scale.split()) in text()
    for tag, attributes in Reader(rendered()).tags:
        if tag == "img" and "src" in attributes:
            assert attributes["alt"], "a picture without words"


def test_the_numbers_are_those_that_were_recorded() -> None:
    pixel, pictures = chelsea().pixel, chelsea().pictures
    assert f"x {pixel.x}, y {pixel.y}, both from 0" in text()
    assert f"sRGB {', '.join(map(str, pixel.rgb))} R, G, B: levels 0 … 255" in text()
    assert f"{pixel.photosite.color} of RGGB" in text()
    for name, levels in pixel.photosite.developed_rgb.items():
        assert f"{name} {', '.join(map(str, levels))}" in text()
    assert pictures.demosaicing is not None
    for loss in pictures.demosaicing.losses:
        assert f"{loss.name} {number(loss.mean)} {number(loss.highest)} " in text()
    for loss in pictures.subsampling.losses[1:]:
        kept = number(loss.numbers_per_pixel)
        assert f"{loss.name} {kept} {number(loss.mean)} {number(loss.highest)} " in text()
    assert "4:4:4 3 < 10⁻⁹ < 10⁻⁹ 0 %" in text()
    assert pixel.normalized.row_column is not None
    row, column = pixel.normalized.row_column
    assert f"input pixel in row {row}, column {column}" in text()
    for channel, alone, mean, std in zip(
        "RGB", pixel.normalized.of_this_pixel_alone, pictures.input_means, pictures.input_stds, strict=True
    ):
        assert re.search(f"{channel} {number(alone)} [−0-9.]+ {number(mean)} {number(std)}", text())


def test_the_neighborhood_in_numbers() -> None:
    photo = example.photo()
    table = text().partition("R, G, B of each pixel y, x ")[2]
    assert table.startswith("223 224 225 226 227 118 ")
    rows = table.split(" The same pixel")[0]
    for y in range(118, 123):
        levels = " ".join(str(level) for x in range(223, 228) for level in photo[y, x])
        assert f"{y} {levels}" in rows
    counts = text().partition("raw counts of each photosite, under the color of its filter y, x ")[2]
    near, (top, left) = chelsea().pictures.near_counts, chelsea().pictures.near_box[:2]
    line = " ".join(f"{near[120 - top, x - left]:,} {'RG'[x % 2]}" for x in range(223, 228)).replace(",", " ")
    assert f"120 {line}" in counts


def test_the_chosen_pixel_is_framed() -> None:
    assert rendered().count('<rect x="8" y="8" width="1" height="1"/>') == 2  # the middle of the neighborhood
    at_the_edge = render(recorded(np.zeros((30, 40, 3), np.uint8), (38, 3)))
    assert at_the_edge.count('<rect x="14" y="3" width="1" height="1"/>') == 2  # which then begins at column 24


def test_what_the_script_says_of_each_neighbor() -> None:
    reader = Reader(rendered())
    assert any(a.get("type") == "application/json" and a.get("id") == "cells" for _, a in reader.tags)
    photo, (top, left) = example.photo(), chelsea().pictures.near_box[:2]
    red, green, blue = photo[top, left]
    assert f'"x {left}, y {top}\\nR {red}, G {green}, B {blue}\\nphotosite ' in rendered()


def test_hostile_text_is_spelled_out() -> None:
    trace = chelsea()
    hostile = render(
        dataclasses.replace(
            trace,
            picture={**trace.picture, "path": HOSTILE, "format": HOSTILE, "sha256": HOSTILE},
            recipe={HOSTILE: HOSTILE, "name": HOSTILE},
            notes=(HOSTILE,),
            version=HOSTILE,
        )
    )
    hostile.encode()  # a lone surrogate would not become UTF-8
    reader = Reader(hostile)
    assert hostile.count("<script") == rendered().count("<script")
    assert "alert(1)" not in "".join(reader.inside["script"])
    assert not any(attributes.get("src") == "x" for _, attributes in reader.tags)
    assert not set(hostile) & {"\x1b", "\u202e", "\udcff"}
    assert "\\x1b[31m\\u202egpj\\xff" in reader.text


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 70)])
def test_photos_of_every_shape_have_a_page(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = Reader(render(recorded(photo, (size[1] - 1, 0)))).text
    assert ("Demosaicing: not possible" in found) == (min(size) < 2)
    assert "None" not in found
    assert "nan" not in found


def test_outside_the_crop_is_said() -> None:
    found = Reader(render(recorded(example.photo(), (0, 0)))).text
    assert "Nowhere: the pixel lies outside of what the recipe crops." in found
    assert "this pixel lies outside of what the recipe imagenet@64 crops" in found


def test_gray_has_no_hue() -> None:
    found = Reader(render(recorded(np.full((20, 20, 3), 70, np.uint8)))).text
    assert "HSV no hue, 0, 0.2745" in found
    assert "this pixel is gray: it has no hue" in found


def test_only_a_jpeg_was_perhaps_subsampled_before() -> None:
    words = "its chroma was probably subsampled once before"
    assert words not in text()  # an array
    trace = chelsea()
    jpeg = dataclasses.replace(trace, picture={**trace.picture, "format": "JPEG"})
    assert words in Reader(render(jpeg)).text


def test_a_histogram_says_which_bars_are_cut() -> None:
    photo = np.zeros((30, 30, 3), np.uint8)
    photo[0, :7, 1] = 100
    found = Reader(render(recorded(photo))).text
    assert "highest 7 pixels at G 100" in found
    assert "cut off R 0 has 900" in found
    assert "cut off G 0 has 893" in found


def test_a_sampled_photo_says_which_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from photosite.trace import light_pictures

    monkeypatch.setattr(light_pictures, "SAMPLE_PIXELS", 1200)
    found = Reader(render(recorded(np.random.default_rng(0).integers(0, 256, (150, 160, 3), dtype=np.uint8)))).text
    assert "the photo's center at full resolution, rows 58 … 90 and columns 62 … 96 of 150 × 160 px" in found
    # close-ups are named by their place in the photo, not in the part
    places = re.findall(r"rows (\d+) … (\d+), columns (\d+) … (\d+) of the photo", found)
    inside = [(58 <= int(a) <= int(b) <= 90, 62 <= int(c) <= int(d) <= 96) for a, b, c, d in places[:2]]
    assert inside == [(True, True)] * 2


@pytest.mark.browser
def test_a_browser_runs_the_page_under_its_policy(tmp_path: Path) -> None:
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        pytest.skip("no Chromium here")
    target = tmp_path / "pixels.html"
    target.write_text(rendered(), encoding="utf-8")
    command: list[Any] = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'p'}",
    ]
    command += ["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", target.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    # What only the script does: the theme button shows, a cursor lies over both close-ups and begins at the pixel.
    assert re.search(r'<button type="button" id="theme"[^>]*aria-label="Theme is auto, change it"', done.stdout)
    assert done.stdout.count('class="cursor"') == 2
    assert len(re.findall(r'<p class="cell"[^>]*>x 225, y 120\n', done.stdout)) == 2
