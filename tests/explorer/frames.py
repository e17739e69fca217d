"""What the page costs while a person points and drags: main thread for each event, and the frames that came."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.explorer.browsing import rest

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

FRAMES = """() => {
  window.frames_ms = [];
  let last = 0;
  const frame = (now) => {
    if (last) window.frames_ms.push(now - last);
    last = now;
    window.counting = requestAnimationFrame(frame);
  };
  window.counting = requestAnimationFrame(frame);
}"""
COUNTED = "() => { cancelAnimationFrame(window.counting); return window.frames_ms; }"
# Two frames and a task: effects that run behind the painting are done.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
Move = Callable[[float], None]


@dataclass(frozen=True)
class Scene:
    """A thing that a person does.

    Attributes:
        work: what it is.
        address: of the station.
        target: over which the pointer moves; of several that match, the first.
        how: "hover", "drag" from its middle, "slide" along it, or "wheel".
    """

    work: str
    address: str
    target: str
    how: str = "hover"


SCENES = (
    Scene("nothing: beside all pictures", "pixels", "nav", "hover"),
    Scene("Pixels, hover", "pixels", ".frame"),
    Scene("Pixels, hover single cells", "pixels?z=48", ".frame"),
    Scene("Pixels, move the photo", "pixels?z=2", ".frame", "drag"),
    Scene("Pixels, zoom", "pixels?z=1", ".frame", "wheel"),
    Scene("Convolution, hover the output", "convolution?side=128", ".map:nth-child(2) .stack"),
    Scene("Convolution, scrub", "convolution?side=128", "[aria-label='Place of the kernel']", "slide"),
    Scene("Convolution, scrub 48 × 48", "convolution", "[aria-label='Place of the kernel']", "slide"),
    Scene("Pooling, slide the shift", "pooling", "[aria-label='Shift of the photo, in pixels']", "slide"),
    Scene("Receptive fields, drag the layer", "fields", "[aria-label='Layer']", "slide"),
    Scene("Receptive fields, drag VGG-16's layer", "fields?stack=vgg16", "[aria-label='Layer']", "slide"),
    Scene("Hierarchy, hover cells", "hierarchy", ".channelmap .stack"),
    Scene("Normalization, hover numbers", "normalization", "[data-block]"),
    Scene("Normalization, slide the batch", "normalization", ".batch input[type=range]", "slide"),
    Scene("Residual, slide the block", "residual", "[aria-label='Block whose numbers are written']", "slide"),
    Scene("Patches and tokens, hover tokens", "tokens?part=models", ".stack"),
)


@dataclass(frozen=True)
class Report:
    """What one scene cost, in milliseconds.

    Attributes:
        work: what was done.
        event_ms: main thread for each event: handlers, drawing, layout, painting, and the frames until all stood.
        script_ms: JavaScript of it.
        frame_ms: between frames while events come as fast as the browser takes them.
    """

    work: str
    event_ms: list[float]
    script_ms: list[float]
    frame_ms: list[float]

    def figures(self) -> dict[str, float]:
        """Mean, 95th of 100 and worst."""
        found = {}
        for name in ("event_ms", "script_ms", "frame_ms"):
            values = sorted(getattr(self, name))
            found[f"{name} mean"] = statistics.fmean(values)
            found[f"{name} p95"] = values[math.ceil(0.95 * len(values)) - 1]
            found[f"{name} worst"] = values[-1]
        return {name: round(value, 2) for name, value in found.items()}

    def line(self) -> str:
        """For a person."""
        found = self.figures()
        three = [
            f"{what} {found[f'{name} mean']:6.2f} {found[f'{name} p95']:6.2f} {found[f'{name} worst']:6.2f}"
            for name, what in (("event_ms", "event"), ("script_ms", "script"), ("frame_ms", "frame"))
        ]
        return f"{self.work:<40} {' · '.join(three)} ms (mean, p95, worst), {len(self.frame_ms)} frames"

    def words(self) -> dict[str, Any]:
        """For a file."""
        return {**asdict(self), **self.figures()}


def measure(page: Page, scenes: tuple[Scene, ...] = SCENES, events: int = 60) -> Iterator[Report]:
    """Do what each scene says.

    Args:
        page: of the explorer, opened by `watched`.
        scenes: in this order.
        events: of each, twice: one after the other for the work, then in a stream for the frames.
    """
    tools = page.context.new_cdp_session(page)
    # time that the thread computed, not that others took from it
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
    for scene in scenes:
        page.evaluate("address => { location.hash = address; }", f"#/{scene.address}")
        page.mouse.move(1, 1)
        target = page.locator(scene.target).first
        target.wait_for()
        rest(page)
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        move = gesture(page, scene.how, box)
        move(0)
        rest(page)
        work: list[tuple[float, float]] = []
        for number in range(1, events + 1):
            before = spent(tools)
            move(number / events)
            page.evaluate(DRAWN)
            after = spent(tools)
            work.append((after[0] - before[0], after[1] - before[1]))
        page.evaluate(FRAMES)
        for number in range(2 * events):
            move((number % events) / events)
        frames = page.evaluate(COUNTED)
        page.mouse.up()
        yield Report(scene.work, [one for one, _ in work], [one for _, one in work], frames)


def spent(tools: CDPSession) -> tuple[float, float]:
    """Milliseconds of the main thread so far: of all tasks, and of JavaScript."""
    found = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    return 1000 * found["TaskDuration"], 1000 * found["ScriptDuration"]


def gesture(page: Page, how: str, box: Any) -> Move:
    """What moves, from a share of the whole gesture in [0, 1]."""
    left, top, width, height = box["x"], box["y"], box["width"], min(box["height"], 880 - box["y"])

    def along(share: float) -> tuple[float, float]:
        """A figure of eight that stays inside."""
        turn = 2 * math.pi * share
        return left + width * (0.5 + 0.45 * math.sin(turn)), top + height * (0.5 + 0.45 * math.sin(2 * turn))

    def hover(share: float) -> None:
        page.mouse.move(*along(share))

    def slide(share: float) -> None:
        page.mouse.move(left + 8 + (width - 16) * (0.5 - 0.5 * math.cos(2 * math.pi * share)), top + height / 2)

    def wheel(share: float) -> None:
        page.mouse.wheel(0, -60 * math.cos(2 * math.pi * share))

    if how == "hover":
        return hover
    if how == "wheel":
        page.mouse.move(left + width / 2, top + height / 2)
        return wheel
    page.mouse.move(*((left + 8, top + height / 2) if how == "slide" else along(0)))
    page.mouse.down()
    return slide if how == "slide" else hover
