"""The page of a hierarchy and what it is written from: exact patches, hatching, charts, escaping, sizes."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from photosite.analysis.backward import Backward
from photosite.analysis.depths import depths_of
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.rectifiers import Rule
from photosite.analysis.representation.by_depth import DepthMeasures, LayerMeasures, Probe
from photosite.analysis.top_activations import top_activations
from photosite.analysis.top_patches import Patch, top_patches
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.prep.recipe import Picture, Recipe
from photosite.prep.recipes import get_recipe
from photosite.report.depth_charts import chart, heat, quartile_points
from photosite.report.hierarchy import render
from photosite.report.mosaic import cell_size, mosaic
from photosite.trace.canvas import PAPER
from photosite.trace.hierarchy import (
    Channel,
    Cut,
    HierarchyTrace,
    Top,
    best_words,
    hierarchy_lines,
    order_of,
    quartiles,
)
from photosite.trace.hierarchy_json import to_json
from photosite.trace.record_hierarchy import SIDE, Measured, Seen, layers_without_patches, record_hierarchy
from photosite.trace.save import dumps
from tests.report.reader import HOSTILE, Reader

RECIPE = replace(get_recipe("cifar10"), resize="squash", size_hw=(16, 16), crop_hw=None)
PICTURES = [np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8) for seed in range(12)]


class Network(nn.Module):
    """A stem, a layer that sees more than the input, a gate that sees everything; a channel of the stem is silent."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.wide, self.gate = nn.Conv2d(3, 5, 3, 1, 1), nn.Conv2d(5, 4, 17, 1, 8), nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU()
        with torch.no_grad():
            self.stem.weight[2], self.stem.bias[2] = 0, -1  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        x = self.wide(self.relu(self.stem(x)))
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


def reopened(numbers: Sequence[int]) -> Iterator[tuple[int, Picture]]:
    yield from ((number, PICTURES[number]) for number in numbers)


def traced(
    rule: Rule | None = "gradient",
    name: str = "cat/{}.png",
    labels: bool = True,
    measured: Measured | None = None,
    recipe: Recipe = RECIPE,
    wrong: float = 1.0,
) -> HierarchyTrace:
    model = Network().eval()
    graph = functional(capture(model, torch.from_numpy(recipe(PICTURES[0]))))
    depths = depths_of(graph, ["relu", "wide", "mul"])
    found = top_activations(model, PICTURES, recipe, ["relu", "wide", "mul"], 4, batch=4)
    classes = ["cat" if number % 3 else "dog" for number in range(12)] if labels else []
    seen = Seen("photos", [name.format(number) for number in range(12)], classes, [f"bad {name}"])
    layers = layers_without_patches(found, depths, seen)
    chosen = {one.name: [channel.number for channel in one.channels[:3] if channel.open] for one in layers}
    backward = Backward(model, torch.from_numpy(recipe(PICTURES[0])).repeat(4, 1, 1, 1))
    fields = ReceptiveFields(graph)
    patches: Iterator[Patch] = top_patches(
        *(found, chosen, reopened, recipe, {one: fields[one] for one in chosen}),
        None if rule is None else backward,
        rule or "gradient",
    )
    if wrong != 1:
        patches = (replace(one, again=(one.again or 0) * wrong) for one in patches)
    return record_hierarchy(
        *(name, layers, patches, seen, (16, 16), 4, rule, measured or Measured(missing="nobody asked"), False),
        ["a note"],
    )


@cache
def plain() -> HierarchyTrace:
    return traced()


def measures(untrained: bool = True) -> DepthMeasures:
    def layer(name: str, count: int, probe: float) -> LayerMeasures:
        selectivity = np.linspace(0, 1, count, dtype=np.float32)
        selectivity[0] = np.nan
        orientation = np.full(count, 44.6, np.float32)
        return LayerMeasures(
            name, selectivity, orientation, Probe(probe, (probe - 0.125, probe + 0.0625), 0.25, 1.0, 9, 3)
        )

    layers = tuple(layer(name, n, p) for name, n, p in (("relu", 5, 0.25), ("wide", 4, 0.5), ("mul", 4, 0.75)))
    cka = np.array([[1, 0.5, math.nan], [0.5, 1, -0.015625], [0.25, 0.125, 1]])
    return DepthMeasures(layers, layers[::-1] if untrained else (), cka, cka if untrained else None, 12, ("cat", "dog"))


