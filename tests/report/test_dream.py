"""The page of a dream and what it is written from: whole, escaped, self-contained, with the numbers that were found."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.analysis.activation_maximization import Dreams, Search, maximize
from photosite.analysis.dreaming.measure import measure
from photosite.analysis.dreaming.objective import Target
from photosite.analysis.dreaming.preparation import Preparation
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.errors import ShapeError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from photosite.prep.recipe import Recipe
from photosite.prep.recipes import get_recipe
from photosite.report.dream import render
from photosite.trace.dream import DreamTrace, dream_lines, times_as_much, to_json, verdict
from photosite.trace.notation import number
from photosite.trace.record_dream import RealPictures, record_dream
from photosite.trace.save import dumps
from tests.report.reader import HOSTILE, Reader

RECIPE = replace(get_recipe("imagenet@32"), resize="squash", size_hw=(32, 32), crop_hw=None)


@cache
def read(batch: int) -> tuple[nn.Module, Graph]:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 6, 7, 2, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 4, 3, 1, 1), nn.AdaptiveAvgPool2d(1))
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3)).eval()
    return model, functional(capture(model, torch.zeros(batch, 3, 32, 32)))


PICTURES = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)


@cache
def found(results: int = 1, node: str = "2", unit: tuple[int, int] | None = None) -> Dreams:
    model, graph = read(results)
    return maximize(graph, model, Target(node, 1, unit), Preparation.of(RECIPE), Search(steps=24))


def traced(
    results: int = 1,
    node: str = "2",
    unit: tuple[int, int] | None = None,
    real: bool = True,
    recipe: Recipe = RECIPE,
    dreams: Dreams | None = None,
    name: str = "cat.jpg",
) -> DreamTrace:
    model, graph = read(results)
    dreams = dreams or found(results, node, unit)
    one, answers = ReceptiveFields(graph)[node], measure(graph, model, dreams.target, PICTURES, Preparation.of(RECIPE))
    given = RealPictures([f"{k} {name}" for k in range(len(PICTURES))], PICTURES, answers) if real else None
    return record_dream(name, node, graph.find(node), one, dreams, graph, model, recipe, given)


def test_the_best_real_pictures_are_cut_down_to_the_exact_field_of_their_place() -> None:
    trace = traced()
    answers = measure(*reversed(read(1)), found().target, PICTURES, Preparation.of(RECIPE))
    assert [one.value for one in trace.real] == sorted(answers.values.tolist(), reverse=True)[:8]
    one, best = ReceptiveFields(read(1)[1])["2"], trace.real[0]
    assert best.place is not None
    assert best.seen.box == one.unit_box(best.place)
    top, left, bottom, right = best.seen.box or (0, 0, 0, 0)
    number_of = int(best.name.split()[0])
    assert np.array_equal(best.seen.tile.pixels, PICTURES[number_of, top:bottom, left:right])
    # 7 × 7 at stride 2 from −3, then 3 × 3: 11 pixels from −5 on
    y, x = best.place
    assert best.seen.field == (2 * y - 5, 2 * x - 5, 2 * y + 6, 2 * x + 6)


def test_the_png_is_opened_again_and_its_activation_is_what_is_claimed() -> None:
    trace = traced(3)
    assert [one.shown for one in trace.dreams] == sorted((one.shown for one in found(3).found), reverse=True)
    for one, number_of in zip(trace.dreams, trace.order, strict=True):
        assert one.true
        assert one.read_back == pytest.approx(found(3).found[number_of].shown, rel=1e-5)
        assert one.through_recipe is None
        assert verdict(one) == "the PNG, opened again and prepared, gives what was reached"
    assert [look[0] for look in trace.curve] == [look[trace.order[0]] for look in found(3).curve]


def test_what_was_lost_in_rounding_is_said() -> None:
    good = found()
    claimed = replace(good.found[0], reached=good.found[0].shown * 1.5)
    trace = traced(dreams=replace(good, found=(claimed,)))
    assert not trace.dreams[0].true
    says = f"the PNG gives {number(trace.dreams[0].read_back)}, not the {number(claimed.reached)} that was reached"
    assert dict(dream_lines(trace))["not true"] == says
    assert "Not true : " + says in Reader(render(trace)).text
    assert to_json(trace)["dreams"][0]["true"] is False


def test_another_picture_than_the_one_that_was_measured_is_not_true() -> None:
    good = found()
    other = replace(good.found[0], picture=np.ascontiguousarray(good.found[0].picture[::-1]))
    assert not traced(dreams=replace(good, found=(other,))).dreams[0].true


def test_a_recipe_that_resizes_the_picture_once_more_is_measured_too() -> None:
    one = traced(recipe=get_recipe("imagenet@32")).dreams[0]  # 32 becomes 37, of which 32 are kept
    assert one.true
    assert one.through_recipe is not None
    assert one.through_recipe != pytest.approx(one.shown, rel=1e-3)


def test_a_page_shows_the_picture_bit_for_bit_and_the_numbers() -> None:
    trace = traced()
    page = render(trace)
    reader = Reader(page)
    reader.assert_fetches_nothing()
    first = next(a["src"] for tag, a in reader.tags if tag == "img" and (a.get("src") or "").startswith("data:"))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode((first or "").split(",")[1]))).convert("RGB"))
    assert np.array_equal(pixels, found().found[0].picture)
    one = trace.dreams[0]
    for value in (one.shown, one.moved, one.random_max, one.random_mean, trace.real[0].value):
        assert number(value) in reader.text
    assert times_as_much(one.shown, one.random_max) in reader.text
    curve = next(a["d"] for tag, a in reader.tags if tag == "path" and a.get("class") == "normal")
    assert len(re.findall(r"[\d.]+ [\d.]+", curve or "")) == len(trace.curve) == 25
    assert any(a.get("fill") == "url(#hatch)" for _, a in reader.tags) == ("Hatched" in reader.text)
    assert sum("Real picture" in (a.get("aria-label") or "") for _, a in reader.tags) == 7  # and the dream: two rows


def test_of_a_unit_the_page_draws_what_it_sees() -> None:
    trace = traced(2, unit=(0, 8))
    reader = Reader(render(trace))
    frames = [a for tag, a in reader.tags if tag == "rect" and a.get("class") == "reach"]
    assert [(a["x"], a["y"], a["width"], a["height"]) for a in frames] == [("11", "0", "11", "6")] * 2
    assert "2, channel 1 at row 0, column 8" in reader.text
    assert trace.dreams[0].seen.field == (-5, 11, 6, 22)


def test_without_real_pictures_and_without_places() -> None:
    trace = traced(node="5", real=False)
    reader = Reader(render(trace))
    reader.assert_fetches_nothing()
    assert "none given" in reader.text
    assert trace.grid is None
    assert trace.dreams[0].place is None
    whole = traced(node="5")
    assert whole.real[0].seen.box is None
    assert whole.real[0].seen.tile.pixels.shape == (32, 32, 3)
    assert "for all of them is seen" in Reader(render(whole)).text


def test_a_stranger_s_names_stay_text() -> None:
    trace = replace(traced(name=HOSTILE), notes=(HOSTILE,), left_out=(HOSTILE,), module=HOSTILE)
    page = render(trace)
    reader = Reader(page)
    reader.assert_fetches_nothing()
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert "\x1b" not in page
    page.encode("utf-8")
    dumps(to_json(trace)).encode("ascii")


def test_numbers_below_zero_have_bars_and_no_ratio() -> None:
    good = found()
    one = replace(good.found[0], random_max=-1.0, random_mean=-2.0)
    trace = traced(dreams=replace(good, found=(one,)), real=False)
    assert to_json(trace)["dreams"][0]["over_random"] is None
    assert dict(dream_lines(trace))["over random"].startswith(f"{number(one.shown + 1)} more")
    bars = [a for tag, a in Reader(render(trace)).tags if tag == "rect" and a.get("class") in ("part", "beside")]
    assert all(0 <= float(a["x"] or 0) <= 100 >= float(a["x"] or 0) + float(a["width"] or 0) - 0.02 for a in bars)
    assert float(bars[-2]["x"] or 0) == 0.0  # the smallest of all begins at the left


def test_pictures_of_other_channels_have_no_page() -> None:
    model = nn.Conv2d(4, 2, 3)
    graph = functional(capture(model, torch.zeros(1, 4, 16, 16)))
    dreams = maximize(graph, model, Target("conv2d", 0), search=Search(steps=4))
    with pytest.raises(ShapeError, match="pictures of 3 channels, the model takes 4"):
        record_dream("m", "conv2d", graph.nodes[0], ReceptiveFields(graph)["conv2d"], dreams, graph, model)


def test_the_page_is_written_without_torch() -> None:
    code = "import sys, photosite.report.dream; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_a_real_picture_gives_more_it_is_said() -> None:
    good = found()
    weak = replace(good.found[0], shown=-9.0)
    trace = traced(dreams=replace(good, found=(weak,)))
    assert any("a real picture gives more than any that was found" in note for note in trace.notes)
    assert "a real picture gives more" in Reader(render(trace)).text
    usual = traced()
    assert any("a real picture" in note for note in usual.notes) == (usual.dreams[0].shown < usual.real[0].value)
