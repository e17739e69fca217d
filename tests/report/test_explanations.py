"""The pages of `inspect`, `field` and `why`: whole, escaped, self-contained, with the numbers that were found."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from functools import cache
from importlib import resources

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.effective_field import effective_field
from photosite.analysis.inspection import inspect
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.replay import evaluate
from photosite.graph.capture import capture
from photosite.graph.execute import model_arrays
from photosite.graph.functional import functional
from photosite.graph.ir import Graph
from photosite.graph.reach.field import unknown
from photosite.prep.geometry import Geometry
from photosite.prep.recipes import get_recipe
from photosite.report import field, inspection, why
from photosite.report.numbers import number
from photosite.trace.field import FieldTrace
from photosite.trace.record_field import record_field
from photosite.trace.record_why import WhyTrace, record_why
from tests.report.reader import HOSTILE, Reader


class Network(nn.Module):
    """Has a gate, a class of its own, and a place that sees a corner alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm, self.gate = nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x)).relu()
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        y: torch.Tensor = self.head(x.amax((2, 3)))
        return y


@cache
def read() -> tuple[Network, Graph]:
    model = Network().eval()
    return model, functional(capture(model, torch.zeros(1, 3, 64, 64)))


PHOTO = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
RECIPE = get_recipe("imagenet@64")


@cache
def a_field() -> FieldTrace:
    model, graph = read()
    found = graph.find("gate")
    one = ReceptiveFields(graph)["stem"]
    heat = effective_field(graph, model, "stem", [(3, 4)], 2)
    return record_field(
        "a model", found, one, (3, 4), (64, 64), PHOTO, RECIPE.geometry((80, 120)), (40, 60), [("noise", heat[0])]
    )


@cache
def a_why() -> WhyTrace:
    model, graph = read()
    values = evaluate(graph, model_arrays(model), RECIPE(PHOTO))
    return record_why("a model", graph, values, "head", (0, 2), 20, PHOTO, RECIPE.geometry((80, 120)))


@cache
def an_inspection() -> str:
    return inspection.render("a model", (3, 64, 64), inspect(read()[1], types={"stem": HOSTILE}), "1")


@pytest.mark.parametrize("page", [lambda: field.render(a_field()), lambda: why.render(a_why(), 5), an_inspection])
def test_pages_are_whole_and_fetch_nothing(page: object) -> None:
    text = page()  # type: ignore[operator]
    reader = Reader(text)
    reader.assert_fetches_nothing()
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in reader.tags if tag in ("a", "use") and a.get("href")}  # type: ignore[index]
    assert links <= set(ids)
    assert "<img src=x" not in text
    assert "None" not in reader.text


def test_hostile_names_harm_nobody() -> None:
    spoiled = dataclasses.replace(
        a_field(), model=HOSTILE, name=HOSTILE, module=HOSTILE, global_by=(HOSTILE,), unknown=HOSTILE
    )
    for text in (
        field.render(spoiled),
        why.render(dataclasses.replace(a_why(), model=HOSTILE, name=HOSTILE)),
        an_inspection(),
    ):
        Reader(text).assert_fetches_nothing()
        assert "<script>alert" not in text
        assert "\x1b" not in text


def test_a_field_is_drawn_where_it_lies_in_the_photo() -> None:
    trace = a_field()
    assert trace.photo_box is not None
    frame = next(a for tag, a in Reader(field.render(trace)).tags if tag == "rect" and a.get("class") == "reach")
    drawn = [float(frame[name] or 0) for name in ("x", "y", "width", "height")]
    top, left, bottom, right = (float(edge) for edge in trace.photo_box)
    assert drawn == pytest.approx([left, top, right - left, bottom - top])
    assert trace.box == (3, 5, 10, 12)  # rows 6 - 3 … 6 + 3 of the input
    assert trace.asked is not None
    assert trace.asked.input_pixel is not None


