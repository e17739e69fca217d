"""The stations Residual and Normalization as a person uses them, and whether their numbers are the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.explorer.message import Question, unpack
from photosite.explorer.session import Session, explore
from photosite.explorer.views import VIEWS
from photosite.ops.batch_normalization import batch_norm
from photosite.ops.normalization import group_norm, rms_norm

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
HEIGHT, WIDTH = 90, 120


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    torch.manual_seed(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([x * 2, y * 2.5, 255 - x - y], -1) + 20 * np.sin(x / 3 + y / 5)[..., None]
    model = nn.Sequential(nn.Conv2d(3, 6, 16, stride=16), nn.BatchNorm2d(6), nn.ReLU(), nn.GroupNorm(2, 6)).eval()
    with explore(np.clip(picture, 0, 255).astype(np.uint8), model) as running:
        yield running


def opened(browser: Browser, session: Session, address: str, **how: Any) -> Iterator[Page]:
    """A page in which nothing goes wrong unseen."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **how})
    page, faults = context.new_page(), []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{session.url}#/{address}")
    yield page
    context.close()
    assert faults == []


def ask(session: Session, name: str, **query: object) -> tuple[Any, dict[str, Any]]:
    words = {"photo": session.workspace.photos()[0].key, **{key: str(value) for key, value in query.items()}}
    return unpack(VIEWS[name](session.workspace, Question(name, words)).body)


def numbers(text: str) -> list[float]:
    plain = text.replace("−", "-").replace("\u2009", "")
    return [float(one) for one in re.findall(r"(?<![\w.])-?\d+\.?\d*(?:e[+-]?\d+)?", plain)]


def row(page: Page, name: str) -> list[float]:
    return numbers(" ".join(page.locator(f"[data-row={name}] td").all_inner_texts()))


def test_a_stack_with_and_without_shortcuts(browser: Browser, session: Session) -> None:
    from playwright.sync_api import expect

    for page in opened(browser, session, "residual?layers=12&width=16&begin=he&at=2"):
        page.wait_for_selector("#count")
        wanted = ask(session, "residual", layers=12, width=16, begin="he", side=128)[1]
        for name, values in (("variance", wanted["variance"][:, 2]), ("gradient", wanted["gradient"][:, 2])):
            np.testing.assert_allclose(row(page, name), values, rtol=6e-4)
        np.testing.assert_allclose(row(page, "weights"), wanted["of_weights"][:, 1], rtol=6e-4)
        page.get_by_label("Block whose numbers are written").press("ArrowRight")
        expect(page.locator("[data-row=variance]")).to_contain_text("block 3")
        np.testing.assert_allclose(row(page, "gradient"), wanted["gradient"][:, 3], rtol=6e-4)
        for path in page.locator(".curve path").all():
            assert len(re.findall(r"[ML]", path.get_attribute("d") or "")) == 7
        box = page.locator(".chart svg").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 50)
        expect(page.locator("[data-row=variance]")).to_contain_text("block 6")
        page.mouse.move(2, 2)
        page.get_by_label("layers").press("ArrowRight")
        page.get_by_role("button", name="on", exact=True).click()
        expect(page).to_have_url(re.compile("layers=14.*norm=on"))
        page.wait_for_selector("text=Back through 7 blocks")
        normed = ask(session, "residual", layers=14, width=16, begin="he", norm=1, side=128)[1]
        expect(page.locator("[data-row=gradient] td").first).to_have_text(
            re.compile(f"^{normed['gradient'][0, 3]:.3g}")
        )
        np.testing.assert_allclose(row(page, "gradient"), normed["gradient"][:, 3], rtol=6e-4)
        reach = ask(session, "residual-table", layers=14, width=16, side=128)[1]["reach"]
        expect(page.locator("#count")).to_contain_text("At 14 layers of width 16")
        shown = [
            numbers(" ".join(one.locator("td").all_inner_texts())) for one in page.locator(".everywhere tbody tr").all()
        ]
        np.testing.assert_allclose(shown, reach, rtol=6e-3)
        comes_back = [
            "does not hold" if plain >= 0.1 or shortcut < 0.1 else "holds" if shortcut <= 10 else "in part"
            for plain, shortcut in reach
        ]
        assert page.locator(".everywhere .said").all_inner_texts() == comes_back
        assert f"it holds in {comes_back.count('holds')} of 8" in page.locator("#count").inner_text()
        page.get_by_role("button", name="too small").first.click()
        expect(page).to_have_url(re.compile("norm=off.*begin=small|begin=small.*norm=off"))
        page.wait_for_selector("text=The claim holds here")


def at_cell(page: Page, b: int, c: int, y: int, x: int) -> tuple[float, float]:
    """Where a number of the first block is seen: 6 × 6 cells a crop, and 8 px between crops."""
    page.wait_for_function("document.querySelector('[data-block=before]').offsetWidth > 300")  # it knows its room
    box = page.locator("[data-block=before]").bounding_box()
    assert box is not None
    side = (box["width"] - 5 * 8) / 36
    return box["x"] + c * (6 * side + 8) + (x + 0.5) * side, box["y"] + b * (6 * side + 8) + (y + 0.5) * side


