"""The stations Pooling and Receptive fields as a person uses them; their numbers are the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.receptive_field import plain_stack
from photosite.explorer.message import Question, unpack
from photosite.explorer.session import Session, explore
from photosite.explorer.views import VIEWS
from photosite.explorer.views.pooling import WAYS
from photosite.explorer.workspace import Workspace
from photosite.prep.fast import resize
from tests.explorer.test_page import expect_address, numbers, opened, picture, to_view
from tests.explorer.test_pooling import by_torch, carried, luma

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
HERE = np.array([0.0, 0, 0, 0, 1, 0, 0, 0, 0])


class Gated(nn.Module):
    """A convolution, times a gate of its mean over the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return y * (40 * y.mean((2, 3), keepdim=True)).sigmoid()


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 5, 2, 2)).eval()
    with explore(picture(), model) as running:
        yield running


@pytest.fixture(scope="module")
def one_page(browser: Browser, session: Session) -> Iterator[Page]:
    yield from opened(browser, session)


@pytest.fixture
def page(one_page: Page) -> Page:
    """One page for all, since loading it is what takes time; it begins at another station."""
    one_page.mouse.move(2, 2)
    to_view(one_page, "pixels")
    one_page.wait_for_selector("#space-rgb")
    return one_page


def column(page: Page, name: str) -> list[float]:
    """The numbers of a column of the table of layers."""
    heads = page.locator("#layers thead th").all_inner_texts()
    return numbers(" ".join(page.locator(f"#layers tbody tr > :nth-child({heads.index(name) + 1})").all_inner_texts()))


def expect_heat(page: Page, layers: str, side: int, unit: tuple[int, int], weights: str = "random") -> None:
    """What is written of the effective field is what the library computes."""
    query = {"layers": layers, "side": str(side), "y": str(unit[0]), "x": str(unit[1]), "weights": weights}
    data, _ = unpack(VIEWS["stack-field"](Workspace(), Question("stack-field", query)).body)
    rows, columns = data["width95"]
    page.wait_for_selector(f"#width95:has-text('{rows} × {columns}')")
    deviation = page.locator("#effective dd").nth(2).inner_text()
    np.testing.assert_allclose(numbers(deviation), data["deviation"], rtol=6e-3)  # three digits


def test_a_stack_is_built_and_the_field_grows(page: Page) -> None:
    to_view(page, "fields")
    page.wait_for_selector("#layers")
    assert column(page, "sees") == [3, 5, 6, 10, 14]
    expect_heat(page, "c3.1.1.1;c3.1.1.1;m2.2.0.1;c3.1.1.1;c3.1.1.1", 48, (12, 12))
    page.get_by_role("button", name="3 × 3, dilation 2").click()
    assert column(page, "sees") == [3, 5, 6, 10, 14, 22]
    page.get_by_label("Move layer 3 up").click()
    stack = [(3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1), (3, 1, 1, 1), (3, 1, 1, 1), (3, 1, 2, 2)]
    wanted = [plain_stack(stack[: depth + 1]) for depth in range(6)]
    assert column(page, "sees") == [size for size, _, _ in wanted]
    assert column(page, "jump") == [jump for _, jump, _ in wanted]
    page.get_by_label("Remove layer 1").click()
    page.get_by_label("kernel of layer 2", exact=True).fill("5")
    page.get_by_label("kernel of layer 2", exact=True).press("Enter")
    page.get_by_label("kind of layer 1").select_option("average")
    expect_address(page, "layers=a2.2.0.1;c5.1.1.1;c3.1.1.1;c3.1.1.1;c3.1.2.2&side=48&at=2")
    expect_heat(page, "a2.2.0.1;c5.1.1.1", 48, (11, 11))
    page.go_back()
    assert page.get_by_label("kind of layer 1").input_value() == "max"