def test_why_leads_from_the_head_to_the_photo() -> None:
    trace = a_why()
    reader = Reader(why.render(trace, 5))
    assert next(step.found.op.split(".")[1] for step in trace.steps) == "linear"
    assert trace.steps[0].box is None  # sees everything
    assert trace.steps[-1].box is not None
    assert trace.steps[-1].found.terms[0].source == "x"
    for step in trace.steps:
        assert f"{step.found.node}[" in reader.text
        assert number(step.found.value) in reader.text
    followed = [a for tag, a in reader.tags if tag == "tr" and a.get("class") == "followed"]
    shown = [step for step in trace.steps if step.followed is not None and step.followed < 5]
    assert len(followed) == len(shown)


def test_modules_are_a_table() -> None:
    reader = Reader(an_inspection())
    rows = [tag for tag, _ in reader.tags if tag == "tr"]
    assert len(rows) == 1 + len(inspect(read()[1]).modules)
    assert "BatchNorm2d" in reader.text
    assert "mean" in reader.text  # what the gate sees all by


def test_every_module_can_be_linked_to_and_found_by_name() -> None:
    reader = Reader(an_inspection())
    rows = [a["id"] for tag, a in reader.tags if tag == "tr" and "id" in a]
    assert "module-stem" in rows
    links = [a["href"] for tag, a in reader.tags if tag == "a" and (a.get("href") or "").startswith("#module-")]
    assert links == [f"#{row}" for row in rows]
    assert any(tag == "input" and a.get("id") == "filter" for tag, a in reader.tags)
    assert [a for tag, a in reader.tags if tag == "figure" and "growth" in (a.get("class") or "")]


def test_what_is_not_known_is_said() -> None:
    _, graph = read()
    found = inspect(graph)
    lost = dataclasses.replace(found.modules[1].field, field=unknown((1, 8, 32, 32), "stem: no rule"))
    modules = (found.modules[0], dataclasses.replace(found.modules[1], field=lost), *found.modules[2:])
    spoiled = dataclasses.replace(found, modules=modules, unknown={"conv2d": "stem: no rule"})
    text = Reader(inspection.render("a model", (3, 64, 64), spoiled, "1")).text
    assert "field not known behind stem: no rule" in text
    row = text[text.index("2 stem") :]
    assert row.index("not known") < row.index("3 norm")
    trace = record_field("a model", graph.find("stem"), lost, None, (64, 64))
    assert "none: stem: no rule" in Reader(field.render(trace)).text


def test_a_page_says_why_a_value_has_no_units() -> None:
    _, graph = read()
    trace = record_field("m", graph.find("head"), ReceptiveFields(graph)["head"], None, (64, 64))
    text = Reader(field.render(trace)).text
    assert "none: it sees everything, by" in text
    assert "0 × 0" not in text


def test_gaps_between_the_pixels_that_are_seen_are_drawn() -> None:
    model = nn.Conv2d(3, 2, 3, padding=2, dilation=2)
    graph = functional(capture(model, torch.zeros(1, 3, 16, 16)))
    one = ReceptiveFields(graph)[graph.nodes[-1].name]
    trace = record_field("dilated", graph.nodes[-1], one, (8, 8), (16, 16))
    reader = Reader(field.render(trace))
    assert trace.rows == [(6, 6), (8, 8), (10, 10)]
    (gaps,) = [a["d"] for tag, a in reader.tags if tag == "path" and a.get("class") == "gap"]
    assert gaps == "M6 7h5v1h-5ZM6 9h5v1h-5ZM7 6h1v5h-1ZM9 6h1v5h-1Z"
    assert "pale in it" in reader.text


