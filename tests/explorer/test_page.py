"""The page in a browser: what a person does, and whether the numbers that appear are the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from photosite.explorer.session import Session, explore
from photosite.ops.convolution import conv2d_loop
from photosite.prep.fast import resize
from photosite.prep.recipes import get_recipe
from photosite.trace.pixel import pixel_at

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
HEIGHT, WIDTH = 90, 120


def picture() -> np.ndarray:
    """Soft colors with a sharp square in them: no two neighbors are alike."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    made = np.stack([x * 2, y * 2.5, 255 - x - y], -1) + 9 * np.sin(x / 3 + y / 5)[..., None]
    made[30:50, 40:70] = 255 - made[30:50, 40:70]
    return np.clip(made, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1))
    with explore(picture(), model) as running:
        yield running


@pytest.fixture(scope="module")
def one_page(browser: Browser, session: Session) -> Iterator[tuple[Page, list[str]]]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, faults = context.new_page(), []
    watch(page, session, faults)
    page.goto(session.url)
    yield page, faults
    context.close()


@pytest.fixture
def page(one_page: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page as it is at first; loaded once, since that is what takes time."""
    page, faults = one_page
    page.mouse.move(2, 2)
    to_view(page, "pixels")
    page.wait_for_selector("#space-rgb")
    yield page
    assert faults == []
    faults.clear()


def watch(page: Page, session: Session, faults: list[str]) -> None:
    """Nothing goes wrong unseen: no error in the console, no request to another host."""
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith(session._server.address) else faults.append(one.url))


def opened(browser: Browser, session: Session, refused: bool = False, **how: Any) -> Iterator[Page]:
    """A page of its own.

    The browser itself writes of an answer that refuses; where one is `refused`, that is left out.
    """
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **how})
    page = context.new_page()
    faults: list[str] = []
    watch(page, session, faults)
    page.goto(session.url)
    page.wait_for_selector("h1")
    yield page
    context.close()
    assert [one for one in faults if not (refused and "status of 400" in one)] == []


def numbers(text: str) -> list[float]:
    """The numbers of a line, as the page writes them."""
    plain = re.sub(r"[a-zA-Z]\w*[*=]?\d*\*?", " ", text.replace("−", "-").replace("\u2009", ""))
    return [float(one) for one in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", plain)]


def cells(page: Page, row: str) -> list[float]:
    """The three numbers of a space."""
    found = page.locator(f"#space-{row} td.num").all_inner_texts()
    return [numbers(text.split(maxsplit=1)[1])[0] for text in found]


def to_view(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", f"#/{address}")


def expect_address(page: Page, end: str) -> None:
    from playwright.sync_api import expect

    expect(page).to_have_url(re.compile(re.escape(end) + "$"))


def at_pixel(page: Page, x: int, y: int) -> tuple[float, float]:
    """Where a pixel's center is seen, of a photo that is seen whole."""
    box = page.locator(".frame").bounding_box()
    assert box is not None
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def expect_pixel(page: Page, x: int, y: int, recipe: str = "imagenet") -> None:
    """Everything that is written of a pixel is what `photosite pixels` says, to the decimals that are shown."""
    from playwright.sync_api import expect

    wanted = pixel_at(picture(), (x, y), get_recipe(recipe))
    expect(page.locator(".who input").first).to_have_value(str(x))
    expect(page.locator(".who input").nth(1)).to_have_value(str(y))
    expect(page.locator("[data-counts]")).to_have_text(str(wanted.photosite.raw_counts))
    assert cells(page, "rgb") == list(wanted.rgb)
    for row, values, decimals in (
        ("linear", wanted.linear, 4),
        ("ycbcr", wanted.ycbcr, 4),
        ("lab", wanted.lab, 2),
        ("alone", wanted.normalized.of_this_pixel_alone, 3),
        ("tensor", wanted.normalized.input_values, 3),
    ):
        np.testing.assert_allclose(cells(page, row), values, atol=0.51 * 10**-decimals, err_msg=row)
    np.testing.assert_allclose(cells(page, "hsv"), wanted.hsv, atol=0.06)


def test_hovering_shows_the_librarys_numbers(page: Page) -> None:
    for x, y in ((55, 40), (41, 31), (90, 60)):
        page.mouse.move(*at_pixel(page, x, y))
        expect_pixel(page, x, y)
    assert "under the pointer" in page.locator(".who").inner_text()
    page.mouse.move(2, 2)
    expect_pixel(page, WIDTH // 2, HEIGHT // 2)


def test_a_click_keeps_a_pixel_and_the_back_button_lets_go(page: Page) -> None:
    page.mouse.click(*at_pixel(page, 50, 20))
    expect_address(page, "#/pixels?x=50&y=20")
    page.mouse.click(*at_pixel(page, 60, 21))
    page.mouse.move(2, 2)
    expect_pixel(page, 60, 21)
    page.go_back()
    expect_pixel(page, 50, 20)
    page.go_forward()
    expect_pixel(page, 60, 21)
    page.reload()
    page.wait_for_selector("h1")
    expect_pixel(page, 60, 21)
    assert "token" not in page.url


def test_pixels_by_keyboard(page: Page) -> None:
    page.locator(".frame").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect_pixel(page, WIDTH // 2 + 1, HEIGHT // 2 + 10)
    page.keyboard.press("Enter")  # cells
    expect_address(page, "&z=48.000&cx=61.50&cy=55.50")
    page.keyboard.press("0")
    expect_address(page, "?x=61&y=55")
    page.keyboard.press("Escape")
    expect_pixel(page, WIDTH // 2, HEIGHT // 2)
    page.locator(".who input").first.fill("7")
    page.locator(".who input").nth(1).fill("8")
    expect_address(page, "x=7&y=8")


def test_the_neighborhood_is_the_tensor(page: Page) -> None:
    x = get_recipe("clip")(picture())[0]
    to_view(page, "pixels?x=60&y=45&recipe=clip")
    place = pixel_at(picture(), (60, 45), get_recipe("clip")).normalized.row_column
    assert place is not None
    row, column = place
    page.wait_for_selector(f"text=offset(c, {row}, {column})")
    near = x[:, row - 2 : row + 3, column - 2 : column + 3]
    planes = page.locator(".planes table")
    for c in range(3):
        shown = numbers(" ".join(planes.nth(c).locator("td").all_inner_texts()))
        np.testing.assert_allclose(shown, near[c].ravel(), atol=0.0051)
    page.get_by_role("button", name="NHWC").click()
    shown = numbers(" ".join(planes.nth(0).locator("td span").all_inner_texts()))
    np.testing.assert_allclose(shown, near.transpose(1, 2, 0).ravel(), atol=0.0051)
    assert numbers(page.locator(".strides tr").nth(2).inner_text()) == [150528, 672, 3, 1]
    here = (row * 224 + column) * 3
    run = numbers(" ".join(page.locator(".strip .cell").evaluate_all("all => all.map((one) => one.firstChild.data)")))
    np.testing.assert_allclose(run, x.transpose(1, 2, 0).ravel()[here - 9 : here + 12], atol=0.051)
    assert f"{here // 1000}\u2009{here % 1000:03d}" in page.locator(".strip").inner_text()


def test_a_pixel_outside_of_the_crop_has_no_number(page: Page) -> None:
    to_view(page, "pixels?x=0&y=0")
    page.wait_for_selector("text=This pixel lies outside of what the recipe keeps")
    assert page.locator("#space-tensor td.num").all_inner_texts() == ["c=0 –", "c=1 –", "c=2 –"]


def kernel_output(kernel: list[list[float]], side: int) -> np.ndarray:
    gray = np.array(Image.fromarray(resize(picture(), (side * HEIGHT // WIDTH, side), "bilinear")).convert("RGB"))
    luma = gray.astype(np.float64) / 255 @ [0.299, 0.587, 0.114]
    return conv2d_loop(np.rint(luma * 255)[None], np.array(kernel, np.float64)[None, None])[0]


def result(page: Page) -> float:
    return numbers(page.locator("#result").inner_text())[0]


def test_each_place_of_a_convolution(page: Page) -> None:
    sobel = [[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    wanted = kernel_output(sobel, 24)
    to_view(page, "convolution?kernel=sobel-x&side=24&y=3&x=5")
    page.wait_for_selector("#result")
    assert result(page) == wanted[3, 5]
    page.get_by_role("button", name="Step").click()
    assert result(page) == wanted[3, 6]
    page.get_by_role("button", name="Back", exact=True).click()
    page.get_by_role("button", name="Back", exact=True).click()
    assert result(page) == wanted[3, 4]
    expect_address(page, "&y=3&x=4")
    grid = page.locator(".stack.keys")
    box = grid.bounding_box()
    assert box is not None
    side = box["width"] / wanted.shape[1]
    page.mouse.click(box["x"] + 10.5 * side, box["y"] + 7.5 * side)
    page.mouse.move(2, 2)
    assert result(page) == wanted[7, 10]
    grid.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    assert result(page) == wanted[8, 20]
    page.keyboard.press("Home")
    assert result(page) == wanted[0, 0]
    page.go_back()
    assert result(page) == wanted[3, 4]
    page.wait_for_selector("text=photosite.ops.conv on these 16 × 22 numbers: largest difference 0")


def test_play_goes_on_and_stops_at_the_end(page: Page) -> None:
    wanted = kernel_output([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]], 12)
    rows, columns = wanted.shape
    to_view(page, f"convolution?kernel=sharpen&side=12&y={rows - 1}&x={columns - 4}")
    page.wait_for_selector("#result")
    page.locator(".stack.keys").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=Pause")
    page.wait_for_selector("text=Play")
    assert result(page) == wanted[-1, -1]


def test_a_typed_kernel_and_its_errors(page: Page) -> None:
    to_view(page, "convolution?kernel=typed&k=1/9,0;0,-1&side=16&y=2&x=2")
    page.wait_for_selector("#result")
    wanted = kernel_output([[1 / 9, 0], [0, -1]], 16)
    np.testing.assert_allclose(result(page), wanted[2, 2], rtol=1e-5)
    field = page.get_by_label("All numbers; rows apart by semicolons")
    field.fill("2,0,1")
    field.press("Enter")
    assert result(page) == kernel_output([[2, 0, 1]], 16)[2, 2]
    field.fill("2,x")
    field.press("Enter")
    assert "a kernel wants numbers such as" in page.locator(".fault").inner_text()
    assert page.locator(".formulas").inner_text().count("3") > 0
    page.get_by_label("padding", exact=True).fill("16")
    page.locator("label", has_text=re.compile("^by")).locator("select").select_option("reflect")
    page.wait_for_selector("text=reflect can repeat at most 11 of this side; padding is 16")


def test_learned_kernels_over_normalized_colors(page: Page, session: Session) -> None:
    to_view(page, "convolution")
    page.get_by_role("button", name="Learned").click()
    page.get_by_label("filter 4").click()
    page.get_by_label("photo at").select_option("32")
    page.wait_for_selector("text=photosite.ops.conv on these 12 × 16 numbers")
    model = session.workspace.models()[0].network
    patch = resize(picture(), (24, 32), "bilinear")
    x = torch.from_numpy(get_recipe("imagenet").normalized(patch))
    with torch.no_grad():
        wanted = model(x)[0, 4]
    np.testing.assert_allclose(result(page), wanted[6, 8], rtol=2e-5)
    said = page.locator(".formulas").inner_text()
    assert "O · (C · K · L + 1) = 6 · (3 · 3 · 3 + 1) = 168" in said
    assert "⌊(24 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 12" in said
    assert page.locator(".agreement").inner_text().endswith(tuple("0123456789"))
    page.reload()
    page.wait_for_selector("#result")
    np.testing.assert_allclose(result(page), wanted[6, 8], rtol=2e-5)


def test_stations_lead_back_to_what_was_chosen(page: Page) -> None:
    to_view(page, "convolution?kernel=box&side=16&y=3&x=4")
    page.wait_for_selector("#result")
    page.locator("nav a", has_text="Pixels").click()
    page.wait_for_selector("#space-rgb")
    page.locator("nav a", has_text="Convolution").click()
    expect_address(page, "#/convolution?kernel=box&side=16&y=3&x=4")
    assert page.locator("[aria-current]").inner_text().startswith("2")
    np.testing.assert_allclose(result(page), kernel_output([[1 / 9] * 3] * 3, 16)[3, 4], rtol=1e-5)


def test_a_photo_is_opened_and_what_is_none_is_said(browser: Browser, tmp_path: Path) -> None:
    with explore(picture()) as session:
        for page in opened(browser, session, refused=True):
            open_photos(page, tmp_path)


def open_photos(page: Page, tmp_path: Path) -> None:
    new = np.full((20, 31, 3), (10, 200, 30), np.uint8)
    Image.fromarray(new).save(tmp_path / "<img src=x onerror=alert(1)>.png")
    (tmp_path / "words.jpg").write_text("no picture")
    page.locator("input[type=file]").set_input_files(tmp_path / "words.jpg")
    page.wait_for_selector(".photos .fault")
    assert "not_an_image" in page.locator(".photos .fault").inner_text()
    page.locator("input[type=file]").set_input_files(tmp_path / "<img src=x onerror=alert(1)>.png")
    page.wait_for_selector("text=20 × 31 px")
    assert page.locator(".photos .fault").count() == 0
    assert "<img src=x" in page.locator(".photos .name").inner_text()
    assert cells(page, "rgb") == [10, 200, 30]
    page.locator(".thumb").nth(1).click()
    page.wait_for_selector(f"text={HEIGHT} × {WIDTH} px")


def test_a_file_is_dropped_anywhere(browser: Browser) -> None:
    with explore(picture()) as session:
        for page in opened(browser, session):
            drop_a_file(page)


def drop_a_file(page: Page) -> None:
    page.evaluate("""async () => {
      const canvas = new OffscreenCanvas(13, 9);
      canvas.getContext("2d").fillRect(0, 0, 13, 9);
      const file = new File([await canvas.convertToBlob()], "dropped.png", { type: "image/png" });
      const data = new DataTransfer();
      data.items.add(file);
      const send = (name) => window.dispatchEvent(new DragEvent(name, { dataTransfer: data, cancelable: true }));
      send("dragenter");
      await new Promise((done) => setTimeout(done, 50));
      window.wasOver = !document.querySelector(".drop").hidden;
      send("drop");
    }""")
    page.wait_for_selector("text=9 × 13 px")
    assert page.evaluate("window.wasOver")
    assert page.locator(".drop").is_hidden()
    assert "dropped.png" in page.locator(".photos .name").inner_text()


def test_without_the_token_it_says_what_to_do(browser: Browser, session: Session) -> None:
    page = browser.new_page()
    page.goto(session._server.address)
    page.wait_for_selector("text=Open the address that `photosite explore` printed")
    page.close()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1440, "light"),
        (390, "dark"),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in ((1440, "dark"), (390, "light"), (900, "light"))),
    ],
)
def test_it_fits_in_both_themes(browser: Browser, session: Session, width: int, scheme: str) -> None:
    for page in opened(browser, session, viewport={"width": width, "height": 844}, color_scheme=scheme):
        paper = {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 22, 26)"}
        for address in (
            "pixels",
            "pixels?layout=nhwc&z=48&look=mosaic",
            "convolution?channels=rgb&pad=2&bias=1",
            "convolution?kernel=typed&k=" + ";".join(["1,1,1,1,1,1,1"] * 7),
            "convolution?kernel=layer",
        ):
            to_view(page, address)
            page.wait_for_selector("#result" if address.startswith("c") else ".strip")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper[scheme]
        page.locator("#theme").click()  # auto, then light, then dark
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper["light"]
        page.locator("#theme").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper["dark"]


def test_everything_that_can_be_used_has_a_name(page: Page) -> None:
    for address in ("pixels", "convolution?kernel=typed", "convolution?kernel=layer"):
        to_view(page, address)
        page.wait_for_selector("#result" if address.startswith("c") else "[data-counts]")
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select, [tabindex='0'], canvas[role]")]
              .filter((one) =>
              !one.hidden && !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.[0]?.textContent)
            ).map((one) => one.outerHTML)"""
        )
        assert unnamed == []
