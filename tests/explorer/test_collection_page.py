"""Hierarchy with a collection, and a map that is audited, as a person uses them; the numbers are the library's."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.analysis.cam.audit import audit
from photosite.analysis.cam.explain import Explainer
from photosite.analysis.top_activations import top_activations
from photosite.analysis.top_patches import top_patches
from photosite.explorer.jobs import CancelledError
from photosite.explorer.session import Session, explore
from photosite.explorer.views import top_patches as patches_view
from photosite.explorer.views.captured import Captured
from photosite.explorer.workspace import Model
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.prep.load import load
from tests.explorer.test_hierarchy_page import RECIPE, Net, numbers, picture, to_view

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WAIT = 30_000
AUDIT = importlib.import_module("photosite.explorer.views.map_audit")  # the package names the function so


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(0)
    for number in range(12):
        noise = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((100 + number, 90), Image.Resampling.BICUBIC).save(
            made / f"photo {number:02}.png"
        )
    return made


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = Net().eval()
    made.photo_recipe, made.classes = RECIPE, ("cat", "dog", "owl")  # type: ignore[assignment]
    return made


@pytest.fixture
def session(network: nn.Module, place: Path) -> Iterator[Session]:
    with explore(picture(), network, collection=place) as running:
        yield running


def opened(browser: Browser, session: Session, faults: list[str]) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(WAIT)
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(session.url)
    page.wait_for_selector("h1")
    return page


@pytest.fixture
def page(browser: Browser, session: Session) -> Iterator[Page]:
    faults: list[str] = []
    made = opened(browser, session, faults)
    yield made
    made.context.close()
    assert faults == []


def patches_of(network: nn.Module, pictures: list[np.ndarray], channel: int) -> list[Any]:
    found = top_activations(network, pictures, RECIPE, ["conv2d_1"], patches_view.PATCHES, batch=1)
    graph = functional(capture(network, torch.zeros(1, 3, 64, 64)))
    field = Captured(Model("", "", network, RECIPE, (), ()), graph).fields["conv2d_1"]
    made = top_patches(
        found, {"conv2d_1": [channel]}, lambda some: [(n, pictures[n]) for n in some], RECIPE, {"conv2d_1": field}
    )
    return sorted(made, key=lambda one: one.rank)


def test_patches_of_a_collection_and_the_photo_that_a_click_opens(page: Page, network: nn.Module, place: Path) -> None:
    from playwright.sync_api import expect

    paths = sorted(place.glob("*.png"))
    wanted = patches_of(network, [load(path) for path in paths], 4)
    to_view(page, "?node=conv2d_1&ch=4")
    expect(page.locator("#collection h2")).to_have_text("Strongest in 12 photos", timeout=WAIT)
    expect(page.locator("#collection [role='status']")).to_have_text("", timeout=WAIT)
    buttons = page.locator("#collection button")
    expect(buttons).to_have_count(len(wanted), timeout=WAIT)
    for number, one in enumerate(wanted):
        button = buttons.nth(number)
        assert button.locator(".cut").inner_text() == paths[one.top.picture].name
        np.testing.assert_allclose(numbers(button.locator(".num").inner_text()), [one.top.value], rtol=6e-3)
        row, column = one.top.place
        assert f"row {row}, column {column}" in str(button.get_attribute("aria-label"))
    # the pixels of the patch itself: its middle, drawn as large as the button is
    first = wanted[0].pixels
    drawn = page.evaluate("""() => {
      const canvas = document.querySelector("#collection canvas");
      return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
    }""")
    middle = first[first.shape[0] // 2, first.shape[1] // 2]
    around = first[first.shape[0] // 2 - 1 : first.shape[0] // 2 + 1, first.shape[1] // 2 - 1 : first.shape[1] // 2 + 1]
    assert any((np.array(drawn[:3]) == pixel).all() for pixel in [middle, *around.reshape(-1, 3)])
    at, one = next((at, one) for at, one in enumerate(wanted) if one.top.place[0] != one.top.place[1])
    buttons.nth(at).click()
    expect(page.locator(".photos .name b")).to_have_text(paths[one.top.picture].name, timeout=WAIT)
    row, column = one.top.place
    expect(page.locator("#cell")).to_contain_text(f"row {row}, column {column}", timeout=WAIT)
    # the number of that cell, to the six digits that are written, is the patch's
    expect(page.locator("#cell output")).not_to_have_text("…", timeout=WAIT)
    np.testing.assert_allclose(numbers(page.locator("#cell output").inner_text()), [one.top.value], rtol=5e-6)
    page.go_back()
    expect(page.locator(".photos .name b")).to_have_text("a picture", timeout=WAIT)


def test_how_far_it_is_is_said_and_nothing_is_asked_where_nobody_looks(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playwright.sync_api import expect

    go_on, turn = patches_view.Pass.go_on, threading.Semaphore(0)

    def one_by_one(self: patches_view.Pass, question: Any, seconds: float) -> None:
        assert turn.acquire(timeout=30)
        go_on(self, question, 0)

    monkeypatch.setattr(patches_view.Pass, "go_on", one_by_one)
    to_view(page, "?node=conv2d_1")
    status = page.locator("#collection [role='status']")
    for read in (2, 3, 4):
        turn.release()
        expect(status).to_have_text(f"{read} of 12 looked at …", timeout=WAIT)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.evaluate("location.hash = '#/pixels'")
    page.wait_for_selector("#space-rgb")
    turn.release()  # the answer on which nobody waits
    page.locator("nav a", has_text="Convolution").click()
    page.wait_for_selector(".agreement:has-text('largest difference')")
    assert [url for url in asked if "/api/patches" in url] == []
    monkeypatch.undo()
    to_view(page, "?node=conv2d_1")
    expect(page.locator("#collection button")).to_have_count(patches_view.PATCHES, timeout=WAIT)
    expect(status).to_have_text("", timeout=WAIT)


def test_without_a_collection_other_photos_that_are_open(browser: Browser, network: nn.Module, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    path = tmp_path / "other.png"
    Image.fromarray(255 - picture()).save(path)
    # before the page asks, since only one thread at a time can read a model
    wanted = patches_of(network, [picture(), 255 - picture()], 2)
    faults: list[str] = []
    with explore(picture(), network) as session:
        page = opened(browser, session, faults)
        to_view(page, "?node=conv2d_1&ch=2")
        page.wait_for_selector("text=Strongest in other photos: open more above")
        page.locator("input[type='file']").set_input_files(path)
        expect(page.locator(".photos .name b")).to_have_text("other.png", timeout=WAIT)
        expect(page.locator("#collection button")).to_have_count(len(wanted), timeout=WAIT)
        titles = [("a picture", "other.png")[one.top.picture] for one in wanted]
        assert page.locator("#collection .cut").all_inner_texts() == titles
        page.locator("#collection button", has_text="a picture").click()
        expect(page.locator(".photos .name b")).to_have_text("a picture", timeout=WAIT)
        page.context.close()
    assert faults == []


def test_a_map_carries_its_verdict(page: Page, network: nn.Module) -> None:
    from playwright.sync_api import expect

    to_view(page, "?node=conv2d_1&cam=eigencam&cls=1")
    page.get_by_role("button", name="Is it true?").click()
    page.wait_for_selector("#audit")
    x = torch.from_numpy(RECIPE(picture()))
    explainer = Explainer(network, x, layers="conv2d_1")
    one, checks = audit(explainer, x, explainer(x, "eigencam", 1)[0][0])
    said = page.locator("#audit dd").all_inner_texts()
    assert said == [f"{check.verdict} {check.said}" for check in checks]
    good = sum(check.verdict == "good" for check in checks)
    head = page.locator("#audit p").inner_text()
    assert (
        head == f"Refused {one.refused}" if one.refused else head.startswith(f"Checked: {good} of {len(checks)} checks")
    )
    # it stays with the map, wherever one has been meanwhile
    page.get_by_label("method").select_option("gradcam")
    expect(page.locator("#audit")).to_have_count(0, timeout=WAIT)
    page.get_by_label("method").select_option("eigencam")
    page.wait_for_selector("#audit")


def test_a_refused_map_says_so(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(explainer: Any, x: Any, one: Any, on_batch: Any) -> Any:
        found, checks = audit(explainer, x, one)
        return replace(found, refused="it contradicts the model: in this test"), checks

    monkeypatch.setattr(AUDIT, "audit", refuses)
    to_view(page, "?node=conv2d_1&cam=eigencam")
    page.get_by_role("button", name="Is it true?").click()
    page.wait_for_selector("#audit >> text=Refused it contradicts the model: in this test")


def test_an_audit_says_how_far_it_is_and_can_be_stopped(
    page: Page, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    halts, ended = threading.Event(), threading.Event()

    def slow(explainer: Any, x: Any, one: Any, on_batch: Any) -> Any:
        on_batch(48, 158)
        assert halts.wait(30)
        try:
            on_batch(64, 158)
        except CancelledError:
            ended.set()
            raise
        return one, ()

    monkeypatch.setattr(AUDIT, "audit", slow)
    to_view(page, "?node=conv2d_1&cam=eigencam")
    page.get_by_role("button", name="Is it true?").click()
    page.wait_for_selector("text=covering parts of the photo: 48 of 158")
    with page.expect_request("**/api/about*"):  # the newer question, which ends the older one
        page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=Is it true?")
    until = time.monotonic() + 30
    while session._server.jobs._waiting < 2 and time.monotonic() < until:
        time.sleep(0.002)
    halts.set()
    assert ended.wait(30)
    assert page.locator("#audit").count() == 0
