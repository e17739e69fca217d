"""A person who knows nothing and stops at nothing: clicks, hovers, drags, types, scrolls and goes back, by a seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from playwright.sync_api import Error

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

# A thing to use, chosen by a share in [0, 1), brought into view; its kind and a place in it by two more shares.
CHOOSE = """([which, across, down, selector]) => {
  const all = [...document.querySelectorAll(selector)].filter((one) => one.getClientRects().length && !one.disabled);
  const one = all[Math.floor(which * all.length)];
  if (!one) return null;
  one.scrollIntoView({ block: "nearest", inline: "nearest" });
  const { left, top, width, height } = one.getBoundingClientRect();
  return { kind: one.tagName === "INPUT" ? one.type : one.tagName, x: left + across * width, y: top + down * height };
}"""
USED = "main button, main a, main select, main input:not([type=file]), [role=application], main svg, summary, #theme"
PICTURES = "[role=application], main canvas, main svg"
KEYS = (
    *("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowDown", "Home", "End", "Enter"),
    *("Escape", "Space", "+", "-", "0", "Tab", "Shift+Tab", "PageDown"),
)
TYPED = ("0", "1", "3", "7", "12", "48", "224", "99999", "-1", "1.5", "", "x", "1/9,0;0,-1", "2,0,1", "<b>&", "é 漢")


class Monkey:
    """Uses a page.

    Args:
        page: that rests.
        seed: of everything that it does.
        files: photos that it may open.
    """

    def __init__(self, page: Page, seed: int, files: list[Path]) -> None:
        self.page, self.files, self.random = page, files, random.Random(seed)
        self.done: dict[str, int] = {}
        page.on("filechooser", lambda chooser: None)  # no window of the system opens

    def act(self) -> None:
        """Do one thing."""
        deeds = (
            self.station,
            self.click,
            self.hover,
            self.drag,
            self.write,
            self.press,
            self.scroll,
            self.back,
            self.open,
        )
        (deed,) = self.random.choices(deeds, (6, 40, 20, 8, 8, 14, 6, 5, 0.5))
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
        deed()

    def _place(self, selector: str) -> dict[str, float | str] | None:
        shares = [self.random.random() for _ in range(3)]
        found: dict[str, float | str] | None = self.page.evaluate(CHOOSE, [*shares, selector])
        return found

    def station(self) -> None:
        if place := self._place("nav li a"):
            self.page.mouse.click(place["x"], place["y"])  # type: ignore[arg-type]

    def click(self) -> None:
        place = self._place(USED)
        if place is None:
            return
        if place["kind"] == "SELECT":  # its list is a window of the browser's own
            self.page.mouse.move(place["x"], place["y"])  # type: ignore[arg-type]
            share = self.random.random()
            self.page.evaluate(
                """([x, y, share]) => {
              const one = document.elementFromPoint(x, y)?.closest("select");
              if (!one) return;
              one.selectedIndex = Math.floor(share * one.options.length);
              one.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
                [place["x"], place["y"], share],
            )
        else:
            count = 2 if self.random.random() < 0.1 else 1
            self.page.mouse.click(place["x"], place["y"], click_count=count)  # type: ignore[arg-type]

    def hover(self) -> None:
        place = self._place(PICTURES)
        if place is not None:
            self.page.mouse.move(place["x"], place["y"], steps=self.random.randint(1, 8))  # type: ignore[arg-type]

    def drag(self) -> None:
        start, end = self._place(PICTURES), self._place(PICTURES)
        if start is None or end is None:
            return
        self.page.mouse.move(start["x"], start["y"])  # type: ignore[arg-type]
        self.page.mouse.down()
        self.page.mouse.move(end["x"], end["y"], steps=4)  # type: ignore[arg-type]
        self.page.mouse.up()

    def write(self) -> None:
        place = self._place("main input[type=number], main input[type=text]")
        if place is None:
            return
        self.page.mouse.click(place["x"], place["y"], click_count=3)  # type: ignore[arg-type]
        self.page.keyboard.insert_text(self.random.choice(TYPED))
        if self.random.random() < 0.6:
            self.page.keyboard.press("Enter")

    def press(self) -> None:
        if self.random.random() < 0.3 and (place := self._place("[tabindex='0'], main input[type=range]")):
            self.page.mouse.click(place["x"], place["y"])  # type: ignore[arg-type]
        for _ in range(self.random.randint(1, 4)):
            self.page.keyboard.press(self.random.choice(KEYS))

    def scroll(self) -> None:
        self.page.mouse.wheel(0, self.random.choice((-900, -200, 200, 900)))

    def back(self) -> None:
        step = self.random.choice(("back", "back", "forward"))
        # not beyond the page's own first address
        self.page.evaluate(
            """step => {
              if (step === "back" ? navigation.canGoBack && navigation.currentEntry.index > 0 : navigation.canGoForward)
                history[step]();
            }""",
            step,
        )

    def open(self) -> None:
        try:
            self.page.locator("input[type=file]").set_input_files(self.random.choice(self.files))
        except Error:  # the page was being drawn anew
            self.done["not opened"] = self.done.get("not opened", 0) + 1
