"""Whoever uses the page for long, and without sense, finds it as quick and as small as at first."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from PIL import Image

from tests.explorer.browsing import picture, rest, watched
from tests.explorer.serve import KEPT_BYTES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

    Curves = dict[str, list[float]]

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
MB = 1 << 20
# What the last third of a curve may lie above its middle third, as a share and in units, medians against medians. Heap:
# engines keep compiled code and shapes of objects, and up to three photos' pixels. Nodes and listeners: collected late,
# after several rounds. The server's memory: the allocator gives back what it likes.
TOLERANCE = {"heap MB": (0.1, 2.0), "nodes": (0.2, 300), "listeners": (0.2, 60), "server MB": (0.05, 32.0)}
SERVER_AT_MOST = KEPT_BYTES / MB + 500
"""Above the first measurement: all that is kept, torch's exporter, and what one question holds while it is answered."""
# A refusal is an answer: what was typed makes no sense, or a newer question came.
REFUSALS = ("status of 400", "status of 404", "status of 409")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, psutil.Process]]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.explorer.serve"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip(), psutil.Process(process.pid)
        process.stdin.close()
        process.wait(30)


def measured(page: Page, tools: CDPSession, server: psutil.Process) -> dict[str, float]:
    """Memory at one and the same place, with nothing left to collect."""
    page.evaluate("location.hash = '#/pixels'")
    rest(page)
    for _ in range(2):
        tools.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    return {
        "heap MB": found["JSHeapUsedSize"] / MB,
        "nodes": found["Nodes"],
        "listeners": found["JSEventListeners"],
        "server MB": server.memory_info().rss / MB,
    }


def use(
    browser: Browser, server: tuple[str, psutil.Process], folder: Path, seconds: float, every: float, seed: int
) -> Curves:
    """Let a monkey use the page; the curves of memory."""
    from tests.explorer.monkey import Monkey

    url, process = server
    files = []
    for number, side in enumerate((40, 200, 700)):
        files.append(folder / f"{number}.png")
        Image.fromarray(picture(side, side + 30 * number)).save(files[-1])
    faults: list[str] = []
    curves: Curves = {"seconds": [], "actions": []}
    with watched(browser, url, faults) as page:
        rest(page)
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        monkey, began = Monkey(page, seed, files), time.monotonic()
        while True:
            for name, value in measured(page, tools, process).items():
                curves.setdefault(name, []).append(round(value, 1))
            curves["seconds"].append(round(time.monotonic() - began, 1))
            curves["actions"].append(sum(monkey.done.values()))
            if time.monotonic() - began >= seconds:
                break
            until = time.monotonic() + every
            while time.monotonic() < until:
                monkey.act()
        print(json.dumps({"did": monkey.done, **curves}))
        expect_answers(page)
    assert [one for one in faults if not any(word in one for word in REFUSALS)] == []
    assert sum(monkey.done.values()) > 2 * seconds  # it was used indeed
    return curves


def expect_answers(page: Page) -> None:
    """The page still does what it is there for."""
    page.evaluate("location.hash = '#/pixels?x=3&y=2'")
    page.mouse.move(2, 2)
    rest(page)
    assert [page.locator(".who input").nth(k).input_value() for k in (0, 1)] == ["3", "2"]
    assert page.locator(".fault").count() == 0
    page.locator('nav li a[href^="#/convolution"]').click()
    page.evaluate("location.hash = '#/convolution?kernel=box&side=16'")
    page.wait_for_selector("#result")


def expect_level(curves: Curves, rise: float = 1.0) -> None:
    """Medians of thirds.

    A short run is allowed more, by a factor, and of the server only the bound: it imports, reads and keeps what is
    asked for the first time.
    """
    for name, (share, units) in TOLERANCE.items():
        if name == "server MB" and rise > 1:
            continue
        values = curves[name]
        third = len(values) // 3
        middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[-third:])
        assert last <= middle + rise * (share * middle + units), f"{name} still grows: {values}"
    server = curves["server MB"]
    assert max(server) <= server[0] + SERVER_AT_MOST


def test_half_a_minute_of_random_use(browser: Browser, server: tuple[str, psutil.Process], tmp_path: Path) -> None:
    # everything is seen for the first time, hence compiled and kept: twice the tolerance
    expect_level(use(browser, server, tmp_path, seconds=27, every=3, seed=1), rise=2)


@pytest.mark.slow
def test_ten_minutes_of_random_use(browser: Browser, server: tuple[str, psutil.Process], tmp_path: Path) -> None:
    expect_level(use(browser, server, tmp_path, seconds=600, every=30, seed=2))


def test_a_leak_would_be_seen() -> None:
    flat = {name: [100.0] * 9 for name in TOLERANCE}
    expect_level(flat)
    for name, rises in (("heap MB", 4.0), ("nodes", 80.0), ("listeners", 30.0), ("server MB", 20.0)):
        with pytest.raises(AssertionError, match=f"{name} still grows"):
            expect_level({**flat, name: [100 + 2 * rises * at for at in range(9)]})