class Rolled(nn.Module):
    """Carries rows around the border."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(torch.roll(x, 2, 2), 3, 1)


def test_what_went_around_a_border_is_no_padding() -> None:
    graph = functional(capture(Rolled(), torch.zeros(1, 3, 12, 12)))
    node = graph.nodes[-1]
    trace = record_field("rolled", node, ReceptiveFields(graph)[node.name], (0, 5), (12, 12))
    assert trace.rows == [(0, 0), (10, 11)]
    assert trace.padding_share is None
    assert "beyond borders" not in Reader(field.render(trace)).text
    trace = record_field("rolled", node, ReceptiveFields(graph)[node.name], (5, 5), (12, 12))
    assert trace.padding_share == 0


def test_the_units_that_see_a_pixel_are_filled() -> None:
    trace = a_field()
    reader = Reader(field.render(trace))
    # 80 × 120 becomes 73 × 109, of which 64 × 64 begin at 4, 22: 40.5 · 73 / 80 − 4 and 60.5 · 109 / 120 − 22 are both
    # 32.95. Unit p sees 2p − 3 … 2p + 3.
    assert trace.asked is not None
    assert trace.asked.input_pixel == (32, 32)
    assert (trace.asked.rows, trace.asked.columns) == ([(15, 17)], [(15, 17)])
    (seen,) = [a["d"] for tag, a in reader.tags if tag == "path" and a.get("class") == "seeing"]
    assert seen == "M15 15h3v3h-3Z"
    assert "is seen by 3 × 3 units" in reader.text


def test_profiles_and_their_normal_distribution_are_drawn() -> None:
    trace = a_field()
    (heat,) = trace.heats
    for profile, normal in zip(heat.profiles, heat.normals, strict=True):
        assert profile.sum() == pytest.approx(1)
        # The misfit is half the sum of differences, so that what is drawn is what is said.
        assert np.abs(profile - normal).sum() / 2 in [pytest.approx(one) for one in heat.misfit]
    reader = Reader(field.render(trace))
    assert len([a for tag, a in reader.tags if tag == "path" and a.get("class") == "normal"]) == 2
    assert heat.part == trace.box == (3, 5, 10, 12)  # of 64 × 64; the rest does not count
    assert heat.tile.pixels.shape == (7, 7, 3)
    assert "rows 3 … 9, columns 5 … 11" in heat.tile.caption


def test_terms_lie_where_their_places_look() -> None:
    trace = a_why()
    for step in trace.steps:
        for term, box in zip(step.found.terms, step.places, strict=False):
            if term.source == "x":
                y, x = term.index[2:]
                assert box == (y, x, y + 1, x + 1)
                assert step.box is not None
                assert step.box[0] <= y < step.box[2]
                assert step.box[1] <= x < step.box[3]
    assert any(box for box in trace.steps[-1].places)
    reader = Reader(why.render(trace, 5))
    dots = [a for tag, a in reader.tags if tag == "circle" and (a.get("class") or "").startswith("dot")]
    assert {(a["class"] or "").split()[1] for a in dots} <= {"more", "less"}
    assert len(dots) >= 5


class ChannelsLast(nn.Module):
    """Takes (B, H, W, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x.permute(0, 3, 1, 2), 3, 1)


def test_pixels_of_a_picture_with_channels_last() -> None:
    graph = functional(capture(ChannelsLast(), torch.zeros(1, 12, 16, 3)))
    x = np.random.default_rng(0).random((1, 12, 16, 3), np.float32)
    values = evaluate(graph, {}, x)
    trace = record_why("last", graph, values, graph.nodes[-1].name, (0, 1, 4, 9), 9)
    assert trace.input_hw == (12, 16)
    assert trace.steps[0].box == (4, 9, 7, 12)
    (term,) = trace.steps[-1].found.terms
    assert trace.steps[-1].places == ((term.index[1], term.index[2], term.index[1] + 1, term.index[2] + 1),)
    assert 4 <= term.index[1] < 7
    assert 9 <= term.index[2] < 12


def test_bars_to_the_right_add_and_to_the_left_take_away() -> None:
    reader = Reader(why.render(a_why(), 5))
    drawn = [a for tag, a in reader.tags if tag == "rect" and a.get("class") in ("more", "less")]
    terms = [term for step in a_why().steps for term in step.found.terms[:5]]
    assert len(drawn) == len(terms)
    for bar, term in zip(drawn, terms, strict=True):
        assert (bar["class"] == "more") == (term.product > 0)
        assert float(bar["x"] or 0) == (50 if term.product > 0 else pytest.approx(50 - float(bar["width"] or 0)))


