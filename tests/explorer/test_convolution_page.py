"""Convolution with rows and columns apart and a kernel for each color, as a person sets them; numbers are torch's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from photosite.explorer.session import Session, explore
from photosite.prep.fast import resize
from tests.explorer.test_page import expect_address, opened, picture, result, to_view

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SIDE = 16
AGREES = "text=/photosite.ops.conv on these .* numbers: largest difference/"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    torch.manual_seed(0)
    with explore(picture(), nn.Sequential(nn.Conv2d(3, 4, (3, 5), stride=(1, 2), padding=(1, 2)))) as running:
        yield running


@pytest.fixture
def page(browser: Browser, session: Session) -> Iterator[Page]:
    for made in opened(browser, session):
        made.set_default_timeout(30_000)
        yield made


def output(weight: list[list[list[float]]], **how: tuple[int, int]) -> np.ndarray:
    """What torch makes of the levels of the patch: weight (3, K, L)."""
    patch = resize(picture(), (12, SIDE), "bilinear")
    x = torch.from_numpy(np.moveaxis(patch, -1, 0)[None].astype(np.float64))
    return np.asarray(nn.functional.conv2d(x, torch.tensor(weight, dtype=torch.float64)[None], **how)[0, 0])


def test_rows_and_columns_apart(page: Page) -> None:
    from playwright.sync_api import expect

    to_view(page, f"convolution?kernel=typed&k=1,-2,1&channels=rgb&side={SIDE}&y=0&x=0")
    page.wait_for_selector("#result")
    assert page.get_by_label("stride rows").count() == 0  # plain at first
    page.get_by_role("group", name="rows and columns").get_by_role("button", name="apart").click()
    page.get_by_label("stride rows").fill("2")
    page.locator(".pair", has_text="stride").get_by_label("columns").fill("3")
    page.locator(".pair", has_text="padding").get_by_label("columns").fill("4")
    page.locator(".pair", has_text="dilation").get_by_label("columns").fill("2")
    expect_address(page, "stride=2x3&pad=0x4&dil=1x2")
    kernel = [[[1.0, -2.0, 1.0]]] * 3
    wanted = output(kernel, stride=(2, 3), padding=(0, 4), dilation=(1, 2))
    expect(page.locator("figcaption", has_text="output")).to_contain_text(f"1 × {wanted.shape[0]} × {wanted.shape[1]}")
    expect(page.locator("figcaption", has_text="input")).to_contain_text("0 × 4 hatched around")
    stack = page.locator(".stack.keys")
    stack.focus()
    for key, place in (
        ("ArrowDown", (1, 0)),
        ("ArrowRight", (1, 1)),
        ("End", (wanted.shape[0] - 1, wanted.shape[1] - 1)),
    ):
        page.keyboard.press(key)
        expect(page.locator(".where")).to_contain_text(f"row {place[0]}, column {place[1]} ")
        np.testing.assert_allclose(result(page), wanted[place], rtol=1e-5)
    said = page.locator(".formulas").inner_text()
    assert "⌊(12 + 2·0 − 1·(1 − 1) − 1) / 2⌋ + 1 = 6" in said
    assert "⌊(16 + 2·4 − 2·(3 − 1) − 1) / 3⌋ + 1 = 7" in said
    assert "1 × 5 pixels" in said
    page.wait_for_selector(AGREES)
    page.get_by_role("button", name="together").click()  # as the rows go
    expect_address(page, "stride=2&pad=0&dil=1")
    assert page.get_by_label("stride", exact=True).input_value() == "2"
    page.go_back()
    expect(page.get_by_label("stride rows")).to_have_value("2")


def test_a_kernel_for_each_color_of_any_shape(page: Page) -> None:
    from playwright.sync_api import expect

    to_view(page, f"convolution?kernel=typed&k=0,1,0&side={SIDE}&y=3&x=4")
    page.wait_for_selector("#result")
    assert page.get_by_role("button", name="each its own").count() == 0  # gray has one channel
    page.get_by_role("button", name="R+G+B").click()
    page.get_by_role("button", name="each its own").click()
    page.get_by_label("green, row 0, column 1").fill("-2")
    page.get_by_label("green, row 0, column 1").press("Tab")
    page.get_by_label("blue, row 0, column 2").fill("1/4")
    page.get_by_label("blue, row 0, column 2").press("Tab")
    kernel = [[[0.0, 1.0, 0.0]], [[0.0, -2.0, 0.0]], [[0.0, 1.0, 0.25]]]
    wanted = output(kernel)
    expect(page.get_by_label("All numbers; rows apart by semicolons")).to_have_value("0,1,0|0,-2,0|0,1,0.25")
    np.testing.assert_allclose(result(page), wanted[3, 4], rtol=1e-5)
    page.wait_for_selector(AGREES)
    page.get_by_label("or rows").fill("4")  # the middle stays the middle
    page.get_by_label("columns", exact=True).fill("1")
    wanted = output([[[0.0], [one], [0.0], [0.0]] for one in (1.0, -2.0, 1.0)])
    expect(page.locator("figcaption", has_text="output")).to_contain_text("1 × 9 × 16")
    np.testing.assert_allclose(result(page), wanted[3, 4], rtol=1e-5)
    page.get_by_role("button", name="the same kernel").click()
    expect(page.get_by_label("All numbers; rows apart by semicolons")).to_have_value("0;1;0;0")
    field = page.get_by_label("All numbers; rows apart by semicolons")
    field.fill("1|2")
    field.press("Enter")
    page.wait_for_selector("text=or three of one size with | between, these are 1 × 1, 1 × 1")


def test_a_layer_that_goes_differently_down_and_across(page: Page, session: Session) -> None:
    from playwright.sync_api import expect

    from photosite.prep.recipes import get_recipe

    to_view(page, "convolution?side=16")
    page.get_by_role("button", name="Learned").click()
    page.get_by_label("filter 2").click()
    page.wait_for_selector(AGREES)
    expect(page.get_by_label("stride rows")).to_have_value("1")
    x = torch.from_numpy(get_recipe("imagenet").normalized(resize(picture(), (12, SIDE), "bilinear")))
    with torch.no_grad():
        wanted = session.workspace.models()[0].network(x)[0, 2]
    assert wanted.shape == (12, 8)
    expect(page.locator("figcaption", has_text="output")).to_contain_text("1 × 12 × 8")
    np.testing.assert_allclose(result(page), wanted[6, 4], rtol=2e-5)
    page.get_by_role("button", name="Sobel x").click()
    assert page.get_by_label("stride rows").count() == 0