def test_known_stacks_and_the_slider(page: Page) -> None:
    to_view(page, "fields")
    for key, sees in (("vgg16", 212), ("resnet50", 427), ("resnet50-early", 483), ("efficientnet-b0", 851)):
        page.locator("label.select", has_text=re.compile("^layers")).locator("select").select_option(key)
        page.wait_for_selector(f"text=sees {sees} × {sees}, jump 32")
        assert (column(page, "sees")[-1], column(page, "jump")[-1]) == (sees, 32)
    page.locator("label.select", has_text=re.compile("^layers")).locator("select").select_option("resnet50")
    slider = page.get_by_label("Layer", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=layer 2 of 18: sees 11 × 11, jump 4")
    expect_heat(page, "c7.2.3.1;m3.2.1.1", 224, (28, 28))
    page.get_by_role("button", name="all equal").click()
    page.wait_for_selector("text=every layer the mean of what lies under it")
    expect_heat(page, "c7.2.3.1;m3.2.1.1", 224, (28, 28), "equal")


def test_a_unit_is_chosen_by_click_and_keys(page: Page) -> None:
    to_view(page, "fields?layers=c3.2.1.1;c3.2.1.1&side=32")
    page.wait_for_selector("#field")
    page.locator("#field").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    page.wait_for_selector("text=unit 0, 3 of 8 × 8")
    expect_heat(page, "c3.2.1.1;c3.2.1.1", 32, (0, 3))
    box = page.locator("#field").bounding_box()
    assert box is not None
    cell = box["width"] / (32 + 2 * 0)  # the middle unit sees nothing beyond the input
    page.mouse.click(box["x"] + 20.5 * cell, box["y"] + 8.5 * cell)  # centers of units are 4 apart from 0.5 on
    page.wait_for_selector("text=unit 2, 5 of 8 × 8")
    page.locator("#field").press("Escape")
    page.wait_for_selector("text=unit 4, 4 of 8 × 8")


def test_layers_that_cannot_be_are_said(page: Page) -> None:
    to_view(page, "fields?layers=c3.1.1.1;c9.1.0.4&side=16")
    page.wait_for_selector("text=layer 2 spans 33 and what comes in is 16 wide with its padding: it does not fit")
    page.get_by_label("Remove layer 2").click()
    page.wait_for_selector("#width95:has-text('3 × 3')")
    page.get_by_label("Remove layer 1").click()
    page.wait_for_selector("text=No layer yet: add one below.")
    page.get_by_role("button", name="3 × 3", exact=True).click()
    page.wait_for_selector("#width95:has-text('3 × 3')")
    to_view(page, "fields?layers=<b>")
    page.wait_for_selector("text=The address names layers that cannot be")


def test_ones_own_model(page: Page, session: Session) -> None:
    to_view(page, "fields?stack=model")
    page.wait_for_selector("#layers")
    key = session.workspace.models()[0].key
    rows = unpack(VIEWS["network-fields"](session.workspace, Question("network-fields", {"model": key})).body)[0][
        "rows"
    ]
    assert column(page, "sees") == [3, 11] == [row["size"][0] for row in rows]
    query = {"model": key, "node": rows[1]["node"], "y": "28", "x": "28"}
    data, _ = unpack(VIEWS["network-heat"](session.workspace, Question("network-heat", query)).body)
    page.wait_for_selector(f"#width95:has-text('{data['width95'][0]} × {data['width95'][1]}')")
    page.get_by_label(f"Look at {rows[0]['name']}", exact=True).click()
    page.wait_for_selector("text=sees 3 × 3, jump 2")
    page.wait_for_selector("#width95:has-text('3 × 3')")


def test_what_also_sees_everything_says_so(browser: Browser) -> None:
    torch.manual_seed(0)
    with explore(picture(), Gated().eval()) as session:
        key = session.workspace.models()[0].key
        for page in opened(browser, session):
            to_view(page, "fields?stack=model")
            page.wait_for_selector("text=3 and all")
            rows = unpack(VIEWS["network-fields"](session.workspace, Question("", {"model": key})).body)[0]["rows"]
            query = {"model": key, "node": rows[-1]["node"], "y": "56", "x": "56"}
            heat = unpack(VIEWS["network-heat"](session.workspace, Question("", query)).body)[1]["heat"]
            page.wait_for_selector("#outside")
            outside = 100 * (1 - heat[111:114, 111:114].sum())
            assert outside > 1
            assert numbers(page.locator("#outside").inner_text())[0] == pytest.approx(outside, rel=6e-3)
            assert "3 × 3 pixels, and everything through mean" in page.locator("#effective").inner_text()


def test_a_shift_and_what_it_does_not_explain(page: Page) -> None:
    to_view(page, "pooling?side=96&shift=2")
    page.wait_for_selector(".way canvas")
    assert set(page.locator("[data-unexplained]").all_inner_texts()) == {"0.0 %"}
    page.get_by_role("button", name="Step").click()
    expect_address(page, "shift=3")
    x = luma(resize(picture(), (72, 96), "bilinear"))
    for k, way in enumerate(WAYS):
        y, z = by_torch(x, way, HERE, 1), by_torch(x[:, 3 : 3 + 80], way, HERE, 1)
        columns = range(2, min(z.shape[1], y.shape[1] - 4))
        changed = ((z - y[:, : z.shape[1]])[:, columns] ** 2).sum()
        left = ((z[:, columns] - carried(y, 1.5, columns)) ** 2).sum() / changed
        figure = page.locator(f".way[data-way={way}]")
        assert numbers(figure.locator("[data-unexplained]").inner_text())[0] == pytest.approx(100 * left, abs=0.051)
        change = (changed / z[:, columns].size) ** 0.5 / y[:, columns].std()
        assert numbers(figure.locator("[data-change]").inner_text())[0] == pytest.approx(change, abs=0.00051)
        row = numbers(re.sub("2 × 2", "", page.locator("#shares tbody tr").nth(k).inner_text().split("\t", 1)[1]))
        assert row[0] == pytest.approx(100 * left, abs=0.051)
        assert row[1] >= row[0]
    page.wait_for_selector("text=photosite.ops on these six maps: largest difference")
    page.locator(".ways").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("text=– at no shift")
    page.keyboard.press("End")
    expect_address(page, "shift=16")
    page.get_by_role("button", name="what the shift does not explain").click()
    page.get_by_label("kernel of the convolution").select_option("sobel-x")
    expect_address(page, "shift=16&show=unexplained&kernel=sobel-x")
    page.get_by_label("photo at").select_option("64")
    page.get_by_role("group", name="times").get_by_role("button", name="3").click()
    page.wait_for_selector("text=48 × 64 px are too few to shift by 16 and halve 3 times: choose a larger photo")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "dark"), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((1440, "light"), (900, "light")))],
)
def test_both_fit_and_everything_has_a_name(browser: Browser, session: Session, width: int, scheme: str) -> None:
    for page in opened(browser, session, viewport={"width": width, "height": 844}, color_scheme=scheme):
        for address, there in (
            ("fields", "#layers"),
            ("fields?stack=efficientnet-b0", "#layers"),
            ("fields?stack=model", "#layers"),
            ("pooling?side=96", ".way canvas"),
            ("pooling?side=128&show=unexplained&kernel=sobel-x", ".way canvas"),
        ):
            to_view(page, address)
            page.wait_for_selector(there)
            page.wait_for_selector("#width95:has-text('×')" if address.startswith("fields") else ".agreement")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
            unnamed = page.evaluate(
                """() => [...document.querySelectorAll("button, a, input, select, [tabindex='0'], canvas[role]")]
                  .filter((one) => !one.hidden && !(one.getAttribute("aria-label") || one.textContent.trim() ||
                    one.labels?.[0]?.textContent)).map((one) => one.outerHTML)"""
            )
            assert unnamed == [], address
