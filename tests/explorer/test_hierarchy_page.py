"""The station Hierarchy as a person uses it; and what its page reads off maps, held to the library and to NumPy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from photosite.analysis.cam.explain import Explainer
from photosite.analysis.depths import main_depths
from photosite.analysis.features import features
from photosite.analysis.receptive_field import ReceptiveField, ReceptiveFields
from photosite.explorer.session import Session, explore
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.prep.recipes import get_recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent / "page"
RECIPE = get_recipe("imagenet").at(64)
HEIGHT, WIDTH = 90, 120


def read(asked: list[dict[str, Any]]) -> list[Any]:
    """What the page makes of it, one answer a question."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH; install Node 20 or newer to compute what the page computes")
    words = json.dumps(asked)
    done = subprocess.run(
        [node, str(HERE / "network_answer.js")], input=words, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def nodes_of(*paths: str) -> list[dict[str, str]]:
    return [{"name": f"n{i}", "module": path, "kind": "any"} for i, path in enumerate(paths)]


def test_modules_are_boxes_within_boxes() -> None:
    paths = ["stem", "stem.norm", *["body.0.conv"] * 4, *["body.1.conv"] * 4, "body.1", "", "head"]
    ((stem, body, rest),) = read([{"kind": "nested", "nodes": nodes_of(*paths), "together": 6}])
    assert stem == ["", ["n0", "n1"], []]
    assert body == [
        "body",
        [],
        [["body.0", [f"n{i}" for i in range(2, 6)], []], ["body.1", [f"n{i}" for i in range(6, 11)], []]],
    ]
    assert rest == ["", ["n11", "n12"], []]
    # a path of one is not a box in a box; what runs again stands where it runs
    (deep,) = read([{"kind": "nested", "nodes": nodes_of(*["a.b.c.0"] * 5, *["a.b.c.1"] * 5), "together": 6}])
    assert [(title, [inner[0] for inner in boxes]) for title, _, boxes in deep] == [("a.b.c", ["a.b.c.0", "a.b.c.1"])]


def test_no_operation_is_lost_in_the_boxes() -> None:
    rng = np.random.default_rng(0)
    asked = [
        {
            "kind": "nested",
            "nodes": nodes_of(*(".".join(map(str, rng.integers(0, 3, rng.integers(0, 5)))) for _ in range(60))),
            "together": int(rng.integers(1, 30)),
        }
        for _ in range(40)
    ]

    def flat(boxes: list[Any]) -> list[str]:
        return [name for _, nodes, inner in boxes for name in [*nodes, *flat(inner)]]

    for boxes in read(asked):
        assert flat(boxes) == [f"n{i}" for i in range(60)]


def test_maps_are_drawn_by_sign() -> None:
    limits = [[-1, 3], [-3, 1], [0, 2], [1, 2], [-2, -1], [0, 0]]
    (found,) = read([{"kind": "drawn", "limits": limits}])
    assert [(one["look"], one["low"], one["high"]) for one in found] == [
        ("signed", -3, 3),
        ("signed", -3, 3),
        ("magnitude", 0, 2),
        ("magnitude", 0, 2),
        ("signed", -2, 2),
        ("magnitude", 0, 0),
    ]


def test_strongest_places_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    maps = [rng.integers(0, 9, rng.integers(1, 9, 2)).astype(float) for _ in range(40)]
    asked = [
        {"kind": "strongest", "values": one.ravel().tolist(), "height": len(one), "width": one.shape[1], "count": 4}
        for one in maps
    ]
    for one, found in zip(maps, read(asked), strict=True):
        left, wanted = one.copy(), []
        while len(wanted) < 4 and np.isfinite(left).any():
            row, column = np.unravel_index(np.argmax(left), left.shape)
            wanted.append({"row": row, "column": column, "value": one[row, column]})
            left[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = -np.inf
        assert found == wanted


def test_fields_of_places() -> None:
    rows, columns = [0, 5, 3, 9], [1, 2, -1, -1, 4, 8]
    (found,) = read([{"kind": "fields", "rows": rows, "columns": columns, "places": [[0, 0], [1, 2], [1, 1]]}])
    assert found == [[0, 1, 5, 2], [3, 4, 9, 8], None]
    assert read([{"kind": "names", "lists": [["a"], ["a", "b"], ["a", "b", "c"]]}]) == [
        ["a", "a and b", "a and 2 more"]
    ]


def picture() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    made = np.stack([x * 2, y * 2.5, 255 - x - y], -1) + 9 * np.sin(x / 3 + y / 5)[..., None]
    return np.clip(made, 0, 255).astype(np.uint8)


class Net(nn.Module):
    """Two convolutions, a mean, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 70, 5, stride=4, padding=2), nn.Conv2d(70, 6, 3, stride=2, padding=1)
        self.head = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(torch.relu(self.body(torch.relu(self.stem(x)))).mean((2, 3)))
        return y


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = Net().eval()
    made.photo_recipe, made.classes = RECIPE, ("cat", "dog", "owl")  # type: ignore[assignment]
    return made


@pytest.fixture(scope="module")
def field(network: nn.Module) -> ReceptiveField:
    return ReceptiveFields(functional(capture(network, torch.zeros(1, 3, 64, 64))))["conv2d_1"]


@pytest.fixture(scope="module")
def session(network: nn.Module) -> Iterator[Session]:
    with explore(picture(), network) as running:
        yield running


@pytest.fixture
def page(browser: Browser, session: Session) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made, faults = context.new_page(), []
    made.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("request", lambda one: None if one.url.startswith(session._server.address) else faults.append(one.url))
    made.goto(session.url)
    made.wait_for_selector("h1")
    yield made
    context.close()
    assert faults == []


def to_view(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", f"#/hierarchy{address}")


def numbers(text: str) -> list[float]:
    plain = text.replace("−", "-").replace("\u2009", "")
    return [float(one) for one in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", plain)]


def expect_cell(page: Page, map_: np.ndarray, field: ReceptiveField, row: int, column: int) -> None:
    """What is written of a cell is the model's number, and the library's box in input and photo."""
    from playwright.sync_api import expect

    expect(page.locator("#cell")).to_contain_text(f"row {row}, column {column}")
    # six digits are written
    np.testing.assert_allclose(numbers(page.locator("#cell output").inner_text())[0], map_[row, column], rtol=5e-6)
    box = field.unit_box((row, column))
    assert box is not None
    top, left, bottom, right = box
    photo = RECIPE.geometry((HEIGHT, WIDTH)).clipped_box(*box)
    said = numbers(page.locator("#field").inner_text())
    assert said[:4] == [top, bottom - 1, left, right - 1]
    np.testing.assert_allclose(said[4:], [float(photo[at]) for at in (0, 2, 1, 3)], rtol=5e-6)


@pytest.mark.browser
def test_a_cell_under_the_pointer_shows_the_librarys_numbers(
    page: Page, network: nn.Module, field: ReceptiveField
) -> None:
    maps = features(network, torch.from_numpy(RECIPE(picture())), ["conv2d_1"])["conv2d_1"][0].numpy()
    first = int(np.argmax(maps.reshape(6, -1).astype(np.float64).var(1)))
    page.locator("nav a", has_text="Hierarchy").click()
    page.get_by_role("button", name="conv2d_1, conv2d in body").click()
    page.wait_for_selector(".thumbs button >> nth=5")
    assert f"channel {first} " in page.locator(".channelmap figcaption").inner_text()
    expect_cell(page, maps[first], field, 4, 4)
    stack = page.locator(".channelmap .stack")
    box = stack.bounding_box()
    assert box is not None
    side = box["width"] / 8
    for row, column in ((0, 0), (7, 2), (3, 6)):
        page.mouse.move(box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side)
        expect_cell(page, maps[first], field, row, column)
    page.mouse.click(box["x"] + 1.5 * side, box["y"] + 2.5 * side)
    page.mouse.move(2, 2)
    expect_cell(page, maps[first], field, 2, 1)
    stack.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect_cell(page, maps[first], field, 7, 2)
    page.locator(".thumbs button").nth(3).click()
    other = int(np.argsort(-maps.reshape(6, -1).astype(np.float64).var(1), kind="stable")[3])
    expect_cell(page, maps[other], field, 7, 2)
    assert f"ch={other}" in page.url
    page.reload()
    page.wait_for_selector(".thumbs button >> nth=5")
    expect_cell(page, maps[other], field, 7, 2)
    page.locator(".patches button").first.click()
    row, column = np.unravel_index(int(maps[other].argmax()), (8, 8))
    expect_cell(page, maps[other], field, int(row), int(column))
    page.locator(".channelmap .stack").focus()
    page.keyboard.press("Escape")
    expect_cell(page, maps[other], field, 4, 4)


@pytest.mark.browser
def test_the_steps_lead_from_the_photo_to_what_the_model_says(page: Page, network: nn.Module) -> None:
    from playwright.sync_api import expect

    to_view(page, "")
    x = torch.from_numpy(RECIPE(picture()))
    with torch.no_grad():
        scores = network(x)[0]
    expect(page.locator(".says small").first).to_have_text(re.compile("cat|dog|owl"), timeout=30_000)
    said = page.locator(".says small").all_inner_texts()
    order = scores.argsort(descending=True).tolist()
    assert [text.split()[0] for text in said] == [("cat", "dog", "owl")[i] for i in order]
    np.testing.assert_allclose([numbers(text)[0] for text in said], scores[order].numpy(), rtol=6e-3)  # three digits
    last = page.locator(".steps button").last
    painted = last.locator("canvas").evaluate(
        "one => new Set(one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size"
    )
    assert painted > 8
    last.click()
    node = main_depths(functional(capture(network, x)))[-1].node.name
    expect(page.locator("#node")).to_have_text(node)
    assert f"node={node}" in page.url
    page.go_back()
    expect(page.locator(".steps button").first).to_have_attribute("aria-pressed", "true")


@pytest.mark.browser
def test_the_pixels_that_are_drawn_are_the_maps_colors(page: Page, network: nn.Module) -> None:
    from photosite.trace.canvas import DIVERGING

    maps = features(network, torch.from_numpy(RECIPE(picture())), ["conv2d_1"])["conv2d_1"][0].numpy()
    channel = int(maps.reshape(6, -1).min(1).argmin())
    map_ = maps[channel]
    assert map_.min() < 0
    to_view(page, f"?node=conv2d_1&ch={channel}")
    page.wait_for_selector(f"text=channel {channel} ·")
    page.wait_for_selector(".thumbs button >> nth=5")
    drawn = page.evaluate("""() => {
      const canvas = document.querySelector(".channelmap canvas"), side = canvas.width / 8;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const from = (i) => Math.floor((i + .1) * side), at = (i) => 4 * (from(i >> 3) * canvas.width + from(i & 7));
      return Array.from({ length: 64 }, (_, i) => [...data.slice(at(i), at(i) + 3)]);
    }""")
    most = np.abs(map_).max()
    shares = np.minimum((map_ + most) / (2 * most) * 256, 255).astype(int).ravel()
    # the page's table differs from Python's by at most 1, and a share on an edge may fall to either side
    assert np.abs(np.array(drawn) - DIVERGING[shares].astype(int)).max() <= 4


@pytest.mark.browser
def test_all_channels_and_kernels_that_read_the_picture(page: Page) -> None:
    to_view(page, "?node=conv2d")
    page.wait_for_selector(".thumbs button >> nth=63")
    assert page.locator(".thumbs button").count() == 64
    page.wait_for_selector("text=one of 70, which read the picture itself")
    page.get_by_role("button", name="show all 70").click()
    page.wait_for_selector(".thumbs button >> nth=69")
    assert "all=1" in page.url
    to_view(page, "?node=conv2d_1")
    page.wait_for_selector("text=6 of 6")
    assert page.locator(".kernelof").count() == 0


@pytest.mark.browser
def test_class_activation_maps_and_their_refusal(page: Page, network: nn.Module) -> None:
    x = torch.from_numpy(RECIPE(picture()))
    to_view(page, "?node=conv2d_1")
    page.get_by_label("method").select_option("eigencam")
    page.wait_for_selector("#camclass")
    ((wanted,),) = Explainer(network, x, layers="conv2d_1")(x, "eigencam")
    assert ("cat", "dog", "owl")[wanted.target] in page.locator("#camclass").inner_text()
    said = numbers(page.locator("#camrange").inner_text())
    np.testing.assert_allclose(said, [wanted.values.min(), wanted.values.max()], rtol=5e-4)  # four digits
    page.get_by_label("method").select_option("cam")
    page.wait_for_selector("text=CAM is not defined; gradcam is")
    page.get_by_label("class", exact=True).fill("1")
    page.get_by_label("class", exact=True).press("Enter")
    page.get_by_label("method").select_option("eigencam")
    page.wait_for_selector("#camclass >> text=dog")


@pytest.mark.browser
def test_the_map_by_keyboard_and_a_value_without_places(page: Page, network: nn.Module) -> None:
    to_view(page, "?node=conv2d")
    page.wait_for_selector("#node >> text=conv2d")
    page.locator(".netmap [aria-pressed='true']").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#node >> text=relu")
    page.keyboard.press("Home")
    page.wait_for_selector("#node >> text=conv2d")
    page.keyboard.press("End")
    page.wait_for_selector(".largest")
    with torch.no_grad():
        scores = network(torch.from_numpy(RECIPE(picture())))[0]
    shown = [numbers(text)[0] for text in page.locator(".largest td.num").all_inner_texts()]
    np.testing.assert_allclose(shown, sorted(scores.tolist(), reverse=True), atol=5.1e-5)  # four decimals
    assert page.locator(".largest td").first.inner_text() == ("cat", "dog", "owl")[int(scores.argmax())]


@pytest.mark.browser
def test_another_model_is_built_and_what_cannot_be_is_said(browser: Browser, network: nn.Module) -> None:
    class Halves(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = x.chunk(2, 2)
            return a + b

    with explore(picture(), network, find=lambda name: Halves().eval(), names=("halves",)) as session:
        page = browser.new_page()
        page.goto(session.url)
        page.wait_for_selector("h1")
        to_view(page, "")
        page.wait_for_selector(".thumbs button >> nth=5")
        page.locator(".settings select").select_option("halves")
        page.wait_for_selector("text=operations, for an input of 224 × 224")
        assert page.locator(".netmap button").count() == len(functional(capture(Halves(), torch.zeros(1, 3, 8, 8))))
        page.locator(".netmap button").first.click()
        page.wait_for_selector("text=gives 2 values: look at the operations that read it")
        to_view(page, "?model=nothing")
        page.wait_for_selector(".fault >> text=nothing")
        assert page.locator(".netmap button").count() == 0
        page.go_back()
        page.wait_for_selector(".netmap button")
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_fits_and_everything_has_a_name(browser: Browser, session: Session, width: int, scheme: Any) -> None:
    page = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
    page.goto(session.url)
    page.wait_for_selector("h1")
    for address, mark in (("?node=conv2d_1&cam=gradcam", ".camrow, .refused"), ("?node=linear_1", ".largest")):
        to_view(page, address)
        page.wait_for_selector(mark)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        unnamed = page.evaluate("""() =>
          [...document.querySelectorAll("button, a, input, select, [tabindex='0'], canvas[role]")]
          .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
          .map((one) => one.outerHTML.slice(0, 80))""")
        assert unnamed == []
    page.context.close()
