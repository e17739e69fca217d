"""The station Patches and tokens as a person uses it, and whether its numbers are the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from photosite.explorer.session import Session, explore
from photosite.explorer.views.patch_embedding import random_embedding
from photosite.lightpath import light_path, tokens_of
from photosite.prep.recipes import get_recipe
from photosite.tokens import front_end
from photosite.trace.cells import in_photo, lying
from tests.explorer.browsing import picture, rest, watched
from tests.explorer.test_every_station import CUT, SERIOUS, violations
from tests.explorer.test_tokens import Patchy, shown

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SIZE = (300, 451)
FRONT_ENDS = ("clip-l-336", "llava-next", "paligemma-896", "qwen2-vl", "rt-1", "smolvlm")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    torch.manual_seed(0)
    models: dict[str, nn.Module] = {"patchy": Patchy().eval()}
    ends = [shown(one) for one in FRONT_ENDS]
    with explore(picture(*SIZE), find=models.__getitem__, names=tuple(models), front_ends=ends) as running:
        yield running


def opened(browser: Browser, session: Session, address: str, width: int = 1440) -> Iterator[Page]:
    """A page in which nothing goes wrong unseen."""
    faults: list[str] = []
    with watched(
        browser, f"{session.url}#/{address}", faults, viewport={"width": width, "height": 900}, color_scheme="light"
    ) as page:
        rest(page)
        yield page
    assert faults == []


def numbers(text: str) -> list[float]:
    plain = re.sub("[\u2009\u202f]", "", text.replace("−", "-"))
    return [float(one) for one in re.findall(r"(?<![\w.])-?\d+\.?\d*(?:e[+-]?\d+)?", plain)]


def ways(page: Page) -> list[float]:
    """What the page says of a patch: by convolution, by a row, and their difference."""
    return [numbers(one)[0] for one in page.locator("#ways dd").all_inner_texts()]


def test_a_patch_is_a_place_of_a_convolution(browser: Browser, session: Session) -> None:
    x = torch.from_numpy(get_recipe("imagenet")(session.workspace.photos()[0].picture).astype(np.float64))
    for page in opened(browser, session, "tokens?p=16&f=5&y=3&x=9"):
        wanted = conv2d(x, torch.from_numpy(random_embedding(16).weight), stride=16)[0, 5]
        assert ways(page)[:2] == pytest.approx([wanted[3, 9].item()] * 2, rel=1e-9)
        assert ways(page)[2] < 1e-12
        page.locator("#patches").press("ArrowRight")
        page.locator("#patches").press("Shift+ArrowDown")
        rest(page)
        assert ways(page)[:2] == pytest.approx([wanted[13, 10].item()] * 2, rel=1e-9)
        box = page.locator("#plane").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 2.5 * box["width"] / 14, box["y"] + 0.5 * box["height"] / 14)
        rest(page)
        assert "y=0&x=2" in page.url
        assert ways(page)[0] == pytest.approx(wanted[0, 2].item(), rel=1e-9)
        page.locator("#numbers").press("ArrowDown")
        page.locator("#numbers").press("ArrowRight")
        rest(page)
        said = numbers(page.locator("#number").inner_text())
        assert said[:5] == [0, 1, 33, pytest.approx(x[0, 0, 1, 33].item(), rel=1e-5), 224 + 33]
        weight = random_embedding(16).weight[5, 0, 1, 1]
        assert said[-2:] == pytest.approx([weight, weight * x[0, 0, 1, 33].item()], rel=1e-5)
        box = page.locator("#filter").bounding_box()  # the last number of the filter: blue, below at the right
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
        rest(page)
        said = numbers(page.locator("#number").inner_text())
        assert said[:4] == [2, 15, 47, pytest.approx(x[0, 2, 15, 47].item(), rel=1e-5)]
        page.get_by_label("Patch size, in pixels").press("ArrowRight")
        rest(page)
        assert "13 · 17 + 3" in page.locator("#patches + figcaption").inner_text()
        assert numbers(page.locator("#cost dd b").first.inner_text()) == [169]
        page.get_by_role("group", name="Sizes that leave nothing over").get_by_text("32", exact=True).click()
        rest(page)
        assert numbers(page.locator("#cost dd b").all_inner_texts()[-1]) == [49**2]
        assert page.locator("#weights").inner_text() == "64 random filters, seed 0"
        page.get_by_label("model").select_option("patchy")
        rest(page)
        assert "patchy learned 5 filters of 3 × 8 × 8: embed.weight" in page.locator("#weights").inner_text()
        assert page.get_by_role("button", name="8 its own").get_attribute("aria-pressed") == "true"
        model = session.workspace.build("patchy").network
        assert isinstance(model, Patchy)
        own = model.photo_recipe(session.workspace.photos()[0].picture)
        middle = model.embed(torch.from_numpy(own))[0, 0, 3, 3].item()
        assert ways(page)[0] == pytest.approx(middle, rel=1e-4)


def words_of(page: Page) -> dict[str, str]:
    way = page.locator("#way")
    return dict(zip(way.locator("dt").all_inner_texts(), way.locator("dd").all_inner_texts(), strict=True))


def at_point(page: Page, y: float, x: float, sheet: tuple[float, float, float, float]) -> tuple[float, float]:
    """Where a point of the photo is seen, in a picture that shows a part from top, left to bottom, right."""
    box = page.locator("#scene").bounding_box()
    assert box is not None
    scale = box["width"] / (sheet[3] - sheet[1])
    return box["x"] + (x - sheet[1]) * scale, box["y"] + (y - sheet[0]) * scale


def test_a_token_and_its_way_back(browser: Browser, session: Session) -> None:
    one = front_end("qwen2-vl")
    for page in opened(browser, session, "tokens?part=models&fe=qwen2-vl"):
        names = page.locator(".ends button").all_inner_texts()
        assert [words.split() for words in names] == [
            [name, str(front_end(name).count(SIZE).total)] for name in FRONT_ENDS
        ]
        for token in (60, 61, 45):
            path = light_path(one, SIZE, token)
            assert path.photo_box is not None
            top, left, bottom, right = path.photo_box
            page.mouse.click(*at_point(page, (top + bottom) / 2, (left + right) / 2, (0, 0, *SIZE)))
            rest(page)
            assert page.locator("#token").inner_text() == str(token)
            said = words_of(page)
            assert numbers(said["reads of the photo"]) == [top, bottom - 1, left, right - 1]
            assert numbers(said["patches"]) == list(path.patches)
        assert "t=45" in page.url
        page.locator("#scene").press("ArrowDown")  # 16 tokens a row
        page.locator("#scene").press("ArrowLeft")
        rest(page)
        assert page.locator("#token").inner_text() == "60"
        page.locator("#scene").press("Shift+ArrowLeft")
        page.locator("#scene").press("Shift+ArrowLeft")  # as far as there are cells
        rest(page)
        assert page.locator("#token").inner_text() == "48"
        page.locator("#sequence").press("ArrowRight")
        page.locator("#sequence").press("Shift+ArrowRight")
        rest(page)
        assert page.locator("#token").inner_text() == "59"
        page.mouse.move(*at_point(page, 290, 440, (0, 0, *SIZE)))
        rest(page)
        assert "what token 175 reads" in page.locator("#scene + figcaption").inner_text()
        assert page.locator("#token").inner_text() == "59"
        page.locator("#sequence").press("Escape")
        rest(page)
        assert "&t=" not in page.url


def test_a_pixel_and_all_its_tokens(browser: Browser, session: Session) -> None:
    one = front_end("llava-next")
    for page in opened(browser, session, "tokens?part=models&pick=pixel&py=100&px=200"):
        wanted = tokens_of(one, SIZE, (100, 200))
        assert len(wanted) > 4  # of the whole and of tiles
        listed = page.locator("#readers button").all_inner_texts()
        assert [int(numbers(words)[0]) for words in listed] == wanted
        assert {"whole" in words for words in listed} == {True, False}
        page.locator("#readers button").first.click()
        rest(page)
        assert page.locator("#token").inner_text() == str(wanted[0])
        assert page.get_by_role("button", name="the whole, smaller").get_attribute("aria-pressed") == "true"
        page.get_by_role("button", name="the tiles").click()
        rest(page)
        assert int(numbers(page.locator("#token").inner_text())[0]) in wanted[1:]
        page.locator("#scene").press("ArrowRight")
        rest(page)
        assert "py=100&px=201" in page.url
        listed = page.locator("#readers button").all_inner_texts()
        assert [int(numbers(words)[0]) for words in listed] == tokens_of(one, SIZE, (100, 201))
        edges = np.array([in_photo((0, 0, *tile.size_hw), lying(tile.steps, SIZE)) for tile in one.tiles(SIZE)])
        assert edges[:, 1].min() < -70  # padding on the left is shown too
        page.mouse.click(*at_point(page, 40.5, 30.5, (*edges[:, :2].min(0), *edges[:, 2:].max(0))))
        rest(page)
        found = re.search(r"py=(\d+)&px=(\d+)", page.url)
        assert found
        np.testing.assert_allclose(
            [int(one) for one in found.groups()], [40, 30], atol=1
        )  # of a screen of whole pixels


def test_tokens_without_a_place_and_photos_that_are_refused(browser: Browser, session: Session) -> None:
    places = front_end("llava-next").token_map(SIZE)
    newline = int(np.flatnonzero(places.newline)[0])
    for page in opened(browser, session, f"tokens?part=models&t={newline}"):
        assert "a learned newline: it ends a row, no pixel stands behind it" in page.locator(".readout").inner_text()
        assert page.locator("#way dt").count() == 0
        page.get_by_role("button", name="clip-l-336").click()
        rest(page)
        page.locator("#sequence").press("Shift+ArrowUp")
        rest(page)
        assert "a class token" in page.locator(".readout").inner_text()
    thin = session.workspace.add_photo(picture(2, 450), "thin")
    try:
        for page in opened(browser, session, f"tokens?part=models&photo={thin.key}&fe=paligemma-896"):
            assert "qwen2-vl: takes sides up to 1 : 200, got 2 × 450" in page.locator("main").inner_text()
            assert page.locator("#token").count() == 1
    finally:
        session.workspace._photos.pop(thin.key)


def test_an_explorer_without_front_ends_says_so(browser: Browser) -> None:
    with explore(picture()) as bare:
        for page in opened(browser, bare, "tokens?part=models"):
            assert "given no front ends" in page.locator("main").inner_text()


@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_axe_finds_nothing_serious(browser: Browser, session: Session, width: int) -> None:
    for address in ("tokens", "tokens?part=models", "tokens?part=models&pick=pixel"):
        for page in opened(browser, session, address, width):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(CUT) == []
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                found = [one for one in violations(page) if one["impact"] in SERIOUS]
                assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
