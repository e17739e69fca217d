"""The station Why this value as a person uses it: a number of any station is opened, down to a pixel and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from photosite.explorer.message import Question, unpack
from photosite.explorer.session import Session, explore
from photosite.explorer.views import VIEWS
from tests.explorer import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PICTURE = browsing.picture()
VALUE = "#whyvalue"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with explore(PICTURE, browsing.network()) as running:
        yield running


@pytest.fixture
def page(browser: Browser, session: Session) -> Iterator[Page]:
    faults: list[str] = []
    watching = browsing.watched(browser, session.url, faults)
    with watching as made:
        yield made
    assert faults == []


def to_view(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", f"#/{address}")
    browsing.rest(page)


def value(page: Page) -> float:
    """The number that is open, at full precision."""
    return float(page.locator(VALUE).get_attribute("title") or "nan")


def number(text: str) -> float:
    found = re.search(r"-?\d[\d\u2009]*\.?\d*(?:e[+-]?\d+)?", text.replace("−", "-"))
    assert found is not None, text
    return float(found.group().replace("\u2009", ""))


def asked(session: Session, **query: object) -> Any:
    """What the library says."""
    workspace = session.workspace
    words = {"photo": workspace.photos()[0].key, "model": workspace.models()[0].key}
    question = Question("why", {**words, **{key: str(one) for key, one in query.items()}})
    return unpack(VIEWS["why"](workspace, question).body)


def walk_down(page: Page, most: int = 40) -> int:
    """Open the first term by keyboard, again and again, to the end; how often."""
    for steps in range(most):
        if not page.locator(".terms button").count():
            return steps
        before = page.locator("#whyname").inner_text()
        page.keyboard.press("ArrowRight")
        browsing.rest(page)
        assert page.locator("#whyname").inner_text() != before
    raise AssertionError(f"not at the end after {most} terms")


def expect_a_pixel(page: Page) -> None:
    """The end is a pixel of this photo, with its level and its photosite."""
    y, x, color = re.findall(r"\d+|red|green|blue", page.locator("#whyname").inner_text())
    assert value(page) == PICTURE[int(y), int(x), ["red", "green", "blue"].index(color)]
    assert "the photosite here is" in page.locator("#ends").inner_text()


def test_it_is_never_empty(page: Page, session: Session) -> None:
    browsing.visit(page, "why")
    data, arrays = asked(session)
    assert value(page) == data["chain"][0]["value"]
    assert page.locator("#whyname b").inner_text() == data["title"]
    rows = page.locator(".terms li")
    assert rows.count() == data["count"]
    for k, ((name, _), product) in enumerate(zip(data["terms"], arrays["product"], strict=True)):
        assert rows.nth(k).locator(".name").inner_text() == name
        # four digits are written
        np.testing.assert_allclose(number(rows.nth(k).locator("b").inner_text()[1:]), product, rtol=6e-4, atol=1e-9)
    assert f"sum of all {data['count']} terms" in page.locator("#whysum").inner_text()


def test_the_largest_is_followed_to_a_pixel_and_the_browser_goes_back(page: Page, session: Session) -> None:
    browsing.visit(page, "why")
    first = value(page)
    page.get_by_role("button", name="follow the largest to the pixels").click()
    browsing.rest(page)
    data, _ = asked(session, path=">999")
    crumbs = page.locator(".crumbs button")
    assert crumbs.count() == len(data["chain"])
    for crumb, step in zip(crumbs.all(), data["chain"], strict=True):
        assert float((crumb.get_attribute("title") or "").split("= ")[1]) == step["value"]
    expect_a_pixel(page)
    page.keyboard.press("Escape")  # one up, the chain stays
    browsing.rest(page)
    assert crumbs.count() == len(data["chain"])
    assert value(page) == data["chain"][-2]["value"]
    page.go_back()
    browsing.rest(page)
    expect_a_pixel(page)
    page.go_back()
    browsing.rest(page)
    assert value(page) == first


def test_a_bookmark_opens_the_same_number(page: Page, session: Session) -> None:
    to_view(page, "why?path=conv2d:0,3,2,4;>1")
    data, _ = asked(session, path="conv2d:0,3,2,4;>1")
    assert value(page) == data["chain"][1]["value"]
    assert page.locator(".crumbs button").count() == 2
    page.reload()
    browsing.rest(page)
    assert value(page) == data["chain"][1]["value"]


def test_from_a_convolution_by_keyboard_to_a_pixel_and_up(page: Page) -> None:
    to_view(page, "convolution?kernel=sobel-x&side=24&x=5&y=3&pad=1&mode=reflect")
    shown = number(page.locator("#result").inner_text())
    page.locator("#main").focus()
    page.keyboard.press("w")
    page.wait_for_selector(VALUE)
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, rel=1e-5)
    assert "output[0, 0, 3, 5]" in page.locator("#whyname").inner_text()
    assert page.locator(".terms li").count() == 10  # nine under the kernel, and a bias
    steps = walk_down(page)
    assert steps == 3  # luma, the small photo's level, the pixel
    expect_a_pixel(page)
    for _ in range(steps):
        page.keyboard.press("Backspace")
        browsing.rest(page)
    assert value(page) == pytest.approx(shown, rel=1e-5)
    assert page.locator(".crumbs button").count() == 1


def test_arrow_keys_walk_the_terms(page: Page) -> None:
    to_view(page, "why?of=convolution&side=24&kernel=1,2,3,4&rows=2&channels=gray&path=output:0,0,3,4")
    page.locator("#main").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('li') === document.querySelectorAll('.terms li')[1]")
    name = page.locator(".terms li").nth(1).locator(".name").inner_text()
    page.keyboard.press("Enter")
    browsing.rest(page)
    place = re.findall(r"\d+", name)[-2:]  # of x[0, 0, y, x]; luma has rows and columns alone
    assert re.findall(r"\d+", page.locator("#whyname").inner_text()) == place
    page.go_back()
    browsing.rest(page)
    assert "output[0, 0, 3, 4]" in page.locator("#whyname").inner_text()


def test_from_a_cell_and_from_a_score_of_a_network(page: Page, session: Session) -> None:
    to_view(page, "hierarchy?node=conv2d&ch=2&row=3&col=5")
    shown = number(page.locator("#cell output").inner_text())
    page.locator("#cell a.why").click()
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, rel=5e-6)
    assert page.locator("#whyname").inner_text() == "conv2d[0, 2, 3, 5]"
    assert "in stem" in page.locator(".whyhead").inner_text()
    to_view(page, "hierarchy?node=linear")
    row = page.locator(".largest tr").nth(1)
    shown, title = number(row.locator("td").nth(1).inner_text()), row.locator("td").first.inner_text()
    row.locator("a.why").click()
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, abs=6e-5)
    assert page.locator("#whyname b").inner_text() == title


def test_from_a_pixel_in_a_tensor(page: Page) -> None:
    to_view(page, "pixels?x=60&y=45")
    shown = number(page.locator("#space-tensor td").nth(1).inner_text().split("\n")[-1].replace("c=1", ""))
    page.locator(".intensor a.why").nth(1).click()
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, abs=6e-4)
    walk_down(page)
    expect_a_pixel(page)


def test_from_a_normalized_number_its_mean_too(page: Page) -> None:
    to_view(page, "normalization?norm=layer&at=100")
    shown, mean = number(page.locator("#result").inner_text()), number(page.locator("#mean").inner_text())
    count = number(page.locator("#shared").inner_text())
    page.keyboard.press("w")
    page.wait_for_selector(VALUE)
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, rel=1e-3)
    page.locator(".terms button", has_text="mean").click()
    browsing.rest(page)
    assert value(page) == pytest.approx(mean, rel=1e-3)
    assert f"sum of all {int(count)} terms" in page.locator("#whysum").inner_text()


def test_from_a_patch(page: Page) -> None:
    to_view(page, "tokens?p=32&f=2&y=1&x=1")
    shown = number(page.locator("#ways b").first.inner_text())
    page.locator(".equality a.why").click()
    browsing.rest(page)
    assert value(page) == pytest.approx(shown, rel=1e-8)
    walk_down(page)
    expect_a_pixel(page)


def test_from_a_pooled_number_by_a_click(page: Page) -> None:
    to_view(page, "pooling?side=96&times=2&shift=2")
    figure = page.locator('figure[data-way="max-blur"]')
    canvas = figure.locator("canvas")
    box = canvas.bounding_box()
    assert box is not None
    said = canvas.get_attribute("aria-label") or ""
    height, width = (int(one) for one in re.findall(r"(\d+) by (\d+)", said)[0])
    canvas.click(position={"x": 3.5 * box["width"] / width, "y": 2.5 * box["height"] / height})
    page.wait_for_selector(VALUE)
    browsing.rest(page)
    assert page.locator("#whyname").inner_text() == "blurred 2[0, 0, 2, 3]"
    assert page.locator(".terms li").count() == 9
    page.get_by_role("button", name="follow the largest to the pixels").click()
    browsing.rest(page)
    expect_a_pixel(page)
    page.go_back()
    page.go_back()
    browsing.rest(page)
    assert page.locator("h1").inner_text() == "Pooling"


def test_any_number_is_typed_and_what_is_none_is_said(browser: Browser, session: Session) -> None:
    faults: list[str] = []
    with browsing.watched(browser, session.url, faults) as page:
        browsing.visit(page, "why")
        box = page.get_by_label("any number")
        box.fill("stem[0, 1, 2, 3]")
        page.keyboard.press("Enter")
        browsing.rest(page)
        assert value(page) == asked(session, path="conv2d:0,1,2,3")[0]["chain"][0]["value"]
        assert faults == []
        box.fill("stem[0, 99, 2, 3]")
        page.keyboard.press("Enter")
        browsing.rest(page)
        assert "none at" in page.locator(".fault").inner_text()
        box.fill("nonsense")
        page.keyboard.press("Enter")
        assert "write a name and an index" in page.locator(".fault").inner_text()
    assert len(faults) == 1  # the browser's own line about a question that was refused
    assert "400" in faults[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_on_a_phone(browser: Browser, session: Session, theme: Any) -> None:
    faults: list[str] = []
    size: Any = {"width": 390, "height": 844}
    with browsing.watched(browser, session.url, faults, viewport=size, color_scheme=theme) as page:
        to_view(page, "why?path=>999&at=1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults == []
