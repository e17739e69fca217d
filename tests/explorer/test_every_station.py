"""Each station of the page, wide and narrow, in both themes: it fits, is quiet, and axe-core finds nothing serious."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from photosite.explorer.session import Session
from photosite.exploring import explore
from tests.explorer.browsing import network, picture, rest, stations, visit, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")
FURTHER = (
    "pixels?z=48&look=mosaic&layout=nhwc",
    "convolution?kernel=typed&pad=2&channels=rgb",
    "convolution?kernel=layer",
    "fields?stack=model",
    "hierarchy?node=conv2d_1&cam=gradcam",
    "hierarchy?node=linear",
    "hierarchy?model=none",
    "tokens?part=models",
    "tokens?part=models&pick=pixel&fe=qwen2.5-vl",
    "why?path=>2",
    "why?path=>99",
    "why?of=convolution&side=24&kernel=1,2,3,4&rows=2&channels=gray&path=>0;bias:0",
)
"""Sides of stations that are not seen at first."""

# Words that are cut off by a box that does not scroll, or stand beyond the window; each with the box.
CUT = """() => {
  const found = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = words.currentNode, own = node.parentElement;
    if (!node.data.trim() || own.closest("select, .skip, [hidden], noscript")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width || box.right < 0) continue;
    let cut = box.right > innerWidth + 1 || box.left < -1;
    for (let one = own; one && one !== document.body; one = one.parentElement) {
      const { overflowX, display } = getComputedStyle(one);
      if (overflowX === "visible" || display === "inline") continue;
      const edge = one.getBoundingClientRect();
      const out = box.right > edge.right + 1 || box.left < edge.left - 1;
      if (overflowX === "auto" || overflowX === "scroll") { cut = false; break; }
      if (out) { cut = true; break; }
    }
    if (cut) found.push(`${own.className || own.tagName}: ${node.data.trim().slice(0, 60)}`);
  }
  return found;
}"""


@dataclass
class Walk:
    """What a walk past all stations found, a line each."""

    width: int
    faults: list[str] = field(default_factory=list)
    wider: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    serious: list[str] = field(default_factory=list)
    moderate: list[str] = field(default_factory=list)
    restored: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with explore(picture(), network()) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: $PHOTOSITE_SCREENSHOTS, else a folder of pytest's own."""
    wanted = os.environ.get("PHOTOSITE_SCREENSHOTS")
    found = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture(scope="module", params=[1440, 390], ids=lambda width: f"{width}px")
def walk(request: pytest.FixtureRequest, browser: Browser, session: Session, folder: Path) -> Walk:
    """Past every station once; what the tests below look at."""
    found = Walk(request.param)
    viewport = {"width": found.width, "height": 844}
    with watched(browser, session.url, found.faults, viewport=viewport, color_scheme="light") as page:
        rest(page)
        seen: list[tuple[str, str]] = []
        for view in stations(page):
            visit(page, view)
            seen.append((page.url, page.locator("h1").inner_text()))
            look(page, view, found, folder)
        rest(page)
        for address, heading in reversed(seen):
            found.restored.append((heading, page.locator("h1").inner_text() if page.url == address else page.url))
            page.go_back()
            page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")
        refused = len(found.faults)
        for address in FURTHER:
            page.evaluate("address => { location.hash = address; }", f"#/{address}")
            rest(page)
            look(page, address, found, folder)
        # the browser itself writes of an answer that refuses
        found.faults[refused:] = [one for one in found.faults[refused:] if "status of 40" not in one]
    return found


def look(page: Page, where: str, found: Walk, folder: Path) -> None:
    """Note everything about the page as it stands."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        name = "".join(c if c.isalnum() else "-" for c in where)
        page.screenshot(path=folder / f"{name}-{found.width}-{scheme}.png", full_page=True)
        rules = None if scheme == "light" else {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
        for one in violations(page, rules):
            into = found.serious if one["impact"] in SERIOUS else found.moderate
            into.append(words(f"{where} {scheme}", one))
    page.emulate_media(color_scheme="light")
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > found.width:
        found.wider.append(f"{where}: {wide} px")
    found.cut += [f"{where}: {one}" for one in page.evaluate(CUT)]


def violations(page: Page, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What axe-core has to say of the page as it is."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install 'photosite[browser]'")
    made = axe.Axe()
    if not page.evaluate("'axe' in window"):
        page.evaluate(made.axe_script)
    found: dict[str, Any] = page.evaluate(
        "options => axe.run(options)", {"resultTypes": ["violations"], **(options or {})}
    )
    violated: list[dict[str, Any]] = found["violations"]
    return violated


def words(where: str, one: dict[str, Any]) -> str:
    """A violation: the rule, and the first places that break it."""
    places = [
        f"{node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()[:160]})" for node in one["nodes"]
    ]
    return f"{where}: {one['impact']} {one['id']}, {len(places)} ×: {'; '.join(places[:3])}"


def test_axe_finds_nothing_serious(walk: Walk) -> None:
    print("\n".join(walk.moderate))
    assert walk.serious == []


def test_nothing_is_wider_than_the_window(walk: Walk) -> None:
    assert walk.wider == []


def test_no_word_is_cut(walk: Walk) -> None:
    assert walk.cut == []


def test_the_console_is_quiet_and_nothing_leaves_the_machine(walk: Walk) -> None:
    assert walk.faults == []


def test_the_back_button_leads_past_all_stations(walk: Walk) -> None:
    assert len(walk.restored) >= 7
    assert [found for wanted, found in walk.restored] == [wanted for wanted, found in walk.restored]


def test_screenshots_are_as_wide_as_the_window(walk: Walk, folder: Path) -> None:
    from PIL import Image

    taken = sorted(folder.glob(f"*-{walk.width}-*.png"))
    assert len(taken) >= 2 * (7 + len(FURTHER))
    for path in taken:
        with Image.open(path) as image:
            assert image.width == walk.width, path.name


def test_it_sees_what_is_wrong(browser: Browser, session: Session, folder: Path) -> None:
    faults: list[str] = []
    found = Walk(390)
    with watched(browser, session.url, faults, viewport={"width": 390, "height": 844}) as page:
        rest(page)
        page.evaluate("""() => {
          document.querySelector("#theme").replaceWith(document.createElement("button"));
          const made = document.createElement("p");
          made.textContent = "far too long a word ".repeat(9);
          made.style.cssText = "white-space: nowrap; max-width: none";
          document.querySelector("main").append(made);
          console.warn("a warning");
          fetch("http://127.0.0.2:9/elsewhere").catch(() => {});
        }""")
        rest(page)
        look(page, "broken", found, folder)
    for each in folder.glob("broken-*"):
        each.unlink()
    assert any("button-name" in one for one in found.serious)
    assert any("far too long" in one for one in found.cut)
    assert found.wider != []
    assert any("a warning" in one for one in faults)
    assert any("127.0.0.2" in one for one in faults)