def test_a_chain_that_was_cut_short_says_so() -> None:
    model, graph = read()
    values = evaluate(graph, model_arrays(model), RECIPE(PHOTO))
    trace = record_why("a model", graph, values, "head", (0, 2), 2)
    text = Reader(why.render(trace, 5)).text
    assert trace.end == "further"
    assert "--depth follows it" in text
    assert "down to the picture" not in text
    assert a_why().end == "picture"


class Tabled(nn.Module):
    """Adds numbers that no picture gives."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(1, 3, 8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table.exp()


def test_a_chain_that_the_picture_has_no_part_in_says_so() -> None:
    model = Tabled().eval()
    graph = functional(capture(model, torch.zeros(1, 3, 8, 8)))
    values = evaluate(graph, model_arrays(model), np.zeros((1, 3, 8, 8), np.float32))
    trace = record_why("tabled", graph, values, "exp", (0, 1, 2, 3), 9)
    assert trace.end == "nothing"
    assert "it ends before the picture" in Reader(why.render(trace, 5)).text


def test_a_large_photo_is_drawn_smaller_and_boxes_stay_where_they_are() -> None:
    photo = np.zeros((1600, 2400, 3), np.uint8)
    _, graph = read()
    one, geometry = ReceptiveFields(graph)["stem"], RECIPE.geometry((1600, 2400))
    trace = record_field("m", graph.find("stem"), one, (3, 4), (64, 64), photo, geometry)
    assert trace.photo is not None
    assert max(trace.photo.shape) == 1024
    reader = Reader(field.render(trace))
    (picture,) = [a for tag, a in reader.tags if tag == "image"]
    assert (picture["width"], picture["height"]) == ("2400", "1600")
    frame = next(a for tag, a in reader.tags if tag == "rect" and a.get("class") == "reach")
    assert trace.photo_box is not None
    assert float(frame["y"] or 0) == pytest.approx(float(trace.photo_box[0]))


def test_padding_around_the_photo_is_hatched_and_what_is_cropped_dimmed() -> None:
    _, graph = read()
    one, node = ReceptiveFields(graph)["stem"], graph.find("stem")
    shown = {}
    for name, geometry in {
        "cropped": RECIPE.geometry((80, 120)),
        "padded": Geometry((80, 120), (43, 64), (64, 64), (-10, 0), "bilinear"),
    }.items():
        reader = Reader(field.render(record_field("m", node, one, None, (64, 64), PHOTO, geometry)))
        dimmed = any(tag == "path" and a.get("class") == "dim" for tag, a in reader.tags)
        shown[name] = dimmed, any(a.get("fill") == "url(#hatch)" for _, a in reader.tags), "hatched" in reader.text
    assert shown == {"cropped": (True, False, False), "padded": (False, True, True)}


def test_colors_are_tokens_of_both_themes() -> None:
    style = resources.files("photosite.report").joinpath("style.css").read_text("utf-8")
    light, *dark = re.findall(r"\{\s*color-scheme: (?:light|dark);([^}]*)\}", style)
    names = [set(re.findall(r"(--[a-z]+):", block)) - {"--mono"} for block in (light, *dark)]
    assert len(names) == 3
    assert names[0] == names[1] == names[2]
    used = set(re.findall(r"var\((--[a-z]+)\)", style)) - {"--mono"}
    assert used <= names[0]
    for kind in ("reach", "seeing", "more", "less", "bound", "normal", "gauge .span"):
        rule = re.search(rf"\.{re.escape(kind)} \{{([^}}]*)\}}", style)
        assert rule is not None
        assert "var(--" in rule[1]


def test_pages_are_written_without_torch() -> None:
    names = "photosite.report.field, photosite.report.inspection, photosite.report.why"
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
