"""The pages of `inspect`, `field` and `why`: whole, escaped, self-contained, with the numbers that were found."""

from __future__ import annotations

import dataclasses
from functools import cache

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
from photosite.prep.recipes import get_recipe
from photosite.report import field, inspection, why
from photosite.report.numbers import number
from photosite.trace.record_field import FieldTrace, record_field
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
def read() -> tuple[Network, object]:
    model = Network().eval()
    return model, functional(capture(model, torch.zeros(1, 3, 64, 64)))


PHOTO = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
RECIPE = get_recipe("imagenet@64")


@cache
def a_field() -> FieldTrace:
    model, graph = read()
    found = graph.find("gate")  # type: ignore[attr-defined]
    one = ReceptiveFields(graph)["stem"]  # type: ignore[arg-type]
    heat = effective_field(graph, model, "stem", [(3, 4)], 2)  # type: ignore[arg-type]
    return record_field(
        "a model", found, one, (3, 4), (64, 64), PHOTO, RECIPE.geometry((80, 120)), (40, 60), [("noise", heat[0])]
    )


@cache
def a_why() -> WhyTrace:
    model, graph = read()
    values = evaluate(graph, model_arrays(model), RECIPE(PHOTO))  # type: ignore[arg-type]
    return record_why("a model", graph, values, "head", (0, 2), 20, PHOTO, RECIPE.geometry((80, 120)))  # type: ignore[arg-type]


@cache
def an_inspection() -> str:
    return inspection.render("a model", (3, 64, 64), inspect(read()[1], types={"stem": HOSTILE}), "1")  # type: ignore[arg-type]


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
    spoiled = dataclasses.replace(a_field(), model=HOSTILE, module=HOSTILE, global_by=(HOSTILE,), unknown=HOSTILE)
    for text in (field.render(spoiled), why.render(dataclasses.replace(a_why(), model=HOSTILE)), an_inspection()):
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
    assert len(rows) == 1 + len(inspect(read()[1]).modules)  # type: ignore[arg-type]
    assert "BatchNorm2d" in reader.text
    assert "mean" in reader.text  # what the gate sees all by
