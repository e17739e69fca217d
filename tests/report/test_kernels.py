"""The trace and the page of a layer's kernels: numbers that were found, pictures by one limit, nothing fetched."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.kernels import kernels
from photosite.graph.capture import capture
from photosite.report.kernels import AT_FIRST, render
from photosite.trace.kernels import ELSEWHERE, KernelsTrace, kernel_words, kernels_lines, to_json
from photosite.trace.record_kernels import record_kernels
from tests.analysis.test_kernels import made
from tests.report.reader import HOSTILE, Reader


def of(model: nn.Module, channels: int = 3, layer: str | None = None) -> KernelsTrace:
    return record_kernels(
        "a model", kernels(model, capture(model, torch.zeros(1, channels, 16, 16)), layer), ["a note"]
    )


@cache
def trace() -> KernelsTrace:
    return of(made())


def planes() -> KernelsTrace:
    torch.manual_seed(0)
    return of(nn.Conv2d(18, 4, 3), 18)


@cache
def deeper() -> KernelsTrace:
    return of(made(), layer="3")


@pytest.mark.parametrize("one", [trace, planes, deeper])
def test_pages_are_whole_and_fetch_nothing(one: object) -> None:
    text = render(one())  # type: ignore[operator]
    reader = Reader(text)
    reader.assert_fetches_nothing()
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in reader.tags if tag in ("a", "use") and a.get("href")}  # type: ignore[index]
    assert links <= set(ids)
    assert "None" not in reader.text
    assert "a note" in reader.text


def test_hostile_names_harm_nobody() -> None:
    spoiled = dataclasses.replace(trace(), model=HOSTILE, name=HOSTILE, node=HOSTILE, module=HOSTILE, notes=(HOSTILE,))
    text = render(spoiled)
    Reader(text).assert_fetches_nothing()
    assert "<script>alert" not in text
    assert "\x1b" not in text


def test_every_kernel_is_drawn_once_in_its_group_and_equal_ones_again() -> None:
    reader = Reader(render(trace()))
    cells = [a for tag, a in reader.tags if tag == "figure" and a.get("class") == "kernel"]
    numbers = [int(str(a["id"]).removeprefix("kernel-")) for a in cells if "id" in a]
    assert sorted(numbers) == list(range(16))
    assert tuple(numbers) == trace().order
    assert len(cells) - len(numbers) == 4  # two pairs
    assert "2 is the same as 14" in reader.text
    assert "3 is the opposite of 15" in reader.text
    alts = [a["alt"] for tag, a in reader.tags if tag == "img" and a.get("class") == "common"]
    assert "kernel 0 · 3 × 7 × 7 float32 · " in str(alts[0])


def test_all_share_one_limit_and_each_has_its_own() -> None:
    found = trace()
    assert len({tile.common.high for tile in found.tiles}) == 1
    pictures = made()[0].weight.detach().numpy()
    for n, tile in enumerate(found.tiles):
        assert tile.own.high == pytest.approx(float(np.abs(pictures[n]).max()))
        assert (tile.low, tile.high) == (float(pictures[n].min()), float(pictures[n].max()))
        assert 255 in tile.own.pixels or 0 in tile.own.pixels
        # 0 is mid gray, by either limit
        expected = np.clip(pictures[n].transpose(1, 2, 0) / tile.common.high * 127.5 + 127.5, 0, 255)  # type: ignore[operator]
        assert np.abs(tile.common.pixels - expected).max() <= 0.51


def test_dots_lie_at_direction_and_frequency() -> None:
    found = trace()
    reader = Reader(render(found))
    dots = [a for tag, a in reader.tags if tag == "circle" and "cx" in a]
    fits = [found.kernels[n].fit for n in found.order if found.kernels[n].kind == "oriented"]
    assert len(dots) == len(fits) == 10
    for dot, fit in zip(dots, fits, strict=True):
        assert fit is not None
        assert fit.orientation is not None
        assert fit.frequency is not None
        x, y = float(dot["cx"] or 0), -float(dot["cy"] or 0)
        assert math.degrees(math.atan2(y, x)) == pytest.approx(fit.orientation, abs=0.5)
        assert math.hypot(x, y) == pytest.approx(100 * fit.frequency / 0.3, abs=0.1)  # the finest is below 0.3
    assert max(fit.frequency or 0 for fit in fits if fit) < 0.3
    assert "0.225 0.3 0" in reader.text  # of the rings


def test_channels_that_are_no_colors_are_maps_of_which_sixteen_are_drawn() -> None:
    found = planes()
    assert found.tiles[0].common.scale.startswith("diverging ")
    assert "the first 16 of 18 channels" in found.tiles[0].common.scale
    assert found.tiles[0].common.pixels.shape == (15, 15, 3)  # 4 × 4 maps of 3 × 3, lines between
    assert "R, G, B" not in render(found)


def test_a_deeper_layer_is_not_drawn() -> None:
    found = deeper()
    reader = Reader(render(found))
    assert (found.tiles, found.sheet, found.kernels) == ((), None, ())
    assert ELSEWHERE in reader.text
    assert ("reads", ELSEWHERE) in kernels_lines(found)
    assert not [a for tag, a in reader.tags if tag == "figure" and a.get("class") == "kernel"]
    (bars,) = [a["d"] for tag, a in reader.tags if tag == "path" and a.get("class") == "bars-of"]
    assert sum(found.counts) == 4
    assert bars


def test_what_is_not_finite_is_said_and_drawn_red() -> None:
    model = made()
    with torch.no_grad():
        model[0].weight[4, 0, 3, 3] = float("nan")
    found = of(model)
    assert found.tiles[4].common.pixels[3, 3].tolist() == [179, 38, 30]
    assert kernel_words(found.kernels[4]) == "not finite"
    assert to_json(found)["norms"][4] is None
    assert "some with weights that are not finite" in Reader(render(found)).text


def test_the_lines_say_what_was_found() -> None:
    lines = dict(kernels_lines(trace()))
    assert lines["kernels"] == "10 oriented, 3 color blob, 2 other, 1 dead"
    assert lines["dead"] == "1 of 16: 13 (below 1% of the usual norm)"
    assert lines["the same"] == "1 as an earlier one, 1 as its opposite (cosine from 0.95 on)"
    assert "with the batch norm behind them" in lines["norms"]
    assert kernel_words(trace().kernels[8]) == "a blob, red–green"


def test_many_kernels_are_shown_on_demand() -> None:
    torch.manual_seed(0)
    text = render(of(nn.Conv2d(3, AT_FIRST + 5, 7)))
    assert "5 more" in Reader(text).text
    assert text.count('class="kernel"') == AT_FIRST + 5


def test_the_page_is_written_without_torch() -> None:
    code = "import sys, photosite.report.kernels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
