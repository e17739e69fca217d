"""A page that is watched: what goes wrong in it, and when it has come to rest; and a model that is small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from photosite.prep.recipes import get_recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

HEIGHT, WIDTH = 90, 120
PATIENCE_MS = 30_000
"""The cores may be shared."""
# Counts the questions that are open, and notes when the page was last touched or changed: at rest is, who does nothing.
# What follows the pointer asks 250 ms later, so rest is longer than that.
AT_REST = """(() => {
  let open = 0, last = performance.now();
  const ask = window.fetch;
  window.fetch = async (...all) => {
    open++;
    try { return await ask(...all); } finally { open--; last = performance.now(); }
  };
  const all = { subtree: true, childList: true, characterData: true };
  new MutationObserver(() => (last = performance.now())).observe(document, all);
  for (const name of ["pointerdown", "pointermove", "pointerup", "keydown", "wheel", "input", "popstate"])
    addEventListener(name, () => (last = performance.now()), { capture: true, passive: true });
  const there = () => open === 0 && performance.now() - last > 320 && document.querySelector("h1, .empty") !== null;
  window.rest = (patience) => new Promise((done, fail) => {
    const end = performance.now() + patience;
    const look = () => {
      if (there()) done();
      else if (performance.now() > end) fail(new Error(`no rest in ${patience} ms, ${open} questions are open`));
      else setTimeout(look, 20);
    };
    look();
  });
})()"""


def picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Soft colors with a sharp square in them, (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    made = np.stack([x * 200 / width, y * 220 / height, 255 - 120 * (x / width + y / height)], -1)
    made += 9 * np.sin(x / 3 + y / 5)[..., None]
    made[height // 3 : height // 2, width // 3 : width // 2] = (
        255 - made[height // 3 : height // 2, width // 3 : width // 2]
    )
    return np.clip(made, 0, 255).astype(np.uint8)


class Net(nn.Module):
    """Two convolutions with a norm, a mean, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 5, stride=4, padding=2), nn.BatchNorm2d(16)
        self.body, self.head = nn.Conv2d(16, 8, 3, stride=2, padding=1), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(torch.relu(self.body(torch.relu(self.norm(self.stem(x))))).mean((2, 3)))
        return y


def network() -> nn.Module:
    """A `Net` that knows its recipe and its classes."""
    torch.manual_seed(0)
    made = Net().eval()
    made.photo_recipe, made.classes = get_recipe("imagenet").at(64), ("cat", "dog", "owl")  # type: ignore[assignment]
    return made


@contextmanager
def watched(browser: Browser, url: str, faults: list[str], **how: Any) -> Iterator[Page]:
    """A page of its own.

    Args:
        browser: that opens it.
        url: of a session.
        faults: gets a line for each error and warning of the console, each request to anywhere else, and each that
            failed without a newer one in its place.
        how: the context, as Playwright names it.
    """
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **how})
    context.add_init_script(AT_REST)
    host = url.partition("?")[0]

    def asked(one: Request) -> None:
        if not one.url.startswith((host, "data:", "blob:")):
            faults.append(f"asks {one.url}")

    def failed(one: Request) -> None:
        if one.failure != "net::ERR_ABORTED":
            faults.append(f"{one.url}: {one.failure}")

    def said(one: ConsoleMessage) -> None:
        if one.type in ("error", "warning"):
            faults.append(f"{one.text} {one.location['url'].removeprefix(host)[:200]}")

    context.on("request", asked)
    context.on("requestfailed", failed)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    page.wait_for_selector("h1")
    yield page
    context.close()


def stations(page: Page) -> list[str]:
    """The page's own stations, in the order of the light."""
    found: list[str] = page.locator("nav li a").evaluate_all("all => all.map((one) => one.hash.match(/[a-z]+/)[0])")
    return found


def rest(page: Page) -> None:
    """Wait until nothing is asked and nothing changes."""
    page.evaluate(
        "patience => window.rest(patience)", PATIENCE_MS
    )  # wait_for_function would want `eval`, which the page forbids


def visit(page: Page, view: str) -> None:
    """Go to a station by its link, and wait until it rests."""
    page.locator(f'nav li a[href^="#/{view}"]').click()
    page.wait_for_selector(f'nav [aria-current][href^="#/{view}"]')
    rest(page)