def read(page: Page, *names: str) -> list[float]:
    return [numbers(page.locator(f"#{name}").inner_text())[0] for name in names]


def test_a_number_and_those_that_share_its_mean(browser: Browser, session: Session) -> None:
    x = ask(session, "normalization", side=256)[1]["x"]
    last = np.moveaxis(x, 1, -1)
    for page in opened(browser, session, "normalization"):
        page.wait_for_selector("#result")
        page.mouse.move(*at_cell(page, 2, 1, 3, 5))
        page.wait_for_selector("text=picture 2, green, row 3, column 5")
        normed = batch_norm(x, None, None, None, None, True, 0.1, 1e-5)
        wanted = [x[2, 1, 3, 5], x[:, 1].mean(), x[:, 1].var(), np.square(x[:, 1]).mean(), normed[2, 1, 3, 5]]
        np.testing.assert_allclose(read(page, "value", "mean", "variance", "square", "result"), wanted, rtol=6e-4)
        assert read(page, "shared") == [144]
        page.mouse.click(*at_cell(page, 3, 4, 0, 5))
        page.mouse.move(2, 2)
        page.get_by_role("button", name="group", exact=True).click()
        page.get_by_role("button", name="3", exact=True).click()
        assert read(page, "shared") == [72]
        np.testing.assert_allclose(read(page, "result"), group_norm(x, 3)[3, 4, 0, 5], rtol=6e-4)
        page.locator("[data-block=before]").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.wait_for_selector("text=picture 3, Laplacian, row 1, column 0")
        page.get_by_role("button", name="RMS").click()
        assert read(page, "shared") == [6]
        rms = rms_norm(last, (6,), eps=1e-5)
        np.testing.assert_allclose(read(page, "result"), rms[3, 1, 0, 5], rtol=6e-4)
        page.reload()
        page.wait_for_selector("#result")
        np.testing.assert_allclose(read(page, "result"), rms[3, 1, 0, 5], rtol=6e-4)


def test_lit_cells_are_those_of_the_set(browser: Browser, session: Session) -> None:
    for page in opened(browser, session, "normalization?norm=layer&at=0", color_scheme="dark"):
        page.wait_for_selector("#result")
        seen = page.locator("[data-block=before] canvas").evaluate(
            """(canvas) => {
              const all = canvas.getContext("2d").getImageData(Math.floor(canvas.width * 0.55), 0, 1, canvas.height);
              return [0.1, 0.35, 0.6, 0.85].map((down) => all.data[4 * Math.floor(canvas.height * down) + 3]);
            }"""
        )
        assert seen[0] == 255  # the first picture, in a channel far away
        assert max(seen[1:]) < 80


def test_batch_sizes_and_a_models_norm(browser: Browser, session: Session) -> None:
    from playwright.sync_api import expect

    _, errors = ask(session, "batch-error", side=256, seed=0)
    key = session.workspace.models()[0].key
    data, statistics = ask(session, "norm-statistics", model=key)
    assert data["number"] == 1
    for page in opened(browser, session, "normalization?size=4&channel=blue"):
        page.wait_for_selector("#measured")
        page.get_by_label("batch size B").press("ArrowRight")
        expect(page.locator("#size")).to_have_text("32")
        found = read(page, "measured", "by-pixels", "by-pictures")
        np.testing.assert_allclose(
            found, [errors[name][5, 2] for name in ("measured", "by_pixels", "by_pictures")], rtol=6e-4
        )
        assert found[0] > 2 * found[1]
        assert page.locator(".batch .curve.with circle").count() == len(errors["measured"])
        page.wait_for_selector(".spreads")
        for name in ("channel_mean", "channel_variance", "place_mean", "place_variance"):
            before, behind = (statistics[f"{side} {name}"] for side in ("before", "behind"))
            shown = numbers(page.locator(f"[data-spread={name}] figcaption").inner_text())
            np.testing.assert_allclose(
                shown, [before.min(), before.max(), behind.min(), behind.max()], rtol=6e-4, atol=1e-7
            )
        page.locator(".of-model").get_by_label("norm").select_option("0")
        page.wait_for_selector("text=batch norm · 1 × 6 × 14 × 14")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), pytest.param(1440, "light", marks=pytest.mark.slow)])
def test_they_fit_and_everything_has_a_name(browser: Browser, session: Session, width: int, scheme: str) -> None:
    size = {"width": width, "height": 844}
    for address, waited in (("residual", "#count"), ("normalization?norm=group", ".spreads")):
        for page in opened(browser, session, address, viewport=size, color_scheme=scheme):
            page.wait_for_selector(waited)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert (
                page.evaluate(
                    """() => [...document.querySelectorAll("main :is(button, input, select, [tabindex='0'], svg)")]
                  .filter((one) => !one.hidden &&
                    !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.[0]?.textContent))
                  .map((one) => one.outerHTML)"""
                )
                == []
            )