def pixels_of(uri: str) -> Picture:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def test_a_mosaic_shows_the_very_pixels_in_their_place() -> None:
    layer = plain().layers[0]
    cell = cell_size(layer.channels[: layer.shown])
    assert cell == (3, 3)
    for channel in layer.channels[: layer.shown]:
        made = mosaic(channel, 2, cell)
        sheet = pixels_of(made.uri)
        assert sheet.shape == (7, 7, 3)  # two cells of 3 and a pixel between
        for k, cut in enumerate(channel.cuts):
            assert cut is not None
            top, left, bottom, right = cut.box
            picture = PICTURES[int(channel.tops[k].name.split("/")[1].split(".")[0])]
            y, x = 4 * (k // 2) + top - cut.frame[0], 4 * (k % 2) + left - cut.frame[1]
            assert np.array_equal(sheet[y : y + bottom - top, x : x + right - left], picture[top:bottom, left:right])
        cut_off = sum(cut is not None and cut.frame != cut.box for cut in channel.cuts)
        assert made.beyond.count("M") == 2 * cut_off  # a cell, and the photo in it
        assert made.pixelated
        assert made.marks == ()


def test_a_corner_by_hand() -> None:
    """Three by three around the first pixel: a row and a column beyond the photo; the second patch is missing."""
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    cut = Cut((-1, -1, 2, 2), (0, 0, 2, 2), (0, 0, 2, 2), False, pixels, 1.0, 255 - pixels, 1.0, 1.0)
    top = Top("a", None, 1.0, (0, 0), (0, 0, 2, 2), None)
    channel = Channel(0, (top, replace(top, value=0.0)), (cut, None))
    made = mosaic(channel, 2, (3, 3))
    sheet = pixels_of(made.uri)
    assert sheet.shape == (3, 7, 3)
    assert np.array_equal(sheet[1:, 1:3], pixels)
    assert (sheet[0] == PAPER).all()
    assert made.beyond == "M0 0h3v3h-3Z" + "M1 1h2v2h-2Z" + "M4 0h3v3h-3Z"
    assert made.gaps == "M3 0h1v3h-1Z"
    assert made.marks == ()
    assert made.cells == ((0, 0, 3, 3), (4, 0, 3, 3))
    assert np.array_equal(pixels_of(mosaic(channel, 2, (3, 3), signals=True).uri)[1:, 1:3], 255 - pixels)


def test_what_sees_more_is_shown_whole_with_a_mark() -> None:
    _, wide, gated = plain().layers
    for channel in wide.channels[: wide.shown]:
        made = mosaic(channel, 2, (16, 16))
        boxes = [cut.sees for cut in channel.cuts if cut is not None and cut.sees not in (None, cut.frame)]
        gap = 1
        wanted = []
        for k, cut in enumerate(channel.cuts):
            assert cut is not None
            assert cut.whole
            if cut.sees is not None and cut.sees != (0, 0, 16, 16):
                top, left, bottom, right = cut.sees
                wanted.append((left + (k % 2) * (16 + gap), top + (k // 2) * (16 + gap), right - left, bottom - top))
        assert len(boxes) == len(made.marks)
        assert list(made.marks) == wanted
    assert gated.global_by
    assert all(cut is not None and cut.whole for one in gated.channels[: gated.shown] for cut in one.cuts)


def test_a_signal_is_gray_at_0_and_reaches_black_or_white() -> None:
    for layer in plain().layers:
        for one in layer.channels[: layer.shown]:
            for cut in one.cuts:
                assert cut is not None
                assert cut.signal is not None
                assert cut.limit is not None
                assert cut.signal.shape == cut.pixels.shape
                assert {int(cut.signal.min()), int(cut.signal.max())} & {0, 255}
                assert cut.again == pytest.approx(one.tops[one.cuts.index(cut)].value, rel=1e-4)


def test_large_patches_are_made_smaller_and_it_is_said() -> None:
    large = replace(RECIPE, size_hw=(2 * SIDE, 2 * SIDE))
    layer = traced(rule=None, recipe=large).layers[2]
    for one in layer.channels[: layer.shown]:
        for cut in one.cuts:
            assert cut is not None
            assert cut.scale == 0.5
            assert cut.pixels.shape == (SIDE, SIDE, 3)
    page = Reader(render(traced(rule=None, recipe=large)))
    assert "Patches are drawn smaller than the input has them." in page.text
    assert "Patches are drawn smaller" not in Reader(render(plain())).text


def test_channels_by_how_much_their_pictures_agree_silent_ones_last() -> None:
    def channel(number: int, labels: str, value: float) -> Channel:
        return Channel(number, tuple(Top("x", label, value, None, None, None) for label in labels))

    given = [channel(0, "aabb", 9), channel(1, "aaaa", 1), channel(2, "aaaa", 2), channel(3, "abcd", 0)]
    assert [one.number for one in order_of(given)] == [2, 1, 0, 3]
    assert given[0].agreement == pytest.approx(2 / 6)  # aa and bb of six pairs
    assert given[1].agreement == 1
    assert given[3].agreement is None
    assert best_words(given[0]) == "2 of 4 a"
    assert best_words(given[3]) == ""
    unlabeled = [Channel(n, (Top("x", None, v, None, None, None),)) for n, v in ((0, 1.0), (1, 0.0), (2, 3.0))]
    assert [one.number for one in order_of(unlabeled)] == [2, 0, 1]


def test_chance_is_that_of_pairs() -> None:
    trace = plain()
    assert trace.labels == (("cat", 8), ("dog", 4))
    assert trace.chance == pytest.approx((28 + 6) / 66)
    assert traced(rule=None, labels=False).chance is None


def test_the_page_says_everything_and_fetches_nothing() -> None:
    text = render(traced(measured=Measured(measures(), "", "other", ("x", "y"), np.eye(3, 2))))
    page = Reader(text)
    page.assert_fetches_nothing()
    for words in (
        *("cat/{}.png, from edges to objects", "12 of photos, 1 left out", "relu", "wide", "mul"),
        *("5 channels of 16 × 16 places", "Each sees 3 × 3 px", "Each sees 19 × 19 px", "Each sees all of the input"),
        *("1 channel is 0 everywhere", "random, not trained", "turn all over: the gradient instead", "a note"),
        *("How alike layers are", "To each other · −0.01562 … 1", "To other", "Columns: a x, b y."),
        *("0.75 for 45°", "50 % (37.5 % … 56.2 %)", "0.625 (4 of 5)", "Measured on 12 pictures."),
    ):
        assert words in page.text, words
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"]
    assert set(links) <= set(ids)
    assert {"depth-1", "depth-2", "depth-3", "by-depth"} <= set(links)


def test_every_channel_can_be_turned_over_by_keyboard() -> None:
    page = Reader(render(plain()))
    boxes = [attributes for tag, attributes in page.tags if tag == "input"]
    assert len(boxes) == 1 + sum(layer.shown for layer in plain().layers)
    names = [str(one.get("aria-label")) for one in boxes if "aria-label" in one]
    assert all(re.fullmatch(r"channel \d of \w+: show what drives it", name) for name in names)
    assert len(set(names)) == len(names) == len(boxes) - 1
    without = Reader(render(traced(rule=None)))
    assert not [tag for tag, _ in without.tags if tag == "input"]


def test_names_and_values_of_all_patches_stand_on_the_page() -> None:
    page = Reader(render(plain()))
    for layer in plain().layers:
        for one in layer.channels[: layer.shown]:
            for top in one.tops:
                assert top.name in page.text
    assert "of 5, those first whose best pictures agree most" in page.text
    assert "whose last picture still gives most" in Reader(render(traced(labels=False))).text


def test_what_was_not_measured_is_said_and_not_drawn() -> None:
    page = Reader(render(traced(labels=False, rule=None)))
    assert "Not measured: nobody asked." in page.text
    assert "How alike layers are" not in page.text
    assert not [one for tag, one in page.tags if tag == "svg" and one.get("class") == "chart"]


def test_a_file_that_changed_is_named() -> None:
    assert plain().notes == ("a note",)
    trace = traced(wrong=1.01)
    assert trace.notes[1].startswith("gave another number when opened again, as a changed file would: cat/")


def test_hostile_names_stay_text() -> None:
    page = render(traced(name=HOSTILE + "{}"))
    Reader(page).assert_fetches_nothing()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    page.encode()


def test_json_holds_all_channels_and_no_number_that_is_none() -> None:
    trace = traced(measured=Measured(measures()))
    found = to_json(trace)
    assert "NaN" not in dumps(found)
    assert [len(layer["channels"]) for layer in found["layers"]] == [5, 4, 4]
    assert found["layers"][0]["silent"] == [2]
    assert found["measures"]["cka"][0] == [1, 0.5, None]
    assert found["measures"]["layers"][0]["selectivity"][0] is None
    first = found["layers"][0]["channels"][0]["top"][0]
    top = trace.layers[0].channels[0].tops[0]
    assert first["input_box"] == list(top.input_box or ())
    assert first["photo_box"] == list(top.photo_box or ())
    assert (first["picture"], first["class"], first["activation"]) == (top.name, top.label, top.value)


def test_lines_for_people() -> None:
    lines = hierarchy_lines(traced(measured=Measured(measures())))
    text = "\n".join(f"{name}: {value}" for name, value in lines)
    assert "pictures: 12, 1 left out" in text
    assert "relu: 5 channels, each place sees 3 × 3 px" in text
    assert "mul: 4 channels, each place sees all of the input, by mean; 19 × 19 px without it" in text
    assert "a linear probe tells 25 % of the classes (12.5 % … 31.2 %), by chance 25 %" in text
    assert "selective for orientation: 0.625 in the middle, half in 0.4375 … 0.8125" in text


def test_charts_by_hand() -> None:
    made = chart([(0.0, 0.5, 1.0), None], [(0.25, 0.25, 0.25), (1.5, 1.5, 1.5)], "share", level=(0.5, "chance"))
    assert made is not None
    other, own = made.series
    assert (own.name, other.name) == ("trained", "untrained")
    assert [(mark.y, mark.low, mark.high) for mark in own.marks] == [(80, 148, 12)]  # 0 stands at 148, 1 at 12
    assert [mark.y for mark in other.marks] == [114, 12]  # what is beyond 1 stands at 1
    assert made.level == (80, "chance 0.5")
    assert made.words.startswith("share by depth. trained: depth 1 0.5 (0 … 1); untrained: ")
    assert chart([None], [(0, 0, 0)], "nothing") is None
    assert quartile_points([np.array([np.nan, 0, 1, 2])]) == [(0.5, 1.0, 1.5)]
    assert quartiles(np.array([np.nan])) is None


def test_a_map_of_likeness_says_what_is_not_known() -> None:
    made = heat(np.array([[1.0, math.nan], [-0.5, 0.0]]), ["a", "b"])
    assert [(color, text, dark) for _, _, color, text, dark in made.cells] == [
        ("#fde725", "1.00", True), ("none", "–", True), ("#440154", "−0.50", False), ("#440154", "0.00", False),
    ]  # fmt: skip
    assert (made.low, made.high) == (-0.5, 1.0)
    assert [text for _, text in made.columns] == ["a", "b"]
